//! Changing one's own name, metadata and attributes.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Join};
use proto::UpdateParticipantMetadata as Update;
use proto::request_response::Reason;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;

fn attributes(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn updates(class: &mut Class, client: ClientId, update: Update) -> Option<(u32, Reason)> {
    class.hears(client);
    class.says(client, Ask::UpdateMetadata(update));
    class.hears(client).into_iter().find_map(|said| match said {
        Say::RequestResponse(response) => Some((response.request_id, response.reason())),
        _ => None,
    })
}

#[test]
fn a_change_is_answered_and_seen_by_everybody_and_in_the_next_token() {
    let mut class = Class::new();
    let mut first = join("ada");
    first.profile.attributes.insert("seat".to_owned(), "1".into());
    first.profile.attributes.insert("team".to_owned(), "red".into());
    let (ada, ben) = (class.joins_as(first), class.joins("ben"));
    class.nobody_listens_to_the_past();
    let update = Update {
        name: "Ada L.".to_owned(),
        metadata: "likes chess".to_owned(),
        attributes: attributes(&[("seat", "2"), ("team", ""), ("hand", "up")]),
        request_id: 9,
    };
    class.says(ada, Ask::UpdateMetadata(update));

    let seen = class.sees(ben, "ada").expect("ada");
    assert_eq!((seen.name.as_str(), seen.metadata.as_str()), ("Ada L.", "likes chess"));
    let expected = attributes(&[("seat", "2"), ("hand", "up"), ("lyceum.role", "learner")]);
    assert_eq!(seen.attributes, expected);
    let said = class.hears(ada);
    assert!(said.iter().any(|said| matches!(said, Say::Update(update) if update.participants[0].name == "Ada L.")));
    assert!(
        said.iter()
            .any(|said| matches!(said, Say::RequestResponse(r) if r.request_id == 9 && r.reason() == Reason::Ok))
    );
    assert!(
        class
            .place(|entry| matches!(entry, Entry::Token(to, profile) if *to == ada && profile.name.0 == "Ada L."))
            .is_some()
    );
}

#[test]
fn what_is_left_empty_stays_as_it_was() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    updates(&mut class, ada, Update { metadata: "m".to_owned(), request_id: 1, ..Default::default() });
    let answer =
        updates(&mut class, ada, Update { attributes: attributes(&[("k", "v")]), request_id: 2, ..Default::default() });
    assert_eq!(answer, Some((2, Reason::Ok)));
    let seen = class.sees(ben, "ada").expect("ada");
    assert_eq!((seen.name.as_str(), seen.metadata.as_str(), seen.attributes["k"].as_str()), ("ada", "m", "v"));
    let before = seq_of(&class);
    assert_eq!(updates(&mut class, ada, Update { request_id: 3, ..Default::default() }), Some((3, Reason::Ok)));
    assert_eq!(seq_of(&class), before, "no change is no event");
}

#[test]
fn without_the_right_to_it_a_change_is_refused() {
    let mut class = Class::new();
    let mut fixed = join("ada");
    fixed.profile.permission.can_update_metadata = false;
    let ada = class.joins_as(fixed);
    let answer = updates(&mut class, ada, Update { name: "x".to_owned(), request_id: 4, ..Default::default() });
    assert_eq!(answer, Some((4, Reason::NotAllowed)));
}

#[test]
fn the_servers_own_attributes_cannot_be_changed() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let forged =
        Update { attributes: attributes(&[("lyceum.role", "instructor")]), request_id: 5, ..Default::default() };
    assert_eq!(updates(&mut class, ada, forged), Some((5, Reason::NotAllowed)));
    assert_eq!(class.sees(ben, "ada").expect("ada").attributes["lyceum.role"], "learner");
}

#[test]
fn sizes_have_limits() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let cases = [
        Update { name: "x".repeat(257), ..Default::default() },
        Update { metadata: "x".repeat(512 * 1024 + 1), ..Default::default() },
        Update { attributes: attributes(&[("key", &"x".repeat(64 * 1024))]), ..Default::default() },
    ];
    for update in cases {
        assert_eq!(updates(&mut class, ada, update), Some((0, Reason::LimitExceeded)));
    }
    // Attributes count together with those that are there already.
    let half = "x".repeat(40 * 1024);
    let first = Update { attributes: attributes(&[("a", &half)]), ..Default::default() };
    assert_eq!(updates(&mut class, ada, first), Some((0, Reason::Ok)));
    let second = Update { attributes: attributes(&[("b", &half)]), ..Default::default() };
    assert_eq!(updates(&mut class, ada, second), Some((0, Reason::LimitExceeded)));
}

#[test]
fn success_is_told_only_to_clients_that_expect_it_and_nothing_to_those_that_break() {
    let mut class = Class::new();
    let of_protocol = |name: &str, sdk: &str, protocol: i32| {
        let mut old = join(name);
        old.client.sdk = sdk.to_owned();
        old.client.protocol = protocol;
        old
    };
    let old: Join = of_protocol("ada", "js", 14);
    let ada = class.joins_as(old);
    assert_eq!(updates(&mut class, ada, Update { name: "x".to_owned(), ..Default::default() }), None);
    let long = Update { name: "x".repeat(300), ..Default::default() };
    assert_eq!(updates(&mut class, ada, long.clone()), Some((0, Reason::LimitExceeded)));
    let ben = class.joins_as(of_protocol("ben", "rust", 9));
    assert_eq!(updates(&mut class, ben, long), None);
}
