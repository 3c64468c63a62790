//! A performance on sale, on a real log: what tests of the write side start from.

use crate::TestDb;
use anyhow::{Context, Result, anyhow};
use socketing_command_api::executor::{Done, Executor, Rejected, Request};
use socketing_command_api::plans::PlanStore;
use socketing_domain::event::Actor;
use socketing_domain::plan::{Area, Category, Plan, PlanHash, Point, Row, Seat, SeatKind};
use socketing_domain::show::{CategoryPrice, Policies};
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::{
    AccountId, Clock, EntryId, HoldId, PerformanceId, SeatIndex, ShowId, SystemClock, Timestamp, Won, performance, waiting_room,
};
use sqlx::PgPool;
use std::sync::Arc;
use uuid::Uuid;

/// The price of every seat of [`small_plan`].
pub const PRICE: i64 = 50_000;

/// A plan of one area with so many rows of so many seats, without aisles, in one category.
#[must_use]
pub fn small_plan(rows: u32, seats_per_row: u32) -> Plan {
    let seat = |row: u32, nth: u32| {
        let index = row * seats_per_row + nth;
        Seat {
            id: format!("seat-{index}"),
            number: (nth + 1).to_string(),
            row,
            category: 0,
            position: Point { x: nth as f32 * 20.0, y: row as f32 * 25.0 },
            kind: SeatKind::Standard,
            left: (nth > 0).then(|| SeatIndex(index - 1)),
            right: (nth + 1 < seats_per_row).then_some(SeatIndex(index + 1)),
        }
    };
    Plan {
        name: "Small hall".into(),
        categories: vec![Category { name: "R".into(), color: "#aa3344".into() }],
        areas: vec![Area { name: "Floor".into(), outline: Vec::new(), price: None }],
        rows: (0..rows).map(|row| Row { area: 0, name: (row + 1).to_string() }).collect(),
        seats: (0..rows).flat_map(|row| (0..seats_per_row).map(move |nth| seat(row, nth))).collect(),
        shapes: Vec::new(),
        size: Point { x: 1_000.0, y: 1_000.0 },
        ..Plan::default()
    }
}

/// Stores a plan as the API would.
///
/// # Errors
/// The database's.
pub async fn import(pool: &PgPool, plan: &Plan) -> Result<PlanHash> {
    let hash = plan.hash();
    sqlx::query("insert into plans (hash, name, seats, plan) values ($1, $2, $3, $4) on conflict do nothing")
        .bind(hash.0.as_slice())
        .bind(&plan.name)
        .bind(plan.seats.len() as i32)
        .bind(sqlx::types::Json(plan))
        .execute(pool)
        .await
        .context("store the plan")?;
    Ok(hash)
}

/// A performance on sale, with an executor that decides it.
pub struct Stage {
    /// The log.
    pub db: TestDb,
    /// What decides.
    pub executor: Executor,
    /// The performance.
    pub performance: PerformanceId,
}

impl Stage {
    /// A performance of a [`small_plan`], on sale since an hour ago.
    ///
    /// # Errors
    /// If any part of it can't be set up.
    pub async fn new(rows: u32, seats_per_row: u32, policies: Policies) -> Result<Stage> {
        Stage::on(TestDb::new().await, rows, seats_per_row, policies).await
    }

    /// The same on a database of the test's own choice.
    ///
    /// # Errors
    /// If any part of it can't be set up.
    pub async fn on(db: TestDb, rows: u32, seats_per_row: u32, policies: Policies) -> Result<Stage> {
        let executor = start_executor(&db.pool, Arc::new(SystemClock)).await?;
        let stage = Stage { db, executor, performance: PerformanceId::new() };
        stage.put_on_sale(&small_plan(rows, seats_per_row), policies).await?;
        Ok(stage)
    }

    async fn put_on_sale(&self, plan: &Plan, policies: Policies) -> Result<()> {
        let hash = import(&self.db.pool, plan).await?;
        let now = SystemClock.now();
        let opened = Timestamp::from_millis(now.as_millis() - 3_600_000);
        let schedule = performance::Command::Schedule {
            show: ShowId::new(),
            plan: hash,
            starts_at: now.plus_seconds(86_400),
            sale_opens_at: opened,
            prices: vec![CategoryPrice { category: "R".into(), price: Won::new(PRICE).context("a price")? }],
            policies,
        };
        self.system(Command::Performance(schedule)).await?;
        let open = waiting_room::Command::OpenLine {
            show: ShowId::new(),
            sale_opens_at: opened,
            capacity: policies.capacity,
            session_seconds: policies.session_seconds,
            rules: policies.line,
        };
        self.system(Command::Line(open)).await?;
        Ok(())
    }

    /// Stops the executor and starts another on the same log, as a restart does.
    ///
    /// # Errors
    /// If it can't start.
    pub async fn restart(&mut self) -> Result<()> {
        self.executor.stop().await;
        self.executor = start_executor(&self.db.pool, Arc::new(SystemClock)).await?;
        Ok(())
    }

    /// The performance's unit.
    #[must_use]
    pub const fn unit(&self) -> UnitId {
        UnitId::Performance(self.performance)
    }

    /// Sends a command of the performance.
    ///
    /// # Errors
    /// What the executor rejects it with.
    pub async fn send(&self, actor: Actor, key: &str, command: Command) -> Result<Done, Rejected> {
        let request = Request { unit: self.unit(), command, actor, key: key.to_owned(), traceparent: None, causation: None };
        self.executor.execute(request).await
    }

    async fn system(&self, command: Command) -> Result<Done> {
        let key = Uuid::now_v7().to_string();
        self.send(Actor::System("test"), &key, command).await.map_err(|rejected| anyhow!("set-up: {rejected}"))
    }

    /// A person who is inside.
    ///
    /// # Errors
    /// If they can't join the line.
    pub async fn fan(&self) -> Result<AccountId> {
        let account = AccountId::new();
        let join = Command::Line(waiting_room::Command::JoinQueue { entry: EntryId::new(), party: None });
        self.send(Actor::Account(account), "join", join).await.map_err(|rejected| anyhow!("join: {rejected}"))?;
        Ok(account)
    }

    /// Asks for seats with a new hold's id and a key of its own.
    ///
    /// # Errors
    /// What the executor rejects it with.
    pub async fn hold(&self, account: AccountId, seats: &[u32]) -> Result<(HoldId, Done), Rejected> {
        let hold = HoldId::new();
        let done = self.send(Actor::Account(account), &hold.to_string(), hold_seats(hold, seats)).await?;
        Ok((hold, done))
    }
}

/// The command that holds these seats.
#[must_use]
pub fn hold_seats(hold: HoldId, seats: &[u32]) -> Command {
    Command::Performance(performance::Command::HoldSeats { hold, seats: seats.iter().copied().map(SeatIndex).collect() })
}

/// An executor on this log, once it owns every shard.
///
/// # Errors
/// If it can't start, or another keeps the shards for longer than a lease lives.
pub async fn start_executor(pool: &PgPool, clock: Arc<dyn Clock>) -> Result<Executor> {
    let executor = Executor::start(pool.clone(), PlanStore::new(pool.clone()), clock, "test").await?;
    crate::eventually("the executor owns every shard", || async { executor.shards_owned() == 128 }).await;
    Ok(executor)
}
