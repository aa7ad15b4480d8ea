//! JSON as it came. Statements must be given back exactly as they were received, so numbers keep their text and objects their order; a
//! name that is given twice is refused, since nobody could say which of the two was meant. Depth is bounded, and so is everything else
//! by the length of the text.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Arrays and objects inside each other, at most. Deeper text is refused rather than risking the stack.
pub const MAX_DEPTH: usize = 100;

/// A JSON value.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, by its text.
    Number(Number),
    /// Text.
    String(String),
    /// Values in order.
    Array(Vec<Json>),
    /// Names and values in the order in which they came.
    Object(Object),
}

/// A number as it was written. Two numbers are equal if they are written alike; [`Number::same_value`] compares what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Number(Box<str>);

/// Names and values in the order in which they came; each name once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Object(Vec<(String, Json)>);

/// Why a text is not JSON.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl Json {
    /// Reads one JSON value from UTF-8 text, with nothing but white space around it.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => return Err(place(text, error.valid_up_to(), "the text is not UTF-8")),
        };
        let mut parser = Parser { text, at: 0 };
        parser.document().map_err(|problem| place(text.as_bytes(), parser.at, problem))
    }

    /// The value as text, without white space between its parts.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Appends the value to a text.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.0),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(object) => object.write(out),
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The object, if this is one, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }

    /// The text of a name, if this is an object that has it.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// What kind of value it is, in words for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl FromIterator<(String, Json)> for Object {
    /// Later values of a name replace earlier ones.
    fn from_iter<T: IntoIterator<Item = (String, Json)>>(entries: T) -> Self {
        let mut object = Self::default();
        object.merge(entries);
        object
    }
}

impl Number {
    /// A whole number.
    pub fn whole(value: u64) -> Self {
        Self(value.to_string().into())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The nearest double; infinite if it is too large for one.
    pub fn value(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// Whether both mean the same, to the last digit, however they are written.
    pub fn same_value(&self, other: &Self) -> bool {
        self.0 == other.0 || self.decimal() == other.decimal()
    }

    /// Whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        let (_, digits, exponent) = self.decimal();
        digits.is_empty() || exponent >= 0
    }

    /// Sign, digits without zeros at either end, and the power of ten of the last digit.
    fn decimal(&self) -> (bool, String, i64) {
        let (negative, rest) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, &*self.0),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        // An exponent beyond this is beyond every number that anybody writes out.
        let exponent: i64 =
            exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return (false, String::new(), 0);
        }
        let zeros_at_end = digits.len() - digits.trim_end_matches('0').len();
        let exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros_at_end as i64);
        (negative, significant.to_owned(), exponent)
    }
}

impl Object {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets a name: where it was, or at the end.
    pub fn set(&mut self, name: &str, value: Json) {
        match self.get_mut(name) {
            Some(place) => *place = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(index).1)
    }

    /// Sets many names, one level deep. Takes no longer for long objects than it must.
    pub fn merge(&mut self, entries: impl IntoIterator<Item = (String, Json)>) {
        let mut places: std::collections::BTreeMap<String, usize> =
            self.0.iter().enumerate().map(|(index, (key, _))| (key.clone(), index)).collect();
        for (key, value) in entries {
            match places.get(&key).and_then(|index| self.0.get_mut(*index)) {
                Some(place) => place.1 = value,
                None => {
                    places.insert(key.clone(), self.0.len());
                    self.0.push((key, value));
                }
            }
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Names and values in order; the values may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Json)> {
        self.0.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// Names and values, taken.
    pub fn into_entries(self) -> Vec<(String, Json)> {
        self.0
    }

    /// Keeps what the function says.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Json) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the object to a text.
    pub fn write(&self, out: &mut String) {
        out.push('{');
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_string(key, out);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }
}

/// Appends a text in quotes, with only those characters escaped that must be.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn place(text: &[u8], at: usize, problem: &'static str) -> ParseError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    let in_line = before.get(line_start..).unwrap_or_default();
    ParseError {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(in_line).chars().count(),
        problem,
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Where it is, in bytes; after an error, where that is.
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn document(&mut self) -> Parsed<Json> {
        let value = self.value(0)?;
        self.white_space();
        if self.peek().is_some() { Err("something follows after the end of the JSON value") } else { Ok(value) }
    }

    fn value(&mut self, depth: usize) -> Parsed<Json> {
        self.white_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err("expected a JSON value"),
            None => Err("the text ends where a JSON value is expected"),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Json> {
        if depth >= MAX_DEPTH {
            return Err("arrays and objects lie too deep inside each other");
        }
        self.at += 1;
        let mut object = Vec::new();
        self.white_space();
        if self.take(b'}') {
            return Ok(Json::Object(Object(object)));
        }
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err("expected a name in quotes");
            }
            let begin = self.at;
            let name = self.string()?;
            if self.is_known(&name, &object) {
                self.at = begin;
                return Err("this name is given twice in one object");
            }
            self.white_space();
            if !self.take(b':') {
                return Err("expected a colon after the name");
            }
            object.push((name, self.value(depth + 1)?));
            self.white_space();
            if self.take(b'}') {
                return all_once(object);
            }
            if !self.take(b',') {
                return Err("expected a comma or the end of the object");
            }
        }
    }

    /// Among the first names; [`all_once`] looks at long objects, once and for all.
    fn is_known(&self, name: &str, object: &[(String, Json)]) -> bool {
        object.len() <= FEW && object.iter().any(|(key, _)| key == name)
    }

    fn array(&mut self, depth: usize) -> Parsed<Json> {
        if depth >= MAX_DEPTH {
            return Err("arrays and objects lie too deep inside each other");
        }
        self.at += 1;
        let mut items = Vec::new();
        self.white_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.white_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err("expected a comma or the end of the array");
            }
        }
    }

    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let Some(plain) = plain else {
                self.at = self.text.len();
                return Err("the text ends inside a string");
            };
            string.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err("control characters must be escaped in a string"),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let begin = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode().inspect_err(|_| self.at = begin);
            }
            _ => return Err("this escape is not known in JSON"),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Parsed<char> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err("half a surrogate pair is no character");
                }
                match self.hex4()? {
                    second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => return Err("half a surrogate pair is no character"),
                }
            }
            _ => first,
        };
        char::from_u32(code).ok_or("half a surrogate pair is no character")
    }

    fn hex4(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or("expected four hexadecimal digits")?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("expected four hexadecimal digits");
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| "expected four hexadecimal digits")
    }

    fn number(&mut self) -> Parsed<Json> {
        let begin = self.at;
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err("expected a digit"),
        }
        if self.take(b'.') {
            self.some_digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.some_digits()?;
        }
        Ok(Json::Number(Number(self.text.get(begin..self.at).unwrap_or_default().into())))
    }

    fn some_digits(&mut self) -> Parsed<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err("expected a digit");
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Parsed<Json> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err("expected a JSON value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Names up to which each new one is compared with all before it.
const FEW: usize = 24;

fn all_once(object: Vec<(String, Json)>) -> Parsed<Json> {
    if object.len() > FEW {
        let names: BTreeSet<&str> = object.iter().map(|(key, _)| key.as_str()).collect();
        if names.len() < object.len() {
            return Err("a name is given twice in the object that ends here");
        }
    }
    Ok(Json::Object(Object(object)))
}
