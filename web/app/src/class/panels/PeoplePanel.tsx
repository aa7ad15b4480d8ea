/** Who is here: who waits at the door, whose hand is up and in which order, and everybody with what may be done about them. */
import type { ClassroomState, Person } from "@lyceum/sdk";
import {
  EllipsisVertical,
  Hand,
  Mic,
  MicOff,
  ShieldCheck,
  UserRoundPlus,
  Video,
  VideoOff,
} from "lucide-react";
import { notice } from "../../lib/notices";
import { MenuButton } from "../../lib/Menu";
import {
  useAct,
  useAll,
  useCan,
  useHandQueue,
  useMySpace,
  useMyself,
  useNames,
  useOne,
  useServerNow,
  type Participant,
} from "../state";
import { hueClass, initial, intentWords, notableRole, spaceTitle, waitWords } from "../words";
import { useClassMenu, usePersonMenu } from "./menus";
import { Panel } from "./Panel";

interface Props {
  state: ClassroomState;
  asSheet: boolean;
  onClose: () => void;
  onCopyInvite: () => void;
  onWriteTo: (person: string) => void;
}

export function PeoplePanel({ state, asSheet, onClose, onCopyInvite, onWriteTo }: Props) {
  const participants = useAll("participants");
  const { id: me } = useMyself();
  const classMenu = useClassMenu();
  const media = new Map(state.people.map((person) => [person.identity, person]));
  const rows = [...participants]
    .filter(([id, { presence }]) => id === me || presence !== "offline" || media.has(id))
    .sort(([a, one], [b, other]) => Number(b === me) - Number(a === me) || one.joined_at - other.joined_at);
  const offline = [...participants].filter(
    ([id, { presence }]) => id !== me && presence === "offline" && !media.has(id),
  );

  return (
    <Panel
      title="People"
      count={rows.length}
      testId="people-panel"
      asSheet={asSheet}
      onClose={onClose}
      actions={
        <>
          <button
            className="ib"
            aria-label="Copy invite link"
            title="Copy invite link"
            onClick={onCopyInvite}
          >
            <UserRoundPlus className="i s" aria-hidden="true" />
          </button>
          {classMenu.length > 0 && (
            <MenuButton
              label="Rules of this class"
              className="btn small"
              entries={classMenu}
              testId="class-menu"
            >
              <ShieldCheck className="i xs" aria-hidden="true" />
              Class
            </MenuButton>
          )}
        </>
      }
    >
      <div className="panel-scroll">
        <Lobby />
        <Hands />
        <ul className="people-list" aria-label="Here">
          {rows.map(([id, participant]) => (
            <PersonRow
              key={id}
              id={id}
              participant={participant}
              seen={id === me ? ownMedia(state) : media.get(id)}
              onWriteTo={onWriteTo}
            />
          ))}
        </ul>
        {offline.length > 0 && (
          <>
            <h3 className="sub-hd">Offline, seat kept {offline.length}</h3>
            <ul className="people-list" aria-label="Offline">
              {offline.map(([id, participant]) => (
                <PersonRow
                  key={id}
                  id={id}
                  participant={participant}
                  seen={undefined}
                  onWriteTo={onWriteTo}
                />
              ))}
            </ul>
          </>
        )}
        <Bans />
      </div>
    </Panel>
  );
}

type Seen = Pick<Person, "microphone" | "cameraOn" | "speaking">;

function ownMedia({ me }: ClassroomState): Seen {
  return { microphone: me.microphone.on ? "on" : "muted", cameraOn: me.camera.on, speaking: me.speaking };
}

// ---- At the door ----

