/** Says aloud what is asked and how time runs out. */
import { useEffect } from "react";
import { announce } from "../lib/announcer";
import { deadlines, markBetween, spokenWords } from "./spoken";
import { useClass } from "./state";

/** How often the clock is looked at, in milliseconds. */
const lookEveryMs = 500;

export function useSpoken(): void {
  const { store, clock } = useClass();
  useEffect(() => {
    const stop = store.onEvent((event) => {
      const words = spokenWords(event, store);
      if (words !== null) announce(words);
    });
    let before = clock.serverNow();
    const timer = setInterval(() => {
      const now = clock.serverNow();
      for (const { at, left } of deadlines(store)) {
        const mark = markBetween(at - before, at - now);
        if (mark !== null) announce(`${mark} seconds ${left}`);
      }
      before = now;
    }, lookEveryMs);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [store, clock]);
}
