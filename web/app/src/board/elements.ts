/** What of Excalidraw's elements the board's own code needs to know. The rest of an element goes through as it is. */
export interface BoardElement {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly versionNonce: number;
  readonly index: string | null;
  readonly isDeleted: boolean;
  readonly locked: boolean;
  readonly [key: string]: unknown;
}

/** Whether two are the same state of the same element: Excalidraw changes the version with every change. */
export function stampOf(element: BoardElement): string {
  return `${element.version}:${element.versionNonce}`;
}

/** In the order in which they are painted: by their index, and by their id where two have the same. */
export function inOrder(elements: Iterable<BoardElement>): BoardElement[] {
  const key = (element: BoardElement) => element.index ?? "";
  return [...elements].sort((a, b) => {
    if (key(a) !== key(b)) return key(a) < key(b) ? -1 : 1;
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  });
}
