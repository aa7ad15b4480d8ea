//! Groups: who sees, hears and reads whom, and what a move is for everybody.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join, Order};
use lyceum_session as session;
use lyceum_sfu as sfu;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use proto::leave_request::Action;
use proto::participant_info::State as WireState;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use session::{DetachReason, Fact, Presence, Reject};
use std::collections::BTreeSet;

#[test]
fn a_group_sees_and_hears_only_itself_and_comes_back() {
    let mut class = Class::new();
    let (ada, ben, cleo) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"));
    let [of_ada, of_ben, of_cleo] = [ada, ben, cleo].map(|client| class.publishes(client, microphone()).0);
    class.moves(&["ben", "cleo"], "g1").unwrap();

    assert_eq!(seen_by(&class, ada), Vec::<&str>::new());
    assert_eq!(seen_by(&class, ben), ["cleo"]);
    assert_eq!(seen_by(&class, cleo), ["ben"]);
    assert_eq!(class.receives(ada), BTreeSet::new());
    assert_eq!(class.receives(ben), [of_cleo.clone()].into());
    assert_eq!(class.receives(cleo), [of_ben.clone()].into());
    assert_eq!(class.sees(ben, "cleo").unwrap().attributes.get("lyceum.space").map(String::as_str), Some("g1"));
    assert_eq!(class.sees(ben, "cleo").unwrap().tracks.len(), 1, "what they publish goes on");

    class.moves(&["cleo", "ben"], "main").unwrap();
    assert_eq!(seen_by(&class, ada), ["ben", "cleo"]);
    assert_eq!(class.receives(ada), [of_ben.clone(), of_cleo].into());
    assert_eq!(class.receives(cleo), [of_ada, of_ben].into());
    assert!(!class.sees(ada, "cleo").unwrap().attributes.contains_key("lyceum.space"));
    assert!(!class.media().any(|command| matches!(command, sfu::Command::Close { .. })), "no connection ended");
    assert!(!class.media().any(|command| matches!(command, sfu::Command::DropTrack { .. })), "no track ended");
}

#[test]
fn a_move_cuts_media_first_then_tells_then_connects_and_all_of_it_when_it_is_on_disk() {
    let mut class = Class::new();
    let (ada, ben, cleo, dan) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"), class.joins("dan"));
    class.moves(&["dan"], "g1").unwrap();
    for client in [ada, ben, cleo, dan] {
        class.publishes(client, microphone());
    }
    let known_version = class.sees(ada, "ben").unwrap().version;
    class.nobody_listens_to_the_past();
    class.disk_is_slow();
    let persons = vec!["ben".into(), "cleo".into()];
    let id = class.orders(Order::Move { persons, space: "g1".into() });
    assert!(class.journal.iter().all(|entry| matches!(entry, Entry::Appended(_))), "{:?}", class.journal);
    class.disk_catches_up();
    assert!(class.replies.remove(&id).unwrap().is_ok());

    let last_cut = class.journal.iter().rposition(|e| matches!(e, Entry::Media(sfu::Command::Unsubscribe { .. })));
    let first_told = class.place(|entry| matches!(entry, Entry::Said(..)));
    let last_told = class.journal.iter().rposition(|e| matches!(e, Entry::Said(_, said) if is_about_people(said)));
    let first_new = class.place(|entry| matches!(entry, Entry::Media(sfu::Command::Subscribe { .. })));
    assert!(last_cut.is_some() && last_cut < first_told, "{:?}", class.journal);
    assert!(last_told.is_some() && last_told < first_new, "{:?}", class.journal);

    let told = class.hears(ada);
    let updates: Vec<_> = told.iter().filter_map(update).collect();
    assert_eq!(updates.len(), 1, "both go in one message");
    assert!(updates[0].iter().all(|info| info.state() == WireState::Disconnected) && updates[0].len() == 2);
    let told = class.hears(dan);
    let updates: Vec<_> = told.iter().filter_map(update).collect();
    assert_eq!((updates.len(), updates[0].len()), (1, 2), "both come in one message");
    assert!(updates[0].iter().all(|info| info.tracks.len() == 1));

    let told = class.hears(ben);
    let Some(Say::RoomMoved(moved)) = told.iter().find(|said| is_about_people(said)) else { panic!("{told:?}") };
    let room = moved.room.as_ref().unwrap();
    assert_eq!((room.sid.as_str(), room.name.as_str()), ("RM_maths", "maths/g1"));
    assert_eq!((room.num_participants, room.num_publishers), (3, 3));
    assert_eq!(moved.token, "g1", "the token says where");
    assert_eq!(identities(&moved.other_participants), ["cleo", "dan"]);
    let me = moved.participant.as_ref().unwrap();
    assert_eq!(me.identity, "ben");
    assert!(me.version > known_version, "clients drop what is not newer");
    assert!(told.iter().all(|said| update(said).is_none()), "nobody is told twice: {told:?}");
}

