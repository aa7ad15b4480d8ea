//! A server of one's own for each test, plain HTTP to it, and people who join over real signalling sockets.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use livekit_protocol::{JoinResponse, SignalRequest, SignalResponse};
use lyceum::config::{Config, Sources, load};
use lyceum::server::Server;
use lyceum::token::{Claims, Keyring, VideoGrant};
use prost::Message as _;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Nothing in a test takes so long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server in this process.
pub struct Running {
    pub server: Server,
    pub address: SocketAddr,
    _data: TempDir,
}

/// A server with demo keys on free ports.
pub async fn start() -> Running {
    start_with(|_| {}).await
}

/// The same, configured differently.
pub async fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path());
    change(&mut config);
    let server = Server::start(config).await.unwrap();
    Running { address: server.addresses[0], server, _data: data }
}

/// `--dev`, on free ports.
pub fn config(data: &Path) -> Config {
    let mut config = load(&Sources { dev: true, ..Sources::default() }).unwrap();
    config.settings.http.bind = vec!["127.0.0.1:0".parse().unwrap()];
    config.settings.media.udp_port = 0;
    config.settings.media.tcp_bind = Some("127.0.0.1:0".parse().unwrap());
    config.settings.media.shards = 1;
    config.settings.store.dir = data.to_owned();
    config.program = BINARY.into();
    config
}

impl Running {
    /// One number of `/metrics`, summed over shards.
    pub async fn metric(&self, name: &str) -> f64 {
        metric(self.address, name).await
    }

    /// Waits until a number of `/metrics` is this.
    pub async fn metric_becomes(&self, name: &str, wanted: f64) {
        metric_becomes(self.address, name, wanted).await;
    }

    /// Somebody joins a room, as a LiveKit client would.
    pub async fn join(&self, room: &str, identity: &str) -> Person {
        Person::join(self.address, &token(room, identity), "").await.unwrap()
    }
}

// ---- a server in a process of its own ------------------------------------------------------------------------------

const BINARY: &str = env!("CARGO_BIN_EXE_lyceum");

/// A server in a process of its own.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
}

