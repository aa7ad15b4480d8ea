/**
 * What is worked on together: the board, slides with a board over each page, or notes. It is loaded when somebody opens one of them, and
 * each of the three loads its own part then.
 */
import type { Classroom } from "@lyceum/sdk";
import type { Documents } from "@lyceum/sdk/documents";
import type { Class, StateConnection } from "@lyceum/sdk/state";
import { notesName, boardName } from "@lyceum/sdk/documents";
import { Eraser, Eye, Lock, LockOpen, PenLine } from "lucide-react";
import { lazy, Suspense, type ReactNode } from "react";
import { notice } from "../lib/notices";
import { AccessControl } from "./AccessControl";
import { boardRight, documentsOf, useCaps, useEntities, useShared, useSpace } from "./shared";
import { SavedChip } from "./SavedChip";
import { ScrapNote } from "./ScrapNote";
import { SlideBar } from "./SlideBar";
import { useSlides } from "./useSlides";
import { whyClosed, wordsForRight } from "./words";
import type { PagePicture } from "./BoardView";
import type { WorkView } from "./views";
import "./board.css";

const BoardView = lazy(() => import("./BoardView"));
const NotesView = lazy(() => import("./NotesView"));

interface Props {
  classroom: Classroom;
  view: WorkView;
}

/** What each of the three needs. */
interface Here {
  state: StateConnection;
  documents: Documents;
  room: string;
  me: string;
  name: string;
  spaceName: string;
  space: Class.Space | undefined;
  can: (cap: Class.Cap) => boolean;
}

export default function WorkArea({ classroom, view }: Props) {
  const state = classroom.class;
  const { name: spaceName, space } = useSpace(state.store);
  const can = useCaps(state.store);
  const people = useEntities(state.store, "participants");
  const me = state.store.you;
  if (me === null) return null;
  const here: Here = {
    state,
    documents: documentsOf(classroom),
    room: classroom.state.room,
    me,
    name: people.get(me)?.name ?? me,
    spaceName,
    space,
    can,
  };
  switch (view) {
    case "board":
      return <Board here={here} name={boardName(spaceName, null, 1)} deck={null} />;
    case "slides":
      return <Slides here={here} />;
    case "notes":
      return <Notes here={here} />;
  }
}

function Slides({ here }: { here: Here }) {
  const slides = useSlides(here.state, here.room, here.spaceName, here.space);
  const bar = (
    <SlideBar
      slides={slides}
      canControl={here.can("deck.control")}
      canBring={here.can("deck.upload")}
      presenterName={presenterName(here)}
    />
  );
  if (slides.at === null) {
    return (
      <Frame label="Slides" testId="slides" bottom={bar}>
        <p className="work-empty">
          {slides.message ??
            (here.can("deck.upload")
              ? "No slides are shown. Bring a PDF or a picture."
              : "No slides are shown yet.")}
        </p>
      </Frame>
    );
  }
  const { deck, page } = slides.at;
  const name = boardName(here.spaceName, deck, page);
  return (
    <Board
      here={here}
      name={name}
      deck={slides.at}
      picture={slides.picture}
      message={slides.message}
      bar={bar}
    />
  );
}

interface BoardProps {
  here: Here;
  name: string;
  deck: { deck: number; page: number } | null;
  picture?: PagePicture | null;
  message?: string | null;
  bar?: ReactNode;
}

