/**
 * What the class has changed for me, in sentences: my place, my role, what I may do, who presents. Said calmly where it
 * happens, so that nobody finds out by being refused.
 */
import type { Class, ClassEvent, EntityChange } from "@lyceum/sdk";
import { roleWord } from "./words";

export interface Told {
  readonly text: string;
  /** Cannot wait: one is somewhere else now. */
  readonly assertive?: boolean;
  readonly offersUnmute?: boolean;
}

/** What one notices when it is taken or given; everything else shows where it is used. */
const noticed: readonly { cap: Class.Cap; taken: string; given: string }[] = [
  { cap: "chat.send", taken: "you may read the chat, not write", given: "you may write in the chat" },
  { cap: "media.audio", taken: "your microphone stays off for now", given: "you may use your microphone" },
  { cap: "media.video", taken: "your camera stays off for now", given: "you may use your camera" },
  { cap: "media.screen", taken: "you may not share your screen for now", given: "you may share your screen" },
  { cap: "hand.raise", taken: "hands are not raised for now", given: "you may raise your hand" },
];

interface Around {
  me: string;
  nameOf: (person: string | null) => string;
  titleOf: (space: string) => string;
}

/** What one message of the server changed for me; nothing while one comes in. */
export function standingChanges(changes: readonly EntityChange[], around: Around): Told[] {
  const { me, nameOf, titleOf } = around;
  const told: Told[] = [];
  const mine = changes.find(({ collection, id }) => collection === "participants" && id === me);
  const before = mine?.before as Class.ParticipantView | undefined;
  const after = mine?.after as Class.ParticipantView | undefined;
  if (before !== undefined && after !== undefined) {
    if (before.space !== after.space) {
      const text =
        after.space === "main"
          ? "You are back in the main room."
          : `You were moved to ${titleOf(after.space)}.`;
      told.push({ text, assertive: true });
    }
    if (before.role !== after.role) told.push({ text: `You are ${article(roleWord(after.role))} now.` });
    if (before.floor_until === null && after.floor_until !== null) {
      told.push({ text: "It is your turn. Turn your microphone on and speak.", assertive: true });
    }
  }
  const roleChanged = told.some(({ text }) => text.startsWith("You are a"));
  const grant = changes.find(({ collection, id }) => collection === "grants" && id === me);
  const had = grant?.before as Class.GrantView | undefined;
  const has = grant?.after as Class.GrantView | undefined;
  if (had !== undefined && has !== undefined && !roleChanged) {
    const taken = noticed.filter(({ cap }) => had.caps.includes(cap) && !has.caps.includes(cap));
    const given = noticed.filter(({ cap }) => !had.caps.includes(cap) && has.caps.includes(cap));
    const parts = [...taken.map((one) => one.taken), ...given.map((one) => one.given)];
    const called = told.some(({ assertive }) => assertive === true);
    if (parts.length > 0 && !called) told.push({ text: `The teacher changed this: ${parts.join(", ")}.` });
  }
  const space = after?.space ?? null;
  for (const change of changes.filter(({ collection }) => collection === "spaces")) {
    const was = (change.before as Class.Space | undefined)?.presenter?.person ?? null;
    const is = (change.after as Class.Space | undefined)?.presenter?.person ?? null;
    if (change.before === undefined || change.after === undefined || was === is) continue;
    if (space !== null && change.id !== space) continue;
    if (is === me) told.push({ text: "You have the stage now." });
    else if (was === me) {
      told.push({
        text: is === null ? "You have given back the stage." : `${nameOf(is)} has the stage now, not you.`,
      });
    } else if (is !== null) told.push({ text: `${nameOf(is)} has the stage.` });
  }
  return told;
}

/** What happened that concerns me and is no entity. */
export function eventWords(event: ClassEvent, { me, nameOf }: Around): Told | null {
  switch (event.type) {
    case "media.muted":
      if (!event.payload.persons.includes(me)) return null;
      return { text: "The teacher muted you. You may unmute when you want to speak." };
    case "media.unmute_requested":
      if (!event.payload.persons.includes(me)) return null;
      return { text: "The teacher asks you to unmute.", offersUnmute: true };
    case "breakouts.broadcasted":
      if (event.payload.author === me) return null;
      return {
        text: `${nameOf(event.payload.author)} to all tables: ${event.payload.body}`,
        assertive: true,
      };
    case "breakouts.closing":
      return { text: "The tables close soon. Everybody goes back to the main room." };
    case "lobby.message_posted":
      return { text: event.payload.body };
    case "timer.ended":
      return { text: "The timer has ended.", assertive: true };
    case "session.locked":
      return { text: "The class is locked: nobody new comes in." };
    case "session.unlocked":
      return { text: "The class is open again." };
    default:
      return null;
  }
}

function article(word: string): string {
  return `${/^[aeio]/i.test(word) ? "an" : "a"} ${word.toLocaleLowerCase()}`;
}
