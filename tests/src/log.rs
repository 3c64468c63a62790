//! A log that tests fill themselves, through the one way to append.

use serde_json::json;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, Won, wallet};
use socketing_event_store::PgPool;
use socketing_event_store::append::{Appended, Batch, NewEvent, append};
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
}

impl TestLog {
    /// A writer to this log.
    ///
    /// # Panics
    /// If the shards can't be taken.
    pub async fn new(pool: &PgPool) -> TestLog {
        let shards = shards::acquire(pool, Uuid::now_v7(), "test").await.expect("take the shards");
        let wallets = (0..20).map(|_| AccountId::new()).collect();
        TestLog { pool: pool.clone(), shards, sequences: HashMap::new(), wallets }
    }

    /// Appends these events and returns the last one's position.
    ///
    /// # Panics
    /// If they can't be appended.
    pub async fn append(&mut self, events: &[(StreamId, Event)]) -> u64 {
        let mut last = 0;
        for chunk in events.chunks(BATCH_MAX) {
            let events = chunk.iter().map(|(stream, event)| self.next(*stream, event)).collect::<Vec<_>>();
            let count = events.len() as u64;
            let batch = Batch { shards: self.shards.clone(), events, ..Batch::default() };
            let mut connection = self.pool.acquire().await.expect("a connection");
            match append(&mut connection, &batch).await.expect("append events") {
                Appended::At { base } => last = base + count,
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
