//! Stories of those who have the state socket, beside people with media or without.

use crate::class::*;
use lyceum_node::{Answer, ClientId, CommandRequest, Input, Order};
use lyceum_session as session;
use lyceum_sfu as sfu;
use session::class::{BreakoutMode, Cap, ClassCommand, GroupPlan, HandIntent, LobbyMode, PolicyPatch, To};
use session::{Client, Reject, Role, Seq, SessionId};

fn says(body: &str) -> ClassCommand {
    ClassCommand::ChatSend { to: None, body: body.into(), reply_to: None }
}

fn policy(class: &mut Class, teacher: ClientId, patch: PolicyPatch) {
    let rev = class.node.state().class.policy_rev;
    let id = class.does_expecting(teacher, ClassCommand::PolicySet { patch }, Some(rev));
    let ack = class.screen(teacher).ack(&id).expect("an answer");
    assert_eq!(ack["status"], "accepted", "{ack}");
}

fn role(class: &mut Class, teacher: ClientId, person: &str, role: Role) {
    let rev = class.node.state().class.members[&person.into()].rev;
    let command = ClassCommand::ParticipantSetRole { person: person.into(), role };
    let id = class.does_expecting(teacher, command, Some(rev));
    let ack = class.screen(teacher).ack(&id).expect("an answer");
    assert_eq!(ack["status"], "accepted", "{ack}");
}

fn opens_groups(class: &mut Class, teacher: ClientId, groups: &[(&str, &[&str])]) {
    let plans = groups.iter().map(|(name, persons)| GroupPlan {
        space: (*name).into(),
        title: String::new(),
        capacity: 0,
        persons: persons.iter().map(|person| (*person).into()).collect(),
    });
    let plan = ClassCommand::BreakoutsPlan { mode: BreakoutMode::Manual, groups: plans.collect(), seed: 0 };
    class.must(teacher, plan);
    let rev = class.node.state().class.breakouts.as_ref().expect("groups").rev;
    let open = ClassCommand::BreakoutsOpen { closes_at: None, late_policy: Default::default(), allow_return: true };
    let id = class.does_expecting(teacher, open, Some(rev));
    let ack = class.screen(teacher).ack(&id).expect("an answer");
    assert_eq!(ack["status"], "accepted", "{ack}");
}

/// Everybody's screen is compared with what the node says that it should be.
fn all_agree(class: &mut Class) {
    let before: usize = class.screens.values().map(|screen| screen.pulses).sum();
    class.time_passes(5_000);
    let open = class.screens.values().filter(|screen| !screen.closed).count();
    let after: usize = class.screens.values().map(|screen| screen.pulses).sum();
    assert!(after >= before + open, "everybody has a pulse");
}

/// Somebody loses the server, and comes back afterwards with what they had.
fn is_away_while(class: &mut Class, client: ClientId, what: impl FnOnce(&mut Class)) -> ClientId {
    let had = class.screen(client);
    let (person, seq, entities) = (had.person.clone(), had.seq, had.entities.clone());
    class.loses_screen(client);
    what(class);
    let mut enter = enter(&person);
    enter.since = Some((class.node.state().session.clone().expect("a session"), Seq(seq)));
    let again = ClientId(900 + client.0);
    let screen = crate::screen::Screen { person, entities, seq, ..Default::default() };
    class.screens.insert(again, screen);
    class.hand(Input::Enter { client: again, enter: Box::new(enter) });
    again
}

#[test]
fn a_screen_is_the_fold_of_what_it_is_told() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.enters("ann");
    let bob = class.enters("bob");
    class.must(ann, ClassCommand::HandRaise { intent: HandIntent::Question });
    class.must(bob, says("good morning"));
    class.must(
        ann,
        ClassCommand::ChatSend { to: Some(To::Person { person: "tom".into() }), body: "psst".into(), reply_to: None },
    );
    class.must(teacher, ClassCommand::HandCall { person: "ann".into() });

    assert_eq!(class.screen(bob).all("messages").len(), 1, "a message between two is not for the third");
    assert_eq!(class.screen(teacher).all("messages").len(), 2);
    assert!(class.screen(ann).entity("hands", "ann").is_none());
    assert_eq!(class.screen(bob).all("participants").len(), 3);
    assert_eq!(class.screen(bob).all("grants").len(), 1, "only one's own");
    assert_eq!(class.screen(teacher).all("grants").len(), 3);
    all_agree(&mut class);
}

