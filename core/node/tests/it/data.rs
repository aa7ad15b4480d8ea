//! Data messages between clients.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Limits, Rate};
use lyceum_session as session;
use lyceum_sfu as sfu;
use prost::Message as _;
use proto::DataPacket;
use proto::data_packet::{Kind, Value};
use proto::request_response::Reason;
use proto::signal_response::Message as Say;

const RELIABLE: sfu::Lane = sfu::Lane::Reliable;

fn user(payload: &[u8]) -> DataPacket {
    let packet = proto::UserPacket { payload: payload.to_vec(), topic: Some("chat".to_owned()), ..Default::default() };
    DataPacket { value: Some(Value::User(packet)), ..Default::default() }
}

fn text_chunk() -> DataPacket {
    let chunk =
        proto::data_stream::Chunk { stream_id: "s".to_owned(), content: b"words".to_vec(), ..Default::default() };
    DataPacket { value: Some(Value::StreamChunk(chunk)), ..Default::default() }
}

/// Everything that was passed on: to whom, on which lane, what.
fn passed_on(class: &Class) -> Vec<(Vec<ClientId>, sfu::Lane, DataPacket)> {
    class
        .media()
        .filter_map(|command| match command {
            sfu::Command::SendData { to, lane, bytes } => {
                let to = to.iter().map(|conn| ClientId(conn.0)).collect();
                Some((to, *lane, DataPacket::decode(&bytes[..]).expect("well formed")))
            }
            _ => None,
        })
        .collect()
}

fn answers(said: Vec<Say>) -> Vec<Reason> {
    said.into_iter()
        .filter_map(|said| match said {
            Say::RequestResponse(response) => Some(response.reason()),
            _ => None,
        })
        .collect()
}

#[test]
#[allow(deprecated)]
fn a_message_reaches_everybody_but_its_sender_and_says_who_sent_it() {
    let mut class = Class::new();
    let (ada, ben, cyd) = (class.joins("ada"), class.joins("ben"), class.joins("cyd"));
    let mut forged = user(b"hello");
    forged.participant_identity = "cyd".to_owned();
    forged.participant_sid = class.me(cyd).sid.clone();
    class.sends(ada, sfu::Lane::Lossy, &forged);

    let [(to, lane, packet)] = &passed_on(&class)[..] else { panic!("one message") };
    assert_eq!((&to[..], *lane), (&[ben, cyd][..], sfu::Lane::Lossy));
    assert_eq!(packet.kind(), Kind::Lossy);
    assert_eq!((packet.participant_identity.as_str(), &packet.participant_sid), ("ada", &class.me(ada).sid));
    let Some(Value::User(user)) = &packet.value else { panic!("a user packet") };
    assert_eq!((user.participant_identity.as_str(), &user.participant_sid), ("ada", &class.me(ada).sid));
    assert_eq!((&user.payload[..], user.topic.as_deref()), (&b"hello"[..], Some("chat")));
}

#[test]
#[allow(deprecated)]
fn destinations_are_read_in_every_form_and_written_in_both() {
    let mut class = Class::new();
    let (ada, ben, cyd) = (class.joins("ada"), class.joins("ben"), class.joins("cyd"));
    class.sends(
        ada,
        RELIABLE,
        &DataPacket { destination_identities: vec!["ben".to_owned(), "ada".to_owned()], ..user(b"1") },
    );
    let mut old = user(b"2");
    if let Some(Value::User(user)) = &mut old.value {
        user.destination_identities = vec!["ben".to_owned()];
    }
    class.sends(ada, RELIABLE, &old);
    let mut oldest = user(b"3");
    if let Some(Value::User(user)) = &mut oldest.value {
        user.destination_sids = vec![class.me(cyd).sid.clone()];
    }
    class.sends(ada, RELIABLE, &oldest);
    class.sends(ada, RELIABLE, &DataPacket { destination_identities: vec!["nobody".to_owned()], ..user(b"4") });

    let passed = passed_on(&class);
    let to: Vec<_> = passed.iter().map(|(to, _, _)| &to[..]).collect();
    assert_eq!(to, [&[ben][..], &[ben][..], &[cyd][..]]);
    for (_, _, packet) in &passed[..2] {
        let Some(Value::User(user)) = &packet.value else { panic!("a user packet") };
        assert_eq!(user.destination_identities, packet.destination_identities);
        assert!(packet.destination_identities.contains(&"ben".to_owned()));
    }
}

#[test]
fn a_reliable_message_that_is_sent_again_is_passed_on_once() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    for sequence in [1, 2, 2, 1, 3] {
        class.sends(ada, RELIABLE, &DataPacket { sequence, ..user(b"x") });
    }
    class.sends(ben, RELIABLE, &DataPacket { sequence: 1, ..user(b"another sender has their own numbers") });
    class.sends(ada, sfu::Lane::Lossy, &DataPacket { sequence: 1, ..user(b"lossy messages have none") });
    let sequences: Vec<_> = passed_on(&class).iter().map(|(_, _, packet)| packet.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 1, 1]);
}

#[test]
#[allow(deprecated)]
fn nobody_learns_who_a_hidden_sender_is() {
    let mut class = Class::new();
    class.joins("ada");
    let mut hidden = join("inspector");
    hidden.profile.permission.hidden = true;
    let inspector = class.joins_as(hidden);
    class.sends(inspector, RELIABLE, &DataPacket { participant_identity: "inspector".to_owned(), ..user(b"x") });
    let (_, _, packet) = &passed_on(&class)[0];
    assert_eq!((packet.participant_identity.as_str(), packet.participant_sid.as_str()), ("", ""));
    let Some(Value::User(user)) = &packet.value else { panic!("a user packet") };
    assert_eq!((user.participant_identity.as_str(), user.participant_sid.as_str()), ("", ""));
}

