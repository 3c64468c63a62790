//! The feed: the log in order, without gaps or repeats (but for what its reader doesn't want), from JetStream (or from the
//! relay of its own process) while it is fresh and from Postgres otherwise.
//!
//! A reader knows the next position it wants. A message below it is skipped; one above it means a gap, which is read from
//! Postgres; silence while the log's head is ahead is read from Postgres too, and so is everything while NATS is away. So
//! nothing of what JetStream may do (lose its tail, lose a block in the middle, discard old messages, be emptied,
//! restarted or made again) reaches the reader. Nor does a slow Postgres, while JetStream has what is wanted.
//!
//! What must never happen is that two histories are mixed. So a feed ends when the log isn't the one it has read, which
//! each look tells, and when the stream has gone on differently from the log though both say that they are one history (a
//! restore that nobody has declared), which it asks before it reads there.
//!
//! All feeds of a process share one [`Subscription`], so that each message is received and read once.

use crate::backoff::Backoff;
use crate::config::REQUEST_TIMEOUT;
use crate::stream;
use crate::subscription::{News, Subscription};
use crate::wake;
use futures::FutureExt;
use futures::future::BoxFuture;
use socketing_event_store::checkpoint::{self, Checkpoint, Mismatch};
use socketing_event_store::log::{PAGE_EVENTS_MAX, Page};
use socketing_event_store::{PgPool, RawEvent, StoreError};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// How long JetStream may bring nothing new before Postgres is looked at.
const SILENCE: Duration = Duration::from_millis(250);
/// How often Postgres is looked at while it has what JetStream hasn't.
const POLL: Duration = Duration::from_millis(100);

/// Why a feed ends. An outage is no reason: it is waited out.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log isn't the one that the reader has read so far: the reader must be rebuilt.
    #[error("{reader} stands in another history of the log")]
    OtherHistory {
        /// The feed's name.
        reader: String,
        /// How they differ.
        #[source]
        mismatch: Mismatch,
    },
    /// Postgres refused, rather than being away.
    #[error("{reader} can't read the log")]
    Store {
        /// The feed's name.
        reader: String,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// A reader's way through the log.
pub struct Feed {
    name: String,
    pool: PgPool,
    subscription: Option<Subscription>,
    incarnation: Uuid,
    /// What the reader wants of the log, if not all of it.
    types: Option<&'static [&'static str]>,
    /// The next position wanted.
    next: u64,
    /// The hash of the last event handed out: each look at Postgres also asks whether that one still stands there.
    handed_hash: Option<[u8; 32]>,
    /// Taken from the log or the stream, not yet handed out; the last one is at `next - 1`.
    ready: VecDeque<Arc<RawEvent>>,
    /// The highest position that JetStream has shown: the log must have it too.
    reached: u64,
    /// Tells what was committed in this process.
    committed: Option<watch::Receiver<u64>>,
    live: Live,
    look: Look,
    /// When the last look began.
    looked_at: Instant,
    reattach: Backoff,
    /// Whether the last look at Postgres failed: said once.
    store_away: bool,
    /// Whether the last attempt at the stream failed: said once.
    stream_away: bool,
}

