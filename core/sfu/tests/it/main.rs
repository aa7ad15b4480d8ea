//! A shard and its clients in virtual time: real WebRTC peers on both ends, a network that takes 5 ms and can lose things.
//! Each test is a short story of what people in a class would notice.
#![allow(clippy::expect_used)]
#![allow(clippy::disallowed_methods)] // Somewhere the virtual clock has to begin.

mod browsers;
mod class;
mod lines;

use class::{Browser, Class, VideoTile};
use lyceum_sfu::{Event, Kind, Lane, Target};
use std::time::Duration;

#[test]
fn two_people_hear_and_see_each_other() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    let face = class.publishes_camera(ada);
    class.subscribes(ben, voice);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(3));

    assert!(class.received(ben, voice).len() > 100, "50 audio packets a second");
    assert!(class.received(ben, face).len() > 60, "30 frames a second");
    class.asserts_seamless(ben, voice);
    class.asserts_seamless(ben, face);
}

#[test]
fn the_layer_follows_the_tile_without_a_seam() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layer_seen(ben, face), Some(2));

    class.resizes(ben, face, VideoTile(160, 90));
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layer_seen(ben, face), Some(0));

    class.resizes(ben, face, VideoTile(640, 360));
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layer_seen(ben, face), Some(1));
    class.asserts_seamless(ben, face);
}

#[test]
fn whoever_watches_a_layer_that_stops_gets_the_best_that_is_left() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layer_seen(ben, face), Some(2));
    class.sends_layers(ada, face, 0..1);
    class.runs(Duration::from_secs(5));
    assert_eq!(class.layer_seen(ben, face), Some(0));
    class.sends_layers(ada, face, 0..3);
    class.runs(Duration::from_secs(10));
    assert_eq!(class.layer_seen(ben, face), Some(2));

    class.resizes(ben, face, VideoTile(160, 90));
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layer_seen(ben, face), Some(0));
    class.sends_layers(ada, face, 1..3);
    class.runs(Duration::from_secs(5));
    assert_eq!(class.layer_seen(ben, face), Some(1), "more than the tile needs, but there is no less");
    class.asserts_seamless(ben, face);
}

#[test]
fn a_mute_silences_at_once_and_an_unmute_continues_without_a_seam() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    class.subscribes(ben, voice);
    class.runs(Duration::from_secs(1));
    class.mutes(voice, true);
    let before = class.received(ben, voice).len();
    class.runs(Duration::from_secs(1));
    let in_flight = 1;
    assert!(class.received(ben, voice).len() <= before + in_flight);
    class.mutes(voice, false);
    class.runs(Duration::from_secs(1));
    assert!(class.received(ben, voice).len() > before + 40);
    class.asserts_seamless(ben, voice);
}

#[test]
fn lost_video_is_repaired_by_retransmission() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(1));
    class.loses_percent(5);
    class.runs(Duration::from_secs(5));
    class.loses_percent(0);
    class.runs(Duration::from_secs(1));
    let missing = class.missing(ben, face);
    let received = class.received(ben, face).len();
    assert!(missing * 100 < received, "{missing} of {received} are still missing");
}

#[test]
fn speakers_are_told_to_the_group() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    class.joins("ben");
    class.publishes_audio(ada);
    class.runs(Duration::from_secs(2));
    let spoke = class.events.iter().any(|event| match event {
        Event::Speakers { levels, .. } => levels.iter().any(|level| level.conn == ada && level.active),
        _ => false,
    });
    assert!(spoke);
}

