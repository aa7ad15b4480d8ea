//! Losing the network, and going on.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input};
use lyceum_session as session;
use lyceum_sfu as sfu;
use prost::Message as _;
use proto::leave_request::Action;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use proto::{DisconnectReason, data_packet};
use session::{DetachReason, Fact, TrackId};

fn name_of(said: &Say) -> &'static str {
    match said {
        Say::Reconnect(_) => "reconnect",
        Say::Update(update) if update.participants.iter().all(is_disconnected) => "left",
        Say::Update(_) => "update",
        Say::RoomUpdate(_) => "room_update",
        Say::Offer(_) => "offer",
        Say::Leave(_) => "leave",
        Say::PongResp(_) => "pong",
        Say::SpeakersChanged(_) => "speakers",
        Say::StreamStateUpdate(_) => "streams",
        Say::SubscribedQualityUpdate(_) => "layers",
        Say::ConnectionQuality(_) => "quality",
        _ => "else",
    }
}

fn is_disconnected(info: &proto::ParticipantInfo) -> bool {
    info.state() == proto::participant_info::State::Disconnected
}

fn heard(class: &mut Class, client: ClientId) -> Vec<&'static str> {
    class.hears(client).iter().map(name_of).collect()
}

fn leave_said(said: &[Say]) -> Option<(DisconnectReason, Action)> {
    said.iter().find_map(|said| match said {
        Say::Leave(leave) => Some((leave.reason(), leave.action())),
        _ => None,
    })
}

fn sync_state(tracks: &[&TrackId]) -> proto::SyncState {
    let published = tracks.iter().map(|track| proto::TrackPublishedResponse {
        cid: "cid".to_owned(),
        track: Some(proto::TrackInfo { sid: track.0.clone(), ..Default::default() }),
    });
    proto::SyncState { publish_tracks: published.collect(), ..Default::default() }
}

fn offers(class: &mut Class, to: ClientId) {
    let restarts_ice = class.media().any(|command| matches!(command, sfu::Command::RestartIce { .. }));
    class.hand(Input::Media(sfu::Event::SubscriberOffer {
        conn: conn(to),
        offer_id: 9,
        sdp: "v=0".to_owned(),
        mids: Vec::new(),
        restarts_ice,
    }));
}

#[test]
fn who_resumes_goes_on_with_their_tracks_and_hears_what_they_missed_in_order() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    let cyd = class.joins_and_connects("cyd");
    let voice = class.publishes(ada, microphone());
    class.nobody_listens_to_the_past();

    class.loses_network(ada);
    assert_eq!(class.sees(ben, "ada").expect("keeps the seat").attributes["lyceum.presence"], "reconnecting");
    assert_eq!(class.sees(ben, "ada").expect("here").tracks.len(), 1, "the track stays");
    let face = class.publishes(ben, camera());
    class.leaves(cyd);
    offers(&mut class, ada);
    class.time_passes_for(&[ben], WINDOW_MS - 1);
    let before = class.journal.len();
    let again = class.resumes(ada);
    let late = sfu::Event::SubscriberOffer {
        conn: conn(ada),
        offer_id: 8,
        sdp: "v=0".to_owned(),
        mids: Vec::new(),
        restarts_ice: false,
    };
    class.hand(Input::Media(late)); // It was made before, and nobody has heard of it.
    offers(&mut class, ada);

    assert_eq!(
        heard(&mut class, again),
        ["reconnect", "left", "update", "room_update", "speakers", "streams", "offer"]
    );
    assert!(class.sees(again, "cyd").is_none());
    assert_eq!(class.sees(again, "ben").expect("is here").tracks[0].sid, face.0);
    assert!(!class.sees(ben, "ada").expect("is here").attributes.contains_key("lyceum.presence"));
    assert!(
        matches!(
            class.facts()[..],
            [
                Fact::ConnectionDetached { reason: DetachReason::ConnectionLost, .. },
                Fact::TrackPublished { .. },
                Fact::ConnectionDetached { .. },
                Fact::ParticipantLeft { .. },
                Fact::ConnectionResumed { .. },
            ] | [
                Fact::ConnectionDetached { reason: DetachReason::ConnectionLost, .. },
                Fact::TrackPublished { .. },
                Fact::TrackUnpublished { .. },
                Fact::ConnectionDetached { .. },
                Fact::ParticipantLeft { .. },
                Fact::ConnectionResumed { .. },
            ]
        ),
        "{:?}",
        class.facts()
    );
    let restart =
        class.place(|entry| matches!(entry, Entry::Media(sfu::Command::RestartIce { conn: c }) if *c == conn(ada)));
    assert!(restart.is_some_and(|at| at > before));
    assert!(class.receives(ada).contains(&face.0), "what was published meanwhile is received");

    class.says(again, Ask::SyncState(sync_state(&[&voice])));
    class.mutes(again, &voice, true);
    assert!(class.sees(ben, "ada").expect("here").tracks[0].muted, "the new socket speaks for her");
    class.says(ada, Ask::Ping(1));
    class.hand(Input::SocketClosed { client: ada, last_seen: class.now });
    assert!(!class.sees(ben, "ada").expect("here").attributes.contains_key("lyceum.presence"), "the old one does not");
}

