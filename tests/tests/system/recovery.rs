//! A unit's state from the log, with and without a snapshot: always what all its events make.

use anyhow::{Context, Result};
use socketing_command_api::executor::{Rejected, Request};
use socketing_command_api::snapshots;
use socketing_domain::account::{self, Role};
use socketing_domain::event::{Actor, Event, StreamId};
use socketing_domain::performance::{self, Release};
use socketing_domain::plan::PlanHash;
use socketing_domain::show::{CategoryPrice, Policies};
use socketing_domain::unit::{Command, Unit, UnitId};
use socketing_domain::{
    AccountId, EntryId, HoldId, PartyId, PerformanceId, SeatIndex, ShowId, Timestamp, Won, party, waiting_room, wallet,
};
use socketing_event_store::load::{self, Loaded};
use socketing_event_store::{PgPool, StoreError, command_log, log, snapshot};
use socketing_tests::proxy::host_and_port;
use socketing_tests::stage::{Stage, hold_seats};
use socketing_tests::{FaultProxy, TestDb, TestLog, eventually, within};
use std::io;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

/// Seats of [`Busy`]'s hall.
const SEATS: u32 = 500;

/// A performance whose seats, line and parties are busy at once, and others beside it.
struct Busy {
    db: TestDb,
    log: TestLog,
    id: PerformanceId,
    held: Vec<Option<HoldId>>,
    joined: u64,
    steps: u32,
}

impl Busy {
    async fn new() -> Busy {
        let db = TestDb::new().await;
        let mut log = TestLog::new(&db.pool).await;
        let id = PerformanceId::new();
        log.append(&[seats(id, scheduled()), line(id, opened())]).await;
        Busy { db, log, id, held: vec![None; SEATS as usize], joined: 0, steps: 0 }
    }

    /// So many steps, each some events, in streams that take turns.
    async fn goes_on(&mut self, steps: u32) -> u64 {
        let mut events = Vec::new();
        for _ in 0..steps {
            self.steps += 1;
            let seat = self.steps.wrapping_mul(7_919) % SEATS;
            events.push(self.hold_or_release(seat));
            match self.steps % 4 {
                0 => events.push(self.join()),
                1 => events.extend(self.party()),
                2 => events.push(seats(PerformanceId::new(), scheduled())),
                _ => {}
            }
        }
        self.log.append(&events).await
    }

    fn hold_or_release(&mut self, seat: u32) -> (StreamId, Event) {
        let at = SeatIndex(seat);
        seats(
            self.id,
            match self.held[at.at()].take() {
                Some(hold) => performance::Event::HoldReleased { hold, seats: vec![at], reason: Release::Released },
                None => {
                    let (hold, account) = (HoldId::new(), AccountId::new());
                    self.held[at.at()] = Some(hold);
                    performance::Event::SeatsHeld {
                        hold,
                        account,
                        party: None,
                        members: vec![account],
                        seats: vec![at],
                        expires_at: Timestamp::from_millis(1_785_582_000_000),
                        extended: false,
                    }
                }
            },
        )
    }

    fn join(&mut self) -> (StreamId, Event) {
        self.joined += 1;
        let account = AccountId::new();
        line(
            self.id,
            waiting_room::Event::QueueJoined { entry: EntryId::new(), number: self.joined, account, party: None, members: vec![account] },
        )
    }

    fn party(&self) -> [(StreamId, Event); 2] {
        let party = PartyId::new();
        [
            party::Event::PartyFormed {
                party,
                performance: self.id,
                leader: AccountId::new(),
                terms: Default::default(),
                unused_until: None,
            },
            party::Event::FriendInvited { account: AccountId::new() },
        ]
        .map(|event| (StreamId::Party(self.id, party), Event::Party(event)))
    }

    async fn load(&self) -> Result<Loaded> {
        Ok(load::unit(&self.db.pool, UnitId::Performance(self.id)).await?)
    }

    async fn fold(&self) -> Result<Loaded> {
        let head = log::head(&self.db.pool).await?.position;
        Ok(load::unit_at(&self.db.pool, UnitId::Performance(self.id), head).await?)
    }

    async fn take(&self) -> Result<u64> {
        Ok(snapshots::take(self.db.pool.clone(), self.id).await?.context("something happened")?.position)
    }

    /// The state is right though the snapshot isn't used.
    async fn loads_from_the_beginning(&self) -> Result<()> {
        let loaded = self.load().await?;
        assert_eq!(loaded.snapshot, None);
        assert_eq!(loaded, self.fold().await?);
        Ok(())
    }
}