#[test]
fn nobody_hears_anything_before_it_is_on_disk() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    class.disk_is_slow();
    let id = class.does(ann, says("hello"));
    assert!(class.screen(ann).ack(&id).is_none());
    assert!(class.screen(ann).all("messages").is_empty());
    class.disk_catches_up();
    assert!(class.screen(ann).ack(&id).is_some());
    assert_eq!(class.screen(ann).all("messages").len(), 1);
}

#[test]
fn a_command_that_is_sent_again_has_the_same_answer_and_happens_once() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    class.sends_command(ann, "x", says("hello"), None);
    let first = class.screen(ann).ack("x").cloned().expect("an answer");
    class.loses_screen(ann);
    let again = class.enters("ann");
    class.sends_command(again, "x", says("hello"), None);
    let second = class.screen(again).ack("x").cloned().expect("an answer");
    assert_eq!((&first["first"], &second["repeated"]), (&second["first"], &true.into()));
    assert_eq!(class.screen(again).all("messages").len(), 1);
}

#[test]
fn who_waits_sees_the_door_only_until_they_are_let_in() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    policy(&mut class, teacher, PolicyPatch { lobby: Some(LobbyMode::Ask), ..PolicyPatch::default() });
    class.must(teacher, says("for those who are in"));
    let ann = class.enters("ann");
    let bob = class.enters("bob");
    assert_eq!(class.screen(ann).heard[0]["state"], "waiting");
    assert_eq!(class.screen(ann).entities.len(), 1, "their own place in the queue");
    assert_eq!(class.screen(teacher).all("waiting").len(), 2);
    all_agree(&mut class);

    class.must(teacher, ClassCommand::LobbyAdmit { persons: vec!["ann".into()], all: false });
    assert_eq!(class.screen(ann).all("messages").len(), 1);
    assert!(class.screen(ann).entity("waiting", "ann").is_none());
    assert_eq!(class.screen(ann).entity("participants", "ann").expect("in")["presence"], "online");
    class.must(ann, says("thank you"));

    class.must(teacher, ClassCommand::LobbyDeny { person: "bob".into(), ban: false });
    assert_eq!(class.screen(bob).bye(), Some("not_admitted"));
    assert!(class.screen(bob).closed);
    all_agree(&mut class);
}

#[test]
fn who_was_away_gets_what_they_missed_and_no_more() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.enters("ann");
    class.must(teacher, says("one"));
    let (seq, mut before) = (class.screen(ann).seq, class.screen(ann).entities.clone());
    class.loses_screen(ann);
    class.must(teacher, says("two"));
    let reports_to = ClassCommand::ChatSend { to: Some(To::Staff), body: "for staff".into(), reply_to: None };
    class.must(teacher, reports_to);

    let mut enter = enter("ann");
    enter.since = Some((class.node.state().session.clone().expect("a session"), Seq(seq)));
    let again = ClientId(900);
    class
        .screens
        .insert(again, crate::screen::Screen { entities: std::mem::take(&mut before), seq, ..Default::default() });
    class.hand(Input::Enter { client: again, enter: Box::new(enter.clone()) });
    let welcome = &class.screen(again).heard[0];
    assert!(welcome["snapshot"].is_null() && welcome["delta"]["events"].is_array(), "{welcome}");
    assert!(!welcome.to_string().contains("for staff"));
    assert_eq!(class.screen(again).all("messages").len(), 2);
    all_agree(&mut class);

    enter.since = Some((SessionId::from("RM_other"), Seq(seq)));
    let stranger = class.enters_as(enter);
    assert!(class.screen(stranger).heard[0]["snapshot"].is_object(), "another session is no beginning");
}

#[test]
fn who_sees_staff_alone_gets_what_became_of_them_while_away() {
    let mut class = Class::new();
    let tom = class.enters_as(teacher("tom"));
    let tim = class.enters_as(teacher("tim"));
    let ann = class.enters("ann");
    policy(&mut class, tom, PolicyPatch { hide_roster: Some(true), ..PolicyPatch::default() });
    class.must(tim, ClassCommand::HandRaise { intent: HandIntent::Question });

    let ann = is_away_while(&mut class, ann, |class| {
        class.loses_screen(tim);
        class.must(tom, ClassCommand::HandDismiss { persons: vec!["tim".into()], all: false });
    });
    assert!(class.screen(ann).heard[0]["snapshot"].is_null());
    assert_eq!(class.screen(ann).entity("participants", "tim").expect("staff")["presence"], "reconnecting");
    assert!(class.screen(ann).entity("hands", "tim").is_none());
    all_agree(&mut class);

    let ann = is_away_while(&mut class, ann, |class| role(class, tom, "tim", Role::Learner));
    assert!(class.screen(ann).entity("participants", "tim").is_none(), "a learner like any other");
    all_agree(&mut class);
}