#[test]
fn a_resume_comes_before_the_loss_was_noticed() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.publishes(ada, microphone());
    class.time_passes(4_000);
    let again = class.resumes(ada);
    assert!(class.me(ada).sent_away, "the old socket is closed");
    assert_eq!(name_of(&class.hears(again)[0]), "reconnect");
    let seen = class.facts().iter().find_map(|fact| match fact {
        Fact::ConnectionDetached { last_seen, .. } => Some(*last_seen),
        _ => None,
    });
    assert!(seen.expect("detached") < class.now, "the interval closes when she was last heard");
    assert!(!class.sees(ben, "ada").expect("here").attributes.contains_key("lyceum.presence"));
    let third = class.resumes(again);
    assert_eq!(name_of(&class.hears(third)[0]), "reconnect");
}

#[test]
fn on_a_slow_disk_the_first_word_is_still_that_it_has_resumed() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.nobody_listens_to_the_past();
    class.disk_is_slow();
    class.publishes(ben, microphone());
    class.loses_network(ada);
    let again = class.resumes(ada);
    class.says(again, Ask::PingReq(proto::Ping::default()));
    assert!(class.hears(again).is_empty(), "nothing is durable yet");
    class.disk_catches_up();
    let heard = heard(&mut class, again);
    assert_eq!(heard[0], "reconnect");
    assert!(heard.contains(&"pong") && heard.contains(&"update"), "{heard:?}");
}

#[test]
fn after_the_window_the_tracks_are_gone_and_a_resume_is_sent_to_join_afresh() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.publishes(ada, microphone());
    class.loses_network(ada);
    class.time_passes_for(&[ben], WINDOW_MS);
    assert!(class.sees(ben, "ada").expect("her seat waits").tracks.is_empty());
    assert!(class.media().any(|command| matches!(command, sfu::Command::Close { conn: c } if *c == conn(ada))));
    let again = class.resumes(ada);
    let said = class.hears(again);
    assert_eq!(leave_said(&said), Some((DisconnectReason::StateMismatch, Action::Reconnect)));
    assert!(class.me(again).sent_away);
    assert_eq!(class.node.stats().clients, 1);
}

#[test]
fn a_full_reconnect_while_lost_evicts_the_old_connection_first() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.publishes(ada, microphone());
    let old_sid = class.me(ada).sid.clone();
    class.loses_network(ada);
    class.nobody_listens_to_the_past();
    let again = class.joins("ada");
    assert_eq!(name_of(&class.hears(ben)[0]), "left", "the old sid leaves before the new one comes");
    assert_ne!(class.sees(ben, "ada").expect("is here").sid, old_sid);
    assert!(class.media().any(|command| matches!(command, sfu::Command::Close { conn: c } if *c == conn(ada))));
    assert!(!class.me(again).gone);
    assert_eq!(class.node.stats().clients, 2);
}

