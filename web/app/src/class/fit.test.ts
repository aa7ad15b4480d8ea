import { describe, expect, it } from "vitest";
import { fitGrid, tilesPerPage } from "./fit";

const laptop = { width: 1334, height: 620 };
const phone = { width: 336, height: 606 };
const gap = 12;

describe("the grid", () => {
  it.each([
    [1, 1],
    [2, 2],
    [4, 2],
    [9, 3],
    [12, 4],
  ])("of %i people on a laptop has %i columns", (count, columns) => {
    expect(fitGrid(laptop, count, gap).columns).toBe(columns);
  });

  it("puts two people on a phone above each other", () => {
    expect(fitGrid(phone, 2, 8).columns).toBe(1);
  });

  it.each([laptop, phone, { width: 700, height: 260 }])("fits into %j for every number of people", (area) => {
    for (let count = 1; count <= tilesPerPage(area, gap); count += 1) {
      const { columns, tile } = fitGrid(area, count, gap);
      const rows = Math.ceil(count / columns);
      expect(columns * tile.width + (columns - 1) * gap).toBeLessThanOrEqual(area.width);
      expect(rows * tile.height + (rows - 1) * gap).toBeLessThanOrEqual(area.height);
      expect(tile.width).toBeGreaterThan(80);
    }
  });

  it("shows nothing while the size is unknown", () => {
    expect(fitGrid({ width: 0, height: 0 }, 3, gap).tile).toEqual({ width: 0, height: 0 });
  });
});

describe("a page of people", () => {
  it("never has more than 25 pictures, nor less than one", () => {
    expect(tilesPerPage({ width: 4000, height: 3000 }, gap)).toBe(25);
    expect(tilesPerPage(phone, 8)).toBe(10);
    expect(tilesPerPage({ width: 10, height: 10 }, gap)).toBe(1);
  });
});
