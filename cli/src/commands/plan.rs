//! `socketing plan`: reads a seating plan, says everything that is wrong with it, and keeps it if nothing is; and writes one
//! that was kept.

use crate::client::{Api, Ask};
use crate::failure::{Exit, Failure};
use crate::operator;
use crate::output::{Output, table};
use crate::system::SystemArgs;
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use socketing_domain::limits::PLAN_BYTES_MAX;
use socketing_domain::plan::{Plan, PlanHash, Problem};
use std::path::{Path, PathBuf};

/// What can be done with plans.
#[derive(Subcommand, Debug)]
pub(crate) enum PlanCommand {
    /// Import a plan in the pretix format or our own. Every problem is told with its place in the file.
    Import(ImportArgs),
    /// Write a plan that was imported, in our own format or that of pretix.
    Export(ExportArgs),
}

/// Which plan, and how.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// Its hash: 64 hex digits.
    plan: PlanHash,
    /// The format. That of pretix leaves out what it can't say.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to; without it, to the terminal.
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    system: SystemArgs,
}

/// A format of plans.
#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum Format {
    /// Our own: docs/plan-format.md.
    #[default]
    Own,
    /// That of pretix.
    Pretix,
}

/// Which plan.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The file.
    file: PathBuf,
    /// Only look for problems; nothing is kept, and no running system is needed.
    #[arg(long)]
    check: bool,
    /// The token of an organiser or operator. Without it, the system's own, from its database.
    #[arg(long, env = "SOCKETING_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    system: SystemArgs,
}

/// A plan in a few words.
#[derive(Serialize)]
struct Summary {
    plan: String,
    name: String,
    seats: usize,
    areas: Vec<String>,
    categories: Vec<Category>,
    imported: bool,
}

#[derive(Serialize)]
struct Category {
    name: String,
    color: String,
    seats: usize,
}

/// Carries it out.
pub(crate) async fn run(command: PlanCommand, output: Output) -> anyhow::Result<Exit> {
    match command {
        PlanCommand::Import(args) => import(args, output).await,
        PlanCommand::Export(args) => export(args).await,
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<Exit> {
    let api = Api::new(args.system.find()?.url()?, 1)?;
    let format = match args.format {
        Format::Own => "own",
        Format::Pretix => "pretix",
    };
    let path = format!("/v1/plans/{}?format={format}", args.plan);
    let plan = api.call(Ask::get(&path)).await.map_err(|error| error.failure(&api, "asking for the plan"))?.body;
    let text = serde_json::to_string_pretty(&plan)?;
    match &args.file {
        Some(file) => std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?,
        None => println!("{text}"),
    }
    Ok(Exit::Ok)
}

async fn import(args: ImportArgs, output: Output) -> anyhow::Result<Exit> {
    let plan = match read(&args.file)? {
        Ok(plan) => plan,
        Err(problems) => return told(&problems, output),
    };
    if !args.check {
        let system = args.system.find()?;
        let api = Api::new(system.url()?, 1)?;
        let token = match &args.token {
            Some(token) => token.clone(),
            None => operator::system_token(system.database_url()?).await?,
        };
        operator::import_plan(&api, &token, &serde_json::to_value(&plan)?).await?;
    }
    output.answer(&summary(&plan, !args.check), text)?;
    Ok(Exit::Ok)
}

/// Reads a plan's file: the plan, or what is wrong with it.
///
/// # Errors
/// If there is no such file, or it is larger than any plan.
pub(crate) fn read(file: &Path) -> anyhow::Result<Result<Plan, Vec<Problem>>> {
    let doing = || format!("reading {}", file.display());
    let bytes = std::fs::metadata(file).with_context(doing)?.len();
    if bytes > PLAN_BYTES_MAX as u64 {
        let text = format!("{} has {bytes} bytes; a plan has at most {PLAN_BYTES_MAX}", file.display());
        return Err(Failure::new(Exit::Failure, text).hint("is it a seating plan?").into());
    }
    Ok(Plan::import(&std::fs::read(file).with_context(doing)?))
}

fn told(problems: &[Problem], output: Output) -> anyhow::Result<Exit> {
    output.answer(&serde_json::json!({ "problems": problems }), |_| {
        let rows = problems.iter().map(|problem| vec![place(&problem.path), problem.code.clone(), problem.detail.clone()]);
        format!("{}\n\nproblems: {}", table(&["place", "problem", "what is wrong"], 0..0, rows), problems.len())
    })?;
    Ok(Exit::Failure)
}

fn place(path: &str) -> String {
    if path.is_empty() { "(the whole file)".to_owned() } else { path.to_owned() }
}

fn summary(plan: &Plan, imported: bool) -> Summary {
    let seats_of = |category: usize| plan.seats.iter().filter(|seat| usize::from(seat.category) == category).count();
    let category = |(nth, category): (usize, &socketing_domain::plan::Category)| Category {
        name: category.name.clone(),
        color: category.color.clone(),
        seats: seats_of(nth),
    };
    Summary {
        plan: plan.hash().to_string(),
        name: plan.name.clone(),
        seats: plan.seats.len(),
        areas: plan.areas.iter().map(|area| area.name.clone()).collect(),
        categories: plan.categories.iter().enumerate().map(category).collect(),
        imported,
    }
}

fn text(summary: &Summary) -> String {
    let rows = summary.categories.iter().map(|category| vec![category.name.clone(), category.color.clone(), category.seats.to_string()]);
    let what = if summary.imported { "imported" } else { "nothing is wrong with" };
    format!(
        "{what} {}: {} seats in {}\n{}\n\n{}",
        summary.name,
        summary.seats,
        summary.areas.join(", "),
        summary.plan,
        table(&["category", "colour", "seats"], 2..3, rows)
    )
}
