//! The state socket over real WebSockets: what each person sees is what the pulse says they should, each command has one answer, and
//! what ill-meaning sockets do costs them alone.

use crate::harness::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::{SinkExt, StreamExt};
use livekit_protocol::signal_response::Message as Say;
use lyceum::token::{Claims, LyceumClaims, VideoGrant};
use lyceum_documents::read_named;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

// ---- stories -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn three_people_see_what_happens_and_each_sees_what_is_theirs() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    assert_eq!((ann.welcome["state"].as_str(), ann.welcome["you"].as_str()), (Some("admitted"), Some("ann")));
    assert_eq!(ann.welcome["room"], "maths");

    // Hands.
    let raised = ann.commands("hand.raise", json!({"intent": "question"})).await;
    assert_eq!(raised["status"], "accepted", "{raised}");
    assert_eq!(raised["first"], ann.view[&key("hands", "ann")]["since"], "the event came before the answer");
    teacher.sees("hands", "ann", |hand| hand["intent"] == "question").await;
    // A contested thing needs the revision that was seen; with it, the policy changes for everybody.
    let refused = teacher.commands("policy.set", json!({"patch": {"qa_moderated": true}})).await;
    assert_eq!((refused["status"].as_str(), refused["code"].as_str()), (Some("rejected"), Some("invalid")));
    let rev = teacher.view[&key("session", "")]["rev"].clone();
    let patch = json!({"patch": {"qa_moderated": true, "direct_messages": "all"}});
    let set = teacher.commands_with("policy.set", patch.clone(), json!({"expect": rev})).await;
    assert_eq!(set["status"], "accepted", "{set}");
    let stale = teacher.commands_with("policy.set", patch, json!({"expect": rev})).await;
    assert_eq!((stale["code"].as_str(), &stale["current"]), (Some("conflict"), &set["first"]));
    // Words: to all, and to one.
    ann.commands("chat.send", json!({"body": "hello all"})).await;
    ann.commands("chat.send", json!({"to": {"kind": "person", "person": "teacher"}, "body": "only you"})).await;
    teacher.sees_message("only you").await;
    ben.commands("chat.send", json!({"body": "hello ann"})).await;
    assert!(ben.view.values().any(|entity| entity["body"] == "hello all"));
    ann.sees_message("hello ann").await;
    assert!(!ben.heard_of("only you"), "a message between two people came to a third");
    // A quiz: the answer key and drafts stay with those whose they are.
    let spec = json!({"title": "Mass", "mode": "quiz", "items": [
        {"kind": "single", "text": "g?", "options": ["9.81", "3"], "key": {"kind": "options", "options": [0]}, "points": 1},
    ]});
    let made = teacher.commands("activity.create", json!({"spec": spec})).await;
    assert_eq!(made["status"], "accepted", "{made}");
    let poll = made["first"].clone();
    let id = poll.to_string();
    assert_eq!(teacher.commands("poll.open", json!({"poll": poll})).await["status"], "accepted");
    ann.sees("polls", &id, |poll| poll["status"] == "open" && poll["asked"] == true).await;
    assert!(ann.view[&key("polls", &id)]["spec"]["items"][0].get("key").is_none());
    let answers = json!([{"kind": "options", "options": [0]}]);
    let draft = ann.commands("poll.save_draft", json!({"poll": poll, "answers": answers})).await;
    assert_eq!((draft["status"].as_str(), draft.get("first")), (Some("accepted"), None), "{draft}");
    let counted = ann.commands("poll.respond", json!({"poll": poll, "answers": answers})).await;
    assert_eq!(counted["response"], "counted", "{counted}");
    teacher.sees("results", &id, |result| result["responded"] == 1).await;
    let response = format!("{id}:ann");
    assert!(
        teacher.view.contains_key(&key("responses", &response)) && ann.view.contains_key(&key("responses", &response))
    );
    // A timer and a reaction.
    teacher.commands("timer.start", json!({"duration_ms": 60_000})).await;
    ann.sees_any("timers").await;
    ben.commands("reaction.send", json!({"kind": "👏"})).await;
    let clapped = ann.hears("signal").await;
    assert_eq!((clapped["type"].as_str(), clapped["person"].as_str()), (Some("reaction"), Some("ben")));
    // What nobody may.
    for (kind, payload, code) in [
        ("policy.set", json!({"patch": {}}), "forbidden"),
        ("hand.call", json!({"person": "ann"}), "forbidden"),
        ("chat.delete", json!({"message": 999_999}), "not_found"),
        ("join", json!({"person": "eve", "profile": null}), "invalid"),
        ("hand.wave", json!({}), "unavailable"),
    ] {
        let no = ben.commands(kind, payload).await;
        assert_eq!((no["status"].as_str(), no["code"].as_str()), (Some("rejected"), Some(code)), "{kind}: {no}");
    }
    for device in [&mut teacher, &mut ann, &mut ben] {
        device.agrees_with_the_pulse().await;
    }
    assert!(!ben.view.contains_key(&key("responses", &response)) && !ben.heard_of("\"options\":[0]"));
    assert!(!ben.view.contains_key(&key("grants", "ann")) && teacher.view.contains_key(&key("grants", "ann")));

    // The whole log, shown to a backend, has what everybody sees.
    let session = teacher.welcome["session"].as_str().unwrap().to_owned();
    let state = get_with(at, &format!("/api/v1/sessions/{session}/state"), &backend("maths")).await.json();
    assert_eq!(state["snapshot"]["hands"]["ann"], teacher.view[&key("hands", "ann")]);
    let early = get_with(at, &format!("/api/v1/sessions/{session}/state?seq=3"), &backend("maths")).await.json();
    assert_eq!((&early["seq"], early["snapshot"].get("hands")), (&json!(3), None));
    teacher.comes_again_and_sees_the_same().await;
}

