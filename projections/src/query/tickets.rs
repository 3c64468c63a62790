//! `GET /v1/me/tickets`

use super::bookings::Played;
use super::page::{Page, cut};
use super::people::nicknames;
use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, MineErrors, failed, no_plan};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::show::Text;
use socketing_domain::{AccountId, BookingId, PerformanceId, SeatIndex, ShowId, Timestamp, Won};
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::extract::Query;
use utoipa::ToSchema;
use uuid::Uuid;

/// A page of one's tickets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tickets {
    /// Those of the latest booking first.
    tickets: Vec<Ticket>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

/// A seat that is paid for and one's own, in a friend's booking perhaps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ticket {
    /// The booking that it is in.
    booking_id: BookingId,
    /// Its performance.
    performance_id: PerformanceId,
    /// Its show.
    show_id: ShowId,
    /// The show's title.
    title: Text,
    /// Where it is played.
    venue: Text,
    /// When it begins.
    starts_at: Timestamp,
    /// The seat.
    seat: SeatIndex,
    /// The area's name.
    area: String,
    /// The row's name.
    row: String,
    /// The seat's number in its row.
    number: String,
    /// Its price.
    price: Won,
    /// The nickname of the friend who paid, if it was a friend.
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_nickname: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    performance_id: Uuid,
    booking_id: Uuid,
    seat: i32,
    price: i64,
    account_id: Uuid,
    booked_at: i64,
    #[sqlx(flatten)]
    played: Played,
}

/// The tickets that one holds, whoever paid. Shares that stand or fall together are tickets once all are paid.
#[utoipa::path(
    get, path = "/v1/me/tickets", tag = "me", operation_id = "my_tickets", params(Page, Fresh),
    responses((status = 200, body = Tickets), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_tickets(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<Page>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Tickets>, Problem> {
    let me = caller.account()?;
    let (limit, after) = (page.limit()?, page.cursor(parse_cursor)?);
    let mut snapshot = api.snapshot(&[Model::Bookings, Model::Catalogue], fresh.min_position, Touches::Any).await?;
    let sql = format!(
        "select l.performance_id, l.booking_id, l.seat, l.price, b.account_id, b.booked_at,
                s.show_id, s.title, s.venue, s.plan, p.starts_at
         from booking_lines l join bookings b using (performance_id, booking_id) {}
         where l.holder = $1 and b.state = 'paid'
           and not (b.share_all_or_none and exists (
               select from bookings o
               where o.performance_id = b.performance_id and o.share_group = b.share_group and o.state in ('unpaid', 'paying')))
           and (b.booked_at < $2 or b.booked_at = $2 and l.seat > $3)
         order by b.booked_at desc, l.seat limit $4",
        Played::JOIN
    );
    let (booked_at, seat) = after.unwrap_or((i64::MAX, i32::MAX));
    let rows: Vec<Row> = sqlx::query_as(&sql)
        .bind(me.0)
        .bind(booked_at)
        .bind(seat)
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
        .fetch_all(snapshot.connection())
        .await
        .map_err(failed("reading tickets"))?;
    let (rows, next) = cut(rows, limit, |row| format!("{}.{}", row.booked_at, row.seat));
    let friends = rows.iter().map(|row| row.account_id).filter(|buyer| *buyer != me.0);
    let nicknames = nicknames(snapshot.connection(), friends.collect::<Vec<_>>()).await?;
    let mut tickets = Vec::with_capacity(rows.len());
    for row in rows {
        let show = row.played.complete()?;
        let plan = api.0.plans.get(snapshot.connection(), show.plan).await.map_err(no_plan)?;
        let seat = SeatIndex(u32::try_from(row.seat).unwrap_or(u32::MAX));
        let label = plan.label(seat);
        tickets.push(Ticket {
            booking_id: row.booking_id.into(),
            performance_id: row.performance_id.into(),
            show_id: show.show_id,
            title: show.title,
            venue: show.venue,
            starts_at: show.starts_at,
            seat,
            area: label.map(|label| label.area).unwrap_or_default().to_owned(),
            row: label.map(|label| label.row).unwrap_or_default().to_owned(),
            number: label.map(|label| label.number).unwrap_or_default().to_owned(),
            price: Won::new(row.price).unwrap_or_default(),
            buyer_nickname: nicknames.get(&AccountId(row.account_id)).cloned(),
        });
    }
    Ok(Json(Tickets { tickets, next, standing: snapshot.standing }))
}

/// `<position of the booking>.<seat>`
fn parse_cursor(text: &str) -> Option<(i64, i32)> {
    let (booked_at, seat) = text.split_once('.')?;
    Some((booked_at.parse().ok()?, seat.parse().ok()?))
}