function Lobby() {
  const waiting = useAll("waiting");
  const mayAdmit = useCan("lobby.admit");
  const act = useAct();
  const now = useServerNow(waiting.size > 0);
  if (!mayAdmit || waiting.size === 0) return null;
  const people = [...waiting].sort(([, a], [, b]) => a.since - b.since);

  return (
    <section className="part iris-part" aria-label="Waiting to be let in" data-testid="lobby">
      <div className="row">
        <h3 className="grow">
          Waiting at the door <span className="mut">{people.length}</span>
        </h3>
        {people.length > 1 && (
          <button className="btn main small" onClick={() => void act("lobby.admit", { all: true })}>
            Let in all
          </button>
        )}
      </div>
      <ul>
        {people.map(([person, { name, since_at, lost_until }]) => (
          <li className="lrow" key={person}>
            <Plate id={person} name={name} />
            <span className="grow">
              <span className="nm cut" dir="auto">
                {name}
              </span>
              <span className="s13 mut">
                {lost_until === null
                  ? `waits ${waitWords(now - since_at)}`
                  : `lost the connection, place kept ${waitWords(lost_until - now)}`}
              </span>
            </span>
            <MenuButton
              label={`Decline ${name}`}
              className="btn small"
              entries={[
                { word: "Decline", run: () => void act("lobby.deny", { person }) },
                {
                  word: "Decline for good",
                  danger: true,
                  run: () => void act("lobby.deny", { person, ban: true }),
                },
              ]}
            >
              Decline
            </MenuButton>
            <button
              className="btn main small"
              data-testid="admit"
              onClick={() => void act("lobby.admit", { persons: [person] })}
            >
              Let in
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

// ---- Hands ----

function Hands() {
  const queue = useHandQueue();
  const session = useOne("session");
  const participants = useAll("participants");
  const mayCall = useCan("hand.call");
  const mayManage = useCan("hand.manage");
  const { id: me } = useMyself();
  const names = useNames();
  const act = useAct();
  const now = useServerNow(queue.length > 0);
  const floor = [...participants].filter(([, { floor_until }]) => floor_until !== null && floor_until > now);
  if (queue.length === 0 && floor.length === 0) return null;

  return (
    <section className="part" aria-label="Hands" data-testid="hands">
      <div className="row">
        <h3 className="grow">
          Hands <span className="mut">{queue.length}</span>
        </h3>
        {mayManage && queue.length > 0 && (
          <MenuButton
            label="Order of hands"
            className="btn small quiet"
            entries={[
              {
                word: "First come, first called",
                checked: session?.hand_order === "fifo",
                run: () => void act("hand.reorder", { order: "fifo" }),
              },
              {
                word: "Least heard first",
                checked: session?.hand_order === "least_heard_first",
                run: () => void act("hand.reorder", { order: "least_heard_first" }),
              },
              { heading: "All of them" },
              { word: "Lower all hands", run: () => void act("hand.dismiss", { all: true }) },
            ]}
          >
            {session?.hand_order === "least_heard_first" ? "Least heard first" : "In order"}
          </MenuButton>
        )}
      </div>
      <ol>
        {floor.map(([person, { name }]) => (
          <li className="hrow floor" key={`floor ${person}`}>
            <Mic className="i s" aria-hidden="true" />
            <Plate id={person} name={name} />
            <span className="grow">
              <span className="nm cut">{names(person)}</span>
              <span className="s13 mut">{person === me ? "have the word" : "has the word"}</span>
            </span>
          </li>
        ))}
        {queue.map(({ person, hand, place }) => (
          <li
            key={person}
            className={["hrow", place === 1 ? "next" : "", hand.away ? "away" : ""].join(" ")}
            data-testid="hand"
            data-person={person}
          >
            <span className="pos">{place ?? "–"}</span>
            <Plate id={person} name={participants.get(person)?.name ?? names(person)} />
            <span className="grow">
              <span className="nm cut" dir="auto">
                {names(person)}
              </span>
              <span className="s13 mut cut">
                {hand.away
                  ? "away, place is kept"
                  : `${intentWords[hand.intent]}, ${waitWords(now - hand.since_at)}${hand.called === 0 ? "" : `, called ${hand.called}×`}`}
              </span>
            </span>
            {mayCall && (
              <button
                className={place === 1 ? "btn small ask" : "btn small"}
                onClick={() => void act("hand.call", { person })}
              >
                Call on
              </button>
            )}
            {mayManage && (
              <button
                className="btn small quiet"
                aria-label={`Lower the hand of ${names(person)}`}
                onClick={() => void act("hand.dismiss", { persons: [person] })}
              >
                Lower
              </button>
            )}
            {person === me && !mayManage && (
              <button className="btn small quiet" onClick={() => void act("hand.lower")}>
                Lower
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

// ---- Everybody ----

interface RowProps {
  id: string;
  participant: Participant;
  seen: Seen | undefined;
  onWriteTo: (person: string) => void;
}

function PersonRow({ id, participant, seen, onWriteTo }: RowProps) {
  const { id: me } = useMyself();
  const mySpace = useMySpace();
  const titles = useOne("breakouts")?.groups;
  const presents = useOne("spaces", participant.space)?.presenter?.person === id;
  const queue = useHandQueue();
  const menu = usePersonMenu(id, participant, seen?.microphone === "on", onWriteTo);
  const { name, presence, space } = participant;
  const role = notableRole(participant.role);
  const inQueue = queue.find(({ person }) => person === id);
  const notes = [
    role,
    presents ? "presents" : "",
    space === mySpace ? "" : `${space === "main" ? "in the" : "at"} ${spaceTitle(space, titles)}`,
  ].filter((note) => note !== "");

  return (
    <li className="prow" data-testid="person" data-person={id} data-presence={presence}>
      <Plate id={id} name={name} />
      <span className="grow">
        <span className="nm cut" dir="auto">
          {id === me ? `${name}, you` : name}
        </span>
        {notes.length > 0 && <span className="s13 role cut">{notes.join(", ")}</span>}
      </span>
      {inQueue !== undefined && (
        <span className="chip iris">
          <Hand className="i xs" aria-hidden="true" />
          <span className="vh">hand up, </span>
          {inQueue.place ?? "–"}
        </span>
      )}
      {presence === "reconnecting" && <span className="chip lamp">Reconnecting</span>}
      {presence === "offline" && <span className="chip">Offline</span>}
      {presence === "online" && seen?.speaking === true && (
        <span className="chip speaking">
          <span className="wave" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <span className="vh">speaking</span>
        </span>
      )}
      {presence === "online" && seen !== undefined && (
        <>
          {seen.cameraOn ? (
            <Video className="i s" aria-hidden="true" />
          ) : (
            <VideoOff className="i s" aria-hidden="true" />
          )}
          {seen.microphone === "on" ? (
            <Mic className="i s" aria-hidden="true" />
          ) : (
            <MicOff className="i s" aria-hidden="true" />
          )}
          <span className="vh">
            {seen.microphone === "on" ? "microphone on" : "muted"},{" "}
            {seen.cameraOn ? "camera on" : "camera off"}
          </span>
        </>
      )}
      {menu.length > 0 && (
        <MenuButton
          label={id === me ? "What you can do" : `What to do about ${name}`}
          entries={menu}
          testId="person-menu"
        >
          <EllipsisVertical className="i s" aria-hidden="true" />
        </MenuButton>
      )}
    </li>
  );
}

function Bans() {
  const bans = useAll("bans");
  const names = useNames();
  const mayLift = useCan("participant.ban");
  const mayLiftRemoval = useCan("lobby.admit");
  const { id: me } = useMyself();
  const act = useAct();
  const others = [...bans].filter(([person]) => person !== me);
  if (others.length === 0) return null;
  return (
    <>
      <h3 className="sub-hd">May not come back {others.length}</h3>
      <ul className="people-list">
        {others.map(([person, { banned }]) => (
          <li className="prow" key={person} data-testid="ban">
            <Plate id={person} name={names(person)} />
            <span className="grow">
              <span className="nm cut">{names(person)}</span>
              <span className="s13 mut">{banned ? "banned" : "removed"}</span>
            </span>
            {(banned ? mayLift : mayLiftRemoval || mayLift) && (
              <button
                className="btn small"
                onClick={() =>
                  void act("ban.lift", { person }).then((outcome) => {
                    if (outcome.status === "accepted") notice(`${names(person)} may come back.`);
                  })
                }
              >
                Let back in
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

export function Plate({ id, name }: { id: string; name: string }) {
  return (
    <span className={`plate ${hueClass(id)}`} aria-hidden="true">
      {initial(name)}
    </span>
  );
}