#[tokio::test]
async fn a_command_happens_once_also_through_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start(data.path(), &[]);
    let mut ann = Device::enters(server.address, "maths", "ann", "learner").await;
    let said = ann.commands_as("c-1", "chat.send", json!({"body": "once"}), json!({})).await;
    assert_eq!((said["status"].as_str(), said.get("repeated")), (Some("accepted"), None));
    let again = ann.commands_as("c-1", "chat.send", json!({"body": "once"}), json!({})).await;
    assert_eq!((&again["first"], &again["repeated"]), (&said["first"], &json!(true)));
    let other = ann.commands_as("c-1", "chat.send", json!({"body": "twice"}), json!({})).await;
    assert_eq!((other["status"].as_str(), other["code"].as_str()), (Some("rejected"), Some("invalid")));

    let token = ann.welcome["token"].clone();
    server.kill();
    let server = Process::start(data.path(), &[]);
    let hello = json!({"t": "hello", "token": token, "session": ann.welcome["session"], "seq": ann.seq});
    let mut back = Device::says_hello(server.address, hello).await.unwrap();
    assert_eq!((&back.welcome["session"], &back.welcome["you"]), (&ann.welcome["session"], &json!("ann")));
    if back.welcome.get("delta").is_some() {
        back.view = ann.view.clone();
        back.takes_delta();
    }
    let again = back.commands_as("c-1", "chat.send", json!({"body": "once"}), json!({})).await;
    assert_eq!((&again["first"], &again["repeated"]), (&said["first"], &json!(true)), "{again}");
    let messages = back.view.iter().filter(|((collection, _), _)| collection == "messages").count();
    assert_eq!(messages, 1);
    back.agrees_with_the_pulse().await;
}

#[tokio::test]
async fn who_waits_is_let_in_or_not() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let rev = teacher.view[&key("session", "")]["rev"].clone();
    let patch = json!({"patch": {"lobby": "ask"}});
    let set = teacher.commands_with("policy.set", patch, json!({"expect": rev})).await;
    assert_eq!(set["status"], "accepted", "{set}");

    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    assert_eq!((ann.welcome["state"].as_str(), &ann.welcome["connection"]), (Some("waiting"), &Value::Null));
    assert_eq!(ann.view.keys().cloned().collect::<Vec<_>>(), [key("waiting", "ann")], "they see that they wait");
    let no = ann.commands("chat.send", json!({"body": "let me in"})).await;
    assert_eq!(no["code"], "not_admitted");
    teacher.sees("waiting", "ben", |_| true).await;

    teacher.commands("lobby.admit", json!({"persons": ["ann"]})).await;
    ann.sees("participants", "ann", |ann| ann["presence"] == "online").await;
    assert!(!ann.view.contains_key(&key("waiting", "ann")));
    assert!(!ann.view.keys().any(|(collection, _)| collection == "waiting"), "learners do not see who waits");
    assert_eq!(ann.commands("hand.raise", json!({})).await["status"], "accepted");
    ann.agrees_with_the_pulse().await;

    teacher.commands("lobby.deny", json!({"person": "ben"})).await;
    let bye = ben.is_sent_away().await;
    assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some("not_admitted"), Some(false)));
    assert!(!ann.heard_of("ben"), "who waits is nothing to learners");

    let mut cy = Device::enters(at, "maths", "cy", "learner").await;
    cy.says(json!({"t": "leave"})).await;
    assert_eq!(cy.is_sent_away().await["code"], "left");
}

