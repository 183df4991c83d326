//! How much each peer has asked for lately: a bucket of tokens each, and a bounded number of buckets.

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
    fn one_ipv6_customer_is_one_peer() {
        let at = |text: &str| Peer::at(text.parse().expect("an address"));
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:10.0.0.1"), peer(1), "one address, however it is written");
    }
}
