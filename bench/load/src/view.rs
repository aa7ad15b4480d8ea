//! What one learner hears and sees: the others' tracks, the tile that each camera has in the learner's layout, and what has
//! arrived of them.

use crate::clip::VideoCodec;
use crate::layout::{Layout, Tile};
use crate::measure::{Arrivals, Seen};
use crate::peer::{Arrived, Kind, Mid};
use crate::stamp::Stamp;
use livekit_protocol::participant_info::State;
use livekit_protocol::{ParticipantInfo, SpeakerInfo, StreamState, StreamStateInfo, TrackType, UpdateTrackSettings};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Whoever speaks stays on the stage for so long.
const STAGE_KEPT: Duration = Duration::from_secs(2);
/// A tile counts as expected to play when it has been there for so long.
const TILE_SETTLES: Duration = Duration::from_secs(2);
/// Whether pictures can be decoded is looked at so often.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct View {
    layout: Layout,
    codec: VideoCodec,
    /// Identities of this run's publishers are this and a number.
    publishers: String,
    people: HashMap<String, Option<u16>>,
    tracks: Vec<Track>,
    /// Which track is on which line.
    lines: HashMap<Mid, usize>,
    stage: Option<(u16, Instant)>,
    stray: u64,
    pauses: u64,
    keyframes_requested: u64,
}

#[derive(Debug)]
struct Track {
    sid: String,
    kind: Kind,
    participant_sid: String,
    /// `None`: somebody who is not of this run.
    publisher: Option<u16>,
    muted: bool,
    gone: bool,
    subscribed: bool,
    tile: Option<Tile>,
    /// Whether the server knows the tile.
    told: bool,
    tile_since: Instant,
    arrivals: Arrivals,
    end_to_end: Arrivals,
    lost_known: u64,
    frames: u64,
    keyframes: u64,
    layers: [u64; 3],
}

/// What the first packet of a track, or any, tells the learner.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    pub kind: Kind,
    pub latency_us: Option<u64>,
    pub first_of_track: bool,
    pub starts_keyframe: bool,
}

impl View {
    pub fn new(layout: Layout, codec: VideoCodec, publishers: String) -> Self {
        Self {
            layout,
            codec,
            publishers,
            people: HashMap::new(),
            tracks: Vec::new(),
            lines: HashMap::new(),
            stage: None,
            stray: 0,
            pauses: 0,
            keyframes_requested: 0,
        }
    }

    /// Somebody is there, has changed, or is gone.
    pub fn update(&mut self, now: Instant, person: &ParticipantInfo) {
        let present = person.state != State::Disconnected as i32;
        for track in self.tracks.iter_mut().filter(|track| track.participant_sid == person.sid) {
            track.gone = !present || !person.tracks.iter().any(|info| info.sid == track.sid);
        }
        if !present {
            self.people.remove(&person.sid);
            return;
        }
        let publisher = person.identity.strip_prefix(&self.publishers).and_then(|number| number.parse().ok());
        self.people.insert(person.sid.clone(), publisher);
        for info in &person.tracks {
            if let Some(known) = self.tracks.iter_mut().find(|track| track.sid == info.sid) {
                known.muted = info.muted;
                continue;
            }
            let kind = if info.r#type == TrackType::Video as i32 { Kind::Video } else { Kind::Audio };
            self.tracks.push(Track {
                sid: info.sid.clone(),
                kind,
                participant_sid: person.sid.clone(),
                publisher,
                muted: info.muted,
                gone: false,
                subscribed: false,
                tile: None,
                told: false,
                tile_since: now,
                arrivals: Arrivals::default(),
                end_to_end: Arrivals::default(),
                lost_known: 0,
                frames: 0,
                keyframes: 0,
                layers: [0; 3],
            });
        }
    }

    /// An offer of the server says which tracks are on which lines.
    pub fn subscribed(&mut self, lines: impl Iterator<Item = (Mid, String)>) {
        self.lines.clear();
        for (mid, sid) in lines {
            if let Some(at) = self.tracks.iter().position(|track| track.sid == sid) {
                self.tracks[at].subscribed = true;
                self.lines.insert(mid, at);
            }
        }
        for (at, track) in self.tracks.iter_mut().enumerate() {
            if track.subscribed && !self.lines.values().any(|on| *on == at) {
                track.subscribed = false;
                track.told = false;
            }
        }
    }

    /// Somebody began or ceased to speak.
    pub fn speakers(&mut self, now: Instant, speakers: &[SpeakerInfo]) {
        let loudest = speakers.iter().filter(|speaker| speaker.active).max_by(|a, b| a.level.total_cmp(&b.level));
        let publisher = loudest.and_then(|speaker| self.people.get(&speaker.sid)).copied().flatten();
        let kept = self.stage.is_some_and(|(_, since)| now < since + STAGE_KEPT);
        if let Some(publisher) = publisher
            && !kept
            && self.shown_cameras().any(|track| track.publisher == Some(publisher))
        {
            self.stage = Some((publisher, now));
        }
    }

