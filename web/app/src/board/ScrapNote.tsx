/** What the server did not take: only here, to be copied or thrown away. */
import type { DocumentState, SharedDocument } from "@lyceum/sdk/documents";
import { Info } from "lucide-react";
import { notice } from "../lib/notices";
import { whyRefused, wordsForScraps } from "./words";

export function ScrapNote({
  document,
  scraps,
}: {
  document: SharedDocument;
  scraps: DocumentState["scraps"];
}) {
  const newest = scraps.at(-1);
  if (newest === undefined) return null;
  return (
    <div className="scrap" role="status" data-testid="scraps">
      <Info className="i s" aria-hidden="true" />
      <p className="grow">
        <b>{wordsForScraps(scraps)}</b> {whyRefused(newest.code, newest.message)}
      </p>
      <button className="btn small" data-testid="scraps-copy" onClick={() => void copy(scraps)}>
        Copy
      </button>
      <button
        className="btn small quiet"
        data-testid="scraps-discard"
        onClick={() => document.discardScraps()}
      >
        Discard
      </button>
    </div>
  );
}

async function copy(scraps: DocumentState["scraps"]): Promise<void> {
  const elements = scraps.flatMap((scrap) => scrap.elements);
  const texts = scraps.flatMap((scrap) => scrap.texts);
  // Excalidraw takes its own form from the clipboard, on this board or another one.
  const text =
    elements.length > 0
      ? JSON.stringify({ type: "excalidraw/clipboard", elements, files: {} })
      : texts.join("\n");
  try {
    await navigator.clipboard.writeText(text);
    notice(elements.length > 0 ? "Copied. Paste it on a board that you may draw on." : "Copied.");
  } catch {
    notice("Your browser does not let the page copy.");
  }
}
