/** One short notice at a time, shown on the desk for a few seconds and read out. It may offer one thing to do. */
import { useSyncExternalStore } from "react";
import { announce } from "./announcer";

export interface Notice {
  readonly text: string;
  readonly action?: { readonly word: string; readonly run: () => void };
}

interface Options {
  action?: Notice["action"];
  /** Read at once, over what is being read: for what changes where somebody is. */
  assertive?: boolean;
}

const shownForMs = 8_000;
/** With something to do: time to decide. */
const actionForMs = 30_000;

let current: Notice | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export function notice(text: string, { action, assertive = false }: Options = {}): void {
  announce(text, assertive);
  show(action === undefined ? { text } : { text, action });
  clearTimeout(timer);
  timer = setTimeout(() => show(null), action === undefined ? shownForMs : actionForMs);
}

export function dismissNotice(): void {
  clearTimeout(timer);
  show(null);
}

export function useNotice(): Notice | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

function show(now: Notice | null): void {
  current = now;
  for (const listener of listeners) listener();
}
