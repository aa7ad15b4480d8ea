/** Who answered what, for those who may see it: teachers, and everybody once names are shown. */
import type { Class } from "@lyceum/sdk";
import { useState } from "react";
import { answerWords, isAnswered } from "../polls";
import { useAct, useAll, useCan, useNames } from "../state";

interface Props {
  id: number;
  poll: Class.PollView;
}

export function PollAnswers({ id, poll }: Props) {
  const act = useAct();
  const responses = useAll("responses");
  const names = useNames();
  const seesNames = useCan("activity.see_names");
  const mayRun = useCan("activity.run");
  const [shown, setShown] = useState(false);
  const { anonymity, items } = poll.spec;
  if (anonymity === "anonymous" || (!seesNames && poll.published !== "names")) return null;
  const prefix = `${id}:`;
  const answers = [...responses]
    .filter(([key, { answers }]) => key.startsWith(prefix) && answers !== null)
    .map(([key, response]) => ({ person: key.slice(prefix.length), ...response }));
  const mayShow = mayRun && poll.status === "closed" && anonymity === "named" && poll.published !== "names";
  if (answers.length === 0) return null;
  return (
    <div>
      <button
        className="btn small quiet"
        aria-expanded={shown}
        data-testid="poll-answers"
        onClick={() => setShown(!shown)}
      >
        Who answered what: {answers.length}
      </button>
      {shown && (
        <ul className="plain">
          {answers.map(({ person, answers, points, status }) => (
            <li key={person}>
              <span className="b" dir="auto">
                {names(person)}
              </span>{" "}
              <span dir="auto">{items.map((item, n) => words(item, answers?.[n] ?? null)).join("; ")}</span>
              <span className="s13 mut">
                {points !== null && points.some((one) => one !== null) && `, ${sum(points)} points`}
                {status !== "counted" && ", not counted"}
              </span>
            </li>
          ))}
        </ul>
      )}
      {mayShow && shown && (
        <button
          className="btn small"
          onClick={() => void act("poll.publish", { poll: id, detail: "names", reveal: poll.revealed })}
        >
          Show names to the class
        </button>
      )}
    </div>
  );
}

function words(item: Class.Item, answer: Class.Answer | null): string {
  if (item.kind === "numeric" && answer?.kind === "number")
    return String(answer.number / 10 ** item.decimals);
  return isAnswered(answer) ? answerWords(item, answer) : "no answer";
}

function sum(points: readonly (number | null)[]): number {
  return points.reduce<number>((all, one) => all + (one ?? 0), 0);
}
