//! The relay: the only publisher. It follows the log by position and puts each event at the sequence that is its
//! position.
//!
//! One relay publishes at a time (a lease), but nothing rests on that: each message names the sequence it must follow,
//! so a second relay, or one that woke up late, is refused (error 10071) and looks again where the stream stands. Looking
//! again is also the answer to everything else: an unconfirmed message, a new connection, a restarted server, a lost tail.
//! Commands never wait for the relay; while NATS is away, it says how far behind the copy is. It may be away for one process
//! only: so a relay that doesn't reach it for a while lets another try.

use crate::backoff::Backoff;
use crate::config::{self, ACK_TIMEOUT, IN_FLIGHT_MAX};
use crate::message;
use crate::stream::{self, StreamError, StreamOptions};
use crate::subscription::{Subscription, Supply};
use crate::wake;
use async_nats::client::PublishError;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, Message, SubscribeError, Subscriber};
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use socketing_event_store::checkpoint::{self, Mismatch};
use socketing_event_store::commits::Following;
use socketing_event_store::log::{self, Head, PAGE_EVENTS_MAX, Page};
use socketing_event_store::singleton::{LEASE_STANDBY_POLL, Lease};
use socketing_event_store::{Checkpoint, Commits, PgPool, RawEvent, StoreError};
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// The relay's name among the singletons.
pub const RELAY: &str = "relay";

/// How long an event of another process waits at most: commits of this process wake the relay, others are polled for.
const POLL: Duration = Duration::from_millis(100);
/// How often a relay that found another history looks whether an operator has mended it.
const OTHER_HISTORY_POLL: Duration = Duration::from_secs(5);

/// How long JetStream may be out of reach until another process's relay may try: as long as a killed one's lease lasts. If
/// that brings no success either, each waits twice as long the next time, up to a minute, so that an outage of NATS itself
/// isn't handed around without end.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(5);
const GIVES_WAY_AFTER_MAX: Duration = Duration::from_secs(60);
/// How long a relay that gave way doesn't ask for the lease: each standby does in this time.
const GIVES_WAY_FOR: Duration = LEASE_STANDBY_POLL.saturating_mul(2);

/// Pages of the log that are read ahead of what is published.
const PAGES_AHEAD: usize = 2;
/// While the relay catches up, it says so this often.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// A relay that was so many events behind says when it has caught up.
const WORTH_SAYING_EVENTS: u64 = 1_000;

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
    #[error("can't listen for confirmations")]
    Listen(#[source] SubscribeError),
    #[error("JetStream refuses position {position}")]
    Refused {
        position: u64,
        #[source]
        source: jetstream::Error,
    },
    #[error("position {0} isn't confirmed: there is no stream, or no answer")]
    Unconfirmed(u64),
    #[error("position {position} was expected to be confirmed, but this came: {found}")]
    WrongConfirmation { position: u64, found: String },
    #[error("the log became another history: {0}")]
    HistoryReplaced(Mismatch),
    #[error("the connection to NATS is lost")]
    Disconnected,
    #[error("the connection was made anew")]
    Reconnected,
}

impl Interruption {
    /// Part of ordinary life: another relay published, or the server was restarted. Not worth a warning.
    fn is_ordinary(&self) -> bool {
        matches!(self, Interruption::Reconnected) || self.refused().is_some()
    }

    /// JetStream doesn't answer this process; it may answer another.
    fn is_out_of_reach(&self) -> bool {
        matches!(self, Interruption::Stream(StreamError::JetStream { .. }))
    }

    /// The position whose place in the stream was taken, or may have been.
    fn refused(&self) -> Option<u64> {
        match self {
            Interruption::Refused { position, source } if is_wrong_sequence(source.error_code()) => Some(*position),
            Interruption::WrongConfirmation { position, .. } => Some(*position),
            _ => None,
        }
    }
}

/// Another message stands at the sequence: stored, or (the second code) on its way.
fn is_wrong_sequence(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
}

/// The relay of one process. Every process that writes may run one; the lease picks one of them.
#[derive(Debug)]
pub struct Relay {
    pool: PgPool,
    client: Client,
    jetstream: jetstream::Context,
    options: StreamOptions,
    owner: Uuid,
    commits: Option<Commits>,
    readers: Option<Subscription>,
    status: watch::Sender<RelayStatus>,
    backoff: Backoff,
    /// When another process may try, if JetStream stays out of reach.
    gives_way_at: Option<Instant>,
    /// How long that is away.
    patience: Backoff,
    /// The last position that was refused because another message stands there.
    suspect: Option<u64>,
}

