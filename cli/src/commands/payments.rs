//! `socketing payments`: payments and refunds whose outcome isn't known yet.

use crate::client::{Api, Ask};
use crate::failure::Exit;
use crate::operator;
use crate::output::{Output, table};
use crate::system::SystemArgs;
use clap::{Args, ValueEnum};
use serde_json::Value;

/// Which.
#[derive(Args, Debug)]
pub(crate) struct PaymentsArgs {
    /// Only those in this state; without it, all that are open.
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    #[command(flatten)]
    system: SystemArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum StateArg {
    /// No provider was asked yet.
    Waiting,
    /// A provider was asked, and what it did isn't known.
    InDoubt,
}

/// Asks the running system.
pub(crate) async fn run(args: PaymentsArgs, output: Output) -> anyhow::Result<Exit> {
    let system = args.system.find()?;
    let api = Api::new(system.url()?, 1)?;
    let token = operator::system_token(system.database_url()?).await?;
    let path = match args.state {
        None => "/v1/operator/payments",
        Some(StateArg::Waiting) => "/v1/operator/payments?state=waiting",
        Some(StateArg::InDoubt) => "/v1/operator/payments?state=in_doubt",
    };
    let asked = api.call_patiently(Ask::get(path).by(&token)).await;
    let open = asked.map_err(|error| error.failure(&api, "asking for open payments"))?.body;
    output.answer(&open, text)?;
    Ok(Exit::Ok)
}

fn text(open: &Value) -> String {
    let payments = open["payments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = payments.iter().map(|payment| {
        let overdue = if payment["overdue"] == true { "overdue" } else { "" };
        ["kind", "method", "payment_id", "amount", "state", "since", "attempts"]
            .map(|member| word(&payment[member]))
            .into_iter()
            .chain([overdue.to_owned(), word(&payment["last_error"])])
            .collect()
    });
    let table = table(&["kind", "method", "payment", "won", "state", "since", "tries", "", "last error"], 3..4, rows);
    format!("{table}\n{} open, {} overdue", open["total"], open["overdue"])
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
