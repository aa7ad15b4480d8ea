/** Your desk: your picture and name, and the keys for what is yours. It never moves, and stays lit when the network does not. */
import { canShareScreen, type Classroom, type ClassroomState, type DeviceProblem } from "@lyceum/sdk";
import {
  Armchair,
  Link,
  LogOut,
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
import { notice } from "../lib/notices";
import { LevelBar } from "./LevelBar";
import { PictureView } from "./PictureView";
import { hueClass, initial, roleWord } from "./words";

interface Props {
  classroom: Classroom;
  state: ClassroomState;
  lost: boolean;
  note: string | null;
  peopleShown: boolean;
  onTogglePeople: () => void;
  onCopyInvite: () => void;
}

export function Desk(props: Props) {
  const { classroom, state, lost, note, peopleShown, onTogglePeople, onCopyInvite } = props;
  const { microphone, camera, screen } = state.me;
  const isPhone = useIsPhone();
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
          <p className="note">{note}</p>
        ) : (
          <div className="me-words">
            <p className="nm cut" dir="auto">
              {state.me.name}, you
            </p>
            <p className="me-role cut">{lost ? "Kept for you here" : roleWord(state.me.role)}</p>
          </div>
        )}
      </div>
      {lost && !isPhone ? (
        <div className="keep" role="group" aria-label="Kept for you">
          <div className="kept-thing">
            <Armchair className="i" aria-hidden="true" />
            <div>
              <p className="b">In the class</p>
              <p className="s13">Your place</p>
            </div>
          </div>
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
          {canShareScreen() && (
            <Key
              icon={screen.on ? MonitorX : MonitorUp}
              word={screen.on ? (isPhone ? "Sharing" : "Stop sharing") : "Share"}
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
          <button
            className={peopleShown ? "key open" : "key"}
            aria-expanded={peopleShown}
            aria-keyshortcuts="r"
            data-testid="desk-people"
            title="Who is here (R)"
            onClick={onTogglePeople}
          >
            <UsersRound className="i" aria-hidden="true" />
            <span>People</span>
            <span className="n">{state.people.length + 1}</span>
          </button>
          {!isPhone && (
            <button
              className="key"
              data-testid="copy-invite"
              title="Copy the invite link"
              onClick={onCopyInvite}
            >
              <Link className="i" aria-hidden="true" />
              <span>Copy invite</span>
            </button>
          )}
          {isPhone && (
            <button className="key" data-testid="desk-leave" onClick={() => void classroom.leave()}>
              <LogOut className="i flip" aria-hidden="true" />
              <span>Leave</span>
            </button>
          )}
        </div>
      )}
      {!isPhone && (
        <button className="leave" data-testid="desk-leave" onClick={() => void classroom.leave()}>
          <LogOut className="i flip" aria-hidden="true" />
          Leave
        </button>
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
