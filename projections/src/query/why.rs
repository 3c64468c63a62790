//! `GET /v1/performances/{performance}/line/why`

use super::snapshot::Touches;
use super::{Api, Fresh, MineErrors, failed, unsigned};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use socketing_domain::draw::Digest;
use socketing_domain::event::{Actor, StreamId};
use socketing_domain::refusal::Reason;
use socketing_domain::{AccountId, Clock, EntryId, PerformanceId, SystemClock, Timestamp};
use socketing_event_store::command_log;
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use socketing_service::signed::Signed;
use socketing_service::{Code, Problem};
use uuid::Uuid;

/// Refused holds in one answer: more than anybody tries in a visit.
const REFUSED_MAX: u32 = 100;

/// What is stated. Positions are those of the log, in which nobody can put anything before or between later.
#[derive(Serialize)]
struct Why {
    /// What kind of statement it is.
    statement: &'static str,
    performance_id: PerformanceId,
    account_id: AccountId,
    entry_id: EntryId,
    /// 0 in the lobby.
    number: u64,
    state: String,
    /// When one joined, was called, came in and went.
    joined_position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entered_position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    departed_position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    departure: Option<String>,
    /// The draw that gave the number, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revealed_position: Option<u64>,
    /// If its seed was lost, so that a beacon alone decided: where the log says so, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_lost_position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_lost_reason: Option<String>,
    /// The holds that one was refused, the latest first.
    refused_holds: Vec<Refused>,
    /// Everything up to here is covered.
    position: u64,
    stated_at: Timestamp,
}

/// A hold that was refused.
#[derive(Serialize)]
struct Refused {
    /// The log's head when it was decided.
    decided_at_position: u64,
    /// The position of the earlier event that was the cause; whose it was isn't told.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause_position: Option<u64>,
    code: Value,
    seats: Value,
    at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    entry_id: Uuid,
    number: i64,
    state: String,
    joined_position: i64,
    called_position: Option<i64>,
    entered_position: Option<i64>,
    departed_position: Option<i64>,
    departure: Option<String>,
    commitment: Option<[u8; 32]>,
    revealed_position: Option<i64>,
    seed_lost_position: Option<i64>,
    seed_lost_reason: Option<String>,
}

socketing_service::error_responses!(NotInLine: Code::of(Reason::NotInLine));

/// Why one is where one is: when one joined, one's number, when one was called, which holds were refused because of which
/// earlier event; each with its position in the log, and signed, so that it can be shown to others.
///
/// Of one's latest place, also when it is no more.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/line/why", tag = "line", operation_id = "why",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Signed), NotInLine, MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn why(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Signed>, Problem> {
    let account = caller.account()?;
    let touched = [StreamId::WaitingRoom(performance)];
    let mut snapshot = api.snapshot(&[Model::Line], fresh.min_position, Touches::Streams(&touched)).await?;
    let row: Option<Row> = sqlx::query_as(
        "select e.entry_id, e.number, e.state, e.joined_position, e.called_position, e.entered_position, e.departed_position, e.departure,
                l.commitment, l.revealed_position, l.seed_lost_position, l.seed_lost_reason
         from line_members m join line_entries e using (performance_id, entry_id) join lines l using (performance_id)
         where m.performance_id = $1 and m.account_id = $2",
    )
    .bind(performance.0)
    .bind(account.0)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a place in a line"))?;
    let row = row.ok_or_else(|| Problem::new(Code::of(Reason::NotInLine)))?;
    let actor = Actor::Account(account).to_string();
    let refused = command_log::refused_holds(snapshot.connection(), performance.0, &actor, REFUSED_MAX).await;
    let refused = refused.map_err(failed("reading refused holds"))?;
    let why = Why {
        statement: "socketing.why.v1",
        performance_id: performance,
        account_id: account,
        entry_id: row.entry_id.into(),
        number: if row.state == "lobby" { 0 } else { unsigned(row.number) },
        state: row.state,
        joined_position: unsigned(row.joined_position),
        called_position: row.called_position.map(unsigned),
        entered_position: row.entered_position.map(unsigned),
        departed_position: row.departed_position.map(unsigned),
        departure: row.departure,
        commitment: row.commitment.map(Digest),
        revealed_position: row.revealed_position.map(unsigned),
        seed_lost_position: row.seed_lost_position.map(unsigned),
        seed_lost_reason: row.seed_lost_reason,
        refused_holds: refused.into_iter().map(Refused::from).collect(),
        position: snapshot.standing.position,
        stated_at: SystemClock.now(),
    };
    let signed = api.signer().await?.sign(&why);
    signed.map(Json).map_err(|error| Problem::internal("signing a statement", &error))
}

impl From<command_log::RefusedHold> for Refused {
    fn from(refused: command_log::RefusedHold) -> Refused {
        let command_log::RefusedHold { position, cause_position, body, recorded_at } = refused;
        Refused {
            decided_at_position: unsigned(position),
            cause_position: cause_position.map(unsigned),
            code: body["reason"].clone(),
            seats: body["seats"].clone(),
            at: recorded_at.into(),
        }
    }
}
