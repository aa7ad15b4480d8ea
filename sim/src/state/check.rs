//! What must be true of a world: at every word that the server says, after every crash, when the class has closed, and
//! whenever things have settled.

use super::disk::Disk;
use super::{Happening, Learner, START_MS, World, told};
use lyceum_node::Output;
use lyceum_session::{Event, PersonId, Presence, State};
use lyceum_sfu::{Command, ConnKey};
use proto::signal_response::Message;
use std::collections::BTreeMap;

use livekit_protocol as proto;

/// How long news may wait for more news, and then be on its way.
const NEWS_WITHIN_MS: u64 = 500;
/// Longest that a class may take to agree with itself once nobody does anything: the silence after which a server gives a
/// socket up, and a client's way back.
const SETTLES_WITHIN_MS: u64 = 60_000;

impl World {
    /// Nobody may be told what a crash could undo.
    pub(super) fn says_only_what_is_on_disk(&mut self, output: &Output) {
        let said = match output {
            Output::Signal { response, .. } => response.message.as_ref().map(told::facts_in).unwrap_or_default(),
            Output::Moved { moved, .. } => told::facts_in(&Message::RoomMoved((**moved).clone())),
            Output::Media(Command::Subscribe { track_id, .. }) => vec![format!("{track_id} is published")],
            _ => return,
        };
        let unfounded = told::unfounded(&said, &self.on_disk);
        assert!(unfounded.is_empty(), "said before it was durable: {unfounded:?} in {output:?}");
        self.told.extend(said);
    }

    pub(super) fn nothing_told_is_lost(&self) {
        let mut survives = std::collections::BTreeSet::new();
        self.log().iter().for_each(|event| survives.extend(told::facts_of(event)));
        let lost: Vec<&String> = self.told.difference(&survives).collect();
        assert!(lost.is_empty(), "people were told, and the crash undid it: {lost:?}");
    }

    /// A class that has closed keeps no media and no socket.
    pub(super) fn nothing_is_left_open(&self) {
        let (conns, tracks) = self.media.open();
        assert!(conns.is_empty() && tracks.is_empty(), "left in the media: {conns:?} {tracks:?}");
        let left: Vec<_> = self.links.iter().filter(|(_, link)| link.arrived).map(|(client, _)| client).collect();
        assert!(left.is_empty(), "sockets left open: {left:?}");
    }

    /// Lets the world go on until nothing is on its way any more; then everybody must see the same class.
    pub fn settles(&mut self) {
        let begun_ms = self.now_ms;
        while self.is_moving() {
            let moving = || self.queue.values().collect::<Vec<_>>();
            assert!(self.now_ms - begun_ms < SETTLES_WITHIN_MS, "still moving: {:?}", moving());
            self.runs_for(100);
        }
        self.runs_for(NEWS_WITHIN_MS);
        self.everybody_agrees();
    }

    fn is_moving(&self) -> bool {
        let is_news = |happening: &Happening| match happening {
            Happening::TabHears { response, .. } => {
                !matches!(response.message, Some(Message::Pong(_) | Message::PongResp(_) | Message::RefreshToken(_)))
            }
            Happening::SignalArrives { request, .. } => {
                !matches!(request.message, Some(proto::signal_request::Message::Ping(_)))
            }
            // Of a socket that nobody uses any more.
            Happening::TabSeesClosed { client } => self.tab_of(*client).is_some(),
            Happening::TabRetries { tab } => self.tabs[tab.0].retry_at_ms.is_some_and(|at| at >= self.now_ms),
            Happening::TabPings { .. } | Happening::Heartbeat => false,
            _ => true,
        };
        !self.up || self.links.values().any(|link| link.dead) || self.queue.values().any(is_news)
    }

