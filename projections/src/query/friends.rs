//! `GET /v1/me/friends`, `GET /v1/me/companions` and `GET /v1/performances/{performance}/suggestions`
//!
//! Everybody sees how they stand with others, and nobody how others stand with each other. Who was declined stays someone
//! who asked: no answer says so.

use super::people::nicknames;
use super::snapshot::{Snapshot, Standing, Touches};
use super::{Api, Fresh, MineErrors, failed, unsigned};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::account::{Friendship, Word};
use socketing_domain::limits::FRIENDS_MAX;
use socketing_domain::{AccountId, PerformanceId};
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::extract::{Path, Query};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

/// Requests that are shown to who is asked, the newest: more can't be looked through, and come up as these are answered.
const REQUESTS_SHOWN_MAX: i64 = 100;
/// Parties in which companions are looked for, the latest.
const PARTIES_LOOKED_AT: i64 = 50;
/// Companions that are told.
const COMPANIONS_MAX: i64 = 20;
/// People that are suggested.
const SUGGESTIONS_MAX: i64 = 10;
/// Friends of friends, and people with a page open, among whom suggestions are looked for: bounds what a look costs in a crowd.
const CANDIDATES_MAX: i64 = 2_000;

/// Someone else, as far as others may see.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Acquaintance {
    account_id: AccountId,
    nickname: String,
}

/// One's friends, and who may become one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Friends {
    /// By nickname.
    friends: Vec<Acquaintance>,
    /// Who has asked one, the last first: the last 100.
    requests: Vec<Acquaintance>,
    /// Whom one has asked and who hasn't said yes, the last first.
    asked: Vec<Acquaintance>,
    /// Whether one may be suggested to others.
    suggestions_allowed: bool,
    #[serde(flatten)]
    standing: Standing,
}

/// People that one may want as friends, or invite.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Acquaintances {
    /// The likeliest first.
    people: Vec<Acquaintance>,
    #[serde(flatten)]
    standing: Standing,
}

/// One's friends, who asks to be one, and whom one has asked.
#[utoipa::path(
    get, path = "/v1/me/friends", tag = "friends", operation_id = "my_friends", params(Fresh),
    responses((status = 200, body = Friends), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_friends(State(api): State<Api>, caller: Caller, Query(fresh): Query<Fresh>) -> Result<Json<Friends>, Problem> {
    let me = caller.account()?;
    let mut snapshot = api.snapshot(&[Model::Friends], fresh.min_position, Touches::Any).await?;
    let rows = words(snapshot.connection(), me).await?;
    let (mut friends, mut requests, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        match Friendship::of(row.own(), row.others()) {
            Friendship::Friends => friends.push(row.id),
            Friendship::Asks => requests.push(row.id),
            Friendship::Asked => asked.push(row.id),
            Friendship::Apart => {}
        }
    }
    let mut friends = named(&mut snapshot, friends).await?;
    friends.sort_by(|a, b| a.nickname.cmp(&b.nickname));
    let (requests, asked) = (named(&mut snapshot, requests).await?, named(&mut snapshot, asked).await?);
    let allowed: Option<bool> = sqlx::query_scalar("select allowed from suggestible_accounts where account_id = $1")
        .bind(me.0)
        .fetch_optional(snapshot.connection())
        .await
        .map_err(failed("reading whether one may be suggested"))?;
    Ok(Json(Friends { friends, requests, asked, suggestions_allowed: allowed.unwrap_or(false), standing: snapshot.standing }))
}

/// What one said of someone and they of one.
#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    wants: Option<bool>,
    position: Option<i64>,
    wanted: Option<bool>,
    wanted_position: Option<i64>,
}

impl Row {
    fn own(&self) -> Option<Word> {
        Some(Word { wants: self.wants?, position: unsigned(self.position?) })
    }

    fn others(&self) -> Option<Word> {
        Some(Word { wants: self.wanted?, position: unsigned(self.wanted_position?) })
    }
}

/// Whom one wants as a friend, and who wants one and hasn't been answered; the last to be asked first. When someone said no
/// must not show, in the order neither.
async fn words(connection: &mut PgConnection, me: AccountId) -> Result<Vec<Row>, Problem> {
    sqlx::query_as(
        "select * from (
             (select o.friend_id as id, o.wants, o.position, t.wants as wanted, t.position as wanted_position
              from friend_words o left join friend_words t on t.account_id = o.friend_id and t.friend_id = o.account_id
              where o.account_id = $1 and o.wants order by o.position desc limit $2)
             union all
             (select t.account_id, o.wants, o.position, t.wants, t.position
              from friend_words t left join friend_words o on o.account_id = t.friend_id and o.friend_id = t.account_id
              where t.friend_id = $1 and t.wants and (o.wants is null or not o.wants and o.position < t.position)
              order by t.position desc limit $3)
         ) words
         order by case when wants then position else wanted_position end desc",
    )
    .bind(me.0)
    .bind(i64::try_from(FRIENDS_MAX).unwrap_or(i64::MAX))
    .bind(REQUESTS_SHOWN_MAX)
    .fetch_all(connection)
    .await
    .map_err(failed("reading friends"))
}