#[test]
fn nobody_resumes_as_somebody_else() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.loses_network(ada);
    let thief = class.resumes_as(join("ben"), ada);
    assert_eq!(leave_said(&class.hears(thief)).map(|(reason, _)| reason), Some(DisconnectReason::StateMismatch));
    assert!(!class.me(ben).gone, "and ben himself is not disturbed");
    let again = class.resumes(ada);
    assert_eq!(name_of(&class.hears(again)[0]), "reconnect");
}

#[test]
fn a_client_that_was_never_connected_cannot_resume() {
    let mut class = Class::patient();
    let ada = class.joins("ada");
    class.loses_network(ada);
    assert!(
        class
            .facts()
            .iter()
            .any(|fact| matches!(fact, Fact::ConnectionDetached { reason: DetachReason::NeverConnected, .. }))
    );
    let again = class.resumes(ada);
    assert!(leave_said(&class.hears(again)).is_some());
    assert_eq!(class.node.stats().clients, 0);
}

#[test]
fn media_that_does_not_get_through_is_sent_to_resume_and_one_that_was_closed_to_reconnect() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    let cyd = class.joins_and_connects("cyd");
    class.publishes(ada, microphone());
    for (client, can_return) in [(ada, true), (cyd, false)] {
        let (target, why) = (sfu::Target::Publisher, "no consent");
        class.hand(Input::Media(sfu::Event::Disconnected { conn: conn(client), target, why, can_return }));
    }
    class.time_passes(3_000);
    let said = class.hears(ada);
    assert_eq!(leave_said(&said), Some((DisconnectReason::MediaFailure, Action::Resume)));
    assert!(class.me(ada).sent_away);
    assert_eq!(class.sees(ben, "ada").expect("here").tracks.len(), 1);
    let said = class.hears(cyd);
    assert_eq!(leave_said(&said), Some((DisconnectReason::MediaFailure, Action::Reconnect)));
    let again = class.resumes(ada);
    class.time_passes(5_000);
    assert_eq!(leave_said(&class.hears(again)), None, "that her media was gone is forgotten");
}

#[test]
fn a_state_that_does_not_match_is_sent_to_a_full_reconnect() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    let voice = class.publishes(ada, microphone());
    let other = class.publishes(ben, microphone());
    for unknown in [&other, &TrackId("TR_never".to_owned())] {
        let client = if class.me(ada).gone { class.joins_and_connects("ada") } else { ada };
        class.loses_network(client);
        let again = class.resumes(client);
        class.says(again, Ask::SyncState(sync_state(&[&voice, unknown])));
        assert_eq!(
            leave_said(&class.hears(again)),
            Some((DisconnectReason::StateMismatch, Action::Reconnect)),
            "{unknown}"
        );
        assert!(class.sees(ben, "ada").expect("the seat stays").tracks.is_empty());
    }
}

#[test]
fn what_is_told_only_when_it_changes_is_told_again() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.publishes(ada, microphone());
    let face = class.publishes(ada, camera());
    let own = class.publishes(ben, camera());
    class.loses_network(ben);
    let levels = vec![sfu::SpeakerLevel { conn: conn(ada), level: 0.5, active: true }];
    class.hand(Input::Media(sfu::Event::Speakers { group: sfu::GroupKey(5), levels }));
    let (track, paused) = (class.key_of(ada, &face), true);
    class.hand(Input::Media(sfu::Event::StreamPaused { conn: conn(ben), track, paused }));
    let (track, max_layer) = (class.key_of(ben, &own), Some(0));
    class.hand(Input::Media(sfu::Event::LayersWanted { conn: conn(ben), track, max_layer }));
    let again = class.resumes(ben);
    let said = class.hears(again);
    let speaks = said.iter().any(|said| matches!(said, Say::SpeakersChanged(news) if news.speakers[0].active));
    let paused = said.iter().any(|said| {
        matches!(said, Say::StreamStateUpdate(news)
            if news.stream_states[0].track_sid == face.0 && news.stream_states[0].state() == proto::StreamState::Paused)
    });
    let layers = said.iter().any(|said| matches!(said, Say::SubscribedQualityUpdate(news) if news.track_sid == own.0));
    assert!(speaks && paused && layers, "{said:?}");
}

