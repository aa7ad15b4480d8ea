//! Who may receive what, what somebody chose to receive, and how many messages a rush of people takes.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::ClientId;
use lyceum_session as session;
use proto::request_response::Reason;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use session::{Fact, TrackId};

fn permit(all: bool, people: &[(&str, &[&TrackId])]) -> Ask {
    let track_permissions = people.iter().map(|(person, tracks)| proto::TrackPermission {
        participant_identity: (*person).to_owned(),
        all_tracks: tracks.is_empty(),
        track_sids: tracks.iter().map(|track| track.0.clone()).collect(),
        ..Default::default()
    });
    let track_permissions = track_permissions.collect();
    Ask::SubscriptionPermission(proto::SubscriptionPermission { all_participants: all, track_permissions })
}

fn subscription(track: &TrackId, subscribe: bool) -> Ask {
    let track_sids = vec![track.0.clone()];
    Ask::Subscription(proto::UpdateSubscription { track_sids, subscribe, ..Default::default() })
}

fn allowed(said: &[Say]) -> Vec<(String, bool)> {
    let permissions = said.iter().filter_map(|said| match said {
        Say::SubscriptionPermissionUpdate(update) => Some((update.track_sid.clone(), update.allowed)),
        _ => None,
    });
    permissions.collect()
}

#[test]
fn only_those_whom_a_publisher_names_receive_their_tracks() {
    let mut class = Class::new();
    let [ada, ben, cyd] = ["ada", "ben", "cyd"].map(|name| class.joins(name));
    let voice = class.publishes(ada, microphone());
    let face = class.publishes(ada, camera());
    class.nobody_listens_to_the_past();

    class.says(ada, permit(false, &[("ben", &[]), ("cyd", &[&voice])]));
    assert!(class.hears(ben).is_empty(), "nothing changes for him");
    assert_eq!(allowed(&class.hears(cyd)), [(face.0.clone(), false)]);
    let ended = class.media().filter(|command| matches!(command, lyceum_sfu::Command::Unsubscribe { .. })).count();
    assert_eq!(ended, 1);

    class.says(cyd, subscription(&face, true));
    assert_eq!(allowed(&class.hears(cyd)), [(face.0.clone(), false)], "who asks is told");
    let dee = class.joins("dee");
    assert_eq!(allowed(&class.hears(dee)), [(face.0.clone(), false), (voice.0.clone(), false)].sorted());
    assert!(class.receives(dee).is_empty());

    class.nobody_listens_to_the_past();
    class.says(ada, permit(true, &[]));
    for (client, expected) in [(cyd, vec![&face]), (dee, vec![&face, &voice])] {
        let mut told = allowed(&class.hears(client));
        told.sort();
        let mut expected: Vec<_> = expected.into_iter().map(|track| (track.0.clone(), true)).collect();
        expected.sort();
        assert_eq!(told, expected);
    }
    assert_eq!(class.receives(cyd).len() + class.receives(dee).len(), 3);
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<T: Ord, const N: usize> Sorted for [T; N] {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}

#[test]
fn what_is_not_wanted_does_not_begin_with_a_permission() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes(ada, microphone());
    class.says(ben, subscription(&voice, false));
    class.says(ada, permit(false, &[]));
    class.says(ada, permit(true, &[]));
    assert!(class.receives(ben).is_empty());
}

#[test]
fn a_publisher_says_more_of_a_track_and_everybody_hears_it() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes(ada, microphone());
    let face = class.publishes(ada, camera());
    let features = vec![proto::AudioTrackFeature::TfNoiseSuppression.into()];
    let update = proto::UpdateLocalAudioTrack { track_sid: voice.0.clone(), features: features.clone() };
    class.says(ada, Ask::UpdateAudioTrack(update.clone()));
    let update_video = proto::UpdateLocalVideoTrack { track_sid: face.0.clone(), width: 640, height: 480 };
    class.says(ada, Ask::UpdateVideoTrack(update_video));
    let seen = class.sees(ben, "ada").expect("ada");
    let track = |sid: &TrackId| seen.tracks.iter().find(|track| track.sid == sid.0).expect("a track");
    assert_eq!(track(&voice).audio_features, features);
    assert_eq!((track(&face).width, track(&face).height), (640, 480));

    class.nobody_listens_to_the_past();
    class.says(ada, Ask::UpdateAudioTrack(update.clone()));
    assert!(class.facts().is_empty(), "nothing changed");
    class.says(ben, Ask::UpdateAudioTrack(update));
    let refused = class.hears(ben).into_iter().find_map(|said| match said {
        Say::RequestResponse(response) => Some(response.reason()),
        _ => None,
    });
    assert_eq!(refused, Some(Reason::NotAllowed));
}

