/**
 * Commands without an answer. Each has one outcome in the end, however often the connection is lost: what has no answer is
 * sent again, in order and with the same id, and the server does it once. They are kept in the tab's session storage, so that
 * a reload loses none; but not for ever: a hand that goes up after ten minutes helps nobody.
 */
import type { Commands, Grant, RejectCode, ResponseOutcome } from "../generated/class.js";
import { uuidv7 } from "./ids.js";
import type { Ack, CommandMessage, CommandType } from "./wire.js";

export interface Accepted {
  readonly status: "accepted";
  /** The events that it caused, from first to last; absent if there was nothing to change. */
  readonly first?: number;
  readonly last?: number;
  /** What became of an answer to a poll. */
  readonly response?: ResponseOutcome;
  /** Media and data had let go of what the command took away when the answer was written. */
  readonly enforced: boolean;
}

/** Why there is no answer of the server. */
export type LocalCode =
  /** None came in time. If `sent`, the command may have happened all the same. */
  | "expired"
  /** The class is over for this client before an answer came, or it was another class. */
  | "gone"
  /** Too many commands wait already. */
  | "full"
  /** A newer draft took the place of this one. */
  | "superseded";

export interface Rejected {
  readonly status: "rejected";
  readonly code: RejectCode | LocalCode;
  /** A sentence for people. */
  readonly message: string;
  /** Whether the command was on its way to the server at least once. */
  readonly sent: boolean;
  /** With `stale_grant`: what may be done now. */
  readonly grant?: Grant;
  /** With `conflict`: the revision in force. */
  readonly current?: number;
  /** With `rate`: when to try again. */
  readonly retryMs?: number;
  /** With `closed`: where the late answer was kept for the teacher. */
  readonly kept?: number;
}

export type Outcome = Accepted | Rejected;

export interface Pending<T extends CommandType = CommandType> {
  readonly id: string;
  readonly type: T;
  readonly payload: Commands[T];
  readonly expect?: number;
  readonly epoch?: number;
  /** By this device's clock, in milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly sent: boolean;
}

interface Entry extends Pending {
  sent: boolean;
  settle: (outcome: Outcome) => void;
}

export interface Addition<T extends CommandType> {
  type: T;
  payload: Commands[T];
  expect: number | undefined;
  epoch: number | undefined;
  expiresAt: number;
  /** An entry that this one makes pointless, if it was not sent yet. */
  replaces?: (pending: Pending) => boolean;
}

/** Most commands that wait; as many as the server takes from a person in ten seconds. */
const mostPending = 100;

