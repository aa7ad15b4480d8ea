//! The names that statements are made of: verbs, types of activities, extensions. Those of others are taken where they fit; ours begin
//! with [`BASE`].

/// What our own names begin with. They are for ever: statements that were stored hold them.
pub const BASE: &str = "https://w3id.org/xapi/live-classroom/";

macro_rules! base {
    ($name:literal) => {
        concat!("https://w3id.org/xapi/live-classroom/", $name)
    };
}

/// The version of the profile that statements name.
pub const VERSION: &str = base!("v1.0");
/// When it was made.
pub const VERSION_MADE_AT: &str = "2026-11-24T00:00:00Z";
/// The profile of virtual classrooms that most of the statements follow as well.
pub const VIRTUAL_CLASSROOM: &str = "https://w3id.org/xapi/virtual-classroom";
/// The type of a profile as an activity.
pub const PROFILE: &str = "http://adlnet.gov/expapi/activities/profile";

/// A verb, and the word that people read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verb {
    /// Its IRI.
    pub id: &'static str,
    /// In English.
    pub word: &'static str,
}

macro_rules! verbs {
    ($($name:ident = $id:expr, $word:literal;)*) => {
        /// Verbs.
        #[allow(missing_docs, reason = "the words say it")]
        pub mod verbs {
            use super::Verb;
            $(pub const $name: Verb = Verb { id: $id, word: $word };)*
        }
    };
}

verbs! {
    INITIALIZED = "http://adlnet.gov/expapi/verbs/initialized", "initialized";
    TERMINATED = "http://adlnet.gov/expapi/verbs/terminated", "terminated";
    SUSPENDED = "http://adlnet.gov/expapi/verbs/suspended", "suspended";
    RESUMED = "http://adlnet.gov/expapi/verbs/resumed", "resumed";
    ATTENDED = "http://adlnet.gov/expapi/verbs/attended", "attended";
    ASKED = "http://adlnet.gov/expapi/verbs/asked", "asked";
    ANSWERED = "http://adlnet.gov/expapi/verbs/answered", "answered";
    RESPONDED = "http://adlnet.gov/expapi/verbs/responded", "responded";
    COMPLETED = "http://adlnet.gov/expapi/verbs/completed", "completed";
    SCORED = "http://adlnet.gov/expapi/verbs/scored", "scored";
    JOINED = "http://activitystrea.ms/join", "joined";
    LEFT = "http://activitystrea.ms/leave", "left";
    STARTED = "http://activitystrea.ms/start", "started";
    SHARED = "http://activitystrea.ms/share", "shared";
    UNSHARED = "http://activitystrea.ms/unshare", "unshared";
    CLOSED = "http://activitystrea.ms/close", "closed";
    CREATED = "http://activitystrea.ms/create", "created";
    DELETED = "http://activitystrea.ms/delete", "deleted";
    PRESENTED = "http://activitystrea.ms/present", "presented";
    REMOVED = "http://activitystrea.ms/remove", "removed";
    REACTED = "https://w3id.org/xapi/virtual-classroom/verbs/reacted", "reacted";
    UNREACTED = "https://w3id.org/xapi/virtual-classroom/verbs/unreacted", "unreacted";
    STOPPED = "https://w3id.org/xapi/virtual-classroom/verbs/stopped", "stopped";
    POSTED = "https://w3id.org/xapi/acrossx/verbs/posted", "posted";
    EDITED = "https://w3id.org/xapi/acrossx/verbs/edited", "edited";
    WAS_ASSIGNED = "https://w3id.org/xapi/acrossx/verbs/was-assigned", "was assigned";
    REQUESTED_ATTENTION = "http://id.tincanapi.com/verb/requested-attention", "requested attention";
    VOTED_UP = "http://id.tincanapi.com/verb/voted-up", "voted up";
    ADMITTED = base!("verbs/admitted"), "admitted";
    DENIED = base!("verbs/denied"), "denied";
    CHANGED_ROLE = base!("verbs/changed-role"), "changed role";
    GRANTED_PRESENTER = base!("verbs/granted-presenter"), "granted presenter";
    REVOKED_PRESENTER = base!("verbs/revoked-presenter"), "revoked presenter";
    CALLED_ON = base!("verbs/called-on"), "called on";
    TALLIED = base!("verbs/tallied"), "tallied";
    CLEARED = base!("verbs/cleared"), "cleared";
    MODERATED = base!("verbs/moderated"), "moderated";
    CONSENTED = base!("verbs/consented"), "answered a request for consent";
}

