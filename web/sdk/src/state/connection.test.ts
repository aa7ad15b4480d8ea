import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeClass } from "../testing/fake-class.js";
import { fakeStorage } from "../testing/fakes.js";
import { StateConnection, StateEnded } from "./connection.js";
import type { Outcome } from "./outbox.js";

let server: FakeClass;
let here: StateConnection[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new FakeClass();
  here = [];
});

afterEach(() => {
  for (const person of here) person.disconnect();
  vi.useRealTimers();
});

function person(
  token: string | (() => Promise<string>),
  storage: Storage | null = fakeStorage(),
  random = 0.5,
) {
  const made = new StateConnection({
    url: "https://class.example.org/",
    token,
    name: "maths",
    storage,
    createSocket: server.createSocket,
    random: () => random,
  });
  here.push(made);
  return made;
}

async function comesIn(token: string, storage?: Storage): Promise<StateConnection> {
  const made = person(token, storage);
  made.connect();
  await passes(50);
  expect(made.status.phase).toBe("inside");
  return made;
}

const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Both see the same, by the same hash. */
function agree(person: StateConnection) {
  expect(person.store.hash).toBe(server.hash());
  for (const [name, entities] of Object.entries(server.entities)) {
    expect(Object.fromEntries(person.store.all(name as "hands"))).toEqual(entities);
  }
}

describe("coming in", () => {
  it("says hello, is welcomed, and sees the class", async () => {
    const amina = await comesIn("amina");
    expect(server.sockets[0]?.url).toBe("wss://class.example.org/classroom/v1");
    expect(server.hellos[0]).toMatchObject({ token: "amina", client: { sdk: "lyceum-js" } });
    expect(server.hellos[0]).not.toHaveProperty("seq");
    expect(amina.store.you).toBe("amina");
    expect(amina.store.me?.name).toBe("amina 🌍 é");
    expect(amina.store.can("hand.raise")).toBe(true);
    agree(amina);
  });

  it("waits in the lobby until it is let in", async () => {
    server.lobby = true;
    const amina = person("amina");
    amina.connect();
    const inside = vi.fn();
    void amina.untilInside().then(inside);
    await passes(60_000);
    expect(amina.status.phase).toBe("waiting");
    expect(inside).not.toHaveBeenCalled();
    server.admits("amina");
    await passes(50);
    expect(amina.status.phase).toBe("inside");
    expect(inside).toHaveBeenCalled();
  });

  it("ends with the server's word if there is no way in", async () => {
    const stranger = person("stranger");
    stranger.connect();
    const refused = stranger.untilInside().catch((error: unknown) => error);
    await passes(100_000);
    expect(stranger.status).toMatchObject({ phase: "ended", code: "unauthorized", message: "who?" });
    expect(await refused).toBeInstanceOf(StateEnded);
    expect(server.hellos).toHaveLength(1);
  });

  it("goes on trying while the server is away", async () => {
    server.isDown = true;
    const amina = person("amina");
    amina.connect();
    await passes(20_000);
    expect(amina.status.phase).toBe("joining");
    server.isDown = false;
    await passes(7_000);
    expect(amina.status.phase).toBe("inside");
  });
});

