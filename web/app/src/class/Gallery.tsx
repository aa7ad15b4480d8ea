/** Everybody as large as the room allows, in pages when there are many. */
import type { Person } from "@lyceum/sdk";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useIsPhone, useSize } from "../lib/hooks";
import { fitGrid, tilesPerPage } from "./fit";
import { useSeats } from "./useSeats";
import { Tile } from "./Tile";

interface Props {
  people: readonly Person[];
  frozen: boolean;
  picturesPaused: boolean;
}

export function Gallery({ people, frozen, picturesPaused }: Props) {
  const [area, size] = useSize();
  const gap = useIsPhone() ? 8 : 12;
  const [wantedPage, setPage] = useState(0);
  const perPage = Math.min(tilesPerPage(size, gap), Math.max(1, people.length));
  const pages = Math.max(1, Math.ceil(people.length / perPage));
  const page = Math.min(wantedPage, pages - 1);
  const seats = useSeats(people, perPage);
  const shown = seats.slice(page * perPage, (page + 1) * perPage);
  const grid = fitGrid(size, shown.length, gap);
  const measured = size.width > 0;

  return (
    <>
      <section
        ref={area}
        className="gallery"
        aria-label={`People, ${shown.length} of ${people.length} shown`}
        style={{
          gridTemplateColumns: `repeat(${grid.columns}, ${grid.tile.width}px)`,
          gridAutoRows: `${grid.tile.height}px`,
          gap: `${gap}px`,
        }}
      >
        {measured &&
          shown.map((person) => (
            <Tile key={person.identity} person={person} frozen={frozen} picturesPaused={picturesPaused} />
          ))}
      </section>
      {pages > 1 && (
        <nav className="pager" aria-label="Pages of people">
          <p className="s13 mut grow">People keep their seat while nobody new speaks.</p>
          <button
            className="ib"
            aria-label="Previous page"
            disabled={page === 0}
            onClick={() => setPage(page - 1)}
          >
            <ChevronLeft className="i flip" aria-hidden="true" />
          </button>
          <span className="s13 b nowrap">
            {page + 1} of {pages}
          </span>
          <button
            className="ib"
            aria-label="Next page"
            disabled={page === pages - 1}
            onClick={() => setPage(page + 1)}
          >
            <ChevronRight className="i flip" aria-hidden="true" />
          </button>
        </nav>
      )}
    </>
  );
}
