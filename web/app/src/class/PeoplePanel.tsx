/** Who is here: a panel at the side, on a phone a sheet from below. */
import type { Me, Person } from "@lyceum/sdk";
import { Mic, MicOff, Video, VideoOff, X } from "lucide-react";
import { useEffect, useRef } from "react";
import { hueClass, initial, notableRole } from "./words";

interface Props {
  me: Me;
  people: readonly Person[];
  asSheet: boolean;
  onClose: () => void;
}

export function PeoplePanel({ me, people, asSheet, onClose }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    const cameFrom = document.activeElement;
    heading.current?.focus();
    return () => {
      if (cameFrom instanceof HTMLElement) cameFrom.focus();
    };
  }, []);

  return (
    <aside
      className={asSheet ? "side sheet" : "side"}
      aria-label="People"
      data-testid="people-panel"
      data-region
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <section className="card people">
        <div className="hd">
          <h2 ref={heading} tabIndex={-1} className="grow">
            People <span className="mut">{people.length + 1}</span>
          </h2>
          <button className="ib" aria-label="Close the list of people" onClick={onClose}>
            <X className="i s" aria-hidden="true" />
          </button>
        </div>
        <ul className="people-list">
          <Row
            identity={me.identity ?? ""}
            name={`${me.name}, you`}
            role={notableRole(me.role)}
            microphoneOn={me.microphone.on}
            cameraOn={me.camera.on}
            away={false}
            speaking={me.speaking}
          />
          {people.map((person) => (
            <Row
              key={person.identity}
              identity={person.identity}
              name={person.name}
              role={notableRole(person.role)}
              microphoneOn={person.microphone === "on"}
              cameraOn={person.cameraOn}
              away={person.presence === "reconnecting"}
              speaking={person.speaking}
            />
          ))}
        </ul>
      </section>
    </aside>
  );
}

interface RowProps {
  identity: string;
  name: string;
  role: string;
  microphoneOn: boolean;
  cameraOn: boolean;
  away: boolean;
  speaking: boolean;
}

function Row({ identity, name, role, microphoneOn, cameraOn, away, speaking }: RowProps) {
  return (
    <li className="prow">
      <span className={`plate ${hueClass(identity)}`} aria-hidden="true">
        {initial(name)}
      </span>
      <span className="grow">
        <span className="nm cut" dir="auto">
          {name}
        </span>
        {role !== "" && <span className="s13 role"> {role}</span>}
      </span>
      {speaking && <span className="chip speaking">Speaking</span>}
      {away ? (
        <span className="chip lamp">Reconnecting</span>
      ) : (
        <>
          {cameraOn ? (
            <Video className="i s" aria-hidden="true" />
          ) : (
            <VideoOff className="i s" aria-hidden="true" />
          )}
          {microphoneOn ? (
            <Mic className="i s" aria-hidden="true" />
          ) : (
            <MicOff className="i s" aria-hidden="true" />
          )}
          <span className="vh">
            {microphoneOn ? "microphone on" : "muted"}, {cameraOn ? "camera on" : "camera off"}
          </span>
        </>
      )}
    </li>
  );
}
