//! Cameras, microphones and screens: from when to when each was on. A track that is muted is off.

use super::{Desk, Draft};
use crate::iri::{Verb, extensions as ext, types, verbs};
use lyceum_session::{Fact, Publication, Source, TrackId, UnixMs};
use lyceum_xapi::Json;
use std::collections::BTreeMap;

/// Tracks that are on, and since when.
#[derive(Default)]
pub(super) struct Running(BTreeMap<TrackId, UnixMs>);

pub(super) fn before(desk: &mut Desk<'_>, running: &mut Running) {
    match &desk.event.fact {
        Fact::TrackPublished { publication } if !publication.muted => on(desk, running, publication),
        Fact::TrackUnmuted { track, .. } => {
            if let Some(publication) = desk.state.tracks.get(track) {
                on(desk, running, publication);
            }
        }
        Fact::TrackMuted { person, track } => {
            let actor = desk.actor();
            let by = (actor != Some(person)).then(|| desk.agent_or_server(actor));
            off(desk, running, track, desk.at(), by);
        }
        Fact::TrackUnpublished { track, last_seen, .. } => off(desk, running, track, *last_seen, None),
        _ => {}
    }
}

/// What a source is to xAPI: the type of its activity, and the verbs for on and off.
fn known_source(source: Source) -> Option<(&'static str, Verb, Verb)> {
    Some(match source {
        Source::Camera => (types::CAMERA, verbs::STARTED, verbs::STOPPED),
        Source::Microphone => (types::MICRO, verbs::STARTED, verbs::STOPPED),
        Source::ScreenShare => (types::SCREEN, verbs::SHARED, verbs::UNSHARED),
        // The sound of a screen comes and goes with its picture.
        Source::ScreenShareAudio | Source::Unknown => return None,
    })
}

fn on(desk: &mut Desk<'_>, running: &mut Running, publication: &Publication) {
    let Some((kind, verb, _)) = known_source(publication.source) else { return };
    if !desk.is_told_of(&publication.person) || running.0.contains_key(&publication.track) {
        return;
    }
    running.0.insert(publication.track.clone(), desk.at());
    let device = desk.thing("track", &publication.track, kind);
    desk.tell(Draft::new("on", Some(&publication.person), verb, device));
}

fn off(desk: &mut Desk<'_>, running: &mut Running, track: &TrackId, until: UnixMs, muted_by: Option<Json>) {
    let Some(since) = running.0.remove(track) else { return };
    let Some(publication) = desk.state.tracks.get(track) else { return };
    let Some((kind, _, verb)) = known_source(publication.source) else { return };
    let device = desk.thing("track", track, kind);
    let at = desk.at();
    let stopped = Draft::new("off", Some(&publication.person), verb, device)
        .lasted(until.0.saturating_sub(since.0))
        .maybe_with(ext::MUTED_BY, muted_by)
        .not_before(until, at);
    desk.tell(stopped);
}
