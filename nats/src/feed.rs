//! The feed: the log in order, without gaps or repeats, from JetStream while it is fresh and from Postgres otherwise.
//!
//! A reader knows the next position it wants. A message below it is skipped; one above it means a gap, which is read from
//! Postgres; silence while the log's head is ahead is read from Postgres too, and so is everything while NATS is away. So
//! nothing of what JetStream may do (lose its tail, lose a block in the middle, discard old messages, be emptied,
//! restarted or made again) reaches the reader.
//!
//! The consumer is ephemeral and unacknowledged, what clients call an ordered consumer, without that client's own
//! recovery: our positions find every gap, and Postgres fills it at once.

use crate::backoff::Backoff;
use crate::message;
use crate::stream::STREAM;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, Message};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use socketing_event_store::checkpoint::{self, Checkpoint, Mismatch};
use socketing_event_store::log::{self, Head, PAGE_EVENTS_MAX};
use socketing_event_store::{PgPool, RawEvent, StoreError};
use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// How long JetStream may be silent before the log's head is looked at.
const SILENCE: Duration = Duration::from_millis(250);
/// How often Postgres is looked at while JetStream brings nothing new.
const POLL: Duration = Duration::from_millis(100);
/// Messages that one request to the consumer asks for; about one and a half times as many are in memory at most.
const PULL_MESSAGES: usize = 500;
/// A consumer that nobody pulls from is removed by the server after this.
const CONSUMER_IDLE: Duration = Duration::from_secs(30);
/// How often the server says that it is there though it has nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);

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
    jetstream: Option<jetstream::Context>,
    incarnation: Uuid,
    /// The next position wanted.
    next: u64,
    /// Taken from the log or the stream, not yet handed out; ends at `next - 1`.
    ready: VecDeque<RawEvent>,
    live: Live,
    /// When Postgres is to be looked at, unless JetStream brings what is wanted.
    look_at: Instant,
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
    /// Making a consumer.
    Attaching(BoxFuture<'static, Result<pull::Stream, Box<dyn Error + Send + Sync>>>),
    /// Messages arrive.
    Attached(Box<pull::Stream>),
}

/// What a feed waits for.
enum Arrival {
    Message(Option<Result<Message, pull::MessagesError>>),
    Attached(Result<pull::Stream, Box<dyn Error + Send + Sync>>),
    TimeToAttach,
    TimeToLook,
}

