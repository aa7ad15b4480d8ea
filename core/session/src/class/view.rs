//! Who sees what. A class is shown as entities in collections, each as its viewer may see it; an event names the entities
//! that it touched. A client that puts them where they belong has the same as a snapshot, without knowing any rule.

use super::chat::{MESSAGES_KEPT, MessageStatus};
use super::polls::PollStatus;
use super::questions::{Anonymity, Answers, PollSpec, PublishDetail, Tally, Target};
use super::{
    Ban, BreakoutsStatus, Cap, Caps, Channel, ClassFact, ClassPolicy, Deck, Grant, Hand, HandOrder, Intent, Message,
    Mood, Overrides, Poll, Regranted, Report, Space, Timer, regranted,
};
use crate::event::{Event, Fact, Role};
use crate::ids::{PersonId, RoomName, Seq, SessionId, SpaceName, Text, UnixMs};
use crate::state::{Presence, State};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A kind of entity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Collection {
    Session,
    Participants,
    Grants,
    Waiting,
    Bans,
    Spaces,
    Breakouts,
    Hands,
    Messages,
    Questions,
    Polls,
    Results,
    Responses,
    Timers,
    Decks,
    Checkpoint,
    Reports,
}

/// The name of an entity. There is one session, one set of breakouts and one checkpoint, whose ids are empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// Where it belongs.
    pub collection: Collection,
    /// Which.
    pub id: Id,
}

/// The id of an entity within its collection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Id {
    Only,
    Person(PersonId),
    Space(SpaceName),
    /// What a fact created.
    Made(Seq),
    /// What a person did with what a fact created.
    MadeBy(Seq, PersonId),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Id::Only => Ok(()),
            Id::Person(person) => person.fmt(f),
            Id::Space(space) => space.fmt(f),
            Id::Made(seq) => seq.fmt(f),
            Id::MadeBy(seq, person) => write!(f, "{seq}:{person}"),
        }
    }
}

/// Everything that one person sees.
pub type Snapshot = BTreeMap<Key, Entity>;

/// Who looks, and what of their standing decides what they see. Whenever it changes, they need a new snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Viewer {
    /// Who; `None` is the server's own backend, which sees everything that is not anonymous.
    pub person: Option<PersonId>,
    staff: bool,
    admitted: bool,
    caps: Caps,
    spaces: Vec<SpaceName>,
    sees_roster: bool,
}

/// An entity as one person sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Entity {
    Session(SessionView),
    Participant(ParticipantView),
    Grant(GrantView),
    Waiting(WaitingView),
    Ban(Ban),
    Space(Space),
    Breakouts(super::Breakouts),
    Hand(HandView),
    Message(Message),
    Question(QuestionView),
    Poll(PollView),
    Result(ResultView),
    Response(ResponseView),
    Timer(Timer),
    Deck(Deck),
    Checkpoint(CheckpointView),
    Report(Report),
}

/// The session as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct SessionView {
    pub session: Option<SessionId>,
    pub room: Option<RoomName>,
    /// Application text of the Room.
    pub metadata: String,
    pub rev: Seq,
    pub started_at: UnixMs,
    pub ended: bool,
    pub locked: bool,
    pub ending_at: Option<UnixMs>,
    pub unattended: bool,
    pub hand_order: HandOrder,
    pub policy: ClassPolicy,
}

/// A person as others see them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ParticipantView {
    pub name: Text,
    pub role: Role,
    pub rev: Seq,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["online", "reconnecting", "offline"])))]
    pub presence: &'static str,
    pub deadline: Option<UnixMs>,
    pub joined_at: UnixMs,
    pub space: SpaceName,
    pub visit: Option<SpaceName>,
    pub intent: Intent,
    pub floor_until: Option<UnixMs>,
    pub consent: Option<bool>,
}

/// What a person may do; for themselves and staff.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct GrantView {
    #[serde(flatten)]
    pub grant: Grant,
    pub overrides: Overrides,
}

/// Somebody who waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct WaitingView {
    pub name: Text,
    pub role: Role,
    pub since: Seq,
    pub since_at: UnixMs,
    pub lost_until: Option<UnixMs>,
}

/// A raised hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct HandView {
    #[serde(flatten)]
    pub hand: Hand,
    pub called: u32,
    /// Passed over for the moment.
    pub away: bool,
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct QuestionView {
    pub author: PersonId,
    pub body: Text,
    pub at: UnixMs,
    pub held: bool,
    pub upvotes: u32,
    pub upvoted: bool,
    pub answer: Option<Text>,
    pub answered_by: Option<PersonId>,
}

/// A poll as it is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct PollView {
    pub rev: Seq,
    pub author: Option<PersonId>,
    pub spec: PollSpec,
    pub status: PollStatus,
    /// Whether it asks the viewer.
    pub asked: bool,
    pub target: Target,
    pub closes_at: Option<UnixMs>,
    pub accept_until: Option<UnixMs>,
    pub published: Option<PublishDetail>,
    pub revealed: bool,
}

/// What came out of a poll so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ResultView {
    pub eligible: u32,
    pub responded: u32,
    pub revision: u32,
    pub tally: Option<Tally>,
}

