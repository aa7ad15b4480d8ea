/** The shared screen in front, and the people below it: in a strip, on an upright phone in a small gallery. */
import type { Person } from "@lyceum/sdk";
import { Maximize2, Pause } from "lucide-react";
import { useRef, useState } from "react";
import { useIsPhone, useMediaQuery, useSize } from "../lib/hooks";
import { Gallery } from "./Gallery";
import { PictureView } from "./PictureView";
import { Tile } from "./Tile";
import { useSeats } from "./useSeats";

interface Props {
  people: readonly Person[];
  sharers: readonly Person[];
  frozen: boolean;
  picturesPaused: boolean;
  onShowPictures: () => void;
  onShowPeople: () => void;
}

export function Stage({ people, sharers, frozen, picturesPaused, onShowPictures, onShowPeople }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const view = useRef<HTMLElement>(null);
  // A wide screen on an upright phone leaves room below: more than a strip needs.
  const isUprightPhone = useMediaQuery("(max-width: 759px) and (min-height: 600px)");
  const presenter = sharers.find((person) => person.identity === chosen) ?? sharers[0];
  if (presenter === undefined) return null;
  const others = sharers.filter((person) => person !== presenter);

  return (
    <>
      <section
        ref={view}
        className={frozen ? "stage frozen" : "stage"}
        aria-label={`Stage: the screen of ${presenter.name}`}
        data-testid="stage"
        data-identity={presenter.identity}
        tabIndex={-1}
      >
        <div className="view">
          <PictureView
            picture={presenter.screen}
            fit="contain"
            frozen={frozen}
            fallback={
              picturesPaused ? (
                <p className="waiting">
                  Pictures are paused to spare your network.
                  <button className="btn" onClick={onShowPictures}>
                    Show pictures
                  </button>
                </p>
              ) : (
                <p className="waiting">
                  {frozen
                    ? "The screen comes back with you."
                    : `The screen of ${presenter.name} is on its way…`}
                </p>
              )
            }
          />
        </div>
        <div className="cap">
          {frozen ? (
            <>
              <span className="chip lamp">
                <Pause className="i xs" aria-hidden="true" />
                Last picture
              </span>
              <p className="cut mut grow">It moves when you are back.</p>
            </>
          ) : (
            <p className="cut grow">
              <b dir="auto">{presenter.name}</b> shares the screen
            </p>
          )}
          {others.map((person) => (
            <button
              key={person.identity}
              className="btn small quiet"
              onClick={() => setChosen(person.identity)}
            >
              See {person.name}’s screen
            </button>
          ))}
          <button
            className="ib"
            aria-label="Show the stage on the full screen"
            title="Full screen"
            onClick={() => void view.current?.requestFullscreen()}
          >
            <Maximize2 className="i s" aria-hidden="true" />
          </button>
        </div>
      </section>
      {isUprightPhone ? (
        <Gallery people={people} frozen={frozen} picturesPaused={picturesPaused} />
      ) : (
        <Strip people={people} frozen={frozen} picturesPaused={picturesPaused} onShowPeople={onShowPeople} />
      )}
    </>
  );
}

/** One person large, as the class wants it, and the others below. */
export function Spotlight({ people, person, ...strip }: StripProps & { person: Person }) {
  const others = people.filter((other) => other !== person);
  return (
    <>
      <section className="spot" aria-label={`Shown large: ${person.name}`} data-testid="spotlight">
        <Tile person={person} frozen={strip.frozen} picturesPaused={strip.picturesPaused} />
      </section>
      {others.length > 0 && <Strip people={others} {...strip} />}
    </>
  );
}

type StripProps = Pick<Props, "people" | "frozen" | "picturesPaused" | "onShowPeople">;

function Strip({ people, frozen, picturesPaused, onShowPeople }: StripProps) {
  const [area, size] = useSize();
  const tileWidth = useIsPhone() ? 88 : 124;
  const seats = Math.max(1, Math.floor((size.width + 8) / (tileWidth + 8)));
  const shownCount = people.length <= seats ? people.length : Math.max(1, seats - 1);
  const seated = useSeats(people, shownCount);
  const hidden = people.length - shownCount;
  return (
    <section ref={area} className="strip" aria-label={`People, ${shownCount} of ${people.length} shown`}>
      {size.width > 0 &&
        seated
          .slice(0, shownCount)
          .map((person) => (
            <Tile key={person.identity} person={person} frozen={frozen} picturesPaused={picturesPaused} />
          ))}
      {hidden > 0 && (
        <button className="more" onClick={onShowPeople}>
          <b>+{hidden}</b>
          people
        </button>
      )}
    </section>
  );
}
