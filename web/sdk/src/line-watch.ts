/**
 * Notices within about two seconds that the way to the class is broken although the device has a network: it has another address
 * now, or sits behind another router. Browsers notice that after many seconds, by their own time-outs.
 *
 * Silence alone says little, since others may just be quiet. So when nothing has come for a moment, the server is asked twice: on
 * the socket of the class, and afresh. If only the fresh question is answered and media is silent still, the way is broken.
 *
 * Then a new way is looked for. That may be in vain, since browsers learn late of a new address. So until every connection has been
 * heard since, nobody takes silence for quiet: the way is told to be broken again after a short while, and when the browser has
 * taken up another network.
 */

export interface Line {
  /** Bytes and answers that have come so far on each connection; `null` for one on which nothing could be counted. */
  received(): Promise<readonly (number | null)[]>;
  /** Settles once the server has answered on the socket of the class; rejects if it could not be asked. */
  echo(): Promise<unknown>;
  /** Settles once the server has answered on a connection of its own. Rejects, or is aborted, if it does not. */
  reach(signal: AbortSignal): Promise<unknown>;
  /** Calls back whenever the browser takes up another network; returns how to end that. */
  watchNetworks(changed: () => void): () => void;
  /** A new way has to be looked for. Told again, ever more rarely, as long as some connection hears nothing. */
  isStuck(how: Stuck): void;
}

export interface Stuck {
  /** Since when it is known, in milliseconds; 0 the first time. */
  forMs: number;
  /** Whether the socket of the class works, as far as is known. */
  socketAnswers: boolean;
}

/** How often the line is listened to, in milliseconds. */
const listenEveryMs = 400;
/** Silence that is suspicious in milliseconds: longer, up to the second, on a connection that is often silent for so long. */
const suspiciousMs = 1_200;
const suspiciousMaxMs = 4_000;
/** Silence that is suspicious even though the socket answers, in milliseconds. */
const deafMs = 10_000;
/** How long the first new way may take until it is looked for again; doubled each time, up to `deafMs`. In milliseconds. */
const patienceMs = 1_000;
/** How often the server is asked afresh, and how long one question may take, in milliseconds. */
const askEveryMs = 200;
const answerWithinMs = 1_200;
/** How much later than the fresh answer media or the socket's may come at least, in milliseconds. */
const followsWithinMs = 250;

/** What is heard on one connection. */
interface Ear {
  received: number | null;
  heardAt: number;
  /** How long it had been silent when it was heard last, in milliseconds. */
  gapMs: number;
}

/** A new way that is looked for. */
interface Search {
  /** When it last began. */
  at: number;
  patienceMs: number;
  /** When it was first told that the way is broken; not yet if LiveKit's client noticed first. */
  toldAt: number | null;
  forgetNetworks: () => void;
}

export class LineWatch {
  private timer: ReturnType<typeof setInterval> | undefined;
  private ears: readonly Ear[] = [];
  private search: Search | null = null;
  /** When the socket answered last; media was silent then. */
  private echoedAt = 0;
  private echoing: object | null = null;
  private askedAt = 0;
  private answeredAt: number | null = null;
  /** How much later media or the socket's answer may come, in milliseconds. */
  private followsMs = followsWithinMs;
  private listening = false;
  private readonly questions = new Set<AbortController>();

  constructor(private readonly line: Line) {}

  /** Begins, or goes on if it has begun. */
  start(): void {
    this.timer ??= setInterval(() => void this.listen(), listenEveryMs);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.ears = [];
    this.endSearch();
    this.forgetQuestions();
  }

  /** Somebody else looks for a new way. */
  isSearching(): void {
    if (this.isWatching()) this.search ??= this.beginSearch(Date.now());
  }

  private isWatching(): boolean {
    return this.timer !== undefined;
  }

  private async listen(): Promise<void> {
    if (this.listening || !this.isWatching()) return;
    this.listening = true;
    const counts = await this.line.received().catch(() => []);
    this.listening = false;
    if (!this.isWatching()) return;
    const now = Date.now();
    this.ears = counts.map((count, index) => hears(this.ears[index], count, now));
    if (this.search === null) this.judgeSilence(now);
    else this.judgeSearch(this.search, now);
  }

