//! Small strict readers of texts with a form: identifiers, languages, times and durations. Each answers `None` to what has not
//! exactly that form.

use iri_string::types::{IriStr, UriStr};
use oxilangtag::LanguageTag;
use std::fmt;

/// Whether a text is an absolute IRI (RFC 3987): one that has a scheme.
pub fn is_iri(text: &str) -> bool {
    <&IriStr>::try_from(text).is_ok()
}

/// Whether a text is an absolute URI (RFC 3986).
pub fn is_uri(text: &str) -> bool {
    <&UriStr>::try_from(text).is_ok()
}

/// Whether a text is a language tag as RFC 5646 forms them.
pub fn is_language(text: &str) -> bool {
    LanguageTag::parse(text).is_ok()
}

/// Whether a text is `mailto:` and one address.
pub fn is_mbox(text: &str) -> bool {
    let Some(address) = text.strip_prefix("mailto:") else { return false };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let sane = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@');
    // A part in quotes may hold an `@`; everything else may not.
    let local_is_sane = sane(local) || (local.len() > 2 && local.starts_with('"') && local.ends_with('"'));
    local_is_sane && sane(domain) && is_iri(text)
}

/// Whether a text is a SHA-1 in hexadecimal.
pub fn is_sha1(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether a text is a SHA-2 in hexadecimal: of 224, 256, 384 or 512 bits.
pub fn is_sha2(text: &str) -> bool {
    matches!(text.len(), 56 | 64 | 96 | 128) && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is a media type with a type, a subtype, and perhaps parameters (RFC 2045).
pub fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// A UUID (RFC 4122), by its bits: texts that differ in case only are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Reads the form with four hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut uuid = [0; 16];
        let mut nibbles = 0;
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return None;
                }
                continue;
            }
            let nibble = char::from(*byte).to_digit(16)? as u8;
            let place = uuid.get_mut(nibbles / 2)?;
            *place = (*place << 4) | nibble;
            nibbles += 1;
        }
        Some(Self(uuid))
    }

    /// A random UUID (version 4) made of these bits.
    pub fn from_random(mut bits: [u8; 16]) -> Self {
        bits[6] = (bits[6] & 0x0f) | 0x40;
        bits[8] = (bits[8] & 0x3f) | 0x80;
        Self(bits)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A moment, in microseconds since 1970 in UTC. What is finer is cut off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

/// How a timestamp may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampForm {
    /// RFC 3339, which 2.0 asks for.
    Rfc3339,
    /// The extended format of ISO 8601, which 1.0 asks for: the offset may be missing (then it is UTC), or be hours alone, and
    /// seconds may be missing.
    Iso8601,
}

