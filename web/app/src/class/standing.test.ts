import type { Class, ClassEvent, EntityChange } from "@lyceum/sdk";
import { describe, expect, it } from "vitest";
import { refusalWords } from "./refusals";
import { eventWords, standingChanges } from "./standing";
import { queueOf } from "./state";

const around = {
  me: "bo",
  nameOf: (person: string | null) => (person === "ada" ? "Ada" : "Somebody"),
  titleOf: (space: string) => `Table ${space}`,
};
const person: Class.ParticipantView = {
  consent: null,
  deadline: null,
  floor_until: null,
  intent: { mic: "muted", camera: false, screen: false },
  joined_at: 0,
  name: "Bo",
  presence: "online",
  rev: 1,
  role: "learner",
  space: "main",
  visit: null,
};
const mine = (after: Partial<Class.ParticipantView>): EntityChange => ({
  collection: "participants",
  id: "bo",
  before: person,
  after: { ...person, ...after },
});
const grant = (before: Class.Cap[], after: Class.Cap[]): EntityChange => ({
  collection: "grants",
  id: "bo",
  before: { caps: before, epoch: 1, overrides: {} },
  after: { caps: after, epoch: 2, overrides: {} },
});

describe("what the class changed for me", () => {
  it("is said of a move at once", () => {
    expect(standingChanges([mine({ space: "2" })], around)).toEqual([
      { text: "You were moved to Table 2.", assertive: true },
    ]);
    expect(standingChanges([{ ...mine({}), before: { ...person, space: "2" } }], around)[0]?.text).toBe(
      "You are back in the main room.",
    );
  });

  it("is said of a permission that was taken, and of one that came back", () => {
    expect(standingChanges([grant(["chat.send"], [])], around)[0]?.text).toBe(
      "The teacher changed this: you may read the chat, not write.",
    );
    expect(standingChanges([grant([], ["chat.send"])], around)[0]?.text).toBe(
      "The teacher changed this: you may write in the chat.",
    );
  });

  it("is one sentence for a role and all that comes with it", () => {
    const changes = [mine({ role: "teaching_assistant" }), grant([], ["chat.send", "media.audio"])];
    expect(standingChanges(changes, around).map(({ text }) => text)).toEqual(["You are an assistant now."]);
  });

  it("is nothing while one comes in, and nothing for others", () => {
    expect(standingChanges([{ ...mine({}), before: undefined }], around)).toEqual([]);
    expect(standingChanges([{ ...mine({ space: "2" }), id: "cleo" }], around)).toEqual([]);
  });

  it("is said of a mute to whom it concerns only", () => {
    const event = (persons: string[]) =>
      ({ seq: 1, at: 0, mono_ms: 0, type: "media.muted", payload: { persons } }) as ClassEvent;
    expect(eventWords(event(["cleo"]), around)).toBeNull();
    expect(eventWords(event(["bo"]), around)?.text).toContain("muted you");
  });
});

describe("the queue of hands", () => {
  const hand = (since: number, called = 0, away = false): Class.HandView => ({
    away,
    called,
    intent: "question",
    since,
    since_at: 0,
  });

  it("passes over who is away and keeps their place", () => {
    const hands = new Map([
      ["cleo", hand(9)],
      ["bo", hand(5, 0, true)],
      ["dee", hand(7)],
    ]);
    expect(queueOf(hands, "fifo").map(({ person, place }) => [person, place])).toEqual([
      ["bo", null],
      ["dee", 1],
      ["cleo", 2],
    ]);
  });

  it("may begin with who was heard least", () => {
    const hands = new Map([
      ["bo", hand(5, 2)],
      ["cleo", hand(9)],
    ]);
    expect(queueOf(hands, "least_heard_first").map(({ person }) => person)).toEqual(["cleo", "bo"]);
  });
});

describe("a refusal", () => {
  it("says whose doing it was and what to do", () => {
    expect(refusalWords({ code: "stale_grant", message: "" })).toContain("The teacher changed this");
    expect(refusalWords({ code: "rate", message: "", retryMs: 2_400 })).toContain("Wait 3 s");
    expect(refusalWords({ code: "limit", message: "the title is too long" })).toBe("The title is too long.");
  });
});
