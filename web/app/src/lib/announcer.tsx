/** The one polite live region of the page. Everything said to assistive technology goes through `announce`. */
import { useSyncExternalStore } from "react";

let message = "";
const listeners = new Set<() => void>();

export function announce(text: string): void {
  // The same words twice in a row would not be read again; an invisible space makes them new.
  message = text === message ? `${text}\u00a0` : text;
  for (const listener of listeners) listener();
}

export function Announcer() {
  const text = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => message,
  );
  return (
    <div className="vh" role="status" aria-live="polite" data-testid="announcer">
      {text}
    </div>
  );
}
