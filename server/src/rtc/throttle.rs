//! How many joins one address may try per minute: enough for a whole school behind one address, not for a flood.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// Addresses remembered at a time. When there are more, a new minute begins for all of them.
const MAX_ADDRESSES: usize = 50_000;

/// Counts joins by address, minute by minute.
#[derive(Debug)]
pub struct Throttle {
    per_minute: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug)]
struct Minute {
    since: Instant,
    joins: HashMap<IpAddr, u32>,
}

impl Throttle {
    /// 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, minute: Mutex::new(Minute { since: Instant::now(), joins: HashMap::new() }) }
    }

    /// Counts one join; false if it is one too many.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.per_minute == 0 || self.count(network(address), Instant::now()) <= self.per_minute
    }

    fn count(&self, network: IpAddr, now: Instant) -> u32 {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(minute.since) >= MINUTE || minute.joins.len() >= MAX_ADDRESSES {
            *minute = Minute { since: now, joins: HashMap::new() };
        }
        let joins = minute.joins.entry(network).or_default();
        *joins = joins.saturating_add(1);
        *joins
    }
}

/// One subscriber line has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_joins_per_minute_and_a_new_minute_brings_new_ones() {
        let throttle = Throttle::new(2);
        let (here, there): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert!(throttle.admits(here) && throttle.admits(here));
        assert!(!throttle.admits(here));
        assert!(throttle.admits(there));
        assert_eq!(throttle.count(here, Instant::now() + MINUTE), 1);
    }

    #[test]
    fn a_subscriber_line_counts_once_whatever_addresses_it_uses() {
        let [one, other]: [IpAddr; 2] = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| text.parse().unwrap());
        assert_eq!(network(one), network(other));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn zero_is_no_limit() {
        let throttle = Throttle::new(0);
        assert!((0..10_000).all(|_| throttle.admits([192, 0, 2, 1].into())));
    }
}
