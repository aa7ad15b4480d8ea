//! What the log says and what people are told, in one vocabulary of short sentences, so that one can be held against the
//! other: nobody may be told what is not on disk.

use livekit_protocol as proto;
use lyceum_session::{Event, Fact, Profile};
use proto::DisconnectReason;
use proto::participant_info::State;
use proto::signal_response::Message;
use std::collections::BTreeSet;

const PARTED: &str = "people were moved apart";

/// The sentences that an event on disk makes true, for good: each says that something was so at some time.
pub fn facts_of(event: &Event) -> Vec<String> {
    match &event.fact {
        Fact::ParticipantAdmitted { person, profile, .. } | Fact::ParticipantUpdated { person, profile } => {
            let mut facts = vec![format!("{person} is a participant"), looks_like(&person.0, profile)];
            if let Fact::ParticipantAdmitted { space, .. } = &event.fact {
                facts.push(format!("{person} is in {space}"));
            }
            facts
        }
        Fact::ParticipantMoved { persons, space } => {
            let parted = [PARTED.to_owned()].into_iter();
            parted.chain(persons.iter().map(|person| format!("{person} is in {space}"))).collect()
        }
        Fact::ConnectionAttached { person, connection, .. } => vec![format!("{person} has {connection}")],
        Fact::ConnectionDetached { person, connection, .. } => {
            vec![format!("{person} is gone"), format!("{connection} is closed")]
        }
        Fact::ParticipantOffline { person, .. } | Fact::ParticipantLeft { person, .. } => {
            vec![format!("{person} is gone")]
        }
        Fact::TrackPublished { publication } => {
            vec![format!("{} is published", publication.track), muted(&publication.track.0, publication.muted)]
        }
        Fact::TrackMuted { track, .. } => vec![muted(&track.0, true)],
        Fact::TrackUnmuted { track, .. } => vec![muted(&track.0, false)],
        Fact::TrackUnpublished { track, .. } => vec![format!("{track} is unpublished")],
        Fact::SessionStarted { session, .. } => vec![format!("{session} has started")],
        Fact::SessionEnded { .. } => vec!["the session has ended".to_owned()],
        Fact::ConnectionResumed { person, connection } => vec![format!("{person} has {connection}")],
        Fact::ConnectionExpired { .. }
        | Fact::RoomUpdated { .. }
        | Fact::SubscriptionChosen { .. }
        | Fact::TrackUpdated { .. }
        | Fact::SessionRecovered { .. }
        | Fact::Class(_) => Vec::new(),
    }
}

/// The sentences that a signal says.
pub fn facts_in(message: &Message) -> Vec<String> {
    match message {
        Message::Join(join) => {
            let room = join.room.iter().map(|room| format!("{} has started", room.sid));
            let people = join.participant.iter().chain(&join.other_participants);
            room.chain(people.flat_map(facts_about)).collect()
        }
        Message::RoomMoved(moved) => {
            moved.participant.iter().chain(&moved.other_participants).flat_map(facts_about).collect()
        }
        Message::Update(update) => update.participants.iter().flat_map(facts_about).collect(),
        Message::Offer(offer) => offer.mid_to_track_id.values().map(|track| format!("{track} is published")).collect(),
        Message::TrackUnpublished(unpublished) => vec![format!("{} is unpublished", unpublished.track_sid)],
        _ => Vec::new(),
    }
}

/// Sentences that were said without being on disk.
pub fn unfounded(said: &[String], on_disk: &BTreeSet<String>) -> Vec<String> {
    said.iter().filter(|sentence| !on_disk.contains(*sentence)).cloned().collect()
}

fn facts_about(info: &proto::ParticipantInfo) -> Vec<String> {
    let person = &info.identity;
    if info.state() == State::Disconnected {
        // Who moves is told the same of those who stay.
        let parts = info.disconnect_reason() == DisconnectReason::Migration;
        return vec![if parts { PARTED.to_owned() } else { format!("{person} is gone") }];
    }
    let mut said = vec![format!("{person} is a participant"), looks(person, &info.name, &info.metadata)];
    let space = info.attributes.get("lyceum.space").map_or("main", String::as_str);
    said.push(format!("{person} is in {space}"));
    // The sid of somebody who was here before the server stopped is no connection any more.
    if !info.attributes.contains_key("lyceum.presence") {
        said.push(format!("{person} has {}", info.sid));
    }
    for track in &info.tracks {
        said.push(format!("{} is published", track.sid));
        said.push(muted(&track.sid, track.muted));
    }
    said
}

fn looks_like(person: &str, profile: &Profile) -> String {
    looks(person, &profile.name.0, &profile.metadata.0)
}

fn looks(person: &str, name: &str, metadata: &str) -> String {
    format!("{person} is called {name} and says {metadata}")
}

fn muted(track: &str, muted: bool) -> String {
    format!("{track} is {}", if muted { "muted" } else { "on" })
}