describe("being told", () => {
  it("changes what changed and nothing else", async () => {
    const amina = await comesIn("amina");
    const [people, hands] = [amina.store.all("participants"), amina.store.all("hands")];
    const self = amina.store.me;
    const told = vi.fn();
    const toldOfPeople = vi.fn();
    amina.store.subscribeTo("hands", told);
    amina.store.subscribeTo("participants", toldOfPeople);
    server.happens("hand.raised", { person: "ben" }, [{ in: "hands", id: "ben", is: { since: 3 } }]);
    await passes(10);
    expect(told).toHaveBeenCalledTimes(1);
    expect(toldOfPeople).not.toHaveBeenCalled();
    expect(amina.store.all("hands")).not.toBe(hands);
    expect(amina.store.all("participants")).toBe(people);
    expect(amina.store.me).toBe(self);
    expect(amina.store.all("hands")).toBe(amina.store.all("hands"));
  });

  it("keeps entities that a new snapshot has again", async () => {
    server.deltaReach = 0;
    const amina = await comesIn("amina");
    const self = amina.store.me;
    server.cut();
    server.happens("hand.raised", { person: "ben" }, [{ in: "hands", id: "ben", is: { since: 3 } }]);
    await passes(1_000);
    expect(amina.counters).toMatchObject({ snapshots: 2, deltas: 0 });
    expect(amina.store.me).toBe(self);
    agree(amina);
  });

  it("tells events in order, each once", async () => {
    const amina = await comesIn("amina");
    const types: number[] = [];
    amina.store.onEvent((event) => types.push(event.seq));
    for (let n = 0; n < 3; n += 1) server.happens("hand.lowered", { persons: [] }, []);
    await passes(10);
    server.cut();
    for (let n = 0; n < 3; n += 1) server.happens("hand.lowered", { persons: [] }, []);
    await passes(1_000);
    server.happens("hand.lowered", { persons: [] }, []);
    await passes(10);
    expect(types).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  it("does not let an older place cover a newer one", async () => {
    const amina = await comesIn("amina");
    const old = {
      t: "ev",
      event: { seq: 1, at: 0 },
      changes: [{ in: "hands", id: "ben", is: { since: 1 } }],
    };
    server.socket?.tell(old);
    await passes(10);
    expect(amina.store.all("hands").size).toBe(0);
  });

  it("shrugs at what it does not understand", async () => {
    const amina = await comesIn("amina");
    server.socket?.tell({ t: "later invention" });
    server.socket?.onmessage?.({ data: "{" });
    server.happens("later.invented", { what: 1 }, [
      { in: "inventions", id: "1", is: { 10: 1, 9: [true, null], "\ufffd": "\u0007\u2028", "🙂": "" } },
    ]);
    await passes(10);
    expect(amina.status.phase).toBe("inside");
    agree(amina);
  });

  it("knows the server's time", async () => {
    server.aheadMs = 3_600_000;
    const amina = await comesIn("amina");
    await passes(5_000);
    expect(Math.abs(amina.clock.offsetMs - 3_600_000)).toBeLessThan(1);
    expect(amina.clock.serverNow()).toBe(Date.now() + 3_600_000);
  });
});

describe("the hash", () => {
  it("agrees by itself", async () => {
    const amina = await comesIn("amina");
    const raised = amina.command("hand.raise", { intent: "help" });
    await passes(20);
    await raised;
    server.pulses();
    await passes(10);
    expect(amina.counters).toMatchObject({ pulses: 1, divergences: 0 });
  });

  it("brings everything anew where it differs", async () => {
    const amina = await comesIn("amina");
    server.entities.spaces = { main: { rev: 1 } };
    server.pulses();
    await passes(1_000);
    expect(amina.counters).toMatchObject({ divergences: 1, snapshots: 2 });
    expect(server.hellos[1]).not.toHaveProperty("seq");
    agree(amina);
    server.pulses();
    await passes(10);
    expect(amina.counters.divergences).toBe(1);
  });

  it("does not hammer a server that never agrees", async () => {
    const amina = await comesIn("amina");
    server.hash = () => "00000000";
    for (let second = 0; second < 60; second += 1) {
      server.pulses();
      await passes(1_000);
    }
    expect(amina.counters.divergences).toBeGreaterThan(3);
    expect(server.hellos.length).toBeLessThan(25);
  });
});

describe("commands", () => {
  it("have the server's outcome", async () => {
    const amina = await comesIn("amina");
    const raised = amina.command("hand.raise");
    await passes(20);
    expect(await raised).toEqual({ status: "accepted", first: 3, last: 3, enforced: true });
    const set = amina.command("policy.set", { patch: { lobby: "ask" } }, { expect: 3 });
    await passes(20);
    expect(await set).toMatchObject({ status: "rejected", code: "conflict", current: 7 });
    expect(server.received[1]).toMatchObject({ type: "policy.set", expect: 3, epoch: 1 });
    expect(amina.pending).toHaveLength(0);
  });

  it("happen once, whether the question or the answer was lost", async () => {
    const amina = await comesIn("amina");
    for (const lost of ["cmd", "ack"]) {
      let cuts = 1;
      server.fate = ({ message }) => (message.t === lost && cuts-- > 0 ? "cut" : null);
      const said = amina.command("chat.send", { body: lost });
      await passes(2_000);
      expect(await said).toMatchObject({ status: "accepted" });
    }
    const bodies = [...amina.store.all("messages").values()].map((message) => message.body);
    expect(bodies).toEqual(["cmd", "ack"]);
    agree(amina);
  });

  it("go out in order after a break, with the same ids", async () => {
    const amina = await comesIn("amina");
    server.isDown = true;
    server.cut();
    await passes(10);
    const outcomes = ["one", "two", "three"].map((body) => amina.command("chat.send", { body }));
    const ids = amina.pending.map((pending) => pending.id);
    expect([...ids].sort()).toEqual(ids);
    await passes(5_000);
    server.isDown = false;
    await passes(7_000);
    expect((await Promise.all(outcomes)).map((outcome) => outcome.status)).toEqual(Array(3).fill("accepted"));
    expect(server.received.map(({ id }) => id)).toEqual(ids);
  });

  it("are not told twice by a doubled answer", async () => {
    const amina = await comesIn("amina");
    const outcomes: Outcome[] = [];
    amina.onOutcome((_, outcome) => outcomes.push(outcome));
    const raised = amina.command("hand.raise");
    const [{ id } = { id: "" }] = amina.pending;
    await passes(20);
    await raised;
    server.socket?.tell({ t: "ack", id, status: "rejected", code: "forbidden", message: "?" });
    server.socket?.tell({ t: "ack", id: "never sent", status: "accepted" });
    await passes(20);
    expect(outcomes).toHaveLength(1);
  });

  it("expire: a minute for a hand, half a minute for the rest", async () => {
    const amina = await comesIn("amina");
    server.isDown = true;
    server.cut();
    await passes(10);
    const settled: string[] = [];
    const note = (name: string) => (outcome: Outcome) =>
      settled.push(`${name} ${outcome.status === "rejected" ? outcome.code : "accepted"}`);
    void amina.command("chat.send", { body: "late" }).then(note("chat"));
    void amina.command("hand.raise").then(note("hand"));
    await passes(31_000);
    expect(settled).toEqual(["chat expired"]);
    server.isDown = false;
    await passes(7_000);
    expect(settled).toEqual(["chat expired", "hand accepted"]);
    expect(server.received.map(({ type }) => type)).toEqual(["hand.raise"]);
  });

  it("outlive a reload of the page, but not another class", async () => {
    const storage = fakeStorage();
    const amina = await comesIn("amina", storage);
    server.fate = ({ message }) => (message.t === "cmd" ? "lose" : null);
    void amina.command("chat.send", { body: "before the reload" });
    const [{ id } = { id: "" }] = amina.pending;
    await passes(10);
    amina.disconnect();
    server.fate = null;

    const again = person("amina", storage);
    const outcomes: string[] = [];
    again.onOutcome((pending, outcome) => outcomes.push(`${pending.type} ${outcome.status}`));
    again.connect();
    await passes(100);
    expect(server.received.map((command) => command.id)).toEqual([id]);
    expect(outcomes).toEqual(["chat.send accepted"]);
    expect(server.hellos[1]?.device).toBe(server.hellos[0]?.device);

    server.fate = ({ message }) => (message.t === "cmd" ? "lose" : null);
    void again.command("chat.send", { body: "in the old class" });
    again.disconnect();
    server.fate = null;
    server.session = "RM_2";
    await comesIn("amina", storage);
    expect(server.received).toHaveLength(1);
  });

  it("are bounded", async () => {
    const amina = person("amina");
    const many = Array.from({ length: 101 }, () => amina.command("hand.raise"));
    expect(await many[100]).toMatchObject({ status: "rejected", code: "full", sent: false });
    expect(amina.pending).toHaveLength(100);
  });
});

describe("coming back", () => {
  it("is told what it missed", async () => {
    const amina = await comesIn("amina");
    server.cut();
    server.happens("hand.raised", { person: "ben" }, [{ in: "hands", id: "ben", is: { since: 3 } }]);
    await passes(10);
    expect(amina.status).toMatchObject({ phase: "reconnecting", attempt: 1 });
    expect(amina.store.me).toBeDefined();
    await passes(1_000);
    expect(server.hellos[1]).toMatchObject({ token: "resume-amina", session: "RM_1", seq: 2 });
    expect(amina.counters).toMatchObject({ snapshots: 1, deltas: 1 });
    expect(amina.status.phase).toBe("inside");
    agree(amina);
  });

  it("notices a connection that is silent", async () => {
    const amina = await comesIn("amina");
    server.fate = () => "lose";
    await passes(12_500);
    expect(amina.status.phase).toBe("reconnecting");
    server.fate = null;
    await passes(15_000);
    expect(amina.status.phase).toBe("inside");
  });

  it("follows a bye", async () => {
    const amina = await comesIn("amina");
    server.saysBye("restart", true);
    await passes(20);
    expect(amina.status.phase).toBe("reconnecting");
    await passes(900);
    expect(server.hellos).toHaveLength(1);
    await passes(2_000);
    expect(amina.status.phase).toBe("inside");

    const unanswered = amina.command("hand.lower");
    server.saysBye("superseded", false);
    await passes(100_000);
    expect(amina.status).toMatchObject({ phase: "ended", code: "superseded" });
    expect(await unanswered).toMatchObject({ status: "rejected", code: "gone", sent: true });
    expect(server.hellos).toHaveLength(2);
    expect(await amina.command("hand.raise")).toMatchObject({ status: "rejected", code: "gone" });
  });

  it("fetches a new token where the old one is not taken any more", async () => {
    const tokens = ["amina", "amina"];
    const amina = person(() => Promise.resolve(tokens.shift() ?? "stranger"));
    amina.connect();
    await passes(50);
    const handle = server.handle.bind(server);
    let refusals = 1;
    server.handle = (socket, message) => {
      if (message.t === "hello" && refusals-- > 0) {
        socket.tell({ t: "bye", code: "unauthorized", message: "too old", retry: false });
        return;
      }
      handle(socket, message);
    };
    server.cut();
    await passes(3_000);
    expect(amina.status.phase).toBe("inside");
    expect(tokens).toEqual([]);
  });

  it("does not come back after a goodbye", async () => {
    const amina = await comesIn("amina");
    amina.leave();
    await passes(100_000);
    expect(amina.status).toMatchObject({ phase: "ended", code: "left" });
    expect(server.hellos).toHaveLength(1);
  });
});

describe("drafts", () => {
  const spec = { anonymity: "named", grace_ms: 5_000, items: [] };
  const poll = (more: object = {}) => [
    { in: "polls", id: "9", is: { rev: 9, status: "open", spec, ...more } },
  ];
  const drafts = () =>
    server.received.filter(({ type }) => type === "poll.save_draft").map(({ payload }) => payload?.answers);
  const chosen = (option: number) => [{ kind: "options" as const, options: [option] }];

  it("are sent a second after the last change", async () => {
    const amina = await comesIn("amina");
    server.happens("poll.opened", { poll: 9 }, poll());
    await passes(10);
    for (const option of [0, 1, 2]) {
      amina.saveDraft(9, chosen(option));
      await passes(500);
    }
    expect(drafts()).toEqual([]);
    await passes(600);
    expect(drafts()).toEqual([chosen(2)]);
  });

  it("go at once when the poll closes", async () => {
    const amina = await comesIn("amina");
    amina.saveDraft(9, chosen(1));
    server.happens("poll.closing", { poll: 9, closes_at: 0, accept_until: 0 }, poll({ status: "closing" }));
    await passes(20);
    expect(drafts()).toEqual([chosen(1)]);
  });

  it("give way to the answer, and to newer ones", async () => {
    const amina = await comesIn("amina");
    amina.saveDraft(9, chosen(1));
    void amina.command("poll.respond", { poll: 9, answers: chosen(3) });
    await passes(5_000);
    expect(drafts()).toEqual([]);

    server.isDown = true;
    server.cut();
    await passes(10);
    for (const option of [4, 5]) {
      amina.saveDraft(9, chosen(option));
      await passes(1_100);
    }
    server.isDown = false;
    await passes(8_000);
    expect(drafts()).toEqual([chosen(5)]);
  });

  it("of anonymous polls stay here", async () => {
    const amina = await comesIn("amina");
    server.happens("poll.opened", { poll: 9 }, poll({ spec: { ...spec, anonymity: "anonymous" } }));
    await passes(10);
    amina.saveDraft(9, chosen(1));
    await passes(5_000);
    expect(drafts()).toEqual([]);
  });

  it("answers wait as long as the teacher may still see them", async () => {
    const amina = await comesIn("amina");
    server.happens("poll.opened", { poll: 9 }, poll({ closes_at: Date.now() + 60_000, accept_until: null }));
    await passes(10);
    server.isDown = true;
    server.cut();
    await passes(10);
    const answered = amina.command("poll.respond", { poll: 9, answers: chosen(1) });
    await passes(600_000);
    server.isDown = false;
    await passes(7_000);
    expect(await answered).toMatchObject({ status: "accepted", response: "counted" });
  });
});

/** A class in which anything may be lost at any time: in the end each command has happened once, in order, and all agree. */
describe.each(Array.from({ length: 40 }, (_, seed) => seed + 1))(
  "whatever the network does (seed %i)",
  (seed) => {
    it("nothing is lost, doubled or out of order", async () => {
      const random = randomFrom(seed);
      server.deltaReach = Math.floor(random() * 12);
      server.fate = ({ message }) => {
        if (message.t === "pulse") return null;
        const dice = random();
        return dice < 0.05 ? "cut" : dice < 0.1 ? "deliver and cut" : null;
      };
      const people = ["amina", "ben"].map((name) => {
        const made = person(name, fakeStorage(), random());
        made.connect();
        return made;
      });
      const said = new Map(people.map((one) => [one, [] as string[]]));
      const outcomes: Promise<Outcome>[] = [];
      for (let step = 0; step < 60; step += 1) {
        const one = people[Math.floor(random() * people.length)];
        if (one === undefined) continue;
        const dice = random();
        if (dice < 0.5) {
          said.get(one)?.push(`words ${step}`);
          outcomes.push(one.command("chat.send", { body: `words ${step}` }, { ttlMs: 1_000_000 }));
        } else if (dice < 0.7) {
          outcomes.push(one.command(random() < 0.5 ? "hand.raise" : "hand.lower", {}, { ttlMs: 1_000_000 }));
        } else if (dice < 0.75) {
          server.cut();
        } else if (dice < 0.8) {
          server.isDown = !server.isDown;
        } else if (dice < 0.85) {
          server.saysBye("restart", true);
        }
        if (random() < 0.3) server.pulses();
        await passes(Math.floor(random() * 3_000));
      }
      server.fate = null;
      server.isDown = false;
      await passes(60_000);
      for (const outcome of await Promise.all(outcomes)) expect(outcome.status).toBe("accepted");
      for (const one of people) {
        agree(one);
        expect(one.counters.divergences).toBe(0);
        const mine = [...one.store.all("messages").values()].filter(({ author }) => author === one.store.you);
        expect(mine.map(({ body }) => body)).toEqual(said.get(one));
      }
      const { length } = Object.keys(server.entities.messages ?? {});
      expect(length).toBe([...said.values()].flat().length);
    });
  },
);

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