fn message(sequence: u32, text: &str) -> proto::DataPacket {
    let payload = text.as_bytes().to_vec();
    let user = proto::UserPacket { payload, ..Default::default() };
    proto::DataPacket { sequence, value: Some(data_packet::Value::User(user)), ..Default::default() }
}

#[test]
fn reliable_data_that_was_missed_is_sent_again_and_the_client_is_told_what_arrived_of_its_own() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.sends(ben, sfu::Lane::Reliable, &message(1, "one"));
    class.sends(ben, sfu::Lane::Reliable, &message(2, "two"));
    class.sends(ada, sfu::Lane::Reliable, &message(7, "mine"));
    class.loses_network(ada);
    class.sends(ben, sfu::Lane::Reliable, &message(3, "three"));
    class.sends(ben, sfu::Lane::Lossy, &message(0, "lost is lost"));
    let again = class.resumes(ada);
    let Say::Reconnect(reconnect) = class.hears(again).remove(0) else { panic!("first") };
    assert_eq!(reconnect.last_message_seq, 7);
    let before = class.journal.len();
    let had = proto::DataChannelReceiveState { publisher_sid: class.me(ben).sid.clone(), last_seq: 1 };
    let state = proto::SyncState { datachannel_receive_states: vec![had], ..Default::default() };
    class.says(again, Ask::SyncState(state));
    let replayed: Vec<u32> = class.journal[before..]
        .iter()
        .filter_map(|entry| match entry {
            Entry::Media(sfu::Command::SendData { to, lane: sfu::Lane::Reliable, bytes }) if to[..] == [conn(ada)] => {
                Some(proto::DataPacket::decode(&bytes[..]).expect("a packet").sequence)
            }
            _ => None,
        })
        .collect();
    assert_eq!(replayed, [2, 3]);
}

#[test]
fn a_track_whose_answer_was_lost_is_asked_for_again_and_is_the_same() {
    let mut class = Class::patient();
    let ada = class.joins_and_connects("ada");
    let lost = class.publishes(ada, microphone());
    class.loses_network(ada);
    let again = class.resumes(ada);
    class.says(again, Ask::SyncState(sync_state(&[])));
    class.says(again, Ask::AddTrack(microphone()));
    let named = |said: Vec<Say>| {
        said.into_iter().find_map(|said| match said {
            Say::TrackPublished(published) => published.track.map(|track| track.sid),
            _ => None,
        })
    };
    assert_eq!(named(class.hears(again)), Some(lost.0.clone()));
    class.says(again, Ask::AddTrack(microphone()));
    let other = named(class.hears(again)).expect("it stops the one and publishes it afresh");
    assert_ne!(other, lost.0);
}

#[test]
fn the_server_stops_while_somebody_is_lost() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.publishes(ada, microphone());
    class.loses_network(ada);
    class.hand(Input::Shutdown);
    assert!(class.closed);
    assert!(class.me(ben).sent_away);
    let last_seen = class.now;
    let mut class = class.after_a_crash(last_seen);
    class.joins("ada");
    assert!(class.node.state().tracks.is_empty());
    assert!(class.disk.log.iter().any(|event| matches!(event.fact, Fact::ConnectionExpired { .. })));
}

#[test]
fn a_client_is_told_whether_to_resume() {
    for (mut class, expected) in
        [(Class::patient(), proto::ClientConfigSetting::Unset), (Class::new(), proto::ClientConfigSetting::Disabled)]
    {
        let ada = class.joins("ada");
        let Say::Join(join) = class.hears(ada).remove(0) else { panic!("first") };
        assert_eq!(join.client_configuration.expect("configuration").resume_connection(), expected);
    }
}