#[test]
fn messages_arrive_on_their_channel() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    class.runs(Duration::from_secs(1));
    class.says(ada, Lane::Reliable, b"hello");
    class.runs(Duration::from_secs(1));
    let heard = class.events.iter().any(
        |event| matches!(event, Event::Data { conn, lane: Lane::Reliable, bytes } if *conn == ada && bytes == b"hello"),
    );
    assert!(heard, "the shard passes a client's message on");

    let many: Vec<Vec<u8>> = (0..100u8).map(|n| vec![n; 10_000]).collect();
    for message in &many {
        class.tells(ben, Lane::Reliable, message);
    }
    class.tells(ben, Lane::Lossy, b"cursor");
    class.runs(Duration::from_secs(5));
    assert_eq!(class.heard(ben, "_reliable"), many, "all of a megabyte, in order");
    assert_eq!(class.heard(ben, "_lossy"), vec![b"cursor".to_vec()]);
}

#[test]
fn a_receiver_that_does_not_keep_up_loses_messages_and_is_told_of() {
    let mut class = Class::begins();
    let ben = class.joins("ben");
    for _ in 0..400 {
        class.tells(ben, Lane::Reliable, &[0; 60_000]);
    }
    class.runs(Duration::from_millis(50));
    assert!(class.events.iter().any(|event| matches!(event, Event::DataDropped { conn, .. } if *conn == ben)));
}

#[test]
fn unpublishing_and_leaving_leave_nothing_behind() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    for _ in 0..3 {
        let face = class.publishes_camera(ada);
        class.subscribes(ben, face);
        class.runs(Duration::from_secs(1));
        assert!(!class.received(ben, face).is_empty());
        class.unpublishes(ada, face);
        class.runs(Duration::from_secs(1));
        assert!(class.events.iter().any(|event| matches!(event, Event::TrackEnded { track, .. } if *track == face)));
    }
    assert_eq!((class.shard.stats().tracks, class.shard.stats().subscriptions), (0, 0));
    assert!(class.lines_of(ben) <= 2, "freed m-lines are used again: {}", class.lines_of(ben));
    class.leaves(ada);
    class.leaves(ben);
    let left = class.shard.stats();
    assert_eq!((left.connections, left.addresses, left.timers), (0, 0, 0));
    assert_eq!(class.shard.poll_timeout(), None);
}

#[test]
fn a_silent_network_is_noticed() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    class.runs(Duration::from_secs(1));
    class.loses_percent(100);
    class.runs(Duration::from_secs(40));
    let gone = |target| {
        class
            .events
            .iter()
            .any(|event| matches!(event, Event::Disconnected { conn, target: of, .. } if *conn == ada && *of == target))
    };
    assert!(gone(Target::Publisher) && gone(Target::Subscriber));
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    class.subscribes(ben, voice);
    class.runs(Duration::from_secs(1));
    for sdp in ["", "v=0", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio x y z\r\n"] {
        class.offers_raw(ada, sdp);
    }
    for junk in [&b""[..], &[0xff; 1500], &[0x80; 12], &[22, 254, 253], &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]] {
        class.stranger_sends(junk);
    }
    let before = class.received(ben, voice).len();
    class.runs(Duration::from_secs(1));
    let refused = class.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 3);
    assert!(class.received(ben, voice).len() > before + 40, "the others go on");
}

#[test]
fn a_track_announced_after_its_offer_is_still_found() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let voice = class.publishes_late(ada, Kind::Audio, "same id");
    class.runs(Duration::from_secs(1));
    assert!(class.is_matched(voice));
    let renamed = class.publishes_renamed(ada, Kind::Video);
    class.runs(Duration::from_secs(1));
    assert!(class.is_matched(renamed), "by kind, after a moment");
}

#[test]
fn a_client_whose_network_changed_resumes_on_the_same_streams() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    let face = class.publishes_camera(ada);
    class.subscribes(ben, voice);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(1));
    for who in [ben, ada] {
        class.moves_to_another_network(who);
        class.runs(Duration::from_secs(1));
        let before = class.received(ben, voice).len();
        class.restarts_ice(who);
        class.runs(Duration::from_secs(2));
        assert!(class.received(ben, voice).len() > before + 50, "audio is back");
    }
    assert!(!class.events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
    let got = class.received(ben, face);
    assert!(got.first().is_some_and(|first| first.seq < 65_536) && got.last().is_some_and(|last| last.seq < 65_536));
    class.leaves(ada);
    class.leaves(ben);
    assert_eq!(class.shard.stats().addresses, 0);
}

