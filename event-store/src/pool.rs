//! Connections to Postgres: bounded, named, with timeouts that keep one stuck session from stopping the log.

use crate::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use std::time::Duration;
use tokio::time::timeout;

/// The oldest PostgreSQL that the schema and its statements were tried on.
pub const POSTGRES_MAJOR_MIN: u32 = 15;

/// How long a connection may take to prove that it is alive: short enough that who waits for one can try another.
const PROOF_MAX: Duration = Duration::from_secs(2);
/// How long a connection that comes back may take to leave its transaction.
const RELEASE_MAX: Duration = Duration::from_secs(5);

/// How a part of the system connects. Start from [`PoolOptions::new`].
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// What `pg_stat_activity` shows.
    pub application_name: String,
    /// Connections at most.
    pub connections_max: u32,
    /// How long a caller waits for a free connection, or for a first one.
    pub acquire_timeout: Duration,
    /// The longest a statement may run: an old snapshot held open slows every commit.
    pub statement_timeout: Duration,
    /// The longest a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// The longest a transaction may sit between two statements.
    pub idle_in_transaction_timeout: Duration,
}

impl PoolOptions {
    /// Options that fit short statements: readers, queries, commits.
    #[must_use]
    pub fn new(application_name: impl Into<String>, connections_max: u32) -> PoolOptions {
        PoolOptions {
            application_name: application_name.into(),
            connections_max,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("statement_timeout", self.statement_timeout.as_millis().to_string()),
            ("lock_timeout", self.lock_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction_timeout.as_millis().to_string()),
            // A client whose machine vanished must not hold the head's lock: found dead within about 20 s.
            ("tcp_keepalives_idle", "10".into()),
            ("tcp_keepalives_interval", "3".into()),
            ("tcp_keepalives_count", "3".into()),
            // The rollback on release is no news.
            ("client_min_messages", "error".into()),
        ]
    }
}

/// Connects, and checks that the server is new enough.
///
/// # Errors
/// If the URL can't be read, nobody answers within `acquire_timeout`, or the server is too old.
pub async fn connect(url: &str, options: &PoolOptions) -> Result<PgPool, StoreError> {
    let server: PgConnectOptions = url.parse().map_err(StoreError::BadUrl)?;
    let target = format!("{}:{}/{}", server.get_host(), server.get_port(), server.get_database().unwrap_or("postgres"));
    let pool = PgPoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_alive(connection)))
        .after_release(|connection, _| Box::pin(leave_transaction(connection)))
        .connect_with(server.application_name(&options.application_name).options(options.settings()))
        .await
        .map_err(|source| StoreError::Connect { target: target.clone(), source })?;
    let found = major_version(&pool).await?;
    if found < POSTGRES_MAJOR_MIN {
        return Err(StoreError::ServerTooOld { target, found, needed: POSTGRES_MAJOR_MIN });
    }
    Ok(pool)
}

/// Whether the connection answers. It may be dead without anyone being told; then it is closed, and the next one is tried.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    Ok(timeout(PROOF_MAX, connection.ping()).await.is_ok_and(|answer| answer.is_ok()))
}

/// A future that is dropped while `begin` waits for its answer leaves a transaction open that sqlx 0.8 doesn't know of:
/// the next user of the connection would write into it, and nobody would ever commit. So whatever is open is rolled back
/// when a connection comes back (outside of a transaction that does nothing). One that gives no answer is closed, be it
/// dead or at work on what nobody waits for any more: its place in the pool would be lost with it.
async fn leave_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(RELEASE_MAX, connection.execute("rollback")).await {
        Ok(done) => done.map(|_| true),
        Err(_) => Ok(false),
    }
}

async fn major_version(pool: &PgPool) -> Result<u32, StoreError> {
    let number: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(pool)
        .await
        .map_err(StoreError::query("ask PostgreSQL for its version"))?;
    Ok(u32::try_from(number).unwrap_or(0) / 10_000)
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The migrations that this database doesn't have yet, as `number description`; none if its schema is up to date.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn pending_migrations(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let applied: Vec<i64> = if has_migrations(pool).await? {
        let versions = sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await;
        versions.map_err(StoreError::query("read which migrations were applied"))?
    } else {
        Vec::new()
    };
    let pending = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(pending.map(|migration| format!("{:04} {}", migration.version, migration.description)).collect())
}

/// Brings the schema up to date. Harmless when it is, and when several processes do it at once (they take turns).
///
/// # Errors
/// If a migration fails or an applied one was changed; the database then stays as the last good migration left it.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    accept_other_texts(pool).await?;
    MIGRATIONS.run(pool).await.map_err(StoreError::Migrate)
}

/// A migration that was published with another text, by the SHA-384 of it. For a while, number 16 did at once what number
/// 19 does now; after both, the schema is the same.
const OTHER_TEXTS: [(i64, &str); 1] =
    [(16, "1ab439f585c03375ae4b51f4ee1ddb401cc55b9f3ba9c9954eafef641228038dff789f1614e06b5acdfc496c1e62878b")];

/// Has a database that was migrated by such a text go on: it would count as changed otherwise, and never be migrated again.
async fn accept_other_texts(pool: &PgPool) -> Result<(), StoreError> {
    if !has_migrations(pool).await? {
        return Ok(());
    }
    for (version, other) in OTHER_TEXTS {
        let Some(migration) = MIGRATIONS.iter().find(|migration| migration.version == version) else { continue };
        sqlx::query("update _sqlx_migrations set checksum = $2 where version = $1 and checksum = decode($3, 'hex')")
            .bind(version)
            .bind(&*migration.checksum)
            .bind(other)
            .execute(pool)
            .await
            .map_err(StoreError::query(format!("accept the other text of migration {version}")))?;
    }
    Ok(())
}

async fn has_migrations(pool: &PgPool) -> Result<bool, StoreError> {
    let asked = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await;
    asked.map_err(StoreError::query("look for the table of migrations"))
}
