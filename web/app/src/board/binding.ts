/**
 * Between a board's document and what Excalidraw shows. The document's root map `elements` has the id of each element and the element as
 * Excalidraw has it, with its `author`. At rest, both are the same; while somebody has an element in hand it is theirs, and what others
 * do to it waits until they let go. Nothing here knows React, so that all of it can be tested.
 */
import * as Y from "yjs";
import { inOrder, stampOf, type BoardElement } from "./elements";

/** What somebody may change. */
export type Right = "all" | "own" | "nothing";

export interface Scene {
  /** Everything, also what was deleted. */
  elements(): readonly BoardElement[];
  /** Ids of elements that the person has in hand: being drawn, dragged, resized, written. */
  inHand(): ReadonlySet<string>;
  /** Shows these, in this order, without a step of undo. It may give elements other indices where two are the same. */
  show(elements: readonly BoardElement[]): void;
  /** An element as others wrote it, mended if need be; `null` if nothing can be made of it. */
  read(value: unknown): BoardElement | null;
}

export interface BindingOptions {
  doc: Y.Doc;
  scene: Scene;
  me: string;
  right: Right;
  /** A kind of element that is kept on no board; it is taken off the screen again. */
  refused?: (type: string) => void;
}

/** How long an element may be in hand before others see it as it is, in milliseconds. */
const writeEveryMs = 500;
/** How long changes that nobody has in hand (keys, undo) are gathered, in milliseconds. */
const gatherMs = 60;
/** Pictures would fill a document, and pages of other sites may not be shown: docs/documents.md. */
const unwanted = new Set(["image", "embeddable", "iframe"]);

export class BoardBinding {
  private readonly stored: Y.Map<unknown>;
  /** The state of each element that needs no write. */
  private readonly settled = new Map<string, string>();
  /** Changed here, and not written yet. */
  private readonly changed = new Set<string>();
  /** Changed by others while it was in hand here. */
  private readonly waiting = new Set<string>();
  /** Who drew what, also of what was deleted and may come back by an undo. */
  private readonly authors = new Map<string, string>();
  /** Shown and not part of the document: the page behind, which has no index, and strokes that others are drawing. */
  private readonly guests = new Map<string, BoardElement>();
  private right: Right;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private timerIsSoon = false;
  private readonly observer = (event: Y.YMapEvent<unknown>, transaction: Y.Transaction) => {
    if (transaction.origin !== this) this.takeOver(event.keysChanged);
  };

  constructor(private readonly options: BindingOptions) {
    this.right = options.right;
    this.stored = options.doc.getMap("elements");
    this.stored.observe(this.observer);
    this.showAll();
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.stored.unobserve(this.observer);
  }

  /** Who drew an element; `null` if nobody knows. */
  authorOf(id: string): string | null {
    return this.authors.get(id) ?? null;
  }

  setRight(right: Right): void {
    if (right === this.right) return;
    // What was drawn so far was drawn under the old one.
    this.write();
    this.right = right;
    this.showAll();
  }

  /** Something on the screen has changed, perhaps by the person. `isHeld`: their pointer is down. */
  sceneChanged(isHeld: boolean): void {
    this.look();
    if (this.changed.size === 0 && this.waiting.size === 0) return;
    this.schedule(isHeld ? writeEveryMs : gatherMs, !isHeld);
  }

  /** The person has let go of what they had in hand. */
  released(): void {
    this.look();
    this.schedule(0, true);
  }

  /** Shows an element that is not part of the document, or another state of it; `null` takes it away. */
  setGuest(id: string, element: BoardElement | null): void {
    const before = this.guests.get(id);
    if (before === undefined && element === null) return;
    if (element === null) this.guests.delete(id);
    else if (before !== undefined && stampOf(before) === stampOf(element)) return;
    else this.guests.set(id, element);
    this.look();
    this.show([id]);
  }

