/**
 * Notes that several people write at once: CodeMirror on the document's text, with the others' carets in it. It lives in a shadow tree,
 * where its styles are style sheets of the document instead of `<style>` elements, which the page's policy forbids.
 */
import { defaultKeymap } from "@codemirror/commands";
import { EditorState, Compartment } from "@codemirror/state";
import { EditorView, drawSelection, keymap, placeholder } from "@codemirror/view";
import type { DocumentState, SharedDocument } from "@lyceum/sdk/documents";
import { useEffect, useEffectEvent, useRef } from "react";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import * as Y from "yjs";
import { carets, sayCaret } from "./carets";

interface Props {
  document: SharedDocument;
  state: DocumentState;
  name: string;
  mayWrite: boolean;
}

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "1.0625rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "1.6", padding: "16px 0" },
  ".cm-content": { maxWidth: "46rem", margin: "0 auto", padding: "0 20px", caretColor: "var(--ink)" },
  ".cm-cursor": { borderInlineStartColor: "var(--ink)", borderInlineStartWidth: "2px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    background: "var(--leaf-tint) !important",
  },
  ".cm-placeholder": { color: "var(--ink-3)" },
});

export default function NotesView({ document, state, name, mayWrite }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const writable = useRef(new Compartment());
  const { doc, awareness } = state;
  const readWritable = useEffectEvent(() => isWritable(mayWrite));

  useEffect(() => {
    const { current } = host;
    if (current === null) return;
    const root = current.shadowRoot ?? current.attachShadow({ mode: "open" });
    const text = doc.getText("notes");
    const undo = new Y.UndoManager(text);
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: text.toJSON(),
        extensions: [
          keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
          drawSelection(),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "Notes", spellcheck: "true", autocorrect: "on" }),
          placeholder("Nothing is written here yet."),
          look,
          yCollab(text, null, { undoManager: undo }),
          carets(text, awareness),
          sayCaret(text, (caret) => document.setPresence(caret === null ? null : { name, caret })),
          writable.current.of(readWritable()),
        ],
      }),
    });
    view.current = made;
    return () => {
      view.current = null;
      document.setPresence(null);
      made.destroy();
      undo.destroy();
    };
  }, [awareness, doc, document, name]);

  useEffect(() => {
    view.current?.dispatch({ effects: writable.current.reconfigure(isWritable(mayWrite)) });
  }, [mayWrite]);

  return <div className="notes-text" ref={host} data-own-keys data-testid="notes-text" />;
}

/** Who may not write can still put the caret somewhere, select and copy. */
function isWritable(mayWrite: boolean) {
  return [
    EditorState.readOnly.of(!mayWrite),
    EditorView.contentAttributes.of({ "aria-readonly": String(!mayWrite) }),
  ];
}
