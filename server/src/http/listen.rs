//! Accepting connections: TLS or plain, bounded in number, with time limits for the slow, and let go gently at the end.

use super::tls::Certificate;
use crate::config::Http;
use crate::metrics::Metrics;
use axum::body::Body;
use axum::http::{Request, Uri};
use axum::{Router, http};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// After an accept that failed for want of resources, the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// At the end, requests in progress get this long.
const DRAIN: Duration = Duration::from_secs(3);

/// Who is at the other end. A WebSocket keeps its copy for as long as it is open, so that it still counts.
#[derive(Clone)]
pub struct Peer {
    /// Their address.
    pub address: SocketAddr,
    _seat: Arc<OwnedSemaphorePermit>,
}

/// What every listener shares.
pub struct Door {
    router: Router,
    http: Http,
    seats: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    tls: Option<TlsAcceptor>,
}

impl Door {
    /// Ready to listen.
    pub fn new(
        router: Router,
        http: Http,
        metrics: Arc<Metrics>,
        certificate: Option<&Arc<Certificate>>,
    ) -> Result<Arc<Self>, String> {
        let tls = certificate.map(|certificate| certificate.server_config().map(TlsAcceptor::from)).transpose()?;
        let seats = Arc::new(Semaphore::new(http.max_connections));
        Ok(Arc::new(Self { router, http, seats, metrics, tls }))
    }

    /// Accepts until `stop` turns true, then lets requests in progress finish.
    pub async fn listen(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => self.clone().greet(stream, address, stop.clone()),
                Err(error) => {
                    self.metrics.accept_failures.add(1);
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, self.metrics.conversations.is_empty()).await.is_err() {
            tracing::debug!("requests in progress are cut off");
        }
    }

    fn greet(self: Arc<Self>, stream: TcpStream, address: SocketAddr, stop: watch::Receiver<bool>) {
        let Ok(seat) = self.seats.clone().try_acquire_owned() else {
            self.metrics.connections_refused.add(1);
            tokio::spawn(turn_away(stream, self.tls.is_some()));
            return;
        };
        self.metrics.connections.add(1);
        // Signals are small and must not wait for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let peer = Peer { address, _seat: Arc::new(seat) };
        let present = self.metrics.conversations.enter();
        tokio::spawn(async move {
            let _present = present;
            let Some(tls) = self.tls.clone() else {
                return self.converse(stream, Version::Http1, peer, stop).await;
            };
            match tokio::time::timeout(Duration::from_secs(self.http.head_timeout_s), tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let version = Version::of(stream.get_ref().1.alpn_protocol());
                    self.converse(stream, version, peer, stop).await;
                }
                Ok(Err(error)) => {
                    self.metrics.tls_failures.add(1);
                    tracing::debug!(%error, "TLS handshake failed");
                }
                Err(_) => self.metrics.tls_failures.add(1),
            }
        });
    }

    async fn converse<S>(&self, stream: S, version: Version, peer: Peer, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Chosen here rather than read from the first bytes, for which a silent client would be waited for without end.
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.http.head_timeout_s))
            .max_buf_size(self.http.max_head_bytes);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(self.http.max_head_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(100)
            .keep_alive_interval(Duration::from_secs(30));
        let (router, requests) = (self.router.clone(), Requests::new());
        let noticed = requests.clone();
        let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            noticed.one_more();
            let router = router.clone();
            let request = prepare(request, peer.clone());
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut is_ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended in error");
                    }
                    return;
                }
                _ = stop.wait_for(|stop| *stop), if !is_ending => {}
                () = requests.are_awaited_for_too_long(&self.http), if !is_ending => {
                    if requests.is_none() {
                        return;
                    }
                }
            }
            // Answers on their way are still sent, whole.
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// When requests of one connection began.
#[derive(Clone)]
struct Requests(Arc<Mutex<(u64, Instant)>>);

impl Requests {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((0, Instant::now()))))
    }

    fn one_more(&self) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *requests = (requests.0 + 1, Instant::now());
    }

    fn is_none(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    /// Resolves when the first request has not come in the time for a head, or the next one not within the idle time.
    async fn are_awaited_for_too_long(&self, http: &Http) {
        loop {
            let (count, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let patience_s = if count == 0 { http.head_timeout_s } else { http.idle_timeout_s };
            let end = since + Duration::from_secs(patience_s);
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Http1,
    Http2,
}

impl Version {
    /// What TLS has agreed on.
    fn of(alpn: Option<&[u8]>) -> Self {
        if alpn == Some(b"h2") { Version::Http2 } else { Version::Http1 }
    }
}

/// The request as the router wants it: with its peer, and with one `/` where some clients write two.
fn prepare(request: http::Request<hyper::body::Incoming>, peer: Peer) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(peer);
    if parts.uri.path().starts_with("//") {
        parts.uri = collapse(&parts.uri);
    }
    Request::from_parts(parts, Body::new(body))
}

fn collapse(uri: &Uri) -> Uri {
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    path_and_query.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// One connection too many: says so where it can be read, that is without TLS.
async fn turn_away(mut stream: TcpStream, tls: bool) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\naccess-control-allow-origin: *\r\n\
        connection: close\r\nretry-after: 5\r\ncontent-length: 54\r\n\r\nthis server has no free connection, try again shortly\n";
    if !tls && let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await {
        tracing::debug!(%error, "a surplus connection could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_collapse_and_the_query_stays() {
        assert_eq!(collapse(&Uri::from_static("//rtc?a=b//c")), Uri::from_static("/rtc?a=b//c"));
        assert_eq!(collapse(&Uri::from_static("///")), Uri::from_static("/"));
    }
}
