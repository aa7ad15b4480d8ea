/** Your desk: your picture and name, and the keys for what is yours. It never moves, and stays lit when the network does not. */
import { canShareScreen, type Classroom, type ClassroomState, type DeviceProblem } from "@lyceum/sdk";
import {
  Armchair,
  ChartColumn,
  Check,
  Ellipsis,
  Hand,
  LayoutGrid,
  LoaderCircle,
  LogOut,
  MessageSquare,
  Mic,
  MicOff,
  MonitorUp,
  MonitorX,
  UsersRound,
  Video,
  VideoOff,
  type LucideIcon,
} from "lucide-react";
import { useEffect, type ReactNode } from "react";
import { useIsPhone } from "../lib/hooks";
import { MenuButton } from "../lib/Menu";
import { notice, type Notice } from "../lib/notices";
import { useUnread } from "./chat";
import type { PanelName } from "./ClassView";
import { LevelBar } from "./LevelBar";
import { PictureView } from "./PictureView";
import { NoticeView } from "./PhoneNote";
import { reactions } from "./reactions";
import { useAct, useAll, useCan, useHandQueue, useMyself, useOne, usePending } from "./state";
import { hueClass, initial, intentWords, ordinal, roleWord, spaceTitle } from "./words";

interface Props {
  classroom: Classroom;
  state: ClassroomState;
  lost: boolean;
  note: Notice | null;
  panel: PanelName | null;
  onToggle: (panel: PanelName) => void;
  /** Something is asked that waits for an answer. */
  asked: boolean;
}

export function Desk(props: Props) {
  const { classroom, state, lost, note, panel, onToggle, asked } = props;
  const { microphone, camera, screen } = state.me;
  const isPhone = useIsPhone();
  const { entry } = useMyself();
  const people = useAll("participants");
  const waiting = useAll("waiting").size;
  const mayAdmit = useCan("lobby.admit");
  const mayCreate = useCan("activity.create");
  const mayManage = useCan("breakout.manage");
  const polls = useAll("polls").size;
  const breakouts = useOne("breakouts");
  const helps = mayManage
    ? Object.values(breakouts?.groups ?? {}).filter(({ help }) => help != null).length
    : 0;
  const unread = [...useUnread().values()].reduce((sum, count) => sum + count, 0);
  const more = (mayAdmit ? waiting : 0) + helps + Number(asked && panel !== "polls");
  useProblemNotice(microphone.problem);
  useProblemNotice(camera.problem);
  useProblemNotice(screen.problem);

  const micKey = {
    icon: microphone.on ? Mic : MicOff,
    word: microphone.on ? "Mic on" : "Muted",
    on: microphone.on,
    busy: microphone.starting,
    testId: "desk-mic",
    title: `${microphone.on ? "Mute" : "Unmute"} (M)`,
    shortcut: "m",
    onPress: () => void classroom.setMicrophone(!microphone.on),
  };
  const cameraKey = {
    icon: camera.on ? Video : VideoOff,
    word: isPhone ? "Camera" : camera.on ? "Camera on" : "Camera off",
    on: camera.on,
    busy: camera.starting,
    testId: "desk-camera",
    title: `Turn the camera ${camera.on ? "off" : "on"} (V)`,
    shortcut: "v",
    onPress: () => void classroom.setCamera(!camera.on),
  };

  return (
    <footer className="desk" id="desk" aria-label="Your desk" tabIndex={-1} data-region>
      <div className="me">
        <OwnPicture state={state} />
        {note !== null ? (
          <NoticeView notice={note} />
        ) : (
          <div className="me-words">
            <p className="nm cut" dir="auto">
              {state.me.name}, you
            </p>
            <p className="me-role cut">
              {lost ? "Kept for you here" : <Place role={roleWord(entry?.role ?? state.me.role)} />}
            </p>
          </div>
        )}
      </div>
      {lost && !isPhone ? (
        <div className="keep" role="group" aria-label="Kept for you">
          <KeptPlace />
          <KeptKey {...micKey} />
          <KeptKey {...cameraKey} />
        </div>
      ) : (
        <div className="keys" role="group" aria-label="Your controls">
          <Key {...micKey}>
            {microphone.on && microphone.track !== null && (
              <LevelBar track={microphone.track.mediaStreamTrack} />
            )}
          </Key>
          <Key {...cameraKey}>
            {isPhone && camera.on && camera.track !== null && <OwnPicture state={state} />}
          </Key>
          {canShareScreen() && !isPhone && (
            <Key
              icon={screen.on ? MonitorX : MonitorUp}
              word={screen.on ? "Stop sharing" : "Share"}
              on={screen.on}
              plain
              busy={screen.starting}
              testId="desk-share"
              title={`${screen.on ? "Stop sharing" : "Share"} your screen (S)`}
              shortcut="s"
              onPress={() => void classroom.setScreenShare(!screen.on)}
            />
          )}
          {!isPhone && <span className="sep" />}
          <HandKey />
          <PanelKey
            icon={MessageSquare}
            word="Chat"
            name="chat"
            shortcut="c"
            count={unread}
            countWord="unread"
            {...{ panel, onToggle }}
          />
          {!isPhone && (mayCreate || polls > 0 || asked) && (
            <PanelKey
              icon={ChartColumn}
              word="Polls"
              name="polls"
              shortcut="p"
              count={asked ? 1 : 0}
              countWord="to answer"
              {...{ panel, onToggle }}
            />
          )}
          {!isPhone && (mayManage || breakouts !== undefined) && (
            <PanelKey
              icon={LayoutGrid}
              word="Tables"
              name="tables"
              shortcut="t"
              count={helps}
              countWord="ask for help"
              {...{ panel, onToggle }}
            />
          )}
          {!isPhone && (
            <PanelKey
              icon={UsersRound}
              word="People"
              name="people"
              shortcut="r"
              count={mayAdmit && waiting > 0 ? waiting : 0}
              countWord="waiting"
              title={`Who is here: ${people.size} (R)`}
              {...{ panel, onToggle }}
            />
          )}
          {isPhone && (
            <MenuButton
              label="More"
              className="key"
              testId="desk-more"
              entries={[
                {
                  word: "People",
                  hint: String(people.size),
                  icon: UsersRound,
                  run: () => onToggle("people"),
                },
                { word: "Polls and timer", icon: ChartColumn, run: () => onToggle("polls") },
                { word: "Tables", icon: LayoutGrid, run: () => onToggle("tables") },
                ...(canShareScreen()
                  ? [
                      {
                        word: screen.on ? "Stop sharing" : "Share the screen",
                        icon: screen.on ? MonitorX : MonitorUp,
                        run: () => void classroom.setScreenShare(!screen.on),
                      },
                    ]
                  : []),
                { word: "Leave the class", icon: LogOut, run: () => void classroom.leave() },
              ]}
            >
              <Ellipsis className="i" aria-hidden="true" />
              <span>More</span>
              {more > 0 && <span className="n">{more}</span>}
            </MenuButton>
          )}
        </div>
      )}
      {!isPhone && (
        <div className="row end">
          <SavedMark lost={lost} />
          <button className="leave" data-testid="desk-leave" onClick={() => void classroom.leave()}>
            <LogOut className="i flip" aria-hidden="true" />
            Leave
          </button>
        </div>
      )}
    </footer>
  );
}

