import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LineWatch, answersReceived, bytesReceived, type Stuck } from "./line-watch.js";

/** A connection on which a packet comes every `everyMs` while it is open. */
class FakeConnection {
  open = true;
  everyMs = 20;
  count = 0;
  private lastAt = Date.now();

  received(): number {
    if (this.open) {
      const packets = Math.floor((Date.now() - this.lastAt) / this.everyMs);
      this.count += packets;
      this.lastAt += packets * this.everyMs;
    } else {
      this.lastAt = Date.now();
    }
    return this.count;
  }
}

class FakeLine {
  readonly others = new FakeConnection();
  readonly own = new FakeConnection();
  reachable = true;
  socketAnswers = true;
  asked = 0;
  told: (Stuck & { at: number })[] = [];
  networkChanges: (() => void)[] = [];

  set open(open: boolean) {
    this.others.open = open;
    this.own.open = open;
  }

  set everyMs(ms: number) {
    this.others.everyMs = ms;
    this.own.everyMs = ms;
  }

  get stuck(): number[] {
    return this.told.map(({ forMs }) => forMs);
  }

  received(): Promise<number[]> {
    return Promise.resolve([this.others.received(), this.own.received()]);
  }

  echo(): Promise<unknown> {
    return this.socketAnswers ? Promise.resolve() : new Promise(() => undefined);
  }

  reach(signal: AbortSignal): Promise<unknown> {
    this.asked += 1;
    if (this.reachable) return Promise.resolve();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  }

  watchNetworks(changed: () => void): () => void {
    this.networkChanges.push(changed);
    return () => void this.networkChanges.splice(this.networkChanges.indexOf(changed), 1);
  }

