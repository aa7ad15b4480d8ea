//! A request as the resources see it: method, parameters, the few headers that mean something, body. What 1.0.3 calls the alternate
//! request syntax (everything in a form) looks like any other request from here on.

use super::answer::{Outcome, Refusal};
use axum::http::{HeaderMap, Method, Uri, header};
use lyceum_xapi::actor::Identifier;
use lyceum_xapi::{Json, Timestamp, TimestampForm, Uuid, Version, text, validate};
use std::collections::BTreeMap;

/// The header that names the version of the API.
pub(super) const VERSION: &str = "x-experience-api-version";

pub(super) struct Request {
    pub method: Method,
    pub params: Params,
    pub headers: BTreeMap<&'static str, String>,
    pub body: Vec<u8>,
}

/// Headers that mean something.
const HEADERS: [&str; 7] =
    [VERSION, "authorization", "content-type", "if-match", "if-none-match", "accept-language", "content-length"];

impl Request {
    pub fn new(method: Method, uri: &Uri, headers: &HeaderMap, body: Vec<u8>) -> Outcome<Self> {
        let mut known = BTreeMap::new();
        for name in HEADERS {
            if let Some(value) = headers.get(name) {
                let value = value.to_str().map_err(|_| Refusal::bad(format!("the header {name} is not plain text")))?;
                known.insert(name, value.to_owned());
            }
        }
        let params = Params::parse(uri.query().unwrap_or_default())?;
        let request = Self { method, params, headers: known, body };
        if request.method == Method::POST && request.params.0.contains_key("method") {
            return request.in_form();
        }
        Ok(request)
    }

    /// The alternate request syntax.
    fn in_form(mut self) -> Outcome<Self> {
        if self.version_header().is_some_and(|version| Version::of_header(version) == Some(Version::V2)) {
            return Err(Refusal::bad("2.0 has no alternate request syntax: send the request as what it is"));
        }
        let method = self.params.0.remove("method").unwrap_or_default();
        if !self.params.0.is_empty() {
            return Err(Refusal::bad("with the parameter method, all others belong into the form"));
        }
        let method = match method.as_str() {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "PUT" => Method::PUT,
            "POST" => Method::POST,
            "DELETE" => Method::DELETE,
            _ => return Err(Refusal::bad("the parameter method must be GET, HEAD, PUT, POST or DELETE")),
        };
        let form = std::str::from_utf8(&self.body).map_err(|_| Refusal::bad("the form is not UTF-8"))?;
        let mut params = Params::parse(form)?;
        // The form's own type and length are not those of the request in it.
        self.headers.remove("content-type");
        self.headers.remove("content-length");
        let names: Vec<String> = params.0.keys().cloned().collect();
        for name in names {
            if let Some(header) = HEADERS.into_iter().find(|header| header.eq_ignore_ascii_case(&name))
                && let Some(value) = params.0.remove(&name)
            {
                self.headers.insert(header, value);
            }
        }
        if self.version_header().is_some_and(|version| Version::of_header(version) == Some(Version::V2)) {
            return Err(Refusal::bad("2.0 has no alternate request syntax: send the request as what it is"));
        }
        let content = params.0.remove("content");
        if content.is_none() && (method == Method::PUT || method == Method::POST) {
            return Err(Refusal::bad("the form has no content"));
        }
        if content.is_some() {
            self.headers.entry("content-type").or_insert_with(|| "application/json".to_owned());
        }
        Ok(Self { method, params, headers: self.headers, body: content.unwrap_or_default().into_bytes() })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn version_header(&self) -> Option<&str> {
        self.header(VERSION)
    }

    pub fn content_type(&self) -> &str {
        self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default()
    }

    /// Entity tags of a header, without quotes and marks of weakness.
    pub fn tags(&self, name: &str) -> Option<Vec<String>> {
        let tag = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        self.header(name).map(|value| value.split(',').map(tag).collect())
    }
}

/// Parameters, each once, taken out one by one; what is left at the end is not known.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub fn parse(query: &str) -> Outcome<Self> {
        let mut params = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if name.contains('\0') || value.contains('\0') {
                return Err(Refusal::bad("a parameter holds the character NUL"));
            }
            if params.contains_key(&name) {
                return Err(Refusal::bad(format!("the parameter {} is given twice", shorten(&name))));
            }
            params.insert(name, value);
        }
        Ok(Self(params))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn peek(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Everything must have been taken by now.
    pub fn nothing_else(&self) -> Outcome<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Refusal::bad(format!("the parameter {} is not known here; names keep their case", shorten(name))))
            }
        }
    }

    pub fn uuid(&mut self, name: &str) -> Outcome<Option<Uuid>> {
        self.read(name, "a UUID", Uuid::parse)
    }

    pub fn boolean(&mut self, name: &str) -> Outcome<bool> {
        let value = self.read(name, "true or false", |value| match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Ok(value.unwrap_or(false))
    }

    pub fn iri(&mut self, name: &str) -> Outcome<Option<String>> {
        self.read(name, "an absolute IRI", |value| text::is_iri(value).then(|| value.to_owned()))
    }

    pub fn timestamp(&mut self, name: &str, version: Version) -> Outcome<Option<Timestamp>> {
        let form = if version == Version::V1 { TimestampForm::Iso8601 } else { TimestampForm::Rfc3339 };
        self.read(name, "a timestamp; a plus sign in it is written %2B", |value| Timestamp::parse(value, form))
    }

    /// An Agent or identified Group in JSON.
    pub fn actor(&mut self, name: &str, version: Version) -> Outcome<Option<Identifier>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let actor = Json::parse(value.as_bytes())
            .map_err(|error| Refusal::bad(format!("the parameter {name} must be an Agent in JSON: {error}")))?;
        if let Err(problems) = validate::actor(&actor, version) {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            return Err(Refusal::bad(format!("the parameter {name} must be an Agent: {problem}")));
        }
        let identifier = Identifier::of(&actor);
        identifier
            .map(Some)
            .ok_or_else(|| Refusal::bad(format!("the parameter {name} must be an Agent or a Group with an identifier")))
    }

    pub fn read<T>(&mut self, name: &str, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Outcome<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| Refusal::bad(format!("the parameter {name} must be {wanted}")))
    }
}

fn shorten(name: &str) -> String {
    name.chars().take(60).collect()
}

/// `application/x-www-form-urlencoded`.
fn decode(text: &str) -> Outcome<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest.split_at_checked(2).and_then(|(digits, after)| {
                    rest = after;
                    let digits = std::str::from_utf8(digits).ok()?;
                    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
                });
                bytes.push(
                    digits
                        .ok_or_else(|| Refusal::bad("a percent sign in a parameter is not followed by two digits"))?,
                );
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::bad("a parameter is not UTF-8"))
}

/// Encodes what follows `=` in a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
