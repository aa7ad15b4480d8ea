/** One person: the picture, and below it a plate with the name, so that a name never covers a face. */
import type { Person } from "@lyceum/sdk";
import { Hand, Mic, MicOff } from "lucide-react";
import { memo, useState } from "react";
import { useSecondsSince } from "../lib/hooks";
import { PictureView } from "./PictureView";
import { Signal } from "./Signal";
import { useReaction } from "./reactions";
import { useHandQueue } from "./state";
import { describePerson, hueClass, initial, notableRole } from "./words";

interface Props {
  person: Person;
  /** Your own connection is lost: keep the last picture. */
  frozen: boolean;
  picturesPaused: boolean;
}

export const Tile = memo(function Tile({ person, frozen, picturesPaused }: Props) {
  const role = notableRole(person.role);
  const weak = person.network === "weak" || person.network === "lost";
  const away = person.presence === "reconnecting";
  const hand = useHandQueue().find((one) => one.person === person.identity);
  const reaction = useReaction(person.identity);
  return (
    <article
      className={["tile", person.speaking ? "talk" : "", away ? "away" : "", frozen ? "frozen" : ""].join(
        " ",
      )}
      aria-label={describePerson(person) + (hand === undefined ? "" : ", hand up")}
      data-testid="tile"
      data-identity={person.identity}
      data-speaking={person.speaking}
      data-mic={person.microphone === "on" ? "on" : "off"}
      data-camera={person.cameraOn ? "on" : "off"}
      data-presence={person.presence}
    >
      <div className="pic">
        <PictureView
          picture={away ? null : person.camera}
          fit="cover"
          frozen={frozen}
          fallback={
            <div className={`mono ${hueClass(person.identity)}`}>
              <b aria-hidden="true">{initial(person.name)}</b>
              {away ? <AwayText /> : <span>{whyNoPicture(person, picturesPaused)}</span>}
            </div>
          }
        />
        {hand !== undefined && (
          <span className="badge" data-testid="tile-hand">
            <Hand className="i xs" aria-hidden="true" />
            {hand.place ?? "–"}
          </span>
        )}
        {reaction !== undefined && (
          <span className="reaction" data-testid="reaction">
            <span aria-hidden="true">{reaction.sign}</span>
            <span className="vh">{reaction.word}</span>
          </span>
        )}
      </div>
      <div className="pl">
        <span className="cut" dir="auto">
          {person.name}
          {role !== "" && <span className="pl-role"> {role}</span>}
        </span>
        {weak && <Signal bars={1} small />}
        {person.speaking ? (
          <span className="wave" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
        ) : person.microphone === "on" ? (
          <Mic className="i xs" aria-hidden="true" />
        ) : (
          <MicOff className="i xs" aria-hidden="true" />
        )}
      </div>
    </article>
  );
});

function whyNoPicture(person: Person, picturesPaused: boolean): string {
  if (!person.cameraOn) return "Camera off";
  return picturesPaused ? "Picture paused" : "Picture is coming";
}

/** Counts from when this tab saw the person lose the network. */
function AwayText() {
  const [sinceMs] = useState(() => Date.now());
  const seconds = useSecondsSince(sinceMs);
  return <span>Reconnecting… ({seconds} s)</span>;
}