fn choices(class: &Class) -> usize {
    class.facts().iter().filter(|fact| matches!(fact, Fact::SubscriptionChosen { .. })).count()
}

#[test]
fn a_choice_holds_for_the_return_even_after_the_server_was_killed() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes(ada, microphone());
    let face = class.publishes(ada, camera());
    class.says(ben, subscription(&face, false));
    class.says(ben, subscription(&voice, false));
    class.says(ben, subscription(&voice, true));
    class.time_passes_for(&[ada, ben], 3_000);
    assert_eq!(choices(&class), 1, "written down together");

    let last_seen = class.now;
    let mut class = class.after_a_crash(last_seen);
    let ben = class.joins("ben");
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let face = class.publishes(ada, camera());
    assert_eq!(class.receives(ben), [voice.0].into());

    class.stops(ada, &face);
    let face = class.publishes(ada, camera());
    assert!(class.receives(ben).contains(&face.0), "a camera that begins anew is chosen anew");
}

#[test]
fn a_choice_is_kept_by_those_who_join_without_receiving_everything() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut careful = join("ben");
    careful.auto_subscribe = false;
    let ben = class.joins_as(careful.clone());
    let voice = class.publishes(ada, microphone());
    class.publishes(ada, camera());
    class.says(ben, subscription(&voice, true));
    class.loses_network(ben);
    let ben = class.joins_as(careful);
    assert_eq!(class.receives(ben), [voice.0].into(), "though the loss came within the second");
}

#[test]
fn what_somebody_had_muted_is_known_when_they_return() {
    let mut class = Class::new();
    let (ada, _ben) = (class.joins("ada"), class.joins("ben"));
    let voice = class.publishes(ada, microphone());
    class.mutes(ada, &voice, true);
    class.loses_network(ada);
    let last_seen = class.now;
    let mut class = class.after_a_crash(last_seen);
    let ada = class.joins("ada");
    let Say::Join(join) = class.hears(ada).remove(0) else { panic!("first") };
    assert_eq!(join.participant.expect("herself").attributes["lyceum.muted"], "microphone");
}

fn updates(said: &[Say]) -> usize {
    said.iter().filter(|said| matches!(said, Say::Update(_))).count()
}

#[test]
fn a_rush_of_people_is_told_in_few_messages_and_a_publisher_at_once() {
    let mut class = Class::with(|config| config.limits.large_class = 10);
    let ada = class.joins("ada");
    let early: Vec<ClientId> = (0..20).map(|n| class.joins(&format!("early {n}"))).collect();
    class.time_passes(1_000);
    class.hears(ada);
    let late: Vec<ClientId> = (0..50).map(|n| class.joins_and_connects(&format!("late {n}"))).collect();
    assert_eq!(updates(&class.hears(ada)), 0, "they wait for each other");
    class.time_passes(400);
    assert_eq!(updates(&class.hears(ada)), 1);
    assert_eq!(class.me(ada).others.len(), 70);
    assert_eq!(class.me(early[3]).others.len(), 70);
    assert_eq!(class.me(late[7]).others.len(), 70);

    let short = class.joins("short");
    class.leaves(short);
    class.time_passes(400);
    assert!(class.sees(ada, "short").is_none());
    let cyd = class.joins("cyd");
    class.publishes(cyd, microphone());
    assert_eq!(class.sees(ada, "cyd").expect("at once").tracks.len(), 1);
}
