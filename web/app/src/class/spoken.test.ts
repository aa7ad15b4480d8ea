import type { Class, ClassEvent } from "@lyceum/sdk";
import { describe, expect, it } from "vitest";
import { deadlines, markBetween, spokenWords } from "./spoken";

describe("a countdown", () => {
  it("is spoken at a minute, half a minute and ten seconds, once each", () => {
    expect(markBetween(60_400, 59_900)).toBe(60);
    expect(markBetween(59_900, 59_400)).toBeNull();
    expect(markBetween(30_100, 30_000)).toBe(30);
    expect(markBetween(10_200, 9_700)).toBe(10);
  });

  it("is of polls that wait for me, of timers, and of tables while I sit at one", () => {
    const polls = { "7": { status: "open", asked: true, closes_at: 100, accept_until: null } };
    const timers = { "8": { ends_at: 200, title: "Reading" }, "9": { ends_at: null, title: "" } };
    const breakouts = { "": { closes_at: 300, groups: { "table-1": { title: "Table 1" } } } };
    const left = (responses: object, space: string) =>
      deadlines(aStore({ polls, timers, breakouts, responses }, space)).map(({ at }) => at);
    expect(left({}, "table-1")).toEqual([100, 200, 300]);
    expect(left({ "7:amina": { status: "counted" } }, "main")).toEqual([200]);
  });
});

describe("what is heard", () => {
  const polls = {
    "7": { asked: true, author: "ada", spec: { title: "", items: [{ text: "Which?" }] } },
    "8": { asked: false, author: "ada", spec: { title: "Staff", items: [] } },
  };
  const participants = { ada: { name: "Ada" } };

  it("is a poll that asks me, in its words", () => {
    const store = aStore({ polls, participants });
    expect(spokenWords(event("poll.opened", { poll: 7 }), store)).toBe("Ada asks: Which?");
    expect(spokenWords(event("poll.opened", { poll: 8 }), store)).toBeNull();
  });

  it("is a call for help, by those who can come", () => {
    const breakouts = { "": { groups: { "table-1": { title: "Table 1" } } } };
    const help = event("help.requested", { person: "ben", space: "table-1" });
    expect(spokenWords(help, aStore({ breakouts }, "main", ["breakout.manage"]))).toBe(
      "Table 1 asks for help",
    );
    expect(spokenWords(help, aStore({ breakouts }))).toBeNull();
  });
});

function event(type: string, payload: unknown): ClassEvent {
  return { type, payload } as ClassEvent;
}

function aStore(collections: Record<string, object>, space = "main", caps: Class.Cap[] = []) {
  const all = (name: string) => new Map(Object.entries(collections[name] ?? {}));
  return {
    all,
    one: (name: string, id: string | number = "") => all(name).get(String(id)) as unknown,
    can: (cap: Class.Cap) => caps.includes(cap),
    you: "amina",
    me: { space },
  } as unknown as Parameters<typeof deadlines>[0];
}
