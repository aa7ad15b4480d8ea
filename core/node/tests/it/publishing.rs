//! A track from its announcement to its end.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::Input;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::request_response::{Reason, Request};
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use session::{Fact, TrackId, UnpublishReason};

fn answer(said: &[Say]) -> Option<(Reason, Option<Request>)> {
    said.iter().find_map(|said| match said {
        Say::RequestResponse(response) => Some((response.reason(), response.request.clone())),
        _ => None,
    })
}

fn track_published(said: &[Say]) -> Option<proto::TrackInfo> {
    said.iter().find_map(|said| match said {
        Say::TrackPublished(response) => response.track.clone(),
        _ => None,
    })
}

fn expected(class: &Class) -> sfu::TrackSpec {
    let spec = class.media().find_map(|command| match command {
        sfu::Command::ExpectTrack { spec, .. } => Some(spec.clone()),
        _ => None,
    });
    spec.expect("a track is expected")
}

#[test]
#[allow(deprecated)]
fn an_announced_camera_is_accepted_at_once_and_seen_when_the_offer_has_it() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.announces(ada, camera()).expect("accepted");

    let info = track_published(&class.hears(ada)).expect("track info");
    assert!(info.sid.starts_with("TR_"));
    assert_eq!((info.width, info.height, info.simulcast, info.muted), (1_280, 720, true, false));
    assert_eq!((info.source(), info.r#type()), (proto::TrackSource::Camera, proto::TrackType::Video));
    assert_eq!(info.mime_type, "video/VP8");
    assert_eq!((info.codecs[0].mime_type.as_str(), info.codecs[0].cid.as_str()), ("video/VP8", "cam-0"));
    let qualities: Vec<_> = info.layers.iter().map(|layer| (layer.quality, layer.width)).collect();
    assert_eq!(qualities, [(0, 320), (1, 640), (2, 1_280)], "sorted by quality");
    let spec = expected(&class);
    assert_eq!(spec.cids, ["cam-0", "cam-0"]);
    assert_eq!((spec.kind, spec.codec), (sfu::Kind::Video, Some(sfu::Codec::Vp8)));
    assert_eq!(spec.layers[0], sfu::LayerSpec { width: 320, height: 180 });
    assert!(class.sees(ben, "ada").expect("ada").tracks.is_empty());
    assert!(class.facts().iter().all(|fact| !matches!(fact, Fact::TrackPublished { .. })));

    class.matches(ada, &track, "video/H264", 3);
    let seen = &class.sees(ben, "ada").expect("ada").tracks[0];
    assert_eq!((seen.sid.as_str(), seen.mime_type.as_str(), seen.mid.as_str()), (track.0.as_str(), "video/H264", "0"));
    assert!(class.sees(ben, "ada").expect("ada").is_publisher);
    assert!(class.receives(ben).contains(&track.0));
    assert!(class.receives(ada).is_empty());
}

#[test]
fn everybody_hears_of_a_track_before_anybody_receives_it() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.nobody_listens_to_the_past();
    let track = class.publishes(ada, microphone());
    let with_track = |said: &Say| matches!(said, Say::Update(update) if update.participants[0].tracks.iter().any(|known| known.sid == track.0));
    let update = class.place(|entry| told(entry, ben, with_track)).expect("an update");
    let subscribed = class
        .place(|entry| matches!(entry, Entry::Media(sfu::Command::Subscribe { conn: c, .. }) if *c == conn(ben)))
        .expect("a subscription");
    assert!(update < subscribed);
    let sid = class.me(ada).sid.clone();
    let streams = class.media().find_map(|command| match command {
        sfu::Command::Subscribe { stream_id, track_id, .. } => Some((stream_id.clone(), track_id.clone())),
        _ => None,
    });
    assert_eq!(streams, Some((format!("{sid}|{track}"), track.0.clone())));
    assert!(
        class.hears(ada).iter().any(|said| matches!(said, Say::TrackSubscribed(news) if news.track_sid == track.0))
    );
}

