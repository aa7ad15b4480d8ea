/** Which page of which slides is shown, and the picture of it. Who only looks around is on a page of their own until they follow again. */
import { DeckError, announceDeck, uploadDeck } from "@lyceum/sdk/documents";
import type { Class, StateConnection } from "@lyceum/sdk/state";
import { useEffect, useState } from "react";
import { notice } from "../lib/notices";
import type { PagePicture } from "./BoardView";
import { useEntities } from "./shared";
import { pagePicture } from "./slides";

export interface Slides {
  /** What this person sees. */
  readonly at: Class.Page | null;
  /** What everybody is shown. */
  readonly shown: Class.Page | null;
  readonly picture: PagePicture | null;
  /** Why there is no picture. */
  readonly message: string | null;
  readonly decks: readonly { readonly id: number; readonly name: string; readonly pages: number }[];
  /** Files on their way, or that could not be read. */
  readonly waiting: readonly {
    readonly id: number;
    readonly name: string;
    readonly words: string;
    readonly mine: boolean;
  }[];
  /** Shows a page to oneself; `null` follows the presenter. */
  look(page: Class.Page | null): void;
  /** Shows a page to everybody in the Space. */
  turn(page: Class.Page): Promise<void>;
  bring(file: File): Promise<void>;
  sendAgain(deck: number): Promise<void>;
  remove(deck: number): Promise<void>;
}

/** Files that were announced here and are not on the server yet. */
const files = new Map<number, ArrayBuffer>();

/** The server reads files up to here; `deck.add` says so as well. */
const mostBytes = 200_000_000;

export function useSlides(
  state: StateConnection,
  room: string,
  spaceName: string,
  space: Class.Space | undefined,
): Slides {
  const decks = useEntities(state.store, "decks");
  const [own, setOwn] = useState<Class.Page | null>(null);
  const [sending, setSending] = useState<number | null>(null);
  const [shownPicture, setShownPicture] = useState<{
    key: string;
    picture: PagePicture | null;
    message: string | null;
  }>();
  const shown = space?.page ?? null;
  const ready = [...decks].flatMap(([id, deck]) => {
    const pages = pagesOf(deck);
    return pages === null ? [] : [{ id: Number(id), name: deck.name, pages }];
  });
  const isThere = (page: Class.Page | null) =>
    page !== null && ready.some((deck) => deck.id === page.deck && page.page <= deck.pages);
  const at = isThere(own) ? own : isThere(shown) ? shown : null;

  const key = at === null ? "" : `${at.deck}/${at.page}`;
  const [deck, page] = [at?.deck, at?.page];
  useEffect(() => {
    if (deck === undefined || page === undefined) return;
    let isWanted = true;
    const show = (picture: PagePicture | null, message: string | null) => {
      if (isWanted) setShownPicture({ key: `${deck}/${page}`, picture, message });
    };
    pagePicture(state, room, deck, page).then(
      (picture) => show(picture, null),
      (error: unknown) =>
        show(null, error instanceof DeckError ? error.message : "This page cannot be shown."),
    );
    return () => {
      isWanted = false;
    };
  }, [state, room, deck, page]);
  const current = shownPicture?.key === key ? shownPicture : null;

  const turn = async (page: Class.Page) => {
    setOwn(null);
    const outcome = await state.command("page.set", { ...page, space: spaceName });
    if (outcome.status === "rejected") notice(outcome.message);
  };

  const send = async (deck: number) => {
    const bytes = files.get(deck);
    if (bytes === undefined) return;
    setSending(deck);
    try {
      await uploadDeck(state, room, deck, bytes);
      files.delete(deck);
      if (await isReady(state, deck)) await turn({ deck, page: 1 });
    } catch (error) {
      notice(error instanceof DeckError ? error.message : "The slides did not get to the server.");
    } finally {
      setSending(null);
    }
  };

  return {
    at,
    shown,
    picture: current?.picture ?? null,
    message: at === null ? null : (current?.message ?? null),
    decks: ready,
    waiting: [...decks].flatMap(([id, deck]) => {
      const words = sending === Number(id) ? "Sending…" : wordsOf(deck);
      return words === null ? [] : [{ id: Number(id), name: deck.name, words, mine: files.has(Number(id)) }];
    }),
    look: setOwn,
    turn,
    bring: async (file) => {
      if (file.size > mostBytes) {
        notice("This file is too large: 200 MB at most.");
        return;
      }
      try {
        const bytes = await file.arrayBuffer();
        const deck = await announceDeck(state, { name: file.name, type: file.type, bytes });
        files.set(deck, bytes);
        await send(deck);
      } catch (error) {
        notice(error instanceof DeckError ? error.message : "The file cannot be read.");
      }
    },
    sendAgain: send,
    remove: async (deck) => {
      files.delete(deck);
      const outcome = await state.command("deck.remove", { deck });
      if (outcome.status === "rejected") notice(outcome.message);
    },
  };
}

function pagesOf(deck: Class.Deck): number | null {
  return typeof deck.status === "object" && "ready" in deck.status ? deck.status.ready.pages : null;
}

function wordsOf(deck: Class.Deck): string | null {
  if (deck.status === "pending") return "Not on the server yet";
  return "failed" in deck.status ? `Cannot be shown: ${deck.status.failed.reason}` : null;
}

/** Settles once the server has read the file, or has said that it cannot. */
function isReady(state: StateConnection, deck: number): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      const now = state.store.one("decks", deck);
      if (now?.status === "pending") return false;
      resolve(now !== undefined && pagesOf(now) !== null);
      return true;
    };
    if (look()) return;
    const stop = state.store.subscribeTo("decks", () => {
      if (look()) stop();
    });
  });
}
