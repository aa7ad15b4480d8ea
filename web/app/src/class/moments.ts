/** The timer of the class: the newest, where somebody has started several. */
import type { Class } from "@lyceum/sdk";
import { useAll } from "./state";

export function useTimer(): { id: string; timer: Class.Timer } | undefined {
  const [newest] = [...useAll("timers")].sort(([a], [b]) => Number(b) - Number(a));
  return newest === undefined ? undefined : { id: newest[0], timer: newest[1] };
}
