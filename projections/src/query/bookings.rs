//! `GET /v1/me/bookings`

use super::page::{Page, cut};
use super::people::nicknames;
use super::snapshot::{Snapshot, Standing, Touches};
use super::{Api, Fresh, MineErrors, failed, no_plan};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::plan::PlanHash;
use socketing_domain::reply::{BookingState, RefundState};
use socketing_domain::show::Text;
use socketing_domain::{AccountId, BookingId, PaymentId, PerformanceId, SeatIndex, ShowId, Timestamp, Won};
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::Query;
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A page of one's bookings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bookings {
    /// The latest first.
    bookings: Vec<Booking>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    standing: Standing,
}

/// A booking that one made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Booking {
    /// The booking.
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
    /// How it stands.
    state: BookingState,
    /// What it costs.
    total: Won,
    /// What was taken for it, refunded or not.
    paid: Won,
    /// Until when it may be paid.
    pay_by: Timestamp,
    /// The last attempt to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<PaymentId>,
    /// Why the last attempt to pay failed: a code of the catalogue of errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_failure: Option<String>,
    /// What is owed back or was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_amount: Option<Won>,
    /// Whether that is back yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_state: Option<RefundState>,
    /// The shares that it is one of, by their common name, where the party pays by shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_group: Option<BookingId>,
    /// Its seats.
    lines: Vec<Line>,
}

/// One seat of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingLine)]
pub(crate) struct Line {
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
    /// Whose ticket it is.
    holder: AccountId,
    /// The holder's nickname.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_nickname: Option<String>,
    /// Whether the holder is oneself.
    mine: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    performance_id: Uuid,
    booking_id: Uuid,
    state: String,
    total: i64,
    paid: i64,
    refund_due: i64,
    refund_completed: i64,
    pay_by: OffsetDateTime,
    payment_id: Option<Uuid>,
    payment_failure: Option<String>,
    booked_at: i64,
    share_group: Option<Uuid>,
    #[sqlx(flatten)]
    played: Played,
}

/// What is played, from the catalogue; nothing while that is folded anew and hasn't come so far.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Played {
    show_id: Option<Uuid>,
    title: Option<sqlx::types::Json<Text>>,
    venue: Option<sqlx::types::Json<Text>>,
    plan: Option<[u8; 32]>,
    starts_at: Option<OffsetDateTime>,
}

/// What is played, complete.
pub(super) struct Show {
    pub(super) show_id: ShowId,
    pub(super) title: Text,
    pub(super) venue: Text,
    pub(super) plan: PlanHash,
    pub(super) starts_at: Timestamp,
}

impl Played {
    /// The join that [`Played`]'s columns come from.
    pub(super) const JOIN: &'static str = "left join catalogue_performances p on p.performance_id = b.performance_id and p.scheduled
         left join catalogue_shows s on s.show_id = p.show_id";

    pub(super) fn complete(self) -> Result<Show, Problem> {
        let all = || {
            Some(Show {
                show_id: self.show_id?.into(),
                title: self.title?.0,
                venue: self.venue?.0,
                plan: PlanHash(self.plan?),
                starts_at: self.starts_at?.into(),
            })
        };
        all().ok_or_else(|| {
            Problem::new(codes::PROJECTION_BEHIND).detail("the catalogue is being folded anew").retry_after(Duration::from_secs(1))
        })
    }
}

