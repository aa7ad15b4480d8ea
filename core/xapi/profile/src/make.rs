//! Small JSON: what statements are put together from.

use lyceum_session::UnixMs;
use lyceum_xapi::{Json, Number, Object, Timestamp};

/// An object with these names and values, in this order.
pub(crate) fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    let mut object = Object::default();
    for (name, value) in entries {
        object.set(name, value);
    }
    object.into()
}

/// A list.
pub(crate) fn list(items: impl IntoIterator<Item = Json>) -> Json {
    Json::Array(items.into_iter().collect())
}

/// A whole number.
pub(crate) fn whole(value: u64) -> Json {
    Json::Number(Number::whole(value))
}

/// A text in one language.
pub(crate) fn in_language(language: &str, text: &str) -> Json {
    object([(language, text.into())])
}

/// `part` of `all`, between 0 and 1, to four digits and cut off there: no two machines write it differently.
pub(crate) fn share(part: u64, all: u64) -> Json {
    if all == 0 {
        return whole(0);
    }
    let ten_thousandths = u128::from(part.min(all)) * 10_000 / u128::from(all);
    let text = match ten_thousandths {
        0 => "0".to_owned(),
        10_000 => "1".to_owned(),
        some => format!("0.{some:04}").trim_end_matches('0').to_owned(),
    };
    Json::parse(text.as_bytes()).unwrap_or(Json::Null)
}

/// A duration as ISO 8601 writes it, in seconds and hundredths; the rest is cut off, as the specification compares durations.
pub(crate) fn duration(ms: u64) -> Json {
    let (seconds, hundredths) = (ms / 1000, ms % 1000 / 10);
    match hundredths {
        0 => format!("PT{seconds}S"),
        _ => format!("PT{seconds}.{hundredths:02}S"),
    }
    .into()
}

/// A moment in UTC.
pub(crate) fn moment(at: UnixMs) -> Json {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX).saturating_mul(1000);
    Timestamp(micros).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_durations_are_written_in_one_way() {
        for (part, all, text) in
            [(0, 9, "0"), (1, 3, "0.3333"), (1, 2, "0.5"), (9, 9, "1"), (9, 8, "1"), (1, 0, "0"), (1, 1_000_000, "0")]
        {
            assert_eq!(share(part, all).to_text(), text, "{part} of {all}");
        }
        for (ms, text) in [(0, "PT0S"), (9, "PT0S"), (10, "PT0.01S"), (1_500, "PT1.50S"), (3_600_000, "PT3600S")] {
            assert_eq!(duration(ms).as_str(), Some(text));
        }
        assert_eq!(moment(UnixMs(1_700_000_000_123)).as_str(), Some("2023-11-14T22:13:20.123000Z"));
    }
}
