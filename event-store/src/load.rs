//! Loading a unit: its state from the log, from a snapshot if a good one is there, else from its first event.
//!
//! Built for a stream of a million events. Rows are read in pages, each a short statement (nothing keeps an old snapshot
//! of the database open), stream by stream in the order of the primary key (nothing is sorted), and merged here by
//! position. Of each row only what the fold needs is read, and the payload is parsed from the row's own bytes, on a thread
//! of its own: while Postgres sends one page, the one before is folded.

use crate::patience::{PATIENCE, answer};
use crate::snapshot::{self, Snapshot};
use crate::{DecodeCause, DecodeError, StoreError, log};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::unit::{Unit, UnitId};
use socketing_domain::{PartyId, PerformanceId, Timestamp};
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{Row, ValueRef};
use std::collections::VecDeque;
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// Rows that one statement reads: enough that its round trip doesn't count, few enough that a page of the largest events
/// (64 KiB) is 128 MiB.
const PAGE_ROWS: i64 = 2_048;
/// Events up to which a unit is short.
const SHORT_EVENTS_MAX: usize = 64;
/// Pages that wait to be folded.
const PAGES_WAITING: usize = 2;

/// A unit as of a position of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// Its state.
    pub unit: Unit,
    /// The position of its last event; 0 if it has none.
    pub position: u64,
    /// The latest moment at which one of its events was recorded: time never goes back for a unit.
    pub recorded_at: Timestamp,
    /// The position of the snapshot it started from; `None` if it was folded from its first event.
    pub snapshot: Option<u64>,
}

impl Loaded {
    /// A unit nothing has happened to.
    #[must_use]
    pub fn nothing(unit: UnitId) -> Loaded {
        Loaded { unit: Unit::new(unit), position: 0, recorded_at: Timestamp::from_millis(i64::MIN), snapshot: None }
    }
}

/// The unit as the log has it now: from its newest snapshot and what came since; from its first event if there is none, or
/// if it is damaged or doesn't fit the log, which is a warning.
///
/// # Errors
/// If Postgres can't be asked, or an event can't be read.
pub async fn unit(pool: &PgPool, id: UnitId) -> Result<Loaded, StoreError> {
    let UnitId::Performance(performance) = id else {
        // One stream, and a short one: people and shows have tens of events, a wallet hundreds.
        return catch_up(pool, id, Loaded::nothing(id), u64::MAX).await;
    };
    // Everything up to the head is committed and visible, in every stream: what is merged is whole.
    let head = log::head(pool).await?.position;
    let start = match snapshot::newest(pool, performance).await? {
        Some(Snapshot { hall, position, recorded_at, .. }) => {
            Loaded { unit: Unit::Performance(Box::new(hall)), position, recorded_at, snapshot: Some(position) }
        }
        None => Loaded::nothing(id),
    };
    catch_up(pool, id, start, head).await
}

/// The events of a unit of one short stream, unread.
pub struct Short {
    unit: UnitId,
    page: Page,
}

impl Short {
    /// The unit as the log has it: for whoever asked for it to do, since an event that breaks an invariant ends who folds.
    ///
    /// # Errors
    /// If an event can't be read.
    pub fn fold(self) -> Result<Loaded, StoreError> {
        fold(Loaded::nothing(self.unit), self.page)
    }
}

/// Units of one stream each (people, wallets, shows), all read by one statement, in the order given. `None` for one that
/// isn't short, which [`unit()`] loads.
///
/// # Errors
/// If Postgres can't be asked.
pub async fn short_units(connection: &mut PgConnection, ids: &[UnitId]) -> Result<Vec<Option<Short>>, StoreError> {
    let streams: Vec<Option<StreamId>> = ids.iter().map(only_stream).collect();
    let types: Vec<Option<&str>> = streams.iter().map(|stream| stream.map(|stream| stream.aggregate_type())).collect();
    let names: Vec<String> = ids.iter().map(|id| id.id().to_string()).collect();
    let rows = sqlx::query(&format!(
        "select {COLUMNS}, nth from unnest($1::text[], $2::text[]) with ordinality as wanted (wanted_type, wanted_id, nth)
         cross join lateral (
             select {COLUMNS} from events where aggregate_type = wanted_type and aggregate_id = wanted_id order by sequence limit $3
         ) e
         order by nth, sequence"
    ))
    .bind(types)
    .bind(names)
    .bind(SHORT_EVENTS_MAX as i64 + 1)
    .fetch_all(connection)
    .await
    .map_err(StoreError::query("load short units"))?;
    let mut pages: Vec<Page> = ids.iter().map(|_| Page::new()).collect();
    for row in rows {
        let place = row.try_get("nth").and_then(|nth: i64| Ok((nth as usize - 1, log::unsigned(row.try_get(0)?))));
        let (nth, position) = place.map_err(StoreError::query("read short units"))?;
        pages[nth].extend(streams[nth].map(|stream| (Name::Stream(stream), position, row)));
    }
    let short = |((unit, stream), page): ((&UnitId, &Option<StreamId>), Page)| {
        (stream.is_some() && page.len() <= SHORT_EVENTS_MAX).then_some(Short { unit: *unit, page })
    };
    Ok(ids.iter().zip(&streams).zip(pages).map(short).collect())
}

