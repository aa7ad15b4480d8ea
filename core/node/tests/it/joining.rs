//! Coming into a class, and being seen there.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{Input, Order, SERVER_VERSION};
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::participant_info::State as WireState;
use proto::signal_response::Message as Say;
use session::{DetachReason, Fact, Reject, UnixMs};

fn join_response(said: &[Say]) -> proto::JoinResponse {
    match said.first() {
        Some(Say::Join(join)) => join.clone(),
        other => panic!("the first message is a join response, not {other:?}"),
    }
}

fn leave_said(said: &[Say]) -> Option<(DisconnectReason, Action, bool)> {
    said.iter().find_map(|said| match said {
        Say::Leave(leave) => Some((leave.reason(), leave.action(), leave.can_reconnect)),
        _ => None,
    })
}

#[test]
fn the_first_to_come_starts_the_session_and_is_given_the_class() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let join = join_response(&class.hears(ada));

    assert!(matches!(
        class.facts()[..],
        [Fact::SessionStarted { .. }, Fact::ParticipantAdmitted { .. }, Fact::ConnectionAttached { .. }]
    ));
    let room = join.room.expect("a room");
    assert_eq!((room.sid.as_str(), room.name.as_str()), ("RM_maths", "maths"));
    assert_eq!((room.empty_timeout, room.departure_timeout), (300, 60));
    assert_eq!(room.creation_time_ms, i64::try_from(NOON.0).expect("fits"));
    assert_eq!((room.num_participants, room.num_publishers), (1, 0));
    let me = join.participant.expect("oneself");
    assert!(me.sid.starts_with("PA_"));
    assert_eq!((me.identity.as_str(), me.name.as_str(), me.state()), ("ada", "ada", WireState::Joined));
    assert_eq!(me.attributes["lyceum.role"], "learner");
    assert!(!me.attributes.contains_key("lyceum.presence"));
    assert_eq!((me.client_protocol, &me.capabilities[..]), (2, &[1][..]));
    assert!(join.other_participants.is_empty());
    assert!(join.subscriber_primary && join.fast_publish);
    assert_eq!((join.ping_interval, join.ping_timeout), (5, 15));
    assert_eq!(join.server_version, SERVER_VERSION);
    let server = join.server_info.expect("server info");
    assert_eq!((server.version.as_str(), server.protocol, server.agent_protocol), (SERVER_VERSION, 17, 1));
    let codecs: Vec<_> = join.enabled_publish_codecs.iter().map(|codec| codec.mime.as_str()).collect();
    assert_eq!(codecs, ["audio/opus", "video/VP8", "video/H264"]);
    assert!(join.sif_trailer.is_empty());
}

#[test]
fn media_opens_behind_the_join_response_and_a_token_follows() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let joined = class.place(|entry| told(entry, ada, |said| matches!(said, Say::Join(_)))).expect("joined");
    let token = class.place(|entry| matches!(entry, Entry::Token(to, _) if *to == ada)).expect("a token");
    let opened = class
        .place(|entry| matches!(entry, Entry::Media(sfu::Command::Open { conn: c, group: sfu::GroupKey(5), full_ice: false }) if *c == conn(ada)))
        .expect("opened");
    assert!(joined < opened && joined < token);
}

#[test]
fn a_newcomer_sees_who_is_there_with_their_tracks_and_is_seen() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let track = class.publishes(ada, microphone());
    let ben = class.joins("ben");

    let join = join_response(&class.hears(ben));
    let seen = &join.other_participants[0];
    assert_eq!(seen.identity, "ada");
    assert!(seen.is_publisher);
    assert_eq!(seen.tracks[0].sid, track.0);
    assert_eq!(class.sees(ada, "ben").expect("ben").state(), WireState::Joined);
    assert_eq!(class.receives(ben).into_iter().collect::<Vec<_>>(), [track.0]);
}

