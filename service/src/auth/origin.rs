//! Which pages may act with a visitor's cookie: our own, and those that the configuration allows.

use crate::{Problem, catalogue::codes};
use axum::http::{HeaderMap, Uri, header};
use std::{fmt, str::FromStr};

/// A page's origin: scheme, host and port, as browsers write them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(String);

impl Origin {
    /// The one a request names. A value that isn't ASCII counts as one that nobody allows.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Origin> {
        let value = headers.get(header::ORIGIN)?;
        Some(Origin(value.to_str().unwrap_or("null").to_ascii_lowercase()))
    }

    /// Host and port, without a scheme's own port; `null` has neither.
    fn authority(&self) -> Option<&str> {
        let (scheme, authority) = self.0.split_once("://")?;
        let own_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        Some(authority.strip_suffix(own_port).unwrap_or(authority))
    }
}

/// An origin that can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadOrigin(String);

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no origin: write scheme and host, and the port if it isn't the scheme's own, such as https://tickets.example.org",
            self.0
        )
    }
}

impl std::error::Error for BadOrigin {}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Origin, BadOrigin> {
        let bad = || BadOrigin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(bad)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(bad());
        }
        let origin = Origin(format!("{scheme}://{authority}").to_ascii_lowercase());
        let authority = origin.authority().ok_or_else(bad)?;
        Ok(Origin(format!("{scheme}://{authority}")))
    }
}

/// The origins that may act with a cookie, besides the host that was asked itself.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// Ours and these.
    #[must_use]
    pub fn new(allowed: Vec<Origin>) -> Origins {
        Origins(allowed)
    }

    /// Checks a request that changes something and rests on a cookie. Browsers name the origin on every such request;
    /// one without it is believed only if the browser says that our own page made it.
    pub(super) fn check_unsafe(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        match Origin::of(headers) {
            Some(origin) => self.check(&origin, headers, uri),
            None if headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin") => Ok(()),
            None => Err(Problem::new(codes::ORIGIN_REFUSED).detail("a cookie needs an Origin header; programs send a Bearer token")),
        }
    }

    /// Checks an upgrade: whatever page asks must be ours.
    pub(super) fn check_upgrade(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        Origin::of(headers).map_or(Ok(()), |origin| self.check(&origin, headers, uri))
    }

    fn check(&self, origin: &Origin, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let same = origin.authority().zip(host).is_some_and(|(ours, host)| same_host(ours, host));
        if same || self.0.contains(&normal(origin)) {
            return Ok(());
        }
        Err(Problem::new(codes::ORIGIN_REFUSED).detail(format!("requests from {} aren't accepted here", origin.0)))
    }
}

/// Hosts are compared without their schemes' own ports: behind a proxy, the scheme may not be the page's.
fn same_host(origin: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(&host);
    origin == host
}

fn normal(origin: &Origin) -> Origin {
    let scheme = origin.0.split_once("://").map_or("", |(scheme, _)| scheme);
    origin.authority().map_or_else(|| origin.clone(), |authority| Origin(format!("{scheme}://{authority}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(origin: Option<&str>, host: &str, more: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        let origins = Origins::new(vec!["https://box-office.example".parse().unwrap()]);
        origins.check_unsafe(&headers, &Uri::from_static("/v1/shows")).is_err()
    }

    #[test]
    fn our_own_pages_and_allowed_ones_pass() {
        assert!(!refused(Some("http://127.0.0.1:8600"), "127.0.0.1:8600", &[]));
        assert!(!refused(Some("https://Tickets.example"), "tickets.example", &[]));
        assert!(!refused(Some("https://tickets.example"), "tickets.example:443", &[]));
        assert!(!refused(Some("http://[::1]:8600"), "[::1]:8600", &[]));
        assert!(!refused(Some("https://box-office.example"), "tickets.example", &[]));
        assert!(!refused(None, "tickets.example", &[("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn others_are_refused() {
        assert!(refused(Some("https://evil.example"), "tickets.example", &[]));
        assert!(refused(Some("https://tickets.example.evil.example"), "tickets.example", &[]));
        assert!(refused(Some("http://127.0.0.1:9999"), "127.0.0.1:8600", &[]));
        assert!(refused(Some("null"), "tickets.example", &[]));
        assert!(refused(Some("http://box-office.example"), "tickets.example", &[]));
        assert!(refused(Some("https://evil.example"), "tickets.example", &[("sec-fetch-site", "same-origin")]));
        assert!(refused(None, "tickets.example", &[]));
        assert!(refused(None, "tickets.example", &[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn allowed_origins_are_origins() {
        for bad in ["", "*", "tickets.example", "https://x/path", "ftp://x", "https://user@x", "https://"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
        assert_eq!("https://X.example:443/".parse::<Origin>().unwrap(), Origin("https://x.example".into()));
    }
}