/// The stream of a unit that has just one.
const fn only_stream(id: &UnitId) -> Option<StreamId> {
    match *id {
        UnitId::Account(id) => Some(StreamId::Account(id)),
        UnitId::Wallet(id) => Some(StreamId::Wallet(id)),
        UnitId::Show(id) => Some(StreamId::Show(id)),
        UnitId::Performance(_) => None,
    }
}

/// The unit as it was at a position, folded from its first event: what snapshots are held against.
///
/// # Errors
/// If Postgres can't be asked, or an event can't be read.
pub async fn unit_at(pool: &PgPool, id: UnitId, position: u64) -> Result<Loaded, StoreError> {
    catch_up(pool, id, Loaded::nothing(id), position).await
}

/// Hands every event of a unit up to the position `to` to `each`, in the order of their positions. Memory is bounded,
/// however long the history. `to` must not be beyond the log's head, so that what is merged of several streams is whole.
///
/// # Errors
/// If Postgres can't be asked, or an event can't be read.
pub async fn unit_events(pool: &PgPool, id: UnitId, to: u64, mut each: impl FnMut(Happened)) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::query(format!("connect to load {id}")))?;
    let mut reader = Reader::new(id, &Loaded::nothing(id), to);
    while !reader.has_ended() {
        for (name, position, row) in reader.next_page(&mut connection).await? {
            each(Happened::read(name, position, &row)?);
        }
    }
    Ok(())
}

/// Folds what happened after `from`, up to the position `to`, which must not be beyond the log's head where the unit has
/// several streams.
async fn catch_up(pool: &PgPool, id: UnitId, from: Loaded, to: u64) -> Result<Loaded, StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::query(format!("connect to load {id}")))?;
    let mut reader = Reader::new(id, &from, to);
    let first = reader.next_page(&mut connection).await?;
    if reader.has_ended() {
        return fold(from, first); // most units: not worth a thread
    }
    let (pages, mut arriving) = mpsc::channel(PAGES_WAITING);
    let folding = tokio::task::spawn_blocking(move || {
        let mut loaded = fold(from, first)?;
        while let Some(page) = arriving.blocking_recv() {
            loaded = fold(loaded, page)?;
        }
        Ok(loaded)
    });
    while !reader.has_ended() {
        let page = reader.next_page(&mut connection).await?;
        if pages.send(page).await.is_err() {
            break; // the fold has failed, and says why
        }
    }
    drop(pages);
    // An event that breaks an invariant ends whoever asked, as it would without the thread.
    folding.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
}

/// The columns that a fold needs.
const COLUMNS: &str = "position, aggregate_id, sequence, event_type, event_version, payload, recorded_at";

/// One or, of all parties together, many streams, as they are read.
struct Source {
    name: Name,
    sql: String,
    /// The last sequence, or for parties the last position, that was read.
    after: i64,
    rows: VecDeque<(u64, PgRow)>,
    ended: bool,
}

/// Which streams a row may be of.
#[derive(Clone, Copy)]
enum Name {
    Stream(StreamId),
    PartiesOf(PerformanceId),
}

/// Reads a unit's events in the order of their positions.
struct Reader {
    unit: UnitId,
    sources: Vec<Source>,
    to: u64,
}

/// Events in the order of their positions, unparsed.
type Page = Vec<(Name, u64, PgRow)>;

impl Reader {
    fn new(unit: UnitId, from: &Loaded, to: u64) -> Reader {
        let stream = |stream: StreamId| Source {
            sql: format!(
                "select {COLUMNS} from events where aggregate_type = '{}' and aggregate_id = $1 and sequence > $2 order by sequence limit $3",
                stream.aggregate_type()
            ),
            name: Name::Stream(stream),
            after: log::signed(from.unit.sequence(&stream)),
            rows: VecDeque::new(),
            ended: false,
        };
        let sources = match unit {
            UnitId::Account(id) => vec![stream(StreamId::Account(id))],
            UnitId::Wallet(id) => vec![stream(StreamId::Wallet(id))],
            UnitId::Show(id) => vec![stream(StreamId::Show(id))],
            UnitId::Performance(id) => {
                vec![stream(StreamId::Performance(id)), stream(StreamId::WaitingRoom(id)), Source::parties(id, from.position)]
            }
        };
        Reader { unit, sources, to }
    }

