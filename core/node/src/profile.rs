//! A person changes their own name, metadata or attributes.

use crate::api::ClientId;
use crate::limits::longer_than;
use crate::node::Node;
use crate::publish::LOG_IS_BEHIND;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::request_response::Reason;
use session::{Command, Profile, Text};
use std::collections::BTreeMap;

impl Node {
    pub(crate) fn update_metadata(&mut self, id: ClientId, update: proto::UpdateParticipantMetadata) {
        let request_id = update.request_id;
        match self.try_to_update(id, update) {
            Ok(()) => self.answer_after(id, request_id),
            Err((reason, why)) => {
                self.stats.refused_signals += 1;
                self.answer(id, request_id, reason, why, None);
            }
        }
    }

    fn try_to_update(
        &mut self,
        id: ClientId,
        update: proto::UpdateParticipantMetadata,
    ) -> Result<(), (Reason, String)> {
        let client = self.clients.get(id).ok_or((Reason::NotFound, "no such client".to_owned()))?;
        let person = client.person.clone();
        let known = self.log.state.participants.get(&person).ok_or((Reason::NotFound, "no such person".to_owned()))?;
        let attributes = update.attributes.into_iter().collect();
        let profile = self.changed_profile(&known.profile, update.name, update.metadata, attributes)?;
        if self.is_behind() {
            return Err((Reason::LimitExceeded, LOG_IS_BEHIND.to_owned()));
        }
        let command = Command::Update { person: person.clone(), profile };
        self.commit(&command, Some(&person)).map_err(|reject| (wire::reason_of(&reject), reject.to_string()))
    }

    /// A profile with other words, if they are not too long and none of them is the server's.
    pub(crate) fn changed_profile(
        &self,
        profile: &Profile,
        name: String,
        metadata: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<Profile, (Reason, String)> {
        let limits = &self.config.limits;
        if longer_than(&name, limits.name_chars) {
            return Err((Reason::LimitExceeded, format!("a name has at most {} characters", limits.name_chars)));
        }
        if metadata.len() > limits.metadata_bytes {
            return Err((Reason::LimitExceeded, format!("metadata has at most {} bytes", limits.metadata_bytes)));
        }
        if attributes.keys().any(|key| key.starts_with(wire::OWN_ATTRIBUTES)) {
            let why = format!("attributes that begin with `{}` are set by the server", wire::OWN_ATTRIBUTES);
            return Err((Reason::NotAllowed, why));
        }
        let profile = changed(profile, name, metadata, attributes);
        let attributes_bytes: usize = profile.attributes.iter().map(|(key, value)| key.len() + value.0.len()).sum();
        if attributes_bytes > limits.attributes_bytes {
            let why = format!("attributes have at most {} bytes together", limits.attributes_bytes);
            return Err((Reason::LimitExceeded, why));
        }
        Ok(profile)
    }
}

/// An empty name or metadata leaves what was there; an attribute with an empty value is deleted; others are merged.
fn changed(profile: &Profile, name: String, metadata: String, attributes: BTreeMap<String, String>) -> Profile {
    let mut profile = profile.clone();
    if !name.is_empty() {
        profile.name = Text(name);
    }
    if !metadata.is_empty() {
        profile.metadata = Text(metadata);
    }
    for (key, value) in attributes {
        if value.is_empty() {
            profile.attributes.remove(&key);
        } else {
            profile.attributes.insert(key, Text(value));
        }
    }
    profile
}