/// What became of one person's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct ResponseView {
    /// `counted`, `late` or `kept`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["counted", "late", "kept"])))]
    pub status: &'static str,
    /// Nobody sees those of an anonymous poll here.
    pub answers: Option<Answers>,
    pub points: Option<Vec<Option<u32>>>,
}

/// The question how it goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct CheckpointView {
    pub id: Seq,
    pub author: Option<PersonId>,
    pub body: Text,
    pub ends_at: UnixMs,
    /// Staff sees everybody's answer, others their own.
    pub answers: BTreeMap<PersonId, Mood>,
}

impl Viewer {
    /// The server's own backend.
    pub fn backend() -> Self {
        let caps = Caps::all();
        Self { person: None, staff: true, admitted: true, caps, spaces: Vec::new(), sees_roster: true }
    }

    /// Whether an event may change what they may see, rather than what there is to be seen.
    pub fn may_change_with(&self, event: &Event) -> bool {
        use ClassFact as F;
        match &event.fact {
            Fact::ParticipantAdmitted { person, .. } => self.is(person),
            // Of a roster that is hidden staff is seen, and others no more.
            Fact::ParticipantUpdated { person, .. } | Fact::ParticipantLeft { person, .. } => {
                self.is(person) || !self.sees_roster
            }
            Fact::ParticipantMoved { persons, .. } => persons.iter().any(|person| self.is(person)),
            Fact::Class(fact) => match fact {
                F::RoleChanged { person, .. } => self.is(person) || !self.sees_roster,
                F::GrantOverridden { person, .. } | F::VisitStarted { person, .. } | F::VisitEnded { person } => {
                    self.is(person)
                }
                F::PolicyChanged { .. }
                | F::PresenterChanged { .. }
                | F::SessionUnattended {}
                | F::BreakoutsOpened { .. }
                | F::BreakoutsClosed {} => true,
                _ => false,
            },
            _ => false,
        }
    }

    fn is(&self, person: &PersonId) -> bool {
        self.person.as_ref() == Some(person)
    }

    fn is_among(&self, persons: &BTreeSet<PersonId>) -> bool {
        self.person.as_ref().is_some_and(|person| persons.contains(person))
    }

    fn has(&self, cap: Cap) -> bool {
        self.caps.has(cap)
    }

    fn reads(&self, channel: &Channel, author: Option<&PersonId>) -> bool {
        match channel {
            Channel::Space { space } => {
                self.has(Cap::ChatRead) && (self.spaces.contains(space) || self.has(Cap::BreakoutVisit))
            }
            Channel::Pair { a, b } => self.person.is_none() || self.is(a) || self.is(b),
            Channel::Staff => self.staff || author.is_some_and(|author| self.is(author)),
        }
    }
}

/// Capabilities that decide what somebody sees.
const SEEING: &[Cap] = &[
    Cap::ChatRead,
    Cap::ChatModerate,
    Cap::LobbyAdmit,
    Cap::ParticipantBan,
    Cap::ParticipantRemove,
    Cap::BreakoutVisit,
    Cap::BreakoutManage,
    Cap::ActivityCreate,
    Cap::ActivityRun,
    Cap::ActivitySeeResults,
    Cap::ActivitySeeNames,
];

impl State {
    /// Whose eyes to look through.
    pub fn viewer(&self, person: &PersonId) -> Viewer {
        let known = self.seat(person);
        let staff = known.is_some_and(|known| known.profile.role.is_staff());
        let visit = self.class.members.get(person).and_then(|member| member.visit.clone());
        let caps = self.grant(person).caps;
        Viewer {
            person: Some(person.clone()),
            staff,
            admitted: known.is_some(),
            caps: Caps::of(SEEING).without(Caps::all().without(caps)),
            spaces: known.map(|known| known.space.clone()).into_iter().chain(visit).collect(),
            sees_roster: staff || !self.class.policy.hide_roster,
        }
    }

    /// Everything that a viewer sees.
    pub fn snapshot_for(&self, viewer: &Viewer) -> Snapshot {
        self.keys().into_iter().filter_map(|key| Some((key.clone(), self.entity(&key, viewer)?))).collect()
    }

    /// Whether a viewer may be told what became of an entity: it is there for them, or it is no secret that it is not (any more).
    pub fn may_know(&self, key: &Key, viewer: &Viewer) -> bool {
        let own = |person: &PersonId| viewer.is(person);
        let no_secret = match (key.collection, &key.id) {
            (Collection::Waiting, Id::Person(person)) => own(person) || viewer.has(Cap::LobbyAdmit),
            (Collection::Bans, _) => viewer.has(Cap::LobbyAdmit) || viewer.has(Cap::ParticipantBan),
            (Collection::Grants, Id::Person(person)) => own(person) || viewer.staff,
            (Collection::Participants, Id::Person(person)) => own(person) || viewer.sees_roster,
            (Collection::Hands, Id::Person(person)) => viewer.sees_roster || self.participant(person, viewer).is_some(),
            (Collection::Responses, Id::MadeBy(_, person)) => own(person) || viewer.has(Cap::ActivitySeeNames),
            _ => true,
        };
        no_secret || self.entity(key, viewer).is_some()
    }

