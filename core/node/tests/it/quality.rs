//! What clients are told of how well media flows.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join};
use lyceum_sfu as sfu;
use proto::signal_response::Message as Say;
use proto::{ConnectionQuality, StreamState};
use sfu::Target::{Publisher, Subscriber};

fn measures(class: &mut Class, client: ClientId, target: sfu::Target, loss: f32, round_trip_ms: u32) {
    let (conn, round_trip_ms) = (conn(client), Some(round_trip_ms));
    class.hand(Input::Media(sfu::Event::Network { conn, target, loss, round_trip_ms }));
}

fn qualities(class: &mut Class, client: ClientId) -> Vec<(String, ConnectionQuality)> {
    class
        .hears(client)
        .into_iter()
        .filter_map(|said| match said {
            Say::ConnectionQuality(update) => Some(update.updates),
            _ => None,
        })
        .flatten()
        .map(|info| (info.participant_sid.clone(), info.quality()))
        .collect()
}

#[test]
fn a_network_is_as_good_as_the_worse_of_its_ways_and_told_when_that_changes() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.publishes(ada, microphone());
    let (ben, cyd) = (class.joins("ben"), class.joins_as(Join { auto_subscribe: false, ..join("cyd") }));
    let sid = class.me(ada).sid.clone();
    measures(&mut class, ada, Publisher, 0.0, 20);
    measures(&mut class, ada, Subscriber, 0.0, 20);
    measures(&mut class, ada, Subscriber, 0.03, 20);
    measures(&mut class, ada, Publisher, 0.0, 700);
    measures(&mut class, ada, Publisher, 0.01, 30);
    let expected =
        [ConnectionQuality::Excellent, ConnectionQuality::Good, ConnectionQuality::Poor, ConnectionQuality::Good];
    let expected: Vec<_> = expected.into_iter().map(|quality| (sid.clone(), quality)).collect();
    assert_eq!(qualities(&mut class, ada), expected);
    assert_eq!(qualities(&mut class, ben), expected);
    assert_eq!(qualities(&mut class, cyd), [], "who does not receive her does not hear of her network");

    class.connects_media(ben, Subscriber);
    assert_eq!(qualities(&mut class, ben), [(sid, ConnectionQuality::Good)], "who comes later is told what is known");
}

#[test]
fn who_begins_to_receive_somebody_is_told_how_their_network_is() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.connects_media(ben, Subscriber);
    let sid = class.me(ada).sid.clone();
    measures(&mut class, ada, Subscriber, 0.0, 20);
    assert_eq!(qualities(&mut class, ben), [], "he does not receive her yet");
    class.publishes(ada, microphone());
    assert_eq!(qualities(&mut class, ben), [(sid, ConnectionQuality::Excellent)]);
}

#[test]
fn a_picture_that_does_not_fit_is_told_to_its_receiver() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let picture = class.publishes(ada, camera());
    let ben = class.joins("ben");
    class.hears(ben);
    let track = class.key_of(ada, &picture);
    for paused in [true, false] {
        class.hand(Input::Media(sfu::Event::StreamPaused { conn: conn(ben), track, paused }));
    }
    class.hand(Input::Media(sfu::Event::StreamPaused { conn: conn(ada), track, paused: true }));
    let states: Vec<_> = class
        .hears(ben)
        .into_iter()
        .filter_map(|said| match said {
            Say::StreamStateUpdate(update) => Some(update.stream_states),
            _ => None,
        })
        .flatten()
        .collect();
    let sid = class.me(ada).sid.clone();
    assert!(states.iter().all(|state| state.track_sid == picture.0 && state.participant_sid == sid));
    let states: Vec<_> = states.iter().map(proto::StreamStateInfo::state).collect();
    assert_eq!(states, [StreamState::Paused, StreamState::Active]);
    assert!(!class.hears(ada).iter().any(|said| matches!(said, Say::StreamStateUpdate(_))));
}

#[test]
#[allow(deprecated)]
fn a_publisher_is_told_by_name_which_layers_are_wanted() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut low_and_high = camera();
    low_and_high.layers.retain(|layer| layer.quality() != proto::VideoQuality::Medium);
    let picture = class.publishes(ada, low_and_high);
    let track = class.key_of(ada, &picture);
    class.hears(ada);
    let mut told = |max_layer: Option<u8>| {
        class.hand(Input::Media(sfu::Event::LayersWanted { conn: conn(ada), track, max_layer }));
        let said = class.hears(ada);
        let [Say::SubscribedQualityUpdate(update)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(
            (update.track_sid.as_str(), update.subscribed_codecs[0].codec.as_str()),
            (picture.0.as_str(), "vp8")
        );
        assert_eq!(update.subscribed_codecs[0].qualities, update.subscribed_qualities);
        let enabled: Vec<_> = update.subscribed_qualities.iter().map(|quality| quality.enabled).collect();
        enabled
    };
    assert_eq!(told(Some(0)), [true, false, false]);
    assert_eq!(told(Some(1)), [true, true, true], "the second of two layers is the high one");
    assert_eq!(told(Some(9)), [true, true, true]);
    assert_eq!(told(None), [false, false, false]);
}
