// A class held by the SDK without media, against a real server: two learners and a teacher, with networks that are really cut and a
// server that is really killed. What must never happen: somebody in the wrong group, an answer that is lost or counted twice, a right
// that comes too late, and two who see a different class without noticing.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import WebSocket from "ws";
import { StateConnection } from "../../web/sdk/dist/state/index.js";
import { Server, accessToken } from "../browser/server.mjs";
import { until } from "../browser/until.mjs";
import { Network } from "./network.mjs";

let server;
let here = [];
let room;
let classes = 0;

before(async () => {
  server = await Server.start("node-state");
});

afterEach(async () => {
  for (const person of here) await person.goes();
  here = [];
});

after(async () => {
  await server?.stop();
});

class Person {
  static async comes(name, role = "learner") {
    const person = new Person();
    here.push(person);
    person.name = name;
    person.network = await Network.to(server.httpPort);
    const token = accessToken({
      identity: name,
      name,
      lyceum: { role },
      video: { roomJoin: true, room, roomAdmin: role === "instructor" },
    });
    person.state = new StateConnection({
      url: person.network.url,
      token,
      name: `${room}-${name}`,
      storage: null,
      createSocket: (url) => new WebSocket(url),
    });
    person.events = [];
    person.store.onEvent((event) => person.events.push(event.type));
    person.state.connect();
    await person.state.untilInside();
    return person;
  }

  get store() {
    return this.state.store;
  }

  /** Does what must succeed; gives the outcome. */
  async does(type, payload, options) {
    const outcome = await this.state.command(type, payload, options);
    assert.equal(outcome.status, "accepted", `${this.name}: ${type}: ${JSON.stringify(outcome)}`);
    return outcome;
  }

  sees(what, condition) {
    return until(
      () => condition(this.store),
      `${this.name} sees ${what}`,
      () => JSON.stringify({ status: this.state.status, counters: this.state.counters, seq: this.store.seq }),
    );
  }

  async isInside() {
    await until(
      () => this.state.connected && this.state.status.phase === "inside",
      `${this.name} is inside`,
      () => JSON.stringify(this.state.status),
    );
  }

  /** Has agreed with the server from here on, and always before. */
  async agrees() {
    const { pulses } = this.state.counters;
    await until(() => this.state.counters.pulses > pulses, `${this.name} hears a pulse`);
    assert.equal(this.state.counters.divergences, 0, `${this.name} saw another class than the server`);
  }

  async goes() {
    this.state.leave();
    await this.network.close();
  }
}

/** A teacher and two learners. */
async function aClass() {
  room = `state-${++classes}`;
  const teacher = await Person.comes("teacher", "instructor");
  const [amina, ben] = [await Person.comes("amina"), await Person.comes("ben")];
  return { teacher, amina, ben };
}

async function allAgree(...people) {
  await Promise.all(people.map((person) => person.agrees()));
}

const options = (...chosen) => [{ kind: "options", options: chosen }];

/** The teacher asks something with two options; gives the poll's id. */
async function asks(teacher, spec = {}, duration_ms = undefined) {
  const items = [{ kind: "single", text: "Which?", options: ["This", "That"] }];
  const { first } = await teacher.does("activity.create", { spec: { items, ...spec } });
  await teacher.does("poll.open", { poll: first, duration_ms });
  return first;
}

