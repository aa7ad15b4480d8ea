//! What a client says of itself in the query of `/rtc`.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use livekit_protocol::client_info::Capability;
use lyceum_node::Join;
use lyceum_session::{Client, ConnectionId, PersonId, Profile, Text};
use std::collections::{BTreeMap, HashMap};

/// Longer texts about a device are cut: they are for people to read.
const MAX_TEXT_CHARS: usize = 64;

/// Clients that speak an older protocol cannot do ICE with an ICE-lite server.
const FIRST_PROTOCOL_WITH_ICE_LITE: i32 = 6;

/// The query parameters.
#[derive(Debug, Default)]
pub struct Params(HashMap<String, String>);

impl Params {
    /// From parsed pairs.
    pub fn new(pairs: HashMap<String, String>) -> Self {
        Self(pairs)
    }

    /// The token, if it came this way.
    pub fn token(&self) -> Option<&str> {
        self.0.get("access_token").map(String::as_str).filter(|token| !token.is_empty())
    }

    /// Whether a `join_request` makes this a join of the later dialect.
    pub fn is_single_connection(&self) -> bool {
        self.0.contains_key("join_request")
    }

    /// Attributes for the participant; the error says what is wrong with them.
    pub fn attributes(&self) -> Result<BTreeMap<String, Text>, &'static str> {
        let Some(encoded) = self.0.get("attributes").filter(|encoded| !encoded.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        let bare = encoded.trim_end_matches('=');
        let json = URL_SAFE_NO_PAD
            .decode(bare)
            .or_else(|_| STANDARD_NO_PAD.decode(bare))
            .map_err(|_| "the query parameter `attributes` is not base64")?;
        let texts: BTreeMap<String, String> = serde_json::from_slice(&json)
            .map_err(|_| "the query parameter `attributes` is not a JSON object of texts")?;
        Ok(texts.into_iter().map(|(key, value)| (key, Text(value))).collect())
    }

    /// The join of this person with this device.
    pub fn join(&self, person: PersonId, profile: Profile, headers: &HeaderMap) -> Join {
        let client = self.client(headers);
        let firefox = client.browser.eq_ignore_ascii_case("firefox");
        let resume = self.flag("reconnect", false).then(|| ConnectionId(self.text("sid")));
        Join {
            person,
            profile,
            client_protocol: self.number("client_protocol"),
            capabilities: self.capabilities(),
            space: None,
            auto_subscribe: self.flag("auto_subscribe", true),
            adaptive_stream: self.flag("adaptive_stream", false),
            resume,
            full_ice: firefox || self.flag("disable_ice_lite", false) || client.protocol < FIRST_PROTOCOL_WITH_ICE_LITE,
            client,
        }
    }

    fn client(&self, headers: &HeaderMap) -> Client {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let or_from_agent = |said: String, known: &[(&str, &str)]| {
            let seen = || known.iter().find(|(mark, _)| agent.contains(mark)).map_or("", |(_, name)| name).to_owned();
            if said.is_empty() { seen() } else { said }
        };
        Client {
            sdk: self.text("sdk"),
            version: self.text("version"),
            os: or_from_agent(self.text("os"), &AGENT_SYSTEMS),
            browser: or_from_agent(self.text("browser"), &AGENT_BROWSERS),
            protocol: self.number("protocol"),
            ..Client::default()
        }
    }

    /// Capabilities that this protocol version does not name are left out: others could not understand them.
    fn capabilities(&self) -> Vec<i32> {
        let names = self.0.get("capabilities").map(String::as_str).unwrap_or_default();
        let known = names.split(',').filter_map(|name| Capability::from_str_name(name.trim()));
        let numbers: std::collections::BTreeSet<i32> = known.map(i32::from).collect();
        numbers.into_iter().collect()
    }

    fn text(&self, name: &str) -> String {
        let text = self.0.get(name).map(String::as_str).unwrap_or_default();
        text.chars().filter(|char| !char.is_control()).take(MAX_TEXT_CHARS).collect()
    }

    fn number(&self, name: &str) -> i32 {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        match self.0.get(name).map(String::as_str) {
            None | Some("") => default,
            Some(text) => matches!(text, "1" | "true"),
        }
    }
}

/// In this order: every browser claims to be others that came before it.
const AGENT_BROWSERS: [(&str, &str); 5] =
    [("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];

const AGENT_SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn profile() -> Profile {
        crate::token::profile_of(&crate::token::Claims::default())
    }

    #[test]
    fn a_bare_join_subscribes_to_everything_and_resumes_nothing() {
        let join = params(&[("protocol", "15")]).join("ann".into(), profile(), &HeaderMap::new());
        assert!(join.auto_subscribe && !join.adaptive_stream && !join.full_ice);
        assert_eq!(join.resume, None);
    }

    #[test]
    fn firefox_is_known_by_its_user_agent_and_gets_full_ice() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let headers = HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(agent))]);
        let join = params(&[("protocol", "16"), ("sdk", "js")]).join("ann".into(), profile(), &headers);
        assert_eq!((join.client.browser.as_str(), join.client.os.as_str()), ("Firefox", "Linux"));
        assert!(join.full_ice);
    }

    #[test]
    fn a_resume_names_its_connection() {
        let join = params(&[("reconnect", "1"), ("sid", "PA_x")]).join("ann".into(), profile(), &HeaderMap::new());
        assert_eq!(join.resume, Some("PA_x".into()));
    }

    #[test]
    fn attributes_come_padded_or_not_and_must_be_texts() {
        let good = STANDARD_NO_PAD.encode(r#"{"seat":"3"}"#);
        assert_eq!(params(&[("attributes", &good)]).attributes().unwrap()["seat"], Text("3".to_owned()));
        assert!(params(&[("attributes", &format!("{good}=="))]).attributes().is_ok());
        let number = URL_SAFE_NO_PAD.encode(r#"{"seat":3}"#);
        assert!(params(&[("attributes", &number)]).attributes().is_err());
        assert!(params(&[("attributes", "%")]).attributes().is_err());
    }

    #[test]
    fn unknown_capabilities_are_left_out_and_doubles_count_once() {
        let join = params(&[("capabilities", "CAP_PACKET_TRAILER,CAP_X, CAP_PACKET_TRAILER")]);
        assert_eq!(join.join("ann".into(), profile(), &HeaderMap::new()).capabilities, [1]);
    }
}