#[test]
fn what_changed_while_a_client_was_lost_is_in_the_offer_with_which_it_resumes() {
    let mut class = Class::begins();
    let (ada, ben, cyd) = (class.joins("ada"), class.joins("ben"), class.joins("cyd"));
    let voice = class.publishes_audio(ada);
    let face = class.publishes_camera(ada);
    let other_face = class.publishes_camera(cyd);
    for track in [voice, face] {
        class.subscribes(ben, track);
    }
    class.runs(Duration::from_secs(1));
    class.unsubscribes(ben, face);
    class.runs(Duration::from_secs(1));

    class.loses_signalling(ben);
    class.moves_to_another_network(ben);
    class.subscribes(ben, other_face); // Would be on the line that is free.
    class.runs(Duration::from_secs(1));
    let other_voice = class.publishes_audio(cyd);
    class.subscribes(ben, other_voice);
    class.unsubscribes(ben, voice);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(1));
    class.restarts_ice(ben);
    class.runs(Duration::from_secs(3));

    let before: Vec<_> = [face, other_face, other_voice].map(|track| class.received(ben, track).len()).into();
    class.runs(Duration::from_secs(1));
    let after: Vec<_> = [face, other_face, other_voice].map(|track| class.received(ben, track).len()).into();
    assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} {after:?}");
    class.asserts_lines_go_on(ben);
    assert!(!class.events.iter().any(|event| matches!(event, Event::Disconnected { .. })));
    let last = class.offers_to(ben).pop().expect("an offer");
    assert!(last.lines.len() <= 5, "{}", last.lines.len());
}

#[test]
fn an_answer_that_was_lost_counts_when_its_client_resumes() {
    let mut class = Class::begins();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes_audio(ada);
    let face = class.publishes_camera(ada);
    class.runs(Duration::from_secs(1));
    class.loses_answers(ben);
    class.subscribes(ben, voice);
    class.runs(Duration::from_secs(1));
    class.subscribes(ben, face);
    assert!(class.received(ben, voice).is_empty());
    class.restarts_ice(ben);
    class.runs(Duration::from_secs(2));
    assert!(class.received(ben, voice).len() > 50 && class.received(ben, face).len() > 20);
    assert_eq!(class.lines_of(ben), 3);
}

#[test]
fn an_offer_made_since_a_client_resumed_is_not_lost_because_the_client_has_not_seen_it() {
    let mut class = Class::begins();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes_audio(ada);
    class.subscribes(ben, voice);
    class.runs(Duration::from_secs(1));
    class.moves_to_another_network(ben);
    class.runs(Duration::from_secs(1));
    let before = class.received(ben, voice).len();
    class.restarts_ice_before_it_says_what_it_has(ben);
    class.runs(Duration::from_secs(2));
    assert!(class.received(ben, voice).len() > before + 50, "audio is back");
}

#[test]
fn a_client_that_never_answers_is_gone_and_may_return() {
    let mut class = Class::begins();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes_audio(ada);
    class.runs(Duration::from_secs(1));
    class.loses_signalling(ben);
    class.subscribes(ben, voice);
    for _ in 0..2 {
        class.runs(Duration::from_secs(20));
        let gone = class.events.iter().filter(|event| matches!(event, Event::Disconnected { can_return: true, .. }));
        assert_eq!(gone.count(), 1, "told once");
    }
    class.restarts_ice(ben);
    class.runs(Duration::from_secs(2));
    assert!(!class.received(ben, voice).is_empty());
}

