/** The server's clock as seen from here. Times in the class (ends of timers, polls, groups) are the server's. */

interface Sample {
  offsetMs: number;
  roundTripMs: number;
}

/** How many answers count; the one with the shortest way is believed. */
const samplesKept = 8;

export class ServerClock {
  private samples: Sample[] = [];
  private rough = 0;

  constructor(private readonly now: () => number = Date.now) {}

  /** How much the server's clock is ahead of this one, in milliseconds. */
  get offsetMs(): number {
    let best: Sample | undefined;
    for (const sample of this.samples)
      if (best === undefined || sample.roundTripMs < best.roundTripMs) best = sample;
    return best?.offsetMs ?? this.rough;
  }

  /** The server's time, in milliseconds since the epoch. */
  serverNow(): number {
    return this.now() + this.offsetMs;
  }

  /** This device's time at a time of the server. */
  localTime(serverMs: number): number {
    return serverMs - this.offsetMs;
  }

  /** A time that the server has said in passing: better than nothing until a ping was answered. */
  heard(serverMs: number): void {
    this.rough = serverMs - this.now();
  }

  /** The answer to a ping: sent at `at` and back now by this clock, there `received` and `sent` by the server's. */
  answered(at: number, received: number, sent: number): void {
    const now = this.now();
    const sample = { offsetMs: (received - at + sent - now) / 2, roundTripMs: now - at - (sent - received) };
    this.samples = [...this.samples.slice(1 - samplesKept), sample];
  }

  /** After a sleep or a change of the clock earlier answers say nothing. */
  forget(): void {
    this.samples = [];
  }
}
