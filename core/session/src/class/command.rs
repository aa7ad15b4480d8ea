//! What people ask for in a class. Each is `{"type": …, "payload": {…}}` in JSON; who asks is never in it.

#![allow(missing_docs, reason = "the fields are named in the words of the documentation of each command")]

use super::breakouts::{BreakoutMode, GroupPlan, LatePolicy};
use super::chat::To;
use super::checkpoints::Mood;
use super::decks::BoardAccess;
use super::grant::Cap;
use super::hands::{HandIntent, HandOrder};
use super::media::Intent;
use super::policy::PolicyPatch;
use super::questions::{Answers, PollSpec, PublishDetail, Target};
use super::stage::Stage;
use crate::event::{Profile, Role};
use crate::ids::{PersonId, Seq, SessionId, SpaceName, Text, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What somebody wants to happen in a class. Where a Space can be left out, it is the one that the sender is placed in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "payload")]
pub enum ClassCommand {
    /// Ends the session after the policy's time to undo. Naming the session confirms it. Contested: revision of the policy.
    #[serde(rename = "session.end")]
    SessionEnd { confirm: SessionId },
    /// Takes back an end that was announced.
    #[serde(rename = "session.cancel_end")]
    SessionCancelEnd {},
    /// Lets nobody new in who is not staff.
    #[serde(rename = "session.lock")]
    SessionLock {},
    #[serde(rename = "session.unlock")]
    SessionUnlock {},
    /// Changes what the patch names. Contested: revision of the policy.
    #[serde(rename = "policy.set")]
    PolicySet { patch: PolicyPatch },

    /// Asks to be let in; from the server, for the person whom a token names.
    #[serde(rename = "join")]
    Join { person: PersonId, profile: Profile },
    /// Who waits does not want to any more.
    #[serde(rename = "lobby.withdraw")]
    LobbyWithdraw {},
    /// From the server: the last connection of somebody who waits was lost.
    #[serde(rename = "lobby.lost")]
    LobbyLost { person: PersonId },
    #[serde(rename = "lobby.admit")]
    LobbyAdmit {
        #[serde(default)]
        persons: Vec<PersonId>,
        /// Everybody who waits.
        #[serde(default)]
        all: bool,
    },
    #[serde(rename = "lobby.deny")]
    LobbyDeny {
        person: PersonId,
        #[serde(default)]
        ban: bool,
    },
    /// Says something to everybody who waits.
    #[serde(rename = "lobby.message")]
    LobbyMessage { body: Text },

    /// Contested: revision of the participant.
    #[serde(rename = "participant.set_role")]
    ParticipantSetRole { person: PersonId, role: Role },
    /// Gives, takes, or leaves to the role (`null`). Contested: revision of the participant.
    #[serde(rename = "participant.override_caps")]
    ParticipantOverrideCaps { person: PersonId, set: BTreeMap<Cap, Option<bool>> },
    #[serde(rename = "participant.remove")]
    ParticipantRemove {
        person: PersonId,
        #[serde(default)]
        ban: bool,
    },
    /// Lets somebody come back who was removed or banned.
    #[serde(rename = "ban.lift")]
    BanLift { person: PersonId },
    /// Mutes microphones once; it takes nobody's right to speak.
    #[serde(rename = "participant.mute")]
    ParticipantMute {
        #[serde(default)]
        persons: Vec<PersonId>,
        /// Everybody in the sender's Space but these and staff.
        #[serde(default)]
        all_except: Option<Vec<PersonId>>,
    },
    #[serde(rename = "media.request_unmute")]
    MediaRequestUnmute { persons: Vec<PersonId> },
    #[serde(rename = "media.set_intent")]
    MediaSetIntent { intent: Intent },

    /// Contested: revision of the Space.
    #[serde(rename = "presenter.assign")]
    PresenterAssign {
        person: PersonId,
        #[serde(default)]
        space: Option<SpaceName>,
    },
    #[serde(rename = "presenter.take")]
    PresenterTake {
        #[serde(default)]
        space: Option<SpaceName>,
    },
    #[serde(rename = "presenter.release")]
    PresenterRelease {
        #[serde(default)]
        space: Option<SpaceName>,
    },
    #[serde(rename = "stage.set")]
    StageSet {
        #[serde(default)]
        space: Option<SpaceName>,
        stage: Stage,
    },