/// How the feed stands with JetStream.
enum Live {
    /// Not at all, or not before this moment.
    Detached { retry_at: Option<Instant> },
    /// Asking whether the stream is a copy of the log.
    Attaching(BoxFuture<'static, Result<Listening, BoxError>>),
    /// Messages arrive. One from beyond a gap waits here until Postgres has filled it, and those behind it with the
    /// subscription: if they were let go meanwhile, then while much happens there would always be a next gap.
    Attached { news: broadcast::Receiver<News>, ahead: Option<Arc<RawEvent>> },
}

/// How the feed stands with Postgres.
enum Look {
    /// To be looked at then, unless JetStream brings what is wanted.
    At(Instant),
    /// Being read. `reached` is [`Feed::reached`] as it was before.
    Reading { page: BoxFuture<'static, Read>, reached: u64 },
}

/// A page of the log, or how the log isn't the one that was read so far.
type Read = Result<Result<Page, Mismatch>, StoreError>;

/// The stream's new messages, or how the stream isn't a copy of the log though it says so.
type Listening = Result<broadcast::Receiver<News>, Mismatch>;

/// What a feed waits for.
enum Arrival {
    News(Result<News, RecvError>),
    Attached(Result<Listening, BoxError>),
    TimeToAttach,
    Page { page: Read, reached: u64 },
    TimeToLook,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Feed {
    /// A feed of everything after `from`, which must stand in the log's history. Without a `subscription` it reads Postgres
    /// alone; with one, it works just as well while NATS is away.
    ///
    /// # Errors
    /// [`FeedError::OtherHistory`] if the log isn't the one that `from` stands in, or JetStream has one that goes on
    /// differently; otherwise if Postgres can't be asked.
    pub async fn open(pool: PgPool, subscription: Option<Subscription>, name: &str, from: &Checkpoint) -> Result<Feed, FeedError> {
        let mismatch = Feed::mismatch(&pool, subscription.as_ref(), from).await;
        if let Some(mismatch) = mismatch.map_err(|source| FeedError::Store { reader: name.to_owned(), source })? {
            return Err(FeedError::OtherHistory { reader: name.to_owned(), mismatch });
        }
        Ok(Feed {
            name: name.to_owned(),
            pool,
            incarnation: from.incarnation,
            types: None,
            next: from.position + 1,
            handed_hash: from.last_hash,
            ready: VecDeque::new(),
            reached: from.position,
            committed: None,
            live: Live::Detached { retry_at: None },
            subscription,
            look: Look::At(Instant::now()), // first what is there already, in pages; then JetStream
            looked_at: Instant::now(),
            reattach: Backoff::new(Duration::from_millis(50), Duration::from_secs(1)),
            store_away: false,
            stream_away: false,
        })
    }

    /// For a reader to whom events of these types matter: others may be left out, where that saves reading them. The last
    /// event of a batch tells how far the reader has come, whether it is of these types or not.
    #[must_use]
    pub fn only(self, types: &'static [&'static str]) -> Feed {
        Feed { types: Some(types), ..self }
    }

    /// For a reader in the process that commits: while it isn't JetStream that brings what is new, Postgres is looked at when
    /// `committed` goes on, not only now and then.
    #[must_use]
    pub fn woken_by(self, committed: watch::Receiver<u64>) -> Feed {
        Feed { committed: Some(committed), ..self }
    }

    /// How the log, or JetStream's copy of it, disagrees with a reader's checkpoint; `None` if a feed may go on from there.
    ///
    /// # Errors
    /// If Postgres can't be asked.
    pub async fn mismatch(pool: &PgPool, subscription: Option<&Subscription>, from: &Checkpoint) -> Result<Option<Mismatch>, StoreError> {
        match (checkpoint::compare(pool, from).await?, subscription) {
            (None, Some(subscription)) if subscription.is_connected() => {
                let compared = stream::compare_copy(subscription.jetstream(), pool, from.incarnation).await;
                Ok(compared.unwrap_or(None)) // an outage is waited out later
            }
            (mismatch, _) => Ok(mismatch),
        }
    }

    /// The log's incarnation, for the checkpoints of this feed's reader.
    #[must_use]
    pub const fn incarnation(&self) -> Uuid {
        self.incarnation
    }

    /// The next events, at least one and at most `max`, as soon as there is one. Cancelling loses nothing: what isn't
    /// returned comes with the next call.
    ///
    /// # Errors
    /// If the log turned into another history, or Postgres refuses. Outages are waited out.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<Arc<RawEvent>>, FeedError> {
        while self.ready.is_empty() {
            match self.arrival().await {
                Arrival::News(Ok(news)) => self.take_all(news, max),
                Arrival::News(Err(RecvError::Lagged(_))) => self.look_now(), // what was missed is in Postgres
                Arrival::News(Err(RecvError::Closed)) => self.detach(&"the subscription ended"),
                Arrival::Attached(Ok(Ok(news))) => self.attached(news),
                Arrival::Attached(Ok(Err(mismatch))) => return Err(self.other_history(mismatch)),
                Arrival::Attached(Err(error)) => self.detach(&error),
                Arrival::TimeToAttach => self.attach(),
                Arrival::Page { page, reached } => self.take_page(page, reached)?,
                Arrival::TimeToLook => self.begin_look(),
            }
        }
        let count = max.max(1).min(self.ready.len());
        let batch: Vec<Arc<RawEvent>> = self.ready.drain(..count).collect();
        self.handed_hash = batch.last().map(|event| event.hash());
        Ok(batch)
    }

