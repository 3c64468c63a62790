//! Connecting to NATS: in the background, for ever, saying once what is wrong.

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The oldest nats-server that the stream's settings were tried on.
pub const SERVER_MIN: (i64, i64) = (2, 12);
/// How long a request to JetStream may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the relay waits for the next confirmation before it looks where the stream stands.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages published and not yet confirmed, at most: past some thousands nothing is gained, and after a lost connection
/// all of them are in doubt. (Of the largest events, 256 MiB.)
pub const IN_FLIGHT_MAX: u64 = 4_096;

/// How often the server is asked for a sign of life when it says nothing: the client leaves it when the third question is
/// due and two are open, that is within 12 s (its own default would take minutes).
const PING_EVERY: Duration = Duration::from_secs(4);
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);

/// How a part of the system reaches NATS.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// `nats://user:password@host:port` (`tls://` for TLS); several servers of a cluster separated by commas, with the
    /// user in the first. The password is taken as it stands, without percent-decoding.
    pub url: String,
    /// What the server's list of connections shows.
    pub name: String,
}

/// Why a connection can't even be tried. An unreachable server is none of these: it is tried again for ever.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL can't be read. The URL itself is left out: it may hold a password.
    #[error("the NATS URL can't be read (expected nats://user:password@host:port)")]
    BadUrl(#[source] std::io::Error),
    /// The client gave up.
    #[error("can't connect to NATS")]
    Client(#[source] async_nats::ConnectError),
}

/// A client that connects in the background and reconnects for ever: services start, and commands go on, while NATS is
/// down. [`is_connected`] tells how it stands.
///
/// # Errors
/// If the URL can't be read.
pub async fn connect(config: &NatsConfig) -> Result<Client, ConnectError> {
    let servers = config.url.split(',').map(|url| url.trim().parse()).collect::<Result<Vec<async_nats::ServerAddr>, _>>();
    let servers = servers.map_err(ConnectError::BadUrl)?;
    let connection = config.name.clone();
    let user = servers.iter().find_map(|server| Some((server.username()?.to_owned(), server.password()?.to_owned())));
    let options = match user {
        Some((user, password)) => ConnectOptions::with_user_and_password(user, password), // the client wouldn't look in the URL
        None => ConnectOptions::new(),
    };
    let options = options
        .name(&config.name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(PING_EVERY)
        .event_callback(move |event| {
            report(&connection, &event);
            std::future::ready(())
        });
    options.connect(servers).await.map_err(ConnectError::Client)
}

/// JetStream over this client, with bounded requests.
#[must_use]
pub fn jetstream(client: &Client) -> jetstream::Context {
    jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).ack_timeout(ACK_TIMEOUT).build(client.clone())
}

/// Whether the client is connected at this moment.
#[must_use]
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// How often the client has connected so far: what was under way over another connection is lost.
pub(crate) fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// 25 ms doubling up to [`RECONNECT_DELAY_MAX`]: a restarted server is found at once, a missing one isn't hammered.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).min(10)).unwrap_or(10);
    Duration::from_millis(25 << doublings).min(RECONNECT_DELAY_MAX)
}

fn report(connection: &str, event: &Event) {
    match event {
        Event::Connected | Event::Draining | Event::Closed => tracing::info!(connection, "NATS: {event}"),
        // Repeated with every attempt, but no attempt will succeed until somebody reads it.
        Event::ClientError(error) if error.to_string().contains("authorization") => tracing::error!(connection, "NATS: {event}"),
        Event::ClientError(_) => tracing::debug!(connection, "NATS: {event}"), // an unreachable server, with every attempt
        Event::Disconnected | Event::LameDuckMode | Event::SlowConsumer(_) | Event::ServerError(_) => {
            tracing::warn!(connection, "NATS: {event}");
        }
    }
}
