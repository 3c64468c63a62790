//! What a benchmark sells: performances of one large plan, with everyone inside before the clock starts.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use socketing_command_api::executor::{Executor, Rejected, Request};
use socketing_domain::event::Actor;
use socketing_domain::plan::PlanHash;
use socketing_domain::show::{self, CategoryPrice, Date, Details, Policies, Text};
use socketing_domain::unit::{Command, UnitId};
use socketing_domain::{AccountId, Clock, EntryId, PerformanceId, ShowId, SystemClock, Timestamp, Won, performance, waiting_room, wallet};
use socketing_tests::stage::{PRICE, import, small_plan};
use sqlx::PgPool;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seats of one performance, and people who want one each.
pub(crate) const SEATS: u32 = 50_000;
const SEATS_PER_ROW: u32 = 200;
/// Commands under way at once while a performance fills.
const COMMANDS_AT_ONCE: usize = 2_048;
/// Holds and visits outlast every run.
const LONG_S: u32 = 43_200;

/// Everything that is on sale, and everyone who buys.
pub(crate) struct Venue {
    pub(crate) people: Vec<AccountId>,
    pub(crate) performances: Vec<PerformanceId>,
    /// Performances that are sold at the same time.
    hot: usize,
    next: AtomicUsize,
}

/// One person's wish: one seat of one performance.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) performance: PerformanceId,
    pub(crate) account: AccountId,
    pub(crate) seat: u32,
}

impl Venue {
    /// So many performances of 50,000 seats on sale, `hot` of them at a time, with 50,000 people inside each.
    pub(crate) async fn prepare(pool: &PgPool, executor: &Executor, performances: usize, hot: usize) -> Result<Venue> {
        let venue = Venue::open(pool, executor, performances, hot).await?;
        for performance in &venue.performances {
            join_all(executor, *performance, &venue.people).await?;
        }
        Ok(venue)
    }

    /// The same with nobody inside yet.
    pub(crate) async fn open(pool: &PgPool, executor: &Executor, performances: usize, hot: usize) -> Result<Venue> {
        let plan = import(pool, &small_plan(SEATS / SEATS_PER_ROW, SEATS_PER_ROW)).await?;
        let people: Vec<AccountId> = (0..SEATS).map(|_| AccountId::new()).collect();
        let mut on_sale = Vec::new();
        for nth in 0..performances {
            let performance = spread(nth);
            put_on_sale(executor, performance, plan, SEATS).await?;
            on_sale.push(performance);
        }
        Ok(Venue { people, performances: on_sale, hot, next: AtomicUsize::new(0) })
    }

    /// Someone's wish, again and again: for what sells nothing.
    pub(crate) fn any_wish(&self) -> Wish {
        Wish { performance: self.performances[0], account: self.people[0], seat: 0 }
    }

    /// The next wish that nobody had yet; `None` when everything is sold out.
    pub(crate) fn wish(&self) -> Option<Wish> {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let group = self.hot * SEATS as usize;
        let (round, within) = (nth / group, nth % group);
        let performance = *self.performances.get(round * self.hot + within % self.hot)?;
        let seat = within / self.hot;
        Some(Wish { performance, account: self.people[seat], seat: seat as u32 })
    }
}

/// A performance's id, such that performances made one after another lie in different shards.
fn spread(nth: usize) -> PerformanceId {
    let mut bytes = *PerformanceId::new().0.as_bytes();
    bytes[15] = nth as u8;
    PerformanceId(uuid::Uuid::from_bytes(bytes))
}

/// Puts a performance on sale whose line lets `capacity` people in.
pub(crate) async fn put_on_sale(executor: &Executor, performance: PerformanceId, plan: PlanHash, capacity: u32) -> Result<()> {
    let (show, now) = (ShowId::new(), SystemClock.now());
    let sale_opens_at = Timestamp::from_millis(now.as_millis() - 3_600_000);
    let policies = Policies { hold_seconds: LONG_S, payment_seconds: LONG_S, session_seconds: LONG_S, capacity, ..Default::default() };
    let rules = waiting_room::LineRules::original();
    let policies = Policies { line: rules, ..policies };
    let prices = vec![CategoryPrice { category: "R".into(), price: Won::new(PRICE).context("a price")? }];
    let starts_at = now.plus_seconds(2 * LONG_S);
    let name = |text: &str| Text { ko: text.to_owned(), en: None };
    let details = Details {
        title: name("벤치마크"),
        venue: name("경기장"),
        plan,
        dates: vec![Date { performance, starts_at }],
        prices: prices.clone(),
        sale_opens_at,
        policies,
    };
    // What the process managers would do once the show is public: they may not be running yet.
    let schedule = performance::Command::Schedule { show, plan, starts_at, sale_opens_at, prices, policies };
    let open = waiting_room::Command::OpenLine { show, sale_opens_at, capacity, session_seconds: LONG_S, rules };
    let (organiser, system) = (Actor::Account(AccountId::new()), Actor::System("bench"));
    let commands = [
        (UnitId::Show(show), organiser, Command::Show(show::Command::CreateShow { show, details })),
        (UnitId::Show(show), organiser, Command::Show(show::Command::PublishShow)),
        (UnitId::Performance(performance), system, Command::Performance(schedule)),
        (UnitId::Performance(performance), system, Command::Line(open)),
    ];
    for (unit, actor, command) in commands {
        let request = Request { unit, ..request(performance, actor, command) };
        executor.execute(request).await.map_err(|rejected| anyhow::anyhow!("putting {performance} on sale: {rejected}"))?;
    }
    Ok(())
}

/// Opens everyone's wallet, as the process managers do at sign-up.
pub(crate) async fn open_wallets(executor: &Executor, people: &[AccountId]) -> Result<()> {
    let opened = stream::iter(people).map(|account| async move {
        let (unit, command) = (UnitId::Wallet(*account), Command::Wallet(wallet::Command::OpenWallet { account: *account }));
        let actor = Actor::System("accounts");
        let request = Request { unit, command, actor, key: "open-wallet".to_owned(), traceparent: None, causation: None };
        let opened = executor.execute(request).await;
        opened.map(drop).map_err(|rejected| anyhow::anyhow!("opening {account}'s wallet: {rejected}"))
    });
    opened.buffer_unordered(COMMANDS_AT_ONCE).try_collect().await
}

/// Has everyone join the line, as many at once as fill the executor's batches.
pub(crate) async fn join_all(executor: &Executor, performance: PerformanceId, people: &[AccountId]) -> Result<()> {
    let joins = stream::iter(people).map(|account| async move {
        let join = Command::Line(waiting_room::Command::JoinQueue { entry: EntryId::new(), party: None });
        match executor.execute(request(performance, Actor::Account(*account), join)).await {
            Ok(_) => Ok(()),
            Err(rejected) => Err(anyhow::anyhow!("joining the line of {performance}: {rejected}")),
        }
    });
    joins.buffer_unordered(COMMANDS_AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// A command with a key of its own.
pub(crate) fn request(performance: PerformanceId, actor: Actor, command: Command) -> Request {
    let key = uuid::Uuid::now_v7().to_string();
    Request { unit: UnitId::Performance(performance), command, actor, key, traceparent: None, causation: None }
}

/// Whether a rejection is the domain's, and not the executor's.
pub(crate) const fn is_refusal(rejected: &Rejected) -> bool {
    matches!(rejected, Rejected::Refused { .. })
}
