import { describe, expect, it } from "vitest";
import type { BoardElement } from "./elements";
import { elementOf, readPresence, strokeOf } from "./presence";

const line = (points: number): BoardElement & { points: [number, number][] } => ({
  id: "1",
  type: "freedraw",
  version: 3,
  versionNonce: 1,
  index: "a1",
  isDeleted: false,
  locked: false,
  x: 10,
  strokeColor: "#1e1e1e",
  pressures: Array.from({ length: points }, () => 0.5),
  points: Array.from({ length: points }, (_, at) => [at * 1.234_567, at * 100.987_654]),
});

describe("a stroke that is being drawn", () => {
  it("is the same on the other side", () => {
    const drawn = elementOf(strokeOf(line(50), 0), undefined);
    expect(drawn).toMatchObject({ id: "1", x: 10, strokeColor: "#1e1e1e", version: 3 });
    expect(drawn?.points).toHaveLength(50);
    expect((drawn?.points as number[][])[49]).toEqual([60.5, 4_948.4]);
  });

  it("is small however long it is, and goes on where the written part ends", () => {
    const whole = line(2_000);
    const written = { points: whole.points.slice(0, 1_900) };
    const stroke = strokeOf(whole, 1_900);
    expect(JSON.stringify(stroke).length).toBeLessThan(3_900);
    expect(elementOf(stroke, written)?.points).toHaveLength(2_000);
    expect(JSON.stringify(strokeOf(whole, 0)).length).toBeLessThan(3_900);
  });

  it("of a shape has no points", () => {
    const box: BoardElement = { ...line(0), type: "rectangle", points: undefined };
    const drawn = elementOf(strokeOf(box, 0), undefined);
    expect(drawn).toMatchObject({ type: "rectangle", locked: true });
    expect(drawn).not.toHaveProperty("points");
  });
});

describe("what somebody says of themselves", () => {
  it("is believed only as far as it makes sense", () => {
    expect(readPresence(null)).toBeNull();
    expect(readPresence({ pointer: { x: 1, y: 2 } })).toBeNull();
    expect(
      readPresence({ name: "Ann", pointer: { x: "1", y: NaN, tool: "pointer" }, stroke: "odd" }),
    ).toEqual({
      name: "Ann",
      button: "up",
      stroke: null,
    });
    expect(
      readPresence({ name: "Ann", pointer: { x: 1, y: 2, tool: "laser" }, button: "down" }),
    ).toMatchObject({
      pointer: { x: 1, y: 2, tool: "laser" },
      button: "down",
    });
    const stroke = { element: { id: "1", type: "freedraw" }, from: 0, points: [[1, "2"]] };
    expect(readPresence({ name: "Ann", stroke })?.stroke).toBeNull();
  });
});
