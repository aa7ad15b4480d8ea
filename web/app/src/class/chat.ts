/** Conversations out of the messages of the class: which there are, what was read of each, and what was refused. */
import type { Class, Outcome, Pending, StateConnection } from "@lyceum/sdk";
import { useMemo, useSyncExternalStore } from "react";
import { useAll, useClass, useMyself } from "./state";

export type Message = Class.Message;

/** `space:…`, `pair:…` (the other person) or `staff`. */
export type ConversationId = string;

export function conversationOf(to: Class.Channel, me: string): ConversationId {
  switch (to.kind) {
    case "space":
      return `space:${to.space}`;
    case "pair":
      return `pair:${to.a === me ? to.b : to.a}`;
    case "staff":
      return "staff";
  }
}

/** Where a message goes that is written in a conversation. */
export function addressOf(conversation: ConversationId): Class.To {
  const at = conversation.indexOf(":");
  const kind = at === -1 ? conversation : conversation.slice(0, at);
  const name = conversation.slice(at + 1);
  if (kind === "space") return { kind: "space", space: name };
  if (kind === "pair") return { kind: "person", person: name };
  return { kind: "staff" };
}

export function sameAddress(a: Class.To | null | undefined, b: Class.To): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export interface Refused {
  readonly id: string;
  readonly payload: Class.Commands["chat.send"];
  readonly outcome: Extract<Outcome, { status: "rejected" }>;
}

/** Outlives the panel: what was read, and what was refused and not thrown away yet. */
class ChatMemory {
  private readonly listeners = new Set<() => void>();
  readonly read = new Map<ConversationId, number>();
  refused: readonly Refused[] = [];
  /** Commands of messages that are here already, though their answer is not. */
  readonly arrived = new Set<string>();
  version = 0;

  constructor(connection: StateConnection) {
    connection.onOutcome((pending, outcome) => {
      if (pending.type !== "chat.send" || outcome.status !== "rejected") return;
      const { id, payload } = pending as Pending<"chat.send">;
      this.refused = [...this.refused, { id, payload, outcome }].slice(-20);
      this.tell();
    });
    connection.store.onEvent((event) => {
      if ((event.type === "chat.posted" || event.type === "chat.held") && event.cause != null) {
        this.arrived.add(event.cause.id);
        this.tell();
      }
    });
    // What was there when one came in is not news.
    const first = connection.store.seq;
    this.before = first;
  }

  readonly before: number;

  markRead(conversation: ConversationId, seq: number): void {
    if ((this.read.get(conversation) ?? 0) >= seq) return;
    this.read.set(conversation, seq);
    this.tell();
  }

  forget(id: string): void {
    this.refused = this.refused.filter((one) => one.id !== id);
    this.tell();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private tell(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}

const memories = new WeakMap<StateConnection, ChatMemory>();

export function useChatMemory(): ChatMemory {
  const connection = useClass();
  let memory = memories.get(connection);
  if (memory === undefined) memories.set(connection, (memory = new ChatMemory(connection)));
  const { subscribe } = memory;
  const made = memory;
  useSyncExternalStore(subscribe, () => made.version);
  return memory;
}

/** Unread messages of others, by conversation. */
export function useUnread(): ReadonlyMap<ConversationId, number> {
  const messages = useAll("messages");
  const { id: me } = useMyself();
  const memory = useChatMemory();
  const { version, read, before } = memory;
  return useMemo(() => {
    const unread = new Map<ConversationId, number>();
    for (const [id, { author, status, to }] of messages) {
      if (author === me || status === "deleted") continue;
      const conversation = conversationOf(to, me);
      if (Number(id) > Math.max(read.get(conversation) ?? 0, before)) {
        unread.set(conversation, (unread.get(conversation) ?? 0) + 1);
      }
    }
    return unread;
    // `version` stands for what is in `read`.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [messages, me, version, read, before]);
}
