/** At most one banner above the lesson: the lost connection first, then held-back sound, then your shared screen. */
import type { Classroom, ClassroomState, Connection } from "@lyceum/sdk";
import { Headphones, MonitorUp, Volume2 } from "lucide-react";
import { useSecondsSince } from "../lib/hooks";

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
          Your place is kept, and your microphone and camera come back as you left them.{" "}
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
