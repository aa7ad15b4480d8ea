//! The two versions of the Experience API that are spoken, and which of them a request or a statement names.

use std::fmt;

/// A version of the Experience API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// 1.0.3, as ADL published it.
    V1,
    /// 2.0.0, IEEE 9274.1.1.
    V2,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The version that the value of `X-Experience-API-Version` asks for: `1.0`, `1.0.x`, `2.0` or `2.0.x`.
    pub fn of_header(value: &str) -> Option<Self> {
        let value = value.trim();
        match value.get(..3) {
            Some("1.0") if is_patch(value.get(3..)?) => Some(Self::V1),
            Some("2.0") if is_patch(value.get(3..)?) => Some(Self::V2),
            _ => None,
        }
    }

    /// What responses name: the latest patch.
    pub fn latest(self) -> &'static str {
        match self {
            Self::V1 => "1.0.3",
            Self::V2 => "2.0.0",
        }
    }

    /// The `version` that a statement gets which has none.
    pub fn of_statements(self) -> &'static str {
        match self {
            Self::V1 => "1.0.0",
            Self::V2 => "2.0.0",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.latest())
    }
}

/// Nothing, or `.` and a number.
fn is_patch(rest: &str) -> bool {
    rest.is_empty()
        || rest.strip_prefix('.').is_some_and(|patch| {
            !patch.is_empty() && patch.len() <= 9 && patch.bytes().all(|byte| byte.is_ascii_digit())
        })
}
