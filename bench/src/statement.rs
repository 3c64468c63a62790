//! `statement`: the one statement of a batch, again and again, by one client that does nothing else: what the log itself
//! can take, before anything decides.

use crate::cpu;
use crate::measure::{Figures, round};
use anyhow::{Result, bail};
use serde_json::json;
use socketing_domain::Clock;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::{AccountId, CommandId, HoldId, PerformanceId, SeatIndex, SystemClock, performance};
use socketing_event_store::PgPool;
use socketing_event_store::append::{Appended, NewEvent, NewOutcome, Part, append};
use socketing_event_store::command_log::{Fingerprint, KeyDigest};
use socketing_event_store::pack::{self, NewPack};
use socketing_event_store::shards::{self, Epoch};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Appends batches of `rows` holds for `seconds`.
pub(crate) async fn run(pool: &PgPool, rows: usize, seconds: u64) -> Result<Figures> {
    let leases = shards::acquire(pool, Uuid::now_v7(), "bench").await?;
    let performance = PerformanceId::new();
    let shard = StreamId::Performance(performance).unit().shard();
    let Some(lease) = leases.into_iter().find(|lease| lease.shard == shard) else { bail!("shard {shard} is another's") };
    let mut connection = pool.acquire().await?;
    sqlx::query("set plan_cache_mode = force_generic_plan").execute(&mut *connection).await?; // as the committer's session has it
    let mut latest = 0;
    let mut written: u64 = 0;
    let mut packs = 0;
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *connection).await?;
    let cpu_before = cpu::used_s(backend as u32)?;
    let (mut in_statement, begin) = (Duration::ZERO, Instant::now());
    while begin.elapsed() < Duration::from_secs(seconds) {
        let part = holds(performance, lease, latest, rows, &mut packs);
        latest += rows as u64;
        let since = Instant::now();
        if append(&mut connection, &[&part]).await? == Appended::Fenced {
            bail!("another took the shard");
        }
        in_statement += since.elapsed();
        written += rows as u64;
    }
    let mut figures = Figures::new();
    figures.insert("per_s".into(), json!(round(written as f64 / in_statement.as_secs_f64())));
    figures.insert("backend_cpu_us_per_row".into(), json!(round((cpu::used_s(backend as u32)? - cpu_before) * 1e6 / written as f64)));
    figures.insert("rows".into(), rows.into());
    Ok(figures)
}

/// A batch as a hot performance's writer makes it, after so many packs.
fn holds(performance: PerformanceId, lease: Epoch, after: u64, rows: usize, packs: &mut u32) -> Part {
    let expires_at = SystemClock.now();
    let stream = StreamId::Performance(performance);
    let (mut events, mut outcomes) = (Vec::new(), Vec::new());
    for nth in 1..=rows as u64 {
        let (hold, account, command) = (HoldId::new(), AccountId::new(), CommandId::new());
        let (members, seats) = (vec![account], vec![SeatIndex(nth as u32)]);
        let event =
            Event::Performance(performance::Event::SeatsHeld { hold, account, members, seats, expires_at, party: None, extended: false });
        let actor = format!("account:{account}");
        let key = Uuid::now_v7().to_string();
        events.push(NewEvent {
            aggregate_type: stream.aggregate_type(),
            aggregate_id: stream.aggregate_id(),
            sequence: after + nth,
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: event.payload_json(),
            metadata: Arc::from(json!({"actor": actor, "command": command}).to_string()),
        });
        outcomes.push(NewOutcome {
            unit: performance.0,
            unit_kind: "performance",
            digest: KeyDigest::of("performance", &actor, &key),
            actor,
            key,
            command_id: command.0,
            command: "hold_seats",
            fingerprint: Fingerprint::of("hold_seats", &nth.to_be_bytes()),
            status: 200,
            body: Arc::from(
                json!({"hold_id": hold, "seats": [nth], "expires_at": expires_at, "total": 50_000, "members": [account]}).to_string(),
            ),
            events_covered: nth,
            cause: None,
        });
    }
    let mut packed = Vec::new();
    if outcomes.len() >= pack::OUTCOMES_MIN {
        packed = NewPack::all(performance.0, *packs + 1, &std::mem::take(&mut outcomes));
        *packs += packed.len() as u32;
    }
    Part { lease, events, outcomes, packs: packed, due: None }
}
