//! Anything in any order.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{ClientId, Input, Join, Limits, Order};
use lyceum_sfu as sfu;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use proto::signal_request::Message as Ask;
use proto::simulate_scenario::Scenario;

/// One thing that may happen.
#[derive(Clone, Debug)]
enum Step {
    Joins { person: u8, hidden: bool, adaptive: bool, auto: bool },
    Says { client: u8, ask: Box<Ask> },
    Announces { client: u8, video: bool, cid: u8, muted: bool },
    Media { client: u8, track: u8, what: u8 },
    Data { client: u8, bytes: Vec<u8> },
    Loses { client: u8 },
    Removes { person: u8 },
    Moves { persons: Vec<u8>, space: u8 },
    TimePasses { ms: u64 },
    DiskSlows,
    DiskCatchesUp,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(person, hidden, adaptive, auto)| Step::Joins { person, hidden: hidden && person == 3, adaptive, auto }),
        8 => (0..12_u8, ask()).prop_map(|(client, ask)| Step::Says { client, ask: Box::new(ask) }),
        6 => (0..12_u8, any::<bool>(), 0..4_u8, any::<bool>())
            .prop_map(|(client, video, cid, muted)| Step::Announces { client, video, cid, muted }),
        10 => (0..12_u8, 0..20_u8, 0..9_u8).prop_map(|(client, track, what)| Step::Media { client, track, what }),
        2 => (0..12_u8, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(client, bytes)| Step::Data { client, bytes }),
        2 => (0..12_u8).prop_map(|client| Step::Loses { client }),
        1 => (0..5_u8).prop_map(|person| Step::Removes { person }),
        3 => (proptest::collection::vec(0..4_u8, 1..4), 0..3_u8).prop_map(|(persons, space)| Step::Moves { persons, space }),
        2 => (0..20_000_u64).prop_map(|ms| Step::TimePasses { ms }),
        1 => Just(Step::DiskSlows),
        2 => Just(Step::DiskCatchesUp),
    ]
}

/// Signals that name tracks do it by number: `TR_3` stands for the fourth track that was announced.
fn ask() -> impl Strategy<Value = Ask> {
    let sids = proptest::collection::vec((0..8_u8).prop_map(|track| format!("TR_{track}")), 0..4);
    prop_oneof![
        (sids.clone(), any::<bool>()).prop_map(|(track_sids, subscribe)| {
            Ask::Subscription(proto::UpdateSubscription { track_sids, subscribe, ..Default::default() })
        }),
        (sids, any::<bool>(), -1..5_i32, 0..2_000_u32).prop_map(|(track_sids, disabled, quality, width)| {
            Ask::TrackSetting(proto::UpdateTrackSettings {
                track_sids,
                disabled,
                quality,
                width,
                height: width / 2,
                ..Default::default()
            })
        }),
        (0..8_u8, any::<bool>())
            .prop_map(|(track, muted)| Ask::Mute(proto::MuteTrackRequest { sid: format!("TR_{track}"), muted })),
        ("[a-z]{0,3}", "[a-z]{0,3}", "[a-z.]{0,3}").prop_map(|(name, metadata, key)| {
            let attributes = [(key, metadata.clone())].into();
            Ask::UpdateMetadata(proto::UpdateParticipantMetadata { name, metadata, attributes, request_id: 1 })
        }),
        any::<u32>().prop_map(|id| Ask::Offer(proto::SessionDescription {
            id,
            sdp: "v=0".to_owned(),
            ..Default::default()
        })),
        ".{0,20}"
            .prop_map(|candidate_init| Ask::Trickle(proto::TrickleRequest { candidate_init, ..Default::default() })),
        (-5..100_i32)
            .prop_map(|s| Ask::Simulate(proto::SimulateScenario { scenario: Some(Scenario::SpeakerUpdate(s)) })),
        Just(Ask::Simulate(proto::SimulateScenario { scenario: Some(Scenario::ServerLeave(true)) })),
        Just(Ask::Leave(Default::default())),
        Just(Ask::Ping(0)),
    ]
}

