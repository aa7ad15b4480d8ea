//! Log, then tell.

use crate::class::*;
use livekit_protocol as proto;
use lyceum_node::{Input, Limits, Order};
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::participant_info::State as WireState;
use proto::request_response::Reason;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Say;
use session::{Fact, Reject, Seq};

fn renames(class: &mut Class, client: lyceum_node::ClientId, name: &str) {
    class.says(
        client,
        Ask::UpdateMetadata(proto::UpdateParticipantMetadata { name: name.to_owned(), ..Default::default() }),
    );
}

#[test]
fn nobody_is_told_anything_before_it_is_on_disk() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    let track = class.publishes(ada, microphone());
    let key = class.key_of(ada, &track);
    class.nobody_listens_to_the_past();
    class.disk_is_slow();

    let ben = class.joins("ben");
    class.mutes(ada, &track, true);
    renames(&mut class, ada, "Ada L.");
    class.hand(Input::Media(sfu::Event::TrackEnded { conn: conn(ada), track: key }));
    class.leaves(ada);
    let told: Vec<_> =
        class.journal.iter().filter(|entry| matches!(entry, Entry::Said(..) | Entry::Token(..))).collect();
    assert!(told.is_empty(), "{told:?}");
    let media: Vec<_> = class.media().collect();
    assert!(
        matches!(media[..], [sfu::Command::MuteTrack { .. }, sfu::Command::Close { .. }]),
        "one's own mute and one's own end act at once, nothing else does: {media:?}"
    );

    class.disk_catches_up();
    let said = class.hears(ben);
    assert!(matches!(said[0], Say::Join(_)));
    let [.., Say::Update(last)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(last.participants[0].state(), WireState::Disconnected);
}

#[test]
fn what_is_told_follows_the_disk_step_by_step() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.nobody_listens_to_the_past();
    class.disk_is_slow();
    let before = seq_of(&class).0;
    for name in ["one", "two", "three"] {
        renames(&mut class, ada, name);
    }
    for (seq, name) in [(before, "ada"), (before + 1, "one"), (before + 3, "three")] {
        class.hand(Input::Durable(Seq(seq)));
        assert_eq!(class.sees(ben, "ada").expect("ada").name, name);
    }
    assert_eq!(class.node.stats().outstanding_events, 0);
}

#[test]
fn a_newcomer_is_given_the_class_as_it_was_when_they_came_and_then_what_changed() {
    let mut class = Class::new();
    let ada = class.joins("ada");
    class.disk_is_slow();
    let ben = class.joins("ben");
    renames(&mut class, ada, "Ada L.");
    class.disk_catches_up();
    let said = class.hears(ben);
    let Say::Join(join) = &said[0] else { panic!("{said:?}") };
    assert_eq!(join.other_participants[0].name, "ada");
    assert_eq!(class.sees(ben, "ada").expect("ada").name, "Ada L.");
}

#[test]
fn who_is_gone_before_their_arrival_is_durable_gets_no_media() {
    let mut class = Class::new();
    class.disk_is_slow();
    let ada = class.joins("ada");
    class.loses_network(ada);
    class.disk_catches_up();
    assert!(!class.media().any(|command| matches!(command, sfu::Command::Open { .. })));
    assert_eq!(class.node.stats().clients, 0);
}

#[test]
fn who_is_superseded_before_their_arrival_is_durable_is_only_sent_away() {
    let mut class = Class::new();
    class.disk_is_slow();
    let (first, second) = (class.joins("ada"), class.joins("ada"));
    class.disk_catches_up();
    let said = class.hears(first);
    assert!(matches!(&said[..], [Say::Leave(leave)] if leave.reason() == DisconnectReason::DuplicateIdentity));
    assert!(matches!(class.hears(second)[0], Say::Join(_)));
    let opened: Vec<_> = class.media().filter(|command| matches!(command, sfu::Command::Open { .. })).collect();
    assert!(matches!(opened[..], [sfu::Command::Open { conn: c, .. }] if *c == conn(second)));
}

