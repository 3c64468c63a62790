//! `GET /v1/performances/{performance}/find`
//!
//! Looked for in the seat map's read model: a published copy, with its position, that everyone may ask as often as they
//! like without the writer noticing. Who finds something may still be too late; who must not be holds the best seats by one
//! command, which the writer decides with the same search.

use super::seats::{digits_of, version_of};
use super::snapshot::{Snapshot, Standing, Touches};
use super::{Api, QueryErrors, failed, no_plan};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use socketing_domain::event::StreamId;
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_domain::seating::{Block, Free, Kind, Search, Wishes};
use socketing_domain::show::{CategoryPrice, Policies};
use socketing_domain::{PerformanceId, SeatIndex, Won};
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use utoipa::{IntoParams, ToSchema};

/// What is wished for, and how fresh the answer must be.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindQuery {
    /// How many seats: 1 to 64.
    people: i64,
    /// How many of them are spaces for wheelchairs; the others are then companions' or ordinary seats.
    #[serde(default)]
    wheelchairs: i64,
    /// No seat costs more, in won.
    price_max: Option<i64>,
    /// Only seats of this category: its place in the plan.
    category: Option<u16>,
    /// Only seats of this area: its place in the plan.
    area: Option<u16>,
    /// The nearer to this seat, the better. Without it: the dearer, the nearer to the front, and to the middle.
    near: Option<u32>,
    /// Nothing that lies worse.
    #[serde(default)]
    at_worst: Kind,
    /// The answer covers the log at least up to this position. Waits for it up to 5 seconds.
    min_position: Option<u64>,
}

/// Seats that were free at `position`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// The performance.
    performance_id: PerformanceId,
    /// The seating plan, by hash.
    plan: PlanHash,
    /// Up to five blocks, the best first, no two with a seat in common. What is split says so.
    blocks: Vec<Block>,
    #[serde(flatten)]
    standing: Standing,
}

socketing_service::error_responses!(
    FindErrors: Code::of(Reason::UnknownPerformance), Code::of(Reason::SeatCount), Code::of(Reason::UnknownSeat), Code::of(Reason::Invalid)
);

/// The best free seats for so many people: side by side first, then in two rows, then near one another.
///
/// Nothing is held by it. Under a show's rule against single seats, nothing is found that holding would refuse.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/find", tag = "seats", operation_id = "find_seats",
    params(("performance" = PerformanceId, Path), FindQuery), responses((status = 200, body = Found), FindErrors, QueryErrors)
)]
pub(crate) async fn find(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    Query(asked): Query<FindQuery>,
) -> Result<Json<Found>, Problem> {
    let (wishes, min_position) = asked.wishes()?;
    let touched = [StreamId::Performance(performance)];
    let mut snapshot = api.snapshot(&[Model::SeatMap, Model::Catalogue], min_position, Touches::Streams(&touched)).await?;
    let (hash, version) = version_of(&mut snapshot, performance).await?;
    let digits = digits_of(&api, &mut snapshot, performance, version).await?;
    let plan = api.0.plans.get(snapshot.connection(), hash).await.map_err(no_plan)?;
    let (prices, no_orphans) = terms(&mut snapshot, performance).await?;
    let price = |category: &String| prices.iter().find(|price| price.category == *category).map_or(Won::ZERO, |price| price.price);
    let prices: Vec<Won> = plan.categories.iter().map(price).collect();
    let free = Free::of_digits(digits.as_bytes());
    // Well under a millisecond on a map of 50,000 seats (`./dev bench find`): not worth another thread.
    let blocks = Search { index: plan.index(), free: &free, prices: &prices, no_orphans }.find(&wishes)?;
    Ok(Json(Found { performance_id: performance, plan: hash, blocks, standing: snapshot.standing }))
}

impl FindQuery {
    fn wishes(self) -> Result<(Wishes, Option<u64>), Problem> {
        let FindQuery { people, wheelchairs, category, area, at_worst, min_position, .. } = self;
        let no_price = || Problem::new(Code::of(Reason::Invalid)).detail(format!("/price_max: 0 to {} won", Won::MAX.get()));
        let price = |won| Won::new(won).ok_or_else(no_price);
        let price_max = self.price_max.map(price).transpose()?;
        let near = self.near.map(SeatIndex);
        Ok((Wishes { people, wheelchairs, price_max, category, area, near, at_worst }, min_position))
    }
}

/// The prices and the rule about single seats that the performance is sold by.
async fn terms(snapshot: &mut Snapshot, performance: PerformanceId) -> Result<(Vec<CategoryPrice>, bool), Problem> {
    type Row = (sqlx::types::Json<Vec<CategoryPrice>>, sqlx::types::Json<Policies>);
    let row: Option<Row> = sqlx::query_as(
        "select s.prices, s.policies from catalogue_performances p join catalogue_shows s using (show_id)
         where p.performance_id = $1 and p.scheduled",
    )
    .bind(performance.0)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a performance's prices"))?;
    let (prices, policies) = row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    Ok((prices.0, policies.0.no_orphans))
}