interface KeyProps {
  icon: LucideIcon;
  /** The state now, in a word. */
  word: string;
  on: boolean;
  /** Does not look switched off when off. */
  plain?: boolean;
  busy: boolean;
  testId: string;
  title: string;
  shortcut: string;
  onPress: () => void;
  children?: ReactNode;
}

function Key({
  icon: Icon,
  word,
  on,
  plain = false,
  busy,
  testId,
  title,
  shortcut,
  onPress,
  children,
}: KeyProps) {
  return (
    <button
      className={["key", on ? "" : plain ? "" : "off", on && plain ? "open" : ""].join(" ")}
      aria-pressed={on}
      aria-busy={busy}
      aria-keyshortcuts={shortcut}
      title={title}
      data-testid={testId}
      onClick={onPress}
    >
      <Icon className="i" aria-hidden="true" />
      <span>{busy ? "Starting…" : word}</span>
      {children}
    </button>
  );
}

interface PanelKeyProps {
  icon: LucideIcon;
  word: string;
  name: PanelName;
  shortcut: string;
  title?: string;
  count?: number;
  countWord?: string;
  panel: PanelName | null;
  onToggle: (panel: PanelName) => void;
}

function PanelKey({
  icon: Icon,
  word,
  name,
  shortcut,
  title,
  count = 0,
  countWord = "",
  panel,
  onToggle,
}: PanelKeyProps) {
  const open = panel === name;
  return (
    <button
      className={open ? "key open" : "key"}
      aria-expanded={open}
      aria-keyshortcuts={shortcut}
      data-testid={`desk-${name}`}
      title={title ?? `${word} (${shortcut.toUpperCase()})`}
      onClick={() => onToggle(name)}
    >
      <Icon className="i" aria-hidden="true" />
      <span>{word}</span>
      {count > 0 && (
        <span className="n">
          {count > 99 ? "99+" : count}
          <span className="vh"> {countWord}</span>
        </span>
      )}
    </button>
  );
}

