//! The runner on real servers: rows and checkpoint change together or not at all, whatever stops in between; what can't be
//! handled parks its stream and nothing else; histories are never mixed.

use anyhow::{Context as _, Result};
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use socketing_domain::event::{Recorded, StreamId};
use socketing_domain::{AccountId, HoldId, PerformanceId};
use socketing_event_store::{checkpoint, log};
use socketing_projections::progress::Progress;
use socketing_projections::runner::{Runner, rebuild, rebuild_all};
use socketing_projections::{HandlerError, Model, Projection, projections};
use socketing_tests::reading::{assert_verified, stored_checkpoint_reaches};
use socketing_tests::story::{Story, Told, signed_up};
use socketing_tests::{PATIENCE, TestDb, TestNats, TestReading, TestRelay, eventually, within};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn real(model: Model) -> Arc<dyn Projection> {
    projections(&Arc::default()).into_iter().find(|projection| projection.model() == model).expect("there is one per model")
}

/// What the handler does after it has written its rows.
type Afterwards = dyn Fn(&[Recorded]) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync;

/// A real projection that something happens to after it has written a batch.
struct Disturbed {
    inner: Arc<dyn Projection>,
    version: i32,
    afterwards: Box<Afterwards>,
}

impl Disturbed {
    fn new(
        model: Model,
        afterwards: impl Fn(&[Recorded]) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync + 'static,
    ) -> Arc<Disturbed> {
        Arc::new(Disturbed { inner: real(model), version: real(model).version(), afterwards: Box::new(afterwards) })
    }
}

impl Projection for Disturbed {
    fn model(&self) -> Model {
        self.inner.model()
    }

    fn version(&self) -> i32 {
        self.version
    }

    fn tables(&self) -> &'static [&'static str] {
        self.inner.tables()
    }

    fn streams(&self) -> &'static [&'static str] {
        self.inner.streams()
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        async move {
            self.inner.handle(tx, events).await?;
            (self.afterwards)(events).await
        }
        .boxed()
    }
}

/// A runner of one projection, as a process would have it.
struct Running {
    progress: Progress,
    model: Model,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(pool: &PgPool, projection: Arc<dyn Projection>) -> Running {
        let (progress, stop, model) = (Progress::default(), CancellationToken::new(), projection.model());
        let runner = Runner { pool: pool.clone(), subscription: None, progress: progress.clone(), owner: Uuid::now_v7() };
        Running { task: tokio::spawn(runner.run(projection, stop.clone())), progress, model, stop }
    }

    async fn reaches(&self, position: u64) {
        let reached = self.progress.reach(self.model, position, Instant::now() + PATIENCE).await;
        reached.unwrap_or_else(|late| panic!("{} doesn't reach {position}: {late:?}", self.model));
    }

    async fn stop(self) {
        self.stop.cancel();
        within("the runner stops", self.task).await.expect("the runner didn't panic");
    }

    /// Ends it at once, as a crash does, and waits until its connection is gone.
    async fn crash(self, pool: &PgPool) {
        self.task.abort();
        let _ = self.task.await;
        eventually("nothing is left of its transaction", || async {
            let open: Option<i64> = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
            )
            .fetch_one(pool)
            .await
            .ok();
            open == Some(0)
        })
        .await;
    }
}

fn outage() -> HandlerError {
    HandlerError::Database { operation: "reach the database", source: sqlx::Error::PoolTimedOut }
}

async fn wallets(pool: &PgPool) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from wallets").fetch_one(pool).await?)
}

async fn stored(pool: &PgPool, model: Model) -> Result<u64> {
    Ok(checkpoint::load(pool, model.reader()).await?.map_or(0, |checkpoint| checkpoint.position))
}

async fn parked(pool: &PgPool, model: Model) -> Result<Vec<(i64, Option<String>)>> {
    let rows = sqlx::query_as("select position, error from parked_events where projection = $1 order by position");
    Ok(rows.bind(model.name()).fetch_all(pool).await?)
}

