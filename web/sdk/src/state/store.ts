/**
 * The class as this person sees it: entities in collections, put where the server says. It knows no rule of the class. What
 * it gives out never changes: a collection that changed is another Map, an entity that changed another object, and all else
 * stays the very same, as React's `useSyncExternalStore` wants it.
 */
import type { Cap, Collections, Grant } from "../generated/class.js";
import { canonicalJson, entityHash, written } from "./hash.js";
import { Listeners } from "./listeners.js";
import type { Change, ClassEvent, CollectionName, EventMessage, Snapshot, Welcome } from "./wire.js";

export type Collection<Name extends CollectionName> = ReadonlyMap<string, Collections[Name]>;

/** An entity that is another one now, or came, or went. */
export interface EntityChange {
  readonly collection: string;
  readonly id: string;
  readonly before: unknown;
  readonly after: unknown;
}

interface Held {
  entity: unknown;
  hash: number;
}

const nothing: ReadonlyMap<string, never> = new Map<string, never>();

export class Store {
  private held = new Map<string, Map<string, Held>>();
  private shown = new Map<string, ReadonlyMap<string, unknown>>();
  private sum = 0;
  private place = 0;
  private session_: string | null = null;
  private you_: string | null = null;
  private admitted_ = false;
  private version_ = 0;
  private readonly anything = new Listeners();
  private readonly changed = new Listeners<[readonly EntityChange[]]>();
  private readonly happened = new Listeners<[ClassEvent]>();
  private readonly perCollection = new Map<string, Listeners>();

  /** The session that this is; `null` before the first welcome. */
  get session(): string | null {
    return this.session_;
  }

  /** Who I am here. */
  get you(): string | null {
    return this.you_;
  }

  /** Whether I have been let in; `false` while waiting in the lobby. */
  get admitted(): boolean {
    return this.admitted_;
  }

  /** Everything up to this place in the log is here. */
  get seq(): number {
    return this.place;
  }

  /** The hash of what is here, as the server's pulse has it. */
  get hash(): string {
    return written(this.sum);
  }

  /** Another number after each change: a snapshot for whoever shows everything. */
  get version(): number {
    return this.version_;
  }

  /** A collection; the same Map as long as nothing in it changes. */
  all<Name extends CollectionName>(name: Name): Collection<Name> {
    const shown = this.shown.get(name);
    if (shown !== undefined) return shown as Collection<Name>;
    const held = this.held.get(name);
    if (held === undefined) return nothing;
    const made = new Map(Array.from(held, ([id, { entity }]) => [id, entity]));
    this.shown.set(name, made);
    return made as Collection<Name>;
  }

  /** One entity; the same object as long as nothing in it changes. `session`, `breakouts` and `checkpoint` have the id `""`. */
  one<Name extends CollectionName>(name: Name, id: string | number = ""): Collections[Name] | undefined {
    return this.held.get(name)?.get(String(id))?.entity as Collections[Name] | undefined;
  }

  /** My entry among the participants. */
  get me(): Collections["participants"] | undefined {
    return this.you_ === null ? undefined : this.one("participants", this.you_);
  }

  /** What I may do. */
  get grant(): Grant | undefined {
    return this.you_ === null ? undefined : this.one("grants", this.you_);
  }

  can(cap: Cap): boolean {
    return this.grant?.caps.includes(cap) ?? false;
  }

  // ---- Being told ----

  /** Calls back once after each message that changed anything; returns how to stop. */
  subscribe(listener: () => void): () => void {
    return this.anything.add(listener);
  }

  /** Calls back after a message that changed something in this collection. */
  subscribeTo(name: CollectionName, listener: () => void): () => void {
    let listeners = this.perCollection.get(name);
    if (listeners === undefined) this.perCollection.set(name, (listeners = new Listeners()));
    return listeners.add(listener);
  }

  /** What changed, entity by entity, a message at a time. */
  onChanges(listener: (changes: readonly EntityChange[]) => void): () => void {
    return this.changed.add(listener);
  }

  /** What happened, in order; each event once, after its changes. What came with a snapshot is not told one by one. */
  onEvent(listener: (event: ClassEvent) => void): () => void {
    return this.happened.add(listener);
  }

  // ---- What the server says ----

  applyWelcome(welcome: Welcome): void {
    const fits = welcome.session === this.session_ && welcome.you === this.you_;
    if (welcome.snapshot === undefined && !fits) throw new Error("a delta for a class that is not here");
    this.session_ = welcome.session;
    this.you_ = welcome.you;
    this.admitted_ = welcome.state === "admitted";
    if (welcome.snapshot !== undefined) {
      this.replaceAll(welcome.snapshot);
    } else {
      for (const message of welcome.delta?.events ?? []) this.applyEvent(message);
    }
    this.place = welcome.snapshot === undefined ? Math.max(this.place, welcome.seq) : welcome.seq;
    this.version_ += 1;
    this.anything.tell();
  }

  applyEvent({ event, changes }: EventMessage): void {
    // Entities of an older place would cover newer ones.
    if (event.seq < this.place) return;
    const isNew = event.seq > this.place;
    this.place = event.seq;
    this.apply(changes ?? []);
    if (isNew && event.type !== undefined) this.happened.tell(event);
  }

  /** Whether what is here is what the server says that it is. */
  applyPulse(seq: number, hash: string): boolean {
    this.place = Math.max(this.place, seq);
    return this.hash === hash;
  }

  private replaceAll(snapshot: Snapshot): void {
    const changes: Change[] = [];
    for (const [name, entities] of this.held) {
      for (const id of entities.keys()) {
        if (!Object.hasOwn(snapshot[name] ?? {}, id)) changes.push({ in: name, id, is: null });
      }
    }
    for (const [name, entities] of Object.entries(snapshot)) {
      for (const [id, is] of Object.entries(entities)) changes.push({ in: name, id, is });
    }
    this.apply(changes);
  }

  private apply(changes: readonly Change[]): void {
    const made: EntityChange[] = [];
    for (const change of changes) {
      const one = this.put(change);
      if (one !== null) made.push(one);
    }
    if (this.you_ !== null && this.one("participants", this.you_) !== undefined) this.admitted_ = true;
    if (made.length === 0) return;
    this.version_ += 1;
    const names = new Set(made.map((change) => change.collection));
    for (const name of names) this.shown.delete(name);
    this.changed.tell(made);
    for (const name of names) this.perCollection.get(name)?.tell();
    this.anything.tell();
  }

  private put({ in: collection, id, is }: Change): EntityChange | null {
    let entities = this.held.get(collection);
    const before = entities?.get(id);
    if (is === null || is === undefined) {
      if (before === undefined) return null;
      entities?.delete(id);
      this.sum = (this.sum - before.hash) >>> 0;
      return { collection, id, before: before.entity, after: undefined };
    }
    const hash = entityHash(collection, id, is);
    if (before?.hash === hash && canonicalJson(before.entity) === canonicalJson(is)) return null;
    if (entities === undefined) this.held.set(collection, (entities = new Map<string, Held>()));
    entities.set(id, { entity: is, hash });
    this.sum = (this.sum - (before?.hash ?? 0) + hash) >>> 0;
    return { collection, id, before: before?.entity, after: is };
  }
}
