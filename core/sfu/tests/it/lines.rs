//! The lines of a subscriber's offers: whom they carry, how many there come to be, and that no name is in an offer twice.

use crate::class::{Class, SubscriberOffer};
use lyceum_sfu::{ConnKey, Kind, TrackKey};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the class's clock ticks by.
const TICK: Duration = Duration::from_millis(5);
/// Long enough for an offer and its answer.
const MOMENT: Duration = Duration::from_millis(500);

#[test]
fn a_track_that_returns_is_named_once_and_begins_on_another_line() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let (face, screen) = (class.publishes_camera(ada), class.publishes_camera(ada));
    class.subscribes(ben, face);
    class.runs(MOMENT);
    let left = line_of(&class, ben, face);
    class.unsubscribes(ben, face);
    class.runs(MOMENT);
    class.subscribes(ben, screen);
    class.runs(MOMENT);
    class.subscribes(ben, face);
    class.runs(MOMENT);
    assert_ne!(line_of(&class, ben, face), left, "the other track has taken its line");

    let left = line_of(&class, ben, face);
    class.unsubscribes(ben, face);
    class.runs(MOMENT);
    let before = class.received(ben, face).len();
    class.subscribes(ben, face);
    class.runs(Duration::from_secs(1));
    assert_ne!(line_of(&class, ben, face), left, "clients may not notice a track that returns to its own line");
    assert!(class.received(ben, face).len() > before + 10, "it flows there");
    class.offers_to(ben).iter().for_each(asserts_names);
    class.asserts_lines_go_on(ben);
}

#[test]
fn a_line_that_was_offered_again_and_given_up_is_silent() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let (face, screen) = (class.publishes_camera(ada), class.publishes_camera(ada));
    class.subscribes(ben, face);
    class.runs(MOMENT);
    class.unsubscribes(ben, face);
    class.runs(MOMENT);
    class.subscribes(ben, screen);
    class.unsubscribes(ben, screen);
    class.restarts_ice_of_subscriber(ben);
    class.runs(MOMENT);
    class.subscribes(ben, screen);
    class.runs(MOMENT);
    class.offers_to(ben).iter().for_each(asserts_names);
    assert!(!class.received(ben, screen).is_empty());
}

#[test]
fn coming_and_going_makes_a_few_spare_lines_and_no_more() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let voice = class.publishes_audio(ada);
    for _ in 0..30 {
        class.subscribes(ben, voice);
        class.runs(MOMENT);
        class.unsubscribes(ben, voice);
        class.runs(MOMENT);
    }
    class.subscribes(ben, voice);
    class.runs(MOMENT);
    let before = class.received(ben, voice).len();
    class.runs(MOMENT);
    assert!(class.received(ben, voice).len() > before + 20, "it flows");
    assert_bounded(&class.offers_to(ben), 1, 0);
}

#[test]
fn turning_pages_of_tiles_needs_few_more_lines_than_tiles() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let faces: Vec<TrackKey> = (0..30).map(|_| class.publishes_camera(ada)).collect();
    for _ in 0..3 {
        for page in faces.chunks(10) {
            page.iter().for_each(|face| class.subscribes(ben, *face));
            class.runs(MOMENT);
            let seen = page.iter().filter(|face| !class.received(ben, **face).is_empty()).count();
            assert_eq!(seen, page.len());
            page.iter().for_each(|face| class.unsubscribes(ben, *face));
        }
    }
    class.offers_to(ben).iter().for_each(asserts_names);
    assert_bounded(&class.offers_to(ben), 0, 10);
}

#[test]
fn stereo_is_said_of_the_line_that_carries_it() {
    let mut class = Class::begins();
    let ada = class.joins("ada");
    let ben = class.joins("ben");
    let (voice, music) = (class.publishes_audio(ada), class.publishes_music(ada));
    class.subscribes(ben, voice);
    class.subscribes(ben, music);
    class.runs(Duration::from_secs(1));
    let fmtp = |class: &Class, track| {
        let offers = class.offers_to(ben);
        let offer = offers.last()?;
        let line = offer.lines.iter().find(|line| offer.tracks.get(&line.mid) == Some(&track))?;
        line.sdp.lines().find(|line| line.starts_with("a=fmtp:111 ")).map(str::to_owned)
    };
    assert_eq!(fmtp(&class, music).as_deref(), Some("a=fmtp:111 minptime=10;useinbandfec=1;sprop-stereo=1"));
    assert_eq!(fmtp(&class, voice).as_deref(), Some("a=fmtp:111 minptime=10;useinbandfec=1"));
    assert!(class.received(ben, music).len() > 20 && class.received(ben, voice).len() > 20, "both answers are taken");

    let line = line_of(&class, ben, music);
    class.unsubscribes(ben, music);
    class.runs(MOMENT);
    let other = class.publishes_audio(ada);
    class.subscribes(ben, other);
    class.runs(MOMENT);
    assert_eq!(line_of(&class, ben, other), line);
    assert_eq!(fmtp(&class, other).as_deref(), Some("a=fmtp:111 minptime=10;useinbandfec=1"));
    assert!(!class.received(ben, other).is_empty());
}