    pub fn paused(&mut self, states: &[StreamStateInfo]) {
        self.pauses += states.iter().filter(|state| state.state == StreamState::Paused as i32).count() as u64;
    }

    /// What the server should know of our tiles and does not yet.
    pub fn arrange(&mut self, now: Instant) -> Vec<UpdateTrackSettings> {
        let mut cameras: Vec<usize> = (0..self.tracks.len()).filter(|at| self.tracks[*at].is_camera()).collect();
        let stage = self.stage.map(|(publisher, _)| publisher).filter(|_| self.layout.follows_speaker());
        cameras.sort_by_key(|at| {
            let publisher = self.tracks[*at].publisher;
            (publisher.is_none(), publisher != stage || stage.is_none(), publisher)
        });
        let mut settings = Vec::new();
        for (place, at) in cameras.into_iter().enumerate() {
            let tile = self.layout.tile(place);
            let track = &mut self.tracks[at];
            if track.tile != tile {
                if track.tile.is_none() {
                    track.tile_since = now;
                }
                track.tile = tile;
                track.told = false;
            }
            if track.subscribed && !std::mem::replace(&mut track.told, true) {
                settings.push(UpdateTrackSettings {
                    track_sids: vec![track.sid.clone()],
                    disabled: tile.is_none(),
                    width: tile.map_or(0, |tile| tile.width),
                    height: tile.map_or(0, |tile| tile.height),
                    ..Default::default()
                });
            }
        }
        settings
    }

    /// After a resume the server may have forgotten.
    pub fn tell_again(&mut self) {
        self.tracks.iter_mut().for_each(|track| track.told = false);
    }

    /// A packet has arrived.
    pub fn heard(&mut self, packet: &Arrived) -> Option<Noted> {
        let Some(track) = self.lines.get(&packet.mid).map(|at| &mut self.tracks[*at]) else {
            self.stray += 1;
            return None;
        };
        let first_of_track = track.arrivals.received == 0;
        track.arrivals.note(packet.seq);
        let stamp = Stamp::read(&packet.payload);
        let mut starts_keyframe = false;
        match track.kind {
            Kind::Audio => {
                if let Some(stamp) = stamp {
                    track.end_to_end.note(stamp.seq.into());
                }
            }
            Kind::Video => {
                starts_keyframe = self.codec.starts_keyframe(&packet.payload);
                track.frames += u64::from(packet.marker);
                track.keyframes += u64::from(starts_keyframe);
                if let Some(count) = stamp.and_then(|stamp| track.layers.get_mut(usize::from(stamp.layer))) {
                    *count += 1;
                }
            }
        }
        let latency_us = stamp.map(|stamp| packet.at_ns.saturating_sub(stamp.at_ns) / 1_000);
        Some(Noted { kind: track.kind, latency_us, first_of_track, starts_keyframe })
    }

    /// The lines whose pictures a decoder could not go on with: no key frame yet, or packets lost for good.
    pub fn undecodable(&mut self) -> Vec<Mid> {
        let mut stuck = Vec::new();
        for (mid, at) in &self.lines {
            let track = &mut self.tracks[*at];
            let lost = track.arrivals.lost();
            let playing = track.is_camera() && track.tile.is_some() && track.arrivals.received > 0;
            if playing && (track.keyframes == 0 || lost > track.lost_known) {
                stuck.push(*mid);
            }
            track.lost_known = lost;
        }
        self.keyframes_requested += stuck.len() as u64;
        stuck
    }

    /// The sids of cameras without a tile.
    pub fn switched_off(&self) -> Vec<String> {
        let off = self.tracks.iter().filter(|track| track.is_camera() && track.subscribed && track.tile.is_none());
        off.map(|track| track.sid.clone()).collect()
    }

    /// Everything, at the end of the stay.
    pub fn seen(&self, now: Instant) -> Seen {
        let mut seen = Seen {
            stray: self.stray,
            pauses: self.pauses,
            keyframes_requested: self.keyframes_requested,
            ..Seen::default()
        };
        for track in &self.tracks {
            let of_this_run = track.publisher.is_some() && !track.gone && !track.muted;
            let arrived = track.arrivals.received > 0;
            let settled = now >= track.tile_since + TILE_SETTLES;
            match track.kind {
                Kind::Audio => {
                    seen.audio.add(&track.arrivals);
                    seen.audio_end_to_end.add(&track.end_to_end);
                    seen.audio_playing += usize::from(of_this_run && arrived);
                }
                Kind::Video => {
                    seen.video.add(&track.arrivals);
                    let tiled = track.tile.is_some();
                    seen.video_playing += usize::from(of_this_run && tiled && (arrived || !settled));
                }
            }
            seen.frames += track.frames;
            seen.keyframes += track.keyframes;
            seen.layers.iter_mut().zip(track.layers).for_each(|(sum, layer)| *sum += layer);
        }
        seen
    }

