/** What is of the moment: the question how it goes, and the timer. */
import type { Class } from "@lyceum/sdk";
import { Pause, Play, Smile, Square, Timer } from "lucide-react";
import { useState } from "react";
import { useTimer } from "../moments";
import { useAct, useCan, useMyself, useOne, useServerNow } from "../state";
import { clockWords } from "../words";
import { Stepper } from "./Stepper";

const moods: readonly (readonly [Class.Mood, string])[] = [
  ["fine", "I follow"],
  ["unsure", "Not sure"],
  ["lost", "I am lost"],
];

export function CheckpointPart() {
  const checkpoint = useOne("checkpoint");
  const mayAsk = useCan("activity.run");
  const { id: me, entry } = useMyself();
  const act = useAct();
  const now = useServerNow(checkpoint !== undefined);
  const [last, setLast] = useState<Class.CheckpointView | undefined>(undefined);
  if (checkpoint !== undefined && checkpoint !== last) setLast(checkpoint);

  if (checkpoint === undefined) {
    if (!mayAsk) return null;
    return (
      <section className="part poll" aria-label="How it goes">
        {last !== undefined && <Moods view={last} title="How it went a moment ago" />}
        <button
          className="btn small start"
          data-testid="checkpoint-ask"
          onClick={() => void act("checkpoint.ask", {})}
        >
          <Smile className="i xs" aria-hidden="true" />
          Ask how it goes
        </button>
      </section>
    );
  }
  const left = Math.max(0, Math.ceil((checkpoint.ends_at - now) / 1_000));
  if (mayAsk || entry?.role !== "learner") {
    return (
      <section className="part poll" aria-label="How it goes" data-testid="checkpoint">
        <Moods view={checkpoint} title={`How it goes, ${left} s left`} />
      </section>
    );
  }
  const mine = checkpoint.answers[me];
  return (
    <section className="part poll" aria-label="How it goes" data-testid="checkpoint">
      <h3>{checkpoint.body === "" ? "How is it going?" : checkpoint.body}</h3>
      <div className="moods" role="group" aria-label="Your answer">
        {moods.map(([mood, word]) => (
          <button
            key={mood}
            className="btn"
            aria-pressed={mine === mood}
            data-testid={`mood-${mood}`}
            onClick={() => void act("checkpoint.answer", { mood })}
          >
            {word}
          </button>
        ))}
      </div>
      <p className="s13 mut">
        {mine === undefined ? "" : "Your answer is in. "}Only teachers see it. {left} s left.
      </p>
    </section>
  );
}

function Moods({ view, title }: { view: Class.CheckpointView; title: string }) {
  const answers = Object.values(view.answers);
  return (
    <>
      <h3>{title}</h3>
      <p className="row wrap">
        {moods.map(([mood, word]) => (
          <span className="chip" key={mood} data-testid={`count-${mood}`}>
            <b>{answers.filter((one) => one === mood).length}</b> {word}
          </span>
        ))}
      </p>
    </>
  );
}

export function TimerPart() {
  const running = useTimer();
  const mayRun = useCan("timer.run");
  const act = useAct();
  const [minutes, setMinutes] = useState(5);
  const now = useServerNow(running !== undefined);
  if (running === undefined) {
    if (!mayRun) return null;
    return (
      <section className="part row timer-row" aria-label="Timer">
        <Timer className="i s" aria-hidden="true" />
        <span className="grow">Timer</span>
        <Stepper value={minutes} most={180} one="One minute" less="less" onChange={setMinutes}>
          <b className="nowrap">{minutes} min</b>
        </Stepper>
        <button
          className="btn small"
          data-testid="timer-start"
          onClick={() => void act("timer.start", { duration_ms: minutes * 60_000 })}
        >
          Start
        </button>
      </section>
    );
  }
  const { id, timer } = running;
  const paused = timer.ends_at === null;
  const left = timer.ends_at === null ? timer.left_ms : timer.ends_at - now;
  const which = { timer: Number(id) };
  return (
    <section className="part row timer-row" aria-label="Timer" data-testid="timer">
      <Timer className="i s" aria-hidden="true" />
      <b className="grow big-clock">{clockWords(left)}</b>
      {paused && <span className="chip">Paused</span>}
      {mayRun && (
        <>
          <button
            className="ib"
            aria-label={paused ? "Go on" : "Pause"}
            title={paused ? "Go on" : "Pause"}
            onClick={() => void (paused ? act("timer.resume", which) : act("timer.pause", which))}
          >
            {paused ? (
              <Play className="i s" aria-hidden="true" />
            ) : (
              <Pause className="i s" aria-hidden="true" />
            )}
          </button>
          <button className="btn small" onClick={() => void act("timer.extend", { ...which, by_ms: 60_000 })}>
            + 1 min
          </button>
          <button
            className="ib"
            aria-label="Stop the timer"
            title="Stop"
            onClick={() => void act("timer.stop", which)}
          >
            <Square className="i s" aria-hidden="true" />
          </button>
        </>
      )}
    </section>
  );
}
