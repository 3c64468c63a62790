//! Where a room begins: the read model's rows with their checkpoint, read in one statement (so, one snapshot), and above
//! them the stream's own events.
//!
//! The rows only save time. Where there are none to trust (no projection has run, it stands in another history of the log,
//! or it has parked this stream), the same function begins at position 0 and the stream is folded whole.

use crate::{
    board::Board,
    limits,
    line::{LineBoard, Phase},
    numbers::NumberSet,
    room::Room,
    seats::SeatBoard,
};
use socketing_domain::{PerformanceId, event::Event, performance, waiting_room};
use socketing_event_store::{DecodeError, PgPool, StoreError, log};
use std::{future::Future, sync::Arc};
use tokio::sync::Semaphore;

/// Why a room couldn't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The stream has no events.
    #[error("there is no such performance in the log")]
    Unknown,
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The read model can't be read.
    #[error("can't read the read model of {topic}")]
    Rows {
        /// The topic that it is for.
        topic: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// An event of the stream can't be read.
    #[error(transparent)]
    Event(#[from] DecodeError),
}

/// Where rooms are read from: a pool, and how many may be read at once.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pool: PgPool,
    turns: Arc<Semaphore>,
}

impl Source {
    pub(crate) fn new(pool: PgPool) -> Source {
        Source { pool, turns: Arc::new(Semaphore::new(limits::LOADS_MAX)) }
    }
}

/// A board that can begin from a read model.
pub(crate) trait Stored: Board {
    /// An empty board, by the first event of its stream. `None` if the stream doesn't begin with that event.
    fn empty(first: &Event) -> Option<Self>;

    /// Fills the board from the read model's rows; the position that they are folded up to. 0 if there is nothing to trust.
    fn restore(&mut self, pool: &PgPool, performance: PerformanceId) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

/// Reads a room and opens it. Returns early if the room is over meanwhile.
pub(crate) async fn load<B: Stored>(source: &Source, room: &Room<B>) -> Result<(), LoadError> {
    // The semaphore is never closed.
    let _turn = source.turns.acquire().await;
    let (pool, id) = (&source.pool, room.performance.to_string());
    let first = log::load_stream(pool, B::STREAM, &id, 0, 1).await?.pop().ok_or(LoadError::Unknown)?;
    let mut board = B::empty(&first.decode()?.event).ok_or(LoadError::Unknown)?;
    let rows = |source| LoadError::Rows { topic: B::TOPIC, source };
    let mut covers = board.restore(pool, room.performance).await.map_err(rows)?;
    let mut sequence = sequence_at::<B>(pool, &id, covers).await.map_err(rows)?;
    while let Some(wanted) = room.wanted() {
        (sequence, covers) = fold_tail(pool, &id, &mut board, sequence, covers).await?;
        match room.open(board, covers, wanted) {
            Ok(()) => return Ok(()),
            Err(unopened) => board = unopened,
        }
    }
    Ok(())
}

/// Folds the stream's events after `sequence`, to its end.
async fn fold_tail<B: Stored>(pool: &PgPool, id: &str, board: &mut B, mut sequence: u64, mut covers: u64) -> Result<(u64, u64), LoadError> {
    loop {
        let page = log::load_stream(pool, B::STREAM, id, sequence, log::PAGE_EVENTS_MAX).await?;
        for raw in &page {
            let event = raw.decode()?;
            board.apply(&event, &mut |_| {});
            (sequence, covers) = (event.sequence, event.position);
        }
        if page.len() < log::PAGE_EVENTS_MAX as usize {
            return Ok((sequence, covers));
        }
    }
}

/// The last sequence of the stream up to a position. The primary key is walked from its end, so it costs as much as there
/// is above the position.
async fn sequence_at<B: Board>(pool: &PgPool, id: &str, position: u64) -> Result<u64, sqlx::Error> {
    if position == 0 {
        return Ok(0);
    }
    let sequence: Option<i64> = sqlx::query_scalar(
        "select sequence from events where aggregate_type = $1 and aggregate_id = $2 and position <= $3 order by sequence desc limit 1",
    )
    .bind(B::STREAM)
    .bind(id)
    .bind(signed(position))
    .fetch_optional(pool)
    .await?;
    Ok(sequence.map_or(0, unsigned))
}

/// A read model's checkpoint, if the rows of one stream can be trusted: of this log's history, and the stream not parked.
const TRUSTED: &str = "trusted as (
    select c.position from checkpoints c join log_head h on c.incarnation = h.incarnation
    where c.name = 'projection:' || $2 and not exists (
        select 1 from parked_events p where p.projection = $2 and p.aggregate_type = $3 and p.aggregate_id = $1::text
    ))";

