//! Configuration that services share, as groups of command line options. Each can be set by a flag or by its
//! environment variable; a bad value is refused at start, with the option's name.

use crate::{
    auth::{Origin, Origins},
    client::Network,
    telemetry::LogFormat,
};
use clap::Args;
use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc, time::Duration};

/// A URL with a password in it, perhaps: shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole URL, for whoever connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let start = rest[..end].rfind('@').map_or(0, |at| at + 1);
        let path = rest[end..].split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", &rest[start..end])
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key or a secret of an option: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret, for whoever uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// A URL that can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadUrl {
    /// It has no scheme, or another than it must have.
    #[error("the URL must begin with {0}")]
    Scheme(&'static str),
    /// Nothing says where the thing is.
    #[error("{option} is not set: give --{flag}, {option} or {fallback}")]
    Missing {
        /// The flag.
        flag: &'static str,
        /// The environment variable.
        option: &'static str,
        /// The environment variable that many hosts set.
        fallback: &'static str,
    },
}

fn url(text: &str, schemes: &[&str], expected: &'static str) -> Result<SecretUrl, BadUrl> {
    let known = text.split_once("://").is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty());
    if known { Ok(SecretUrl(text.to_owned())) } else { Err(BadUrl::Scheme(expected)) }
}

fn database_url(text: &str) -> Result<SecretUrl, BadUrl> {
    url(text, &["postgres", "postgresql"], "postgres://")
}

fn nats_url(text: &str) -> Result<SecretUrl, BadUrl> {
    url(text, &["nats", "tls"], "nats:// or tls://")
}

/// What the option says, else what the host's usual variable says.
fn or_environment(
    given: Option<&SecretUrl>,
    flag: &'static str,
    option: &'static str,
    fallback: &'static str,
    read: fn(&str) -> Result<SecretUrl, BadUrl>,
) -> Result<SecretUrl, BadUrl> {
    if let Some(url) = given {
        return Ok(url.clone());
    }
    let text = std::env::var(fallback).ok().filter(|text| !text.is_empty());
    read(&text.ok_or(BadUrl::Missing { flag, option, fallback })?)
}

/// Where Postgres is, and how many connections this process may use.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The PostgreSQL database, as postgres://user:password@host:port/name. Without it, DATABASE_URL.
    #[arg(long, env = "SOCKETING_DATABASE_URL", hide_env_values = true, value_parser = database_url)]
    pub database_url: Option<SecretUrl>,

    /// Connections to the database that this process keeps at most.
    #[arg(long, env = "SOCKETING_DATABASE_CONNECTIONS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub database_connections: u32,
}

impl DatabaseArgs {
    /// The database's URL, from the option or from `DATABASE_URL`.
    ///
    /// # Errors
    /// If neither is set, or `DATABASE_URL` is no URL of Postgres.
    pub fn url(&self) -> Result<SecretUrl, BadUrl> {
        or_environment(self.database_url.as_ref(), "database-url", "SOCKETING_DATABASE_URL", "DATABASE_URL", database_url)
    }
}

/// Where NATS is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// The NATS server with JetStream, as nats://host:port. Without it, NATS_URL.
    #[arg(long, env = "SOCKETING_NATS_URL", hide_env_values = true, value_parser = nats_url)]
    pub nats_url: Option<SecretUrl>,
}

impl NatsArgs {
    /// The server's URL, from the option or from `NATS_URL`.
    ///
    /// # Errors
    /// If neither is set, or `NATS_URL` is no URL of NATS.
    pub fn url(&self) -> Result<SecretUrl, BadUrl> {
        or_environment(self.nats_url.as_ref(), "nats-url", "SOCKETING_NATS_URL", "NATS_URL", nats_url)
    }
}

