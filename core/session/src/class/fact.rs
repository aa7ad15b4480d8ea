//! What happened in a class. Each is `{"type": …, "payload": {…}}` in the log. What a fact creates (a message, a poll, a
//! timer…) is named by the fact's place in the log, and its revision is the place of the fact that changed it last.

#![allow(missing_docs, reason = "the fields are named in the words of the documentation of each fact")]

use super::breakouts::{BreakoutMode, Group, LatePolicy};
use super::chat::Channel;
use super::checkpoints::Mood;
use super::decks::BoardAccess;
use super::grant::Overrides;
use super::hands::{HandIntent, HandOrder};
use super::lobby::WithdrawReason;
use super::media::Intent;
use super::policy::ClassPolicy;
use super::presenter::PresenterReason;
use super::questions::{Answer, Answers, PollSpec, PublishDetail, Tally, Target};
use super::stage::Stage;
use crate::event::{Profile, Role};
use crate::ids::{PersonId, Seq, SpaceName, Text, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened in a class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", content = "payload")]
pub enum ClassFact {
    #[serde(rename = "session.ending")]
    SessionEnding { at: UnixMs },
    #[serde(rename = "session.end_cancelled")]
    SessionEndCancelled {},
    #[serde(rename = "session.locked")]
    SessionLocked {},
    #[serde(rename = "session.unlocked")]
    SessionUnlocked {},
    /// No staff for the policy's time: the class is locked until some of them are back.
    #[serde(rename = "session.unattended")]
    SessionUnattended {},
    /// The whole policy from here on.
    #[serde(rename = "policy.changed")]
    PolicyChanged { policy: ClassPolicy },

    #[serde(rename = "participant.waiting")]
    ParticipantWaiting { person: PersonId, profile: Profile },
    /// Somebody who waits lost their connection.
    #[serde(rename = "lobby.lost")]
    LobbyLost { person: PersonId },
    #[serde(rename = "lobby.withdrawn")]
    LobbyWithdrawn { person: PersonId, reason: WithdrawReason },
    #[serde(rename = "participant.denied")]
    ParticipantDenied { person: PersonId, banned: bool },
    #[serde(rename = "lobby.message_posted")]
    LobbyMessagePosted { author: Option<PersonId>, body: Text },

    #[serde(rename = "role.changed")]
    RoleChanged { person: PersonId, role: Role },
    /// All overrides of this person from here on.
    #[serde(rename = "grant.overridden")]
    GrantOverridden { person: PersonId, overrides: Overrides },
    /// Follows the facts that close what was open of them.
    #[serde(rename = "participant.removed")]
    ParticipantRemoved { person: PersonId, banned: bool },
    #[serde(rename = "ban.lifted")]
    BanLifted { person: PersonId },
    /// Their microphones were muted by somebody else; the facts for their tracks follow.
    #[serde(rename = "media.muted")]
    MediaMuted { persons: Vec<PersonId> },
    #[serde(rename = "media.unmute_requested")]
    MediaUnmuteRequested { persons: Vec<PersonId> },
    #[serde(rename = "media.intent_changed")]
    MediaIntentChanged { person: PersonId, intent: Intent },

    #[serde(rename = "presenter.changed")]
    PresenterChanged { space: SpaceName, from: Option<PersonId>, to: Option<PersonId>, reason: PresenterReason },
    #[serde(rename = "stage.changed")]
    StageChanged { space: SpaceName, stage: Stage },

    #[serde(rename = "hand.raised")]
    HandRaised { person: PersonId, intent: HandIntent },
    #[serde(rename = "hand.lowered")]
    HandLowered { persons: Vec<PersonId> },
    #[serde(rename = "hand.called")]
    HandCalled { person: PersonId, until: UnixMs },
    /// The time that somebody was called for is over.
    #[serde(rename = "floor.ended")]
    FloorEnded { person: PersonId },
    #[serde(rename = "hand.order_changed")]
    HandOrderChanged { order: HandOrder },

    #[serde(rename = "chat.posted")]
    ChatPosted { to: Channel, author: Option<PersonId>, body: Text, reply_to: Option<Seq> },
    /// Waits for a moderator; `chat.approved` makes it public without repeating it.
    #[serde(rename = "chat.held")]
    ChatHeld { to: Channel, author: Option<PersonId>, body: Text, reply_to: Option<Seq> },
    #[serde(rename = "chat.approved")]
    ChatApproved { message: Seq, to: Channel },
    #[serde(rename = "chat.rejected")]
    ChatRejected { message: Seq, author: Option<PersonId> },
    #[serde(rename = "chat.edited")]
    ChatEdited { message: Seq, to: Channel, author: PersonId, body: Text },
    #[serde(rename = "chat.deleted")]
    ChatDeleted { message: Seq, to: Channel },
    #[serde(rename = "chat.pinned")]
    ChatPinned { message: Seq, to: Channel, pinned: bool },

    #[serde(rename = "qa.asked")]
    QaAsked { author: PersonId, body: Text, held: bool },
    #[serde(rename = "qa.upvoted")]
    QaUpvoted { question: Seq, person: PersonId, up: bool },
    #[serde(rename = "qa.answered")]
    QaAnswered { question: Seq, author: Option<PersonId>, body: Text },
    #[serde(rename = "qa.approved")]
    QaApproved { question: Seq },
    #[serde(rename = "qa.dismissed")]
    QaDismissed { question: Seq },
    #[serde(rename = "reaction.aggregated")]
    ReactionAggregated { space: SpaceName, counts: BTreeMap<String, u32> },

    #[serde(rename = "activity.created")]
    ActivityCreated { author: Option<PersonId>, spec: PollSpec },
    #[serde(rename = "activity.edited")]
    ActivityEdited { poll: Seq, author: Option<PersonId>, spec: PollSpec },
    #[serde(rename = "poll.opened")]
    PollOpened { poll: Seq, target: Target, eligible: Vec<PersonId>, closes_at: Option<UnixMs> },
    /// Without the answers if the poll is anonymous.
    #[serde(rename = "poll.responded")]
    PollResponded {
        poll: Seq,
        person: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Answers>,
        /// It came while the poll was closing.
        #[serde(default)]
        late: bool,
    },
    /// Too late to count; kept for the teacher.
    #[serde(rename = "poll.response_late")]
    PollResponseLate { poll: Seq, person: PersonId, answers: Answers },
    /// An anonymous poll's count, after five more people have answered.
    #[serde(rename = "poll.tallied")]
    PollTallied { poll: Seq, tally: Tally },
    #[serde(rename = "poll.closing")]
    PollClosing { poll: Seq, closes_at: UnixMs, accept_until: UnixMs },
    #[serde(rename = "poll.closed")]
    PollClosed {
        poll: Seq,
        /// `null` if an anonymous poll had too few answers to show any.
        tally: Option<Tally>,
        /// People whose answer counts.
        counted: u32,
        /// People who could answer.
        eligible: u32,
        /// Drafts that count as answers from here on.
        submitted: Vec<Draft>,
        /// Drafts that the teacher may look at.
        kept: Vec<Draft>,
        /// Whose drafts were thrown away.
        discarded: Vec<PersonId>,
    },
    /// The count changed after the close.
    #[serde(rename = "poll.revised")]
    PollRevised { poll: Seq, revision: u32, admitted: Vec<PersonId>, tally: Tally, counted: u32 },
    #[serde(rename = "poll.published")]
    PollPublished { poll: Seq, detail: PublishDetail, reveal: bool },
    #[serde(rename = "quiz.graded")]
    QuizGraded { poll: Seq, person: PersonId, item: u16, points: u32 },

    #[serde(rename = "breakouts.planned")]
    BreakoutsPlanned { mode: BreakoutMode, groups: BTreeMap<SpaceName, Group>, plan: BTreeMap<PersonId, SpaceName> },
    /// Everybody named is placed at once.
    #[serde(rename = "breakouts.opened")]
    BreakoutsOpened {
        closes_at: Option<UnixMs>,
        late_policy: LatePolicy,
        allow_return: bool,
        placements: BTreeMap<PersonId, SpaceName>,
    },
    #[serde(rename = "visit.started")]
    VisitStarted { person: PersonId, space: SpaceName },
    #[serde(rename = "visit.ended")]
    VisitEnded { person: PersonId },
    #[serde(rename = "breakouts.broadcasted")]
    BreakoutsBroadcasted { author: Option<PersonId>, body: Text },
    #[serde(rename = "help.requested")]
    HelpRequested { space: SpaceName, person: PersonId },
    #[serde(rename = "help.resolved")]
    HelpResolved { space: SpaceName, waited_ms: u64 },
    #[serde(rename = "breakouts.rescheduled")]
    BreakoutsRescheduled { closes_at: UnixMs },
    /// The warning before they close.
    #[serde(rename = "breakouts.closing")]
    BreakoutsClosing { closes_at: UnixMs },
    /// Everybody, connected or not, is placed in the main room.
    #[serde(rename = "breakouts.closed")]
    BreakoutsClosed {},
    #[serde(rename = "artifact.collected")]
    ArtifactCollected { space: SpaceName, document: String },

    #[serde(rename = "timer.started")]
    TimerStarted { author: Option<PersonId>, title: Text, ends_at: UnixMs },
    #[serde(rename = "timer.paused")]
    TimerPaused { timer: Seq, left_ms: u64 },
    /// It runs until then: resumed or extended.
    #[serde(rename = "timer.rescheduled")]
    TimerRescheduled { timer: Seq, ends_at: UnixMs },
    #[serde(rename = "timer.stopped")]
    TimerStopped { timer: Seq },
    #[serde(rename = "timer.ended")]
    TimerEnded { timer: Seq },

    #[serde(rename = "deck.added")]
    DeckAdded { author: Option<PersonId>, name: Text, hash: String, mime_type: String, bytes: u64 },
    #[serde(rename = "deck.ready")]
    DeckReady { deck: Seq, pages: u32 },
    #[serde(rename = "deck.failed")]
    DeckFailed { deck: Seq, reason: String },
    #[serde(rename = "deck.removed")]
    DeckRemoved { deck: Seq },
    #[serde(rename = "page.changed")]
    PageChanged { space: SpaceName, deck: Seq, page: u32 },
    #[serde(rename = "board.access_changed")]
    BoardAccessChanged { space: SpaceName, access: BoardAccess, persons: Vec<PersonId> },
    #[serde(rename = "board.cleared")]
    BoardCleared { space: SpaceName, deck: Seq, page: u32, snapshot: String },
    #[serde(rename = "notes.locked")]
    NotesLocked { space: SpaceName, locked: bool },

    #[serde(rename = "consent.changed")]
    ConsentChanged { person: PersonId, record: bool },
    #[serde(rename = "checkpoint.asked")]
    CheckpointAsked { author: Option<PersonId>, body: Text, ends_at: UnixMs },
    #[serde(rename = "checkpoint.answered")]
    CheckpointAnswered { person: PersonId, mood: Mood },
    #[serde(rename = "checkpoint.closed")]
    CheckpointClosed { tally: BTreeMap<Mood, u32> },
    #[serde(rename = "abuse.reported")]
    AbuseReported { author: PersonId, person: PersonId, message: Option<Seq>, body: Text },
}

/// What somebody had not submitted when a poll closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Draft {
    pub person: PersonId,
    pub answers: Answers,
}

