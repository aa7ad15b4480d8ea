import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as Y from "yjs";
import { BoardBinding, type Right, type Scene } from "./binding";
import { inOrder, type BoardElement } from "./elements";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What Excalidraw is to the binding: elements with versions, some of them in hand, and its own idea of indices. */
class Screen implements Scene {
  all: BoardElement[] = [];
  readonly held = new Set<string>();
  shows = 0;
  readonly binding: BoardBinding;
  readonly refused: string[] = [];

  constructor(
    readonly doc: Y.Doc,
    readonly me: string,
    right: Right = "all",
  ) {
    const refused = (type: string) => void this.refused.push(type);
    this.binding = new BoardBinding({ doc, scene: this, me, right, refused });
  }

  elements = () => this.all;
  inHand = () => this.held;

  /** As Excalidraw does: two elements never have the same index, and each one that gets another has another version. */
  show(elements: readonly BoardElement[]): void {
    this.shows += 1;
    let last = "";
    this.all = elements.map((element) => {
      if (element.index !== null && element.index > last) {
        last = element.index;
        return element;
      }
      last = `${last}V`;
      return { ...element, index: last, version: element.version + 1 };
    });
  }

  read(value: unknown): BoardElement | null {
    const { id, type } = value as BoardElement;
    return typeof type === "string" ? ({ isDeleted: false, ...(value as object), id } as BoardElement) : null;
  }

  /** The person draws or changes something, and lets go. */
  does(id: string, change: Partial<BoardElement> = {}): void {
    this.changes(id, change);
    this.binding.sceneChanged(false);
    vi.advanceTimersByTime(60);
  }

  changes(id: string, change: Partial<BoardElement>): void {
    const before = this.one(id);
    const element = {
      ...(before ?? {
        id,
        type: "rectangle",
        version: 0,
        versionNonce: 7,
        index: `a${id}`,
        isDeleted: false,
        locked: false,
      }),
      ...change,
    };
    const next = { ...element, version: element.version + 1 };
    this.all = inOrder([...this.all.filter((one) => one !== before), next]);
  }

  one(id: string): BoardElement | undefined {
    return this.all.find((element) => element.id === id);
  }

  /** What can be seen: ids in their order. */
  get visible(): string[] {
    return this.all.filter(({ isDeleted }) => !isDeleted).map(({ id }) => id);
  }
}

/** A board that two have open, with a network between them. */
function twoScreens(rights: [Right, Right] = ["all", "all"]) {
  const [one, other] = [new Y.Doc(), new Y.Doc()];
  one.clientID = 1;
  other.clientID = 2;
  let isCut = false;
  const carry = (from: Y.Doc, to: Y.Doc) =>
    from.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "network" && !isCut) Y.applyUpdate(to, update, "network");
    });
  carry(one, other);
  carry(other, one);
  return {
    ann: new Screen(one, "ann", rights[0]),
    ben: new Screen(other, "ben", rights[1]),
    cut: () => void (isCut = true),
    mend: () => {
      isCut = false;
      Y.applyUpdate(other, Y.encodeStateAsUpdate(one), "network");
      Y.applyUpdate(one, Y.encodeStateAsUpdate(other), "network");
      vi.advanceTimersByTime(1_000);
    },
  };
}

const stored = ({ doc }: Screen) => doc.getMap<Record<string, unknown>>("elements");

/** At rest, everybody sees what the document has, and the documents are the same. */
function agree(first: Screen, ...others: Screen[]): void {
  const screens = [first, ...others];
  for (const screen of screens) {
    expect(stored(screen).toJSON()).toEqual(stored(first).toJSON());
    expect([...screen.visible].sort()).toEqual([...stored(screen).keys()].sort());
    expect(screen.visible).toEqual(first.visible);
  }
}

