//! A relay at work, and how its copy compares with the log.

use crate::{PATIENCE, TestDb, TestNats, within};
use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures::StreamExt;
use socketing_event_store::{PgPool, log};
use socketing_nats::message::{self, Incoming};
use socketing_nats::stream::{self, STREAM};
use socketing_nats::{Relay, RelayState, RelayStatus, StreamOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A relay in a task of its own.
#[derive(Debug)]
pub struct TestRelay {
    status: watch::Receiver<RelayStatus>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl TestRelay {
    /// Starts one between this database and this server.
    pub async fn start(db: &TestDb, nats: &TestNats) -> TestRelay {
        TestRelay::start_with(db, nats, StreamOptions::default()).await
    }

    /// Starts one with settings of its own.
    pub async fn start_with(db: &TestDb, nats: &TestNats, options: StreamOptions) -> TestRelay {
        TestRelay::run(Relay::new(db.pool.clone(), &nats.relay().await, options))
    }

    /// Sets this one to work.
    #[must_use]
    pub fn run(relay: Relay) -> TestRelay {
        let shutdown = CancellationToken::new();
        TestRelay { status: relay.status(), task: tokio::spawn(relay.run(shutdown.clone())), shutdown }
    }

    /// Waits until everything up to `position` is confirmed.
    pub async fn has_published(&mut self, position: u64) {
        self.reaches("the events are published", |status| status.state == RelayState::Publishing && status.published >= position).await;
    }

    /// Waits until the relay stands so, and returns how it stands.
    pub async fn reaches(&mut self, what: &str, condition: impl FnMut(&RelayStatus) -> bool) -> RelayStatus {
        if let Ok(reached) = timeout(PATIENCE, self.status.wait_for(condition)).await {
            return reached.expect("the relay runs").clone();
        }
        panic!("not within {PATIENCE:?}: {what}; {:?}", *self.status.borrow());
    }

    /// Stops it in good order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        within("the relay stops", self.task).await.expect("the relay didn't panic");
    }
}

/// Checks that the stream's messages are the log's events, each at the sequence that is its position, without gaps from
/// the stream's first to the log's last, and returns how many there are.
///
/// # Panics
/// If not.
pub async fn assert_stream_equals_log(pool: &PgPool, jetstream: &jetstream::Context) -> u64 {
    let head = log::head(pool).await.expect("the log's head");
    let stream = stream::find(jetstream).await.expect("JetStream answers").expect("there is a stream");
    let state = &stream.cached_info().state;
    assert_eq!(state.last_sequence, head.position, "the stream ends where the log ends");
    assert_eq!(state.messages, head.position + 1 - state.first_sequence, "the stream has no gaps");
    let config = OrderedConfig { deliver_policy: DeliverPolicy::All, ..OrderedConfig::default() };
    let consumer = jetstream.create_consumer_on_stream(config, STREAM).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    let mut position = state.first_sequence - 1;
    while position < state.last_sequence {
        for event in log::read_after(pool, position, 500).await.expect("the log answers") {
            let message = within("the next message", messages.next()).await.expect("one more").expect("a message");
            let incoming = message::decode(message.headers.as_ref().expect("headers"), &message.payload).expect("a message of the relay");
            position += 1;
            assert_eq!(message.info().expect("a JetStream message").stream_sequence, position);
            assert_eq!(incoming.event.position, position);
            assert_eq!(incoming.event.hash(), event.hash(), "the message at {position} is the log's event");
            assert_eq!(
                (incoming.event.recorded_at, incoming.event.metadata.get()),
                (event.recorded_at, event.metadata.get()),
                "the message at {position} says when and who as the log does"
            );
            assert_eq!((incoming.log_id, incoming.incarnation), (head.log_id, head.incarnation));
        }
    }
    state.messages
}

/// The message at this sequence of the stream.
///
/// # Panics
/// If there is none, or the relay can't have published it.
pub async fn message_at(jetstream: &jetstream::Context, sequence: u64) -> Incoming {
    let stream = jetstream.get_stream_no_info(STREAM).await.expect("a stream's name");
    let message = stream.get_raw_message(sequence).await.unwrap_or_else(|error| panic!("no message at {sequence}: {error}"));
    message::decode(&message.headers, &message.payload).expect("a message of the relay")
}
