//! JetStream equals the log, as far back as it keeps: sequence is position, and subject, headers and payload say what
//! the log says.

use super::findings::Findings;
use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{Consumer, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;
use socketing_domain::event::StreamId;
use socketing_event_store::log::{self, Head};
use socketing_event_store::{PgPool, RawEvent};
use socketing_nats::{NatsConfig, message, stream};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a message that the stream says it has may take to come.
const NEXT_MESSAGE: Duration = Duration::from_secs(10);
/// How often the stream is looked at while the relay catches up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The copy, read beside the log.
pub(crate) struct Copy {
    head: Head,
    stream: Stream,
    messages: Ordered,
    first: u64,
    last: u64,
    next: Option<Received>,
    out_of_reach: u64,
    findings: Findings,
}

/// A message as it was received.
pub(crate) struct Received {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) incoming: Result<message::Incoming, message::NotOurs>,
}

impl Copy {
    /// Opens the stream at its beginning, once the relay has published everything up to `head`, or has had the time to.
    pub(crate) async fn open(nats_url: &str, head: &Head, patience: Duration) -> anyhow::Result<Copy> {
        let config = NatsConfig { url: nats_url.to_owned(), name: "socketing verify".into() };
        let client = socketing_nats::connect(&config).await?;
        connected(&client).await?;
        let jetstream = socketing_nats::jetstream(&client);
        let mut findings = Findings::new("jetstream", "JetStream equals the log as far back as it keeps");
        let (stream, first, last) = caught_up(&jetstream, head, patience).await?;
        if last < head.position {
            findings.fault(head.position, format!("the stream ends at {last}, the log at {}: the relay doesn't publish", head.position));
        }
        let config =
            OrderedConfig { deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first.max(1) }, ..Default::default() };
        let consumer: Consumer<OrderedConfig> = stream.create_consumer(config).await.context("reading the JetStream stream")?;
        let messages = consumer.messages().await.context("reading the JetStream stream")?;
        Ok(Copy { head: *head, stream, messages, first, last, next: None, out_of_reach: 0, findings })
    }

    /// Holds the log's next event against the stream.
    pub(crate) async fn event(&mut self, event: &RawEvent) -> anyhow::Result<()> {
        if event.position < self.first {
            self.out_of_reach += 1;
            return Ok(());
        }
        if event.position > self.last {
            return Ok(()); // told once, when the stream was opened
        }
        self.findings.looked();
        let Some(received) = self.message_at(event.position).await? else { return self.missing(event.position).await };
        if let Some(difference) = difference(&received, event, &self.head) {
            self.findings.fault(event.position, difference);
        }
        Ok(())
    }

    /// What was found. Whatever the stream holds now must be in the log by then: the relay publishes what is committed.
    pub(crate) async fn finish(mut self, pool: &PgPool) -> anyhow::Result<Findings> {
        let last = self.stream.info().await.context("looking at the JetStream stream")?.state.last_sequence;
        let head = log::head(pool).await?.position;
        if last > head {
            self.findings.fault(head + 1, format!("the stream goes on to {last}, the log only to {head}"));
        }
        self.findings.note = Some(match self.out_of_reach {
            0 => "all of the log".to_owned(),
            older => format!("{older} older events are no longer kept"),
        });
        Ok(self.findings)
    }

    /// The message of this sequence; `None` if the stream goes on beyond it. Messages before it have no event.
    async fn message_at(&mut self, sequence: u64) -> anyhow::Result<Option<Received>> {
        loop {
            let Some(received) = self.next_message().await? else { return Ok(None) };
            if received.sequence == sequence {
                return Ok(Some(received));
            }
            if received.sequence > sequence {
                self.next = Some(received);
                return Ok(None);
            }
            self.findings.fault(received.sequence, format!("the stream has a message {}, the log has no event there", received.subject));
        }
    }

    async fn next_message(&mut self) -> anyhow::Result<Option<Received>> {
        if let Some(received) = self.next.take() {
            return Ok(Some(received));
        }
        match timeout(NEXT_MESSAGE, self.messages.next()).await {
            Ok(Some(received)) => {
                let received = received.context("reading the JetStream stream")?;
                let sequence =
                    received.info().map_err(|error| anyhow::anyhow!(error)).context("reading a JetStream message")?.stream_sequence;
                let headers = received.headers.clone().unwrap_or_default();
                let incoming = message::decode(&headers, &received.payload);
                Ok(Some(Received { sequence, subject: received.subject.to_string(), incoming }))
            }
            Ok(None) | Err(_) => Ok(None),
        }
    }

    /// It isn't there. Either the stream has dropped it meanwhile, as it does with what is old, or it is missing.
    async fn missing(&mut self, position: u64) -> anyhow::Result<()> {
        self.first = self.stream.info().await.context("looking at the JetStream stream")?.state.first_sequence;
        if position < self.first {
            self.out_of_reach += 1;
        } else {
            self.findings.fault(position, "the stream has no message for this event");
        }
        Ok(())
    }
}