#[test]
fn a_picture_that_was_not_shown_is_shown_when_its_person_is_met_again() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let picture = class.publishes(ada, camera());
    let hidden = proto::UpdateTrackSettings { track_sids: vec![picture.0], disabled: true, ..Default::default() };
    class.says(ben, Ask::TrackSetting(hidden));
    assert!(!class.last_wish(ben).unwrap().enabled);
    class.moves(&["ben"], "g1").unwrap();
    class.moves(&["ben"], "main").unwrap();
    assert!(class.last_wish(ben).unwrap().enabled, "his client has forgotten that it did not show it");
}

#[test]
fn a_track_of_another_space_is_not_found() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let mic = class.publishes(ada, microphone());
    class.moves(&["ben"], "g1").unwrap();
    class.nobody_listens_to_the_past();
    let wants = Ask::Subscription(proto::UpdateSubscription {
        track_sids: vec![mic.0.clone()],
        subscribe: true,
        ..Default::default()
    });
    class.says(ben, wants);
    let settings = proto::UpdateTrackSettings { track_sids: vec![mic.0.clone()], ..Default::default() };
    class.says(ben, Ask::TrackSetting(settings));
    let told = class.hears(ben);
    let not_found = proto::SubscriptionError::SeTrackNotfound;
    assert!(matches!(&told[0], Say::SubscriptionResponse(no) if no.err() == not_found), "{told:?}");
    let reason = proto::request_response::Reason::NotFound;
    assert!(matches!(&told[1], Say::RequestResponse(no) if no.reason() == reason), "{told:?}");
    assert_eq!(class.media().count(), 0);
}

#[test]
fn data_stays_in_the_space_even_if_somebody_elsewhere_is_named() {
    let mut class = Class::new();
    let (ada, ben, cleo) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"));
    class.moves(&["ben", "cleo"], "g1").unwrap();
    assert_eq!(data_reaches(&mut class, ben, &[]), [conn(cleo)]);
    assert_eq!(data_reaches(&mut class, ben, &["ada", "cleo"]), [conn(cleo)]);
    assert_eq!(data_reaches(&mut class, ada, &[]), []);
    assert_eq!(data_reaches(&mut class, ada, &["ben"]), []);
    class.moves(&["cleo"], "main").unwrap();
    assert_eq!(data_reaches(&mut class, ada, &[]), [conn(cleo)]);
}

#[test]
fn until_a_move_is_on_disk_nothing_goes_where_nobody_was_told_of_it() {
    let mut class = Class::new();
    let (ada, ben, cleo) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"));
    class.moves(&["cleo"], "g1").unwrap();
    for client in [ada, ben, cleo] {
        class.publishes(client, microphone());
    }
    class.disk_is_slow();
    class.orders(Order::Move { persons: vec!["ben".into()], space: "g1".into() });
    class.orders(Order::Move { persons: vec!["ben".into()], space: "g2".into() });
    class.nobody_listens_to_the_past();
    assert_eq!(data_reaches(&mut class, ben, &[]), [conn(ada)]);
    speaks(&mut class, ben);
    assert!(class.hears(cleo).is_empty(), "of a speaker whom she does not know");
    let first = class.disk.waiting[0].clone();
    class.disk.waiting.remove(0);
    let seq = first.seq;
    class.disk.write(first);
    class.hand(Input::Durable(seq));
    assert_eq!(data_reaches(&mut class, ben, &[]), [conn(cleo)], "the first move is on disk, the second is not");
    class.disk_catches_up();
    assert_eq!(data_reaches(&mut class, ben, &[]), []);
}

