// Boards and notes over the state socket, with `@lyceum/sdk/documents` against a real server: networks that are cut, a server that is
// killed, rights that are taken away meanwhile. At the end everybody has the same, by the server's own hash.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import WebSocket from "ws";
import {
  Documents,
  announceDeck,
  boardName,
  fetchDeck,
  notesName,
  uploadDeck,
} from "../../web/sdk/dist/documents/index.js";
import { StateConnection } from "../../web/sdk/dist/state/index.js";
import { Server, accessToken } from "../browser/server.mjs";
import { until } from "../browser/until.mjs";
import { Network } from "./network.mjs";

let server;
let here = [];
let room;
let classes = 0;

const board = boardName("main", null, 1);
const notes = notesName("main");

before(async () => {
  server = await Server.start("node-shared");
});

afterEach(async () => {
  for (const person of here) await person.goes();
  here = [];
});

after(() => server?.stop());

class Person {
  static async comes(name, role = "learner") {
    const person = new Person();
    here.push(person);
    person.name = name;
    person.network = await Network.to(server.httpPort);
    person.state = new StateConnection({
      url: person.network.url,
      token: accessToken({
        identity: name,
        name,
        lyceum: { role },
        video: { roomJoin: true, room },
      }),
      name: `${room}-${name}`,
      storage: null,
      createSocket: (url) => new WebSocket(url),
    });
    person.documents = new Documents(person.state);
    person.state.connect();
    await person.state.untilInside();
    return person;
  }

  async opens(name) {
    const opened = new Opened(this, this.documents.open(name));
    await opened.has("it is open", ({ phase }) => phase === "open");
    return opened;
  }

  async does(type, payload) {
    const outcome = await this.state.command(type, payload);
    assert.equal(outcome.status, "accepted", `${this.name}: ${type}: ${JSON.stringify(outcome)}`);
    return outcome;
  }

  async goes() {
    this.documents.close();
    this.state.leave();
    await this.network.close();
  }
}

/** A document as one person has it. */
class Opened {
  constructor(person, document) {
    Object.assign(this, { person, document });
  }

  get state() {
    return this.document.state;
  }

  get elements() {
    return this.state.doc.getMap("elements");
  }

  get text() {
    return this.state.doc.getText("notes");
  }

  draws(id, also = {}) {
    this.elements.set(id, {
      id,
      author: this.person.name,
      type: "freedraw",
      index: "a0",
      version: 1,
      ...also,
    });
  }

  has(what, condition) {
    return until(
      () => condition(this.state, this),
      `${this.person.name}: ${what}`,
      () => JSON.stringify({ ...this.shows(), counters: this.document.counters }),
    );
  }

  shows() {
    const { phase, problem, saved, scraps } = this.state;
    return {
      phase,
      problem,
      saved,
      scraps,
      ids: [...this.elements.keys()].sort(),
      text: this.text.toJSON(),
    };
  }
}

/** All have the same, and the server says so, too. */
async function agree(...all) {
  await until(
    () => all.every(({ state, document }) => state.saved && document.hash === all[0].document.hash),
    "everybody has the same",
    () => JSON.stringify(all.map((one) => one.shows())),
  );
  for (const one of all) {
    assert.deepEqual(one.elements.toJSON(), all[0].elements.toJSON());
    assert.equal(one.text.toJSON(), all[0].text.toJSON());
    const { agreed } = one.document.counters;
    await one.has("the server's hash", () => one.document.counters.agreed > agreed);
    assert.equal(one.document.counters.rebuilt, 0, `${one.person.name} had another document than the server`);
  }
}

async function aClass() {
  room = `shared-${(classes += 1)}`;
  const [ann, ben] = [await Person.comes("ann", "instructor"), await Person.comes("ben")];
  return { ann, ben };
}

async function aBoard(access = "own") {
  const { ann, ben } = await aClass();
  await ann.does("board.set_access", { access });
  return {
    ann,
    ben,
    hers: await ann.opens(board),
    his: await ben.opens(board),
  };
}

