import { describe, expect, it } from "vitest";
import { arrange } from "./seats";

/** People by name; `*` speaks now, a number says when somebody last spoke. */
function people(...seats: string[]) {
  return seats.map((seat) => {
    const [, identity = "", spoke = "0", star = ""] = /^([a-z]+)(\d*)(\*?)$/.exec(seat) ?? [];
    return { identity, lastSpokeAtMs: Number(spoke), speaking: star === "*" };
  });
}

describe("seats", () => {
  it("are kept when people come and go", () => {
    expect(arrange([], people("ana", "ben", "cem"), 9)).toEqual(["ana", "ben", "cem"]);
    expect(arrange(["ana", "ben", "cem"], people("ana", "cem", "dora"), 9)).toEqual(["ana", "cem", "dora"]);
  });

  it("stay the very same list when nothing changed", () => {
    const before = ["ana", "ben"];
    expect(arrange(before, people("ana", "ben*"), 2)).toBe(before);
  });

  it("do not change for a speaker who is in sight", () => {
    expect(arrange(["ana", "ben", "cem"], people("ana", "ben", "cem*"), 3)).toEqual(["ana", "ben", "cem"]);
  });

  it("are swapped for a speaker out of sight with the one quiet the longest", () => {
    const order = ["ana", "ben", "cem", "dora", "elif"];
    expect(arrange(order, people("ana500", "ben100", "cem300", "dora", "elif*"), 3)).toEqual([
      "ana",
      "elif",
      "cem",
      "dora",
      "ben",
    ]);
  });

  it("do not push out somebody who speaks too", () => {
    const order = ["ana", "ben", "cem"];
    expect(arrange(order, people("ana*", "ben*", "cem*"), 2)).toEqual(order);
  });
});
