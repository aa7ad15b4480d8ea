// Made by `make types` from the Rust types in core/session. Do not edit.

/** What can be asked for: the payload of each type of command. */
export interface Commands {
  /** Ends the session after the policy's time to undo. Naming the session confirms it. Contested: revision of the policy. */
  "session.end": {
    confirm: SessionId;
  };
  /** Takes back an end that was announced. */
  "session.cancel_end": Record<string, never>;
  /** Lets nobody new in who is not staff. */
  "session.lock": Record<string, never>;
  "session.unlock": Record<string, never>;
  /** Changes what the patch names. Contested: revision of the policy. */
  "policy.set": {
    patch: PolicyPatch;
  };
  /** Asks to be let in; from the server, for the person whom a token names. */
  "join": {
    person: PersonId;
    profile: Profile;
  };
  /** Who waits does not want to any more. */
  "lobby.withdraw": Record<string, never>;
  /** From the server: the last connection of somebody who waits was lost. */
  "lobby.lost": {
    person: PersonId;
  };
  "lobby.admit": {
    /** Everybody who waits. */
    all?: boolean;
    persons?: PersonId[];
  };
  "lobby.deny": {
    ban?: boolean;
    person: PersonId;
  };
  /** Says something to everybody who waits. */
  "lobby.message": {
    body: Text;
  };
  /** Contested: revision of the participant. */
  "participant.set_role": {
    person: PersonId;
    role: Role;
  };
  /** Gives, takes, or leaves to the role (`null`). Contested: revision of the participant. */
  "participant.override_caps": {
    person: PersonId;
    set: Partial<Record<Cap, boolean | null>>;
  };
  "participant.remove": {
    ban?: boolean;
    person: PersonId;
  };
  /** Lets somebody come back who was removed or banned. */
  "ban.lift": {
    person: PersonId;
  };
  /** Mutes microphones once; it takes nobody's right to speak. */
  "participant.mute": {
    /** Everybody in the sender's Space but these and staff. */
    all_except?: PersonId[] | null;
    persons?: PersonId[];
  };
  "media.request_unmute": {
    persons: PersonId[];
  };
  "media.set_intent": {
    intent: Intent;
  };
  /** Contested: revision of the Space. */
  "presenter.assign": {
    person: PersonId;
    space?: SpaceName | null;
  };
  "presenter.take": {
    space?: SpaceName | null;
  };
  "presenter.release": {
    space?: SpaceName | null;
  };
  "stage.set": {
    space?: SpaceName | null;
    stage: StageInput;
  };
  "hand.raise": {
    intent?: HandIntent;
  };
  "hand.lower": Record<string, never>;
  /** Gives somebody the word: their hand goes down and they may speak for the policy's time. */
  "hand.call": {
    person: PersonId;
  };
  "hand.dismiss": {
    all?: boolean;
    persons?: PersonId[];
  };
  "hand.reorder": {
    order: HandOrder;
  };
  "chat.send": {
    body: Text;
    reply_to?: Seq | null;
    to?: To | null;
  };
  "chat.edit": {
    body: Text;
    message: Seq;
  };
  "chat.delete": {
    message: Seq;
  };
  "chat.approve": {
    message: Seq;
  };
  "chat.reject": {
    message: Seq;
  };
  "chat.pin": {
    message: Seq;
    pinned: boolean;
  };
  "qa.ask": {
    body: Text;
  };
  "qa.upvote": {
    question: Seq;
    up: boolean;
  };
  "qa.answer": {
    body: Text;
    question: Seq;
  };
  "qa.approve": {
    question: Seq;
  };
  "qa.dismiss": {
    question: Seq;
  };
  /** Passed on at once; only counts of a minute are kept. */
  "reaction.send": {
    kind: string;
  };
  /** From the server: what was counted since the last time. */
  "reaction.aggregate": {
    counts: Record<string, number>;
    space: SpaceName;
  };
  "activity.create": {
    spec: PollSpecInput;
  };
  /** Contested: revision of the poll. */
  "activity.edit": {
    poll: Seq;
    spec: PollSpecInput;
  };
  "poll.open": {
    duration_ms?: number | null;
    poll: Seq;
    target?: Target;
  };
  /** Keeps what is not finished yet, for the same person on any device. */
  "poll.save_draft": {
    answers: (Answer | null)[];
    poll: Seq;
  };
  "poll.respond": {
    answers: (Answer | null)[];
    poll: Seq;
  };
  /** Contested: revision of the poll. */
  "poll.close": {
    /** How long answers are still taken; the poll's own grace if it is left out. */
    grace_ms?: number | null;
    poll: Seq;
  };
  "poll.admit_late": {
    persons: PersonId[];
    poll: Seq;
  };
  "poll.publish": {
    detail?: PublishDetail;
    poll: Seq;
    /** Shows the answer keys as well. */
    reveal?: boolean;
  };
  "quiz.grade": {
    item: number;
    person: PersonId;
    points: number;
    poll: Seq;
  };
  /** Draws up groups. Contested, if there are some already: revision of the breakouts. */
  "breakouts.plan": {
    groups: GroupPlan[];
    mode: BreakoutMode;
    seed: number;
  };
  /** Contested: revision of the breakouts. */
  "breakouts.open": {
    allow_return?: boolean;
    closes_at?: UnixMs | null;
    late_policy?: LatePolicy;
  };
  /** Everybody named is moved at once, or nobody. Contested: revision of the breakouts. */
  "breakouts.move": {
    persons: PersonId[];
    to: SpaceName;
  };
  "breakouts.choose": {
    space: SpaceName;
  };
  "breakouts.return": Record<string, never>;
  /** Looks into a Space, or back to one's own place (`null`), without being moved. */
  "breakouts.visit": {
    space?: SpaceName | null;
  };
  /** Says something in every Space at once. */
  "breakouts.broadcast": {
    body: Text;
  };
  "breakouts.ask_help": Record<string, never>;
  "help.resolve": {
    space: SpaceName;
  };
  /** Contested: revision of the breakouts. */
  "breakouts.extend": {
    by_ms: number;
  };
  /** Closes after a warning of at least a minute, or at once (0). Contested: revision of the breakouts. */
  "breakouts.close": {
    warn_s: number;
  };
  /** From the server: a group's board or notes were copied into the main room. */
  "breakouts.collect": {
    document: string;
    space: SpaceName;
  };
  "timer.start": {
    duration_ms: number;
    title?: Text;
  };
  "timer.pause": {
    timer: Seq;
  };
  "timer.resume": {
    timer: Seq;
  };
  "timer.extend": {
    by_ms: number;
    timer: Seq;
  };
  "timer.stop": {
    timer: Seq;
  };
  /** Announces a deck by the digest of its file; the server takes the file itself. */
  "deck.add": {
    bytes: number;
    hash: string;
    mime_type: string;
    name: Text;
  };
  /** From the server: the pages are there. */
  "deck.ready": {
    deck: Seq;
    pages: number;
  };
  /** From the server: the file is not what it was said to be. */
  "deck.fail": {
    deck: Seq;
    reason: string;
  };
  "deck.remove": {
    deck: Seq;
  };
  /** The last word counts, unless a revision of the Space is expected. */
  "page.set": {
    deck: Seq;
    page: number;
    space?: SpaceName | null;
  };
  "board.set_access": {
    access: BoardAccess;
    /** Who may draw, if `access` is `only`. */
    persons?: PersonId[];
    space?: SpaceName | null;
  };
  /** The documents' hub made `snapshot` before it cleared the page. */
  "board.clear": {
    deck: Seq;
    page: number;
    snapshot?: string;
    space?: SpaceName | null;
  };
  "notes.lock": {
    locked: boolean;
    space?: SpaceName | null;
  };
  "record.start": Record<string, never>;
  "record.pause": Record<string, never>;
  "record.stop": Record<string, never>;
  "consent.give": Record<string, never>;
  "consent.decline": Record<string, never>;
  /** Asks everybody how it goes, for twenty seconds. */
  "checkpoint.ask": {
    body?: Text;
  };
  "checkpoint.answer": {
    mood: Mood;
  };
  "report.abuse": {
    body: Text;
    /** A message that shows it. */
    message?: Seq | null;
    person: PersonId;
  };
}