/// What about a message isn't as the event is, if anything.
fn difference(received: &Received, event: &RawEvent, head: &Head) -> Option<String> {
    let incoming = match &received.incoming {
        Ok(incoming) => incoming,
        Err(error) => return Some(error.to_string()),
    };
    let copy = &incoming.event;
    let subject = StreamId::parse(&event.aggregate_type, &event.aggregate_id).map(|stream| stream.subject(&event.event_type));
    let differs = [
        ("subject", subject.is_some_and(|subject| subject != received.subject)),
        ("history", (incoming.log_id, incoming.incarnation) != (head.log_id, head.incarnation)),
        ("position", copy.position != event.position),
        (
            "stream",
            (&copy.aggregate_type, &copy.aggregate_id, copy.sequence) != (&event.aggregate_type, &event.aggregate_id, event.sequence),
        ),
        ("type", (&copy.event_type, &copy.event_version) != (&event.event_type, &event.event_version)),
        ("payload", copy.payload.get() != event.payload.get()),
        ("metadata", copy.metadata.get() != event.metadata.get().replace(['\r', '\n'], " ")),
        ("time", copy.recorded_at != event.recorded_at),
    ];
    let names: Vec<&str> = differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| format!("the message differs from the event in its {}", names.join(", ")))
}

async fn connected(client: &async_nats::Client) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !socketing_nats::is_connected(client) {
        if Instant::now() > deadline {
            return Err(Failure::new(Exit::Unreachable, "can't reach the system's NATS server")
                .hint("start it with ./dev up, or name another with --nats-url"));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The stream, with its first and last sequence, once it reaches to the head, or has had the time to. One that NATS has lost
/// is made anew by the relay.
async fn caught_up(jetstream: &jetstream::Context, head: &Head, patience: Duration) -> anyhow::Result<(Stream, u64, u64)> {
    let deadline = Instant::now() + patience;
    loop {
        let found = stream::find(jetstream).await?;
        let reaches = found.as_ref().is_some_and(|stream| stream.cached_info().state.last_sequence >= head.position);
        if reaches || Instant::now() > deadline {
            let stream = found.ok_or_else(absent)?;
            let (first, last) = (stream.cached_info().state.first_sequence, stream.cached_info().state.last_sequence);
            return Ok((stream, first, last));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn absent() -> Failure {
    Failure::new(Exit::Failure, format!("there is no JetStream stream {}", stream::STREAM))
        .hint("a running system makes it; is this its NATS server?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::testing::Log;
    use socketing_domain::event::Event;
    use socketing_domain::{AccountId, Timestamp, account};
    use socketing_tests::TestNats;
    use uuid::Uuid;

    fn head() -> Head {
        Head { position: 1, log_id: Uuid::from_u128(1), incarnation: Uuid::from_u128(2) }
    }

    fn event() -> RawEvent {
        let (mut log, account) = (Log::default(), AccountId::new());
        let at = log.now();
        log.add(StreamId::Account(account), Event::Account(account::Event::AccountOpened { account, at })).clone()
    }

    /// What the relay publishes for an event.
    fn published(event: &RawEvent, head: &Head) -> Received {
        let outgoing = message::encode(event, &message::source(head));
        Received { sequence: event.position, subject: outgoing.subject, incoming: message::decode(&outgoing.headers, &outgoing.body) }
    }

    /// NATS has lost everything, and whoever relays isn't there yet: the stream gets the time that one which is behind gets.
    #[tokio::test]
    async fn a_stream_that_is_made_anew_is_waited_for() {
        let nats = TestNats::start().await;
        let config = NatsConfig { url: nats.relay_url.clone(), name: "test".into() };
        let client = socketing_nats::connect(&config).await.unwrap();
        connected(&client).await.unwrap();
        let jetstream = socketing_nats::jetstream(&client);
        let head = Head { position: 0, ..head() };
        let none = caught_up(&jetstream, &head, Duration::ZERO).await.unwrap_err();
        assert_eq!(none.to_string(), "there is no JetStream stream BOOKING");

        // In this order on one connection: the first look is before the stream is there.
        let definition = jetstream::stream::Config { name: stream::STREAM.into(), ..Default::default() };
        let (found, made) = tokio::join!(biased; caught_up(&jetstream, &head, Duration::from_mins(1)), jetstream.create_stream(definition));
        made.unwrap();
        assert_eq!(found.unwrap().2, 0);
    }

    #[test]
    fn what_the_relay_publishes_equals_the_event() {
        let event = event();
        assert_eq!(difference(&published(&event, &head()), &event, &head()), None);
    }

    #[test]
    fn each_difference_is_named() {
        let event = event();
        let changed = |change: &dyn Fn(&mut RawEvent)| {
            let mut other = event.clone();
            change(&mut other);
            difference(&published(&other, &head()), &event, &head()).unwrap_or_default()
        };
        let raw = |text: &str| socketing_event_store::Json::parse(text.to_owned()).unwrap();
        assert!(changed(&|event| event.payload = raw("{\"AccountOpened\":{}}")).ends_with("in its payload"));
        assert!(changed(&|event| event.metadata = raw("{}")).ends_with("in its metadata"));
        assert!(changed(&|event| event.sequence = 9).ends_with("in its stream"));
        assert!(changed(&|event| event.event_version = "9".into()).ends_with("in its type"));
        assert!(changed(&|event| event.event_type = "RoleGranted".into()).ends_with("in its subject, type"));
        assert!(changed(&|event| event.recorded_at = Timestamp::from_millis(1)).ends_with("in its time"));
        let other_history = Head { incarnation: Uuid::from_u128(3), ..head() };
        assert!(difference(&published(&event, &other_history), &event, &head()).unwrap().ends_with("in its history"));
    }
}