impl Process {
    pub fn start(data: &Path, settings: &[&str]) -> Process {
        let mut child = lyceum(&["serve", "--dev", "--bind", "127.0.0.1:0", "--udp-port", "0", "--log-format", "json"])
            .args(["--set", "media.tcp_bind=127.0.0.1:0", "--data"])
            .arg(data)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map(|line| line.unwrap())
            .find(|line| line.contains("\"ready\""))
            .expect("a server that starts");
        let ready: Value = serde_json::from_str(&ready).unwrap();
        // Somebody has to read on, or the server would wait for its log.
        std::thread::spawn(move || lines.for_each(drop));
        Process { address: ready["http"].as_str().unwrap().parse().unwrap(), child }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub async fn join(&self, room: &str, identity: &str) -> Person {
        Person::join(self.address, &token(room, identity), "").await.unwrap()
    }

    pub async fn log(&self, room: &str, session: &str) -> Vec<Value> {
        let admin = token_with("", VideoGrant { room_admin: true, room: room.to_owned(), ..VideoGrant::default() });
        let request = axum::http::Request::get(format!("/api/v1/sessions/{session}/events"));
        let request =
            request.header("authorization", format!("Bearer {admin}")).body(axum::body::Body::empty()).unwrap();
        ask(self.address, request).await.json()["events"].as_array().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed must not leave it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, in an environment without settings.
pub fn lyceum(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).env_clear().current_dir(std::env::temp_dir());
    command
}

// ---- tokens --------------------------------------------------------------------------------------------------------

/// An access token of the demo key for one room.
pub fn token(room: &str, identity: &str) -> String {
    token_with(identity, VideoGrant { room_join: true, room: room.to_owned(), ..VideoGrant::default() })
}

/// An access token of the demo key.
pub fn token_with(identity: &str, video: VideoGrant) -> String {
    sign(&Claims { sub: identity.to_owned(), video: Some(video), ..claims() })
}

/// The claims that every good token has.
pub fn claims() -> Claims {
    Claims { iss: "devkey".to_owned(), exp: now_s() + 3600, ..Claims::default() }
}

/// Signed with the demo key.
pub fn sign(claims: &Claims) -> String {
    Keyring::new(config(Path::new("unused")).keys).sign(claims).unwrap()
}

/// Any claims at all, signed with the demo secret.
pub fn sign_json(claims: Value) -> String {
    sign_json_with(serde_json::json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// Any header and claims at all, signed with the demo secret.
pub fn sign_json_with(header: Value, claims: Value) -> String {
    let message = [header, claims].map(|part| BASE64.encode(part.to_string())).join(".");
    let secret = jsonwebtoken::EncodingKey::from_secret(b"secret");
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

pub fn now_s() -> u64 {
    lyceum::control::now().0 / 1000
}

// ---- metrics -------------------------------------------------------------------------------------------------------

/// One number of `/metrics`, summed over shards.
pub async fn metric(address: SocketAddr, name: &str) -> f64 {
    number(&get(address, "/metrics").await.text, name)
}

/// One number of a text that `/metrics` gave, summed over shards.
pub fn number(text: &str, name: &str) -> f64 {
    let lines = text.lines().filter(|line| line.split([' ', '{']).next() == Some(name));
    let numbers: Vec<f64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!numbers.is_empty(), "no metric {name}");
    numbers.iter().sum()
}

/// Waits until a number of `/metrics` is this.
pub async fn metric_becomes(address: SocketAddr, name: &str, wanted: f64) {
    let reached = async {
        while metric(address, name).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!("{name} stays at {}, expected {wanted}", metric(address, name).await);
    }
}

// ---- HTTP ----------------------------------------------------------------------------------------------------------

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

pub async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, Request::get(path).body(Body::empty()).unwrap()).await
}

pub async fn post(address: SocketAddr, path: &str, token: Option<&str>, body: serde_json::Value) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    ask(address, request.body(Body::from(body.to_string())).unwrap()).await
}

/// Sends one request on a connection of its own.
pub async fn ask(address: SocketAddr, mut request: Request<Body>) -> Answer {
    request.headers_mut().entry("host").or_insert("school.test".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap().to_vec();
    drop(sender);
    let _ = connection.await;
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
}

// ---- people --------------------------------------------------------------------------------------------------------

/// Somebody with an open signalling socket.
pub struct Person {
    pub welcome: JoinResponse,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// How a join was refused.
#[derive(Debug)]
pub struct RefusedJoin {
    pub status: u16,
    pub text: String,
}

impl Person {
    /// Joins with the token in the query, as browsers do. `more` is further query text.
    pub async fn join(address: SocketAddr, token: &str, more: &str) -> Result<Person, RefusedJoin> {
        let mut socket = open(address, token, more).await?;
        match next(&mut socket).await {
            Some(Say::Join(welcome)) => Ok(Person { welcome, socket }),
            other => panic!("expected a join response, heard {other:?}"),
        }
    }

    pub fn sid(&self) -> &str {
        &self.welcome.participant.as_ref().unwrap().sid
    }

    pub fn session(&self) -> &str {
        &self.welcome.room.as_ref().unwrap().sid
    }

    pub async fn says(&mut self, message: Ask) {
        let bytes = SignalRequest { message: Some(message) }.encode_to_vec();
        self.sends(Message::Binary(bytes.into())).await;
    }

    pub async fn sends(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends, or tells that the server has closed.
    pub async fn tries(&mut self, message: Message) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(message).await
    }

    /// The next signal; `None` when the server has closed.
    pub async fn hears_or_ends(&mut self) -> Option<Say> {
        next(&mut self.socket).await
    }

    /// The next signal that the test is interested in; others are passed over.
    pub async fn hears<T>(&mut self, mut wanted: impl FnMut(Say) -> Option<T>) -> T {
        loop {
            match next(&mut self.socket).await {
                Some(say) => {
                    if let Some(found) = wanted(say) {
                        return found;
                    }
                }
                None => panic!("the socket closed before what was waited for"),
            }
        }
    }

    /// The next message as it comes, pings aside.
    pub async fn hears_raw(&mut self) -> Message {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// Reads until the server closes, and gives its reason.
    pub async fn is_closed(&mut self) -> Option<CloseFrame> {
        let read_on = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        tokio::time::timeout(PATIENCE, read_on).await.unwrap()
    }

    /// Says goodbye and waits until the server has closed.
    pub async fn leaves(mut self) {
        self.says(Ask::Leave(Default::default())).await;
        self.is_closed().await;
    }

    /// The network is gone: no goodbye.
    pub fn vanishes(self) {
        drop(self.socket);
    }
}

/// Opens a signalling socket.
pub async fn open(
    address: SocketAddr,
    token: &str,
    more: &str,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, RefusedJoin> {
    let url = format!("ws://{address}/rtc?access_token={token}&protocol=16&sdk=js{more}");
    open_request(url.into_client_request().unwrap()).await
}

pub async fn open_request(request: Request<()>) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, RefusedJoin> {
    use tokio_tungstenite::tungstenite::Error;
    match tokio::time::timeout(PATIENCE, tokio_tungstenite::connect_async(request)).await.unwrap() {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            assert_eq!(
                response.headers()["access-control-allow-origin"],
                "*",
                "a page must be able to read the refusal"
            );
            let text = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            Err(RefusedJoin { status: response.status().as_u16(), text })
        }
        Err(error) => panic!("{error}"),
    }
}

/// The next signal; `None` when the server has closed.
pub async fn next(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<Say> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a signal in time") {
            Some(Ok(Message::Binary(bytes))) => return SignalResponse::decode(bytes).unwrap().message,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}