#[test]
fn a_track_that_starts_muted_is_published_without_a_packet() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, proto::AddTrackRequest { muted: true, ..microphone() });
    assert!(expected(&class).muted);
    assert!(class.sees(ben, "ada").expect("ada").tracks[0].muted);
    assert!(class.receives(ben).contains(&track.0));
}

#[test]
fn a_mute_before_the_offer_counts() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.announces(ada, microphone()).expect("accepted");
    class.mutes(ada, &track, true);
    assert!(class.media().any(|command| matches!(command, sfu::Command::MuteTrack { muted: true, .. })));
    class.matches(ada, &track, "audio/opus", 1);
    assert!(class.sees(ben, "ada").expect("ada").tracks[0].muted);
    let muted_later = class.facts().iter().any(|fact| matches!(fact, Fact::TrackMuted { .. }));
    assert!(!muted_later, "it was never seen unmuted");
}

#[test]
fn ones_own_mute_acts_at_once_and_the_news_waits_for_the_disk() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, microphone());
    class.disk_is_slow();
    class.mutes(ada, &track, true);
    assert!(class.media().any(|command| matches!(command, sfu::Command::MuteTrack { muted: true, .. })));
    assert!(!class.sees(ben, "ada").expect("ada").tracks[0].muted);
    class.disk_catches_up();
    assert!(class.sees(ben, "ada").expect("ada").tracks[0].muted);

    class.mutes(ada, &track, true);
    class.mutes(ada, &track, false);
    class.disk_catches_up();
    assert!(!class.sees(ben, "ada").expect("ada").tracks[0].muted);
    let news = class.facts().into_iter().filter(|fact| matches!(fact, Fact::TrackMuted { .. })).count();
    assert_eq!(news, 1, "muting twice is one event");
}

#[test]
fn somebody_elses_track_cannot_be_muted() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, microphone());
    class.nobody_listens_to_the_past();
    class.mutes(ben, &track, true);
    let (reason, request) = answer(&class.hears(ben)).expect("an answer");
    assert_eq!(reason, Reason::NotAllowed);
    assert!(matches!(request, Some(Request::Mute(mute)) if mute.sid == track.0));
    class.mutes(ben, &TrackId("TR_none".to_owned()), true);
    assert_eq!(answer(&class.hears(ben)).expect("an answer").0, Reason::NotFound);
    assert!(class.hears(ada).is_empty());
    assert!(class.media().next().is_none());
}

#[test]
fn a_track_that_its_publisher_takes_out_of_the_offer_is_gone() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, microphone());
    class.stops(ada, &track);
    assert!(class.sees(ben, "ada").expect("ada").tracks.is_empty());
    let key = class.key_of(ada, &track);
    assert!(class.media().any(|command| *command == sfu::Command::DropTrack { track: key }));
    assert!(
        class
            .facts()
            .iter()
            .any(|fact| matches!(fact, Fact::TrackUnpublished { reason: UnpublishReason::Stopped, .. }))
    );
    assert_eq!(class.node.stats().tracks, 0);
}

#[test]
fn a_track_that_ends_before_it_was_published_leaves_no_trace() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let track = class.announces(ada, microphone()).expect("accepted");
    let before = seq_of(&class);
    class.stops(ada, &track);
    assert_eq!((seq_of(&class), class.node.stats().tracks), (before, 0));
}

#[test]
fn nobody_can_end_or_match_the_track_of_another() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, microphone());
    let announced = class.announces(ada, camera()).expect("accepted");
    let (of_ada, pending) = (class.key_of(ada, &track), class.key_of(ada, &announced));
    let before = seq_of(&class);
    class.hand(Input::Media(sfu::Event::TrackEnded { conn: conn(ben), track: of_ada }));
    let mid = "9".to_owned();
    class.hand(Input::Media(sfu::Event::TrackMatched {
        conn: conn(ben),
        track: pending,
        mid,
        mime_type: "video/VP8",
        layers: 1,
    }));
    assert_eq!(seq_of(&class), before);
}