/// Who was in a party with one lately, the latest first: of one's last 50 parties, at most 20 people. Friends are in their
/// own list, and who was dismissed doesn't come up.
#[utoipa::path(
    get, path = "/v1/me/companions", tag = "friends", operation_id = "my_companions", params(Fresh),
    responses((status = 200, body = Acquaintances), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_companions(
    State(api): State<Api>,
    caller: Caller,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Acquaintances>, Problem> {
    let me = caller.account()?;
    let mut snapshot = api.snapshot(&[Model::Friends, Model::Parties], fresh.min_position, Touches::Any).await?;
    let people: Vec<Uuid> = sqlx::query_scalar(
        "select o.account_id
         from (select performance_id, party_id from party_members where account_id = $1 and state = 'member'
               order by party_id desc limit $2) mine
         join party_members o using (performance_id, party_id)
         left join friend_words w on w.account_id = $1 and w.friend_id = o.account_id
         left join friend_words t on t.account_id = o.account_id and t.friend_id = $1
         where o.state = 'member' and o.account_id <> $1 and (w.wants is null or w.wants and t.wants is not true)
         group by o.account_id order by max(o.party_id::text) desc, o.account_id limit $3",
    )
    .bind(me.0)
    .bind(PARTIES_LOOKED_AT)
    .bind(COMPANIONS_MAX)
    .fetch_all(snapshot.connection())
    .await
    .map_err(failed("reading companions"))?;
    let people = named(&mut snapshot, people).await?;
    Ok(Json(Acquaintances { people, standing: snapshot.standing }))
}

/// Who has a page of the performance open now and allows being suggested; friends of friends first, at most 10.
///
/// A friend counts as a way to others only if the friend allows being suggested too. Whoever has asked or dismissed one, or
/// was asked or dismissed by one, isn't suggested. Of a large crowd, some are looked at.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/suggestions", tag = "friends", operation_id = "suggested_friends",
    params(("performance" = PerformanceId, Path), Fresh),
    responses((status = 200, body = Acquaintances), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn suggested(
    State(api): State<Api>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Acquaintances>, Problem> {
    let me = caller.account()?;
    let mut snapshot = api.snapshot(&[Model::Friends], fresh.min_position, Touches::Any).await?;
    let people: Vec<Uuid> = sqlx::query_scalar(
        "with friends as materialized (
             select o.friend_id as id from friend_words o
             join friend_words t on t.account_id = o.friend_id and t.friend_id = o.account_id and t.wants
             join suggestible_accounts s on s.account_id = o.friend_id and s.allowed
             where o.account_id = $1 and o.wants
         ), candidates as (
             (select o.friend_id as id, true as near from friends f
              join friend_words o on o.account_id = f.id and o.wants
              join friend_words t on t.account_id = o.friend_id and t.friend_id = f.id and t.wants
              where exists (select from presence p
                  where p.performance_id = $2 and p.account_id = o.friend_id and p.gone_at is null)
              limit $3)
             union all
             (select account_id, false from presence where performance_id = $2 and gone_at is null limit $3)
         )
         select c.id from candidates c join suggestible_accounts s on s.account_id = c.id and s.allowed
         where c.id <> $1 and not exists (select from friend_words where account_id = $1 and friend_id = c.id)
             and not exists (select from friend_words where account_id = c.id and friend_id = $1)
         group by c.id order by bool_or(c.near) desc, random() limit $4",
    )
    .bind(me.0)
    .bind(performance.0)
    .bind(CANDIDATES_MAX)
    .bind(SUGGESTIONS_MAX)
    .fetch_all(snapshot.connection())
    .await
    .map_err(failed("reading suggestions"))?;
    let people = named(&mut snapshot, people).await?;
    Ok(Json(Acquaintances { people, standing: snapshot.standing }))
}

/// The same people in the same order, without those who were erased.
async fn named(snapshot: &mut Snapshot, people: Vec<Uuid>) -> Result<Vec<Acquaintance>, Problem> {
    let mut nicknames = nicknames(snapshot.connection(), people.iter().copied()).await?;
    let known = |id| nicknames.remove(&AccountId(id)).map(|nickname| Acquaintance { account_id: AccountId(id), nickname });
    Ok(people.into_iter().filter_map(known).collect())
}
