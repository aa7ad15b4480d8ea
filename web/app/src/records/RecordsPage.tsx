/** Learning records for staff: statements as they arrive, by person, verb, activity and time; one of them readable and raw. */
import "../styles/records.css";
import { useCallback, useEffect, useId, useMemo, useRef, useState, type SubmitEvent } from "react";
import { Door } from "../Door";
import { Mark } from "../Mark";
import { useIsPhone } from "../lib/hooks";
import { nameOf, type JsonObject, type Reading } from "./statement";
import { EVERYTHING, type Filter } from "./store";
import { useRecords } from "./useRecords";

/** The token of this tab. It comes behind the `#` of a link, which no server sees, and stays until the tab is closed. */
const KEPT = "lyceum.records";

export default function RecordsPage() {
  const [token, setToken] = useState(takeToken);
  const [reason, setReason] = useState("");

  function forget(why: string) {
    window.sessionStorage.removeItem(KEPT);
    setReason(why);
    setToken("");
  }

  if (token === "") {
    return (
      <TokenDoor
        reason={reason}
        onToken={(given) => {
          window.sessionStorage.setItem(KEPT, given);
          setToken(given);
        }}
      />
    );
  }
  return <Records token={token} onLost={forget} />;
}

function takeToken(): string {
  const given = window.location.hash.slice(1);
  if (given !== "") {
    window.sessionStorage.setItem(KEPT, given);
    window.history.replaceState(null, "", window.location.pathname);
  }
  return window.sessionStorage.getItem(KEPT) ?? "";
}

function TokenDoor({ reason, onToken }: { reason: string; onToken: (token: string) => void }) {
  const [text, setText] = useState("");
  const id = useId();

  function open(event: SubmitEvent) {
    event.preventDefault();
    const token = text.trim().split("#").at(-1) ?? "";
    if (token !== "") onToken(token);
  }

  return (
    <Door title="Learning records" testId="records-door">
      <p className="lead">{reason === "" ? "This page is for staff, with a link of their own." : reason}</p>
      <form className="records-door" onSubmit={open}>
        <div className="field">
          <label htmlFor={id}>Your link, or its token</label>
          <input
            id={id}
            className="input"
            data-testid="records-token"
            value={text}
            onChange={(event) => setText(event.target.value)}
            autoComplete="off"
            spellCheck={false}
            dir="ltr"
          />
        </div>
        <button className="btn main big">Open the records</button>
      </form>
      <p className="s13 mut">
        Who runs this server makes one: <code>lyceum token create --scope statements/read</code>. It shows the
        records of all classes.
      </p>
    </Door>
  );
}

