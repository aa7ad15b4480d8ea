//! A class with somebody in it who means ill: it costs nobody but them.

use crate::media::assert_without_seam;
use crate::seeds;
use lyceum_sim::media::{Hostile, MediaWorld, Who};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// Seeds that gate.
const SEEDS: std::ops::Range<u64> = 1..8;
/// Seeds beyond those that found something once.
const FOUND: &[u64] = &[110];
/// Things that the hostile one does in a world.
const ACTS: usize = 60;

#[test]
fn whoever_means_ill_costs_only_themselves() {
    let (mut flooded, mut refused) = ((0, 0), (0, 0, 0));
    for seed in seeds(SEEDS, FOUND) {
        println!("seed {seed}");
        let world = world_of(seed);
        let (node, shard) = (world.node_stats(), world.stats());
        flooded = (flooded.0 + node.flooded_signals, flooded.1 + node.flooded_data);
        refused = (refused.0 + node.refused_signals, refused.1 + node.refused_data, refused.2 + shard.refused);
    }
    println!("flooded {flooded:?}, refused {refused:?}");
    assert!(flooded.0 > 0 && flooded.1 > 0, "what was too much is counted: {flooded:?}");
    assert!(refused.0 > 0 && refused.1 > 0 && refused.2 > 0, "what was refused is counted: {refused:?}");
}

/// A class of three with all their cameras and microphones on, and a hostile fourth.
fn world_of(seed: u64) -> MediaWorld {
    let mut world = MediaWorld::new(seed);
    let people = ["teacher", "ann", "bob"].map(|name| world.joins(name));
    let tracks = people.map(|who| [world.turns_camera_on(who), world.turns_microphone_on(who)]);
    world.runs(SECOND);

    let mut mallory = Hostile::joins(&mut world, seed);
    for _ in 0..ACTS {
        mallory.acts(&mut world);
        what_it_takes_is_bounded(&world);
    }
    // Their pictures share the way down to everybody.
    assert_media_flows(&mut world, &people, &tracks, 15);

    let deeds = mallory.is_gone(&mut world);
    assert!(deeds.signals > 0 && deeds.sockets > 1, "{deeds:?}");
    // Until nothing waits for them to come back.
    world.runs(22 * SECOND);
    assert_media_flows(&mut world, &people, &tracks, 29);
    for (who, name) in people.into_iter().zip(["teacher", "ann", "bob"]) {
        let others: Vec<String> = world.people_seen(who).into_iter().filter(|other| other != "mallory").collect();
        let expected: Vec<&str> = ["ann", "bob", "teacher"].into_iter().filter(|other| *other != name).collect();
        assert_eq!(others, expected, "seen by {name}");
        assert!(world.tracks_seen(who, "mallory").is_empty(), "seen by {name}");
    }
    let (node, shard) = (world.node_stats(), world.stats());
    assert_eq!((node.clients, node.tracks, node.views), (3, 6, 12));
    assert_eq!((shard.connections, shard.tracks, shard.subscriptions), (3, 6, 12));
    assert_eq!((shard.addresses, node.outstanding_bytes), (6, 0));
    world
}

/// Three people and somebody with 8 tracks, who may have a connection that waits for them and one that is open.
fn what_it_takes_is_bounded(world: &MediaWorld) {
    let (node, shard) = (world.node_stats(), world.stats());
    assert!(node.clients <= 4 && node.tracks <= 6 + 8 && node.views <= 4 * node.tracks, "{node:?}");
    assert!(node.outstanding_events < 64 && node.outstanding_bytes < 4 * 1024 * 1024, "{node:?}");
    assert!(shard.connections <= 4 && shard.tracks <= 6 + 8, "{shard:?}");
    assert!(shard.subscriptions <= 4 * shard.tracks && shard.addresses <= 4 * 16 && shard.timers <= 4 * 2, "{shard:?}");
}

/// Everybody has everybody's picture and sound up to this moment, without a seam since it began.
fn assert_media_flows(world: &mut MediaWorld, people: &[Who], tracks: &[[String; 2]], pictures: usize) {
    let counts = |world: &MediaWorld| -> Vec<usize> {
        let seen = people.iter().flat_map(|who| tracks.iter().flatten().map(|track| world.received(*who, track).len()));
        seen.collect()
    };
    let before = counts(world);
    world.runs(SECOND);
    let after = counts(world);
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        let (who, of, is_voice) = (index / 6, index % 6 / 2, index % 2 == 1);
        if who != of {
            let least = if is_voice { 49 } else { pictures };
            assert!(
                after - before >= least,
                "{who} has {} packets of {of} in a second (voice: {is_voice})",
                after - before
            );
            assert_without_seam(&world.received(people[who], &tracks[of][index % 2]));
        }
    }
}
