//! Who receives what, and how large.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input};
use lyceum_sfu as sfu;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use proto::{SubscriptionError, VideoQuality};

fn wants(class: &mut Class, client: ClientId, sids: &[&str], subscribe: bool) {
    let track_sids = sids.iter().map(|sid| (*sid).to_owned()).collect();
    class.says(client, Ask::Subscription(proto::UpdateSubscription { track_sids, subscribe, ..Default::default() }));
}

fn sets(class: &mut Class, client: ClientId, sid: &str, settings: proto::UpdateTrackSettings) {
    class.says(client, Ask::TrackSetting(proto::UpdateTrackSettings { track_sids: vec![sid.to_owned()], ..settings }));
}

fn choosy(name: &str) -> lyceum_node::Join {
    lyceum_node::Join { auto_subscribe: false, ..join(name) }
}

#[test]
fn who_does_not_subscribe_by_themselves_chooses() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let (voice, picture) = (class.publishes(ada, microphone()), class.publishes(ada, camera()));
    let ben = class.joins_as(choosy("ben"));
    assert!(class.receives(ben).is_empty());

    wants(&mut class, ben, &[&voice.0], true);
    assert_eq!(class.receives(ben).into_iter().collect::<Vec<_>>(), std::slice::from_ref(&voice.0));
    let participant_tracks =
        vec![proto::ParticipantTracks { participant_sid: String::new(), track_sids: vec![picture.0.clone()] }];
    class.says(
        ben,
        Ask::Subscription(proto::UpdateSubscription { participant_tracks, subscribe: true, ..Default::default() }),
    );
    assert_eq!(class.receives(ben).len(), 2);
    wants(&mut class, ben, &[&voice.0], true);
    let subscriptions = class.media().filter(|command| matches!(command, sfu::Command::Subscribe { .. })).count();
    assert_eq!(subscriptions, 2, "what is received already is not subscribed again");
    wants(&mut class, ben, &[&voice.0, &picture.0], false);
    assert!(class.receives(ben).is_empty());
}

#[test]
fn what_was_unsubscribed_stays_so_while_new_tracks_come() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let ben = class.joins("ben");
    wants(&mut class, ben, &[&voice.0], false);
    let picture = class.publishes(ada, camera());
    assert_eq!(class.receives(ben).into_iter().collect::<Vec<_>>(), [picture.0]);
}

#[test]
fn a_track_that_does_not_exist_cannot_be_received() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let own = class.publishes(ada, microphone());
    class.hears(ada);
    wants(&mut class, ada, &["TR_none", &own.0], true);
    let failed: Vec<_> = class
        .hears(ada)
        .into_iter()
        .map(|said| match said {
            Say::SubscriptionResponse(response) => (response.err(), response.track_sid),
            other => panic!("a subscription response, not {other:?}"),
        })
        .collect();
    let not_found = SubscriptionError::SeTrackNotfound;
    assert_eq!(failed, [(not_found, "TR_none".to_owned()), (not_found, own.0)]);
}

#[test]
fn without_the_right_to_subscribe_nothing_is_received() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let mut deaf = join("ben");
    deaf.profile.permission.can_subscribe = false;
    let ben = class.joins_as(deaf);
    class.hears(ben);
    wants(&mut class, ben, &[&voice.0], true);
    assert!(class.receives(ben).is_empty());
    let said = class.hears(ben);
    let Some(Say::SubscriptionPermissionUpdate(update)) = said.first() else { panic!("{said:?}") };
    assert_eq!((update.track_sid.as_str(), update.allowed), (voice.0.as_str(), false));
    assert_eq!(update.participant_sid, class.me(ada).sid);
}