describe("what is drawn", () => {
  it("comes to the others with its author, and goes when it is deleted", () => {
    const { ann, ben } = twoScreens();
    ann.does("1", { x: 5 });
    expect(ben.one("1")).toMatchObject({ x: 5, isDeleted: false });
    expect(stored(ben).get("1")).toMatchObject({ id: "1", author: "ann", index: "a1", version: 1 });
    expect(ben.binding.authorOf("1")).toBe("ann");
    ben.does("1", { x: 6 });
    expect(stored(ann).get("1")).toMatchObject({ x: 6, author: "ann" });
    ben.does("1", { isDeleted: true });
    expect(ann.visible).toEqual([]);
    expect(stored(ann).size).toBe(0);
    agree(ann, ben);
  });

  it("comes back by an undo as its author's", () => {
    const { ann, ben } = twoScreens();
    ann.does("1");
    ben.does("1", { isDeleted: true });
    ben.does("1", { isDeleted: false });
    expect(stored(ann).get("1")).toMatchObject({ author: "ann" });
    expect(ann.visible).toEqual(["1"]);
    agree(ann, ben);
  });

  it("is written once the pointer is up, and every half second before", () => {
    const { ann, ben } = twoScreens();
    ann.held.add("1");
    let writes = 0;
    stored(ann).observe(() => void (writes += 1));
    for (let step = 0; step < 110; step += 1) {
      ann.changes("1", { x: step });
      ann.binding.sceneChanged(true);
      vi.advanceTimersByTime(10);
    }
    expect(writes).toBe(2);
    ann.held.clear();
    ann.binding.released();
    vi.advanceTimersByTime(1);
    expect(writes).toBe(3);
    expect(ben.one("1")).toMatchObject({ x: 109 });
    agree(ann, ben);
  });

  it("is shown in the same order by everybody", () => {
    const { ann, ben } = twoScreens();
    ann.does("2");
    ann.does("1");
    ben.does("3", { index: "a0" });
    expect(ann.visible).toEqual(["3", "1", "2"]);
    agree(ann, ben);
  });

  it("with the same index as another's is in the same order, and nobody writes because of it", () => {
    const { ann, ben, cut, mend } = twoScreens();
    cut();
    ann.does("1", { index: "a1" });
    ben.does("2", { index: "a1" });
    mend();
    const [hers, his] = [stored(ann).toJSON(), stored(ben).toJSON()];
    ann.binding.sceneChanged(false);
    ben.binding.sceneChanged(false);
    vi.advanceTimersByTime(1_000);
    expect(stored(ann).toJSON()).toEqual(hers);
    expect(stored(ben).toJSON()).toEqual(his);
    agree(ann, ben);
  });
});

describe("what others do", () => {
  it("does not touch what somebody has in hand, and comes when they let go", () => {
    const { ann, ben } = twoScreens();
    ann.does("1", { x: 1 });
    ann.held.add("1");
    const inHand = ann.one("1");
    ben.does("1", { x: 2 });
    expect(ann.one("1")).toBe(inHand);
    ann.held.clear();
    ann.binding.released();
    vi.advanceTimersByTime(1);
    expect(ann.one("1")).toMatchObject({ x: 2 });
    agree(ann, ben);
  });

  it("gives way to what somebody did with it in hand: the last write counts for all", () => {
    const { ann, ben } = twoScreens();
    ann.does("1", { x: 1 });
    ann.held.add("1");
    ben.does("1", { x: 2 });
    ann.changes("1", { x: 3 });
    ann.held.clear();
    ann.binding.released();
    vi.advanceTimersByTime(1);
    expect(ben.one("1")).toMatchObject({ x: 3 });
    agree(ann, ben);
  });

  it("ends alike also if both changed the same while the network was gone", () => {
    const { ann, ben, cut, mend } = twoScreens();
    ann.does("1", { x: 1 });
    cut();
    ann.does("1", { x: 2 });
    ben.does("1", { x: 3 });
    ann.does("2");
    ben.does("3");
    mend();
    agree(ann, ben);
    expect(ann.visible).toEqual(["1", "2", "3"]);
    expect(ann.one("1")?.x).toBe(ben.one("1")?.x);
  });

  it("leaves all other elements the very same", () => {
    const { ann, ben } = twoScreens();
    ann.does("1");
    ann.does("2");
    const before = ann.one("1");
    ben.does("2", { x: 9 });
    expect(ann.one("1")).toBe(before);
  });

  it("and cannot be read is left alone in the document", () => {
    const { ann, ben } = twoScreens();
    stored(ben).set("odd", { no: "element" });
    stored(ben).set("worse", "text" as unknown as Record<string, unknown>);
    ann.does("1");
    expect(ann.visible).toEqual(["1"]);
    expect(stored(ann).size).toBe(3);
  });
});

