//! Orders of somebody who may administer the class, and their answers.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{Answer, Order};
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::signal_response::Message as Say;
use session::{Fact, Reject};

#[test]
fn an_answer_comes_when_what_was_ordered_is_on_disk() {
    let mut class = Class::new();
    class.joins("ada");
    class.disk_is_slow();
    let id = class.orders(Order::DescribeRoom { metadata: "algebra".to_owned() });
    assert!(!class.replies.contains_key(&id));
    class.disk_catches_up();
    let Some(Ok(Answer::Room(room))) = class.replies.get(&id) else { panic!("{:?}", class.replies) };
    assert_eq!((room.metadata.as_str(), room.num_participants), ("algebra", 1));
}

#[test]
fn who_ends_the_class_is_answered_before_it_is_over() {
    let mut class = Class::new();
    class.joins("ada");
    let ended = class.orders_now(Order::End);
    assert_eq!(ended, Ok(Answer::Done(seq_of(&class))));
    assert!(class.closed);
}

#[test]
fn everybody_hears_that_the_room_is_described() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.moves(&["ada"], "g1").unwrap();
    class.nobody_listens_to_the_past();
    class.orders_now(Order::DescribeRoom { metadata: "algebra".to_owned() }).unwrap();
    let told = class.hears(ada);
    let Some(Say::RoomUpdate(update)) = told.first() else { panic!("{told:?}") };
    let room = update.room.as_ref().unwrap();
    assert_eq!((room.name.as_str(), room.metadata.as_str()), ("maths/g1", "algebra"));
    assert!(matches!(class.facts()[..], [Fact::RoomUpdated { .. }]));
    class.orders_now(Order::DescribeRoom { metadata: "algebra".to_owned() }).unwrap();
    assert_eq!(class.facts().len(), 1, "what is so already is no event");
    let too_long = Order::DescribeRoom { metadata: "x".repeat(600_000) };
    assert!(matches!(class.orders_now(too_long), Err(Reject::Limit(_))));
}

#[test]
fn people_can_be_looked_at_hidden_ones_included() {
    let mut class = Class::new();
    class.joins("ada");
    let mut watcher = join("eve");
    watcher.profile.permission.hidden = true;
    class.joins_as(watcher);
    let Ok(Answer::People(people)) = class.orders_now(Order::LookAtPeople) else { panic!("no list") };
    assert_eq!(people.iter().map(|info| info.identity.as_str()).collect::<Vec<_>>(), ["ada", "eve"]);
    let Ok(Answer::Person(eve)) = class.orders_now(Order::LookAtPerson("eve".into())) else { panic!("no eve") };
    assert_eq!(eve.identity, "eve");
    assert!(matches!(class.orders_now(Order::LookAtPerson("tom".into())), Err(Reject::NotFound(_))));
    let Ok(Answer::Room(room)) = class.orders_now(Order::LookAtRoom) else { panic!("no room") };
    assert_eq!((room.name.as_str(), room.num_participants), ("maths", 1));
}

#[test]
fn a_remote_mute_cuts_the_media_and_tells_everybody_and_is_not_undone_from_outside() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let mic = class.publishes(ben, microphone());
    class.nobody_listens_to_the_past();
    let Ok(Answer::Track(track)) = class.orders_now(mute("ben", &mic.0, true)) else { panic!("no track") };
    assert!(track.muted && track.sid == mic.0);
    assert!(class.media().any(|command| matches!(command, sfu::Command::MuteTrack { muted: true, .. })));
    assert!(class.sees(ada, "ben").unwrap().tracks[0].muted);
    assert!(class.hears(ben).iter().any(|said| matches!(said, Say::Mute(mute) if mute.muted && mute.sid == mic.0)));

    let refused = class.orders_now(mute("ben", &mic.0, false));
    assert!(matches!(refused, Err(Reject::Forbidden(why)) if why.contains("remote_unmute")), "{refused:?}");
    assert!(class.sees(ada, "ben").unwrap().tracks[0].muted);
    assert!(matches!(class.orders_now(mute("ada", &mic.0, true)), Err(Reject::NotFound(_))), "not ada's");
    assert!(matches!(class.orders_now(mute("ben", "TR_none", true)), Err(Reject::NotFound(_))));
}

#[test]
fn a_server_that_is_told_so_unmutes_from_outside() {
    let mut class = Class::with(|config| config.remote_unmute = true);
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let mic = class.publishes(ben, microphone());
    class.orders_now(mute("ben", &mic.0, true)).unwrap();
    class.orders_now(mute("ben", &mic.0, false)).unwrap();
    assert!(!class.sees(ada, "ben").unwrap().tracks[0].muted);
}

