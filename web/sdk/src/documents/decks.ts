/** The files of slides: announced in the class, sent beside the socket, fetched by whoever may see them. */
import type { StateConnection } from "../state/connection.js";
import type { Outcome } from "../state/outbox.js";

/** What the server takes. */
const types: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
};

/** Why slides did not get to the server or back, with a sentence to show. */
export class DeckError extends Error {
  override readonly name = "DeckError";

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** SHA-256 in hexadecimal. Browsers have it on secure pages only. */
export async function digestOf(bytes: ArrayBuffer): Promise<string> {
  const { subtle } = globalThis.crypto as { subtle?: SubtleCrypto };
  if (subtle === undefined) {
    throw new DeckError("insecure", "Slides can be brought only over https. Ask whoever runs this server.");
  }
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Tells the class of a file; gives the deck's number and what it was announced as. The bytes follow by `uploadDeck`. */
export async function announceDeck(
  state: StateConnection,
  file: { name: string; type: string; bytes: ArrayBuffer },
): Promise<number> {
  const ending = file.name.split(".").at(-1)?.toLowerCase() ?? "";
  const mimeType = Object.values(types).includes(file.type) ? file.type : types[ending];
  if (mimeType === undefined) {
    throw new DeckError("invalid", "Slides are a PDF, or a picture: PNG, JPEG or WebP.");
  }
  const outcome: Outcome = await state.command("deck.add", {
    name: file.name.slice(0, 100),
    hash: await digestOf(file.bytes),
    mime_type: mimeType,
    bytes: file.bytes.byteLength,
  });
  if (outcome.status === "rejected") throw new DeckError(outcome.code, outcome.message);
  if (outcome.first === undefined) throw new DeckError("invalid", "The server did not take the slides.");
  return outcome.first;
}

/** Sends the bytes of a deck that was announced. Settles when the server has them; `deck.ready` follows in the class. */
export async function uploadDeck(
  state: StateConnection,
  room: string,
  deck: number,
  bytes: ArrayBuffer,
  fetchFn: typeof fetch = fetch,
): Promise<void> {
  await request(state, room, deck, { method: "PUT", body: bytes }, fetchFn);
}

export async function fetchDeck(
  state: StateConnection,
  room: string,
  deck: number,
  fetchFn: typeof fetch = fetch,
): Promise<Blob> {
  const answer = await request(state, room, deck, { method: "GET" }, fetchFn);
  return answer.blob();
}

async function request(
  state: StateConnection,
  room: string,
  deck: number,
  init: RequestInit,
  fetchFn: typeof fetch,
): Promise<Response> {
  const address = `${state.origin}/api/v1/rooms/${encodeURIComponent(room)}/decks/${deck}`;
  let answer: Response;
  try {
    answer = await fetchFn(address, {
      ...init,
      headers: { authorization: `Bearer ${state.bearer ?? ""}` },
    });
  } catch {
    throw new DeckError("unreachable", "The server cannot be reached at the moment.");
  }
  if (answer.ok) return answer;
  const refusal = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
  throw new DeckError(
    refusal.code ?? "unavailable",
    refusal.message ?? `The server answered ${answer.status}.`,
  );
}
