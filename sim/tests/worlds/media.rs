//! Worlds that are about media.

use lyceum_sim::media::{Got, MediaWorld, Quality, SIZES};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn three_people_see_and_hear_one_another() {
    let mut world = MediaWorld::new(1);
    let people = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    let faces = people.map(|who| world.turns_camera_on(who));
    let voices = people.map(|who| world.turns_microphone_on(who));
    world.runs(3 * SECOND);
    for (index, who) in people.into_iter().enumerate() {
        for other in (0..people.len()).filter(|other| *other != index) {
            let (face, voice) = (world.received(who, &faces[other]), world.received(who, &voices[other]));
            assert!(face.len() > 80 && voice.len() > 140, "{index} of {other}: {} {}", face.len(), voice.len());
            assert_without_seam(&face);
            assert_without_seam(&voice);
        }
        assert!(world.received(who, &faces[index]).is_empty(), "nobody is sent their own face");
    }
}

#[test]
fn on_a_fair_line_lost_video_is_repaired_and_the_picture_goes_on() {
    let mut world = MediaWorld::new(2);
    let [teacher, ann, bob] = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    let face = world.turns_camera_on(teacher);
    world.runs(SECOND);
    world.connection_is(ann, Quality::FAIR);
    let before = world.received(ann, &face).len();
    world.runs(10 * SECOND);
    world.connection_is(ann, Quality::GOOD);
    world.runs(SECOND);

    let got = world.received(ann, &face);
    assert!(got.len() - before > 250, "the picture goes on: {} frames", got.len() - before);
    let missing = missing(&got);
    assert!(missing * 100 < got.len(), "of {} packets {missing} were lost for good", got.len());
    assert_without_seam(&world.received(bob, &face));
}

#[test]
fn on_a_bad_line_voices_go_on_and_the_picture_is_back_when_the_line_is_good() {
    let mut world = MediaWorld::new(10);
    let [teacher, ann, bob] = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    let (face, voice) = (world.turns_camera_on(teacher), world.turns_microphone_on(teacher));
    world.runs(SECOND);
    world.connection_is(ann, Quality::BAD);
    let before = world.received(ann, &voice).len();
    world.runs(10 * SECOND);
    let heard = world.received(ann, &voice).len() - before;
    assert!(heard > 450, "at least nine of ten of 500 packets are heard: {heard}");

    world.connection_is(ann, Quality::GOOD);
    world.runs(30 * SECOND);
    let got = world.received(ann, &face);
    world.runs(SECOND);
    assert!(world.received(ann, &face).len() > got.len() + 20, "the picture is back");
    let missing = missing(&got);
    assert!(missing * 100 < got.len(), "of {} packets {missing} were lost for good", got.len());
    assert_without_seam(&world.received(bob, &face));
}

#[test]
fn a_publisher_on_a_bad_line_is_repaired_for_everybody() {
    let mut world = MediaWorld::new(3);
    let [teacher, ann] = ["teacher", "ann"].map(|name| world.joins(name));
    let face = world.turns_camera_on(teacher);
    world.runs(SECOND);
    world.connection_is(teacher, Quality::BAD);
    world.runs(10 * SECOND);
    world.connection_is(teacher, Quality::GOOD);
    world.runs(SECOND);
    let got = world.received(ann, &face);
    let missing = missing(&got);
    assert!(got.len() > 300 && missing * 50 < got.len(), "of {} packets {missing} never came", got.len());
}

#[test]
fn the_layer_follows_the_tile_and_the_receiver_sees_no_seam() {
    let mut world = MediaWorld::new(4);
    let [teacher, ann] = ["teacher", "ann"].map(|name| world.joins(name));
    let face = world.turns_camera_on(teacher);
    world.runs(2 * SECOND);
    for (layer, size) in [(0, SIZES[0]), (2, SIZES[2]), (1, SIZES[1]), (2, SIZES[2]), (0, (100, 60))] {
        world.resizes(ann, &face, size);
        world.runs(2 * SECOND);
        assert_eq!(world.received(ann, &face).last().map(|got| got.layer), Some(layer), "for a tile of {size:?}");
    }
    assert_without_seam(&world.received(ann, &face));
}

#[test]
fn a_muted_microphone_is_silent_and_comes_back_without_a_seam() {
    let mut world = MediaWorld::new(5);
    let [teacher, ann] = ["teacher", "ann"].map(|name| world.joins(name));
    let voice = world.turns_microphone_on(teacher);
    world.runs(2 * SECOND);
    world.mutes(teacher, "microphone", true);
    world.runs(SECOND / 10);
    let before = world.received(ann, &voice).len();
    world.runs(2 * SECOND);
    assert_eq!(world.received(ann, &voice).len(), before);
    world.mutes(teacher, "microphone", false);
    world.runs(SECOND);
    let after = world.received(ann, &voice);
    assert!(after.len() > before + 40);
    assert_without_seam(&after);
}

