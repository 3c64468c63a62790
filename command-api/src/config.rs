//! Configuration of the command API.

use crate::accounts::HashPool;
use crate::payments::Payments;
use crate::payments::card::{CardConfig, CardProvider};
use clap::Args;
use socketing_service::config::Secret;
use socketing_service::{catalogue::codes, limit::Limit, limit::Rate};
use std::{num::NonZeroUsize, str::FromStr, thread::available_parallelism, time::Duration};

/// Bytes of the webhook secret: shorter ones can be guessed.
const WEBHOOK_SECRET_BYTES_MIN: usize = 16;

/// Options of the command API. Rates are written as 10/s, 10/m, 10/h, or off.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Command API")]
pub struct CommandApiArgs {
    /// Where other nodes of the command API reach this one, as http://host:port: they forward the commands that it decides.
    /// Without it, the address that it listens on. Keep it inside: what nodes say to each other is signed, not encrypted.
    #[arg(long, env = "SOCKETING_NODE_ADDRESS", value_name = "URL", value_parser = node_address)]
    pub node_address: Option<String>,

    /// Threads that hash passwords. Without it, one less than there are cores, so that one is left for the writers.
    #[arg(long, env = "SOCKETING_PASSWORD_THREADS", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub password_threads: Option<u32>,

    /// Sign-ins and sign-ups that wait for such a thread at most; more are told to come back (503).
    #[arg(long, env = "SOCKETING_PASSWORD_QUEUE", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub password_queue: u32,

    /// Attempts to sign in to one account from one address.
    #[arg(long, env = "SOCKETING_SIGN_IN_RATE", default_value = "10/m", value_parser = Rate::from_str)]
    pub sign_in_rate: Rate,

    /// Attempts to sign in to one account from all addresses together: guessing with many machines.
    #[arg(long, env = "SOCKETING_SIGN_IN_ACCOUNT_RATE", default_value = "60/m", value_parser = Rate::from_str)]
    pub sign_in_account_rate: Rate,

    /// Attempts to sign in from one address (or IPv6 network) to all accounts together. High, because whole schools share
    /// an address. This machine's own addresses aren't limited.
    #[arg(long, env = "SOCKETING_SIGN_IN_ADDRESS_RATE", default_value = "600/m", value_parser = Rate::from_str)]
    pub sign_in_address_rate: Rate,

    /// Sign-ups from one address (or IPv6 network). This machine's own addresses aren't limited.
    #[arg(long, env = "SOCKETING_SIGN_UP_RATE", default_value = "120/m", value_parser = Rate::from_str)]
    pub sign_up_rate: Rate,

    /// Events of a performance after which a new snapshot of it is taken, so that its writer starts quickly. Fewer: quicker
    /// starts, more work.
    #[arg(long, env = "SOCKETING_SNAPSHOT_EVENTS", default_value_t = crate::snapshots::EVENTS_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    pub snapshot_events: u64,

    /// Days for which a repeated command gets its first answer. Refusals are kept longer, in the table `refusals`.
    #[arg(long, env = "SOCKETING_OUTCOME_DAYS", default_value_t = crate::retention::OUTCOME_DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(2..=3650))]
    pub outcome_days: u32,

    /// Seconds that people inside a performance may have no page of it open, at any instance, before their place goes to the
    /// next. Who uses the API alone, without a live connection, isn't counted.
    #[arg(long, env = "SOCKETING_AWAY_SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    pub away_seconds: u32,

    /// Commands of one account.
    #[arg(long, env = "SOCKETING_COMMAND_RATE", default_value = "50/s", value_parser = Rate::from_str)]
    pub command_rate: Rate,

    /// How bookings are paid.
    #[command(flatten)]
    pub payments: PaymentArgs,
}

/// How bookings are paid. Without a card provider, SocketPay is the only way.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Payments")]
pub struct PaymentArgs {
    /// The card provider's address, such as http://127.0.0.1:8700 (a proxy of yours speaks TLS to one outside).
    #[arg(long, env = "SOCKETING_CARD_URL", value_parser = card_url, requires_all = ["card_key", "card_webhook_secret"])]
    pub card_url: Option<String>,

    /// The key that the card provider knows us by.
    #[arg(long, env = "SOCKETING_CARD_KEY", hide_env_values = true, requires = "card_url")]
    pub card_key: Option<Secret>,

