//! Sockets for media: batched UDP with segmentation offload, and ICE-TCP. They move datagrams and know nothing else.

pub mod tcp;
pub mod udp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Addresses under which a server that was told none can be reached from its own machine and its own network: the loopback
/// address and the one that the default route leaves from. Nothing is sent to find out.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let route = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // An address reserved for documentation (RFC 5737): connecting a UDP socket only looks up the route.
        socket.connect(SocketAddr::from(([192, 0, 2, 1], 9)))?;
        socket.local_addr()
    });
    if let Ok(address) = route
        && !address.ip().is_unspecified()
    {
        addresses.push(address.ip());
    }
    if !addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)) {
        addresses.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    addresses
}
