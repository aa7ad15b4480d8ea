//! `lyceum room`: rooms of a running server, over its REST interface, with a key of the configuration.

use super::{ConfigFlags, complain, fail};
use crate::config::{self, load};
use crate::control::now;
use crate::token::{Claims, Keyring, VideoGrant};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// Tokens for one request.
const TOKEN_TTL_S: u64 = 60;

#[derive(Subcommand)]
pub enum Room {
    /// Make a room and print its invite links
    Create {
        /// Its name, as it stands in links
        name: String,
        /// People in it at a time; 0 is no limit
        #[arg(long)]
        max_participants: Option<u32>,
        /// Seconds to wait for the first person
        #[arg(long)]
        empty_timeout_s: Option<u64>,
        /// Seconds to wait after the last person
        #[arg(long)]
        departure_timeout_s: Option<u64>,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// List rooms
    List {
        #[command(flatten)]
        server: ServerFlags,
    },
    /// List classes that run or have run, newest first
    Sessions {
        #[command(flatten)]
        server: ServerFlags,
    },
}

#[derive(Args)]
pub struct ServerFlags {
    /// The server (otherwise http.public_url, or http.bind of the configuration)
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The API key to use (otherwise the first of the configuration)
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    config: ConfigFlags,
}

pub fn run(room: Room) -> ExitCode {
    let outcome = match &room {
        Room::Create { name, max_participants, empty_timeout_s, departure_timeout_s, server } => connect(server)
            .and_then(|server| {
                let mut wanted = serde_json::json!({ "name": name });
                let numbers = [("empty_timeout_s", *empty_timeout_s), ("departure_timeout_s", *departure_timeout_s)];
                for (key, value) in numbers.into_iter().chain([("max_participants", max_participants.map(u64::from))]) {
                    if let Some(value) = value {
                        wanted[key] = value.into();
                    }
                }
                let made = server.ask("POST", "/api/v1/rooms", Some(&wanted))?;
                print_links(&server.url, &made);
                Ok(())
            }),
        Room::List { server } => connect(server).and_then(|server| {
            let rooms = server.ask("GET", "/api/v1/rooms", None)?;
            for room in rooms["rooms"].as_array().into_iter().flatten() {
                let running = if room["session_id"].is_string() { "class is running" } else { "" };
                println!("{}\t{running}", text(&room["name"]));
            }
            Ok(())
        }),
        Room::Sessions { server } => connect(server).and_then(|server| {
            let sessions = server.ask("GET", "/api/v1/sessions", None)?;
            for session in sessions["sessions"].as_array().into_iter().flatten() {
                println!("{session}");
            }
            Ok(())
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// Prints what to send to whom.
fn print_links(url: &str, made: &Value) {
    let room = percent_encode(text(&made["name"]));
    for (label, role) in [("teach", "instructor"), ("learn", "learner")] {
        println!("{label}: {url}/c/{room}#{}", text(&made["invites"][role]));
    }
}

/// A path segment of a URL.
pub fn percent_encode(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    segment
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A server that can be asked.
struct Remote {
    url: String,
    token: String,
    agent: ureq::Agent,
}

fn connect(flags: &ServerFlags) -> Result<Remote, ExitCode> {
    let config =
        flags.config.sources(Vec::new()).and_then(|sources| load(&sources)).map_err(|problems| complain(&problems))?;
    let url = flags.url.clone().unwrap_or_else(|| url_of(&config));
    let key = flags.key.clone().or_else(|| config.keys.keys().next().cloned()).unwrap_or_default();
    let now_s = now().0 / 1000;
    let claims = Claims {
        iss: key,
        nbf: now_s,
        exp: now_s + TOKEN_TTL_S,
        video: Some(VideoGrant { room_create: true, room_list: true, ..VideoGrant::default() }),
        ..Claims::default()
    };
    let token = Keyring::new(config.keys).sign(&claims).map_err(fail)?;
    let tls = ureq::tls::TlsConfig::builder()
        .provider(ureq::tls::TlsProvider::Rustls)
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(std::sync::Arc::new(aws_lc_rs::default_provider()))
        .build();
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .tls_config(tls)
        .build()
        .new_agent();
    Ok(Remote { url: url.trim_end_matches('/').to_owned(), token, agent })
}

/// Where a server with this configuration is reached.
fn url_of(config: &config::Config) -> String {
    if !config.http.public_url.is_empty() {
        return config.http.public_url.clone();
    }
    let scheme = if config.tls.cert_file.as_os_str().is_empty() { "http" } else { "https" };
    let address = config.http.bind.first();
    match address.filter(|address| !address.ip().is_unspecified() && !address.ip().is_loopback()) {
        Some(address) => format!("{scheme}://{address}"),
        None => format!("{scheme}://localhost:{}", address.map_or(7880, std::net::SocketAddr::port)),
    }
}

impl Remote {
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ExitCode> {
        let (url, bearer) = (format!("{}{path}", self.url), format!("Bearer {}", self.token));
        let sent = match (method, body) {
            ("POST", Some(body)) => self.agent.post(&url).header("authorization", &bearer).send_json(body),
            _ => self.agent.get(&url).header("authorization", &bearer).call(),
        };
        let mut response = sent.map_err(|error| {
            fail(format!(
                "no server answers at {}: {error}. Start one with `lyceum serve`, or name it by --url",
                self.url
            ))
        })?;
        let status = response.status();
        let answer: Value = response.body_mut().read_json().unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer["message"].as_str().unwrap_or("no reason given");
        Err(fail(format!("the server refused ({status}): {said}")))
    }
}
