//! What people notice, one story each.

use crate::class::*;
use lyceum_session::*;

#[test]
fn a_returning_learner_finds_their_own_seat() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    let mut renamed = profile("Ann of Green Gables");
    renamed.attributes.insert("hand".into(), "up".into());
    class.must(Command::Update { person: "ann".into(), profile: renamed.clone() });
    class.loses_network("PA_1", class.now);
    class.wait(1_000);

    let events = class.arrives("ann", "PA_2");

    assert_eq!(kinds(&events), ["connection.attached"]);
    assert_eq!(class.presence("ann"), Presence::Online);
    assert_eq!(*class.profile("ann"), renamed, "the log's profile wins over the token's");
}

#[test]
fn a_learner_who_is_away_too_long_is_offline_but_keeps_the_seat() {
    let mut class = Class::starts();
    class.arrives("teacher", "PA_0");
    class.arrives("ann", "PA_1");
    class.wait(10_000);
    let last_seen = UnixMs(class.now.0 - 3_000);
    class.loses_network("PA_1", last_seen);
    assert_eq!(class.presence("ann"), Presence::Reconnecting { last_seen, deadline: class.now.plus(GRACE_MS) });
    assert_eq!(class.state.poll_timeout(), Some((class.now.plus(GRACE_MS), "presence grace")));

    class.wait(GRACE_MS - 1);
    assert!(matches!(class.presence("ann"), Presence::Reconnecting { .. }), "one millisecond of grace is left");
    class.wait(1);
    assert_eq!(class.presence("ann"), Presence::Offline { last_seen });
    assert_eq!(class.state.poll_timeout(), None, "the teacher is here: nothing to wait for");

    assert_eq!(kinds(&class.arrives("ann", "PA_2")), ["connection.attached"], "no second row for the same person");
}

#[test]
fn inv_25_opening_the_class_in_a_second_tab_takes_over_from_the_first() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Camera);

    let events = class.arrives("ann", "PA_2");

    assert_eq!(kinds(&events), ["track.unpublished", "connection.detached", "connection.attached"]);
    assert!(matches!(&events[0].fact, Fact::TrackUnpublished { reason: UnpublishReason::ConnectionEnded, .. }));
    assert!(matches!(&events[1].fact, Fact::ConnectionDetached { reason: DetachReason::Superseded, .. }));
    assert_eq!(class.presence("ann"), Presence::Online);
    assert_eq!(class.state.empty_since, None);
}

#[test]
fn inv_24_the_late_close_of_an_old_socket_does_not_evict_the_new_one() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.arrives("ann", "PA_2");
    class.publishes("ann", "PA_2", "TR_2", Source::Camera);

    let refused = class.does(lost("PA_1", class.now));

    assert!(matches!(refused, Err(Reject::NotFound(_))));
    assert_eq!(class.presence("ann"), Presence::Online);
    assert!(class.state.tracks.contains_key(&"TR_2".into()));
}

#[test]
fn a_goodbye_is_a_goodbye_and_coming_back_is_a_new_admission() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);

    let events = class.leaves("PA_1");
    assert_eq!(kinds(&events), ["track.unpublished", "connection.detached", "participant.left"]);
    assert!(matches!(&events[1].fact, Fact::ConnectionDetached { reason: DetachReason::ClientLeft, .. }));
    assert_eq!(class.presence("ann"), Presence::Left);

    let joined_at = class.now;
    class.now = class.now.plus(5_000);
    let events = class.must(attach("ann", profile("Ann again"), "PA_2"));
    assert_eq!(kinds(&events), ["participant.admitted", "connection.attached"]);
    assert_eq!(class.profile("ann").name, "Ann again".into());
    assert_eq!(class.state.participants[&"ann".into()].joined_at, joined_at);
}

