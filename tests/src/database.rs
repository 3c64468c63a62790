//! A database of a test's own.

use crate::required;
use socketing_event_store::{PgPool, PoolOptions, connect, migrate};
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Databases that tests left behind because they were killed are dropped by later tests once they are this old.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);
const PREFIX: &str = "socketing_test_";
/// Connections of one test: the parts of a whole system together.
const CONNECTIONS_MAX: u32 = 20;

/// A migrated database, dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    /// Connections to it.
    pub pool: PgPool,
    /// Its URL, for programs.
    pub url: String,
    server: String,
    name: String,
}

impl TestDb {
    /// Makes one on the server that `SOCKETING_TEST_DATABASE_URL` names.
    ///
    /// # Panics
    /// If there is none, or it doesn't work.
    pub async fn new() -> TestDb {
        TestDb::on(required("SOCKETING_TEST_DATABASE_URL")).await
    }

    /// Makes one on this server, whose URL is a superuser's.
    ///
    /// # Panics
    /// If it doesn't work.
    pub async fn on(server: String) -> TestDb {
        let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&server).await.expect("connect to the tests' PostgreSQL");
        sweep(&mut admin).await;
        sqlx::query(&format!("create database {name}")).execute(&mut admin).await.expect("make a database");
        admin.close().await.expect("close the connection");
        let url = beside(&server, &name);
        let pool = connect(&url, &PoolOptions::new("test", CONNECTIONS_MAX)).await.expect("connect to the test's database");
        migrate(&pool).await.expect("migrate the test's database");
        TestDb { pool, url, server, name }
    }
}

/// A database as it was at a moment: what a backup is.
#[derive(Debug)]
pub struct Backup(String);

impl TestDb {
    /// Keeps a copy. No program may be connected; this test's own connections are ended.
    ///
    /// # Panics
    /// If one is.
    pub async fn copy(&self) -> Backup {
        let copy = format!("{PREFIX}{}", Uuid::now_v7().simple());
        self.as_admin(&[format!("create database {copy} template {}", self.name)]).await;
        Backup(copy)
    }

    /// Goes back to the copy, as a restore from a backup does.
    ///
    /// # Panics
    /// If a program is connected.
    pub async fn put_back(&self, backup: Backup) {
        self.as_admin(&[
            format!("drop database {} with (force)", self.name),
            format!("alter database {} rename to {}", backup.0, self.name),
        ])
        .await;
    }

    async fn as_admin(&self, statements: &[String]) {
        let mut admin = PgConnection::connect(&required("SOCKETING_TEST_DATABASE_URL")).await.expect("connect to the tests' PostgreSQL");
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        sqlx::query(end).bind(&self.name).execute(&mut admin).await.expect("end the connections");
        for statement in statements {
            sqlx::query(statement).execute(&mut admin).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        admin.close().await.expect("close the connection");
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let server = std::mem::take(&mut self.server);
        let statement = format!("drop database if exists {} with (force)", self.name);
        // On a thread of its own, because a runtime can't wait within another one's thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sqlx::Error::Io)?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&server).await?;
                sqlx::query(&statement).execute(&mut admin).await
            })
        });
        if !matches!(dropped.join(), Ok(Ok(_))) {
            eprintln!("{} stays behind; a later test drops it", self.name);
        }
    }
}

/// Drops what killed tests left behind. Several tests may try at once, so failures don't matter.
async fn sweep(admin: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where datname like 'socketing\\_test\\_%'")
        .fetch_all(&mut *admin)
        .await
        .unwrap_or_default();
    for name in names.iter().filter(|name| is_left_behind(name)) {
        let _ = sqlx::query(&format!("drop database if exists {name} with (force)")).execute(&mut *admin).await;
    }
}

/// The name holds a UUIDv7, and that the time it was made at.
fn is_left_behind(name: &str) -> bool {
    let made_at = name.strip_prefix(PREFIX).and_then(|id| Uuid::parse_str(id).ok()).and_then(|id| id.get_timestamp());
    let Some((seconds, _)) = made_at.map(|at| at.to_unix()) else { return false };
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).is_ok_and(|now| now > seconds + LEFT_BEHIND.as_secs())
}

/// The URL of another database on the same server.
fn beside(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').map_or((server, String::new()), |(address, options)| (address, format!("?{options}")));
    let authority_at = address.find("://").map_or(0, |at| at + 3);
    let authority_end = address[authority_at..].find('/').map_or(address.len(), |at| authority_at + at);
    format!("{}/{name}{options}", &address[..authority_end])
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        assert_eq!(beside("postgres://u:p@h:1/postgres?sslmode=disable", "x"), "postgres://u:p@h:1/x?sslmode=disable");
        assert_eq!(beside("postgres://h", "x"), "postgres://h/x");
    }
}