impl Relay {
    /// A relay that publishes through `client`, whose user must be allowed to.
    #[must_use]
    pub fn new(pool: PgPool, client: &Client, options: StreamOptions) -> Relay {
        Relay {
            pool,
            client: client.clone(),
            jetstream: crate::jetstream(client),
            options,
            owner: Uuid::now_v7(),
            commits: None,
            readers: None,
            status: watch::Sender::new(RelayStatus { state: RelayState::Standby, published: 0, head: 0 }),
            backoff: Backoff::new(Duration::from_millis(10), Duration::from_millis(500)),
            gives_way_at: None,
            patience: Backoff::new(GIVES_WAY_AFTER, GIVES_WAY_AFTER_MAX),
            suspect: None,
        }
    }

    /// Takes what this process commits as soon as it is told. Without it the relay looks into the log now and then, as it
    /// does for what other processes commit.
    #[must_use]
    pub fn taking(self, commits: Commits) -> Relay {
        Relay { commits: Some(commits), ..self }
    }

    /// Hands what it publishes to the feeds of this process too, which then needn't get it back from JetStream.
    #[must_use]
    pub fn telling(self, readers: Subscription) -> Relay {
        Relay { readers: Some(readers), ..self }
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
            let mut lease = tokio::select! {
                lease = self.lease() => lease,
                () = shutdown.cancelled() => return,
            };
            tokio::select! {
                lost = lease.keep(&pool) => {
                    tracing::warn!(error = &lost as &dyn Error, "the relay isn't ours any more");
                    self.enter(RelayState::Standby);
                    continue;
                }
                () = self.publish_while_reached() => {}
                () = shutdown.cancelled() => {}
            }
            if let Err(error) = lease.release(&pool).await {
                tracing::warn!(error = &error as &dyn Error, "the relay's lease will have to run out");
            }
            shutdown.run_until_cancelled(sleep(GIVES_WAY_FOR)).await;
        }
    }

    /// Waits until the relay is ours. One that gave way, and finds that nobody has taken it, goes on as it was.
    async fn lease(&self) -> Lease {
        let lease = match Lease::acquire(&self.pool, RELAY, self.owner).await {
            Ok(Some(lease)) => lease,
            Ok(None) | Err(_) => {
                self.enter(RelayState::Standby);
                Lease::wait(&self.pool, RELAY, self.owner).await
            }
        };
        if self.status.borrow().state == RelayState::Standby {
            tracing::info!(epoch = lease.epoch(), "the relay is ours");
        }
        lease
    }

    /// Publishes whatever happens, until JetStream has been out of reach for so long that another process may try.
    async fn publish_while_reached(&mut self) {
        self.gives_way_at = None;
        loop {
            let interruption = match self.publish().await {
                Ok(never) => match never {},
                Err(interruption) => interruption,
            };
            self.suspect = self.suspect.or(interruption.refused());
            self.report(&interruption);
            let gives_way_at = *self.gives_way_at.get_or_insert_with(|| Instant::now() + self.patience.delay());
            if interruption.is_out_of_reach() && Instant::now() >= gives_way_at {
                return;
            }
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
        let connection = config::connects(&self.client);
        let prepared = stream::prepare(&self.jetstream, &self.pool, &self.options, self.suspect).await?;
        self.suspect = None;
        self.gives_way_at = None;
        self.patience.reset();
        let mut flight = Flight::after(prepared.last_sequence, &prepared.head, &self.client).await?;
        let mut ahead = Ahead::of(&self.pool, &prepared, self.commits.clone());
        let supply = self.readers.as_ref().map(Subscription::supply);
        let lag = prepared.head.position.saturating_sub(prepared.last_sequence);
        if !matches!(self.status.borrow().state, RelayState::Standby | RelayState::Publishing) {
            tracing::info!(lag, "the relay publishes again");
        }
        self.status.send_modify(|status| {
            *status = RelayStatus { state: RelayState::Publishing, published: prepared.last_sequence, head: prepared.head.position };
        });
        let mut catching_up = CatchingUp::from(&prepared);
        loop {
            tokio::select! {
                biased; // a confirmation makes room
                answer = flight.answers.next() => self.confirm(answer, &mut flight)?,
                page = ahead.pages.recv(), if !flight.is_full() => {
                    self.publish_page(page.transpose()?, &prepared.head, &mut flight, supply.as_ref()).await?;
                    // What is in flight may be lost: don't wait for it to time out.
                    if !crate::is_connected(&self.client) {
                        return Err(Interruption::Disconnected);
                    }
                    if config::connects(&self.client) != connection {
                        return Err(Interruption::Reconnected);
                    }
                }
                () = sleep_until(flight.confirmed_at + ACK_TIMEOUT), if flight.waits() => {
                    return Err(Interruption::Unconfirmed(flight.confirmed + 1));
                }
            }
            catching_up.tell(&self.status.borrow());
        }
    }

    /// Publishes a page of the log, and hands it to the readers here.
    async fn publish_page(
        &mut self,
        page: Option<Page>,
        history: &Head,
        flight: &mut Flight,
        supply: Option<&Supply>,
    ) -> Result<(), Interruption> {
        let Some(page) = page else { return Err(Interruption::Reconnected) }; // the reader is gone: begin again
        self.status.send_if_modified(|status| std::mem::replace(&mut status.head, page.head.position) != page.head.position);
        for event in page.events {
            if flight.is_full() {
                let next = timeout(ACK_TIMEOUT, flight.answers.next()).await;
                let answer = next.map_err(|_| Interruption::Unconfirmed(flight.confirmed + 1))?;
                self.confirm(answer, flight)?;
            }
            flight.send(&event, &self.client).await?;
            if let Some(supply) = supply {
                supply.tell(event, history.incarnation);
            }
        }
        Ok(())
    }

    /// Takes this confirmation and those that are there already.
    fn confirm(&mut self, first: Option<Message>, flight: &mut Flight) -> Result<(), Interruption> {
        let Some(first) = first else { return Err(Interruption::Reconnected) };
        let mut next = Some(first);
        let result = loop {
            match next {
                Some(answer) => {
                    if let Err(interruption) = flight.take(&answer) {
                        break Err(interruption);
                    }
                }
                None => break Ok(()),
            }
            next = flight.answers.next().now_or_never().flatten();
        };
        if flight.confirmed > self.status.borrow().published {
            self.backoff.reset();
            self.status.send_modify(|status| status.published = flight.confirmed);
        }
        result
    }
}

