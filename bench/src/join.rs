//! `join`: a million people into one line, in process; what one who waits takes of memory; and how long the line's writer
//! stands still when a lobby of a million closes and is drawn.

use crate::measure::{Figures, round};
use crate::venue::{put_on_sale, request};
use crate::{Common, executor, pool};
use anyhow::{Context, Result, anyhow};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use socketing_domain::draw::{self, Digest};
use socketing_domain::event::Actor;
use socketing_domain::unit::Command;
use socketing_domain::waiting_room::{self, LineRules, WaitingRoom};
use socketing_domain::{AccountId, EntryId, PerformanceId, ShowId, Timestamp};
use socketing_tests::stage::{import, small_plan};
use std::time::{Duration, Instant};

const PEOPLE: u64 = 1_000_000;

pub(crate) async fn run(common: &Common) -> Result<Figures> {
    // First, while the process is small: the line's own state, without keys, queues and answers.
    let bytes_per_person = memory_of_a_line()?;
    let pool = pool(common).await?;
    let executor = executor(&pool).await?;
    let performance = PerformanceId::new();
    let plan = import(&pool, &small_plan(10, 10)).await?;
    put_on_sale(&executor, performance, plan, 1).await?;
    let before = resident_bytes()?;
    let begun = Instant::now();
    let joins = stream::iter(0..PEOPLE).map(|_| async {
        let join = Command::Line(waiting_room::Command::JoinQueue { entry: EntryId::new(), party: None });
        let done = executor.execute(request(performance, Actor::Account(AccountId::new()), join)).await;
        done.map(drop).map_err(|rejected| anyhow!("joining: {rejected}"))
    });
    joins.buffer_unordered(common.connections).try_collect::<Vec<()>>().await?;
    let took_s = begun.elapsed().as_secs_f64();
    let process_bytes = (resident_bytes()? - before) / PEOPLE as f64;
    executor.stop().await;
    // Last, for what it takes would count as the process's.
    let (closing, drawing) = stands_still();
    let mut figures = Figures::new();
    figures.insert("per_s".into(), json!(round(PEOPLE as f64 / took_s)));
    figures.insert("bytes_per_person".into(), json!(bytes_per_person.round()));
    figures.insert("process_bytes_per_person".into(), json!(process_bytes.round()));
    figures.insert("closing_ms".into(), json!(closing.as_millis()));
    figures.insert("drawing_ms".into(), json!(drawing.as_millis()));
    figures.insert("people".into(), json!(PEOPLE));
    figures.insert("in_flight".into(), json!(common.connections));
    Ok(figures)
}

/// Bytes that one who waits takes in the line's state, of a million.
fn memory_of_a_line() -> Result<f64> {
    let before = resident_bytes()?;
    let line = waiting(LineRules::original(), None);
    return_what_was_freed();
    let bytes = (resident_bytes()? - before) / PEOPLE as f64;
    assert_eq!(u64::from(line.people_waiting()), PEOPLE);
    Ok(bytes)
}

/// The allocator gives pages back to the system a moment after they were freed, when it next gets or frees large ones: the
/// halves that tables leave behind as they grow are no part of the line.
fn return_what_was_freed() {
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(100));
        drop(std::hint::black_box(Vec::<u8>::with_capacity(64 << 20)));
    }
}

/// A line in which a million wait.
fn waiting(rules: LineRules, commitment: Option<Digest>) -> WaitingRoom {
    let opening = Timestamp::from_millis(0);
    let mut line = WaitingRoom::default();
    let (capacity, session_seconds) = (1, 900);
    line.evolve(&waiting_room::Event::LineOpened { show: ShowId::new(), sale_opens_at: opening, capacity, session_seconds, rules });
    if let Some(commitment) = commitment {
        line.evolve(&waiting_room::Event::DrawCommitted { commitment, lobby_opens_at: opening });
    }
    for number in 1..=PEOPLE {
        let account = AccountId::new();
        line.evolve(&waiting_room::Event::QueueJoined { entry: EntryId::new(), number, account, party: None, members: vec![account] });
    }
    line
}

/// How long the writer decides and folds what closes a lobby of a million, and then what draws it.
fn stands_still() -> (Duration, Duration) {
    let seed = Digest([0x5e; 32]);
    let mut line = waiting(LineRules::default(), Some(draw::commitment(&seed)));
    let begun = Instant::now();
    let closed = line.due(Timestamp::from_millis(0), 1);
    closed.iter().for_each(|event| line.evolve(event));
    let closing = begun.elapsed();
    let begun = Instant::now();
    line.evolve(&waiting_room::Event::SeedRevealed { seed });
    (closing, begun.elapsed())
}

fn resident_bytes() -> Result<f64> {
    const PAGE_BYTES: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").context("reading the process's memory")?;
    let pages: f64 = statm.split_whitespace().nth(1).context("a number of pages")?.parse()?;
    Ok(pages * PAGE_BYTES)
}