/// Types of activities.
#[allow(missing_docs, reason = "the names say it")]
pub mod types {
    pub const ROOM: &str = "https://w3id.org/xapi/virtual-classroom/activity-types/virtual-classroom";
    pub const CAMERA: &str = "https://w3id.org/xapi/virtual-classroom/activity-types/camera";
    pub const MICRO: &str = "https://w3id.org/xapi/virtual-classroom/activity-types/micro";
    pub const SCREEN: &str = "https://w3id.org/xapi/virtual-classroom/activity-types/screen";
    pub const INTERACTION: &str = "http://adlnet.gov/expapi/activities/cmi.interaction";
    pub const ASSESSMENT: &str = "http://adlnet.gov/expapi/activities/assessment";
    pub const QUESTION: &str = "http://adlnet.gov/expapi/activities/question";
    pub const MESSAGE: &str = "https://w3id.org/xapi/acrossx/activities/message";
    pub const FILE: &str = "http://activitystrea.ms/file";
    pub const SLIDE: &str = "http://id.tincanapi.com/activitytype/slide";
    pub const SLIDE_DECK: &str = "http://id.tincanapi.com/activitytype/slide-deck";
    pub const BREAKOUT_ROOM: &str = base!("activity-types/breakout-room");
    pub const WHITEBOARD: &str = base!("activity-types/whiteboard");
    pub const CONSENT: &str = base!("activity-types/consent");
}

/// Extensions of a context or a result.
#[allow(missing_docs, reason = "the profile describes them")]
pub mod extensions {
    pub const SESSION_ID: &str = "https://w3id.org/xapi/cmi5/context/extensions/sessionid";
    pub const CAMERA_ACTIVATED: &str = "https://w3id.org/xapi/virtual-classroom/extensions/camera-activated";
    pub const MICRO_ACTIVATED: &str = "https://w3id.org/xapi/virtual-classroom/extensions/micro-activated";
    pub const EMOJI: &str = "https://w3id.org/xapi/virtual-classroom/extensions/emoji";
    pub const PLANNED_DURATION: &str = "http://id.tincanapi.com/extension/planned-duration";
    pub const POSITION: &str = "http://id.tincanapi.com/extension/position";

    pub const SEQUENCE: &str = base!("extensions/sequence");
    pub const EVENT_ID: &str = base!("extensions/event-id");
    pub const CLOCK: &str = base!("extensions/clock");
    pub const ROLE: &str = base!("extensions/role");
    pub const CLIENT: &str = base!("extensions/client");
    pub const END_REASON: &str = base!("extensions/end-reason");
    pub const LEAVE_REASON: &str = base!("extensions/leave-reason");
    pub const DROP_REASON: &str = base!("extensions/drop-reason");
    pub const GAP: &str = base!("extensions/gap");
    pub const ATTEMPT: &str = base!("extensions/attempt");
    pub const BANNED: &str = base!("extensions/banned");
    pub const ROLE_FROM: &str = base!("extensions/role-from");
    pub const ROLE_TO: &str = base!("extensions/role-to");
    pub const CAUSE: &str = base!("extensions/cause");
    pub const INTENT: &str = base!("extensions/intent");
    pub const QUEUE_POSITION: &str = base!("extensions/queue-position");
    pub const LOWERED_BY: &str = base!("extensions/lowered-by");
    pub const WAIT: &str = base!("extensions/wait");
    pub const ANONYMOUS: &str = base!("extensions/anonymous");
    pub const MULTI_SELECT: &str = base!("extensions/multi-select");
    pub const MODE: &str = base!("extensions/mode");
    pub const ELIGIBLE: &str = base!("extensions/eligible");
    pub const LATE: &str = base!("extensions/late");
    pub const FROM_DRAFT: &str = base!("extensions/from-draft");
    pub const REVISION: &str = base!("extensions/revision");
    pub const GRADED_BY: &str = base!("extensions/graded-by");
    pub const DETAIL: &str = base!("extensions/detail");
    pub const VISIBILITY: &str = base!("extensions/visibility");
    pub const LENGTH: &str = base!("extensions/length");
    pub const REPLY_TO: &str = base!("extensions/reply-to");
    pub const MODERATION_ACTION: &str = base!("extensions/moderation-action");
    pub const MUTED_BY: &str = base!("extensions/muted-by");
    pub const ASSIGNED_BY: &str = base!("extensions/assigned-by");
    pub const VISIT: &str = base!("extensions/visit");
    pub const CONTENT_TYPE: &str = base!("extensions/content-type");
    pub const SIZE: &str = base!("extensions/size");
    pub const SHA2: &str = base!("extensions/sha2");

    pub const EVENT_COUNT: &str = base!("extensions/event-count");
    pub const LAST_SEQUENCE: &str = base!("extensions/last-sequence");
    pub const PRESENCE_SEGMENTS: &str = base!("extensions/presence-segments");
    pub const PRESENCE_SHARE: &str = base!("extensions/presence-share");
    pub const TALLY: &str = base!("extensions/tally");
    pub const COUNTED: &str = base!("extensions/counted");
    pub const CONSENT: &str = base!("extensions/consent");
}
