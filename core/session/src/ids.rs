//! The names of things in a class, as types, and the two units of time that events carry. A mix-up of a person with a
//! connection, or of wall time with session time, stops at the compiler.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

string_id!(
    /// An organisation. Every stored key begins with it.
    TenantId
);
string_id!(
    /// The durable, reusable place: LiveKit's room name.
    RoomName
);
string_id!(
    /// One live occurrence of a Room, `RM_…`: owns one ordered log. LiveKit's room sid.
    SessionId
);
string_id!(
    /// One person in a class: LiveKit's participant identity.
    PersonId
);
string_id!(
    /// One device or tab of a person, `PA_…`: LiveKit's participant sid.
    ConnectionId
);
string_id!(
    /// One published track, `TR_…`: LiveKit's track sid.
    TrackId
);

string_id!(
    /// A command, named by the client that made it (a UUIDv7): however often it is sent, it happens once.
    CmdId
);

string_id!(
    /// The main room of a session or one of its breakouts. Names are the caller's; they are shown to people.
    SpaceName
);

impl SpaceName {
    /// Where everybody is who was not placed anywhere else.
    pub const MAIN: &str = "main";
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Whether this is the main room.
    pub fn is_main(&self) -> bool {
        self.0 == Self::MAIN
    }
}

impl Default for SpaceName {
    fn default() -> Self {
        Self(Self::MAIN.to_owned())
    }
}

/// The place of an event in its session's log. The first event is 1; there are no gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Wall-clock time in milliseconds since the Unix epoch. Never decreases within one session's log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// This time plus a duration in milliseconds, saturating.
    pub fn plus(self, duration_ms: u64) -> UnixMs {
        UnixMs(self.0.saturating_add(duration_ms))
    }
}

/// Free text or a name that belongs to a person. In memory it is plain; a store keeps it encrypted under that person's
/// key (see [`crate::Event::personal_mut`]), and `Debug` never prints it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Text(pub String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
