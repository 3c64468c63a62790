//! `socketing verify`: the log is the only truth, and everything else is held against it, in one pass.
//!
//! One check per file. Checks of the log alone are folds ([`check::Check`]); outcomes of commands and JetStream are
//! merged with the log as it passes; the read models are compared last, with the fold that the projections themselves
//! offer. Events are read in pages, so memory is bounded by the folds' state, not by the length of the log.

mod cards;
mod check;
mod commands;
mod deadlines;
mod decoding;
mod findings;
mod jetstream;
mod line;
mod money;
mod positions;
mod read_models;
mod seats;
mod sequences;
mod snapshots;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use cards::CardProvider;
use check::{Check, Seen};
pub(crate) use findings::Findings;
use socketing_event_store::{PgPool, log};
use std::time::Duration;

/// Everything that verify found.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    /// The log, by id.
    pub(crate) log_id: uuid::Uuid,
    /// The position up to which it was read.
    pub(crate) head: u64,
    /// Whether nothing is wrong.
    pub(crate) clean: bool,
    /// Check by check.
    pub(crate) checks: Vec<Findings>,
}

/// The checks that need nothing but the log.
fn folds() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(positions::Positions::new()),
        Box::new(sequences::Sequences::new()),
        Box::new(decoding::Decoding::new()),
        Box::new(seats::Seats::new()),
        Box::new(deadlines::Deadlines::new()),
        Box::new(line::Lines::new()),
        Box::new(money::Money::new()),
    ]
}

/// Verifies the log up to where it reaches now, and its copies, which get `patience` to catch up; and the card provider's
/// charges, where one is known. `progress` is told the position reached.
///
/// # Errors
/// If the database or the broker can't be asked. What is wrong with the data is in the report.
pub(crate) async fn run(
    pool: &PgPool,
    nats_url: &str,
    provider: Option<CardProvider>,
    patience: Duration,
    progress: impl Fn(u64),
) -> anyhow::Result<Report> {
    // Before the log's head: whatever was charged by then was asked for by then.
    let mut cards = cards::Cards::open(provider).await?;
    let head = log::head(pool).await?;
    let mut folds = folds();
    let mut commands = commands::Commands::open(pool, head.position).await?;
    let mut copy = jetstream::Copy::open(nats_url, &head, patience).await?;
    let mut after = 0;
    loop {
        let page = log::read_after(pool, after, log::PAGE_EVENTS_MAX).await?;
        let page: Vec<_> = page.into_iter().take_while(|event| event.position <= head.position).collect();
        let Some(last) = page.last() else { break };
        after = last.position;
        for raw in &page {
            let decoded = raw.decode().map_err(|error| chain(&error));
            let seen = Seen { raw, decoded: decoded.as_ref().map_err(String::as_str) };
            folds.iter_mut().for_each(|check| check.event(&seen));
            commands.event(&seen).await?;
            copy.event(raw).await?;
            cards.event(&seen);
        }
        progress(after);
    }
    folds.iter_mut().for_each(|check| check.end(head.position));
    let mut checks: Vec<Findings> = folds.into_iter().map(Check::findings).collect();
    checks.push(commands.finish().await?);
    checks.extend(cards.finish().await?);
    checks.push(copy.finish(pool).await?);
    checks.push(read_models::verify(pool, head.position, patience).await?);
    checks.push(snapshots::verify(pool, head.position).await?);
    let clean = checks.iter().all(Findings::is_clean);
    Ok(Report { log_id: head.log_id, head: head.position, clean, checks })
}

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
