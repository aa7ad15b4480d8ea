//! What nobody should say, said anyway.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Limits, Rate};
use lyceum_sfu as sfu;
use proto::request_response::Reason;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use proto::simulate_scenario::Scenario;

fn reasons(said: Vec<Say>) -> Vec<Reason> {
    said.into_iter()
        .filter_map(|said| match said {
            Say::RequestResponse(response) => Some(response.reason()),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_not_supported_is_answered_and_touches_nobody() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.nobody_listens_to_the_past();
    let asked = [
        (Ask::PublishDataTrackRequest(Default::default()), Reason::InvalidRequest),
        (Ask::StoreDataBlobRequest(Default::default()), Reason::InvalidRequest),
        (Ask::UpdateAudioTrack(Default::default()), Reason::NotFound),
        (Ask::UpdateVideoTrack(Default::default()), Reason::NotFound),
        (
            Ask::Simulate(proto::SimulateScenario { scenario: Some(Scenario::SwitchCandidateProtocol(1)) }),
            Reason::UnsupportedType,
        ),
        (Ask::Simulate(proto::SimulateScenario { scenario: None }), Reason::UnsupportedType),
    ];
    for (ask, reason) in asked {
        class.says(ada, ask);
        assert_eq!(reasons(class.hears(ada)), [reason]);
    }
    let request = proto::SignalRequest { message: None };
    class.hand(Input::Signal { client: ada, request: Box::new(request) });
    assert_eq!(reasons(class.hears(ada)), [Reason::InvalidRequest]);
    assert!(class.hears(ben).is_empty() && class.facts().is_empty());
    assert_eq!(class.node.stats().refused_signals, 7);
}

#[test]
fn everybody_may_subscribe_is_what_go_clients_say_and_is_so() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.hears(ada);
    let everybody = proto::SubscriptionPermission { all_participants: true, ..Default::default() };
    class.says(ada, Ask::SubscriptionPermission(everybody));
    class.says(ada, Ask::SyncState(Default::default()));
    assert!(class.hears(ada).is_empty());
}

#[test]
fn a_ping_is_answered_with_the_time() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.hears(ada);
    class.says(ada, Ask::Ping(1));
    class.says(ada, Ask::PingReq(proto::Ping { timestamp: 77, rtt: 5 }));
    let now = i64::try_from(NOON.0).expect("fits");
    let pong = proto::Pong { last_ping_timestamp: 77, timestamp: now };
    assert_eq!(class.hears(ada), [Say::Pong(now), Say::PongResp(pong)]);
}

#[test]
fn test_suites_can_ask_for_a_speaker_a_leave_and_a_reconnect() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.hears(ada);
    let simulate = |scenario| Ask::Simulate(proto::SimulateScenario { scenario: Some(scenario) });
    class.says(ada, simulate(Scenario::SpeakerUpdate(3)));
    let active = |said: Vec<Say>| {
        said.into_iter().find_map(|said| match said {
            Say::SpeakersChanged(changed) => Some(changed.speakers[0].active),
            _ => None,
        })
    };
    assert_eq!(active(class.hears(ada)), Some(true));
    class.time_passes(2_500);
    assert_eq!(active(class.hears(ada)), None);
    class.time_passes(1_500);
    assert_eq!(active(class.hears(ada)), Some(false));

    class.says(ada, simulate(Scenario::ServerLeave(true)));
    class.says(ben, simulate(Scenario::LeaveRequestFullReconnect(true)));
    let action = |said: Vec<Say>| {
        said.into_iter().find_map(|said| match said {
            Say::Leave(leave) => Some(leave.action()),
            _ => None,
        })
    };
    assert_eq!(action(class.hears(ada)), Some(proto::leave_request::Action::Disconnect));
    assert_eq!(action(class.hears(ben)), Some(proto::leave_request::Action::Reconnect));
    assert!(class.me(ada).gone && class.me(ben).gone);
}

