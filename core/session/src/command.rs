//! Commands: what somebody wants to happen, in the imperative, and the reasons for refusing one.

use crate::class::{Caps, ClassCommand, Envelope, Epoch};
use crate::event::{Client, DetachReason, EndReason, Policy, Profile, Publication, TrackChoice, UnpublishReason};
use crate::ids::{ConnectionId, PersonId, RoomName, Seq, SessionId, SpaceName, TenantId, TrackId, UnixMs};

/// What somebody wants to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Begins the log; only valid as the first command.
    Start {
        /// Whose organisation.
        tenant: TenantId,
        /// Which Room.
        room: RoomName,
        /// The new session's id.
        session: SessionId,
        /// Its limits and waits.
        policy: Policy,
        /// Application text of the Room.
        metadata: String,
    },
    /// The server has read this log after it stopped without saying so: detaches every open connection at `last_seen`.
    Recover {
        /// The last moment at which the session is known to have run.
        last_seen: UnixMs,
    },
    /// A device connects as `person`. An open connection of the same person is superseded first. A person who is known
    /// (present, reconnecting or offline) keeps the profile that the log has, unless they had left.
    Attach {
        /// Who.
        person: PersonId,
        /// The profile from the token; used at admission.
        profile: Profile,
        /// The new connection's id.
        connection: ConnectionId,
        /// What the device says of itself.
        client: Client,
        /// The Space that the token names; used at admission. Who is known stays where the log has them.
        space: Option<SpaceName>,
    },
    /// A device whose connection was lost is back with its media: the same connection goes on, and so do its tracks.
    /// [`Reject::NotFound`] once the window for it has passed; a new [`Command::Attach`] is then the way back.
    Resume {
        /// Who.
        person: PersonId,
        /// The connection that was lost.
        connection: ConnectionId,
    },
    /// A connection ended without goodbye. If the policy has a window to resume in, and the reason allows it, its tracks
    /// stay published until the window has passed.
    Detach {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: DetachReason,
        /// Last sign of life.
        last_seen: UnixMs,
    },
    /// A person says goodbye on this connection: detached, and left if it was the last.
    Leave {
        /// Which connection.
        connection: ConnectionId,
    },
    /// A track is ready to be announced. Its `person` and `connection` fields must match an open connection.
    Publish {
        /// What is published.
        publication: Publication,
    },
    /// A track stops.
    Unpublish {
        /// Which.
        track: TrackId,
        /// Why.
        reason: UnpublishReason,
    },
    /// A track is muted or unmuted by its publisher. No event if nothing changes.
    SetMuted {
        /// Which.
        track: TrackId,
        /// The new state.
        muted: bool,
    },
    /// What is said of a published track changes; `None` leaves it as it is. No event if nothing changes.
    UpdateTrack {
        /// Which.
        track: TrackId,
        /// LiveKit's audio features by number.
        audio_features: Option<Vec<i32>>,
        /// Pixels: width, height.
        size: Option<(u32, u32)>,
    },
    /// A person's profile changes. No event if nothing changes.
    Update {
        /// Who.
        person: PersonId,
        /// The whole new profile.
        profile: Profile,
    },
    /// People are placed in a Space, all of them at once. Nothing happens to those who are there already; no event if that
    /// is everybody.
    Move {
        /// Who.
        persons: Vec<PersonId>,
        /// Where to.
        space: SpaceName,
    },
    /// The Room has another application text. No event if nothing changes.
    DescribeRoom {
        /// The text.
        metadata: String,
    },
    /// A person says which tracks they want, against or beyond what they would receive by themselves. No event if
    /// nothing changes.
    Choose {
        /// Who.
        person: PersonId,
        /// What they want; the last word on each counts.
        choices: Vec<TrackChoice>,
    },
    /// Somebody removes a person.
    Remove {
        /// Who is removed.
        person: PersonId,
    },
    /// The session ends for everybody.
    End {
        /// Why.
        reason: EndReason,
    },
    /// A timer named by `State::poll_timeout` may be due.
    Tick,
    /// Something that people do in a class beside being there and being seen: hands, chat, polls, breakouts, roles…
    Class(ClassCommand),
}

/// What `decide` knows beside the state and the command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ctx {
    /// Server wall time.
    pub now: UnixMs,
    /// Who issues the command; `None` for the server itself.
    pub actor: Option<PersonId>,
    /// What the client wrote around the command; empty if the server made it.
    pub envelope: Envelope,
}

/// Why a command was refused. A refusal changes nothing and ejects nobody. [`Reject::code`] is the closed set of codes that
/// clients may rely on; the sentence is for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Reject {
    /// The person may not do this.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// The person could do this when they last heard from the server, and cannot any more. Nobody's fault.
    #[error("not allowed any more: the permissions changed while this was on its way")]
    StaleGrant {
        /// The version of their grant in force.
        epoch: Epoch,
        /// What they may do.
        caps: Caps,
    },
    /// The command contradicts the state (a name taken, a second start).
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// What the command changes was changed by somebody else first.
    #[error("conflict: somebody else changed this first; look again at revision {current}")]
    Stale {
        /// The revision in force.
        current: Seq,
    },
    /// What the command names is over: a poll that takes no answers, breakouts that have ended.
    #[error("closed: {0}")]
    Closed(&'static str),
    /// What the command names does not exist, or is none of the person's business.
    #[error("not found: {0}")]
    NotFound(&'static str),
    /// A limit of the policy is reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// Too much of this in a short time; the same command is welcome later, under a new id.
    #[error("too fast: try again in {retry_ms} ms")]
    Rate {
        /// When it makes sense to try again.
        retry_ms: u64,
    },
    /// The person is not part of the session: they wait, were removed, or never came.
    #[error("not admitted: {0}")]
    NotAdmitted(&'static str),
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The command makes no sense in itself.
    #[error("invalid: {0}")]
    Invalid(&'static str),
    /// This server cannot do it.
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
}

impl Reject {
    /// Every code that there is.
    pub const CODES: [&str; 11] = [
        "forbidden",
        "stale_grant",
        "conflict",
        "closed",
        "not_found",
        "limit",
        "rate",
        "not_admitted",
        "session_ended",
        "invalid",
        "unavailable",
    ];

    /// The code, one of [`Reject::CODES`].
    pub fn code(&self) -> &'static str {
        let code = match self {
            Reject::Forbidden(_) => "forbidden",
            Reject::StaleGrant { .. } => "stale_grant",
            Reject::Conflict(_) | Reject::Stale { .. } => "conflict",
            Reject::Closed(_) => "closed",
            Reject::NotFound(_) => "not_found",
            Reject::Limit(_) => "limit",
            Reject::Rate { .. } => "rate",
            Reject::NotAdmitted(_) => "not_admitted",
            Reject::SessionEnded => "session_ended",
            Reject::Invalid(_) => "invalid",
            Reject::Unavailable(_) => "unavailable",
        };
        debug_assert!(Self::CODES.contains(&code), "a code that clients do not know");
        code
    }
}
