/**
 * When to try again after the connection was lost: quickly at first, then every few seconds, spread so that
 * a whole class does not knock at the same instant when its server comes back.
 */

const firstDelayMs = 500;
const longestDelayMs = 5_000;

/** How long a lost class is tried before the page asks the person, in milliseconds. */
export const giveUpAfterMs = 15 * 60_000;

/** Delay before try number `attempt` (from 1), in milliseconds; `random` is in 0..1. */
export function retryDelayMs(attempt: number, random: number): number {
  const doubled = firstDelayMs * 2 ** Math.min(attempt - 1, 10);
  const delay = Math.min(doubled, longestDelayMs);
  return Math.round(delay * (0.75 + random * 0.5));
}
