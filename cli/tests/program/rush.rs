//! A sale with real processes: a rush of fifty fans, then everything is held against the log; then the log and its
//! copies are damaged in every way that `verify` promises to find.

use crate::support::Servers;
use serde_json::Value;
use socketing_domain::unit::{Unit, UnitId};
use socketing_event_store::load;
use socketing_event_store::snapshot::{self, Snapshot};
use socketing_tests::eventually;
use sqlx::PgPool;

const RUSH: [&str; 9] = ["rush", "--fans", "50", "--seed", "42", "--capacity", "16", "--json", "--quiet"];

#[tokio::test]
async fn a_rush_ends_well_and_every_damage_is_found_after_it() {
    let servers = Servers::start().await;
    let mut serving = servers.serve("all").await;
    let ran = servers.run(&serving.url, &RUSH).await;
    assert_eq!(ran.code(), Some(0), "{}{}\n{}", ran.out(), ran.err(), servers.log("all"));
    let report: Value = serde_json::from_str(&ran.out()).unwrap();
    assert_eq!(report["served"].as_u64().unwrap() + report["told"].as_u64().unwrap(), 50);
    assert_eq!(report["settled"]["maps_equal"], 50);
    assert!(report["settled"]["seats_sold"].as_u64().unwrap() > 0);
    let steps: Vec<&str> = report["times"].as_array().unwrap().iter().map(|times| times["step"].as_str().unwrap()).collect();
    assert!(steps.contains(&"hold") && steps.contains(&"hold_best"), "some choose, and some take the best: {steps:?}");
    eventually("a snapshot is taken", || async { !snapshot::all(&servers.db.pool).await.unwrap().is_empty() }).await;
    clean(&servers).await;
    the_draw_can_be_checked(&servers, &serving.url, report["performance"].as_str().unwrap()).await;

    assert_eq!(serving.terminate(), Some(0), "a drain is no failure: {}", servers.log("all"));
    clean(&servers).await;
    pack(&servers.db.pool).await;
    clean(&servers).await;
    keep_copies(&servers.db.pool).await;
    for (check, damage) in DAMAGES {
        for statement in damage.split(";;") {
            let done = sqlx::query(statement).execute(&servers.db.pool).await.unwrap();
            assert!(done.rows_affected() > 0, "nothing to damage: {statement}");
        }
        let (code, report) = servers.verify("0").await;
        assert_eq!(code, Some(3), "{check} should fail after {damage}: {report}");
        assert!(failed(&report).contains(check), "{check} should fail after {damage}, but these do: {:?}", failed(&report));
        put_back(&servers.db.pool).await;
    }
    clean(&servers).await;
    a_false_snapshot_is_found(&servers).await;
    put_back(&servers.db.pool).await;
    a_stray_message_is_found(&servers).await;
}

