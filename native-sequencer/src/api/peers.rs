//! How much each peer has asked for lately: a bucket of tokens each, and a bounded number of buckets. And how many places it has
//! where there are so many: none keeps all of them from the others.

use super::ApiError;
use crate::limits;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{StatusCode, request::Parts},
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// Who asks: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(Option<IpAddr>);

impl Peer {
    fn at(address: IpAddr) -> Self {
        Self(Some(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        }))
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(info.map_or(Self(None), |ConnectInfo(address)| Self::at(address.ip())))
    }
}

/// A bucket: what is missing in it is what has to flow in until `full_at`.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

/// Buckets of tokens, one for each peer.
#[derive(Debug)]
pub(super) struct Peers {
    capacity: Duration,
    a_token: Duration,
    buckets: Mutex<HashMap<Peer, Bucket>>,
}

impl Peers {
    /// Buckets that hold `burst` tokens and gain one every `a_token`.
    pub(super) fn new((burst, a_token): (u32, Duration)) -> Self {
        Self { capacity: a_token * burst, a_token, buckets: Mutex::default() }
    }

    /// Takes a token of `peer`.
    pub(super) fn take(&self, peer: Peer) -> Result<(), ApiError> {
        self.take_at(peer, Instant::now()).map_err(|wait| {
            let message = "this address sends more than it may; Retry-After says when to go on";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
                .retry_after(wait.as_secs().saturating_add(1))
        })
    }

    /// Takes a token at `now`, or says how long it takes until there is one.
    fn take_at(&self, peer: Peer, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= limits::API_PEERS && !buckets.contains_key(&peer) {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        let crowded = buckets.len() >= limits::API_PEERS && !buckets.contains_key(&peer);
        let bucket = buckets.entry(if crowded { Peer(None) } else { peer }).or_insert(Bucket { full_at: now });
        let full_at = bucket.full_at.max(now) + self.a_token;
        match (full_at - now).checked_sub(self.capacity).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                bucket.full_at = full_at;
                Ok(())
            }
        }
    }
}

/// Places that peers hold: so many altogether, and so many a peer. Clones have the same places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    most: usize,
    a_peer: u32,
    /// The metric that says how many are held.
    gauge: &'static str,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    of: HashMap<Peer, u32>,
}

impl Places {
    /// `most` places, of which a peer may have `a_peer`.
    pub(super) fn new(most: usize, a_peer: u32, gauge: &'static str) -> Self {
        Self { most, a_peer, gauge, held: Arc::default() }
    }

    /// A place for `peer`, if there is one now.
    pub(super) fn hold(&self, peer: Peer) -> Option<Place> {
        let mut held = self.held.lock();
        let of_peer = held.of.get(&peer).copied().unwrap_or_default();
        if held.all >= self.most || of_peer >= self.a_peer {
            return None;
        }
        held.all += 1;
        held.of.insert(peer, of_peer + 1);
        metrics::gauge!(self.gauge).set(held.all as f64);
        Some(Place { places: self.clone(), peer })
    }
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    peer: Peer,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held.lock();
        held.all = held.all.saturating_sub(1);
        metrics::gauge!(self.places.gauge).set(held.all as f64);
        if let Some(count) = held.of.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.of.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::at(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn a_peer_has_a_burst_and_then_waits_for_each_token() {
        let peers = Peers::new((3, Duration::from_secs(1)));
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(peers.take_at(peer(1), start), Ok(()));
        }
        assert_eq!(peers.take_at(peer(1), start), Err(Duration::from_secs(1)));
        assert_eq!(peers.take_at(peer(2), start), Ok(()), "another peer has a bucket of its own");
        let later = start + Duration::from_secs(1);
        assert_eq!(peers.take_at(peer(1), later), Ok(()));
        assert!(peers.take_at(peer(1), later).is_err());
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let peers = Peers::new((1, Duration::from_secs(1)));
        let start = Instant::now();
        for at in 0..limits::API_PEERS as u32 + 10 {
            let _ = peers.take_at(Peer::at(IpAddr::from(at.to_be_bytes())), start);
        }
        assert!(peers.buckets.lock().len() <= limits::API_PEERS + 1);
        assert!(peers.take_at(peer(77), start).is_err(), "those beyond share one count");
        assert_eq!(peers.take_at(peer(77), start + Duration::from_secs(2)), Ok(()), "buckets that are full make room");
    }

    #[test]
    fn no_peer_holds_all_places() {
        let places = Places::new(3, 2, "places");
        let mut held = [places.hold(peer(1)), places.hold(peer(1))];
        assert!(held.iter().all(Option::is_some));
        assert!(places.hold(peer(1)).is_none());
        let other = places.hold(peer(2));
        assert!(other.is_some());
        assert!(places.hold(peer(3)).is_none(), "there are no more");
        held[0] = None;
        assert!(places.hold(peer(3)).is_some() && places.hold(peer(1)).is_some());
        drop((held, other));
        assert!(places.held.lock().of.is_empty());
    }

    #[test]
    fn one_ipv6_customer_is_one_peer() {
        let at = |text: &str| Peer::at(text.parse().expect("an address"));
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:10.0.0.1"), peer(1), "one address, however it is written");
    }
}
