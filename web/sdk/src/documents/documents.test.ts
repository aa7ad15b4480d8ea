import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { StateConnection } from "../state/connection.js";
import { FakeClass } from "../testing/fake-class.js";
import { FakeDocuments } from "../testing/fake-documents.js";
import { fakeStorage } from "../testing/fakes.js";
import type { SharedDocument } from "./document.js";
import { Documents } from "./documents.js";
import { documentHash } from "./hash.js";
import { boardName, notesName } from "./names.js";
import { readFrame } from "./wire.js";

const board = boardName("main", null, 1);
const notes = notesName("main");

let server: FakeClass;
let documents: FakeDocuments;
let here: Somebody[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new FakeClass();
  documents = new FakeDocuments(server);
  here = [];
});

afterEach(() => {
  for (const somebody of here) {
    somebody.documents.close();
    somebody.state.disconnect();
  }
  vi.useRealTimers();
});

const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

class Somebody {
  readonly state: StateConnection;
  readonly documents: Documents;

  constructor(name: string) {
    this.state = new StateConnection({
      url: "https://class.example.org",
      token: name,
      name,
      storage: fakeStorage(),
      createSocket: server.createSocket,
      random: () => 0.5,
    });
    this.documents = new Documents(this.state);
    here.push(this);
  }

  static async comesIn(name: string): Promise<Somebody> {
    const somebody = new Somebody(name);
    somebody.state.connect();
    await passes(50);
    expect(somebody.state.status.phase).toBe("inside");
    return somebody;
  }

  async opens(name: string): Promise<SharedDocument> {
    const document = this.documents.open(name);
    await passes(50);
    expect(document.state).toMatchObject({ phase: "open", loaded: true, saved: true });
    return document;
  }

  /** The network of this person alone breaks, and nothing gets through for a while. */
  cut(): void {
    const you = this.state.store.you;
    for (const socket of server.sockets) if (socket.person === you) socket.breaks();
  }
}

function draws({ state }: SharedDocument, id: string, also: object = {}): void {
  state.doc
    .getMap("elements")
    .set(id, { id, author: "x", type: "freedraw", index: "a0", version: 1, ...also });
}

const shows = ({ state }: SharedDocument) => Object.keys(state.doc.getMap("elements").toJSON()).sort();
const reads = ({ state }: SharedDocument) => state.doc.getText("notes").toJSON();

function agree(...all: SharedDocument[]): void {
  const [first] = all;
  if (first === undefined) return;
  for (const one of all) {
    expect(one.state.doc.getMap("elements").toJSON()).toEqual(first.state.doc.getMap("elements").toJSON());
    expect(reads(one)).toBe(reads(first));
    expect(documentHash(one.state.doc)).toBe(documentHash(documents.doc(one.name)));
  }
}

describe("a document that two have open", () => {
  it("brings what each draws to the other", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(board), await ben.opens(board)];
    draws(hers, "line");
    draws(his, "circle");
    await passes(100);
    expect(shows(hers)).toEqual(["circle", "line"]);
    agree(hers, his);
  });

  it("shows a newcomer what is there", async () => {
    const ann = await Somebody.comesIn("ann");
    draws(await ann.opens(board), "line");
    await passes(100);
    const ben = await Somebody.comesIn("ben");
    expect(shows(await ben.opens(board))).toEqual(["line"]);
  });

  it("keeps pages apart", async () => {
    const ann = await Somebody.comesIn("ann");
    const [one, other] = [await ann.opens(board), await ann.opens(boardName("main", 12, 3))];
    draws(one, "line");
    await passes(100);
    expect(shows(other)).toEqual([]);
    expect(documents.doc("board:main:12:3").getMap("elements").size).toBe(0);
  });

  it("gathers quick changes into few updates", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(notes);
    for (let at = 0; at < 100; at += 1) {
      hers.state.doc.getText("notes").insert(at, "a");
      await passes(2);
    }
    await passes(100);
    const updates = documents.received.filter((what) => what === "update of ann");
    expect(updates.length).toBeGreaterThan(1);
    expect(updates.length).toBeLessThan(10);
    expect(documents.doc(notes).getText("notes").length).toBe(100);
  });

  it("tells whoever follows once each time that something changes", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    const told = vi.fn();
    hers.subscribe(told);
    const before = hers.state;
    draws(hers, "line");
    expect(told).toHaveBeenCalledTimes(1);
    expect(hers.state).not.toBe(before);
    await passes(100);
    expect(told).toHaveBeenCalledTimes(2);
  });
});

