/** The class itself: bar on top, the lesson in front, your desk at the bottom, and one panel at the side. */
import { inviteLink, type Classroom, type ClassroomState, type Connection } from "@lyceum/sdk";
import { CircleQuestionMark, DoorOpen, Headphones, Link, Lock, Timer, UserRoundPlus } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { FrontTabs, useFront } from "../board/FrontTabs";
import { useIsPhone } from "../lib/hooks";
import { notice, useNotice } from "../lib/notices";
import { Mark } from "../Mark";
import { Banner } from "./Banner";
import { Desk } from "./Desk";
import { Gallery } from "./Gallery";
import { HelpDialog } from "./HelpDialog";
import type { ConversationId } from "./chat";
import { PhoneNote } from "./PhoneNote";
import { PeoplePanel } from "./panels/PeoplePanel";
import { Signal } from "./Signal";
import { Spotlight, Stage } from "./Stage";
import { useTimer } from "./moments";
import { useAsked } from "./polls";
import { useAct, useAll, useCan, useMySpace, useMyself, useOne, useServerNow } from "./state";
import { TableStrip } from "./TableStrip";
import { useAnnouncements } from "./useAnnouncements";
import { clockWords } from "./words";
import { useShortcuts } from "./useShortcuts";
import { useSpoken } from "./useSpoken";
import { useStanding } from "./useStanding";

const ChatPanel = lazy(() => import("./panels/ChatPanel").then((module) => ({ default: module.ChatPanel })));

const PollsPanel = lazy(() =>
  import("./panels/PollsPanel").then((module) => ({ default: module.PollsPanel })),
);
const TablesPanel = lazy(() =>
  import("./panels/TablesPanel").then((module) => ({ default: module.TablesPanel })),
);

export type PanelName = "people" | "chat" | "polls" | "tables" | "more";

const WorkArea = lazy(() => import("../board/WorkArea"));

interface Props {
  classroom: Classroom;
  state: ClassroomState;
  connection: Extract<Connection, { phase: "inside" | "reconnecting" }>;
}

