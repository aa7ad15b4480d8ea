//! Texts with a form.

use lyceum_xapi::text::{self, Duration};
use lyceum_xapi::{Timestamp, TimestampForm, Uuid, Version};
use proptest::prelude::*;

#[test]
fn timestamps_of_both_forms() {
    let read = |text, form| Timestamp::parse(text, form).map(|at| at.to_string());
    for (text, utc) in [
        ("2008-09-15T15:53:00Z", "2008-09-15T15:53:00.000000Z"),
        ("2008-09-15T15:53:00.601+02:00", "2008-09-15T13:53:00.601000Z"),
        ("2008-09-15T15:53:00.1234567-05:30", "2008-09-15T21:23:00.123456Z"),
        ("2000-02-29T23:59:60Z", "2000-03-01T00:00:00.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(read(text, TimestampForm::Rfc3339).as_deref(), Some(utc), "{text}");
        assert_eq!(read(text, TimestampForm::Iso8601).as_deref(), Some(utc), "{text}");
    }
    for text in ["2008-09-15T15:53:00", "2008-09-15T15:53", "2008-09-15T15:53:00+02", "2008-09-15T15:53:00+0200"] {
        assert!(read(text, TimestampForm::Iso8601).is_some(), "{text}");
        assert_eq!(read(text, TimestampForm::Rfc3339), None, "{text}");
    }
    for text in [
        "01/011/2015",
        "2008-09-15",
        "2008-13-15T15:53:00Z",
        "2009-02-29T15:53:00Z",
        "2008-09-15T24:00:00Z",
        "2008-09-15T15:60:00Z",
        "2008-09-15 15:53:00Z",
        "2008-09-15T15:53:00.Z",
        "2008-09-15T15:53:00-00:00",
        "2008-09-15T15:53:00-00",
        "2008-09-15T15:53:00-0000",
        "2008-09-15T15:53:00Zx",
        "2008-09-15T15:53:00+25:00",
        "",
        "2008-09-15T15:53:00.1é",
    ] {
        assert_eq!(read(text, TimestampForm::Iso8601), None, "{text}");
        assert_eq!(read(text, TimestampForm::Rfc3339), None, "{text}");
    }
}

#[test]
fn durations() {
    for right in
        ["P3Y1M29DT4H35M59.14S", "PT16559.14S", "P3Y", "P4W", "PT0S", "P0.5D", "PT1,5H", "P1DT1S", "PT1.123456789S"]
    {
        assert!(Duration::parse(right).is_some(), "{right}");
    }
    for wrong in [
        "P", "PT", "P1DT", "P4W1D", "4H", "PT1S1H", "P1H", "PT1Y", "P1.5YT1H", "PT1.5H1M", "P-1D", "PT.5S", "PT1.S",
        "P1", "pt1s", "P1YT", "PT1H1H",
    ] {
        assert_eq!(Duration::parse(wrong), None, "{wrong}");
    }
    // Cut off at a hundredth of a second, not rounded.
    assert_eq!(Duration::parse("PT1.239S"), Duration::parse("PT1.23S"));
    assert_ne!(Duration::parse("PT1.24S"), Duration::parse("PT1.23S"));
    assert_eq!(Duration::parse("PT1H"), Duration::parse("PT60M"));
    assert_ne!(Duration::parse("P1M"), Duration::parse("P30D"));
}

#[test]
fn identifiers() {
    assert!(text::is_iri("https://example.org/ä?x=1#y") && text::is_iri("urn:uuid:x") && text::is_iri("tag:a,2020:b"));
    assert!(
        !text::is_iri("example.org/x")
            && !text::is_iri("should fail")
            && !text::is_iri("")
            && !text::is_iri("http://a b")
    );
    assert!(text::is_mbox("mailto:ada@example.org") && text::is_mbox("mailto:ada+x@ä.org"));
    assert!(
        !text::is_mbox("mailto:ada")
            && !text::is_mbox("ada@example.org")
            && !text::is_mbox("mailto:a@b@c")
            && !text::is_mbox("mailto:@b")
    );
    assert!(
        text::is_language("en")
            && text::is_language("zh-Hant-TW")
            && text::is_language("de-CH-1996")
            && text::is_language("x-klingon")
    );
    assert!(
        !text::is_language("something")
            && !text::is_language("en_GB")
            && !text::is_language("a12345678")
            && !text::is_language("")
    );
    assert!(
        text::is_media_type("text/plain; charset=ascii")
            && !text::is_media_type("text")
            && !text::is_media_type("a b/c")
    );
}

#[test]
fn versions_of_requests() {
    for (value, version) in [
        ("1.0", Some(Version::V1)),
        ("1.0.3", Some(Version::V1)),
        ("1.0.99", Some(Version::V1)),
        ("2.0", Some(Version::V2)),
        ("2.0.0", Some(Version::V2)),
        (" 2.0.0 ", Some(Version::V2)),
        ("0.95", None),
        ("1.1.0", None),
        ("2.00", None),
        ("1.0.", None),
        ("1.0.x", None),
        ("3.0", None),
        ("é.0", None),
        ("", None),
    ] {
        assert_eq!(Version::of_header(value), version, "{value}");
    }
}

proptest! {
    #[test]
    fn any_moment_is_read_as_it_was_written(micros in -62_135_596_800_000_000i64..253_402_300_799_999_999) {
        let written = Timestamp(micros).to_string();
        prop_assert_eq!(Timestamp::parse(&written, TimestampForm::Rfc3339), Some(Timestamp(micros)));
        prop_assert_eq!(Timestamp::parse(&written, TimestampForm::Iso8601), Some(Timestamp(micros)));
    }

    #[test]
    fn any_uuid_is_read_as_it_was_written(bits in any::<[u8; 16]>()) {
        let uuid = Uuid::from_random(bits);
        prop_assert_eq!(Uuid::parse(&uuid.to_string()), Some(uuid));
        prop_assert_eq!(Uuid::parse(&uuid.to_string().to_uppercase()), Some(uuid));
    }

    /// Whatever comes, nothing panics.
    #[test]
    fn no_text_is_too_strange(text in ".*", numbers in "P?[0-9YMDTHSW.,:+Z-]{0,30}") {
        for text in [&text, &numbers] {
            let _ = (Duration::parse(text), Uuid::parse(text), Version::of_header(text), text::is_iri(text), text::is_language(text));
            let _ = (Timestamp::parse(text, TimestampForm::Iso8601), Timestamp::parse(text, TimestampForm::Rfc3339));
        }
    }
}
