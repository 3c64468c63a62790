//! The relay: the only publisher. It follows the log by position and puts each event at the sequence that is its
//! position.
//!
//! One relay publishes at a time (a lease), but nothing rests on that: each message names the sequence it must follow,
//! so a second relay, or one that woke up late, is refused (error 10071) and looks again where the stream stands. Looking
//! again is also the answer to everything else: an unconfirmed message, a new connection, a restarted server, a lost tail.
//! Commands never wait for the relay; while NATS is away, it says how far behind the copy is.

use crate::backoff::Backoff;
use crate::config::IN_FLIGHT_MAX;
use crate::message;
use crate::stream::{self, StreamError, StreamOptions};
use async_nats::Client;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::{self, message::PublishMessage};
use futures::FutureExt;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use socketing_event_store::log::{self, Head, PAGE_EVENTS_MAX};
use socketing_event_store::singleton::Lease;
use socketing_event_store::{PgPool, RawEvent, StoreError};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The relay's name among the singletons.
pub const RELAY: &str = "relay";

/// How long an event of another process waits at most: commits of this process wake the relay, others are polled for.
const POLL: Duration = Duration::from_millis(100);
/// How often a relay that found another history looks whether an operator has mended it.
const OTHER_HISTORY_POLL: Duration = Duration::from_secs(5);

/// What the relay does at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RelayState {
    /// Another process's relay publishes.
    Standby,
    /// Publishing, or nothing to publish.
    Publishing,
    /// Something is away; it tries again.
    Waiting {
        /// What, with its causes.
        reason: String,
    },
    /// The stream holds another history than the log. An operator must look, and have the stream rebuilt.
    OtherHistory {
        /// How they differ.
        reason: String,
    },
}

/// How the copy stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayStatus {
    /// What the relay does.
    pub state: RelayState,
    /// The last position that JetStream has confirmed (as far as this process knows).
    pub published: u64,
    /// The log's end when the relay last looked.
    pub head: u64,
}

impl RelayStatus {
    /// Events of the log that aren't confirmed.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.head.saturating_sub(self.published)
    }
}

/// What ends a spell of publishing; after each, the relay looks again where the stream stands.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("can't publish position {position}")]
    Publish {
        position: u64,
        #[source]
        source: PublishError,
    },
    #[error("position {position} was confirmed as sequence {sequence}")]
    WrongSequence { position: u64, sequence: u64 },
    #[error("the log became another history: incarnation {0}")]
    HistoryReplaced(Uuid),
    #[error("the connection was made anew")]
    Reconnected,
}

impl Interruption {
    /// Part of ordinary life: another relay published, or the server was restarted. Not worth a warning.
    fn is_ordinary(&self) -> bool {
        matches!(self, Interruption::Reconnected) || self.refused().is_some()
    }

    /// The position whose place in the stream was taken.
    fn refused(&self) -> Option<u64> {
        match self {
            Interruption::Publish { position, source } if source.kind() == PublishErrorKind::WrongLastSequence => Some(*position),
            _ => None,
        }
    }
}

/// The relay of one process. Every process that writes may run one; the lease picks one of them.
#[derive(Debug)]
pub struct Relay {
    pool: PgPool,
    client: Client,
    jetstream: jetstream::Context,
    options: StreamOptions,
    owner: Uuid,
    wake: Option<watch::Receiver<u64>>,
    status: watch::Sender<RelayStatus>,
    backoff: Backoff,
    /// The last position that was refused because another message stands there.
    suspect: Option<u64>,
}

impl Relay {
    /// A relay that publishes through `client`, whose user must be allowed to. `wake` carries the last committed
    /// position of this process; without it, the relay polls.
    #[must_use]
    pub fn new(pool: PgPool, client: &Client, options: StreamOptions, wake: Option<watch::Receiver<u64>>) -> Relay {
        Relay {
            pool,
            client: client.clone(),
            jetstream: crate::jetstream(client),
            options,
            owner: Uuid::now_v7(),
            wake,
            status: watch::Sender::new(RelayStatus { state: RelayState::Standby, published: 0, head: 0 }),
            backoff: Backoff::new(Duration::from_millis(10), Duration::from_millis(500)),
            suspect: None,
        }
    }