    /// The secret that the card provider signs its messages with; at least 16 characters.
    #[arg(long, env = "SOCKETING_CARD_WEBHOOK_SECRET", hide_env_values = true, value_parser = webhook_secret, requires = "card_url")]
    pub card_webhook_secret: Option<Secret>,

    /// Milliseconds after which an answer of the card provider isn't waited for any longer: the payment is in doubt then.
    #[arg(long, env = "SOCKETING_CARD_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(50..=120_000))]
    pub card_timeout_ms: u64,

    /// Requests to the card provider that are under way at once.
    #[arg(long, env = "SOCKETING_CARD_IN_FLIGHT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub card_in_flight: u16,

    /// Seconds that a payment may be in doubt. Then it is told to operators as overdue, and what the card provider doesn't
    /// know by then is voided there.
    #[arg(long, env = "SOCKETING_PAYMENT_DEADLINE_SECONDS", default_value_t = Payments::DEADLINE_SECONDS, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub payment_deadline_seconds: u32,
}

fn card_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    match url.strip_prefix("http://") {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(url.to_owned()),
        _ => Err("the address must be http://host:port, without a path".to_owned()),
    }
}

fn webhook_secret(text: &str) -> Result<Secret, String> {
    if text.len() < WEBHOOK_SECRET_BYTES_MIN {
        return Err(format!("the secret needs at least {WEBHOOK_SECRET_BYTES_MIN} characters"));
    }
    Ok(text.to_owned().into())
}

impl PaymentArgs {
    /// The ways to pay that these options open.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub fn payments(&self) -> Result<Payments, reqwest::Error> {
        let deadline = Duration::from_secs(self.payment_deadline_seconds.into());
        let (Some(url), Some(key), Some(webhook_secret)) = (&self.card_url, &self.card_key, &self.card_webhook_secret) else {
            return Ok(Payments { deadline, ..Payments::without_cards() });
        };
        let (url, key, webhook_secret) = (url.clone(), key.expose().to_owned(), webhook_secret.expose().to_owned());
        let timeout = Duration::from_millis(self.card_timeout_ms);
        let card = CardProvider::new(CardConfig { url, key, webhook_secret, timeout, in_flight: self.card_in_flight.into() })?;
        Ok(Payments { card: Some(card), deadline, ..Payments::without_cards() })
    }
}

impl CommandApiArgs {
    /// Starts the threads that hash passwords.
    ///
    /// # Errors
    /// If a thread can't be started.
    pub fn hash_pool(&self) -> std::io::Result<HashPool> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = self.password_threads.map_or_else(|| cores.saturating_sub(1).max(1), |threads| threads as usize);
        HashPool::start(threads, self.password_queue as usize)
    }

    /// The limits that these rates make.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            sign_in: Limit::new("sign-in", codes::TOO_MANY_ATTEMPTS, self.sign_in_rate),
            sign_in_account: Limit::new("sign-in-account", codes::TOO_MANY_ATTEMPTS, self.sign_in_account_rate),
            sign_in_address: Limit::new("sign-in-address", codes::TOO_MANY_ATTEMPTS, self.sign_in_address_rate),
            sign_up: Limit::new("sign-up", codes::TOO_MANY_REQUESTS, self.sign_up_rate),
            command: Limit::new("command", codes::TOO_MANY_REQUESTS, self.command_rate),
        }
    }
}

/// An address without a path, as paths are appended to it.
fn node_address(text: &str) -> Result<String, String> {
    let url: reqwest::Url = text.parse().map_err(|error| format!("{error}"))?;
    let plain = url.scheme() == "http" && url.has_host() && url.path() == "/" && url.query().is_none();
    plain.then(|| text.trim_end_matches('/').to_owned()).ok_or_else(|| "not like http://10.0.0.7:8600".to_owned())
}

/// How often things may be done.
#[derive(Debug)]
pub struct Limits {
    /// Signing in, per account and address together.
    pub sign_in: Limit,
    /// Signing in, per account.
    pub sign_in_account: Limit,
    /// Signing in, per address.
    pub sign_in_address: Limit,
    /// Signing up, per address.
    pub sign_up: Limit,
    /// Commands, per account.
    pub command: Limit,
}
