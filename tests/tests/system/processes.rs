//! What follows from events: wallets, payments, refunds, room for the next; each exactly once, whatever stops in between.

use anyhow::{Context, Result, anyhow};
use socketing_command_api::executor::{Executor, Request};
use socketing_command_api::payments::Payments;
use socketing_command_api::processes;
use socketing_domain::event::Actor;
use socketing_domain::performance::{Command as Seats, Means};
use socketing_domain::show::Policies;
use socketing_domain::unit::{Command, Unit, UnitId};
use socketing_domain::{AccountId, BookingId, PaymentId, RefundId, account, wallet};
use socketing_tests::eventually;
use socketing_tests::stage::{PRICE, Stage};
use sqlx::PgPool;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long people may have no page open: nobody has one here.
const GRACE: Duration = Duration::from_secs(3_600);

/// The process managers, without JetStream: they read the log from Postgres.
pub(crate) struct Processes {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl Processes {
    pub(crate) fn start(stage: &Stage, payments: Payments) -> Processes {
        let stopping = CancellationToken::new();
        let task = tokio::spawn(processes::run(stage.db.pool.clone(), None, stage.executor.clone(), payments, GRACE, stopping.clone()));
        Processes { stopping, task }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.stopping.cancel();
        Ok(self.task.await?)
    }