#[test]
fn a_client_that_reports_sizes_gets_no_video_until_it_has() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let picture = class.publishes(ada, camera());
    let ben = class.joins_as(lyceum_node::Join { adaptive_stream: true, ..join("ben") });
    assert_eq!(class.last_wish(ben), Some(sfu::Wish { enabled: false, ..Default::default() }));
    let size = proto::UpdateTrackSettings { width: 640, height: 360, ..Default::default() };
    sets(&mut class, ben, &picture.0, size);
    assert_eq!(class.last_wish(ben), Some(sfu::Wish { enabled: true, width: 640, height: 360, max_layer: None }));
    let hidden = proto::UpdateTrackSettings { disabled: true, width: 640, height: 360, ..Default::default() };
    sets(&mut class, ben, &picture.0, hidden);
    assert!(!class.last_wish(ben).expect("a wish").enabled);

    let voice = class.publishes(ada, microphone());
    assert!(class.last_wish(ben).expect("a wish").enabled, "voices are never paused");
    let _ = voice;
}

#[test]
fn a_named_quality_picks_a_layer_by_its_name_and_a_size_wins_over_it() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let mut two_layers = camera();
    two_layers.layers.retain(|layer| layer.quality() != VideoQuality::Medium);
    let picture = class.publishes(ada, two_layers);
    let ben = class.joins("ben");
    let mut layer_for = |quality: VideoQuality, size: u32| {
        let settings =
            proto::UpdateTrackSettings { quality: quality.into(), width: size, height: size, ..Default::default() };
        sets(&mut class, ben, &picture.0, settings);
        let wish = class.last_wish(ben).expect("a wish");
        (wish.enabled, wish.max_layer)
    };
    assert_eq!(layer_for(VideoQuality::Low, 0), (true, Some(0)));
    assert_eq!(layer_for(VideoQuality::Medium, 0), (true, Some(0)), "the publisher has low and high");
    assert_eq!(layer_for(VideoQuality::High, 0), (true, None));
    assert_eq!(layer_for(VideoQuality::Off, 0), (false, None));
    assert_eq!(layer_for(VideoQuality::Low, 300), (true, None));
}

#[test]
fn a_setting_made_before_a_subscription_holds_in_it() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let picture = class.publishes(ada, camera());
    let ben = class.joins_as(choosy("ben"));
    let low = proto::UpdateTrackSettings { quality: VideoQuality::Low.into(), ..Default::default() };
    sets(&mut class, ben, &picture.0, low);
    assert_eq!(class.last_wish(ben), None);
    wants(&mut class, ben, &[&picture.0], true);
    assert_eq!(class.last_wish(ben).expect("a wish").max_layer, Some(0));
}

#[test]
fn subscriptions_have_a_limit() {
    let mut class = Class::with(|config| config.limits.subscriptions = 1);
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let picture = class.publishes(ada, camera());
    let ben = class.joins_as(choosy("ben"));
    class.hears(ben);
    wants(&mut class, ben, &[&voice.0, &picture.0], true);
    assert_eq!(class.receives(ben).into_iter().collect::<Vec<_>>(), std::slice::from_ref(&voice.0));
    assert!(
        class.hears(ben).iter().any(|said| matches!(said, Say::SubscriptionResponse(r) if r.track_sid == picture.0))
    );
    wants(&mut class, ben, &[&voice.0], false);
    wants(&mut class, ben, &[&picture.0], true);
    assert_eq!(class.receives(ben).into_iter().collect::<Vec<_>>(), [picture.0]);
}