    /// One entity as a viewer sees it; `None` if it is not there, or not for them.
    pub fn entity(&self, key: &Key, viewer: &Viewer) -> Option<Entity> {
        let class = &self.class;
        // Who waits sees that they wait, and who was banned nothing at all.
        if !viewer.admitted {
            return match (key.collection, &key.id) {
                (Collection::Waiting, Id::Person(person)) if viewer.is(person) => self.waiting(person),
                _ => None,
            };
        }
        match (key.collection, &key.id) {
            (Collection::Session, _) => Some(Entity::Session(self.session_view())),
            (Collection::Participants, Id::Person(person)) => self.participant(person, viewer),
            (Collection::Grants, Id::Person(person)) => {
                self.seat(person).filter(|_| viewer.staff || viewer.is(person))?;
                let member = class.members.get(person)?;
                let overrides = member.overrides.clone();
                Some(Entity::Grant(GrantView { grant: member.grant, overrides }))
            }
            (Collection::Waiting, Id::Person(person)) if viewer.has(Cap::LobbyAdmit) => self.waiting(person),
            (Collection::Bans, Id::Person(person))
                if viewer.has(Cap::LobbyAdmit) || viewer.has(Cap::ParticipantBan) =>
            {
                class.bans.get(person).cloned().map(Entity::Ban)
            }
            (Collection::Spaces, Id::Space(space)) => {
                let here = viewer.spaces.contains(space) || viewer.has(Cap::BreakoutVisit) || viewer.staff;
                class.spaces.get(space).filter(|_| here).cloned().map(Entity::Space)
            }
            (Collection::Breakouts, _) => self.breakouts_view(viewer),
            (Collection::Hands, Id::Person(person)) => {
                let hand = class.hands.up.get(person)?.clone();
                let called = class.members.get(person).map_or(0, |member| member.called);
                self.participant(person, viewer)?;
                Some(Entity::Hand(HandView { hand, called, away: self.is_away(person) }))
            }
            (Collection::Messages, Id::Made(id)) => {
                let message = class.messages.get(id)?;
                let own = message.author.as_ref().is_some_and(|author| viewer.is(author));
                let shown = message.status != MessageStatus::Held || own || viewer.has(Cap::ChatModerate);
                (shown && viewer.reads(&message.to, message.author.as_ref())).then(|| Entity::Message(message.clone()))
            }
            (Collection::Questions, Id::Made(id)) => {
                let question = class.questions.get(id)?;
                let shown = !question.held || viewer.is(&question.author) || viewer.has(Cap::ChatModerate);
                shown.then(|| {
                    Entity::Question(QuestionView {
                        author: question.author.clone(),
                        body: question.body.clone(),
                        at: question.at,
                        held: question.held,
                        upvotes: count(question.upvotes.len()),
                        upvoted: question.upvotes.iter().any(|person| viewer.is(person)),
                        answer: question.answer.clone(),
                        answered_by: question.answered_by.clone(),
                    })
                })
            }
            (Collection::Polls, Id::Made(id)) => poll_view(class.polls.get(id)?, viewer),
            (Collection::Results, Id::Made(id)) => result_view(class.polls.get(id)?, viewer),
            (Collection::Responses, Id::MadeBy(id, person)) => response_view(class.polls.get(id)?, person, viewer),
            (Collection::Timers, Id::Made(id)) => class.timers.get(id).cloned().map(Entity::Timer),
            (Collection::Decks, Id::Made(id)) => class.decks.get(id).cloned().map(Entity::Deck),
            (Collection::Checkpoint, _) => {
                let open = class.checkpoint.as_ref()?;
                let shown = open.answers.iter().filter(|(person, _)| viewer.staff || viewer.is(person));
                Some(Entity::Checkpoint(CheckpointView {
                    id: open.id,
                    author: open.author.clone(),
                    body: open.body.clone(),
                    ends_at: open.ends_at,
                    answers: shown.map(|(person, mood)| (person.clone(), *mood)).collect(),
                }))
            }
            (Collection::Reports, Id::Made(id)) => {
                let report = class.reports.get(id)?;
                let shown = viewer.is(&report.author) || (viewer.staff && viewer.has(Cap::ParticipantRemove));
                shown.then(|| Entity::Report(report.clone()))
            }
            _ => None,
        }
    }

    /// Every entity that there is.
    pub fn keys(&self) -> BTreeSet<Key> {
        let class = &self.class;
        let mut keys = Keys::default();
        keys.only(Collection::Session).only(Collection::Breakouts).only(Collection::Checkpoint);
        keys.people(Collection::Participants, self.participants.keys());
        keys.people(Collection::Grants, class.members.keys());
        keys.people(Collection::Waiting, class.waiting.keys());
        keys.people(Collection::Bans, class.bans.keys());
        keys.people(Collection::Hands, class.hands.up.keys());
        keys.spaces(class.spaces.keys());
        keys.made(Collection::Messages, class.messages.keys());
        keys.made(Collection::Questions, class.questions.keys());
        keys.made(Collection::Timers, class.timers.keys());
        keys.made(Collection::Decks, class.decks.keys());
        keys.made(Collection::Reports, class.reports.keys());
        for (id, poll) in &class.polls {
            keys.poll(*id, Some(poll));
        }
        keys.0
    }

