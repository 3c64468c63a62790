//! `GET /v1/performances/{performance}/line/me`

use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, MineErrors, failed, unsigned};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::event::StreamId;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::EntryState;
use socketing_domain::{AccountId, EntryId, PartyId, PerformanceId, Timestamp};
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// One's place in a line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Place {
    /// The place; inside, the pass.
    entry_id: EntryId,
    /// Its number, from 1: by the draw, or in order of arrival; 0 in the lobby.
    number: u64,
    /// Where its people are.
    state: EntryState,
    /// Places that wait before it; 0 in the lobby and inside.
    ahead: u64,
    /// Places that wait in the whole line.
    waiting: u64,
    /// Until when the pass can be claimed, if it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_by: Option<Timestamp>,
    /// When the visit ends, inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_ends_at: Option<Timestamp>,
    /// The party that waits on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    party_id: Option<PartyId>,
    /// Everyone on it.
    members: Vec<AccountId>,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(sqlx::FromRow)]
struct Row {
    entry_id: Uuid,
    number: i64,
    state: String,
    ahead: i64,
    waiting: i64,
    claim_by: Option<OffsetDateTime>,
    session_ends_at: Option<OffsetDateTime>,
    party_id: Option<Uuid>,
    members: Vec<Uuid>,
}

socketing_service::error_responses!(NotInLine: Code::of(Reason::NotInLine));

/// One's own place in a performance's line, or the pass that it became.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/line/me", tag = "line", operation_id = "my_place",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Place), NotInLine, MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_place(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Place>, Problem> {
    let account = caller.account()?;
    let touched = [StreamId::WaitingRoom(performance)];
    let mut snapshot = api.snapshot(&[Model::Line], fresh.min_position, Touches::Streams(&touched)).await?;
    // The count walks the index of those who wait: as many as are ahead, once per look, since what follows is pushed.
    let row: Option<Row> = sqlx::query_as(
        "select e.entry_id, e.number, e.state, case when e.state = 'called' then e.claim_by end as claim_by, e.session_ends_at, e.party_id, e.members, l.waiting,
                (select count(*) from line_entries w
                 where w.performance_id = $1 and w.state = 'waiting' and w.number < e.number and e.state = 'waiting') as ahead
         from line_members m
         join line_entries e using (performance_id, entry_id)
         join lines l using (performance_id)
         where m.performance_id = $1 and m.account_id = $2 and e.state <> 'gone'",
    )
    .bind(performance.0)
    .bind(account.0)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a place in the line"))?;
    let row = row.ok_or_else(|| Problem::new(Code::of(Reason::NotInLine)))?;
    Ok(Json(Place {
        entry_id: row.entry_id.into(),
        number: if row.state == "lobby" { 0 } else { unsigned(row.number) },
        state: match row.state.as_str() {
            "lobby" => EntryState::Lobby,
            "called" => EntryState::Called,
            "inside" => EntryState::Inside,
            _ => EntryState::Waiting,
        },
        claim_by: row.claim_by.map(Timestamp::from),
        ahead: unsigned(row.ahead),
        waiting: unsigned(row.waiting),
        session_ends_at: row.session_ends_at.map(Timestamp::from),
        party_id: row.party_id.map(PartyId),
        members: row.members.into_iter().map(AccountId).collect(),
        standing: snapshot.standing,
    }))
}
