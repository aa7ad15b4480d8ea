//! The kinds of value that a setting can have: how each is read from TOML and from text (environment, flags), what it
//! accepts in words, and how it is written back for the sample file.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// A value as it was written, before it is known what it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// From the environment or a flag: may become anything.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Any other TOML value, by its name.
    Other(&'static str),
}

impl Raw {
    /// The value in words, for an error message.
    pub fn describe(&self) -> String {
        match self {
            Raw::Text(text) | Raw::String(text) => format!("{text:?}"),
            Raw::Integer(number) => number.to_string(),
            Raw::Boolean(flag) => flag.to_string(),
            Raw::List(items) => format!("{items:?}"),
            Raw::Other(name) => (*name).to_owned(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Raw::Text(text) | Raw::String(text) => Some(text.trim()),
            _ => None,
        }
    }

    fn items(&self) -> Option<Vec<&str>> {
        match self {
            Raw::List(items) => Some(items.iter().map(|item| item.trim()).collect()),
            Raw::Text(text) | Raw::String(text) => {
                Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
            }
            _ => None,
        }
    }
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// Reads the value; `None` if it is not of this type.
    fn read(raw: &Raw) -> Option<Self>;
    /// What is accepted, to follow "expected ".
    fn accepts() -> &'static str;
    /// The value as TOML.
    fn to_toml(&self) -> String;
}

/// A type of which a setting may accept only a range.
pub trait Ranged: Value {
    /// Whether the value lies in the range.
    fn within(&self, range: &RangeInclusive<u64>) -> bool;
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl Value for $kind {
            fn read(raw: &Raw) -> Option<Self> {
                match raw {
                    Raw::Integer(number) => <$kind>::try_from(*number).ok(),
                    Raw::Text(text) => text.trim().parse().ok(),
                    _ => None,
                }
            }
            fn accepts() -> &'static str {
                "a whole number"
            }
            fn to_toml(&self) -> String {
                self.to_string()
            }
        }
        impl Ranged for $kind {
            fn within(&self, range: &RangeInclusive<u64>) -> bool {
                u64::try_from(*self).is_ok_and(|number| range.contains(&number))
            }
        }
    )*};
}

whole_numbers!(u16, u32, u64, usize);

impl Value for bool {
    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Boolean(flag) => Some(*flag),
            Raw::Text(text) => match text.trim() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
    fn accepts() -> &'static str {
        "true or false"
    }
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(str::to_owned)
    }
    fn accepts() -> &'static str {
        "a text"
    }
    fn to_toml(&self) -> String {
        quote(self)
    }
}

impl Value for PathBuf {
    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(PathBuf::from)
    }
    fn accepts() -> &'static str {
        "a path"
    }
    fn to_toml(&self) -> String {
        quote(&self.to_string_lossy())
    }
}

impl Value for IpAddr {
    fn read(raw: &Raw) -> Option<Self> {
        raw.text()?.parse().ok()
    }
    fn accepts() -> &'static str {
        "an IP address such as \"0.0.0.0\" or \"::\""
    }
    fn to_toml(&self) -> String {
        quote(&self.to_string())
    }
}

impl Value for Option<SocketAddr> {
    fn read(raw: &Raw) -> Option<Self> {
        match raw.text()? {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }
    fn accepts() -> &'static str {
        "an address and port such as \"0.0.0.0:7881\", or \"\" for none"
    }
    fn to_toml(&self) -> String {
        quote(&self.map(|address| address.to_string()).unwrap_or_default())
    }
}

impl Value for Vec<SocketAddr> {
    fn read(raw: &Raw) -> Option<Self> {
        raw.items()?.into_iter().map(|item| item.parse().ok()).collect()
    }
    fn accepts() -> &'static str {
        "a list of addresses with ports such as [\"0.0.0.0:7880\", \"[::]:7880\"]"
    }
    fn to_toml(&self) -> String {
        quote_list(self.iter().map(ToString::to_string))
    }
}

impl Value for Vec<IpAddr> {
    fn read(raw: &Raw) -> Option<Self> {
        raw.items()?.into_iter().map(|item| item.parse().ok()).collect()
    }
    fn accepts() -> &'static str {
        "a list of IP addresses such as [\"203.0.113.7\"]"
    }
    fn to_toml(&self) -> String {
        quote_list(self.iter().map(ToString::to_string))
    }
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Value for LogFormat {
    fn read(raw: &Raw) -> Option<Self> {
        match raw.text()? {
            "auto" => Some(LogFormat::Auto),
            "pretty" => Some(LogFormat::Pretty),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }
    fn accepts() -> &'static str {
        "one of \"auto\", \"pretty\", \"json\""
    }
    fn to_toml(&self) -> String {
        quote(match self {
            LogFormat::Auto => "auto",
            LogFormat::Pretty => "pretty",
            LogFormat::Json => "json",
        })
    }
}

fn quote_list(items: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = items.map(|item| quote(&item)).collect();
    format!("[{}]", quoted.join(", "))
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