    /// The entities that an event will set, change or remove, looked up before it is applied. Naming one too many does no
    /// harm; every one that changes is named, for every viewer whose own standing does not change.
    pub fn touched_by(&self, event: &Event) -> BTreeSet<Key> {
        let class = &self.class;
        let mut keys = Keys::default();
        match regranted(&event.fact) {
            Regranted::Nobody => {}
            Regranted::These(persons) => keys.people(Collection::Grants, persons),
            Regranted::Everybody => keys.people(Collection::Grants, class.members.keys()),
        }
        match &event.fact {
            Fact::SessionStarted { .. } => {
                keys.only(Collection::Session);
                keys.spaces([&SpaceName::default()]);
            }
            Fact::SessionEnded { .. } | Fact::RoomUpdated { .. } => {
                keys.only(Collection::Session);
            }
            Fact::ParticipantAdmitted { person, space, .. } => {
                self.person_changes(&mut keys, person);
                keys.spaces([space]);
            }
            Fact::ParticipantUpdated { person, .. }
            | Fact::ParticipantOffline { person, .. }
            | Fact::ParticipantLeft { person, .. }
            | Fact::ConnectionAttached { person, .. }
            | Fact::ConnectionResumed { person, .. }
            | Fact::ConnectionDetached { person, .. } => self.person_changes(&mut keys, person),
            Fact::ParticipantMoved { persons, space } => {
                keys.spaces([space]);
                keys.people(Collection::Participants, persons);
                keys.people(Collection::Hands, persons);
                keys.spaces(class.spaces.keys());
                keys.only(Collection::Breakouts);
            }
            Fact::Class(fact) => self.class_changes(&mut keys, event.seq, fact),
            Fact::SessionRecovered { .. }
            | Fact::SubscriptionChosen { .. }
            | Fact::ConnectionExpired { .. }
            | Fact::TrackPublished { .. }
            | Fact::TrackUnpublished { .. }
            | Fact::TrackUpdated { .. }
            | Fact::TrackMuted { .. }
            | Fact::TrackUnmuted { .. } => {}
        }
        keys.0
    }

    fn person_changes(&self, keys: &mut Keys, person: &PersonId) {
        let class = &self.class;
        keys.people(Collection::Participants, [person]);
        keys.people(Collection::Hands, [person]);
        keys.people(Collection::Waiting, [person]);
        keys.spaces(class.spaces.keys());
        for id in class.polls.keys() {
            keys.made(Collection::Results, [id]);
        }
        // Staff that comes back unlocks what was locked because nobody of them was there.
        if class.unattended {
            keys.only(Collection::Session);
            keys.people(Collection::Grants, class.members.keys());
        }
    }

