// Where things lie, and waiting for something to become true.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Screenshots and logs of the last run; never committed. */
export const outputFolder = fileURLToPath(new URL("../../target/browser", import.meta.url));
mkdirSync(outputFolder, { recursive: true });

/** Long enough for a busy machine with two cores; every wait ends as soon as what it waits for is there. */
const patienceMs = 90_000;

/** Asks again and again until `condition` gives something truthy, and gives that. `state` says how things are if it never does. */
export async function until(condition, what, state = () => "") {
  const giveUp = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > giveUp) throw new Error(`still waiting: ${what}. ${await state()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