#[test]
fn who_was_moved_while_away_begins_anew() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.enters("ann");
    let seq = class.screen(ann).seq;
    class.loses_screen(ann);
    opens_groups(&mut class, teacher, &[("red", &["ann"])]);
    let mut enter = enter("ann");
    enter.since = Some((class.node.state().session.clone().expect("a session"), Seq(seq)));
    let again = class.enters_as(enter);
    let welcome = &class.screen(again).heard[0];
    assert_eq!(welcome["snapshot"]["participants"]["ann"]["space"], "red", "the place is the log's");
    all_agree(&mut class);
}

#[test]
fn a_role_reaches_clients_without_the_state_socket_as_a_permission() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.joins_and_connects("ann");
    let bob = class.joins_and_connects("bob");
    let track = class.publishes(ann, microphone());
    assert!(class.receives(bob).contains(&track.0));
    role(&mut class, teacher, "ann", Role::Observer);

    let seen = class.sees(bob, "ann").expect("still here");
    let permission = seen.permission.as_ref().expect("told");
    assert!(!permission.can_publish && !permission.can_publish_data);
    assert!(seen.tracks.is_empty(), "what may not be published is published no more");
    let key = sfu::Command::DropTrack { track: class.key_of(ann, &track) };
    let dropped = class.place(|entry| matches!(entry, Entry::Media(command) if *command == key)).expect("dropped");
    let fence = class.place(|entry| matches!(entry, Entry::Media(sfu::Command::Fence { .. }))).expect("fenced");
    assert!(dropped < fence, "first it ends, then it is said to have ended");
    role(&mut class, teacher, "ann", Role::Learner);
    let permission = class.sees(bob, "ann").and_then(|seen| seen.permission.clone()).expect("told");
    assert!(permission.can_publish && permission.can_publish_sources.is_empty());
}

#[test]
fn a_role_is_told_though_it_changes_nothing_that_may_be_published() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    class.joins_and_connects("ann");
    let bob = class.joins_and_connects("bob");
    let before = class.sees(bob, "ann").and_then(|seen| seen.permission.clone());
    role(&mut class, teacher, "ann", Role::CoInstructor);
    let seen = class.sees(bob, "ann").expect("here");
    assert_eq!(seen.attributes.get("lyceum.role").map(String::as_str), Some("co_instructor"));
    assert_eq!(seen.permission, before);
}

#[test]
fn an_ack_waits_for_media_but_not_for_ever() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.joins_and_connects("ann");
    class.publishes(ann, microphone());
    class.media_is_deaf = true;
    let mute = ClassCommand::ParticipantMute { persons: vec!["ann".into()], all_except: None };
    let id = class.does(teacher, mute);
    assert!(class.screen(teacher).ack(&id).is_none());
    class.time_passes(249);
    assert!(class.screen(teacher).ack(&id).is_none());
    class.time_passes(1);
    assert_eq!(class.screen(teacher).ack(&id).expect("an answer")["enforced"], false);
}

#[test]
fn inv_14_who_takes_a_right_is_answered_when_documents_have_let_go_too() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    class.enters("ann");
    class.documents_are_deaf = true;
    let rev = class.node.state().class.members[&"ann".into()].rev;
    let set = [(Cap::BoardDraw, Some(false))].into_iter().collect();
    let take = ClassCommand::ParticipantOverrideCaps { person: "ann".into(), set };
    let id = class.does_expecting(teacher, take, Some(rev));
    assert!(class.screen(teacher).ack(&id).is_none());
    class.hand(Input::Enforced { id: 1 });
    assert_eq!(class.screen(teacher).ack(&id).expect("an answer")["enforced"], true);

    // Words take nothing away, and nobody waits for ever.
    let words = class.does(teacher, says("now"));
    assert_eq!(class.screen(teacher).ack(&words).expect("an answer")["enforced"], true);
    let remove = class.does(teacher, ClassCommand::ParticipantRemove { person: "ann".into(), ban: false });
    assert!(class.screen(teacher).ack(&remove).is_none());
    class.time_passes(250);
    assert_eq!(class.screen(teacher).ack(&remove).expect("an answer")["enforced"], false);

    // The end of the class is answered, too.
    let received_at = class.now;
    let end = ClassCommand::SessionEnd { confirm: "RM_maths".into() };
    let command = CommandRequest { id: "end".into(), digest: 1, command: end, expect: None, epoch: None, received_at };
    let order = Order::Command { actor: None, command: Box::new(command) };
    let Ok(Answer::Outcome(ack)) = class.orders_now(order) else { panic!("an outcome") };
    assert!(ack.code.is_none(), "{ack:?}");
    class.time_passes(30_000);
    assert!(class.closed);
}

