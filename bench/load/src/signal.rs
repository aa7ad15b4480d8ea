//! The signalling socket of one learner: dialect v0 of the LiveKit protocol, one protobuf message a frame.

use futures_util::{SinkExt, StreamExt};
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{SignalRequest, SignalResponse};
use prost::Message as _;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

/// As the Rust SDK, which speaks this dialect, says of itself.
const ABOUT_US: &str = "protocol=16&sdk=rust&os=linux&version=";
/// A server that is this slow to open a socket has failed.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// Why a socket could not be opened, or is no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum SignalError {
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the server refused the join: {status} {text}{}", hint(*status))]
    Refused { status: u16, text: String },
    #[error("the server did not open the socket within {} s", OPEN_PATIENCE.as_secs())]
    Slow,
    #[error("the server closed the socket{0}")]
    Closed(String),
    #[error("the signalling socket broke: {0}")]
    Broken(String),
    #[error("the server sent what is no message of the protocol: {0}")]
    Malformed(String),
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => "; check --api-key and --api-secret",
        404 => "; check --url, and whether the room must be created first",
        429 => "; the server limits joins from one address: raise its limit or lower --ramp",
        _ => "",
    }
}

/// How a learner wants to be joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry<'a> {
    New { auto_subscribe: bool },
    Resume { participant_sid: &'a str },
}

/// See the module.
pub struct Signal(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Signal {
    /// Opens a socket. `server` is the URL that the user gave.
    pub async fn open(server: &Url, token: &str, entry: Entry<'_>) -> Result<Self, SignalError> {
        let mut url = server.clone();
        url.set_path(&format!("{}/rtc", server.path().trim_end_matches('/')));
        let entry = match entry {
            Entry::New { auto_subscribe } => format!("auto_subscribe={}&adaptive_stream=1", u8::from(auto_subscribe)),
            Entry::Resume { participant_sid } => format!("reconnect=1&sid={participant_sid}&adaptive_stream=1"),
        };
        url.set_query(Some(&format!("{entry}&{ABOUT_US}{}", env!("CARGO_PKG_VERSION"))));
        let mut request = url.as_str().into_client_request().map_err(unreachable)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(unreachable)?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let opening = tokio_tungstenite::connect_async_with_config(request, None, true);
        match tokio::time::timeout(OPEN_PATIENCE, opening).await {
            Ok(Ok((socket, _))) => Ok(Self(socket)),
            Ok(Err(WsError::Http(response))) => {
                let text = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err(SignalError::Refused { status: response.status().as_u16(), text: short(&text) })
            }
            Ok(Err(error)) => Err(unreachable(error)),
            Err(_) => Err(SignalError::Slow),
        }
    }

    /// Our own address on the way to the server.
    pub fn local_ip(&self) -> Option<IpAddr> {
        let address = match self.0.get_ref() {
            MaybeTlsStream::Plain(stream) => stream.local_addr(),
            MaybeTlsStream::Rustls(stream) => stream.get_ref().0.local_addr(),
            _ => return None,
        };
        address.ok().map(|address| address.ip().to_canonical())
    }

    pub async fn say(&mut self, ask: Ask) -> Result<(), SignalError> {
        let bytes = SignalRequest { message: Some(ask) }.encode_to_vec();
        self.0.send(Message::Binary(bytes.into())).await.map_err(broken)
    }

    /// The next message that this dialect knows. Can be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> Result<Say, SignalError> {
        loop {
            let frame = match self.0.next().await {
                None => return Err(SignalError::Closed(String::new())),
                Some(Err(error)) => return Err(broken(error)),
                Some(Ok(frame)) => frame,
            };
            match frame {
                Message::Binary(bytes) => {
                    let response = SignalResponse::decode(bytes).map_err(|e| SignalError::Malformed(e.to_string()))?;
                    if let Some(say) = response.message {
                        return Ok(say);
                    }
                }
                Message::Close(frame) => {
                    let why = frame.map(|frame| format!(" ({} {})", frame.code, short(&frame.reason)));
                    return Err(SignalError::Closed(why.unwrap_or_default()));
                }
                Message::Text(_) => return Err(SignalError::Malformed("text, where binary was spoken".to_owned())),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Says goodbye to the socket and waits until the server has, for a moment.
    pub async fn close(mut self) {
        let farewell = async {
            let _ = self.0.close(None).await;
            while let Some(Ok(_)) = self.0.next().await {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), farewell).await;
    }
}

fn unreachable(error: impl std::fmt::Display) -> SignalError {
    SignalError::Unreachable(error.to_string())
}

fn broken(error: WsError) -> SignalError {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => SignalError::Closed(String::new()),
        error => SignalError::Broken(error.to_string()),
    }
}

/// A server's own words, in one line that fits a report, without the token that some servers quote.
fn short(text: &str) -> String {
    const TOKEN: &str = "eyJ";
    let words = text.split_whitespace().map(|word| if word.contains(TOKEN) { "(token)" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = SignalError::Refused { status: 401, text: "invalid token".into() };
        assert_eq!(
            refused.to_string(),
            "the server refused the join: 401 invalid token; check --api-key and --api-secret"
        );
        assert_eq!(short(" a\n  b "), "a b");
        assert_eq!(short("invalid token: eyJ0eXAi.eyJpc3Mi.x, error: y"), "invalid token: (token) error: y");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_unreachable() {
        // Nobody listens on the port of a listener that is gone.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        let url = Url::parse(&format!("ws://{address}")).expect("a URL");
        let opened = Signal::open(&url, "token", Entry::New { auto_subscribe: true }).await;
        assert!(matches!(opened, Err(SignalError::Unreachable(_))));
    }
}