    /// Stops them wherever they are.
    pub(crate) async fn crash(self, stage: &Stage) -> Result<()> {
        self.task.abort();
        _ = self.task.await;
        // An aborted owner's lease runs out by itself; the next one needn't wait for that here.
        sqlx::query("update singleton_leases set expires_at = '-infinity'").execute(&stage.db.pool).await?;
        Ok(())
    }
}

/// Someone who signed up and is inside.
pub(crate) async fn person(stage: &Stage) -> Result<AccountId> {
    let account = stage.fan().await?;
    let open = Command::Account(account::Command::OpenAccount { account });
    by_system(stage, UnitId::Account(account), open).await?;
    Ok(account)
}

/// Has the system carry out a command, under a key that only tests use.
async fn by_system(stage: &Stage, unit: UnitId, command: Command) -> Result<()> {
    let (actor, key) = (Actor::System("accounts"), "by hand".to_owned());
    let request = Request { unit, command, actor, key, traceparent: None, causation: None };
    stage.executor.execute(request).await.map(drop).map_err(|rejected| anyhow!("a command to {unit}: {rejected}"))
}

pub(crate) async fn balance(executor: &Executor, account: AccountId) -> Option<i64> {
    let look = |unit: &Unit| match unit {
        Unit::Wallet(wallet) => wallet.balance().map(socketing_domain::Won::get),
        _ => None,
    };
    executor.inspect(UnitId::Wallet(account), look).await.ok().flatten()
}

async fn has_balance(stage: &Stage, account: AccountId, won: i64) {
    eventually(&format!("the wallet holds {won} won"), || async { balance(&stage.executor, account).await == Some(won) }).await;
}

/// Holds and books seats.
pub(crate) async fn book(stage: &Stage, account: AccountId, seats: &[u32]) -> Result<BookingId> {
    let (hold, _) = stage.hold(account, seats).await?;
    let booking = BookingId::new();
    let command = Command::Performance(Seats::Book { booking, hold });
    stage.send(Actor::Account(account), &booking.to_string(), command).await?;
    Ok(booking)
}

async fn pay(stage: &Stage, account: AccountId, booking: BookingId) -> Result<PaymentId> {
    pay_by(stage, account, booking, Means::Socketpay).await
}

pub(crate) async fn pay_by(stage: &Stage, account: AccountId, booking: BookingId, method: Means) -> Result<PaymentId> {
    let payment = PaymentId::new();
    let command = Command::Performance(Seats::Pay { payment, booking, method });
    stage.send(Actor::Account(account), &payment.to_string(), command).await?;
    Ok(payment)
}

pub(crate) async fn count(pool: &PgPool, event_type: &str) -> i64 {
    sqlx::query_scalar("select count(*) from events where event_type = $1").bind(event_type).fetch_one(pool).await.unwrap_or(-1)
}

pub(crate) async fn happened(stage: &Stage, event_type: &str, times: i64) {
    let pool = &stage.db.pool;
    eventually(&format!("{event_type} happens {times} times"), || async move { count(pool, event_type).await == times }).await;
}

/// The statements that a test keeps waiting by an advisory lock of its database.
pub(crate) const WAITING: &str = "from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database())";

/// Whether so many statements are being kept waiting.
pub(crate) async fn statements_wait(pool: &PgPool, count: i64) -> bool {
    let waiting = sqlx::query_scalar::<_, i64>(&format!("select count(*) {WAITING}")).fetch_one(pool).await;
    waiting.is_ok_and(|waiting| waiting == count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_paid_once_and_makes_room() -> Result<()> {
    let stage = Stage::new(4, 10, Policies::default()).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    let fan = person(&stage).await?;
    let booking = book(&stage, fan, &[1, 2]).await?;
    pay(&stage, fan, booking).await?;
    happened(&stage, "SeatsSold", 1).await;
    happened(&stage, "EntryDeparted", 1).await;
    has_balance(&stage, fan, 500_000 - 2 * PRICE).await;
    processes.stop().await?;
    assert_eq!(count(&stage.db.pool, "WalletCharged").await, 1);
    Ok(())
}

/// What a wallet was asked for, in turn, and whether it was accepted.
async fn asked(stage: &Stage, account: AccountId) -> Result<Vec<(String, bool)>> {
    let asked =
        sqlx::query_as("select command, status < 400 from command_log where unit = $1 and unit_kind = 'wallet' order by command_id");
    Ok(asked.bind(account.0).fetch_all(&stage.db.pool).await?)
}

/// Whoever opened it, and under whatever key: nobody asks to open it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_is_open_is_charged_by_one_command() -> Result<()> {
    let stage = Stage::new(4, 10, Policies::default()).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    let fan = stage.fan().await?;
    by_system(&stage, UnitId::Wallet(fan), Command::Wallet(wallet::Command::OpenWallet { account: fan })).await?;
    let booking = book(&stage, fan, &[1]).await?;
    pay(&stage, fan, booking).await?;
    happened(&stage, "SeatsSold", 1).await;
    processes.stop().await?;
    assert_eq!(asked(&stage, fan).await?, [("open_wallet".to_owned(), true), ("charge".to_owned(), true)]);
    Ok(())
}

/// The policy that opens wallets may be slower than who pays: here it never comes.
#[tokio::test(flavor = "multi_thread")]
async fn who_pays_before_the_wallet_is_open_is_charged_once() -> Result<()> {
    let stage = Stage::new(4, 10, Policies::default()).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    let fan = stage.fan().await?;
    let booking = book(&stage, fan, &[1]).await?;
    pay(&stage, fan, booking).await?;
    happened(&stage, "SeatsSold", 1).await;
    has_balance(&stage, fan, 500_000 - PRICE).await;
    processes.stop().await?;
    assert_eq!(asked(&stage, fan).await?, [("charge".to_owned(), false), ("open_wallet".to_owned(), true), ("charge".to_owned(), true)]);
    assert_eq!(count(&stage.db.pool, "WalletCharged").await, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_little_keeps_the_booking_and_the_money() -> Result<()> {
    let stage = Stage::new(4, 30, Policies { seats_per_person: 20, ..Policies::default() }).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    let fan = person(&stage).await?;
    let booking = book(&stage, fan, &(0..11).collect::<Vec<_>>()).await?;
    pay(&stage, fan, booking).await?;
    happened(&stage, "PaymentFailed", 1).await;
    has_balance(&stage, fan, 500_000).await;
    processes.stop().await?;
    assert_eq!(count(&stage.db.pool, "SeatsSold").await + count(&stage.db.pool, "WalletCharged").await, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_is_refunded_once() -> Result<()> {
    let stage = Stage::new(4, 10, Policies::default()).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    let fan = person(&stage).await?;
    let booking = book(&stage, fan, &[5]).await?;
    pay(&stage, fan, booking).await?;
    happened(&stage, "SeatsSold", 1).await;
    for key in ["cancel", "cancel", "cancel-again"] {
        let cancel = Command::Performance(Seats::Cancel { booking, refund: RefundId(booking.0) });
        stage.send(Actor::Account(fan), key, cancel).await.context("cancelling again changes nothing")?;
    }
    happened(&stage, "RefundCompleted", 1).await;
    has_balance(&stage, fan, 500_000).await;
    processes.stop().await?;
    assert_eq!((count(&stage.db.pool, "RefundDue").await, count(&stage.db.pool, "WalletRefunded").await), (1, 1));
    Ok(())
}

/// Stopped while a charge is under way: the checkpoint stands before its payment, so whoever is next tells the performance.
#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_waits_for_what_follows() -> Result<()> {
    let stage = Stage::new(4, 10, Policies::default()).await?;
    let pool = &stage.db.pool;
    let fan = person(&stage).await?;
    let booking = book(&stage, fan, &[1]).await?;
    // Whoever commits a charge waits for this test.
    sqlx::raw_sql(
        "create function wait_for_test() returns trigger language plpgsql as
             $$ begin perform pg_advisory_xact_lock(4712); return new; end $$;
         create trigger wait_for_test before insert on events for each row
             when (new.event_type = 'WalletCharged') execute function wait_for_test()",
    )
    .execute(pool)
    .await?;
    let mut blocker = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(4712)").execute(&mut *blocker).await?;
    let processes = Processes::start(&stage, Payments::without_cards());
    pay(&stage, fan, booking).await?;
    eventually("the charge is being committed", || statements_wait(pool, 1)).await;
    let passed: bool = sqlx::query_scalar(
        "select exists (select from checkpoints where name = 'processes' and position >=
             (select position from events where event_type = 'PaymentStarted'))",
    )
    .fetch_one(pool)
    .await?;
    assert!(!passed, "the checkpoint has passed a payment that isn't settled");
    processes.crash(&stage).await?;
    blocker.rollback().await?;
    happened(&stage, "WalletCharged", 1).await;
    assert_eq!(count(pool, "SeatsSold").await, 0, "nobody has told the performance");

    let processes = Processes::start(&stage, Payments::without_cards());
    happened(&stage, "SeatsSold", 1).await;
    let caught_up = "select position = (select position from log_head) from checkpoints where name = 'processes'";
    eventually("everything was followed", || async { sqlx::query_scalar::<_, bool>(caught_up).fetch_one(pool).await.unwrap_or(false) })
        .await;
    processes.stop().await?;
    assert_eq!(count(pool, "WalletCharged").await, 1);
    Ok(())
}

/// The process managers are stopped and started again and again, while people pay: everybody who is charged has seats,
/// everybody who has seats was charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_survive_process_managers_that_come_and_go() -> Result<()> {
    const FANS: i64 = 40;
    let stage = Stage::new(10, 10, Policies::default()).await?;
    let come_and_go = async {
        while count(&stage.db.pool, "SeatsSold").await < FANS {
            let before = count(&stage.db.pool, "WalletCharged").await;
            let processes = Processes::start(&stage, Payments::without_cards());
            let pool = &stage.db.pool;
            // Stopped wherever it is, as soon as it has got anywhere.
            eventually("a payment gets on", || async move {
                count(pool, "WalletCharged").await > before || count(pool, "SeatsSold").await == FANS
            })
            .await;
            processes.crash(&stage).await?;
        }
        anyhow::Ok(())
    };
    let everybody_pays = async {
        for seat in 0..FANS as u32 {
            let fan = person(&stage).await?;
            let booking = book(&stage, fan, &[seat]).await?;
            pay(&stage, fan, booking).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(come_and_go, everybody_pays)?;
    let (charged, once): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct payload->'WalletCharged'->>'payment') from events where event_type = 'WalletCharged'",
    )
    .fetch_one(&stage.db.pool)
    .await?;
    assert_eq!((charged, once, count(&stage.db.pool, "SeatsSold").await), (FANS, FANS, FANS));
    Ok(())
}
