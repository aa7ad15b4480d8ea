/** The state of the class for components: collections of the store, what I may do, and how to do something. */
import type {
  Classroom,
  Class,
  Collection,
  CollectionName,
  CommandArguments,
  CommandType,
  Outcome,
  Pending,
  StateConnection,
  StateStatus,
} from "@lyceum/sdk";
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import { notice } from "../lib/notices";
import { refusalWords } from "./refusals";

export type Participant = Class.Collections["participants"];

export const ClassContext = createContext<Classroom | null>(null);

export function useClass(): StateConnection {
  const classroom = useContext(ClassContext);
  if (classroom === null) throw new Error("used outside of a class");
  return classroom.class;
}

function useFromStore<T>(read: () => T): T {
  const { store } = useClass();
  const subscribe = useCallback((listener: () => void) => store.subscribe(listener), [store]);
  return useSyncExternalStore(subscribe, read);
}

/** A collection; the same Map as long as nothing in it changes. */
export function useAll<Name extends CollectionName>(name: Name): Collection<Name> {
  const { store } = useClass();
  return useFromStore(() => store.all(name));
}

export function useOne<Name extends CollectionName>(
  name: Name,
  id: string | number = "",
): Class.Collections[Name] | undefined {
  const { store } = useClass();
  return useFromStore(() => store.one(name, id));
}

export function useCan(cap: Class.Cap): boolean {
  const { store } = useClass();
  return useFromStore(() => store.can(cap));
}

/** My id, and my entry among the participants. */
export function useMyself(): { id: string; entry: Participant | undefined } {
  const { store } = useClass();
  const id = useFromStore(() => store.you ?? "");
  const entry = useFromStore(() => store.me);
  return { id, entry };
}

export function useStatus(): StateStatus {
  const connection = useClass();
  const subscribe = useCallback((listener: () => void) => connection.subscribe(listener), [connection]);
  return useSyncExternalStore(subscribe, () => connection.status);
}

/** Commands that have no answer yet. */
export function usePending(): readonly Pending[] {
  const connection = useClass();
  const subscribe = useCallback((listener: () => void) => connection.onPending(listener), [connection]);
  return useSyncExternalStore(subscribe, () => connection.pending);
}

/** The Space that I see: the one I visit, else the one I belong to. */
export function useMySpace(): string {
  const { entry } = useMyself();
  return entry?.visit ?? entry?.space ?? "main";
}

export type Act = <T extends CommandType>(type: T, ...args: CommandArguments<T>) => Promise<Outcome>;

/** Does something in the class; says so if it was refused. */
export function useAct(): Act {
  const connection = useClass();
  return useCallback(
    async (type, ...args) => {
      const outcome = await connection.command(type, ...args);
      if (outcome.status === "rejected" && outcome.code !== "superseded") notice(refusalWords(outcome));
      return outcome;
    },
    [connection],
  );
}

/** The server's time, every second (or more often) as long as it matters. */
export function useServerNow(ticking: boolean, everyMs = 1_000): number {
  const { clock } = useClass();
  const [now, setNow] = useState(() => clock.serverNow());
  useEffect(() => {
    if (!ticking) return;
    const tick = () => setNow(clock.serverNow());
    tick();
    const timer = setInterval(tick, everyMs);
    return () => clearInterval(timer);
  }, [clock, ticking, everyMs]);
  return now;
}

const known = new Map<string, string>();

/** Names by person, also of people who have left since. */
export function useNames(): (person: string | null | undefined) => string {
  const participants = useAll("participants");
  const { id: me } = useMyself();
  return useMemo(() => {
    for (const [person, { name }] of participants) known.set(person, name);
    return (person) => {
      if (person === null || person === undefined) return "The school";
      return person === me ? "You" : (known.get(person) ?? "Somebody who left");
    };
  }, [participants, me]);
}

/** Raised hands in their order: those who are away keep their place and are passed over. */
export function queueOf(
  hands: ReadonlyMap<string, Class.HandView>,
  order: Class.HandOrder,
): readonly { person: string; hand: Class.HandView; place: number | null }[] {
  const sorted = [...hands].sort(
    ([, a], [, b]) => (order === "least_heard_first" ? a.called - b.called : 0) || a.since - b.since,
  );
  let place = 0;
  return sorted.map(([person, hand]) => ({ person, hand, place: hand.away ? null : (place += 1) }));
}

export function useHandQueue() {
  const hands = useAll("hands");
  const order = useOne("session")?.hand_order ?? "fifo";
  return useMemo(() => queueOf(hands, order), [hands, order]);
}