#[test]
fn a_mute_by_the_class_reaches_media_and_the_client() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.joins_and_connects("ann");
    let track = class.publishes(ann, microphone());
    class.hears(ann);
    class.must(teacher, ClassCommand::ParticipantMute { persons: vec!["ann".into()], all_except: None });
    let muted = sfu::Command::MuteTrack { track: class.key_of(ann, &track), muted: true };
    assert!(class.media().any(|command| *command == muted));
    let told = class.hears(ann);
    use livekit_protocol::signal_response::Message as Say;
    assert!(told.iter().any(|said| matches!(said, Say::Mute(mute) if mute.muted && mute.sid == track.0)), "{told:?}");
    assert!(class.node.state().tracks[&track].muted);
}

#[test]
fn groups_reach_clients_without_the_state_socket_as_moves() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| class.joins_and_connects(name));
    let track = class.publishes(ann, microphone());
    opens_groups(&mut class, teacher, &[("red", &["ann", "bob"]), ("blue", &["cid"])]);
    assert!(class.receives(bob).contains(&track.0), "they are together again");
    assert!(!class.receives(cid).contains(&track.0));
    assert!(class.sees(cid, "ann").is_none() && class.sees(ann, "bob").is_some());
    all_agree(&mut class);

    let rev = class.node.state().class.breakouts.as_ref().expect("groups").rev;
    class.does_expecting(teacher, ClassCommand::BreakoutsClose { warn_s: 0 }, Some(rev));
    assert!(class.receives(cid).contains(&track.0), "everybody is back");
    all_agree(&mut class);
}

#[test]
fn a_removed_person_is_gone_from_media_and_state_and_does_not_come_back() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.enters("ann");
    let media = class.joins_and_connects("ann");
    class.must(teacher, ClassCommand::ParticipantRemove { person: "ann".into(), ban: false });
    assert_eq!(class.screen(ann).bye(), Some("not_admitted"));
    assert!(class.me(media).sent_away);
    let again = class.enters("ann");
    assert_eq!(class.screen(again).bye(), Some("not_admitted"));
    let refused = class.joins("ann");
    assert!(
        class
            .place(|entry| matches!(entry, Entry::Refused(client, Reject::NotAdmitted(_)) if *client == refused))
            .is_some()
    );
}

#[test]
fn media_that_is_given_up_leaves_no_ghost_while_its_person_stays() {
    let mut class = Class::patient();
    let ann = class.enters("ann");
    let media = class.joins_and_connects("ann");
    let bob = class.joins_and_connects("bob");
    class.loses_network(media);
    let seen = class.sees(bob, "ann").expect("kept for the resume window");
    assert_eq!(seen.attributes.get("lyceum.presence").map(String::as_str), Some("reconnecting"));
    class.time_passes_for(&[bob], WINDOW_MS + 1_000);
    assert!(class.sees(bob, "ann").is_none(), "nobody waits for media that does not come");
    assert_eq!(class.screen(ann).entity("participants", "ann").expect("here")["presence"], "online");
    assert!(!class.screen(ann).closed);
}

#[test]
fn hanging_up_media_is_not_leaving_the_class() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    let media = class.joins_and_connects("ann");
    let bob = class.joins_and_connects("bob");
    class.leaves(media);
    assert!(class.sees(bob, "ann").is_none());
    assert_eq!(class.screen(ann).entity("participants", "ann").expect("here")["presence"], "online");
    class.hand(Input::Goodbye { client: ann });
    assert_eq!(class.screen(ann).bye(), Some("left"));
    assert!(class.node.state().participants[&"ann".into()].connections.is_empty());
}

#[test]
fn the_same_device_takes_its_place_and_another_stands_beside_it() {
    let mut class = Class::new();
    let device = |name: &str| lyceum_node::Enter {
        client: Client { device: name.to_owned(), ..Client::default() },
        ..enter("ann")
    };
    let [tab, phone] = ["tab", "phone"].map(|name| class.enters_as(device(name)));
    let again = class.enters_as(device("tab"));
    assert_eq!(class.screen(tab).bye(), Some("superseded"));
    assert!(!class.screen(phone).closed && !class.screen(again).closed);
    class.loses_screen(tab);
    assert!(!class.screen(again).closed, "the end of the old one ends nothing");
    all_agree(&mut class);
}

