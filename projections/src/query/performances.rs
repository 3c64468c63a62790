//! `GET /v1/performances/{performance}`

use super::shows::Viewer;
use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, QueryErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::event::StreamId;
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_domain::show::{CategoryPrice, Policies, Text};
use socketing_domain::{PerformanceId, ShowId, Timestamp, Won};
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// One date of a show.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Performance {
    /// The performance.
    performance_id: PerformanceId,
    /// Its show.
    show_id: ShowId,
    /// The show's title.
    title: Text,
    /// Where it is played.
    venue: Text,
    /// The seating plan, by hash.
    plan: PlanHash,
    /// When it begins.
    starts_at: Timestamp,
    /// Before this, nobody gets in.
    sale_opens_at: Timestamp,
    /// The rules it is sold by.
    policies: Policies,
    /// The price of each category.
    prices: Vec<CategoryPrice>,
    /// What is left, in the plan's order of categories; empty until the performance is on sale.
    remaining: Vec<Remaining>,
    #[serde(flatten)]
    standing: Standing,
}

/// What is left of a category.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Remaining {
    /// The category's name in the plan.
    category: String,
    /// The price of one seat.
    price: Won,
    /// Seats in all.
    seats: u32,
    /// Seats that nobody has.
    free: u32,
}

#[derive(sqlx::FromRow)]
struct Row {
    show_id: Uuid,
    title: sqlx::types::Json<Text>,
    venue: sqlx::types::Json<Text>,
    plan: [u8; 32],
    starts_at: OffsetDateTime,
    sale_opens_at: OffsetDateTime,
    policies: sqlx::types::Json<Policies>,
    prices: sqlx::types::Json<Vec<CategoryPrice>>,
}

socketing_service::error_responses!(UnknownPerformance: Code::of(Reason::UnknownPerformance));

/// One date of a show, and what is left.
#[utoipa::path(
    get, path = "/v1/performances/{performance}", tag = "shows", operation_id = "get_performance",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Performance), UnknownPerformance, QueryErrors), security((), ("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn performance(
    State(api): State<Api>,
    caller: Option<Caller>,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Performance>, Problem> {
    let viewer = Viewer::of(&api, caller).await?;
    let touched = [StreamId::Performance(performance)];
    let models = [Model::Catalogue, Model::Sales];
    let mut snapshot = api.snapshot(&models, fresh.min_position, Touches::Streams(&touched)).await?;
    // Drafts may name any id; the show that has the performance on sale is the one that counts.
    let row: Option<Row> = sqlx::query_as(
        "select s.show_id, s.title, s.venue, s.plan, p.starts_at, s.sale_opens_at, s.policies, s.prices
         from catalogue_performances p join catalogue_shows s using (show_id)
         where p.performance_id = $1 and (s.published or s.organiser = $2 or $3)
         order by p.scheduled desc, s.published desc, s.show_id limit 1",
    )
    .bind(performance.0)
    .bind(viewer.account)
    .bind(viewer.operator)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a performance"))?;
    let row = row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    let remaining = remaining(snapshot.connection(), performance, &row.prices.0).await?;
    Ok(Json(Performance {
        performance_id: performance,
        show_id: row.show_id.into(),
        title: row.title.0,
        venue: row.venue.0,
        plan: PlanHash(row.plan),
        starts_at: row.starts_at.into(),
        sale_opens_at: row.sale_opens_at.into(),
        policies: row.policies.0,
        prices: row.prices.0,
        remaining,
        standing: snapshot.standing,
    }))
}

async fn remaining(connection: &mut PgConnection, performance: PerformanceId, prices: &[CategoryPrice]) -> Result<Vec<Remaining>, Problem> {
    let rows: Vec<(String, i32, i32)> = sqlx::query_as(
        "select category, seats, seats - held - booked - sold from sales where performance_id = $1 and seats > 0 order by ordinal",
    )
    .bind(performance.0)
    .fetch_all(connection)
    .await
    .map_err(failed("reading what is left"))?;
    let price = |category: &str| prices.iter().find(|price| price.category == category).map_or(Won::ZERO, |price| price.price);
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let row = |(category, seats, free): (String, i32, i32)| {
        let price = price(&category);
        Remaining { category, price, seats: count(seats), free: count(free) }
    };
    Ok(rows.into_iter().map(row).collect())
}
