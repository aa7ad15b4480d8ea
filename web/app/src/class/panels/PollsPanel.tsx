/** What is asked and answered in class: polls and quizzes, how it goes, and the timer. */
import type { Class } from "@lyceum/sdk";
import { ChartColumn, Check, CircleCheck, Clock, Hourglass, Lock, Plus } from "lucide-react";
import { useState } from "react";
import {
  answerWords,
  columnsOf,
  isAnswered,
  maySend,
  sorted,
  useChoices,
  type Answer,
  type Item,
} from "../polls";
import { notice } from "../../lib/notices";
import { useAct, useAll, useCan, useMyself, useNames, useOne, usePending, useServerNow } from "../state";
import { clockWords } from "../words";
import { CheckpointPart, TimerPart } from "./MomentParts";
import { Panel } from "./Panel";
import { PollAnswers } from "./PollAnswers";
import { PollForm } from "./PollForm";
import { Question } from "./Question";

export function PollsPanel({
  asSheet,
  quiet,
  onClose,
}: {
  asSheet: boolean;
  quiet: boolean;
  onClose: () => void;
}) {
  const polls = sorted(useAll("polls"));
  const mayCreate = useCan("activity.create");
  const mayRun = useCan("activity.run");
  const [making, setMaking] = useState(false);
  return (
    <Panel
      title="Polls"
      testId="polls-panel"
      asSheet={asSheet}
      quiet={quiet}
      onClose={onClose}
      actions={
        mayCreate &&
        !making && (
          <button className="btn small" data-testid="poll-new" onClick={() => setMaking(true)}>
            <Plus className="i xs" aria-hidden="true" />
            New
          </button>
        )
      }
    >
      <div className="panel-scroll">
        {making ? (
          <PollForm onDone={() => setMaking(false)} />
        ) : (
          <>
            <CheckpointPart />
            <TimerPart />
            {polls.length === 0 && (
              <p className="part nothing mut">
                {mayCreate ? "No polls yet. Ask the class something." : "Nothing is asked at the moment."}
              </p>
            )}
            {polls.map(({ id, poll }) =>
              poll.asked && !mayRun ? (
                <AskedPoll key={id} id={id} poll={poll} />
              ) : (
                <RunPoll key={id} id={id} poll={poll} />
              ),
            )}
          </>
        )}
      </div>
    </Panel>
  );
}

// ---- Who is asked ----

interface PollProps {
  id: number;
  poll: Class.PollView;
}

function AskedPoll({ id, poll }: PollProps) {
  const { id: me } = useMyself();
  const names = useNames();
  const act = useAct();
  const choices = useChoices();
  const response = useOne("responses", `${id}:${me}`);
  const sending = usePending().find(
    ({ type, payload }) => type === "poll.respond" && (payload as Class.Commands["poll.respond"]).poll === id,
  );
  const [changing, setChanging] = useState(false);
  const [needed, setNeeded] = useState(false);
  const { spec } = poll;
  const answers = choices.of(id, spec.items.length);
  const anonymous = spec.anonymity === "anonymous";
  const takes = poll.status === "open" || poll.status === "closing";
  const counted = response?.status === "counted";
  const answering = takes && sending === undefined && (!counted || changing);

  function choose(n: number, answer: Answer) {
    setNeeded(false);
    choices.choose(
      id,
      answers.map((before, at) => (at === n ? answer : before)),
      !anonymous && !counted,
    );
  }

  function send() {
    if (!maySend(spec, answers)) {
      setNeeded(true);
      return;
    }
    setChanging(false);
    const clean = answers.map((answer) => (isAnswered(answer) ? answer : null));
    void act("poll.respond", { poll: id, answers: clean }).then((outcome) => {
      if (outcome.status === "accepted") notice("Your answer is in.");
    });
  }

  return (
    <section
      className="part poll"
      aria-label={`${modeWord(spec)}: ${spec.title}`}
      data-testid="poll"
      data-status={poll.status}
    >
      <div className="row wrap">
        <span className="chip iris">
          <ChartColumn className="i xs" aria-hidden="true" />
          {modeWord(spec)} from {names(poll.author)}
        </span>
        <span className="grow" />
        {answering && !counted && choices.keptOf(id) === "saved" && (
          <span className="chip leaf" data-testid="draft-saved">
            <Check className="i xs" aria-hidden="true" />
            Draft saved
          </span>
        )}
        {answering && !counted && choices.keptOf(id) === "saving" && <span className="chip">Saving…</span>}
      </div>
      {spec.title !== "" && <h3>{spec.title}</h3>}
      {anonymous && takes && (
        <p className="s13 mut row">
          <Lock className="i xs" aria-hidden="true" />
          <span>
            Nobody in this class can see who chose what. Your choice cannot be changed after sending.
          </span>
        </p>
      )}
      {answering ? (
        <>
          {spec.items.map((item, n) => (
            <Question
              key={n}
              name={`${id}-${n}`}
              number={spec.items.length > 1 ? n + 1 : null}
              item={item}
              answer={answers[n] ?? null}
              onChange={(answer) => choose(n, answer)}
            />
          ))}
          <ClosingClock poll={poll} mine={whatIsSent(spec, answers)} />
          {needed && (
            <p className="bad" role="alert">
              {spec.mode === "poll"
                ? "Answer every question, then send."
                : "Answer at least one question, then send."}
            </p>
          )}
          <button className="btn main big" data-testid="poll-send" onClick={send}>
            {counted ? "Send the change" : "Send answer"}
          </button>
        </>
      ) : (
        <>
          {sending !== undefined && (
            <p className="state-line" data-testid="poll-state">
              <Hourglass className="i" aria-hidden="true" />
              <span>
                <b>Sending your answer…</b> It is kept here and goes out as soon as the class can be reached.
              </span>
            </p>
          )}
          {sending === undefined && (
            <Standing poll={poll} response={response} mine={whatWasSent(spec, response, answers)} />
          )}
          {takes && counted && spec.allow_change && !anonymous && (
            <button className="btn small" onClick={() => setChanging(true)}>
              Change my answer
            </button>
          )}
          {takes && <ClosingClock poll={poll} mine={null} />}
          <Results id={id} poll={poll} />
          <PollAnswers id={id} poll={poll} />
        </>
      )}
    </section>
  );
}