#[test]
fn a_full_class_refuses_a_newcomer_but_never_one_of_its_own() {
    let mut class = Class::starts_with(Policy { max_participants: 2, ..policy() });
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    assert_eq!(class.does(attach("cem", profile("cem"), "PA_3")), Err(Reject::Limit("the session is full")));

    class.arrives("ann", "PA_4");
    class.loses_network("PA_2", class.now);
    assert!(class.does(attach("cem", profile("cem"), "PA_3")).is_err(), "bob's place is kept while he reconnects");
    class.arrives("bob", "PA_5");

    class.loses_network("PA_5", class.now);
    class.wait(GRACE_MS);
    class.arrives("cem", "PA_3");
    assert!(class.does(attach("bob", profile("bob"), "PA_6")).is_err(), "an offline person's place may be taken");

    class.must(attach("support", hidden("support"), "PA_7"));
    class.leaves("PA_3");
    class.arrives("bob", "PA_6");
}

#[test]
fn what_may_not_be_published_is_refused_and_what_is_revoked_stops() {
    let mut class = Class::starts();
    let mut only_voice = profile("ann");
    only_voice.permission.can_publish = false;
    only_voice.permission.can_publish_sources = vec![Source::Microphone];
    class.must(attach("ann", only_voice.clone(), "PA_1"));
    class.publishes("ann", "PA_1", "TR_voice", Source::Microphone);
    assert!(matches!(class.does(publish("ann", "PA_1", "TR_cam", Source::Camera)), Err(Reject::Forbidden(_))));

    let mut everything = profile("ann");
    everything.permission.can_publish_sources = Vec::new();
    class.must(Command::Update { person: "ann".into(), profile: everything });
    class.publishes("ann", "PA_1", "TR_cam", Source::Camera);

    let events = class.must(Command::Update { person: "ann".into(), profile: only_voice });
    assert_eq!(kinds(&events), ["participant.updated", "track.unpublished"]);
    assert!(matches!(
        &events[1].fact,
        Fact::TrackUnpublished { track, reason: UnpublishReason::PermissionRevoked, .. } if *track == "TR_cam".into()
    ));
    assert!(class.state.tracks.contains_key(&"TR_voice".into()));
}

#[test]
fn nobody_publishes_for_somebody_else_twice_or_without_end() {
    let mut class = Class::starts_with(Policy { max_tracks_per_connection: 2, ..policy() });
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    class.publishes("ann", "PA_1", "TR_1", Source::Camera);

    assert!(matches!(class.does(publish("bob", "PA_1", "TR_2", Source::Camera)), Err(Reject::Forbidden(_))));
    assert!(matches!(class.does(publish("bob", "PA_9", "TR_2", Source::Camera)), Err(Reject::NotFound(_))));
    assert!(matches!(class.does(publish("bob", "PA_2", "TR_1", Source::Camera)), Err(Reject::Conflict(_))));
    class.publishes("ann", "PA_1", "TR_2", Source::Microphone);
    assert!(matches!(class.does(publish("ann", "PA_1", "TR_3", Source::ScreenShare)), Err(Reject::Limit(_))));
    class.publishes("bob", "PA_2", "TR_3", Source::Camera);
}

#[test]
fn muting_twice_is_one_event() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);
    let mute = |muted| Command::SetMuted { track: "TR_1".into(), muted };
    assert_eq!(kinds(&class.must(mute(true))), ["track.muted"]);
    assert_eq!(class.must(mute(true)), []);
    assert_eq!(kinds(&class.must(mute(false))), ["track.unmuted"]);
    assert!(matches!(
        class.does_as(Some("bob".into()), mute(true)),
        Err(Reject::Forbidden("this belongs to somebody else"))
    ));
}