    fn class_changes(&self, keys: &mut Keys, seq: Seq, fact: &ClassFact) {
        use ClassFact as F;
        let class = &self.class;
        match fact {
            F::SessionEnding { .. }
            | F::SessionEndCancelled {}
            | F::SessionLocked {}
            | F::SessionUnlocked {}
            | F::SessionUnattended {}
            | F::PolicyChanged { .. }
            | F::HandOrderChanged { .. } => {
                keys.only(Collection::Session);
            }
            F::ParticipantWaiting { person, .. } | F::LobbyLost { person } | F::LobbyWithdrawn { person, .. } => {
                keys.people(Collection::Waiting, [person]);
            }
            F::ParticipantDenied { person, .. } => {
                keys.people(Collection::Waiting, [person]);
                keys.people(Collection::Bans, [person]);
            }
            F::RoleChanged { person, .. } => self.person_changes(keys, person),
            F::ParticipantRemoved { person, .. } | F::BanLifted { person } => keys.people(Collection::Bans, [person]),
            F::GrantOverridden { person, .. }
            | F::MediaIntentChanged { person, .. }
            | F::VisitStarted { person, .. }
            | F::VisitEnded { person }
            | F::FloorEnded { person }
            | F::ConsentChanged { person, .. } => {
                keys.people(Collection::Participants, [person]);
                keys.only(Collection::Breakouts);
            }
            F::MediaMuted { persons } => keys.people(Collection::Participants, persons),
            F::PresenterChanged { space, .. }
            | F::StageChanged { space, .. }
            | F::PageChanged { space, .. }
            | F::BoardAccessChanged { space, .. }
            | F::NotesLocked { space, .. } => keys.spaces([space]),
            F::HandRaised { person, .. } => keys.people(Collection::Hands, [person]),
            F::HandLowered { persons } => keys.people(Collection::Hands, persons),
            F::HandCalled { person, .. } => {
                keys.people(Collection::Hands, [person]);
                keys.people(Collection::Participants, [person]);
            }
            F::ChatPosted { .. } | F::ChatHeld { .. } => {
                keys.made(Collection::Messages, [&seq]);
                if class.messages.len() >= MESSAGES_KEPT {
                    let oldest = class.messages.iter().find(|(_, message)| !message.pinned).map(|(id, _)| id);
                    keys.made(Collection::Messages, oldest);
                }
            }
            F::ChatApproved { message, .. }
            | F::ChatRejected { message, .. }
            | F::ChatEdited { message, .. }
            | F::ChatDeleted { message, .. }
            | F::ChatPinned { message, .. } => keys.made(Collection::Messages, [message]),
            F::QaAsked { .. } => keys.made(Collection::Questions, [&seq]),
            F::QaUpvoted { question, .. }
            | F::QaAnswered { question, .. }
            | F::QaApproved { question }
            | F::QaDismissed { question } => keys.made(Collection::Questions, [question]),
            F::ActivityCreated { .. } => keys.poll(seq, None),
            F::PollResponded { poll, person, .. }
            | F::PollResponseLate { poll, person, .. }
            | F::QuizGraded { poll, person, .. } => {
                // Answers change no poll, only what comes of it.
                if matches!(fact, F::QuizGraded { .. }) {
                    keys.made(Collection::Polls, [poll]);
                }
                keys.made(Collection::Results, [poll]);
                keys.0.insert(Key { collection: Collection::Responses, id: Id::MadeBy(*poll, person.clone()) });
            }
            F::PollTallied { poll, .. } => keys.made(Collection::Results, [poll]),
            F::ActivityEdited { poll, .. }
            | F::PollOpened { poll, .. }
            | F::PollClosing { poll, .. }
            | F::PollRevised { poll, .. }
            | F::PollPublished { poll, .. } => keys.poll(*poll, class.polls.get(poll)),
            F::PollClosed { poll, submitted, kept, .. } => {
                keys.poll(*poll, class.polls.get(poll));
                for draft in submitted.iter().chain(kept) {
                    let id = Id::MadeBy(*poll, draft.person.clone());
                    keys.0.insert(Key { collection: Collection::Responses, id });
                }
            }
            F::BreakoutsOpened { .. } | F::BreakoutsClosed {} => {
                keys.only(Collection::Breakouts);
                keys.people(Collection::Participants, self.participants.keys());
                keys.people(Collection::Hands, class.hands.up.keys());
                keys.spaces(class.spaces.keys());
                keys.spaces(class.breakouts.iter().flat_map(|groups| groups.groups.keys()));
            }
            F::BreakoutsPlanned { .. }
            | F::HelpRequested { .. }
            | F::HelpResolved { .. }
            | F::BreakoutsRescheduled { .. }
            | F::BreakoutsClosing { .. } => {
                keys.only(Collection::Breakouts);
            }
            F::TimerStarted { .. } => keys.made(Collection::Timers, [&seq]),
            F::TimerPaused { timer, .. }
            | F::TimerRescheduled { timer, .. }
            | F::TimerStopped { timer }
            | F::TimerEnded { timer } => keys.made(Collection::Timers, [timer]),
            F::DeckAdded { .. } => keys.made(Collection::Decks, [&seq]),
            F::DeckReady { deck, .. } | F::DeckFailed { deck, .. } => keys.made(Collection::Decks, [deck]),
            F::DeckRemoved { deck } => {
                keys.made(Collection::Decks, [deck]);
                keys.spaces(class.spaces.keys());
            }
            F::CheckpointAsked { .. } | F::CheckpointAnswered { .. } | F::CheckpointClosed { .. } => {
                keys.only(Collection::Checkpoint);
            }
            F::AbuseReported { .. } => keys.made(Collection::Reports, [&seq]),
            F::LobbyMessagePosted { .. }
            | F::MediaUnmuteRequested { .. }
            | F::ReactionAggregated { .. }
            | F::BreakoutsBroadcasted { .. }
            | F::ArtifactCollected { .. }
            | F::BoardCleared { .. } => {}
        }
    }

    /// An event as a viewer may read it, after it was applied: whole, without what is not for them, or not at all. Its place
    /// in the log is no secret; which command caused it is its sender's.
    pub fn event_for(&self, event: &Event, viewer: &Viewer) -> Option<Event> {
        if viewer.person.is_none() {
            return Some(event.clone());
        }
        let mut seen = self.seen(event, viewer)?;
        if seen.actor != viewer.person {
            seen.cause = None;
        }
        Some(seen)
    }

