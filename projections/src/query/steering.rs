//! `GET /v1/performances/{performance}/line/steering`

use super::people::nicknames;
use super::sales::{RunErrors, must_run};
use super::snapshot::{Snapshot, Standing, Touches};
use super::{Api, Fresh, MineErrors, failed, unsigned};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::refusal::Reason;
use socketing_domain::waiting_room::Event as Line;
use socketing_domain::{AccountId, PerformanceId, Timestamp};
use socketing_event_store::{StoreError, log};
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// Acts in one answer: more than a line is steered in a sale.
const ACTS_MAX: u32 = 100;

/// The events by which a line is steered.
const STEERING: [&str; 7] = ["LinePaused", "LineResumed", "DrainBegun", "LimitsChanged", "EvictionOrdered", "BeaconGiven", "SeedLost"];

/// How a line stands, and what was done to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Steering {
    /// Whether it moves.
    flow: LineFlow,
    /// People inside at once, at most, passes that aren't claimed yet included.
    capacity: u64,
    /// People called in a minute, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    admissions_per_minute: Option<u64>,
    /// Places that wait.
    waiting: u64,
    /// Places inside, those whose pass isn't claimed yet included. A party is one place and several people.
    inside: u64,
    /// Those of them whose pass isn't claimed yet.
    called: u64,
    /// What was done to it, the latest first, at most 100 acts.
    acts: Vec<LineAct>,
    #[serde(flatten)]
    standing: Standing,
}

/// Whether a line moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineFlow {
    /// People join and are called.
    Running,
    /// Nobody is called.
    Paused,
    /// Nobody joins any more; who waits is still called.
    Draining,
}

/// Something that was done to a line by those who run it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineAct {
    /// Where it stands in the log.
    position: u64,
    /// When.
    at: Timestamp,
    /// The nickname of who did it; where there is none, the actor as the log has it.
    by: String,
    #[serde(flatten)]
    deed: Deed,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "did", rename_all = "snake_case")]
pub(crate) enum Deed {
    /// Nobody was called from here on.
    Paused {
        /// Why.
        reason: String,
    },
    /// People were called, and could join, again.
    Resumed {
        /// Why.
        reason: String,
    },
    /// Nobody could join any more.
    Drained {
        /// Why.
        reason: String,
    },
    /// Other limits counted.
    Limited {
        /// People inside at once.
        capacity: u32,
        /// People called in a minute, at most.
        #[serde(skip_serializing_if = "Option::is_none")]
        admissions_per_minute: Option<u32>,
        /// Why.
        reason: String,
    },
    /// A place was taken away.
    Evicted {
        /// The place's number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A beacon was mixed into the draw.
    GaveBeacon {
        /// What it says.
        value: String,
        /// What it is.
        source: String,
    },
    /// The draw's seed is lost: a beacon alone decides.
    LostSeed {
        /// Which beacon.
        source: String,
        /// Why.
        reason: String,
    },
}

type Row = (String, i64, Option<i64>, i64, i64, i64);

/// How a line stands, and what was done to it by whom and why: for the show's organiser and for operators.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/line/steering", tag = "line", operation_id = "line_steering",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Steering), RunErrors, MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn steering(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Steering>, Problem> {
    let operator = api.is_operator(&caller).await?;
    let touched = [StreamId::WaitingRoom(performance)];
    let mut snapshot = api.snapshot(&[Model::Line, Model::Catalogue], fresh.min_position, Touches::Streams(&touched)).await?;
    must_run(snapshot.connection(), &caller, operator, performance).await?;
    let row: Option<Row> =
        sqlx::query_as("select flow, capacity, admissions_per_minute, waiting, called, inside from lines where performance_id = $1")
            .bind(performance.0)
            .fetch_optional(snapshot.connection())
            .await
            .map_err(failed("reading a line"))?;
    let (flow, capacity, admissions_per_minute, waiting, called, inside) =
        row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    Ok(Json(Steering {
        flow: match flow.as_str() {
            "paused" => LineFlow::Paused,
            "draining" => LineFlow::Draining,
            _ => LineFlow::Running,
        },
        capacity: unsigned(capacity),
        admissions_per_minute: admissions_per_minute.map(unsigned),
        waiting: unsigned(waiting),
        inside: unsigned(inside),
        called: unsigned(called),
        acts: acts(&mut snapshot, &touched[0]).await?,
        standing: snapshot.standing,
    }))
}

/// The log tells them; those after what the rest of the answer covers come with the next.
async fn acts(snapshot: &mut Snapshot, line: &StreamId) -> Result<Vec<LineAct>, Problem> {
    let found = log::latest_of(snapshot.connection(), line.aggregate_type(), &line.aggregate_id(), &STEERING, ACTS_MAX).await;
    let found = found.map_err(|error| unread(&error))?;
    let mut acts = Vec::with_capacity(found.len());
    for raw in found.iter().filter(|raw| raw.position <= snapshot.standing.position) {
        let event = raw.decode().map_err(|error| Problem::internal("reading how a line was steered", &error))?;
        let Some(deed) = deed(event.event) else { continue };
        acts.push(LineAct { position: event.position, at: event.recorded_at, by: event.metadata.actor, deed });
    }
    let names = nicknames(snapshot.connection(), acts.iter().filter_map(|act| account_of(&act.by)).map(|account| account.0)).await?;
    for act in &mut acts {
        let name = account_of(&act.by).and_then(|account| names.get(&account));
        name.into_iter().for_each(|name| act.by.clone_from(name));
    }
    Ok(acts)
}

fn account_of(actor: &str) -> Option<AccountId> {
    actor.strip_prefix("account:")?.parse().ok()
}

fn deed(event: Event) -> Option<Deed> {
    let Event::WaitingRoom(event) = event else { return None };
    Some(match event {
        Line::LinePaused { reason } => Deed::Paused { reason },
        Line::LineResumed { reason } => Deed::Resumed { reason },
        Line::DrainBegun { reason } => Deed::Drained { reason },
        Line::LimitsChanged { capacity, admissions_per_minute, reason } => Deed::Limited { capacity, admissions_per_minute, reason },
        Line::EvictionOrdered { number, reason, .. } => Deed::Evicted { number, reason },
        Line::BeaconGiven { value, source } => Deed::GaveBeacon { value, source },
        Line::SeedLost { beacon_source, reason } => Deed::LostSeed { source: beacon_source, reason },
        _ => return None,
    })
}

fn unread(error: &StoreError) -> Problem {
    match error {
        StoreError::Query { source, .. } => Problem::database("reading how a line was steered", source),
        error => Problem::internal("reading how a line was steered", error),
    }
}