/** What became of one's answer. */
function Standing({
  poll,
  response,
  mine,
}: {
  poll: Class.PollView;
  response: Class.ResponseView | undefined;
  mine: string | null;
}) {
  if (response?.status === "counted") {
    const points = response.points?.filter((one) => one !== null).reduce((sum, one) => sum + one, 0);
    const most = poll.spec.items.reduce((sum, { points }) => sum + points, 0);
    return (
      <p className="state-line" data-testid="poll-state">
        <CircleCheck className="i good" aria-hidden="true" />
        <span>
          <b>Your answer is in.</b> {mine !== null && `You chose: ${mine}. `}
          {poll.revealed && points !== undefined && most > 0 && `You have ${points} of ${most} points.`}
        </span>
      </p>
    );
  }
  if (response?.status === "late") {
    return (
      <p className="state-line" data-testid="poll-state">
        <Hourglass className="i" aria-hidden="true" />
        <span>
          <b>It came after closing.</b> We kept it. The teacher decides whether it counts.
        </span>
      </p>
    );
  }
  if (response?.status === "kept") {
    return (
      <p className="state-line" data-testid="poll-state">
        <Hourglass className="i" aria-hidden="true" />
        <span>
          <b>It closed before you had finished.</b> What you had was kept. The teacher decides whether it
          counts.
        </span>
      </p>
    );
  }
  return (
    <p className="state-line" data-testid="poll-state">
      <Clock className="i" aria-hidden="true" />
      <span>
        <b>It is closed.</b> You had not answered.
      </span>
    </p>
  );
}

function whatIsSent(spec: Class.PollSpec, answers: readonly Answer[]): string | null {
  const [item] = spec.items;
  if (
    spec.drafts !== "submit" ||
    spec.anonymity === "anonymous" ||
    !spec.items.every((_, n) => isAnswered(answers[n]))
  ) {
    return null;
  }
  return spec.items.length === 1 && item !== undefined
    ? `“${answerWords(item, answers[0])}”`
    : "What you have";
}

function whatWasSent(
  spec: Class.PollSpec,
  response: Class.ResponseView | undefined,
  own: readonly Answer[],
): string | null {
  const [item] = spec.items;
  const answers = response?.answers ?? own;
  if (spec.items.length !== 1 || item === undefined || !isAnswered(answers[0])) return null;
  return answerWords(item, answers[0]);
}