function Board({ here, name, deck, picture = null, message = null, bar }: BoardProps) {
  const shared = useShared(here.documents, name);
  const right = boardRight(here.can);
  const words = wordsForRight(right);
  const { space } = here;

  const clear = async () => {
    if (!window.confirm("Take everything off this board, for everybody? There is no undo.")) return;
    const outcome = await here.state.command("board.clear", {
      deck: deck?.deck ?? 0,
      page: deck?.page ?? 1,
      space: here.spaceName,
    });
    if (outcome.status === "rejected") notice(outcome.message);
  };

  return (
    <Frame
      label={deck === null ? "Whiteboard" : `Slides, page ${deck.page}`}
      testId={deck === null ? "board" : "slides"}
      right={right}
      top={
        <>
          <span className={right === "nothing" ? "perm-sign off" : "perm-sign"}>
            {right === "nothing" ? (
              <Eye className="i s" aria-hidden="true" />
            ) : (
              <PenLine className="i s" aria-hidden="true" />
            )}
          </span>
          <p className="grow cut">
            <b>{words.said}</b> <span className="mut wide-only">{words.more}</span>
          </p>
          {space !== undefined && here.can("board.set_access") && (
            <AccessControl state={here.state} spaceName={here.spaceName} space={space} />
          )}
          {here.can("board.clear") && (
            <button className="btn small" data-testid="board-clear" onClick={() => void clear()}>
              <Eraser className="i xs" aria-hidden="true" />
              Clear
            </button>
          )}
        </>
      }
      scraps={
        shared !== null && shared.state.scraps.length > 0 ? (
          <ScrapNote document={shared.document} scraps={shared.state.scraps} />
        ) : null
      }
      bottom={
        <>
          {bar ?? <span className="grow" />}
          {shared !== null && <SavedChip state={shared.state} />}
        </>
      }
    >
      {shared === null ? null : shared.state.problem !== null && !shared.state.loaded ? (
        <p className="work-empty">{whyClosed(shared.state.problem.code, "this board")}</p>
      ) : message !== null ? (
        <p className="work-empty">{message}</p>
      ) : (
        <Suspense fallback={<p className="work-empty">Opening the board…</p>}>
          <BoardView
            document={shared.document}
            state={shared.state}
            me={here.me}
            name={here.name}
            right={shared.state.loaded ? right : "nothing"}
            page={picture}
          />
        </Suspense>
      )}
    </Frame>
  );
}

function Notes({ here }: { here: Here }) {
  const shared = useShared(here.documents, notesName(here.spaceName));
  const mayWrite = here.can("notes.edit");
  const isLocked = here.space?.notes_locked ?? false;

  const lock = async () => {
    const outcome = await here.state.command("notes.lock", { locked: !isLocked, space: here.spaceName });
    if (outcome.status === "rejected") notice(outcome.message);
  };

  return (
    <Frame
      label="Notes"
      testId="notes"
      right={mayWrite ? "all" : "nothing"}
      top={
        <>
          <span className={mayWrite ? "perm-sign" : "perm-sign off"}>
            {mayWrite ? (
              <PenLine className="i s" aria-hidden="true" />
            ) : (
              <Lock className="i s" aria-hidden="true" />
            )}
          </span>
          <p className="grow cut">
            <b>{mayWrite ? "You can write." : "You can read."}</b>{" "}
            <span className="mut wide-only">
              {isLocked
                ? "The notes are locked: only staff writes."
                : "Everybody here writes in the same notes."}
            </span>
          </p>
          {here.can("notes.lock") && (
            <button className="btn small" data-testid="notes-lock" onClick={() => void lock()}>
              {isLocked ? (
                <LockOpen className="i xs" aria-hidden="true" />
              ) : (
                <Lock className="i xs" aria-hidden="true" />
              )}
              {isLocked ? "Unlock" : "Lock"}
            </button>
          )}
        </>
      }
      scraps={
        shared !== null && shared.state.scraps.length > 0 ? (
          <ScrapNote document={shared.document} scraps={shared.state.scraps} />
        ) : null
      }
      bottom={
        <>
          <span className="grow" />
          {shared !== null && <SavedChip state={shared.state} />}
        </>
      }
    >
      {shared === null ? null : shared.state.problem !== null && !shared.state.loaded ? (
        <p className="work-empty">{whyClosed(shared.state.problem.code, "these notes")}</p>
      ) : (
        <Suspense fallback={<p className="work-empty">Opening the notes…</p>}>
          <NotesView
            document={shared.document}
            state={shared.state}
            name={here.name}
            mayWrite={mayWrite && shared.state.loaded}
          />
        </Suspense>
      )}
    </Frame>
  );
}

interface FrameProps {
  label: string;
  testId: string;
  right?: string;
  top?: ReactNode;
  scraps?: ReactNode;
  bottom: ReactNode;
  children: ReactNode;
}

function Frame({ label, testId, right, top, scraps, bottom, children }: FrameProps) {
  return (
    <section className="stage work" aria-label={label} data-testid={testId} data-right={right} tabIndex={-1}>
      {top !== undefined && <div className="perm">{top}</div>}
      <div className="view">
        {children}
        {scraps}
      </div>
      <div className="cap">{bottom}</div>
    </section>
  );
}

function presenterName({ state, space }: Here): string | null {
  const person = space?.presenter?.person;
  return person === undefined ? null : (state.store.one("participants", person)?.name ?? null);
}