impl Timestamp {
    /// Reads a timestamp. An offset of zero with a minus sign says that the local time is not known, and is refused.
    pub fn parse(text: &str, form: TimestampForm) -> Option<Self> {
        let strict = form == TimestampForm::Rfc3339;
        let mut scan = Scan(text.as_bytes());
        let year = scan.number(4)?;
        scan.byte(b"-")?;
        let month = scan.number(2).filter(|month| (1..=12).contains(month))?;
        scan.byte(b"-")?;
        let day = scan.number(2).filter(|day| (1..=days_of(year, month)).contains(day))?;
        scan.byte(if strict { b"Tt" } else { b"T" })?;
        let hour = scan.number(2).filter(|hour| *hour < 24)?;
        scan.byte(b":")?;
        let minute = scan.number(2).filter(|minute| *minute < 60)?;
        let (mut second, mut micros) = (0, 0);
        if strict || scan.0.first() == Some(&b':') {
            scan.byte(b":")?;
            // A leap second is the last of its minute; what comes after it is the same moment here.
            second = scan.number(2).filter(|second| *second <= 60)?;
            let separators: &[u8] = if strict { b"." } else { b".," };
            if scan.byte(separators).is_some() {
                micros = scan.fraction()?;
            }
        }
        let offset_minutes = match scan.byte(b"Zz+-") {
            None if !strict && scan.0.is_empty() => 0,
            None => return None,
            Some(b'Z') => 0,
            Some(b'z') if strict => 0,
            Some(b'z') => return None,
            Some(sign) => {
                let hours = scan.number(2).filter(|hours| *hours < 24)?;
                let minutes = match scan.byte(b":") {
                    Some(_) => scan.number(2)?,
                    None if strict => return None,
                    None if scan.0.is_empty() => 0,
                    None => scan.number(2)?,
                };
                let offset = hours * 60 + minutes;
                if minutes >= 60 || (sign == b'-' && offset == 0) {
                    return None;
                }
                if sign == b'-' { -offset } else { offset }
            }
        };
        if !scan.0.is_empty() {
            return None;
        }
        let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
        Some(Self(seconds * 1_000_000 + micros))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// RFC 3339 in UTC with six digits after the point, for years 0 to 9999.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (year, month, day) = date_of(seconds.div_euclid(86_400));
        let in_day = seconds.rem_euclid(86_400);
        let micros = self.0.rem_euclid(1_000_000);
        let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, counted in years that begin in March, so that the leap day comes last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day counted from 1970-01-01; the other way round.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A duration as ISO 8601 writes it: years, months and days do not have a fixed length, so they are kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duration {
    /// Years and months, in months and hundredths.
    pub month_hundredths: u128,
    /// Weeks and days, in days and hundredths.
    pub day_hundredths: u128,
    /// Hours, minutes and seconds, in hundredths of a second. What is finer is cut off, as the specification compares durations.
    pub centiseconds: u128,
}

impl Duration {
    /// Reads `PnYnMnDTnHnMnS` or `PnW`. Only the last number may have a fraction.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P')?;
        let (date, time) = match rest.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (rest, None),
        };
        if let Some(weeks) = date.strip_suffix('W') {
            let (hundredths, _) = hundredths(weeks)?;
            let day_hundredths = hundredths.checked_mul(7)?;
            return time.is_none().then_some(Self { month_hundredths: 0, day_hundredths, centiseconds: 0 });
        }
        let mut parts = Parts { last_had_fraction: false, any: false };
        let [years, months, days] = parts.read(date, [b'Y', b'M', b'D'])?;
        let [hours, minutes, seconds] = match time {
            Some(time) => {
                let before = std::mem::take(&mut parts.any);
                let read = parts.read(time, [b'H', b'M', b'S'])?;
                // A `T` with nothing behind it.
                parts.any.then_some(read).inspect(|_| parts.any |= before)?
            }
            None => [0; 3],
        };
        parts.any.then_some(())?;
        Some(Self {
            month_hundredths: years.checked_mul(12)?.checked_add(months)?,
            day_hundredths: days,
            centiseconds: hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?,
        })
    }
}

struct Parts {
    last_had_fraction: bool,
    any: bool,
}

impl Parts {
    /// Numbers with their designators, in this order, each at most once.
    fn read(&mut self, text: &str, designators: [u8; 3]) -> Option<[u128; 3]> {
        let mut values = [0; 3];
        let mut rest = text;
        let mut next = 0;
        while !rest.is_empty() {
            let end = rest.bytes().position(|byte| byte.is_ascii_alphabetic())?;
            let designator = *rest.as_bytes().get(end)?;
            let place = (next..3).find(|place| designators.get(*place) == Some(&designator))?;
            if std::mem::take(&mut self.last_had_fraction) {
                return None;
            }
            let (value, fraction) = hundredths(rest.get(..end)?)?;
            self.last_had_fraction = fraction;
            *values.get_mut(place)? = value;
            self.any = true;
            next = place + 1;
            rest = rest.get(end + 1..)?;
        }
        Some(values)
    }
}

/// A number in hundredths, and whether it was written with a fraction. Long digits are cut off, never rounded.
fn hundredths(text: &str) -> Option<(u128, bool)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if !digits(whole) || whole.len() > 30 || !fraction.is_none_or(digits) {
        return None;
    }
    let cut: String = fraction.unwrap_or_default().chars().chain("00".chars()).take(2).collect();
    let value = whole.parse::<u128>().ok()?.checked_mul(100)?.checked_add(cut.parse().ok()?)?;
    Some((value, fraction.is_some()))
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// One of these bytes, if it comes next.
    fn byte(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        let value = number
            .iter()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    /// One or more digits after the point, as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let (fraction, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let kept = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(6);
        Some(kept.fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
    }
}