#[test]
fn without_the_right_to_publish_an_announcement_is_refused_with_a_copy_of_it() {
    let mut class = Class::new();
    let mut quiet = join("ada");
    quiet.profile.permission.can_publish = false;
    let ada = class.joins_as(quiet);
    assert!(class.hears(ada).iter().any(|said| matches!(said, Say::Join(join) if !join.fast_publish)));
    assert_eq!(class.announces(ada, microphone()), None);
    let (reason, request) = answer(&class.hears(ada)).expect("an answer");
    assert_eq!(reason, Reason::NotAllowed);
    assert!(matches!(request, Some(Request::AddTrack(request)) if request == microphone()));
    assert!(!class.me(ada).gone, "a refusal never ejects");
}

#[test]
fn sources_that_are_named_are_the_only_ones_that_may_be_published() {
    let mut class = Class::new();
    let mut voice_only = join("ada");
    voice_only.profile.permission.can_publish = false;
    voice_only.profile.permission.can_publish_sources = vec![session::Source::Microphone];
    let ada = class.joins_as(voice_only);
    assert!(class.hears(ada).iter().any(|said| matches!(said, Say::Join(join) if join.fast_publish)));
    assert_eq!(class.announces(ada, camera()), None);
    assert!(class.announces(ada, microphone()).is_some());
}

#[test]
fn announced_tracks_count_against_the_limit_until_they_are_stale() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let numbered = |number: usize| proto::AddTrackRequest { cid: format!("mic-{number}"), ..microphone() };
    for number in 0..4 {
        assert!(class.announces(ada, numbered(number)).is_some());
    }
    class.hears(ada);
    assert_eq!(class.announces(ada, numbered(4)), None);
    assert_eq!(answer(&class.hears(ada)).expect("an answer").0, Reason::LimitExceeded);
    for _ in 0..7 {
        class.time_passes(4_500);
        class.says(ada, Ask::Ping(0));
    }
    assert!(class.announces(ada, numbered(4)).is_some());
    assert_eq!(class.node.stats().tracks, 1);
}

#[test]
fn an_announcement_that_is_repeated_is_the_same_track() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let first = class.announces(ada, microphone());
    assert!(first.is_some());
    assert_eq!(class.announces(ada, microphone()), first);
    assert_eq!(class.media().filter(|command| matches!(command, sfu::Command::ExpectTrack { .. })).count(), 1);
}

#[test]
fn a_microphone_that_is_stopped_and_started_again_is_a_new_track() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let first = class.publishes(ada, microphone());
    // The browser's id of the track is the same, and the announcement overtakes the offer that ends the first.
    let second = class.announces(ada, microphone()).expect("accepted");
    assert_ne!(first, second);
    class.stops(ada, &first);
    class.matches(ada, &second, "audio/opus", 1);
    let seen: Vec<_> = class.sees(ben, "ada").expect("ada").tracks.iter().map(|track| track.sid.clone()).collect();
    assert_eq!(seen, [second.0]);
}

#[test]
fn a_codec_that_is_not_enabled_is_replaced() {
    let mut class = Class::with(|config| config.codecs = vec![sfu::Codec::Opus, sfu::Codec::H264]);
    let ada = class.joins("ada");
    let mut request = camera();
    request.simulcast_codecs[0].codec = "av1".to_owned();
    class.announces(ada, request).expect("accepted");
    let info = track_published(&class.hears(ada)).expect("track info");
    assert_eq!(info.codecs[0].mime_type, "video/H264");
}

#[test]
fn a_codec_that_is_not_named_is_left_to_the_offer() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.announces(ada, proto::AddTrackRequest { simulcast_codecs: Vec::new(), ..camera() });
    let info = track_published(&class.hears(ada)).expect("track info");
    assert_eq!((expected(&class).codec, info.mime_type.as_str()), (None, ""));
    class.matches(ada, &track.expect("accepted"), "video/H264", 3);
    assert_eq!(class.sees(ben, "ada").expect("ada").tracks[0].mime_type, "video/H264");
    class.announces(ada, microphone());
    let info = track_published(&class.hears(ada)).expect("track info");
    assert_eq!(info.mime_type, "audio/opus");
}