#[test]
fn whoever_looks_away_and_back_sees_again() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    for pause in [0, 10, 300] {
        class.subscribes(ben, face);
        class.runs(Duration::from_secs(1));
        let before = class.received(ben, face).len();
        class.runs(Duration::from_secs(1));
        assert!(class.received(ben, face).len() > before + 20, "after a pause of {pause} ms");
        class.unsubscribes(ben, face);
        class.runs(Duration::from_millis(pause));
    }
    assert!(class.lines_of(ben) <= 4, "the data channels, and one for each time at most: {}", class.lines_of(ben));
}

#[test]
fn on_a_narrow_link_voices_stay_and_the_picture_gives_way_and_returns() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    let face = class.publishes_camera(ada);
    class.subscribes(ben, voice);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(5));
    assert_eq!(class.layer_seen(ben, face), Some(2));

    class.narrows(ben, 100_000);
    class.runs(Duration::from_secs(5));
    let (before, pictures) = (class.received(ben, voice).len(), class.received(ben, face).len());
    class.runs(Duration::from_secs(20));
    let heard = class.received(ben, voice).split_off(before);
    let on_time = heard.iter().filter(|got| got.late <= Duration::from_millis(200)).count();
    assert!(on_time * 100 >= 20 * 50 * 97, "{on_time} of 1,000 audio packets were on time");
    assert!(class.is_paused(ben, face), "the pause is declared");
    assert!(class.received(ben, face).len() < pictures + 200, "the picture is paused, but for some trials");

    class.narrows(ben, 5_000_000);
    class.runs(Duration::from_secs(20));
    assert!(!class.is_paused(ben, face));
    assert_eq!(class.layer_seen(ben, face), Some(2), "the picture returns");
}

#[test]
fn a_publisher_hears_which_layers_are_wanted() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    class.runs(Duration::from_secs(1));
    assert_eq!(class.layers_wanted(face), Some(None), "nobody looks");
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(1));
    assert_eq!(class.layers_wanted(face), Some(Some(2)));
    class.resizes(ben, face, VideoTile(160, 90));
    class.runs(Duration::from_secs(4));
    assert_eq!(class.layers_wanted(face), Some(Some(2)), "not yet");
    class.runs(Duration::from_secs(2));
    assert_eq!(class.layers_wanted(face), Some(Some(0)));
}

#[test]
fn how_the_networks_do_is_told_for_both_directions() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let face = class.publishes_camera(ada);
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(6));
    let calm = class.events.len();
    class.loses_percent(30);
    class.runs(Duration::from_secs(15));
    let worst = |events: &[Event], conn, target| {
        let losses = events.iter().filter_map(|event| match event {
            Event::Network { conn: of, target: on, loss, .. } if (*of, *on) == (conn, target) => Some(*loss),
            _ => None,
        });
        losses.fold(0.0, f32::max)
    };
    // What retransmission repairs is not lost, so that less is told than the network loses.
    for (who, target) in [(ada, Target::Publisher), (ben, Target::Subscriber)] {
        assert_eq!(worst(&class.events[..calm], who, target), 0.0);
        assert!(worst(&class.events[calm..], who, target) > 0.01);
    }
}

#[test]
fn redundant_audio_is_passed_on_and_unwrapped_for_those_without_it() {
    let mut class = Class::begins();
    let ada = class.joins_with("ada", Browser::Chrome);
    let ben = class.joins_with("ben", Browser::Chrome);
    let old = class.joins_with("old", Browser::Plain);
    let voice = class.publishes_audio(ada);
    class.subscribes(ben, voice);
    class.subscribes(old, voice);
    class.runs(Duration::from_secs(2));
    for who in [ben, old] {
        assert!(class.received(who, voice).len() > 80);
        class.asserts_seamless(who, voice);
    }
    let bytes = |who| class.received(who, voice).last().map(|got| got.bytes);
    assert!(bytes(ben) > bytes(old), "{:?} with what is repeated, {:?} without", bytes(ben), bytes(old));
}