#[test]
fn an_offer_for_what_is_received_names_the_tracks() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let ben = class.joins("ben");
    let mids = vec![("2".to_owned(), class.key_of(ada, &voice)), ("3".to_owned(), sfu::TrackKey(999))];
    class.hand(Input::Media(sfu::Event::SubscriberOffer {
        conn: conn(ben),
        offer_id: 6,
        sdp: "v=0".to_owned(),
        mids,
        restarts_ice: false,
    }));
    let said = class.hears(ben);
    let offer = said.iter().find_map(|said| match said {
        Say::Offer(offer) => Some(offer),
        _ => None,
    });
    let offer = offer.expect("an offer");
    assert_eq!((offer.r#type.as_str(), offer.id), ("offer", 6));
    assert_eq!(offer.mid_to_track_id, [("2".to_owned(), voice.0)].into());

    class.says(ben, Ask::Answer(proto::SessionDescription { sdp: "v=0".to_owned(), id: 6, ..Default::default() }));
    let passed = sfu::Command::SubscriberAnswer { conn: conn(ben), offer_id: 6, sdp: "v=0".to_owned() };
    assert!(class.media().any(|command| *command == passed));
}

#[test]
fn speakers_are_told_to_themselves_and_to_those_who_receive_them() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.publishes(ada, microphone());
    let (ben, cyd) = (class.joins("ben"), class.joins_as(choosy("cyd")));
    for client in [ada, ben, cyd] {
        class.hears(client);
    }
    let levels = vec![
        sfu::SpeakerLevel { conn: conn(ada), level: 0.5, active: true },
        sfu::SpeakerLevel { conn: sfu::ConnKey(999), level: 1.0, active: true },
    ];
    class.hand(Input::Media(sfu::Event::Speakers { group: sfu::GroupKey(5), levels }));
    let sid = class.me(ada).sid.clone();
    for client in [ada, ben] {
        let said = class.hears(client);
        let [Say::SpeakersChanged(changed)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(changed.speakers, [proto::SpeakerInfo { sid: sid.clone(), level: 0.5, active: true }]);
    }
    assert!(class.hears(cyd).is_empty());
}

#[test]
fn who_begins_to_hear_somebody_is_told_that_they_are_speaking() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let voice = class.publishes(ada, microphone());
    let speaks = |class: &mut Class, active| {
        let levels = vec![sfu::SpeakerLevel { conn: conn(ada), level: 0.5, active }];
        class.hand(Input::Media(sfu::Event::Speakers { group: sfu::GroupKey(5), levels }));
    };
    let speaking = |said: Vec<Say>| {
        said.into_iter()
            .filter_map(|said| match said {
                Say::SpeakersChanged(changed) => Some(changed.speakers),
                _ => None,
            })
            .flatten()
            .map(|speaker| (speaker.sid, speaker.level, speaker.active))
            .collect::<Vec<_>>()
    };
    speaks(&mut class, true);
    let sid = class.me(ada).sid.clone();
    let (ben, cyd) = (class.joins("ben"), class.joins_as(choosy("cyd")));
    for client in [ben, cyd] {
        assert_eq!(speaking(class.hears(client)), []);
        class.connects_media(client, sfu::Target::Subscriber);
    }
    assert_eq!(speaking(class.hears(ben)), [(sid.clone(), 0.5, true)]);
    assert_eq!(speaking(class.hears(cyd)), []);
    wants(&mut class, cyd, &[&voice.0], true);
    assert_eq!(speaking(class.hears(cyd)), [(sid, 0.5, true)]);

    speaks(&mut class, false);
    let dan = class.joins("dan");
    class.connects_media(dan, sfu::Target::Subscriber);
    assert_eq!(speaking(class.hears(dan)), []);
}

#[test]
fn candidates_matter_only_with_full_ice() {
    let mut class = Class::new();
    let lite = class.joins("ada");
    let full = class.joins_as(lyceum_node::Join { full_ice: true, ..join("ben") });
    let trickle = |candidate: &str| {
        let candidate_init = format!(r#"{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0}}"#);
        Ask::Trickle(proto::TrickleRequest { candidate_init, target: 1, ..Default::default() })
    };
    class.says(lite, trickle("candidate:1"));
    class.says(full, trickle("candidate:2"));
    class.says(full, trickle(""));
    let passed: Vec<_> =
        class.media().filter(|command| matches!(command, sfu::Command::RemoteCandidate { .. })).collect();
    let (conn, target, candidate) = (conn(full), sfu::Target::Subscriber, "candidate:2".to_owned());
    assert_eq!(passed, [&sfu::Command::RemoteCandidate { conn, target, candidate }]);

    class.hears(full);
    for malformed in ["{", "[]", &format!(r#"{{"candidate":"{}"}}"#, "x".repeat(5_000))] {
        let candidate_init = malformed.to_owned();
        class.says(full, Ask::Trickle(proto::TrickleRequest { candidate_init, ..Default::default() }));
        assert_eq!(class.hears(full).len(), 1, "an answer to {malformed:.20}");
    }
}
