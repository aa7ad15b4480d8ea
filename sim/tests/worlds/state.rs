//! Worlds that are about state.

use crate::seeds;
use livekit_protocol::{DisconnectReason, TrackSource};
use lyceum_session::{Policy, Presence};
use lyceum_sim::state::{Tab, World, random};
use std::collections::BTreeMap;

/// Seeds that gate.
const SEEDS: std::ops::Range<u64> = 1..61;
/// Seeds beyond those that found something once.
const FOUND: &[u64] = &[];

#[test]
fn in_every_seeded_world_everybody_agrees_and_nothing_told_is_lost() {
    for seed in seeds(SEEDS, FOUND) {
        println!("seed {seed}");
        random::world_of(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_world_line_by_line() {
    for seed in [1, 2, 3] {
        let (first, second) = (random::world_of(seed), random::world_of(seed));
        let differs = first.trace().iter().zip(second.trace()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.trace().len(), second.trace().len(), "seed {seed}");
        assert!(first.trace().len() > 500, "seed {seed}: a world in which little happens shows little");
    }
}

#[test]
fn a_learner_whose_socket_is_gone_is_seen_reconnecting_and_comes_back_with_the_camera() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.publishes(class.tabs["ann"], TrackSource::Camera, false);
    class.world.settles();
    let ann_before = class.sid("ann");

    class.world.vanishes(class.tabs["ann"]);
    class.until(|class| class.world.sees_reconnecting(class.tabs["teacher"], "ann") == Some(true));
    assert_eq!(class.world.sees(class.tabs["teacher"]).roster["ann"].tracks.len(), 1, "her camera waits for her");

    class.world.joins(class.tabs["ann"]);
    class.world.settles();
    assert_eq!(class.world.sees_reconnecting(class.tabs["teacher"], "ann"), Some(false));
    assert_eq!(class.sid("ann"), ann_before, "she goes on where she was");
    assert_eq!(class.log_has("track.published"), 1);
    assert_eq!(class.world.sees(class.tabs["teacher"]).receives.len(), 1);

    class.world.vanishes(class.tabs["ann"]);
    class.world.runs_for(World::policy().resume_window_ms + 1_000);
    assert_eq!(class.world.sees_reconnecting(class.tabs["teacher"], "ann"), Some(true));
    assert!(class.world.sees(class.tabs["teacher"]).roster["ann"].tracks.is_empty(), "it does not wait for ever");
    class.world.joins(class.tabs["ann"]);
    class.world.settles();
    assert_ne!(class.sid("ann"), ann_before);
    assert_eq!(class.world.sees(class.tabs["teacher"]).receives.len(), 1);
}

#[test]
fn whoever_does_not_come_back_is_gone_after_the_grace_but_keeps_the_name() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.renames_to(class.tabs["ann"], "Ann B.");
    class.world.settles();
    class.world.vanishes(class.tabs["ann"]);
    class.world.runs_for(World::policy().presence_grace_ms - 1_000);
    assert_eq!(class.world.sees_reconnecting(class.tabs["teacher"], "ann"), Some(true));
    class.world.runs_for(2_000);
    assert_eq!(class.world.sees_reconnecting(class.tabs["teacher"], "ann"), None);

    class.world.joins(class.tabs["ann"]);
    class.world.settles();
    assert_eq!(class.world.sees(class.tabs["teacher"]).roster["ann"].name, "Ann B.");
    assert_eq!(class.log_has("participant.admitted"), 2, "the seat was kept");
}

#[test]
fn a_computer_that_is_switched_off_is_noticed_by_its_silence() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.runs_for(10_000);
    let off_at = class.world.now();
    class.world.falls_silent(class.tabs["ann"]);
    class.until(|class| class.world.sees_reconnecting(class.tabs["teacher"], "ann") == Some(true));
    let Presence::Reconnecting { last_seen, .. } = class.world.class().participants[&"ann".into()].presence else {
        panic!("ann is reconnecting")
    };
    assert!(last_seen <= off_at && last_seen.plus(6_000) >= off_at, "not counted for the time of the silence");
}

