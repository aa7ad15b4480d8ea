/** In the lobby: somebody in charge has been told, and lets one in or not. The devices are ready meanwhile. */
import type { Classroom, ClassroomState } from "@lyceum/sdk";
import { DoorOpen } from "lucide-react";
import { useEffect, useState } from "react";
import { announce } from "../lib/announcer";
import { Mark } from "../Mark";
import { Mirror } from "./Mirror";
import { useMyself, useOne, useServerNow, useStatus } from "./state";
import { waitWords } from "./words";

export function WaitingRoom({ classroom, state }: { classroom: Classroom; state: ClassroomState }) {
  const { id: me } = useMyself();
  const waiting = useOne("waiting", me);
  const status = useStatus();
  const now = useServerNow(true);
  const [message, setMessage] = useState<string | null>(null);

  useEffect(() => {
    document.title = `Waiting: ${state.room} · Lyceum`;
    announce("Waiting to be let in. The teacher has been told that you are here.");
  }, [state.room]);
  useEffect(
    () =>
      classroom.class.store.onEvent((event) => {
        if (event.type !== "lobby.message_posted") return;
        setMessage(event.payload.body);
        announce(event.payload.body);
      }),
    [classroom],
  );

  return (
    <div className="door" data-testid="waiting-room">
      <header className="bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
      </header>
      <main className="pre">
        <section className="hello">
          <h1 dir="auto">{state.room}</h1>
          <p className="lead">Nobody sees or hears you until you are in.</p>
          <Mirror classroom={classroom} me={state.me} />
        </section>
        <section className="card join">
          <DoorOpen className="i" aria-hidden="true" />
          <h2>Waiting to be let in</h2>
          <p>
            The teacher has been told that you are here
            {waiting !== undefined && `, ${waitWords(now - waiting.since_at)} ago`}. If your connection drops,
            you keep your place.
          </p>
          {message !== null && (
            <blockquote className="said" dir="auto">
              {message}
            </blockquote>
          )}
          {status.phase === "reconnecting" && <p className="chip lamp">Reconnecting, your place is kept</p>}
          <button className="btn" data-testid="leave-lobby" onClick={() => void classroom.leave()}>
            Do not wait any longer
          </button>
        </section>
      </main>
    </div>
  );
}
