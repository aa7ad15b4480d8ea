//! What a person may do at the moment: a preset of their role, changed by the room's policy, the stage and their own
//! overrides. A grant has an epoch, so that a client whose view is old is told so instead of being blamed.

use super::decks::BoardAccess;
use crate::event::{Permission, Role, Source};
use crate::ids::PersonId;
use crate::state::State;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

macro_rules! capabilities {
    ($($name:ident = $text:literal,)*) => {
        /// One permitted action, `module.verb`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[allow(missing_docs)]
        pub enum Cap { $(#[serde(rename = $text)] $name,)* }

        impl Cap {
            /// Every capability that there is.
            pub const ALL: &[Cap] = &[$(Cap::$name,)*];

            /// As it is written on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Cap::$name => $text,)* }
            }
        }
    };
}

capabilities! {
    SessionEnd = "session.end",
    SessionLock = "session.lock",
    PolicySet = "policy.set",
    LobbyAdmit = "lobby.admit",
    ParticipantRemove = "participant.remove",
    ParticipantBan = "participant.ban",
    ParticipantMute = "participant.mute",
    ParticipantSetRole = "participant.set_role",
    ParticipantOverride = "participant.override_caps",
    PresenterAssign = "presenter.assign",
    PresenterTake = "presenter.take",
    StageSet = "stage.set",
    MediaAudio = "media.audio",
    MediaVideo = "media.video",
    MediaScreen = "media.screen",
    MediaForceScope = "media.force_scope",
    ChatRead = "chat.read",
    ChatSend = "chat.send",
    ChatDm = "chat.dm",
    ChatModerate = "chat.moderate",
    QaAsk = "qa.ask",
    ReactionSend = "reaction.send",
    HandRaise = "hand.raise",
    HandCall = "hand.call",
    HandManage = "hand.manage",
    ActivityCreate = "activity.create",
    ActivityRun = "activity.run",
    ActivityRespond = "activity.respond",
    ActivitySeeResults = "activity.see_results",
    ActivitySeeNames = "activity.see_names",
    BoardView = "board.view",
    BoardDraw = "board.draw",
    BoardDrawOwn = "board.draw_own",
    BoardClear = "board.clear",
    BoardSetAccess = "board.set_access",
    NotesView = "notes.view",
    NotesEdit = "notes.edit",
    NotesLock = "notes.lock",
    DeckUpload = "deck.upload",
    DeckControl = "deck.control",
    BreakoutManage = "breakout.manage",
    BreakoutOpen = "breakout.open",
    BreakoutChoose = "breakout.choose",
    BreakoutReturn = "breakout.return",
    BreakoutVisit = "breakout.visit",
    BreakoutAskHelp = "breakout.ask_help",
    TimerRun = "timer.run",
    RecordControl = "record.control",
    RecordPlay = "record.play",
    RecordDownload = "record.download",
    CaptionWrite = "caption.write",
    AnalyticsView = "analytics.view",
    DataExport = "data.export",
    AgentInvoke = "agent.invoke",
}

const _: () = assert!(Cap::ALL.len() <= 64, "a set of capabilities is one 64-bit word");

/// A set of capabilities. In JSON, a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Caps(u64);

impl Caps {
    /// Nothing is permitted.
    pub const NONE: Caps = Caps(0);

    /// The set of these.
    pub fn of(caps: &[Cap]) -> Self {
        caps.iter().fold(Self::NONE, |set, cap| Self(set.0 | 1 << *cap as u64))
    }

    /// Every capability that there is.
    pub fn all() -> Self {
        Self::of(Cap::ALL)
    }

    /// Whether this is permitted.
    pub fn has(self, cap: Cap) -> bool {
        self.0 & 1 << cap as u64 != 0
    }

    /// These and those.
    pub fn with(self, other: Caps) -> Caps {
        Caps(self.0 | other.0)
    }

    /// These without those.
    pub fn without(self, other: Caps) -> Caps {
        Caps(self.0 & !other.0)
    }

    /// In the order of [`Cap::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        Cap::ALL.iter().copied().filter(move |cap| self.has(*cap))
    }
}