#[test]
fn a_learner_may_rename_themselves_but_not_promote_themselves() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    let me = Some(PersonId::from("ann"));
    let update = |profile| Command::Update { person: "ann".into(), profile };

    let events = class.does_as(me.clone(), update(profile("Ann B."))).expect("a new name is fine");
    assert_eq!(kinds(&events), ["participant.updated"]);
    assert_eq!(events[0].actor, me);

    let teacher = Profile { role: Role::Instructor, ..profile("Ann B.") };
    assert!(matches!(class.does_as(me.clone(), update(teacher)), Err(Reject::Forbidden(_))));
    assert!(matches!(
        class.does_as(me, Command::End { reason: EndReason::Ended }),
        Err(Reject::Forbidden("only an administrator may end the session"))
    ));
}

#[test]
fn a_removed_person_is_gone_with_everything_they_showed() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    class.publishes("bob", "PA_2", "TR_1", Source::Camera);

    let events = class.must(Command::Remove { person: "bob".into() });

    assert_eq!(kinds(&events), ["track.unpublished", "connection.detached", "participant.left"]);
    assert!(matches!(&events[2].fact, Fact::ParticipantLeft { reason: LeaveReason::Removed, .. }));
    assert!(class.state.tracks.is_empty());
    assert_eq!(class.presence("ann"), Presence::Online);
    assert!(matches!(class.does(Command::Remove { person: "bob".into() }), Err(Reject::NotFound(_))));
}

#[test]
fn losing_everybody_at_once_does_not_end_the_class_until_nobody_has_come_back_for_long() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    class.loses_network("PA_1", class.now);
    assert_eq!(class.state.empty_since, None, "bob is still here");
    class.loses_network("PA_2", class.now);
    let empty_since = class.now;
    assert_eq!(class.state.empty_since, Some(empty_since));

    class.wait(DEPARTURE_MS - 1);
    assert!(!class.state.ended);
    class.arrives("bob", "PA_3");
    class.wait(10 * DEPARTURE_MS);
    assert!(!class.state.ended, "one person is a class");

    class.leaves("PA_3");
    assert_eq!(class.state.poll_timeout(), Some((class.now.plus(DEPARTURE_MS), "departure timeout")));
    class.wait(DEPARTURE_MS);
    assert!(class.state.ended);
    assert!(matches!(
        class.log.last().map(|event| &event.fact),
        Some(Fact::SessionEnded { reason: EndReason::Departed })
    ));
    assert_eq!(class.does(attach("ann", profile("ann"), "PA_4")), Err(Reject::SessionEnded));
    assert_eq!(class.state.poll_timeout(), None);
}

#[test]
fn a_class_that_nobody_joins_ends() {
    let mut class = Class::starts();
    assert_eq!(class.state.poll_timeout(), Some((START.plus(EMPTY_MS), "empty timeout")));
    class.wait(EMPTY_MS - 1);
    assert!(!class.state.ended);
    class.wait(1);
    assert_eq!(kinds(&class.log), ["session.started", "session.ended"]);
}

#[test]
fn ending_the_class_closes_everything_and_the_session_last() {
    let mut class = Class::starts();
    for (person, connection) in [("ann", "PA_1"), ("bob", "PA_2"), ("cem", "PA_3"), ("dee", "PA_4")] {
        class.arrives(person, connection);
    }
    class.publishes("bob", "PA_2", "TR_1", Source::Camera);
    class.loses_network("PA_3", class.now);
    class.leaves("PA_4");

    let events = class.must(Command::End { reason: EndReason::Ended });

    assert_eq!(
        kinds(&events),
        [
            "connection.detached",
            "track.unpublished",
            "connection.detached",
            "participant.left",
            "participant.left",
            "participant.left",
            "session.ended"
        ]
    );
    assert!(class.state.ended && class.state.tracks.is_empty());
    assert!(class.state.participants.values().all(|known| known.presence == Presence::Left));
    for command in [Command::Tick, Command::Recover { last_seen: class.now }, Command::End { reason: EndReason::Ended }]
    {
        assert_eq!(class.does(command), Err(Reject::SessionEnded));
    }
}

