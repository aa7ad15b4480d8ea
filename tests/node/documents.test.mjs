// Boards and notes with Yjs's own provider, y-websocket, and with the SDK over the state socket, against a real server.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { Documents } from "../../web/sdk/dist/documents/index.js";
import { StateConnection } from "../../web/sdk/dist/state/index.js";
import { Server, accessToken } from "../browser/server.mjs";
import { until } from "../browser/until.mjs";

let server;
let here = [];
let classes = 0;

before(async () => {
  server = await Server.start("documents");
});

afterEach(() => {
  for (const somebody of here) somebody.leaves();
  here = [];
});

after(() => server?.stop());

/** Somebody in a class: a signalling socket that is left alone, so that they have a seat. */
class Person {
  static async joins(room, identity, role) {
    const person = new Person();
    person.token = accessToken({ identity, video: { roomJoin: true, room }, lyceum: { role } });
    await person.connects();
    here.push(person);
    return person;
  }

  async connects() {
    const query = `access_token=${this.token}&protocol=16&auto_subscribe=1`;
    this.socket = new WebSocket(`${server.signalUrl}/rtc?${query}`);
    await new Promise((resolve, reject) => {
      this.socket.once("message", resolve);
      this.socket.once("error", reject);
    });
    this.socket.on("error", () => {});
  }

  /** Opens a document as a page with y-websocket would. */
  opens(document) {
    const opened = new Opened(document, this.token);
    here.push(opened);
    return opened;
  }

  leaves() {
    this.socket.terminate();
  }
}

/** A document, and what its provider was told. */
class Opened {
  closed = [];
  denied = [];

  constructor(document, token) {
    this.doc = new Y.Doc();
    this.elements = this.doc.getMap("elements");
    this.text = this.doc.getText("notes");
    this.provider = new WebsocketProvider(`${server.signalUrl}/documents/v1`, document, this.doc, {
      params: { token },
      WebSocketPolyfill: WebSocket,
      disableBc: true,
      maxBackoffTime: 500,
    });
    this.provider.on("connection-close", (event) => event?.code && this.closed.push(event.code));
    this.provider.messageHandlers[2] = () => this.denied.push(true);
  }

  draws(id, author) {
    this.elements.set(id, { id, author, type: "freedraw", index: "a0", version: 1 });
  }

  shows() {
    // The keys of an object have no order.
    const elements = Object.entries(this.elements.toJSON()).map(([id, element]) => [
      id,
      Object.entries(element).sort(),
    ]);
    return JSON.stringify([elements.sort(), this.text.toString()]);
  }

  /** The hash of docs/documents.md, as a client works it out. */
  hash() {
    let text = "";
    const clocks = [...Y.decodeStateVector(Y.encodeStateVector(this.doc))].sort(([a], [b]) => a - b);
    for (const [client, clock] of clocks) text += `${client}=${clock};`;
    const { clients } = Y.createDeleteSetFromStructStore(this.doc.store);
    for (const [client, ranges] of [...clients].sort(([a], [b]) => a - b)) {
      for (const { clock, len } of ranges) text += `${client}:${clock}-${clock + len};`;
    }
    let hash = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return hash;
  }

  leaves() {
    this.provider.destroy();
    // With it goes the timer of its awareness.
    this.doc.destroy();
  }
}

const synced = (...all) =>
  until(() => all.every(({ provider }) => provider.synced), "everybody has the document");
const alike = (...all) =>
  until(
    () => all.every((one) => one.shows() === all[0].shows() && one.hash() === all[0].hash()),
    "everybody sees the same",
    () => all.map((one) => `${one.shows()} ${one.hash()}`).join("\n"),
  );

