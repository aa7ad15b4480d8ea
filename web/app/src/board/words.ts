/** The sentences of boards, notes and slides that depend on something. */
import type { Scrap } from "@lyceum/sdk/documents";
import type { Class } from "@lyceum/sdk/state";
import type { Right } from "./binding";

export function wordsForScraps(scraps: readonly Pick<Scrap, "elements" | "texts">[]): string {
  const strokes = scraps.reduce((sum, { elements }) => sum + elements.length, 0);
  if (strokes === 1) return "One stroke was not saved.";
  if (strokes > 1) return `${strokes} strokes were not saved.`;
  return "What you wrote last was not saved.";
}

export function whyRefused(code: string, message: string): string {
  switch (code) {
    case "forbidden":
    case "stale_grant":
      return "This was closed to you by then.";
    case "not_yours":
      return "They changed what belongs to somebody else.";
    case "too_large":
    case "full":
      return "There is no more room.";
    default:
      return message === "" ? "" : `The server says: ${message}.`;
  }
}

export function wordsForRight(right: Right): { said: string; more: string } {
  switch (right) {
    case "all":
      return { said: "You can draw.", more: "You can change everything on the board." };
    case "own":
      return {
        said: "You can draw.",
        more: "You can change your own marks; other people’s are safe from you.",
      };
    case "nothing":
      return { said: "You can look.", more: "Your teacher decides who draws." };
  }
}

export const accessWords: Record<Class.BoardAccess, string> = {
  presenter: "Only the presenter draws",
  only: "Chosen people draw",
  own: "Everybody draws, own marks",
  all: "Everybody draws everything",
};

/** Why a document is not there, for people. */
export function whyClosed(code: string, what: string): string {
  switch (code) {
    case "forbidden":
      return `You may not see ${what}.`;
    case "not_found":
      return `There is no such page any more.`;
    case "limit":
      return `Too many people have ${what} open. It opens as soon as there is room.`;
    default:
      return `The server cannot give out ${what} at the moment. It is asked again.`;
  }
}
