//! Documents over their own sockets: the way in, updates from one to another, and a log that cannot be read.

use crate::harness::*;
use futures_util::{SinkExt, StreamExt};
use lyceum::token::{LyceumClaims, VideoGrant};
use lyceum_documents::Message as Said;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A map entry `elements["a"] = true` by the Yjs client 7.
const DRAWN: &[u8] = b"\x01\x01\x07\x00\x28\x01\x08elements\x01a\x01\x78\x00";

#[tokio::test]
async fn a_stroke_reaches_the_others_and_a_reader_is_closed_with_4403() {
    let running = start().await;
    let _seats = [join(&running, "teacher", "instructor").await, join(&running, "learner", "learner").await];
    let mut teacher = document(&running, "teacher", "board:main:blank:1").await.unwrap();
    let mut learner = document(&running, "learner", "board:main:blank:1").await.unwrap();
    says(&mut learner, Said::Step1(&[0])).await;
    assert_eq!(hears(&mut learner).await, Said::Step1(&[0]).write().to_vec());
    assert_eq!(hears(&mut learner).await, Said::Step2(&[0, 0]).write().to_vec());
    says(&mut teacher, Said::Update(DRAWN)).await;
    assert_eq!(hears(&mut learner).await, Said::Update(DRAWN).write().to_vec());
    assert_eq!(running.metric("lyceum_document_updates_total").await, 1.0);
    assert_eq!(running.metric("lyceum_document_clients").await, 2.0);

    let mut other = DRAWN.to_vec();
    other[2] = 8;
    says(&mut learner, Said::Update(&other)).await;
    assert_eq!(closed(&mut learner).await, 4403);
    running.metric_becomes("lyceum_document_clients", 1.0).await;
}

#[tokio::test]
async fn what_may_not_be_opened_is_refused_before_the_upgrade() {
    let running = start().await;
    let _seat = join(&running, "teacher", "instructor").await;
    for (person, name, status) in [
        ("teacher", "board:main:12:1", 404),
        ("teacher", "notes:nowhere", 404),
        ("teacher", "anything", 404),
        ("stranger", "notes:main", 403),
    ] {
        assert_eq!(document(&running, person, name).await.err(), Some(status), "{person} {name}");
    }
    let no_class = open_document(&running, "notes:main", &sign_role("teacher", "instructor", "empty room")).await;
    assert_eq!(no_class.err(), Some(404));
    assert_eq!(open_document(&running, "notes:main", "forged").await.err(), Some(401));
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_unavailable_and_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let address = process.address;
    let token = sign_role("teacher", "instructor", "physics");
    let seat = Person::join(address, &token, "").await.unwrap();
    let mut teacher = open_at(address, "notes:main", &token).await.unwrap();
    says(&mut teacher, Said::Update(DRAWN)).await;
    metric_becomes(address, "lyceum_document_updates_total", 1.0).await;
    drop((teacher, seat));
    process.kill();

    let file = rusqlite::Connection::open(data.path().join("documents.sqlite")).unwrap();
    let before: Vec<u8> = file.query_row("SELECT bytes FROM updates", [], |row| row.get(0)).unwrap();
    assert_eq!(before, DRAWN);
    file.execute("UPDATE updates SET bytes = x'ffff'", []).unwrap();
    drop(file);

    let process = Process::start(data.path(), &[]);
    let address = process.address;
    let _seat = Person::join(address, &token, "").await.unwrap();
    let mut teacher = open_at(address, "notes:main", &token).await.unwrap();
    says(&mut teacher, Said::Step1(&[0])).await;
    assert_eq!(closed(&mut teacher).await, 4503);
    process.kill();
    let file = rusqlite::Connection::open(data.path().join("documents.sqlite")).unwrap();
    let (rows, bytes): (u32, Vec<u8>) =
        file.query_row("SELECT count(*), max(bytes) FROM updates", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((rows, bytes), (1, vec![0xff, 0xff]));
}

fn sign_role(person: &str, role: &str, room: &str) -> String {
    let video = VideoGrant { room_join: true, room: room.to_owned(), ..VideoGrant::default() };
    let ours = LyceumClaims { role: Some(role.to_owned()), ..LyceumClaims::default() };
    sign(&lyceum::token::Claims { sub: person.to_owned(), video: Some(video), lyceum: Some(ours), ..claims() })
}

async fn join(running: &Running, person: &str, role: &str) -> Person {
    Person::join(running.address, &sign_role(person, role, "physics"), "").await.unwrap()
}

async fn document(running: &Running, person: &str, name: &str) -> Result<Socket, u16> {
    open_document(running, name, &sign_role(person, "instructor", "physics")).await
}

async fn open_document(running: &Running, name: &str, token: &str) -> Result<Socket, u16> {
    open_at(running.address, name, token).await
}

pub async fn open_at(address: std::net::SocketAddr, name: &str, token: &str) -> Result<Socket, u16> {
    let url = format!("ws://{address}/documents/v1/{name}?token={token}").replace(' ', "%20");
    match tokio_tungstenite::connect_async(url).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub async fn says(socket: &mut Socket, message: Said<'_>) {
    socket.send(Message::Binary(message.write().to_vec().into())).await.unwrap();
}

pub async fn hears(socket: &mut Socket) -> Vec<u8> {
    loop {
        match next_message(socket).await {
            Some(Message::Binary(frame)) => return frame.to_vec(),
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn closed(socket: &mut Socket) -> u16 {
    loop {
        match next_message(socket).await {
            Some(Message::Close(Some(frame))) => return frame.code.into(),
            Some(_) => {}
            None => panic!("closed without a code"),
        }
    }
}

async fn next_message(socket: &mut Socket) -> Option<Message> {
    let message = tokio::time::timeout(Duration::from_secs(60), socket.next()).await.expect("nothing comes");
    message.map(Result::unwrap)
}
