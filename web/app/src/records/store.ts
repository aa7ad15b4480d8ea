/** Asks the record store of this server, with the token of a staff link. */
import { read, type Json, type JsonObject, type Reading } from "./statement";

/** What is asked for. Empty texts and `null` ask for everything. */
export interface Filter {
  agent: JsonObject | null;
  verb: string;
  activity: string;
  /** What belongs to the activity, too. */
  related: boolean;
  /** When it was stored, as a date of this browser. */
  from: string;
  to: string;
}

export const EVERYTHING: Filter = { agent: null, verb: "", activity: "", related: true, from: "", to: "" };

export interface Page {
  statements: Reading[];
  /** Where the next page is; empty at the end. */
  more: string;
}

/** The store said no: its status and its sentence. Status 0: nobody answered. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** How many statements of a page. */
const PAGE = 50;
/** How many new ones at a time. */
const NEW = 200;

/** The newest statements. */
export function newest(token: string, filter: Filter, signal: AbortSignal): Promise<Page> {
  return ask(token, `/xapi/statements?${query(filter, { limit: String(PAGE) })}`, signal);
}

/** What was stored after `stored`, oldest first. */
export function after(token: string, filter: Filter, stored: string, signal: AbortSignal): Promise<Page> {
  const more = { limit: String(NEW), ascending: "true", ...(stored === "" ? {} : { since: stored }) };
  return ask(token, `/xapi/statements?${query(filter, more)}`, signal);
}

/** A further page, by what a page said. */
export function further(token: string, more: string, signal: AbortSignal): Promise<Page> {
  return ask(
    token,
    new URL(more, window.location.origin).pathname + new URL(more, window.location.origin).search,
    signal,
  );
}

async function ask(token: string, path: string, signal: AbortSignal): Promise<Page> {
  const headers = { authorization: `Bearer ${token}`, "x-experience-api-version": "2.0.0" };
  let answer: Response;
  let body: Json;
  try {
    answer = await fetch(path, { headers, signal, cache: "no-store" });
    body = (await answer.json()) as Json;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused(0, "The server cannot be reached.");
  }
  const said = typeof body === "object" && body !== null && !Array.isArray(body) ? body : {};
  if (!answer.ok) {
    const sentence = said.error;
    throw new Refused(
      answer.status,
      typeof sentence === "string" ? sentence : `The server answered ${answer.status}.`,
    );
  }
  const { statements, more } = said;
  return {
    statements: Array.isArray(statements) ? statements.map(read) : [],
    more: typeof more === "string" ? more : "",
  };
}

function query(filter: Filter, more: Record<string, string>): string {
  const asked = new URLSearchParams(more);
  if (filter.agent !== null) asked.set("agent", JSON.stringify(filter.agent));
  if (filter.verb !== "") asked.set("verb", filter.verb);
  if (filter.activity !== "") {
    asked.set("activity", filter.activity);
    if (filter.related) asked.set("related_activities", "true");
  }
  // New ones are asked for from a place that is later than this.
  const from = instant(filter.from);
  if (from !== "" && !asked.has("since")) asked.set("since", from);
  const to = instant(filter.to);
  if (to !== "") asked.set("until", to);
  return asked.toString();
}

/** A field of date and time as a moment, or nothing. */
export function instant(local: string): string {
  const date = new Date(local);
  return local === "" || Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
