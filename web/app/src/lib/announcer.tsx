/** The live regions of the page, a polite one and one for what cannot wait. All that assistive technology is told goes through `announce`. */
import { useSyncExternalStore } from "react";

let polite = "";
let assertive = "";
const listeners = new Set<() => void>();

export function announce(text: string, atOnce = false): void {
  // The same words twice in a row would not be read again; an invisible space makes them new.
  if (atOnce) assertive = text === assertive ? `${text}\u00a0` : text;
  else polite = text === polite ? `${text}\u00a0` : text;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Announcer() {
  const politeText = useSyncExternalStore(subscribe, () => polite);
  const assertiveText = useSyncExternalStore(subscribe, () => assertive);
  return (
    <>
      <div className="vh" role="status" aria-live="polite" data-testid="announcer">
        {politeText}
      </div>
      <div className="vh" role="alert" aria-live="assertive">
        {assertiveText}
      </div>
    </>
  );
}