    fn shown_cameras(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|track| track.is_camera())
    }
}

impl Track {
    fn is_camera(&self) -> bool {
        self.kind == Kind::Video && !self.gone && !self.muted
    }
}

/// The tracks on the lines of an offer: as the server lists them, or else by the second word of `a=msid`.
pub fn tracks_on_lines(sdp: &str, listed: &HashMap<String, String>) -> Vec<(Mid, String)> {
    let mut tracks = Vec::new();
    for section in sdp.split("\r\nm=").skip(1) {
        let attribute = |name: &str| section.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(mid) = attribute("a=mid:") else { continue };
        let named = || attribute("a=msid:").and_then(|msid| msid.split(' ').nth(1)).map(str::to_owned);
        let sends = section.lines().any(|line| matches!(line.trim(), "a=sendonly" | "a=sendrecv"));
        if let Some(sid) = listed.get(mid).cloned().or_else(named).filter(|_| sends) {
            tracks.push((Mid::from(mid), sid));
        }
    }
    tracks
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::TrackInfo;

    fn publisher(number: u16, kinds: &[TrackType]) -> ParticipantInfo {
        let tracks = kinds.iter().map(|kind| TrackInfo {
            sid: format!("TR_{number}_{}", *kind as i32),
            r#type: *kind as i32,
            ..Default::default()
        });
        ParticipantInfo {
            sid: format!("PA_{number}"),
            identity: format!("load-p{number}"),
            state: State::Active as i32,
            tracks: tracks.collect(),
            ..Default::default()
        }
    }

    fn view(layout: Layout, cameras: u16) -> (View, Instant) {
        let now = Instant::now();
        let mut view = View::new(layout, VideoCodec::Vp8, "load-p".into());
        (0..cameras).for_each(|number| view.update(now, &publisher(number, &[TrackType::Audio, TrackType::Video])));
        let lines = (0..cameras).map(|n| (Mid::from(format!("{n}").as_str()), format!("TR_{n}_1")));
        view.subscribed(lines);
        (view, now)
    }

    #[test]
    fn cameras_without_a_tile_are_switched_off() {
        let (mut view, now) = view(Layout::Grid3, 12);
        let settings = view.arrange(now);
        assert_eq!(settings.len(), 12);
        assert_eq!(settings.iter().filter(|setting| setting.disabled).count(), 3);
        assert!(settings.iter().filter(|s| !s.disabled).all(|s| (s.width, s.height) == (426, 240)));
        assert!(view.arrange(now).is_empty(), "told once");
        assert_eq!(view.switched_off().len(), 3);
    }

    #[test]
    fn whoever_speaks_is_on_the_stage() {
        let (mut view, now) = view(Layout::Speaker, 8);
        let large = |settings: Vec<UpdateTrackSettings>| {
            settings.into_iter().filter(|s| s.width == 1280).flat_map(|s| s.track_sids).collect::<Vec<_>>()
        };
        assert_eq!(large(view.arrange(now)), ["TR_0_1"]);
        let speaks = |number: u16| [SpeakerInfo { sid: format!("PA_{number}"), level: 0.5, active: true }];
        view.speakers(now, &speaks(7));
        assert_eq!(large(view.arrange(now)), ["TR_7_1"]);
        view.speakers(now + Duration::from_secs(1), &speaks(3));
        assert!(view.arrange(now).is_empty(), "not so fast");
        view.speakers(now + Duration::from_secs(3), &speaks(3));
        assert_eq!(large(view.arrange(now)), ["TR_3_1"]);
    }

    #[test]
    fn who_left_has_no_tile() {
        let (mut view, now) = view(Layout::Grid3, 10);
        view.arrange(now);
        view.update(now, &ParticipantInfo { state: State::Disconnected as i32, ..publisher(0, &[]) });
        let settings = view.arrange(now);
        assert_eq!(settings.len(), 1, "the tenth takes the free tile");
        assert_eq!(settings[0].track_sids, ["TR_9_1"]);
        assert!(!settings[0].disabled);
    }

    #[test]
    fn tracks_are_found_with_and_without_a_list() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\na=msid:PA_1|TR_1 TR_1\r\n\
m=video 9 X 96\r\na=mid:1\r\na=inactive\r\na=msid:PA_1|TR_2 TR_2\r\nm=application 9 X y\r\na=mid:2\r\n";
        let by_msid = tracks_on_lines(sdp, &HashMap::new());
        assert_eq!(by_msid, [(Mid::from("0"), "TR_1".to_owned())]);
        let listed = HashMap::from([("0".to_owned(), "TR_9".to_owned())]);
        assert_eq!(tracks_on_lines(sdp, &listed), [(Mid::from("0"), "TR_9".to_owned())]);
    }
}
