/** The page of a class: at the door, inside, or after the end, as the classroom says. */
import type { Classroom } from "@lyceum/sdk";
import { Announcer } from "../lib/announcer";
import { LostPage } from "../LostPage";
import { ClassView } from "./ClassView";
import { openClassroom, useClassroom } from "./classroom";
import { EndedPage } from "./EndedPage";
import { PreJoin } from "./PreJoin";
import { ClassContext } from "./state";

const classroom = openClassroom(window.location.pathname);

export default function ClassPage() {
  if (classroom === null) return <LostPage />;
  return (
    <ClassContext value={classroom}>
      <Announcer />
      <PhaseView classroom={classroom} />
    </ClassContext>
  );
}

function PhaseView({ classroom }: { classroom: Classroom }) {
  const state = useClassroom(classroom);
  switch (state.connection.phase) {
    case "outside":
    case "joining":
    case "waiting":
      return <PreJoin classroom={classroom} state={state} />;
    case "inside":
    case "reconnecting":
      return <ClassView classroom={classroom} state={state} connection={state.connection} />;
    case "ended":
      return <EndedPage classroom={classroom} room={state.room} connection={state.connection} />;
  }
}
