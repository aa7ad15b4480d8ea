//! Who may receive what somebody publishes, as that person's client says (`subscription_permission`). Until it says anything,
//! everybody may.

use crate::api::ClientId;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use proto::request_response::Reason;
use session::{ConnectionId, PersonId, TrackId};
use std::collections::{BTreeMap, BTreeSet};

/// Those who may receive, and which tracks; `None` is all of them. Who is not named receives nothing.
pub(crate) type Allowed = BTreeMap<PersonId, Option<BTreeSet<TrackId>>>;

impl Node {
    pub(crate) fn change_permissions(&mut self, id: ClientId, wanted: proto::SubscriptionPermission) {
        let named: usize = wanted.track_permissions.iter().map(|one| 1 + one.track_sids.len()).sum();
        if named > self.config.limits.ids_per_signal {
            return self.refuse(id, Reason::LimitExceeded, "too many people and tracks in one permission", None);
        }
        let allowed = (!wanted.all_participants).then(|| self.read_permissions(wanted.track_permissions));
        let Some(client) = self.clients.get_mut(id) else { return };
        client.allowed = allowed;
        let tracks: Vec<TrackId> = self.tracks.of(id).map(|(track, _)| track.clone()).collect();
        for receiver in self.clients.ids() {
            for track in &tracks {
                self.apply_permission(receiver, track);
            }
        }
    }

    fn read_permissions(&self, permissions: Vec<proto::TrackPermission>) -> Allowed {
        let mut allowed = Allowed::new();
        for one in permissions {
            let of_sid = || self.clients.of_connection(&ConnectionId(one.participant_sid.clone()));
            let person = match one.participant_identity.is_empty() {
                false => Some(PersonId(one.participant_identity.clone())),
                true => of_sid().map(|client| client.person.clone()),
            };
            let Some(person) = person else { continue };
            let tracks = (!one.all_tracks).then(|| one.track_sids.into_iter().map(TrackId).collect::<BTreeSet<_>>());
            match (allowed.entry(person).or_insert(Some(BTreeSet::new())), tracks) {
                (Some(some), Some(more)) => some.extend(more),
                (all, None) => *all = None,
                (None, Some(_)) => {}
            }
        }
        allowed
    }

    /// Ends what a receiver may not have any more, and begins what it may have again and still wants.
    fn apply_permission(&mut self, receiver: ClientId, track: &TrackId) {
        let view = self.clients.get(receiver).and_then(|client| client.views.get(track));
        let Some(view) = view.copied().filter(|view| view.wanted) else { return };
        let may = self.lets_receive(receiver, track);
        if view.subscribed && !may {
            self.unsubscribe(receiver, track);
            self.tell_permission(receiver, track, false);
        } else if !view.subscribed && may && self.subscribe(receiver, track).is_ok() {
            self.tell_permission(receiver, track, true);
        }
    }

    /// Whether the publisher of a track lets a client receive it.
    pub(crate) fn lets_receive(&self, receiver: ClientId, track: &TrackId) -> bool {
        let Some(owner) = self.tracks.get(track).and_then(|known| self.clients.get(known.owner)) else { return true };
        let Some(receiver) = self.clients.get(receiver) else { return false };
        let Some(allowed) = &owner.allowed else { return true };
        match allowed.get(&receiver.person) {
            None => false,
            Some(None) => true,
            Some(Some(tracks)) => tracks.contains(track),
        }
    }

    /// Behind the news of the track, without which its receiver would not know what this is about.
    pub(crate) fn tell_permission(&mut self, receiver: ClientId, track: &TrackId, allowed: bool) {
        let Some(publication) = self.log.state.tracks.get(track) else { return };
        let participant_sid = publication.connection.0.clone();
        let update = wire::permission_update(participant_sid, track.0.clone(), allowed);
        self.tell_after(vec![receiver], update);
    }
}
