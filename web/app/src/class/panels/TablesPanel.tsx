/** Tables, as groups are called in class: drawn up, looked after, closed. Learners see their own, and the way back. */
import type { Class } from "@lyceum/sdk";
import { ArrowRightLeft, Eye, LifeBuoy, Megaphone, Plus, Shuffle, Undo2 } from "lucide-react";
import { useState, type SubmitEvent } from "react";
import { MenuButton, type MenuEntry } from "../../lib/Menu";
import { notice } from "../../lib/notices";
import { useAct, useAll, useCan, useMyself, useOne, useServerNow } from "../state";
import { clockWords, notableRole, spaceTitle, timeOfDay, waitWords } from "../words";
import { Panel } from "./Panel";
import { Plate } from "./PeoplePanel";
import { Stepper } from "./Stepper";

export function TablesPanel({ asSheet, onClose }: { asSheet: boolean; onClose: () => void }) {
  const breakouts = useOne("breakouts");
  const mayManage = useCan("breakout.manage");
  return (
    <Panel title="Tables" testId="tables-panel" asSheet={asSheet} onClose={onClose}>
      <div className="panel-scroll">
        {breakouts === undefined ? (
          mayManage ? (
            <PlanForm />
          ) : (
            <p className="part nothing mut">
              There are no tables at the moment. Everybody is in the main room.
            </p>
          )
        ) : breakouts.status === "planned" ? (
          <Planned breakouts={breakouts} />
        ) : (
          <OpenTables breakouts={breakouts} />
        )}
      </div>
    </Panel>
  );
}

// ---- Drawing up ----

