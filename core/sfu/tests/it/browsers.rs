//! Browsers whose session descriptions differ from Chrome's. Firefox's are shaped after what Firefox 153 writes; of Safari there is what
//! matters here: H.264 before VP8, and no RED.

use crate::class::{Browser, Class};
use lyceum_sfu::{
    Addresses, Certificate, Command, ConnKey, Event, GroupKey, Kind, LayerSpec, Shard, ShardConfig, Target, TrackKey,
    TrackSpec,
};
use std::time::{Duration, Instant};

const FIREFOX_OFFER: &str = include_str!("firefox-offer.sdp");
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn firefox_is_seen_and_heard_and_sees_and_hears() {
    let mut class = Class::begins();
    let fox = class.joins_with("fox", Browser::Firefox);
    let ben = class.joins_with("ben", Browser::Chrome);
    for target in [Target::Publisher, Target::Subscriber] {
        let up =
            |event: &Event| matches!(event, Event::Connected { conn, target: of } if (*conn, *of) == (fox, target));
        assert!(class.events.iter().any(up), "{target:?} with full ICE");
    }
    let (voice, face) = (class.publishes_renamed(fox, Kind::Audio), class.publishes_renamed(fox, Kind::Video));
    class.runs(SECOND);
    assert!(class.is_matched(voice) && class.is_matched(face), "by kind: it gives its tracks ids of its own");
    let (other_voice, other_face) = (class.publishes_audio(ben), class.publishes_camera(ben));
    for (who, tracks) in [(ben, [voice, face]), (fox, [other_voice, other_face])] {
        tracks.into_iter().for_each(|track| class.subscribes(who, track));
    }
    class.runs(3 * SECOND);

    let answer = answers_to(&class, fox).pop().expect("an answer");
    assert_eq!(codecs_of(&answer, "audio"), ["109 opus"], "its own numbers");
    assert_eq!(codecs_of(&answer, "video")[..2], ["120 VP8", "124 rtx"]);
    assert!(!answer.contains("a=ice-lite"));

    for (who, voice, face) in [(ben, voice, face), (fox, other_voice, other_face)] {
        assert!(class.received(who, voice).len() > 100 && class.received(who, face).len() > 60);
        class.asserts_seamless(who, voice);
        class.asserts_seamless(who, face);
        assert_eq!(payload_types(&class, who, face), [96], "the receiver's numbers, as we offered them");
    }
    assert_eq!(payload_types(&class, ben, voice), [111], "what came as 109");
    assert_eq!(payload_types(&class, fox, other_voice), [111], "not the redundant one, which it does not know");
    let plain = class.received(fox, other_voice).last().map(|got| got.bytes);
    assert_eq!(plain, Some(60), "what was sent with redundancy is unwrapped");
}

#[test]
fn safari_is_seen_and_heard_and_sees_and_hears() {
    let mut class = Class::begins();
    let sue = class.joins_with("sue", Browser::Safari);
    let ben = class.joins_with("ben", Browser::Chrome);
    let fox = class.joins_with("fox", Browser::Firefox);
    let (voice, face) = (class.publishes_audio(sue), class.publishes_camera(sue));
    let (other_voice, other_face) = (class.publishes_audio(ben), class.publishes_camera(ben));
    for (who, tracks) in [(ben, [voice, face]), (fox, [voice, face]), (sue, [other_voice, other_face])] {
        tracks.into_iter().for_each(|track| class.subscribes(who, track));
    }
    class.runs(3 * SECOND);

    let answer = answers_to(&class, sue).pop().expect("an answer");
    assert_eq!(codecs_of(&answer, "audio"), ["111 opus"]);
    assert_eq!(codecs_of(&answer, "video")[0], "98 H264", "the codec that it prefers, and that others are told of");
    let told = class.events.iter().find_map(|event| match event {
        Event::TrackMatched { track, mime_type, .. } if *track == face => Some(*mime_type),
        _ => None,
    });
    assert_eq!(told, Some("video/H264"));

    for (who, voice, face) in [(ben, voice, face), (fox, voice, face), (sue, other_voice, other_face)] {
        assert!(class.received(who, voice).len() > 100, "{who:?}");
        assert!(class.received(who, face).len() > 60, "{who:?}: {}", class.received(who, face).len());
        class.asserts_seamless(who, voice);
        class.asserts_seamless(who, face);
    }
    assert_eq!(payload_types(&class, ben, face), [108], "H.264 of the same packetization mode");
    assert_eq!(payload_types(&class, sue, other_face), [96]);
    assert_eq!(payload_types(&class, sue, other_voice), [111], "without redundancy");
    assert_eq!(class.received(sue, other_voice).last().map(|got| got.bytes), Some(60));
}