describe("who may change their own only", () => {
  it("finds what is others' locked, and what they change of it undone", () => {
    const { ann, ben } = twoScreens(["all", "own"]);
    ann.does("1", { x: 1 });
    expect(ben.one("1")).toMatchObject({ locked: true });
    expect(stored(ben).get("1")).toMatchObject({ locked: false });
    ben.does("1", { x: 2 });
    ben.does("1", { isDeleted: true });
    expect(ben.one("1")).toMatchObject({ x: 1, isDeleted: false });
    expect(stored(ann).get("1")).toMatchObject({ x: 1 });
    ben.does("2");
    ben.does("2", { x: 7 });
    expect(stored(ann).get("2")).toMatchObject({ x: 7, author: "ben" });
    agree(ann, ben);
  });

  it("finds it unlocked once they may change everything", () => {
    const { ann, ben } = twoScreens(["all", "own"]);
    ann.does("1");
    ben.binding.setRight("all");
    expect(ben.one("1")).toMatchObject({ locked: false });
    ben.does("1", { x: 2 });
    expect(stored(ann).get("1")).toMatchObject({ x: 2, author: "ann" });
    agree(ann, ben);
  });
});

describe("who may change nothing", () => {
  it("writes nothing, and sees the board as it is", () => {
    const { ann, ben } = twoScreens(["all", "nothing"]);
    ann.does("1", { x: 1 });
    ben.does("1", { x: 2 });
    ben.does("2");
    expect(ben.one("1")).toMatchObject({ x: 1 });
    expect(ben.visible).toEqual(["1"]);
    agree(ann, ben);
  });

  it("has written what was drawn before the right was taken", () => {
    const { ann, ben } = twoScreens();
    ben.changes("1", { x: 1 });
    ben.binding.sceneChanged(true);
    ben.binding.setRight("nothing");
    expect(ann.visible).toEqual(["1"]);
    agree(ann, ben);
  });
});

describe("what is no part of the document", () => {
  it("is shown and never written", () => {
    const { ann, ben } = twoScreens();
    const page = { id: "page", type: "image", version: 1, versionNonce: 1, index: "Zz" } as BoardElement;
    ann.binding.setGuest("page", { ...page, isDeleted: false, locked: true });
    expect(ann.visible).toEqual(["page"]);
    ann.does("page", { x: 100 });
    expect(ann.one("page")?.x).toBeUndefined();
    expect(ann.refused).toEqual([]);
    expect(stored(ann).size).toBe(0);
    ann.binding.setGuest("page", null);
    expect(ann.visible).toEqual([]);
    expect(ben.visible).toEqual([]);
  });

  it("gives way to what is written", () => {
    const { ann, ben } = twoScreens();
    const stroke = { id: "1", type: "freedraw", version: 4, versionNonce: 1, index: "a1" } as BoardElement;
    ben.binding.setGuest("1", { ...stroke, isDeleted: false, locked: true, x: 1 });
    expect(ben.one("1")).toMatchObject({ x: 1 });
    ann.does("1", { version: 8, x: 2 });
    expect(ben.one("1")).toMatchObject({ x: 2, locked: false });
    ben.binding.setGuest("1", null);
    expect(ben.visible).toEqual(["1"]);
    agree(ann, ben);
  });
});

describe("a picture", () => {
  it("is taken off the board again", () => {
    const { ann, ben } = twoScreens();
    ann.does("1", { type: "image" });
    expect(ann.refused).toEqual(["image"]);
    expect(ann.visible).toEqual([]);
    expect(stored(ben).size).toBe(0);
    vi.advanceTimersByTime(1_000);
    ann.binding.sceneChanged(false);
    vi.advanceTimersByTime(1_000);
    expect(ann.refused).toEqual(["image"]);
  });
});

describe("another document in its place", () => {
  it("is shown as it is", () => {
    const { ann } = twoScreens();
    ann.does("1");
    ann.does("2");
    const fresh = new Y.Doc();
    fresh.getMap("elements").set("2", { ...ann.one("2"), author: "ann" });
    fresh.getMap("elements").set("3", { ...ann.one("2"), id: "3", index: "a3", author: "ben" });
    ann.binding.destroy();
    new BoardBinding({ doc: fresh, scene: ann, me: "ann", right: "nothing" });
    expect(ann.visible).toEqual(["2", "3"]);
  });
});