#[tokio::test]
async fn who_was_cut_off_gets_what_they_missed() {
    let running = start().await;
    let at = running.address;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    ann.sees("participants", "ben", |_| true).await;
    let (view, seq, welcome) = (ann.view.clone(), ann.seq, ann.welcome.clone());
    ann.vanishes();
    ben.sees("participants", "ann", |ann| ann["presence"] == "reconnecting").await;
    ben.commands("chat.send", json!({"body": "while you were away"})).await;
    ben.commands("hand.raise", json!({})).await;

    let hello = json!({"t": "hello", "token": welcome["token"], "session": welcome["session"], "seq": seq});
    let mut back = Device::says_hello(at, hello.clone()).await.unwrap();
    assert!(back.welcome.get("snapshot").is_none(), "{}", back.welcome);
    back.view = view;
    back.takes_delta();
    back.sees_message("while you were away").await;
    assert!(back.view.contains_key(&key("hands", "ben")));
    back.agrees_with_the_pulse().await;
    // Without what they had, everything comes; and from another session, too.
    let mut hello = json!({"t": "hello", "token": back.welcome["token"], "session": "RM_other", "seq": seq});
    let again = Device::says_hello(at, hello.clone()).await.unwrap();
    assert!(again.welcome.get("snapshot").is_some());
    hello["seq"] = json!(1u64 << 52);
    hello["session"] = welcome["session"].clone();
    assert!(Device::says_hello(at, hello).await.unwrap().welcome.get("snapshot").is_some());
}

#[tokio::test]
async fn the_same_device_takes_its_own_place_and_another_does_not() {
    let running = start().await;
    let at = running.address;
    let hello = |device: &str| json!({"t": "hello", "token": as_role("maths", "ann", "learner"), "device": device});
    let mut tab = Device::says_hello(at, hello("tab")).await.unwrap();
    let mut phone = Device::says_hello(at, hello("phone")).await.unwrap();
    let mut again = Device::says_hello(at, hello("tab")).await.unwrap();
    let bye = tab.is_sent_away().await;
    assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some("superseded"), Some(false)));
    phone.commands("hand.raise", json!({})).await;
    again.sees("hands", "ann", |_| true).await;
    // Gone with the last one only.
    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    phone.says(json!({"t": "leave"})).await;
    assert_eq!(phone.is_sent_away().await["code"], "left");
    ben.commands("hand.raise", json!({})).await;
    assert_eq!(ben.view[&key("participants", "ann")]["presence"], "online");
    again.says(json!({"t": "leave"})).await;
    ben.sees_gone("participants", "ann").await;

    // The token of a device is that device's.
    let stolen = json!({"t": "hello", "token": again.welcome["token"], "device": "phone"});
    assert_eq!(Device::says_hello(at, stolen).await.unwrap_err()["code"], "unauthorized");
    let back = json!({"t": "hello", "token": again.welcome["token"], "device": "tab"});
    assert_eq!(Device::says_hello(at, back).await.unwrap().welcome["you"], "ann");
}

#[tokio::test]
async fn a_token_lets_back_in_until_its_bearer_is_removed_or_the_class_ends() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let token = ann.welcome["token"].as_str().unwrap().to_owned();
    let hello = json!({"t": "hello", "token": token});
    let back = Device::says_hello(at, hello.clone()).await.unwrap();
    back.vanishes();
    // It is no access token.
    let answer = get_with(at, "/api/v1/rooms/maths/state", &token).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("token_invalid")));
    assert_eq!(Person::join(at, &token, "").await.err().unwrap().status, 401);

    teacher.commands("participant.remove", json!({"person": "ann"})).await;
    let bye = ann.is_sent_away().await;
    assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some("not_admitted"), Some(false)));
    for token in [token, as_role("maths", "ann", "learner")] {
        let bye = Device::says_hello(at, json!({"t": "hello", "token": token})).await.unwrap_err();
        assert_eq!(bye["code"], "not_admitted", "{bye}");
    }

    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    let session = teacher.welcome["session"].clone();
    let body = json!({"room": "maths"});
    let creator = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    assert_eq!(post(at, "/twirp/livekit.RoomService/DeleteRoom", Some(&creator), body).await.status, StatusCode::OK);
    assert_eq!(ben.is_sent_away().await["code"], "session_ended");
    let hello = json!({"t": "hello", "token": ben.welcome["token"]});
    assert_eq!(Device::says_hello(at, hello.clone()).await.unwrap_err()["code"], "session_ended");
    // Not into the next class either, which an access token may begin.
    let cy = Device::enters(at, "maths", "cy", "learner").await;
    assert_ne!(cy.welcome["session"], session);
    assert_eq!(Device::says_hello(at, hello).await.unwrap_err()["code"], "session_ended");
}

