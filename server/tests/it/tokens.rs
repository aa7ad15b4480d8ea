//! Tokens: whose are good, whose are not and what they are told, and what a grant means.

use crate::harness::{claims, config, now_s, sign, sign_json, sign_json_with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use lyceum::config::{ApiKey, ApiKeys};
use lyceum::token::{Claims, Keyring, TokenError, VideoGrant, profile_of};
use lyceum_session::{Kind, Role, Source, TenantId};
use proptest::prelude::*;
use serde_json::json;

fn keyring() -> Keyring {
    Keyring::new(config(std::path::Path::new("unused")).keys)
}

#[test]
fn a_token_says_what_was_signed() {
    let wanted = Claims {
        sub: "ann".to_owned(),
        name: "Ann".to_owned(),
        metadata: "{}".to_owned(),
        attributes: [("seat".to_owned(), "3".to_owned())].into(),
        video: Some(VideoGrant {
            room_join: true,
            room: "math".to_owned(),
            can_publish: Some(false),
            ..Default::default()
        }),
        ..claims()
    };
    let verified = keyring().verify(&sign(&wanted)).unwrap();
    assert_eq!(verified.claims, wanted);
    assert_eq!((verified.key.as_str(), verified.tenant), ("devkey", TenantId("default".to_owned())));
}

#[test]
fn each_bad_token_is_told_what_is_wrong() {
    let exp = now_s() + 600;
    let refused = |token: &str| keyring().verify(token).unwrap_err();
    assert!(matches!(refused("no token"), TokenError::Malformed(_)));
    assert_eq!(refused(&sign_json(json!({"iss": "other", "exp": exp}))), TokenError::UnknownKey);
    assert_eq!(refused(&sign_json(json!({"iss": "devkey"}))), TokenError::NoExpiry);
    assert_eq!(refused(&sign_json(json!({"iss": "devkey", "exp": now_s() - 61}))), TokenError::Expired);
    assert_eq!(
        refused(&sign_json(json!({"iss": "devkey", "exp": exp, "nbf": now_s() + 120}))),
        TokenError::NotYetValid
    );
    assert!(matches!(refused(&sign_json(json!({"iss": "devkey", "exp": exp, "video": 7}))), TokenError::Malformed(_)));
    assert_eq!(refused(&"x".repeat(70_000)), TokenError::TooLong);

    let other = Keyring::new(ApiKeys::from([(
        "devkey".to_owned(),
        ApiKey { secret: "another".to_owned(), tenant: "default".to_owned() },
    )]));
    assert_eq!(refused(&other.sign(&claims()).unwrap()), TokenError::BadSignature);
}

#[test]
fn clocks_may_differ_by_a_minute() {
    assert!(keyring().verify(&sign_json(json!({"iss": "devkey", "exp": now_s() - 30}))).is_ok());
    assert!(keyring().verify(&sign_json(json!({"iss": "devkey", "exp": now_s() + 600, "nbf": now_s() + 30}))).is_ok());
    assert!(keyring().verify(&sign_json(json!({"iss": "devkey", "exp": now_s() as f64 + 600.5}))).is_ok());
}

#[test]
fn only_hs256_is_accepted() {
    for algorithm in ["none", "HS384", "RS256", "nonsense"] {
        let token = sign_json_with(json!({"alg": algorithm}), json!({"iss": "devkey", "exp": now_s() + 600}));
        assert!(keyring().verify(&token).is_err(), "{algorithm}");
    }
    let unsigned = [r#"{"alg":"HS256"}"#, &format!(r#"{{"iss":"devkey","exp":{}}}"#, now_s() + 600)]
        .map(|part| BASE64.encode(part));
    assert!(keyring().verify(&format!("{}.", unsigned.join("."))).is_err());
}

#[test]
fn unknown_claims_and_nulls_are_passed_over() {
    let token = sign_json(json!({
        "iss": "devkey", "exp": now_s() + 600, "jti": "ann", "sip": {"x": 1}, "name": null, "attributes": null,
        "video": {"roomJoin": true, "room": "math", "canPublish": null, "canManageAgentSession": true, "hidden": null},
    }));
    let claims = keyring().verify(&token).unwrap().claims;
    assert_eq!(claims.identity(), "ann");
    assert!(profile_of(&claims).permission.can_publish);
}

#[test]
fn what_a_grant_leaves_out_has_livekits_defaults() {
    let permission = |video: VideoGrant| profile_of(&Claims { video: Some(video), ..claims() }).permission;
    let bare = permission(VideoGrant::default());
    assert!(bare.can_publish && bare.can_subscribe && bare.can_publish_data);
    assert!(!bare.can_update_metadata && !bare.hidden && bare.can_publish_sources.is_empty());

    let sources = |names: &[&str]| VideoGrant {
        can_publish_sources: names.iter().map(|name| (*name).to_owned()).collect(),
        ..VideoGrant::default()
    };
    assert_eq!(
        permission(sources(&["microphone", "SCREEN_SHARE"])).can_publish_sources,
        [Source::Microphone, Source::ScreenShare]
    );
    let unknown = permission(sources(&["hologram"]));
    assert!(
        !unknown.can_publish && unknown.can_publish_sources.is_empty(),
        "an unknown source must not mean any source"
    );
}

#[test]
fn the_role_comes_from_our_claim_and_else_from_the_grants() {
    let role = |claims: serde_json::Value| {
        let mut all = json!({"iss": "devkey", "exp": now_s() + 600});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let profile = profile_of(&keyring().verify(&sign_json(all)).unwrap().claims);
        (profile.role, profile.kind)
    };
    assert_eq!(role(json!({"lyceum": {"role": "co_instructor"}})), (Role::CoInstructor, Kind::Standard));
    assert_eq!(role(json!({"lyceum": {"role": "king"}})), (Role::Learner, Kind::Standard));
    assert_eq!(role(json!({"video": {"roomAdmin": true}})), (Role::Instructor, Kind::Standard));
    assert_eq!(role(json!({"video": {"hidden": true, "roomAdmin": true}})), (Role::Observer, Kind::Standard));
    assert_eq!(role(json!({"kind": "agent"})), (Role::Agent, Kind::Agent));
    assert_eq!(role(json!({"video": {"agent": true}})), (Role::Agent, Kind::Agent));
    assert_eq!(role(json!({"kind": "egress"})), (Role::Learner, Kind::Egress));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let key = ApiKey { secret: "do-not-print-me".to_owned(), tenant: "default".to_owned() };
    let shown = format!("{:?}", Keyring::new(ApiKeys::from([("k".to_owned(), key)])));
    assert!(!shown.contains("do-not-print-me"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_crashes_the_verifier(text in ".{0,200}") {
        prop_assert!(keyring().verify(&text).is_err());
    }

    #[test]
    fn no_claims_crash_the_verifier(claims in any_json(), header in any_json()) {
        let _ = keyring().verify(&sign_json(claims.clone()));
        let _ = keyring().verify(&sign_json_with(header, claims));
    }

    #[test]
    fn a_changed_token_is_refused(place in 0usize..200, letter in "[A-Za-z0-9]") {
        let token = sign_json(json!({"iss": "devkey", "exp": now_s() + 600, "sub": "ann"}));
        let place = place % token.len();
        let mut changed = token.clone();
        changed.replace_range(place..=place, &letter);
        // The last letter of a part has bits that mean nothing.
        let spare = token[place + 1..].chars().next().is_none_or(|next| next == '.');
        prop_assume!(changed != token && !spare);
        prop_assert!(keyring().verify(&changed).is_err());
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "[a-zA-Z]{0,8}".prop_map(serde_json::Value::from),
    ];
    let key = prop_oneof![
        Just("iss"),
        Just("exp"),
        Just("nbf"),
        Just("video"),
        Just("lyceum"),
        Just("room"),
        Just("invite"),
        Just("alg"),
        Just("attributes"),
        Just("roomConfig"),
        Just("emptyTimeout"),
        Just("canPublishSources"),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