export function ClassView({ classroom, state, connection }: Props) {
  const { people, picturesPaused, room } = state;
  const isPhone = useIsPhone();
  const [panel, setPanel] = useState<PanelName | null>(null);
  const [conversation, setConversation] = useState<ConversationId | null>(null);
  const [helpShown, setHelpShown] = useState(false);
  const front = useRef<HTMLElement>(null);
  const [view, setView] = useFront(classroom);
  const notes = useNotice();
  const { id: me } = useMyself();
  const act = useAct();
  const mayRaise = useCan("hand.raise");
  const handUp = useOne("hands", me) !== undefined;
  const space = useMySpace();
  const spotlight = useSpotlight(state);
  const asked = useAsked();
  const [shownFor, setShownFor] = useState<string | null>(null);
  // What is asked comes forward by itself; who is writing or talking to people is not interrupted by it.
  const [quiet, setQuiet] = useState(false);
  if (asked !== shownFor) {
    setShownFor(asked);
    if (asked !== null && (panel === null || panel === "tables")) {
      setPanel("polls");
      setQuiet(true);
    }
    // On a phone it would stand before the lesson.
    if (asked === null && quiet && isPhone && panel === "polls") setPanel(null);
  }
  const toggle = (name: PanelName) => {
    setQuiet(false);
    setPanel((shown) => (shown === name ? null : name));
  };
  const close = () => setPanel(null);
  const lost = connection.phase === "reconnecting";
  const sharers = people.filter((person) => person.sharesScreen && person.presence === "online");

  useAnnouncements(state);
  useStanding(classroom);
  useSpoken();
  useShortcuts({
    m: () => void classroom.setMicrophone(!state.me.microphone.on),
    v: () => void classroom.setCamera(!state.me.camera.on),
    s: () => void classroom.setScreenShare(!state.me.screen.on),
    r: () => toggle("people"),
    c: () => toggle("chat"),
    p: () => toggle("polls"),
    t: () => toggle("tables"),
    h: () => {
      if (handUp) void act("hand.lower");
      else if (mayRaise) void act("hand.raise", { intent: "question" });
    },
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
      className={panel !== null && !isPhone ? "room with-side" : "room"}
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
        <TimerChip onShow={() => setPanel("polls")} />
        <DoorChips onShow={() => setPanel("people")} />
        <ConnectionChip state={state} lost={lost} />
        <button
          className={isPhone ? "ib tap" : "btn small"}
          aria-label="Copy invite link"
          data-testid="copy-invite"
          onClick={copyInvite}
        >
          <UserRoundPlus className="i s" aria-hidden="true" />
          {!isPhone && "Copy invite"}
        </button>
        <button
          className={isPhone ? "ib tap" : "btn small"}
          aria-label={isPhone ? "Help" : undefined}
          onClick={() => setHelpShown(true)}
        >
          <CircleQuestionMark className="i s" aria-hidden="true" />
          {!isPhone && "Help"}
        </button>
      </header>
      {isPhone && notes !== null && <PhoneNote notice={notes} />}
      <main className="front" ref={front} tabIndex={-1} data-region aria-label="The class">
        <Banner classroom={classroom} state={state} connection={connection} />
        <TableStrip />
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
            onShowPeople={() => setPanel("people")}
          />
        ) : spotlight !== undefined ? (
          <Spotlight
            people={people}
            person={spotlight}
            frozen={lost}
            picturesPaused={picturesPaused}
            onShowPeople={() => setPanel("people")}
          />
        ) : people.length > 0 ? (
          <Gallery people={people} frozen={lost} picturesPaused={picturesPaused} />
        ) : (
          <EmptyRoom lost={lost} atTable={space !== "main"} onCopy={copyInvite} />
        )}
      </main>
      {panel === "people" && (
        <PeoplePanel
          state={state}
          asSheet={isPhone}
          onClose={close}
          onCopyInvite={copyInvite}
          onWriteTo={(person) => {
            setConversation(`pair:${person}`);
            setPanel("chat");
          }}
        />
      )}
      <Suspense fallback={null}>
        {panel === "chat" && (
          <ChatPanel
            asSheet={isPhone}
            conversation={conversation}
            onConversation={setConversation}
            onClose={close}
          />
        )}
        {panel === "polls" && <PollsPanel asSheet={isPhone} quiet={quiet} onClose={close} />}
        {panel === "tables" && <TablesPanel asSheet={isPhone} onClose={close} />}
      </Suspense>
      <Desk
        classroom={classroom}
        state={state}
        lost={lost}
        note={isPhone ? null : notes}
        panel={panel}
        onToggle={toggle}
        asked={asked !== null}
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

/** The person whom the class shows large, if they are to be seen here. */
function useSpotlight({ people }: ClassroomState) {
  const wanted = useOne("spaces", useMySpace())?.stage.spotlight ?? [];
  return people.find(({ identity }) => wanted.includes(identity));
}

function TimerChip({ onShow }: { onShow: () => void }) {
  const running = useTimer();
  const now = useServerNow(running !== undefined);
  if (running === undefined) return null;
  const { ends_at, left_ms, title } = running.timer;
  const left = ends_at === null ? left_ms : ends_at - now;
  return (
    <button className={left < 30_000 ? "chip lamp" : "chip"} data-testid="timer-chip" onClick={onShow}>
      <Timer className="i xs" aria-hidden="true" />
      {title !== "" && <span className="wide-only">{title} </span>}
      {clockWords(left)}
      {ends_at === null && ", paused"}
    </button>
  );
}

/** Who waits at the door, and whether it is locked. */
function DoorChips({ onShow }: { onShow: () => void }) {
  const waiting = useAll("waiting").size;
  const mayAdmit = useCan("lobby.admit");
  const locked = useOne("session")?.locked === true;
  return (
    <>
      {locked && (
        <span className="chip">
          <Lock className="i xs" aria-hidden="true" />
          Locked
        </span>
      )}
      {mayAdmit && waiting > 0 && (
        <button className="chip iris" data-testid="door-chip" onClick={onShow}>
          <DoorOpen className="i xs" aria-hidden="true" />
          {waiting} waiting
        </button>
      )}
    </>
  );
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

function EmptyRoom({ lost, atTable, onCopy }: { lost: boolean; atTable: boolean; onCopy: () => void }) {
  const breakouts = useOne("breakouts");
  const tablesOpen = breakouts !== undefined && breakouts.status !== "planned";
  return (
    <section className="empty">
      {lost ? (
        <p className="lead">Bringing you back into the class…</p>
      ) : atTable ? (
        <>
          <h2>Nobody else is seen here</h2>
          <p className="lead">Others appear as soon as they sit down at this table.</p>
        </>
      ) : (
        <>
          <h2>You are the only one here</h2>
          <p className="lead">
            {tablesOpen
              ? "The others sit at other tables."
              : "Others appear as soon as they join. Your own picture is on your desk below."}
          </p>
          {!tablesOpen && (
            <button className="btn main big" onClick={onCopy}>
              <Link className="i" aria-hidden="true" />
              Copy the invite link
            </button>
          )}
        </>
      )}
    </section>
  );
}