/** What can have happened: the payload of each type of event. */
export interface Facts {
  /** The first event of every log. */
  "session.started": {
    /** Application text of the Room; belongs to no person. */
    metadata: string;
    /** What this session allows and how long it waits. */
    policy: Policy;
    /** Which Room. */
    room: RoomName;
    /** This session. */
    session: SessionId;
    /** Whose organisation. */
    tenant: TenantId;
  };
  /** The server came back after it had stopped without saying so. Every connection that was open is detached by the events that follow it. */
  "session.recovered": {
    /** The last moment at which the session is known to have run. */
    last_seen: UnixMs;
  };
  /** The last event of a log. */
  "session.ended": {
    /** Why. */
    reason: EndReason;
  };
  /** A person became part of the session (first arrival, or a return after leaving). */
  "participant.admitted": {
    /** Who. */
    person: PersonId;
    /** How they are shown and what they may do. */
    profile: Profile;
    /** Where they are placed. */
    space: SpaceName;
  };
  /** People were placed in another Space, all of them at this place in the log. */
  "participant.moved": {
    /** Who, in order, each once. */
    persons: PersonId[];
    /** Where they are from here on. */
    space: SpaceName;
  };
  /** The Room's application text changed. */
  "room.updated": {
    /** The text from here on; belongs to no person. */
    metadata: string;
  };
  /** A person chose tracks against or beyond what they would receive by themselves. */
  "subscription.chosen": {
    /** What changed. */
    choices: TrackChoice[];
    /** Who chose. */
    person: PersonId;
  };
  /** A person's profile changed; the whole new profile. */
  "participant.updated": {
    /** Who. */
    person: PersonId;
    /** The profile from here on. */
    profile: Profile;
  };
  /** A device of a person connected. */
  "connection.attached": {
    /** What the device says of itself. */
    client: Client;
    /** Which connection. */
    connection: ConnectionId;
    /** Who. */
    person: PersonId;
  };
  /** A device's connection ended. If it was the person's last, they are `reconnecting` from here on, unless `participant.left` follows. Tracks that no `track.unpublished` closed before it stay published for the policy's `resume_window_ms`: then `connection.resumed` or `connection.expired` follows. */
  "connection.detached": {
    /** Which connection. */
    connection: ConnectionId;
    /** The last moment at which it is known to have been alive: where its interval closes. */
    last_seen: UnixMs;
    /** Who. */
    person: PersonId;
    /** Why. */
    reason: DetachReason;
  };
  /** A connection that was detached goes on: same device, same tracks. */
  "connection.resumed": {
    /** Which connection. */
    connection: ConnectionId;
    /** Who. */
    person: PersonId;
  };
  /** A detached connection can be resumed no more; its tracks were unpublished before this. */
  "connection.expired": {
    /** Which connection. */
    connection: ConnectionId;
    /** Who. */
    person: PersonId;
  };
  /** The grace after the last detach passed without a return. The seat (profile) stays. */
  "participant.offline": {
    /** Where the attendance interval closes. */
    last_seen: UnixMs;
    /** Who. */
    person: PersonId;
  };
  /** A person left by their own wish, or was removed, or the session ended. */
  "participant.left": {
    /** Who. */
    person: PersonId;
    /** Why. */
    reason: LeaveReason;
  };
  /** A track is announced to the class. */
  "track.published": {
    /** The track and what its publisher says of it. */
    publication: Publication;
  };
  /** A track is gone. */
  "track.unpublished": {
    /** Where its interval closes. */
    last_seen: UnixMs;
    /** Whose. */
    person: PersonId;
    /** Why. */
    reason: UnpublishReason;
    /** Which. */
    track: TrackId;
  };
  /** What is said of a track changed; all of it. */
  "track.updated": {
    /** LiveKit's audio features by number. */
    audio_features: number[];
    /** Pixels; 0 for audio. */
    height: number;
    /** Whose. */
    person: PersonId;
    /** Which. */
    track: TrackId;
    /** Pixels; 0 for audio. */
    width: number;
  };
  /** A track was muted. */
  "track.muted": {
    /** Whose. */
    person: PersonId;
    /** Which. */
    track: TrackId;
  };
  /** A track was unmuted. */
  "track.unmuted": {
    /** Whose. */
    person: PersonId;
    /** Which. */
    track: TrackId;
  };
  "session.ending": {
    at: UnixMs;
  };
  "session.end_cancelled": Record<string, never>;
  "session.locked": Record<string, never>;
  "session.unlocked": Record<string, never>;
  /** No staff for the policy's time: the class is locked until some of them are back. */
  "session.unattended": Record<string, never>;
  /** The whole policy from here on. */
  "policy.changed": {
    policy: ClassPolicy;
  };
  "participant.waiting": {
    person: PersonId;
    profile: Profile;
  };
  /** Somebody who waits lost their connection. */
  "lobby.lost": {
    person: PersonId;
  };
  "lobby.withdrawn": {
    person: PersonId;
    reason: WithdrawReason;
  };
  "participant.denied": {
    banned: boolean;
    person: PersonId;
  };
  "lobby.message_posted": {
    author: PersonId | null;
    body: Text;
  };
  "role.changed": {
    person: PersonId;
    role: Role;
  };
  /** All overrides of this person from here on. */
  "grant.overridden": {
    overrides: Partial<Record<Cap, boolean>>;
    person: PersonId;
  };
  /** Follows the facts that close what was open of them. */
  "participant.removed": {
    banned: boolean;
    person: PersonId;
  };
  "ban.lifted": {
    person: PersonId;
  };
  /** Their microphones were muted by somebody else; the facts for their tracks follow. */
  "media.muted": {
    persons: PersonId[];
  };
  "media.unmute_requested": {
    persons: PersonId[];
  };
  "media.intent_changed": {
    intent: Intent;
    person: PersonId;
  };
  "presenter.changed": {
    from: PersonId | null;
    reason: PresenterReason;
    space: SpaceName;
    to: PersonId | null;
  };
  "stage.changed": {
    space: SpaceName;
    stage: Stage;
  };
  "hand.raised": {
    intent: HandIntent;
    person: PersonId;
  };
  "hand.lowered": {
    persons: PersonId[];
  };
  "hand.called": {
    person: PersonId;
    until: UnixMs;
  };
  /** The time that somebody was called for is over. */
  "floor.ended": {
    person: PersonId;
  };
  "hand.order_changed": {
    order: HandOrder;
  };
  "chat.posted": {
    author: PersonId | null;
    body: Text;
    reply_to: Seq | null;
    to: Channel;
  };
  /** Waits for a moderator; `chat.approved` makes it public without repeating it. */
  "chat.held": {
    author: PersonId | null;
    body: Text;
    reply_to: Seq | null;
    to: Channel;
  };
  "chat.approved": {
    message: Seq;
    to: Channel;
  };
  "chat.rejected": {
    author: PersonId | null;
    message: Seq;
  };
  "chat.edited": {
    author: PersonId;
    body: Text;
    message: Seq;
    to: Channel;
  };
  "chat.deleted": {
    message: Seq;
    to: Channel;
  };
  "chat.pinned": {
    message: Seq;
    pinned: boolean;
    to: Channel;
  };
  "qa.asked": {
    author: PersonId;
    body: Text;
    held: boolean;
  };
  "qa.upvoted": {
    person: PersonId;
    question: Seq;
    up: boolean;
  };
  "qa.answered": {
    author: PersonId | null;
    body: Text;
    question: Seq;
  };
  "qa.approved": {
    question: Seq;
  };
  "qa.dismissed": {
    question: Seq;
  };
  "reaction.aggregated": {
    counts: Record<string, number>;
    space: SpaceName;
  };
  "activity.created": {
    author: PersonId | null;
    spec: PollSpec;
  };
  "activity.edited": {
    author: PersonId | null;
    poll: Seq;
    spec: PollSpec;
  };
  "poll.opened": {
    closes_at: UnixMs | null;
    eligible: PersonId[];
    poll: Seq;
    target: Target;
  };
  /** Without the answers if the poll is anonymous. */
  "poll.responded": {
    answers?: (Answer | null)[] | null;
    /** It came while the poll was closing. */
    late: boolean;
    person: PersonId;
    poll: Seq;
  };
  /** Too late to count; kept for the teacher. */
  "poll.response_late": {
    answers: (Answer | null)[];
    person: PersonId;
    poll: Seq;
  };
  /** An anonymous poll's count, after five more people have answered. */
  "poll.tallied": {
    poll: Seq;
    tally: Tally;
  };
  "poll.closing": {
    accept_until: UnixMs;
    closes_at: UnixMs;
    poll: Seq;
  };
  "poll.closed": {
    /** People whose answer counts. */
    counted: number;
    /** Whose drafts were thrown away. */
    discarded: PersonId[];
    /** People who could answer. */
    eligible: number;
    /** Drafts that the teacher may look at. */
    kept: Draft[];
    poll: Seq;
    /** Drafts that count as answers from here on. */
    submitted: Draft[];
    /** `null` if an anonymous poll had too few answers to show any. */
    tally: Tally | null;
  };
  /** The count changed after the close. */
  "poll.revised": {
    admitted: PersonId[];
    counted: number;
    poll: Seq;
    revision: number;
    tally: Tally;
  };
  "poll.published": {
    detail: PublishDetail;
    poll: Seq;
    reveal: boolean;
  };
  "quiz.graded": {
    item: number;
    person: PersonId;
    points: number;
    poll: Seq;
  };
  "breakouts.planned": {
    groups: Record<string, Group>;
    mode: BreakoutMode;
    plan: Record<string, SpaceName>;
  };
  /** Everybody named is placed at once. */
  "breakouts.opened": {
    allow_return: boolean;
    closes_at: UnixMs | null;
    late_policy: LatePolicy;
    placements: Record<string, SpaceName>;
  };
  "visit.started": {
    person: PersonId;
    space: SpaceName;
  };
  "visit.ended": {
    person: PersonId;
  };
  "breakouts.broadcasted": {
    author: PersonId | null;
    body: Text;
  };
  "help.requested": {
    person: PersonId;
    space: SpaceName;
  };
  "help.resolved": {
    space: SpaceName;
    waited_ms: number;
  };
  "breakouts.rescheduled": {
    closes_at: UnixMs;
  };
  /** The warning before they close. */
  "breakouts.closing": {
    closes_at: UnixMs;
  };
  /** Everybody, connected or not, is placed in the main room. */
  "breakouts.closed": Record<string, never>;
  "artifact.collected": {
    document: string;
    space: SpaceName;
  };
  "timer.started": {
    author: PersonId | null;
    ends_at: UnixMs;
    title: Text;
  };
  "timer.paused": {
    left_ms: number;
    timer: Seq;
  };
  /** It runs until then: resumed or extended. */
  "timer.rescheduled": {
    ends_at: UnixMs;
    timer: Seq;
  };
  "timer.stopped": {
    timer: Seq;
  };
  "timer.ended": {
    timer: Seq;
  };
  "deck.added": {
    author: PersonId | null;
    bytes: number;
    hash: string;
    mime_type: string;
    name: Text;
  };
  "deck.ready": {
    deck: Seq;
    pages: number;
  };
  "deck.failed": {
    deck: Seq;
    reason: string;
  };
  "deck.removed": {
    deck: Seq;
  };
  "page.changed": {
    deck: Seq;
    page: number;
    space: SpaceName;
  };
  "board.access_changed": {
    access: BoardAccess;
    persons: PersonId[];
    space: SpaceName;
  };
  "board.cleared": {
    deck: Seq;
    page: number;
    snapshot: string;
    space: SpaceName;
  };
  "notes.locked": {
    locked: boolean;
    space: SpaceName;
  };
  "consent.changed": {
    person: PersonId;
    record: boolean;
  };
  "checkpoint.asked": {
    author: PersonId | null;
    body: Text;
    ends_at: UnixMs;
  };
  "checkpoint.answered": {
    mood: Mood;
    person: PersonId;
  };
  "checkpoint.closed": {
    tally: Record<string, number>;
  };
  "abuse.reported": {
    author: PersonId;
    body: Text;
    message: Seq | null;
    person: PersonId;
  };
}

