/**
 * The messages of the state socket, `/classroom/v1`, as docs/protocol.md has them. What they carry (payloads, entities) is
 * generated from the server's types; these few around it are written by hand.
 */
import type {
  Cause,
  Collections,
  Commands,
  EventFrame,
  Facts,
  Grant,
  PersonId,
  RejectCode,
  ResponseOutcome,
  Seq,
  SpaceName,
  UnixMs,
} from "../generated/class.js";

export type CommandType = keyof Commands;
export type CollectionName = keyof Collections;
export type FactType = keyof Facts;

/** An event of the log as this person may read it. */
export type ClassEvent = {
  [T in FactType]: EventFrame & { type: T; payload: Facts[T] };
}[FactType];

/** Something changed that this person sees, by an event that is not for them. */
export interface QuietEvent {
  seq: Seq;
  at: UnixMs;
  type?: undefined;
  cause?: Cause | null;
}

/** An entity from here on; `null` takes it away. */
export interface Change {
  in: string;
  id: string;
  is: unknown;
}

export interface EventMessage {
  event: ClassEvent | QuietEvent;
  changes?: Change[];
}

export type Snapshot = Record<string, Record<string, unknown>>;

export interface Welcome {
  t: "welcome";
  session: string;
  room: string;
  you: PersonId;
  state: "admitted" | "waiting";
  connection: string | null;
  seq: Seq;
  now: UnixMs;
  token: string;
  snapshot?: Snapshot;
  delta?: { events: EventMessage[] };
}

export interface Ack {
  t: "ack";
  id: string;
  status: "accepted" | "rejected";
  repeated?: boolean;
  first?: Seq;
  last?: Seq;
  response?: ResponseOutcome;
  enforced?: boolean;
  code?: RejectCode;
  message?: string;
  grant?: Grant;
  current?: Seq;
  retry_ms?: number;
  kept?: Seq;
}

/** Passed on at once, kept nowhere. */
export interface Signal {
  t: "signal";
  type: string;
  person: PersonId;
  space: SpaceName;
  kind: string;
}

export type ByeCode =
  | "unauthorized"
  | "not_admitted"
  | "not_found"
  | "invalid"
  | "forbidden"
  | "conflict"
  | "session_ended"
  | "superseded"
  | "left"
  | "limit"
  | "restart"
  | "slow";

export interface Bye {
  t: "bye";
  code: ByeCode;
  message: string;
  retry: boolean;
}

/** A document as the server has it: up to which place of its log, and the hash of docs/documents.md. */
export interface DocPulse {
  seq: number;
  hash: string;
}

/** The server has closed a document, or does not open it; the socket stays. */
export interface DocClosed {
  t: "doc_closed";
  doc: string;
  code: string;
  message: string;
  /** Opening it again, after a second or two, makes sense. */
  retry: boolean;
}

export type ServerMessage =
  | Welcome
  | ({ t: "ev" } & EventMessage)
  | Ack
  | Signal
  | { t: "pulse"; seq: Seq; hash: string; now: UnixMs; docs?: Record<string, DocPulse> }
  | DocClosed
  | { t: "pong"; id: number; at: number; received: UnixMs; sent: UnixMs }
  | { t: "error"; code: string; message: string }
  | Bye;

export interface CommandMessage {
  t: "cmd";
  id: string;
  type: CommandType;
  payload: unknown;
  expect?: Seq;
  epoch?: number;
}

export type ClientMessage =
  | {
      t: "hello";
      token: string;
      device: string;
      client: { sdk: string; version: string; os?: string; browser?: string };
      session?: string;
      seq?: Seq;
    }
  | CommandMessage
  | { t: "doc_close"; doc: string }
  | { t: "ping"; id: number; at: number }
  | { t: "leave" };

/** A message of the server; `null` if it is none. Messages of kinds that are not known here are none. */
export function readMessage(data: unknown): ServerMessage | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== "object" || value === null || !("t" in value)) return null;
    return value as ServerMessage;
  } catch {
    return null;
  }
}