#[test]
fn somebody_whose_media_connects_becomes_active() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.connects_media(ben, sfu::Target::Publisher);
    assert_eq!(class.sees(ada, "ben").expect("ben").state(), WireState::Joined);
    class.connects_media(ben, sfu::Target::Subscriber);
    assert_eq!(class.sees(ada, "ben").expect("ben").state(), WireState::Active);

    let version = class.sees(ada, "ben").expect("ben").version;
    class.connects_media(ben, sfu::Target::Subscriber);
    assert_eq!(class.sees(ada, "ben").expect("ben").version, version, "said once");
}

#[test]
fn without_the_right_to_subscribe_the_publisher_peer_is_the_one_that_counts() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut speaker = join("ben");
    speaker.profile.permission.can_subscribe = false;
    let ben = class.joins_as(speaker);
    assert!(!join_response(&class.hears(ben)).subscriber_primary);
    class.connects_media(ben, sfu::Target::Publisher);
    assert_eq!(class.sees(ada, "ben").expect("ben").state(), WireState::Active);
}

#[test]
fn a_hidden_person_sees_and_is_not_seen() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut hidden = join("inspector");
    hidden.profile.permission.hidden = true;
    let inspector = class.joins_as(hidden);
    let ben = class.joins("ben");
    let track = class.publishes(inspector, microphone());

    assert!(class.sees(ada, "inspector").is_none());
    assert!(class.sees(inspector, "ada").is_some() && class.sees(inspector, "ben").is_some());
    let join = join_response(&class.hears(ben));
    assert_eq!(join.other_participants.len(), 1);
    assert_eq!(join.room.expect("a room").num_participants, 2);
    assert!(!class.receives(ada).contains(&track.0));
    class.leaves(inspector);
    assert!(class.sees(ada, "inspector").is_none());
}

#[test]
fn a_second_connection_of_the_same_person_takes_the_place_of_the_first() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let old = class.joins("ben");
    let track = class.publishes(old, camera());
    class.nobody_listens_to_the_past();
    let new = class.joins("ben");

    let said = class.hears(old);
    assert_eq!(leave_said(&said), Some((DisconnectReason::DuplicateIdentity, Action::Disconnect, false)));
    let updates: Vec<_> = class
        .hears(ada)
        .into_iter()
        .filter_map(|said| match said {
            Say::Update(update) => Some(update.participants),
            _ => None,
        })
        .flatten()
        .map(|info| (info.sid.clone(), info.state(), info.disconnect_reason()))
        .collect();
    let (old_sid, new_sid) = (class.me(old).sid.clone(), class.me(new).sid.clone());
    assert_eq!(
        updates,
        [
            (old_sid, WireState::Disconnected, DisconnectReason::DuplicateIdentity),
            (new_sid, WireState::Joined, DisconnectReason::UnknownReason),
        ]
    );
    assert!(class.sees(ada, "ben").expect("ben").tracks.is_empty());
    assert!(
        class
            .place(|entry| matches!(entry, Entry::Media(sfu::Command::Close { conn: c }) if *c == conn(old)))
            .is_some()
    );
    assert!(class.me(old).gone);
    assert!(!class.node.state().tracks.contains_key(&track));

    class.loses_network(old);
    assert!(class.sees(ada, "ben").is_some(), "the end of an old socket does not touch the new one");
}

#[test]
fn a_lost_socket_leaves_the_seat_until_the_grace_has_passed() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.connects_media(ada, sfu::Target::Subscriber);
    class.connects_media(ben, sfu::Target::Subscriber);
    class.publishes(ben, microphone());
    class.loses_network(ben);

    assert!(
        class
            .place(|entry| matches!(entry, Entry::Media(sfu::Command::Close { conn: c }) if *c == conn(ben)))
            .is_some()
    );
    let seen = class.sees(ada, "ben").expect("still in the roster");
    assert_eq!(seen.attributes["lyceum.presence"], "reconnecting");
    assert!(seen.tracks.is_empty() && seen.state() == WireState::Joined);
    for _ in 0..7 {
        class.says(ada, proto::signal_request::Message::Ping(0));
        class.time_passes(4_000);
    }
    assert!(class.sees(ada, "ben").is_some(), "28 of 30 s");
    class.time_passes(4_000);
    assert!(class.sees(ada, "ben").is_none());
}

