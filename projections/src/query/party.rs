//! `GET /v1/performances/{performance}/parties/{party}`

use super::people::nicknames;
use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::party::{Pays, Picks, Terms};
use socketing_domain::refusal::Reason;
use socketing_domain::{AccountId, PartyId, PerformanceId};
use socketing_service::catalogue::codes;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a party's link shows before one joins by it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartyLink {
    /// The party.
    party_id: PartyId,
    /// Its performance.
    performance_id: PerformanceId,
    /// The leader's nickname.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_nickname: Option<String>,
    /// How many are in it.
    people: i64,
    /// What one agrees on by joining.
    terms: Terms,
    /// Whether it is in the line: nobody joins any more.
    frozen: bool,
    /// Whether it is no more.
    ended: bool,
    #[serde(flatten)]
    standing: Standing,
}

socketing_service::error_responses!(
    LinkErrors: codes::INVALID_ID, codes::INVALID_QUERY, codes::PROJECTION_BEHIND, codes::UNAVAILABLE, codes::TIMEOUT, codes::INTERNAL,
    Code::of(Reason::UnknownParty)
);

/// A party, to whoever has its link. The address is the invitation, so nobody need be signed in to see whose it is; who
/// else is in the party is for its members.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/parties/{party}", tag = "parties", operation_id = "party_link",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), Fresh),
    responses((status = 200, body = PartyLink), LinkErrors)
)]
pub(crate) async fn party_link(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<PartyLink>, Problem> {
    let mut snapshot = api.snapshot(&[Model::Parties], fresh.min_position, Touches::Any).await?;
    type Row = (Uuid, bool, bool, String, String, i64);
    let row: Option<Row> = sqlx::query_as(
        "select leader, frozen, ended, picks, pays,
                (select count(*) from party_members m
                 where m.performance_id = p.performance_id and m.party_id = p.party_id and m.state = 'member')
         from parties p where performance_id = $1 and party_id = $2",
    )
    .bind(performance.0)
    .bind(party.0)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a party"))?;
    let (leader, frozen, ended, picks, pays, people) = row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownParty)))?;
    let leader_nickname = nicknames(snapshot.connection(), [leader]).await?.remove(&AccountId(leader));
    let (party_id, performance_id, terms) = (party, performance, terms(&picks, &pays));
    Ok(Json(PartyLink { party_id, performance_id, leader_nickname, people, terms, frozen, ended, standing: snapshot.standing }))
}

/// The table's checks allow no other.
pub(super) fn terms(picks: &str, pays: &str) -> Terms {
    let picks = if picks == "leader" { Picks::Leader } else { Picks::Anyone };
    let pays = match pays {
        "leader" => Pays::Leader,
        "shares" => Pays::Shares,
        "all_or_none" => Pays::AllOrNone,
        _ => Pays::Chooser,
    };
    Terms { picks, pays }
}
