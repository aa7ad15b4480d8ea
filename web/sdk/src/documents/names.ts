/** How the documents of a Space are called. */

/** The board over a page of a deck, or a board of its own if `deck` is `null`. */
export function boardName(space: string, deck: number | null, page: number): string {
  return `board:${space}:${deck ?? "blank"}:${page}`;
}

export function notesName(space: string): string {
  return `notes:${space}`;
}