#[test]
fn who_comes_back_within_the_grace_has_a_new_sid_and_their_old_profile() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let old_sid = class.me(ben).sid.clone();
    class.loses_network(ben);
    let mut again = join("ben");
    again.profile.name = "somebody else".into();
    class.joins_as(again);

    let seen = class.sees(ada, "ben").expect("back");
    assert_ne!(seen.sid, old_sid);
    assert_eq!(seen.name, "ben");
    assert!(!seen.attributes.contains_key("lyceum.presence"));
}

#[test]
fn a_silent_socket_is_lost_at_its_last_sign_of_life() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.connects_media(ada, sfu::Target::Subscriber);
    class.connects_media(ben, sfu::Target::Subscriber);
    class.time_passes(3_000);
    let last_sign = class.now;
    class.says(ben, proto::signal_request::Message::Ping(0));
    for _ in 0..5 {
        class.says(ada, proto::signal_request::Message::Ping(0));
        class.time_passes(3_900);
    }
    assert!(!class.me(ben).gone, "19.5 s of silence");
    class.says(ada, proto::signal_request::Message::Ping(0));
    class.time_passes(2_000);
    assert!(class.me(ben).gone && !class.me(ada).gone);
    let detached = class.facts().into_iter().find_map(|fact| match fact {
        Fact::ConnectionDetached { reason, last_seen, .. } => Some((reason, last_seen)),
        _ => None,
    });
    assert_eq!(detached, Some((DetachReason::ConnectionLost, last_sign)));
}

#[test]
fn a_silent_socket_is_lost_even_while_the_others_keep_the_class_busy() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    for _ in 0..21 {
        class.now = class.now.plus(1_000);
        class.says(ada, proto::signal_request::Message::Ping(0)); // And nobody finds the time for a timer.
    }
    assert!(class.me(ben).gone && !class.me(ada).gone);
}

#[test]
fn somebody_whose_media_never_connects_is_sent_away_after_a_minute() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    for _ in 0..11 {
        class.says(ada, proto::signal_request::Message::Ping(0));
        class.time_passes(5_000);
    }
    assert!(!class.me(ada).gone, "55 s");
    class.says(ada, proto::signal_request::Message::Ping(0));
    class.time_passes(6_000);
    let said = class.hears(ada);
    assert_eq!(leave_said(&said), Some((DisconnectReason::JoinFailure, Action::Disconnect, false)));
    assert!(class.me(ada).gone);
}

#[test]
fn failed_media_sends_the_client_to_reconnect() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let (target, why) = (sfu::Target::Publisher, "no consent");
    class.hand(Input::Media(sfu::Event::Disconnected { conn: conn(ada), target, why, can_return: true }));
    assert!(!class.me(ada).gone, "it may be the beginning of a goodbye");
    class.time_passes(3_000);
    let said = class.hears(ada);
    assert_eq!(leave_said(&said), Some((DisconnectReason::MediaFailure, Action::Reconnect, true)));
    assert!(class.me(ada).gone);
    assert!(matches!(class.facts().last(), Some(Fact::ConnectionDetached { reason: DetachReason::MediaFailed, .. })));
}

#[test]
fn a_goodbye_whose_media_ends_first_is_a_goodbye() {
    let mut class = Class::new();
    let (ada, ben, cyd) = (class.joins("ada"), class.joins("ben"), class.joins("cyd"));
    for client in [ben, cyd] {
        for target in [sfu::Target::Subscriber, sfu::Target::Publisher] {
            let why = "the client closed the connection";
            class.hand(Input::Media(sfu::Event::Disconnected { conn: conn(client), target, why, can_return: false }));
        }
    }
    class.leaves(ben);
    class.loses_network(cyd);
    assert!(class.sees(ada, "ben").is_none());
    assert_eq!(class.sees(ada, "cyd").expect("may come back").attributes["lyceum.presence"], "reconnecting");
    let reasons: Vec<_> = class
        .facts()
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::ConnectionDetached { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [DetachReason::ClientLeft, DetachReason::ConnectionLost]);
}