    fn seen(&self, event: &Event, viewer: &Viewer) -> Option<Event> {
        use ClassFact as F;
        let Fact::Class(fact) = &event.fact else { return self.presence_event_for(event, viewer) };
        if !viewer.admitted {
            let concerns = match fact {
                F::ParticipantWaiting { person, .. }
                | F::LobbyWithdrawn { person, .. }
                | F::ParticipantDenied { person, .. }
                | F::ParticipantRemoved { person, .. } => viewer.is(person),
                F::LobbyMessagePosted { .. } => {
                    viewer.person.as_ref().is_some_and(|p| self.class.waiting.contains_key(p))
                }
                _ => false,
            };
            return concerns.then(|| event.clone());
        }
        let id = |collection, id| self.entity(&Key { collection, id }, viewer).is_some();
        let shown = match fact {
            F::ParticipantWaiting { .. } | F::LobbyLost { .. } | F::LobbyWithdrawn { .. } => {
                viewer.has(Cap::LobbyAdmit)
            }
            F::ParticipantDenied { .. } | F::LobbyMessagePosted { .. } => viewer.has(Cap::LobbyAdmit),
            F::BanLifted { .. } => viewer.has(Cap::ParticipantBan) || viewer.has(Cap::LobbyAdmit),
            F::GrantOverridden { person, .. } | F::ConsentChanged { person, .. } => viewer.staff || viewer.is(person),
            F::CheckpointAnswered { person, .. } => viewer.staff || viewer.is(person),
            F::MediaUnmuteRequested { persons } => viewer.staff || persons.iter().any(|person| viewer.is(person)),
            F::HandRaised { person, .. }
            | F::HandCalled { person, .. }
            | F::FloorEnded { person }
            | F::RoleChanged { person, .. }
            | F::MediaIntentChanged { person, .. } => id(Collection::Participants, Id::Person(person.clone())),
            F::PresenterChanged { space, .. }
            | F::StageChanged { space, .. }
            | F::PageChanged { space, .. }
            | F::BoardAccessChanged { space, .. }
            | F::BoardCleared { space, .. }
            | F::NotesLocked { space, .. } => id(Collection::Spaces, Id::Space(space.clone())),
            F::HelpRequested { space, .. } | F::HelpResolved { space, .. } | F::ReactionAggregated { space, .. } => {
                viewer.staff || viewer.spaces.contains(space)
            }
            F::VisitStarted { person, .. } | F::VisitEnded { person } => viewer.staff || viewer.is(person),
            F::BreakoutsPlanned { .. } | F::ArtifactCollected { .. } => viewer.has(Cap::BreakoutManage),
            F::ChatPosted { .. } | F::ChatHeld { .. } => id(Collection::Messages, Id::Made(event.seq)),
            F::ChatApproved { message, .. }
            | F::ChatEdited { message, .. }
            | F::ChatDeleted { message, .. }
            | F::ChatPinned { message, .. } => id(Collection::Messages, Id::Made(*message)),
            F::ChatRejected { author, .. } => {
                viewer.has(Cap::ChatModerate) || author.as_ref().is_some_and(|author| viewer.is(author))
            }
            F::QaAsked { .. } => id(Collection::Questions, Id::Made(event.seq)),
            F::QaUpvoted { person, .. } => viewer.is(person),
            F::QaAnswered { question, .. } | F::QaApproved { question } => {
                id(Collection::Questions, Id::Made(*question))
            }
            F::ActivityCreated { .. } => id(Collection::Polls, Id::Made(event.seq)),
            F::ActivityEdited { poll, .. }
            | F::PollOpened { poll, .. }
            | F::PollClosing { poll, .. }
            | F::PollClosed { poll, .. }
            | F::PollPublished { poll, .. } => id(Collection::Polls, Id::Made(*poll)),
            F::PollTallied { poll, .. } | F::PollRevised { poll, .. } => id(Collection::Results, Id::Made(*poll)),
            F::PollResponded { poll, person, .. }
            | F::PollResponseLate { poll, person, .. }
            | F::QuizGraded { poll, person, .. } => id(Collection::Responses, Id::MadeBy(*poll, person.clone())),
            F::AbuseReported { .. } => id(Collection::Reports, Id::Made(event.seq)),
            F::QaDismissed { .. }
            | F::SessionEnding { .. }
            | F::SessionEndCancelled {}
            | F::SessionLocked {}
            | F::SessionUnlocked {}
            | F::SessionUnattended {}
            | F::PolicyChanged { .. }
            | F::ParticipantRemoved { .. }
            | F::MediaMuted { .. }
            | F::HandLowered { .. }
            | F::HandOrderChanged { .. }
            | F::BreakoutsOpened { .. }
            | F::BreakoutsBroadcasted { .. }
            | F::BreakoutsRescheduled { .. }
            | F::BreakoutsClosing { .. }
            | F::BreakoutsClosed {}
            | F::TimerStarted { .. }
            | F::TimerPaused { .. }
            | F::TimerRescheduled { .. }
            | F::TimerStopped { .. }
            | F::TimerEnded { .. }
            | F::DeckAdded { .. }
            | F::DeckReady { .. }
            | F::DeckFailed { .. }
            | F::DeckRemoved { .. }
            | F::CheckpointAsked { .. }
            | F::CheckpointClosed { .. } => true,
        };
        shown.then(|| Event { fact: Fact::Class(self.redacted(fact, viewer)), ..event.clone() })
    }

