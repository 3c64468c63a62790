//! Connections that come back from futures that were dropped halfway.

use anyhow::Result;
use futures::FutureExt;
use socketing_event_store::{PoolOptions, connect};
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