#[test]
fn who_tries_to_resume_is_sent_to_join_afresh() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut again = join("ada");
    again.resume = Some(class.me(ada).sid.as_str().into());
    let resuming = class.joins_as(again);
    let said = class.hears(resuming);
    assert_eq!(leave_said(&said), Some((DisconnectReason::StateMismatch, Action::Reconnect, true)));
    assert!(class.me(resuming).gone);
    assert!(!class.me(ada).gone, "the connection that stands is not touched");
}

#[test]
fn a_goodbye_is_seen_at_once_as_leaving() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.nobody_listens_to_the_past();
    class.leaves(ben);
    let updates: Vec<_> = class.hears(ada).into_iter().filter(|said| matches!(said, Say::Update(_))).collect();
    let [Say::Update(update)] = &updates[..] else { panic!("one update: {updates:?}") };
    let gone = &update.participants[0];
    assert_eq!((gone.state(), gone.disconnect_reason()), (WireState::Disconnected, DisconnectReason::ClientInitiated));
    assert_eq!(gone.identity, "ben");
    assert!(class.me(ben).gone);
}

#[test]
fn an_administrator_removes_somebody() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.orders(Order::Remove("ben".into()));
    assert_eq!(leave_said(&class.hears(ben)), Some((DisconnectReason::ParticipantRemoved, Action::Disconnect, false)));
    assert!(class.sees(ada, "ben").is_none());
    let before = seq_of(&class);
    class.orders(Order::Remove("nobody".into()));
    assert_eq!(seq_of(&class), before);
}

#[test]
fn an_administrator_ends_the_session() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.loses_network(ben);
    class.orders(Order::End);
    assert_eq!(leave_said(&class.hears(ada)), Some((DisconnectReason::RoomDeleted, Action::Disconnect, false)));
    assert!(class.closed);
    assert!(matches!(class.facts().last(), Some(Fact::SessionEnded { .. })));
}

#[test]
fn an_empty_class_ends_by_itself() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.leaves(ada);
    class.time_passes(59_000);
    assert!(!class.closed);
    class.time_passes(2_000);
    assert!(class.closed);
}

#[test]
fn a_server_that_stops_sends_everybody_to_reconnect_and_closes_when_that_is_durable() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.nobody_listens_to_the_past();
    class.disk_is_slow();
    class.hand(Input::Shutdown);
    assert!(class.hears(ada).is_empty() && !class.closed, "nothing is told before it is durable");
    let late = class.joins("late");
    assert!(matches!(class.journal.last(), Some(Entry::Refused(who, Reject::Conflict(_))) if *who == late));

    class.disk_catches_up();
    for client in [ada, ben] {
        let said = class.hears(client);
        assert_eq!(leave_said(&said), Some((DisconnectReason::ServerShutdown, Action::Reconnect, true)));
        assert_eq!(said.len(), 1, "nobody hears of the others' leaving");
    }
    assert!(class.closed);
}

#[test]
fn after_a_crash_everybody_is_reconnecting_and_the_class_goes_on() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.publishes(ada, microphone());
    let _ = ben;
    class.now = class.now.plus(9_000);
    let last_seen = UnixMs(class.now.0 - 2_000);
    let mut class = class.after_a_crash(last_seen);
    class.hand(Input::Timeout);

    let facts = class.facts();
    assert_eq!(facts.first(), Some(&Fact::SessionRecovered { last_seen }));
    let closed: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::ConnectionDetached { last_seen, .. } => Some(*last_seen),
            _ => None,
        })
        .collect();
    assert_eq!(closed, [last_seen, last_seen]);

    let ada = class.joins("ada");
    let seen = class.sees(ada, "ben").expect("ben may come back");
    assert_eq!(seen.attributes["lyceum.presence"], "reconnecting");
    let ben = class.joins("ben");
    assert!(!class.sees(ada, "ben").expect("ben").attributes.contains_key("lyceum.presence"));
    assert!(class.sees(ben, "ada").expect("ada").tracks.is_empty());
}

