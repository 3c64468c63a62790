//! Appending: a batch is ONE autocommitted statement.
//!
//! The statement checks the leases' epochs, takes positions from the head's row, and inserts events, outcomes and due
//! times, each part resting on the one before. No client round trip happens while the head is locked: a client that is
//! stopped between two round trips would stop everyone. Positions follow commit order and have no gaps, because a
//! rollback also undoes the head.

use crate::command_log::{Fingerprint, KeyDigest};
use crate::pack::NewPack;
use crate::shards::Epoch;
use socketing_domain::Timestamp;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, PgConnection, Row};
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// An event to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its stream's type.
    pub aggregate_type: &'static str,
    /// Its stream's id.
    pub aggregate_id: String,
    /// Its place in its stream, from 1.
    pub sequence: u64,
    /// Its name.
    pub event_type: &'static str,
    /// Its version.
    pub event_version: &'static str,
    /// Its JSON, serialised once.
    pub payload: String,
    /// Its metadata as JSON, the same for all events of a command.
    pub metadata: Arc<str>,
}

/// A command's outcome, to be recorded with its events.
#[derive(Clone, Debug)]
pub struct NewOutcome {
    /// The unit that decided.
    pub unit: Uuid,
    /// What kind of unit.
    pub unit_kind: &'static str,
    /// Who asked.
    pub actor: String,
    /// Under which key.
    pub key: String,
    /// The digest of all three.
    pub digest: KeyDigest,
    /// The command's id, time-ordered.
    pub command_id: Uuid,
    /// The command's name.
    pub command: &'static str,
    /// What the command says.
    pub fingerprint: Fingerprint,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The answer as JSON, without the position.
    pub body: Arc<str>,
    /// How many of the part's events are covered: this command's last one, or for a refusal all decided before it.
    pub events_covered: u64,
    /// Of a refusal: the stream's type and the sequence of the event that caused it.
    pub cause: Option<(&'static str, u64)>,
}

/// When a unit next has something to do by itself.
#[derive(Clone, Debug)]
pub struct NewDue {
    /// The unit.
    pub unit: Uuid,
    /// What kind of unit.
    pub unit_kind: &'static str,
    /// Its shard.
    pub shard: u16,
    /// When; `None` for never.
    pub at: Option<Timestamp>,
}

/// What one unit has to be written; one statement writes the parts of many.
#[derive(Debug)]
pub struct Part {
    /// The unit's shard, with the epoch of our lease on it.
    pub lease: Epoch,
    /// Events, in the order of their positions.
    pub events: Vec<NewEvent>,
    /// Outcomes of commands that have a row each.
    pub outcomes: Vec<NewOutcome>,
    /// The others, many in a row.
    pub packs: Vec<NewPack>,
    /// The unit's changed due time.
    pub due: Option<NewDue>,
}

impl Part {
    /// How many outcomes there are, in rows and packs.
    #[must_use]
    pub fn outcomes_len(&self) -> usize {
        self.outcomes.len() + self.packs.iter().map(NewPack::count).sum::<usize>()
    }
}

/// Where a statement's events are in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// The head's position before them: event `i` (from 0) has position `base + 1 + i`.
    pub base: u64,
    /// The history of the log.
    pub incarnation: Uuid,
    /// When they were recorded, by Postgres's clock.
    pub recorded_at: Timestamp,
}

/// How an append ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// Written and durable.
    At(Written),
    /// A lease is no longer ours: nothing was written.
    Fenced,
}

