//! Learning records within the server: keys and tokens as credentials, tenants, and that they outlive it.

use crate::harness::{config, start_with};
use lyceum::config::{ApiKey, DEV_KEY, DEV_SECRET};
use lyceum::server::Server;
use lyceum::token::{Claims, Keyring};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

const STATEMENT: &str = r#"{"actor":{"mbox":"mailto:ada@example.org"},"verb":{"id":"https://example.org/met"},"object":{"id":"https://example.org/x"}}"#;

/// Status and body of one request.
async fn ask(address: SocketAddr, method: &'static str, authorization: String, body: &'static str) -> (u16, String) {
    tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!(
            "{method} /xapi/statements HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
             X-Experience-API-Version: 2.0.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    })
    .await
    .unwrap()
}

fn basic(key: &str, secret: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}")))
}

#[tokio::test]
async fn keys_and_tokens_are_credentials() {
    let secret = "0123456789abcdef0123456789abcdef";
    let college = ApiKey { secret: secret.to_owned(), tenant: "college".to_owned() };
    let server = start_with(|config| drop(config.keys.insert("college-key".to_owned(), college))).await;
    let (address, keyring) = (server.address, Keyring::new(server.server.app.config.keys.clone()));
    let exp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 60;
    let token = |scope: &str, sub: &str| {
        let claims =
            Claims { iss: DEV_KEY.to_owned(), exp, scope: scope.to_owned(), sub: sub.to_owned(), ..Claims::default() };
        format!("Bearer {}", keyring.sign(&claims).unwrap())
    };
    let key = basic(DEV_KEY, DEV_SECRET);

    assert_eq!(ask(address, "POST", key.clone(), STATEMENT).await.0, 200);
    assert_eq!(ask(address, "POST", token("statements/write", "ada"), STATEMENT).await.0, 200);
    assert_eq!(ask(address, "POST", token("statements/read", "ada"), STATEMENT).await.0, 403);
    // A token for a class says nothing of records.
    assert_eq!(ask(address, "GET", token("", "ada"), "").await.0, 403);
    assert_eq!(ask(address, "GET", basic(DEV_KEY, "wrong"), "").await.0, 401);
    assert_eq!(ask(address, "GET", basic("nobody", DEV_SECRET), "").await.0, 401);

    let (status, all) = ask(address, "GET", key, "").await;
    assert_eq!((status, all.matches("\"verb\"").count()), (200, 2), "{all}");
    assert!(
        all.contains(r#""authority":{"objectType":"Group","member":["#) && all.contains(r#""name":"ada"}"#),
        "{all}"
    );
    let (status, mine) = ask(address, "GET", token("statements/read/mine", "ada"), "").await;
    assert_eq!((status, mine.matches("\"verb\"").count()), (200, 1));
    let (status, theirs) = ask(address, "GET", basic("college-key", secret), "").await;
    assert_eq!((status, theirs.as_str()), (200, r#"{"statements":[],"more":""}"#));
}

#[tokio::test]
async fn records_outlive_the_server() {
    let data = tempfile::tempdir().unwrap();
    let key = basic(DEV_KEY, DEV_SECRET);
    let server = Server::start(config(data.path())).await.unwrap();
    assert_eq!(ask(server.addresses[0], "POST", key.clone(), STATEMENT).await.0, 200);
    server.shut_down().await;
    let server = Server::start(config(data.path())).await.unwrap();
    assert_eq!(ask(server.addresses[0], "GET", key, "").await.1.matches("\"verb\"").count(), 1);
    server.shut_down().await;
}