impl ClassFact {
    /// Visits every personal text together with the person whose key protects it. A text without an author is the
    /// application's.
    pub(crate) fn personal_mut(&mut self, visit: &mut impl FnMut(&PersonId, &mut Text)) {
        match self {
            Self::ParticipantWaiting { person, profile } => {
                visit(person, &mut profile.name);
                visit(person, &mut profile.metadata);
                for value in profile.attributes.values_mut() {
                    visit(person, value);
                }
            }
            Self::LobbyMessagePosted { author: Some(author), body }
            | Self::ChatPosted { author: Some(author), body, .. }
            | Self::ChatHeld { author: Some(author), body, .. }
            | Self::ChatEdited { author, body, .. }
            | Self::QaAsked { author, body, .. }
            | Self::QaAnswered { author: Some(author), body, .. }
            | Self::BreakoutsBroadcasted { author: Some(author), body }
            | Self::CheckpointAsked { author: Some(author), body, .. }
            | Self::AbuseReported { author, body, .. } => visit(author, body),
            Self::TimerStarted { author: Some(author), title: text, .. }
            | Self::DeckAdded { author: Some(author), name: text, .. } => visit(author, text),
            Self::ActivityCreated { author: Some(author), spec }
            | Self::ActivityEdited { author: Some(author), spec, .. } => {
                spec.texts_mut().for_each(|text| visit(author, text));
            }
            Self::PollResponded { person, answers: Some(answers), .. }
            | Self::PollResponseLate { person, answers, .. } => {
                texts_of(answers).for_each(|text| visit(person, text));
            }
            Self::PollClosed { submitted, kept, .. } => {
                for draft in submitted.iter_mut().chain(kept) {
                    texts_of(&mut draft.answers).for_each(|text| visit(&draft.person, text));
                }
            }
            _ => {}
        }
    }
}

fn texts_of(answers: &mut Answers) -> impl Iterator<Item = &mut Text> {
    answers.iter_mut().filter_map(|answer| match answer {
        Some(Answer::Text { text }) => Some(text),
        _ => None,
    })
}