/** The entities of each collection. */
export interface Collections {
  session: SessionView;
  participants: ParticipantView;
  grants: GrantView;
  waiting: WaitingView;
  bans: Ban;
  spaces: Space;
  breakouts: Breakouts;
  hands: HandView;
  messages: Message;
  questions: QuestionView;
  polls: PollView;
  results: ResultView;
  responses: ResponseView;
  timers: Timer;
  decks: Deck;
  checkpoint: CheckpointView;
  reports: Report;
}

/** What surrounds the type and the payload of an event. */
export interface EventFrame {
  /** Who caused it; `None` for the server itself (timers, recovery). */
  actor?: PersonId | null;
  /** Server wall time, milliseconds; never smaller than the event before. */
  at: UnixMs;
  /** Which command of a client caused it. */
  cause?: Cause | null;
  /** Milliseconds since `session.started`, from the same clamped clock. */
  mono_ms: number;
  /** Place in the session's log, from 1, gapless. */
  seq: Seq;
}

/** Why a command was refused. */
export type RejectCode = "forbidden" | "stale_grant" | "conflict" | "closed" | "not_found" | "limit" | "rate" | "not_admitted" | "session_ended" | "invalid" | "unavailable";

/** Who learns who answered what. */
export type Anonymity = "named" | "staff_named" | "anonymous";

