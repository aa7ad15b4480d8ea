/** Pages of slides as pictures: of a PDF by PDF.js, of a picture as it is. PDF.js is loaded with the first PDF. */
import { DeckError, fetchDeck } from "@lyceum/sdk/documents";
import type { StateConnection } from "@lyceum/sdk/state";
import type { PDFDocumentProxy } from "pdfjs-dist";
import type { PagePicture } from "./BoardView";

/** How wide a page lies on the board, and how wide its picture is, in pixels. */
const pageWidth = 1_280;
const pictureWidth = 1_920;
/** A page that is very high and narrow is not made larger than this. */
const mostPixels = 8_000_000;
const mostDecks = 3;

type Opened = { kind: "pdf"; pdf: PDFDocumentProxy } | { kind: "picture"; url: string };

/** Decks that were opened last, by session and number. Files of a deck never change. */
const opened = new Map<string, Promise<Opened>>();

/** A page as a picture. `page` counts from 1. Rejects with a `DeckError`. */
export async function pagePicture(
  state: StateConnection,
  room: string,
  deck: number,
  page: number,
): Promise<PagePicture> {
  const key = `${state.store.session ?? ""}/${deck}`;
  let file = opened.get(key);
  if (file === undefined) {
    file = open(state, room, deck);
    opened.set(key, file);
    file.catch(() => opened.delete(key));
    for (const old of [...opened.keys()].slice(0, -mostDecks)) {
      const gone = opened.get(old);
      opened.delete(old);
      gone?.then(letGo).catch(() => undefined);
    }
  }
  const deckFile = await file;
  const id = `${key}/${page}`;
  return deckFile.kind === "pdf" ? pdfPage(deckFile.pdf, id, page) : picture(deckFile.url, id);
}

async function letGo(file: Opened): Promise<void> {
  if (file.kind === "pdf") await file.pdf.loadingTask.destroy();
}

async function open(state: StateConnection, room: string, deck: number): Promise<Opened> {
  const blob = await fetchDeck(state, room, deck);
  const type = state.store.one("decks", deck)?.mime_type ?? blob.type;
  if (type !== "application/pdf") return { kind: "picture", url: await dataUrl(new Blob([blob], { type })) };
  const { openPdf } = await import("./pdf");
  try {
    return { kind: "pdf", pdf: await openPdf(await blob.arrayBuffer()) };
  } catch {
    throw new DeckError("invalid", "Your browser cannot read this PDF.");
  }
}

async function pdfPage(pdf: PDFDocumentProxy, id: string, number: number): Promise<PagePicture> {
  const page = await pdf.getPage(number);
  const { width, height } = page.getViewport({ scale: 1 });
  const scale = Math.min(pictureWidth / width, Math.sqrt(mostPixels / (width * height)));
  const viewport = page.getViewport({ scale });
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(viewport.width);
  canvas.height = Math.round(viewport.height);
  await page.render({ canvas, viewport }).promise;
  page.cleanup();
  return {
    id,
    url: canvas.toDataURL("image/webp", 0.92),
    width: pageWidth,
    height: (pageWidth * height) / width,
  };
}

async function picture(url: string, id: string): Promise<PagePicture> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new DeckError("invalid", "Your browser cannot read this picture.");
  }
  const { naturalWidth, naturalHeight } = image;
  return { id, url, width: pageWidth, height: (pageWidth * naturalHeight) / Math.max(naturalWidth, 1) };
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new DeckError("invalid", "The file cannot be read."));
    reader.readAsDataURL(blob);
  });
}