#[test]
fn a_flood_of_signals_is_cut_off_and_answered_sparingly() {
    let limits = Limits { signals: Rate { per_second: 10, burst: 50 }, ..Limits::standard() };
    let mut class = Class::with(|config| config.limits = limits);
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.hears(ada);
    for _ in 0..1_000 {
        class.says(ada, Ask::Ping(0));
    }
    let said = class.hears(ada);
    assert_eq!(said.iter().filter(|said| matches!(said, Say::Pong(_))).count(), 50);
    assert!((1..=20).contains(&reasons(said).len()));
    assert_eq!(class.node.stats().flooded_signals, 950);
    class.hears(ben);
    class.says(ben, Ask::Ping(0));
    assert_eq!(class.hears(ben).len(), 1, "others are not held back");
    class.leaves(ada);
    assert!(class.me(ada).gone, "a goodbye is always heard");
}

#[test]
fn a_socket_that_speaks_before_it_is_welcome_or_after_it_is_gone_is_not_heard() {
    let mut class = Class::new();
    class.disk_is_slow();
    let ada = class.joins("ada");
    class.says(ada, Ask::AddTrack(microphone()));
    class.sends_bytes(ada, sfu::Lane::Reliable, vec![1, 2, 3]);
    class.connects_media(ada, sfu::Target::Subscriber);
    let stats = class.node.stats();
    assert_eq!((stats.tracks, stats.refused_signals, stats.refused_data), (0, 1, 0));
    class.disk_catches_up();
    class.disk.slow = false;
    class.hears(ada);
    class.leaves(ada);
    let before = class.journal.len();
    class.says(ada, Ask::AddTrack(microphone()));
    class.sends_bytes(ada, sfu::Lane::Reliable, vec![1, 2, 3]);
    class.connects_media(ada, sfu::Target::Subscriber);
    class.loses_network(ada);
    class.says(ClientId(999), Ask::Ping(0));
    assert_eq!(class.journal.len(), before);
}

#[test]
fn a_socket_joins_once() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let stats = class.node.stats();
    class.node.handle(class.now, Input::Join { client: ada, join: Box::new(join("ben")) });
    assert!(matches!(class.node.poll_output(), Some(lyceum_node::Output::JoinRefused { client, .. }) if client == ada));
    assert_eq!(class.node.stats().refused_joins, stats.refused_joins + 1);
}

#[test]
fn too_many_ids_in_one_signal_are_refused() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.hears(ada);
    let track_sids = vec!["TR_x".to_owned(); 1_001];
    class.says(
        ada,
        Ask::Subscription(proto::UpdateSubscription {
            track_sids: track_sids.clone(),
            subscribe: true,
            ..Default::default()
        }),
    );
    class.says(ada, Ask::TrackSetting(proto::UpdateTrackSettings { track_sids, ..Default::default() }));
    assert_eq!(reasons(class.hears(ada)), [Reason::LimitExceeded, Reason::LimitExceeded]);
}

#[test]
fn connections_have_a_limit() {
    let limits = Limits { connections: 2, ..Limits::standard() };
    let mut class = Class::with(|config| config.limits = limits);
    let mut hidden = join("inspector");
    hidden.profile.permission.hidden = true;
    class.joins_as(hidden);
    class.joins("ada");
    let ben = class.joins("ben");
    assert!(class.me(ben).gone);
}

#[test]
fn five_hundred_joins_and_leaves_leave_nothing_behind() {
    let mut class = Class::new();
    let stays = class.joins("teacher");
    class.connects_media(stays, sfu::Target::Subscriber);
    for number in 0..500 {
        let name = format!("learner-{}", number % 10);
        let client = class.joins(&name);
        class.publishes(client, microphone());
        class.announces(client, camera());
        class.says(stays, Ask::Ping(0));
        if number % 3 == 0 {
            class.loses_network(client)
        } else {
            class.leaves(client)
        }
        class.time_passes(100);
    }
    for _ in 0..10 {
        class.says(stays, Ask::Ping(0));
        class.time_passes(4_000);
    }
    let stats = class.node.stats();
    assert_eq!((stats.clients, stats.tracks, stats.views), (1, 0, 0));
    assert_eq!((stats.outstanding_events, stats.outstanding_effects, stats.outstanding_bytes), (0, 0, 0));
    assert!(class.me(stays).others.is_empty());
    let opened = class.media().filter(|command| matches!(command, sfu::Command::Open { .. })).count();
    let closed = class.media().filter(|command| matches!(command, sfu::Command::Close { .. })).count();
    assert_eq!((opened, closed), (501, 500));
}