/** Your hand: down, it asks what for; up, it says which place you have in line. */
function HandKey() {
  const mayRaise = useCan("hand.raise");
  const { id: me, entry } = useMyself();
  const place = useHandQueue().find(({ person }) => person === me)?.place;
  const up = useOne("hands", me);
  const sending = usePending().some(({ type }) => type === "hand.raise");
  const mayReact = useCan("reaction.send");
  const act = useAct();
  const leads = entry?.role === "instructor" || entry?.role === "co_instructor";
  if (up !== undefined) {
    return (
      <button
        className="key hand-up"
        aria-pressed
        aria-keyshortcuts="h"
        title={`Lower your hand, up for ${intentWords[up.intent]} (H)`}
        data-testid="desk-hand"
        onClick={() => void act("hand.lower")}
      >
        <Hand className="i" aria-hidden="true" />
        <span>{place === null || place === undefined ? "Hand up" : `Hand: ${ordinal(place)}`}</span>
      </button>
    );
  }
  // Who calls on people has no need to be called on.
  if (!mayRaise || leads) return null;
  return (
    <MenuButton
      label="Raise your hand (H)"
      className="key"
      testId="desk-hand"
      entries={[
        { heading: "Raise your hand for" },
        { word: "A question", run: () => void act("hand.raise", { intent: "question" }) },
        { word: "An answer", run: () => void act("hand.raise", { intent: "answer" }) },
        { word: "Help", run: () => void act("hand.raise", { intent: "help" }) },
        { word: "Sound or picture", run: () => void act("hand.raise", { intent: "tech" }) },
        ...(mayReact
          ? [
              { heading: "Or show" },
              ...reactions.map(([kind, sign, word]) => ({
                word: `${sign} ${word}`,
                run: () => void act("reaction.send", { kind }),
              })),
            ]
          : []),
      ]}
    >
      <Hand className="i" aria-hidden="true" />
      <span>{sending ? "Sending…" : "Hand"}</span>
    </MenuButton>
  );
}

function Place({ role }: { role: string }) {
  const { entry } = useMyself();
  const groups = useOne("breakouts")?.groups;
  if (entry === undefined) return role;
  if (entry.visit !== null) return `${role}, visiting ${spaceTitle(entry.visit, groups)}`;
  return `${role}, ${spaceTitle(entry.space, groups)}`;
}

/** What the class keeps for somebody whose network is gone. */
function KeptPlace() {
  const { id: me, entry } = useMyself();
  const groups = useOne("breakouts")?.groups;
  const queue = useHandQueue();
  const hand = queue.findIndex(({ person }) => person === me);
  const space = entry?.space ?? "main";
  return (
    <>
      <div className="kept-thing" data-testid="kept-place">
        <Armchair className="i" aria-hidden="true" />
        <div>
          <p className="b">{space === "main" ? "Main room" : spaceTitle(space, groups)}</p>
          <p className="s13">Your place</p>
        </div>
      </div>
      {hand !== -1 && (
        <div className="kept-thing" data-testid="kept-hand">
          <Hand className="i" aria-hidden="true" />
          <div>
            <p className="b">{ordinal(hand + 1)} in line</p>
            <p className="s13">Your hand</p>
          </div>
        </div>
      )}
    </>
  );
}

/** Whether everything that you did is with the server. */
function SavedMark({ lost }: { lost: boolean }) {
  const pending = usePending().length;
  if (pending === 0)
    return (
      <span className="kept">
        {lost ? (
          ""
        ) : (
          <>
            <Check className="i s" aria-hidden="true" />
            All saved
          </>
        )}
      </span>
    );
  return (
    <span className="kept" data-testid="unsent">
      <LoaderCircle className="i s" aria-hidden="true" />
      {lost ? `${pending} to send` : "Sending…"}
    </span>
  );
}

function KeptKey({ icon: Icon, word, on, testId, title, shortcut, onPress }: KeyProps) {
  return (
    <button
      className="kept-thing"
      aria-pressed={on}
      aria-keyshortcuts={shortcut}
      title={title}
      data-testid={testId}
      onClick={onPress}
    >
      <Icon className="i" aria-hidden="true" />
      <span>
        <span className="b">{word}</span>
        <span className="s13">As you left it</span>
      </span>
    </button>
  );
}

function OwnPicture({ state }: { state: ClassroomState }) {
  const { me } = state;
  return (
    <div className={me.speaking && me.microphone.on ? "self talk" : "self"} data-testid="self">
      <PictureView
        picture={me.camera.on ? me.camera.track : null}
        fit="cover"
        mirrored
        fallback={
          <div className={`mono ${hueClass(me.identity ?? "")}`} aria-hidden="true">
            <b>{initial(me.name)}</b>
          </div>
        }
      />
    </div>
  );
}

function useProblemNotice(problem: DeviceProblem | null): void {
  useEffect(() => {
    if (problem !== null) notice(problem.message);
  }, [problem]);
}
