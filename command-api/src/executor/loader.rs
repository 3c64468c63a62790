//! Loads units of one short stream, many at once: at the end of a sale thousands of wallets are charged that nobody has in
//! memory, and statements for each of them would cost more than the charges do.
//!
//! Batching is natural: what is asked for while some are read is read next, together.

use super::limits::{ANSWER_TIMEOUT, KEYS_AT_ONCE, LOADS_AT_ONCE, LOADS_WAITING};
use socketing_domain::unit::UnitId;
use socketing_event_store::patience::no_answer;
use socketing_event_store::{StoreError, command_log, load};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Where writers ask for their units.
pub(super) struct Loader {
    wanted: mpsc::Sender<Wanted>,
}

struct Wanted {
    unit: UnitId,
    answer: oneshot::Sender<Found>,
}

/// A unit's events, with the short digests of all keys that were recorded for it.
pub(super) struct Found {
    pub(super) short: load::Short,
    pub(super) keys: Vec<u64>,
}

impl Loader {
    pub(super) fn start(pool: PgPool) -> Loader {
        let (wanted, inbox) = mpsc::channel(LOADS_WAITING);
        tokio::spawn(run(pool, inbox));
        Loader { wanted }
    }

    /// The unit's events, read after this call; `None` if it has to be loaded by itself, because it isn't short or something
    /// failed.
    pub(super) async fn load(&self, unit: UnitId) -> Option<Found> {
        if matches!(unit, UnitId::Performance(_)) {
            return None;
        }
        let (answer, found) = oneshot::channel();
        self.wanted.send(Wanted { unit, answer }).await.ok()?;
        found.await.ok()
    }
}

async fn run(pool: PgPool, mut inbox: mpsc::Receiver<Wanted>) {
    let mut wanted = Vec::new();
    while inbox.recv_many(&mut wanted, LOADS_AT_ONCE).await > 0 {
        let units: Vec<UnitId> = wanted.iter().map(|wanted| wanted.unit).collect();
        // Bounded, or one dead connection would keep all that is loaded later waiting.
        let read = timeout(ANSWER_TIMEOUT, read(&pool, &units));
        match read.await.unwrap_or_else(|_| Err(StoreError::query("load units")(no_answer("what they are")))) {
            Ok(found) => {
                for (wanted, found) in wanted.drain(..).zip(found) {
                    let Some(found) = found else { continue };
                    drop(wanted.answer.send(found)); // who asked may have gone
                }
            }
            Err(error) => {
                let units = units.len();
                tracing::warn!(units, error = &error as &dyn std::error::Error, "units could not be loaded together");
                wanted.clear(); // each is loaded by itself, and says what it meets
            }
        }
    }
}

/// The events first, then the keys: nothing can be recorded in between, the shards being ours.
async fn read(pool: &PgPool, units: &[UnitId]) -> Result<Vec<Option<Found>>, StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::query("connect to load units"))?;
    let short = load::short_units(&mut connection, units).await?;
    let ids: Vec<_> = units.iter().map(UnitId::id).collect();
    let keys = command_log::keys_of_many(&mut connection, &ids, KEYS_AT_ONCE + 1).await;
    let keys = keys.map_err(StoreError::query("read the recorded keys of units"))?;
    let found = short.into_iter().zip(keys);
    Ok(found.map(|(short, keys)| short.filter(|_| keys.len() <= KEYS_AT_ONCE).map(|short| Found { short, keys })).collect())
}
