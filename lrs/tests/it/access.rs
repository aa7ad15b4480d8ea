//! Who may do what, and whose records they see.

use crate::on_both;
use crate::world::{World, basic, statement};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn read(world: &World, who: &str) -> Vec<String> {
    world.send("GET", "/statements", &[("authorization", who)], "").await.ids()
}

async fn write(world: &World, who: &str, what: &str) -> u16 {
    world
        .send("POST", "/statements", &[JSON, ("authorization", who)], statement("a", "met", what, ""))
        .await
        .status
        .as_u16()
}

on_both! {
    async fn strangers_stay_outside(world) {
        for who in ["", "Basic", "Basic %%%", "Basic c2Nob29sOndyb25n", "Bearer nonsense", "Digest x", "token-school"] {
            let reply = world.send("GET", "/statements", &[("authorization", who)], "").await;
            assert_eq!(reply.status, 401, "{who}");
            assert!(reply.header("www-authenticate").starts_with("Basic"));
        }
        assert_eq!(read(world, "Bearer token-school").await.len(), 0);
    }

    async fn tenants_do_not_see_each_other(world) {
        let (school, college) = (basic("school"), basic("college"));
        assert_eq!(write(world, &school, "x").await, 200);
        let id = read(world, &school).await.remove(0);
        assert_eq!(read(world, &college).await.len(), 0);
        let one = format!("/statements?statementId={id}");
        assert_eq!(world.send("GET", &one, &[("authorization", &college)], "").await.status, 404);
        // The same id is another statement there.
        let same = statement("b", "left", "y", &format!(r#","id":"{id}""#));
        assert_eq!(world.send("POST", "/statements", &[JSON, ("authorization", &college)], same).await.status, 200);
        assert_eq!(read(world, &school).await.len(), 1);
        let profile = "/activities/profile?activityId=https%3A%2F%2Fexample.org%2Fx&profileId=p";
        assert_eq!(world.send("PUT", profile, &[("authorization", &school)], "x").await.status, 204);
        assert_eq!(world.send("GET", profile, &[("authorization", &college)], "").await.status, 404);
        assert_eq!(world.send("GET", profile, &[("authorization", &school)], "").await.status, 200);
    }

    async fn scopes_allow_what_they_name(world) {
        let state = "/activities/state?activityId=https%3A%2F%2Fexample.org%2Fx&agent=%7B%22mbox%22%3A%22mailto%3Aa%40b.org%22%7D&stateId=s";
        let profile = "/activities/profile?activityId=https%3A%2F%2Fexample.org%2Fx&profileId=p";
        for (scopes, writes, reads, writes_state, reads_state, writes_profile) in [
            ("all", 200, 200, 204, 200, 204),
            ("all/read", 403, 200, 403, 200, 403),
            ("statements/write", 200, 403, 403, 403, 403),
            ("statements/read", 403, 200, 403, 403, 403),
            ("statements/read/mine", 403, 200, 403, 403, 403),
            ("state", 403, 403, 204, 200, 403),
            ("profile", 403, 403, 403, 403, 204),
            ("nonsense", 403, 403, 403, 403, 403),
        ] {
            let key = basic(&format!("school-{scopes}"));
            let who = ("authorization", key.as_str());
            let any = ("if-match", "*");
            let first = ("if-none-match", "*");
            let state_headers = if scopes == "all" { [who, first] } else { [who, any] };
            let found = [
                write(world, &key, "x").await,
                world.send("GET", "/statements", &[who], "").await.status.as_u16(),
                world.send("PUT", state, &state_headers, "x").await.status.as_u16(),
                world.send("GET", state, &[who], "").await.status.as_u16(),
                world.send("PUT", profile, &state_headers, "x").await.status.as_u16(),
            ];
            assert_eq!(found, [writes, reads, writes_state, reads_state, writes_profile], "{scopes}");
        }
    }

    async fn mine_are_those_with_my_authority(world) {
        let (mine, other) = (basic("school-statements/write+statements/read/mine"), basic("school"));
        assert_eq!((write(world, &mine, "x").await, write(world, &other, "y").await), (200, 200));
        assert_eq!((read(world, &mine).await.len(), read(world, &other).await.len()), (1, 2));
        let ids = read(world, &other).await;
        let one = |id: &str| format!("/statements?statementId={id}");
        assert_eq!(world.send("GET", &one(&ids[0]), &[("authorization", &mine)], "").await.status, 404);
        assert_eq!(world.send("GET", &one(&ids[1]), &[("authorization", &mine)], "").await.status, 200);
    }

    /// What a statement says of an activity is learned only from those who may define.
    async fn definitions_need_their_scope(world) {
        let sent = statement("a", "met", "x", "").replace(r#"{"id":"https://example.org/x"}"#, r#"{"id":"https://example.org/x","definition":{"name":{"en":"X"}}}"#);
        let activity = "/activities?activityId=https%3A%2F%2Fexample.org%2Fx";
        for (scopes, learned) in [("statements/write", false), ("statements/write+define", true)] {
            let key = basic(&format!("school-{scopes}"));
            assert_eq!(world.send("POST", "/statements", &[JSON, ("authorization", &key)], sent.clone()).await.status, 200);
            assert_eq!(world.get(activity).await.json().get("definition").is_some(), learned, "{scopes}");
        }
    }

    /// Whatever a statement says of who vouches for it.
    async fn the_authority_is_whoever_sent_it(world) {
        world.store(&statement("a", "met", "x", r#","authority":{"mbox":"mailto:liar@example.org"}"#)).await;
        let text = world.get("/statements").await.text();
        assert!(text.contains(r#""authority":{"objectType":"Agent","account":{"homePage":"https://lrs.example","name":"school"}}"#) && !text.contains("liar"));
    }
}
