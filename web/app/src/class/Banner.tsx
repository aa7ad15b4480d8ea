/** At most one banner above the lesson: the lost connection first, then held-back sound, then your shared screen. */
import type { Classroom, ClassroomState, Connection } from "@lyceum/sdk";
import { CloudOff, Headphones, MonitorUp, Power, UsersRound, Volume2 } from "lucide-react";
import { useSecondsSince } from "../lib/hooks";
import { useAct, useCan, useOne, usePending, useServerNow, useStatus } from "./state";

type Reconnecting = Extract<Connection, { phase: "reconnecting" }>;

interface Props {
  classroom: Classroom;
  state: ClassroomState;
  connection: Extract<Connection, { phase: "inside" | "reconnecting" }>;
}

export function Banner({ classroom, state, connection }: Props) {
  if (connection.phase === "reconnecting") {
    return <ReconnectingBanner classroom={classroom} state={state} connection={connection} />;
  }
  return <InsideBanner classroom={classroom} state={state} />;
}

/** The class has media; what else is worth a line. */
function InsideBanner({ classroom, state }: Omit<Props, "connection">) {
  const status = useStatus();
  const session = useOne("session");
  const mayEnd = useCan("session.end");
  const act = useAct();
  const endingAt = session?.ending_at ?? null;
  const now = useServerNow(endingAt !== null);

  if (state.audioBlocked) {
    return (
      <section className="banner" data-testid="audio-blocked" aria-label="Sound">
        <Volume2 className="i" aria-hidden="true" />
        <p className="grow">Your browser holds the sound back until you ask for it.</p>
        <button className="btn main" data-testid="start-audio" onClick={() => void classroom.startAudio()}>
          Start audio
        </button>
      </section>
    );
  }
  if (status.phase === "reconnecting") {
    return (
      <section className="banner" data-testid="state-reconnecting" aria-label="Connection">
        <CloudOff className="i" aria-hidden="true" />
        <p className="grow">
          <b>You hear and see the class, the rest is on its way back.</b> Your place, hand and answers are
          kept.
        </p>
        <button className="btn" onClick={() => classroom.tryNow()}>
          Try now
        </button>
      </section>
    );
  }
  if (endingAt !== null) {
    return (
      <section className="banner" data-testid="ending" aria-label="End of the class">
        <Power className="i" aria-hidden="true" />
        <p className="grow">
          The class ends for everybody in {Math.max(0, Math.ceil((endingAt - now) / 1_000))} s. Answers and
          messages are kept.
        </p>
        {mayEnd && (
          <button className="btn" onClick={() => void act("session.cancel_end")}>
            Go on
          </button>
        )}
      </section>
    );
  }
  if (session?.unattended === true) {
    return (
      <section className="banner" aria-label="No teacher">
        <UsersRound className="i" aria-hidden="true" />
        <p className="grow">
          <b>No teacher is here right now.</b> The room stays open; microphones and chat rest until one is
          back.
        </p>
      </section>
    );
  }
  if (state.me.screen.on && !state.me.screen.starting) {
    return (
      <section className="banner quiet" data-testid="sharing" aria-label="Your shared screen">
        <MonitorUp className="i" aria-hidden="true" />
        <p className="grow">You share your screen. Everybody in the class sees it.</p>
        <button className="btn" onClick={() => void classroom.setScreenShare(false)}>
          Stop sharing
        </button>
      </section>
    );
  }
  return null;
}

function ReconnectingBanner({
  classroom,
  state,
  connection,
}: {
  classroom: Classroom;
  state: ClassroomState;
  connection: Reconnecting;
}) {
  const seconds = useSecondsSince(connection.sinceMs);
  const waiting = usePending().length;
  const lostAt = new Date(connection.sinceMs).toLocaleTimeString();

  function comeBackAudioOnly() {
    classroom.setPicturesPaused(true);
    void classroom.setCamera(false);
    classroom.tryNow();
  }

  return (
    <section className="rec" data-testid="reconnecting" aria-label="Connection">
      <Ring seconds={seconds} />
      <div className="grow">
        <h2>
          Reconnecting… <span className="nowrap">({seconds} s)</span>
        </h2>
        <p className="mut">
          Your place, hand and answers are kept; microphone and camera come back as you left them.
          {waiting > 0 && ` ${waiting === 1 ? "One thing waits" : `${waiting} things wait`} to be sent.`}{" "}
          <span className="wide-only">The connection was lost at {lostAt}. We try every few seconds.</span>
        </p>
      </div>
      <div className="rec-actions">
        <button className="btn main" onClick={() => classroom.tryNow()}>
          Try now
        </button>
        {!state.picturesPaused && (
          <button className="btn" onClick={comeBackAudioOnly}>
            <Headphones className="i s" aria-hidden="true" />
            Come back audio only
          </button>
        )}
      </div>
    </section>
  );
}

function Ring({ seconds }: { seconds: number }) {
  return (
    <svg className="ring" viewBox="0 0 64 64" aria-hidden="true">
      <circle className="ring-track" cx="32" cy="32" r="27" />
      <circle className="ring-turn" cx="32" cy="32" r="27" strokeDasharray="60 170" />
      <text x="32" y="38" textAnchor="middle">
        {seconds > 999 ? "…" : seconds}
      </text>
    </svg>
  );
}
