//! `socketing rush`: a sale with many fans against the running system.

use super::plan;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::rush::{self, Options, Report, Shares};
use crate::system::{SystemArgs, is_loopback};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Open files that aren't fans' connections.
const OTHER_FILES: u64 = 256;

/// The crowd, the hall and the rules.
#[derive(Args, Debug)]
pub(crate) struct RushArgs {
    /// How many fans.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    fans: u32,
    /// The seating plan, in the pretix format or our own; without it, the demo's hall.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Decides who the fans are and what they mean to do. The same seed, the same crowd.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Share of the fans who come in parties.
    #[arg(long, default_value_t = 25, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    parties_percent: u8,
    /// Share of the fans who let a hold or a booking lapse.
    #[arg(long, default_value_t = 6, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    lapses_percent: u8,
    /// Share of the fans who cancel what they paid.
    #[arg(long, default_value_t = 10, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    cancels_percent: u8,
    /// Share of the fans who send every command twice, under the same key.
    #[arg(long, default_value_t = 10, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    retries_percent: u8,
    /// Share of the fans whose live connection breaks on the way.
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    reconnects_percent: u8,
    /// People inside at once; by default an eighth of the fans, so that a line forms.
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=100_000))]
    capacity: Option<u32>,
    /// Seconds from the opening after which a fan that isn't done counts as neither served nor told.
    #[arg(long, default_value_t = 240, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=3600))]
    time_limit: u64,
    /// Seconds that a system which went away may take to come back.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// The same as `--output json`.
    #[arg(long)]
    json: bool,
    /// Rush a system that isn't on this machine's loopback. Only where it is yours, and nobody else uses it.
    #[arg(long)]
    allow_remote: bool,
    #[command(flatten)]
    system: SystemArgs,
}

/// Carries it out. Exit code 3 where something is broken, 4 where the system went away for good.
pub(crate) async fn run(args: RushArgs, output: Output) -> anyhow::Result<Exit> {
    let output = if args.json { output.as_json() } else { output };
    let system = args.system.find()?;
    let url = system.url()?;
    if !is_loopback(url) && !args.allow_remote {
        let text = format!("{url} isn't on this machine's loopback, and a rush is a load that others would feel");
        return Err(Failure::new(Exit::Usage, text).hint("say --allow-remote if that system is yours alone").into());
    }
    enough_files(u64::from(args.fans))?;
    let plan = match &args.plan {
        None => demo::plan::plan(),
        Some(file) => plan::read(file)?.map_err(|problems| {
            Failure::new(Exit::Failure, format!("{} has {} problems", file.display(), problems.len()))
                .hint(format!("see them with `socketing plan import --check {}`", file.display()))
        })?,
    };
    let options = Options {
        fans: args.fans as usize,
        plan,
        seed: args.seed,
        shares: Shares {
            parties: args.parties_percent,
            lapses: args.lapses_percent,
            cancels: args.cancels_percent,
            retries: args.retries_percent,
            reconnects: args.reconnects_percent,
        },
        capacity: args.capacity,
        time_limit: Duration::from_secs(args.time_limit),
        patience: Duration::from_secs(args.patience),
    };
    let report = rush::run(url, system.database_url()?, options, output).await?;
    output.answer(&report, Report::text)?;
    Ok(if report.counts.violations == 0 { Exit::Ok } else { Exit::Broken })
}

/// A live connection per fan, and as many for requests when all press the button at once.
fn enough_files(fans: u64) -> Result<(), Failure> {
    let wanted = 2 * fans + OTHER_FILES;
    let (_, limit) = crate::limits::open_files();
    if limit.is_none_or(|limit| limit >= wanted) {
        return Ok(());
    }
    let text = format!("{fans} fans need {wanted} open files, but this session may have {}", limit.unwrap_or(0));
    Err(Failure::new(Exit::Failure, text).hint("raise it with `ulimit -n`, or bring fewer fans"))
}
