//! HTTPS from files, and new files without a restart.

use crate::harness::*;
use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// Writes a fresh certificate for `localhost` and its key; returns the certificate.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

async fn start_tls(folder: &Path) -> Running {
    start_with(|config| {
        config.settings.tls.cert_file = folder.join("cert.pem");
        config.settings.tls.key_file = folder.join("key.pem");
        config.settings.tls.reload_check_ms = 100;
    })
    .await
}

/// `GET` over TLS by somebody who trusts this certificate only; `None` if the server shows another one.
async fn get_trusting(address: SocketAddr, path: &str, trusted: &CertificateDer<'static>) -> Option<Answer> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap().to_vec();
    Some(Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        bytes,
    })
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let running = start_tls(folder.path()).await;
    let answer = get_trusting(running.address, "/healthz", &first).await.expect("the first certificate");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));

    let second = certificate(folder.path());
    let seen = async {
        while get_trusting(running.address, "/healthz", &second).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the second certificate is used");
    assert!(get_trusting(running.address, "/healthz", &first).await.is_none());
}

#[tokio::test]
async fn a_file_that_is_broken_on_the_way_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let running = start_tls(folder.path()).await;
    std::fs::write(folder.path().join("cert.pem"), "half a certif").unwrap();
    let failures = async {
        loop {
            let metrics =
                get_trusting(running.address, "/metrics", &first).await.expect("the old certificate stays").text;
            if metrics.contains("lyceum_tls_reload_failures_total 1") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, failures).await.expect("the failure is counted");
}

#[tokio::test]
async fn a_server_does_not_start_without_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let refused = |cert: &'static str, key: &'static str| {
        let folder = folder.path().to_owned();
        async move {
            let data = tempfile::tempdir().unwrap();
            let mut config = config(data.path());
            config.settings.tls.cert_file = folder.join(cert);
            config.settings.tls.key_file = folder.join(key);
            match lyceum::server::Server::start(config).await {
                Ok(_) => panic!("it started"),
                Err(error) => error.to_string(),
            }
        }
    };
    assert!(refused("missing.pem", "key.pem").await.contains("missing.pem"));
    assert!(refused("key.pem", "key.pem").await.contains("holds no certificate"));
    assert!(refused("cert.pem", "cert.pem").await.contains("holds no private key"));
}
