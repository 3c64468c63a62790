//! Seeds of draws: drawn here, from the system's own randomness, and kept in a table until their time. Deciding draws
//! none, so that it can be replayed; and the log has none before its time, so that who reads it can't know the draw.

use rand::RngCore;
use socketing_domain::PerformanceId;
use socketing_domain::draw::{self, Digest};
use sqlx::PgPool;

/// Why there is no seed to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeedError {
    /// The table can't be asked.
    #[error("can't {operation} the seed of a draw")]
    Database {
        operation: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// It was committed to, and isn't there any more.
    #[error("the seed of the draw of performance {0} is gone; it stands in table draw_seeds, and in every backup of it")]
    Gone(PerformanceId),
}

/// The draw's seed, made now if there is none: the first one made is the one that stays.
pub(super) async fn make(pool: &PgPool, performance: PerformanceId) -> Result<Digest, SeedError> {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    sqlx::query("insert into draw_seeds (performance_id, seed) values ($1, $2) on conflict do nothing")
        .bind(performance.0)
        .bind(&seed[..])
        .execute(pool)
        .await
        .map_err(|source| SeedError::Database { operation: "make", source })?;
    read(pool, performance).await
}

/// The draw's seed.
pub(super) async fn read(pool: &PgPool, performance: PerformanceId) -> Result<Digest, SeedError> {
    let seed = find(pool, performance).await.map_err(|source| SeedError::Database { operation: "read", source })?;
    seed.ok_or(SeedError::Gone(performance))
}

/// What the seed that is kept is committed to by; `None` if none is kept.
///
/// # Errors
/// The database's.
pub(crate) async fn kept(pool: &PgPool, performance: PerformanceId) -> Result<Option<Digest>, sqlx::Error> {
    Ok(find(pool, performance).await?.as_ref().map(draw::commitment))
}

async fn find(pool: &PgPool, performance: PerformanceId) -> Result<Option<Digest>, sqlx::Error> {
    let seed: Option<[u8; 32]> =
        sqlx::query_scalar("select seed from draw_seeds where performance_id = $1").bind(performance.0).fetch_optional(pool).await?;
    Ok(seed.map(Digest))
}
