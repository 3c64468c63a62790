//! `GET /v1/me/invitations`

use super::page::{Page, cut};
use super::people::nicknames;
use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, MineErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use socketing_domain::party::Terms;
use socketing_domain::show::Text;
use socketing_domain::{AccountId, EntryId, PartyId, PerformanceId, Timestamp};
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::extract::Query;
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A page of one's invitations and parties.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitations {
    /// What friends asked one to join.
    invitations: Vec<Invitation>,
    /// What one is in.
    parties: Vec<Party>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

/// How one stands with a party.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvitationState {
    /// One hasn't answered.
    Invited,
    /// One hasn't answered, and the party is in the line without one.
    Closed,
    /// One said no.
    Declined,
    /// One was in it, and left.
    Left,
}

/// A party that one was asked to join.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    /// The party.
    party_id: PartyId,
    /// Its performance.
    performance_id: PerformanceId,
    /// The show's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Text>,
    /// When it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<Timestamp>,
    /// The nickname of who leads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_nickname: Option<String>,
    /// How one stands with it.
    state: InvitationState,
}

/// A party that one is in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Party {
    /// The party.
    party_id: PartyId,
    /// Its performance.
    performance_id: PerformanceId,
    /// The show's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Text>,
    /// When it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<Timestamp>,
    /// Who leads.
    leader: AccountId,
    /// Who is in it, the leader first.
    members: Vec<AccountId>,
    /// Who is invited and hasn't answered.
    invited: Vec<AccountId>,
    /// Nicknames of the members and the invited, by account.
    nicknames: HashMap<AccountId, String>,
    /// Whether it is in the line: its members stay as they are.
    frozen: bool,
    /// What its members agreed on.
    terms: Terms,
    /// The place it waits on, once it is in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<EntryId>,
}

/// Which invitations.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of one performance only.
    performance: Option<PerformanceId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    performance_id: Uuid,
    party_id: Uuid,
    leader: Uuid,
    frozen: bool,
    picks: String,
    pays: String,
    entry_id: Option<Uuid>,
    state: String,
    title: Option<sqlx::types::Json<Text>>,
    starts_at: Option<OffsetDateTime>,
}

/// Another person in a party.
#[derive(sqlx::FromRow)]
struct Person {
    performance_id: Uuid,
    party_id: Uuid,
    account_id: Uuid,
    state: String,
}