impl Feed {
    /// A feed of everything after `from`, which must stand in the log's history. Without `jetstream` it reads Postgres
    /// alone; with it, it works just as well while NATS is away.
    ///
    /// # Errors
    /// [`FeedError::OtherHistory`] if the log isn't the one that `from` stands in; otherwise if Postgres can't be asked.
    pub async fn open(pool: PgPool, jetstream: Option<jetstream::Context>, name: &str, from: &Checkpoint) -> Result<Feed, FeedError> {
        let mismatch = checkpoint::compare(&pool, from).await.map_err(|source| FeedError::Store {
            reader: name.to_owned(),
            source,
        })?;
        if let Some(mismatch) = mismatch {
            return Err(FeedError::OtherHistory {
                reader: name.to_owned(),
                mismatch,
            });
        }
        Ok(Feed {
            name: name.to_owned(),
            pool,
            incarnation: from.incarnation,
            next: from.position + 1,
            ready: VecDeque::new(),
            live: Live::Detached {
                retry_at: jetstream.is_some().then(Instant::now),
            },
            jetstream,
            look_at: Instant::now(), // what is there already comes from Postgres, in pages
            reattach: Backoff::new(Duration::from_millis(50), Duration::from_secs(2)),
            store_away: false,
            stream_away: false,
        })
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
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<RawEvent>, FeedError> {
        while self.ready.is_empty() {
            match self.arrival().await {
                Arrival::Message(Some(Ok(message))) => self.take_messages(message, max).await?,
                Arrival::Message(Some(Err(error))) => self.detach(&error),
                Arrival::Message(None) => self.detach(&"the subscription ended"),
                Arrival::Attached(Ok(messages)) => self.attached(messages),
                Arrival::Attached(Err(error)) => self.detach(&error),
                Arrival::TimeToAttach => self.attach(),
                Arrival::TimeToLook => self.look().await?,
            }
        }
        let count = max.max(1).min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    async fn arrival(&mut self) -> Arrival {
        let look_at = self.look_at;
        tokio::select! {
            biased; // a steady stream of messages below what is wanted must not keep us from looking
            () = sleep_until(look_at) => Arrival::TimeToLook,
            arrival = from_jetstream(&mut self.live) => arrival,
        }
    }

    /// Takes a message, and those that have arrived behind it.
    async fn take_messages(&mut self, first: Message, max: usize) -> Result<(), FeedError> {
        let mut next = Some(first);
        while let Some(message) = next {
            self.take_message(&message).await?;
            if self.ready.len() >= max {
                break;
            }
            next = match &mut self.live {
                Live::Attached(messages) => messages.next().now_or_never().flatten().and_then(Result::ok),
                _ => None,
            };
        }
        Ok(())
    }

    async fn take_message(&mut self, message: &Message) -> Result<(), FeedError> {
        let no_headers = async_nats::HeaderMap::new();
        let sequence = message.info().map_or(0, |info| info.stream_sequence);
        let incoming = match message::decode(message.headers.as_ref().unwrap_or(&no_headers), &message.payload) {
            Ok(incoming) if incoming.event.position == sequence => incoming,
            Ok(_) => return self.distrust("a message whose sequence isn't its position").await,
            Err(error) => return self.distrust(&error.to_string()).await,
        };
        if incoming.incarnation != self.incarnation {
            return self.distrust("a message of another history").await;
        }
        let position = incoming.event.position;
        if position == self.next {
            self.next += 1;
            self.ready.push_back(incoming.event);
            self.look_at = Instant::now() + SILENCE;
            self.reattach.reset();
        } else if position > self.next {
            self.look_at = Instant::now(); // set before the wait, so that a cancelled call looks again
            self.fill(Some(position)).await?;
        }
        Ok(())
    }

    /// The stream has something that isn't from this history of the log. If the log is another one now, the reader is
    /// done; otherwise the stream is wrong, and the relay will say so: until it is made again, Postgres is read.
    async fn distrust(&mut self, what: &str) -> Result<(), FeedError> {
        self.detach(&what);
        self.look_at = Instant::now();
        self.look().await
    }

    /// Looks whether the log has more, and reads it.
    async fn look(&mut self) -> Result<(), FeedError> {
        self.fill(None).await
    }

    /// Reads on from Postgres. `reached`: a position that JetStream has shown, so the log must have it too.
    async fn fill(&mut self, reached: Option<u64>) -> Result<(), FeedError> {
        let page = match log::page(&self.pool, self.next - 1, PAGE_EVENTS_MAX).await {
            Ok(page) => page,
            Err(error) if error.is_transient() => {
                self.say_store_away(&error);
                self.look_at = Instant::now() + SILENCE;
                return Ok(());
            }
            Err(source) => {
                return Err(FeedError::Store {
                    reader: self.name.clone(),
                    source,
                });
            }
        };
        self.store_away = false;
        self.check_history(&page.head, reached)?;
        // A full page: more at once. Something: JetStream is behind. Nothing: JetStream is as fresh as the log.
        let pause = match page.events.len() {
            0 if matches!(self.live, Live::Attached(_)) => SILENCE,
            count if count == PAGE_EVENTS_MAX as usize => Duration::ZERO,
            _ => POLL,
        };
        self.look_at = Instant::now() + pause;
        if let Some(last) = page.events.last() {
            self.next = last.position + 1;
        }
        self.ready.extend(page.events);
        Ok(())
    }

    fn check_history(&self, head: &Head, reached: Option<u64>) -> Result<(), FeedError> {
        let seen = reached.unwrap_or(0).max(self.next - 1);
        let mismatch = if head.incarnation != self.incarnation {
            Mismatch::Incarnation {
                log: head.incarnation,
                reader: self.incarnation,
            }
        } else if head.position < seen {
            Mismatch::Shorter {
                head: head.position,
                reader: seen,
            }
        } else {
            return Ok(());
        };
        Err(FeedError::OtherHistory {
            reader: self.name.clone(),
            mismatch,
        })
    }

    /// Begins to make a consumer, if NATS is connected (a request would only wait).
    fn attach(&mut self) {
        let Some(jetstream) = self.jetstream.clone() else {
            self.live = Live::Detached { retry_at: None };
            return;
        };
        if !crate::is_connected(&jetstream.client()) {
            return self.detach(&"not connected");
        }
        // From the first event that isn't here yet. Those that the stream lacks come from Postgres.
        self.live = Live::Attaching(Box::pin(subscribe(jetstream, self.name.clone(), self.next)));
    }

    fn attached(&mut self, messages: pull::Stream) {
        if std::mem::take(&mut self.stream_away) {
            tracing::info!(feed = self.name, next = self.next, "reading from JetStream again");
        }
        self.live = Live::Attached(Box::new(messages));
    }

    fn detach(&mut self, reason: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.stream_away, true) {
            tracing::warn!(feed = self.name, next = self.next, reason = %reason, "reading from Postgres: JetStream is away");
        }
        self.live = Live::Detached {
            retry_at: Some(Instant::now() + self.reattach.delay()),
        };
        self.look_at = self.look_at.min(Instant::now() + POLL);
    }

    fn say_store_away(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.store_away, true) {
            tracing::warn!(
                feed = self.name,
                next = self.next,
                error = error as &dyn Error,
                "can't read the log; trying again"
            );
        }
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("name", &self.name)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

async fn from_jetstream(live: &mut Live) -> Arrival {
    match live {
        Live::Attached(messages) => Arrival::Message(messages.next().await),
        Live::Attaching(future) => Arrival::Attached(future.await),
        Live::Detached { retry_at: Some(at) } => {
            sleep_until(*at).await;
            Arrival::TimeToAttach
        }
        Live::Detached { retry_at: None } => std::future::pending().await,
    }
}

async fn subscribe(jetstream: jetstream::Context, name: String, start_sequence: u64) -> Result<pull::Stream, Box<dyn Error + Send + Sync>> {
    let config = pull::Config {
        description: Some(name),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        inactive_threshold: CONSUMER_IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = jetstream.create_consumer_on_stream(config, STREAM).await?;
    Ok(consumer
        .stream()
        .max_messages_per_batch(PULL_MESSAGES)
        .heartbeat(HEARTBEAT)
        .messages()
        .await?)
}
