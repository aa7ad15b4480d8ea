/** How large tiles can be: the grid that shows everybody on a page as large as the room allows. All in CSS pixels. */
import type { Size } from "../lib/hooks";

/** Height of the name plate under a picture. */
const plateHeight = 28;
const widestPicture = 16 / 9;
/** Cameras give wide pictures; an upright area (a phone) may crop them more than a wide one. */
const narrowestPicture = (area: Size) => (area.width > area.height ? 4 / 3 : 4 / 5);
const smallestTile: Size = { width: 150, height: 112 };
/** A browser decodes this many pictures at once without trouble. */
const mostTiles = 25;

export interface Grid {
  columns: number;
  tile: Size;
}

/** How many tiles fit on one page before they become too small. */
export function tilesPerPage(area: Size, gap: number): number {
  const across = Math.max(1, Math.floor((area.width + gap) / (smallestTile.width + gap)));
  const down = Math.max(1, Math.floor((area.height + gap) / (smallestTile.height + gap)));
  return Math.min(mostTiles, across * down);
}

export function fitGrid(area: Size, count: number, gap: number): Grid {
  let best: Grid = { columns: 1, tile: { width: 0, height: 0 } };
  let bestPicture = -1;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (area.width - gap * (columns - 1)) / columns,
      height: (area.height - gap * (rows - 1)) / rows - plateHeight,
    };
    const width = Math.min(cell.width, cell.height * widestPicture);
    const height = Math.min(cell.height, width / narrowestPicture(area));
    if (width > 0 && width * height > bestPicture) {
      bestPicture = width * height;
      best = { columns, tile: { width: Math.floor(width), height: Math.floor(height + plateHeight) } };
    }
  }
  return best;
}
