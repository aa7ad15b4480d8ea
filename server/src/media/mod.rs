//! The media side of the server: one thread per shard, each with its UDP port, and ICE-TCP for all of them. Control talks to it by
//! values: [`Handle::send`] takes commands, events come out of the channel that [`start`] was given.

mod thread;

use crate::net::{tcp, udp};
use lyceum_sfu::{Addresses, Certificate, Command, ConnKey, Event, GroupKey, PeerId, ShardConfig, TrackKey};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use thread::ShardHandle;
use tokio::sync::mpsc::Sender;

/// Where media listens and how clients are told to reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaConfig {
    /// The address that UDP sockets bind to.
    pub udp_bind: IpAddr,
    /// The first shard's UDP port; the next shard takes the next. 0 lets the system choose, for tests.
    pub udp_port: u16,
    /// Where ICE-TCP listens; `None` switches it off. Port 0 lets the system choose.
    pub tcp_bind: Option<SocketAddr>,
    /// The addresses written into candidates, best first: the public ones, if the server is behind a NAT.
    pub advertise: Vec<IpAddr>,
}

/// What media has done so far and holds now, over all shards.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Counters of each shard.
    pub shards: Vec<ShardStats>,
    /// Open ICE-TCP connections.
    pub tcp_connections: u64,
    /// Commands dropped since a shard did not keep up; anything but 0 is a fault of the server.
    pub commands_dropped: u64,
    /// Connections that the routing table knows.
    pub routes: u64,
}

/// What one shard has done so far and holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShardStats {
    /// The core's own counters.
    pub core: lyceum_sfu::Stats,
    /// The socket's counters.
    pub udp: udp::Counters,
    /// Turns of the loop.
    pub ticks: u64,
    /// Events (data and levels only) dropped since control did not keep up.
    pub events_dropped: u64,
    /// The longest turn of the loop so far, in microseconds.
    pub longest_tick_us: u64,
}

/// Talks to the shards. Cloning is cheap.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    shards: Vec<ShardHandle>,
    routes: Mutex<Routes>,
    tcp: tcp::Connections,
    tcp_address: Option<SocketAddr>,
    tcp_task: Option<tokio::task::JoinHandle<()>>,
}

/// Which shard has which connection; tracks follow their publisher.
#[derive(Default)]
struct Routes {
    conns: HashMap<ConnKey, usize>,
    tracks: HashMap<TrackKey, (ConnKey, usize)>,
    commands_dropped: u64,
}

/// Starts `shards` threads. Must be called within a tokio runtime, which carries ICE-TCP. `events` is never waited for.
///
/// # Errors
/// An address that cannot be bound, with its name; no address to advertise; no DTLS certificate.
pub fn start(config: MediaConfig, shards: usize, events: Sender<Event>) -> io::Result<Handle> {
    if config.advertise.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to advertise to clients"));
    }
    let certificate = Certificate::generate().ok_or_else(|| io::Error::other("no DTLS certificate could be made"))?;
    let tcp_listener = config.tcp_bind.map(listen).transpose()?;
    let tcp_address = tcp_listener.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?;
    let tcp = tcp::Connections::default();
    let with_port = |port: u16| config.advertise.iter().map(|ip| SocketAddr::new(*ip, port)).collect::<Vec<_>>();
    let mut threads = Vec::new();
    for index in 0..shards.max(1) {
        let port = if config.udp_port == 0 { 0 } else { config.udp_port + index as u16 };
        let socket = udp::Udp::bind(SocketAddr::new(config.udp_bind, port))?;
        let addresses = Addresses {
            udp: with_port(socket.local_address()?.port()),
            tcp: tcp_address.map(|address| with_port(address.port())).unwrap_or_default(),
        };
        let shard = ShardConfig { addresses, certificate: certificate.clone() };
        threads.push(ShardHandle::start(index, socket, shard, tcp.clone(), events.clone())?);
    }
    let inner = Arc::new_cyclic(|weak: &std::sync::Weak<Inner>| {
        let weak = weak.clone();
        let deliver: tcp::Deliver = Arc::new(move |peer: Option<PeerId>, source, frame| {
            weak.upgrade().is_some_and(|inner| inner.deliver_tcp(peer, source, frame))
        });
        let tcp_task = tcp_listener.map(|listener| tokio::spawn(tcp::serve(listener, tcp.clone(), deliver)));
        Inner { shards: threads, routes: Mutex::default(), tcp, tcp_address, tcp_task }
    });
    Ok(Handle(inner))
}