impl fmt::Debug for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Cap::name)).finish()
    }
}

impl Serialize for Caps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Caps {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Caps".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Vec<Cap>>()
    }
}

impl<'de> Deserialize<'de> for Caps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Caps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of capabilities")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Caps, A::Error> {
                let mut caps = Caps::NONE;
                while let Some(cap) = names.next_element::<Cap>()? {
                    caps = caps.with(Caps::of(&[cap]));
                }
                Ok(caps)
            }
        }
        deserializer.deserialize_seq(Names)
    }
}

/// The version of a person's grant: it grows by one with every change of what they may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// What a person may do, and since which version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grant {
    /// Its version.
    pub epoch: Epoch,
    /// What is permitted.
    pub caps: Caps,
}

/// Capabilities that one person has or lacks whatever their role says.
pub type Overrides = BTreeMap<Cap, bool>;

impl Role {
    /// Whether people of this role lead the class.
    pub fn leads(self) -> bool {
        matches!(self, Role::Instructor | Role::CoInstructor)
    }

    /// Whether people of this role teach or help to: they see what only staff sees, and no lock of the room binds them.
    pub fn is_staff(self) -> bool {
        self.leads() || matches!(self, Role::TeachingAssistant | Role::Support)
    }

    /// Nobody acts on people of a higher rank.
    pub(super) fn rank(self) -> u8 {
        match self {
            Role::Instructor | Role::CoInstructor => 3,
            Role::TeachingAssistant | Role::Support => 2,
            Role::Learner | Role::Observer | Role::Captioner | Role::Agent => 1,
        }
    }

    /// What this role may do before policy, stage and overrides change it.
    pub fn preset(self) -> Caps {
        use Cap::*;
        let observer = Caps::of(&[ChatRead, BoardView, NotesView]);
        let media = Caps::of(&[MediaAudio, MediaVideo, MediaScreen]);
        let learner = observer.with(media).with(Caps::of(&[
            ChatSend,
            ChatDm,
            QaAsk,
            ReactionSend,
            HandRaise,
            ActivityRespond,
            NotesEdit,
            BreakoutChoose,
            BreakoutReturn,
            BreakoutAskHelp,
        ]));
        match self {
            Role::Instructor | Role::CoInstructor => Caps::all(),
            Role::TeachingAssistant => learner.with(Caps::of(&[
                SessionLock,
                LobbyAdmit,
                ParticipantRemove,
                ParticipantMute,
                ParticipantOverride,
                PresenterAssign,
                PresenterTake,
                ChatModerate,
                HandCall,
                HandManage,
                ActivityCreate,
                ActivitySeeResults,
                ActivitySeeNames,
                BoardDraw,
                NotesLock,
                BreakoutManage,
                BreakoutVisit,
                AnalyticsView,
            ])),
            Role::Learner => learner,
            Role::Observer => observer,
            Role::Captioner => observer.with(Caps::of(&[ChatSend, HandRaise, CaptionWrite])),
            Role::Agent => observer.with(media).with(Caps::of(&[ChatSend, CaptionWrite])),
            Role::Support => observer.with(media).with(Caps::of(&[
                ChatSend,
                ChatDm,
                SessionLock,
                LobbyAdmit,
                ParticipantRemove,
                ParticipantMute,
                BreakoutVisit,
                AnalyticsView,
            ])),
        }
    }
}

/// What the presenter of a Space may do there beside what their role permits.
pub(super) fn presenting() -> Caps {
    use Cap::*;
    Caps::of(&[
        MediaAudio,
        MediaVideo,
        MediaScreen,
        StageSet,
        HandCall,
        ActivityCreate,
        ActivityRun,
        ActivitySeeResults,
        BoardDraw,
        BoardClear,
        BoardSetAccess,
        DeckUpload,
        DeckControl,
        TimerRun,
    ])
}

/// What nobody but staff may do while a class is left alone.
pub(super) fn unattended_locks() -> Caps {
    use Cap::*;
    Caps::of(&[MediaAudio, MediaVideo, MediaScreen, ChatSend, ChatDm, BoardDraw, BoardDrawOwn, NotesEdit])
}