    #[serde(rename = "hand.raise")]
    HandRaise {
        #[serde(default)]
        intent: HandIntent,
    },
    #[serde(rename = "hand.lower")]
    HandLower {},
    /// Gives somebody the word: their hand goes down and they may speak for the policy's time.
    #[serde(rename = "hand.call")]
    HandCall { person: PersonId },
    #[serde(rename = "hand.dismiss")]
    HandDismiss {
        #[serde(default)]
        persons: Vec<PersonId>,
        #[serde(default)]
        all: bool,
    },
    #[serde(rename = "hand.reorder")]
    HandReorder { order: HandOrder },

    #[serde(rename = "chat.send")]
    ChatSend {
        #[serde(default)]
        to: Option<To>,
        body: Text,
        #[serde(default)]
        reply_to: Option<Seq>,
    },
    #[serde(rename = "chat.edit")]
    ChatEdit { message: Seq, body: Text },
    #[serde(rename = "chat.delete")]
    ChatDelete { message: Seq },
    #[serde(rename = "chat.approve")]
    ChatApprove { message: Seq },
    #[serde(rename = "chat.reject")]
    ChatReject { message: Seq },
    #[serde(rename = "chat.pin")]
    ChatPin { message: Seq, pinned: bool },

    #[serde(rename = "qa.ask")]
    QaAsk { body: Text },
    #[serde(rename = "qa.upvote")]
    QaUpvote { question: Seq, up: bool },
    #[serde(rename = "qa.answer")]
    QaAnswer { question: Seq, body: Text },
    #[serde(rename = "qa.approve")]
    QaApprove { question: Seq },
    #[serde(rename = "qa.dismiss")]
    QaDismiss { question: Seq },

    /// Passed on at once; only counts of a minute are kept.
    #[serde(rename = "reaction.send")]
    ReactionSend { kind: String },
    /// From the server: what was counted since the last time.
    #[serde(rename = "reaction.aggregate")]
    ReactionAggregate { space: SpaceName, counts: BTreeMap<String, u32> },

