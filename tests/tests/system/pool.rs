//! Connections that come back from futures that were dropped halfway, and databases that come from older versions.

use anyhow::Result;
use futures::FutureExt;
use socketing_event_store::{PoolOptions, connect, migrate, pending_migrations};
use socketing_tests::TestDb;

#[tokio::test]
async fn a_transaction_whose_begin_was_dropped_is_not_left_open_for_the_next_user() -> Result<()> {
    let db = TestDb::new().await;
    sqlx::query("create table notes (note text)").execute(&db.pool).await?;
    // One connection, so that the next user surely gets the one that was left.
    let pool = connect(&db.url, &PoolOptions::new("dropped", 1)).await?;
    let mut dropped = 0;
    while dropped < 20 {
        let mut begin = Box::pin(pool.begin());
        // Polled once or twice, so that `begin` is sent; then dropped before its answer is read.
        let done = (&mut begin).now_or_never().is_some() || {
            tokio::task::yield_now().await;
            (&mut begin).now_or_never().is_some()
        };
        drop(begin);
        dropped += usize::from(!done);
        sqlx::query("insert into notes values ('kept')").execute(&pool).await?;
        let seen: i64 = sqlx::query_scalar("select count(*) from notes").fetch_one(&db.pool).await?;
        let written: i64 = sqlx::query_scalar("select count(*) from notes").fetch_one(&pool).await?;
        assert_eq!(seen, written, "what was written is committed");
    }
    Ok(())
}

/// Migration 16 was published with two texts: a database that has the other one goes on to the same schema.
#[tokio::test]
async fn a_database_with_the_other_text_of_a_migration_is_migrated_on() -> Result<()> {
    const INDEX: &str = "select pg_get_indexdef('command_log_refused_holds'::regclass)";
    let db = TestDb::new().await;
    let today: String = sqlx::query_scalar(INDEX).fetch_one(&db.pool).await?;
    let other = "-- A fan may ask which holds were refused, and because of what: few of all outcomes, found by who asks.\n\
         create index command_log_refused_holds on command_log (unit, actor) where command in ('hold_seats', 'hold_best') and status >= 400;\n";
    sqlx::raw_sql(&format!("drop index command_log_refused_holds; {other}")).execute(&db.pool).await?;
    sqlx::query("update _sqlx_migrations set checksum = sha384($1) where version = 16").bind(other.as_bytes()).execute(&db.pool).await?;
    sqlx::query("delete from _sqlx_migrations where version = 19").execute(&db.pool).await?;

    migrate(&db.pool).await?;
    assert_eq!(sqlx::query_scalar::<_, String>(INDEX).fetch_one(&db.pool).await?, today);
    assert!(pending_migrations(&db.pool).await?.is_empty());
    // Another text that was never published is still refused.
    sqlx::query("update _sqlx_migrations set checksum = sha384('') where version = 16").execute(&db.pool).await?;
    assert!(migrate(&db.pool).await.is_err());
    Ok(())
}