/// One's invitations, and the parties that one is in.
#[utoipa::path(
    get, path = "/v1/me/invitations", tag = "me", operation_id = "my_invitations", params(Which, Page, Fresh),
    responses((status = 200, body = Invitations), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_invitations(
    State(api): State<Api>,
    caller: Caller,
    Query(which): Query<Which>,
    Query(page): Query<Page>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Invitations>, Problem> {
    let me = caller.account()?;
    let (limit, after) = (page.limit()?, page.cursor(parse_cursor)?);
    let mut snapshot = api.snapshot(&[Model::Parties, Model::Catalogue], fresh.min_position, Touches::Any).await?;
    let rows = rows(snapshot.connection(), me, which.performance, after, limit + 1).await?;
    let (rows, next) = cut(rows, limit, |row| format!("{}.{}", row.party_id, row.performance_id));
    let people = people(snapshot.connection(), &rows).await?;
    let known = rows.iter().map(|row| row.leader).chain(people.iter().map(|person| person.account_id));
    let nicknames = nicknames(snapshot.connection(), known.collect::<Vec<_>>()).await?;
    let (mut invitations, mut parties) = (Vec::new(), Vec::new());
    for row in rows {
        match invitation_state(&row) {
            Some(state) => invitations.push(invitation(row, state, &nicknames)),
            None => parties.push(party(row, &people, &nicknames)),
        }
    }
    Ok(Json(Invitations { invitations, parties, next, standing: snapshot.standing }))
}

/// The parties that name me; the newest first, by their ids, which are time-ordered.
async fn rows(
    connection: &mut PgConnection,
    me: AccountId,
    performance: Option<PerformanceId>,
    after: Option<(Uuid, Uuid)>,
    limit: usize,
) -> Result<Vec<Row>, Problem> {
    let (party, of) = after.unzip();
    sqlx::query_as(
        "select p.performance_id, p.party_id, p.leader, p.frozen, p.picks, p.pays, p.entry_id, m.state, s.title, d.starts_at
         from party_members m join parties p using (performance_id, party_id)
         left join catalogue_performances d on d.performance_id = p.performance_id and d.scheduled
         left join catalogue_shows s on s.show_id = d.show_id
         where m.account_id = $1 and not p.ended and m.state in ('invited', 'member', 'declined', 'left')
           and ($2::uuid is null or m.performance_id = $2)
           and ($3::uuid is null or (m.party_id, m.performance_id) < ($3, $4))
         order by m.party_id desc, m.performance_id desc limit $5",
    )
    .bind(me.0)
    .bind(performance.map(|performance| performance.0))
    .bind(party)
    .bind(of)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .map_err(failed("reading invitations"))
}

/// Who is in these parties or invited.
async fn people(connection: &mut PgConnection, rows: &[Row]) -> Result<Vec<Person>, Problem> {
    sqlx::query_as(
        "select m.performance_id, m.party_id, m.account_id, m.state
         from unnest($1::uuid[], $2::uuid[]) as wanted (performance_id, party_id)
         join party_members m using (performance_id, party_id)
         where m.state in ('member', 'invited') order by m.account_id",
    )
    .bind(rows.iter().map(|row| row.performance_id).collect::<Vec<Uuid>>())
    .bind(rows.iter().map(|row| row.party_id).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await
    .map_err(failed("reading parties"))
}

/// How I stand with the party; `None` if I am in it.
fn invitation_state(row: &Row) -> Option<InvitationState> {
    match row.state.as_str() {
        "member" => None,
        "invited" if row.frozen => Some(InvitationState::Closed),
        "invited" => Some(InvitationState::Invited),
        "declined" => Some(InvitationState::Declined),
        _ => Some(InvitationState::Left),
    }
}

fn invitation(row: Row, state: InvitationState, nicknames: &HashMap<AccountId, String>) -> Invitation {
    Invitation {
        party_id: row.party_id.into(),
        performance_id: row.performance_id.into(),
        title: row.title.map(|title| title.0),
        starts_at: row.starts_at.map(Timestamp::from),
        leader_nickname: nicknames.get(&AccountId(row.leader)).cloned(),
        state,
    }
}

fn party(row: Row, people: &[Person], nicknames: &HashMap<AccountId, String>) -> Party {
    let here = || people.iter().filter(|person| (person.performance_id, person.party_id) == (row.performance_id, row.party_id));
    let of = |state: &str| here().filter(|person| person.state == state).map(|person| AccountId(person.account_id)).collect::<Vec<_>>();
    let leader = AccountId(row.leader);
    let (mut members, invited) = (of("member"), of("invited"));
    members.sort_by_key(|member| *member != leader); // stable: the leader first, the others as they were
    let named = members.iter().chain(&invited).filter_map(|account| Some((*account, nicknames.get(account)?.clone())));
    Party {
        party_id: row.party_id.into(),
        performance_id: row.performance_id.into(),
        title: row.title.map(|title| title.0),
        starts_at: row.starts_at.map(Timestamp::from),
        leader,
        nicknames: named.collect(),
        members,
        invited,
        frozen: row.frozen,
        terms: super::party::terms(&row.picks, &row.pays),
        entry_id: row.entry_id.map(EntryId),
    }
}

/// `<party>.<performance>`
fn parse_cursor(text: &str) -> Option<(Uuid, Uuid)> {
    let (party, performance) = text.split_once('.')?;
    Some((party.parse().ok()?, performance.parse().ok()?))
}