/// What is published and not yet confirmed. Each message asks for its answer at `<inbox>.<position>`, and all answers
/// come through one subscription, in the stream's order: a million of them cost one look each, and nothing is kept.
struct Flight {
    inbox: String,
    answers: Subscriber,
    /// Of the log, as messages name it.
    source: String,
    /// The last position sent,
    sent: u64,
    /// and the last one confirmed,
    confirmed: u64,
    /// and when: of what is in flight, something must be confirmed within [`ACK_TIMEOUT`].
    confirmed_at: Instant,
}

/// What JetStream answers a message with.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    error: Option<jetstream::Error>,
}

impl Flight {
    /// Nothing in flight, after a position. The inbox is a new one: answers to an earlier flight don't reach it.
    async fn after(position: u64, history: &Head, client: &Client) -> Result<Flight, Interruption> {
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await.map_err(Interruption::Listen)?;
        let source = message::source(history);
        Ok(Flight { inbox, answers, source, sent: position, confirmed: position, confirmed_at: Instant::now() })
    }

    async fn send(&mut self, event: &RawEvent, client: &Client) -> Result<(), Interruption> {
        let position = event.position;
        debug_assert_eq!(position, self.sent + 1, "the log is dense");
        let outgoing = message::encode(event, &self.source);
        let reply = [&self.inbox, ".", &position.to_string()].concat();
        let sending = client.publish_with_reply_and_headers(outgoing.subject, reply, outgoing.headers, outgoing.body);
        sending.await.map_err(|source| Interruption::Publish { position, source })?;
        if !self.waits() {
            self.confirmed_at = Instant::now();
        }
        self.sent = position;
        Ok(())
    }

    /// Takes an answer, which must confirm the next position, at the sequence that is the same.
    fn take(&mut self, message: &Message) -> Result<(), Interruption> {
        let position = self.confirmed + 1;
        if message.status.is_some() {
            return Err(Interruption::Unconfirmed(position)); // nobody listens there: the stream is gone
        }
        let wrong = || Interruption::WrongConfirmation {
            position,
            found: format!("{} {}", message.subject, String::from_utf8_lossy(&message.payload)),
        };
        let asked: u64 = message.subject.rsplit('.').next().and_then(|token| token.parse().ok()).ok_or_else(wrong)?;
        let answer: Answer = serde_json::from_slice(&message.payload).map_err(|_| wrong())?;
        if let Some(source) = answer.error {
            return Err(Interruption::Refused { position: asked, source });
        }
        if asked != position || answer.seq != position {
            return Err(wrong());
        }
        self.confirmed = position;
        self.confirmed_at = Instant::now();
        Ok(())
    }

