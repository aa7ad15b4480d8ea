import { describe, expect, it } from "vitest";
import { read, type Reading } from "./statement";
import { Refused } from "./store";
import { happen } from "./useRecords";

const statements = (...ids: string[]): Reading[] => ids.map((id) => read({ id }));
const ids = (readings: Reading[]) => readings.map((reading) => reading.id);

describe("a list of statements", () => {
  const start = happen(
    { statements: [], arrived: [], older: "", state: "loading", problem: null },
    { kind: "loaded", page: { statements: statements("3", "2"), more: "/xapi/more" } },
  );

  it("grows at its top, or waits while somebody chooses", () => {
    const page = { statements: statements("4", "5"), more: "" };
    expect(ids(happen(start, { kind: "arrived", page, hold: false }).statements)).toEqual([
      "5",
      "4",
      "3",
      "2",
    ]);
    const held = happen(start, { kind: "arrived", page, hold: true });
    expect([ids(held.statements), ids(held.arrived)]).toEqual([
      ["3", "2"],
      ["5", "4"],
    ]);
    const shown = happen(held, { kind: "shown" });
    expect([ids(shown.statements), shown.arrived, shown.older]).toEqual([
      ["5", "4", "3", "2"],
      [],
      "/xapi/more",
    ]);
  });

  it("goes on at its end", () => {
    const more = happen(start, { kind: "older", page: { statements: statements("1"), more: "" } });
    expect([ids(more.statements), more.older]).toEqual([["3", "2", "1"], ""]);
  });

  it("keeps what it has when the server is away, and says when it may not be read", () => {
    const away = happen(start, { kind: "failed", problem: new Refused(0, "away") });
    expect([away.state, ids(away.statements)]).toEqual(["interrupted", ["3", "2"]]);
    const back = happen(away, { kind: "arrived", page: { statements: [], more: "" }, hold: false });
    expect([back.state, back.problem]).toEqual(["live", null]);
    expect(happen(start, { kind: "failed", problem: new Refused(403, "no") }).state).toBe("refused");
  });
});