describe("Boards and notes with y-websocket", () => {
  it("brings two people's boards together, at once and after a break", async () => {
    const room = `documents-${(classes += 1)}`;
    const [ann, bob] = [
      await Person.joins(room, "ann", "instructor"),
      await Person.joins(room, "bob", "co_instructor"),
    ];
    const [hers, his] = [ann, bob].map((person) => person.opens("board:main:blank:1"));
    await synced(hers, his);
    hers.draws("line", "ann");
    his.draws("circle", "bob");
    await until(
      () => hers.elements.has("circle") && his.elements.has("line"),
      "each sees the other's stroke",
    );
    his.provider.disconnect();
    his.draws("offline", "bob");
    his.elements.delete("line");
    hers.draws("meanwhile", "ann");
    his.provider.connect();
    await until(
      () => hers.elements.has("offline") && his.elements.has("meanwhile"),
      "what was drawn offline is there",
    );
    await alike(hers, his);
    assert.equal(hers.elements.has("line"), false);
  });

  it("keeps each page to itself, and merges what is typed at the same time", async () => {
    const room = `documents-${(classes += 1)}`;
    const [ann, bob] = [
      await Person.joins(room, "ann", "instructor"),
      await Person.joins(room, "bob", "co_instructor"),
    ];
    const [one, other] = ["board:main:blank:1", "board:main:blank:2"].map((page) => ann.opens(page));
    const notes = [ann, bob].map((person) => person.opens("notes:main"));
    await synced(one, other, ...notes);
    one.draws("line", "ann");
    for (let round = 0; round < 20; round += 1) {
      notes[0].text.insert(round, "a");
      notes[1].text.insert(0, "🙂b");
      if (round % 4 === 3) notes[1].text.delete(2, 3);
    }
    await alike(...notes);
    const late = [bob.opens("board:main:blank:1"), bob.opens("board:main:blank:2"), bob.opens("notes:main")];
    await synced(...late);
    await alike(late[2], ...notes);
    assert.equal(late[0].elements.has("line"), true);
    assert.equal(late[1].elements.size, 0);
  });

  it("shows who is where, and who is gone", async () => {
    const room = `documents-${(classes += 1)}`;
    const [ann, bob] = [
      await Person.joins(room, "ann", "instructor"),
      await Person.joins(room, "bob", "learner"),
    ];
    const [hers, his] = [ann, bob].map((person) => person.opens("board:main:blank:1"));
    await synced(hers, his);
    hers.provider.awareness.setLocalState({ cursor: [1, 2] });
    const seen = () => his.provider.awareness.getStates().get(hers.doc.clientID);
    await until(() => seen()?.cursor?.[1] === 2, "he sees her cursor");
    hers.leaves();
    await until(() => seen() === undefined, "her cursor is gone");
  });

  it("has everything that anybody saw after kill -9", async () => {
    const room = `documents-${(classes += 1)}`;
    const [ann, bob] = [
      await Person.joins(room, "ann", "instructor"),
      await Person.joins(room, "bob", "co_instructor"),
    ];
    const [hers, his] = [ann, bob].map((person) => person.opens("notes:main"));
    await synced(hers, his);
    for (let round = 0; round < 400; round += 1) hers.text.insert(hers.text.length, `${round} `);
    await until(() => his.text.length > 100, "he sees some of it");
    await server.kill();
    const seen = his.text.toString();
    // Nobody who was there when it ended helps: a new document, before the others are back.
    [hers, his].forEach((opened) => opened.provider.disconnect());
    await server.start();
    const fresh = bob.opens("notes:main");
    await synced(fresh);
    assert.ok(fresh.text.toString().startsWith(seen), `${fresh.text} lacks something of ${seen}`);
    [hers, his].forEach((opened) => opened.provider.connect());
    await alike(hers, his, fresh);
    assert.ok(fresh.text.toString().endsWith("399 "), "and its author brought what she alone had");
  });

  it("closes who draws without permission with 4403, and takes them back as readers", async () => {
    const room = `documents-${(classes += 1)}`;
    const [ann, bob] = [
      await Person.joins(room, "ann", "instructor"),
      await Person.joins(room, "bob", "learner"),
    ];
    const [hers, his] = [ann, bob].map((person) => person.opens("board:main:blank:1"));
    await synced(hers, his);
    his.draws("doodle", "bob");
    await until(() => his.closed.includes(4403), "he is closed");
    // From version 3.1 on, y-websocket leaves it to the page whether to come back after 4403.
    his.provider.connect();
    await until(() => his.denied.length === 2, "he is told that he only reads");
    hers.draws("lesson", "ann");
    await until(() => his.elements.has("lesson"), "he still receives");
    his.draws("more", "bob");
    hers.draws("and on", "ann");
    await until(() => his.elements.has("and on"), "and is not closed again");
    assert.deepEqual(his.closed, [4403]);
    const late = ann.opens("board:main:blank:1");
    await synced(late);
    assert.deepEqual([...late.elements.keys()].sort(), ["and on", "lesson"]);
  });

  it("lets nobody in who is not in the class", async () => {
    const room = `documents-${(classes += 1)}`;
    const ann = await Person.joins(room, "ann", "instructor");
    const answer = (path, token) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${server.signalUrl}/documents/v1/${path}?token=${token}`);
        socket.once("unexpected-response", (_, response) => resolve(response.statusCode));
        socket.once("open", () => resolve("open"));
        socket.once("error", () => {});
        here.push({ leaves: () => socket.terminate() });
      });
    const stranger = accessToken({ identity: "eve", video: { roomJoin: true, room } });
    assert.equal(await answer("notes:main", ann.token), "open");
    assert.equal(await answer("notes:main", stranger), 403);
    assert.equal(await answer("notes:main", "forged"), 401);
    assert.equal(await answer("notes:nowhere", ann.token), 404);
    assert.equal(await answer("board:main:12:1", ann.token), 404);
    assert.equal(await answer("something", ann.token), 404);
  });
});

/** Somebody with the SDK: the class and its documents over one socket. */
class Member {
  static async joins(room, identity, role) {
    const member = new Member();
    here.push(member);
    const token = accessToken({ identity, video: { roomJoin: true, room }, lyceum: { role } });
    member.state = new StateConnection({
      url: server.signalUrl,
      token,
      name: `${room}-${identity}`,
      storage: null,
      createSocket: (url) => new WebSocket(url),
    });
    member.state.connect();
    await member.state.untilInside();
    member.documents = new Documents(member.state);
    return member;
  }

  async opens(name) {
    const document = this.documents.open(name);
    await until(
      () => document.state.phase === "open",
      `${name} is open`,
      () => document.state.problem,
    );
    return document;
  }

  async must(type, payload, expect) {
    const outcome = await this.state.command(type, payload, { expect });
    assert.equal(outcome.status, "accepted", JSON.stringify(outcome));
    return outcome;
  }

  leaves() {
    this.documents?.close();
    this.state.leave();
  }
}

const elements = (document) => document.state.doc.getMap("elements");
const draws = (document, id, author) => elements(document).set(id, { id, author, type: "line", version: 1 });

describe("Boards and notes over the state socket", () => {
  it("are the same as with y-websocket", async () => {
    const room = `documents-${(classes += 1)}`;
    const ann = await Member.joins(room, "ann", "instructor");
    const bob = await Person.joins(room, "bob", "co_instructor");
    const hers = await ann.opens("board:main:blank:1");
    const his = bob.opens("board:main:blank:1");
    await synced(his);
    draws(hers, "line", "ann");
    his.draws("circle", "bob");
    await until(
      () => elements(hers).has("circle") && his.elements.has("line"),
      "each sees the other's stroke",
    );
    await until(() => hers.state.saved, "her stroke is on the disk");
    hers.setPresence({ pointer: [1, 2] });
    const seen = () => his.provider.awareness.getStates().get(hers.state.doc.clientID);
    await until(() => seen()?.pointer?.[1] === 2, "he sees where she points");
    elements(hers).delete("line");
    await until(() => !his.elements.has("line"), "and that she deletes");
    await until(() => hers.counters.agreed > 0, "the hash of the pulse is that of her replica");
    assert.equal(hers.counters.disagreed, 0);
  });

  it("bring what was done offline, and give back what may not be done any more", async () => {
    const room = `documents-${(classes += 1)}`;
    const ann = await Member.joins(room, "ann", "instructor");
    const bob = await Member.joins(room, "bob", "co_instructor");
    const [hers, his] = [await ann.opens("board:main:blank:1"), await bob.opens("board:main:blank:1")];
    draws(hers, "line", "ann");
    await until(() => elements(his).has("line"), "he sees it");
    await server.kill();
    await until(() => his.state.phase === "away", "he is offline");
    draws(his, "offline", "bob");
    await server.start();
    await until(() => elements(hers).has("offline"), "what he drew offline is there");
    assert.equal(elements(hers).has("line"), true);
    await until(() => his.state.saved, "and on the disk");

    // A right that is gone when the answer comes.
    const { rev } = ann.state.store.one("participants", "bob");
    await ann.must("participant.set_role", { person: "bob", role: "observer" }, rev);
    draws(his, "late", "bob");
    await until(
      () => his.state.scraps.length === 1,
      "what he drew came back",
      () => his.state.problem,
    );
    assert.equal(his.state.scraps[0].elements[0].id, "late");
    assert.equal(elements(his).has("late"), false);
    await until(() => his.state.phase === "open", "he goes on reading");
    await ann.must("board.clear", { deck: 0, page: 1 });
    await until(() => elements(his).size === 0 && elements(hers).size === 0, "the board is empty for both");
  });
});