    async fn arrival(&mut self) -> Arrival {
        // After a failure the next look has its time.
        let waits = !matches!(self.live, Live::Attached { .. }) && matches!(self.look, Look::At(_)) && !self.store_away;
        let (seen, again_at) = (self.next - 1, self.looked_at + wake::PACE);
        let (look, live, committed) = (&mut self.look, &mut self.live, &mut self.committed);
        let arrival = tokio::select! {
            biased; // a steady stream of messages that aren't wanted must not keep us from looking
            arrival = from_postgres(look) => arrival,
            arrival = from_jetstream(live) => arrival,
            () = wake::woken(committed, seen).then(|()| sleep_until(again_at)), if waits => Arrival::TimeToLook,
        };
        if matches!(arrival, Arrival::Page { .. }) {
            self.look = Look::At(Instant::now() + POLL); // a future that has given its result must not be asked again
        }
        arrival
    }

    /// Takes what was heard, and what has arrived behind it.
    fn take_all(&mut self, first: News, max: usize) {
        let mut next = Some(first);
        while let Some(news) = next {
            self.take(news);
            next = match &mut self.live {
                Live::Attached { news, ahead: None } if self.ready.len() < max => news.try_recv().ok(),
                _ => None,
            };
        }
    }

    fn take(&mut self, news: News) {
        let (event, incarnation) = match news {
            News::Event { event, incarnation } => (event, incarnation),
            News::Stray(what) => return self.distrust(&what),
            News::Away(why) => return self.detach(&why),
        };
        if incarnation != self.incarnation {
            return self.distrust(&"a message of another history");
        }
        self.reached = self.reached.max(event.position);
        self.take_event(event);
    }

    fn take_event(&mut self, event: Arc<RawEvent>) {
        if event.position > self.next {
            if let Live::Attached { ahead, .. } = &mut self.live {
                *ahead = Some(event);
            }
            self.look_now();
        } else if event.position == self.next {
            self.next += 1;
            self.ready.push_back(event);
            self.look_later(SILENCE);
            self.reattach.reset();
        }
    }

    /// The stream has something that isn't from this history of the log. Either the log is another one now, which the
    /// next look tells, or the stream is wrong, which the relay tells: until it is made again, Postgres is read.
    fn distrust(&mut self, what: &dyn std::fmt::Display) {
        self.detach(what);
        self.look_now();
    }

    fn look_now(&mut self) {
        self.look_later(Duration::ZERO);
    }

    /// Puts the next look off, or nearer; one that is under way goes on.
    fn look_later(&mut self, pause: Duration) {
        if let Look::At(at) = &mut self.look {
            *at = Instant::now() + pause;
        }
    }

    fn begin_look(&mut self) {
        let last_hash = self.ready.back().map_or(self.handed_hash, |event| Some(event.hash()));
        let from = Checkpoint { position: self.next - 1, incarnation: self.incarnation, last_hash };
        let (pool, types) = (self.pool.clone(), self.types);
        let page = Box::pin(async move { checkpoint::read_on(&pool, &from, PAGE_EVENTS_MAX, types).await });
        (self.look, self.looked_at) = (Look::Reading { page, reached: self.reached }, Instant::now());
    }

