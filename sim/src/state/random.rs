//! A seed's own story: people with tabs do what comes to their minds, networks fail, the server is killed; from time to time
//! everything settles and everybody must agree. At the end all go home.

use super::{Tab, World};
use livekit_protocol::TrackSource;
use lyceum_session::Policy;

/// Runs the world of a seed to its end and returns it.
pub fn world_of(seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let policy = Policy {
        presence_grace_ms: rng.u64(5_000..40_000),
        departure_timeout_ms: rng.u64(60_000..200_000),
        max_tracks_per_connection: 16,
        resume_window_ms: if rng.u8(0..4) == 0 { 0 } else { rng.u64(1..30_000) },
        ..World::policy()
    };
    let mut world = World::new(seed, policy);
    if rng.u8(0..4) == 0 {
        world.disk_latency_ms = 1..400;
    }
    let people = ["teacher", "ann", "bob", "cem", "observer"];
    let mut tabs: Vec<Tab> = people.iter().map(|person| world.tab(person)).collect();
    tabs.push(world.tab("ann"));
    tabs.push(world.tab("teacher"));
    for _ in 0..4 {
        for _ in 0..rng.usize(5..25) {
            world.does_something(&mut rng, &tabs);
            let pause_ms = if rng.u8(0..5) == 0 { rng.u64(0..8_000) } else { rng.u64(0..300) };
            world.runs_for(pause_ms);
        }
        world.settles();
    }
    for tab in tabs {
        world.leaves(tab);
    }
    world.settles();
    world.runs_for(400_000);
    assert!(world.node.is_none(), "an empty class does not end");
    world.nothing_is_left_open();
    world
}

impl World {
    fn does_something(&mut self, rng: &mut fastrand::Rng, tabs: &[Tab]) {
        let tab = tabs[rng.usize(..tabs.len())];
        let person = self.sees(tab).person.clone();
        match rng.u8(0..100) {
            0..26 => self.takes_over(tab),
            26..30 => self.moves_somebody(rng),
            30..45 => {
                let sources = [TrackSource::Camera, TrackSource::Microphone, TrackSource::ScreenShare];
                let source = sources[rng.usize(..sources.len())];
                if self.sees(tab).tracks.len() < 3 {
                    self.publishes(tab, source, rng.bool());
                }
            }
            45..60 => {
                if let Some(cid) = self.some_track(rng, tab) {
                    self.mutes(tab, &cid, rng.bool());
                }
            }
            60..66 => {
                if let Some(cid) = self.some_track(rng, tab) {
                    self.unpublishes(tab, &cid);
                }
            }
            66..72 => self.renames_to(tab, &format!("{person} {}", rng.u8(..))),
            72..76 => self.leaves(tab),
            76..78 => self.vanishes(tab),
            78..84 => self.loses_socket(tab),
            84..86 => self.loses_network(tab),
            86..87 => self.falls_silent(tab),
            87..88 => self.sets_clock_ahead(rng.i64(-10_000..10_000)),
            88..90 => self.is_removed(&person),
            90..94 => self.crashes(rng.u64(1..8_000)),
            94..96 => self.shuts_down(rng.u64(1_000..8_000)),
            96..97 => self.is_ended(),
            97..98 => self.store_fails(),
            _ => self.says(tab, "hello"),
        }
    }

    /// Whoever of these is in the class: a move that names somebody else is refused.
    fn moves_somebody(&mut self, rng: &mut fastrand::Rng) {
        let people = ["teacher", "ann", "bob", "cem", "observer"];
        let is_in = |person: &str| self.tabs.iter().any(|tab| tab.person == person && tab.sid.is_some());
        let moved: Vec<&str> = people.into_iter().filter(|person| is_in(person) && rng.bool()).collect();
        self.are_moved(&moved, ["main", "group 1", "group 2"][rng.usize(..3)]);
    }

    /// Joins with this tab; the person's other tabs are given up, as a person would do.
    fn takes_over(&mut self, tab: Tab) {
        let person = self.sees(tab).person.clone();
        for (index, other) in self.tabs.iter_mut().enumerate() {
            if other.person == person && index != tab.0 {
                other.wants_in = false;
            }
        }
        self.joins(tab);
    }

    fn some_track(&self, rng: &mut fastrand::Rng, tab: Tab) -> Option<String> {
        let tracks = &self.sees(tab).tracks;
        (!tracks.is_empty()).then(|| tracks[rng.usize(..tracks.len())].cid.clone())
    }
}
