//! What somebody chose to receive, against or beyond what comes by itself, is kept in the log for their return: it holds for the
//! first track that shows the same of the same person. Choices are written down together, since people page through a class.

use crate::api::ClientId;
use crate::node::Node;
use lyceum_session as session;
use session::{Command, PersonId, Source, TrackChoice, TrackId};
use std::collections::BTreeMap;

/// How long choices wait for others, to become one event.
pub(crate) const GATHER_CHOICES_MS: u64 = 1_000;

/// What one client chose, by whose track and what it shows.
pub(crate) type Choices = BTreeMap<(PersonId, Source), bool>;

impl Node {
    /// A client said that it wants a track, or does not.
    pub(crate) fn note_choice(&mut self, id: ClientId, track: &TrackId, wanted: bool) {
        let Some(publication) = self.log.state.tracks.get(track) else { return };
        let chosen = (publication.person.clone(), publication.source);
        let now = self.now;
        let Some(client) = self.clients.get_mut(id) else { return };
        client.restored.remove(&chosen);
        client.new_choices.insert(chosen, wanted);
        client.choices_at.get_or_insert(now.plus(GATHER_CHOICES_MS));
    }

    /// Writes down what a client chose.
    pub(crate) fn log_choices(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.choices_at = None;
        let choices = std::mem::take(&mut client.new_choices);
        let choices: Vec<_> =
            choices.into_iter().map(|((of, source), wanted)| TrackChoice { of, source, wanted }).collect();
        if choices.is_empty() {
            return;
        }
        let person = client.person.clone();
        if let Err(reject) = self.commit(&Command::Choose { person: person.clone(), choices }, Some(&person)) {
            tracing::info!(%reject, "what somebody chose to receive is not kept");
        }
    }

    /// What the log has of a person's choices, for a client that joins.
    pub(crate) fn restore_choices(&mut self, id: ClientId, person: &PersonId) {
        let Some(known) = self.log.state.participants.get(person) else { return };
        let kept = known
            .choices
            .iter()
            .flat_map(|(of, by_source)| by_source.iter().map(|(source, wanted)| ((of.clone(), *source), *wanted)));
        let restored = kept.collect();
        if let Some(client) = self.clients.get_mut(id) {
            client.restored = restored;
        }
    }

    /// Whether a client receives a track without asking for it: as it joined, unless it had chosen otherwise before.
    pub(crate) fn comes_by_itself(&mut self, id: ClientId, track: &TrackId) -> bool {
        let Some(publication) = self.log.state.tracks.get(track) else { return false };
        let shown = (publication.person.clone(), publication.source);
        let Some(client) = self.clients.get_mut(id) else { return false };
        client.restored.remove(&shown).unwrap_or(client.auto_subscribe)
    }
}