proptest! {
    #![proptest_config(search())]

    /// Whatever happens in whatever order: nothing panics, the rules of the wire that `Class` watches hold, what waits is
    /// bounded, and in the end everybody who is there sees exactly who is there with exactly their tracks.
    #[test]
    fn anything_in_any_order(steps in proptest::collection::vec(step(), 1..120)) {
        let limits = Limits { outstanding_events: 20, ..Limits::standard() };
        let mut class = Class::with(|config| config.limits = limits);
        let mut world = World::default();
        for step in steps {
            world.happens(&mut class, step);
            let stats = class.node.stats();
            prop_assert!(stats.outstanding_events <= 20 + 4 * 12, "{stats:?}");
            prop_assert!(stats.tracks <= 4 * stats.clients, "{stats:?}");
            prop_assert!(stats.views <= stats.tracks * stats.clients, "{stats:?}");
        }
        class.disk.slow = false;
        while !class.disk.waiting.is_empty() {
            class.disk_catches_up();
        }
        if !class.closed {
            everybody_sees_the_class_as_it_is(&class)?;
        }
    }
}

/// The same schedules each time, unless `PROPTEST_RNG_SEED` says otherwise; `PROPTEST_CASES` searches longer.
fn search() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_261_124);
    }
    config
}

fn everybody_sees_the_class_as_it_is(class: &Class) -> Result<(), TestCaseError> {
    let state = class.node.state();
    let here = |me: &str| {
        let seen = state.participants.iter().filter(|(person, known)| {
            let here = matches!(
                known.presence,
                lyceum_session::Presence::Online | lyceum_session::Presence::Reconnecting { .. }
            );
            let together = state.participants.get(&me.into()).is_some_and(|me| me.space == known.space);
            here && together && !known.profile.permission.hidden && person.0 != me
        });
        seen.map(|(person, known)| {
            let tracks = state.tracks.values().filter(|track| track.person == *person);
            let mut tracks: Vec<_> = tracks.map(|track| (track.track.0.clone(), track.muted)).collect();
            tracks.sort();
            (person.0.clone(), known.profile.name.0.clone(), known.profile.metadata.0.clone(), tracks)
        })
        .collect::<Vec<_>>()
    };
    for (client, memory) in &class.people {
        let connected =
            state.participants.values().any(|known| known.connections.keys().any(|sid| sid.0 == memory.sid));
        prop_assert_eq!(connected && !memory.sid.is_empty(), !memory.gone, "{:?} is there or gone", client);
        if memory.gone {
            continue;
        }
        let seen: Vec<_> = memory
            .others
            .values()
            .map(|info| {
                let mut tracks: Vec<_> = info.tracks.iter().map(|track| (track.sid.clone(), track.muted)).collect();
                tracks.sort();
                (info.identity.clone(), info.name.clone(), info.metadata.clone(), tracks)
            })
            .collect();
        prop_assert_eq!(seen, here(&memory.identity));
    }
    Ok(())
}

/// The names behind the numbers of the steps.
#[derive(Default)]
struct World {
    clients: Vec<ClientId>,
    tracks: Vec<(ClientId, String)>,
    expected: Vec<(ClientId, sfu::TrackKey)>,
}