/** An answer to one question. */
export type Answer = {
  kind: "options";
  options: number[];
} | {
  kind: "number";
  number: number;
} | {
  kind: "text";
  text: Text;
} | {
  kind: "point";
  x: number;
  y: number;
};

/** Why somebody may not come back. */
export interface Ban {
  /** When. */
  at: UnixMs;
  /** Banned, rather than removed: not everybody who admits people may lift it. */
  banned: boolean;
  /** Who did it; `None` for the server. */
  by: PersonId | null;
}

/** Who draws on the boards of a Space, beside those whose role lets them. */
export type BoardAccess = "presenter" | "only" | "own" | "all";

/** How people get into a group. */
export type BreakoutMode = "random" | "manual" | "self_select" | "roster" | "balanced";

/** The groups of a session. There is one set at a time, and groups have no groups. */
export interface Breakouts {
  /** Whether people may go back to the main room by themselves. */
  allow_return: boolean;
  /** When they close. */
  closes_at: UnixMs | null;
  /** The groups, by the names of their Spaces. */
  groups: Record<string, Group>;
  /** Where people go who are admitted later. */
  late_policy: LatePolicy;
  /** How people get into a group. */
  mode: BreakoutMode;
  /** Who is to be placed where when they open. */
  plan: Record<string, SpaceName>;
  /** The place of the fact that changed them, or a placement, last. */
  rev: Seq;
  /** Whether people are in them. */
  status: BreakoutsStatus;
}