#[test]
fn news_of_speakers_and_networks_stay_in_the_space() {
    let mut class = Class::new();
    let (ada, ben, cleo) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"));
    for client in [ada, ben, cleo] {
        class.connects_media(client, sfu::Target::Subscriber);
        class.publishes(client, microphone());
    }
    speaks(&mut class, ada);
    class.nobody_listens_to_the_past();
    class.moves(&["ben", "cleo"], "g1").unwrap();
    let told = class.hears(ben);
    let Some(Say::SpeakersChanged(news)) = told.first() else { panic!("{told:?}") };
    assert_eq!(news.speakers.len(), 1);
    assert!(!news.speakers[0].active && news.speakers[0].sid == class.me(ada).sid, "ada is not heard any more");

    class.nobody_listens_to_the_past();
    speaks(&mut class, ben);
    let conn_of_ben = conn(ben);
    let target = sfu::Target::Publisher;
    class.hand(Input::Media(sfu::Event::Network { conn: conn_of_ben, target, loss: 0.5, round_trip_ms: None }));
    assert!(class.hears(ada).is_empty());
    assert_eq!(class.hears(cleo).len(), 2);

    // Who comes along later is told how it stands.
    class.nobody_listens_to_the_past();
    class.moves(&["ada"], "g1").unwrap();
    let told = class.hears(ada);
    assert!(told.iter().any(|said| matches!(said, Say::SpeakersChanged(news) if news.speakers[0].active)), "{told:?}");
    assert!(told.iter().any(|said| matches!(said, Say::ConnectionQuality(_))), "{told:?}");
}

#[test]
fn each_space_hears_its_own_numbers() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.joins("cleo");
    class.moves(&["ben"], "g1").unwrap();
    class.nobody_listens_to_the_past();
    class.time_passes(6_000);
    let room = |told: Vec<Say>| {
        let update = told.into_iter().find_map(|said| match said {
            Say::RoomUpdate(update) => update.room,
            _ => None,
        });
        update.map(|room| (room.name, room.num_participants))
    };
    assert_eq!(room(class.hears(ada)), Some(("maths".to_owned(), 2)));
    assert_eq!(room(class.hears(ben)), Some(("maths/g1".to_owned(), 1)));
}

#[test]
fn a_hidden_person_is_moved_unseen_and_sees() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let mut watcher = join("eve");
    watcher.profile.permission.hidden = true;
    let eve = class.joins_as(watcher);
    let mic = class.publishes(ben, microphone());
    class.moves(&["ben"], "g1").unwrap();
    class.nobody_listens_to_the_past();
    class.moves(&["eve"], "g1").unwrap();
    assert!(class.hears(ada).is_empty() && class.hears(ben).is_empty());
    assert_eq!(seen_by(&class, eve), ["ben"]);
    assert_eq!(class.receives(eve), [mic.0].into());
}

#[test]
fn who_is_moved_while_away_comes_back_to_the_new_place() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let cleo = class.joins("cleo");
    class.loses_network(ben);
    class.moves(&["ben", "cleo"], "g1").unwrap();
    assert_eq!(seen_by(&class, ada), Vec::<&str>::new());
    assert_eq!(class.sees(cleo, "ben").unwrap().attributes["lyceum.presence"], "reconnecting");
    let ben = class.joins_as(Join { space: Some("main".into()), ..join("ben") });
    let told = class.hears(ben);
    let Some(Say::Join(join)) = told.first() else { panic!("{told:?}") };
    assert_eq!(join.room.as_ref().unwrap().name, "maths/g1", "the log knows better than a token");
    assert_eq!(identities(&join.other_participants), ["cleo"]);
    assert_eq!(seen_by(&class, ada), Vec::<&str>::new());
}