#[test]
fn after_a_crash_everybody_is_reconnecting_and_absent_time_is_not_counted() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Camera);
    class.arrives("bob", "PA_2");
    let heartbeat = class.now.plus(4_000);
    class.now = heartbeat.plus(30_000);

    let events = class.must(Command::Recover { last_seen: heartbeat });

    assert_eq!(
        kinds(&events),
        ["session.recovered", "track.unpublished", "connection.detached", "connection.detached"]
    );
    let deadline = class.now.plus(GRACE_MS);
    for person in ["ann", "bob"] {
        assert_eq!(class.presence(person), Presence::Reconnecting { last_seen: heartbeat, deadline });
    }
    class.arrives("ann", "PA_3");
    class.wait(GRACE_MS);
    assert_eq!(class.presence("ann"), Presence::Online);
    assert_eq!(class.presence("bob"), Presence::Offline { last_seen: heartbeat });
}

#[test]
fn a_crash_of_an_empty_class_leaves_no_trace() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.loses_network("PA_1", class.now);
    assert_eq!(class.must(Command::Recover { last_seen: class.now }), []);
}

#[test]
fn a_stale_heartbeat_never_closes_an_interval_before_it_opened() {
    let mut class = Class::starts();
    let stale = class.now;
    class.now = class.now.plus(1_000);
    class.arrives("ann", "PA_1");
    let events = class.must(Command::Recover { last_seen: stale });
    assert!(matches!(&events[0].fact, Fact::SessionRecovered { last_seen } if *last_seen == class.now));

    class.arrives("ann", "PA_2");
    class.now = class.now.plus(1_000);
    class.publishes("ann", "PA_2", "TR_1", Source::Camera);
    let events = class.loses_network("PA_2", stale);
    assert!(matches!(&events[0].fact, Fact::TrackUnpublished { last_seen, .. } if *last_seen == class.now));
    assert!(matches!(&events[1].fact, Fact::ConnectionDetached { last_seen, .. } if *last_seen == class.now));
}

#[test]
fn a_clock_that_jumps_back_stands_still_in_the_log() {
    let mut class = Class::starts();
    class.now = START.plus(10_000);
    class.arrives("ann", "PA_1");
    class.now = UnixMs(START.0 - 60_000);
    let events = class.arrives("bob", "PA_2");
    assert!(events.iter().all(|event| event.at == START.plus(10_000) && event.mono_ms == 10_000));
}

#[test]
fn a_log_begins_once() {
    let mut class = Class { state: State::default(), log: Vec::new(), now: START };
    assert!(matches!(class.does(attach("ann", profile("ann"), "PA_1")), Err(Reject::Conflict(_))));
    let events = class.must(start(policy()));
    assert_eq!((events[0].seq, events[0].at, events[0].mono_ms), (Seq(1), START, 0));
    assert!(matches!(class.does(start(policy())), Err(Reject::Conflict(_))));
}

#[test]
fn a_printed_event_never_shows_a_name() {
    let mut class = Class::starts();
    class.arrives("u_17", "PA_1");
    class.must(Command::Update { person: "u_17".into(), profile: profile("Annabel Lee") });
    class.publishes("u_17", "PA_1", "TR_1", Source::Camera);
    let printed = format!("{:?} {:?}", class.log, class.state);
    assert!(!printed.contains("Annabel") && !printed.contains("u_17's"), "{printed}");
}

#[test]
fn an_event_reads_as_the_interface_documents_it() {
    let mut class = Class::starts();
    class.now = class.now.plus(812_345);
    let events =
        class.does_as(Some("ann".into()), attach("ann", profile("ann"), "PA_1")).expect("ann may attach herself");
    let json = serde_json::to_value(&events[1]).expect("an event is JSON");
    assert_eq!(
        json,
        serde_json::json!({
            "seq": 3, "at": START.0 + 812_345, "mono_ms": 812_345, "actor": "ann", "type": "connection.attached",
            "payload": {
                "person": "ann", "connection": "PA_1",
                "client": { "sdk": "", "version": "", "os": "", "browser": "", "protocol": 0 }
            }
        })
    );
}