#[tokio::test]
async fn who_does_not_say_hello_properly_is_told_why() {
    let running = start_with(|config| config.settings.rooms.auto_create = false).await;
    let at = running.address;
    let expired = sign(&Claims { exp: now_s() - 600, ..claims() });
    let watch = token_with("ann", VideoGrant { room: "maths".to_owned(), ..VideoGrant::default() });
    for (hello, code, wanted) in [
        (json!({"t": "hello"}), "invalid", "`hello.token` is missing"),
        (json!({"t": "leave"}), "invalid", "must be a `hello`"),
        (json!([]), "invalid", "must be an object"),
        (json!({"t": "hello", "token": "x"}), "unauthorized", "JSON Web Token"),
        (json!({"t": "hello", "token": expired}), "unauthorized", "expired"),
        (json!({"t": "hello", "token": watch}), "unauthorized", "video.roomJoin"),
        (json!({"t": "hello", "token": token("maths", "")}), "invalid", "is empty"),
        (json!({"t": "hello", "token": token("maths", &"x".repeat(5_000))}), "invalid", "characters"),
        (json!({"t": "hello", "token": token("maths", "ann")}), "not_found", "room does not exist"),
    ] {
        let bye = Device::says_hello(at, hello).await.unwrap_err();
        assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some(code), Some(false)), "{bye}");
        assert!(bye["message"].as_str().unwrap().contains(wanted), "{bye}");
    }
    assert_eq!(get(at, "/classroom/v1").await.status, StatusCode::NOT_FOUND);
    running.metric_becomes("lyceum_state_sockets", 0.0).await;
    assert_eq!(running.metric("lyceum_state_sockets_refused_total").await, 9.0);
}

#[tokio::test]
async fn what_hostile_sockets_do_costs_them_alone() {
    let running = start_with(|config| config.settings.signal.queue_messages = 64).await;
    let at = running.address;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let seq = ann.seq;

    // Garbage: each is answered, twenty end the socket.
    let mut eve = Device::enters(at, "maths", "eve", "learner").await;
    for text in ["{", "[]", r#"{"t":"cmd"}"#, r#"{"t":"wave"}"#, r#"{"t":"hello","token":"x"}"#] {
        eve.sends(Message::text(text)).await;
        let error = eve.hears("error").await;
        assert!(error["message"].as_str().unwrap().len() > 10);
    }
    for _ in 5..20 {
        eve.sends(Message::binary(vec![0xff, 0x00])).await;
    }
    assert_eq!(eve.is_closed_with().await, Some(1007));
    // A command that cannot be read is an answer, not an offence.
    let mut fay = Device::enters(at, "maths", "fay", "learner").await;
    for _ in 0..30 {
        assert_eq!(fay.commands("hand.wave", json!({})).await["code"], "unavailable");
    }
    // One message above the limit.
    fay.sends(Message::text("x".repeat((2 << 20) + 100))).await;
    assert_eq!(fay.is_closed_with().await, Some(1009));
    // A flood of commands is answered, and most of it is too much.
    let mut gus = Device::enters(at, "maths", "gus", "learner").await;
    let mut answered = BTreeMap::<String, usize>::new();
    for round in 0..60 {
        for number in 0..20 {
            let id = format!("f-{round}-{number}");
            gus.says(json!({"t": "cmd", "id": id, "type": "chat.send", "payload": {"body": "spam"}})).await;
        }
        for _ in 0..20 {
            let ack = gus.hears("ack").await;
            let outcome = ack["code"].as_str().unwrap_or("accepted").to_owned();
            *answered.entry(outcome).or_default() += 1;
        }
    }
    assert_eq!(answered.values().sum::<usize>(), 1_200, "{answered:?}");
    assert!(answered["rate"] > 1_000 && answered["accepted"] <= 20, "{answered:?}");
    drop(gus);
    // Somebody who does not read is let go once much waits for them.
    let deaf = Device::enters(at, "maths", "deaf", "learner").await;
    let admin = backend("maths");
    let mut rounds = 0;
    while running.metric("lyceum_clients_closed_too_slow_total").await == 0.0 {
        rounds += 1;
        assert!(rounds < 1_000, "nothing is too much for somebody who does not read");
        let metadata = format!("{rounds} {}", "x".repeat(60_000));
        let body = json!({"room": "maths", "metadata": metadata});
        let answer = post(at, "/twirp/livekit.RoomService/UpdateRoomMetadata", Some(&admin), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        ann.sees("session", "", |session| session["metadata"] == metadata).await;
    }
    drop(deaf);

    // Ann was not disturbed, and heard what was hers to hear.
    ann.commands("hand.raise", json!({})).await;
    assert!(ann.seq > seq);
    ann.agrees_with_the_pulse().await;
    for counter in ["lyceum_session_panics_total", "lyceum_http_handler_panics_total", "lyceum_store_failures_total"] {
        assert_eq!(running.metric(counter).await, 0.0, "{counter}");
    }
}

#[tokio::test]
async fn who_is_silent_is_let_go_and_told() {
    let running = start_with(|config| {
        config.settings.signal.silence_timeout_s = 2;
        config.settings.signal.ping_interval_s = 1;
    })
    .await;
    // A client that is not polled answers no pings.
    let mut ann = Device::enters(running.address, "maths", "ann", "learner").await;
    running.metric_becomes("lyceum_clients_closed_silent_total", 1.0).await;
    let bye = ann.is_sent_away().await;
    assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some("slow"), Some(true)));
    assert!(Device::says_hello(running.address, json!({"t": "hello", "token": ann.welcome["token"]})).await.is_ok());
}