#[test]
fn only_an_agent_may_write_down_the_words_of_another() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut agent = join("scribe");
    agent.profile.kind = session::Kind::Agent;
    let scribe = class.joins_as(agent);
    let for_ada = DataPacket { participant_identity: "ada".to_owned(), ..text_chunk() };
    class.sends(scribe, RELIABLE, &for_ada);
    class.sends(ada, RELIABLE, &DataPacket { participant_identity: "scribe".to_owned(), ..text_chunk() });
    let identities: Vec<_> = passed_on(&class).into_iter().map(|(_, _, packet)| packet.participant_identity).collect();
    assert_eq!(identities, ["ada", "ada"]);

    let transcription = DataPacket { value: Some(Value::Transcription(Default::default())), ..Default::default() };
    class.hears(ada);
    class.sends(ada, RELIABLE, &transcription);
    assert_eq!(answers(class.hears(ada)), [Reason::NotAllowed]);
    class.sends(scribe, RELIABLE, &transcription);
    assert_eq!(passed_on(&class).len(), 3);
}

#[test]
fn who_is_not_welcome_yet_is_sent_nothing() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.disk_is_slow();
    class.joins("cyd");
    class.sends(ada, RELIABLE, &user(b"x"));
    assert_eq!(passed_on(&class)[0].0, [ben]);
}

#[test]
fn an_encrypted_packet_passes_through() {
    let mut class = Class::new();
    let (ada, _ben) = (class.joins("ada"), class.joins("ben"));
    let sealed =
        proto::EncryptedPacket { encrypted_value: vec![1, 2, 3], iv: vec![4], key_index: 5, encryption_type: 1 };
    class.sends(
        ada,
        RELIABLE,
        &DataPacket { value: Some(Value::EncryptedPacket(sealed.clone())), ..Default::default() },
    );
    assert_eq!(passed_on(&class)[0].2.value, Some(Value::EncryptedPacket(sealed)));
}

#[test]
fn metrics_are_for_the_server_only() {
    let mut class = Class::new();
    let (ada, _ben) = (class.joins("ada"), class.joins("ben"));
    class.hears(ada);
    class.sends(ada, RELIABLE, &DataPacket { value: Some(Value::Metrics(Default::default())), ..Default::default() });
    assert!(passed_on(&class).is_empty() && class.hears(ada).is_empty());
}

#[test]
#[allow(deprecated)]
fn what_cannot_be_passed_on_is_answered_to_its_sender_alone() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    for client in [ada, ben] {
        class.hears(client);
    }
    class.sends_bytes(ada, RELIABLE, vec![0xFF; 40]);
    class.sends_bytes(ada, RELIABLE, Vec::new());
    class.sends_bytes(ada, RELIABLE, user(&[0; 64_000]).encode_to_vec());
    class.sends(ada, RELIABLE, &DataPacket { value: Some(Value::Speaker(Default::default())), ..Default::default() });
    let expected = [Reason::InvalidRequest, Reason::InvalidRequest, Reason::LimitExceeded, Reason::NotAllowed];
    assert_eq!(answers(class.hears(ada)), expected);
    assert_eq!(class.node.stats().refused_data, 4);
    assert!(class.hears(ben).is_empty() && passed_on(&class).is_empty());
}

#[test]
fn a_message_of_the_longest_length_is_passed_on() {
    let mut class = Class::new();
    let (ada, _ben) = (class.joins("ada"), class.joins("ben"));
    let mut packet = user(&[0; 63_900]);
    while packet.encoded_len() < 64_000 {
        if let Some(Value::User(user)) = &mut packet.value {
            user.payload.push(0);
        }
    }
    class.sends(ada, RELIABLE, &packet);
    assert_eq!(passed_on(&class).len(), 1);
}

#[test]
fn without_the_right_to_send_data_nothing_is_passed_on() {
    let mut class = Class::new();
    class.joins("ada");
    let mut silent = join("ben");
    silent.profile.permission.can_publish_data = false;
    let ben = class.joins_as(silent);
    class.hears(ben);
    class.sends(ben, RELIABLE, &user(b"x"));
    assert_eq!(answers(class.hears(ben)), [Reason::NotAllowed]);
    assert!(passed_on(&class).is_empty());
}

#[test]
fn a_flood_is_cut_off_and_answered_sparingly() {
    let rate = Rate { per_second: 10, burst: 20 };
    let mut class = Class::with(|config| config.limits = Limits { data_messages: rate, ..Limits::standard() });
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.hears(ada);
    for _ in 0..500 {
        class.sends(ada, RELIABLE, &user(b"x"));
    }
    assert_eq!(passed_on(&class).len(), 20);
    assert_eq!(class.node.stats().flooded_data, 480);
    let told = answers(class.hears(ada));
    assert!(!told.is_empty() && told.len() <= 20, "{} answers", told.len());
    class.sends(ben, RELIABLE, &user(b"y"));
    assert_eq!(passed_on(&class).len(), 21, "others are not held back");
    class.time_passes(1_000);
    class.sends(ada, RELIABLE, &user(b"x"));
    assert_eq!(passed_on(&class).len(), 22);
}

#[test]
fn bytes_have_a_rate_too() {
    let rate = Rate { per_second: 1_000, burst: 10_000 };
    let mut class = Class::with(|config| config.limits = Limits { data_bytes: rate, ..Limits::standard() });
    let (ada, _ben) = (class.joins("ada"), class.joins("ben"));
    for _ in 0..3 {
        class.sends(ada, RELIABLE, &user(&[0; 4_000]));
    }
    assert_eq!((passed_on(&class).len(), class.node.stats().flooded_data), (2, 1));
}