function Records({ token, onLost }: { token: string; onLost: (why: string) => void }) {
  const [filter, setFilter] = useState(EVERYTHING);
  const [open, setOpen] = useState<Reading | null>(null);
  const list = useRef<HTMLElement>(null);
  // Nothing moves under the pointer, or below somebody who reads further down.
  const isBusy = useCallback(
    () => list.current?.matches(":hover, :focus-within") === true || window.scrollY > 200,
    [],
  );
  const records = useRecords(token, filter, isBusy);
  const { statements, arrived, state, problem } = records;
  const heading = useRef<HTMLHeadingElement>(null);
  const isPhone = useIsPhone();

  useEffect(() => {
    document.title = "Learning records · Lyceum";
  }, []);
  useEffect(() => {
    if (problem?.status === 401) onLost("The link has run out, or is not whole. Ask for a new one.");
    if (problem?.status === 403) onLost("This link does not let you read learning records.");
  }, [problem, onLost]);

  function show(reading: Reading) {
    setOpen(reading);
    requestAnimationFrame(() => heading.current?.focus());
  }

  return (
    <div className="records" data-testid="records">
      <a className="skip" href="#statements">
        To the statements
      </a>
      <header className="records-bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
        <p className="records-place">Records</p>
      </header>
      <main className="records-main">
        <div className="records-head">
          <div>
            <h1>Learning records</h1>
            <p className="mut">Statements as they arrive, of all classes. Seen by staff only.</p>
          </div>
          <p
            className={state === "interrupted" ? "chip lamp" : "chip leaf"}
            role="status"
            data-testid="records-state"
          >
            {state === "loading" && "Loading…"}
            {state === "live" && "Live"}
            {state === "interrupted" && "Interrupted: what you see is kept, trying again…"}
            {state === "refused" && "Not shown"}
          </p>
        </div>
        <details className="records-fold" open={!isPhone}>
          <summary hidden={!isPhone}>Filter</summary>
          <Filters seen={statements} filter={filter} onFilter={setFilter} />
        </details>
        {state === "refused" && problem !== null && <p className="banner">{problem.message}</p>}
        <div className={open === null ? "records-body" : "records-body with-one"}>
          <section
            className="card records-list"
            ref={list}
            id="statements"
            tabIndex={-1}
            aria-label="Statements"
          >
            {arrived.length > 0 && (
              <button
                className="btn main records-new"
                data-testid="records-new"
                onClick={records.showArrived}
              >
                Show {arrived.length} new
              </button>
            )}
            {statements.length === 0 && state === "live" && (
              <p className="records-none mut">
                {filter === EVERYTHING
                  ? "No statement has arrived yet."
                  : "No statement is like this. New ones are shown here when they arrive."}
              </p>
            )}
            <ol>
              {statements.map((reading) => (
                <li key={reading.id}>
                  <button
                    className="record"
                    data-testid="record"
                    aria-pressed={open?.id === reading.id}
                    onClick={() => show(reading)}
                  >
                    <Moment at={reading.timestamp} />
                    <span className="record-text">
                      <b>{reading.person}</b> {reading.verb} <b>{reading.activity}</b>
                    </span>
                    {reading.result !== "" && <span className="chip">{reading.result}</span>}
                  </button>
                </li>
              ))}
            </ol>
            {records.older !== "" && (
              <button className="btn records-older" onClick={records.showOlder}>
                Show older ones
              </button>
            )}
          </section>
          {open !== null && (
            <One
              reading={open}
              heading={heading}
              onFilter={(change) => setFilter({ ...filter, ...change })}
              onClose={() => {
                setOpen(null);
                list.current?.focus();
              }}
            />
          )}
        </div>
      </main>
    </div>
  );
}

interface FiltersProps {
  seen: Reading[];
  filter: Filter;
  onFilter: (filter: Filter) => void;
}

function Filters({ seen, filter, onFilter }: FiltersProps) {
  const id = useId();
  const people = useMemo(() => {
    const named = new Map<string, JsonObject>();
    for (const { person, agent } of seen) if (agent !== null) named.set(person, agent);
    return named;
  }, [seen]);
  const verbs = useMemo(() => new Map(seen.map((reading) => [reading.verb, reading.verbId])), [seen]);
  const activities = useMemo(
    () =>
      new Map(
        seen.flatMap(({ activity, activityId }) => (activityId === "" ? [] : [[activity, activityId]])),
      ),
    [seen],
  );
  const change = (part: Partial<Filter>) => onFilter({ ...filter, ...part });

  return (
    <form className="card records-filters" aria-label="Filter" onSubmit={(event) => event.preventDefault()}>
      <Choice
        label="Person"
        hint="a name from the list, or an e-mail address"
        chosen={filter.agent === null ? "" : nameOf(filter.agent)}
        known={[...people.keys()]}
        onChoice={(text) => {
          const agent = people.get(text) ?? (text.includes("@") ? { mbox: `mailto:${text}` } : null);
          if (text === "" || agent !== null) change({ agent });
          return text === "" || agent !== null;
        }}
      />
      <Choice
        label="Verb"
        hint="a verb from the list, or its address"
        chosen={filter.verb}
        known={[...verbs.keys()]}
        onChoice={(text) => chooseAddress(text, verbs, (verb) => change({ verb }))}
      />
      <Choice
        label="Activity"
        hint="an activity from the list, or its address"
        chosen={filter.activity}
        known={[...activities.keys()]}
        onChoice={(text) => chooseAddress(text, activities, (activity) => change({ activity }))}
      />
      {(["from", "to"] as const).map((end) => (
        <div className="field" key={end}>
          <label htmlFor={`${id}-${end}`}>{end === "from" ? "From" : "Until"}</label>
          <input
            id={`${id}-${end}`}
            className="input"
            type="datetime-local"
            value={filter[end]}
            onChange={(event) => change({ [end]: event.target.value })}
          />
        </div>
      ))}
      <label className="records-related">
        <input
          type="checkbox"
          checked={filter.related}
          onChange={(event) => change({ related: event.target.checked })}
        />
        With what belongs to the activity
      </label>
      <button
        type="button"
        className="btn"
        data-testid="records-clear"
        onClick={() => onFilter(EVERYTHING)}
        aria-disabled={filter === EVERYTHING}
      >
        Show everything
      </button>
    </form>
  );
}

