/** Who may draw on the board of a Space: for whoever decides that. */
import type { Class, StateConnection } from "@lyceum/sdk/state";
import { useState } from "react";
import { notice } from "../lib/notices";
import { accessWords } from "./words";
import { useEntities } from "./shared";

interface Props {
  state: StateConnection;
  spaceName: string;
  space: Class.Space;
}

const choices: readonly Class.BoardAccess[] = ["presenter", "only", "own", "all"];

export function AccessControl({ state, spaceName, space }: Props) {
  const people = useEntities(state.store, "participants");
  const [picking, setPicking] = useState(false);
  const there = [...people].filter(([id, person]) => person.space === spaceName && id !== state.store.you);

  const set = async (access: Class.BoardAccess, persons: string[]) => {
    const outcome = await state.command("board.set_access", { access, persons, space: spaceName });
    if (outcome.status === "rejected") notice(outcome.message);
  };
  const chosen = new Set(space.board_persons);

  return (
    <>
      <label className="access">
        <span className="vh">Who draws</span>
        <select
          className="select small"
          data-testid="board-access"
          value={space.board_access}
          onChange={(event) => {
            const access = event.target.value as Class.BoardAccess;
            setPicking(access === "only");
            void set(access, access === "only" ? [...chosen] : []);
          }}
        >
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {accessWords[choice]}
            </option>
          ))}
        </select>
      </label>
      {space.board_access === "only" && (
        <details className="pick" open={picking} onToggle={(event) => setPicking(event.currentTarget.open)}>
          <summary className="btn small">{chosen.size === 0 ? "Choose" : `${chosen.size} chosen`}</summary>
          <ul className="card pick-list">
            {there.length === 0 && <li className="mut">Nobody else is here.</li>}
            {there.map(([id, person]) => (
              <li key={id}>
                <label>
                  <input
                    type="checkbox"
                    checked={chosen.has(id)}
                    onChange={(event) => {
                      const next = new Set(chosen);
                      if (event.target.checked) next.add(id);
                      else next.delete(id);
                      void set("only", [...next]);
                    }}
                  />
                  <span dir="auto">{person.name}</span>
                </label>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