impl State {
    /// What a person may do now; nothing for who is not admitted.
    pub fn grant(&self, person: &PersonId) -> Grant {
        self.class.members.get(person).map(|member| member.grant).unwrap_or_default()
    }

    /// Whether a person may publish a track that shows `source`: by their token's permission and by their grant. Whom nobody
    /// is told of is a program of the backend, and its token alone decides.
    pub fn may_publish(&self, person: &PersonId, source: Source) -> bool {
        let Some(known) = self.participants.get(person) else { return false };
        let caps = self.grant(person).caps;
        let granted = match source {
            Source::Microphone => caps.has(Cap::MediaAudio),
            Source::Camera => caps.has(Cap::MediaVideo),
            Source::ScreenShare | Source::ScreenShareAudio => caps.has(Cap::MediaScreen),
            Source::Unknown => caps.has(Cap::MediaAudio) || caps.has(Cap::MediaVideo),
        };
        let permission = &known.profile.permission;
        (granted || permission.hidden) && permission.may_publish(source)
    }

    /// What a person may publish now, by their token's permission and by their grant, in the words of a permission.
    pub fn permission(&self, person: &PersonId) -> Option<Permission> {
        const SOURCES: [Source; 4] =
            [Source::Microphone, Source::Camera, Source::ScreenShare, Source::ScreenShareAudio];
        let given = &self.participants.get(person)?.profile.permission;
        let allowed: Vec<Source> = SOURCES.into_iter().filter(|source| self.may_publish(person, *source)).collect();
        let takes_something = SOURCES.iter().any(|source| given.may_publish(*source) && !allowed.contains(source));
        let mut permission = given.clone();
        if takes_something {
            permission.can_publish = !allowed.is_empty();
            permission.can_publish_sources = allowed;
        }
        permission.can_publish_data &= given.hidden || self.grant(person).caps.has(Cap::ChatSend);
        Some(permission)
    }

    /// Works out a person's grant anew, or everybody's; an epoch grows only if what its person may do has changed.
    pub(super) fn regrant(&mut self, only: Option<&PersonId>) {
        let persons: Vec<PersonId> = match only {
            Some(person) => vec![person.clone()],
            None => self.class.members.keys().cloned().collect(),
        };
        for person in persons {
            let caps = self.caps_of(&person);
            if let Some(member) = self.class.members.get_mut(&person)
                && member.grant.caps != caps
            {
                member.grant = Grant { epoch: Epoch(member.grant.epoch.0 + 1), caps };
            }
        }
    }

    /// The rule. Overrides have the last word; staff is bound by no lock.
    fn caps_of(&self, person: &PersonId) -> Caps {
        let class = &self.class;
        let (Some(known), Some(member)) = (self.seat(person), class.members.get(person)) else { return Caps::NONE };
        let role = known.profile.role;
        let mut caps = role.preset();
        if !role.is_staff() {
            caps = caps.without(class.policy.locks);
            if class.unattended {
                caps = caps.without(unattended_locks());
            }
        }
        if let Some(space) = class.spaces.get(&known.space) {
            let board = match space.board_access {
                BoardAccess::All => Caps::of(&[Cap::BoardDraw]),
                BoardAccess::Own => Caps::of(&[Cap::BoardDrawOwn]),
                BoardAccess::Only => match space.board_persons.contains(person) {
                    true => Caps::of(&[Cap::BoardDraw]),
                    false => Caps::NONE,
                },
                BoardAccess::Presenter => Caps::NONE,
            };
            if !class.unattended || role.is_staff() {
                caps = caps.with(board);
            }
            if space.notes_locked && !role.is_staff() {
                caps = caps.without(Caps::of(&[Cap::NotesEdit]));
            }
            if space.presenter.as_ref().is_some_and(|lease| lease.person == *person) {
                caps = caps.with(presenting());
            }
        }
        if member.floor_until.is_some() {
            caps = caps.with(Caps::of(&[Cap::MediaAudio]));
        }
        for (cap, given) in &member.overrides {
            let one = Caps::of(&[*cap]);
            caps = if *given { caps.with(one) } else { caps.without(one) };
        }
        caps
    }
}