/// Where and how this process answers HTTP.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpArgs {
    /// The address and port to listen on. Loopback unless told otherwise: put a proxy with TLS before it to go public.
    #[arg(long, env = "SOCKETING_LISTEN", default_value = "127.0.0.1:8600")]
    pub listen: SocketAddr,

    /// Origins of pages, besides those of this very host, that may act with a visitor's cookie, such as
    /// `https://tickets.example.org`; separated by commas.
    #[arg(long, env = "SOCKETING_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = Origin::from_str)]
    pub allowed_origins: Vec<Origin>,

    /// Addresses or ranges of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8; separated by commas.
    #[arg(long, env = "SOCKETING_TRUSTED_PROXIES", value_delimiter = ',', value_parser = Network::from_str)]
    pub trusted_proxies: Vec<Network>,

    /// Connections that are open at once; more wait in the system's backlog.
    #[arg(long, env = "SOCKETING_CONNECTIONS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// Seconds after which a request that has no answer is answered with 503.
    #[arg(long, env = "SOCKETING_REQUEST_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub request_seconds: u64,

    /// Seconds that this process goes on answering after SIGTERM, not ready, so that load balancers turn away first.
    #[arg(long, env = "SOCKETING_GRACE_SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub grace_seconds: u64,

    /// Seconds that requests in flight get to finish when this process stops.
    #[arg(long, env = "SOCKETING_DRAIN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub drain_seconds: u64,
}

impl HttpArgs {
    /// The origins that may act with a cookie.
    #[must_use]
    pub fn origins(&self) -> Origins {
        Origins::new(self.allowed_origins.clone())
    }

    /// The proxies that are believed.
    #[must_use]
    pub fn proxies(&self) -> Arc<[Network]> {
        self.trusted_proxies.clone().into()
    }

    /// After which time a request is given up.
    #[must_use]
    pub const fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_seconds)
    }

    /// How long this process goes on answering after it was told to stop.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }

    /// How long requests in flight get.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// How long people stay signed in.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionArgs {
    /// Hours after which a session ends by itself.
    #[arg(long, env = "SOCKETING_SESSION_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub session_hours: u32,
}

impl SessionArgs {
    /// How long a session lasts.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.session_hours as u64 * 3600)
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// What is logged, as filters of tracing: info, or socketing=debug,sqlx=warn.
    #[arg(long, env = "SOCKETING_LOG", default_value = "info")]
    pub log: String,

    /// How logs are written to stderr: json, text, or auto (text on a terminal, else json).
    #[arg(long, env = "SOCKETING_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct All {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        nats: NatsArgs,
        #[command(flatten)]
        http: HttpArgs,
        #[command(flatten)]
        session: SessionArgs,
        #[command(flatten)]
        log: LogArgs,
    }

    fn refused(args: &[&str]) -> String {
        let error = All::try_parse_from(["socketing"].iter().chain(args)).unwrap_err();
        error.to_string()
    }

    #[test]
    fn good_values_are_taken() {
        let args = [
            "socketing",
            "--allowed-origins",
            "https://a.example,http://b.example:81",
            "--trusted-proxies",
            "10.0.0.0/8",
            "--session-hours",
            "1",
        ];
        let all = All::try_parse_from(args).unwrap();
        assert_eq!(all.http.allowed_origins.len(), 2);
        assert_eq!(all.http.trusted_proxies.len(), 1);
        assert_eq!(all.session.lifetime(), Duration::from_secs(3600));
    }

    #[test]
    fn bad_values_are_refused_with_the_options_name() {
        for args in [
            ["--listen", "here"],
            ["--allowed-origins", "tickets"],
            ["--trusted-proxies", "10.0.0.0/99"],
            ["--connections", "0"],
            ["--request-seconds", "0"],
            ["--session-hours", "never"],
            ["--database-url", "mysql://x"],
            ["--nats-url", "127.0.0.1:4222"],
            ["--log-format", "xml"],
        ] {
            assert!(refused(&args).contains(args[0]), "{args:?}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(format!("{:?}", Secret::from("key".to_owned())), "Secret(not shown)");
        let shown = |text: &str| SecretUrl(text.to_owned()).to_string();
        assert_eq!(shown("postgres://kim:se@cret@db:5432/socketing?sslmode=require"), "postgres://db:5432/socketing");
        assert_eq!(shown("nats://127.0.0.1:4222"), "nats://127.0.0.1:4222");
        assert_eq!(shown("postgres://kim:secret@db"), "postgres://db");
        let args = ["socketing", "--database-url", "postgres://kim:secret@db/x"];
        assert!(!format!("{:?}", All::try_parse_from(args).unwrap()).contains("secret"));
    }
}
