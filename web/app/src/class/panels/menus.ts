/** What somebody may do about a person, and about the class as a whole, as menus. */
import type { Class, Outcome } from "@lyceum/sdk";
import {
  DoorClosed,
  Hand,
  Lock,
  LockOpen,
  MessageSquare,
  MessageSquareOff,
  Mic,
  MicOff,
  Power,
  Presentation,
  Star,
  UserRoundX,
} from "lucide-react";
import { notice } from "../../lib/notices";
import type { MenuEntry } from "../../lib/Menu";
import { useAct, useAll, useCan, useClass, useMySpace, useMyself, useOne, type Participant } from "../state";
import { roleWord } from "../words";

const rank: Record<Class.Role, number> = {
  instructor: 3,
  co_instructor: 3,
  teaching_assistant: 2,
  support: 2,
  learner: 1,
  observer: 1,
  captioner: 1,
  agent: 1,
};
const rolesToGive: readonly Class.Role[] = ["co_instructor", "teaching_assistant", "learner", "observer"];

export function usePersonMenu(
  person: string,
  participant: Participant,
  microphoneOn: boolean,
  onWriteTo: (person: string) => void,
): readonly MenuEntry[] {
  const { id: me, entry } = useMyself();
  const { store } = useClass();
  const act = useAct();
  const grant = useOne("grants", person);
  const own = useOne("grants", me);
  const hand = useOne("hands", person);
  const space = useOne("spaces", participant.space);
  const policy = useOne("session")?.policy;
  const can = (cap: Class.Cap) => own?.caps.includes(cap) ?? false;
  const isMe = person === me;
  const { name, rev, role } = participant;
  const outranks = entry !== undefined && rank[role] <= rank[entry.role];
  const entries: MenuEntry[] = [];

  const withStaff = rank[role] > 1 || (entry !== undefined && rank[entry.role] > 1);
  const mayWrite =
    can("chat.dm") &&
    policy !== undefined &&
    (policy.direct_messages === "all" || (policy.direct_messages === "staff" && withStaff));
  if (!isMe && mayWrite)
    entries.push({ word: `Write to ${name}`, icon: MessageSquare, run: () => onWriteTo(person) });
  if (hand !== undefined && can("hand.call") && !isMe) {
    entries.push({ word: "Call on", icon: Hand, run: () => void act("hand.call", { person }) });
  }

  const presents = space?.presenter?.person === person;
  const lease = { expect: space?.rev };
  if (can("presenter.assign") && !presents) {
    entries.push({
      word: isMe ? "Take the stage" : "Hand over the stage",
      icon: Presentation,
      run: () =>
        void (isMe
          ? act("presenter.take", { space: participant.space })
          : act("presenter.assign", { person, space: participant.space }, withExpect(lease.expect))),
    });
  } else if (isMe && can("presenter.take") && !presents) {
    entries.push({
      word: "Take the stage",
      icon: Presentation,
      run: () => void act("presenter.take", { space: participant.space }),
    });
  }
  if (presents && isMe) {
    entries.push({
      word: "Give the stage back",
      icon: Presentation,
      run: () => void act("presenter.release", { space: participant.space }),
    });
  } else if (presents && can("presenter.take")) {
    entries.push({
      word: "Take the stage back",
      icon: Presentation,
      run: () => void act("presenter.take", { space: participant.space }),
    });
  }
  if (can("stage.set") && space !== undefined) {
    const lit = space.stage.spotlight.includes(person);
    const spotlight = lit ? space.stage.spotlight.filter((one) => one !== person) : [person];
    entries.push({
      word: lit ? "No longer large for everybody" : "Show large for everybody",
      icon: Star,
      run: () =>
        void act("stage.set", { space: participant.space, stage: { layout: space.stage.layout, spotlight } }),
    });
  }
  if (isMe || !outranks) return entries;

  if (can("participant.mute")) {
    if (microphoneOn) {
      entries.push({
        word: "Mute",
        icon: MicOff,
        run: () => void act("participant.mute", { persons: [person] }),
      });
    } else {
      entries.push({
        word: "Ask to unmute",
        icon: Mic,
        run: () =>
          void act("media.request_unmute", { persons: [person] }).then(said(`${name} was asked to unmute.`)),
      });
    }
  }
  if (can("participant.override_caps") && grant !== undefined && rank[role] < 3) {
    const override = (cap: Class.Cap, value: boolean | null) => () =>
      void act(
        "participant.override_caps",
        { person, set: { [cap]: value } },
        withExpect(store.one("participants", person)?.rev),
      );
    const chats = grant.caps.includes("chat.send");
    const speaks = grant.caps.includes("media.audio");
    entries.push({
      word: chats ? "Stop writing in chat" : "Let write in chat",
      icon: chats ? MessageSquareOff : MessageSquare,
      run: override("chat.send", chats ? false : grant.overrides["chat.send"] === false ? null : true),
    });
    entries.push({
      word: speaks ? "Stop the microphone" : "Let use the microphone",
      icon: speaks ? MicOff : Mic,
      run: override("media.audio", speaks ? false : grant.overrides["media.audio"] === false ? null : true),
    });
  }
  if (can("participant.set_role")) {
    entries.push({ heading: "Role" });
    for (const given of role === "instructor" ? (["instructor", ...rolesToGive] as const) : rolesToGive) {
      entries.push({
        word: roleWord(given),
        checked: role === given,
        run: () => void act("participant.set_role", { person, role: given }, { expect: rev }),
      });
    }
  }
  if (can("participant.remove")) {
    entries.push({ heading: "Take out of the class" });
    const removed = (ban: boolean) => () =>
      void act("participant.remove", { person, ban }).then((outcome) => {
        if (outcome.status !== "accepted") return;
        notice(`${name} was removed.`, {
          action: { word: "Let back in", run: () => void act("ban.lift", { person }) },
        });
      });
    entries.push({ word: "Remove", icon: UserRoundX, danger: true, run: removed(false) });
    if (can("participant.ban")) {
      entries.push({ word: "Remove and ban", icon: UserRoundX, danger: true, run: removed(true) });
    }
  }
  return entries;
}