/** Whether people are in their groups. */
export type BreakoutsStatus = "planned" | "open" | "closing";

/** One permitted action, `module.verb`. */
export type Cap = "session.end" | "session.lock" | "policy.set" | "lobby.admit" | "participant.remove" | "participant.ban" | "participant.mute" | "participant.set_role" | "participant.override_caps" | "presenter.assign" | "presenter.take" | "stage.set" | "media.audio" | "media.video" | "media.screen" | "media.force_scope" | "chat.read" | "chat.send" | "chat.dm" | "chat.moderate" | "qa.ask" | "reaction.send" | "hand.raise" | "hand.call" | "hand.manage" | "activity.create" | "activity.run" | "activity.respond" | "activity.see_results" | "activity.see_names" | "board.view" | "board.draw" | "board.draw_own" | "board.clear" | "board.set_access" | "notes.view" | "notes.edit" | "notes.lock" | "deck.upload" | "deck.control" | "breakout.manage" | "breakout.open" | "breakout.choose" | "breakout.return" | "breakout.visit" | "breakout.ask_help" | "timer.run" | "record.control" | "record.play" | "record.download" | "caption.write" | "analytics.view" | "data.export" | "agent.invoke";

/** Which command of a client caused an event. */
export interface Cause {
  /** A digest of the command's type and payload, made by the server, below 2^53 so that every reader of JSON keeps it: the same id with another body is refused. 0 is none: so it is written with an anonymous answer, which a digest would give away. */
  digest?: number;
  /** The client's id for it. */
  id: CmdId;
}

/** Where a message can be read. */
export type Channel = {
  kind: "space";
  space: SpaceName;
} | {
  a: PersonId;
  b: PersonId;
  kind: "pair";
} | {
  kind: "staff";
};

/** Whether messages wait for a moderator. */
export type ChatMode = "open" | "moderated";

/** The question how it goes. */
export interface CheckpointView {
  /** Staff sees everybody's answer, others their own. */
  answers: Record<string, Mood>;
  author: PersonId | null;
  body: Text;
  ends_at: UnixMs;
  id: Seq;
}

/** What the room allows, and how long it waits. All durations in milliseconds. */
export interface ClassPolicy {
  /** Whether messages wait for a moderator. */
  chat: ChatMode;
  /** How long authors may change what they wrote. */
  chat_edit_window_ms: number;
  /** With how many devices a person may be here. */
  devices: Devices;
  /** Who may write to whom alone. */
  direct_messages: DirectMessages;
  /** How long an announced end can be taken back. */
  end_undo_ms: number;
  /** How long somebody who was called may speak. */
  floor_ms: number;
  /** Learners see themselves and staff only. */
  hide_roster: boolean;
  /** Who waits before they are let in. */
  lobby: LobbyMode;
  /** How long somebody who waits may be without a connection. */
  lobby_grace_ms: number;
  /** What nobody but staff may do, whatever their role says. */
  locks: Cap[];
  /** People who are not staff begin with their microphone muted. */
  mute_on_join: boolean;
  /** Who presents after that. */
  presenter_fallback: Fallback;
  /** How long a presenter's place is kept after their connection was lost. */
  presenter_grace_ms: number;
  /** Whether questions wait for a moderator. */
  qa_moderated: boolean;
  /** What happens to a class without staff. */
  unattended: Unattended;
  /** How long a class may be without staff. */
  unattended_grace_ms: number;
}

/** What a device says of itself; informational. */
export interface Client {
  browser: string;
  /** The client's own name for this tab or device, if it has one. */
  device?: string;
  /** What its connection carries. */
  lane?: Lane;
  os: string;
  protocol: number;
  sdk: string;
  version: string;
}

/** A command, named by the client that made it (a UUIDv7): however often it is sent, it happens once. */
export type CmdId = string;

/** One device or tab of a person, `PA_…`: LiveKit's participant sid. */
export type ConnectionId = string;

/** A deck of slides, named by the place of the fact that announced it. */
export interface Deck {
  /** Who brought it. */
  author: PersonId | null;
  /** How large the file is said to be. */
  bytes: number;
  /** The digest of its file, in hexadecimal. */
  hash: string;
  /** What the file is said to be. */
  mime_type: string;
  /** Its name. */
  name: Text;
  /** Whether it can be shown. */
  status: DeckStatus;
}

/** Whether a deck can be shown. */
export type DeckStatus = "pending" | {
  ready: {
    /** How many pages it has. */
    pages: number;
  };
} | {
  failed: {
    /** Why. */
    reason: string;
  };
};

/** Why a connection ended. */
export type DetachReason = "client_left" | "connection_lost" | "media_failed" | "never_connected" | "state_mismatch" | "moved" | "superseded" | "server_stopped" | "removed" | "session_ended";

/** With how many devices a person may be here. Media is on one at a time whatever it says: the newest, or, with `reject_new`, the oldest. */
export type Devices = "multi" | "takeover" | "reject_new";

/** Who may write to whom alone. */
export type DirectMessages = "off" | "staff" | "all";

/** What somebody had not submitted when a poll closed. */
export interface Draft {
  answers: (Answer | null)[];
  person: PersonId;
}

/** What happens at the close to answers that were not submitted. */
export type DraftPolicy = "submit" | "keep" | "discard";

