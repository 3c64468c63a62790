//! A log that tests fill themselves, through the one way to append.

use serde_json::json;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, Won, wallet};
use socketing_event_store::PgPool;
use socketing_event_store::append::{Appended, NewEvent, Part, Written, append};
use socketing_event_store::commits::{Batch, Commits};
use socketing_event_store::shards::{self, Epoch};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Events of one statement.
const BATCH_MAX: usize = 500;

/// A writer of synthetic events, owner of every shard.
#[derive(Debug)]
pub struct TestLog {
    pool: PgPool,
    shards: Vec<Epoch>,
    sequences: HashMap<StreamId, u64>,
    /// The wallets that [`TestLog::fill`] writes to.
    wallets: Vec<AccountId>,
    /// Whom it tells what it commits, and as which session.
    readers: Option<(Commits, u64)>,
}

impl TestLog {
    /// A writer to this log.
    ///
    /// # Panics
    /// If the shards can't be taken.
    pub async fn new(pool: &PgPool) -> TestLog {
        // Whoever had them before is gone: a test that goes on after a restart makes a new log.
        sqlx::query("update shard_leases set owner = null").execute(pool).await.expect("free the shards");
        let shards = shards::acquire(pool, Uuid::now_v7(), "test").await.expect("take the shards");
        let wallets = (0..20).map(|_| AccountId::new()).collect();
        TestLog { pool: pool.clone(), shards, sequences: HashMap::new(), wallets, readers: None }
    }

    /// A writer that goes on where each stream of this log ends.
    ///
    /// # Panics
    /// If the log can't be read.
    pub async fn going_on(pool: &PgPool) -> TestLog {
        let mut log = TestLog::new(pool).await;
        let ends: Vec<(String, String, i64)> =
            sqlx::query_as("select aggregate_type, aggregate_id, max(sequence) from events group by 1, 2")
                .fetch_all(pool)
                .await
                .expect("the streams' ends");
        let named = |(kind, id, sequence): (String, String, i64)| (StreamId::parse(&kind, &id).expect("a stream's name"), sequence as u64);
        log.sequences = ends.into_iter().map(named).collect();
        log
    }

    /// From now on it tells what it commits, as one session with Postgres would; or nobody, as another process.
    pub fn tells(&mut self, readers: Option<(Commits, u64)>) {
        self.readers = readers;
    }

    fn tell(&self, written: Written, parts: Vec<Part>) -> u64 {
        let last = written.base + parts.len() as u64;
        if let Some((commits, session)) = &self.readers {
            let events = parts.into_iter().map(|part| part.events).collect();
            commits.tell(Batch { session: *session, written, events });
        }
        last
    }

    /// Appends these events and returns the last one's position.
    ///
    /// # Panics
    /// If they can't be appended.
    pub async fn append(&mut self, events: &[(StreamId, Event)]) -> u64 {
        let mut last = 0;
        for chunk in events.chunks(BATCH_MAX) {
            let parts: Vec<Part> = chunk.iter().map(|(stream, event)| self.part(*stream, event)).collect();
            let mut connection = self.pool.acquire().await.expect("a connection");
            match append(&mut connection, &parts.iter().collect::<Vec<_>>()).await.expect("append events") {
                Appended::At(written) => last = self.tell(written, parts),
                Appended::Fenced => panic!("another took the shards"),
            }
        }
        last
    }

    /// Appends so many events to some wallets and returns the last one's position.
    pub async fn fill(&mut self, count: usize) -> u64 {
        let events: Vec<_> = (0..count).map(|nth| charge(self.wallets[nth % self.wallets.len()])).collect();
        self.append(&events).await
    }

    fn part(&mut self, stream: StreamId, event: &Event) -> Part {
        let shard = stream.unit().shard();
        let lease = *self.shards.iter().find(|lease| lease.shard == shard).expect("all shards are ours");
        Part { lease, events: vec![self.next(stream, event)], outcomes: Vec::new(), packs: Vec::new(), due: None }
    }

    fn next(&mut self, stream: StreamId, event: &Event) -> NewEvent {
        let sequence = self.sequences.entry(stream).or_insert(0);
        *sequence += 1;
        NewEvent {
            aggregate_type: stream.aggregate_type(),
            aggregate_id: stream.aggregate_id(),
            sequence: *sequence,
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: event.payload_json(),
            metadata: Arc::from(json!({"actor": "system:test", "command": Uuid::now_v7()}).to_string()),
        }
    }
}

fn charge(account: AccountId) -> (StreamId, Event) {
    let event = wallet::Event::WalletCharged {
        payment: PaymentId::new(),
        performance: PerformanceId::new(),
        booking: BookingId::new(),
        amount: Won::new(50_000).expect("an amount"),
        balance: Won::new(450_000).expect("a balance"),
    };
    (StreamId::Wallet(account), Event::Wallet(event))
}
