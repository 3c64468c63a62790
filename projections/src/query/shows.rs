//! `GET /v1/shows`, `GET /v1/shows/{show}`

use super::page::{Page, cut};
use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, QueryErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use socketing_domain::event::{Actor, StreamId};
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_domain::show::{CategoryPrice, Policies, Text};
use socketing_domain::{PerformanceId, ShowId, Timestamp};
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A page of shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shows {
    /// The shows whose sale opens last come first.
    shows: Vec<Summary>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

/// A show in the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShowSummary)]
pub(crate) struct Summary {
    /// The show.
    show_id: ShowId,
    /// Its title.
    title: Text,
    /// Where it is played.
    venue: Text,
    /// Before this, nobody gets in.
    sale_opens_at: Timestamp,
    /// Its dates, the first one first.
    performances: Vec<Date>,
    /// The price of each category.
    prices: Vec<CategoryPrice>,
    /// Whether everybody sees it; drafts are their organiser's.
    published: bool,
}

/// One date of a show.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShowDate)]
pub(crate) struct Date {
    /// The performance.
    performance_id: PerformanceId,
    /// When it begins.
    starts_at: Timestamp,
    /// Its seats, once it is on sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
    /// Seats that nobody has, once it is on sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u32>,
}

/// A show.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Show {
    #[serde(flatten)]
    summary: Summary,
    /// The seating plan, by hash.
    plan: PlanHash,
    /// The rules it is sold by.
    policies: Policies,
    #[serde(flatten)]
    standing: Standing,
}

/// Which shows.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The caller's own shows, drafts included, instead of all that are published.
    #[serde(default)]
    mine: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    show_id: Uuid,
    title: sqlx::types::Json<Text>,
    venue: sqlx::types::Json<Text>,
    plan: [u8; 32],
    prices: sqlx::types::Json<Vec<CategoryPrice>>,
    policies: sqlx::types::Json<Policies>,
    sale_opens_at: OffsetDateTime,
    published: bool,
}

impl Row {
    fn summary(self, dates: &mut HashMap<Uuid, Vec<Date>>) -> Summary {
        Summary {
            show_id: self.show_id.into(),
            title: self.title.0,
            venue: self.venue.0,
            sale_opens_at: self.sale_opens_at.into(),
            performances: dates.remove(&self.show_id).unwrap_or_default(),
            prices: self.prices.0,
            published: self.published,
        }
    }
}

socketing_service::error_responses!(SignInErrors: codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::NOT_A_PERSON);

