//! What the record store adds.

use crate::{json, with};
use lyceum_xapi::{Assigned, Timestamp, Uuid, Version, normalise};

#[test]
fn its_own_properties_are_set_and_the_rest_stays() {
    let authority = json(r#"{"mbox":"mailto:key@example.org"}"#);
    let id = Uuid::from_random([7; 16]);
    let assigned =
        Assigned { id, stored: Timestamp(1_700_000_000_123_456), authority: &authority, version: Version::V2 };
    let mut statement = with("context", r#"{"contextActivities":{"parent":{"id":"https://p.org"},"other":[]}}"#);
    crate::object(&mut statement).set("authority", json(r#"{"mbox":"mailto:liar@example.org"}"#));
    assert_eq!(normalise(&mut statement, &assigned), id);
    let stored = "2023-11-14T22:13:20.123456Z";
    assert_eq!(statement.get_str("id"), Some(id.to_string().as_str()));
    assert_eq!((statement.get_str("stored"), statement.get_str("timestamp")), (Some(stored), Some(stored)));
    assert_eq!((statement.get("authority"), statement.get_str("version")), (Some(&authority), Some("2.0.0")));
    let activities = statement.get("context").and_then(|context| context.get("contextActivities")).unwrap();
    assert_eq!(activities, &json(r#"{"parent":[{"id":"https://p.org"}],"other":[]}"#));
}

#[test]
fn timestamps_become_utc_in_2_0_only() {
    let authority = json("{}");
    let read = |version| {
        let mut statement = with("timestamp", "\"2023-11-01T12:00:00+02:00\"");
        normalise(
            &mut statement,
            &Assigned { id: Uuid([0; 16]), stored: Timestamp(0), authority: &authority, version },
        );
        statement.get_str("timestamp").unwrap().to_owned()
    };
    assert_eq!(read(Version::V1), "2023-11-01T12:00:00+02:00");
    assert_eq!(read(Version::V2), "2023-11-01T10:00:00.000000Z");
}
