//! Which peer a datagram belongs to before its address is known: the local user name fragment of an ICE check names the
//! connection and the target. Everything here reads bytes from strangers.

use crate::api::{ConnKey, Target};

/// One of the two peers of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId {
    /// The connection.
    pub conn: ConnKey,
    /// Which of its peers.
    pub target: Target,
}

/// STUN's magic cookie (RFC 8489, 5).
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// The USERNAME attribute (RFC 8489, 14.3).
const USERNAME: u16 = 0x0006;
const HEADER: usize = 20;
/// Letters that begin our fragments; also says which peer.
const PUBLISHER: char = 'p';
const SUBSCRIBER: char = 's';
const KEY_DIGITS: usize = 12;

/// The ICE user name fragment that leads back to `id`.
pub(crate) fn ufrag(id: PeerId) -> String {
    let letter = match id.target {
        Target::Publisher => PUBLISHER,
        Target::Subscriber => SUBSCRIBER,
    };
    format!("{letter}{:0width$x}", id.conn.0, width = KEY_DIGITS)
}

/// The peer that a fragment names, if it is one of ours.
pub(crate) fn parse_ufrag(fragment: &[u8]) -> Option<PeerId> {
    let (letter, digits) = fragment.split_first()?;
    let target = match char::from(*letter) {
        PUBLISHER => Target::Publisher,
        SUBSCRIBER => Target::Subscriber,
        _ => return None,
    };
    if digits.len() != KEY_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    let conn = ConnKey(u64::from_str_radix(digits, 16).ok()?);
    Some(PeerId { conn, target })
}

/// Whether the datagram is STUN (RFC 7983: first byte 0 to 3, and the cookie).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == MAGIC
}

/// The peer that a STUN binding request is for, by its USERNAME (`ours:theirs`). Nothing is verified yet. `None` also for the
/// fragments of restarted ICE, which the WebRTC library chooses: those only their shard knows.
pub fn peer_of_stun(datagram: &[u8]) -> Option<PeerId> {
    parse_ufrag(stun_ufrag(datagram)?)
}

/// Our half of a STUN message's USERNAME.
pub(crate) fn stun_ufrag(datagram: &[u8]) -> Option<&[u8]> {
    if !is_stun(datagram) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let mut attributes = datagram.get(HEADER..HEADER + length)?;
    while attributes.len() >= 4 {
        let kind = u16::from_be_bytes([attributes[0], attributes[1]]);
        let size = usize::from(u16::from_be_bytes([attributes[2], attributes[3]]));
        let value = attributes.get(4..4 + size)?;
        if kind == USERNAME {
            return value.split(|byte| *byte == b':').next();
        }
        // Attributes are padded to four bytes.
        attributes = attributes.get(4 + size.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stun(username: &[u8]) -> Vec<u8> {
        let padded = username.len().next_multiple_of(4);
        let mut datagram = vec![0, 1];
        datagram.extend((8 + 4 + padded as u16).to_be_bytes());
        datagram.extend(MAGIC);
        datagram.extend([7; 12]);
        datagram.extend([0x80, 0x22, 0, 4, b't', b'e', b's', b't']);
        datagram.extend(USERNAME.to_be_bytes());
        datagram.extend((username.len() as u16).to_be_bytes());
        datagram.extend(username);
        datagram.resize(HEADER + 8 + 4 + padded, 0);
        datagram
    }

    #[test]
    fn a_check_finds_its_peer() {
        for target in [Target::Publisher, Target::Subscriber] {
            let id = PeerId { conn: ConnKey(0xfedc_ba98_7654), target };
            let name = format!("{}:theirs", ufrag(id));
            assert_eq!(peer_of_stun(&stun(name.as_bytes())), Some(id));
        }
    }

    #[test]
    fn strangers_find_nobody() {
        assert_eq!(peer_of_stun(&stun(b"abcd:efgh")), None);
        assert_eq!(peer_of_stun(&stun(b"p00000000000:x")), None, "one digit short");
        assert_eq!(peer_of_stun(&stun(b"p+0000000001:x")), None);
        assert_eq!(peer_of_stun(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = peer_of_stun(&bytes);
            let mut looks_right = stun(b"p000000000001:x");
            for (at, byte) in bytes.iter().enumerate().take(looks_right.len()) {
                looks_right[at] ^= byte & 0x11;
            }
            let _ = peer_of_stun(&looks_right);
        }

        #[test]
        fn every_key_round_trips(conn in 0u64..1 << 48) {
            let id = PeerId { conn: ConnKey(conn), target: Target::Publisher };
            prop_assert_eq!(parse_ufrag(ufrag(id).as_bytes()), Some(id));
        }
    }
}