/// An offer word by word as Firefox 153 wrote it, with a microphone and a camera in three qualities.
#[test]
fn an_offer_that_firefox_wrote_is_answered_in_its_numbers() {
    let now = Instant::now();
    let mut shard = Shard::new(ShardConfig {
        addresses: Addresses { udp: vec!["10.0.0.1:7882".parse().expect("an address")], tcp: vec![] },
        certificate: Certificate::generate().expect("a certificate"),
    });
    let conn = ConnKey(1);
    shard.handle_command(now, Command::Open { conn, group: GroupKey(1), full_ice: true });
    for (key, kind) in [(TrackKey(1), Kind::Audio), (TrackKey(2), Kind::Video)] {
        shard.handle_command(now, Command::ExpectTrack { conn, spec: spec(key, kind) });
    }
    shard.handle_command(now, Command::PublisherOffer { conn, offer_id: 1, sdp: FIREFOX_OFFER.replace('\n', "\r\n") });
    shard.handle_timeout(now);
    let later = now + SECOND;
    shard.handle_timeout(later);
    let events: Vec<Event> = std::iter::from_fn(|| shard.poll_event()).collect();
    let matched: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::TrackMatched { track, mid, mime_type, layers, .. } => {
                Some((*track, mid.as_str(), *mime_type, *layers))
            }
            _ => None,
        })
        .collect();
    assert_eq!(matched, [(TrackKey(1), "0", "audio/opus", 1), (TrackKey(2), "1", "video/VP8", 3)]);
    let answer = events.iter().find_map(|event| match event {
        Event::PublisherAnswer { sdp, .. } => Some(sdp.as_str()),
        _ => None,
    });
    let answer = answer.expect("an answer");
    assert_eq!(codecs_of(answer, "audio"), ["109 opus"]);
    assert_eq!(codecs_of(answer, "video"), ["120 VP8", "124 rtx"]);
    assert!(answer.contains("a=fmtp:109 minptime=10;useinbandfec=1;usedtx=1\r\n"), "{answer}");
    assert!(answer.contains("a=simulcast:recv q;h;f\r\n") && !answer.contains("a=ice-lite"), "{answer}");
}

fn spec(key: TrackKey, kind: Kind) -> TrackSpec {
    TrackSpec {
        key,
        cids: vec!["{e8b0ecb1-fc4b-41d9-b241-506a37910281}".to_owned()],
        kind,
        codec: None,
        layers: vec![LayerSpec { width: 320, height: 180 }],
        muted: false,
        stereo: false,
        dtx: true,
        red: true,
    }
}

fn answers_to(class: &Class, who: ConnKey) -> Vec<String> {
    let answers = class.events.iter().filter_map(|event| match event {
        Event::PublisherAnswer { conn, sdp, .. } if *conn == who => Some(sdp.clone()),
        _ => None,
    });
    answers.collect()
}

