/** The class itself: bar on top, the lesson in front, your desk at the bottom, and the people list at the side. */
import { inviteLink, type Classroom, type ClassroomState, type Connection } from "@lyceum/sdk";
import { CircleQuestionMark, Headphones, Link, UserRoundPlus } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { FrontTabs, useFront } from "../board/FrontTabs";
import { useIsPhone } from "../lib/hooks";
import { notice, useNotice } from "../lib/notices";
import { Mark } from "../Mark";
import { Banner } from "./Banner";
import { Desk } from "./Desk";
import { Gallery } from "./Gallery";
import { HelpDialog } from "./HelpDialog";
import { PeoplePanel } from "./PeoplePanel";
import { Signal } from "./Signal";
import { Stage } from "./Stage";
import { useAnnouncements } from "./useAnnouncements";
import { useShortcuts } from "./useShortcuts";

const WorkArea = lazy(() => import("../board/WorkArea"));

interface Props {
  classroom: Classroom;
  state: ClassroomState;
  connection: Extract<Connection, { phase: "inside" | "reconnecting" }>;
}

export function ClassView({ classroom, state, connection }: Props) {
  const { people, picturesPaused, room } = state;
  const isPhone = useIsPhone();
  const [peopleShown, setPeopleShown] = useState(false);
  const [helpShown, setHelpShown] = useState(false);
  const front = useRef<HTMLElement>(null);
  const [view, setView] = useFront(classroom);
  const notes = useNotice();
  const lost = connection.phase === "reconnecting";
  const sharers = people.filter((person) => person.sharesScreen && person.presence === "online");

  useAnnouncements(state);
  useShortcuts({
    m: () => void classroom.setMicrophone(!state.me.microphone.on),
    v: () => void classroom.setCamera(!state.me.camera.on),
    s: () => void classroom.setScreenShare(!state.me.screen.on),
    r: () => setPeopleShown((shown) => !shown),
    "?": () => setHelpShown(true),
  });
  useEffect(() => {
    front.current?.focus();
  }, []);
  useEffect(() => {
    document.title = `${lost ? "Reconnecting… " : ""}${room} · Lyceum`;
  }, [lost, room]);

  const copyInvite = () => void copyInviteLink(state);

  return (
    <div
      className={peopleShown && !isPhone ? "room with-side" : "room"}
      data-testid="class"
      data-phase={connection.phase}
    >
      <a className="skip" href="#desk">
        Skip to your desk
      </a>
      <header className="bar" data-region>
        <Mark />
        <h1 className="cut" dir="auto">
          {room}
        </h1>
        <span className="grow" />
        {picturesPaused && (
          <button
            className="chip lamp"
            data-testid="show-pictures"
            onClick={() => classroom.setPicturesPaused(false)}
          >
            <Headphones className="i s" aria-hidden="true" />
            {isPhone ? "Show pictures" : "Audio only: show pictures"}
          </button>
        )}
        <ConnectionChip state={state} lost={lost} />
        {isPhone && (
          <button
            className="ib tap"
            aria-label="Copy invite link"
            data-testid="copy-invite"
            onClick={copyInvite}
          >
            <UserRoundPlus className="i" aria-hidden="true" />
          </button>
        )}
        <button
          className={isPhone ? "ib tap" : "btn small"}
          aria-label={isPhone ? "Help" : undefined}
          onClick={() => setHelpShown(true)}
        >
          <CircleQuestionMark className="i s" aria-hidden="true" />
          {!isPhone && "Help"}
        </button>
      </header>
      {isPhone && notes !== null && <p className="phone-note">{notes}</p>}
      <main className="front" ref={front} tabIndex={-1} data-region aria-label="The class">
        <Banner classroom={classroom} state={state} connection={connection} />
        <FrontTabs classroom={classroom} view={view} onView={setView} />
        {view !== "people" ? (
          <Suspense fallback={<p className="empty">One moment…</p>}>
            <WorkArea classroom={classroom} view={view} />
          </Suspense>
        ) : sharers.length > 0 ? (
          <Stage
            people={people}
            sharers={sharers}
            frozen={lost}
            picturesPaused={picturesPaused}
            onShowPictures={() => classroom.setPicturesPaused(false)}
            onShowPeople={() => setPeopleShown(true)}
          />
        ) : people.length > 0 ? (
          <Gallery people={people} frozen={lost} picturesPaused={picturesPaused} />
        ) : (
          <EmptyRoom lost={lost} onCopy={copyInvite} />
        )}
      </main>
      {peopleShown && (
        <PeoplePanel me={state.me} people={people} asSheet={isPhone} onClose={() => setPeopleShown(false)} />
      )}
      <Desk
        classroom={classroom}
        state={state}
        lost={lost}
        note={isPhone ? null : notes}
        peopleShown={peopleShown}
        onTogglePeople={() => setPeopleShown(!peopleShown)}
        onCopyInvite={copyInvite}
      />
      <HelpDialog shown={helpShown} onClose={() => setHelpShown(false)} />
    </div>
  );
}

async function copyInviteLink({ room, shareInvite }: ClassroomState): Promise<void> {
  const link = inviteLink(window.location.origin, room, shareInvite);
  try {
    await navigator.clipboard.writeText(link);
    notice("Invite link copied. Send it to your learners.");
  } catch {
    // No clipboard on insecure pages, or the browser refused it: the person copies by hand.
    window.prompt("Copy this invite link:", link);
  }
}

function ConnectionChip({ state, lost }: { state: ClassroomState; lost: boolean }) {
  if (lost) {
    return (
      <span className="chip lamp">
        <Signal bars={0} />
        Reconnecting
      </span>
    );
  }
  if (state.me.network === "weak" || state.me.network === "lost") {
    return (
      <span className="chip lamp">
        <Signal bars={2} />
        Slow network
      </span>
    );
  }
  if (state.me.network === "good") {
    return (
      <span className="chip leaf wide-only">
        <Signal bars={4} />
        Good connection
      </span>
    );
  }
  return null;
}

function EmptyRoom({ lost, onCopy }: { lost: boolean; onCopy: () => void }) {
  return (
    <section className="empty">
      {lost ? (
        <p className="lead">Bringing you back into the class…</p>
      ) : (
        <>
          <h2>You are the only one here</h2>
          <p className="lead">Others appear as soon as they join. Your own picture is on your desk below.</p>
          <button className="btn main big" onClick={onCopy}>
            <Link className="i" aria-hidden="true" />
            Copy the invite link
          </button>
        </>
      )}
    </section>
  );
}