    /// Takes what Postgres had. JetStream may have brought some or all of it meanwhile.
    fn take_page(&mut self, page: Read, reached: u64) -> Result<(), FeedError> {
        let page = match page {
            Ok(Ok(page)) => page,
            Ok(Err(mismatch)) => return Err(self.other_history(mismatch)),
            Err(error) if error.is_transient() => {
                self.say_store_away(&error);
                self.look_later(SILENCE);
                return Ok(());
            }
            Err(source) => return Err(FeedError::Store { reader: self.name.clone(), source }),
        };
        self.store_away = false;
        if page.head.position < reached {
            return Err(self.other_history(Mismatch::Shorter { head: page.head.position, reader: reached }));
        }
        let wanted_from = self.next;
        let more = page.events.last().is_some_and(|last| last.position < page.head.position);
        for event in page.events.into_iter().filter(|event| event.position >= wanted_from) {
            self.next = event.position + 1;
            self.ready.push_back(Arc::new(event));
        }
        self.after_look(more, self.next > wanted_from);
        if let Live::Attached { ahead, .. } = &mut self.live
            && let Some(event) = ahead.take()
        {
            self.take_event(event); // the gap may be longer than a page, or younger than this look
        }
        Ok(())
    }

    fn after_look(&mut self, more: bool, found: bool) {
        let attached = matches!(self.live, Live::Attached { .. });
        self.look_later(match (more, found || !attached) {
            (true, _) => Duration::ZERO,
            (false, true) => POLL,     // JetStream is behind, or away
            (false, false) => SILENCE, // JetStream is as fresh as the log
        });
        if !more && matches!(self.live, Live::Detached { retry_at: None }) && self.subscription.is_some() {
            self.live = Live::Detached { retry_at: Some(Instant::now()) }; // caught up: from here on JetStream is faster
        }
    }

    fn other_history(&self, mismatch: Mismatch) -> FeedError {
        FeedError::OtherHistory { reader: self.name.clone(), mismatch }
    }

    /// Begins to listen, if NATS is connected (a request would only wait).
    fn attach(&mut self) {
        match &self.subscription {
            Some(subscription) if subscription.is_connected() => {
                let listening = listen(subscription.clone(), self.pool.clone(), self.incarnation);
                self.live = Live::Attaching(Box::pin(listening));
            }
            Some(_) => self.detach(&"not connected"),
            None => self.live = Live::Detached { retry_at: None },
        }
    }

    fn attached(&mut self, news: broadcast::Receiver<News>) {
        if std::mem::take(&mut self.stream_away) {
            tracing::info!(feed = self.name, next = self.next, "reading from JetStream again");
        }
        self.live = Live::Attached { news, ahead: None };
        self.look_now(); // for what was published between the last look and now
    }

    fn detach(&mut self, reason: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.stream_away, true) {
            tracing::warn!(feed = self.name, next = self.next, reason = %reason, "reading from Postgres: JetStream is away");
        }
        self.live = Live::Detached { retry_at: Some(Instant::now() + self.reattach.delay()) };
        self.look_later(POLL);
    }

    fn say_store_away(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.store_away, true) {
            tracing::warn!(feed = self.name, next = self.next, error = error as &dyn Error, "can't read the log; trying again");
        }
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("name", &self.name).field("next", &self.next).finish_non_exhaustive()
    }
}

async fn from_postgres(look: &mut Look) -> Arrival {
    match look {
        Look::At(at) => {
            sleep_until(*at).await;
            Arrival::TimeToLook
        }
        Look::Reading { page, reached } => Arrival::Page { page: page.await, reached: *reached },
    }
}

async fn from_jetstream(live: &mut Live) -> Arrival {
    match live {
        Live::Attached { news, ahead: None } => Arrival::News(news.recv().await),
        Live::Attached { ahead: Some(_), .. } => std::future::pending().await,
        Live::Attaching(listening) => Arrival::Attached(listening.await),
        Live::Detached { retry_at: Some(at) } => {
            sleep_until(*at).await;
            Arrival::TimeToAttach
        }
        Live::Detached { retry_at: None } => std::future::pending().await,
    }
}

/// Listens to the stream once it is there, unless it isn't a copy of the log though it says so.
async fn listen(subscription: Subscription, pool: PgPool, incarnation: Uuid) -> Result<Listening, BoxError> {
    timeout(REQUEST_TIMEOUT, subscription.opened()).await.map_err(|_| "the stream can't be subscribed to")?;
    let mismatch = stream::compare_copy(subscription.jetstream(), &pool, incarnation).await?;
    Ok(mismatch.map_or_else(|| Ok(subscription.listen()), Err))
}