    fn has_ended(&self) -> bool {
        self.sources.iter().all(|source| source.ended && source.rows.is_empty())
    }

    /// What comes next, as far as every stream is known to have nothing before it.
    async fn next_page(&mut self, connection: &mut PgConnection) -> Result<Page, StoreError> {
        let id = self.unit.id().to_string();
        for source in self.sources.iter_mut().filter(|source| !source.ended && source.rows.is_empty()) {
            // Whoever waits for the unit waits for each page: a dead connection must not keep it for ever.
            let read = answer(PATIENCE, "with events", source.read(connection, &id, self.to)).await;
            read.map_err(StoreError::query(format!("load {}", self.unit)))?;
        }
        let mut page = Vec::new();
        while self.sources.iter().all(|source| source.ended || !source.rows.is_empty()) {
            let first = self.sources.iter_mut().filter(|source| !source.rows.is_empty()).min_by_key(|source| source.rows[0].0);
            let Some(source) = first else { break };
            page.extend(source.rows.pop_front().map(|(position, row)| (source.name, position, row)));
        }
        Ok(page)
    }
}

impl Source {
    fn parties(id: PerformanceId, after: u64) -> Source {
        Source {
            name: Name::PartiesOf(id),
            // As the partial index says it.
            sql: format!(
                "select {COLUMNS} from events where aggregate_type = 'party' and left(aggregate_id, 36) = $1 and position > $2
                 order by position limit $3"
            ),
            after: log::signed(after),
            rows: VecDeque::new(),
            ended: false,
        }
    }

    /// Reads the next page, up to the position `to`.
    async fn read(&mut self, connection: &mut PgConnection, id: &str, to: u64) -> Result<(), sqlx::Error> {
        let query = sqlx::query(&self.sql).bind(id).bind(self.after).bind(PAGE_ROWS);
        let rows = query.fetch_all(connection).await?;
        self.ended = rows.len() < PAGE_ROWS as usize;
        for row in rows {
            let position = log::unsigned(row.try_get(0)?);
            if position > to {
                self.ended = true;
                break;
            }
            self.after = if matches!(self.name, Name::Stream(_)) { row.try_get(2)? } else { log::signed(position) };
            self.rows.push_back((position, row));
        }
        Ok(())
    }
}

fn fold(mut loaded: Loaded, page: Page) -> Result<Loaded, StoreError> {
    for (name, position, row) in page {
        let happened = Happened::read(name, position, &row)?;
        let expected = loaded.unit.sequence(&happened.stream) + 1;
        if happened.sequence != expected {
            return Err(StoreError::Gap { stream: happened.stream.to_string(), expected, found: happened.sequence });
        }
        loaded.unit.apply(&happened.stream, &happened.event);
        loaded.position = position;
        loaded.recorded_at = loaded.recorded_at.max(happened.recorded_at);
    }
    Ok(loaded)
}

/// Of an event of the log, what a fold needs.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
    /// Its place in the log.
    pub position: u64,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream.
    pub sequence: u64,
    /// The event itself, upcast to today's version.
    pub event: Event,
    /// When it was committed, by Postgres's clock.
    pub recorded_at: Timestamp,
}

impl Happened {
    fn read(name: Name, position: u64, row: &PgRow) -> Result<Happened, StoreError> {
        let unreadable = |source| StoreError::Query { operation: format!("read the event at {position}"), source };
        let event_type = text(row, 3).map_err(unreadable)?;
        let failed = |cause| StoreError::Decode(DecodeError { position, event_type: event_type.to_owned(), cause });
        let stream = match name {
            Name::Stream(stream) => stream,
            Name::PartiesOf(performance) => {
                let party = text(row, 1).map_err(unreadable)?;
                let named = party.split_once('/').and_then(|(_, id)| id.parse::<PartyId>().ok());
                StreamId::Party(performance, named.ok_or_else(|| failed(DecodeCause::Stream(format!("party {party}"))))?)
            }
        };
        let (version, payload) = (text(row, 4).map_err(unreadable)?, text(row, 5).map_err(unreadable)?);
        let event = Event::decode(stream.aggregate_type(), event_type, version, payload);
        Ok(Happened {
            position,
            stream,
            sequence: log::unsigned(row.try_get(2).map_err(unreadable)?),
            event: event.map_err(|error| failed(DecodeCause::Event(error)))?,
            recorded_at: row.try_get::<OffsetDateTime, _>(6).map_err(unreadable)?.into(),
        })
    }
}

/// A column's text where it stands. (`json` travels as its text.)
fn text(row: &PgRow, column: usize) -> Result<&str, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Err(sqlx::Error::Decode(Box::new(sqlx::error::UnexpectedNullError)));
    }
    value.as_str().map_err(sqlx::Error::Decode)
}
