//! `GET /v1/performances/{performance}/sales`

use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, MineErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::event::{Actor, StreamId};
use socketing_domain::refusal::Reason;
use socketing_domain::{PerformanceId, Won};
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

/// How the sale of a performance goes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sales {
    /// In the plan's order of categories.
    categories: Vec<Figures>,
    #[serde(flatten)]
    standing: Standing,
}

/// The figures of one category.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// The category's name in the plan.
    category: String,
    /// Seats in all.
    seats: u32,
    /// Seats that someone is choosing.
    held: u32,
    /// Seats that wait for their payment.
    booked: u32,
    /// Seats that are sold.
    sold: u32,
    /// What was paid for the seats that are sold now.
    revenue: Won,
    /// What was paid back or is owed.
    refunded: Won,
}

type Row = (String, i32, i32, i32, i32, i64, i64);

socketing_service::error_responses!(
    /// What [`must_run`] refuses.
    RunErrors: Code::of(Reason::UnknownPerformance), Code::of(Reason::Forbidden)
);

/// How a sale goes: for the show's organiser and for operators.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/sales", tag = "sales", operation_id = "get_sales",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Sales), RunErrors, MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn sales(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Sales>, Problem> {
    let operator = api.is_operator(&caller).await?;
    let touched = [StreamId::Performance(performance)];
    let mut snapshot = api.snapshot(&[Model::Sales, Model::Catalogue], fresh.min_position, Touches::Streams(&touched)).await?;
    must_run(snapshot.connection(), &caller, operator, performance).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select category, seats, held, booked, sold, revenue, refunded from sales
         where performance_id = $1 and seats > 0 order by ordinal",
    )
    .bind(performance.0)
    .fetch_all(snapshot.connection())
    .await
    .map_err(failed("reading sales"))?;
    Ok(Json(Sales { categories: rows.into_iter().map(figures).collect(), standing: snapshot.standing }))
}

/// Refuses who neither organises the performance's show nor runs the system.
pub(super) async fn must_run(
    connection: &mut PgConnection,
    caller: &Caller,
    operator: bool,
    performance: PerformanceId,
) -> Result<(), Problem> {
    let organiser: Option<Uuid> = sqlx::query_scalar(
        "select s.organiser from catalogue_performances p join catalogue_shows s using (show_id)
         where p.performance_id = $1 and p.scheduled",
    )
    .bind(performance.0)
    .fetch_optional(connection)
    .await
    .map_err(failed("reading a performance's organiser"))?;
    let organiser = organiser.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    let own = matches!(caller.actor, Actor::Account(account) if account.0 == organiser);
    if !own && !operator {
        return Err(Problem::new(Code::of(Reason::Forbidden)).detail("this is for the show's organiser and for operators"));
    }
    Ok(())
}

fn figures((category, seats, held, booked, sold, revenue, refunded): Row) -> Figures {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let won = |amount: i64| Won::new(amount).unwrap_or_default();
    Figures {
        category,
        seats: count(seats),
        held: count(held),
        booked: count(booked),
        sold: count(sold),
        revenue: won(revenue),
        refunded: won(refunded),
    }
}
