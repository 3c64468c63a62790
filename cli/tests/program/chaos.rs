//! Seeded faults against a whole system of real processes, under a sale that never stops: three nodes, projections, a
//! notifier, PostgreSQL and NATS. After each group of faults everything is healed, and then everything must be right: every
//! command is answered, and answered the same again; `verify` is clean; a live map shows what the log says.
//!
//! `SOCKETING_CHAOS_FAULTS` says how many faults, `SOCKETING_TEST_SEED` which. A run that fails keeps its logs and its
//! databases, and says where.

use crate::crowd::{Crowd, Sale, most_holds_by_one_id};
use crate::support::{Launch, Servers, Serving};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use socketing_domain::PerformanceId;
use socketing_tests::live::{LiveClient, SeatHistory, SeatMapView};
use socketing_tests::proxy::host_and_port;
use socketing_tests::{FaultProxy, TestDb, TestNats, TestPostgres, eventually};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Faults, where nobody says how many.
const FAULTS: usize = 20;
/// How many nodes of the command API there are.
const NODES: usize = 3;
/// People at once: few, so that the machine has time for the faults.
const VISITORS: u64 = 6;
/// Performances at once: several, so that every node decides for some.
const PERFORMANCES: usize = 6;
/// Rounds after which other performances go on sale: these are sold out by then.
const ROUNDS_PER_SALE: usize = 12;
/// How far the log goes on before a fault, in events: that is what draws the moment.
const EVENTS_BEFORE: std::ops::Range<i64> = 10..120;
/// How long a fault lasts that lasts: shorter and longer than a node lives without a heartbeat.
const LASTS_MS: std::ops::Range<u64> = 50..4_500;
/// Answers of a round that are asked for again.
const CHECKED_AGAIN: usize = 60;
/// How far the log must go on when everything is healed.
const EVENTS_AFTER: i64 = 30;

/// What a process is connected to.
#[derive(Clone, Copy, PartialEq, Debug)]
enum To {
    Postgres,
    Nats,
}

