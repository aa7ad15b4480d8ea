/**
 * Notices within about two seconds that the way to the class is broken although the device has a network: it has another address
 * now, or sits behind another router. Browsers notice that after many seconds, by their own time-outs.
 *
 * Silence alone says little, since others may just be quiet. So when nothing has come for a moment, the server is asked twice: on
 * the socket of the class, and afresh. If only the fresh question is answered and media is silent still, the way is broken.
 */

export interface Line {
  /** Bytes and answers that have come so far; `null` while there is nothing that could be counted. */
  received(): Promise<number | null>;
  /** Settles once the server has answered on the socket of the class; rejects if it could not be asked. */
  echo(): Promise<unknown>;
  /** Settles once the server has answered on a connection of its own. Rejects, or is aborted, if it does not. */
  reach(signal: AbortSignal): Promise<unknown>;
  /** The way is broken. `forMs` is since when it is known, 0 the first time; told again as long as it is. */
  isStuck(forMs: number): void;
}

/** How often the line is listened to, in milliseconds. */
const listenEveryMs = 400;
/** Silence that is suspicious, and silence that is so even though the socket answers, in milliseconds. */
const suspiciousMs = 1_200;
const deafMs = 10_000;
/** How often the server is asked afresh, and how long one question may take, in milliseconds. */
const askEveryMs = 200;
const answerWithinMs = 1_200;
/** How much later than the fresh answer media or the socket's may come at least, in milliseconds. */
const followsWithinMs = 250;

export class LineWatch {
  private timer: ReturnType<typeof setInterval> | undefined;
  private received: number | null = null;
  private heardAt = 0;
  /** When the socket answered last; media was silent then. */
  private echoedAt = 0;
  private echoing = false;
  private askedAt = 0;
  private answeredAt: number | null = null;
  /** How much later media or the socket's answer may come, in milliseconds. */
  private patienceMs = followsWithinMs;
  private toldAt: number | null = null;
  private listening = false;
  private readonly questions = new Set<AbortController>();

  constructor(private readonly line: Line) {}

  start(): void {
    this.stop();
    this.hears(null);
    this.timer = setInterval(() => void this.listen(), listenEveryMs);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.forgetQuestions();
  }

  private isWatching(): boolean {
    return this.timer !== undefined;
  }

  private async listen(): Promise<void> {
    if (this.listening || !this.isWatching()) return;
    this.listening = true;
    const received = await this.line.received().catch(() => null);
    this.listening = false;
    if (!this.isWatching()) return;
    // Where less has come than before, the browser has forgotten a path: nothing was heard on it.
    if (received === null || this.received === null || received > this.received) this.hears(received);
    else this.received = received;
    const now = Date.now();
    const silentMs = now - this.heardAt;
    const isJustQuiet = this.echoedAt > this.heardAt && silentMs < deafMs;
    if (silentMs < suspiciousMs || isJustQuiet) return;
    this.ask(now);
    if (this.answeredAt === null || now - this.answeredAt < this.patienceMs) return;
    this.toldAt ??= now;
    this.line.isStuck(now - this.toldAt);
  }

  /** Once more, before its turn. */
  private listenIn(ms: number): void {
    setTimeout(() => void this.listen(), ms);
  }

  /** Something came, or nothing can be counted at the moment. */
  private hears(received: number | null): void {
    this.received = received;
    this.heardAt = Date.now();
    this.toldAt = null;
    this.forgetQuestions();
  }

  private ask(now: number): void {
    if (!this.echoing) {
      this.echoing = true;
      this.line
        .echo()
        .then(() => {
          this.echoedAt = Date.now();
          if (this.echoedAt - this.heardAt < deafMs) this.forgetQuestions();
        })
        .catch(() => undefined)
        .finally(() => (this.echoing = false));
    }
    if (this.answeredAt !== null || now - this.askedAt < askEveryMs) return;
    this.askedAt = now;
    const question = new AbortController();
    this.questions.add(question);
    const timer = setTimeout(() => question.abort(), answerWithinMs);
    this.line
      .reach(question.signal)
      .then(() => {
        if (!this.questions.has(question) || this.answeredAt !== null) return;
        this.answeredAt = Date.now();
        this.patienceMs = Math.max(followsWithinMs, 2 * (this.answeredAt - now));
        this.listenIn(this.patienceMs);
      })
      .catch(() => this.listenIn(askEveryMs))
      .finally(() => {
        clearTimeout(timer);
        this.questions.delete(question);
      });
  }

  private forgetQuestions(): void {
    for (const question of this.questions) question.abort();
    this.questions.clear();
    this.answeredAt = null;
    this.askedAt = 0;
  }
}

interface Counted {
  type: string;
  bytesReceived?: number;
  responsesReceived?: number;
  requestsReceived?: number;
}

/** What has come over the connection that carries a track, as the browser counts it. */
export function bytesReceived(report: RTCStatsReport | undefined): number | null {
  let sum: number | null = null;
  report?.forEach((entry: Counted) => {
    if (entry.type !== "candidate-pair" && entry.type !== "transport") return;
    for (const value of [entry.bytesReceived, entry.responsesReceived, entry.requestsReceived]) {
      if (value !== undefined) sum = (sum ?? 0) + value;
    }
  });
  return sum;
}