function PlanForm({ expect }: { expect?: number }) {
  const participants = useAll("participants");
  const learners = [...participants.values()].filter(
    ({ role, presence }) => role === "learner" && presence !== "offline",
  ).length;
  const [count, setCount] = useState(2);
  const [mode, setMode] = useState<Class.BreakoutMode>("random");
  const act = useAct();

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const groups = Array.from({ length: count }, (_, n) => ({
      space: `table-${n + 1}`,
      title: `Table ${n + 1}`,
    }));
    const [seed = 1] = crypto.getRandomValues(new Uint32Array(1));
    void act("breakouts.plan", { groups, mode, seed }, expect === undefined ? {} : { expect });
  }

  return (
    <form className="part poll" aria-label="Draw up tables" onSubmit={submit} data-testid="tables-form">
      <div className="row">
        <span className="grow">How many tables?</span>
        <Stepper value={count} most={50} one="One table" less="fewer" onChange={setCount}>
          <b data-testid="tables-count">{count}</b>
        </Stepper>
      </div>
      <p className="s13 mut">
        {learners === 0
          ? "No learner is here yet."
          : `${learners} ${learners === 1 ? "learner is" : "learners are"} here: about ${Math.max(1, Math.round(learners / count))} at each table.`}
      </p>
      <fieldset className="question">
        <legend>Who sits where?</legend>
        {(
          [
            ["random", "By lot", "You may still move people"],
            ["manual", "I seat them", "Everybody stays until you seat them"],
            ["self_select", "They choose", "Each learner picks a table"],
          ] as const
        ).map(([value, word, hint]) => (
          <label className="opt" key={value}>
            <input type="radio" name="mode" checked={mode === value} onChange={() => setMode(value)} />
            <span>
              {word} <span className="s13 mut">{hint}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <button className="btn main" data-testid="tables-plan">
        Draw up
      </button>
    </form>
  );
}

function Planned({ breakouts }: { breakouts: Class.Breakouts }) {
  const participants = useAll("participants");
  const mayOpen = useCan("breakout.open");
  const act = useAct();
  const [minutes, setMinutes] = useState(10);
  const [timed, setTimed] = useState(true);
  const [mayReturn, setMayReturn] = useState(true);
  const now = useServerNow(true);
  const { groups, plan, rev, mode } = breakouts;
  const entries = Object.entries(groups);
  const unseated = [...participants].filter(
    ([person, { role, presence }]) =>
      role === "learner" && presence !== "offline" && !Object.hasOwn(plan, person),
  );

  /** A plan is drawn up anew, with this person elsewhere. */
  function seat(person: string, to: string | null) {
    const others = Object.entries(plan).filter(([one]) => one !== person);
    const seated: [string, string][] = to === null ? others : [...others, [person, to]];
    void act(
      "breakouts.plan",
      {
        mode: "manual",
        seed: 0,
        groups: entries.map(([space, { title, capacity }]) => ({
          space,
          title,
          capacity,
          persons: seated.flatMap(([one, at]) => (at === space ? [one] : [])),
        })),
      },
      { expect: rev },
    );
  }
  const seatMenu = (person: string): MenuEntry[] => [
    { heading: "Seat at" },
    ...entries.map(([space]) => ({
      word: spaceTitle(space, groups),
      checked: plan[person] === space,
      run: () => seat(person, space),
    })),
    { word: "Stays in the main room", checked: !Object.hasOwn(plan, person), run: () => seat(person, null) },
  ];
  const people = (ids: readonly string[]) =>
    ids.map((person) => {
      const name = participants.get(person)?.name ?? "Not here";
      return (
        <li className="seat" key={person}>
          <Plate id={person} name={name} />
          <span className="grow cut">{name}</span>
          <MenuButton label={`Seat ${name}`} entries={seatMenu(person)}>
            <ArrowRightLeft className="i s" aria-hidden="true" />
          </MenuButton>
        </li>
      );
    });

  return (
    <>
      <section className="part poll" aria-label="Open the tables">
        <p className="mut">Drawn up. Nobody has moved yet.</p>
        <label className="check">
          <input type="checkbox" checked={timed} onChange={(event) => setTimed(event.target.checked)} />
          <span className="grow">Back after</span>
          {timed && (
            <>
              <Stepper value={minutes} most={180} one="One minute" less="less" onChange={setMinutes}>
                <b className="nowrap">{minutes} min</b>
              </Stepper>
            </>
          )}
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={mayReturn}
            onChange={(event) => setMayReturn(event.target.checked)}
          />
          Learners may come back by themselves
        </label>
        {mayOpen && (
          <button
            className="btn main"
            data-testid="tables-open"
            onClick={() =>
              void act(
                "breakouts.open",
                {
                  allow_return: mayReturn,
                  late_policy: mode === "self_select" ? "self_select" : "least_full",
                  closes_at: timed ? Math.round(now + minutes * 60_000) : null,
                },
                { expect: rev },
              )
            }
          >
            Send everybody to the tables
          </button>
        )}
      </section>
      {entries.map(([space]) => {
        const seated = Object.entries(plan).flatMap(([person, at]) => (at === space ? [person] : []));
        return (
          <section className="part tbl" key={space} aria-label={spaceTitle(space, groups)}>
            <h3>
              {spaceTitle(space, groups)} <span className="mut">{seated.length}</span>
            </h3>
            <ul>{people(seated)}</ul>
          </section>
        );
      })}
      {unseated.length > 0 && (
        <section className="part tbl" aria-label="Not seated">
          <h3>
            {mode === "self_select" ? "Choose for themselves" : "Stay in the main room"}{" "}
            <span className="mut">{unseated.length}</span>
          </h3>
          <ul>{people(unseated.map(([person]) => person))}</ul>
        </section>
      )}
      <details className="part poll">
        <summary>
          <Shuffle className="i xs" aria-hidden="true" /> Draw up anew
        </summary>
        <PlanForm expect={rev} />
      </details>
    </>
  );
}

// ---- While they are open ----

function OpenTables({ breakouts }: { breakouts: Class.Breakouts }) {
  const participants = useAll("participants");
  const { id: me, entry } = useMyself();
  const mayManage = useCan("breakout.manage");
  const mayVisit = useCan("breakout.visit");
  const mayChoose = useCan("breakout.choose");
  const act = useAct();
  const { groups, rev, closes_at, status, mode } = breakouts;
  const spaces = Object.keys(groups);
  const now = useServerNow(true);
  const inSpace = (space: string) => [...participants].filter(([, one]) => one.space === space);
  const main = inSpace("main");
  const helps = spaces
    .flatMap((space) => {
      const help = groups[space]?.help;
      return help == null ? [] : [{ space, help }];
    })
    .sort((a, b) => a.help.since - b.help.since);
  const moveMenu = (person: string, at: string): MenuEntry[] => {
    const name = participants.get(person)?.name ?? "";
    const fewest = Math.min(...spaces.map((space) => inSpace(space).length));
    return [
      { heading: `Move ${name} to` },
      ...[...spaces, "main"].map((space) => {
        const count = inSpace(space).length;
        return {
          word: space === "main" ? "Main room" : spaceTitle(space, groups),
          hint: space !== "main" && count === fewest ? `${count}, fewest` : String(count),
          checked: space === at,
          run: () => move([person], name, at, space),
        };
      }),
    ];
  };

  async function move(persons: string[], name: string, from: string, to: string) {
    const outcome = await act("breakouts.move", { persons, to }, { expect: rev });
    if (outcome.status !== "accepted") return;
    notice(`${name} moved to ${to === "main" ? "the main room" : spaceTitle(to, groups)}.`, {
      action: {
        word: "Undo",
        run: () => void act("breakouts.move", { persons, to: from }, { expect: outcome.last ?? rev }),
      },
    });
  }

  /** A visit is no placement: sound and picture come only to who sits there. */
  const visitMenu = (space: string): MenuEntry[] => [
    ...(mayManage
      ? [
          {
            word: "Sit down there",
            hint: "hear and see each other",
            run: () => void act("breakouts.move", { persons: [me], to: space }, { expect: rev }),
          },
        ]
      : []),
    ...(mayVisit && entry?.visit !== space
      ? [
          {
            word: "Look in",
            hint: "chat and board only",
            run: () => void act("breakouts.visit", { space }),
          },
        ]
      : []),
  ];

  const row = (person: string, one: Class.ParticipantView, at: string) => (
    <li className="seat" key={person} data-testid="seat" data-person={person} data-space={at}>
      <Plate id={person} name={one.name} />
      <span className="grow cut">
        {person === me ? `${one.name}, you` : one.name}{" "}
        <span className="s13 role">{notableRole(one.role)}</span>
      </span>
      {one.presence === "reconnecting" && <span className="chip lamp">Back soon</span>}
      {one.presence === "offline" && <span className="chip">Offline</span>}
      {mayManage && (
        <MenuButton label={`Move ${one.name}`} entries={moveMenu(person, at)} testId="seat-menu">
          <ArrowRightLeft className="i s" aria-hidden="true" />
        </MenuButton>
      )}
    </li>
  );

  return (
    <>
      {mayManage && <Running breakouts={breakouts} />}
      {!mayManage && closes_at !== null && (
        <p className="part nothing">
          <b className="big-clock">{clockWords(closes_at - now)}</b>{" "}
          {status === "closing" ? "until everybody is back" : "left at the tables"}
        </p>
      )}
      {mayManage && helps.length > 0 && (
        <section className="part iris-part" aria-label="Help asked for" data-testid="helps">
          <div className="row">
            <h3 className="grow">Help asked for</h3>
            <span className="s13 mut">longest wait first</span>
          </div>
          <ul>
            {helps.map(({ space, help }) => (
              <li className="lrow" key={space}>
                <LifeBuoy className="i s" aria-hidden="true" />
                <span className="grow">
                  <span className="nm">{spaceTitle(space, groups)}</span>
                  <span className="s13 mut">waits {waitWords(now - help.since)}</span>
                </span>
                <button
                  className="btn small"
                  data-testid="help-resolve"
                  onClick={() => void act("help.resolve", { space })}
                >
                  Done
                </button>
                {entry?.space !== space && (
                  <MenuButton
                    label={`Visit ${spaceTitle(space, groups)}`}
                    className="btn small ask"
                    entries={visitMenu(space)}
                    testId="help-visit"
                  >
                    Visit
                  </MenuButton>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      {spaces.map((space) => {
        const people = inSpace(space);
        const visitors = [...participants].filter(([, { visit }]) => visit === space);
        const mine = entry?.space === space;
        const { capacity = 0, help } = groups[space] ?? {};
        const mayPick = mayChoose && !mayManage && !mine && mode === "self_select";
        return (
          <section
            className={help == null ? "part tbl" : "part tbl help"}
            key={space}
            aria-label={spaceTitle(space, groups)}
            data-testid="table"
            data-space={space}
          >
            <div className="row">
              <h3 className="grow">
                {spaceTitle(space, groups)} <span className="mut">{people.length}</span>
                {mine && <span className="s13 role"> yours</span>}
              </h3>
              {visitors.length > 0 && (
                <span className="chip">
                  <Eye className="i xs" aria-hidden="true" />
                  {visitors.map(([person, { name }]) => (person === me ? "You visit" : name)).join(", ")}
                </span>
              )}
              {!mine && entry?.visit === space && (
                <button className="btn small" onClick={() => void act("breakouts.visit", {})}>
                  Go back
                </button>
              )}
              {!mine && entry?.visit !== space && visitMenu(space).length > 0 && (
                <MenuButton
                  label={`Visit ${spaceTitle(space, groups)}`}
                  className="btn small"
                  entries={visitMenu(space)}
                  testId="visit"
                >
                  Visit
                </MenuButton>
              )}
              {mayPick && (
                <button
                  className="btn small main"
                  aria-disabled={capacity > 0 && people.length >= capacity}
                  onClick={() => void act("breakouts.choose", { space })}
                >
                  Sit here
                </button>
              )}
            </div>
            <ul>{people.map(([person, one]) => row(person, one, space))}</ul>
            {people.length === 0 && <p className="s13 mut">Nobody sits here.</p>}
          </section>
        );
      })}
      <section className="part tbl" aria-label="Main room" data-testid="table" data-space="main">
        <h3>
          Main room <span className="mut">{main.length}</span>
        </h3>
        <ul>{main.map(([person, one]) => row(person, one, "main"))}</ul>
      </section>
    </>
  );
}

/** What goes for all tables: the time, a word to everybody, the end. */
function Running({ breakouts }: { breakouts: Class.Breakouts }) {
  const act = useAct();
  const [speaking, setSpeaking] = useState(false);
  const [words, setWords] = useState("");
  const { closes_at, status, rev } = breakouts;
  const now = useServerNow(closes_at !== null);

  function speak(event: SubmitEvent) {
    event.preventDefault();
    if (words.trim() === "") return;
    void act("breakouts.broadcast", { body: words.trim() }).then((outcome) => {
      if (outcome.status === "accepted") notice("Said to all tables.");
    });
    setWords("");
    setSpeaking(false);
  }

  return (
    <section className="part poll" aria-label="All tables">
      {closes_at !== null && (
        <p className="row">
          <b className="big-clock" data-testid="tables-clock">
            {clockWords(closes_at - now)}
          </b>
          <span className="grow">
            {status === "closing" ? "until everybody is back" : "left at the tables"}
            <span className="s13 mut block">Everybody returns at {timeOfDay(closes_at)}.</span>
          </span>
        </p>
      )}
      <div className="row wrap">
        {closes_at !== null && (
          <button
            className="btn small"
            data-testid="tables-extend"
            onClick={() => void act("breakouts.extend", { by_ms: 120_000 }, { expect: rev })}
          >
            <Plus className="i xs" aria-hidden="true" />2 min
          </button>
        )}
        <button
          className="btn small"
          aria-expanded={speaking}
          onClick={() => setSpeaking(!speaking)}
          data-testid="tables-say"
        >
          <Megaphone className="i xs" aria-hidden="true" />
          Say to all
        </button>
        <MenuButton
          label="Call everyone back"
          className="btn small danger"
          testId="tables-close"
          entries={[
            {
              word: "In one minute",
              hint: "with a warning",
              run: () => void act("breakouts.close", { warn_s: 60 }, { expect: rev }),
            },
            { word: "Now", run: () => void act("breakouts.close", { warn_s: 0 }, { expect: rev }) },
          ]}
        >
          <Undo2 className="i xs flip" aria-hidden="true" />
          Call back
        </MenuButton>
      </div>
      {speaking && (
        <form className="row" onSubmit={speak}>
          <input
            className="input"
            dir="auto"
            maxLength={1_000}
            aria-label="What everybody reads"
            placeholder="What everybody reads"
            data-testid="tables-words"
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <button className="btn main">Say it</button>
        </form>
      )}
    </section>
  );
}