#[test]
fn scenarios_of_test_suites_end_sockets_as_they_say() {
    use proto::simulate_scenario::Scenario;
    let simulate = |scenario| Ask::Simulate(proto::SimulateScenario { scenario: Some(scenario) });
    let mut class = Class::patient();
    let ada = class.joins_and_connects("ada");
    class.nobody_listens_to_the_past();
    class.says(ada, simulate(Scenario::Migration(true)));
    assert!(class.me(ada).sent_away && class.hears(ada).is_empty());
    let ada = class.resumes(ada);
    class.says(ada, simulate(Scenario::DisconnectSignalOnResume(true)));
    class.loses_network(ada);
    let again = class.resumes(ada);
    assert_eq!(heard(&mut class, again)[0], "reconnect");
    assert!(class.me(again).sent_away);
    let third = class.resumes(again);
    class.says(third, simulate(Scenario::DisconnectSignalOnResumeNoMessages(true)));
    class.loses_network(third);
    let fourth = class.resumes(third);
    assert!(class.hears(fourth).is_empty() && class.me(fourth).sent_away);
    let fifth = class.resumes(fourth);
    assert_eq!(heard(&mut class, fifth)[0], "reconnect");
    class.says(fifth, simulate(Scenario::NodeFailure(true)));
    assert!(class.me(fifth).sent_away);
    let sixth = class.resumes(fifth);
    assert!(leave_said(&class.hears(sixth)).is_some());
}

#[test]
fn who_hears_nothing_has_ice_restarted_without_a_resume() {
    use proto::simulate_scenario::Scenario;
    let restart = |to: proto::CandidateProtocol| {
        Ask::Simulate(proto::SimulateScenario { scenario: Some(Scenario::SwitchCandidateProtocol(to.into())) })
    };
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    class.nobody_listens_to_the_past();
    let restarts = |class: &Class| -> Vec<_> {
        let restart = |command: &sfu::Command| match command {
            sfu::Command::RestartIce { conn } => Some(*conn),
            _ => None,
        };
        class.media().filter_map(restart).collect()
    };
    class.says(ada, restart(proto::CandidateProtocol::Udp));
    assert_eq!(restarts(&class), [conn(ada)]);
    offers(&mut class, ada);
    assert_eq!(heard(&mut class, ada), ["offer"], "on the socket that she has");
    assert!(class.hears(ben).is_empty() && !class.me(ada).gone);
    class.says(ada, restart(proto::CandidateProtocol::Tcp));
    assert_eq!(restarts(&class).len(), 1, "there is no choice of another protocol");
}

/// What somebody who resumes is told of people that are here, by their latest update.
fn told_on_resume(class: &mut Class, client: ClientId) -> Vec<proto::ParticipantInfo> {
    let here = class.hears(client).into_iter().find_map(|said| match said {
        Say::Update(update) if !update.participants.iter().all(is_disconnected) => Some(update.participants),
        _ => None,
    });
    here.expect("how everybody is")
}

#[test]
fn who_resumes_is_told_how_they_are_themselves() {
    let mut class = Class::patient();
    let (ada, ben) = (class.joins_and_connects("ada"), class.joins_and_connects("ben"));
    let voice = class.publishes(ada, microphone());
    class.loses_network(ada);
    let again = class.resumes(ada);
    let told = told_on_resume(&mut class, again);
    let mut names: Vec<_> = told.iter().map(|info| info.identity.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ada", "ben"], "everybody once, oneself too");
    let own = told.iter().find(|info| info.identity == "ada").expect("herself");
    assert_eq!(own.sid, class.me(again).sid);
    assert_eq!(own.tracks.iter().map(|track| track.sid.as_str()).collect::<Vec<_>>(), [voice.0.as_str()]);
    assert!(!own.attributes.contains_key("lyceum.presence"), "she is back");

    class.leaves(ben);
    class.loses_network(again);
    let third = class.resumes(again);
    let told = told_on_resume(&mut class, third);
    assert_eq!(told.len(), 1, "alone");
    assert_eq!(told[0].identity, "ada");
}

#[test]
fn coming_and_going_leaves_nothing_behind() {
    let mut class = Class::patient();
    let ben = class.joins_and_connects("ben");
    class.publishes(ben, microphone());
    for round in 0..50 {
        let mut ada = class.joins_and_connects("ada");
        class.publishes(ada, microphone());
        for _ in 0..round % 4 {
            class.loses_network(ada);
            ada = class.resumes(ada);
        }
        class.loses_network(ada);
        class.time_passes_for(&[ben], WINDOW_MS + 1);
        class.nobody_listens_to_the_past();
    }
    let stats = class.node.stats();
    assert_eq!((stats.clients, stats.tracks, stats.views), (1, 1, 0));
}
