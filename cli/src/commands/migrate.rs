//! `socketing migrate`: brings the database's schema up to date.

use crate::failure::Exit;
use crate::operator;
use crate::output::Output;
use crate::system::SystemArgs;
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use socketing_event_store::PoolOptions;
use std::time::Duration;

/// A migration may rewrite a large table.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Where.
#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    system: SystemArgs,
}

/// Applies what is missing. Harmless when nothing is, and when several do it at once.
pub(crate) async fn run(args: MigrateArgs, output: Output) -> anyhow::Result<Exit> {
    let system = args.system.find()?;
    let options = PoolOptions { statement_timeout: STATEMENT_TIMEOUT, ..PoolOptions::new("socketing-migrate", 2) };
    let pool = operator::database(system.database_url()?, &options).await?;
    let missing = socketing_event_store::pending_migrations(&pool).await.context("looking at the schema")?;
    socketing_event_store::migrate(&pool).await?;
    output.answer(&json!({ "applied": missing }), |_| match missing.len() {
        0 => "the schema is up to date".to_owned(),
        _ => format!("applied {}", missing.join(", ")),
    })?;
    Ok(Exit::Ok)
}
