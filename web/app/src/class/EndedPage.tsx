/** After the class: why it ended for you, and the way back in. */
import { ClassroomError, type Classroom, type Connection } from "@lyceum/sdk";
import { useState } from "react";
import { Door } from "../Door";

type Ended = Extract<Connection, { phase: "ended" }>;

const titles: Record<Ended["reason"], string> = {
  left: "You left the class",
  removed: "You were removed",
  elsewhere: "You are in another window",
  class_over: "The class is over",
  refused: "You cannot come back",
  gave_up: "We could not bring you back",
};

export function EndedPage(props: { classroom: Classroom; room: string; connection: Ended }) {
  const { classroom, room, connection } = props;
  const [problem, setProblem] = useState<string | null>(null);

  async function joinAgain() {
    setProblem(null);
    try {
      await classroom.joinAgain();
    } catch (error) {
      setProblem(error instanceof ClassroomError ? error.message : "That did not work. Reload the page.");
    }
  }

  return (
    <Door title={titles[connection.reason]} testId="ended">
      <p className="lead">
        {connection.reason === "left" ? `${room} goes on without you.` : connection.message}
      </p>
      {problem !== null && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
      <p className="row wrap">
        <button className="btn main big" data-testid="join-again" onClick={() => void joinAgain()}>
          {connection.reason === "elsewhere" ? "Continue here" : "Join again"}
        </button>
        <a className="btn big" href="/">
          To the start page
        </a>
      </p>
    </Door>
  );
}