  /** Writes what was changed here, now. */
  write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.look();
    const inHand = this.options.scene.inHand();
    const back: string[] = [];
    if (this.changed.size > 0) {
      const elements = new Map(this.options.scene.elements().map((element) => [element.id, element]));
      this.options.doc.transact(() => {
        for (const id of this.changed) {
          const element = elements.get(id);
          if (element === undefined || !this.writeOne(element)) back.push(id);
        }
      }, this);
      this.changed.clear();
    }
    for (const id of this.waiting) {
      if (inHand.has(id)) continue;
      this.waiting.delete(id);
      back.push(id);
    }
    // What was sent to the back stays before the page all the same.
    const [first] = this.options.scene.elements();
    const isUnder = [...this.guests.values()].some(({ id, index }) => index === null && id !== first?.id);
    if (back.length > 0 || isUnder) this.show(back);
  }

  private writeOne(element: BoardElement): boolean {
    const { id } = element;
    if (this.guests.has(id) && !this.stored.has(id)) return false;
    if (unwanted.has(element.type)) {
      if (!element.isDeleted) this.options.refused?.(element.type);
      return false;
    }
    const author = this.authors.get(id) ?? this.options.me;
    const isOwn = author === this.options.me;
    if (this.right === "nothing" || (this.right === "own" && !isOwn)) return false;
    this.settled.set(id, stampOf(element));
    if (element.isDeleted) {
      this.stored.delete(id);
      return true;
    }
    this.authors.set(id, author);
    this.stored.set(id, { ...element, author });
    return true;
  }

  /** Finds what is not as it was left. */
  private look(): void {
    for (const element of this.options.scene.elements()) {
      if (this.settled.get(element.id) === stampOf(element)) continue;
      // A guest that was moved goes back to its place; a new element that was deleted at once was never there.
      const isNew = !this.settled.has(element.id);
      if (isNew && element.isDeleted) this.settled.set(element.id, stampOf(element));
      else this.changed.add(element.id);
    }
  }

  private takeOver(ids: ReadonlySet<string>): void {
    this.look();
    const inHand = this.options.scene.inHand();
    const now: string[] = [];
    for (const id of ids) {
      if (inHand.has(id) || this.changed.has(id)) this.waiting.add(id);
      else now.push(id);
    }
    if (now.length > 0) this.show(now);
    if (this.waiting.size > 0) this.schedule(writeEveryMs, false);
  }

  private showAll(): void {
    const ids = new Set([...this.stored.keys(), ...this.guests.keys()]);
    for (const { id } of this.options.scene.elements()) ids.add(id);
    this.changed.clear();
    this.waiting.clear();
    this.show(ids);
  }

  /** Puts these elements on the screen as the document has them. */
  private show(ids: Iterable<string>): void {
    const { scene } = this.options;
    const shown = new Map(scene.elements().map((element) => [element.id, element]));
    const behind = [...this.guests.values()].filter(({ index }) => index === null).map(({ id }) => id);
    for (const id of new Set([...ids, ...behind])) {
      const before = shown.get(id);
      const element = this.wanted(id);
      if (element !== null) shown.set(id, element);
      else if (before !== undefined && !before.isDeleted) shown.set(id, deleted(before));
    }
    scene.show(inOrder(shown.values()));
    // Excalidraw may have given new indices; that is nothing that the person did.
    for (const element of scene.elements())
      if (!this.changed.has(element.id)) this.settled.set(element.id, stampOf(element));
  }

  private wanted(id: string): BoardElement | null {
    const guest = this.guests.get(id);
    const value = this.stored.get(id);
    // Excalidraw writes an index into what has none.
    if (value === undefined) return guest === undefined ? null : { ...guest };
    const plain: unknown = value instanceof Y.Map ? value.toJSON() : value;
    const { author, ...rest } = plain as { author?: unknown };
    if (typeof author === "string") this.authors.set(id, author);
    const element = this.options.scene.read({ ...rest, id });
    if (element === null) return null;
    // What somebody is drawing may be ahead of what they have written of it.
    if (guest !== undefined && guest.version > element.version) return guest;
    const isTheirs = this.right === "own" && author !== this.options.me;
    return isTheirs ? { ...element, locked: true } : element;
  }

  private schedule(waitMs: number, isSoon: boolean): void {
    if (this.timer !== undefined && (this.timerIsSoon || !isSoon)) return;
    clearTimeout(this.timer);
    this.timerIsSoon = isSoon;
    this.timer = setTimeout(() => this.write(), waitMs);
  }
}

function deleted(element: BoardElement): BoardElement {
  return { ...element, isDeleted: true, version: element.version + 1 };
}