function ClosingClock({ poll, mine }: { poll: Class.PollView; mine: string | null }) {
  const until = poll.accept_until ?? poll.closes_at;
  const now = useServerNow(until !== null, 250);
  const [whole] = useState(() => (until === null ? 0 : Math.max(1, until - now)));
  if (until === null) return null;
  const left = Math.max(0, until - now);
  const urgent = left < 30_000;
  return (
    <div className="closing" data-testid="poll-clock">
      <p className="row">
        <b className="grow">
          {left === 0
            ? "Closing…"
            : `${urgent ? "Closing in" : "Open for"} ${urgent ? `${Math.ceil(left / 1_000)} s` : clockWords(left)}`}
        </b>
      </p>
      <div className="clock" aria-hidden="true">
        <i style={{ inlineSize: `${Math.min(100, (left / Math.max(whole, left)) * 100)}%` }} />
      </div>
      {mine !== null && <p className="s13 mut">If you do nothing, {mine} is sent for you.</p>}
    </div>
  );
}

// ---- Who asks ----

function RunPoll({ id, poll }: PollProps) {
  const act = useAct();
  const mayRun = useCan("activity.run");
  const { spec, status, rev } = poll;
  const [minutes, setMinutes] = useState("");
  const duration = Number(minutes) > 0 ? Math.round(Number(minutes) * 60_000) : null;

  return (
    <section
      className="part poll"
      aria-label={`${modeWord(spec)}: ${spec.title}`}
      data-testid="poll"
      data-status={status}
      data-poll={id}
    >
      <div className="row wrap">
        <span className="chip iris">
          <ChartColumn className="i xs" aria-hidden="true" />
          {modeWord(spec)}
          {spec.anonymity === "anonymous" && ", anonymous"}
        </span>
        <span className={status === "open" ? "chip leaf" : status === "closing" ? "chip lamp" : "chip"}>
          {statusWord(poll)}
        </span>
      </div>
      <h3>{spec.title === "" ? (spec.items[0]?.text ?? "") : spec.title}</h3>
      {status === "draft" ? (
        <>
          <ul className="plain">
            {spec.items.map((item, n) => (
              <li key={n} className="s13 mut">
                {item.text}
                {columnsOf(item).length > 0 && `: ${columnsOf(item).join(", ")}`}
              </li>
            ))}
          </ul>
          {mayRun && (
            <div className="row wrap">
              <label className="row s13">
                Minutes
                <input
                  className="input short"
                  inputMode="decimal"
                  value={minutes}
                  placeholder="no end"
                  onChange={(event) => setMinutes(event.target.value)}
                />
              </label>
              <span className="grow" />
              <button
                className="btn main"
                data-testid="poll-open"
                onClick={() => void act("poll.open", { poll: id, duration_ms: duration })}
              >
                Open it
              </button>
            </div>
          )}
        </>
      ) : (
        <>
          <Results id={id} poll={poll} />
          {status !== "closed" && <ClosingClock poll={poll} mine={null} />}
          <Missing id={id} poll={poll} />
          <Late id={id} />
          <PollAnswers id={id} poll={poll} />
          <div className="row wrap">
            {status === "open" && mayRun && (
              <button
                className="btn"
                data-testid="poll-close"
                onClick={() => void act("poll.close", { poll: id }, { expect: rev })}
              >
                Close in {Math.round(spec.grace_ms / 1_000)} s
              </button>
            )}
            {status === "closed" && mayRun && poll.published === null && (
              <button
                className="btn main"
                data-testid="poll-publish"
                onClick={() =>
                  void act("poll.publish", {
                    poll: id,
                    detail: "aggregate",
                    reveal: spec.items.some(({ key }) => key !== null && key !== undefined),
                  })
                }
              >
                Show the class
              </button>
            )}
            {poll.published !== null && (
              <span className="chip leaf">
                <Check className="i xs" aria-hidden="true" />
                The class sees it{poll.revealed && ", with the right answers"}
              </span>
            )}
          </div>
        </>
      )}
    </section>
  );
}