fn people(count: usize) -> Vec<Told> {
    (0..count).flat_map(|_| signed_up(AccountId::new())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_leaves_rows_and_checkpoint_as_they_were_and_is_tried_again() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(5)).await;
    let (failing, failures) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let projection = Disturbed::new(Model::Wallets, {
        let (failing, failures) = (failing.clone(), failures.clone());
        move |_| {
            let fails = failing.load(Ordering::SeqCst);
            failures.fetch_add(usize::from(fails), Ordering::SeqCst);
            async move { if fails { Err(outage()) } else { Ok(()) } }.boxed()
        }
    });
    let running = Running::start(&db.pool, projection);
    eventually("it was tried three times", || async { failures.load(Ordering::SeqCst) >= 3 }).await;
    assert_eq!((wallets(&db.pool).await?, stored(&db.pool, Model::Wallets).await?), (0, 0));
    assert_eq!(parked(&db.pool, Model::Wallets).await?, [], "an outage is no event's fault");
    failing.store(false, Ordering::SeqCst);
    running.reaches(last).await;
    assert_eq!((wallets(&db.pool).await?, stored(&db.pool, Model::Wallets).await?), (5, last));
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_batch_changes_nothing_and_the_next_owner_goes_on() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(5)).await;
    let written = Arc::new(Notify::new());
    let projection = Disturbed::new(Model::Wallets, {
        let written = written.clone();
        move |_| {
            written.notify_one();
            std::future::pending().boxed()
        }
    });
    let running = Running::start(&db.pool, projection);
    within("the batch is written, but not committed", written.notified()).await;
    running.crash(&db.pool).await;
    assert_eq!((wallets(&db.pool).await?, stored(&db.pool, Model::Wallets).await?), (0, 0));
    let running = Running::start(&db.pool, real(Model::Wallets));
    running.reaches(last).await;
    assert_eq!(wallets(&db.pool).await?, 5);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_after_the_checkpoint() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let first = story.tell(&people(5)).await;
    let running = Running::start(&db.pool, real(Model::Wallets));
    running.reaches(first).await;
    running.stop().await;
    let last = story.tell(&people(3)).await;
    let lowest = Arc::new(AtomicU64::new(u64::MAX));
    let projection = Disturbed::new(Model::Wallets, {
        let lowest = lowest.clone();
        move |events| {
            lowest.fetch_min(events[0].position, Ordering::SeqCst);
            async { Ok(()) }.boxed()
        }
    });
    let running = Running::start(&db.pool, projection);
    running.reaches(last).await;
    assert!(lowest.load(Ordering::SeqCst) > first, "nothing comes twice");
    assert_eq!(wallets(&db.pool).await?, 8);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runners_one_works_and_the_other_takes_over() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let (first, second) = (TestReading::start(&db, None).await, TestReading::start(&db, None).await);
    let last = story.tell(&people(50)).await;
    first.reaches(last).await;
    second.reaches(last).await; // by the stored checkpoints
    assert_verified(&db.pool).await;
    first.stop().await;
    let last = story.tell(&people(50)).await;
    second.reaches(last).await;
    assert_verified(&db.pool).await;
    second.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_from_jetstream_and_from_postgres_while_it_is_away() -> Result<()> {
    let db = TestDb::new().await;
    let mut nats = TestNats::start().await;
    let mut relay = TestRelay::start(&db, &nats).await;
    let mut story = Story::new(&db, 1, 2).await;
    let reading = TestReading::start(&db, Some(&nats)).await;
    let last = story.tell(&people(100)).await;
    relay.has_published(last).await;
    reading.reaches(last).await;
    nats.kill();
    let last = story.tell(&people(100)).await;
    reading.reaches(last).await;
    nats.restart();
    let last = story.tell(&people(100)).await;
    relay.has_published(last).await;
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    relay.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cant_follow_parks_its_stream_and_no_other() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 4).await;
    let reading = TestReading::start(&db, None).await;
    let kim = AccountId::new();
    let broken = story.performance;
    let mut events = story.on_sale();
    events.push(story.held(HoldId::new(), &[kim], &[0]));
    let impossible = story.tell(&events).await + 1;
    let again = [story.held(HoldId::new(), &[kim], &[0, 1]), story.held(HoldId::new(), &[kim], &[2])];
    story.turn_to_another_show();
    let mut events = again.to_vec();
    events.extend(story.on_sale());
    events.push(story.held(HoldId::new(), &[kim], &[3]));
    let last = story.tell(&events).await;
    reading.reaches(last).await;
    let impossible = i64::try_from(impossible)?;
    let stopped = parked(&db.pool, Model::SeatMap).await?;
    let error = format!("event {impossible} doesn't fit: seat 0 is in state 1, which can't become 1");
    assert_eq!(stopped, [(impossible, Some(error)), (impossible + 1, None)]);
    let states = async |performance: PerformanceId| {
        let states = sqlx::query_scalar::<_, String>("select states from seat_map_chunks where performance_id = $1");
        states.bind(performance.0).fetch_one(&db.pool).await
    };
    assert_eq!(states(broken).await?, "1000", "as before the event that can't be");
    assert_eq!(states(story.performance).await?, "0001", "the other show goes on");
    let health = reading.get("/readyz").await;
    let check = &health.body["checks"]["projection:seat_map"];
    assert_eq!((health.status.as_u16(), &check["ok"]), (200, &Value::Bool(true)));
    assert!(check["detail"].as_str().is_some_and(|detail| detail.ends_with("1 streams are parked")), "{check}");
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cant_be_read_parks_its_stream() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(3)).await;
    // Of three people, each with two events, the second one's wallet was written by a newer program.
    sqlx::query("update events set event_type = 'WalletBlessed' where position = 4").execute(&db.pool).await?;
    let reading = TestReading::start(&db, None).await;
    reading.reaches(last).await;
    assert_eq!(wallets(&db.pool).await?, 2);
    let stopped = parked(&db.pool, Model::Wallets).await?;
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0].0 == 4 && stopped[0].1.as_ref().is_some_and(|error| error.contains("WalletBlessed")), "{stopped:?}");
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_streams_are_tried_again_by_the_next_owner_in_their_order() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let (kim, lee) = (AccountId::new(), AccountId::new());
    let mut events = signed_up(kim);
    events.extend(signed_up(lee));
    events.push(socketing_tests::story::role_granted(kim, socketing_domain::account::Role::Operator));
    let last = story.tell(&events).await;
    let broken = Disturbed::new(Model::Accounts, move |events| {
        let mine = events.iter().find(|event| event.stream == StreamId::Account(kim));
        let misfit = mine.map(|event| HandlerError::Misfit { position: event.position, detail: "not today".into() });
        async move { misfit.map_or(Ok(()), Err) }.boxed()
    });
    let running = Running::start(&db.pool, broken);
    running.reaches(last).await;
    running.stop().await;
    let roles = async || -> Result<Vec<(Uuid, String)>> {
        Ok(sqlx::query_as("select account_id, role from account_roles order by role desc").fetch_all(&db.pool).await?)
    };
    let positions: Vec<i64> = parked(&db.pool, Model::Accounts).await?.into_iter().map(|(position, _)| position).collect();
    assert_eq!(positions, [1, 5], "the first event, and what follows in its stream");
    assert_eq!(roles().await?, [(lee.0, "fan".to_owned())]);
    // The mended program.
    let running = Running::start(&db.pool, real(Model::Accounts));
    running.reaches(last).await;
    assert_eq!(parked(&db.pool, Model::Accounts).await?, []);
    assert_eq!(roles().await?, [(kim.0, "operator".to_owned()), (lee.0, "fan".to_owned())]);
    running.stop().await;
    assert_eq!(roles().await?.len(), 2);
    Ok(())
}

