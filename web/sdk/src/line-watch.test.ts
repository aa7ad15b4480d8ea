import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LineWatch, bytesReceived } from "./line-watch.js";

/** A line over which a packet comes every `everyMs` while it is open. */
class FakeLine {
  open = true;
  reachable = true;
  socketAnswers = true;
  everyMs = 20;
  asked = 0;
  stuck: number[] = [];
  count = 0;
  private lastAt = Date.now();

  received(): Promise<number> {
    if (this.open) {
      const packets = Math.floor((Date.now() - this.lastAt) / this.everyMs);
      this.count += packets;
      this.lastAt += packets * this.everyMs;
    } else {
      this.lastAt = Date.now();
    }
    return Promise.resolve(this.count);
  }

  echo(): Promise<unknown> {
    return this.socketAnswers ? Promise.resolve() : new Promise(() => undefined);
  }

  reach(signal: AbortSignal): Promise<unknown> {
    this.asked += 1;
    if (this.reachable) return Promise.resolve();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  }

  isStuck(forMs: number): void {
    this.stuck.push(forMs);
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
    expect(line.stuck[0]).toBe(0);
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
      line.count -= 1_000;
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
    expect(line.stuck.length).toBeGreaterThan(0);
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
});