#[test]
fn a_permission_that_is_taken_cuts_media_before_the_answer() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let (of_ada, of_ben) = (class.publishes(ada, microphone()), class.publishes(ben, microphone()));
    class.disk_is_slow();
    let nothing = proto::ParticipantPermission { can_publish_data: true, ..Default::default() };
    let update = proto::UpdateParticipantRequest {
        identity: "ben".to_owned(),
        name: "Benjamin".to_owned(),
        permission: Some(nothing),
        ..Default::default()
    };
    let (before, key) = (class.journal.len(), class.key_of(ben, &of_ben));
    let id = class.orders(Order::Update(Box::new(update)));
    class.disk_catches_up();
    let Some(Ok(Answer::Person(info))) = class.replies.remove(&id) else { panic!("no answer") };
    assert_eq!((info.name.as_str(), info.tracks.len()), ("Benjamin", 0));
    let cut = class.journal[before..]
        .iter()
        .any(|entry| matches!(entry, Entry::Media(sfu::Command::DropTrack { track }) if *track == key));
    assert!(cut);
    assert!(class.receives(ben).is_empty(), "who may not subscribe receives nothing");
    assert!(class.sees(ada, "ben").unwrap().tracks.is_empty());

    class.disk.slow = false;
    let everything = proto::ParticipantPermission { can_subscribe: true, can_publish: true, ..Default::default() };
    class
        .orders_now(Order::Update(Box::new(proto::UpdateParticipantRequest {
            identity: "ben".to_owned(),
            permission: Some(everything),
            ..Default::default()
        })))
        .unwrap();
    assert_eq!(class.receives(ben), [of_ada.0].into(), "what may be received again is");
}

#[test]
fn the_servers_own_attributes_and_hiding_are_out_of_reach() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.joins("ben");
    let mut update = proto::UpdateParticipantRequest { identity: "ben".to_owned(), ..Default::default() };
    update.attributes.insert("lyceum.role".to_owned(), "instructor".to_owned());
    assert!(matches!(class.orders_now(Order::Update(Box::new(update))), Err(Reject::Forbidden(_))));
    let hidden = proto::ParticipantPermission { hidden: true, can_subscribe: true, ..Default::default() };
    let update =
        proto::UpdateParticipantRequest { identity: "ben".to_owned(), permission: Some(hidden), ..Default::default() };
    class.orders_now(Order::Update(Box::new(update))).unwrap();
    assert!(!class.sees(ada, "ben").unwrap().permission.as_ref().unwrap().hidden);
    let nobody = proto::UpdateParticipantRequest { identity: "tom".to_owned(), ..Default::default() };
    assert!(matches!(class.orders_now(Order::Update(Box::new(nobody))), Err(Reject::NotFound(_))));
}

#[test]
fn somebody_else_decides_what_a_person_receives() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let mic = class.publishes(ada, microphone());
    let wants = |subscribe, sid: &str| {
        Order::Subscribe(proto::UpdateSubscriptionsRequest {
            identity: "ben".to_owned(),
            track_sids: vec![sid.to_owned()],
            subscribe,
            ..Default::default()
        })
    };
    class.orders_now(wants(false, &mic.0)).unwrap();
    assert!(class.receives(ben).is_empty());
    class.orders_now(wants(true, &mic.0)).unwrap();
    assert_eq!(class.receives(ben), [mic.0.clone()].into());
    assert!(matches!(class.orders_now(wants(true, "TR_none")), Err(Reject::NotFound(_))));
    class.moves(&["ben"], "g1").unwrap();
    assert!(matches!(class.orders_now(wants(true, &mic.0)), Err(Reject::NotFound(_))), "not in his Space");
}

#[test]
fn data_from_outside_reaches_every_space_or_whom_it_names() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.moves(&["ben"], "g1").unwrap();
    let send = |to: &[&str], data: usize| {
        Order::SendData(proto::SendDataRequest {
            data: vec![7; data],
            topic: Some("bell".to_owned()),
            destination_identities: to.iter().map(|to| (*to).to_owned()).collect(),
            ..Default::default()
        })
    };
    class.nobody_listens_to_the_past();
    class.orders_now(send(&[], 3)).unwrap();
    class.orders_now(send(&["ben"], 3)).unwrap();
    let sent: Vec<_> = class
        .media()
        .filter_map(|command| match command {
            sfu::Command::SendData { to, .. } => Some(to.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [vec![conn(ada), conn(ben)], vec![conn(ben)]]);
    assert!(matches!(class.orders_now(send(&[], 65_000)), Err(Reject::Limit(_))));
}

fn mute(identity: &str, track_sid: &str, muted: bool) -> Order {
    let (identity, track_sid) = (identity.to_owned(), track_sid.to_owned());
    Order::Mute(proto::MuteRoomTrackRequest { identity, track_sid, muted, ..Default::default() })
}