/** Why a session ended. */
export type EndReason = "never_joined" | "departed" | "ended";

/** The version of a person's grant: it grows by one with every change of what they may do. */
export type Epoch = number;

/** Who presents when the presenter is lost. */
export type Fallback = "co_instructor" | "nobody";

/** What a person may do, and since which version. */
export interface Grant {
  /** What is permitted. */
  caps: Cap[];
  /** Its version. */
  epoch: Epoch;
}

/** What a person may do; for themselves and staff. */
export interface GrantView {
  /** What is permitted. */
  caps: Cap[];
  /** Its version. */
  epoch: Epoch;
  overrides: Partial<Record<Cap, boolean>>;
}

/** One group. */
export interface Group {
  /** Most people who may choose it; 0 is no limit. */
  capacity: number;
  /** It asks for help. */
  help?: Help | null;
  /** What it is called. */
  title: string;
}

/** What a hand is raised for. */
export type HandIntent = "question" | "answer" | "help" | "tech";

/** Which hand comes first. */
export type HandOrder = "fifo" | "least_heard_first";

/** A raised hand. */
export interface HandView {
  /** Passed over for the moment. */
  away: boolean;
  called: number;
  /** What for. */
  intent: HandIntent;
  /** Since which place in the log. */
  since: Seq;
  /** Since when, in time. */
  since_at: UnixMs;
}

/** A group's call for help. */
export interface Help {
  /** Who called. */
  person: PersonId;
  /** Since when. */
  since: UnixMs;
}

/** What a person wants their devices to do. */
export interface Intent {
  /** Whether the camera is to be on. */
  camera: boolean;
  /** The microphone. */
  mic: MicIntent;
  /** Whether a screen is to be shared. */
  screen: boolean;
}

/** One question. */
export type Item = ({
  /** The right answer. Learners never see it before it is revealed. */
  key?: Answer | null;
  /** What can be chosen, put in order, or matched. */
  options: Text[];
  /** What the right answer is worth. */
  points: number;
  /** What is asked. */
  text: Text;
}) & ({
  kind: "single";
} | {
  kind: "multi";
} | {
  kind: "true_false";
} | {
  /** Whether one may abstain: a third option. */
  abstain: boolean;
  kind: "yes_no";
} | {
  from: number;
  kind: "scale";
  to: number;
} | {
  decimals: number;
  kind: "numeric";
} | {
  kind: "short_text";
} | {
  kind: "long_text";
} | {
  kind: "ordering";
} | {
  kind: "matching";
} | {
  kind: "hotspot";
});

/** What kind of client a participant is; LiveKit's `ParticipantInfo.Kind`. */
export type Kind = "standard" | "ingress" | "egress" | "sip" | "agent";

/** What a connection carries. A person has at most one for media, and several for the state of the class. */
export type Lane = "media" | "state";

/** Where people go who are admitted while breakouts are open. */
export type LatePolicy = "hold_main" | "least_full" | "self_select";

/** One quality of a simulcast track. */
export interface Layer {
  /** Bits per second. */
  bitrate_bps: number;
  /** Pixels. */
  height: number;
  /** LiveKit's `VideoQuality` by number: 0 low, 1 medium, 2 high. */
  quality: number;
  /** Pixels. */
  width: number;
}

/** How a Space is laid out. */
export type Layout = "gallery" | "speaker" | "presentation" | "board";

/** The presenter's lease of a Space. */
export interface Lease {
  /** The place of the fact that gave it: a newer lease has a higher number. */
  lease: Seq;
  /** When it is lost, if the holder is not back by then; `None` while they are connected. */
  lost_at: UnixMs | null;
  /** Who holds it. */
  person: PersonId;
}

/** Why a person is no longer part of the session. */
export type LeaveReason = "own_wish" | "removed" | "session_ended";

/** Who waits before they are let in. Staff never does. */
export type LobbyMode = "open" | "ask";

/** Audio or video. */
export type MediaKind = "audio" | "video";

/** A message. */
export interface Message {
  /** When it was written. */
  at: UnixMs;
  /** Who wrote it; `None` is the application. */
  author: PersonId | null;
  /** What it says; empty if it was deleted. */
  body: Text;
  /** When it was changed last. */
  edited_at: UnixMs | null;
  /** Whether it is pinned. */
  pinned: boolean;
  /** Which message it answers. */
  reply_to: Seq | null;
  /** Whether it is shown. */
  status: MessageStatus;
  /** Where it can be read. */
  to: Channel;
}

/** Whether a message is shown. */
export type MessageStatus = "posted" | "held" | "deleted";

/** What a person wants their microphone to do. */
export type MicIntent = "listen_only" | "muted" | "unmuted";

/** How it goes. */
export type Mood = "fine" | "unsure" | "lost";

/** The slide that a Space shows. */
export interface Page {
  /** Of which deck. */
  deck: Seq;
  /** Which page, from 1. */
  page: number;
}

/** A person as others see them. */
export interface ParticipantView {
  consent: boolean | null;
  deadline: UnixMs | null;
  floor_until: UnixMs | null;
  intent: Intent;
  joined_at: UnixMs;
  name: Text;
  presence: "online" | "reconnecting" | "offline";
  rev: Seq;
  role: Role;
  space: SpaceName;
  visit: SpaceName | null;
}

/** What a person may do; LiveKit's grants. */
export interface Permission {
  can_publish: boolean;
  can_publish_data: boolean;
  /** If not empty, only these sources may be published, whatever `can_publish` says. */
  can_publish_sources: Source[];
  can_subscribe: boolean;
  can_update_metadata: boolean;
  /** Nobody is told of a hidden person. */
  hidden: boolean;
  recorder: boolean;
}

/** One person in a class: LiveKit's participant identity. */
export type PersonId = string;

