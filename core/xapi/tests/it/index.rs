//! What a statement can be found by.

use crate::json;
use lyceum_xapi::index::{self, Term};

#[test]
fn terms_are_told_apart_by_where_they_stand() {
    let statement = json(
        r#"{"actor":{"mbox":"mailto:a@b.org"},"verb":{"id":"https://v.org"},"object":{"objectType":"SubStatement",
            "actor":{"mbox":"mailto:s@b.org"},"verb":{"id":"https://w.org"},"object":{"id":"https://s.org"}},
            "context":{"registration":"fd41c918-b88b-4b20-a0a5-a4c32391aaa0","instructor":{"openid":"https://i.org"},
            "team":{"objectType":"Group","member":[{"mbox":"mailto:m@b.org"}]},"contextActivities":{"parent":{"id":"https://p.org"}},
            "contextAgents":[{"objectType":"contextAgent","agent":{"mbox":"mailto:c@b.org"}}]},
            "authority":{"account":{"homePage":"https://h.org","name":"k"}}}"#,
    );
    let related = [
        "account https://h.org k",
        "mbox mailto:a@b.org",
        "mbox mailto:c@b.org",
        "mbox mailto:m@b.org",
        "mbox mailto:s@b.org",
        "openid https://i.org",
    ];
    let mut expected = vec![
        Term::Verb("https://v.org".to_owned()),
        Term::Registration(lyceum_xapi::Uuid::parse("fd41c918-b88b-4b20-a0a5-a4c32391aaa0").unwrap()),
        Term::Agent("mbox mailto:a@b.org".to_owned()),
    ];
    expected.extend(related.map(|key| Term::RelatedAgent(key.to_owned())));
    expected.extend(["https://p.org", "https://s.org"].map(|id| Term::RelatedActivity(id.to_owned())));
    assert_eq!(index::terms(&statement).into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_object_may_be_an_agent_or_a_reference() {
    let to_agent = crate::with("object", r#"{"objectType":"Agent","mbox":"mailto:o@b.org"}"#);
    assert!(index::terms(&to_agent).contains(&Term::Agent("mbox mailto:o@b.org".to_owned())));
    let reference =
        crate::with("object", r#"{"objectType":"StatementRef","id":"fd41c918-b88b-4b20-a0a5-a4c32391aaa0"}"#);
    assert_eq!(index::target(&reference).unwrap().to_string(), "fd41c918-b88b-4b20-a0a5-a4c32391aaa0");
    assert_eq!(index::target(&to_agent), None);
    assert!(!index::voids(&reference));
}
