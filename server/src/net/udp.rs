//! One UDP socket of one shard. Receives in batches (`recvmmsg`, GRO) and sends in batches: consecutive datagrams of one size to
//! one client leave as one system call (GSO).

use lyceum_sfu::Transmit;
use mio::net::UdpSocket;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

/// Kernel buffers that hold a key frame for every member of a large class.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// One receive buffer: a GRO batch of full-size datagrams.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// What one GSO call may carry.
const SEND_BUFFER_BYTES: usize = 60 * 1024;

/// See the module.
pub struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    /// The socket takes IPv4 as IPv4-mapped IPv6.
    is_v6: bool,
    buffers: Vec<Vec<u8>>,
    run: Run,
    counters: Counters,
}

/// What a socket has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// System calls that received.
    pub receive_calls: u64,
    /// System calls that sent.
    pub send_calls: u64,
    /// Datagrams not sent since the kernel's buffer was full or the network refused them.
    pub send_dropped: u64,
}

/// Datagrams that will leave in one call.
#[derive(Default)]
struct Run {
    destination: Option<SocketAddr>,
    segment: usize,
    count: usize,
    /// A shorter datagram has ended the run.
    closed: bool,
    bytes: Vec<u8>,
}

impl Udp {
    /// Binds a socket. Errors name the address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("UDP {address}: {error}"));
        let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(named)?;
        if address.is_ipv6() {
            socket.set_only_v6(false).map_err(named)?;
        }
        socket.set_nonblocking(true).map_err(named)?;
        socket.bind(&address.into()).map_err(named)?;
        let socket: std::net::UdpSocket = socket.into();
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).map_err(named)?;
        // The kernel may grant less; the socket works all the same.
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), KERNEL_BUFFER_BYTES);
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), KERNEL_BUFFER_BYTES);
        Ok(Self {
            socket: UdpSocket::from_std(socket),
            state,
            is_v6: address.is_ipv6(),
            buffers: vec![vec![0; RECEIVE_BUFFER_BYTES]; BATCH_SIZE],
            run: Run::default(),
            counters: Counters::default(),
        })
    }

    /// For registration with the poll.
    pub fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// The address that it is bound to.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Receives one batch and shows each datagram with its source and the local address it came to. False if there was none.
    pub fn receive(&mut self, mut show: impl FnMut(SocketAddr, Option<IpAddr>, &[u8])) -> bool {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slices: Vec<IoSliceMut<'_>> = self.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        self.counters.receive_calls += 1;
        let count = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            // A refusal by some client's machine (ICMP) is no fault of the socket: there may be more to read.
            Err(error) => {
                return error.kind() == ErrorKind::ConnectionRefused || error.kind() == ErrorKind::Interrupted;
            }
        };
        for (meta, buffer) in metas.iter().zip(&self.buffers).take(count) {
            let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let local = meta.dst_ip.map(|ip| ip.to_canonical());
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                show(source, local, datagram);
            }
        }
        count > 0
    }

    /// Queues one datagram; sends what was queued before if it cannot leave in the same call.
    pub fn send(&mut self, transmit: &Transmit) {
        if !self.run.takes(transmit, self.state.max_gso_segments()) {
            self.flush();
        }
        self.run.push(transmit);
    }

    /// Sends what is queued.
    pub fn flush(&mut self) {
        let Some(destination) = self.run.destination.take() else { return };
        let destination = if self.is_v6 { mapped(destination) } else { destination };
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents: &self.run.bytes,
            segment_size: (self.run.count > 1).then_some(self.run.segment),
            src_ip: None,
        };
        self.counters.send_calls += 1;
        if self.state.try_send(UdpSockRef::from(&self.socket), &transmit).is_err() {
            // As on any congested link: the receiver asks again for what it misses.
            self.counters.send_dropped += self.run.count as u64;
        }
        self.run = Run { bytes: std::mem::take(&mut self.run.bytes), ..Run::default() };
        self.run.bytes.clear();
    }
}

impl Run {
    fn takes(&self, transmit: &Transmit, segments_max: usize) -> bool {
        match self.destination {
            None => true,
            Some(destination) => {
                destination == transmit.destination
                    && !self.closed
                    && transmit.contents.len() <= self.segment
                    && self.count < segments_max
                    && self.bytes.len() + transmit.contents.len() <= SEND_BUFFER_BYTES
            }
        }
    }

    fn push(&mut self, transmit: &Transmit) {
        if self.destination.is_none() {
            self.destination = Some(transmit.destination);
            self.segment = transmit.contents.len();
        }
        self.closed = transmit.contents.len() < self.segment;
        self.count += 1;
        self.bytes.extend_from_slice(&transmit.contents);
    }
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_sfu::Transport;
    use std::time::{Duration, Instant};

    #[test]
    fn bursts_to_one_client_arrive_whole_and_in_order() {
        let mut udp = Udp::bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a client");
        client.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit");
        let destination = client.local_addr().expect("its address");
        let sizes = [1200, 1200, 1200, 300, 1200, 50, 50, 1200];
        for (index, size) in sizes.iter().enumerate() {
            udp.send(&Transmit { transport: Transport::Udp, destination, contents: vec![index as u8; *size] });
        }
        udp.flush();
        let mut buffer = [0; 2000];
        for (index, size) in sizes.iter().enumerate() {
            let (length, _) = client.recv_from(&mut buffer).expect("a datagram");
            assert_eq!((length, buffer[0]), (*size, index as u8));
        }
        assert!(udp.counters().send_calls < sizes.len() as u64, "{:?}", udp.counters());
        assert_eq!(udp.counters().send_dropped, 0);
    }

    #[test]
    fn datagrams_show_who_sent_them_and_where_to() {
        let mut udp = Udp::bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
        let address = udp.local_address().expect("its address");
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a client");
        client.send_to(b"hello", address).expect("sent");
        let mut seen = Vec::new();
        let until = Instant::now() + Duration::from_secs(5);
        while seen.is_empty() && Instant::now() < until {
            udp.receive(|source, local, bytes| seen.push((source, local, bytes.to_vec())));
        }
        assert_eq!(seen, vec![(client.local_addr().expect("its address"), Some(address.ip()), b"hello".to_vec())]);
    }
}
