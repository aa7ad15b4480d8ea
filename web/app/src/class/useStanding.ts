/** Tells on the desk what the class has changed for me. */
import type { Classroom } from "@lyceum/sdk";
import { useEffect } from "react";
import { announce } from "../lib/announcer";
import { notice } from "../lib/notices";
import { eventWords, standingChanges, type Told } from "./standing";
import { spaceTitle } from "./words";
import { queueOf, useNames } from "./state";

export function useStanding(classroom: Classroom): void {
  const names = useNames();
  useEffect(() => {
    const { store } = classroom.class;
    const around = () => ({
      me: store.you ?? "",
      nameOf: (person: string | null) => names(person),
      titleOf: (space: string) => spaceTitle(space, store.one("breakouts")?.groups),
    });
    const tell = ({ text, assertive = false, offersUnmute = false }: Told) =>
      notice(text, {
        assertive,
        ...(offersUnmute
          ? { action: { word: "Unmute", run: () => void classroom.setMicrophone(true) } }
          : {}),
      });
    const stopChanges = store.onChanges((changes) => {
      for (const told of standingChanges(changes, around())) tell(told);
      // Whoever calls on people hears of hands; the others see them.
      if (!store.can("hand.call")) return;
      for (const { collection, id, before, after } of changes) {
        if (collection !== "hands" || before !== undefined || after === undefined || id === store.you)
          continue;
        const order = store.one("session")?.hand_order ?? "fifo";
        const place = queueOf(store.all("hands"), order).find(({ person }) => person === id)?.place;
        announce(`${names(id)} raised a hand${place === 1 ? "" : `, ${place ?? "–"} in line`}`);
      }
    });
    const stopEvents = store.onEvent((event) => {
      const told = eventWords(event, around());
      if (told !== null) tell(told);
    });
    return () => {
      stopChanges();
      stopEvents();
    };
  }, [classroom, names]);
}