/** What a session allows and how long it waits. All durations in milliseconds. */
export interface Policy {
  /** How long a session waits after nobody is connected any more before it ends. */
  departure_timeout_ms: number;
  /** How long a session waits for its first person before it ends. */
  empty_timeout_ms: number;
  /** How many people may be present; 0 is no limit. Hidden people do not count. */
  max_participants: number;
  /** Most tracks that one connection may publish at a time. */
  max_tracks_per_connection: number;
  /** How long a person without a connection is `reconnecting` before `offline`. */
  presence_grace_ms: number;
  /** How long the tracks of a lost connection stay published, so that its device can resume; 0 is not at all. */
  resume_window_ms: number;
}

/** What it is for. */
export type PollMode = "poll" | "quiz" | "survey";

/** What is asked, and by which rules. */
export interface PollSpec {
  /** Whether people may change their answer while it is open; never if it is anonymous. */
  allow_change: boolean;
  /** Who learns who answered what. */
  anonymity: Anonymity;
  /** What happens at the close to answers that were not submitted. */
  drafts: DraftPolicy;
  /** How long answers are still taken after the close. */
  grace_ms: number;
  /** What is asked, in order. */
  items: Item[];
  /** Whether answers that come too late are kept for the teacher. */
  keep_late: boolean;
  /** Whether counts are shown while it is open. */
  live_results: boolean;
  /** What it is for. */
  mode: PollMode;
  /** Whose answers are asked for. */
  roles: Role[];
  /** Its heading. */
  title: Text;
}

/** How far a poll is. */
export type PollStatus = "draft" | "open" | "closing" | "closed";

/** A poll as it is asked. */
export interface PollView {
  accept_until: UnixMs | null;
  /** Whether it asks the viewer. */
  asked: boolean;
  author: PersonId | null;
  closes_at: UnixMs | null;
  published: PublishDetail | null;
  rev: Seq;
  revealed: boolean;
  spec: PollSpec;
  status: PollStatus;
  target: Target;
}

/** Why the presenter changed. */
export type PresenterReason = "assigned" | "taken" | "released" | "lost" | "returned";

/** How a person is shown and what they may do. */
export interface Profile {
  /** Application key-values. Keys belong to the application, values to the person. */
  attributes: Record<string, Text>;
  /** What kind of client: a person, or a program. */
  kind: Kind;
  /** Application text. */
  metadata: Text;
  /** Display name. */
  name: Text;
  /** What they may do. */
  permission: Permission;
  /** Their role in the class. */
  role: Role;
}

/** A published track as its publisher describes it. */
export interface Publication {
  /** LiveKit's audio features by number (`AudioTrackFeature`). */
  audio_features: number[];
  /** On which connection. */
  connection: ConnectionId;
  /** Redundant audio is off. */
  disable_red: boolean;
  /** LiveKit's end-to-end encryption kind by number (`Encryption.Type`). */
  encryption: number;
  /** Pixels; 0 for audio. */
  height: number;
  /** Audio or video. */
  kind: MediaKind;
  /** Qualities, lowest first; empty for audio. */
  layers: Layer[];
  /** MIME type such as `video/VP8`. */
  mime_type: string;
  /** Whether it is muted at the moment. */
  muted: boolean;
  /** The publisher's name for it. */
  name: Text;
  /** Whose. */
  person: PersonId;
  /** Whether it is sent in several qualities at once. */
  simulcast: boolean;
  /** What it shows. */
  source: Source;
  /** The publisher's grouping of tracks that play in step. */
  stream: string;
  /** Which track. */
  track: TrackId;
  /** Pixels; 0 for audio. */
  width: number;
}

/** What is shown of a result. */
export type PublishDetail = "aggregate" | "names";

/** A question. */
export interface QuestionView {
  answer: Text | null;
  answered_by: PersonId | null;
  at: UnixMs;
  author: PersonId;
  body: Text;
  held: boolean;
  upvoted: boolean;
  upvotes: number;
}

/** A report of abuse. */
export interface Report {
  /** When it was reported. */
  at: UnixMs;
  /** Who reports. */
  author: PersonId;
  /** What happened. */
  body: Text;
  /** A message that shows it. */
  message: Seq | null;
  /** Whom. */
  person: PersonId;
}

/** What became of a response that was accepted. */
export type ResponseOutcome = "counted" | "counted_late";

/** What became of one person's answer. */
export interface ResponseView {
  /** Nobody sees those of an anonymous poll here. */
  answers: (Answer | null)[] | null;
  points: (number | null)[] | null;
  /** `counted`, `late` or `kept`. */
  status: "counted" | "late" | "kept";
}

/** What came out of a poll so far. */
export interface ResultView {
  eligible: number;
  responded: number;
  revision: number;
  tally: Tally | null;
}

/** A role in a class. */
export type Role = "instructor" | "co_instructor" | "teaching_assistant" | "learner" | "observer" | "captioner" | "agent" | "support";

/** The durable, reusable place: LiveKit's room name. */
export type RoomName = string;

/** The place of an event in its session's log. The first event is 1; there are no gaps. */
export type Seq = number;

/** One live occurrence of a Room, `RM_…`: owns one ordered log. LiveKit's room sid. */
export type SessionId = string;

/** The session as a whole. */
export interface SessionView {
  ended: boolean;
  ending_at: UnixMs | null;
  hand_order: HandOrder;
  locked: boolean;
  /** Application text of the Room. */
  metadata: string;
  policy: ClassPolicy;
  rev: Seq;
  room: RoomName | null;
  session: SessionId | null;
  started_at: UnixMs;
  unattended: boolean;
}

/** What a track shows; LiveKit's `TrackSource`. */
export type Source = "unknown" | "camera" | "microphone" | "screen_share" | "screen_share_audio";