#[test]
fn a_learner_who_resumes_in_time_goes_on_with_the_same_connection_and_tracks() {
    let mut class = Class::starts_with(patient());
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);

    assert_eq!(kinds(&class.loses_network("PA_1", class.now)), ["connection.detached"], "her track stays");
    assert!(matches!(class.presence("ann"), Presence::Reconnecting { .. }));
    assert_eq!(class.state.poll_timeout(), Some((class.now.plus(WINDOW_MS), "resume window")));
    class.wait(WINDOW_MS - 1);

    assert_eq!(kinds(&class.resumes("ann", "PA_1")), ["connection.resumed"]);
    assert_eq!(class.presence("ann"), Presence::Online);
    assert_eq!(class.state.tracks[&"TR_1".into()].connection, "PA_1".into());
    class.wait(WINDOW_MS);
    assert!(class.state.tracks.contains_key(&"TR_1".into()), "the window was for the loss, which is over");
}

#[test]
fn after_the_window_a_lost_connection_is_gone_and_its_tracks_end_where_it_was_last_seen() {
    let mut class = Class::starts_with(patient());
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);
    let last_seen = class.now;
    class.now = class.now.plus(5_000);
    class.loses_network("PA_1", last_seen);
    let from = class.log.len();

    class.wait(WINDOW_MS);

    assert_eq!(kinds(&class.log[from..]), ["track.unpublished", "connection.expired"]);
    let Fact::TrackUnpublished { last_seen: closed, .. } = class.log[from].fact else { panic!("a track ends first") };
    assert_eq!(closed, last_seen);
    let late = class.does(Command::Resume { person: "ann".into(), connection: "PA_1".into() });
    assert!(matches!(late, Err(Reject::NotFound(_))));
    assert!(matches!(class.presence("ann"), Presence::Reconnecting { .. }), "her seat still waits");
}

#[test]
fn a_new_connection_takes_the_place_of_a_lost_one() {
    let mut class = Class::starts_with(patient());
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);
    class.loses_network("PA_1", class.now);

    let events = class.arrives("ann", "PA_2");

    assert_eq!(kinds(&events), ["track.unpublished", "connection.expired", "connection.attached"]);
    assert!(class.does(Command::Resume { person: "ann".into(), connection: "PA_1".into() }).is_err());
}

#[test]
fn nobody_resumes_somebody_elses_connection_or_one_that_ended_otherwise() {
    let mut class = Class::starts_with(patient());
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    class.loses_network("PA_1", class.now);
    let theft = Command::Resume { person: "bob".into(), connection: "PA_1".into() };
    assert!(matches!(class.does_as(Some("bob".into()), theft), Err(Reject::NotFound(_))));
    let forged = Command::Resume { person: "ann".into(), connection: "PA_1".into() };
    assert!(matches!(class.does_as(Some("bob".into()), forged), Err(Reject::Forbidden(_))));

    class.publishes("bob", "PA_2", "TR_2", Source::Camera);
    let reason = DetachReason::StateMismatch;
    let events = class.must(Command::Detach { connection: "PA_2".into(), reason, last_seen: class.now });
    assert_eq!(kinds(&events), ["track.unpublished", "connection.detached"]);
    assert!(class.does(Command::Resume { person: "bob".into(), connection: "PA_2".into() }).is_err());
}