  private judgeSilence(now: number): void {
    const silent = this.ears.filter((ear) => now - ear.heardAt >= suspicious(ear));
    if (silent.length === 0) {
      this.forgetQuestions();
      return;
    }
    const heardAt = Math.min(...silent.map((ear) => ear.heardAt));
    const isJustQuiet = this.echoedAt > heardAt && now - heardAt < deafMs;
    if (isJustQuiet) this.forgetQuestions();
    else if (this.isAnsweredAfresh(now)) this.tell(now, this.echoedAt > heardAt);
  }

  private judgeSearch(search: Search, now: number): void {
    if (this.ears.every((ear) => ear.heardAt > search.at)) {
      this.endSearch();
      this.forgetQuestions();
    } else if (now - search.at >= search.patienceMs && this.isAnsweredAfresh(now)) {
      search.patienceMs = Math.min(2 * search.patienceMs, deafMs);
      this.tell(now, this.echoedAt > search.at);
    }
  }

  private tell(now: number, socketAnswers: boolean): void {
    const search = (this.search ??= this.beginSearch(now));
    search.at = now;
    search.toldAt ??= now;
    this.forgetQuestions();
    this.listenIn(search.patienceMs);
    this.line.isStuck({ forMs: now - search.toldAt, socketAnswers });
  }

  private beginSearch(now: number): Search {
    const forgetNetworks = this.line.watchNetworks(() => void this.handleNetworks());
    return { at: now, patienceMs, toldAt: null, forgetNetworks };
  }

  private endSearch(): void {
    this.search?.forgetNetworks();
    this.search = null;
  }

  /** The browser has taken up another network: what was looked for before may have been looked for in the wrong one. */
  private async handleNetworks(): Promise<void> {
    await this.listen();
    if (this.search === null || !this.isWatching()) return;
    this.search.patienceMs = patienceMs;
    this.tell(Date.now(), true);
  }

  /** Once more, before its turn. */
  private listenIn(ms: number): void {
    setTimeout(() => void this.listen(), ms);
  }

  /** Asks, until the server has answered afresh and what would follow such an answer could have come. */
  private isAnsweredAfresh(now: number): boolean {
    this.askOnSocket();
    if (this.answeredAt === null) this.askAfresh(now);
    return this.answeredAt !== null && now - this.answeredAt >= this.followsMs;
  }

  private askOnSocket(): void {
    if (this.echoing !== null) return;
    const question = (this.echoing = {});
    this.line
      .echo()
      .then(() => {
        if (this.echoing === question) this.echoedAt = Date.now();
      })
      .catch(() => undefined)
      .finally(() => {
        if (this.echoing === question) this.echoing = null;
      });
  }

  private askAfresh(now: number): void {
    if (now - this.askedAt < askEveryMs) return;
    this.askedAt = now;
    const question = new AbortController();
    this.questions.add(question);
    const timer = setTimeout(() => question.abort(), answerWithinMs);
    this.line
      .reach(question.signal)
      .then(() => {
        if (!this.questions.has(question) || this.answeredAt !== null) return;
        this.answeredAt = Date.now();
        this.followsMs = Math.max(followsWithinMs, 2 * (this.answeredAt - now));
        this.listenIn(this.followsMs);
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
    // An answer that was lost must not keep the socket from being asked again.
    this.echoing = null;
  }
}

/** Where less has come than before, the browser has forgotten a path: nothing was heard on it. */
function hears(before: Ear | undefined, received: number | null, now: number): Ear {
  if (before === undefined) return { received, heardAt: now, gapMs: 0 };
  const more = received === null || before.received === null || received > before.received;
  return more ? { received, heardAt: now, gapMs: now - before.heardAt } : { ...before, received };
}

function suspicious(ear: Ear): number {
  return Math.min(Math.max(suspiciousMs, 1.5 * ear.gapMs), suspiciousMaxMs);
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

/**
 * The same for a connection on which one only sends. Little comes there but answers to the browser's checks: where those are not
 * counted, silence says nothing.
 */
export function answersReceived(report: RTCStatsReport | undefined): number | null {
  const entries: Counted[] = [];
  report?.forEach((entry: Counted) => entries.push(entry));
  const counted = entries.some(
    ({ type, responsesReceived }) => type === "candidate-pair" && responsesReceived !== undefined,
  );
  return counted ? bytesReceived(report) : null;
}
