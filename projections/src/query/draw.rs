//! `GET /v1/performances/{performance}/draw` and the list of its tickets: what anybody checks a draw by.

use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, QueryErrors, failed, unsigned};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use socketing_domain::draw::Digest;
use socketing_domain::event::StreamId;
use socketing_domain::refusal::Reason;
use socketing_domain::{PerformanceId, Timestamp};
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// Tickets in one answer: about a megabyte.
const TICKETS_MAX: u32 = 10_000;

/// A draw as far as it is public.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Draw {
    /// The hash of the secret seed, published before the lobby opened.
    commitment: Digest,
    /// The position of the event that published it.
    committed_position: u64,
    /// When the lobby opens.
    lobby_opens_at: Timestamp,
    /// When it closes: the sale opens.
    sale_opens_at: Timestamp,
    /// The position of the event by which the seed was given up, because it is lost: the beacon alone decides, and the seed is
    /// 32 zero bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_lost_position: Option<u64>,
    /// How it came to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_lost_reason: Option<String>,
    /// What a source outside said, if anything was mixed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    beacon: Option<String>,
    /// What that source is; of a draw whose seed is lost, what it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    beacon_source: Option<String>,
    /// The root of all tickets, published when the lobby closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<Digest>,
    /// How many tickets there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    /// The position of the event that published both.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_position: Option<u64>,
    /// The seed, published after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Digest>,
    /// The position of the event that published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    revealed_position: Option<u64>,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(sqlx::FromRow)]
struct Row {
    commitment: [u8; 32],
    committed_position: i64,
    lobby_opens_at: OffsetDateTime,
    sale_opens_at: OffsetDateTime,
    seed_lost_position: Option<i64>,
    seed_lost_reason: Option<String>,
    beacon: Option<String>,
    beacon_source: Option<String>,
    root: Option<[u8; 32]>,
    lobby_entries: Option<i64>,
    closed_position: Option<i64>,
    seed: Option<[u8; 32]>,
    revealed_position: Option<i64>,
}

socketing_service::error_responses!(NoDraw: Code::of(Reason::NoDraw));

/// A performance's draw: commitment, root, seed and beacon, each once it is published.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/draw", tag = "line", operation_id = "get_draw",
    params(("performance" = PerformanceId, Path), Fresh), responses((status = 200, body = Draw), NoDraw, QueryErrors)
)]
pub(crate) async fn draw(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Draw>, Problem> {
    let touched = [StreamId::WaitingRoom(performance)];
    let mut snapshot = api.snapshot(&[Model::Line], fresh.min_position, Touches::Streams(&touched)).await?;
    let row: Option<Row> = sqlx::query_as(
        "select commitment, committed_position, lobby_opens_at, sale_opens_at, beacon, beacon_source, root, lobby_entries, closed_position,
                seed, revealed_position, seed_lost_position, seed_lost_reason
         from lines where performance_id = $1 and commitment is not null",
    )
    .bind(performance.0)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a draw"))?;
    let row = row.ok_or_else(|| Problem::new(Code::of(Reason::NoDraw)))?;
    Ok(Json(Draw {
        commitment: Digest(row.commitment),
        committed_position: unsigned(row.committed_position),
        lobby_opens_at: row.lobby_opens_at.into(),
        sale_opens_at: row.sale_opens_at.into(),
        seed_lost_position: row.seed_lost_position.map(unsigned),
        seed_lost_reason: row.seed_lost_reason,
        beacon: row.beacon,
        beacon_source: row.beacon_source,
        root: row.root.map(Digest),
        entries: row.lobby_entries.map(unsigned),
        closed_position: row.closed_position.map(unsigned),
        seed: row.seed.map(Digest),
        revealed_position: row.revealed_position.map(unsigned),
        standing: snapshot.standing,
    }))
}

/// Which part of the list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Part {
    /// Those with a higher number than this.
    after: u32,
    /// At most so many, 1 to 10,000.
    #[param(minimum = 1, maximum = 10_000, default = 10_000)]
    limit: u32,
    /// Waits until the answer covers this position of the log.
    min_position: Option<u64>,
}

impl Default for Part {
    fn default() -> Part {
        Part { after: 0, limit: TICKETS_MAX, min_position: None }
    }
}

/// Tickets, by number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrawTickets {
    /// The number of the first.
    first_number: u64,
    /// The tickets, in the order of their numbers: each has one number more than the one before.
    tickets: Vec<Digest>,
    #[serde(flatten)]
    standing: Standing,
}

/// The tickets of a draw in the order that it gave them, from which anybody can work the order out again. Empty until the
/// seed is published.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/draw/tickets", tag = "line", operation_id = "draw_tickets",
    params(("performance" = PerformanceId, Path), Part), responses((status = 200, body = DrawTickets), QueryErrors)
)]
pub(crate) async fn tickets(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    Query(part): Query<Part>,
) -> Result<Json<DrawTickets>, Problem> {
    let touched = [StreamId::WaitingRoom(performance)];
    let mut snapshot = api.snapshot(&[Model::Line], part.min_position, Touches::Streams(&touched)).await?;
    let tickets: Vec<[u8; 32]> =
        sqlx::query_scalar("select ticket from draw_tickets where performance_id = $1 and number > $2 order by number limit $3")
            .bind(performance.0)
            .bind(i64::from(part.after))
            .bind(i64::from(part.limit.clamp(1, TICKETS_MAX)))
            .fetch_all(snapshot.connection())
            .await
            .map_err(failed("reading a draw's tickets"))?;
    let tickets = tickets.into_iter().map(Digest).collect();
    Ok(Json(DrawTickets { first_number: u64::from(part.after) + 1, tickets, standing: snapshot.standing }))
}
