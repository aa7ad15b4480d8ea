/**
 * The documents that somebody has open, over the state socket of their class. Whoever shows one opens it and lets go of it; a document
 * with changes that are not saved yet is kept until they are.
 */
import type { StateConnection } from "../state/connection.js";
import { SharedDocument } from "./document.js";
import { readFrame } from "./wire.js";

interface Held {
  readonly document: SharedDocument;
  /** How many show it. */
  users: number;
  stop: () => void;
}

export class Documents {
  private readonly held = new Map<string, Held>();
  private session: string | null;
  private readonly stops: (() => void)[];

  constructor(private readonly state: StateConnection) {
    this.session = state.store.session;
    let caps = state.store.grant?.caps;
    this.stops = [
      state.documents.listen({
        opened: () => this.handleOpened(),
        lost: () => this.each((document) => document.detach()),
        heard: (frame) => {
          const read = readFrame(frame);
          if (read !== null) this.held.get(read.name)?.document.hear(read.message);
        },
        closed: (message) => this.held.get(message.doc)?.document.handleClosed(message),
        pulse: (documents) => {
          for (const [name, pulse] of Object.entries(documents))
            this.held.get(name)?.document.handlePulse(pulse);
        },
      }),
      // Somebody may see more than before.
      state.store.subscribeTo("grants", () => {
        const now = state.store.grant?.caps;
        if (now === caps) return;
        caps = now;
        this.each((document) => document.tryAgain());
      }),
    ];
  }

  /** The document of this name, the same one for everybody who has it open here. Each `open` needs its `release`. */
  open(name: string): SharedDocument {
    const known = this.held.get(name);
    if (known !== undefined) {
      known.users += 1;
      return known.document;
    }
    const document = new SharedDocument(name, this.state.documents);
    const stop = document.subscribe(() => this.letGoIfDone(name));
    this.held.set(name, { document, users: 1, stop });
    return document;
  }

  release(document: SharedDocument): void {
    const held = this.held.get(document.name);
    if (held?.document !== document) return;
    held.users -= 1;
    this.letGoIfDone(document.name);
  }

  /** A document that is open here, without opening it. */
  get(name: string): SharedDocument | undefined {
    return this.held.get(name)?.document;
  }

  /** Every document that is here, by name. */
  get all(): ReadonlyMap<string, SharedDocument> {
    return new Map(Array.from(this.held, ([name, { document }]) => [name, document]));
  }

  /** Lets go of everything, saved or not. */
  close(): void {
    for (const stop of this.stops) stop();
    for (const { document, stop } of this.held.values()) {
      stop();
      document.destroy();
    }
    this.held.clear();
  }

  private handleOpened(): void {
    const { session } = this.state.store;
    if (session !== this.session) {
      this.session = session;
      this.each((document) => document.forget());
    }
    this.each((document) => document.attach());
  }

  private letGoIfDone(name: string): void {
    const held = this.held.get(name);
    if (held === undefined || held.users > 0) return;
    const { saved, scraps } = held.document.state;
    if (!saved || scraps.length > 0) return;
    held.stop();
    this.held.delete(name);
    held.document.destroy();
  }

  private each(tell: (document: SharedDocument) => void): void {
    for (const { document } of [...this.held.values()]) tell(document);
  }
}
