/**
 * Answers that are not submitted yet. They go to the server a second after the last change, so that what somebody was about
 * to answer counts at the close of a poll even if their network is gone by then; at the warning of a close they go at once.
 */
import type { Commands } from "../generated/class.js";

export type Answers = Commands["poll.save_draft"]["answers"];

/** How long somebody may type on before a draft is sent, in milliseconds. */
const restMs = 1_000;
/** A draft that changes all the time is sent this often, in milliseconds. */
const longestRestMs = 5_000;

interface Draft {
  answers: Answers;
  timer: ReturnType<typeof setTimeout>;
  since: number;
}

export class Drafts {
  private readonly waiting = new Map<number, Draft>();

  constructor(private readonly send: (poll: number, answers: Answers) => void) {}

  /** What somebody has so far. */
  change(poll: number, answers: Answers): void {
    const now = Date.now();
    const before = this.waiting.get(poll);
    clearTimeout(before?.timer);
    const since = before?.since ?? now;
    const wait = Math.min(restMs, Math.max(since + longestRestMs - now, 0));
    const timer = setTimeout(() => this.flush(poll), wait);
    this.waiting.set(poll, { answers, timer, since });
  }

  /** Sends what waits, of one poll or of all. */
  flush(poll?: number): void {
    for (const [of, { answers }] of [...this.waiting]) {
      if (poll !== undefined && of !== poll) continue;
      this.drop(of);
      this.send(of, answers);
    }
  }

  /** The answer was submitted, or the poll is closed. */
  drop(poll: number): void {
    clearTimeout(this.waiting.get(poll)?.timer);
    this.waiting.delete(poll);
  }

  dropAll(): void {
    for (const poll of [...this.waiting.keys()]) this.drop(poll);
  }
}
