//! Leases on shards: who may write what. A lease has an epoch that rises with each change of owner and is checked inside
//! each batch's statement, so that an owner who wakes up late writes nothing.
//!
//! A lease lives as long as its owner, and a node lives by its heartbeat: one row, of which Postgres's clock alone
//! decides when it has run out. So renewing costs one row, and takes no lock that a commit wants.

use socketing_domain::unit::SHARDS;
use sqlx::{Connection, PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// How long a node lives without a heartbeat. One that dies is replaced a look later; 5 s is the promise.
pub const NODE_TTL: Duration = Duration::from_secs(3);
/// How often a node's heart beats, and how often it looks at the others: three tries within its life.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long a dead node's row is kept, for whoever looks into what happened.
const DEAD_KEPT: Duration = Duration::from_secs(600);
/// Milliseconds that a session which is told to end gets for it: it only has to roll back.
const SESSION_ENDS_MS: i64 = 500;

/// Our lease on a shard, at an epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Epoch {
    /// The shard.
    pub shard: u16,
    /// The epoch that the lease had when it became ours.
    pub epoch: i64,
}

/// A node that is alive.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Node {
    /// Its name, new with each start.
    pub id: Uuid,
    /// Where it takes forwarded commands.
    pub address: String,
    /// Whether it was told to stop: its shards go to those who stay.
    pub leaving: bool,
    /// Whether it looks for outcomes in packs too; programs before there were any don't.
    pub reads_packs: bool,
}

/// A shard's lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The shard, and the lease's epoch.
    pub at: Epoch,
    /// Who has it, alive or not.
    pub owner: Option<Uuid>,
}

fn epoch(row: &PgRow) -> Result<Epoch, sqlx::Error> {
    Ok(Epoch { shard: row.try_get::<i16, _>("shard")? as u16, epoch: row.try_get("epoch")? })
}

fn epochs(rows: Vec<PgRow>) -> Result<Vec<Epoch>, sqlx::Error> {
    rows.iter().map(epoch).collect()
}

/// A heartbeat, the first of which registers the node.
///
/// # Errors
/// The database's; the node dies unless a later try succeeds.
pub async fn beat(db: impl PgExecutor<'_>, node: &Node) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into nodes (node, address, leaving, expires_at, reads_packs) values ($1, $2, $3, clock_timestamp() + $4, $5)
         on conflict (node) do update set leaving = excluded.leaving, expires_at = excluded.expires_at",
    )
    .bind(node.id)
    .bind(&node.address)
    .bind(node.leaving)
    .bind(NODE_TTL)
    .bind(node.reads_packs)
    .execute(db)
    .await?;
    Ok(())
}

/// The nodes that are alive, oldest first.
///
/// # Errors
/// The database's.
pub async fn nodes(db: impl PgExecutor<'_>) -> Result<Vec<Node>, sqlx::Error> {
    sqlx::query_as("select node as id, address, leaving, reads_packs from nodes where expires_at >= clock_timestamp() order by node")
        .fetch_all(db)
        .await
}

/// All leases, by shard.
///
/// # Errors
/// The database's.
pub async fn leases(db: impl PgExecutor<'_>) -> Result<Vec<Lease>, sqlx::Error> {
    let rows = sqlx::query("select shard, epoch, owner from shard_leases order by shard").fetch_all(db).await?;
    rows.iter().map(|row| Ok(Lease { at: epoch(row)?, owner: row.try_get("owner")? })).collect()
}

