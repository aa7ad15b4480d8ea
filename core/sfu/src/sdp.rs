//! The few changes to session descriptions that the WebRTC library leaves to us: which codec a publisher's answer puts first,
//! and the Opus parameters that ask the publisher for stereo, discontinuous transmission and in-band correction;
//! in our offers, what the lines carry.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What an answer should ask of one m-line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// The m-line's mid.
    pub mid: String,
    /// The codec to list first, as in `a=rtpmap` (`VP8`), if the line has it.
    pub first_codec: Option<&'static str>,
    /// Parameters for Opus on this line.
    pub opus: Option<OpusShape>,
    /// The client does not send on this line, and we never do on its own peer: no phantom track must appear there.
    pub unused: bool,
}

/// Opus parameters (RFC 7587).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpusShape {
    pub stereo: bool,
    pub dtx: bool,
}

/// The mids of a description's m-lines, in order.
pub(crate) fn mids(sdp: &str) -> Vec<&str> {
    sdp.lines().filter_map(|line| line.trim_end().strip_prefix("a=mid:")).collect()
}

/// Applies `shapes` to an answer of ours.
pub(crate) fn shape_answer(sdp: &str, shapes: &[Shape]) -> String {
    let mut shaped = String::with_capacity(sdp.len() + 64);
    for section in sections(sdp) {
        match shapes.iter().find(|shape| mids(section).first() == Some(&shape.mid.as_str())) {
            Some(shape) => shaped.push_str(&shape_section(section, shape)),
            None => shaped.push_str(section),
        }
    }
    shaped
}

/// What a line of an offer carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Carried {
    /// What `a=msid` says.
    pub stream_id: String,
    pub track_id: String,
    /// Opus in stereo: a receiver that is not told plays it in one channel.
    pub stereo: bool,
}

/// Writes into an offer of ours, by mid, what each line carries. A line may have carried another track before, and the library keeps the
/// names of the first; a silent line has no names and no sources at all, since a name must not be in an offer twice.
pub(crate) fn shape_offer(sdp: &str, carried: &BTreeMap<String, Carried>) -> String {
    let mut shaped = String::with_capacity(sdp.len());
    for section in sections(sdp) {
        let lines = section.split_inclusive("\r\n");
        let carried = mids(section).first().and_then(|mid| carried.get(*mid));
        if let Some(carried) = carried.filter(|_| !section.contains("\r\na=inactive\r\n")) {
            let opus = if carried.stereo { payload_types(section, "opus") } else { Vec::new() };
            shaped.extend(lines.map(|line| offer_line(line, carried, &opus)));
        } else {
            // Which streams there are is said line by line. A silent line keeps its sources: a browser that hears of the same
            // source again after it had gone decodes it, and shows nothing.
            let say_all =
                |line| if str::starts_with(line, "a=msid-semantic:") { "a=msid-semantic: WMS *\r\n" } else { line };
            shaped.extend(lines.filter(|line| !names_a_track(line)).map(say_all));
        }
    }
    shaped
}

/// One text line of an m-line's section; `stereo` are the payload types to be said to be stereo (RFC 7587, 7).
fn offer_line<'a>(line: &'a str, carried: &Carried, stereo: &[String]) -> Cow<'a, str> {
    let before_names = if line.starts_with("a=msid:") {
        Some("a=msid:")
    } else if line.starts_with("a=ssrc:") {
        line.find(" msid:").map(|at| &line[..at + " msid:".len()])
    } else {
        None
    };
    if let Some(before) = before_names {
        return Cow::Owned(format!("{before}{} {}\r\n", carried.stream_id, carried.track_id));
    }
    match line.strip_prefix("a=fmtp:").and_then(|rest| rest.split_once(' ')) {
        Some((pt, _)) if stereo.iter().any(|stereo| stereo == pt) => {
            Cow::Owned(format!("{};sprop-stereo=1\r\n", line.trim_end()))
        }
        _ => Cow::Borrowed(line),
    }
}