fn seats(id: PerformanceId, event: performance::Event) -> (StreamId, Event) {
    (StreamId::Performance(id), Event::Performance(event))
}

fn line(id: PerformanceId, event: waiting_room::Event) -> (StreamId, Event) {
    (StreamId::WaitingRoom(id), Event::WaitingRoom(event))
}

fn scheduled() -> performance::Event {
    let at = Timestamp::from_millis(1_785_582_000_000);
    performance::Event::PerformanceScheduled {
        show: ShowId::new(),
        plan: PlanHash([7; 32]),
        seats: SEATS,
        starts_at: at.plus_seconds(86_400),
        sale_opens_at: at,
        prices: vec![CategoryPrice { category: "R".into(), price: Won::new(50_000).expect("an amount") }],
        seats_per_person: 4,
        hold_seconds: 120,
        payment_seconds: 300,
        no_orphans: false,
        adjacency: Default::default(),
    }
}

fn opened() -> waiting_room::Event {
    let sale_opens_at = Timestamp::from_millis(1_785_582_000_000);
    let rules = waiting_room::LineRules::original();
    waiting_room::Event::LineOpened { show: ShowId::new(), sale_opens_at, capacity: 100, session_seconds: 900, rules }
}

/// Applies the log's events one after another, read in the plainest way.
async fn plain_fold(pool: &PgPool, id: PerformanceId) -> Result<Unit> {
    let mut unit = Unit::new(UnitId::Performance(id));
    let mut seen = 0;
    loop {
        let page = log::read_after(pool, seen, log::PAGE_EVENTS_MAX).await?;
        let Some(last) = page.last() else { return Ok(unit) };
        seen = last.position;
        for event in page {
            let event = event.decode()?;
            if event.stream.unit() == UnitId::Performance(id) {
                unit.apply(&event.stream, &event.event);
            }
        }
    }
}

/// Streams of several pages each, merged in the log's order; then with snapshots at many places.
#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_what_all_its_events_make_with_and_without_a_snapshot() -> Result<()> {
    let mut busy = Busy::new().await;
    busy.goes_on(6_000).await;
    let loaded = busy.load().await?;
    assert_eq!(loaded.snapshot, None);
    assert_eq!(loaded.unit, plain_fold(&busy.db.pool, busy.id).await?);
    for steps in [0, 1, 3, 2_500, 17] {
        let taken = busy.take().await?;
        busy.goes_on(steps).await;
        let loaded = busy.load().await?;
        assert_eq!(loaded.snapshot, Some(taken));
        assert_eq!(loaded, Loaded { snapshot: Some(taken), ..busy.fold().await? });
        assert_eq!(loaded.unit, plain_fold(&busy.db.pool, busy.id).await?);
    }
    let stored = snapshot::all(&busy.db.pool).await?;
    assert_eq!(stored.len(), 1, "a newer snapshot replaces the older");
    Ok(())
}

