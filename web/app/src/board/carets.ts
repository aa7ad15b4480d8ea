/** Where others are writing: a coloured caret with a name, and what they have selected. Colours are classes, never inline styles. */
import { Annotation, type Range } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type ViewUpdate,
} from "@codemirror/view";
import type { DocumentState } from "@lyceum/sdk/documents";
import * as Y from "yjs";

type Awareness = DocumentState["awareness"];

/** Places in the text that stay where they are while others write. */
export interface Caret {
  readonly anchor: unknown;
  readonly head: unknown;
}

const othersMoved = Annotation.define<true>();
const hues = 6;

const coloured: Record<string, Record<string, string>> = {};
for (const [hue, color] of ["#14563f", "#413a9e", "#8f2f5f", "#1f5a86", "#7a4a00", "#8a2d1c"].entries()) {
  coloured[`.cm-caret-${hue}`] = { borderColor: color };
  coloured[`.cm-caret-${hue} .cm-caret-name`] = { background: color };
  coloured[`.cm-chosen-${hue}`] = { background: `color-mix(in srgb, ${color} 22%, transparent)` };
}

const look = EditorView.baseTheme({
  ".cm-caret": { position: "relative", borderInlineStart: "2px solid", marginInline: "-1px" },
  ".cm-caret-name": {
    position: "absolute",
    insetBlockEnd: "100%",
    insetInlineStart: "-2px",
    padding: "0 5px",
    borderRadius: "4px 4px 4px 0",
    font: "600 0.75rem/1.35 var(--font)",
    whiteSpace: "nowrap",
    color: "#fff",
    pointerEvents: "none",
    userSelect: "none",
  },
  ...coloured,
});

export function carets(text: Y.Text, awareness: Awareness) {
  class Others {
    decorations: DecorationSet = Decoration.none;
    private readonly moved: () => void;

    constructor(view: EditorView) {
      this.moved = () => {
        // Awareness may speak while the editor is being updated.
        queueMicrotask(() => view.dispatch({ annotations: othersMoved.of(true) }));
      };
      awareness.on("change", this.moved);
      this.decorations = shown(text, awareness);
    }

    update(update: ViewUpdate): void {
      const isDue = update.docChanged || update.transactions.some((one) => one.annotation(othersMoved));
      if (isDue) this.decorations = shown(text, awareness);
    }

    destroy(): void {
      awareness.off("change", this.moved);
    }
  }
  return [ViewPlugin.fromClass(Others, { decorations: (plugin) => plugin.decorations }), look];
}

/** Tells where this person's caret is, each time that it has moved; `null` when they turn to something else. */
export function sayCaret(text: Y.Text, say: (caret: Caret | null) => void) {
  return EditorView.updateListener.of(({ view, selectionSet, focusChanged, docChanged }) => {
    if (!selectionSet && !focusChanged && !docChanged) return;
    if (!view.hasFocus) {
      if (focusChanged) say(null);
      return;
    }
    const { anchor, head } = view.state.selection.main;
    const place = (at: number) => Y.createRelativePositionFromTypeIndex(text, Math.min(at, text.length));
    say({ anchor: place(anchor), head: place(head) });
  });
}

function shown(text: Y.Text, awareness: Awareness): DecorationSet {
  const { doc } = text;
  if (doc === null) return Decoration.none;
  const ranges: Range<Decoration>[] = [];
  for (const [client, state] of awareness.getStates()) {
    if (client === doc.clientID) continue;
    const { name, caret } = state as { name?: unknown; caret?: Partial<Caret> | null };
    if (typeof name !== "string" || caret == null) continue;
    const [anchor, head] = [placeOf(caret.anchor, doc), placeOf(caret.head, doc)];
    if (anchor === null || head === null) continue;
    const hue = client % hues;
    const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
    if (to > from) ranges.push(Decoration.mark({ class: `cm-chosen-${hue}` }).range(from, to));
    ranges.push(Decoration.widget({ widget: new CaretWidget(name, hue), side: 1 }).range(head));
  }
  return Decoration.set(ranges, true);
}

/** What others say may be anything. */
function placeOf(value: unknown, doc: Y.Doc): number | null {
  try {
    const place = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(value), doc);
    return place?.index ?? null;
  } catch {
    return null;
  }
}

class CaretWidget extends WidgetType {
  constructor(
    private readonly name: string,
    private readonly hue: number,
  ) {
    super();
  }

  override eq(other: CaretWidget): boolean {
    return other.name === this.name && other.hue === this.hue;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = `cm-caret cm-caret-${this.hue}`;
    caret.setAttribute("aria-hidden", "true");
    const name = caret.appendChild(document.createElement("span"));
    name.className = "cm-caret-name";
    name.textContent = this.name.slice(0, 40);
    // A zero-width character keeps the line as high as it is.
    caret.append("\u2060");
    return caret;
  }

  override get estimatedHeight(): number {
    return -1;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}