impl Handle {
    /// Gives a command to the shard that it concerns. Never blocks. A command for something unknown is dropped silently: it has
    /// crossed a close on its way.
    pub fn send(&self, command: Command) {
        let mut routes = self.0.lock();
        let Some(shard) = routes.shard_of(&command, self.0.shards.len()) else { return };
        if !self.0.shards[shard].send(command) {
            routes.commands_dropped += 1;
            tracing::error!(shard, "a media shard does not keep up; a command was dropped");
        }
    }

    /// Counters of everything.
    pub fn stats(&self) -> Stats {
        let routes = self.0.lock();
        Stats {
            shards: self.0.shards.iter().map(ShardHandle::stats).collect(),
            tcp_connections: self.0.tcp.len() as u64,
            commands_dropped: routes.commands_dropped,
            routes: (routes.conns.len() + routes.tracks.len()) as u64,
        }
    }

    /// Whether every shard thread is running.
    pub fn is_alive(&self) -> bool {
        self.0.shards.iter().all(ShardHandle::is_alive)
    }

    /// The UDP ports, one a shard, and the ICE-TCP address.
    pub fn ports(&self) -> (Vec<u16>, Option<SocketAddr>) {
        (self.0.shards.iter().map(|shard| shard.udp_port).collect(), self.0.tcp_address)
    }

    /// Stops all threads after they have said goodbye to their clients, and waits for them.
    pub fn shutdown(self) {
        if let Some(task) = &self.0.tcp_task {
            task.abort();
        }
        for shard in &self.0.shards {
            shard.stop();
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver_tcp(&self, peer: Option<PeerId>, source: SocketAddr, frame: Vec<u8>) -> bool {
        match peer {
            Some(peer) => {
                let shard = self.lock().conns.get(&peer.conn).copied();
                shard.is_some_and(|shard| self.shards[shard].deliver_tcp(source, frame))
            }
            // ICE was restarted: only the shard that did it knows the name. The others drop what is not theirs.
            None => self.shards.iter().fold(false, |taken, shard| shard.deliver_tcp(source, frame.clone()) | taken),
        }
    }
}

impl Routes {
    /// The shard of a command, keeping the tables.
    fn shard_of(&mut self, command: &Command, shards: usize) -> Option<usize> {
        match command {
            Command::Open { conn, group, .. } => {
                let shard = shard_of_group(*group, shards);
                self.conns.insert(*conn, shard);
                Some(shard)
            }
            Command::Close { conn } => {
                self.tracks.retain(|_, (publisher, _)| publisher != conn);
                self.conns.remove(conn)
            }
            Command::ExpectTrack { conn, spec } => {
                let shard = *self.conns.get(conn)?;
                self.tracks.insert(spec.key, (*conn, shard));
                Some(shard)
            }
            Command::DropTrack { track } => self.tracks.remove(track).map(|(_, shard)| shard),
            Command::MuteTrack { track, .. } => self.tracks.get(track).map(|(_, shard)| *shard),
            Command::Fence { group, .. } => Some(shard_of_group(*group, shards)),
            Command::SendData { to, .. } => to.iter().find_map(|conn| self.conns.get(conn).copied()),
            Command::PublisherOffer { conn, .. }
            | Command::SubscriberAnswer { conn, .. }
            | Command::RestartIce { conn }
            | Command::SyncOffer { conn, .. }
            | Command::RemoteCandidate { conn, .. }
            | Command::Subscribe { conn, .. }
            | Command::Unsubscribe { conn, .. }
            | Command::SetWish { conn, .. } => self.conns.get(conn).copied(),
        }
    }
}

/// A group's media lives on one shard.
fn shard_of_group(group: GroupKey, shards: usize) -> usize {
    (group.0 % shards as u64) as usize
}

fn listen(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("ICE-TCP {address}: {error}"));
    let listener = std::net::TcpListener::bind(address).map_err(named)?;
    listener.set_nonblocking(true).map_err(named)?;
    tokio::net::TcpListener::from_std(listener).map_err(named)
}
