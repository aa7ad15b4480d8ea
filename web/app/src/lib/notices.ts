/** One short notice at a time, shown on the desk for a few seconds and read out politely. */
import { useSyncExternalStore } from "react";
import { announce } from "./announcer";

const shownForMs = 8_000;

let current: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export function notice(text: string): void {
  announce(text);
  show(text);
  clearTimeout(timer);
  timer = setTimeout(() => show(null), shownForMs);
}

export function useNotice(): string | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

function show(text: string | null): void {
  current = text;
  for (const listener of listeners) listener();
}