#[test]
fn the_server_is_killed_in_the_middle_of_a_class_and_the_same_class_goes_on() {
    let mut class = Class::of(&["teacher", "ann", "bob"]);
    for person in ["teacher", "ann", "bob"] {
        class.world.publishes(class.tabs[person], TrackSource::Microphone, person != "teacher");
    }
    class.world.renames_to(class.tabs["bob"], "Bob C.");
    class.world.settles();

    class.world.crashes(3_000);
    class.world.settles();

    assert_eq!(class.world.sessions(), 1);
    assert_eq!(class.log_has("session.recovered"), 1);
    assert_eq!(class.log_has("participant.admitted"), 3, "nobody had to be admitted again");
    for person in ["teacher", "ann", "bob"] {
        assert_eq!(class.world.sees(class.tabs[person]).receives.len(), 2, "{person}");
    }
    assert_eq!(class.world.sees(class.tabs["ann"]).roster["bob"].name, "Bob C.");
    let muted = class.world.class().tracks.values().filter(|track| track.muted).count();
    assert_eq!(muted, 2, "who was muted is muted");
}

#[test]
fn who_does_not_return_after_a_crash_was_here_until_the_server_was_last_known_to_run() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.runs_for(20_000);
    let killed_at = class.world.now();
    class.world.vanishes(class.tabs["ann"]);
    class.world.crashes(30_000);
    class.world.runs_for(World::policy().presence_grace_ms + 40_000);
    let ann = &class.world.class().participants[&"ann".into()];
    let Presence::Offline { last_seen } = ann.presence else { panic!("ann is {:?}", ann.presence) };
    assert!(last_seen <= killed_at && last_seen.plus(5_000) >= killed_at, "{last_seen:?} and {killed_at:?}");
}

#[test]
fn a_second_tab_takes_over_and_the_first_one_is_told_why() {
    let mut class = Class::of(&["teacher", "ann"]);
    let second = class.world.tab("ann");
    class.world.joins(second);
    class.world.settles();
    let first = class.world.sees(class.tabs["ann"]);
    assert_eq!(first.sent_away, [DisconnectReason::DuplicateIdentity]);
    assert!(first.socket.is_none() && !first.wants_in);
    assert_eq!(class.world.sees(class.tabs["teacher"]).roster.len(), 1, "one row for one person");
}

#[test]
fn a_removed_learner_is_told_and_gone() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.publishes(class.tabs["ann"], TrackSource::Camera, false);
    class.world.settles();
    class.world.is_removed("ann");
    class.world.settles();
    assert_eq!(class.world.sees(class.tabs["ann"]).sent_away, [DisconnectReason::ParticipantRemoved]);
    assert!(class.world.sees(class.tabs["teacher"]).roster.is_empty());
    assert!(class.world.sees(class.tabs["teacher"]).receives.is_empty());
}

#[test]
fn ones_own_mute_acts_at_once_though_the_disk_is_slow() {
    let mut class = Class::of(&["teacher", "ann"]);
    let microphone = class.world.publishes(class.tabs["ann"], TrackSource::Microphone, false);
    class.world.settles();
    class.world.slows_disk_to(2_000);
    class.world.mutes(class.tabs["ann"], &microphone, true);
    class.world.runs_for(200);
    assert_eq!(class.world.media_holds_back(&microphone), Some(true));
    let seen_muted = |class: &Class| class.world.sees(class.tabs["teacher"]).roster["ann"].tracks.values().all(|m| *m);
    assert!(!seen_muted(&class), "the others are told when it is on disk");
    class.world.settles();
    assert!(seen_muted(&class));
}

#[test]
fn a_message_reaches_the_others_and_only_them() {
    let mut class = Class::of(&["teacher", "ann", "bob"]);
    class.world.says(class.tabs["ann"], "good morning");
    class.world.settles();
    assert_eq!(class.world.sees(class.tabs["teacher"]).heard, ["good morning"]);
    assert_eq!(class.world.sees(class.tabs["bob"]).heard, ["good morning"]);
    assert!(class.world.sees(class.tabs["ann"]).heard.is_empty());
}

#[test]
fn a_hidden_observer_sees_the_class_and_is_not_seen() {
    let mut class = Class::of(&["teacher", "ann", "observer"]);
    class.world.publishes(class.tabs["ann"], TrackSource::Camera, false);
    class.world.settles();
    assert_eq!(class.world.sees(class.tabs["observer"]).roster.len(), 2);
    assert_eq!(class.world.sees(class.tabs["observer"]).receives.len(), 1);
    assert!(!class.world.sees(class.tabs["ann"]).roster.contains_key("observer"));
}

