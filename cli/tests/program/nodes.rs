//! Several nodes of the command API: shards spread over those that are alive, commands reach their owner from each, and an
//! owner that dies, is stopped or cut off is replaced within seconds; nothing lost, nothing twice.

use crate::crowd::{Crowd, Fan, Reply, Sale, most_holds_by_one_id};
use crate::support::{Launch, Servers, Serving};
use reqwest::StatusCode;
use serde_json::{Value, json};
use socketing_domain::unit::UnitId;
use socketing_domain::{BookingId, EntryId, HoldId, PaymentId, PerformanceId};
use socketing_event_store::shards::NODE_TTL;
use socketing_tests::proxy::host_and_port;
use socketing_tests::{FaultProxy, eventually};
use sqlx::PgPool;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// An owner that dies is replaced within this.
const REPLACED_WITHIN: Duration = Duration::from_secs(5);
/// How often a condition of this file is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Nodes with what they stand on.
struct Nodes {
    servers: Servers,
    nodes: Vec<Serving>,
}

impl Nodes {
    /// So many nodes, and shards spread over them evenly.
    async fn start(count: usize) -> Nodes {
        let mut nodes = Nodes { servers: Servers::start().await, nodes: Vec::new() };
        for _ in 0..count {
            nodes.join().await;
        }
        nodes.are_even().await;
        nodes
    }

    /// Another one.
    async fn join(&mut self) {
        let launch = self.launch();
        self.join_as(&launch).await;
    }

    fn launch(&self) -> Launch {
        Launch { name: format!("node-{}", self.nodes.len()), ..self.servers.launch_of("command-api") }
    }

    async fn join_as(&mut self, launch: &Launch) {
        let mut node = self.servers.launch(launch);
        self.servers.ready(&mut node).await;
        self.nodes.push(node);
    }

    fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url.clone()).collect()
    }

    async fn sale(&self, performances: usize) -> Arc<Sale> {
        let policies = json!({ "seats_per_person": 8, "capacity": 10_000 });
        Arc::new(Sale::open(&self.servers, self.urls(), performances, &policies).await)
    }

    /// How many shards each node has, in the order of the nodes.
    async fn shards(&self) -> Vec<i64> {
        let owned = shards(&self.servers.db.pool).await;
        let of = |url: &String| owned.iter().find(|(address, _)| address == url).map_or(0, |(_, count)| *count);
        self.urls().iter().map(of).collect()
    }

    /// Waits until shards are spread evenly over all of them.
    async fn are_even(&self) {
        let share = 128_i64.div_euclid(self.nodes.len() as i64);
        eventually("shards are spread evenly", || async {
            let owned = self.shards().await;
            owned.iter().sum::<i64>() == 128 && owned.iter().all(|count| (share..=share + 1).contains(count))
        })
        .await;
    }

    /// Which node decides for a performance.
    async fn owner(&self, performance: PerformanceId) -> usize {
        let address = owner(&self.servers.db.pool, performance).await.expect("somebody owns the shard");
        self.urls().iter().position(|url| *url == address).expect("one of these nodes")
    }

    /// Waits until none of this node's shards is its own any more, for as long as is promised.
    async fn are_replaced(&self, node: usize) {
        let (url, begun) = (&self.nodes[node].url, Instant::now());
        let replaced = timeout(REPLACED_WITHIN, async {
            loop {
                let owned = shards(&self.servers.db.pool).await;
                if owned.iter().map(|(_, count)| count).sum::<i64>() == 128 && !owned.iter().any(|(address, _)| address == url) {
                    return;
                }
                sleep(LOOK).await;
            }
        });
        assert!(replaced.await.is_ok(), "not replaced within {REPLACED_WITHIN:?}: {}", self.logs());
        println!("replaced after {:?}", begun.elapsed());
    }

    fn logs(&self) -> String {
        self.nodes.iter().map(|node| format!("{}:\n{}\n", node.name, self.servers.log(&node.name))).collect()
    }

    /// The log and its copies are right.
    async fn verify(&self) {
        let (mut projections, pool) = (self.servers.serve("projections").await, &self.servers.db.pool);
        let (code, report) = self.servers.verify("60").await;
        assert_eq!(code, Some(0), "{report:#}");
        assert_eq!(most_holds_by_one_id(pool).await, 1);
        projections.kill();
    }
}

