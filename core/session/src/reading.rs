//! Reading an event. What serde makes of `Event` by itself keeps each event's JSON as a tree first, and tries the facts of a class
//! only after an error about the others has been written. Both are spared by looking at the type first.

use crate::class::{Cause, ClassFact};
use crate::event::{Event, Fact};
use crate::ids::{PersonId, Seq, UnixMs};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use std::fmt;

/// The types of facts that are variants of [`Fact`] itself; all others are [`ClassFact`]s.
const OWN: [&str; 19] = [
    "session.started",
    "session.recovered",
    "session.ended",
    "participant.admitted",
    "participant.moved",
    "room.updated",
    "subscription.chosen",
    "participant.updated",
    "connection.attached",
    "connection.detached",
    "connection.resumed",
    "connection.expired",
    "participant.offline",
    "participant.left",
    "track.published",
    "track.unpublished",
    "track.updated",
    "track.muted",
    "track.unmuted",
];

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

struct Reading;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Seq,
    At,
    MonoMs,
    Actor,
    Cause,
    Type,
    Payload,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for Reading {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let (mut seq, mut at, mut mono_ms) = (None::<Seq>, None::<UnixMs>, None::<u64>);
        let (mut actor, mut cause) = (None::<PersonId>, None::<Cause>);
        let (mut kind, mut early, mut fact) = (None::<String>, None::<serde_json::Value>, None::<Fact>);
        while let Some(name) = map.next_key()? {
            match name {
                Name::Seq => seq = Some(map.next_value()?),
                Name::At => at = Some(map.next_value()?),
                Name::MonoMs => mono_ms = Some(map.next_value()?),
                Name::Actor => actor = map.next_value()?,
                Name::Cause => cause = map.next_value()?,
                Name::Type => kind = Some(map.next_value()?),
                Name::Payload => match &kind {
                    Some(kind) => fact = Some(fact_of(Pair { kind, payload: &mut map, next: Part::Type })?),
                    None => early = Some(map.next_value()?),
                },
                Name::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
        let fact = match (fact, early) {
            (Some(fact), _) => fact,
            (None, Some(payload)) => {
                let mut rest = serde::de::value::MapDeserializer::new([((), payload)].into_iter());
                rest.next_key::<()>().map_err(A::Error::custom)?;
                fact_of(Pair { kind: &kind, payload: &mut rest, next: Part::Type }).map_err(A::Error::custom)?
            }
            (None, None) => return Err(A::Error::missing_field("payload")),
        };
        Ok(Event {
            seq: seq.ok_or_else(|| A::Error::missing_field("seq"))?,
            at: at.ok_or_else(|| A::Error::missing_field("at"))?,
            mono_ms: mono_ms.ok_or_else(|| A::Error::missing_field("mono_ms"))?,
            actor,
            cause,
            fact,
        })
    }
}

fn fact_of<'de, A: MapAccess<'de>>(pair: Pair<'_, A>) -> Result<Fact, A::Error> {
    let own = OWN.contains(&pair.kind);
    let pair = MapAccessDeserializer::new(pair);
    if own { Fact::deserialize(pair) } else { ClassFact::deserialize(pair).map(Fact::Class) }
}

/// `{"type": …, "payload": …}`, where the payload is what comes next in another map.
struct Pair<'a, A> {
    kind: &'a str,
    payload: &'a mut A,
    next: Part,
}

enum Part {
    Type,
    Payload,
    End,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Pair<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key = match self.next {
            Part::Type => "type",
            Part::Payload => "payload",
            Part::End => return Ok(None),
        };
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if let Part::Type = self.next {
            self.next = Part::Payload;
            return seed.deserialize(self.kind.into_deserializer());
        }
        self.next = Part::End;
        self.payload.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fact that is added does not compile here without its type; [`OWN`] must have it as well.
    fn own_type(fact: &Fact) -> &'static str {
        match fact {
            Fact::SessionStarted { .. } => "session.started",
            Fact::SessionRecovered { .. } => "session.recovered",
            Fact::SessionEnded { .. } => "session.ended",
            Fact::ParticipantAdmitted { .. } => "participant.admitted",
            Fact::ParticipantMoved { .. } => "participant.moved",
            Fact::RoomUpdated { .. } => "room.updated",
            Fact::SubscriptionChosen { .. } => "subscription.chosen",
            Fact::ParticipantUpdated { .. } => "participant.updated",
            Fact::ConnectionAttached { .. } => "connection.attached",
            Fact::ConnectionDetached { .. } => "connection.detached",
            Fact::ConnectionResumed { .. } => "connection.resumed",
            Fact::ConnectionExpired { .. } => "connection.expired",
            Fact::ParticipantOffline { .. } => "participant.offline",
            Fact::ParticipantLeft { .. } => "participant.left",
            Fact::TrackPublished { .. } => "track.published",
            Fact::TrackUnpublished { .. } => "track.unpublished",
            Fact::TrackUpdated { .. } => "track.updated",
            Fact::TrackMuted { .. } => "track.muted",
            Fact::TrackUnmuted { .. } => "track.unmuted",
            Fact::Class(_) => "",
        }
    }

    #[test]
    fn the_types_of_facts_are_known() {
        // Each of them is looked for among the facts of `Fact`, not among those of a class.
        for kind in OWN {
            let error = serde_json::from_str::<ClassFact>(&format!("{{\"type\":\"{kind}\",\"payload\":{{}}}}"));
            assert!(error.is_err_and(|error| error.to_string().contains("unknown variant")), "{kind}");
        }
        let ended = Fact::SessionEnded { reason: crate::event::EndReason::Ended };
        assert!(OWN.contains(&own_type(&ended)));
    }

    #[test]
    fn names_may_come_in_any_order_and_strange_ones_are_passed_over() {
        let event = r#"{"payload":{"to":{"kind":"staff"},"author":"u-1","body":"hello","reply_to":null},"later":[{}],
            "mono_ms":3,"actor":null,"at":2,"type":"chat.posted","seq":1}"#;
        let event: Event = serde_json::from_str(event).unwrap();
        let again: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(event, again);
        assert!(matches!(event.fact, Fact::Class(ClassFact::ChatPosted { .. })));
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        for (json, says) in [
            (r#"{"at":2,"mono_ms":3,"type":"session.locked","payload":{}}"#, "seq"),
            (r#"{"seq":1,"at":2,"mono_ms":3,"type":"session.locked"}"#, "payload"),
            (r#"{"seq":1,"at":2,"mono_ms":3,"payload":{}}"#, "type"),
            (r#"{"seq":1,"at":2,"mono_ms":3,"type":"cat.purred","payload":{}}"#, "cat.purred"),
            (r#"{"seq":1,"at":2,"mono_ms":3,"type":"session.ended","payload":{}}"#, ""),
            (r#"[1,2,3]"#, "an event"),
        ] {
            let error = serde_json::from_str::<Event>(json).unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