#[test]
fn muted_microphones_beyond_the_first_get_a_line_when_they_are_first_unmuted() {
    let mut class = Class::begins();
    let ben = class.joins("ben");
    let mut microphones = Vec::new();
    for _ in 0..6 {
        let somebody = class.joins("somebody");
        microphones.extend((0..10).map(|_| class.publishes_muted_audio(somebody)));
    }
    microphones.iter().for_each(|microphone| class.subscribes(ben, *microphone));
    class.runs(Duration::from_secs(2));
    assert_eq!(audio_lines(&class, ben), 25);
    let last = *microphones.last().expect("sixty");
    assert_eq!(line_of(&class, ben, last), None);

    let offers = class.offers_to(ben).len();
    class.mutes(last, false);
    class.runs(TICK);
    assert_eq!(class.offers_to(ben).len(), offers + 1, "offered at the unmute, before the speech");
    assert!(line_of(&class, ben, last).is_some());
    class.runs(Duration::from_secs(1));
    assert!(class.received(ben, last).len() > 40);
    class.asserts_seamless(ben, last);

    let line = line_of(&class, ben, last);
    class.mutes(last, true);
    class.runs(Duration::from_secs(2));
    let before = class.received(ben, last).len();
    class.mutes(last, false);
    class.runs(Duration::from_secs(1));
    assert!(class.received(ben, last).len() > before + 40);
    assert_eq!(class.offers_to(ben).len(), offers + 1, "it has kept its line");
    assert_eq!(line_of(&class, ben, last), line);
    assert_eq!(audio_lines(&class, ben), 26);
    class.mutes(last, true);

    // Ten of those with a line leave: others take their place, on no more lines than there may be.
    microphones[..10].iter().for_each(|microphone| class.unsubscribes(ben, *microphone));
    class.runs(Duration::from_secs(2));
    let offers = class.offers_to(ben);
    assert_eq!(offers.last().map(|offer| offer.tracks.len()), Some(25));
    assert_bounded(&offers, 26, 0);
    offers.iter().for_each(asserts_names);
    assert_eq!(class.shard.stats().subscriptions, 50);
}

#[test]
fn a_microphone_that_is_not_muted_always_has_its_line() {
    let mut class = Class::begins();
    let ben = class.joins("ben");
    let ada = class.joins("ada");
    let muted: Vec<TrackKey> = (0..26).map(|_| class.publishes_muted_audio(ada)).collect();
    muted.iter().for_each(|microphone| class.subscribes(ben, *microphone));
    class.runs(MOMENT);
    let voice = class.publishes_audio(ada);
    class.subscribes(ben, voice);
    class.runs(MOMENT);
    assert_eq!(audio_lines(&class, ben), 26);
    assert!(!class.received(ben, voice).is_empty());
}

