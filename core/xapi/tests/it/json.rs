//! JSON is read strictly and given back as it came.

use crate::json;
use lyceum_xapi::{Json, MAX_DEPTH};
use proptest::prelude::*;

#[test]
fn what_was_read_is_written_as_it_came() {
    for text in [
        r#"{"b":1.0,"a":1e3,"c":[true,false,null,-0.10],"d":{}}"#,
        r#""\"\\\n\u0001 ä 🎓""#,
        "12345678901234567890.12345678901234567890",
        "[]",
    ] {
        assert_eq!(json(text).to_text(), text);
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (text, line, column) in [
        ("{\"a\":1,\n \"a\":2}", 2, 2),
        ("[1,]", 1, 4),
        ("[01]", 1, 3),
        ("[1.]", 1, 4),
        ("{'a':1}", 1, 2),
        ("\"\\ud800\"", 1, 2),
        ("\"\\x\"", 1, 3),
        ("\"a\nb\"", 1, 3),
        ("[1] 2", 1, 5),
        ("", 1, 1),
        ("{\"a\" 1}", 1, 6),
        ("nul", 1, 1),
        ("\"abc", 1, 5),
    ] {
        let error = Json::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
    }
    assert_eq!(Json::parse(b"\"\xff\"").unwrap_err().column, 2);
}

#[test]
fn a_name_given_twice_is_found_in_long_objects_too() {
    let many: Vec<String> = (0..1000).map(|n| format!("\"n{n}\":{n}")).collect();
    assert!(Json::parse(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    assert!(Json::parse(format!("{{{},\"n999\":1}}", many.join(",")).as_bytes()).is_err());
    assert!(Json::parse(format!("{{{},\"n3\":1}}", many.join(",")).as_bytes()).is_err());
}

#[test]
fn depth_is_bounded() {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert!(Json::parse(deep(MAX_DEPTH + 1).as_bytes()).is_err());
    assert!(Json::parse("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn numbers_are_compared_by_what_they_mean() {
    let same = |a: &str, b: &str| match (json(a), json(b)) {
        (Json::Number(a), Json::Number(b)) => a.same_value(&b),
        _ => panic!("no numbers"),
    };
    assert!(same("1", "1.0") && same("1e2", "100") && same("-0", "0.0e7") && same("0.10", "1E-1"));
    assert!(!same("1", "1.0000000000000000000001") && !same("1", "-1") && !same("10", "1"));
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Another reader of JSON is the judge: what it writes we read, and what we write means the same to it.
    #[test]
    fn agrees_with_another_reader(value in any_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let ours = Json::parse(text.as_bytes()).unwrap().to_text();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&ours), read(&text));
        }
    }

    /// Nor does it take what the other refuses, whatever is done to a text; names given twice are the one thing where we refuse more.
    #[test]
    fn takes_nothing_that_another_reader_refuses(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if Json::parse(&text).is_ok() {
            // A number may be too large for the other, and for nothing else.
            let theirs = serde_json::from_slice::<serde_json::Value>(&text);
            prop_assert!(theirs.is_ok() || theirs.unwrap_err().to_string().contains("number out of range"));
        }
    }
}