/// The one statement. Notes on its parts, each tried on PostgreSQL 15 and 18:
/// - `lease` locks in shard order (no deadlock with a takeover) and `for share` (a takeover waits; `for key share`
///   doesn't hold it off).
/// - `head` is gated by the number of leases that still have our epoch: a stale epoch writes nothing.
/// - rows come from `unnest` in the list of what is selected, not from a function in `from`, whose rows are all put into a
///   store of their own first (`./dev bench statement`: a twelfth of what a row costs).
/// - the day and the moment are worked out once, not by the columns' defaults for each row; the moment while the head is
///   locked, so that it never goes back along the log.
/// - a `select` CTE that nothing references never runs, so each part references the one before; inserts always run.
const APPEND: &str = "
with lease as (
    select l.shard
    from shard_leases l
    join unnest($1::smallint[], $2::bigint[]) as ours (shard, epoch) on l.shard = ours.shard and l.epoch = ours.epoch
    order by l.shard
    for share of l
), head as (
    update log_head set position = position + $3
    where id = 1 and (select count(*) from lease) = cardinality($1::smallint[])
    returning position - $3 as base, (now() at time zone 'utc')::date as today, incarnation,
              clock_timestamp() as recorded_at
), appended as (
    insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
    select unnest($4::text[]), unnest($5::text[]), unnest($6::bigint[]), unnest($7::text[]), unnest($8::text[]), unnest($9::json[]),
           unnest($10::json[]), head.base + generate_series(1, $3::bigint), head.recorded_at
    from head
), recorded as (
    insert into command_log (unit, key_time, digest, unit_kind, actor, key, command_id, command, fingerprint, status, body, position,
                             cause_type, cause_sequence, recorded_on)
    select unnest($11::uuid[]), unnest($12::int[]), unnest($13::uuid[]), unnest($14::text[]), unnest($15::text[]), unnest($16::text[]),
           unnest($17::uuid[]), unnest($18::text[]), unnest($19::uuid[]), unnest($20::smallint[]), unnest($21::json[]),
           head.base + unnest($22::bigint[]), unnest($23::text[]), unnest($24::bigint[]), head.today
    from head
), packed as (
    insert into command_packs (unit, number, position, keys, outcomes, recorded_on)
    select unnest($25::uuid[]), unnest($26::int[]), head.base + unnest($27::bigint[]), unnest($28::bytea[]), unnest($29::text[]), head.today
    from head
), timed as (
    insert into due (unit, unit_kind, shard, next_due_at)
    select d.unit, d.unit_kind, d.shard, d.next_due_at
    from head, unnest($30::uuid[], $31::text[], $32::smallint[], $33::timestamptz[]) as d (unit, unit_kind, shard, next_due_at)
    on conflict (unit, unit_kind) do update set next_due_at = excluded.next_due_at
)
select base, incarnation, recorded_at from head";

/// Of the statement.
const ARGUMENTS: usize = 33;
/// An event's and an outcome's names, numbers and ids, with the four bytes before each that say how long it is.
const EVENT_BYTES: usize = 100;
const OUTCOME_BYTES: usize = 200;

/// Appends the parts, all or nothing, and returns when they are durable. At most one part of a unit.
///
/// # Errors
/// The database's. After an error that is not one of [`is_data_error`], the outcome is unknown: the statement may still
/// commit. Raise the leases' epochs ([`crate::shards::raise_epochs`]) before looking.
pub async fn append(connection: &mut PgConnection, parts: &[&Part]) -> Result<Appended, sqlx::Error> {
    let mut leases: Vec<Epoch> = parts.iter().map(|part| part.lease).collect();
    leases.sort_unstable();
    leases.dedup();
    let events: Vec<&NewEvent> = parts.iter().flat_map(|part| &part.events).collect();
    let outcomes: Vec<&NewOutcome> = parts.iter().flat_map(|part| &part.outcomes).collect();
    let packs: Vec<(u64, &NewPack)> =
        before_each(parts).flat_map(|(before, part)| part.packs.iter().map(move |pack| (before, pack))).collect();
    let dues: Vec<&NewDue> = parts.iter().filter_map(|part| part.due.as_ref()).collect();
    let mut arguments = PgArguments::default();
    arguments.reserve(ARGUMENTS, bytes(&events, &outcomes, &packs));
    let row = sqlx::query_with(APPEND, arguments)
        .bind(column(&leases, |lease| lease.shard as i16))
        .bind(column(&leases, |lease| lease.epoch))
        .bind(events.len() as i64)
        .bind(column(&events, |e| e.aggregate_type))
        .bind(column(&events, |e| e.aggregate_id.as_str()))
        .bind(column(&events, |e| e.sequence as i64))
        .bind(column(&events, |e| e.event_type))
        .bind(column(&events, |e| e.event_version))
        .bind(column(&events, |e| JsonText(&e.payload)))
        .bind(column(&events, |e| JsonText(&e.metadata)))
        .bind(column(&outcomes, |o| o.unit))
        .bind(column(&outcomes, |o| o.digest.time))
        .bind(column(&outcomes, |o| o.digest.hash))
        .bind(column(&outcomes, |o| o.unit_kind))
        .bind(column(&outcomes, |o| o.actor.as_str()))
        .bind(column(&outcomes, |o| o.key.as_str()))
        .bind(column(&outcomes, |o| o.command_id))
        .bind(column(&outcomes, |o| o.command))
        .bind(column(&outcomes, |o| o.fingerprint.0))
        .bind(column(&outcomes, |o| o.status as i16))
        .bind(column(&outcomes, |o| JsonText(&o.body)))
        .bind(covered(parts))
        .bind(column(&outcomes, |o| o.cause.map(|(stream, _)| stream)))
        .bind(column(&outcomes, |o| o.cause.map(|(_, sequence)| sequence as i64)))
        .bind(column(&packs, |(_, p)| p.unit))
        .bind(column(&packs, |(_, p)| p.number as i32))
        .bind(column(&packs, |(before, _)| *before as i64))
        .bind(column(&packs, |(_, p)| p.keys()))
        .bind(column(&packs, |(_, p)| p.outcomes()))
        .bind(column(&dues, |d| d.unit))
        .bind(column(&dues, |d| d.unit_kind))
        .bind(column(&dues, |d| d.shard as i16))
        .bind(column(&dues, |d| d.at.map_or(FAR_FUTURE, Timestamp::to_datetime)))
        .fetch_optional(connection)
        .await?;
    match row {
        Some(row) => Ok(Appended::At(Written {
            base: row.try_get::<i64, _>("base")? as u64,
            incarnation: row.try_get("incarnation")?,
            recorded_at: row.try_get::<OffsetDateTime, _>("recorded_at")?.into(),
        })),
        None => Ok(Appended::Fenced),
    }
}