#[tokio::test]
async fn a_damaged_snapshot_is_ignored_with_a_warning() -> Result<()> {
    let (warnings, _guard) = Warnings::capture();
    let mut busy = Busy::new().await;
    busy.goes_on(400).await;
    for damage in [
        "update snapshot_parts set bytes = set_byte(bytes, length(bytes) / 2, get_byte(bytes, length(bytes) / 2) # 1)",
        "update snapshot_parts set bytes = substring(bytes from 1 for length(bytes) - 1)",
        "delete from snapshot_parts",
        "update snapshots set recorded_at = recorded_at + interval '1 hour'",
        "update snapshots set checksum = '\\x00'",
    ] {
        busy.take().await?;
        busy.goes_on(20).await;
        assert_eq!(sqlx::query(damage).execute(&busy.db.pool).await?.rows_affected(), 1, "{damage}");
        busy.loads_from_the_beginning().await?;
        assert!(warnings.take().contains("a snapshot is ignored"), "after {damage}");
        busy.take().await?; // replaces it
        warnings.take();
        assert!(busy.load().await?.snapshot.is_some());
        assert!(!warnings.take().contains("a snapshot is ignored"));
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_another_fold_version_is_ignored_with_a_warning() -> Result<()> {
    let (warnings, _guard) = Warnings::capture();
    let mut busy = Busy::new().await;
    busy.goes_on(400).await;
    busy.take().await?;
    for table in ["snapshots", "snapshot_parts"] {
        sqlx::query(&format!("update {table} set fold_version = fold_version + 1")).execute(&busy.db.pool).await?;
    }
    busy.goes_on(20).await;
    busy.loads_from_the_beginning().await?;
    assert!(warnings.take().contains("fold version"));
    // While nodes are replaced one by one, each version has its own.
    let taken = busy.take().await?;
    assert_eq!(busy.load().await?.snapshot, Some(taken));
    assert_eq!(snapshot::all(&busy.db.pool).await?.len(), 2);
    Ok(())
}

/// The log lost its end to a restore or a failover, and has other events there now, or none yet.
#[tokio::test]
async fn a_snapshot_that_does_not_fit_the_log_is_ignored_with_a_warning() -> Result<()> {
    let (warnings, _guard) = Warnings::capture();
    let mut busy = Busy::new().await;
    let kept = busy.goes_on(400).await;
    let (held, joined, steps) = (busy.held.clone(), busy.joined, busy.steps);
    busy.goes_on(50).await;
    let taken = busy.take().await?;
    sqlx::query("delete from events where position > $1").bind(kept as i64).execute(&busy.db.pool).await?;
    sqlx::query("update log_head set position = $1").bind(kept as i64).execute(&busy.db.pool).await?;
    busy.loads_from_the_beginning().await?;
    assert!(warnings.take().contains("doesn't fit the log"));

    busy.log = TestLog::going_on(&busy.db.pool).await;
    (busy.held, busy.joined, busy.steps) = (held, joined, steps);
    assert!(busy.goes_on(60).await > taken, "the log has grown past it");
    busy.loads_from_the_beginning().await?;
    assert!(warnings.take().contains("doesn't fit the log"));
    Ok(())
}

/// A log that lacks an event in the middle is damaged: nobody may decide on what is left.
#[tokio::test]
async fn a_gap_in_a_stream_is_an_error() -> Result<()> {
    let mut busy = Busy::new().await;
    busy.goes_on(50).await;
    sqlx::query("delete from events where aggregate_type = 'performance' and aggregate_id = $1 and sequence = 20")
        .bind(busy.id.to_string())
        .execute(&busy.db.pool)
        .await?;
    let loaded = load::unit(&busy.db.pool, UnitId::Performance(busy.id)).await;
    assert!(matches!(loaded, Err(StoreError::Gap { expected: 20, found: 21, .. })), "{loaded:?}");
    Ok(())
}

fn person(account: AccountId, grants: usize) -> Vec<(StreamId, Event)> {
    let of = |event| (StreamId::Account(account), Event::Account(event));
    let roles = [Role::Organiser, Role::Operator].into_iter().cycle().take(grants);
    let opened = account::Event::AccountOpened { account, at: Timestamp::from_millis(1) };
    std::iter::once(of(opened)).chain(roles.map(|role| of(account::Event::RoleGranted { account, role }))).collect()
}

/// One that is long, of several streams or damaged concerns nobody else who is read with it.
#[tokio::test]
async fn short_units_read_together_are_what_each_is_alone() -> Result<()> {
    let db = TestDb::new().await;
    let mut log = TestLog::new(&db.pool).await;
    let [new, busy, nobody, long, damaged] = std::array::from_fn(|_| AccountId::new());
    for (account, grants) in [(new, 0), (busy, 63), (long, 64), (damaged, 1)] {
        log.append(&person(account, grants)).await;
    }
    let broken = "update events set payload = '{}' where aggregate_id = $1 and sequence = 2";
    sqlx::query(broken).bind(damaged.to_string()).execute(&db.pool).await?;
    let hall = UnitId::Performance(PerformanceId::new());
    let [new, busy, nobody, long, damaged] = [new, busy, nobody, long, damaged].map(UnitId::Account);
    let wallet = UnitId::Wallet(AccountId(busy.id())); // the account's id, another stream
    let asked = [damaged, new, hall, busy, long, nobody, wallet, new];
    let read = load::short_units(&mut *db.pool.acquire().await?, &asked).await?;
    for (unit, short) in asked.into_iter().zip(read) {
        match short.map(|short| short.fold()) {
            None => assert!(unit == hall || unit == long, "{unit} is short"),
            Some(Err(error)) => assert!(unit == damaged && matches!(error, StoreError::Decode(_)), "{unit}: {error}"),
            Some(Ok(loaded)) => assert_eq!(loaded, load::unit(&db.pool, unit).await?, "{unit}"),
        }
    }
    Ok(())
}

/// The connection over which units are read together gets no answer, and nobody is told: they are read all the same, and so
/// are those that are wanted later.
#[tokio::test(flavor = "multi_thread")]
async fn units_are_read_though_their_connection_died_silently() -> Result<()> {
    let server = TestDb::new().await;
    let proxy = FaultProxy::start(host_and_port(&server.url)).await;
    let stage = Stage::on(TestDb::on(proxy.url(&server.url)).await, 1, 1, Policies::default()).await?;
    proxy.hold_sync_of("as wanted (wanted_type, wanted_id");
    for _ in 0..2 {
        let account = AccountId::new();
        let open = Request {
            unit: UnitId::Wallet(account),
            command: Command::Wallet(wallet::Command::OpenWallet { account }),
            actor: Actor::System("accounts"),
            key: "open".into(),
            traceparent: None,
            causation: None,
        };
        let opened = within("the wallet is opened", stage.executor.execute(open)).await;
        assert!(opened.is_ok(), "{opened:?}");
        proxy.heal(); // the dead connection's answer would come now, and nobody waits for it
    }
    Ok(())
}

/// A wallet that nobody has in memory any more still knows the keys that it met.
#[tokio::test]
async fn what_a_wallet_was_told_before_a_restart_takes_effect_once() -> Result<()> {
    let mut stage = Stage::new(1, 1, Policies::default()).await?;
    let account = AccountId::new();
    let open = |key: &str| Request {
        unit: UnitId::Wallet(account),
        command: Command::Wallet(wallet::Command::OpenWallet { account }),
        actor: Actor::System("accounts"),
        key: key.to_owned(),
        traceparent: None,
        causation: None,
    };
    let first = stage.executor.execute(open("first")).await.expect("a wallet");
    stage.restart().await?;
    let (again, other) = tokio::join!(stage.executor.execute(open("first")), stage.executor.execute(open("second")));
    let (again, other) = (again.expect("the same answer"), other.expect("it is open already"));
    assert!(again.replayed && again.position == first.position && !other.replayed);
    let mut connection = stage.db.pool.acquire().await?;
    let units = [stage.performance.0, account.0, Uuid::nil()];
    let mut keys = command_log::keys_of_many(&mut connection, &units, 10).await?;
    for (unit, keys) in units.into_iter().zip(&mut keys) {
        let mut alone = command_log::keys(&mut *connection, unit, 10).await?;
        keys.sort_unstable();
        alone.sort_unstable();
        assert_eq!(*keys, alone, "{unit}");
    }
    assert_eq!(keys.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_follower_takes_snapshots_of_what_is_busy_and_replaces_them() -> Result<()> {
    let mut busy = Busy::new().await;
    let stopping = CancellationToken::new();
    let follower = tokio::spawn(snapshots::run(busy.db.pool.clone(), 300, stopping.clone()));
    let mut newest = 0;
    for _ in 0..2 {
        let before = newest;
        busy.goes_on(400).await;
        let pool = &busy.db.pool;
        eventually("a snapshot is taken", || async {
            snapshot::all(pool).await.is_ok_and(|stored| matches!(stored[..], [ref only] if only.position > before))
        })
        .await;
        newest = snapshot::all(pool).await?[0].position;
    }
    stopping.cancel();
    within("the follower stops", follower).await?;
    let stored = snapshot::all(&busy.db.pool).await?;
    assert_eq!(stored.iter().map(|stored| stored.performance).collect::<Vec<_>>(), [busy.id], "the quiet ones beside it have none");
    assert_eq!(busy.load().await?.unit, plain_fold(&busy.db.pool, busy.id).await?);
    Ok(())
}

fn roomy() -> Policies {
    Policies { capacity: 100_000, ..Policies::default() }
}

async fn hold(stage: &Stage, fan: AccountId, seat: u32) -> Result<HoldId, Rejected> {
    Ok(stage.hold(fan, &[seat]).await?.0)
}

async fn taken(stage: &Stage) -> Result<u64> {
    Ok(snapshots::take(stage.db.pool.clone(), stage.performance).await?.context("something happened")?.position)
}

async fn snapshot_is_the_logs_fold(stage: &Stage) -> Result<()> {
    let stored = snapshot::all(&stage.db.pool).await?.pop().context("a snapshot")?;
    let folded = load::unit_at(&stage.db.pool, stage.unit(), stored.position).await?;
    let snapshot = snapshot::read(&stage.db.pool, &stored).await??;
    assert_eq!(Unit::Performance(Box::new(snapshot.hall)), folded.unit);
    Ok(())
}

/// The writer starts from a snapshot and knows everything: what is taken, what was answered, what falls due.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_starts_from_a_snapshot_decides_as_before() -> Result<()> {
    let mut stage = Stage::new(4, 50, Policies { hold_seconds: 2, ..roomy() }).await?;
    let mut fans = Vec::new();
    for _ in 0..60 {
        fans.push(stage.fan().await?);
    }
    let command = hold_seats(HoldId::new(), &[0]);
    let first = stage.send(Actor::Account(fans[0]), "key", command.clone()).await?;
    for (nth, fan) in fans.iter().enumerate().skip(1).take(30) {
        hold(&stage, *fan, nth as u32).await?;
    }
    taken(&stage).await?;
    stage.hold(fans[40], &[40]).await?;
    stage.restart().await?;
    assert!(stage.hold(fans[50], &[0]).await.is_err(), "taken before the snapshot");
    assert!(stage.hold(fans[50], &[40]).await.is_err(), "taken after it");
    let again = stage.send(Actor::Account(fans[0]), "key", command).await?;
    assert!(again.replayed);
    assert_eq!(again.body(), first.body());
    let pool = &stage.db.pool;
    eventually("the holds run out", || async {
        let released = sqlx::query_scalar::<_, i64>("select count(*) from events where event_type = 'HoldReleased'").fetch_one(pool).await;
        released.is_ok_and(|released| released == 32)
    })
    .await;
    taken(&stage).await?;
    snapshot_is_the_logs_fold(&stage).await
}

/// Snapshots are taken again and again while the performance is being sold: each is the log's fold at its position.
#[tokio::test(flavor = "multi_thread")]
async fn snapshots_under_load_are_of_the_committed_log() -> Result<()> {
    let stage = Stage::new(20, 50, roomy()).await?;
    let mut fans = Vec::new();
    for _ in 0..40 {
        fans.push(stage.fan().await?);
    }
    let stop = CancellationToken::new();
    let holding = async {
        for turn in 0..25 {
            let asked = fans.iter().enumerate().map(|(nth, fan)| hold(&stage, *fan, nth as u32 * 25 + turn));
            futures::future::join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        stop.cancel();
        anyhow::Ok(())
    };
    let taking = async {
        while !stop.is_cancelled() {
            taken(&stage).await?;
            snapshot_is_the_logs_fold(&stage).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(holding, taking)?;
    Ok(())
}

/// Postgres refuses a batch, so its decisions never happened, though the writer had them in memory for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_knows_nothing_of_a_batch_that_failed() -> Result<()> {
    let mut stage = Stage::new(2, 50, roomy()).await?;
    let mut fans = Vec::new();
    for _ in 0..20 {
        fans.push(stage.fan().await?);
    }
    sqlx::query("alter table events add constraint poison check (payload #>> '{SeatsHeld,seats,0}' is distinct from '13')")
        .execute(&stage.db.pool)
        .await?;
    let asked = fans.iter().enumerate().map(|(nth, fan)| hold(&stage, *fan, nth as u32));
    let outcomes = futures::future::join_all(asked).await;
    let refused: Vec<usize> = (0..outcomes.len()).filter(|nth| outcomes[*nth].is_err()).collect();
    assert_eq!(refused, [13], "the culprit alone: {outcomes:?}");
    taken(&stage).await?;
    snapshot_is_the_logs_fold(&stage).await?;
    sqlx::query("alter table events drop constraint poison").execute(&stage.db.pool).await?;
    stage.restart().await?;
    stage.hold(fans[13], &[13]).await.context("the seat is free")?;
    assert!(stage.hold(fans[14], &[0]).await.is_err(), "this one isn't");
    let state = load::unit(&stage.db.pool, stage.unit()).await?;
    assert!(state.snapshot.is_some());
    assert_eq!(state.unit, plain_fold(&stage.db.pool, stage.performance).await?);
    Ok(())
}

/// Collects what is logged on this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    fn capture() -> (Warnings, tracing::subscriber::DefaultGuard) {
        let warnings = Warnings::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false).with_writer(warnings.clone()).finish();
        (warnings, tracing::subscriber::set_default(subscriber))
    }

    /// What was logged since the last time.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no test panics here"))).expect("logs are text")
    }
}

impl io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Warnings {
    type Writer = Warnings;

    fn make_writer(&self) -> Warnings {
        self.clone()
    }
}
