//! One person with several devices: what each connection carries, which gives way to which, and what is left when one goes.

use crate::class::*;
use lyceum_session::class::{ClassCommand, Devices, PolicyPatch};
use lyceum_session::*;

fn state_of(person: &str, connection: &str, device: &str) -> Command {
    let client = Client { lane: Lane::State, device: device.to_owned(), ..Client::default() };
    let (person, profile, connection) = (person.into(), profile(person), connection.into());
    Command::Attach { person, profile, connection, client, space: None }
}

fn devices(class: &mut Class, devices: Devices) {
    let patch = PolicyPatch { devices: Some(devices), ..PolicyPatch::default() };
    class.must(Command::Class(ClassCommand::PolicySet { patch }));
}

fn open(class: &Class, person: &str) -> Vec<String> {
    class.state.participants[&person.into()].connections.keys().map(|id| id.0.clone()).collect()
}

fn presence(class: &Class, person: &str) -> Presence {
    class.state.participants[&person.into()].presence
}

#[test]
fn media_and_state_stand_side_by_side_and_either_keeps_the_person_online() {
    let mut class = Class::starts_with(patient());
    class.must(state_of("ann", "S1", "tab"));
    class.arrives("ann", "M1");
    assert_eq!(open(&class, "ann"), ["M1", "S1"]);
    class.publishes("ann", "M1", "T1", Source::Microphone);

    class.loses_network("M1", class.now);
    assert_eq!(presence(&class, "ann"), Presence::Online);
    let lost = class.state.participants[&"ann".into()].lost.as_ref();
    assert_eq!(lost.map(|lost| lost.id.0.as_str()), Some("M1"), "media can still be resumed");
    assert!(class.state.tracks.contains_key(&"T1".into()));

    class.wait(WINDOW_MS);
    assert!(class.state.tracks.is_empty(), "nobody took it up");
    assert_eq!(presence(&class, "ann"), Presence::Online);
    class.wait(10 * GRACE_MS);
    assert_eq!(presence(&class, "ann"), Presence::Online);

    class.loses_network("S1", class.now);
    assert!(matches!(presence(&class, "ann"), Presence::Reconnecting { .. }));
    assert_eq!(class.state.participants[&"ann".into()].lost, None, "a state socket has nothing to take up");
}

#[test]
fn media_of_another_device_takes_over_and_leaves_the_state_alone() {
    let mut class = Class::starts();
    class.arrives("ann", "M1");
    class.must(state_of("ann", "S1", "tab"));
    class.must(state_of("ann", "S2", "phone"));
    class.arrives("ann", "M2");
    assert_eq!(open(&class, "ann"), ["M2", "S1", "S2"]);
}

#[test]
fn a_device_that_returns_takes_its_own_place() {
    let mut class = Class::starts();
    class.must(state_of("ann", "S1", "tab"));
    class.must(state_of("ann", "S2", "phone"));
    class.must(state_of("ann", "S3", "tab"));
    assert_eq!(open(&class, "ann"), ["S2", "S3"]);
    class.must(state_of("ann", "S4", ""));
    class.must(state_of("ann", "S5", ""));
    assert_eq!(open(&class, "ann"), ["S2", "S3", "S4", "S5"], "without a name each is another");
}

#[test]
fn the_oldest_of_too_many_gives_way() {
    let mut class = Class::starts();
    for n in 1..=8 {
        class.now = class.now.plus(1);
        class.must(state_of("ann", &format!("S{n}"), ""));
    }
    assert_eq!(open(&class, "ann").len(), 8);
    class.must(state_of("ann", "S9", ""));
    assert_eq!(open(&class, "ann"), ["S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"]);
}

#[test]
fn a_room_may_allow_one_device_the_newest_or_the_oldest() {
    let mut class = Class::starts();
    class.must(state_of("ann", "S1", "tab"));
    devices(&mut class, Devices::Takeover);
    class.must(state_of("ann", "S2", "phone"));
    assert_eq!(open(&class, "ann"), ["S2"]);

    devices(&mut class, Devices::RejectNew);
    let refused = class.does(state_of("ann", "S3", "tab"));
    assert!(matches!(refused, Err(Reject::Conflict(_))), "{refused:?}");
    class.must(state_of("ann", "S4", "phone"));
    assert_eq!(open(&class, "ann"), ["S4"], "the same device comes back");
    class.arrives("ann", "M1");
    assert!(matches!(class.does(attach("ann", profile("ann"), "M2")), Err(Reject::Conflict(_))));
}

#[test]
fn who_leaves_with_the_last_connection_gives_up_lost_media_too() {
    let mut class = Class::starts_with(patient());
    class.must(state_of("ann", "S1", "tab"));
    class.arrives("ann", "M1");
    class.publishes("ann", "M1", "T1", Source::Microphone);
    class.loses_network("M1", class.now);
    class.leaves("S1");
    assert_eq!(presence(&class, "ann"), Presence::Left);
    assert!(class.state.tracks.is_empty());
    assert_eq!(class.state.participants[&"ann".into()].lost, None);
}

#[test]
fn leaving_on_one_of_two_connections_is_not_leaving_the_class() {
    let mut class = Class::starts();
    class.must(state_of("ann", "S1", "tab"));
    class.arrives("ann", "M1");
    class.leaves("M1");
    assert_eq!(presence(&class, "ann"), Presence::Online);
    class.leaves("S1");
    assert_eq!(presence(&class, "ann"), Presence::Left);
}