  isStuck(how: Stuck): void {
    this.told.push({ ...how, at: Date.now() });
  }
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
let line: FakeLine;
let watch: LineWatch;

beforeEach(async () => {
  vi.useFakeTimers();
  line = new FakeLine();
  watch = new LineWatch(line);
  watch.start();
  await pass(20_000);
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

describe("a line", () => {
  it("that is heard is never asked about", () => {
    expect(line.asked).toBe(0);
    expect(line.stuck).toEqual([]);
  });

  it("that has another network now is stuck within two and a half seconds, and told again until it is not", async () => {
    line.open = false;
    line.socketAnswers = false;
    await pass(2_600);
    expect(line.told).toMatchObject([{ forMs: 0, socketAnswers: false }]);
    await pass(2_000);
    expect(line.stuck.at(-1)).toBeGreaterThan(1_000);
    line.open = true;
    await pass(1_000);
    const told = line.stuck.length;
    await pass(10_000);
    expect(line.stuck).toHaveLength(told);
  });

  it("whose browser forgets a path is no less silent", async () => {
    line.open = false;
    line.socketAnswers = false;
    for (let forgotten = 0; forgotten < 4; forgotten += 1) {
      await pass(650);
      line.others.count -= 1_000;
    }
    expect(line.stuck[0]).toBe(0);
  });

  it("without any network is asked about in vain, and not stuck when both come back together", async () => {
    line.open = false;
    line.reachable = false;
    line.socketAnswers = false;
    await pass(10_000);
    expect(line.asked).toBeGreaterThan(5);
    expect(line.stuck).toEqual([]);
    line.open = true;
    line.reachable = true;
    await pass(5_000);
    expect(line.stuck).toEqual([]);
  });

  it("of a class that fell silent is not stuck: its socket answers", async () => {
    line.everyMs = 4_500;
    await pass(60_000);
    expect(line.stuck).toEqual([]);
  });

  it("whose media alone does not come for long is stuck though its socket answers", async () => {
    line.open = false;
    await pass(9_000);
    expect(line.stuck).toEqual([]);
    await pass(4_000);
    expect(line.told[0]).toMatchObject({ forMs: 0, socketAnswers: true });
  });

  it("with one deaf connection is stuck, whichever it is", async () => {
    for (const connection of [line.others, line.own]) {
      const told = line.told.length;
      connection.open = false;
      line.socketAnswers = false;
      await pass(3_000);
      expect(line.told.length).toBeGreaterThan(told);
      connection.open = true;
      line.socketAnswers = true;
      await pass(20_000);
    }
  });

  it("on which little comes is not asked about more often than something comes", async () => {
    line.own.everyMs = 2_500;
    await pass(10_000);
    const { asked } = line;
    await pass(60_000);
    expect(line.asked).toBe(asked);
    expect(line.stuck).toEqual([]);
  });

  it("asks no more once it is not watched", async () => {
    line.open = false;
    line.reachable = false;
    line.socketAnswers = false;
    await pass(3_000);
    watch.stop();
    const { asked } = line;
    await pass(10_000);
    expect(line.asked).toBe(asked);
  });
});

describe("a new way", () => {
  beforeEach(async () => {
    line.open = false;
    line.socketAnswers = false;
    await pass(2_000);
    expect(line.stuck).toEqual([0]);
    line.socketAnswers = true;
  });

  it("that brings nothing is looked for again after a short while, then ever more rarely", async () => {
    await pass(40_000);
    const pauses = line.told.slice(1).map(({ at }, index) => at - (line.told[index]?.at ?? 0));
    const wanted = [1_000, 2_000, 4_000, 8_000, 10_000];
    for (const [index, pause] of wanted.entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(pause);
      expect(pauses[index]).toBeLessThan(pause + 700);
    }
    expect(line.told.slice(1).every(({ socketAnswers }) => socketAnswers)).toBe(true);
  });

  it("is looked for as long as one connection hears nothing", async () => {
    line.others.open = true;
    await pass(2_000);
    expect(line.told).toHaveLength(2);
    line.own.open = true;
    await pass(20_000);
    expect(line.told).toHaveLength(2);
  });

  it("is not given up because LiveKit's client says that it has resumed", async () => {
    watch.start();
    await pass(2_000);
    expect(line.told).toHaveLength(2);
  });

  it("is looked for at once when the browser has taken up another network", async () => {
    await pass(100);
    for (const changed of line.networkChanges) changed();
    await pass(1);
    expect(line.told).toHaveLength(2);
    line.open = true;
    await pass(1_000);
    expect(line.networkChanges).toEqual([]);
    await pass(20_000);
    expect(line.told).toHaveLength(2);
  });

  it("is not looked for while there is no network", async () => {
    line.reachable = false;
    await pass(20_000);
    expect(line.told).toHaveLength(1);
    line.reachable = true;
    await pass(2_000);
    expect(line.told).toHaveLength(2);
  });

  it("is found: the next silence is one like every other", async () => {
    line.open = true;
    await pass(20_000);
    line.open = false;
    await pass(9_000);
    expect(line.told).toHaveLength(1);
  });

  it("that LiveKit's client looks for by itself is looked for again too", async () => {
    line.open = true;
    await pass(20_000);
    line.open = false;
    watch.isSearching();
    await pass(2_600);
    expect(line.told).toHaveLength(2);
  });

  it("is no longer looked for once the line is not watched", async () => {
    watch.stop();
    expect(line.networkChanges).toEqual([]);
    await pass(20_000);
    expect(line.told).toHaveLength(1);
  });
});

describe("what has come", () => {
  it("is counted over the transport, answers to checks included", () => {
    const entries = [
      { type: "transport", bytesReceived: 100 },
      { type: "candidate-pair", bytesReceived: 90, responsesReceived: 3 },
      { type: "inbound-rtp", bytesReceived: 1_000 },
    ];
    const report = new Map(entries.map((entry, index) => [String(index), entry]));
    expect(bytesReceived(report as unknown as RTCStatsReport)).toBe(193);
    expect(bytesReceived(new Map() as unknown as RTCStatsReport)).toBeNull();
    expect(bytesReceived(undefined)).toBeNull();
  });

  it("to who only sends counts where answers to checks do", () => {
    const pair = { type: "candidate-pair", bytesReceived: 90 };
    const report = (entry: object) => new Map([["1", entry]]) as unknown as RTCStatsReport;
    expect(answersReceived(report(pair))).toBeNull();
    expect(answersReceived(report({ ...pair, responsesReceived: 3 }))).toBe(93);
    expect(answersReceived(undefined)).toBeNull();
  });
});