#[test]
fn a_token_places_who_comes_for_the_first_time() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let ben = class.joins_as(Join { space: Some("g1".into()), ..join("ben") });
    assert_eq!(seen_by(&class, ada), Vec::<&str>::new());
    assert_eq!(seen_by(&class, ben), Vec::<&str>::new());
    let cleo = class.joins_as(Join { space: Some("a/b".into()), ..join("cleo") });
    assert!(class.place(|entry| matches!(entry, Entry::Refused(who, Reject::Invalid(_)) if *who == cleo)).is_some());
}

#[test]
fn software_that_cannot_be_moved_is_sent_back_with_a_token_that_says_where() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut android = join("ben");
    android.client.sdk = "android".to_owned();
    let mut old = join("cleo");
    old.client.protocol = 15;
    let (ben, cleo) = (class.joins_as(android.clone()), class.joins_as(old));
    class.nobody_listens_to_the_past();
    class.moves(&["ben", "cleo", "ada"], "g1").unwrap();
    assert!(class.hears(ada).iter().any(|said| matches!(said, Say::RoomMoved(_))));
    for client in [ben, cleo] {
        let token = class.place(|entry| matches!(entry, Entry::Token(who, _) if *who == client));
        let leave = class.place(|entry| {
            told(entry, client, |said| matches!(said, Say::Leave(leave) if leave.action() == Action::Reconnect))
        });
        assert!(token.is_some() && token < leave, "{:?}", class.journal);
        assert!(class.me(client).gone);
    }
    let reasons = class.facts();
    assert!(reasons.iter().any(|fact| matches!(fact, Fact::ConnectionDetached { reason: DetachReason::Moved, .. })));
    let ben = class.joins_as(android);
    assert_eq!(seen_by(&class, ben), ["ada", "cleo"]);
    class.nobody_listens_to_the_past();
    class.moves(&["ben"], "g1").unwrap();
    assert!(!class.me(ben).gone, "who is there already stays");
}

#[test]
fn a_move_that_names_somebody_unknown_moves_nobody() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let before = seq_of(&class);
    assert!(matches!(class.moves(&["ben", "tom"], "g1"), Err(Reject::NotFound(_))));
    assert!(matches!(class.moves(&["ben"], ""), Err(Reject::Invalid(_))));
    assert_eq!(seq_of(&class), before);
    assert_eq!(seen_by(&class, ada), ["ben"]);
    assert!(!class.me(ben).heard.iter().any(|said| matches!(said, Say::RoomMoved(_))));
}

#[test]
fn after_a_crash_everybody_is_where_the_log_has_them() {
    let mut class = Class::new();
    class.joins("ada");
    class.joins("ben");
    class.moves(&["ben"], "g1").unwrap();
    let now = class.now;
    let mut class = class.after_a_crash(now);
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    assert_eq!(seen_by(&class, ada), Vec::<&str>::new());
    let told = class.hears(ben);
    assert!(matches!(&told[0], Say::Join(join) if join.room.as_ref().unwrap().name == "maths/g1"));
}

#[test]
fn a_renamed_or_muted_person_is_news_in_their_space_only() {
    let mut class = Class::new();
    let (ada, ben, cleo) = (class.joins("ada"), class.joins("ben"), class.joins("cleo"));
    let mic = class.publishes(ben, microphone());
    class.moves(&["ben", "cleo"], "g1").unwrap();
    class.nobody_listens_to_the_past();
    class.mutes(ben, &mic, true);
    class.publishes(ben, camera());
    class.leaves(ben);
    assert!(class.hears(ada).is_empty());
    assert!(class.hears(cleo).iter().filter_map(update).count() >= 3);
}