/** The main room or a breakout. */
export interface Space {
  /** Who draws. */
  board_access: BoardAccess;
  /** Who draws, if only some do. */
  board_persons: PersonId[];
  /** Who lost the lease and gets it back on return. */
  former_presenter: PersonId | null;
  /** Only staff writes the notes. */
  notes_locked: boolean;
  /** Which slide is shown. */
  page: Page | null;
  /** Who presents; `None` is nobody. */
  presenter: Lease | null;
  /** The place of the fact that changed it last. */
  rev: Seq;
  /** What is shown how. */
  stage: Stage;
}

/** The main room of a session or one of its breakouts. Names are the caller's; they are shown to people. */
export type SpaceName = string;

/** What is shown how. */
export interface Stage {
  /** How. */
  layout: Layout;
  /** Who is shown large, in order. */
  spotlight: PersonId[];
}

/** How many people chose what: for each question, for each of its options. Questions without options count who answered. */
export interface Tally {
  /** By question and option. */
  items: number[][];
  /** People counted. */
  people: number;
}

/** Who is asked. */
export type Target = {
  kind: "session";
} | {
  kind: "spaces";
  spaces: SpaceName[];
} | {
  kind: "persons";
  persons: PersonId[];
};

/** An organisation. Every stored key begins with it. */
export type TenantId = string;

/** Free text or a name that belongs to a person. In memory it is plain; a store keeps it encrypted under that person's key (see `crate::Event::personal_mut`), and `Debug` never prints it. */
export type Text = string;

/** A timer. */
export interface Timer {
  /** Who started it. */
  author: PersonId | null;
  /** When it ends; `None` while it is paused. */
  ends_at: UnixMs | null;
  /** What is left of it while it is paused. */
  left_ms: number;
  /** What for. */
  title: Text;
}

/** Whether a person wants what another shows. It names the person and the source and not the track, since every publication has a new track id. */
export interface TrackChoice {
  /** Whose track. */
  of: PersonId;
  /** What it shows. */
  source: Source;
  /** Whether it is wanted. */
  wanted: boolean;
}

/** One published track, `TR_…`: LiveKit's track sid. */
export type TrackId = string;

/** What happens to a class without staff. */
export type Unattended = "continue" | "lock" | {
  end_after: {
    /** Milliseconds. */
    ms: number;
  };
};

/** Wall-clock time in milliseconds since the Unix epoch. Never decreases within one session's log. */
export type UnixMs = number;

/** Why a track is gone. */
export type UnpublishReason = "stopped" | "connection_ended" | "permission_revoked";

/** Somebody who waits. */
export interface WaitingView {
  lost_until: UnixMs | null;
  name: Text;
  role: Role;
  since: Seq;
  since_at: UnixMs;
}

/** Why somebody waits no more. */
export type WithdrawReason = "own_wish" | "offline";

/** A group as it is drawn up. */
export interface GroupPlan {
  capacity?: number;
  /** Who is to be in it, for `manual` and `roster`. */
  persons?: PersonId[];
  space: SpaceName;
  title?: string;
}

/** One question. */
export type ItemInput = ({
  /** The right answer. Learners never see it before it is revealed. */
  key?: Answer | null;
  /** What can be chosen, put in order, or matched. */
  options?: Text[];
  /** What the right answer is worth. */
  points?: number;
  /** What is asked. */
  text: Text;
}) & ({
  kind: "single";
} | {
  kind: "multi";
} | {
  kind: "true_false";
} | {
  /** Whether one may abstain: a third option. */
  abstain?: boolean;
  kind: "yes_no";
} | {
  from: number;
  kind: "scale";
  to: number;
} | {
  decimals?: number;
  kind: "numeric";
} | {
  kind: "short_text";
} | {
  kind: "long_text";
} | {
  kind: "ordering";
} | {
  kind: "matching";
} | {
  kind: "hotspot";
});

/** A change of policy: what is left out stays. */
export interface PolicyPatch {
  chat?: ChatMode | null;
  chat_edit_window_ms?: number | null;
  devices?: Devices | null;
  direct_messages?: DirectMessages | null;
  end_undo_ms?: number | null;
  floor_ms?: number | null;
  hide_roster?: boolean | null;
  lobby?: LobbyMode | null;
  lobby_grace_ms?: number | null;
  locks?: Cap[] | null;
  mute_on_join?: boolean | null;
  presenter_fallback?: Fallback | null;
  presenter_grace_ms?: number | null;
  qa_moderated?: boolean | null;
  unattended?: Unattended | null;
  unattended_grace_ms?: number | null;
}

/** What is asked, and by which rules. */
export interface PollSpecInput {
  /** Whether people may change their answer while it is open; never if it is anonymous. */
  allow_change?: boolean;
  /** Who learns who answered what. */
  anonymity?: Anonymity;
  /** What happens at the close to answers that were not submitted. */
  drafts?: DraftPolicy;
  /** How long answers are still taken after the close. */
  grace_ms?: number;
  /** What is asked, in order. */
  items: ItemInput[];
  /** Whether answers that come too late are kept for the teacher. */
  keep_late?: boolean;
  /** Whether counts are shown while it is open. */
  live_results?: boolean;
  /** What it is for. */
  mode?: PollMode;
  /** Whose answers are asked for. */
  roles?: Role[];
  /** Its heading. */
  title?: Text;
}

/** What is shown how. */
export interface StageInput {
  /** How. */
  layout?: Layout;
  /** Who is shown large, in order. */
  spotlight?: PersonId[];
}

/** Where somebody writes to. */
export type To = {
  kind: "space";
  space: SpaceName;
} | {
  kind: "person";
  person: PersonId;
} | {
  kind: "staff";
};