async fn is_ready(reading: &TestReading, model: Model) -> (bool, String) {
    let health = reading.get("/readyz").await;
    let check = &health.body["checks"][model.reader()];
    (check["ok"].as_bool().unwrap_or(false), check["detail"].as_str().unwrap_or_default().to_owned())
}

async fn raises_an_alarm(reading: &TestReading, about: &str) {
    eventually("every projection stands still and says why", || async {
        let mut all = true;
        for model in Model::ALL {
            let (ok, detail) = is_ready(reading, model).await;
            all &= !ok && detail.contains(about);
        }
        all
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_stops_the_projections_until_they_are_rebuilt() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let reading = TestReading::start(&db, None).await;
    let last = story.tell(&people(3)).await;
    reading.reaches(last).await;
    reading.stop().await;
    // A backup was restored: it has another tail, and is another incarnation.
    sqlx::query("update log_head set incarnation = gen_random_uuid()").execute(&db.pool).await?;
    let last = story.tell(&people(2)).await;
    let reading = TestReading::start(&db, None).await;
    raises_an_alarm(&reading, "another history of the log").await;
    assert_eq!(wallets(&db.pool).await?, 3, "the rows stay as they were");
    let shows = reading.get("/v1/shows").await;
    assert_eq!(shows.problem(), (503, "unavailable"), "and aren't shown as if they were the log's");
    reading.stop().await;
    rebuild_all(&db.pool).await?;
    let reading = TestReading::start(&db, None).await;
    reading.reaches(last).await;
    reading.is_the_fold_of_the_log().await;
    eventually("the alarm is over", || async { is_ready(&reading, Model::Wallets).await.0 }).await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_with_other_events_in_its_place_is_noticed_by_its_hash() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let reading = TestReading::start(&db, None).await;
    let last = story.tell(&people(3)).await;
    reading.reaches(last).await;
    for model in Model::ALL {
        stored_checkpoint_reaches(&db.pool, model, last).await;
    }
    reading.stop().await;
    sqlx::query("update events set payload = replace(payload::text, '500000', '500001')::json where position = $1")
        .bind(i64::try_from(last)?)
        .execute(&db.pool)
        .await?;
    let reading = TestReading::start(&db, None).await;
    raises_an_alarm(&reading, "isn't the one that the reader saw").await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_projection_folds_the_log_anew_and_an_older_program_leaves_its_tables_alone() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(4)).await;
    let running = Running::start(&db.pool, real(Model::Wallets));
    running.reaches(last).await;
    running.stop().await;
    sqlx::query("update wallets set balance = 1").execute(&db.pool).await?;
    let changed = Arc::new(Disturbed { inner: real(Model::Wallets), version: 2, afterwards: Box::new(|_| async { Ok(()) }.boxed()) });
    let running = Running::start(&db.pool, changed);
    running.reaches(last).await;
    running.stop().await;
    let balances: Vec<i64> = sqlx::query_scalar("select balance from wallets").fetch_all(&db.pool).await?;
    assert_eq!(balances, [500_000; 4]);
    let older = Running::start(&db.pool, real(Model::Wallets));
    eventually("the older program says why it stands still", || async {
        let alarm: Option<String> =
            sqlx::query_scalar("select alarm from projections where name = 'wallets'").fetch_one(&db.pool).await.unwrap_or(None);
        alarm.is_some_and(|alarm| alarm == "the tables are of version 2, this program writes version 1")
    })
    .await;
    story.tell(&people(1)).await;
    assert_eq!(wallets(&db.pool).await?, 4);
    older.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_noticed_by_the_running_projection() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(4)).await;
    let reading = TestReading::start(&db, None).await;
    reading.reaches(last).await;
    sqlx::query("update wallets set balance = 1").execute(&db.pool).await?;
    rebuild(&db.pool, &*real(Model::Wallets)).await?;
    // Nothing new happens in the log: it has to notice by itself.
    eventually("the rows are folded anew", || async {
        let rows: Result<Vec<i64>, _> = sqlx::query_scalar("select balance from wallets").fetch_all(&db.pool).await;
        rows.is_ok_and(|rows| rows == [500_000; 4])
    })
    .await;
    stored_checkpoint_reaches(&db.pool, Model::Wallets, last).await;
    reading.is_the_fold_of_the_log().await;
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_rows_without_their_checkpoint() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let reading = TestReading::start(&db, None).await;
    let done = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn({
        let (pool, done) = (db.pool.clone(), done.clone());
        async move {
            let mut looks = 0_u64;
            while !done.load(Ordering::SeqCst) {
                // Each person has two events, the wallet's second: so many wallets, or one position more.
                let row: Option<(i64, i64)> =
                    sqlx::query_as("select (select count(*) from wallets), position from checkpoints where name = 'projection:wallets'")
                        .fetch_optional(&pool)
                        .await?;
                let (wallets, position) = row.unwrap_or((0, 0));
                anyhow::ensure!(wallets == position / 2, "{wallets} wallets at position {position}");
                looks += 1;
            }
            Ok(looks)
        }
    });
    let mut last = 0;
    for _ in 0..60 {
        last = story.tell(&people(7)).await;
    }
    reading.reaches(last).await;
    done.store(true, Ordering::SeqCst);
    assert!(watching.await?? > 0);
    assert_eq!(log::head(&db.pool).await?.position, last);
    reading.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_checkpoint_was_moved_by_another_writes_nothing_twice() -> Result<()> {
    let db = TestDb::new().await;
    let mut story = Story::new(&db, 1, 2).await;
    let last = story.tell(&people(4)).await;
    let (written, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = Disturbed::new(Model::Wallets, {
        let (written, go) = (written.clone(), go.clone());
        move |events| {
            let (written, go, first) = (written.clone(), go.clone(), events[0].position <= 2);
            async move {
                if first {
                    written.notify_one();
                    go.notified().await;
                }
                Ok(())
            }
            .boxed()
        }
    });
    let sleeper = Running::start(&db.pool, slow);
    within("the first batch is written, but not committed", written.notified()).await;
    // Its lease is given to another, as if it had slept too long.
    sqlx::query("update singleton_leases set owner = gen_random_uuid(), epoch = epoch + 1, expires_at = '-infinity'")
        .execute(&db.pool)
        .await?;
    let other = Running::start(&db.pool, real(Model::Wallets));
    go.notify_one();
    other.reaches(last).await;
    assert_eq!((wallets(&db.pool).await?, stored(&db.pool, Model::Wallets).await?), (4, last));
    other.stop().await;
    sleeper.stop().await;
    assert_eq!(parked(&db.pool, Model::Wallets).await?, []);
    Ok(())
}

#[test]
fn every_read_model_has_a_name_of_its_own() -> Result<()> {
    let names: std::collections::BTreeSet<&str> = Model::ALL.iter().map(|model| model.name()).collect();
    assert_eq!(names.len(), Model::ALL.len());
    for projection in projections(&Arc::default()) {
        assert_eq!(projection.model().reader().strip_prefix("projection:").context("a prefix")?, projection.model().name());
        assert!(matches!(projection.streams(), [_, ..]) && matches!(projection.tables(), [_, ..]));
    }
    Ok(())
}
