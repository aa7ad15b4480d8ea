/**
 * What this person did in a document and the server does not have: after a refusal it is all that is left of it. It is found by the
 * places of changes, not by comparing contents, since others may have changed the document meanwhile.
 */
import * as Y from "yjs";

/** An element of a board as it is stored, such as `{ id, author, type, index, version, … }`. */
export type Element = Readonly<Record<string, unknown>>;

export interface Unsaved {
  /** Elements of a board that were drawn or changed. */
  readonly elements: readonly Element[];
  /** Pieces of text that were written, in their order. */
  readonly texts: readonly string[];
}

/** What `replica` says by its own Yjs client beyond what `saved` has. */
export function unsavedIn(replica: Y.Doc, saved: Y.Doc): Unsaved {
  const known = Y.decodeStateVector(Y.encodeStateVector(saved)).get(replica.clientID) ?? 0;
  const isUnsaved = ({ id, length }: Y.Item) => id.client === replica.clientID && id.clock + length > known;
  const elements: Element[] = [];
  const texts: string[] = [];
  for (const name of replica.share.keys()) {
    if (name === "elements") {
      const board = replica.getMap<unknown>(name);
      for (const [id, item] of board._map) {
        if (item.deleted || !isUnsaved(item)) continue;
        const value = board.get(id);
        const plain = value instanceof Y.Map ? (value.toJSON() as unknown) : value;
        if (typeof plain === "object" && plain !== null) elements.push(plain as Element);
      }
    } else if (name === "notes") {
      let piece = "";
      const ends = () => {
        if (piece !== "") texts.push(piece);
        piece = "";
      };
      for (let item = replica.getText(name)._start; item !== null; item = item.right) {
        if (item.deleted || !(item.content instanceof Y.ContentString)) continue;
        // What was written in one go is one item, of which the server may have the beginning.
        const isWhole = item.id.clock >= known;
        if (!isUnsaved(item) || !isWhole) ends();
        if (isUnsaved(item)) piece += item.content.str.slice(Math.max(0, known - item.id.clock));
      }
      ends();
    }
  }
  return { elements, texts };
}
