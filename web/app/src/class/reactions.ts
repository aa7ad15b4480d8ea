/** Reactions: passed on at once, shown for a moment on the tile of who sent them, kept nowhere. */
import type { StateConnection } from "@lyceum/sdk";
import { useSyncExternalStore } from "react";
import { useClass } from "./state";

export const reactions = [
  ["clap", "👏", "Applause"],
  ["yes", "👍", "Yes"],
  ["no", "👎", "No"],
  ["laugh", "😄", "Laugh"],
] as const;

const shownForMs = 5_000;

class Shown {
  private readonly listeners = new Set<() => void>();
  private readonly by = new Map<string, { kind: string; timer: ReturnType<typeof setTimeout> }>();

  constructor(connection: StateConnection) {
    connection.onSignal(({ type, person, kind }) => {
      if (type !== "reaction") return;
      clearTimeout(this.by.get(person)?.timer);
      const timer = setTimeout(() => {
        this.by.delete(person);
        this.tell();
      }, shownForMs);
      this.by.set(person, { kind, timer });
      this.tell();
    });
  }

  of(person: string): string | undefined {
    return this.by.get(person)?.kind;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

const all = new WeakMap<StateConnection, Shown>();

/** What somebody shows at the moment: a sign and its word. */
export function useReaction(person: string): { sign: string; word: string } | undefined {
  const connection = useClass();
  let shown = all.get(connection);
  if (shown === undefined) all.set(connection, (shown = new Shown(connection)));
  const made = shown;
  const kind = useSyncExternalStore(made.subscribe, () => made.of(person));
  const found = reactions.find(([name]) => name === kind);
  return found === undefined ? undefined : { sign: found[1], word: found[2] };
}
