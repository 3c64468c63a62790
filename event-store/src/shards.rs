//! Leases on shards: who may write what. A lease has an epoch that rises with each change of owner and is checked inside
//! each batch's statement, so that an owner who wakes up late writes nothing. Expiry is by Postgres's clock alone.

use sqlx::{PgExecutor, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// How long a lease lives without renewal. An owner that dies is replaced after at most this; 5 s is the promise.
pub const LEASE_TTL: Duration = Duration::from_secs(3);
/// How often an owner renews: three tries within a lease's life.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);

/// Our lease on a shard, at an epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Epoch {
    /// The shard.
    pub shard: u16,
    /// The epoch that the lease had when it became ours.
    pub epoch: i64,
}

fn epoch(row: PgRow) -> Result<Epoch, sqlx::Error> {
    Ok(Epoch { shard: row.try_get::<i16, _>("shard")? as u16, epoch: row.try_get("epoch")? })
}

async fn epochs(rows: Result<Vec<PgRow>, sqlx::Error>) -> Result<Vec<Epoch>, sqlx::Error> {
    rows?.into_iter().map(epoch).collect()
}

/// Takes every shard whose lease is free or has run out; their epochs rise. Returns those taken now.
///
/// # Errors
/// The database's; then nothing is known to be taken.
pub async fn acquire(db: impl PgExecutor<'_>, owner: Uuid, address: &str) -> Result<Vec<Epoch>, sqlx::Error> {
    let taken = sqlx::query(
        "with free as (
             select shard from shard_leases
             where (owner is null or expires_at < clock_timestamp()) and owner is distinct from $1
             order by shard for update skip locked
         )
         update shard_leases l
         set owner = $1, address = $2, epoch = epoch + 1, expires_at = clock_timestamp() + $3
         from free where l.shard = free.shard
         returning l.shard, l.epoch",
    )
    .bind(owner)
    .bind(address)
    .bind(LEASE_TTL)
    .fetch_all(db)
    .await;
    epochs(taken).await
}

/// Renews all leases of this owner, and returns them as they are: those missing were taken by others.
///
/// # Errors
/// The database's; the leases run out unless a later try succeeds.
pub async fn renew(db: impl PgExecutor<'_>, owner: Uuid) -> Result<Vec<Epoch>, sqlx::Error> {
    let ours = sqlx::query(
        "with ours as (select shard from shard_leases where owner = $1 order by shard for update)
         update shard_leases l set expires_at = clock_timestamp() + $2
         from ours where l.shard = ours.shard
         returning l.shard, l.epoch",
    )
    .bind(owner)
    .bind(LEASE_TTL)
    .fetch_all(db)
    .await;
    epochs(ours).await
}

/// Raises the epochs of all our own leases: waits for a statement of ours that is still running, or fences it. After
/// this, what the log says of our batches is final.
///
/// # Errors
/// The database's; then nothing may be concluded yet.
pub async fn raise_epochs(db: impl PgExecutor<'_>, owner: Uuid) -> Result<Vec<Epoch>, sqlx::Error> {
    let raised = sqlx::query(
        "with ours as (select shard from shard_leases where owner = $1 order by shard for update)
         update shard_leases l set epoch = epoch + 1, expires_at = clock_timestamp() + $2
         from ours where l.shard = ours.shard
         returning l.shard, l.epoch",
    )
    .bind(owner)
    .bind(LEASE_TTL)
    .fetch_all(db)
    .await;
    epochs(raised).await
}

/// Gives all leases of this owner up, so that another can start at once.
///
/// # Errors
/// The database's; the leases then run out by themselves.
pub async fn release(db: impl PgExecutor<'_>, owner: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update shard_leases set owner = null, address = null, expires_at = '-infinity' where owner = $1")
        .bind(owner)
        .execute(db)
        .await?;
    Ok(())
}
