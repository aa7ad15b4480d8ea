/**
 * One document, a board's page or a Space's notes, as this person has it. It can be changed at any time, also while there is no
 * connection; what the server does not have yet goes to it when there is one. What the server refuses comes back as scraps: the
 * document then is another `Y.Doc`, made of what the server has, and whoever shows it follows `state.doc`.
 */
import {
  Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";
import * as Y from "yjs";
import type { DocumentLine } from "../state/connection.js";
import { Listeners } from "../state/listeners.js";
import type { DocClosed, DocPulse } from "../state/wire.js";
import { documentHash } from "./hash.js";
import { unsavedIn, type Unsaved } from "./unsaved.js";
import { writeFrame, type ClientDocumentMessage, type DocumentMessage } from "./wire.js";

export type DocumentPhase =
  /** The server was asked for it. */
  | "opening"
  | "open"
  /** There is no connection at the moment. */
  | "away"
  /** The server does not give it; `problem` says why. */
  | "closed";

/** What was refused, kept here and nowhere else. */
export interface Scrap extends Unsaved {
  readonly id: number;
  /** When, in ms since the epoch. */
  readonly at: number;
  /** Why: a word of docs/documents.md, and a sentence. */
  readonly code: string;
  readonly message: string;
}

export interface DocumentState {
  readonly doc: Y.Doc;
  readonly awareness: Awareness;
  readonly phase: DocumentPhase;
  /** Why it is closed. */
  readonly problem: { readonly code: string; readonly message: string } | null;
  /** The server's content has been here; before that an empty document says nothing. */
  readonly loaded: boolean;
  /** Everything that was done here is on the server's disk. */
  readonly saved: boolean;
  readonly scraps: readonly Scrap[];
}

/** What went on, for debugging and tests. */
export interface DocumentCounters {
  acks: number;
  resets: number;
  /** Hashes that were the server's, and those that were not. */
  agreed: number;
  disagreed: number;
  /** Times that everything came anew because of them. */
  rebuilt: number;
}

/** How long changes wait for more of them, in milliseconds: the server takes 60 updates a second. */
const gatherMs = 30;
/** Between two awareness messages, in milliseconds: the server passes on 15 a second. */
const awarenessMs = 80;
/** Largest awareness state that the server passes on, in bytes. */
const awarenessBytes = 4_096;
/** Pulses in a row with another hash after which everything comes anew. One may cross a change on its way. */
const distrustLimit = 3;
/** When a document is opened again that the server has closed for now, in milliseconds. */
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;
/** Scraps that are kept; the oldest go. */
const mostScraps = 20;

export class SharedDocument {
  readonly counters: DocumentCounters = { acks: 0, resets: 0, agreed: 0, disagreed: 0, rebuilt: 0 };
  private current: DocumentState;
  private readonly changed = new Listeners();
  private readonly resetting = new Listeners();

  /** Of the connection of the moment: whether the server knows what we have, so that updates make sense to it. */
  private introduced = false;
  /** Updates on the way that have no answer. */
  private unanswered = 0;
  /** Changes that are not on the way. */
  private unsent: Uint8Array[] = [];
  private gatherTimer: ReturnType<typeof setTimeout> | undefined;
  private awarenessTimer: ReturnType<typeof setTimeout> | undefined;
  private awarenessSentAt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private retries = 0;
  private distrust = 0;
  private lastScrap = 0;
  private isGone = false;

  constructor(
    readonly name: string,
    private readonly line: DocumentLine,
  ) {
    const doc = new Y.Doc();
    this.current = {
      doc,
      awareness: new Awareness(doc),
      phase: "away",
      problem: null,
      loaded: false,
      saved: true,
      scraps: [],
    };
    this.current.awareness.setLocalState(null);
    this.watch();
    if (line.isOpen()) this.attach();
  }

  /** The same object until something in it changes. */
  get state(): DocumentState {
    return this.current;
  }

  /** Calls back after each change of `state`; returns how to stop. */
  subscribe(listener: () => void): () => void {
    return this.changed.add(listener);
  }

  /** The hash of what is here, as the server's pulse has it. */
  get hash(): string {
    return documentHash(this.current.doc);
  }

  /** Calls back before a refusal takes the document away: the last moment to write into it what should become scraps. */
  onReset(listener: () => void): () => void {
    return this.resetting.add(listener);
  }

  discardScraps(): void {
    this.patch({ scraps: [] });
  }

  /** Asks again for a document that was closed. */
  tryAgain(): void {
    if (this.current.phase !== "closed") return;
    clearTimeout(this.retryTimer);
    if (this.line.isOpen()) this.attach();
  }

  /** Where somebody is and what they are about to do; it goes out at most some twelve times a second, the latest always. */
  setPresence(state: Record<string, unknown> | null): void {
    this.current.awareness.setLocalState(state);
  }

  // ---- For `Documents` ----

  /** There is a connection on which nothing is open yet. */
  attach(): void {
    if (this.isGone) return;
    clearTimeout(this.retryTimer);
    this.introduced = false;
    this.unanswered = 0;
    this.patch({ phase: "opening", problem: null });
    this.say({ kind: "step1", vector: Y.encodeStateVector(this.current.doc) });
  }

  detach(): void {
    this.introduced = false;
    this.unanswered = 0;
    clearTimeout(this.retryTimer);
    const { awareness, doc } = this.current;
    const others = [...awareness.getStates().keys()].filter((client) => client !== doc.clientID);
    removeAwarenessStates(awareness, others, this);
    this.patch({ phase: "away" });
  }

  /** The class is another one: what is here belongs to the last one, whose documents are not this one's. */
  forget(): void {
    this.replace(new Y.Doc());
    this.patch({ loaded: false, saved: true, scraps: [] });
  }

  /** Lets go of it for good. */
  destroy(): void {
    if (this.isGone) return;
    this.isGone = true;
    clearTimeout(this.gatherTimer);
    clearTimeout(this.awarenessTimer);
    clearTimeout(this.retryTimer);
    if (this.line.isOpen() && this.current.phase !== "closed") this.line.close(this.name);
    this.current.awareness.destroy();
    this.current.doc.destroy();
  }

  hear(message: DocumentMessage): void {
    const { doc, awareness } = this.current;
    switch (message.kind) {
      case "step1":
        // What the server lacks is everything that was not sent, too.
        this.unsent = [];
        this.introduced = true;
        this.unanswered += 1;
        this.say({ kind: "step2", update: Y.encodeStateAsUpdate(doc, message.vector) });
        this.sayPresence();
        return;
      case "step2":
        Y.applyUpdate(doc, message.update, this);
        this.retries = 0;
        this.patch({ phase: "open", problem: null, loaded: true });
        return;
      case "update":
        Y.applyUpdate(doc, message.update, this);
        return;
      case "awareness":
        applyAwarenessUpdate(awareness, message.states, this);
        return;
      case "ack":
        this.counters.acks += 1;
        this.unanswered = Math.max(0, this.unanswered - 1);
        if (this.unanswered === 0 && this.unsent.length === 0 && this.introduced) this.patch({ saved: true });
        return;
      case "reset":
        this.handleReset(message);
        return;
      case "denied":
        return;
    }
  }

  handleClosed({ code, message, retry }: DocClosed): void {
    this.detach();
    this.patch({ phase: "closed", problem: { code, message } });
    if (!retry) return;
    const wait = Math.min(firstRetryMs * 2 ** this.retries, longestRetryMs);
    this.retries += 1;
    this.retryTimer = setTimeout(() => this.tryAgain(), wait);
  }

  /** Whether what is here is what the server has. While anything is on its way, the two may differ. */
  handlePulse({ hash }: DocPulse): void {
    const isQuiet = this.introduced && this.unanswered === 0 && this.unsent.length === 0;
    if (!isQuiet || this.current.phase !== "open") return;
    if (this.hash === hash) {
      this.counters.agreed += 1;
      this.distrust = 0;
      return;
    }
    this.counters.disagreed += 1;
    this.distrust += 1;
    if (this.distrust < distrustLimit) {
      this.say({ kind: "step1", vector: Y.encodeStateVector(this.current.doc) });
      return;
    }
    this.distrust = 0;
    this.counters.rebuilt += 1;
    this.line.close(this.name);
    this.replace(new Y.Doc());
    this.attach();
  }

  // ---- Changes ----

  private handleReset({ code, message, snapshot }: Extract<DocumentMessage, { kind: "reset" }>): void {
    this.counters.resets += 1;
    this.resetting.tell();
    const before = this.current.doc;
    const after = new Y.Doc();
    Y.applyUpdate(after, snapshot, this);
    const unsaved = unsavedIn(before, after);
    const isEmpty = unsaved.elements.length === 0 && unsaved.texts.length === 0;
    const scrap = { ...unsaved, id: (this.lastScrap += 1), at: Date.now(), code, message };
    const scraps = isEmpty ? this.current.scraps : [...this.current.scraps, scrap].slice(-mostScraps);
    this.replace(after, { scraps, loaded: true, saved: true });
    if (this.line.isOpen()) this.attach();
  }

  private replace(doc: Y.Doc, also: Partial<DocumentState> = {}): void {
    const before = this.current;
    clearTimeout(this.gatherTimer);
    this.gatherTimer = undefined;
    this.unsent = [];
    const awareness = new Awareness(doc);
    awareness.setLocalState(before.awareness.getLocalState());
    this.current = { ...before, doc, awareness };
    this.watch();
    this.patch({ saved: true, ...also });
    before.awareness.destroy();
    before.doc.destroy();
  }

  private watch(): void {
    const { doc, awareness } = this.current;
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === this || this.current.doc !== doc) return;
      this.unsent.push(update);
      this.gatherTimer ??= setTimeout(() => this.sendChanges(), gatherMs);
      this.patch({ saved: false });
    });
    awareness.on("update", (_: unknown, origin: unknown) => {
      if (origin === this || origin === "timeout" || this.current.awareness !== awareness) return;
      const wait = Math.max(0, this.awarenessSentAt + awarenessMs - Date.now());
      this.awarenessTimer ??= setTimeout(() => this.sayPresence(), wait);
    });
  }

  private sendChanges(): void {
    clearTimeout(this.gatherTimer);
    this.gatherTimer = undefined;
    // Until the server has asked for what it lacks, an update might build on something that it does not have.
    if (!this.introduced || this.unsent.length === 0) return;
    const update = Y.mergeUpdates(this.unsent);
    this.unsent = [];
    this.unanswered += 1;
    this.say({ kind: "update", update });
  }

  private sayPresence(): void {
    clearTimeout(this.awarenessTimer);
    this.awarenessTimer = undefined;
    const { awareness, doc } = this.current;
    if (!this.introduced || !awareness.meta.has(doc.clientID)) return;
    const state = JSON.stringify(awareness.getLocalState());
    if (new TextEncoder().encode(state).length > awarenessBytes) return;
    this.awarenessSentAt = Date.now();
    this.say({ kind: "awareness", states: encodeAwarenessUpdate(awareness, [doc.clientID]) });
  }

  private say(message: ClientDocumentMessage): void {
    if (this.line.isOpen()) this.line.send(writeFrame(this.name, message));
  }

  private patch(change: Partial<DocumentState>): void {
    const before = this.current;
    const keys = Object.keys(change) as (keyof DocumentState)[];
    if (keys.every((key) => before[key] === change[key]) && !this.isReplaced()) return;
    this.current = { ...before, ...change };
    this.told = this.current.doc;
    this.changed.tell();
  }

  /** The last document that whoever follows was told of. */
  private told: Y.Doc | null = null;

  private isReplaced(): boolean {
    return this.told !== this.current.doc;
  }
}