/// `109 opus` and so on, of the first line of a kind, in the order of the m-line.
fn codecs_of(sdp: &str, kind: &str) -> Vec<String> {
    let sections = sdp.split("\r\nm=").skip(1);
    let section = sections.into_iter().find(|section| section.starts_with(kind)).expect("such a line");
    let name = |pt: &str| {
        let map = section.lines().find_map(|line| line.strip_prefix(&format!("a=rtpmap:{pt} ")));
        format!("{pt} {}", map.and_then(|map| map.split('/').next()).unwrap_or("?"))
    };
    section.lines().next().unwrap_or_default().split(' ').skip(3).map(name).collect()
}

/// Which payload types somebody got of a track.
fn payload_types(class: &Class, who: ConnKey, track: TrackKey) -> Vec<u8> {
    let mut types: Vec<u8> = class.received(who, track).iter().map(|got| got.payload_type).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// A description of a client of ours as a browser would have written it.
pub fn dressed(browser: Browser, sdp: &str) -> String {
    if browser != Browser::Firefox {
        return sdp.to_owned();
    }
    let (session, sections) = sdp.split_once("\r\nm=").expect("an m-line");
    let line =
        |prefix: &str| sdp.lines().find(|line| line.starts_with(prefix)).expect("a line that every description has");
    let group = session.lines().find(|line| line.starts_with("a=group:")).expect("a bundle");
    let mut dressed = format!(
        "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 {} 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=sendrecv\r\n\
{}\r\n{group}\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n",
        line("o=").split(' ').nth(1).unwrap_or("1"),
        line("a=fingerprint:"),
    );
    let is_offer = sdp.contains("a=setup:actpass");
    sections.split("\r\nm=").for_each(|section| dressed.push_str(&firefox_section(section, is_offer)));
    dressed
}

/// Firefox sorts what it says of a line, has the fingerprint once for all, names no tracks with its sources, and offers more codecs than
/// anybody uses.
fn firefox_section(section: &str, is_offer: bool) -> String {
    let mut lines = section.lines();
    let mut first = format!("m={}", lines.next().unwrap_or_default());
    let elsewhere = |line: &&str| {
        let prefixes = ["c=", "a=candidate:", "a=fingerprint:", "a=ice-options:", "a=end-of-candidates"];
        prefixes.iter().any(|prefix| line.starts_with(prefix))
            || (line.starts_with("a=ssrc:") && line.contains(" msid:"))
    };
    let is_direction = |line: &&str| ["a=sendonly", "a=recvonly", "a=inactive", "a=sendrecv"].contains(line);
    let (direction, rest): (Vec<&str>, Vec<&str>) = lines.filter(|line| !elsewhere(line)).partition(is_direction);
    let mut attributes: Vec<String> = rest.into_iter().map(firefox_attribute).collect();
    attributes.push("a=extmap-allow-mixed".to_owned());
    if is_offer && section.starts_with("audio") {
        first.push_str(" 9 0 8 101");
        let more = ["a=rtpmap:9 G722/8000/1", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=fmtp:101 0-15"];
        attributes.extend(more.map(str::to_owned));
        attributes.push("a=rtpmap:101 telephone-event/8000".to_owned());
        attributes.push("a=extmap:15/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level".to_owned());
    }
    attributes.sort_by_key(|line| line.split([':', ' ']).next().unwrap_or_default().to_owned());
    let direction = direction.first().copied().unwrap_or("a=sendrecv");
    format!("{first}\r\nc=IN IP4 0.0.0.0\r\n{direction}\r\n{}\r\n", attributes.join("\r\n"))
}

fn firefox_attribute(line: &str) -> String {
    if let Some(names) = line.strip_prefix("a=msid:") {
        let names: Vec<String> = names.split(' ').map(|name| format!("{{4beaa08e-719a-{name}}}")).collect();
        return format!("a=msid:{}", names.join(" "));
    }
    match line.split_once(' ') {
        Some((fmtp, parameters)) if line.starts_with("a=fmtp:") && parameters.contains("useinbandfec=1") => {
            format!("{fmtp} maxplaybackrate=48000;stereo=1;useinbandfec=1")
        }
        _ => line.to_owned(),
    }
}
