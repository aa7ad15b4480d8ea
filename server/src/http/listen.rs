//! Accepting connections: TLS or plain, bounded in number, with time limits for the slow, and let go gently at the end.

use super::tls::Certificate;
use crate::config::Http;
use crate::metrics::Metrics;
use axum::body::Body;
use axum::http::{Request, Uri};
use axum::{Router, http};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => self.clone().greet(stream, address, &graceful),
                Err(error) => {
                    self.metrics.accept_failures.add(1);
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::debug!("requests in progress were cut off");
        }
    }

    fn greet(self: Arc<Self>, stream: TcpStream, address: SocketAddr, graceful: &GracefulShutdown) {
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
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let Some(tls) = self.tls.clone() else {
                return self.converse(stream, peer, watcher).await;
            };
            match tokio::time::timeout(Duration::from_secs(self.http.head_timeout_s), tls.accept(stream)).await {
                Ok(Ok(stream)) => self.converse(stream, peer, watcher).await,
                Ok(Err(error)) => {
                    self.metrics.tls_failures.add(1);
                    tracing::debug!(%error, "TLS handshake failed");
                }
                Err(_) => self.metrics.tls_failures.add(1),
            }
        });
    }

    async fn converse<S>(&self, stream: S, peer: Peer, watcher: hyper_util::server::graceful::Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(TokioExecutor::new());
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
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let router = router.clone();
            let request = prepare(request, peer.clone());
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended in error");
        }
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