/// One's own bookings, those with friends' seats included.
#[utoipa::path(
    get, path = "/v1/me/bookings", tag = "me", operation_id = "my_bookings", params(Page, Fresh),
    responses((status = 200, body = Bookings), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_bookings(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<Page>,
    Query(fresh): Query<Fresh>,
) -> Result<Json<Bookings>, Problem> {
    let me = caller.account()?;
    let (limit, before) = (page.limit()?, page.cursor(|cursor| cursor.parse::<i64>().ok())?);
    let mut snapshot = api.snapshot(&[Model::Bookings, Model::Catalogue], fresh.min_position, Touches::Any).await?;
    let sql = format!(
        "select b.*, s.show_id, s.title, s.venue, s.plan, p.starts_at from bookings b {}
         where b.account_id = $1 and b.booked_at < $2 order by b.booked_at desc limit $3",
        Played::JOIN
    );
    let rows: Vec<Row> = sqlx::query_as(&sql)
        .bind(me.0)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
        .fetch_all(snapshot.connection())
        .await
        .map_err(failed("reading bookings"))?;
    let (rows, next) = cut(rows, limit, |row| row.booked_at.to_string());
    let mut lines = lines(&api, &mut snapshot, me, &rows).await?;
    let bookings = rows.into_iter().map(|row| booking(row, &mut lines)).collect::<Result<_, _>>()?;
    Ok(Json(Bookings { bookings, next, standing: snapshot.standing }))
}

type Lines = HashMap<(Uuid, Uuid), Vec<Line>>;

/// The seats of these bookings, with what they are called and whose they are.
async fn lines(api: &Api, snapshot: &mut Snapshot, me: AccountId, bookings: &[Row]) -> Result<Lines, Problem> {
    let rows = line_rows(snapshot.connection(), bookings).await?;
    let nicknames = nicknames(snapshot.connection(), rows.iter().map(|row| row.4)).await?;
    let mut plans = HashMap::new();
    for row in bookings {
        let hash = row.played.clone().complete()?.plan;
        plans.insert(row.performance_id, api.0.plans.get(snapshot.connection(), hash).await.map_err(no_plan)?);
    }
    let mut lines = Lines::new();
    for (performance, booking, seat, price, holder) in rows {
        let seat = SeatIndex(u32::try_from(seat).unwrap_or(u32::MAX));
        let label = plans.get(&performance).and_then(|plan| plan.label(seat));
        let holder = AccountId(holder);
        lines.entry((performance, booking)).or_default().push(Line {
            seat,
            area: label.map(|label| label.area).unwrap_or_default().to_owned(),
            row: label.map(|label| label.row).unwrap_or_default().to_owned(),
            number: label.map(|label| label.number).unwrap_or_default().to_owned(),
            price: Won::new(price).unwrap_or_default(),
            holder,
            holder_nickname: nicknames.get(&holder).cloned(),
            mine: holder == me,
        });
    }
    Ok(lines)
}

type LineRow = (Uuid, Uuid, i32, i64, Uuid);

async fn line_rows(connection: &mut PgConnection, bookings: &[Row]) -> Result<Vec<LineRow>, Problem> {
    sqlx::query_as(
        "select l.performance_id, l.booking_id, l.seat, l.price, l.holder
         from unnest($1::uuid[], $2::uuid[]) as wanted (performance_id, booking_id)
         join booking_lines l using (performance_id, booking_id) order by l.seat",
    )
    .bind(bookings.iter().map(|row| row.performance_id).collect::<Vec<Uuid>>())
    .bind(bookings.iter().map(|row| row.booking_id).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await
    .map_err(failed("reading bookings' seats"))
}

fn booking(row: Row, lines: &mut Lines) -> Result<Booking, Problem> {
    let won = |amount: i64| Won::new(amount).unwrap_or_default();
    let show = row.played.complete()?;
    let refunded = row.refund_due > 0;
    let refund = if row.refund_completed >= row.refund_due { RefundState::Completed } else { RefundState::Due };
    Ok(Booking {
        booking_id: row.booking_id.into(),
        performance_id: row.performance_id.into(),
        show_id: show.show_id,
        title: show.title,
        venue: show.venue,
        starts_at: show.starts_at,
        state: state(&row.state),
        total: won(row.total),
        paid: won(row.paid),
        pay_by: row.pay_by.into(),
        payment_id: row.payment_id.map(PaymentId),
        payment_failure: row.payment_failure,
        refund_amount: refunded.then(|| won(row.refund_due)),
        refund_state: refunded.then_some(refund),
        share_group: row.share_group.map(BookingId),
        lines: lines.remove(&(row.performance_id, row.booking_id)).unwrap_or_default(),
    })
}

/// The table's check allows no other.
fn state(name: &str) -> BookingState {
    match name {
        "unpaid" => BookingState::Unpaid,
        "paying" => BookingState::Paying,
        "paid" => BookingState::Paid,
        "cancelled" => BookingState::Cancelled,
        _ => BookingState::Expired,
    }
}