describe("a class without media", () => {
  it("shows everybody the same", async () => {
    const { teacher, amina, ben } = await aClass();
    await amina.does("hand.raise", { intent: "help" });
    await teacher.sees("the hand", (store) => store.all("hands").has("amina"));
    await teacher.does("chat.send", { body: "Ça va? 🌍" });
    await ben.sees("the message", (store) => store.all("messages").size === 1);
    const refused = await ben.state.command("session.lock");
    assert.equal(refused.code, "forbidden");
    assert.equal(amina.store.can("session.lock"), false);
    assert.equal(teacher.store.can("session.lock"), true);
    await allAgree(teacher, amina, ben);
  });

  it("puts nobody into the wrong group who was away when groups opened", async () => {
    const { teacher, amina, ben } = await aClass();
    const groups = [
      { space: "red", persons: ["amina"] },
      { space: "blue", persons: ["ben"] },
    ];
    await teacher.does("breakouts.plan", { mode: "manual", groups, seed: 1 });
    amina.network.goesAway();
    await teacher.does("breakouts.open", {}, { expect: teacher.store.one("breakouts").rev });
    await ben.sees("the group", (store) => store.me.space === "blue");
    // Said while nobody listens: it is meant for where she is by then.
    const said = amina.state.command("chat.send", { body: "where am I?" });
    amina.network.comesBack();
    await amina.sees("the group", (store) => store.me.space === "red");
    assert.equal((await said).status, "accepted");
    assert.deepEqual([...amina.store.all("messages").values()].at(-1).to, { kind: "space", space: "red" });
    await ben.does("chat.send", { body: "blue here" });
    assert.equal(amina.store.all("messages").size, 1);
    assert.equal(amina.store.one("spaces", "blue"), undefined);
    amina.network.cut();
    await teacher.does("breakouts.close", { warn_s: 0 }, { expect: teacher.store.one("breakouts").rev });
    for (const person of [amina, ben])
      await person.sees("the main room", (store) => store.me.space === "main");
    await allAgree(teacher, amina, ben);
  });

  it("counts an answer once whose acknowledgement was lost, and one whose way was cut", async () => {
    const { teacher, amina, ben } = await aClass();
    const poll = await asks(teacher);
    for (const person of [amina, ben])
      await person.sees("the poll", (store) => store.one("polls", poll)?.asked);

    // Amina's answer arrives, and no word of it comes back. Ben's does not even arrive.
    amina.network.loses.down = true;
    ben.network.loses.up = true;
    const answers = [amina, ben].map((person, option) =>
      person.state.command("poll.respond", { poll, answers: options(option) }),
    );
    await teacher.sees("one answer", (store) => store.one("results", poll)?.responded === 1);
    for (const { network } of [amina, ben]) {
      network.cut();
      network.comesBack();
    }
    for (const outcome of await Promise.all(answers)) {
      assert.deepEqual([outcome.status, outcome.response], ["accepted", "counted"]);
    }
    await teacher.sees("two answers", (store) => store.one("results", poll)?.responded === 2);
    assert.deepEqual(teacher.store.one("results", poll).tally, { people: 2, items: [[1, 1]] });
    const log = (await server.events(room)).filter(({ type }) => type === "poll.responded");
    assert.equal(log.length, 2);
    await allAgree(teacher, amina, ben);
  });

  it("counts the draft of somebody whose network is gone at the close", async () => {
    const { teacher, amina } = await aClass();
    const poll = await asks(teacher, { grace_ms: 0 });
    await amina.sees("the poll", (store) => store.one("polls", poll)?.asked);
    amina.state.saveDraft(poll, options(1));
    await until(() => amina.state.pending.length === 1, "the draft goes out");
    await until(() => amina.state.pending.length === 0, "the draft is kept");
    amina.network.goesAway();
    await teacher.does("poll.close", { poll }, { expect: teacher.store.one("polls", poll).rev });
    await teacher.sees("the close", (store) => store.one("polls", poll).status === "closed");
    assert.deepEqual(teacher.store.one("results", poll).tally.items, [[0, 1]]);
    amina.network.comesBack();
    await amina.sees("her answer", (store) => store.one("responses", `${poll}:amina`)?.status === "counted");
    await allAgree(teacher, amina);
  });

  it("submits what is half written when the poll closes", async () => {
    const { teacher, amina } = await aClass();
    const poll = await asks(teacher, { grace_ms: 4_000 });
    await amina.sees("the poll", (store) => store.one("polls", poll)?.asked);
    const closing = teacher.does("poll.close", { poll }, { expect: teacher.store.one("polls", poll).rev });
    amina.state.saveDraft(poll, options(0));
    await closing;
    await teacher.sees("the close", (store) => store.one("polls", poll).status === "closed");
    await amina.sees("her answer", (store) => store.one("responses", `${poll}:amina`)?.status === "counted");
    await allAgree(teacher, amina);
  });

  it("keeps an answer for the teacher that came after the close", async () => {
    const { teacher, amina } = await aClass();
    const poll = await asks(teacher, { grace_ms: 0 });
    await amina.sees("the poll", (store) => store.one("polls", poll)?.asked);
    amina.network.goesAway();
    const late = amina.state.command("poll.respond", { poll, answers: options(1) });
    await teacher.does("poll.close", { poll }, { expect: teacher.store.one("polls", poll).rev });
    await teacher.sees("the close", (store) => store.one("polls", poll).status === "closed");
    // Servers allow for 150 ms between their clocks.
    await new Promise((passed) => setTimeout(passed, 400));
    amina.network.comesBack();
    const outcome = await late;
    assert.equal(outcome.code, "closed");
    assert.ok(outcome.kept > 0);
    await teacher.sees(
      "the late answer",
      (store) => store.one("responses", `${poll}:amina`)?.status === "late",
    );
    await allAgree(teacher, amina);
  });

  it("takes a right away at once, whatever was on its way", async () => {
    const { teacher, amina } = await aClass();
    // Amina writes while she does not know yet that writing was locked.
    amina.network.loses.down = true;
    const { rev } = teacher.store.one("session");
    await teacher.does("policy.set", { patch: { locks: ["chat.send"] } }, { expect: rev });
    assert.equal(amina.store.can("chat.send"), true);
    const written = amina.state.command("chat.send", { body: "too late" });
    await new Promise((passed) => setTimeout(passed, 300));
    amina.network.cut();
    amina.network.comesBack();
    const outcome = await written;
    assert.equal(outcome.code, "stale_grant");
    assert.equal(outcome.grant.caps.includes("chat.send"), false);
    assert.equal(teacher.store.all("messages").size, 0);
    await amina.sees("the lock", (store) => !store.can("chat.send"));
    await allAgree(teacher, amina);
  });

  it("lets one of two who change the same thing be first", async () => {
    const { teacher } = await aClass();
    const assistant = await Person.comes("assistant", "co_instructor");
    const { rev } = teacher.store.one("session");
    const both = await Promise.all(
      [teacher, assistant].map((person, n) =>
        person.state.command("policy.set", { patch: { floor_ms: 10_000 + n } }, { expect: rev }),
      ),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), ["accepted", "rejected"]);
    const late = both.find(({ status }) => status === "rejected");
    assert.equal(late.code, "conflict");
    assert.equal(late.current, teacher.store.one("session").rev);
    await allAgree(teacher, assistant);
  });

  it("lets nobody in who has to wait, until somebody says so", async () => {
    const { teacher } = await aClass();
    const { rev } = teacher.store.one("session");
    await teacher.does("policy.set", { patch: { lobby: "ask" } }, { expect: rev });
    const coming = Person.comes("chiara");
    await teacher.sees("who waits", (store) => store.all("waiting").has("chiara"));
    const chiara = here.at(-1);
    assert.equal(chiara.state.status.phase, "waiting");
    assert.equal(chiara.store.all("participants").size, 0);
    await teacher.does("lobby.admit", { persons: ["chiara"] });
    await coming;
    assert.equal(chiara.store.me.name, "chiara");
    await allAgree(teacher, chiara);

    await teacher.does("participant.remove", { person: "chiara" });
    await until(() => chiara.state.status.phase === "ended", "chiara is told");
    assert.equal(chiara.state.status.code, "not_admitted");
  });

  it("survives a server that is killed", async () => {
    const { teacher, amina, ben } = await aClass();
    const poll = await asks(teacher);
    for (const person of [amina, ben])
      await person.sees("the poll", (store) => store.one("polls", poll)?.asked);
    await amina.does("poll.respond", { poll, answers: options(0) });
    await amina.does("hand.raise");
    await server.kill();
    const outcomes = [
      ben.state.command("poll.respond", { poll, answers: options(1) }),
      amina.state.command("hand.lower"),
      teacher.state.command("chat.send", { body: "still here?" }),
    ];
    await server.start();
    for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.status, "accepted");
    for (const person of [teacher, amina, ben]) {
      await person.isInside();
      await person.sees("the message", (store) => store.all("messages").size === 1);
      assert.equal(person.store.all("hands").size, 0);
    }
    assert.deepEqual(teacher.store.one("results", poll).tally.items, [[1, 1]]);
    await allAgree(teacher, amina, ben);
  });

  it("agrees whatever is cut whenever", async () => {
    const { teacher, amina, ben } = await aClass();
    const people = [teacher, amina, ben];
    const outcomes = [];
    for (let step = 0; step < 40; step += 1) {
      const person = people[step % 3];
      outcomes.push(person.state.command("chat.send", { body: `words ${step}` }));
      if (step % 2 === 0) outcomes.push(amina.state.command(step % 4 === 0 ? "hand.raise" : "hand.lower"));
      if (step % 5 === 4) people[(step + 1) % 3].network.cut();
      await new Promise((passed) => setTimeout(passed, (step * 37) % 120));
    }
    const codes = (await Promise.all(outcomes)).map((outcome) => outcome.code ?? outcome.status);
    assert.deepEqual([...new Set(codes)], ["accepted"]);
    for (const person of people) {
      await person.sees("all of it", (store) => store.all("messages").size === 40);
      const own = [...person.store.all("messages").values()].filter(({ author }) => author === person.name);
      const steps = own.map(({ body }) => Number(body.split(" ")[1]));
      assert.deepEqual(
        steps,
        [...steps].sort((a, b) => a - b),
      );
    }
    await allAgree(...people);
  });
});
