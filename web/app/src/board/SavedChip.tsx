/** Whether everything that was done here is on the server. */
import type { DocumentState } from "@lyceum/sdk/documents";
import { Check, CloudOff, LoaderCircle } from "lucide-react";

export function SavedChip({ state }: { state: DocumentState }) {
  const isAway = state.phase === "away" || state.phase === "closed";
  if (state.saved && !isAway) {
    return (
      <span className="chip leaf" data-testid="saved" data-saved="yes">
        <Check className="i xs" aria-hidden="true" />
        Saved
      </span>
    );
  }
  return (
    <span className="chip lamp" data-testid="saved" data-saved={state.saved ? "yes" : "no"}>
      {isAway ? (
        <CloudOff className="i xs" aria-hidden="true" />
      ) : (
        <LoaderCircle className="i xs" aria-hidden="true" />
      )}
      {state.saved ? "Not connected" : isAway ? "Kept here, not saved yet" : "Saving…"}
    </span>
  );
}
