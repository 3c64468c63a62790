//! postgres-es's repository on our table, for operators' tools. It parses each payload twice, which is too slow for a
//! stream of a million events; what it reads is held against our own reading by a test.

use crate::StoreError;
use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use postgres_es::PostgresEventRepository;
use socketing_domain::event::StreamId;
use socketing_domain::{account, party, performance, show, waiting_room, wallet};
use sqlx::PgPool;

/// postgres-es's repository, reading the log's table `events`. Only for reading: what it wrote would have no position,
/// so the table refuses it.
#[must_use]
pub fn postgres_repository(pool: &PgPool) -> PostgresEventRepository {
    PostgresEventRepository::new(pool.clone())
}

/// All events of a stream after `after_sequence`, in order, as cqrs-es knows them.
///
/// # Errors
/// If Postgres can't be asked, or what stands there isn't an event.
pub async fn stream_events(pool: &PgPool, stream: &StreamId, after_sequence: u64) -> Result<Vec<SerializedEvent>, StoreError> {
    let events = match stream {
        StreamId::Account(_) => last_events::<account::Account>(pool, stream, after_sequence).await,
        StreamId::Wallet(_) => last_events::<wallet::Wallet>(pool, stream, after_sequence).await,
        StreamId::Show(_) => last_events::<show::Show>(pool, stream, after_sequence).await,
        StreamId::WaitingRoom(_) => last_events::<waiting_room::WaitingRoom>(pool, stream, after_sequence).await,
        StreamId::Party(..) => last_events::<party::Party>(pool, stream, after_sequence).await,
        StreamId::Performance(_) => last_events::<performance::Performance>(pool, stream, after_sequence).await,
    };
    events.map_err(|source| StoreError::Repository { stream: stream.to_string(), source })
}

async fn last_events<A: Aggregate>(pool: &PgPool, stream: &StreamId, after: u64) -> Result<Vec<SerializedEvent>, PersistenceError> {
    let after = usize::try_from(after).unwrap_or(usize::MAX);
    postgres_repository(pool).get_last_events::<A>(&stream.aggregate_id(), after).await
}