fn names_a_track(line: &str) -> bool {
    line.starts_with("a=msid:") || line.starts_with("a=ssrc:") && line.contains(" msid:")
}

fn names_a_source(line: &str) -> bool {
    line.starts_with("a=msid:") || line.starts_with("a=ssrc")
}

fn shape_section(section: &str, shape: &Shape) -> String {
    let first = shape.first_codec.map(|codec| payload_types(section, codec)).unwrap_or_default();
    let opus = payload_types(section, "opus");
    section
        .split_inclusive("\r\n")
        .filter(|line| !shape.unused || !names_a_source(line))
        .map(|line| {
            if shape.unused && line == "a=sendonly\r\n" {
                return "a=inactive\r\n".to_owned();
            }
            if line.starts_with("m=") && !first.is_empty() {
                return reorder_m_line(line, &first);
            }
            match (&shape.opus, opus.first()) {
                (Some(shape), Some(pt)) if line.starts_with(&format!("a=fmtp:{pt} ")) => opus_fmtp(pt, shape),
                _ => line.to_owned(),
            }
        })
        .collect()
}

/// The description cut before each `m=`; the first part is the session's.
fn sections(sdp: &str) -> Vec<&str> {
    let mut cuts: Vec<usize> = sdp.match_indices("\r\nm=").map(|(at, _)| at + 2).collect();
    cuts.insert(0, 0);
    cuts.push(sdp.len());
    cuts.windows(2).map(|cut| &sdp[cut[0]..cut[1]]).collect()
}

/// Payload types of a codec in one section, in order.
fn payload_types(section: &str, codec: &str) -> Vec<String> {
    section
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:"))
        .filter_map(|map| map.split_once(' '))
        .filter(|(_, name)| name.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(codec)))
        .map(|(pt, _)| pt.to_owned())
        .collect()
}

/// `m=video 9 UDP/TLS/RTP/SAVPF 96 97 98` with the payload types in `first` moved to the front.
fn reorder_m_line(line: &str, first: &[String]) -> String {
    let mut words: Vec<&str> = line.trim_end().split(' ').collect();
    if words.len() < 4 {
        return line.to_owned();
    }
    let formats = words.split_off(3);
    let (front, back): (Vec<&str>, Vec<&str>) = formats.iter().partition(|pt| first.iter().any(|first| first == *pt));
    words.extend(front);
    words.extend(back);
    format!("{}\r\n", words.join(" "))
}

fn opus_fmtp(pt: &str, shape: &OpusShape) -> String {
    let mut parameters = String::from("minptime=10;useinbandfec=1");
    if shape.dtx {
        parameters.push_str(";usedtx=1");
    }
    if shape.stereo {
        parameters.push_str(";stereo=1;maxaveragebitrate=510000");
    }
    format!("a=fmtp:{pt} {parameters}\r\n")
}

/// The ids of the tracks that m-lines send, by mid: the second word of their `a=msid`.
pub(crate) fn track_ids(sdp: &str) -> BTreeMap<&str, &str> {
    let named = sections(sdp).into_iter().filter_map(|section| {
        let msid = section.lines().find_map(|line| line.strip_prefix("a=msid:"))?;
        Some((*mids(section).first()?, msid.split_whitespace().nth(1)?))
    });
    named.collect()
}

/// Gives a description a version of its session, so that each offer can be told from the others by whoever sends it back.
pub(crate) fn with_version(sdp: &str, version: u32) -> String {
    let lines = sdp.split_inclusive('\n').map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        let version = version.to_string();
        if line.starts_with("o=")
            && let Some(word) = words.get_mut(2)
        {
            *word = &version;
            return words.join(" ");
        }
        line.to_owned()
    });
    lines.collect()
}