impl World {
    fn happens(&mut self, class: &mut Class, step: Step) {
        match step {
            Step::Joins { person, hidden, adaptive, auto } => {
                let mut joining =
                    Join { adaptive_stream: adaptive, auto_subscribe: auto, ..join(&format!("p{person}")) };
                joining.profile.permission.hidden = hidden;
                self.clients.push(class.joins_as(joining));
            }
            Step::Says { client, mut ask } => {
                self.name_tracks(&mut ask);
                if let Some(client) = self.client(client) {
                    class.says(client, *ask);
                }
            }
            Step::Announces { client, video, cid, muted } => {
                if let Some(client) = self.client(client) {
                    let request = if video { camera() } else { microphone() };
                    let request = proto::AddTrackRequest { cid: format!("c{cid}"), muted, ..request };
                    let before = class.journal.len();
                    let track = class.announces(client, request);
                    self.tracks.extend(track.map(|track| (client, track.0)));
                    self.expected.extend(class.journal[before..].iter().filter_map(|entry| match entry {
                        Entry::Media(sfu::Command::ExpectTrack { spec, .. }) => Some((client, spec.key)),
                        _ => None,
                    }));
                }
            }
            Step::Media { client, track, what } => self.media(class, client, track, what),
            Step::Data { client, bytes } => {
                if let Some(client) = self.client(client) {
                    class.sends_bytes(client, sfu::Lane::Reliable, bytes);
                }
            }
            Step::Loses { client } => {
                if let Some(client) = self.client(client) {
                    class.loses_network(client);
                }
            }
            Step::Removes { person } => {
                class.orders(Order::Remove(format!("p{person}").as_str().into()));
            }
            Step::Moves { persons, space } => {
                let persons = persons.into_iter().map(|person| format!("p{person}").as_str().into()).collect();
                class.orders(Order::Move { persons, space: ["main", "g1", "g2"][usize::from(space)].into() });
            }
            Step::TimePasses { ms } => class.time_passes(ms),
            Step::DiskSlows => class.disk_is_slow(),
            Step::DiskCatchesUp => {
                class.disk.slow = false;
                class.disk_catches_up();
            }
        }
    }

    fn media(&self, class: &mut Class, client: u8, track: u8, what: u8) {
        let Some(anybody) = self.client(client).map(conn) else { return };
        let (owner, key) = match self.expected.get(usize::from(track)) {
            Some((owner, key)) => (conn(*owner), *key),
            None => (anybody, sfu::TrackKey(u64::from(track))),
        };
        let event = match what {
            0 | 1 => {
                let (mid, mime_type, layers) = (track.to_string(), "video/VP8", usize::from(track % 3) + 1);
                sfu::Event::TrackMatched { conn: owner, track: key, mid, mime_type, layers }
            }
            2 => sfu::Event::TrackEnded { conn: owner, track: key },
            3 => sfu::Event::Connected { conn: anybody, target: sfu::Target::Subscriber },
            4 => {
                let levels = vec![sfu::SpeakerLevel { conn: anybody, level: 0.25, active: true }];
                sfu::Event::Speakers { group: sfu::GroupKey(5), levels }
            }
            5 => sfu::Event::StreamPaused { conn: anybody, track: key, paused: track.is_multiple_of(2) },
            6 => sfu::Event::LayersWanted { conn: owner, track: key, max_layer: track.checked_sub(1) },
            7 => {
                let (loss, round_trip_ms) = (f32::from(track) / 100.0, Some(u32::from(track) * 40));
                sfu::Event::Network { conn: anybody, target: sfu::Target::Publisher, loss, round_trip_ms }
            }
            _ if track > 15 => sfu::Event::Disconnected {
                conn: anybody,
                target: sfu::Target::Publisher,
                why: "test",
                can_return: track.is_multiple_of(2),
            },
            _ => {
                let mids = vec![("0".to_owned(), key)];
                sfu::Event::SubscriberOffer {
                    conn: anybody,
                    offer_id: 1,
                    sdp: "v=0".to_owned(),
                    mids,
                    restarts_ice: false,
                }
            }
        };
        class.hand(Input::Media(event));
    }

    fn client(&self, number: u8) -> Option<ClientId> {
        // Mostly the latest ones, who are likely to be there still.
        let latest = self.clients.iter().rev().take(6).collect::<Vec<_>>();
        latest.get(usize::from(number) % latest.len().max(1)).map(|client| **client)
    }

    fn name_tracks(&self, ask: &mut Ask) {
        let name = |sid: &mut String| {
            let number = sid.strip_prefix("TR_").and_then(|number| number.parse::<usize>().ok());
            if let Some((_, track)) = number.and_then(|number| self.tracks.iter().rev().nth(number)) {
                sid.clone_from(track);
            }
        };
        match ask {
            Ask::Subscription(wanted) => wanted.track_sids.iter_mut().for_each(name),
            Ask::TrackSetting(settings) => settings.track_sids.iter_mut().for_each(name),
            Ask::Mute(mute) => name(&mut mute.sid),
            _ => {}
        }
    }
}
