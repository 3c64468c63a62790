//! `socketing events`: reads the log, for operators.

use crate::failure::{Exit, Failure};
use crate::operator;
use crate::output::{Output, print, table};
use crate::system::SystemArgs;
use clap::{Args, Subcommand};
use cqrs_es::persist::SerializedEvent;
use serde::Serialize;
use serde_json::Value;
use socketing_domain::event::StreamId;
use socketing_event_store::repository::stream_events;
use socketing_event_store::{PgPool, PoolOptions, RawEvent, log};
use std::time::Duration;
use tokio::time::sleep;

/// How often the log is looked at for more.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Characters of a payload that a table shows.
const PAYLOAD_CHARS: usize = 96;

/// What can be read.
#[derive(Subcommand, Debug)]
pub(crate) enum EventsCommand {
    /// All events of one stream, such as `performance <id>`. A party's id is `<performance>/<party>`.
    Cat(CatArgs),
    /// The log's last events, and those that come.
    Tail(TailArgs),
}

/// Which stream.
#[derive(Args, Debug)]
pub(crate) struct CatArgs {
    /// The kind: account, wallet, show, waiting-room, party or performance.
    kind: String,
    /// The id.
    id: String,
    #[command(flatten)]
    system: SystemArgs,
}

/// From where.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// How many of the last events are shown first.
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: u64,
    /// Go on with those that come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    system: SystemArgs,
}

/// One event of a stream, as cqrs-es knows it.
#[derive(Serialize)]
struct StreamEvent {
    sequence: usize,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Value,
}

impl From<SerializedEvent> for StreamEvent {
    fn from(event: SerializedEvent) -> StreamEvent {
        let SerializedEvent { sequence, event_type, event_version, payload, metadata, .. } = event;
        StreamEvent { sequence, event_type, event_version, payload, metadata }
    }
}

/// Carries it out.
pub(crate) async fn run(command: EventsCommand, output: Output) -> anyhow::Result<Exit> {
    match command {
        EventsCommand::Cat(args) => cat(args, output).await,
        EventsCommand::Tail(args) => tail(args, output).await,
    }
}

/// Through postgres-es's own repository, which reads the table as any tool made for cqrs-es would.
async fn cat(args: CatArgs, output: Output) -> anyhow::Result<Exit> {
    let Some(stream) = StreamId::parse(&args.kind, &args.id) else {
        let text = format!("no stream is called {} {}", args.kind, args.id);
        return Err(Failure::new(Exit::Usage, text)
            .hint("kinds are account, wallet, show, waiting-room, party and performance; ids are UUIDs")
            .into());
    };
    let pool = connect(&args.system).await?;
    let events: Vec<StreamEvent> = stream_events(&pool, &stream, 0).await?.into_iter().map(StreamEvent::from).collect();
    if events.is_empty() {
        return Err(Failure::new(Exit::Failure, format!("{stream} has no events")).into());
    }
    output.answer(&events, |events| {
        let rows = events.iter().map(|event| {
            vec![
                event.sequence.to_string(),
                event.event_type.clone(),
                format!("v{}", event.event_version),
                shortened(&event.payload.to_string()),
            ]
        });
        table(&["sequence", "event", "version", "payload"], 0..1, rows)
    })?;
    Ok(Exit::Ok)
}

async fn tail(args: TailArgs, output: Output) -> anyhow::Result<Exit> {
    let pool = connect(&args.system).await?;
    let mut after = log::head(&pool).await?.position.saturating_sub(args.lines);
    loop {
        let page = log::read_after(&pool, after, log::PAGE_EVENTS_MAX).await?;
        for event in &page {
            after = event.position;
            print(&line(event, output)?)?;
        }
        if page.is_empty() {
            if !args.follow {
                return Ok(Exit::Ok);
            }
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return Ok(Exit::Ok),
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// One event in one line; as JSON, one document a line.
fn line(event: &RawEvent, output: Output) -> anyhow::Result<String> {
    if output.is_json() {
        return Ok(serde_json::to_string(event)?);
    }
    let RawEvent { position, recorded_at, aggregate_type, aggregate_id, event_type, payload, .. } = event;
    Ok(format!("{position:>8}  {recorded_at}  {aggregate_type} {aggregate_id}  {event_type}  {}", shortened(payload.get())))
}

fn shortened(payload: &str) -> String {
    if payload.chars().count() <= PAYLOAD_CHARS {
        return payload.to_owned();
    }
    let head: String = payload.chars().take(PAYLOAD_CHARS).collect();
    format!("{head}…")
}

async fn connect(system: &SystemArgs) -> anyhow::Result<PgPool> {
    operator::database(system.find()?.database_url()?, &PoolOptions::new("socketing-events", 2)).await
}