/// The version of a description's session. Browsers write the rest of its `o=` line anew.
pub(crate) fn version(sdp: &str) -> Option<u32> {
    let origin = sdp.lines().find(|line| line.starts_with("o="))?;
    origin.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 108 109\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\na=rtpmap:108 H264/90000\r\na=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n";

    #[test]
    fn the_wished_codec_comes_first() {
        let shape = Shape { mid: "1".into(), first_codec: Some("H264"), opus: None, unused: false };
        let shaped = shape_answer(ANSWER, &[shape]);
        assert!(shaped.contains("SAVPF 108 96 97 109\r\n"), "{shaped}");
        assert_eq!(shaped.len(), ANSWER.len());
    }

    #[test]
    fn opus_is_asked_for_silence_saving() {
        let shape = Shape {
            mid: "0".into(),
            first_codec: None,
            opus: Some(OpusShape { stereo: false, dtx: true }),
            unused: false,
        };
        let shaped = shape_answer(ANSWER, &[shape]);
        assert!(shaped.contains("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"), "{shaped}");
        assert!(shaped.contains("a=fmtp:97 apt=96\r\n"));
    }

    #[test]
    fn a_line_that_the_client_only_receives_on_stays_empty() {
        let answer = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\na=msid:x y\r\na=ssrc:7 cname:x\r\na=ssrc-group:FID 7 8\r\na=rtpmap:111 opus/48000/2\r\n";
        let shape = Shape { mid: "0".into(), first_codec: None, opus: None, unused: true };
        let shaped = shape_answer(answer, &[shape]);
        assert_eq!(shaped, "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=inactive\r\na=rtpmap:111 opus/48000/2\r\n");
    }

    #[test]
    fn a_line_used_again_carries_its_new_track_and_a_silent_one_nothing() {
        let offer = "v=0\r\na=msid-semantic: WMS PA_1|TR_1\r\n\
m=video 9 X 96\r\na=mid:1\r\na=sendonly\r\na=msid:PA_1|TR_1 TR_1\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:PA_1|TR_1 TR_1\r\n\
m=video 9 X 96\r\na=mid:2\r\na=sendonly\r\na=msid:PA_1|TR_9 TR_9\r\n\
m=video 9 X 96\r\na=mid:3\r\na=inactive\r\na=msid:PA_1|TR_2 TR_2\r\na=ssrc:8 cname:x\r\na=ssrc:8 msid:PA_1|TR_2 TR_2\r\na=ssrc-group:FID 8 9\r\n";
        let track = |id: &str| Carried { stream_id: format!("PA_2|{id}"), track_id: id.into(), stereo: false };
        let carried = BTreeMap::from([("1".to_owned(), track("TR_2")), ("2".to_owned(), track("TR_9"))]);
        assert_eq!(
            shape_offer(offer, &carried),
            "v=0\r\na=msid-semantic: WMS *\r\n\
m=video 9 X 96\r\na=mid:1\r\na=sendonly\r\na=msid:PA_2|TR_2 TR_2\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:PA_2|TR_2 TR_2\r\n\
m=video 9 X 96\r\na=mid:2\r\na=sendonly\r\na=msid:PA_2|TR_9 TR_9\r\n\
m=video 9 X 96\r\na=mid:3\r\na=inactive\r\na=ssrc:8 cname:x\r\na=ssrc-group:FID 8 9\r\n"
        );
    }

    #[test]
    fn a_track_without_a_stream_has_an_id() {
        let offer = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=msid:- TR-a\r\nm=video 9 X 96\r\na=mid:1\r\na=msid:s TR-b\r\n\
m=video 9 X 96\r\na=mid:2\r\na=msid:s\r\nm=video 9 X 96\r\na=mid:3\r\n";
        assert_eq!(track_ids(offer), BTreeMap::from([("0", "TR-a"), ("1", "TR-b")]));
    }

    #[test]
    fn without_shapes_nothing_changes() {
        assert_eq!(shape_answer(ANSWER, &[]), ANSWER);
        assert_eq!(mids(ANSWER), vec!["0", "1"]);
        assert_eq!(shape_answer("", &[]), "");
    }
}
