/** Polls without their looks: options, what is complete, what was chosen in this tab and how far it has been kept. */
import type { Answers, Class, StateConnection } from "@lyceum/sdk";
import { useSyncExternalStore } from "react";
import { useAll, useClass, useMyself, useOne } from "./state";

export type Item = Class.Item;
export type Answer = Class.Answer | null;

/** What can be chosen, where something is chosen from a list. */
export function optionsOf(item: Item): readonly string[] {
  if (item.options.length > 0) return item.options;
  switch (item.kind) {
    case "true_false":
      return ["True", "False"];
    case "yes_no":
      return item.abstain ? ["Yes", "No", "Abstain"] : ["Yes", "No"];
    default:
      return [];
  }
}

/** What is counted: an option, or a step of a scale. */
export function columnsOf(item: Item): readonly string[] {
  if (item.kind === "scale") {
    return Array.from({ length: item.to - item.from + 1 }, (_, step) => String(item.from + step));
  }
  return optionsOf(item);
}

export function isAnswered(answer: Answer | undefined): boolean {
  if (answer === null || answer === undefined) return false;
  if (answer.kind === "text") return answer.text.trim() !== "";
  if (answer.kind === "options") return answer.options.length > 0;
  return true;
}

/** Whether an answer may be sent: a poll is answered as a whole, a quiz as far as one comes. */
export function maySend(spec: Class.PollSpec, answers: readonly Answer[]): boolean {
  return spec.mode === "poll" ? spec.items.every((_, n) => isAnswered(answers[n])) : answers.some(isAnswered);
}

/** The answer in words, for "if you do nothing, … is sent". */
export function answerWords(item: Item, answer: Answer | undefined): string {
  if (answer === null || answer === undefined) return "no answer";
  switch (answer.kind) {
    case "options": {
      const options = optionsOf(item);
      return answer.options.map((n) => options[n] ?? String(n + 1)).join(", ");
    }
    case "number":
      return String(answer.number);
    case "text":
      return answer.text;
    case "point":
      return `${answer.x}, ${answer.y}`;
  }
}

export type Kept = "nothing" | "saving" | "saved";

/** What was chosen in this tab, also across a reload of the page. */
class Choices {
  private readonly listeners = new Set<() => void>();
  private readonly answers = new Map<number, Answers>();
  private readonly kept = new Map<number, Kept>();
  private version = 0;

  constructor(private readonly connection: StateConnection) {
    connection.onOutcome((pending, outcome) => {
      if (pending.type !== "poll.save_draft") return;
      const { poll } = pending.payload as Class.Commands["poll.save_draft"];
      const newer = connection.pending.some(
        (one) => one.type === "poll.save_draft" && (one.payload as { poll: number }).poll === poll,
      );
      if (newer || this.kept.get(poll) !== "saving") return;
      this.kept.set(poll, outcome.status === "accepted" ? "saved" : "nothing");
      this.tell();
    });
  }

  of(poll: number, count: number): readonly Answer[] {
    let answers = this.answers.get(poll);
    if (answers === undefined) {
      answers = this.remembered(poll) ?? [];
      this.answers.set(poll, answers);
    }
    return Array.from({ length: count }, (_, n) => answers[n] ?? null);
  }

  keptOf(poll: number): Kept {
    return this.kept.get(poll) ?? "nothing";
  }

  choose(poll: number, answers: readonly Answer[], keep: boolean): void {
    // What is empty is no answer.
    const clean = answers.map((answer) => (isAnswered(answer) ? answer : null));
    this.answers.set(poll, [...answers]);
    if (keep && clean.some((answer) => answer !== null)) {
      this.kept.set(poll, "saving");
      this.connection.saveDraft(poll, clean);
    }
    this.remember(poll, answers);
    this.tell();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): number => this.version;

  private tell(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  private key(poll: number): string {
    return `lyceum.answers.${this.connection.store.session ?? ""}.${poll}`;
  }

  private remember(poll: number, answers: readonly Answer[]): void {
    try {
      window.sessionStorage.setItem(this.key(poll), JSON.stringify(answers));
    } catch {
      // Storage is off: a reload then loses what was not sent, the server's draft stays.
    }
  }

  private remembered(poll: number): Answers | null {
    try {
      const stored: unknown = JSON.parse(window.sessionStorage.getItem(this.key(poll)) ?? "null");
      return Array.isArray(stored) ? (stored as Answers) : null;
    } catch {
      return null;
    }
  }
}

const all = new WeakMap<StateConnection, Choices>();

export function useChoices(): Choices {
  const connection = useClass();
  let choices = all.get(connection);
  if (choices === undefined) all.set(connection, (choices = new Choices(connection)));
  useSyncExternalStore(choices.subscribe, choices.snapshot);
  return choices;
}

/** What asks me something that I have not answered yet, as one name: it changes with the question. */
export function useAsked(): string | null {
  const polls = useAll("polls");
  const responses = useAll("responses");
  const checkpoint = useOne("checkpoint");
  const { id: me, entry } = useMyself();
  if (checkpoint !== undefined && entry?.role === "learner" && !Object.hasOwn(checkpoint.answers, me)) {
    return `checkpoint ${checkpoint.id}`;
  }
  const newest = sorted(polls).find(
    ({ id, poll: { asked, status } }) =>
      asked && (status === "open" || status === "closing") && !responses.has(`${id}:${me}`),
  );
  return newest === undefined ? null : `poll ${newest.id}`;
}

/** Not open any more comes last; among equals the newest first. */
export function sorted(polls: ReadonlyMap<string, Class.PollView>): { id: number; poll: Class.PollView }[] {
  const order: Record<Class.PollStatus, number> = { closing: 0, open: 0, draft: 1, closed: 2 };
  return [...polls]
    .map(([id, poll]) => ({ id: Number(id), poll }))
    .sort((a, b) => order[a.poll.status] - order[b.poll.status] || b.id - a.id);
}
