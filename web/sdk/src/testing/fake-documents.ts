/**
 * Documents behind the fake state socket, with real Yjs: what a server does with them, without its disk. Who may do what is a word for
 * each person. It reads and writes its messages in its own way.
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import type { FakeClass, FakeSocket } from "./fake-class.js";

export type Right = "all" | "nothing" | "unseen";

interface Seat {
  synced: boolean;
}

interface Document {
  doc: Y.Doc;
  seq: number;
  seats: Map<FakeSocket, Seat>;
}

export class FakeDocuments {
  /** Who may not change everything. */
  readonly rights = new Map<string, Right>();
  /** Messages of clients, as `{kind} of {person}`, in the order in which they came. */
  readonly received: string[] = [];
  /** Acks wait here while the disk does. */
  diskWaits = false;
  private readonly waiting: (() => void)[] = [];
  private readonly documents = new Map<string, Document>();

  constructor(server: FakeClass) {
    server.documents = this;
  }

  doc(name: string): Y.Doc {
    return this.one(name).doc;
  }

  diskWrites(): void {
    this.diskWaits = false;
    for (const tell of this.waiting.splice(0)) tell();
  }

  /** The server changes something itself. */
  changes(name: string, change: (doc: Y.Doc) => void): void {
    const document = this.one(name);
    const before = Y.encodeStateVector(document.doc);
    change(document.doc);
    document.seq += 1;
    this.tellOthers(name, document, null, Y.encodeStateAsUpdate(document.doc, before));
  }

  closesFor(name: string, code: string, retry: boolean): void {
    const { seats } = this.one(name);
    for (const socket of seats.keys())
      socket.tell({ t: "doc_closed", doc: name, code, message: `because of ${code}`, retry });
    seats.clear();
  }

  // ---- What the fake class calls ----

  hears(socket: FakeSocket, bytes: Uint8Array): void {
    const decoder = decoding.createDecoder(bytes);
    const name = decoding.readVarString(decoder);
    const person = socket.person ?? "";
    const document = this.one(name);
    const type = decoding.readVarUint(decoder);
    const step = type === 0 ? decoding.readVarUint(decoder) : -1;
    this.received.push(
      `${type === 1 ? "awareness" : (["step1", "step2", "update"][step] ?? "?")} of ${person}`,
    );
    if (!document.seats.has(socket)) {
      if (this.rights.get(person) === "unseen") {
        socket.tell({ t: "doc_closed", doc: name, code: "forbidden", message: "not for you", retry: false });
        return;
      }
      // What comes after a refusal belongs to a document that is there no more.
      if (step !== 0) return;
      document.seats.set(socket, { synced: false });
      socket.tellBytes(frame(name, [0, 0], Y.encodeStateVector(document.doc)));
    }
    const body = decoding.readVarUint8Array(decoder);
    if (type === 1) {
      for (const other of document.seats.keys())
        if (other !== socket) other.tellBytes(frame(name, [1], body));
    } else if (step === 0) {
      document.seats.set(socket, { synced: true });
      socket.tellBytes(frame(name, [0, 1], Y.encodeStateAsUpdate(document.doc, body)));
    } else {
      this.takes(socket, name, document, body);
    }
  }

  closes(socket: FakeSocket, name: string): void {
    this.documents.get(name)?.seats.delete(socket);
  }

  lost(socket: FakeSocket): void {
    for (const { seats } of this.documents.values()) seats.delete(socket);
  }

  pulse(socket: FakeSocket): Record<string, unknown> {
    const open = [...this.documents].filter(([, { seats }]) => seats.has(socket));
    return Object.fromEntries(open.map(([name, { doc, seq }]) => [name, { seq, hash: hashOf(doc) }]));
  }

  private takes(socket: FakeSocket, name: string, document: Document, update: Uint8Array): void {
    const person = socket.person ?? "";
    const trial = new Y.Doc();
    Y.applyUpdate(trial, Y.encodeStateAsUpdate(document.doc));
    const before = hashOf(trial);
    Y.applyUpdate(trial, update);
    const isMissing = trial.store.pendingStructs !== null || trial.store.pendingDs !== null;
    const changes = isMissing || hashOf(trial) !== before;
    const may = (this.rights.get(person) ?? "all") === "all";
    if (changes && (isMissing || !may)) {
      document.seats.delete(socket);
      socket.tellBytes(resetFrame(name, isMissing ? "missing" : "forbidden", document));
      return;
    }
    const tell = () => {
      socket.tellBytes(ackFrame(name, document.seq));
      if (changes) this.tellOthers(name, document, socket, update);
    };
    if (changes) {
      document.seq += 1;
      Y.applyUpdate(document.doc, update);
    }
    if (this.diskWaits) this.waiting.push(tell);
    else tell();
  }

  private tellOthers(name: string, document: Document, from: FakeSocket | null, update: Uint8Array): void {
    for (const [socket, seat] of document.seats)
      if (socket !== from && seat.synced) socket.tellBytes(frame(name, [0, 2], update));
  }

  private one(name: string): Document {
    let document = this.documents.get(name);
    if (document === undefined) {
      document = { doc: new Y.Doc(), seq: 0, seats: new Map() };
      this.documents.set(name, document);
    }
    return document;
  }
}

function frame(name: string, words: number[], body: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, name);
  for (const word of words) encoding.writeVarUint(encoder, word);
  encoding.writeVarUint8Array(encoder, body);
  return encoding.toUint8Array(encoder);
}

function ackFrame(name: string, seq: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, name);
  encoding.writeVarUint(encoder, 100);
  encoding.writeVarUint(encoder, seq);
  return encoding.toUint8Array(encoder);
}

function resetFrame(name: string, code: string, { doc, seq }: Document): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, name);
  encoding.writeVarUint(encoder, 101);
  encoding.writeVarString(encoder, code);
  encoding.writeVarString(encoder, `because of ${code}`);
  encoding.writeVarUint(encoder, seq);
  encoding.writeVarUint8Array(encoder, Y.encodeStateAsUpdate(doc));
  return encoding.toUint8Array(encoder);
}

/** As docs/documents.md says it, in whole numbers of any size. */
function hashOf(doc: Y.Doc): string {
  let text = "";
  const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b);
  for (const [client, clock] of clocks) text += `${client}=${clock};`;
  const deleted = [...Y.createDeleteSetFromStructStore(doc.store).clients].sort(([a], [b]) => a - b);
  for (const [client, ranges] of deleted)
    for (const { clock, len } of ranges) text += `${client}:${clock}-${clock + len};`;
  let hash = 2_166_136_261n;
  for (const byte of new TextEncoder().encode(text))
    hash = ((hash ^ BigInt(byte)) * 16_777_619n) % 4_294_967_296n;
  return hash.toString(16).padStart(8, "0");
}