#[test]
fn who_was_moved_without_a_socket_resumes_in_the_new_place() {
    let mut class = Class::patient();
    let [ada, ben, cleo] = ["ada", "ben", "cleo"].map(|name| class.joins_and_connects(name));
    let [of_ada, _, of_cleo] = [ada, ben, cleo].map(|client| class.publishes(client, microphone()).0);
    let chat = proto::DataPacket {
        sequence: 1,
        value: Some(proto::data_packet::Value::User(proto::UserPacket::default())),
        ..Default::default()
    };
    class.sends(ada, sfu::Lane::Reliable, &chat);
    class.loses_network(ben);
    class.moves(&["ben", "cleo"], "g1").unwrap();
    assert_eq!(class.receives(ben), [of_cleo.clone()].into(), "his media waits for him in the group");
    assert_eq!(class.sees(cleo, "ben").unwrap().attributes["lyceum.presence"], "reconnecting");

    let before = class.journal.len();
    let again = class.resumes(ben);
    assert_eq!(seen_by(&class, again), ["cleo"], "he is told that ada is gone");
    let told = class.hears(again);
    assert!(matches!(told[0], Say::Reconnect(_)), "{told:?}");
    assert!(told.iter().any(|said| {
        matches!(said, Say::RoomUpdate(update) if update.room.as_ref().is_some_and(|room| room.name == "maths/g1"))
    }));
    let had = proto::SyncState::default();
    class.says(again, Ask::SyncState(had));
    let sent = class.journal[before..].iter().any(|entry| matches!(entry, Entry::Media(sfu::Command::SendData { .. })));
    assert!(!sent, "what was said in the main room is not said again in the group");

    class.loses_network(again);
    class.moves(&["ben", "cleo"], "main").unwrap();
    let again = class.resumes(again);
    assert_eq!(seen_by(&class, again), ["ada", "cleo"]);
    assert_eq!(class.receives(ben), [of_ada, of_cleo].into());
}

#[test]
fn who_is_away_hears_on_return_that_others_were_moved() {
    let mut class = Class::patient();
    let [ada, _, _] = ["ada", "ben", "cleo"].map(|name| class.joins_and_connects(name));
    class.loses_network(ada);
    class.moves(&["ben", "cleo"], "g1").unwrap();
    class.moves(&["cleo"], "main").unwrap();
    let ada = class.resumes(ada);
    assert_eq!(seen_by(&class, ada), ["cleo"]);
}

#[derive(Clone, Debug)]
enum Step {
    Joins { person: u8, hidden: bool, sdk: bool, space: Option<u8> },
    Publishes { client: u8, video: bool },
    Moves { persons: Vec<u8>, space: u8 },
    Leaves { client: u8 },
    Loses { client: u8 },
    Passes { ms: u64 },
    DiskSlows,
    DiskCatchesUp,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..5_u8, any::<bool>(), proptest::bool::weighted(0.8), proptest::option::of(0..3_u8))
            .prop_map(|(person, hidden, sdk, space)| Step::Joins { person, hidden: hidden && person == 4, sdk, space }),
        5 => (0..6_u8, any::<bool>()).prop_map(|(client, video)| Step::Publishes { client, video }),
        6 => (proptest::collection::vec(0..5_u8, 1..5), 0..3_u8).prop_map(|(persons, space)| Step::Moves { persons, space }),
        1 => (0..6_u8).prop_map(|client| Step::Leaves { client }),
        1 => (0..6_u8).prop_map(|client| Step::Loses { client }),
        1 => (0..20_000_u64).prop_map(|ms| Step::Passes { ms }),
        1 => Just(Step::DiskSlows),
        2 => Just(Step::DiskCatchesUp),
    ]
}

proptest! {
    #![proptest_config(search())]

    /// Whatever order people come, publish, are moved and go in: in the end each sees exactly those, and receives exactly the
    /// tracks of those, who are in the same Space.
    #[test]
    fn everybody_has_their_own_space_and_nothing_else(steps in proptest::collection::vec(step(), 1..60)) {
        let mut class = Class::new();
        let mut clients: Vec<ClientId> = Vec::new();
        for step in steps {
            if class.closed {
                break;
            }
            let client = |number: u8| clients.iter().rev().nth(usize::from(number)).copied();
            match step {
                Step::Joins { person, hidden, sdk, space } => {
                    let mut joining = join(&format!("p{person}"));
                    joining.profile.permission.hidden = hidden;
                    joining.space = space.map(|space| SPACES[usize::from(space)].into());
                    if !sdk {
                        joining.client.sdk = "android".to_owned();
                    }
                    clients.push(class.joins_as(joining));
                }
                Step::Publishes { client: number, video } => {
                    let Some(client) = client(number) else { continue };
                    let track = class.announces(client, if video { camera() } else { microphone() });
                    if let Some(track) = track {
                        class.matches(client, &track, if video { "video/VP8" } else { "audio/opus" }, 1);
                    }
                }
                Step::Moves { persons, space } => {
                    let persons = persons.into_iter().map(|person| format!("p{person}").as_str().into()).collect();
                    class.orders(Order::Move { persons, space: SPACES[usize::from(space)].into() });
                }
                Step::Leaves { client: number } => {
                    if let Some(client) = client(number) {
                        class.leaves(client);
                    }
                }
                Step::Loses { client: number } => {
                    if let Some(client) = client(number) {
                        class.loses_network(client);
                    }
                }
                Step::Passes { ms } => {
                    for client in &clients {
                        class.says(*client, Ask::Ping(0));
                    }
                    class.time_passes(ms);
                }
                Step::DiskSlows => class.disk_is_slow(),
                Step::DiskCatchesUp => {
                    class.disk.slow = false;
                    class.disk_catches_up();
                }
            }
        }
        class.disk.slow = false;
        while !class.disk.waiting.is_empty() {
            class.disk_catches_up();
        }
        if !class.closed {
            each_has_their_own_space(&class)?;
        }
    }
}