#[test]
#[allow(deprecated)]
fn features_of_a_microphone_reach_the_media_and_the_others() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let features = vec![proto::AudioTrackFeature::TfStereo.into(), proto::AudioTrackFeature::TfNoDtx.into()];
    class.publishes(
        ada,
        proto::AddTrackRequest {
            audio_features: features.clone(),
            disable_red: true,
            stream: "lesson".to_owned(),
            encryption: 1,
            ..microphone()
        },
    );
    let spec = expected(&class);
    assert!(spec.stereo && !spec.dtx);
    let seen = &class.sees(ben, "ada").expect("ada").tracks[0];
    assert_eq!(seen.audio_features, features);
    assert!(seen.stereo && seen.disable_dtx && seen.disable_red);
    assert_eq!((seen.stream.as_str(), seen.encryption), ("lesson", 1));
}

#[test]
#[allow(deprecated)] // What the Rust SDK and those made with it send.
fn features_in_older_fields_are_features_to_the_others() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.publishes(ada, proto::AddTrackRequest { stereo: true, disable_dtx: true, ..microphone() });
    let seen = &class.sees(ben, "ada").expect("ada").tracks[0];
    let features = [proto::AudioTrackFeature::TfStereo, proto::AudioTrackFeature::TfNoDtx];
    assert_eq!(seen.audio_features, features.map(i32::from));
}

#[test]
fn announcements_that_make_no_sense_are_refused() {
    type Change = fn(&mut proto::AddTrackRequest);
    let cases: [(Reason, Change); 6] = [
        (Reason::UnsupportedType, |request| request.r#type = proto::TrackType::Data.into()),
        (Reason::UnsupportedType, |request| request.sid = "TR_backup".to_owned()),
        (Reason::InvalidRequest, |request| request.cid.clear()),
        (Reason::LimitExceeded, |request| request.name = "x".repeat(257)),
        (Reason::LimitExceeded, |request| request.layers = vec![proto::VideoLayer::default(); 4]),
        (Reason::LimitExceeded, |request| request.simulcast_codecs = vec![proto::SimulcastCodec::default(); 9]),
    ];
    let mut class = Class::new();
    let ada = class.joins("ada");
    for (reason, change) in cases {
        let mut request = camera();
        change(&mut request);
        assert_eq!(class.announces(ada, request), None);
        assert_eq!(answer(&class.hears(ada)).expect("an answer").0, reason);
    }
    assert_eq!((class.node.stats().tracks, class.node.stats().refused_signals), (0, 6));
}

#[test]
fn the_publisher_offer_is_answered_with_its_own_id() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let offer = proto::SessionDescription { sdp: "v=0".to_owned(), id: 41, ..Default::default() };
    class.says(ada, Ask::Offer(offer));
    let (conn, offer_id, sdp) = (conn(ada), 41, "v=0".to_owned());
    let passed = sfu::Command::PublisherOffer { conn, offer_id, sdp: sdp.clone() };
    assert!(class.media().any(|command| *command == passed));
    class.hand(Input::Media(sfu::Event::PublisherAnswer { conn, offer_id, sdp }));
    assert!(
        class
            .hears(ada)
            .iter()
            .any(|said| matches!(said, Say::Answer(answer) if answer.id == 41 && answer.r#type == "answer"))
    );
}

#[test]
fn an_offer_that_media_refuses_or_that_is_too_long_gets_an_answer() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let conn = conn(ada);
    let (what, why) = (sfu::Refusal::Offer { offer_id: 3 }, "no m-lines".to_owned());
    class.hand(Input::Media(sfu::Event::Refused { conn, what, why }));
    let said = class.hears(ada);
    assert!(said.iter().any(|said| matches!(said, Say::RequestResponse(r) if r.message == "offer 3: no m-lines")));

    let long = proto::SessionDescription { sdp: "x".repeat(256 * 1024 + 1), ..Default::default() };
    class.says(ada, Ask::Offer(long.clone()));
    assert_eq!(answer(&class.hears(ada)).expect("an answer").0, Reason::LimitExceeded);
    class.says(ada, Ask::Answer(long));
    assert_eq!(answer(&class.hears(ada)).expect("an answer").0, Reason::LimitExceeded);
    assert!(!class.media().any(|command| matches!(command, sfu::Command::PublisherOffer { .. })));
}