    /// Every roster is the log's, every tab that wants to be in is in, and media goes to whom it should.
    pub fn everybody_agrees(&self) {
        let Some(node) = &self.node else {
            assert!(self.tabs.iter().all(|tab| tab.socket.is_none()), "a tab talks to nobody");
            return;
        };
        let state = self.sessions.last().map(Disk::fold).unwrap_or_default();
        assert_eq!(*node.state(), state, "the node and the disk disagree");
        reads_well(self.log());
        for tab in self.tabs.iter().filter(|tab| tab.wants_in) {
            assert!(tab.sid.is_some(), "wants to be in and is not: {}", tab.person);
            assert_eq!(tab.roster_in_short(), roster_for(&tab.person, &state), "of {}", tab.person);
            let me = tab.myself.as_ref().map(|me| me.name.as_str());
            let known = &state.participants[&PersonId::from(tab.person.as_str())];
            assert_eq!(me, Some(known.profile.name.0.as_str()), "the own name: {}", tab.person);

            let connection = known.connections.keys().next().map(|connection| connection.0.as_str());
            assert_eq!(connection, tab.sid.as_deref(), "the connection of {}", tab.person);
            let own = state.tracks.values().filter(|track| track.person.0 == tab.person);
            let own: BTreeMap<&str, bool> = own.map(|track| (track.track.0.as_str(), track.muted)).collect();
            let mine = tab.tracks.iter().map(|track| (track.sid.as_deref().unwrap_or("no sid"), track.muted));
            assert_eq!(own, mine.collect(), "own tracks of {}", tab.person);

            let is_hidden =
                |person| state.participants.get(person).is_some_and(|known| known.profile.permission.hidden);
            let space_of = |person: &PersonId| state.participants.get(person).map(|known| &known.space);
            let my_space = space_of(&tab.person.as_str().into());
            let others = state.tracks.values().filter(|track| {
                track.person.0 != tab.person && space_of(&track.person) == my_space && !is_hidden(&track.person)
            });
            let mut others: Vec<String> = others.map(|track| track.track.0.clone()).collect();
            others.sort();
            let received = tab.media.map(|client| self.media.received_by(ConnKey(client.0))).unwrap_or_default();
            assert_eq!(others, received, "media to {}", tab.person);
            assert!(tab.receives.iter().eq(&others), "offered to {}", tab.person);
        }
        let online = state.participants.values().filter(|known| known.presence == Presence::Online).count();
        let here = self.tabs.iter().filter(|tab| tab.sid.is_some()).count();
        assert_eq!(online, here, "people online in the log, and tabs in the class");
        let lost = state.participants.values().filter(|known| known.lost.is_some()).count();
        let (conns, _) = self.media.open();
        assert_eq!(conns.len(), here + lost, "media connections, and tabs in the class or still waited for");
        assert_eq!(node.stats().clients, here + lost, "clients that the node knows");
        assert_eq!(node.stats().outstanding_effects, 0, "held back for nothing");
    }
}

/// A world that fails tells how it came to that: the last lines of its trace; `SIM_STORY` says how many.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = std::env::var("SIM_STORY").ok().and_then(|lines| lines.parse().ok()).unwrap_or(60);
            let from = self.trace.len().saturating_sub(lines);
            println!("at {} ms\n{}", self.now_ms - START_MS, self.trace[from..].join("\n"));
        }
    }
}

/// Somebody in short: sid if connected, name, whether reconnecting, tracks with their mute state.
type InShort = (Option<String>, String, bool, BTreeMap<String, bool>);

impl Learner {
    fn roster_in_short(&self) -> BTreeMap<String, InShort> {
        let in_short = self.roster.iter().map(|(person, seen)| {
            let away = seen.attributes.get("lyceum.presence").is_some_and(|presence| presence == "reconnecting");
            let sid = (!away).then(|| seen.sid.clone());
            (person.clone(), (sid, seen.name.clone(), away, seen.tracks.clone()))
        });
        in_short.collect()
    }
}

/// The class as the log has it, for one of its members.
fn roster_for(me: &str, state: &State) -> BTreeMap<String, InShort> {
    let my_space = state.participants.get(&me.into()).map(|known| &known.space);
    let others = state.participants.iter().filter(|(person, known)| {
        let here = matches!(known.presence, Presence::Online | Presence::Reconnecting { .. });
        let here = here && Some(&known.space) == my_space;
        here && person.0 != me && !known.profile.permission.hidden
    });
    let in_short = others.map(|(person, known)| {
        let sid = known.connections.keys().next().map(|connection| connection.0.clone());
        let away = matches!(known.presence, Presence::Reconnecting { .. });
        let tracks = state.tracks.values().filter(|track| track.person == *person);
        let tracks = tracks.map(|track| (track.track.0.clone(), track.muted)).collect();
        (person.0.clone(), (sid, known.profile.name.0.clone(), away, tracks))
    });
    in_short.collect()
}

/// The places and times of a log.
fn reads_well(log: &[Event]) {
    for pair in log.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq.next(), "a gap in the log");
        assert!(pair[1].at >= pair[0].at && pair[1].mono_ms >= pair[0].mono_ms, "time runs backwards: {pair:?}");
    }
}