/// All published shows, or one's own.
#[utoipa::path(
    get, path = "/v1/shows", tag = "shows", operation_id = "list_shows", params(Which, Page, Fresh),
    responses((status = 200, body = Shows), SignInErrors, QueryErrors), security((), ("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Option<Caller>,
    Query(which): Query<Which>,
    Query(page): Query<Page>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Shows>, Problem> {
    let organiser = match (which.mine, caller) {
        (false, _) => None,
        (true, Some(caller)) => Some(caller.account()?),
        (true, None) => return Err(Problem::new(codes::UNAUTHENTICATED)),
    };
    let (limit, after) = (page.limit()?, page.cursor(parse_cursor)?);
    let mut snapshot = api.snapshot(&[Model::Catalogue, Model::Sales], fresh.min_position, Touches::Any).await?;
    let (opens_at, show) = after.unzip();
    let rows: Vec<Row> = sqlx::query_as(
        "select show_id, title, venue, plan, prices, policies, sale_opens_at, published from catalogue_shows
         where case when $1::uuid is null then published else organiser = $1 end
           and ($2::timestamptz is null or (sale_opens_at, show_id) < ($2, $3))
         order by sale_opens_at desc, show_id desc limit $4",
    )
    .bind(organiser.map(|account| account.0))
    .bind(opens_at)
    .bind(show)
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(snapshot.connection())
    .await
    .map_err(failed("listing shows"))?;
    let (rows, next) = cut(rows, limit, |row| cursor(row.sale_opens_at, row.show_id));
    let mut dates = dates(snapshot.connection(), rows.iter().map(|row| row.show_id).collect()).await?;
    let shows = rows.into_iter().map(|row| row.summary(&mut dates)).collect();
    Ok(Json(Shows { shows, next, standing: snapshot.standing }))
}

socketing_service::error_responses!(UnknownShow: Code::of(Reason::UnknownShow));

/// One show. Drafts are seen by their organiser and by operators alone.
#[utoipa::path(
    get, path = "/v1/shows/{show}", tag = "shows", operation_id = "get_show", params(("show" = ShowId, Path), Fresh),
    responses((status = 200, body = Show), UnknownShow, QueryErrors), security((), ("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Option<Caller>,
    Path(show): Path<ShowId>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Show>, Problem> {
    let viewer = Viewer::of(&api, caller).await?;
    let touched = [StreamId::Show(show)];
    let mut snapshot = api.snapshot(&[Model::Catalogue, Model::Sales], fresh.min_position, Touches::Streams(&touched)).await?;
    let row: Option<Row> = sqlx::query_as(
        "select show_id, title, venue, plan, prices, policies, sale_opens_at, published from catalogue_shows
         where show_id = $1 and (published or organiser = $2 or $3)",
    )
    .bind(show.0)
    .bind(viewer.account)
    .bind(viewer.operator)
    .fetch_optional(snapshot.connection())
    .await
    .map_err(failed("reading a show"))?;
    let row = row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownShow)))?;
    let mut dates = dates(snapshot.connection(), vec![row.show_id]).await?;
    let (plan, policies) = (PlanHash(row.plan), row.policies.0);
    Ok(Json(Show { summary: row.summary(&mut dates), plan, policies, standing: snapshot.standing }))
}

/// Who looks, as far as drafts are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    /// Sees the drafts of this organiser.
    pub(crate) account: Option<Uuid>,
    /// Sees every draft.
    pub(crate) operator: bool,
}

impl Viewer {
    pub(crate) async fn of(api: &Api, caller: Option<Caller>) -> Result<Viewer, Problem> {
        let Some(caller) = caller else { return Ok(Viewer { account: None, operator: false }) };
        let account = match caller.actor {
            Actor::Account(account) => Some(account.0),
            Actor::System(_) => None,
        };
        Ok(Viewer { account, operator: api.is_operator(&caller).await? })
    }
}

/// A performance: its show, its id, when it begins; its seats and how many are free, once it is on sale.
type DateRow = (Uuid, Uuid, OffsetDateTime, Option<i64>, Option<i64>);

async fn dates(connection: &mut PgConnection, shows: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<Date>>, Problem> {
    let rows: Vec<DateRow> = sqlx::query_as(
        "select p.show_id, p.performance_id, p.starts_at, s.seats, s.free
         from catalogue_performances p
         left join lateral (select sum(seats) as seats, sum(seats - held - booked - sold) as free
                            from sales where performance_id = p.performance_id and p.scheduled) s on true
         where p.show_id = any($1) order by p.starts_at, p.performance_id",
    )
    .bind(shows)
    .fetch_all(connection)
    .await
    .map_err(failed("reading performances"))?;
    let mut dates: HashMap<Uuid, Vec<Date>> = HashMap::new();
    let count = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    for (show, performance, starts_at, seats, free) in rows {
        let (seats, free) = (count(seats), count(free));
        dates.entry(show).or_default().push(Date { performance_id: performance.into(), starts_at: starts_at.into(), seats, free });
    }
    Ok(dates)
}

/// `<milliseconds>.<show>`: when the sale of the page's last show opens, and which show it is.
fn cursor(opens_at: OffsetDateTime, show: Uuid) -> String {
    format!("{}.{show}", Timestamp::from(opens_at).as_millis())
}

fn parse_cursor(text: &str) -> Option<(OffsetDateTime, Uuid)> {
    let (millis, show) = text.split_once('.')?;
    Some((Timestamp::from_millis(millis.parse().ok()?).to_datetime(), show.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let at = Timestamp::from_millis(1_800_000_000_123).to_datetime();
        let show = Uuid::now_v7();
        assert_eq!(parse_cursor(&cursor(at, show)), Some((at, show)));
        for bad in ["", ".", "1", "1.2", "x.01976e4c-0000-7000-8000-000000000001"] {
            assert_eq!(parse_cursor(bad), None, "{bad}");
        }
    }
}