#[test]
fn a_draft_is_acked_when_it_is_on_disk_though_it_is_no_event() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.enters("ann");
    let spec = serde_json::from_value(serde_json::json!({
        "title": "q", "items": [{ "kind": "single", "text": "?", "options": ["a", "b"] }]
    }));
    let Ok(spec) = spec else { panic!("{spec:?}") };
    class.must(teacher, ClassCommand::ActivityCreate { spec });
    let poll = *class.node.state().class.polls.keys().next().expect("a poll");
    class.must(teacher, ClassCommand::PollOpen { poll, target: Default::default(), duration_ms: None });
    class.disk_is_slow();
    let answers = vec![Some(session::class::Answer::Options { options: vec![1] })];
    let id = class.does(ann, ClassCommand::PollSaveDraft { poll, answers });
    assert!(class.screen(ann).ack(&id).is_none());
    assert_eq!(class.disk.side.len(), 1);
    class.disk_catches_up();
    assert_eq!(class.screen(ann).ack(&id).expect("an answer")["status"], "accepted");
}

#[test]
fn a_backend_commands_and_looks_as_itself_or_as_somebody() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    let command = |id: &str, command| {
        let received_at = NOON;
        Box::new(CommandRequest { id: id.into(), digest: 1, command, expect: None, epoch: None, received_at })
    };
    let order = Order::Command { actor: None, command: command("a", says("from the school")) };
    let Ok(Answer::Outcome(ack)) = class.orders_now(order) else { panic!("an outcome") };
    assert_eq!(ack.first, ack.last);
    assert_eq!(class.screen(ann).all("messages").len(), 1);
    let raise = ClassCommand::HandRaise { intent: HandIntent::Question };
    let order = Order::Command { actor: Some("ann".into()), command: command("b", raise) };
    assert!(matches!(class.orders_now(order), Ok(Answer::Outcome(ack)) if ack.code.is_none()));
    let end = ClassCommand::SessionEnd { confirm: "RM_1".into() };
    let order = Order::Command { actor: Some("ann".into()), command: command("c", end) };
    let Ok(Answer::Outcome(ack)) = class.orders_now(order) else { panic!("an outcome") };
    assert_eq!(ack.code, Some("forbidden"));
    let seen = class.orders_now(Order::LookAtClass { viewer: None });
    let Ok(Answer::Class(text)) = seen else { panic!("{seen:?}") };
    assert!(text.contains("from the school"));
    let stranger = class.orders_now(Order::LookAtClass { viewer: Some("zoe".into()) });
    assert!(matches!(stranger, Err(Reject::NotAdmitted(_))));
}

#[test]
fn a_lock_on_chat_holds_for_data_messages_too() {
    let mut class = Class::new();
    let teacher = class.enters_as(teacher("tom"));
    let ann = class.joins_and_connects("ann");
    let bob = class.joins_and_connects("bob");
    let locks = session::class::Caps::of(&[Cap::ChatSend]);
    policy(&mut class, teacher, PolicyPatch { locks: Some(locks), ..PolicyPatch::default() });
    let packet = livekit_protocol::DataPacket {
        value: Some(livekit_protocol::data_packet::Value::User(Default::default())),
        ..Default::default()
    };
    class.sends(ann, sfu::Lane::Reliable, &packet);
    assert!(!class.media().any(|command| matches!(command, sfu::Command::SendData { .. })));
    let permission = class.sees(bob, "ann").and_then(|seen| seen.permission.clone()).expect("told");
    assert!(permission.can_publish && !permission.can_publish_data);
}

#[test]
fn the_server_says_goodbye_to_screens_too() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    class.hand(Input::Shutdown);
    assert_eq!(class.screen(ann).bye(), Some("restart"));
    assert!(class.closed);

    let mut class = Class::new();
    let ann = class.enters("ann");
    class.hand(Input::StoreFailed);
    assert_eq!(class.screen(ann).bye(), Some("restart"));
}

#[test]
fn a_flood_of_commands_costs_only_its_sender() {
    let mut class = Class::new();
    let ann = class.enters("ann");
    let bob = class.enters("bob");
    let mut rejected = 0;
    for _ in 0..700 {
        let id = class.does(ann, ClassCommand::ReactionSend { kind: "up".into() });
        rejected += usize::from(class.screen(ann).ack(&id).expect("an answer")["code"] == "rate");
    }
    assert!(rejected >= 190, "{rejected}");
    class.must(bob, says("still here"));
}