#[test]
fn if_the_disk_fails_nobody_hears_what_is_lost_and_everybody_is_sent_to_reconnect() {
    let mut class = Class::new();
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    class.disk_is_slow();
    renames(&mut class, ada, "never true");
    class.orders(Order::Remove("ben".into()));
    class.nobody_listens_to_the_past();
    class.hand(Input::StoreFailed);

    let said = class.hears(ada);
    let [Say::Leave(leave)] = &said[..] else { panic!("only a leave: {said:?}") };
    assert_eq!((leave.action(), leave.can_reconnect), (Action::Reconnect, true));
    assert!(class.me(ada).gone && class.me(ben).gone, "sockets that were to be closed are closed");
    for client in [ada, ben] {
        assert!(class.media().any(|command| *command == sfu::Command::Close { conn: conn(client) }));
    }
    assert!(class.closed);
    class.hand(Input::Durable(seq_of(&class)));
    class.hand(Input::Timeout);
    class.hand(Input::Shutdown);
}

#[test]
fn when_the_disk_is_far_behind_what_can_be_refused_is_refused() {
    let limits = Limits { outstanding_events: 3, ..Limits::standard() };
    let mut class = Class::with(|config| config.limits = limits);
    let (ada, ben) = (class.joins("ada"), class.joins("ben"));
    let track = class.publishes(ada, microphone());
    let announced = class.announces(ada, camera()).expect("accepted");
    class.nobody_listens_to_the_past();
    class.disk_is_slow();
    for name in ["one", "two", "three"] {
        renames(&mut class, ada, name);
    }
    renames(&mut class, ada, "four");
    let said = class.hears(ada);
    assert!(matches!(&said[..], [Say::RequestResponse(r)] if r.reason() == Reason::LimitExceeded), "{said:?}");
    let late = class.joins("late");
    assert!(matches!(class.journal.last(), Some(Entry::Refused(who, Reject::Limit(_))) if *who == late));

    // A mute acts, and its last state is logged when the disk has caught up. So is a track that was matched meanwhile.
    let before = seq_of(&class);
    for muted in [true, false, true, false, true] {
        class.mutes(ada, &track, muted);
    }
    class.people.get_mut(&ada).expect("ada").heard.clear();
    let (key, mid) = (sfu::TrackKey((5 << 24) | 2), "1".to_owned());
    class.hand(Input::Media(sfu::Event::TrackMatched {
        conn: conn(ada),
        track: key,
        mid,
        mime_type: "video/VP8",
        layers: 3,
    }));
    assert_eq!(seq_of(&class), before);
    assert_eq!(class.media().filter(|command| matches!(command, sfu::Command::MuteTrack { .. })).count(), 5);
    class.disk_catches_up();
    class.disk_catches_up();
    let new: Vec<_> = class.facts().into_iter().skip(3).collect();
    assert!(
        matches!(
            &new[..],
            [Fact::TrackMuted { .. }, Fact::TrackPublished { .. }]
                | [Fact::TrackPublished { .. }, Fact::TrackMuted { .. }]
        ),
        "{new:?}"
    );
    let seen = class.sees(ben, "ada").expect("ada");
    assert_eq!(seen.name, "three");
    assert!(seen.tracks.iter().any(|known| known.sid == track.0 && known.muted));
    assert!(seen.tracks.iter().any(|known| known.sid == announced.0));
}

#[test]
fn bytes_that_wait_for_the_disk_are_bounded() {
    let limits = Limits { outstanding_bytes: 4 * 1024 * 1024, ..Limits::standard() };
    let mut class = Class::with(|config| config.limits = limits);
    let ada = class.joins("ada");
    class.disk_is_slow();
    for number in 0..100 {
        let metadata = format!("{number}{}", "x".repeat(500_000));
        class.says(ada, Ask::UpdateMetadata(proto::UpdateParticipantMetadata { metadata, ..Default::default() }));
    }
    let stats = class.node.stats();
    assert!(stats.outstanding_bytes < 5 * 1024 * 1024 + 1024, "{stats:?}");
    assert!(stats.refused_signals > 90, "{stats:?}");
    class.disk_catches_up();
    assert_eq!(class.node.stats().outstanding_bytes, 0);
}