impl Stored for SeatBoard {
    fn empty(first: &Event) -> Option<SeatBoard> {
        match first {
            Event::Performance(performance::Event::PerformanceScheduled { seats, .. }) => Some(SeatBoard::free(*seats)),
            _ => None,
        }
    }

    async fn restore(&mut self, pool: &PgPool, performance: PerformanceId) -> Result<u64, sqlx::Error> {
        let sql = format!(
            "with {TRUSTED}
             select position, (select string_agg(states, '' order by chunk) from seat_map_chunks where performance_id = $1) from trusted"
        );
        let row: Option<(i64, Option<String>)> =
            sqlx::query_as(&sql).bind(performance.0).bind("seat_map").bind(Self::STREAM).fetch_optional(pool).await?;
        let Some((position, digits)) = row else { return Ok(0) };
        // Without rows, the projection hasn't come to this performance yet: every event of it is above the checkpoint.
        Ok(match digits {
            Some(digits) if !self.replace(&digits) => 0,
            _ => unsigned(position),
        })
    }
}

/// A line's row and its entries, folded into what the board needs.
#[derive(sqlx::FromRow)]
struct LineRow {
    position: i64,
    waiting: Option<Vec<i64>>,
    inside: Option<i64>,
    admitted: Option<i64>,
    admitted_number: Option<i64>,
    joined_number: Option<i64>,
    capacity: Option<i64>,
    committed: bool,
    lobby: Option<i64>,
    lobby_number: Option<i64>,
    revealed: bool,
}

impl Stored for LineBoard {
    fn empty(first: &Event) -> Option<LineBoard> {
        match first {
            Event::WaitingRoom(waiting_room::Event::LineOpened { capacity, .. }) => {
                Some(LineBoard { capacity: *capacity, ..LineBoard::default() })
            }
            _ => None,
        }
    }

    async fn restore(&mut self, pool: &PgPool, performance: PerformanceId) -> Result<u64, sqlx::Error> {
        let sql = format!(
            "with {TRUSTED}
             select t.position, l.inside, l.admitted_number, l.joined_number, l.capacity, l.commitment is not null as committed,
                    l.lobby_entries as lobby, l.seed is not null as revealed,
                    (select max(number) from line_entries where performance_id = $1 and state = 'lobby') as lobby_number,
                    (select array_agg(number) from line_entries where performance_id = $1 and state in ('lobby', 'waiting')) as waiting,
                    (select count(*) from line_entries where performance_id = $1 and called_position is not null) as admitted
             from trusted t left join lines l on l.performance_id = $1"
        );
        let row: Option<LineRow> = sqlx::query_as(&sql).bind(performance.0).bind("line").bind(Self::STREAM).fetch_optional(pool).await?;
        let Some(row) = row else { return Ok(0) };
        let mut waiting = NumberSet::default();
        for number in row.waiting.into_iter().flatten() {
            waiting.insert(unsigned(number));
        }
        let count = |number: Option<i64>| number.map_or(0, unsigned);
        let phase = match (row.committed, row.lobby) {
            (true, None) => Phase::Lobby,
            (true, Some(1..)) if !row.revealed => Phase::Drawing,
            _ => Phase::Line,
        };
        *self = LineBoard {
            capacity: row.capacity.and_then(|capacity| u32::try_from(capacity).ok()).unwrap_or(self.capacity),
            phase,
            lobby: count(row.lobby),
            lobby_number: count(row.lobby_number),
            waiting,
            inside: count(row.inside),
            admitted: count(row.admitted),
            admitted_number: count(row.admitted_number),
            joined_number: count(row.joined_number),
        };
        Ok(unsigned(row.position))
    }
}

/// Positions, sequences and ticket numbers are never negative in the tables.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