    #[serde(rename = "activity.create")]
    ActivityCreate { spec: PollSpec },
    /// Contested: revision of the poll.
    #[serde(rename = "activity.edit")]
    ActivityEdit { poll: Seq, spec: PollSpec },
    #[serde(rename = "poll.open")]
    PollOpen {
        poll: Seq,
        #[serde(default)]
        target: Target,
        #[serde(default)]
        duration_ms: Option<u64>,
    },
    /// Keeps what is not finished yet, for the same person on any device.
    #[serde(rename = "poll.save_draft")]
    PollSaveDraft { poll: Seq, answers: Answers },
    #[serde(rename = "poll.respond")]
    PollRespond { poll: Seq, answers: Answers },
    /// Contested: revision of the poll.
    #[serde(rename = "poll.close")]
    PollClose {
        poll: Seq,
        /// How long answers are still taken; the poll's own grace if it is left out.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    #[serde(rename = "poll.admit_late")]
    PollAdmitLate { poll: Seq, persons: Vec<PersonId> },
    #[serde(rename = "poll.publish")]
    PollPublish {
        poll: Seq,
        #[serde(default)]
        detail: PublishDetail,
        /// Shows the answer keys as well.
        #[serde(default)]
        reveal: bool,
    },
    #[serde(rename = "quiz.grade")]
    QuizGrade { poll: Seq, person: PersonId, item: u16, points: u32 },

    /// Draws up groups. Contested, if there are some already: revision of the breakouts.
    #[serde(rename = "breakouts.plan")]
    BreakoutsPlan { mode: BreakoutMode, groups: Vec<GroupPlan>, seed: u64 },
    /// Contested: revision of the breakouts.
    #[serde(rename = "breakouts.open")]
    BreakoutsOpen {
        #[serde(default)]
        closes_at: Option<UnixMs>,
        #[serde(default)]
        late_policy: LatePolicy,
        #[serde(default = "yes")]
        allow_return: bool,
    },
    /// Everybody named is moved at once, or nobody. Contested: revision of the breakouts.
    #[serde(rename = "breakouts.move")]
    BreakoutsMove { persons: Vec<PersonId>, to: SpaceName },
    #[serde(rename = "breakouts.choose")]
    BreakoutsChoose { space: SpaceName },
    #[serde(rename = "breakouts.return")]
    BreakoutsReturn {},
    /// Looks into a Space, or back to one's own place (`null`), without being moved.
    #[serde(rename = "breakouts.visit")]
    BreakoutsVisit {
        #[serde(default)]
        space: Option<SpaceName>,
    },
    /// Says something in every Space at once.
    #[serde(rename = "breakouts.broadcast")]
    BreakoutsBroadcast { body: Text },
    #[serde(rename = "breakouts.ask_help")]
    BreakoutsAskHelp {},
    #[serde(rename = "help.resolve")]
    HelpResolve { space: SpaceName },
    /// Contested: revision of the breakouts.
    #[serde(rename = "breakouts.extend")]
    BreakoutsExtend { by_ms: u64 },
    /// Closes after a warning of at least a minute, or at once (0). Contested: revision of the breakouts.
    #[serde(rename = "breakouts.close")]
    BreakoutsClose { warn_s: u32 },
    /// From the server: a group's board or notes were copied into the main room.
    #[serde(rename = "breakouts.collect")]
    BreakoutsCollect { space: SpaceName, document: String },

    #[serde(rename = "timer.start")]
    TimerStart {
        #[serde(default)]
        title: Text,
        duration_ms: u64,
    },
    #[serde(rename = "timer.pause")]
    TimerPause { timer: Seq },
    #[serde(rename = "timer.resume")]
    TimerResume { timer: Seq },
    #[serde(rename = "timer.extend")]
    TimerExtend { timer: Seq, by_ms: u64 },
    #[serde(rename = "timer.stop")]
    TimerStop { timer: Seq },

    /// Announces a deck by the digest of its file; the server takes the file itself.
    #[serde(rename = "deck.add")]
    DeckAdd { name: Text, hash: String, mime_type: String, bytes: u64 },
    /// From the server: the pages are there.
    #[serde(rename = "deck.ready")]
    DeckReady { deck: Seq, pages: u32 },
    /// From the server: the file is not what it was said to be.
    #[serde(rename = "deck.fail")]
    DeckFail { deck: Seq, reason: String },
    #[serde(rename = "deck.remove")]
    DeckRemove { deck: Seq },
    /// The last word counts, unless a revision of the Space is expected.
    #[serde(rename = "page.set")]
    PageSet {
        #[serde(default)]
        space: Option<SpaceName>,
        deck: Seq,
        page: u32,
    },
    #[serde(rename = "board.set_access")]
    BoardSetAccess {
        #[serde(default)]
        space: Option<SpaceName>,
        access: BoardAccess,
        /// Who may draw, if `access` is `only`.
        #[serde(default)]
        persons: Vec<PersonId>,
    },
    /// The documents' hub made `snapshot` before it cleared the page.
    #[serde(rename = "board.clear")]
    BoardClear {
        #[serde(default)]
        space: Option<SpaceName>,
        deck: Seq,
        page: u32,
        #[serde(default)]
        snapshot: String,
    },
    #[serde(rename = "notes.lock")]
    NotesLock {
        #[serde(default)]
        space: Option<SpaceName>,
        locked: bool,
    },

    #[serde(rename = "record.start")]
    RecordStart {},
    #[serde(rename = "record.pause")]
    RecordPause {},
    #[serde(rename = "record.stop")]
    RecordStop {},
    #[serde(rename = "consent.give")]
    ConsentGive {},
    #[serde(rename = "consent.decline")]
    ConsentDecline {},

    /// Asks everybody how it goes, for twenty seconds.
    #[serde(rename = "checkpoint.ask")]
    CheckpointAsk {
        #[serde(default)]
        body: Text,
    },
    #[serde(rename = "checkpoint.answer")]
    CheckpointAnswer { mood: Mood },

    #[serde(rename = "report.abuse")]
    ReportAbuse {
        person: PersonId,
        /// A message that shows it.
        #[serde(default)]
        message: Option<Seq>,
        body: Text,
    },
}

fn yes() -> bool {
    true
}