#[test]
fn a_full_class_lets_somebody_in_when_a_place_is_free() {
    let policy = Policy { max_participants: 2, ..World::policy() };
    let mut class = Class::with(policy, &["teacher", "ann"]);
    let bob = class.world.tab("bob");
    class.world.joins(bob);
    class.world.runs_for(10_000);
    assert!(class.world.sees(bob).sid.is_none());
    class.world.leaves(class.tabs["ann"]);
    class.world.settles();
    assert!(class.world.sees(bob).sid.is_some());
}

#[test]
fn when_the_disk_refuses_everybody_is_sent_to_come_back_and_the_class_goes_on() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.store_fails();
    class.world.renames_to(class.tabs["ann"], "Ann B.");
    class.world.settles();
    assert_eq!(
        class.world.sees(class.tabs["teacher"]).roster["ann"].name,
        "ANN",
        "what was not stored has not happened"
    );
    assert_eq!(class.world.sees(class.tabs["ann"]).sent_away, [DisconnectReason::ServerShutdown]);
    assert_eq!(class.world.sessions(), 1);
}

#[test]
fn a_warned_server_sends_everybody_back_and_loses_nobody() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.shuts_down(2_000);
    class.world.settles();
    for person in ["teacher", "ann"] {
        assert_eq!(class.world.sees(class.tabs[person]).sent_away, [DisconnectReason::ServerShutdown]);
    }
    assert_eq!(class.log_has("session.recovered"), 0, "everything was closed before the server stopped");
    assert_eq!(class.log_has("session.started"), 1);
}

#[test]
fn an_ended_class_sends_everybody_home_and_the_next_one_is_new() {
    let mut class = Class::of(&["teacher", "ann"]);
    class.world.is_ended();
    class.world.runs_for(5_000);
    assert!(class.world.class().ended);
    assert_eq!(class.world.sees(class.tabs["ann"]).sent_away, [DisconnectReason::RoomDeleted]);
    class.world.joins(class.tabs["ann"]);
    class.world.settles();
    assert_eq!(class.world.sessions(), 2);
    assert!(class.world.sees(class.tabs["ann"]).roster.is_empty());
}

#[test]
fn five_hundred_joins_and_leaves_leave_nothing_behind() {
    let mut class = Class::of(&["teacher"]);
    class.world.settles();
    let before = class.world.open_things();
    for round in 0..100 {
        let tabs: Vec<Tab> = (0..5).map(|number| class.world.tab(&format!("learner {number}"))).collect();
        for tab in &tabs {
            class.world.joins(*tab);
            class.world.publishes(*tab, TrackSource::Camera, false);
        }
        class.world.runs_for(1_000);
        for (number, tab) in tabs.iter().enumerate() {
            match (round + number) % 3 {
                0 => class.world.vanishes(*tab),
                1 => class.world.loses_socket(*tab),
                _ => {}
            }
            class.world.leaves(*tab);
        }
        class.world.runs_for(2_500);
    }
    class.world.runs_for(World::policy().resume_window_ms);
    class.world.settles();
    assert_eq!(class.world.open_things(), before);
    assert_eq!(class.log_has("connection.attached"), 501);
}

/// A class whose people have joined.
struct Class {
    world: World,
    tabs: BTreeMap<String, Tab>,
}

impl Class {
    fn of(people: &[&str]) -> Self {
        Self::with(World::policy(), people)
    }

    fn with(policy: Policy, people: &[&str]) -> Self {
        let mut world = World::new(7, policy);
        let tabs: BTreeMap<String, Tab> =
            people.iter().map(|person| ((*person).to_owned(), world.tab(person))).collect();
        tabs.values().for_each(|tab| world.joins(*tab));
        world.settles();
        Self { world, tabs }
    }

    fn sid(&self, person: &str) -> String {
        self.world.sees(self.tabs[person]).sid.clone().expect("in the class")
    }

    /// Lets the world go on until something is so.
    fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..600 {
            if holds(self) {
                return;
            }
            self.world.runs_for(100);
        }
        panic!("it did not happen within a minute");
    }

    fn log_has(&self, kind: &str) -> usize {
        let kind_of = |event| serde_json::to_value(event).expect("an event is JSON")["type"].clone();
        self.world.log().iter().filter(|event| kind_of(*event) == kind).count()
    }
}
