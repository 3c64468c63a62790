//! Leases on shards: one owner at a time, and none that was replaced writes anything.

use anyhow::Result;
use socketing_event_store::PgPool;
use socketing_event_store::append::{Appended, Part, append};
use socketing_event_store::shards::{self, Epoch, Node};
use socketing_tests::{TestDb, TestPostgres, eventually};
use uuid::Uuid;

async fn expire(pool: &PgPool, node: Uuid) -> Result<()> {
    sqlx::query("update nodes set expires_at = '-infinity' where node = $1").bind(node).execute(pool).await?;
    Ok(())
}

async fn take(pool: &PgPool, node: Uuid, limit: usize) -> Result<Vec<Epoch>> {
    let mut connection = pool.acquire().await?;
    let mut taken = shards::take(&mut connection, node, limit).await?;
    taken.sort_unstable();
    Ok(taken)
}

/// Whether a statement under this lease would write.
async fn writes(pool: &PgPool, lease: Epoch) -> Result<bool> {
    let mut connection = pool.acquire().await?;
    let nothing = Part { lease, events: Vec::new(), outcomes: Vec::new(), packs: Vec::new(), due: None };
    Ok(append(&mut connection, &[&nothing]).await? != Appended::Fenced)
}

#[tokio::test]
async fn the_dead_are_replaced_and_fenced() -> Result<()> {
    let (db, first, second) = (TestDb::new().await, Uuid::now_v7(), Uuid::now_v7());
    shards::beat(&db.pool, &Node { id: first, address: "first".into(), leaving: false, reads_packs: true }).await?;
    let old = take(&db.pool, first, 128).await?;
    assert_eq!(old.len(), 128);
    assert!(shards::acquire(&db.pool, second, "second").await?.is_empty(), "the first is alive");
    assert!(writes(&db.pool, old[7]).await?);
    expire(&db.pool, first).await?;
    let some = take(&db.pool, second, 100).await?;
    assert_eq!(some.len(), 100, "no more than asked for");
    let new = [some, take(&db.pool, second, 100).await?].concat();
    assert_eq!(new.len(), 128);
    for (old, new) in old.iter().zip(&new) {
        assert_eq!((old.shard, old.epoch + 1), (new.shard, new.epoch));
    }
    assert!(!writes(&db.pool, old[7]).await? && writes(&db.pool, new[7]).await?);
    Ok(())
}

#[tokio::test]
async fn what_is_given_has_one_owner_at_every_moment() -> Result<()> {
    let (db, first, second) = (TestDb::new().await, Uuid::now_v7(), Uuid::now_v7());
    shards::acquire(&db.pool, first, "first").await?;
    let old: Vec<Epoch> = shards::leases(&db.pool).await?.iter().map(|lease| lease.at).collect();
    shards::beat(&db.pool, &Node { id: second, address: "second".into(), leaving: true, reads_packs: true }).await?;
    shards::give(&db.pool, first, second, &[3, 4]).await?;
    let leases = shards::leases(&db.pool).await?;
    let owners: Vec<_> = leases.iter().map(|lease| lease.owner).collect();
    assert!(owners.iter().enumerate().all(|(shard, owner)| *owner == Some(if [3, 4].contains(&shard) { second } else { first })));
    assert!(!writes(&db.pool, old[3]).await? && writes(&db.pool, leases[3].at).await? && writes(&db.pool, old[5]).await?);
    // Given again by who has them no more, nothing changes.
    shards::give(&db.pool, first, second, &[3]).await?;
    assert_eq!(shards::leases(&db.pool).await?, leases);
    let nodes = shards::nodes(&db.pool).await?;
    let known: Vec<_> = nodes.iter().map(|node| (node.id, node.address.as_str(), node.leaving)).collect();
    assert_eq!(known, [(first, "first", false), (second, "second", true)]);
    Ok(())
}

#[tokio::test]
async fn raising_epochs_fences_what_was_sent_before() -> Result<()> {
    let (db, node) = (TestDb::new().await, Uuid::now_v7());
    let old = shards::acquire(&db.pool, node, "node").await?;
    let mut connection = db.pool.acquire().await?;
    let new = shards::raise_epochs(&mut connection, node).await?;
    assert_eq!(new.len(), 128);
    assert!(!writes(&db.pool, old[0]).await? && writes(&db.pool, new.iter().copied().min().expect("leases")).await?);
    shards::leave(&mut connection, node).await?;
    assert_eq!(shards::acquire(&db.pool, Uuid::now_v7(), "next").await?.len(), 128, "free at once");
    Ok(())
}

/// While PostgreSQL was away, no heart could beat: nobody is dead before all had time to.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_replaced_right_after_postgres_came_back() -> Result<()> {
    let postgres = TestPostgres::start();
    let (db, first, second) = (TestDb::on(postgres.url.clone()).await, Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(shards::acquire(&db.pool, first, "first").await?.len(), 128, "nobody had them");
    expire(&db.pool, first).await?;
    postgres.stop_immediately();
    postgres.start_again();
    assert!(take(&db.pool, second, 128).await?.is_empty());
    eventually("who didn't come back is replaced", || async { take(&db.pool, second, 128).await.is_ok_and(|taken| taken.len() == 128) })
        .await;
    drop(db);
    Ok(())
}
