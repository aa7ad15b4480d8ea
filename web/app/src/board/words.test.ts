import { describe, expect, it } from "vitest";
import { layoutOfView, viewOfLayout } from "./views";
import { whyRefused, wordsForScraps } from "./words";

describe("what is said of scraps", () => {
  it("counts strokes, and does not count pieces of text", () => {
    const stroke = { id: "1" };
    expect(wordsForScraps([{ elements: [stroke], texts: [] }])).toBe("One stroke was not saved.");
    const two = [
      { elements: [stroke], texts: [] },
      { elements: [stroke, stroke], texts: [] },
    ];
    expect(wordsForScraps(two)).toBe("3 strokes were not saved.");
    expect(wordsForScraps([{ elements: [], texts: ["a", "b"] }])).toBe("What you wrote last was not saved.");
    expect(whyRefused("stale_grant", "")).toBe(whyRefused("forbidden", ""));
    expect(whyRefused("odd", "the moon is full")).toBe("The server says: the moon is full.");
  });
});

describe("what is in front", () => {
  it("is the same by its layout", () => {
    for (const view of ["board", "slides", "people"] as const)
      expect(viewOfLayout(layoutOfView(view) ?? undefined)).toBe(view);
    expect(layoutOfView("notes")).toBeNull();
    expect(viewOfLayout("speaker")).toBe("people");
    expect(viewOfLayout(undefined)).toBe("people");
  });
});