/** What goes for the whole class. */
export function useClassMenu(): readonly MenuEntry[] {
  const session = useOne("session");
  const space = useMySpace();
  const participants = useAll("participants");
  const { id: me } = useMyself();
  const act = useAct();
  const maySet = useCan("policy.set");
  const mayLock = useCan("session.lock");
  const mayMute = useCan("participant.mute");
  const mayEnd = useCan("session.end");
  if (session === undefined) return [];
  const { policy, rev } = session;
  const set = (patch: Class.PolicyPatch) => () => void act("policy.set", { patch }, { expect: rev });
  const lock = (cap: Class.Cap) =>
    set({
      locks: policy.locks.includes(cap) ? policy.locks.filter((one) => one !== cap) : [...policy.locks, cap],
    });
  const entries: MenuEntry[] = [];

  if (mayLock) {
    entries.push(
      session.locked
        ? { word: "Unlock the class", icon: LockOpen, run: () => void act("session.unlock") }
        : { word: "Lock: nobody new comes in", icon: Lock, run: () => void act("session.lock") },
    );
  }
  if (mayMute) {
    entries.push({
      word: "Mute everybody",
      hint: "not staff",
      icon: MicOff,
      run: () =>
        void act("participant.mute", { all_except: [me] }).then(
          said(
            space === "main" ? "Everybody in the main room is muted." : "Everybody at this table is muted.",
          ),
        ),
    });
  }
  if (maySet) {
    entries.push({ heading: "Who comes with the link" });
    entries.push({ word: "Comes in at once", checked: policy.lobby === "open", run: set({ lobby: "open" }) });
    entries.push({
      word: "Waits to be let in",
      icon: DoorClosed,
      checked: policy.lobby === "ask",
      run: set({ lobby: "ask" }),
    });
    entries.push({ heading: "Learners may" });
    entries.push({
      word: "Write in chat",
      checked: !policy.locks.includes("chat.send"),
      run: lock("chat.send"),
    });
    entries.push({
      word: "Use the microphone",
      checked: !policy.locks.includes("media.audio"),
      run: lock("media.audio"),
    });
    entries.push({
      word: "Use the camera",
      checked: !policy.locks.includes("media.video"),
      run: lock("media.video"),
    });
    entries.push({
      word: "Share the screen",
      checked: !policy.locks.includes("media.screen"),
      run: lock("media.screen"),
    });
    entries.push({ heading: "Chat" });
    entries.push({
      word: "Messages wait for approval",
      checked: policy.chat === "moderated",
      run: set({ chat: policy.chat === "moderated" ? "open" : "moderated" }),
    });
    entries.push({
      word: "Learners write to each other",
      checked: policy.direct_messages === "all",
      run: set({ direct_messages: policy.direct_messages === "all" ? "staff" : "all" }),
    });
    entries.push({
      word: "Begin muted",
      checked: policy.mute_on_join,
      run: set({ mute_on_join: !policy.mute_on_join }),
    });
  }
  if (mayEnd && session.session !== null && session.ending_at === null) {
    const { session: confirm } = session;
    entries.push({ heading: `${participants.size} people are here` });
    entries.push({
      word: "End the class for everybody",
      icon: Power,
      danger: true,
      run: () => void act("session.end", { confirm }),
    });
  }
  return entries;
}

function withExpect(expect: number | undefined): { expect?: number } {
  return expect === undefined ? {} : { expect };
}

function said(text: string): (outcome: Outcome) => void {
  return (outcome) => {
    if (outcome.status === "accepted") notice(text);
  };
}
