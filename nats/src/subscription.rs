//! The subscription: a process receives each new message of the stream once, reads it once, and hands it to all its feeds.
//!
//! A process has up to ten feeds. A consumer for each had every message sent and read ten times, which was two fifths of
//! what the server did for a seat that was held. And the process whose relay publishes has had each of them in its hands
//! already: while it does, the feeds hear the relay (`Supply`), and JetStream isn't asked for the same again.
//!
//! It brings what is new and nothing else, and keeps little: a feed that falls further behind than that reads Postgres, as it
//! does for whatever else it misses.

use crate::backoff::Backoff;
use crate::config;
use crate::message::{self, Incoming};
use crate::stream::STREAM;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{Context, Message};
use futures::{FutureExt, StreamExt};
use socketing_event_store::RawEvent;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::{interval, sleep};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// Messages that are kept for feeds that are busy: half a second of the fastest sale. Some 6 MB, for hardly any event is large;
/// about as many as were under way to ten consumers.
const KEPT_MAX: usize = 8_192;
/// Messages that one request to the consumer asks for.
const PULL_MESSAGES: usize = 500;
/// A consumer that nobody pulls from is removed by the server after this.
const CONSUMER_IDLE: Duration = Duration::from_secs(30);
/// How often the server says that it is there though it has nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often it is looked whether the connection is still the same: a restarted server doesn't know the consumer any more.
const CONNECTION_CHECK: Duration = Duration::from_millis(250);

/// What a feed hears.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A new event, at the sequence that is its position, of this history of the log.
    Event { event: Arc<RawEvent>, incarnation: Uuid },
    /// A message that no relay can have published there.
    Stray(Arc<str>),
    /// JetStream is away: what comes next isn't what follows.
    Away(Arc<str>),
}

/// One subscription to the stream for all feeds of a process. It lasts until its last clone is dropped.
#[derive(Clone, Debug)]
pub struct Subscription {
    jetstream: Context,
    news: broadcast::Sender<News>,
    open: watch::Receiver<bool>,
    supplied: watch::Sender<bool>,
    _task: Arc<AbortOnDropHandle<()>>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Subscription {
    /// Subscribes through this JetStream, again and again where that fails: NATS may be away.
    #[must_use]
    pub fn start(jetstream: Context) -> Subscription {
        let (news, open) = (broadcast::Sender::new(KEPT_MAX), watch::Sender::new(false));
        let (supplied, opened) = (watch::Sender::new(false), open.subscribe());
        let task = tokio::spawn(run(jetstream.clone(), news.clone(), open, supplied.subscribe()));
        Subscription { jetstream, news, open: opened, supplied, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// The JetStream that it subscribes through.
    pub(crate) const fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// Whether there is a connection at this moment.
    pub(crate) fn is_connected(&self) -> bool {
        crate::is_connected(&self.jetstream.client())
    }

    /// How many feeds read JetStream at this moment: the others read Postgres.
    #[must_use]
    pub fn feeds(&self) -> usize {
        self.news.receiver_count()
    }

    /// Returns when messages can arrive.
    pub(crate) async fn opened(&self) {
        let mut open = self.open.clone();
        // The task, which tells, lives as long as this.
        let _ = open.wait_for(|open| *open).await;
    }

    /// From now on the relay of this process tells what is new, until this is dropped.
    pub(crate) fn supply(&self) -> Supply {
        self.supplied.send_replace(true);
        Supply { news: self.news.clone(), supplied: self.supplied.clone() }
    }

    /// What arrives from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }
}

/// What the relay of this process tells the feeds here, in the stream's order.
#[derive(Debug)]
pub(crate) struct Supply {
    news: broadcast::Sender<News>,
    supplied: watch::Sender<bool>,
}

impl Supply {
    /// Tells an event that was read in this history of the log.
    pub(crate) fn tell(&self, event: RawEvent, incarnation: Uuid) {
        let _ = self.news.send(News::Event { event: Arc::new(event), incarnation }); // nobody may be listening
    }
}

impl Drop for Supply {
    fn drop(&mut self) {
        self.supplied.send_replace(false);
    }
}

async fn run(jetstream: Context, news: broadcast::Sender<News>, open: watch::Sender<bool>, mut supplied: watch::Receiver<bool>) {
    let mut pause = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    loop {
        let began = tokio::select! {
            biased;
            _ = supplied.wait_for(|supplied| *supplied) => None,
            subscribed = subscribe(&jetstream) => Some(subscribed),
        };
        let why = match began {
            None => {
                open.send_replace(true);
                pause.reset();
                // The sender lives as long as this.
                let _ = supplied.wait_for(|supplied| !supplied).await;
                "the relay here has stopped publishing".to_owned()
            }
            Some(Ok(messages)) => {
                open.send_replace(true);
                tokio::select! {
                    _ = supplied.wait_for(|supplied| *supplied) => continue,
                    why = receive(&jetstream, messages, &news, &mut pause) => why,
                }
            }
            Some(Err(error)) => error.to_string(),
        };
        open.send_replace(false);
        // Nobody may be listening.
        let _ = news.send(News::Away(why.into()));
        sleep(pause.delay()).await;
    }
}

/// The stream's new messages. The consumer is ephemeral and unacknowledged, what clients call an ordered consumer, without
/// that client's own recovery: a feed's positions find every gap, and Postgres fills it at once.
async fn subscribe(jetstream: &Context) -> Result<pull::Stream, BoxError> {
    if !crate::is_connected(&jetstream.client()) {
        return Err("not connected".into()); // a request would only wait
    }
    let config = pull::Config {
        description: Some("what is new, for the readers of one process".to_owned()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        inactive_threshold: CONSUMER_IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = jetstream.create_consumer_on_stream(config, STREAM).await?;
    Ok(consumer.stream().max_messages_per_batch(PULL_MESSAGES).heartbeat(HEARTBEAT).messages().await?)
}

/// Hands on what arrives, until nothing can arrive any more, and says why. `pause` begins anew once something has: a consumer
/// that is made and brings nothing isn't made again and again.
async fn receive(jetstream: &Context, mut messages: pull::Stream, news: &broadcast::Sender<News>, pause: &mut Backoff) -> String {
    let client = jetstream.client();
    let (connection, mut check) = (config::connects(&client), interval(CONNECTION_CHECK));
    loop {
        let mut next = tokio::select! {
            message = messages.next() => Some(message),
            _ = check.tick() => None,
        };
        if config::connects(&client) != connection {
            return "the connection was made anew".to_owned();
        }
        while let Some(message) = next {
            match message {
                Some(Ok(message)) => {
                    pause.reset();
                    let _ = news.send(read(&message)); // nobody may be listening
                }
                Some(Err(error)) => return error.to_string(),
                None => return "the subscription ended".to_owned(),
            }
            next = messages.next().now_or_never();
        }
    }
}

fn read(message: &Message) -> News {
    let no_headers = async_nats::HeaderMap::new();
    let sequence = message.info().map_or(0, |info| info.stream_sequence);
    match message::decode(message.headers.as_ref().unwrap_or(&no_headers), &message.payload) {
        Ok(Incoming { event, incarnation, .. }) if event.position == sequence => News::Event { event: Arc::new(event), incarnation },
        Ok(_) => News::Stray("a message whose sequence isn't its position".into()),
        Err(error) => News::Stray(error.to_string().into()),
    }
}