#[tokio::test]
async fn joins_from_one_address_are_limited_here_too() {
    let running = start_with(|config| config.settings.signal.max_joins_per_min = 2).await;
    let _ann = Device::enters(running.address, "maths", "ann", "learner").await;
    let _ben = Device::enters(running.address, "maths", "ben", "learner").await;
    let refused = tokio_tungstenite::connect_async(format!("ws://{}/classroom/v1", running.address)).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else { panic!("{refused:?}") };
    assert_eq!(response.status().as_u16(), 429);
}

#[tokio::test]
async fn clocks_can_be_compared() {
    let running = start().await;
    let mut ann = Device::enters(running.address, "maths", "ann", "learner").await;
    ann.says(json!({"t": "ping", "id": 7, "at": 12.5})).await;
    let pong = ann.hears("pong").await;
    assert_eq!((&pong["id"], &pong["at"]), (&json!(7), &json!(12.5)));
    let (received, sent) = (pong["received"].as_u64().unwrap(), pong["sent"].as_u64().unwrap());
    assert!(received <= sent && sent.abs_diff(lyceum::control::now().0) < 60_000);
}

#[tokio::test]
async fn backends_and_people_use_rest_instead() {
    let running = start().await;
    let at = running.address;
    let issue = async |token: &str, body: Value| post(at, "/api/v1/rooms/maths/commands", Some(token), body).await;
    let raise = json!({"id": "r-1", "type": "hand.raise", "payload": {}});
    let none = issue(&backend("maths"), raise.clone()).await;
    assert_eq!(
        (none.status, none.json()["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("not_found")),
        "no class runs"
    );

    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let anns = as_role("maths", "ann", "learner");
    let raised = issue(&anns, raise.clone()).await;
    assert_eq!(
        (raised.status, raised.json()["status"].as_str()),
        (StatusCode::OK, Some("accepted")),
        "{}",
        raised.text
    );
    let again = issue(&anns, raise).await.json();
    assert_eq!((&again["repeated"], &again["first"]), (&json!(true), &raised.json()["first"]));
    teacher.sees("hands", "ann", |_| true).await;
    ann.sees("hands", "ann", |_| true).await;

    let moderated = json!({"type": "policy.set", "payload": {"patch": {"chat": "moderated"}}});
    for (token, body, status, code) in [
        (anns.clone(), moderated.clone(), StatusCode::FORBIDDEN, "forbidden"),
        (anns.clone(), json!({"type": "hand.wave"}), StatusCode::NOT_IMPLEMENTED, "unavailable"),
        (anns.clone(), json!({"type": "hand.raise", "payload": {"x": 1}}), StatusCode::BAD_REQUEST, "invalid"),
        (anns.clone(), json!({"type": "hand.raise", "expct": 1}), StatusCode::BAD_REQUEST, "invalid"),
        (anns.clone(), json!(7), StatusCode::BAD_REQUEST, "body_invalid"),
        (
            anns.clone(),
            json!({"type": "chat.delete", "payload": {"message": 9999}}),
            StatusCode::NOT_FOUND,
            "not_found",
        ),
        (as_role("maths", "nobody", "learner"), json!({"type": "hand.raise"}), StatusCode::FORBIDDEN, "not_admitted"),
        (backend("physics"), moderated.clone(), StatusCode::FORBIDDEN, "forbidden"),
        (backend("maths"), json!({"type": "hand.raise"}), StatusCode::BAD_REQUEST, "invalid"),
    ] {
        let answer = issue(&token, body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text);
    }
    let set = issue(&backend("maths"), moderated).await;
    assert_eq!(set.status, StatusCode::OK, "the server needs no revision: {}", set.text);
    assert!(!set.json()["id"].as_str().unwrap().is_empty());
    ann.sees("session", "", |session| session["policy"]["chat"] == "moderated").await;

    // The running class as the backend sees it, and as Ann does.
    let seen = get_with(at, "/api/v1/rooms/maths/state", &anns).await.json();
    assert_eq!(seen["snapshot"], ann.snapshot());
    let all = get_with(at, "/api/v1/rooms/maths/state", &backend("maths")).await.json();
    assert!(all["snapshot"]["grants"].as_object().unwrap().len() == 2, "{all}");
    assert_eq!(seen["snapshot"]["grants"].as_object().unwrap().len(), 1);
    let stranger = get_with(at, "/api/v1/rooms/maths/state", &as_role("maths", "nobody", "learner")).await;
    assert_eq!((stranger.status, stranger.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("not_admitted")));
    assert_eq!(get_with(at, "/api/v1/rooms/physics/state", &backend("physics")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_livekit_client_beside_it_feels_what_is_decided_here() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Person::join(at, &as_role("maths", "ann", "learner"), "").await.unwrap();
    teacher.sees("participants", "ann", |ann| ann["presence"] == "online").await;

    // No right to speak any more: their permission says so.
    let rev = teacher.view[&key("participants", "ann")]["rev"].clone();
    let set = json!({"person": "ann", "set": {"media.audio": false, "media.video": false, "media.screen": false}});
    let taken = teacher.commands_with("participant.override_caps", set, json!({"expect": rev})).await;
    assert_eq!(taken["status"], "accepted", "{taken}");
    ann.hears(|said| match said {
        Say::Update(update) => update
            .participants
            .iter()
            .find(|who| who.identity == "ann")
            .and_then(|who| who.permission.as_ref().filter(|permission| !permission.can_publish).map(drop)),
        _ => None,
    })
    .await;

    // Breakouts: the group is a Space that the client is moved to.
    let plan = json!({"mode": "manual", "seed": 1, "groups": [{"space": "group A", "persons": ["ann"]}]});
    let planned = teacher.commands("breakouts.plan", plan).await;
    assert_eq!(planned["status"], "accepted", "{planned}");
    let rev = teacher.view[&key("breakouts", "")]["rev"].clone();
    let opened = teacher.commands_with("breakouts.open", json!({}), json!({"expect": rev})).await;
    assert_eq!(opened["status"], "accepted", "{opened}");
    let moved = ann
        .hears(|said| match said {
            Say::RoomMoved(moved) => moved.room,
            _ => None,
        })
        .await;
    assert_eq!(moved.name, "maths/group A");
    assert_eq!(teacher.view[&key("participants", "ann")]["space"], "group A");
    teacher.agrees_with_the_pulse().await;

    // Removed here is removed there.
    teacher.commands("participant.remove", json!({"person": "ann"})).await;
    ann.hears(|said| matches!(said, Say::Leave(_)).then_some(())).await;
    let refused = Person::join(at, &as_role("maths", "ann", "learner"), "").await.err().unwrap();
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_shutdown_says_goodbye_and_the_class_goes_on() {
    let running = start().await;
    let mut ann = Device::enters(running.address, "maths", "ann", "learner").await;
    let silent = Device::connects(running.address).await;
    running.server.shut_down().await;
    let bye = ann.is_sent_away().await;
    assert_eq!((bye["code"].as_str(), bye["retry"].as_bool()), (Some("restart"), Some(true)));
    drop(silent);
}

// ---- people --------------------------------------------------------------------------------------------------------

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One state socket, and what its client shows: the welcome's entities with those of each event over them.
#[derive(Debug)]
pub struct Device {
    socket: Socket,
    pub welcome: Value,
    pub view: BTreeMap<(String, String), Value>,
    pub seq: u64,
    heard: Vec<String>,
    /// Heard while something else was waited for: texts, and messages of documents.
    texts: VecDeque<Value>,
    frames: VecDeque<Vec<u8>>,
    next_id: u32,
}

/// What comes on a state socket.
pub enum Heard {
    Text(Value),
    Frame(Vec<u8>),
}

pub fn key(collection: &str, id: &str) -> (String, String) {
    (collection.to_owned(), id.to_owned())
}

pub fn as_role(room: &str, identity: &str, role: &str) -> String {
    let video = VideoGrant { room_join: true, room: room.to_owned(), ..VideoGrant::default() };
    let lyceum = LyceumClaims { role: Some(role.to_owned()), ..LyceumClaims::default() };
    sign(&Claims {
        sub: identity.to_owned(),
        name: identity.to_owned(),
        video: Some(video),
        lyceum: Some(lyceum),
        ..claims()
    })
}

pub fn backend(room: &str) -> String {
    token_with("", VideoGrant { room_admin: true, room: room.to_owned(), ..VideoGrant::default() })
}

pub async fn get_with(address: SocketAddr, path: &str, token: &str) -> Answer {
    ask(address, Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap())
        .await
}

impl Device {
    async fn connects(address: SocketAddr) -> Socket {
        let connected = tokio_tungstenite::connect_async(format!("ws://{address}/classroom/v1"));
        tokio::time::timeout(PATIENCE, connected).await.unwrap().unwrap().0
    }

    /// What the welcome said.
    pub fn welcome(&self) -> &Value {
        &self.welcome
    }

    pub async fn enters(address: SocketAddr, room: &str, identity: &str, role: &str) -> Device {
        Self::enters_with(address, &as_role(room, identity, role)).await
    }

    pub async fn enters_with(address: SocketAddr, token: &str) -> Device {
        Self::says_hello(address, json!({"t": "hello", "token": token})).await.unwrap()
    }

    /// The revision of something that they see.
    pub fn rev(&self, collection: &str, id: &str) -> Value {
        self.view[&key(collection, id)]["rev"].clone()
    }

    /// The welcome, or the goodbye.
    pub async fn says_hello(address: SocketAddr, hello: Value) -> Result<Device, Value> {
        let socket = Self::connects(address).await;
        let (welcome, view, seq, heard) = (Value::Null, BTreeMap::new(), 0, Vec::new());
        let (texts, frames) = Default::default();
        let mut device = Device { socket, welcome, view, seq, heard, texts, frames, next_id: 0 };
        device.says(hello).await;
        let first = device.next().await.expect("a first message");
        if first["t"] == "bye" {
            assert_eq!(device.is_closed_with().await, Some(1000));
            return Err(first);
        }
        assert_eq!(first["t"], "welcome", "{first}");
        assert!(first["token"].as_str().unwrap().len() > 20 && first["now"].as_u64().unwrap() > 0);
        device.seq = first["seq"].as_u64().unwrap();
        for (collection, entities) in first["snapshot"].as_object().into_iter().flatten() {
            for (id, entity) in entities.as_object().unwrap() {
                device.view.insert(key(collection, id), entity.clone());
            }
        }
        device.welcome = first;
        Ok(device)
    }

    fn takes_delta(&mut self) {
        let events = self.welcome["delta"]["events"].as_array().unwrap().clone();
        for event in events {
            self.takes(&event);
        }
    }

    fn takes(&mut self, message: &Value) {
        let event = &message["event"];
        let seq = event["seq"].as_u64().unwrap_or_else(|| panic!("no place: {message}"));
        self.seq = self.seq.max(seq);
        for change in message["changes"].as_array().unwrap() {
            let key = key(change["in"].as_str().unwrap(), change["id"].as_str().unwrap());
            match &change["is"] {
                Value::Null => drop(self.view.remove(&key)),
                entity => drop(self.view.insert(key, entity.clone())),
            }
        }
    }

    pub async fn says(&mut self, message: Value) {
        self.sends(Message::text(message.to_string())).await;
    }

    pub async fn sends(&mut self, message: Message) {
        // Whoever was closed meanwhile finds out when they listen.
        let _ = self.socket.send(message).await;
    }

    /// The next message, taken over; `None` when the server has closed.
    pub async fn next(&mut self) -> Option<Value> {
        if let Some(message) = self.texts.pop_front() {
            return Some(message);
        }
        loop {
            match self.reads().await? {
                Heard::Text(message) => return Some(message),
                Heard::Frame(frame) => self.frames.push_back(frame),
            }
        }
    }

    /// The next message of a document, without its name.
    pub async fn hears_of(&mut self, document: &str) -> Vec<u8> {
        loop {
            let mut named = self.frames.iter().map(|frame| read_named(frame).unwrap());
            if let Some(at) = named.position(|(name, _)| name == document) {
                let frame = self.frames.remove(at).unwrap();
                return read_named(&frame).unwrap().1.to_vec();
            }
            match self.reads().await.unwrap_or_else(|| panic!("closed before anything of {document}")) {
                Heard::Text(message) => {
                    assert_ne!(message["t"], "doc_closed", "{message}");
                    self.texts.push_back(message);
                }
                Heard::Frame(frame) => self.frames.push_back(frame),
            }
        }
    }

    pub async fn reads(&mut self) -> Option<Heard> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["t"] == "ev" {
                        assert!(message["event"]["seq"].as_u64().unwrap() >= self.seq, "out of order: {message}");
                        self.takes(&message);
                    }
                    self.heard.push(text.to_string());
                    return Some(Heard::Text(message));
                }
                Some(Ok(Message::Binary(frame))) => return Some(Heard::Frame(frame.to_vec())),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn hears(&mut self, t: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("closed before {t}"));
            if message["t"] == t {
                return message;
            }
            assert_ne!(message["t"], "bye", "{message}");
        }
    }

    pub async fn is_sent_away(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("a goodbye before the end");
            if message["t"] == "bye" {
                assert_eq!(self.is_closed_with().await, Some(1000));
                return message;
            }
        }
    }

    pub async fn is_closed_with(&mut self) -> Option<u16> {
        let read_on = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        tokio::time::timeout(PATIENCE, read_on).await.unwrap()
    }

    /// Says goodbye and waits until the server has closed.
    pub async fn leaves(mut self) {
        self.says(json!({"t": "leave"})).await;
        assert_eq!(self.is_sent_away().await["code"], "left");
    }

    /// The network is gone: no goodbye.
    pub fn vanishes(self) {
        drop(self.socket);
    }

    pub async fn commands(&mut self, kind: &str, payload: Value) -> Value {
        self.commands_with(kind, payload, json!({})).await
    }

    pub async fn commands_with(&mut self, kind: &str, payload: Value, more: Value) -> Value {
        self.next_id += 1;
        let id = format!("{}-{}", self.welcome["connection"], self.next_id);
        self.commands_as(&id, kind, payload, more).await
    }

    pub async fn commands_as(&mut self, id: &str, kind: &str, payload: Value, more: Value) -> Value {
        let mut message = json!({"t": "cmd", "id": id, "type": kind, "payload": payload});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.says(message).await;
        loop {
            let ack = self.hears("ack").await;
            if ack["id"] == id {
                assert_eq!(ack["enforced"], true, "{ack}");
                return ack;
            }
        }
    }

    pub async fn sees(&mut self, collection: &str, id: &str, is: impl Fn(&Value) -> bool) {
        let key = key(collection, id);
        while !self.view.get(&key).is_some_and(&is) {
            assert!(self.next().await.is_some(), "closed before {key:?} was seen");
        }
    }

    async fn sees_gone(&mut self, collection: &str, id: &str) {
        let key = key(collection, id);
        let gone = |entity: Option<&Value>| entity.is_none_or(|entity| entity["presence"] == "offline");
        while !gone(self.view.get(&key)) {
            assert!(self.next().await.is_some(), "closed before {key:?} was gone");
        }
    }

    async fn sees_any(&mut self, collection: &str) {
        while !self.view.keys().any(|(known, _)| known == collection) {
            assert!(self.next().await.is_some(), "closed before anything in {collection} was seen");
        }
    }

    async fn sees_message(&mut self, body: &str) {
        while !self.view.iter().any(|((kind, _), entity)| kind == "messages" && entity["body"] == body) {
            assert!(self.next().await.is_some(), "closed before the message came");
        }
    }

    fn heard_of(&self, text: &str) -> bool {
        self.heard.iter().any(|message| message.contains(text))
    }

    fn snapshot(&self) -> Value {
        let mut snapshot = serde_json::Map::new();
        for ((collection, id), entity) in &self.view {
            let entities = snapshot.entry(collection.clone()).or_insert_with(|| json!({}));
            entities.as_object_mut().unwrap().insert(id.clone(), entity.clone());
        }
        Value::Object(snapshot)
    }

    /// The next pulse names what is shown here.
    async fn agrees_with_the_pulse(&mut self) {
        let pulse = self.hears("pulse").await;
        assert_eq!(pulse["hash"].as_str().unwrap(), hash(&self.view), "{:#?}", self.view);
    }

    /// A fresh snapshot is what the events made of the old one.
    async fn comes_again_and_sees_the_same(mut self) {
        let address = match self.socket.get_ref() {
            MaybeTlsStream::Plain(stream) => stream.peer_addr().unwrap(),
            _ => panic!("not plain"),
        };
        let hello = json!({"t": "hello", "token": self.welcome["token"]});
        let again = Self::says_hello(address, hello).await.unwrap();
        while self.seq < again.seq {
            assert!(self.next().await.is_some());
        }
        assert_eq!(again.view, self.view);
    }
}

/// As `docs/protocol.md` describes it, written from there alone.
fn hash(view: &BTreeMap<(String, String), Value>) -> String {
    let mut sum = 0u32;
    for ((collection, id), entity) in view {
        let text = format!("{collection}/{id}={}", sorted(entity));
        let mut hash = 2_166_136_261u32;
        for byte in text.into_bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        }
        sum = sum.wrapping_add(hash);
    }
    format!("{sum:08x}")
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, String> = fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            let fields: Vec<String> =
                fields.into_iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}
