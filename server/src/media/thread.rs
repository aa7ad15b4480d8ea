//! One shard's thread: a socket, a queue of commands, a core. Its loop is the whole story of a packet: commands, then
//! datagrams in, then timers and peers, then datagrams out, then events.

use super::ShardStats;
use crate::net::{tcp, udp::Udp};
use lyceum_sfu::{Command, Datagram, Event, Shard, ShardConfig, Transport};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);
/// Commands and ICE-TCP frames that may wait for one shard.
const INPUTS_MAX: usize = 65_536;
/// Commands taken in one turn, so that packets are never kept waiting long.
const COMMANDS_PER_TICK: usize = 512;
/// Commands that cost milliseconds (descriptions, new peers) taken in one turn: a join storm delays joins, not voices.
const HEAVY_PER_TICK: usize = 2;
/// Receive calls in one turn.
const RECEIVES_PER_TICK: usize = 8;
/// Events that may wait for control before data and levels are dropped.
const EVENTS_MAX: usize = 16_384;
/// A turn at least this often, to look at the stop flag.
const TURN_AT_LEAST: Duration = Duration::from_millis(500);
/// How often counters are published.
const STATS_EVERY: Duration = Duration::from_millis(250);

/// What other threads send in.
enum Input {
    Command(Command),
    Tcp(SocketAddr, Vec<u8>),
}

/// The other threads' side.
pub(super) struct ShardHandle {
    pub(super) udp_port: u16,
    inputs: SyncSender<Input>,
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    stats: Arc<Mutex<ShardStats>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ShardHandle {
    pub(super) fn start(
        index: usize,
        mut socket: Udp,
        config: ShardConfig,
        tcp: tcp::Connections,
        events: Sender<Event>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(socket.source(), SOCKET, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, inputs) = sync_channel(INPUTS_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::new(Mutex::new(ShardStats::default()));
        let udp_port = socket.local_address()?.port();
        let mut thread = ShardThread {
            shard: Shard::new(config),
            socket,
            socket_readable: true,
            inputs,
            tcp,
            events,
            waiting_events: VecDeque::new(),
            stop: stop.clone(),
            published: stats.clone(),
            stats: ShardStats::default(),
            stats_due: Instant::now(),
        };
        let thread = std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || thread.run(poll))?;
        Ok(Self { udp_port, inputs: sender, waker, stop, stats, thread: Mutex::new(Some(thread)) })
    }

    /// False if the queue is full or the thread is gone.
    pub(super) fn send(&self, command: Command) -> bool {
        self.put(Input::Command(command))
    }

    pub(super) fn deliver_tcp(&self, source: SocketAddr, frame: Vec<u8>) -> bool {
        self.put(Input::Tcp(source, frame))
    }

    fn put(&self, input: Input) -> bool {
        let taken = self.inputs.try_send(input).is_ok();
        // Waking can only fail if the thread is gone, which `is_alive` tells.
        let _ = self.waker.wake();
        taken
    }

    pub(super) fn stats(&self) -> ShardStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.waker.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("a media shard had panicked");
        }
    }
}

struct ShardThread {
    shard: Shard,
    socket: Udp,
    /// The socket may hold more than was read: the poll tells only of changes.
    socket_readable: bool,
    inputs: Receiver<Input>,
    tcp: tcp::Connections,
    events: Sender<Event>,
    waiting_events: VecDeque<Event>,
    stop: Arc<AtomicBool>,
    published: Arc<Mutex<ShardStats>>,
    stats: ShardStats,
    stats_due: Instant,
}

impl ShardThread {
    fn run(&mut self, mut poll: Poll) {
        let mut ready = Events::with_capacity(8);
        let mut more_inputs = false;
        while !self.stop.load(Ordering::Relaxed) {
            let wait = if more_inputs || self.socket_readable { Duration::ZERO } else { self.wait() };
            if let Err(error) = poll.poll(&mut ready, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a media shard cannot wait for its socket and stops");
                return;
            }
            self.socket_readable |= ready.iter().any(|event| event.token() == SOCKET);
            let started = Instant::now();

            more_inputs = self.take_inputs(started);
            self.receive(started);
            self.shard.handle_timeout(started);
            self.transmit();
            self.tell();
            self.count(started);
        }
        self.transmit();
    }

    fn wait(&self) -> Duration {
        let until_timer = self.shard.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
        let wait = until_timer.unwrap_or(TURN_AT_LEAST).min(TURN_AT_LEAST);
        // The poll counts in milliseconds and rounds up; a timer is never late by more than that.
        if self.waiting_events.is_empty() { wait } else { wait.min(Duration::from_millis(5)) }
    }

    /// True if more are waiting.
    fn take_inputs(&mut self, now: Instant) -> bool {
        let mut heavy = 0;
        for _ in 0..COMMANDS_PER_TICK {
            match self.inputs.try_recv() {
                Ok(Input::Command(command)) => {
                    heavy += usize::from(is_heavy(&command));
                    self.shard.handle_command(now, command);
                    if heavy >= HEAVY_PER_TICK {
                        return true;
                    }
                }
                Ok(Input::Tcp(source, frame)) => self.shard.handle_datagram(
                    now,
                    Datagram { transport: Transport::Tcp, source, local_ip: None, contents: &frame },
                ),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn receive(&mut self, now: Instant) {
        for _ in 0..RECEIVES_PER_TICK {
            if !self.socket_readable {
                break;
            }
            let shard = &mut self.shard;
            self.socket_readable = self.socket.receive(|source, local_ip, contents| {
                shard.handle_datagram(now, Datagram { transport: Transport::Udp, source, local_ip, contents });
            });
        }
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.shard.poll_transmit() {
            match transmit.transport {
                Transport::Udp => self.socket.send(&transmit),
                Transport::Tcp => {
                    self.tcp.send(transmit.destination, transmit.contents);
                }
            }
        }
        self.socket.flush();
    }

    /// Hands events to control without ever waiting for it.
    fn tell(&mut self) {
        while let Some(event) = self.shard.poll_event() {
            let droppable = matches!(event, Event::Data { .. } | Event::Speakers { .. });
            if droppable && self.waiting_events.len() >= EVENTS_MAX {
                self.stats.events_dropped += 1;
            } else {
                self.waiting_events.push_back(event);
            }
        }
        while let Some(event) = self.waiting_events.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.waiting_events.push_front(event);
                break;
            }
        }
    }

    fn count(&mut self, started: Instant) {
        let now = Instant::now();
        self.stats.ticks += 1;
        self.stats.longest_tick_us = self.stats.longest_tick_us.max((now - started).as_micros() as u64);
        if now >= self.stats_due {
            self.stats_due = now + STATS_EVERY;
            self.stats.core = self.shard.stats();
            self.stats.udp = self.socket.counters();
            *self.published.lock().unwrap_or_else(PoisonError::into_inner) = self.stats;
        }
    }
}

fn is_heavy(command: &Command) -> bool {
    matches!(command, Command::Open { .. } | Command::PublisherOffer { .. } | Command::SubscriberAnswer { .. })
}
