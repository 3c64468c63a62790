//! `socketing verify`: the log as the only truth, and everything else held against it.

use crate::failure::Exit;
use crate::operator;
use crate::output::{Output, grouped, table};
use crate::rush::Phase;
use crate::system::SystemArgs;
use crate::verify::{self, CardProvider, Findings, Report};
use clap::Args;
use socketing_event_store::{PoolOptions, log};
use socketing_service::config::Secret;
use std::time::Duration;

/// Ordering the outcomes of a long sale may take a while.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);

/// Where, and how it is told.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The same as `--output json`.
    #[arg(long)]
    json: bool,
    /// Seconds that JetStream and the read models may take to catch up with the log.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    patience: u64,
    /// The card provider's address: its charges are held against the log too. Without it, the one that `./dev up` wrote down.
    #[arg(long, env = "SOCKETING_CARD_URL", value_name = "URL", requires = "card_key")]
    card_url: Option<String>,
    /// The key that the card provider knows us by.
    #[arg(long, env = "SOCKETING_CARD_KEY", hide_env_values = true, requires = "card_url")]
    card_key: Option<Secret>,
    #[command(flatten)]
    system: SystemArgs,
}

/// Checks everything. Exit code 3 where something is broken.
pub(crate) async fn run(args: VerifyArgs, output: Output) -> anyhow::Result<Exit> {
    let output = if args.json { output.as_json() } else { output };
    let system = args.system.find()?;
    let options = PoolOptions { statement_timeout: STATEMENT_TIMEOUT, ..PoolOptions::new("socketing-verify", 4) };
    let pool = operator::database(system.database_url()?, &options).await?;
    let phase = Phase::begin(output, "verify", log::head(&pool).await?.position);
    let provider = args
        .card_url
        .zip(args.card_key.map(|key| key.expose().to_owned()))
        .or_else(|| system.card())
        .map(|(url, key)| CardProvider::new(url, key))
        .transpose()?;
    let report =
        verify::run(&pool, system.nats_url()?, provider, Duration::from_secs(args.patience), |position| phase.at(position)).await?;
    phase.end(&format!("{} events", grouped(report.head)));
    output.answer(&report, text)?;
    Ok(if report.clean { Exit::Ok } else { Exit::Broken })
}

fn text(report: &Report) -> String {
    let rows = report.checks.iter().map(|findings| {
        let verdict = if findings.is_clean() {
            console::style("ok".to_owned()).green()
        } else {
            console::style(format!("{} FAILED", grouped(findings.failed))).red().bold()
        };
        let note = findings.note.clone().unwrap_or_default();
        vec![findings.check.to_owned(), findings.promise.to_owned(), grouped(findings.checked), verdict.to_string(), note]
    });
    let table = table(&["check", "promise", "checked", "result", ""], 2..3, rows);
    let faults: String = report.checks.iter().map(faults).collect();
    let verdict = if report.clean { "every copy says what the log says" } else { "something is broken" };
    format!("{table}\n{faults}\nlog {} up to position {}: {verdict}", report.log_id, grouped(report.head))
}

/// The faults that are told, and how many more there are.
fn faults(findings: &Findings) -> String {
    let mut text = String::new();
    for fault in &findings.faults {
        text.push_str(&format!("\n{} at position {}: {}", findings.check, fault.position, fault.detail));
    }
    let more = findings.failed - findings.faults.len() as u64;
    if more > 0 {
        text.push_str(&format!("\n{}: {} more", findings.check, grouped(more)));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