describe("saved", () => {
  it("means that the server has it on the disk", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    documents.diskWaits = true;
    draws(hers, "line");
    expect(hers.state.saved).toBe(false);
    await passes(1_000);
    expect(hers.state.saved).toBe(false);
    draws(hers, "circle");
    await passes(1_000);
    documents.diskWrites();
    await passes(1);
    await passes(10);
    expect(hers.state.saved).toBe(true);
  });

  it("is not said of what is on its way while an earlier change is answered", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    draws(hers, "line");
    await passes(35);
    draws(hers, "circle");
    await passes(6);
    expect(hers.counters.acks).toBeGreaterThan(1);
    expect(hers.state.saved).toBe(false);
    await passes(100);
    expect(hers.state.saved).toBe(true);
  });

  it("keeps a document that nobody shows any more until it is", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    draws(hers, "line");
    ann.documents.release(hers);
    expect(ann.documents.all.size).toBe(1);
    await passes(100);
    expect(ann.documents.all.size).toBe(0);
    expect(documents.doc(board).getMap("elements").has("line")).toBe(true);
  });
});

describe("a lost connection", () => {
  it("loses nothing that was drawn meanwhile, on either side", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(board), await ben.opens(board)];
    draws(hers, "line");
    await passes(100);
    ben.cut();
    server.isDown = true;
    await passes(100);
    expect(his.state.phase).toBe("away");
    draws(his, "offline");
    his.state.doc.getMap("elements").delete("line");
    draws(hers, "meanwhile");
    await passes(1_000);
    expect(his.state.saved).toBe(false);
    server.isDown = false;
    await passes(30_000);
    expect(his.state).toMatchObject({ phase: "open", saved: true });
    expect(shows(hers)).toEqual(["meanwhile", "offline"]);
    agree(hers, his);
  });

  it("sends again what had no answer", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    server.fate = ({ from, message }) => (from === "client" && message.t === "binary" ? "cut" : null);
    draws(hers, "line");
    await passes(100);
    server.fate = null;
    await passes(30_000);
    expect(documents.doc(board).getMap("elements").has("line")).toBe(true);
    expect(hers.state.saved).toBe(true);
  });

  it("brings nothing of one class into the next", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    draws(hers, "line");
    await passes(100);
    server.cut();
    server.session = "RM_2";
    new FakeDocuments(server);
    await passes(30_000);
    expect(hers.state.phase).toBe("open");
    expect(shows(hers)).toEqual([]);
    expect(server.documents?.doc(board).getMap("elements").size).toBe(0);
  });
});

describe("what is refused", () => {
  it("is kept as scraps, and everybody sees the same", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(board), await ben.opens(board)];
    draws(his, "before");
    await passes(100);
    ben.cut();
    server.isDown = true;
    await passes(20);
    draws(his, "one");
    draws(his, "two", { points: [[0, 0]] });
    draws(his, "gone");
    his.state.doc.getMap("elements").delete("gone");
    documents.rights.set("ben", "nothing");
    draws(hers, "lesson");
    server.isDown = false;
    const doc = his.state.doc;
    await passes(30_000);
    expect(his.counters.resets).toBe(1);
    expect(his.state.doc).not.toBe(doc);
    expect(his.state.doc.clientID).not.toBe(doc.clientID);
    expect(his.state.phase).toBe("open");
    const [scrap, ...others] = his.state.scraps;
    expect(others).toEqual([]);
    expect(scrap).toMatchObject({ code: "forbidden", texts: [] });
    expect(scrap?.elements.map(({ id }) => id)).toEqual(["one", "two"]);
    expect(scrap?.elements[1]).toMatchObject({ points: [[0, 0]] });
    expect(shows(his)).toEqual(["before", "lesson"]);
    agree(hers, his);
    his.discardScraps();
    expect(his.state.scraps).toEqual([]);
  });

  it("costs nothing that was saved before, and the next change counts again", async () => {
    const ben = await Somebody.comesIn("ben");
    const his = await ben.opens(board);
    documents.rights.set("ben", "nothing");
    draws(his, "refused");
    await passes(100);
    expect(his.state.scraps).toHaveLength(1);
    documents.rights.set("ben", "all");
    draws(his, "taken");
    await passes(100);
    expect(his.state).toMatchObject({ phase: "open", saved: true });
    expect([...documents.doc(board).getMap("elements").keys()]).toEqual(["taken"]);
  });

  it("has what was in hand at that moment", async () => {
    const ben = await Somebody.comesIn("ben");
    const his = await ben.opens(board);
    documents.rights.set("ben", "nothing");
    his.onReset(() => draws(his, "in hand"));
    draws(his, "refused");
    await passes(100);
    const ids = his.state.scraps.flatMap(({ elements }) => elements.map(({ id }) => id));
    expect(ids.sort()).toEqual(["in hand", "refused"]);
  });

  it("ends after one scrap for several updates on their way", async () => {
    const ben = await Somebody.comesIn("ben");
    const his = await ben.opens(board);
    documents.rights.set("ben", "nothing");
    draws(his, "one");
    await passes(32);
    draws(his, "two");
    await passes(200);
    const ids = his.state.scraps.flatMap(({ elements }) => elements.map(({ id }) => id));
    expect(ids.sort()).toEqual(["one", "two"]);
    expect(his.state).toMatchObject({ phase: "open", saved: true });
  });

  it("of a text is what was written, not what was around it", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(notes), await ben.opens(notes)];
    his.state.doc.getText("notes").insert(0, "Agenda.");
    await passes(100);
    ben.cut();
    server.isDown = true;
    await passes(20);
    his.state.doc.getText("notes").insert(7, " My idea");
    his.state.doc.getText("notes").insert(0, "Today: ");
    documents.rights.set("ben", "nothing");
    server.isDown = false;
    await passes(30_000);
    expect(his.state.scraps[0]?.texts).toEqual(["Today: ", " My idea"]);
    expect(reads(his)).toBe("Agenda.");
    agree(hers, his);
  });

  it("keeps its scraps when the page turns, and shows them on return", async () => {
    const ben = await Somebody.comesIn("ben");
    const his = await ben.opens(board);
    documents.rights.set("ben", "nothing");
    draws(his, "refused");
    ben.documents.release(his);
    await passes(100);
    expect(ben.documents.open(board).state.scraps).toHaveLength(1);
  });
});