#[test]
fn people_move_together_and_stay_where_they_are_through_anything() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.arrives("bob", "PA_2");
    class.arrives("cem", "PA_3");
    assert_eq!(class.space("ann"), "main");

    let events = class.moves(&["cem", "ann", "cem"], "group 1");
    assert_eq!(kinds(&events), ["participant.moved"], "one event for all of them");
    assert!(class.moves(&["ann"], "group 1").is_empty(), "who is there already does not move");

    class.loses_network("PA_1", class.now);
    class.wait(GRACE_MS);
    let mut token = attach("ann", profile("ann"), "PA_4");
    if let Command::Attach { space, .. } = &mut token {
        *space = Some("main".into());
    }
    class.must(token);
    assert_eq!(class.space("ann"), "group 1", "an old token does not bring her back to the main room");
    class.moves(&["bob"], "group 2");
    class.leaves("PA_2");
    class.arrives("bob", "PA_5");
    assert_eq!(class.space("bob"), "group 2");
    assert!(class.does(Command::Move { persons: vec!["zoe".into(), "ann".into()], space: "main".into() }).is_err());
    assert_eq!(class.space("ann"), "group 1", "all of them or nobody");
}

#[test]
fn nobody_places_themselves_or_others() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    let by_herself = Command::Move { persons: vec!["ann".into()], space: "group 1".into() };
    assert!(matches!(class.does_as(Some("ann".into()), by_herself), Err(Reject::Forbidden(_))));
    for wrong in ["", "a/b", "line\nbreak", &"x".repeat(129)] {
        let command = Command::Move { persons: vec!["ann".into()], space: wrong.into() };
        assert!(matches!(class.does(command), Err(Reject::Invalid(_))), "{wrong:?}");
    }
    class.moves(&["ann"], &"ü".repeat(128));
}

#[test]
fn a_token_places_a_newcomer() {
    let mut class = Class::starts();
    let mut token = attach("ann", profile("ann"), "PA_1");
    if let Command::Attach { space, .. } = &mut token {
        *space = Some("group 1".into());
    }
    class.must(token);
    assert_eq!(class.space("ann"), "group 1");
}

#[test]
fn who_left_comes_back_to_where_the_log_has_them_whatever_an_older_token_says() {
    let mut class = Class::starts();
    let token = |connection| {
        let mut token = attach("ann", profile("ann"), connection);
        if let Command::Attach { space, .. } = &mut token {
            *space = Some("group 1".into());
        }
        token
    };
    class.must(token("PA_1"));
    class.moves(&["ann"], "main");
    class.leaves("PA_1");
    class.must(token("PA_2"));
    assert_eq!(class.space("ann"), "main", "the group may be closed by now");
}

#[test]
fn choices_of_tracks_and_mutes_are_kept_for_the_return() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    class.publishes("ann", "PA_1", "TR_1", Source::Microphone);
    class.must(Command::SetMuted { track: "TR_1".into(), muted: true });
    let not_his_screen = TrackChoice { of: "bob".into(), source: Source::ScreenShare, wanted: false };
    let choose = |choices: Vec<TrackChoice>| Command::Choose { person: "ann".into(), choices };
    let events = class.must(choose(vec![not_his_screen.clone(), not_his_screen.clone()]));
    assert_eq!(kinds(&events), ["subscription.chosen"]);
    assert!(class.must(choose(vec![not_his_screen])).is_empty(), "nothing new");
    class.leaves("PA_1");
    class.arrives("ann", "PA_2");
    let ann = &class.state.participants[&"ann".into()];
    assert!(ann.muted[&Source::Microphone]);
    assert!(!ann.choices[&"bob".into()][&Source::ScreenShare]);

    let flood = (0..5_000).map(|n| TrackChoice { of: format!("p{n}").into(), source: Source::Camera, wanted: true });
    assert!(matches!(class.does(choose(flood.collect())), Err(Reject::Limit(_))));
}

#[test]
fn the_room_is_described_anew_by_an_administrator() {
    let mut class = Class::starts();
    class.arrives("ann", "PA_1");
    let describe = || Command::DescribeRoom { metadata: "algebra".to_owned() };
    assert!(matches!(class.does_as(Some("ann".into()), describe()), Err(Reject::Forbidden(_))));
    assert_eq!(kinds(&class.must(describe())), ["room.updated"]);
    assert_eq!(class.state.metadata, "algebra");
    assert!(class.must(describe()).is_empty(), "nothing new");
}