/// Takes shards that no living node has, at most `limit`; their epochs rise. Returns those taken now.
///
/// First the sessions are ended in which the dead nodes committed: a process that is stopped in the middle of a statement
/// may hold the locks that everyone's next commit waits for, and no timeout of Postgres 15 or 16 ends it.
///
/// # Errors
/// The database's; then nothing is known to be taken.
pub async fn take(db: &mut PgConnection, node: Uuid, limit: usize) -> Result<Vec<Epoch>, sqlx::Error> {
    sqlx::query(
        "select pg_terminate_backend(a.pid, $3) from nodes n join pg_stat_activity a on a.application_name = $2 || n.node::text
         where n.node <> $1 and n.expires_at < clock_timestamp() and a.datname = current_database()",
    )
    .bind(node)
    .bind(COMMITTER)
    .bind(SESSION_ENDS_MS)
    .execute(&mut *db)
    .await?;
    sqlx::query("delete from nodes where expires_at < clock_timestamp() - $1::interval").bind(DEAD_KEPT).execute(&mut *db).await?;
    let taken = sqlx::query(
        "with free as (
             select l.shard from shard_leases l
             where not exists (select from nodes n where n.node = l.owner and n.expires_at >= clock_timestamp())
                 -- While Postgres was away no heart could beat: who is dead shows a node's life after its start.
                 and (l.owner is null or pg_postmaster_start_time() < clock_timestamp() - $3::interval)
             order by l.shard limit $2 for update of l skip locked
         )
         update shard_leases l set owner = $1, epoch = epoch + 1
         from free where l.shard = free.shard
         returning l.shard, l.epoch",
    )
    .bind(node)
    .bind(limit as i64)
    .bind(NODE_TTL)
    .fetch_all(db)
    .await?;
    epochs(taken)
}

/// Registers a node, once, and takes every shard that no living node has: for tools that write to a log of their own.
///
/// # Errors
/// The database's.
pub async fn acquire(pool: &PgPool, node: Uuid, address: &str) -> Result<Vec<Epoch>, sqlx::Error> {
    let mut db = pool.acquire().await?;
    beat(&mut *db, &Node { id: node, address: address.to_owned(), leaving: false, reads_packs: true }).await?;
    take(&mut db, node, usize::from(SHARDS)).await
}

/// Gives some of a node's shards to another; their epochs rise. Waits for a statement that is still writing to them.
/// Shards that were lost before are left alone.
///
/// # Errors
/// The database's; then only a look tells whose they are.
pub async fn give(db: impl PgExecutor<'_>, from: Uuid, to: Uuid, shards: &[u16]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with ours as (select shard from shard_leases where owner = $1 and shard = any($3) order by shard for update)
         update shard_leases l set owner = $2, epoch = epoch + 1
         from ours where l.shard = ours.shard",
    )
    .bind(from)
    .bind(to)
    .bind(shards.iter().map(|&shard| shard as i16).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Raises the epochs of all our own leases: waits for a statement of ours that is still running, or fences it. After
/// this, what the log says of our batches is final. An older session of ours that hangs is ended first.
///
/// # Errors
/// The database's; then nothing may be concluded yet.
pub async fn raise_epochs(db: &mut PgConnection, node: Uuid) -> Result<Vec<Epoch>, sqlx::Error> {
    sqlx::query(
        "select pg_terminate_backend(pid, $2) from pg_stat_activity
         where application_name = $1 and datname = current_database() and pid <> pg_backend_pid()",
    )
    .bind(committer_session(node))
    .bind(SESSION_ENDS_MS)
    .execute(&mut *db)
    .await?;
    let raised = sqlx::query(
        "with ours as (select shard from shard_leases where owner = $1 order by shard for update)
         update shard_leases l set epoch = epoch + 1
         from ours where l.shard = ours.shard
         returning l.shard, l.epoch",
    )
    .bind(node)
    .fetch_all(db)
    .await?;
    epochs(raised)
}

/// Whether PostgreSQL works on something that this node commits. It doesn't if no session of the node's is there, if that
/// one has nothing to do, or if it waits for the rest of what it was sent or for its answer to be taken.
///
/// # Errors
/// The database's.
pub async fn is_committing(db: impl PgExecutor<'_>, node: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from pg_stat_activity where application_name = $1 and datname = current_database()
                        and state not like 'idle%' and wait_event_type is distinct from 'Client')", // 'disabled' where nobody tracks
    )
    .bind(committer_session(node))
    .fetch_one(db)
    .await
}

/// Ends a node: its leases are free at once.
///
/// # Errors
/// The database's; the leases then run out by themselves.
pub async fn leave(db: &mut PgConnection, node: Uuid) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    sqlx::query("update shard_leases set owner = null where owner = $1").bind(node).execute(&mut *transaction).await?;
    sqlx::query("delete from nodes where node = $1").bind(node).execute(&mut *transaction).await?;
    transaction.commit().await
}

const COMMITTER: &str = "socketing-committer ";

/// The `application_name` of the session that a node commits in, by which it can be found and ended.
#[must_use]
pub fn committer_session(node: Uuid) -> String {
    format!("{COMMITTER}{node}")
}