    /// Takes out what the entities do not show this viewer either.
    fn redacted(&self, fact: &ClassFact, viewer: &Viewer) -> ClassFact {
        use ClassFact as F;
        let mut fact = fact.clone();
        match &mut fact {
            F::ActivityCreated { author, spec } | F::ActivityEdited { author, spec, .. } => {
                let own = author.as_ref().is_some_and(|author| viewer.is(author));
                if !viewer.staff && !own {
                    *spec = spec.without_keys();
                }
            }
            F::PollOpened { eligible, .. } if !viewer.has(Cap::ActivitySeeNames) => {
                eligible.retain(|person| viewer.is(person));
            }
            F::PollClosed { poll, tally, submitted, kept, discarded, .. } => {
                let seen = Key { collection: Collection::Results, id: Id::Made(*poll) };
                if self.entity(&seen, viewer).is_none() {
                    *tally = None;
                }
                if !viewer.has(Cap::ActivitySeeNames) {
                    submitted.retain(|draft| viewer.is(&draft.person));
                    kept.retain(|draft| viewer.is(&draft.person));
                    discarded.retain(|person| viewer.is(person));
                }
            }
            F::PollRevised { admitted, .. } if !viewer.has(Cap::ActivitySeeNames) => {
                admitted.retain(|person| viewer.is(person));
            }
            F::QuizGraded { .. } | F::CheckpointClosed { .. } => {}
            F::MediaMuted { persons } | F::HandLowered { persons } if !viewer.sees_roster => {
                persons.retain(|person| self.shows(person, viewer));
            }
            F::BreakoutsOpened { placements, .. } if !viewer.sees_roster => {
                placements.retain(|person, _| self.shows(person, viewer));
            }
            _ => {}
        }
        fact
    }

    fn presence_event_for(&self, event: &Event, viewer: &Viewer) -> Option<Event> {
        let person = match &event.fact {
            Fact::ParticipantAdmitted { person, .. }
            | Fact::ParticipantUpdated { person, .. }
            | Fact::ParticipantOffline { person, .. }
            | Fact::ParticipantLeft { person, .. }
            | Fact::ConnectionAttached { person, .. }
            | Fact::ConnectionDetached { person, .. }
            | Fact::ConnectionResumed { person, .. }
            | Fact::ConnectionExpired { person, .. }
            | Fact::TrackUnpublished { person, .. }
            | Fact::TrackUpdated { person, .. }
            | Fact::TrackMuted { person, .. }
            | Fact::TrackUnmuted { person, .. } => person,
            Fact::TrackPublished { publication } => &publication.person,
            Fact::SubscriptionChosen { person, .. } => return viewer.is(person).then(|| event.clone()),
            Fact::ParticipantMoved { persons, space } => {
                let persons: Vec<_> = persons.iter().filter(|person| self.shows(person, viewer)).cloned().collect();
                let fact = Fact::ParticipantMoved { persons, space: space.clone() };
                let any = matches!(&fact, Fact::ParticipantMoved { persons, .. } if !persons.is_empty());
                return any.then(|| Event { fact, ..event.clone() });
            }
            Fact::SessionStarted { .. }
            | Fact::SessionRecovered { .. }
            | Fact::SessionEnded { .. }
            | Fact::RoomUpdated { .. }
            | Fact::Class(_) => {
                return Some(event.clone());
            }
        };
        let shown = viewer.is(person) || (viewer.admitted && self.shows(person, viewer));
        if !shown {
            return None;
        }
        let (mut event, own) = (event.clone(), viewer.is(person));
        // What a token's application wrote about others is not for everybody.
        if let Fact::ParticipantAdmitted { profile, .. } | Fact::ParticipantUpdated { profile, .. } = &mut event.fact
            && !viewer.staff
            && !own
        {
            profile.metadata = Text::default();
            profile.attributes.clear();
        }
        Some(event)
    }

    /// Whether a viewer is told that this person is, or was, there.
    fn shows(&self, person: &PersonId, viewer: &Viewer) -> bool {
        let Some(known) = self.participants.get(person) else { return false };
        if viewer.is(person) {
            return true;
        }
        viewer.admitted && !known.profile.permission.hidden && (viewer.sees_roster || known.profile.role.is_staff())
    }

    fn session_view(&self) -> SessionView {
        SessionView {
            session: self.session.clone(),
            room: self.room.clone(),
            metadata: self.metadata.clone(),
            rev: self.class.policy_rev,
            started_at: self.started_at,
            ended: self.ended,
            locked: self.class.locked,
            ending_at: self.class.ending_at,
            unattended: self.class.unattended,
            hand_order: self.class.hands.order,
            policy: self.class.policy.clone(),
        }
    }

    fn participant(&self, person: &PersonId, viewer: &Viewer) -> Option<Entity> {
        let (known, member) = (self.seat(person)?, self.class.members.get(person)?);
        if !self.shows(person, viewer) {
            return None;
        }
        let (presence, deadline) = match known.presence {
            Presence::Online => ("online", None),
            Presence::Reconnecting { deadline, .. } => ("reconnecting", Some(deadline)),
            Presence::Offline { .. } | Presence::Left => ("offline", None),
        };
        let sees_more = viewer.staff || viewer.is(person);
        Some(Entity::Participant(ParticipantView {
            name: known.profile.name.clone(),
            role: known.profile.role,
            rev: member.rev,
            presence,
            deadline,
            joined_at: known.joined_at,
            space: known.space.clone(),
            visit: member.visit.clone().filter(|_| sees_more),
            intent: member.intent,
            floor_until: member.floor_until,
            consent: member.consent.filter(|_| sees_more),
        }))
    }

