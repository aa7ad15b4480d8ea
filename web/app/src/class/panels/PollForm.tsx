/** Draws up a poll or a quiz. It is kept as a draft, or opened at once. */
import type { Class } from "@lyceum/sdk";
import { Plus, Trash2 } from "lucide-react";
import { useId, useState, type SubmitEvent } from "react";
import { useAct, useCan } from "../state";

type Kind = "single" | "multi" | "true_false" | "scale" | "short_text";

const kinds: readonly (readonly [Kind, string])[] = [
  ["single", "One of several"],
  ["multi", "Several of several"],
  ["true_false", "True or false"],
  ["scale", "A scale, 1 to 5"],
  ["short_text", "A few words"],
];

interface Draft {
  readonly key: number;
  readonly kind: Kind;
  readonly text: string;
  readonly options: readonly string[];
  readonly right: readonly number[];
}

let made = 0;
const empty = (): Draft => ({ key: (made += 1), kind: "single", text: "", options: ["", ""], right: [] });

export function PollForm({ onDone }: { onDone: () => void }) {
  const act = useAct();
  const mayRun = useCan("activity.run");
  const [mode, setMode] = useState<"poll" | "quiz">("poll");
  const [items, setItems] = useState<readonly Draft[]>(() => [empty()]);
  const [anonymous, setAnonymous] = useState(false);
  const [live, setLive] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();

  async function save(openIt: boolean) {
    if (busy) return;
    const wrong = problemOf(items, mode, anonymous);
    setProblem(wrong);
    if (wrong !== null) return;
    setBusy(true);
    const outcome = await act("activity.create", { spec: specOf(items, mode, anonymous, live) });
    setBusy(false);
    if (outcome.status !== "accepted") return;
    if (openIt && outcome.first !== undefined) void act("poll.open", { poll: outcome.first });
    onDone();
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    void save(mayRun);
  }

  const change = (key: number, patch: Partial<Draft>) =>
    setItems(items.map((item) => (item.key === key ? { ...item, ...patch } : item)));

  return (
    <form
      className="part poll-form"
      aria-label="New poll"
      onSubmit={submit}
      noValidate
      data-testid="poll-form"
    >
      <div className="seg" role="group" aria-label="What it is for">
        <button type="button" aria-pressed={mode === "poll"} onClick={() => setMode("poll")}>
          Poll
        </button>
        <button type="button" aria-pressed={mode === "quiz"} onClick={() => setMode("quiz")}>
          Quiz, with right answers
        </button>
      </div>
      {items.map((item, n) => (
        <fieldset className="question" key={item.key}>
          <legend className="vh">Question {n + 1}</legend>
          <div className="row">
            <label className="field grow">
              <span className="vh">Kind of answer</span>
              <span className="sel plain-sel">
                <select
                  aria-label={`Kind of question ${n + 1}`}
                  value={item.kind}
                  onChange={(event) => change(item.key, { kind: event.target.value as Kind, right: [] })}
                >
                  {kinds.map(([kind, word]) => (
                    <option key={kind} value={kind}>
                      {word}
                    </option>
                  ))}
                </select>
              </span>
            </label>
            {items.length > 1 && (
              <button
                type="button"
                className="ib"
                aria-label={`Remove question ${n + 1}`}
                onClick={() => setItems(items.filter(({ key }) => key !== item.key))}
              >
                <Trash2 className="i s" aria-hidden="true" />
              </button>
            )}
          </div>
          <textarea
            className="input"
            rows={2}
            dir="auto"
            maxLength={1_000}
            placeholder="What do you ask?"
            aria-label={`Question ${n + 1}`}
            data-testid="poll-question"
            value={item.text}
            onChange={(event) => change(item.key, { text: event.target.value })}
          />
          <OptionFields
            item={item}
            quiz={mode === "quiz"}
            group={`${id}-${item.key}`}
            onChange={(patch) => change(item.key, patch)}
          />
        </fieldset>
      ))}
      <button type="button" className="btn small quiet start" onClick={() => setItems([...items, empty()])}>
        <Plus className="i xs" aria-hidden="true" />
        Another question
      </button>
      <label className="check">
        <input type="checkbox" checked={anonymous} onChange={(event) => setAnonymous(event.target.checked)} />
        Anonymous: nobody learns who chose what
      </label>
      <label className="check">
        <input type="checkbox" checked={live} onChange={(event) => setLive(event.target.checked)} />
        Learners see the counts while it is open
      </label>
      {problem !== null && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
      <div className="row wrap">
        {mayRun && (
          <button className="btn main" data-testid="poll-ask" aria-disabled={busy}>
            Ask now
          </button>
        )}
        <button type="button" className="btn" data-testid="poll-keep" onClick={() => void save(false)}>
          Keep for later
        </button>
        <button type="button" className="btn quiet" onClick={onDone}>
          Leave it
        </button>
      </div>
    </form>
  );
}

interface OptionProps {
  item: Draft;
  quiz: boolean;
  group: string;
  onChange: (patch: Partial<Draft>) => void;
}

function OptionFields({ item, quiz, group, onChange }: OptionProps) {
  const { kind, options, right } = item;
  const fixed = kind === "true_false" ? ["True", "False"] : null;
  if (kind !== "single" && kind !== "multi" && fixed === null) return null;
  const shown = fixed ?? options;
  const mark = (n: number, on: boolean) =>
    onChange({ right: kind === "multi" ? (on ? [...right, n] : right.filter((one) => one !== n)) : [n] });
  return (
    <>
      {quiz && <p className="s13 mut">Mark what is right.</p>}
      {(quiz || fixed === null) &&
        shown.map((option, n) => (
          <div className="row" key={n}>
            {quiz && (
              <input
                type={kind === "multi" ? "checkbox" : "radio"}
                name={group}
                className="mark-right"
                aria-label={`Option ${n + 1} is right`}
                checked={right.includes(n)}
                onChange={(event) => mark(n, event.target.checked)}
              />
            )}
            {fixed === null ? (
              <input
                className="input"
                dir="auto"
                maxLength={500}
                placeholder={`Option ${n + 1}`}
                aria-label={`Option ${n + 1}`}
                data-testid="poll-option"
                value={option}
                onChange={(event) =>
                  onChange({ options: options.map((one, at) => (at === n ? event.target.value : one)) })
                }
              />
            ) : (
              <span>{option}</span>
            )}
            {fixed === null && options.length > 2 && (
              <button
                type="button"
                className="ib"
                aria-label={`Remove option ${n + 1}`}
                onClick={() => onChange({ options: options.filter((_, at) => at !== n), right: [] })}
              >
                <Trash2 className="i s" aria-hidden="true" />
              </button>
            )}
          </div>
        ))}
      {fixed === null && options.length < 10 && (
        <button
          type="button"
          className="btn small quiet start"
          onClick={() => onChange({ options: [...options, ""] })}
        >
          <Plus className="i xs" aria-hidden="true" />
          Another option
        </button>
      )}
    </>
  );
}

function problemOf(items: readonly Draft[], mode: "poll" | "quiz", anonymous: boolean): string | null {
  for (const { kind, text, options, right } of items) {
    if (text.trim() === "") return "Write what you ask.";
    const chooses = kind === "single" || kind === "multi";
    if (chooses && options.filter((option) => option.trim() !== "").length < 2)
      return "Write at least two options.";
    if (chooses && options.some((option) => option.trim() === ""))
      return "Fill in every option, or remove it.";
    if (mode === "quiz" && kind !== "scale" && kind !== "short_text" && right.length === 0) {
      return "Mark which answer is right.";
    }
    if (anonymous && kind === "short_text")
      return "Words can give away who wrote them: no words in anonymous polls.";
  }
  return null;
}

function specOf(
  items: readonly Draft[],
  mode: "poll" | "quiz",
  anonymous: boolean,
  live: boolean,
): Class.PollSpecInput {
  return {
    mode,
    anonymity: anonymous ? "anonymous" : "staff_named",
    live_results: live,
    ...(anonymous ? { allow_change: false } : {}),
    items: items.map(({ kind, text, options, right }): Class.ItemInput => {
      const key: Pick<Class.ItemInput, "key" | "points"> =
        mode === "quiz" && right.length > 0
          ? { key: { kind: "options", options: [...right].sort((a, b) => a - b) }, points: 1 }
          : {};
      const common = { text: text.trim(), ...key };
      switch (kind) {
        case "scale":
          return { ...common, kind, from: 1, to: 5 };
        case "single":
        case "multi":
          return { ...common, kind, options: options.map((option) => option.trim()) };
        default:
          return { ...common, kind };
      }
    }),
  };
}