describe("a document that the server closes", () => {
  it("is opened again if that makes sense", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    documents.closesFor(board, "unavailable", true);
    await passes(20);
    expect(hers.state).toMatchObject({ phase: "closed", problem: { code: "unavailable" } });
    draws(hers, "line");
    await passes(2_000);
    expect(hers.state).toMatchObject({ phase: "open", problem: null, saved: true });
    expect(documents.doc(board).getMap("elements").has("line")).toBe(true);
  });

  it("stays closed to who may not see it, until they may", async () => {
    documents.rights.set("ann", "unseen");
    const ann = await Somebody.comesIn("ann");
    const hers = ann.documents.open(board);
    await passes(60_000);
    expect(hers.state).toMatchObject({ phase: "closed", problem: { code: "forbidden" } });
    expect(documents.received.filter((what) => what === "step1 of ann")).toHaveLength(1);
    documents.rights.delete("ann");
    server.happens("role.changed", { person: "ann", role: "instructor" }, [
      { in: "grants", id: "ann", is: { epoch: 2, caps: ["board.view"], overrides: {} } },
    ]);
    await passes(100);
    expect(hers.state.phase).toBe("open");
  });
});

describe("hashes", () => {
  it("agree at each pulse, also after deletions", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(notes), await ben.opens(notes)];
    for (let round = 0; round < 20; round += 1) {
      hers.state.doc.getText("notes").insert(round, "a");
      his.state.doc.getText("notes").insert(0, "🙂b");
      if (round % 4 === 3) his.state.doc.getText("notes").delete(2, 3);
      await passes(40);
    }
    await passes(100);
    server.pulses();
    await passes(10);
    for (const one of [hers, his]) expect(one.counters).toMatchObject({ agreed: 1, disagreed: 0 });
    agree(hers, his);
  });

  it("that differ again and again bring everything anew", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    // Something comes into the replica that no server ever had.
    const stranger = new Y.Doc();
    stranger.getMap("elements").set("ghost", { id: "ghost" });
    Y.applyUpdate(hers.state.doc, Y.encodeStateAsUpdate(stranger), hers);
    draws(hers, "line");
    await passes(100);
    for (let pulse = 0; pulse < 3; pulse += 1) {
      server.pulses();
      await passes(100);
    }
    expect(hers.counters).toMatchObject({ disagreed: 3, rebuilt: 1 });
    expect(shows(hers)).toEqual(["line"]);
    agree(hers);
  });
});

describe("presence", () => {
  it("comes to the others, at most some twelve times a second, and ends with the connection", async () => {
    const [ann, ben] = [await Somebody.comesIn("ann"), await Somebody.comesIn("ben")];
    const [hers, his] = [await ann.opens(board), await ben.opens(board)];
    documents.received.length = 0;
    for (let step = 0; step < 100; step += 1) {
      hers.setPresence({ pointer: [step, step] });
      await passes(10);
    }
    await passes(100);
    const seen = () => his.state.awareness.getStates().get(hers.state.doc.clientID);
    expect(seen()).toEqual({ pointer: [99, 99] });
    const said = documents.received.filter((what) => what === "awareness of ann").length;
    expect(said).toBeGreaterThan(5);
    expect(said).toBeLessThanOrEqual(14);
    ben.cut();
    await passes(20);
    expect(seen()).toBeUndefined();
  });

  it("that is too large stays here", async () => {
    const ann = await Somebody.comesIn("ann");
    const hers = await ann.opens(board);
    documents.received.length = 0;
    hers.setPresence({ stroke: "x".repeat(5_000) });
    await passes(1_000);
    expect(documents.received).toEqual([]);
  });
});

describe("what is no message", () => {
  it("is passed over", () => {
    expect(readFrame(new Uint8Array())).toBeNull();
    expect(readFrame(Uint8Array.of(5, 1, 2))).toBeNull();
    expect(readFrame(Uint8Array.of(1, 65, 0, 9, 0))).toBeNull();
    expect(readFrame(Uint8Array.of(1, 65, 77))).toBeNull();
  });
});