/** Who has not answered, and whether they could. */
function Missing({ id, poll }: PollProps) {
  const participants = useAll("participants");
  const responses = useAll("responses");
  const seesNames = useCan("activity.see_names");
  const [shown, setShown] = useState(false);
  const result = useOne("results", id);
  if (!seesNames || poll.spec.anonymity === "anonymous" || result === undefined) return null;
  const answered = new Set(
    [...responses.keys()]
      .filter((key) => key.startsWith(`${id}:`))
      .map((key) => key.slice(key.indexOf(":") + 1)),
  );
  const { target } = poll;
  const missing = [...participants].filter(
    ([person, { role, space }]) =>
      poll.spec.roles.includes(role) &&
      !answered.has(person) &&
      (target.kind === "session" ||
        (target.kind === "spaces" ? target.spaces.includes(space) : target.persons.includes(person))),
  );
  if (missing.length === 0) return null;
  return (
    <div>
      <button className="btn small quiet" aria-expanded={shown} onClick={() => setShown(!shown)}>
        Not answered {poll.status === "closed" ? "" : "yet"}: {missing.length}
      </button>
      {shown && (
        <ul className="plain">
          {missing.map(([person, { name, presence }]) => (
            <li key={person} className="row">
              <span className="grow cut">{name}</span>
              <span className="s13 mut">
                {presence === "online" ? "is here" : presence === "reconnecting" ? "reconnecting" : "offline"}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Answers that came too late, or were not finished: the teacher decides. */
function Late({ id }: { id: number }) {
  const responses = useAll("responses");
  const names = useNames();
  const act = useAct();
  const mayRun = useCan("activity.run");
  const late = [...responses].filter(([key, { status }]) => key.startsWith(`${id}:`) && status !== "counted");
  if (late.length === 0) return null;
  return (
    <ul className="plain" aria-label="Late answers">
      {late.map(([key, { status }]) => {
        const person = key.slice(key.indexOf(":") + 1);
        return (
          <li key={key} className="row" data-testid="late">
            <span className="grow">
              {names(person)}{" "}
              <span className="s13 mut">{status === "late" ? "answered too late" : "had not finished"}</span>
            </span>
            {mayRun && (
              <button
                className="btn small"
                data-testid="admit-late"
                onClick={() => void act("poll.admit_late", { poll: id, persons: [person] })}
              >
                Let it count
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

// ---- What came out ----

function Results({ id, poll }: PollProps) {
  const result = useOne("results", id);
  if (result === undefined) {
    return poll.status === "closed" ? (
      <p className="s13 mut">The teacher has not shown the result yet.</p>
    ) : null;
  }
  const { tally, responded, eligible } = result;
  return (
    <div className="results" data-testid="poll-results">
      {poll.spec.items.map((item, n) => (
        <ItemResult
          key={n}
          item={item}
          counts={tally?.items[n] ?? null}
          people={tally?.people ?? 0}
          many={poll.spec.items.length > 1}
        />
      ))}
      <p>
        <b data-testid="poll-responded">
          {responded} of {eligible} answered.
        </b>{" "}
        {tally === null && poll.spec.anonymity === "anonymous" && (
          <span className="mut">Fewer than five answers of an anonymous poll are not shown.</span>
        )}
        {result.revision > 1 && <span className="mut">Counted again after the close.</span>}
      </p>
    </div>
  );
}

interface ItemResultProps {
  item: Item;
  counts: readonly number[] | null;
  people: number;
  many: boolean;
}

function ItemResult({ item, counts, people, many }: ItemResultProps) {
  const columns = columnsOf(item);
  const right = rightColumns(item);
  return (
    <div>
      {many && <p className="b">{item.text}</p>}
      {columns.length === 0 || counts === null ? (
        counts !== null && <p className="s13 mut">{counts[0] ?? 0} wrote an answer.</p>
      ) : (
        <dl className="res">
          {columns.map((column, n) => {
            const count = counts[n] ?? 0;
            const share = people === 0 ? 0 : Math.round((count / people) * 100);
            return (
              <div
                key={n}
                className={right.has(n) ? "right" : ""}
                data-testid="poll-count"
                data-count={count}
              >
                <dt>
                  <span className="grow">{column}</span>
                  {right.has(n) && (
                    <span className="chip leaf">
                      <Check className="i xs" aria-hidden="true" />
                      Right
                    </span>
                  )}
                </dt>
                <dd>
                  <b>{count}</b> <span className="s13 mut">{share} %</span>
                </dd>
                <dd className="hb" aria-hidden="true">
                  <i style={{ inlineSize: `${share}%` }} />
                </dd>
              </div>
            );
          })}
        </dl>
      )}
    </div>
  );
}

function rightColumns({ key, ...item }: Item): ReadonlySet<number> {
  if (key?.kind === "options") return new Set(key.options);
  if (key?.kind === "number" && item.kind === "scale") return new Set([key.number - item.from]);
  return new Set();
}

function modeWord(spec: Class.PollSpec): string {
  return { poll: "Poll", quiz: "Quiz", survey: "Survey" }[spec.mode];
}

function statusWord({ status }: Class.PollView): string {
  return { draft: "Not asked yet", open: "Open", closing: "Closing", closed: "Closed" }[status];
}