impl To {
    /// A relay without NATS waits longer than a node without PostgreSQL until another takes its place.
    const fn lasts(self, ms: u64) -> u64 {
        match self {
            To::Postgres => ms,
            To::Nats => 2 * ms,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    Kill {
        member: usize,
    },
    Terminate {
        member: usize,
    },
    Pause {
        member: usize,
        ms: u64,
    },
    /// Its connections are ended, once.
    Cut {
        member: usize,
        to: To,
    },
    /// Its connections are dead for ever, and it isn't told; new ones work.
    Forget {
        member: usize,
        to: To,
    },
    BreakOff {
        member: usize,
        to: To,
        ms: u64,
    },
    Stall {
        member: usize,
        to: To,
        ms: u64,
    },
    CrashPostgres {
        ms: u64,
    },
    KillNats {
        ms: u64,
    },
    EmptyNats,
}

impl Fault {
    fn draw(dice: &mut StdRng, members: usize) -> Fault {
        let member = dice.random_range(0..members);
        let node = dice.random_range(0..NODES);
        let ms = dice.random_range(LASTS_MS);
        let to = if dice.random_bool(0.6) { To::Postgres } else { To::Nats };
        match dice.random_range(0..14) {
            0 | 1 => Fault::Kill { member },
            2 => Fault::Kill { member: node },
            3 => Fault::Terminate { member },
            4 => Fault::Pause { member, ms },
            5 | 6 => Fault::Pause { member: node, ms },
            7 if dice.random_bool(0.5) => Fault::Cut { member, to },
            7 => Fault::Forget { member, to },
            8 => Fault::BreakOff { member, to, ms: to.lasts(ms) },
            9 | 10 => Fault::Stall { member, to, ms: to.lasts(ms) },
            11 | 12 => Fault::CrashPostgres { ms: ms / 4 },
            13 if dice.random_bool(0.5) => Fault::KillNats { ms },
            _ => Fault::EmptyNats,
        }
    }

    /// What it strikes; two faults at once never strike the same.
    fn target(self) -> usize {
        match self {
            Fault::Kill { member } | Fault::Terminate { member } | Fault::Pause { member, .. } => member,
            Fault::Cut { member, .. } | Fault::Forget { member, .. } => member,
            Fault::BreakOff { member, .. } | Fault::Stall { member, .. } => member,
            Fault::CrashPostgres { .. } => usize::MAX,
            Fault::KillNats { .. } | Fault::EmptyNats => usize::MAX - 1,
        }
    }
}

/// A process of the system, and its ways to PostgreSQL and to NATS.
struct Member {
    launch: Launch,
    serving: Serving,
    postgres: FaultProxy,
    nats: FaultProxy,
}

impl Member {
    async fn start(system: &System, name: String, role: &str) -> Member {
        let Servers { db, nats: stream, .. } = &system.servers;
        let postgres = FaultProxy::start(host_and_port(&system.postgres.url)).await;
        let nats = FaultProxy::start(host_and_port(&stream.url)).await;
        let urls = [("SOCKETING_NATS_URL", &stream.url), ("SOCKETING_NATS_RELAY_URL", &stream.relay_url)];
        let more = urls.map(|(variable, url)| (variable.to_owned(), nats.url(url))).into();
        let launch = Launch { name, database_url: postgres.url(&db.url), more, ..system.servers.launch_of(role) };
        let serving = system.servers.launch(&launch);
        Member { launch, serving, postgres, nats }
    }

    fn way(&self, to: To) -> &FaultProxy {
        match to {
            To::Postgres => &self.postgres,
            To::Nats => &self.nats,
        }
    }
}

/// The whole system. Its databases end last.
struct System {
    members: Vec<Member>,
    servers: Servers,
    postgres: TestPostgres,
}

impl System {
    async fn start() -> System {
        let postgres = tokio::task::spawn_blocking(TestPostgres::start).await.expect("start PostgreSQL");
        let (db, nats) = tokio::join!(TestDb::on(postgres.url.clone()), TestNats::start());
        let mut system = System { members: Vec::new(), servers: Servers::with(db, nats), postgres };
        let nodes = (0..NODES).map(|nth| (format!("node-{nth}"), "command-api"));
        for (name, role) in nodes.chain([("projections".to_owned(), "projections"), ("notifier".to_owned(), "notifier")]) {
            let member = Member::start(&system, name, role).await;
            system.members.push(member);
        }
        system.are_ready().await;
        system
    }

    async fn are_ready(&mut self) {
        for member in &mut self.members {
            self.servers.ready(&mut member.serving).await;
        }
    }

    fn url(&self, name: &str) -> &str {
        let found = self.members.iter().find(|member| member.launch.name == name);
        &found.expect("there is such a member").serving.url
    }

    fn nodes(&self) -> Vec<String> {
        self.members.iter().take(NODES).map(|member| member.serving.url.clone()).collect()
    }

    async fn sale(&self) -> Arc<Sale> {
        let policies = json!({ "seats_per_person": 8, "capacity": 10_000, "hold_seconds": 10, "payment_seconds": 10 });
        Arc::new(Sale::open(&self.servers, self.nodes(), PERFORMANCES, &policies).await)
    }

    /// The log's end, while PostgreSQL answers.
    async fn position(&self) -> Option<i64> {
        sqlx::query_scalar("select position from log_head").fetch_one(&self.servers.db.pool).await.ok()
    }

    async fn goes_on(&self, events: i64) {
        let begun = self.position().await.unwrap_or(0);
        eventually("the sale goes on", || async { self.position().await.is_some_and(|now| now >= begun + events) }).await;
    }

    /// Carries a fault out, to where only healing is left.
    async fn strike(&mut self, fault: Fault) {
        let member = self.members.get_mut(fault.target());
        match (fault, member) {
            (Fault::Kill { .. }, Some(member)) => member.serving.kill(),
            (Fault::Terminate { .. }, Some(member)) => {
                member.serving.terminate();
            }
            (Fault::Pause { ms, .. }, Some(member)) => {
                member.serving.process.pause().await;
                sleep(Duration::from_millis(ms)).await;
            }
            (Fault::Cut { to, .. }, Some(member)) => member.way(to).cut(),
            (Fault::Forget { to, .. }, Some(member)) => member.way(to).forsake(),
            (Fault::BreakOff { to, ms, .. }, Some(member)) => {
                member.way(to).break_off();
                sleep(Duration::from_millis(ms)).await;
            }
            (Fault::Stall { to, ms, .. }, Some(member)) => {
                member.way(to).stall();
                sleep(Duration::from_millis(ms)).await;
            }
            (Fault::CrashPostgres { ms }, _) => {
                self.postgres.stop_immediately();
                sleep(Duration::from_millis(ms)).await;
            }
            (Fault::KillNats { ms }, _) => {
                self.servers.nats.kill();
                sleep(Duration::from_millis(ms)).await;
            }
            (Fault::EmptyNats, _) => {
                self.servers.nats.kill();
                self.servers.nats.empty_store();
            }
            (fault, None) => panic!("{fault:?} strikes nobody"),
        }
    }

    async fn heal(&mut self, fault: Fault) {
        let target = fault.target();
        match fault {
            Fault::Kill { .. } | Fault::Terminate { .. } => {
                let member = &mut self.members[target];
                member.serving = self.servers.launch(&member.launch);
            }
            Fault::Pause { .. } => self.members[target].serving.process.resume(),
            Fault::Cut { .. } | Fault::Forget { .. } => {}
            Fault::BreakOff { to, .. } | Fault::Stall { to, .. } => self.members[target].way(to).heal(),
            Fault::CrashPostgres { .. } => self.postgres.start_again(),
            Fault::KillNats { .. } | Fault::EmptyNats => self.servers.nats.restart(),
        }
    }

    /// Everything is as it should be.
    async fn check(&self, sale: &Sale, dice: &mut StdRng) {
        sale.check(CHECKED_AGAIN).await;
        let (code, report) = self.servers.verify("60").await;
        assert_eq!(code, Some(0), "{report:#}");
        assert!(most_holds_by_one_id(&self.servers.db.pool).await <= 1);
        let performance = *sale.performances.choose(dice).expect("there are performances");
        self.live_map_is_right(performance).await;
    }

    async fn live_map_is_right(&self, performance: PerformanceId) {
        let address = self.url("notifier").trim_start_matches("http://").parse().expect("an address");
        let mut view = SeatMapView::default();
        let mut live = LiveClient::open(address, &[]).await.expect("a live connection");
        live.subscribe(1, "seats", performance, None).await.expect("ask for the map");
        loop {
            let message = live.next().await.unwrap_or_else(|error| panic!("the map isn't the log's: {error}"));
            view.take(&message).expect("a message of the map");
            // Read after the message: a timer may let a seat go in between, which the next message says then.
            let truth = SeatHistory::of(&self.servers.db.pool, performance).await.expect("read the log");
            if view.digits == truth.last() {
                return;
            }
        }
    }

    /// Whether the files outlive a failure.
    fn keep_files(&mut self, kept: bool) -> String {
        format!("logs in {}, PostgreSQL in {}", self.servers.keep_logs(kept), self.postgres.keep_files(kept))
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.iter().enumerate().map(|(nth, member)| format!("{nth} {}", member.launch.name)).collect();
        f.write_str(&names.join(", "))
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|value| value.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_survives_seeded_faults() {
    let seed = number("SOCKETING_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    let faults = number("SOCKETING_CHAOS_FAULTS").map_or(FAULTS, |faults| faults as usize);
    let mut dice = StdRng::seed_from_u64(seed);
    let mut system = System::start().await;
    let files = system.keep_files(true);
    println!("SOCKETING_TEST_SEED={seed} SOCKETING_CHAOS_FAULTS={faults}; members: {system}; {files}");
    let begun = Instant::now();
    let (mut struck, mut round, mut sale) = (0, 0, system.sale().await);
    while struck < faults {
        if round > 0 && round % ROUNDS_PER_SALE == 0 {
            sale = system.sale().await;
        }
        let group = draw_group(&mut dice, system.members.len());
        println!("[{:>6.1} s] round {round}, fault {struck}: {group:?}", begun.elapsed().as_secs_f64());
        let crowd = Crowd::gather(&sale, VISITORS, seed.wrapping_add(round as u64));
        system.goes_on(dice.random_range(EVENTS_BEFORE)).await;
        for &fault in &group {
            system.strike(fault).await;
        }
        // What others stand on is back first: a process that is started without it ends again.
        let (servers, processes): (Vec<&Fault>, Vec<&Fault>) = group.iter().partition(|fault| fault.target() >= system.members.len());
        for fault in servers.into_iter().chain(processes) {
            system.heal(*fault).await;
        }
        system.are_ready().await;
        system.goes_on(EVENTS_AFTER).await;
        crowd.disperse().await;
        let (later, slowest) = sale.taken();
        println!("           healed; {later} tries again, the slowest command took {slowest:?}");
        system.check(&sale, &mut dice).await;
        struck += group.len();
        round += 1;
    }
    println!("[{:>6.1} s] {struck} faults in {round} rounds: clean", begun.elapsed().as_secs_f64());
    system.keep_files(false);
}

/// One fault, or two at once that strike different things.
fn draw_group(dice: &mut StdRng, members: usize) -> Vec<Fault> {
    let first = Fault::draw(dice, members);
    let second = Fault::draw(dice, members);
    let both = dice.random_bool(0.4) && first.target() != second.target();
    if both { vec![first, second] } else { vec![first] }
}