export class Outbox {
  private entries: Entry[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private send: ((message: CommandMessage) => void) | null = null;
  /** Whose commands these are; `null` as long as nobody is known. */
  private owner: string | null = null;

  constructor(
    private readonly storage: Storage | null,
    private readonly key: string,
    /** Told of each outcome, also of commands from before a reload, for which nobody waits any more. */
    private readonly settled: (pending: Pending, outcome: Outcome) => void,
    /** Told whenever `pending` is another list. */
    private readonly changed: () => void = () => undefined,
  ) {
    this.restore();
  }

  /** Commands without an answer, oldest first. */
  get pending(): readonly Pending[] {
    return this.entries;
  }

  add<T extends CommandType>(addition: Addition<T>): Promise<Outcome> {
    const { type, payload, expect, epoch, expiresAt, replaces } = addition;
    if (replaces !== undefined) {
      for (const entry of this.entries.filter((entry) => !entry.sent && replaces(entry))) {
        this.settle(entry, refused("superseded", "A newer draft took its place.", false));
      }
    }
    if (this.entries.length >= mostPending) {
      const message = "Too much is waiting for the connection. Try again when the class is back.";
      return Promise.resolve(refused("full", message, false));
    }
    return new Promise((resolve) => {
      const entry: Entry = {
        id: uuidv7(),
        type,
        payload,
        ...(expect === undefined ? {} : { expect }),
        ...(epoch === undefined ? {} : { epoch }),
        expiresAt,
        sent: false,
        settle: resolve,
      };
      this.entries = [...this.entries, entry];
      this.sendOne(entry);
      this.save();
      this.watchTime();
      this.changed();
    });
  }

  /** The server takes commands: everything without an answer goes out, in order. `owner` is session and person. */
  open(owner: string, send: (message: CommandMessage) => void): void {
    if (this.owner !== null && this.owner !== owner) this.clear("These were commands for another class.");
    this.owner = owner;
    this.expire();
    this.send = send;
    for (const entry of this.entries) this.sendOne(entry);
    this.save();
  }

  /** The connection was lost. */
  close(): void {
    this.send = null;
  }

  handleAck(ack: Ack): void {
    const entry = this.entries.find((entry) => entry.id === ack.id);
    // Answered before, or given up.
    if (entry === undefined) return;
    this.settle(entry, outcomeOf(ack));
  }

  /** Nothing here will ever be answered. */
  clear(message: string): void {
    for (const entry of [...this.entries]) this.settle(entry, refused("gone", message, entry.sent));
  }

  /** Stops watching the time; what waits stays stored. */
  stop(): void {
    this.close();
    clearTimeout(this.timer);
  }

  private sendOne(entry: Entry): void {
    if (this.send === null) return;
    const { id, type, payload, expect, epoch } = entry;
    entry.sent = true;
    this.send({
      t: "cmd",
      id,
      type,
      payload,
      ...(expect === undefined ? {} : { expect }),
      ...(epoch === undefined ? {} : { epoch }),
    });
  }

  private settle(entry: Entry, outcome: Outcome): void {
    this.entries = this.entries.filter((other) => other !== entry);
    this.save();
    this.watchTime();
    entry.settle(outcome);
    this.settled(entry, outcome);
    this.changed();
  }

  private expire(): void {
    const now = Date.now();
    for (const entry of this.entries.filter((entry) => entry.expiresAt <= now)) {
      const message = entry.sent
        ? "No answer came in time; it may have happened all the same."
        : "The class could not be reached in time; nothing has happened.";
      this.settle(entry, refused("expired", message, entry.sent));
    }
  }

  private watchTime(): void {
    clearTimeout(this.timer);
    if (this.entries.length === 0) return;
    const next = Math.min(...this.entries.map((entry) => entry.expiresAt));
    // Longer waits than timers can count are taken in parts.
    const wait = Math.min(Math.max(next - Date.now(), 0), 60_000);
    this.timer = setTimeout(() => {
      this.expire();
      this.watchTime();
    }, wait);
  }

  // ---- What the tab remembers ----

  private save(): void {
    try {
      if (this.entries.length === 0) {
        this.storage?.removeItem(this.key);
        return;
      }
      const entries = this.entries.map(({ id, type, payload, expect, epoch, expiresAt, sent }) => {
        return { id, type, payload, expect, epoch, expiresAt, sent };
      });
      this.storage?.setItem(this.key, JSON.stringify({ owner: this.owner, entries }));
    } catch {
      // Full or switched off: a reload forgets what waits then.
    }
  }

  private restore(): void {
    let stored: unknown;
    try {
      stored = JSON.parse(this.storage?.getItem(this.key) ?? "null");
    } catch {
      return;
    }
    if (typeof stored !== "object" || stored === null) return;
    const { owner, entries } = stored as { owner?: unknown; entries?: unknown };
    this.owner = typeof owner === "string" ? owner : null;
    for (const entry of Array.isArray(entries) ? (entries as Partial<Pending>[]) : []) {
      if (typeof entry.id !== "string" || typeof entry.type !== "string") continue;
      if (typeof entry.expiresAt !== "number" || entry.expiresAt <= Date.now()) continue;
      this.entries.push({ ...(entry as Pending), sent: entry.sent === true, settle: () => undefined });
    }
    this.watchTime();
  }
}

function outcomeOf(ack: Ack): Outcome {
  const { first, last, response, grant, current, kept } = ack;
  if (ack.status === "accepted") {
    return {
      status: "accepted",
      ...(first === undefined ? {} : { first }),
      ...(last === undefined ? {} : { last }),
      ...(response === undefined ? {} : { response }),
      enforced: ack.enforced ?? true,
    };
  }
  return {
    status: "rejected",
    code: ack.code ?? "invalid",
    message: ack.message ?? "The server refused this.",
    sent: true,
    ...(grant === undefined ? {} : { grant }),
    ...(current === undefined ? {} : { current }),
    ...(ack.retry_ms === undefined ? {} : { retryMs: ack.retry_ms }),
    ...(kept === undefined ? {} : { kept }),
  };
}

function refused(code: LocalCode, message: string, sent: boolean): Rejected {
  return { status: "rejected", code, message, sent };
}