#[test]
fn an_ended_session_that_is_opened_again_closes() {
    let mut class = Class::new();
    class.orders(Order::End);
    assert!(class.closed);
    let now = class.now;
    let mut class = class.after_a_crash(now);
    class.hand(Input::Timeout);
    assert!(class.closed && class.facts().is_empty());
}

#[test]
fn the_room_is_told_of_its_numbers_at_a_measured_pace() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.connects_media(ada, sfu::Target::Subscriber);
    class.time_passes(1);
    class.nobody_listens_to_the_past();
    let ben = class.joins("ben");
    class.publishes(ben, microphone());
    class.joins("cyd");
    class.time_passes(4_000);
    let rooms = |said: Vec<Say>| {
        said.into_iter()
            .filter_map(|said| match said {
                Say::RoomUpdate(update) => update.room.map(|room| (room.num_participants, room.num_publishers)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(rooms(class.hears(ada)), []);
    class.time_passes(2_000);
    assert_eq!(rooms(class.hears(ada)), [(3, 1)]);
}

#[test]
fn tokens_are_refreshed_while_somebody_stays() {
    let mut class = Class::with(|config| config.token_refresh_interval_ms = 60_000);
    let ada = class.joins("ada");
    class.connects_media(ada, sfu::Target::Subscriber);
    for _ in 0..13 {
        class.says(ada, proto::signal_request::Message::Ping(0));
        class.time_passes(10_000);
    }
    let tokens = class.journal.iter().filter(|entry| matches!(entry, Entry::Token(to, _) if *to == ada)).count();
    assert_eq!(tokens, 3, "at the join, after one minute, after two");
}

#[test]
fn a_full_class_refuses_a_join() {
    let mut class = Class::with(|config| config.policy.max_participants = 1);
    class.joins("ada");
    let ben = class.joins("ben");
    assert!(matches!(class.journal.last(), Some(Entry::Refused(who, Reject::Limit(_))) if *who == ben));
    class.connects_media(ben, sfu::Target::Subscriber);
    assert_eq!(class.node.stats().clients, 1);
}

#[test]
fn a_join_with_too_long_texts_is_refused() {
    let cases: [fn(&mut lyceum_node::Join); 5] = [
        |join| join.person = "".into(),
        |join| join.person = "x".repeat(257).into(),
        |join| join.profile.name = session::Text("é".repeat(257)),
        |join| join.profile.metadata = session::Text("x".repeat(512 * 1024 + 1)),
        |join| {
            join.profile.attributes.insert("key".to_owned(), session::Text("x".repeat(64 * 1024)));
        },
    ];
    let mut class = Class::new();
    for change in cases {
        let mut long = join("ada");
        change(&mut long);
        let client = class.joins_as(long);
        assert!(matches!(class.journal.last(), Some(Entry::Refused(who, _)) if *who == client));
    }
    assert_eq!(class.node.stats().refused_joins, 5);
    let mut just_right = join("ada");
    just_right.profile.name = session::Text("é".repeat(256));
    let ada = class.joins_as(just_right);
    assert!(!class.me(ada).gone);
}

#[test]
fn a_token_cannot_set_the_servers_own_attributes() {
    let mut class = Class::new();
    let mut forged = join("ada");
    forged.profile.attributes.insert("lyceum.role".to_owned(), "instructor".into());
    forged.profile.attributes.insert("lyceum.presence".to_owned(), "reconnecting".into());
    forged.profile.attributes.insert("seat".to_owned(), "7".into());
    let ada = class.joins_as(forged);
    let me = join_response(&class.hears(ada)).participant.expect("oneself");
    assert_eq!(me.attributes["lyceum.role"], "learner");
    assert_eq!(me.attributes["seat"], "7");
    assert!(!me.attributes.contains_key("lyceum.presence"));
}