    /// How the copy stands, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Publishes until `shutdown`; then gives the lease back. Failures are logged and waited out.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let pool = self.pool.clone();
        while !shutdown.is_cancelled() {
            self.enter(RelayState::Standby);
            let mut lease = tokio::select! {
                lease = Lease::wait(&pool, RELAY, self.owner) => lease,
                () = shutdown.cancelled() => return,
            };
            tracing::info!(epoch = lease.epoch(), "the relay is ours");
            tokio::select! {
                lost = lease.keep(&pool) => tracing::warn!(error = &lost as &dyn Error, "the relay isn't ours any more"),
                never = self.publish_for_ever() => match never {},
                () = shutdown.cancelled() => {}
            }
            if shutdown.is_cancelled()
                && let Err(error) = lease.release(&pool).await
            {
                tracing::warn!(error = &error as &dyn Error, "the relay's lease will have to run out");
            }
        }
    }

    async fn publish_for_ever(&mut self) -> Infallible {
        loop {
            let interruption = match self.publish().await {
                Ok(never) => match never {},
                Err(interruption) => interruption,
            };
            self.suspect = self.suspect.or(interruption.refused());
            self.report(&interruption);
            let delay = match &self.status.borrow().state {
                RelayState::OtherHistory { .. } => OTHER_HISTORY_POLL,
                _ => self.backoff.delay(),
            };
            sleep(delay).await;
            self.look_at_head().await;
        }
    }

    /// Says what happened, once for each change of state.
    fn report(&self, interruption: &Interruption) {
        let reason = chain(interruption);
        let state = match interruption {
            Interruption::Stream(StreamError::OtherHistory(_)) => RelayState::OtherHistory { reason },
            _ if interruption.is_ordinary() => {
                tracing::info!(reason, "the relay looks again where the stream stands");
                return;
            }
            _ => RelayState::Waiting { reason },
        };
        let lag = self.status.borrow().lag();
        if std::mem::discriminant(&state) != std::mem::discriminant(&self.status.borrow().state) {
            match &state {
                RelayState::OtherHistory { reason } => {
                    tracing::error!(reason, lag, "the relay has stopped: JetStream must be rebuilt from the log");
                }
                _ => tracing::warn!(error = interruption as &dyn Error, lag, "the relay waits; commands go on"),
            }
        }
        self.enter(state);
    }

    fn enter(&self, state: RelayState) {
        self.status.send_if_modified(|status| {
            let changed = status.state != state;
            status.state = state;
            changed
        });
    }

    /// Keeps the lag true while nothing can be published.
    async fn look_at_head(&self) {
        if let Ok(head) = log::head(&self.pool).await {
            self.status.send_modify(|status| status.head = head.position);
        }
    }

    /// Looks where the stream stands and publishes from there, until something interrupts it.
    async fn publish(&mut self) -> Result<Infallible, Interruption> {
        let connects = self.connects();
        let prepared = stream::prepare(&self.jetstream, &self.pool, &self.options, self.suspect).await?;
        self.suspect = None;
        let mut flight = Flight::after(prepared.last_sequence);
        if !matches!(self.status.borrow().state, RelayState::Standby | RelayState::Publishing) {
            tracing::info!(lag = prepared.head.position.saturating_sub(prepared.last_sequence), "the relay publishes again");
        }
        self.status.send_modify(|status| {
            *status = RelayStatus { state: RelayState::Publishing, published: prepared.last_sequence, head: prepared.head.position };
        });
        let mut next_look = Instant::now();
        loop {
            if Instant::now() >= next_look {
                let more = self.publish_page(&prepared.head, &mut flight).await?;
                next_look = if more { Instant::now() } else { Instant::now() + POLL };
                if self.connects() != connects {
                    return Err(Interruption::Reconnected); // what is in flight may be lost: don't wait for it to time out
                }
                continue;
            }
            let sent = flight.sent;
            let woken = tokio::select! {
                Some(ack) = flight.next_ack() => {
                    self.confirm(ack, &mut flight)?;
                    false
                }
                woken = timeout_at(next_look, wake(&mut self.wake, sent)) => woken.is_ok(),
            };
            if woken {
                next_look = Instant::now();
            }
        }
    }

    /// Publishes the next page of the log. Returns whether there may be more.
    async fn publish_page(&mut self, history: &Head, flight: &mut Flight) -> Result<bool, Interruption> {
        let page = log::page(&self.pool, flight.sent, PAGE_EVENTS_MAX).await?;
        if page.head.incarnation != history.incarnation {
            return Err(Interruption::HistoryReplaced(page.head.incarnation));
        }
        self.status.send_if_modified(|status| std::mem::replace(&mut status.head, page.head.position) != page.head.position);
        let more = page.events.len() == PAGE_EVENTS_MAX as usize;
        for event in page.events {
            if flight.is_full() {
                let ack = flight.next_ack().await.unwrap_or(Ok((flight.sent, flight.sent)));
                self.confirm(ack, flight)?;
            }
            self.send(event, history, flight).await?;
        }
        Ok(more)
    }

    async fn send(&self, event: RawEvent, history: &Head, flight: &mut Flight) -> Result<(), Interruption> {
        let position = event.position;
        let outgoing = message::encode(event, history);
        let publish = PublishMessage::build().headers(outgoing.headers).payload(outgoing.body);
        let ack = self.jetstream.send_publish(outgoing.subject, publish).await;
        flight.push(position, ack.map_err(|source| Interruption::Publish { position, source })?);
        Ok(())
    }

    /// Takes this confirmation and those that are there already.
    fn confirm(&mut self, first: Confirmation, flight: &mut Flight) -> Result<(), Interruption> {
        let mut confirmed = None;
        let mut next = Some(first);
        let result = loop {
            match next {
                Some(Ok((position, sequence))) if position == sequence => confirmed = Some(position),
                Some(Ok((position, sequence))) => break Err(Interruption::WrongSequence { position, sequence }),
                Some(Err(interruption)) => break Err(interruption),
                None => break Ok(()),
            }
            next = flight.next_ack().now_or_never().flatten();
        };
        if let Some(position) = confirmed {
            self.backoff.reset();
            self.status.send_modify(|status| status.published = position);
        }
        result
    }

    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }
}

