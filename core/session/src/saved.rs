//! A state as text, to be kept or compared: `save`, `restore`, `hash`. The log stays the truth; a saved state is what its events up
//! to [`State::seq`], and what lies beside the log, came to when they were folded by the rules of one version.

use crate::state::State;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;

/// The version of saved states. A state has another one whenever the same log would give another text: a field came or went, or
/// a rule of `apply` changed. Who finds an older one folds the log again.
pub const SAVED_VERSION: u32 = 1;

/// Why a saved state cannot be used. The log it came from can.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// Another version saved it.
    #[error("the state was saved in version {found}, and this is version {SAVED_VERSION}: read the log instead")]
    Version {
        /// The version that it names.
        found: u32,
    },
    /// It is not a saved state, or was damaged.
    #[error("the saved state cannot be read ({0}): read the log instead")]
    Malformed(String),
}

impl State {
    /// The state as JSON, personal texts in the clear. Equal states give equal texts.
    pub fn save(&self) -> String {
        let mut json = Vec::new();
        self.write(&mut json);
        String::from_utf8(json).unwrap_or_default()
    }

    /// What [`State::save`] wrote.
    pub fn restore(json: &str) -> Result<State, Unusable> {
        let malformed = |error: serde_json::Error| Unusable::Malformed(error.to_string());
        let Version { version } = serde_json::from_str(json).map_err(malformed)?;
        if version != SAVED_VERSION {
            return Err(Unusable::Version { found: version });
        }
        serde_json::from_str(json).map(|Saved { state, .. }: Saved<State>| state).map_err(malformed)
    }

    /// The SHA-256 of [`State::save`]: two replicas of a class, or a class before and after a restart, have the same exactly if their
    /// states are the same. Once somebody's texts were erased, a log gives another hash than before.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Hash(Sha256::new());
        self.write(&mut hash);
        hash.0.finalize().into()
    }

    /// Every map of a state is ordered, and no value in it depends on the machine: so there is one text.
    fn write(&self, to: impl io::Write) {
        let written = serde_json::to_writer(to, &Saved { version: SAVED_VERSION, state: self });
        debug_assert!(written.is_ok(), "every state has a JSON form: {written:?}");
    }
}

#[derive(Serialize, Deserialize)]
struct Saved<S> {
    version: u32,
    state: S,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A map whose keys have no form as a JSON name, as a list of pairs in the order of the keys.
pub(crate) mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}
