//! Invite links: from a link to a seat, and who comes back is the same person.

use crate::harness::*;
use axum::http::StatusCode;
use lyceum::token::{Claims, Invite, LyceumClaims, VideoGrant};
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn room(address: SocketAddr, body: Value) -> Value {
    let creator = token_with("", VideoGrant { room_create: true, ..VideoGrant::default() });
    let made = post(address, "/api/v1/rooms", Some(&creator), body).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    made.json()["invites"].clone()
}

async fn accept(address: SocketAddr, invite: &Value, name: &str) -> Answer {
    post(address, "/api/v1/invites/accept", None, json!({"invite": invite, "name": name})).await
}

async fn accept_again(address: SocketAddr, invite: &Value, returning: &Value) -> Value {
    let body = json!({"invite": invite, "name": "Ann", "returning": returning});
    post(address, "/api/v1/invites/accept", None, body).await.json()
}

fn invite(room: &str, role: &str, exp: u64) -> Value {
    let invite = Invite { room: room.to_owned(), role: role.to_owned() };
    let lyceum = Some(LyceumClaims { invite: Some(invite), ..LyceumClaims::default() });
    sign(&Claims { exp, lyceum, ..claims() }).into()
}

#[tokio::test]
async fn a_link_leads_into_the_class_with_its_role() {
    let running = start().await;
    let invites = room(running.address, json!({"name": "math"})).await;
    for (role, teaches) in [("instructor", true), ("learner", false)] {
        let accepted = accept(running.address, &invites[role], "  Ann  ").await.json();
        assert_eq!((accepted["room"].as_str(), accepted["role"].as_str()), (Some("math"), Some(role)));
        assert_eq!((accepted["name"].as_str(), &accepted["server_url"]), (Some("Ann"), &Value::Null));

        let person = Person::join(running.address, accepted["token"].as_str().unwrap(), "").await.unwrap();
        let me = person.welcome.participant.as_ref().unwrap();
        assert_eq!((me.name.as_str(), &me.identity), ("Ann", &accepted["identity"].as_str().unwrap().to_owned()));
        assert_eq!(me.attributes["lyceum.role"], role);
        let claims = running.server.app.keyring.verify(accepted["token"].as_str().unwrap()).unwrap().claims;
        assert_eq!(claims.video.unwrap().room_admin, teaches);
    }
}

#[tokio::test]
async fn the_link_to_share_makes_learners_whoever_shares_it() {
    let running = start().await;
    let invites = room(running.address, json!({"name": "math"})).await;
    let teacher = accept(running.address, &invites["instructor"], "Ann").await.json();
    let friend = accept(running.address, &teacher["share_invite"], "Ben").await.json();
    assert_eq!((friend["role"].as_str(), friend["room"].as_str()), (Some("learner"), Some("math")));
    assert_ne!(friend["identity"], teacher["identity"]);
}

#[tokio::test]
async fn who_returns_to_the_same_room_in_the_same_role_is_the_same_person() {
    let running = start().await;
    let address = running.address;
    let math = room(address, json!({"name": "math"})).await;
    let art = room(address, json!({"name": "art"})).await;
    let ann = accept(address, &math["learner"], "Ann").await.json();
    assert_eq!(accept_again(address, &math["learner"], &ann["token"]).await["identity"], ann["identity"]);

    let mut expired = running.server.app.keyring.verify(ann["token"].as_str().unwrap()).unwrap().claims;
    expired.exp = now_s() - 7200;
    assert_eq!(accept_again(address, &math["learner"], &sign(&expired).into()).await["identity"], ann["identity"]);

    // Another room, another role, a forged or a broken token: somebody new, and no error.
    let forged = ann["token"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    let others = [
        (&art["learner"], ann["token"].clone()),
        (&math["instructor"], ann["token"].clone()),
        (&math["learner"], forged.into()),
        (&math["learner"], "broken".into()),
    ];
    for (invite, returning) in others {
        let accepted = accept_again(address, invite, &returning).await;
        assert!(accepted["identity"].is_string() && accepted["identity"] != ann["identity"], "{accepted}");
    }
}

#[tokio::test]
async fn a_bad_link_or_name_is_explained() {
    let running = start().await;
    let refused = |invite: Value, name: &str| {
        let name = name.to_owned();
        async move {
            let answer = accept(running.address, &invite, &name).await;
            (answer.status.as_u16(), answer.json()["code"].as_str().unwrap().to_owned())
        }
    };
    let soon = now_s() + 600;
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("broken".into(), "Ann").await, code(401, "invite_invalid"));
    assert_eq!(refused(token("math", "ann").into(), "Ann").await, code(401, "invite_invalid"));
    assert_eq!(refused(invite("math", "agent", soon), "Ann").await, code(401, "invite_invalid"));
    assert_eq!(refused(invite("", "learner", soon), "Ann").await, code(401, "invite_invalid"));
    assert_eq!(refused(invite("math", "learner", now_s() - 120), "Ann").await, code(401, "invite_expired"));
    assert_eq!(refused(invite("math", "learner", soon), "   ").await, code(400, "name_invalid"));
    assert_eq!(refused(invite("math", "learner", soon), &"x".repeat(257)).await, code(400, "name_invalid"));
    assert_eq!(refused(invite("math", "learner", soon), "A\u{0}").await, code(400, "name_invalid"));
}

#[tokio::test]
async fn an_invite_is_no_access_token() {
    let running = start().await;
    let invites = room(running.address, json!({"name": "math"})).await;
    let refused = Person::join(running.address, invites["learner"].as_str().unwrap(), "").await.err().unwrap();
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("roomJoin"), "{}", refused.text);
}

#[tokio::test]
async fn a_full_class_says_so_but_keeps_the_seat_of_who_returns() {
    let running = start().await;
    let invites = room(running.address, json!({"name": "math", "max_participants": 1})).await;
    let ann = accept(running.address, &invites["learner"], "Ann").await.json();
    let here = Person::join(running.address, ann["token"].as_str().unwrap(), "").await.unwrap();
    let ben = accept(running.address, &invites["learner"], "Ben").await;
    assert_eq!((ben.status.as_u16(), ben.json()["code"].as_str()), (503, Some("room_full")));
    assert_eq!(accept_again(running.address, &invites["learner"], &ann["token"]).await["identity"], ann["identity"]);
    drop(here);
}
