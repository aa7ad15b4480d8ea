//! Which document: a page of a deck or a blank page on the board of a Space, or a Space's notes. Documents are keyed by all of
//! it, so that another deck's content can never show (INV-22).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The name of a document within its session: `board:{space}:{deck}:{page}`, `board:{space}:blank:{page}`, `notes:{space}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DocId {
    /// What is drawn on a page of a deck.
    Page {
        /// Of which Space.
        space: String,
        /// The deck, by its place in the session's log.
        deck: u64,
        /// From 1.
        page: u32,
    },
    /// A board without slides.
    Blank {
        /// Of which Space.
        space: String,
        /// From 1.
        page: u32,
    },
    /// The notes of a Space.
    Notes {
        /// Of which Space.
        space: String,
    },
}

/// Why a text names no document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a document is `board:{{space}}:{{deck}}:{{page}}`, `board:{{space}}:blank:{{page}}` or `notes:{{space}}`")]
pub struct NoDocument;

/// Longest name of a Space, in bytes.
const SPACE_BYTES: usize = 512;
/// Highest page.
const MOST_PAGES: u32 = 2_000;

impl DocId {
    /// Which Space it belongs to.
    pub fn space(&self) -> &str {
        match self {
            DocId::Page { space, .. } | DocId::Blank { space, .. } | DocId::Notes { space } => space,
        }
    }

    /// Whether it is drawn on, rather than written in.
    pub fn is_board(&self) -> bool {
        !matches!(self, DocId::Notes { .. })
    }
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocId::Page { space, deck, page } => write!(f, "board:{space}:{deck}:{page}"),
            DocId::Blank { space, page } => write!(f, "board:{space}:blank:{page}"),
            DocId::Notes { space } => write!(f, "notes:{space}"),
        }
    }
}

impl FromStr for DocId {
    type Err = NoDocument;

    fn from_str(text: &str) -> Result<Self, NoDocument> {
        let (kind, rest) = text.split_once(':').ok_or(NoDocument)?;
        let space = |space: &str| {
            let fits = !space.is_empty() && space.len() <= SPACE_BYTES && !space.chars().any(char::is_control);
            if fits { Ok(space.to_owned()) } else { Err(NoDocument) }
        };
        if kind == "notes" {
            return Ok(DocId::Notes { space: space(rest)? });
        }
        if kind != "board" {
            return Err(NoDocument);
        }
        // From the right: a Space's name may have colons.
        let mut parts = rest.rsplitn(3, ':');
        let page = parts.next().and_then(number).filter(|page| *page <= u64::from(MOST_PAGES)).ok_or(NoDocument)?;
        let deck = parts.next().ok_or(NoDocument)?;
        let space = space(parts.next().ok_or(NoDocument)?)?;
        let page = page as u32;
        if deck == "blank" {
            return Ok(DocId::Blank { space, page });
        }
        Ok(DocId::Page { space, deck: number(deck).ok_or(NoDocument)?, page })
    }
}

/// From 1, and written in one way only: what is one document must have one name.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

impl Serialize for DocId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DocId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inv_22_every_page_has_one_name_and_no_two_pages_share_it() {
        let names = [
            "board:main:12:3",
            "board:main:12:4",
            "board:main:13:3",
            "board:b1:12:3",
            "board:main:blank:3",
            "notes:main",
        ];
        let ids: Vec<DocId> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(ids.iter().map(DocId::to_string).collect::<Vec<_>>(), names);
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn a_space_may_have_any_name() {
        let id = DocId::Page { space: "a:1:2 b/ü".to_owned(), deck: 3, page: 4 };
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn nothing_else_is_a_document() {
        for text in [
            "",
            "board",
            "board:",
            "board:main",
            "board:main:1",
            "board::1:1",
            "board:main:x:1",
            "board:main:1:0",
            "board:main:01:1",
            "board:main:1:+1",
            "board:main:1:2001",
            "board:a\nb:1:1",
            "notes:",
            "page:main:1:1",
            "board:main:99999999999999999999:1",
        ] {
            assert_eq!(text.parse::<DocId>(), Err(NoDocument), "{text}");
        }
    }
}
