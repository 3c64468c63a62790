//! Who is at the other end of a connection: the client's address and whether it came by https, through the proxies
//! that the configuration trusts.

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, request::Parts},
};
use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// The other end of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its address: the nearest one that is no trusted proxy.
    pub address: IpAddr,
    /// Whether it came by https, as a proxy says in `X-Forwarded-Proto`. Believed from anyone: it only makes the
    /// sender's own cookie stricter.
    pub https: bool,
}

impl Client {
    /// What limits per address count by: an IPv4 address, or an IPv6 network of 64 bits (one household has that many).
    #[must_use]
    pub fn network(&self) -> IpAddr {
        match self.address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            v4 => v4,
        }
    }

    /// Whether it is this machine itself, whose programs share one address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }

    fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Client {
        let https = headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
        let mut address = peer.to_canonical();
        let hops = headers.get_all("x-forwarded-for").iter().rev();
        let hops = hops.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
        for hop in hops {
            if !trusted.iter().any(|network| network.contains(address)) {
                break;
            }
            let Ok(next) = hop.trim().parse::<IpAddr>() else { break };
            address = next.to_canonical();
        }
        Client { address, https }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    /// What the layers around all routes found; in a router without them, this machine.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let local = Client { address: Ipv4Addr::LOCALHOST.into(), https: false };
        Ok(parts.extensions.get().copied().unwrap_or(local))
    }
}

/// Finds the client of a request that came over a connection, and keeps it with the request.
pub(crate) fn identify(request: &mut Request, trusted: &[Network]) {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let client = Client::of(peer.ip(), request.headers(), trusted);
        request.extensions_mut().insert(client);
    }
}

/// An address, or a range of them such as `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.first
    }
}

/// Both kinds of addresses in one space.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A range of addresses that can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadNetwork(String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is neither an address nor a range such as 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for BadNetwork {}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.map_or(Ok(width), |length| length.trim().parse()).map_err(|_| bad())?;
        if length > width {
            return Err(bad());
        }
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        Ok(Network { first: bits(address) & mask, mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        Client::of(peer.parse().unwrap(), &headers, &trusted).address.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("9.9.9.9", &["1.2.3.4"], &[]), "9.9.9.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.2.2.2"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["1.2.3.4"], &["10.0.0.1"]), "1.2.3.4");
        assert_eq!(client("::1", &["2001:db8::5"], &["::1"]), "2001:db8::5");
    }

    #[test]
    fn limits_count_an_ipv6_network_as_one() {
        let of = |address: &str| Client { address: address.parse().unwrap(), https: false }.network();
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:1.2.3.4"), of("1.2.3.4"));
    }

    #[test]
    fn bad_ranges_are_refused() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x", "::/129", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("2001:db8::1".parse().unwrap()));
    }
}