/** A word that was seen stands for its address; an address stands for itself. */
function chooseAddress(text: string, known: Map<string, string>, choose: (address: string) => void): boolean {
  const address = known.get(text) ?? (/^[a-z][a-z0-9+.-]*:\S+$/i.test(text) || text === "" ? text : null);
  if (address === null) return false;
  choose(address);
  return true;
}

interface ChoiceProps {
  label: string;
  hint: string;
  chosen: string;
  known: string[];
  /** Takes what was written, or says that it is nothing. */
  onChoice: (text: string) => boolean;
}

function Choice({ label, hint, chosen, known, onChoice }: ChoiceProps) {
  const [text, setText] = useState(chosen);
  const [before, setBefore] = useState(chosen);
  const [isUnknown, setUnknown] = useState(false);
  const id = useId();
  // Chosen elsewhere: by a statement, or everything again.
  if (before !== chosen) {
    setBefore(chosen);
    setUnknown(false);
    if (!known.includes(text) || chosen === "") setText(chosen);
  }

  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        data-testid={`records-${label.toLowerCase()}`}
        list={`${id}-known`}
        value={text}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={isUnknown}
        aria-describedby={isUnknown ? `${id}-hint` : undefined}
        onChange={(event) => {
          setText(event.target.value);
          setUnknown(false);
          if (event.target.value === "" || known.includes(event.target.value)) onChoice(event.target.value);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") setUnknown(!onChoice(text.trim()));
        }}
        onBlur={() => setUnknown(!onChoice(text.trim()))}
      />
      <datalist id={`${id}-known`}>
        {known.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
      {isUnknown && (
        <p className="s13 bad" id={`${id}-hint`} role="status">
          Write {hint}.
        </p>
      )}
    </div>
  );
}

interface OneProps {
  reading: Reading;
  heading: React.RefObject<HTMLHeadingElement | null>;
  onFilter: (change: Partial<Filter>) => void;
  onClose: () => void;
}

function One({ reading, heading, onFilter, onClose }: OneProps) {
  const { agent, verbId, activityId } = reading;
  return (
    <section className="card record-one" aria-label="One statement" data-testid="record-one">
      <div className="row">
        <h2 className="grow" ref={heading} tabIndex={-1}>
          {reading.person} {reading.verb} {reading.activity}
        </h2>
        <button className="btn small" onClick={onClose}>
          Close
        </button>
      </div>
      <div className="row wrap">
        {agent !== null && (
          <button className="btn small" onClick={() => onFilter({ agent })}>
            Only this person
          </button>
        )}
        <button className="btn small" onClick={() => onFilter({ verb: verbId })}>
          Only this verb
        </button>
        {activityId !== "" && (
          <button className="btn small" onClick={() => onFilter({ activity: activityId })}>
            Only this activity
          </button>
        )}
      </div>
      <dl>
        <Fact name="When" value={inFull(reading.timestamp)} />
        <Fact name="Stored" value={inFull(reading.stored)} />
        <Fact name="Result" value={reading.result} />
        <Fact name="Verb" value={verbId} />
        <Fact name="Activity" value={activityId} />
        {reading.facts.map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
        <Fact name="Id" value={reading.id} />
      </dl>
      <details>
        <summary>As it is stored</summary>
        <pre tabIndex={0} data-testid="record-raw" dir="ltr">
          {JSON.stringify(reading.raw, null, 2)}
        </pre>
      </details>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  if (value === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The time, and the day if it is another one than today. */
function Moment({ at }: { at: string }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span className="record-time">{at}</span>;
  const isToday = date.toDateString() === new Date().toDateString();
  return (
    <time className="record-time" dateTime={at}>
      {isToday ? "" : `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `}
      {date.toLocaleTimeString()}
    </time>
  );
}

function inFull(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime())
    ? at
    : date.toLocaleString(undefined, { dateStyle: "long", timeStyle: "medium" });
}