#[test]
fn who_loses_the_network_is_seen_reconnecting_and_is_back_with_picture_and_sound() {
    let mut world = MediaWorld::new(6);
    let [teacher, ann, bob] = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    let teacher_face = world.turns_camera_on(teacher);
    world.turns_camera_on(ann);
    world.runs(SECOND);

    world.connection_is(ann, Quality::CUT);
    let noticed = (0..40).find(|_| {
        world.runs(SECOND);
        world.sees_reconnecting(teacher, "ann") == Some(true)
    });
    assert!(noticed.is_some(), "the silence of ann's media is noticed");
    assert_eq!(world.tracks_seen(teacher, "ann").len(), 1, "her camera waits for her");
    assert_without_seam(&world.received(bob, &teacher_face));

    world.connection_is(ann, Quality::GOOD);
    world.reloads(ann);
    world.runs(2 * SECOND);
    assert_eq!(world.sees_reconnecting(teacher, "ann"), Some(false));
    let [face] = &world.tracks_seen(teacher, "ann")[..] else { panic!("ann's camera is back") };
    assert!(world.received(teacher, face).len() > 30);
    let seen_by_ann = world.received(ann, &teacher_face).len();
    world.runs(SECOND);
    assert!(world.received(ann, &teacher_face).len() > seen_by_ann + 20);
}

#[test]
fn after_the_server_was_killed_picture_and_sound_are_back_by_themselves() {
    let mut world = MediaWorld::new(7);
    let people = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    for who in people {
        world.turns_camera_on(who);
        world.turns_microphone_on(who);
    }
    world.runs(SECOND);
    world.server_is_killed();
    world.runs(5 * SECOND);
    for (who, other) in [(people[0], "ann"), (people[1], "bob"), (people[2], "teacher")] {
        let tracks = world.tracks_seen(who, other);
        assert_eq!(tracks.len(), 2, "{other}");
        assert!(tracks.iter().all(|track| world.received(who, track).len() > 60), "media of {other} flows");
    }
}

#[test]
fn a_message_crosses_a_bad_line_once() {
    let mut world = MediaWorld::new(8);
    let [teacher, ann, bob] = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    world.runs(SECOND);
    world.connection_is(ann, Quality::BAD);
    let said: Vec<String> = (0..20).map(|number| format!("message {number}")).collect();
    for text in &said {
        world.says(teacher, text);
        world.runs(SECOND / 10);
    }
    world.runs(5 * SECOND);
    assert_eq!(world.heard(ann), said, "all of them, in order, once");
    assert_eq!(world.heard(bob), said);
    assert!(world.heard(teacher).is_empty());
}

#[test]
fn who_comes_and_goes_with_camera_and_microphone_leaves_nothing_in_the_shard() {
    let mut world = MediaWorld::new(9);
    let teacher = world.joins("teacher");
    world.turns_camera_on(teacher);
    let ann = world.joins("ann");
    for round in 0..4 {
        world.turns_camera_on(ann);
        world.turns_microphone_on(ann);
        match round % 3 {
            0 => world.turns_off(ann, "camera"),
            1 => world.reloads(ann),
            _ => world.runs(SECOND),
        }
        world.turns_off(ann, "camera");
        world.turns_off(ann, "microphone");
        world.runs(SECOND);
    }
    assert_eq!((world.stats().connections, world.stats().tracks, world.stats().subscriptions), (2, 1, 1));
    world.leaves(ann);
    world.leaves(teacher);
    world.runs(SECOND);
    let left = world.stats();
    assert_eq!((left.connections, left.tracks, left.subscriptions, left.addresses, left.timers), (0, 0, 0, 0, 0));
}

/// As the receiver sees it: every number is there, once and in order, and time goes forwards.
pub(crate) fn assert_without_seam(got: &[Got]) {
    assert!(!got.is_empty(), "nothing was received");
    for pair in got.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq + 1, "{pair:?}");
        let step = pair[1].ts.wrapping_sub(pair[0].ts);
        assert!(step > 0 && step < 90_000 * 5, "the time of {pair:?}");
    }
}

/// How many numbers between the first and the last never came.
fn missing(got: &[Got]) -> usize {
    let seqs: std::collections::BTreeSet<u64> = got.iter().map(|got| got.seq).collect();
    let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else { return 0 };
    (last - first + 1) as usize - seqs.len()
}