/// About how many bytes the statement's arguments take: a buffer that grows to it is copied, and each time to fresh memory.
fn bytes(events: &[&NewEvent], outcomes: &[&NewOutcome], packs: &[(u64, &NewPack)]) -> usize {
    let event = |e: &&NewEvent| e.aggregate_id.len() + e.payload.len() + e.metadata.len() + EVENT_BYTES;
    let outcome = |o: &&NewOutcome| o.actor.len() + o.key.len() + o.body.len() + OUTCOME_BYTES;
    let pack = |(_, p): &(u64, &NewPack)| p.keys().len() + p.outcomes().len() + OUTCOME_BYTES;
    events.iter().map(event).sum::<usize>() + outcomes.iter().map(outcome).sum::<usize>() + packs.iter().map(pack).sum::<usize>()
}

/// How many of the whole statement's events each outcome covers.
fn covered(parts: &[&Part]) -> Vec<i64> {
    let covered =
        |(before, part): (u64, &'_ Part)| part.outcomes.iter().map(move |o| (before + o.events_covered) as i64).collect::<Vec<_>>();
    before_each(parts).flat_map(covered).collect()
}

/// Each part, with the number of the statement's events before its own.
fn before_each<'a>(parts: &'a [&Part]) -> impl Iterator<Item = (u64, &'a Part)> {
    parts.iter().scan(0, |before, part| {
        let own = *before;
        *before += part.events.len() as u64;
        Some((own, *part))
    })
}

/// Stands for "never" in `due`: the year 9999, which every client can read (`infinity` can't be decoded by all).
pub(crate) const FAR_FUTURE: OffsetDateTime = time::macros::datetime!(9999-01-01 00:00 UTC);

/// Whether the statement failed on its data (a bad value, a constraint): it surely wrote nothing, and would fail again.
#[must_use]
pub fn is_data_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    // SQLSTATE class 22: data exception; 23: integrity constraint violation; 54: a program limit was exceeded.
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

fn column<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// JSON that is text already: sent as it is, parsed by Postgres alone.
struct JsonText<'a>(&'a str);

impl sqlx::Type<sqlx::Postgres> for JsonText<'_> {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_name("json")
    }
}

impl sqlx::postgres::PgHasArrayType for JsonText<'_> {
    fn array_type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_name("_json")
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for JsonText<'_> {
    fn encode_by_ref(&self, buffer: &mut sqlx::postgres::PgArgumentBuffer) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(sqlx::encode::IsNull::No)
    }
}