const SPACES: [&str; 3] = ["main", "g1", "g2"];

fn search() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_261_125);
    }
    config
}

fn each_has_their_own_space(class: &Class) -> Result<(), TestCaseError> {
    let state = class.node.state();
    for (client, memory) in class.people.iter().filter(|(_, memory)| !memory.gone && !memory.sid.is_empty()) {
        let me = &state.participants[&memory.identity.as_str().into()];
        let visible: BTreeSet<&str> = state
            .participants
            .iter()
            .filter(|(person, known)| {
                let here = matches!(known.presence, Presence::Online | Presence::Reconnecting { .. });
                here && person.0 != memory.identity && known.space == me.space && !known.profile.permission.hidden
            })
            .map(|(person, _)| person.0.as_str())
            .collect();
        let seen: BTreeSet<&str> = memory.others.keys().map(String::as_str).collect();
        prop_assert_eq!(&seen, &visible, "{:?} sees their Space", client);
        let tracks = state.tracks.values().filter(|track| visible.contains(track.person.0.as_str()));
        let tracks: BTreeSet<String> = tracks.map(|track| track.track.0.clone()).collect();
        let live = |sid: &String| state.tracks.contains_key(&sid.as_str().into());
        let received: BTreeSet<String> = class.receives(*client).into_iter().filter(live).collect();
        prop_assert_eq!(received, tracks, "{:?} receives their Space", client);
    }
    Ok(())
}

fn seen_by(class: &Class, client: ClientId) -> Vec<&str> {
    class.me(client).others.keys().map(String::as_str).collect()
}

fn identities(people: &[proto::ParticipantInfo]) -> Vec<&str> {
    people.iter().map(|info| info.identity.as_str()).collect()
}

fn update(said: &Say) -> Option<&Vec<proto::ParticipantInfo>> {
    match said {
        Say::Update(update) => Some(&update.participants),
        _ => None,
    }
}

fn is_about_people(said: &Say) -> bool {
    matches!(said, Say::Update(_) | Say::RoomMoved(_))
}

fn speaks(class: &mut Class, client: ClientId) {
    let levels = vec![sfu::SpeakerLevel { conn: conn(client), level: 0.5, active: true }];
    class.hand(Input::Media(sfu::Event::Speakers { group: sfu::GroupKey(5), levels }));
}

fn data_reaches(class: &mut Class, from: ClientId, to: &[&str]) -> Vec<sfu::ConnKey> {
    let user = proto::UserPacket { payload: b"hi".to_vec(), ..Default::default() };
    let destination_identities = to.iter().map(|to| (*to).to_owned()).collect();
    let value = Some(proto::data_packet::Value::User(user));
    let before = class.journal.len();
    class.sends(from, sfu::Lane::Lossy, &proto::DataPacket { destination_identities, value, ..Default::default() });
    let sent = class.journal[before..].iter().find_map(|entry| match entry {
        Entry::Media(sfu::Command::SendData { to, .. }) => Some(to.clone()),
        _ => None,
    });
    sent.unwrap_or_default()
}