    fn in_flight(&self) -> u64 {
        self.sent - self.confirmed
    }

    fn waits(&self) -> bool {
        self.in_flight() > 0
    }

    fn is_full(&self) -> bool {
        self.in_flight() >= IN_FLIGHT_MAX
    }
}

/// Reads the log ahead of what is published, in a task of its own: Postgres sends a page while the one before is on its way
/// to JetStream.
struct Ahead {
    pages: mpsc::Receiver<Result<Page, Interruption>>,
    _task: AbortOnDropHandle<()>,
}

impl Ahead {
    fn of(pool: &PgPool, prepared: &stream::Prepared, commits: Option<Commits>) -> Ahead {
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let (pool, history, from) = (pool.clone(), prepared.head, prepared.last_sequence);
        Ahead { pages, _task: AbortOnDropHandle::new(tokio::spawn(read_ahead(pool, history, from, commits, sender))) }
    }
}

/// Each page with the head, also an empty one. Ends when nobody wants more, or with the error that it sends.
async fn read_ahead(pool: PgPool, history: Head, after: u64, commits: Option<Commits>, pages: mpsc::Sender<Result<Page, Interruption>>) {
    // A connection of its own: one of the pool's is looked at before each use and tidied after it, two round trips more.
    let mut connection = match pool.acquire().await {
        Ok(connection) => connection.detach(),
        Err(error) => {
            let _ = pages.send(Err(StoreError::query("connect to read the log")(error).into())).await;
            return;
        }
    };
    let mut from = Checkpoint { position: after, incarnation: history.incarnation, last_hash: None };
    let mut own = commits.as_ref().map(Commits::follow);
    let mut committed = commits.as_ref().map(Commits::position);
    loop {
        let began = Instant::now();
        let page = match committed_here(own.as_mut(), from.position, &history) {
            Some(page) => Ok(page),
            None => {
                let read = checkpoint::read_on(&mut connection, &from, PAGE_EVENTS_MAX, None).await;
                read.map_err(Interruption::from).and_then(|page| page.map_err(Interruption::HistoryReplaced)).inspect(|page| {
                    own.iter_mut().for_each(|own| own.read(page.head.position));
                })
            }
        };
        let mut reached = None;
        if let Ok(Page { events, head }) = &page {
            if let Some(last) = events.last() {
                from = Checkpoint::after(last, head.incarnation);
            }
            reached = Some(from.position >= head.position);
        }
        if pages.send(page).await.is_err() {
            return;
        }
        match reached {
            Some(true) => {
                drop(timeout(POLL, wake::woken(&mut committed, from.position)).await);
                sleep_until(began + wake::PACE).await;
            }
            Some(false) => {}
            None => return,
        }
    }
}

/// A page of what this process has committed right after this position, if there is something.
fn committed_here(own: Option<&mut Following>, after: u64, history: &Head) -> Option<Page> {
    let events = own?.after(after, PAGE_EVENTS_MAX as usize);
    let position = events.last()?.position;
    Some(Page { events, head: Head { position, ..*history } })
}

/// Says how a long way back goes.
struct CatchingUp {
    from: u64,
    to: u64,
    began: Instant,
    said: Instant,
    done: bool,
}

impl CatchingUp {
    fn from(prepared: &stream::Prepared) -> CatchingUp {
        let (from, to, now) = (prepared.last_sequence, prepared.head.position, Instant::now());
        CatchingUp { from, to, began: now, said: now, done: to.saturating_sub(from) < WORTH_SAYING_EVENTS }
    }

    fn tell(&mut self, status: &RelayStatus) {
        if self.done {
            return;
        }
        let (published, took) = (status.published - self.from, self.began.elapsed());
        let per_s = (published as f64 / took.as_secs_f64().max(0.001)) as u64;
        if status.published >= self.to {
            tracing::info!(events = published, took_ms = took.as_millis() as u64, per_s, lag = status.lag(), "the relay has caught up");
            self.done = true;
        } else if self.said.elapsed() >= SAY_EVERY {
            tracing::info!(lag = status.lag(), per_s, "the relay is catching up");
            self.said = Instant::now();
        }
    }
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
