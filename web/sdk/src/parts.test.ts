import { describe, expect, it } from "vitest";
import { retryDelayMs } from "./backoff.js";
import { describeDeviceError } from "./devices.js";
import { recallTab, rememberTab, type TabMemory } from "./memory.js";
import { loudness } from "./meter.js";
import { fakeStorage } from "./testing/fakes.js";

describe("trying again", () => {
  it("begins quickly and settles at a few seconds", () => {
    const delays = [1, 2, 3, 4, 5, 6, 100].map((attempt) => retryDelayMs(attempt, 0.5));
    expect(delays).toEqual([500, 1000, 2000, 4000, 5000, 5000, 5000]);
  });

  it("spreads a class over time", () => {
    expect(retryDelayMs(5, 0)).toBe(3750);
    expect(retryDelayMs(5, 1)).toBe(6250);
  });
});

describe("a device that does not work", () => {
  function named(name: string): Error {
    const error = new Error("as the browser says it");
    error.name = name;
    return error;
  }

  it.each([
    ["NotAllowedError", "refused"],
    ["NotFoundError", "missing"],
    ["NotReadableError", "in_use"],
    ["InsecureContextError", "insecure"],
    ["SomethingElse", "failed"],
  ])("for %s is %s", (name, code) => {
    const problem = describeDeviceError("camera", named(name));
    expect(problem.code).toBe(code);
    expect(problem.message).toMatch(/camera/);
  });

  it("may be no error at all", () => {
    expect(describeDeviceError("microphone", "what?").code).toBe("failed");
  });
});

describe("the tab's memory", () => {
  const memory: TabMemory = {
    inside: true,
    invite: "i",
    name: "Amara",
    token: "t",
    microphoneOn: true,
    cameraOn: false,
    picturesPaused: false,
    microphoneId: "m",
    cameraId: null,
    speakerId: null,
  };

  it("gives back what it was given, per class", () => {
    const storage = fakeStorage();
    expect(rememberTab(storage, "physics", memory)).toBe(true);
    expect(recallTab(storage, "physics")).toEqual(memory);
    expect(recallTab(storage, "biology")).toBeNull();
  });

  it.each(["", "{", "3", "null", '{"inside":true}', '{"invite":1,"name":"a"}'])("is empty for %j", (text) => {
    const storage = fakeStorage();
    storage.setItem("lyceum.class.physics", text);
    expect(recallTab(storage, "physics")).toBeNull();
  });

  it("does without storage, or with a full one", () => {
    expect(rememberTab(null, "physics", memory)).toBe(false);
    const full = fakeStorage();
    full.setItem = () => {
      throw new Error("QuotaExceededError");
    };
    expect(rememberTab(full, "physics", memory)).toBe(false);
  });
});

describe("loudness", () => {
  it("is 0 for silence, 1 for full scale, and between for speech", () => {
    expect(loudness(new Float32Array(64))).toBe(0);
    expect(loudness(new Float32Array(64).fill(1))).toBe(1);
    expect(loudness(new Float32Array(64).fill(0.0316))).toBeCloseTo(0.5, 2);
    expect(loudness(new Float32Array(64).fill(0.0001))).toBe(0);
  });
});
