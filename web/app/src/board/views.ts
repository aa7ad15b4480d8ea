/** What can be in front: people, or something that is worked on together. */
import type { Class } from "@lyceum/sdk/state";

export type WorkView = "board" | "slides" | "notes";
export type FrontView = "people" | WorkView;

/** What the layout of a Space puts in front. */
export function viewOfLayout(layout: Class.Layout | undefined): FrontView {
  switch (layout) {
    case "board":
      return "board";
    case "presentation":
      return "slides";
    default:
      return "people";
  }
}

export function layoutOfView(view: FrontView): Class.Layout | null {
  switch (view) {
    case "board":
      return "board";
    case "slides":
      return "presentation";
    case "people":
      return "gallery";
    case "notes":
      return null;
  }
}