/// Shards by the address of their living owner.
async fn shards(pool: &PgPool) -> Vec<(String, i64)> {
    let query =
        "select address, count(*) from shard_leases join nodes on node = owner and expires_at >= clock_timestamp() group by address";
    sqlx::query_as(query).fetch_all(pool).await.unwrap()
}

async fn owner(pool: &PgPool, performance: PerformanceId) -> Option<String> {
    let query = "select address from shard_leases join nodes on node = owner where shard = $1";
    sqlx::query_scalar(query).bind(UnitId::Performance(performance).shard() as i16).fetch_optional(pool).await.unwrap()
}

async fn join_line(sale: &Sale, node: &str, fan: &Fan, performance: PerformanceId) {
    let reply = sale.ask_one(node, fan, "join", &Sale::path(performance, "line"), &json!({ "entry_id": EntryId::new() })).await.unwrap();
    assert_eq!(reply.body["state"], "inside", "{}", reply.body);
}

fn seats(hold: HoldId, seats: &[u32]) -> Value {
    json!({ "hold_id": hold, "seats": seats })
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_spread_as_nodes_join_and_leave_under_load() {
    let mut nodes = Nodes::start(1).await;
    assert_eq!(nodes.shards().await, [128]);
    let sale = nodes.sale(6).await;
    let crowd = Crowd::gather(&sale, 8, 1);
    nodes.join().await;
    nodes.join().await;
    sale.send_to(nodes.urls());
    nodes.are_even().await;
    nobody_waited(&nodes, &sale, "joining");

    // A load balancer sees that the third isn't ready any more; what others forward to it goes on to its heirs.
    let mut third = nodes.nodes.pop().unwrap();
    sale.send_to(nodes.urls());
    let before = position(&nodes).await;
    eventually("the sale goes on", || async { position(&nodes).await > before + 100 }).await;
    assert_eq!(third.terminate(), Some(0), "{}", nodes.servers.log(&third.name));
    nodes.are_even().await;
    crowd.disperse().await;
    nobody_waited(&nodes, &sale, "leaving");
    sale.check(300).await;
    nodes.verify().await;
}

/// Nobody was told to come back, and no command took as long as the death of a node does.
fn nobody_waited(nodes: &Nodes, sale: &Sale, what: &str) {
    let (later, slowest) = sale.taken();
    println!("{what}: {later} tries told to come back, the slowest command took {slowest:?}");
    assert!(later == 0 && slowest < NODE_TTL, "{what}: {later} told to come back, the slowest took {slowest:?}: {}", nodes.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_has_the_same_answer_on_every_node() {
    let nodes = Nodes::start(3).await;
    let sale = nodes.sale(3).await;
    let urls = nodes.urls();
    for (nth, &performance) in sale.performances.iter().enumerate() {
        let (fan, rival) = (sale.fan(), sale.fan());
        join_line(&sale, &urls[0], &fan, performance).await;
        join_line(&sale, &urls[1], &rival, performance).await;
        let path = Sale::path(performance, "holds");
        // At once, on all nodes.
        let hold = HoldId::new();
        let body = seats(hold, &[4, 5]);
        let sent = (0..30).map(|nth| sale.ask_one(&urls[nth % 3], &fan, "hold", &path, &body));
        let replies = futures::future::try_join_all(sent).await.unwrap();
        let bodies: HashSet<String> = replies.iter().map(|reply| reply.body.to_string()).collect();
        assert!(replies.iter().all(|reply| reply.status == StatusCode::CREATED) && bodies.len() == 1, "{replies:#?}");
        assert_eq!(replies.iter().filter(|reply| !reply.replayed).count(), 1);
        // On another stream it is another command.
        let other = sale.performances[(nth + 1) % 3];
        let elsewhere = sale.ask_one(&urls[nth], &fan, "hold", &Sale::path(other, "holds"), &body).await.unwrap();
        assert!(!elsewhere.replayed && elsewhere.body != replies[0].body, "{elsewhere:?}");
        // Refused at one, and the same at the others; another body under the same key is an error at each.
        let refused = sale.ask_one(&urls[nth], &rival, "hold", &path, &seats(HoldId::new(), &[5])).await.unwrap();
        assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("seat_taken")));
        for url in &urls {
            let reused = sale.ask_one(url, &fan, "hold", &path, &seats(HoldId::new(), &[9])).await.unwrap();
            assert_eq!((reused.status, &reused.body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused")));
            let mine = sale.get(url, &fan, &Sale::path(performance, "holds/mine")).await.unwrap();
            assert_eq!((mine.status, &mine.body["hold_id"]), (StatusCode::OK, &json!(hold)), "{}", mine.body);
            assert!(mine.body["position"].as_u64() >= replies[0].body["position"].as_u64());
        }
        pay_at_each(&sale, &urls, &fan, performance, hold).await;
    }
    assert_eq!(most_holds_by_one_id(&nodes.servers.db.pool).await, 1);
    nodes.verify().await;
}

/// The payment is known at each node, whichever the process managers run on.
async fn pay_at_each(sale: &Sale, urls: &[String], fan: &Fan, performance: PerformanceId, hold: HoldId) {
    let (booking, payment) = (BookingId::new(), PaymentId::new());
    let body = json!({ "booking_id": booking, "hold_id": hold });
    let booked = sale.ask_one(&urls[2], fan, "book", &Sale::path(performance, "bookings"), &body).await.unwrap();
    assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
    let path = Sale::path(performance, &format!("bookings/{booking}/pay"));
    for url in urls {
        let body = json!({ "payment_id": payment, "method": "socketpay" });
        let paid = sale.ask_one(url, fan, "pay", &path, &body).await.unwrap();
        assert_eq!((paid.status, &paid.body["state"]), (StatusCode::OK, &json!("succeeded")), "{}", paid.body);
        let path = Sale::path(performance, &format!("bookings/{booking}/payments/{payment}"));
        let seen = sale.get(url, fan, &path).await.unwrap();
        assert_eq!((seen.status, &seen.body["state"]), (StatusCode::OK, &json!("succeeded")), "{}", seen.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_nodes_may_use_their_route() {
    let nodes = Nodes::start(1).await;
    let http = reqwest::Client::new();
    let url = format!("{}/internal/units", nodes.nodes[0].url);
    let refused = http.post(&url).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let forged = http.post(&url).header("socketing-signature", "Zm9yZ2Vk").body("{}").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    let description = http.get(format!("{}/openapi.json", nodes.nodes[0].url)).send().await.unwrap().text().await.unwrap();
    assert!(!description.contains("internal/units"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_owner_is_replaced_and_nothing_is_lost_or_doubled() {
    let mut nodes = Nodes::start(3).await;
    let sale = nodes.sale(6).await;
    let crowd = Crowd::gather(&sale, 8, 3);
    let owner = nodes.owner(sale.performances[0]).await;
    let before = position(&nodes).await;
    eventually("the sale goes on", || async { position(&nodes).await > before + 100 }).await;
    nodes.nodes[owner].kill();
    nodes.are_replaced(owner).await;
    let before = position(&nodes).await;
    eventually("the sale goes on without it", || async { position(&nodes).await > before + 100 }).await;
    crowd.disperse().await;
    sale.check(300).await;
    nodes.verify().await;
}

async fn position(nodes: &Nodes) -> i64 {
    sqlx::query_scalar("select position from log_head").fetch_one(&nodes.servers.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_owner_is_replaced_and_fenced_when_it_wakes() {
    let nodes = Nodes::start(3).await;
    let sale = nodes.sale(1).await;
    let performance = sale.performances[0];
    let (stopped, urls) = (nodes.owner(performance).await, nodes.urls());
    let other = &urls[(stopped + 1) % 3];
    let (early, late, third) = (sale.fan(), sale.fan(), sale.fan());
    for fan in [&early, &late, &third] {
        join_line(&sale, &urls[stopped], fan, performance).await;
    }
    let path = Sale::path(performance, "holds");

    nodes.nodes[stopped].process.pause().await;
    // Sent to the one that is stopped: it lies in its socket.
    let body = seats(HoldId::new(), &[1]);
    let asleep = async { sale.ask_one(&urls[stopped], &late, "late", &path, &body).await.unwrap() };
    let meanwhile = async {
        nodes.are_replaced(stopped).await;
        let held = sale.ask_one(other, &early, "early", &path, &seats(HoldId::new(), &[1, 2])).await.unwrap();
        assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
        nodes.nodes[stopped].process.resume();
        held
    };
    let (refused, held) = tokio::join!(asleep, meanwhile);
    // It woke up with a state in which the seat is free: whatever it decided by that is fenced, and asked of the new owner.
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("seat_taken")), "{}\n{}", refused.body, nodes.logs());
    let again = sale.ask_one(other, &late, "late", &path, &body).await.unwrap();
    assert_eq!((again.status, &again.body), (refused.status, &refused.body), "the same at the new owner");
    let taken = sale.ask_one(&urls[stopped], &third, "third", &path, &seats(HoldId::new(), &[2])).await.unwrap();
    assert_eq!((taken.status, &taken.body["code"]), (StatusCode::CONFLICT, &json!("seat_taken")), "{}", taken.body);
    assert!(held.body["position"].as_u64() <= taken.body["position"].as_u64());
    nodes.are_even().await;
    nodes.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_cut_from_postgres_is_replaced_and_comes_back() {
    let mut nodes = Nodes::start(2).await;
    let proxy = FaultProxy::start(host_and_port(&nodes.servers.db.url)).await;
    let launch = Launch { database_url: proxy.url(&nodes.servers.db.url), ..nodes.launch() };
    nodes.join_as(&launch).await;
    nodes.are_even().await;
    let sale = nodes.sale(6).await;
    for (nth, stalls) in [false, true].into_iter().enumerate() {
        let crowd = Crowd::gather(&sale, 8, 4 + nth as u64);
        let before = position(&nodes).await;
        eventually("the sale goes on", || async { position(&nodes).await > before + 100 }).await;
        if stalls {
            proxy.stall()
        } else {
            proxy.break_off()
        }
        nodes.are_replaced(2).await;
        let before = position(&nodes).await;
        eventually("the sale goes on without it", || async { position(&nodes).await > before + 100 }).await;
        proxy.heal();
        nodes.are_even().await;
        crowd.disperse().await;
        sale.check(300).await;
    }
    nodes.verify().await;
}

/// A firewall has forgotten the node's connections to PostgreSQL, and nobody is told: new ones would work, so its heart beats
/// on, and what it had sent is never answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_connections_are_forgotten_makes_new_ones() {
    let cut = Cut::start().await;
    let (hold, path) = (HoldId::new(), Sale::path(cut.performance, "holds"));
    let crowd = Crowd::gather(&cut.sale, 8, 6);
    let before = position(&cut.nodes).await;
    eventually("the sale goes on", || async { position(&cut.nodes).await > before + 100 }).await;
    cut.proxy.forsake();
    let body = seats(hold, &[7]);
    let held = cut.sale.ask_one(&cut.nodes.nodes[2].url, &cut.fan, "hold", &path, &body).await;
    let held = held.unwrap_or_else(|error| panic!("no answer before the client gives up: {error}\n{}", cut.nodes.logs()));
    assert!(matches!(held.status, StatusCode::CREATED | StatusCode::CONFLICT), "{} {}", held.status, held.body);
    let before = position(&cut.nodes).await;
    eventually("the sale goes on", || async { position(&cut.nodes).await > before + 100 }).await;
    crowd.disperse().await;
    cut.sale.check(300).await;
    cut.nodes.are_even().await;
    cut.nodes.verify().await;
}

/// The same happens to the process that makes the read models: it stands still, finds out, and catches up.
#[tokio::test(flavor = "multi_thread")]
async fn projections_whose_connections_are_forgotten_catch_up() {
    let nodes = Nodes::start(1).await;
    let Servers { db, .. } = &nodes.servers;
    let proxy = FaultProxy::start(host_and_port(&db.url)).await;
    let launch = Launch { database_url: proxy.url(&db.url), ..nodes.servers.launch_of("projections") };
    let mut projections = nodes.servers.launch(&launch);
    nodes.servers.ready(&mut projections).await;
    let sale = nodes.sale(2).await;
    let crowd = Crowd::gather(&sale, 4, 7);
    for _ in 0..2 {
        let before = position(&nodes).await;
        eventually("the sale goes on", || async { position(&nodes).await > before + 100 }).await;
        proxy.forsake();
    }
    crowd.disperse().await;
    let (code, report) = nodes.servers.verify("60").await;
    assert_eq!(code, Some(0), "{report:#}");
}

/// One of three nodes reaches PostgreSQL by a proxy, and decides for a performance; somebody is inside.
struct Cut {
    nodes: Nodes,
    proxy: FaultProxy,
    sale: Arc<Sale>,
    performance: PerformanceId,
    fan: Fan,
}

impl Cut {
    async fn start() -> Cut {
        let mut nodes = Nodes::start(2).await;
        let proxy = FaultProxy::start(host_and_port(&nodes.servers.db.url)).await;
        let launch = Launch { database_url: proxy.url(&nodes.servers.db.url), ..nodes.launch() };
        nodes.join_as(&launch).await;
        nodes.are_even().await;
        let sale = nodes.sale(30).await;
        let mut performance = None;
        for &candidate in &sale.performances {
            if nodes.owner(candidate).await == 2 {
                performance = Some(candidate);
            }
        }
        let (performance, fan) = (performance.expect("one of thirty is at the third node"), sale.fan());
        join_line(&sale, &nodes.nodes[2].url, &fan, performance).await;
        Cut { nodes, proxy, sale, performance, fan }
    }

    /// The node's session for commits is in the middle of a statement.
    async fn is_in_a_statement(&self) {
        let query =
            "select count(*) from pg_stat_activity where application_name like 'socketing-committer %' and datname = current_database()
                     and state = 'active' and wait_event = 'ClientRead'";
        let count = async || sqlx::query_scalar::<_, i64>(query).fetch_one(&self.nodes.servers.db.pool).await.unwrap();
        eventually("a statement waits for its end", || async { count().await == 1 }).await;
    }

    /// Asks the others for the same seats under the same key.
    async fn ask_the_others(&self, body: &Value) -> Reply {
        let (url, path) = (&self.nodes.nodes[0].url, Sale::path(self.performance, "holds"));
        self.sale.ask_one(url, &self.fan, "hold", &path, body).await.unwrap()
    }

    /// Sessions in which the killed node commits.
    async fn sessions_of_the_dead(&self) -> i64 {
        let query = "select count(*) from pg_stat_activity a where datname = current_database() and application_name like 'socketing-committer %'
                     and not exists (select from nodes n where a.application_name like '%' || n.node::text and n.expires_at >= clock_timestamp())";
        sqlx::query_scalar(query).fetch_one(&self.nodes.servers.db.pool).await.unwrap()
    }

    async fn held_once(&self, hold: HoldId) {
        let query = "select count(*) from events where event_type = 'SeatsHeld' and payload->'SeatsHeld'->>'hold' = $1";
        let held: i64 = sqlx::query_scalar(query).bind(hold.to_string()).fetch_one(&self.nodes.servers.db.pool).await.unwrap();
        assert_eq!(held, 1);
    }
}

/// The statement runs, holds the log's head and the lease, and its end doesn't come: nobody else can commit. Whoever
/// takes over ends that session.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_stopped_in_the_middle_of_the_statement_stops_nobody_for_long() {
    let cut = Cut::start().await;
    let (hold, path) = (HoldId::new(), Sale::path(cut.performance, "holds"));
    let body = seats(hold, &[7]);
    let stopped = cut.sale.ask_one(&cut.nodes.nodes[2].url, &cut.fan, "hold", &path, &body);
    let meanwhile = async {
        cut.is_in_a_statement().await;
        cut.nodes.nodes[2].process.pause().await;
        cut.nodes.are_replaced(2).await;
        let held = cut.ask_the_others(&body).await;
        assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
        cut.proxy.heal();
        cut.nodes.nodes[2].process.resume();
        held
    };
    cut.proxy.hold_sync_of("SeatsHeld");
    let (stopped, held) = tokio::join!(stopped, meanwhile);
    let stopped = stopped.unwrap();
    assert_eq!((stopped.status, &stopped.body), (held.status, &held.body));
    cut.held_once(hold).await;
    cut.nodes.are_even().await;
    cut.nodes.verify().await;
}

/// A node sends a commit, the network keeps it back, the node dies, others take over and decide; then it arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_arrives_after_its_client_is_gone_writes_nothing() {
    let mut cut = Cut::start().await;
    let (late, path) = (HoldId::new(), Sale::path(cut.performance, "holds"));
    cut.proxy.stall();
    let body = seats(late, &[7]);
    let sent = cut.sale.ask_one(&cut.nodes.nodes[2].url, &cut.fan, "late", &path, &body);
    assert!(timeout(Duration::from_secs(1), sent).await.is_err(), "nobody answers");
    cut.nodes.nodes[2].kill();
    cut.nodes.are_replaced(2).await;
    // Its heir has the state in memory, and would never learn of what is written behind its back.
    let mine = cut.sale.get(&cut.nodes.nodes[0].url, &cut.fan, &Sale::path(cut.performance, "holds/mine")).await.unwrap();
    assert_eq!((mine.status, &mine.body["code"]), (StatusCode::NOT_FOUND, &json!("unknown_hold")));
    let before = position(&cut.nodes).await;
    cut.proxy.heal();
    eventually("the late statement has come to its end", || async { cut.sessions_of_the_dead().await == 0 }).await;
    assert_eq!(position(&cut.nodes).await, before, "nothing was written");
    let early = HoldId::new();
    let held = cut.ask_the_others(&seats(early, &[7])).await;
    assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
    cut.held_once(early).await;
    cut.nodes.nodes.pop();
    cut.nodes.verify().await;
}

/// A hold runs out while its owner is dead and nobody commands anything: the heir lets it go.
#[tokio::test(flavor = "multi_thread")]
async fn timers_go_on_at_the_heirs_and_after_a_restart_without_traffic() {
    let mut nodes = Nodes::start(2).await;
    let policies = json!({ "capacity": 100, "hold_seconds": 1 });
    let sale = Sale::open(&nodes.servers, nodes.urls(), 1, &policies).await;
    let (performance, fan) = (sale.performances[0], sale.fan());
    join_line(&sale, &nodes.nodes[0].url, &fan, performance).await;
    for (nth, everybody) in [false, true].into_iter().enumerate() {
        let owner = nodes.owner(performance).await;
        let held = sale.send(&fan, &Sale::path(performance, "holds"), &seats(HoldId::new(), &[nth as u32])).await;
        assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
        for nth in (0..nodes.nodes.len()).filter(|&nth| everybody || nth == owner) {
            nodes.nodes[nth].kill();
        }
        if everybody {
            let launch = nodes.launch();
            nodes.nodes.clear();
            nodes.join_as(&launch).await;
        } else {
            nodes.nodes.remove(owner);
            sale.send_to(nodes.urls());
        }
        eventually("the hold is let go", || async { count(&nodes, "HoldReleased").await == nth as i64 + 1 }).await;
    }
    nodes.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_every_node_goes_on() {
    let mut nodes = Nodes::start(3).await;
    let sale = nodes.sale(6).await;
    nodes.servers.nats.kill();
    let crowd = Crowd::gather(&sale, 8, 6);
    let before = position(&nodes).await;
    eventually("the sale goes on", || async { position(&nodes).await > before + 300 }).await;
    // Payments too: the process managers read the log from Postgres.
    eventually("seats are sold", || async { count(&nodes, "SeatsSold").await > 5 }).await;
    crowd.disperse().await;
    let (later, _) = sale.taken();
    assert_eq!(later, 0, "nobody is told to come back");
    sale.check(300).await;
    nodes.servers.nats.restart();
    nodes.verify().await;
}

async fn count(nodes: &Nodes, event_type: &str) -> i64 {
    sqlx::query_scalar("select count(*) from events where event_type = $1")
        .bind(event_type)
        .fetch_one(&nodes.servers.db.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn process_managers_and_relay_move_when_their_node_dies() {
    let mut nodes = Nodes::start(3).await;
    let sale = nodes.sale(6).await;
    let crowd = Crowd::gather(&sale, 8, 7);
    eventually("seats are sold", || async { count(&nodes, "SeatsSold").await > 5 }).await;
    let before = epochs(&nodes).await;
    // Whoever has them is one of the three, each of which is killed once.
    for nth in 0..3 {
        nodes.nodes[nth].kill();
        nodes.are_replaced(nth).await;
        let sold = count(&nodes, "SeatsSold").await;
        eventually("seats are sold on", || async { count(&nodes, "SeatsSold").await > sold + 5 }).await;
        let node = &nodes.nodes[nth];
        let launch = Launch { name: node.name.clone(), port: node.port(), ..nodes.launch() };
        let mut node = nodes.servers.launch(&launch);
        nodes.servers.ready(&mut node).await;
        nodes.nodes[nth] = node;
    }
    eventually("both have moved", || async {
        let now = epochs(&nodes).await;
        now.len() == 2 && now.iter().zip(&before).all(|(now, before)| now > before)
    })
    .await;
    crowd.disperse().await;
    sale.check(300).await;
    nodes.verify().await;
}

/// How often the leases of the process managers and of the relay changed hands.
async fn epochs(nodes: &Nodes) -> Vec<i64> {
    let query = "select epoch from singleton_leases where name in ('processes', 'relay') order by name";
    sqlx::query_scalar(query).fetch_all(&nodes.servers.db.pool).await.unwrap()
}
