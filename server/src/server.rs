//! The server as a whole: brought up in order, put down in the reverse order within ten seconds.

use crate::api::Folds;
use crate::app::App;
use crate::config::{Config, Media};
use crate::control::{Control, keep_heartbeats};
use crate::documents::{DocumentLog, Documents};
use crate::files::Files;
use crate::http::listen::Door;
use crate::http::tls::Certificate;
use crate::media::{self, MediaConfig};
use crate::metrics::Metrics;
use crate::net::own_addresses;
use crate::records::Outbox;
use crate::rtc::Throttle;
use crate::store::{Store, StoreError};
use crate::token::Keyring;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Of the ten seconds that a shutdown may take: for classes to say goodbye and their logs to be stored,
const CLASSES_DOWN: Duration = Duration::from_secs(5);
/// for sockets to send what is left and close,
const SOCKETS_DOWN: Duration = Duration::from_secs(2);
/// for the media threads to stop,
const MEDIA_DOWN: Duration = Duration::from_secs(1);
/// and for the store to write what still waits.
const STORE_DOWN: Duration = Duration::from_secs(2);

/// A server that runs.
pub struct Server {
    /// What its requests see.
    pub app: Arc<App>,
    /// Where it listens, with the ports that it got.
    pub addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
    services: Vec<JoinHandle<()>>,
}

/// Why a server could not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Files of slides.
    #[error("the files in the data folder cannot be used: {0}; [store] of the configuration says where it is")]
    Files(std::io::Error),
    /// The record store.
    #[error("learning records: {0}; [lrs] of the configuration says where they are kept")]
    Records(#[from] lyceum_lrs::StoreError),
    /// The certificate.
    #[error("TLS: {0}")]
    Tls(String),
    /// Media sockets.
    #[error("media: {0}; [media] of the configuration chooses addresses and ports")]
    Media(std::io::Error),
    /// A port.
    #[error("cannot listen on {address}: {error}; is another server running there? `--bind` chooses another address")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
}

impl Server {
    /// Brings the server up: store, media, classes that go on, then the doors.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let metrics = Arc::new(Metrics::default());
        let keyring = Arc::new(Keyring::new(config.keys.clone()));
        let certificate = match config.tls.cert_file.as_os_str().is_empty() {
            true => None,
            false => Some(Certificate::load(&config.tls).map_err(StartError::Tls)?),
        };
        // Ports first: whoever has them taken is the likeliest to hold the store, too, and is easier to explain.
        let mut sockets = Vec::new();
        for address in &config.http.bind {
            let listen = |error| StartError::Listen { address: *address, error };
            sockets.push(TcpListener::bind(address).await.map_err(listen)?);
        }
        let store = Store::open(&config.store.dir)?;
        let document_log = DocumentLog::open(&config.store.dir)?;
        let files = Files::open(&config).map_err(StartError::Files)?;
        let records = crate::records::open(&config).await?;
        let (media, media_events) = start_media(&config.media)?;
        let control = Control::new(config.clone(), keyring.clone(), store.clone(), media.clone(), metrics.clone());
        let recovered = control.recover().await?;
        if recovered > 0 {
            tracing::info!(classes = recovered, "classes go on from their logs");
        }

        let permits = Arc::new(control.clone());
        let documents = Documents::new(document_log, permits, Default::default(), metrics.clone());
        control.waits_for(documents.enforcement());
        let app = Arc::new(App {
            throttle: Throttle::new(config.signal.max_joins_per_min),
            folds: Folds::default(),
            config: config.clone(),
            keyring,
            store: store.clone(),
            records,
            control: control.clone(),
            documents,
            files,
            media,
            metrics: metrics.clone(),
        });
        let mut services = vec![
            tokio::spawn(control.clone().route_media(media_events)),
            tokio::spawn(keep_heartbeats(control, store, metrics.clone())),
        ];
        if let Some(certificate) = &certificate {
            services.push(tokio::spawn(certificate.clone().keep_fresh(metrics.clone())));
        }
        if config.lrs.record_classes {
            let outbox = Outbox::open(config.clone(), app.store.clone(), app.records.clone(), metrics.clone())?;
            services.push(tokio::spawn(outbox.run()));
        }
        let router = crate::http::router(app.clone());
        let door = Door::new(router, config.http.clone(), metrics, certificate.as_ref()).map_err(StartError::Tls)?;
        let (stop, stopped) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let mut addresses = Vec::new();
        for socket in sockets {
            addresses.extend(socket.local_addr());
            listeners.spawn(door.clone().listen(socket, stopped.clone()));
        }
        Ok(Self { app, addresses, stop, listeners, services })
    }

    /// The address under which people reach the page.
    pub fn page_url(&self) -> String {
        let config = &self.app.config;
        if !config.http.public_url.is_empty() {
            return config.http.public_url.trim_end_matches('/').to_owned();
        }
        let scheme = if config.tls.cert_file.as_os_str().is_empty() { "http" } else { "https" };
        let host = match self.addresses.first() {
            Some(address) if address.ip().is_loopback() || address.ip().is_unspecified() => {
                format!("localhost:{}", address.port())
            }
            Some(address) => address.to_string(),
            None => "localhost".to_owned(),
        };
        format!("{scheme}://{host}")
    }

    /// Puts the server down: nobody new comes in, everybody is told to reconnect, everything is stored.
    pub async fn shut_down(mut self) {
        // New requests are refused from here on; the doors close at the same time as the classes go down.
        self.stop.send_replace(true);
        if timeout(CLASSES_DOWN, self.app.control.shut_down()).await.is_err() {
            tracing::warn!("some classes did not go down in time; they go on from their logs at the next start");
        }
        if timeout(SOCKETS_DOWN, self.app.metrics.clients.is_empty()).await.is_err() {
            tracing::warn!("some clients did not close in time");
        }
        // Nobody is left whose packets could be cut off.
        let media = self.app.media.clone();
        if timeout(MEDIA_DOWN, tokio::task::spawn_blocking(|| media.shutdown())).await.is_err() {
            tracing::warn!("the media threads did not stop in time");
        }
        self.listeners.abort_all();
        for service in &self.services {
            service.abort();
        }
        if timeout(STORE_DOWN, self.app.documents.shut_down()).await.is_err() {
            tracing::error!("the documents did not close in time");
        }
        if timeout(STORE_DOWN, self.app.store.close()).await.is_err() {
            tracing::error!("the store did not close in time");
        }
        let records = self.app.records.clone();
        if timeout(STORE_DOWN, tokio::task::spawn_blocking(move || records.close())).await.is_err() {
            tracing::error!("the record store did not close in time");
        }
        while self.listeners.join_next().await.is_some() {}
    }
}

/// Media events that may wait for control; what finds the line full is dropped by the shards and counted.
const MEDIA_EVENTS: usize = 16_384;

fn start_media(settings: &Media) -> Result<(media::Handle, mpsc::Receiver<lyceum_sfu::Event>), StartError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shards = if settings.shards == 0 { cores } else { settings.shards };
    let advertise = if settings.advertise.is_empty() { own_addresses() } else { settings.advertise.clone() };
    let config = MediaConfig {
        udp_bind: settings.udp_bind,
        udp_port: settings.udp_port,
        tcp_bind: settings.tcp_bind,
        advertise,
    };
    let (events, receiver) = mpsc::channel(MEDIA_EVENTS);
    media::start(config, shards, events).map(|handle| (handle, receiver)).map_err(StartError::Media)
}
