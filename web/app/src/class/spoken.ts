/** What those who cannot see it must hear: that something is asked, that a table asks for help, and that time runs out. */
import type { ClassEvent, Store } from "@lyceum/sdk";
import { spaceTitle } from "./words";

type Read = Pick<Store, "all" | "one" | "can" | "you" | "me">;

/** When a countdown is spoken, in seconds before its end. */
const marks = [60, 30, 10];

/** The mark that was passed between two looks at the clock, if one was. */
export function markBetween(leftBeforeMs: number, leftNowMs: number): number | null {
  return marks.find((mark) => leftBeforeMs > mark * 1_000 && leftNowMs <= mark * 1_000) ?? null;
}

export interface Deadline {
  readonly at: number;
  /** As in "30 seconds left to answer". */
  readonly left: string;
}

/** What ends soon and concerns me. */
export function deadlines(store: Read): Deadline[] {
  const found: Deadline[] = [];
  for (const [id, poll] of store.all("polls")) {
    const at = poll.status === "closing" ? poll.accept_until : poll.status === "open" ? poll.closes_at : null;
    const answered = store.one("responses", `${id}:${store.you ?? ""}`) !== undefined;
    if (at !== null && poll.asked && !answered) found.push({ at, left: "left to answer" });
  }
  for (const { ends_at, title } of store.all("timers").values()) {
    if (ends_at !== null)
      found.push({ at: ends_at, left: title === "" ? "left on the timer" : `left: ${title}` });
  }
  const breakouts = store.one("breakouts");
  const isAtTable = store.me !== undefined && breakouts?.groups[store.me.space] !== undefined;
  if (breakouts?.closes_at != null && isAtTable)
    found.push({ at: breakouts.closes_at, left: "left at the tables" });
  return found;
}

/** An event that is heard; `null` for all others. */
export function spokenWords(event: ClassEvent, store: Read): string | null {
  const nameOf = (person: string | null) =>
    (person === null ? undefined : store.one("participants", person)?.name) ?? "The teacher";
  switch (event.type) {
    case "poll.opened": {
      const poll = store.one("polls", event.payload.poll);
      if (poll?.asked !== true) return null;
      const { title, items } = poll.spec;
      return `${nameOf(poll.author)} asks: ${title === "" ? (items[0]?.text ?? "") : title}`;
    }
    case "checkpoint.asked":
      if (event.payload.author === store.you || !store.can("activity.respond")) return null;
      return `${nameOf(event.payload.author)} asks: ${event.payload.body === "" ? "how is it going?" : event.payload.body}`;
    case "help.requested":
      if (!store.can("breakout.manage")) return null;
      return `${spaceTitle(event.payload.space, store.one("breakouts")?.groups)} asks for help`;
    default:
      return null;
  }
}
