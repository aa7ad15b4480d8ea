/**
 * Boards, notes and slides: what `@lyceum/sdk/documents` is. It brings Yjs with it, so a page loads it when somebody opens one of
 * them. Which documents there are and who may change them is in docs/documents.md.
 */
export { Documents } from "./documents.js";
export {
  SharedDocument,
  type DocumentCounters,
  type DocumentPhase,
  type DocumentState,
  type Scrap,
} from "./document.js";
export { boardName, notesName } from "./names.js";
export { DeckError, announceDeck, digestOf, fetchDeck, uploadDeck } from "./decks.js";
export { documentHash } from "./hash.js";
export type { Element, Unsaved } from "./unsaved.js";
