//! Reading the log: its head, its events in order, one stream. ([`crate::load`] reads all streams of a unit.)
//!
//! Every function is one short statement and holds no transaction open: an old snapshot keeps dead versions of
//! the head's row alive and slows every commit.

use crate::patience::{PATIENCE, answer};
use crate::{RawEvent, StoreError};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{FromRow, PgExecutor, Row};
use uuid::Uuid;

/// The most events that one read returns, whatever its caller asks for: at 64 KiB an event, 64 MiB.
pub const PAGE_EVENTS_MAX: u32 = 1_000;

pub(crate) const EVENT_COLUMNS: &str =
    "position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at";

/// The log's end and its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The last event's position; 0 if there is none. Everything up to it is committed and visible.
    pub position: u64,
    /// Which log this is.
    pub log_id: Uuid,
    /// Which history of it: a restore from a backup begins another.
    pub incarnation: Uuid,
}

/// Events in order, and the head as it was at the same moment.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events in order, without gaps among those wanted.
    pub events: Vec<RawEvent>,
    /// Its incarnation tells which history the events are from.
    pub head: Head,
}

/// The log's end and identity.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn head(pool: &PgPool) -> Result<Head, StoreError> {
    let row: Option<(i64, Uuid, Uuid)> = sqlx::query_as("select position, log_id, incarnation from log_head where id = 1")
        .fetch_optional(pool)
        .await
        .map_err(StoreError::query("read the log's head"))?;
    let (position, log_id, incarnation) = row.ok_or(StoreError::NoHead)?;
    Ok(Head { position: unsigned(position), log_id, incarnation })
}

/// The events right after `after`, in order, at most `limit` (and [`PAGE_EVENTS_MAX`]).
///
/// # Errors
/// If Postgres can't be asked.
pub async fn read_after(pool: &PgPool, after: u64, limit: u32) -> Result<Vec<RawEvent>, StoreError> {
    // `order by` and the unique index make this an index scan of just the rows returned.
    let sql = format!("select {EVENT_COLUMNS} from events where position > $1 order by position limit $2");
    fetch(sqlx::query_as(&sql).bind(signed(after)).bind(bounded(limit)), pool)
        .await
        .map_err(StoreError::query(format!("read the log after {after}")))
}

/// Like [`read_after`], with the head, both from one snapshot: for readers that must notice when the log's history is
/// replaced beneath them. Of a reader that says which `types` it wants, events of others are left out, but for the first
/// and the last of those read: they tell where the page begins and ends.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn page(db: impl PgExecutor<'_>, after: u64, limit: u32, types: Option<&[&str]>) -> Result<Page, StoreError> {
    // One round trip. The head is repeated in every row, and stands alone in the only one if there are no events. Positions
    // have no gaps, so the last one read is known before it is.
    let sql = format!(
        "select e.*, h.position, h.log_id, h.incarnation from log_head h
         left join lateral (
             select {EVENT_COLUMNS} from events
             where position > $1 and position <= $1 + $2
               and ($3::text[] is null or event_type = any($3) or position in ($1 + 1, least($1 + $2, h.position)))
             order by position limit $2
         ) e on true
         where h.id = 1 order by e.position"
    );
    let read = sqlx::query(&sql).bind(signed(after)).bind(bounded(limit)).bind(types).fetch_all(db);
    let rows = answer(PATIENCE, "with a page of the log", read).await;
    let rows = rows.map_err(StoreError::query(format!("read the log after {after}")))?;
    let head = head_of(rows.first().ok_or(StoreError::NoHead)?).map_err(StoreError::query("read the log's head"))?;
    let has_event = |row: &&PgRow| row.try_get::<Option<i64>, _>(0).is_ok_and(|position| position.is_some());
    let events = rows.iter().filter(has_event).map(event_of).collect::<Result<_, _>>();
    Ok(Page { events: events.map_err(StoreError::query(format!("read the log after {after}")))?, head })
}

/// The event at `position`, if the log reaches so far.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn event_at(pool: &PgPool, position: u64) -> Result<Option<RawEvent>, StoreError> {
    let sql = format!("select {EVENT_COLUMNS} from events where position = $1");
    let row: Option<EventRow> = sqlx::query_as(&sql)
        .bind(signed(position))
        .fetch_optional(pool)
        .await
        .map_err(StoreError::query(format!("read the event at {position}")))?;
    Ok(row.map(|row| row.0))
}

/// A stream's events after `after_sequence`, in order, at most `limit` (and [`PAGE_EVENTS_MAX`]).
///
/// # Errors
/// If Postgres can't be asked.
pub async fn load_stream(
    pool: &PgPool,
    aggregate_type: &str,
    aggregate_id: &str,
    after_sequence: u64,
    limit: u32,
) -> Result<Vec<RawEvent>, StoreError> {
    let sql = format!(
        "select {EVENT_COLUMNS} from events where aggregate_type = $1 and aggregate_id = $2 and sequence > $3 order by sequence limit $4"
    );
    fetch(sqlx::query_as(&sql).bind(aggregate_type).bind(aggregate_id).bind(signed(after_sequence)).bind(bounded(limit)), pool)
        .await
        .map_err(StoreError::query(format!("load stream {aggregate_type} {aggregate_id}")))
}

/// A stream's latest events of these types, the latest first, at most `limit` (and [`PAGE_EVENTS_MAX`]). There is no index
/// of types: it reads on from the stream's end until it has them, or the whole stream, so it is for what few ask for.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn latest_of(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    event_types: &[&str],
    limit: u32,
) -> Result<Vec<RawEvent>, StoreError> {
    let sql = format!(
        "select {EVENT_COLUMNS} from events where aggregate_type = $1 and aggregate_id = $2 and event_type = any($3)
         order by sequence desc limit $4"
    );
    let query = sqlx::query_as::<_, EventRow>(&sql).bind(aggregate_type).bind(aggregate_id).bind(event_types).bind(bounded(limit));
    let rows = query.fetch_all(db).await.map_err(StoreError::query(format!("find events of {aggregate_type} {aggregate_id}")))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

type EventQuery<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, EventRow, sqlx::postgres::PgArguments>;

async fn fetch(query: EventQuery<'_>, pool: &PgPool) -> Result<Vec<RawEvent>, sqlx::Error> {
    Ok(query.fetch_all(pool).await?.into_iter().map(|row| row.0).collect())
}

/// A row of `events`.
pub(crate) struct EventRow(pub(crate) RawEvent);

impl<'r> FromRow<'r, PgRow> for EventRow {
    fn from_row(row: &'r PgRow) -> Result<EventRow, sqlx::Error> {
        event_of(row).map(EventRow)
    }
}

fn event_of(row: &PgRow) -> Result<RawEvent, sqlx::Error> {
    Ok(RawEvent {
        position: unsigned(row.try_get(0)?),
        aggregate_type: row.try_get(1)?,
        aggregate_id: row.try_get(2)?,
        sequence: unsigned(row.try_get(3)?),
        event_type: row.try_get(4)?,
        event_version: row.try_get(5)?,
        payload: row.try_get(6)?,
        metadata: row.try_get(7)?,
        recorded_at: row.try_get::<time::OffsetDateTime, _>(8)?.into(),
    })
}

fn head_of(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head { position: unsigned(row.try_get(9)?), log_id: row.try_get(10)?, incarnation: row.try_get(11)? })
}

fn bounded(limit: u32) -> i64 {
    i64::from(limit.min(PAGE_EVENTS_MAX))
}

/// Positions and sequences are never negative: the table's checks see to it.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Above `i64::MAX` there are no positions; the comparison then finds none.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