/// Position and sequence, or what went wrong.
type Confirmation = Result<(u64, u64), Interruption>;

/// What is published and not yet confirmed.
struct Flight {
    /// The last position sent.
    sent: u64,
    acks: FuturesOrdered<Pin<Box<dyn Future<Output = Confirmation> + Send>>>,
}

impl Flight {
    fn after(position: u64) -> Flight {
        Flight { sent: position, acks: FuturesOrdered::new() }
    }

    fn push(&mut self, position: u64, ack: PublishAckFuture) {
        debug_assert_eq!(position, self.sent + 1, "the log is dense");
        self.sent = position;
        self.acks.push_back(Box::pin(ack.into_future().map(move |ack| match ack {
            Ok(ack) => Ok((position, ack.sequence)),
            Err(source) => Err(Interruption::Publish { position, source }),
        })));
    }

    fn is_full(&self) -> bool {
        self.acks.len() >= IN_FLIGHT_MAX
    }

    async fn next_ack(&mut self) -> Option<Confirmation> {
        self.acks.next().await
    }
}

/// Resolves when something above `sent` was committed; never, if nobody tells.
async fn wake(committed: &mut Option<watch::Receiver<u64>>, sent: u64) {
    if let Some(receiver) = committed {
        if receiver.wait_for(|position| *position > sent).await.is_ok() {
            return;
        }
        *committed = None; // the writer is gone; polling remains
    }
    std::future::pending().await
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