/// By the program, and by one that shares nothing with it. More than half of the fans were in the lobby.
async fn the_draw_can_be_checked(servers: &Servers, url: &str, performance: &str) {
    let ran = servers.run(url, &["draw", "verify", performance, "--output", "json"]).await;
    assert_eq!(ran.code(), Some(0), "{}{}", ran.out(), ran.err());
    let looked: Value = serde_json::from_str(&ran.out()).unwrap();
    assert!(looked["entries"].as_u64().unwrap() > 10, "{looked}");
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/draw_verify.py");
    let mut python = std::process::Command::new("python3");
    python.arg(script).args([performance, "--url", url]);
    let checked = tokio::task::spawn_blocking(move || python.output()).await.unwrap().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

/// A snapshot that is whole and fits the log, but isn't what the log makes.
async fn a_false_snapshot_is_found(servers: &Servers) {
    let pool = &servers.db.pool;
    let stored = snapshot::all(pool).await.unwrap().pop().unwrap();
    let truth = snapshot::read(pool, &stored).await.unwrap().unwrap();
    let earlier = load::unit_at(pool, UnitId::Performance(stored.performance), stored.position - 1).await.unwrap();
    let Unit::Performance(hall) = earlier.unit else { panic!("a performance") };
    let encoded = socketing_domain::snapshot::encode(&hall);
    snapshot::store(pool, &Snapshot { hall: *hall, ..truth }, &encoded).await.unwrap();
    let (code, report) = servers.verify("0").await;
    assert_eq!((code, failed(&report)), (Some(3), vec!["snapshots"]), "{report:#}");
}

/// Each check, and a statement (or several, apart by `;;`) that breaks what it promises.
const DAMAGES: &[(&str, &str)] = &[
    ("positions", "delete from events where position = (select max(position) / 2 from events)"),
    ("positions", "update log_head set position = position + 1"),
    ("sequences", "update events set sequence = sequence + 1000 where position = (select max(position) from events where event_type = 'SeatsSold')"),
    ("decoding", "update events set event_version = '99' where position = (select min(position) from events where event_type = 'SeatsHeld')"),
    ("decoding", "update events set payload = '{}' where position = (select min(position) from events where event_type = 'WalletOpened')"),
    // The same hold again, at the end of its stream and of the log.
    (
        "seats",
        "update log_head set position = position + 1;;
         insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position)
         select e.aggregate_type, e.aggregate_id, (select max(sequence) + 1 from events l where (l.aggregate_type, l.aggregate_id) = (e.aggregate_type, e.aggregate_id)),
                e.event_type, e.event_version, e.payload, e.metadata, h.position
         from events e, log_head h
         where e.position = (select min(position) from events where event_type = 'SeatsSold')",
    ),
    (
        "deadlines",
        "update events set payload = jsonb_set(payload::jsonb, '{SeatsBooked,pay_by}', '\"2099-01-01T00:00:00Z\"')::json
         where position = (select min(position) from events where event_type = 'SeatsBooked')",
    ),
    ("line", "update events set payload = jsonb_set(payload::jsonb, '{LineOpened,capacity}', '1')::json where event_type = 'LineOpened'"),
    (
        "line",
        "update events set payload = jsonb_set(payload::jsonb, '{LobbyClosed,root}', to_jsonb(repeat('0', 64)))::json
         where event_type = 'LobbyClosed'",
    ),
    (
        "money",
        "update events set payload = jsonb_set(payload::jsonb, '{WalletCharged,balance}', '1')::json
         where position = (select min(position) from events where event_type = 'WalletCharged')",
    ),
    (
        "money",
        "update events set payload = jsonb_set(payload::jsonb, '{SeatsSold,amount}', '1')::json
         where position = (select min(position) from events where event_type = 'SeatsSold')",
    ),
    ("commands", "delete from command_log where command_id = (select command_id from command_log where command = 'hold_seats' and status < 400 limit 1)"),
    ("commands", "update command_log set status = 409 where command_id = (select command_id from command_log where command = 'book' and status < 400 limit 1)"),
    ("commands", "update command_log set position = 1000000000 where command_id = (select command_id from command_log limit 1)"),
    ("commands", "delete from command_packs where number = 1000"),
    ("commands", "update command_packs set position = 1000000000 where number = 1000"),
    (
        "jetstream",
        "update events set metadata = jsonb_set(metadata::jsonb, '{actor}', '\"system:nobody\"')::json
         where position = (select min(position) from events where event_type = 'SeatsHeld')",
    ),
    ("snapshots", "update snapshot_parts set bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1)"),
    ("snapshots", "update snapshots set position = position - 1"),
    ("read models", "update wallets set balance = balance + 1 where account_id = (select account_id from wallets limit 1)"),
    ("read models", "delete from bookings where booking_id = (select booking_id from bookings limit 1)"),
    ("read models", "update checkpoints set position = position - 1 where name = 'projection:seat_map'"),
];

const DAMAGED: [&str; 9] =
    ["events", "log_head", "command_log", "command_packs", "wallets", "bookings", "checkpoints", "snapshots", "snapshot_parts"];

/// Packs every other outcome of an accepted command, as a busier sale would have done.
async fn pack(pool: &PgPool) {
    let pack = "with numbered as (
            select *, row_number() over (order by command_id) as nth from command_log where unit_kind = 'performance' and status < 400
        ), packed as (delete from command_log where command_id in (select command_id from numbered where nth % 2 = 0) returning *)
        insert into command_packs (unit, number, recorded_on, position, keys, outcomes)
        select unit, 1000, recorded_on, 0, string_agg(int4send(key_time) || uuid_send(digest), '' order by command_id),
               json_agg(json_build_array(command_id, command, fingerprint, position, body) order by command_id)
        from packed group by unit, recorded_on";
    assert!(sqlx::query(pack).execute(pool).await.unwrap().rows_affected() > 0);
}

async fn keep_copies(pool: &PgPool) {
    for table in DAMAGED {
        sqlx::query(&format!("create table copy_of_{table} as table {table}")).execute(pool).await.unwrap();
    }
}

async fn put_back(pool: &PgPool) {
    for table in DAMAGED {
        sqlx::query(&format!("delete from {table}")).execute(pool).await.unwrap();
        sqlx::query(&format!("insert into {table} select * from copy_of_{table}")).execute(pool).await.unwrap();
    }
}

async fn clean(servers: &Servers) {
    let (code, report) = servers.verify("60").await;
    assert_eq!(code, Some(0), "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert!(check["checked"].as_u64().unwrap() > 0, "{} looked at nothing", check["check"]);
    }
}

fn failed(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["failed"] != 0).map(|check| check["check"].as_str().unwrap()).collect()
}

/// Somebody with the relay's rights publishes past the log's end.
async fn a_stray_message_is_found(servers: &Servers) {
    let relay = servers.nats.relay().await;
    relay.publish("booking.performance.stray.SeatsHeld", "{}".into()).await.unwrap();
    relay.flush().await.unwrap();
    let jetstream = socketing_nats::jetstream(&servers.nats.reader().await);
    let head: i64 = sqlx::query_scalar("select position from log_head").fetch_one(&servers.db.pool).await.unwrap();
    eventually("the stray message is in the stream", || async {
        let stream = socketing_nats::stream::find(&jetstream).await.unwrap().unwrap();
        stream.cached_info().state.last_sequence > head as u64
    })
    .await;
    let (code, report) = servers.verify("0").await;
    assert_eq!((code, failed(&report)), (Some(3), vec!["jetstream"]), "{report:#}");
}
