/** Below slides: which deck and page it is, turning pages, and bringing slides. */
import { ChevronLeft, ChevronRight, FileUp, Pin, RotateCw, Trash2 } from "lucide-react";
import { useRef } from "react";
import type { Slides } from "./useSlides";

interface Props {
  slides: Slides;
  canControl: boolean;
  canBring: boolean;
  presenterName: string | null;
}

export function SlideBar({ slides, canControl, canBring, presenterName }: Props) {
  const picker = useRef<HTMLInputElement>(null);
  const { at, shown, decks } = slides;
  const deck = decks.find(({ id }) => id === at?.deck);
  const isElsewhere = at !== null && shown !== null && (at.deck !== shown.deck || at.page !== shown.page);

  const go = (page: number) => {
    if (at === null) return;
    const next = { deck: at.deck, page };
    if (canControl) void slides.turn(next);
    else slides.look(next);
  };

  return (
    <div className="slide-bar grow">
      {at !== null && deck !== undefined && (
        <>
          <button
            className="ib tap"
            aria-label="Previous page"
            data-testid="page-previous"
            disabled={at.page <= 1}
            onClick={() => go(at.page - 1)}
          >
            <ChevronLeft className="i flip" aria-hidden="true" />
          </button>
          <span className="nowrap" data-testid="page-at">
            {at.page} / {deck.pages}
          </span>
          <button
            className="ib tap"
            aria-label="Next page"
            data-testid="page-next"
            disabled={at.page >= deck.pages}
            onClick={() => go(at.page + 1)}
          >
            <ChevronRight className="i flip" aria-hidden="true" />
          </button>
        </>
      )}
      {isElsewhere && (
        <button className="btn small" data-testid="page-follow" onClick={() => slides.look(null)}>
          <Pin className="i xs" aria-hidden="true" />
          {presenterName ?? "The class"} is on page {shown.page}: follow
        </button>
      )}
      {decks.length > 0 && canControl && (
        <label className="access">
          <span className="vh">Slides</span>
          <select
            className="select small"
            data-testid="deck-select"
            value={at?.deck ?? ""}
            onChange={(event) => void slides.turn({ deck: Number(event.target.value), page: 1 })}
          >
            {at === null && <option value="">Choose slides</option>}
            {decks.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {slides.waiting.map(({ id, name, words, mine }) => (
        <span key={id} className="chip lamp">
          <span className="cut">
            {name}: {words}
          </span>
          {mine && words !== "Sending…" && (
            <button
              className="ib"
              aria-label={`Send ${name} again`}
              onClick={() => void slides.sendAgain(id)}
            >
              <RotateCw className="i xs" aria-hidden="true" />
            </button>
          )}
          {canControl && (
            <button className="ib" aria-label={`Remove ${name}`} onClick={() => void slides.remove(id)}>
              <Trash2 className="i xs" aria-hidden="true" />
            </button>
          )}
        </span>
      ))}
      <span className="grow" />
      {canBring && (
        <>
          <input
            ref={picker}
            type="file"
            hidden
            data-testid="deck-file"
            accept="application/pdf,image/png,image/jpeg,image/webp"
            onChange={(event) => {
              const file = event.target.files?.[0];
              event.target.value = "";
              if (file !== undefined) void slides.bring(file);
            }}
          />
          <button className="btn small" data-testid="deck-bring" onClick={() => picker.current?.click()}>
            <FileUp className="i xs" aria-hidden="true" />
            Bring slides
          </button>
        </>
      )}
    </div>
  );
}