    fn waiting(&self, person: &PersonId) -> Option<Entity> {
        let waiting = self.class.waiting.get(person)?;
        Some(Entity::Waiting(WaitingView {
            name: waiting.profile.name.clone(),
            role: waiting.profile.role,
            since: waiting.since,
            since_at: waiting.since_at,
            lost_until: waiting.lost_until,
        }))
    }

    /// Who draws up groups sees the plan; others see groups once they are open, and calls for help of their own group.
    fn breakouts_view(&self, viewer: &Viewer) -> Option<Entity> {
        let mut groups = self.class.breakouts.clone()?;
        if viewer.has(Cap::BreakoutManage) {
            return Some(Entity::Breakouts(groups));
        }
        if groups.status == BreakoutsStatus::Planned {
            return None;
        }
        groups.plan.clear();
        for (space, group) in &mut groups.groups {
            if !viewer.staff && !viewer.spaces.contains(space) {
                group.help = None;
            }
        }
        Some(Entity::Breakouts(groups))
    }
}

fn poll_view(poll: &Poll, viewer: &Viewer) -> Option<Entity> {
    let own = poll.author.as_ref().is_some_and(|author| viewer.is(author));
    let asked = viewer.is_among(&poll.eligible);
    let runs = viewer.staff || own || viewer.has(Cap::ActivityRun);
    let shown = match poll.status {
        PollStatus::Draft => runs,
        _ => runs || asked || poll.published.is_some() || viewer.has(Cap::ActivitySeeResults),
    };
    if !shown {
        return None;
    }
    let sees_keys = viewer.staff || own || poll.revealed;
    Some(Entity::Poll(PollView {
        rev: poll.rev,
        author: poll.author.clone(),
        spec: if sees_keys { poll.spec.clone() } else { poll.spec.without_keys() },
        status: poll.status,
        asked,
        target: if runs { poll.target.clone() } else { Target::default() },
        closes_at: poll.closes_at,
        accept_until: poll.accept_until,
        published: poll.published,
        revealed: poll.revealed,
    }))
}

/// An anonymous poll shows what was announced of it; any other is counted on the spot.
fn result_view(poll: &Poll, viewer: &Viewer) -> Option<Entity> {
    let live = poll.spec.live_results && viewer.is_among(&poll.eligible);
    if poll.status == PollStatus::Draft || !(viewer.has(Cap::ActivitySeeResults) || live || poll.published.is_some()) {
        return None;
    }
    let tally = match poll.spec.anonymity {
        Anonymity::Anonymous => poll.tally.clone(),
        _ => Some(poll.spec.tally(poll.responses.values().flatten())),
    };
    Some(Entity::Result(ResultView {
        eligible: count(poll.eligible.len()),
        responded: count(poll.responses.len()),
        revision: poll.revision,
        tally,
    }))
}

fn response_view(poll: &Poll, person: &PersonId, viewer: &Viewer) -> Option<Entity> {
    let names_shown = poll.published == Some(PublishDetail::Names) && poll.spec.anonymity == Anonymity::Named;
    let sees = viewer.has(Cap::ActivitySeeNames);
    let (status, answers) = match (poll.responses.get(person), poll.late.get(person), poll.kept.get(person)) {
        (Some(answers), ..) if sees || names_shown || viewer.is(person) => ("counted", answers.clone()),
        (None, Some(answers), _) if sees || viewer.is(person) => ("late", Some(answers.clone())),
        (None, None, Some(answers)) if sees || viewer.is(person) => ("kept", Some(answers.clone())),
        _ => return None,
    };
    let points = poll.points(person).filter(|_| sees || (viewer.is(person) && poll.revealed));
    Some(Entity::Response(ResponseView { status, answers, points }))
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Keys(BTreeSet<Key>);

impl Keys {
    fn only(&mut self, collection: Collection) -> &mut Self {
        self.0.insert(Key { collection, id: Id::Only });
        self
    }

    fn people<'a>(&mut self, collection: Collection, persons: impl IntoIterator<Item = &'a PersonId>) {
        self.0.extend(persons.into_iter().map(|person| Key { collection, id: Id::Person(person.clone()) }));
    }

    fn spaces<'a>(&mut self, spaces: impl IntoIterator<Item = &'a SpaceName>) {
        let collection = Collection::Spaces;
        self.0.extend(spaces.into_iter().map(|space| Key { collection, id: Id::Space(space.clone()) }));
    }

    fn made<'a>(&mut self, collection: Collection, made: impl IntoIterator<Item = &'a Seq>) {
        self.0.extend(made.into_iter().map(|seq| Key { collection, id: Id::Made(*seq) }));
    }

    fn poll(&mut self, id: Seq, poll: Option<&Poll>) {
        self.made(Collection::Polls, [&id]);
        self.made(Collection::Results, [&id]);
        let Some(poll) = poll else { return };
        let persons: BTreeSet<&PersonId> =
            poll.responses.keys().chain(poll.late.keys()).chain(poll.kept.keys()).collect();
        let collection = Collection::Responses;
        self.0.extend(persons.into_iter().map(|person| Key { collection, id: Id::MadeBy(id, person.clone()) }));
    }
}
