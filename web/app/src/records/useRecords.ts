/** The statements that a filter shows: the newest first, what arrives meanwhile, and older ones on demand. */
import { useEffect, useReducer, useRef } from "react";
import type { Reading } from "./statement";
import { after, further, newest, Refused, type Filter, type Page } from "./store";

/** How often new ones are asked for. */
const EVERY_MS = 3_000;
/** After a failure, at most so long. */
const LONGEST_MS = 30_000;
/** More are not kept: whoever wants older ones filters by time. */
const MOST = 2_000;

interface Shown {
  /** Newest first. */
  statements: Reading[];
  /** Arrived, and not shown yet, newest first. */
  arrived: Reading[];
  /** Where older ones are; empty at the end. */
  older: string;
  state: "loading" | "live" | "interrupted" | "refused";
  problem: Refused | null;
}

type Happened =
  | { kind: "starts" }
  | { kind: "loaded"; page: Page }
  | { kind: "arrived"; page: Page; hold: boolean }
  | { kind: "older"; page: Page }
  | { kind: "shown" }
  | { kind: "failed"; problem: Refused };

const NOTHING: Shown = { statements: [], arrived: [], older: "", state: "loading", problem: null };

export function happen(shown: Shown, what: Happened): Shown {
  switch (what.kind) {
    case "starts":
      return NOTHING;
    case "loaded":
      return { ...NOTHING, statements: what.page.statements, older: what.page.more, state: "live" };
    case "arrived": {
      const arrived = [...what.page.statements].reverse().concat(shown.arrived);
      const live: Shown = { ...shown, arrived, state: "live", problem: null };
      return what.hold ? live : happen(live, { kind: "shown" });
    }
    case "shown": {
      const statements = shown.arrived.concat(shown.statements);
      const older = statements.length > MOST ? "" : shown.older;
      return { ...shown, statements: statements.slice(0, MOST), arrived: [], older };
    }
    case "older":
      return { ...shown, statements: shown.statements.concat(what.page.statements), older: what.page.more };
    case "failed": {
      const isFinal = [400, 401, 403].includes(what.problem.status);
      return { ...shown, state: isFinal ? "refused" : "interrupted", problem: what.problem };
    }
  }
}

/** `isBusy` says whether somebody is about to choose from the list, which then must not move. */
export function useRecords(token: string, filter: Filter, isBusy: () => boolean) {
  const [shown, tell] = useReducer(happen, NOTHING);
  const olderAsked = useRef<AbortController | null>(null);

  useEffect(() => {
    const stop = new AbortController();
    void follow(token, filter, isBusy, tell, stop.signal);
    return () => {
      stop.abort();
      olderAsked.current?.abort();
      olderAsked.current = null;
    };
  }, [token, filter, isBusy]);

  function showOlder() {
    if (shown.older === "" || olderAsked.current !== null) return;
    const asked = new AbortController();
    olderAsked.current = asked;
    further(token, shown.older, asked.signal)
      .then((page) => tell({ kind: "older", page }))
      .catch((error: unknown) => {
        if (error instanceof Refused) tell({ kind: "failed", problem: error });
      })
      .finally(() => {
        if (olderAsked.current === asked) olderAsked.current = null;
      });
  }

  return { ...shown, showOlder, showArrived: () => tell({ kind: "shown" }) };
}

async function follow(
  token: string,
  filter: Filter,
  isBusy: () => boolean,
  tell: (what: Happened) => void,
  signal: AbortSignal,
) {
  tell({ kind: "starts" });
  let place: string | null = null;
  let waitMs = EVERY_MS;
  while (!signal.aborted) {
    try {
      if (place === null) {
        const page = await newest(token, filter, signal);
        place = page.statements[0]?.stored ?? "";
        tell({ kind: "loaded", page });
      } else {
        const page = await after(token, filter, place, signal);
        place = page.statements.at(-1)?.stored ?? place;
        tell({ kind: "arrived", page, hold: isBusy() });
      }
      waitMs = EVERY_MS;
    } catch (error) {
      // Anything else means that nobody waits for it any more.
      if (!(error instanceof Refused)) return;
      tell({ kind: "failed", problem: error });
      if ([400, 401, 403].includes(error.status)) return;
      waitMs = Math.min(waitMs * 2, LONGEST_MS);
    }
    await sleep(waitMs, signal);
  }
}

/** Resolves early when it is over. Nobody is asked while the page is hidden. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      if (document.hidden && !signal.aborted) return;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", done);
      resolve();
    };
    const timer = setTimeout(() => {
      if (document.hidden) document.addEventListener("visibilitychange", done);
      else done();
    }, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
