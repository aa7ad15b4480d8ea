/** The documents of this tab, and what of the class the board needs, for React. */
import type { Classroom } from "@lyceum/sdk";
import type { Class, CollectionName, Store } from "@lyceum/sdk/state";
import { Documents, type DocumentState, type SharedDocument } from "@lyceum/sdk/documents";
import { useCallback, useSyncExternalStore } from "react";
import type { Right } from "./binding";

declare global {
  interface Window {
    /** Debugging hook: the documents that are open in this tab. */
    __lyceumDocuments?: Documents;
  }
}

const made = new WeakMap<Classroom, Documents>();

/** One for the life of the page, so that what is not saved yet outlives a look at something else. */
export function documentsOf(classroom: Classroom): Documents {
  let documents = made.get(classroom);
  if (documents === undefined) {
    const all = new Documents(classroom.class);
    documents = all;
    made.set(classroom, all);
    window.__lyceumDocuments = all;
    // What is not on the server yet is nowhere else.
    window.addEventListener("beforeunload", (event) => {
      if ([...all.all.values()].some(({ state }) => !state.saved)) event.preventDefault();
    });
  }
  return documents;
}

/** Keeps a document open while the component is shown; `null` in the moment before. */
export function useShared(
  documents: Documents,
  name: string,
): { document: SharedDocument; state: DocumentState } | null {
  const subscribe = useCallback(
    (listener: () => void) => {
      const opened = documents.open(name);
      const stop = opened.subscribe(listener);
      return () => {
        stop();
        documents.release(opened);
      };
    },
    [documents, name],
  );
  const state = useSyncExternalStore(subscribe, () => documents.get(name)?.state ?? null);
  const document = documents.get(name);
  return document === undefined || state === null ? null : { document, state };
}

export function useEntities<Name extends CollectionName>(store: Store, name: Name) {
  return useSyncExternalStore(
    (listener) => store.subscribeTo(name, listener),
    () => store.all(name),
  );
}

/** The Space that this person is in or looks into, and how things are there. */
export function useSpace(store: Store): { name: string; space: Class.Space | undefined } {
  const people = useEntities(store, "participants");
  const spaces = useEntities(store, "spaces");
  const me = store.you === null ? undefined : people.get(store.you);
  const name = me?.visit ?? me?.space ?? "main";
  return { name, space: spaces.get(name) };
}

export function useCaps(store: Store): (cap: Class.Cap) => boolean {
  const grants = useEntities(store, "grants");
  const caps = store.you === null ? undefined : grants.get(store.you)?.caps;
  return (cap) => caps?.includes(cap) ?? false;
}

export function boardRight(can: (cap: Class.Cap) => boolean): Right {
  return can("board.draw") ? "all" : can("board.draw_own") ? "own" : "nothing";
}