#[test]
fn a_hundred_subscriptions_make_few_offers() {
    let mut class = Class::begins();
    let [ben, eva] = ["ben", "eva"].map(|name| class.joins(name));
    let mut voices = Vec::new();
    for _ in 0..10 {
        let somebody = class.joins("somebody");
        voices.extend((0..10).map(|_| class.publishes_audio(somebody)));
    }
    let before = class.offers_to(ben).len();
    voices.iter().for_each(|voice| class.subscribes(ben, *voice));
    class.runs(MOMENT);
    let offers = class.offers_to(ben).len() - before;
    assert!(offers <= 2, "{offers} offers for what came in one instant");
    assert_eq!(audio_lines(&class, ben), voices.len());

    // Each a little later than the one before, as in a rush of joins; offers are answered in between.
    let before = class.offers_to(eva).len();
    let mut first_heard = None;
    for (index, voice) in voices.iter().enumerate() {
        class.subscribes(eva, *voice);
        class.runs(2 * TICK);
        if first_heard.is_none() && !class.received(eva, voices[0]).is_empty() {
            first_heard = Some(index);
        }
    }
    class.runs(MOMENT);
    let offers = class.offers_to(eva).len() - before;
    assert!(offers <= 12, "{offers} offers in a second");
    assert!(first_heard.is_some_and(|index| index < 10), "the first does not wait: {first_heard:?}");
    assert_eq!(
        class.offers_to(eva).last().map(|offer| offer.tracks.len()),
        Some(voices.len()),
        "and the last has come"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is subscribed and unsubscribed, before or after the client has answered.
    #[test]
    fn no_offer_names_a_track_twice_and_lines_stay_few(steps in proptest::collection::vec(step(), 1..60)) {
        let mut class = Class::begins();
        let ada = class.joins("ada");
        let ben = class.joins("ben");
        let voices: Vec<_> = (0..5).map(|_| (class.publishes_audio(ada), Kind::Audio)).collect();
        let faces: Vec<_> = (0..2).map(|_| (class.publishes_camera(ada), Kind::Video)).collect();
        let tracks = [voices, faces].concat();
        let mut subscribed = BTreeSet::new();
        let (mut most_audio, mut most_video) = (0, 0);
        for step in steps {
            match step {
                Step::Subscribe(at) => {
                    subscribed.insert(tracks[at]);
                    class.subscribes(ben, tracks[at].0);
                }
                Step::Unsubscribe(at) => {
                    subscribed.remove(&tracks[at]);
                    class.unsubscribes(ben, tracks[at].0);
                }
                Step::LosesAnswers => class.loses_answers(ben),
                Step::Restarts => class.restarts_ice_of_subscriber(ben),
                Step::Runs(ms) => class.runs(Duration::from_millis(ms)),
            }
            let count = |kind| subscribed.iter().filter(|(_, of)| *of == kind).count();
            most_audio = most_audio.max(count(Kind::Audio));
            most_video = most_video.max(count(Kind::Video));
        }
        class.restarts_ice_of_subscriber(ben); // So that no answer is missing.
        class.runs(Duration::from_secs(1));
        let offers = class.offers_to(ben);
        offers.iter().for_each(asserts_names);
        assert_bounded(&offers, most_audio, most_video);
        class.asserts_lines_go_on(ben);
        let carried: BTreeSet<TrackKey> = offers.last().expect("an offer").tracks.values().copied().collect();
        prop_assert_eq!(carried, subscribed.iter().map(|(track, _)| *track).collect::<BTreeSet<_>>());
        let before: Vec<usize> = tracks.iter().map(|(track, _)| class.received(ben, *track).len()).collect();
        class.runs(MOMENT);
        for (track, before) in tracks.iter().zip(before) {
            let flows = class.received(ben, track.0).len() > before;
            prop_assert_eq!(flows, subscribed.contains(track), "{:?}", track);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe(usize),
    Unsubscribe(usize),
    LosesAnswers,
    Restarts,
    Runs(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..7usize).prop_map(Step::Subscribe),
        3 => (0..7usize).prop_map(Step::Unsubscribe),
        1 => Just(Step::LosesAnswers),
        2 => Just(Step::Restarts),
        3 => (1..200u64).prop_map(Step::Runs),
    ]
}

/// Every line that sends has the names of its track, the others none; no name is there twice.
fn asserts_names(offer: &SubscriberOffer) {
    let mut named = BTreeSet::new();
    for line in &offer.lines {
        let Some(track) = offer.tracks.get(&line.mid) else {
            assert_eq!((line.direction, line.msids.len()), ("inactive", 0), "{}", line.sdp);
            continue;
        };
        assert_eq!(line.direction, "sendonly");
        assert!(line.msids.len() > 1, "for the line and for its sources");
        let name = format!("PA_x|TR_{0} TR_{0}", track.0);
        line.msids.iter().for_each(|msid| assert_eq!(*msid, name));
        assert!(named.insert(name), "twice in one offer");
    }
    assert_eq!(named.len(), offer.tracks.len(), "what is told to be carried has a line");
}

fn assert_bounded(offers: &[SubscriberOffer], most_audio: usize, most_video: usize) {
    for (kind, most) in [(Kind::Audio, most_audio), (Kind::Video, most_video)] {
        let lines = offers.iter().map(|offer| offer.lines.iter().filter(|line| line.kind == kind).count()).max();
        assert!(lines.unwrap_or(0) <= most + 8, "{lines:?} lines for {most} at once");
    }
}

fn audio_lines(class: &Class, who: ConnKey) -> usize {
    let offers = class.offers_to(who);
    offers.last().map_or(0, |offer| offer.lines.iter().filter(|line| line.kind == Kind::Audio).count())
}

fn line_of(class: &Class, who: ConnKey, track: TrackKey) -> Option<String> {
    let offers = class.offers_to(who);
    offers.last()?.tracks.iter().find(|(_, of)| **of == track).map(|(mid, _)| mid.clone())
}