describe("documents over the state socket", () => {
  it("bring what each does to the other, saved means on the disk", async () => {
    const { hers, his } = await aBoard();
    hers.draws("line");
    his.draws("circle");
    await hers.has("his circle", () => hers.elements.has("circle"));
    await his.has("her line", () => his.elements.has("line"));
    await agree(hers, his);
    his.document.setPresence({
      name: "Ben",
      pointer: { x: 1, y: 2, tool: "pointer" },
    });
    await hers.has(
      "his pointer",
      ({ awareness }) => awareness.getStates().get(his.state.doc.clientID)?.pointer?.y === 2,
    );
  });

  it("are the same for both after a break in which both wrote", async () => {
    const { ann, ben } = await aClass();
    const [hers, his] = [await ann.opens(notes), await ben.opens(notes)];
    hers.text.insert(0, "Agenda. ");
    await his.has("her text", () => his.text.length > 0);
    ben.network.goesAway();
    await his.has("the break", ({ phase }) => phase === "away");
    for (let round = 0; round < 50; round += 1) {
      his.text.insert(his.text.length, `${round} `);
      hers.text.insert(0, "🙂");
      if (round % 5 === 4) hers.text.delete(2, 2);
    }
    assert.equal(his.state.saved, false);
    ben.network.comesBack();
    await agree(hers, his);
    assert.match(his.text.toJSON(), /48 49 /);
    assert.deepEqual(his.state.scraps, []);
  });

  it("give back what was drawn while the right to was taken away", async () => {
    const { ann, ben, hers, his } = await aBoard();
    his.draws("before");
    await hers.has("his stroke", () => hers.elements.has("before"));
    ben.network.goesAway();
    await his.has("the break", ({ phase }) => phase === "away");
    his.draws("one");
    his.draws("two", { points: [[0, 0]] });
    await ann.does("board.set_access", { access: "presenter" });
    hers.draws("lesson");
    ben.network.comesBack();
    await his.has("the scraps", ({ scraps }) => scraps.length === 1);
    const [scrap] = his.state.scraps;
    assert.deepEqual(scrap.elements.map(({ id }) => id).sort(), ["one", "two"]);
    await agree(hers, his);
    assert.deepEqual([...his.elements.keys()].sort(), ["before", "lesson"]);
    await ann.does("board.set_access", { access: "all" });
    await his.has("the right to draw", () => ben.state.store.can("board.draw"));
    his.draws("again");
    await hers.has("what he draws then", () => hers.elements.has("again"));
    await agree(hers, his);
  });

  it("give back what belongs to somebody else", async () => {
    const { hers, his } = await aBoard();
    hers.draws("line");
    await his.has("her line", () => his.elements.has("line"));
    his.draws("line", { author: "ann", version: 2 });
    await his.has("the scrap", ({ scraps }) => scraps.length === 1);
    assert.equal(his.state.scraps[0].code, "not_yours");
    await agree(hers, his);
    assert.equal(his.elements.get("line").version, 1);
  });

  it("have everything that was saved after the server was killed, and what was not comes again", async () => {
    const { ann, hers, his } = await aBoard("all");
    for (let at = 0; at < 40; at += 1) (at % 2 ? hers : his).draws(`e${at}`);
    await his.has("some of it saved", ({ saved }) => saved);
    const known = [...his.elements.keys()];
    await server.kill();
    hers.draws("meanwhile");
    his.draws("also");
    await server.start();
    await agree(hers, his);
    for (const id of [...known, "meanwhile", "also"]) assert.ok(hers.elements.has(id), `${id} is lost`);
    const late = await Person.comes("late", "instructor");
    const fresh = await late.opens(board);
    await agree(hers, his, fresh);
    await ann.does("board.clear", { deck: 0, page: 1 });
    await fresh.has("an empty board", () => fresh.elements.size === 0);
    await agree(hers, his, fresh);
  });

  it("stay closed to who may not see them", async () => {
    const { ben } = await aClass();
    const other = ben.documents.open(notesName("nowhere"));
    await until(
      () => other.state.phase === "closed",
      "it is closed",
      () => JSON.stringify(other.state.problem),
    );
    assert.equal(other.state.problem.code, "not_found");
  });
});

describe("slides", () => {
  /** One white point. */
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAGVMIswAAAABJRU5ErkJggg==",
    "base64",
  );
  const bytes = Uint8Array.from(png).buffer;

  it("are announced, brought, shown to everybody and fetched", async () => {
    const { ann, ben } = await aClass();
    const deck = await announceDeck(ann.state, {
      name: "point.png",
      type: "image/png",
      bytes,
    });
    await uploadDeck(ann.state, room, deck, bytes);
    const ready = () => ben.state.store.one("decks", deck)?.status?.ready?.pages === 1;
    await until(ready, "he sees that they are ready", () =>
      JSON.stringify(ben.state.store.one("decks", deck)),
    );
    await ann.does("page.set", { deck, page: 1 });
    await until(() => ben.state.store.one("spaces", "main")?.page?.deck === deck, "he is shown the page");
    const fetched = await fetchDeck(ben.state, room, deck);
    assert.deepEqual(Buffer.from(await fetched.arrayBuffer()), png);
  });

  it("are refused with a sentence", async () => {
    const { ann, ben } = await aClass();
    const text = { name: "notes.txt", type: "text/plain", bytes };
    await assert.rejects(announceDeck(ann.state, text), {
      name: "DeckError",
      code: "invalid",
    });
    const picture = { name: "point.png", type: "image/png", bytes };
    await assert.rejects(announceDeck(ben.state, picture), {
      name: "DeckError",
      code: "forbidden",
    });
    const deck = await announceDeck(ann.state, picture);
    const other = Uint8Array.of(1, 2, 3).buffer;
    await assert.rejects(uploadDeck(ann.state, room, deck, other), {
      name: "DeckError",
    });
    await assert.rejects(fetchDeck(ben.state, room, deck), {
      name: "DeckError",
    });
  });
});
