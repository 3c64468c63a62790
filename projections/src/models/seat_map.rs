//! Every seat's state: one ASCII digit per seat, in the plan's order, in chunks.

use super::{performance_of, signed};
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded};
use socketing_domain::performance::{Event as Seats, Line, Reseated};
use socketing_domain::plan::PlanHash;
use socketing_domain::{PerformanceId, SeatIndex};
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Seats in one row of `seat_map_chunks`, as the migration bounds it.
const CHUNK_SEATS: u32 = 1_024;

pub(crate) const FREE: u8 = b'0';
pub(crate) const HELD: u8 = b'1';
pub(crate) const BOOKED: u8 = b'2';
pub(crate) const SOLD: u8 = b'3';

pub(super) struct SeatMap;

impl Projection for SeatMap {
    fn model(&self) -> Model {
        Model::SeatMap
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["seat_maps", "seat_map_chunks"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["performance"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// What an event does to seats: all of them go from one of `from` to `to`.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    seats: Vec<SeatIndex>,
    from: &'static [u8],
    to: u8,
}

fn changes(event: &Seats) -> Vec<Change> {
    let seats_of = |lines: &[Line]| lines.iter().map(|line| line.seat).collect();
    let (seats, from, to): (Vec<SeatIndex>, &[u8], u8) = match event {
        Seats::SeatsHeld { seats, .. } => (seats.clone(), &[FREE], HELD),
        Seats::HoldReleased { seats, .. } => (seats.clone(), &[HELD], FREE),
        Seats::SeatsBooked { lines, .. } => (seats_of(lines), &[HELD], BOOKED),
        Seats::SeatsSold { lines, .. } => (seats_of(lines), &[BOOKED], SOLD),
        Seats::BookingCancelled { seats, .. } => (seats.clone(), &[BOOKED, SOLD], FREE),
        Seats::SharesReseated { shares, .. } => {
            let reseated = |share: &Reseated| {
                let to = if share.paid { SOLD } else { BOOKED };
                Change { seats: seats_of(&share.lines), from: &[BOOKED, SOLD], to }
            };
            return shares.iter().map(reseated).collect();
        }
        Seats::PerformanceScheduled { .. }
        | Seats::SeatClaimed { .. }
        | Seats::SharesOpened { .. }
        | Seats::HoldExtended { .. }
        | Seats::PaymentStarted { .. }
        | Seats::PaymentFailed { .. }
        | Seats::RefundDue { .. }
        | Seats::RefundCompleted { .. } => return Vec::new(),
    };
    vec![Change { seats, from, to }]
}

type ChunkKey = (Uuid, i32);

/// The chunks that a batch touches, and what it does to them.
#[derive(Default)]
struct Maps {
    chunks: BTreeMap<ChunkKey, Vec<u8>>,
    opened: Vec<(Uuid, PlanHash, u32)>,
    /// Position of the last event that changed a performance's map.
    changed_at: BTreeMap<Uuid, u64>,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let mut maps = Maps { chunks: load(tx, &touched(events)?).await?, ..Maps::default() };
    for event in events {
        let Event::Performance(seats) = &event.event else { continue };
        maps.apply(performance_of(event)?, event, seats)?;
    }
    if maps.changed_at.is_empty() {
        return Ok(());
    }
    store_chunks(tx, &maps.chunks).await?;
    store_maps(tx, &maps).await
}

impl Maps {
    fn apply(&mut self, performance: PerformanceId, event: &Recorded, seats: &Seats) -> Result<(), HandlerError> {
        if let Seats::PerformanceScheduled { plan, seats, .. } = seats {
            self.open(performance.0, *plan, *seats);
        }
        let changes = changes(seats);
        if changes.is_empty() && !matches!(seats, Seats::PerformanceScheduled { .. }) {
            return Ok(());
        }
        for change in &changes {
            self.change(performance.0, event, change)?;
        }
        self.changed_at.insert(performance.0, event.position);
        Ok(())
    }

    fn open(&mut self, performance: Uuid, plan: PlanHash, seats: u32) {
        self.opened.push((performance, plan, seats));
        for start in (0..seats).step_by(CHUNK_SEATS as usize) {
            let length = CHUNK_SEATS.min(seats - start);
            self.chunks.insert((performance, chunk_of(start)), vec![FREE; length as usize]);
        }
    }

    fn change(&mut self, performance: Uuid, event: &Recorded, change: &Change) -> Result<(), HandlerError> {
        for seat in &change.seats {
            let state = self
                .chunks
                .get_mut(&(performance, chunk_of(seat.0)))
                .and_then(|states| states.get_mut((seat.0 % CHUNK_SEATS) as usize))
                .ok_or_else(|| HandlerError::misfit(event, format!("performance {performance} has no seat {seat}")))?;
            if !change.from.contains(state) {
                let (is, to) = (char::from(*state), char::from(change.to));
                return Err(HandlerError::misfit(event, format!("seat {seat} is in state {is}, which can't become {to}")));
            }
            *state = change.to;
        }
        Ok(())
    }
}

fn chunk_of(seat: u32) -> i32 {
    i32::try_from(seat / CHUNK_SEATS).unwrap_or(i32::MAX)
}

fn touched(events: &[Recorded]) -> Result<BTreeSet<ChunkKey>, HandlerError> {
    let mut keys = BTreeSet::new();
    for event in events {
        let Event::Performance(seats) = &event.event else { continue };
        let performance = performance_of(event)?.0;
        keys.extend(changes(seats).into_iter().flat_map(|change| change.seats).map(|seat| (performance, chunk_of(seat.0))));
    }
    Ok(keys)
}

async fn load(tx: &mut PgConnection, keys: &BTreeSet<ChunkKey>) -> Result<BTreeMap<ChunkKey, Vec<u8>>, HandlerError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (performances, chunks): (Vec<Uuid>, Vec<i32>) = keys.iter().copied().unzip();
    let rows: Vec<(Uuid, i32, String)> = sqlx::query_as(
        "select c.performance_id, c.chunk, c.states
         from unnest($1::uuid[], $2::int[]) as wanted (performance_id, chunk) join seat_map_chunks c using (performance_id, chunk)",
    )
    .bind(performances)
    .bind(chunks)
    .fetch_all(tx)
    .await
    .map_err(HandlerError::database("read seat_map_chunks"))?;
    Ok(rows.into_iter().map(|(performance, chunk, states)| ((performance, chunk), states.into_bytes())).collect())
}

async fn store_chunks(tx: &mut PgConnection, chunks: &BTreeMap<ChunkKey, Vec<u8>>) -> Result<(), HandlerError> {
    let (performances, numbers): (Vec<Uuid>, Vec<i32>) = chunks.keys().copied().unzip();
    let states: Vec<&str> = chunks.values().map(|states| std::str::from_utf8(states).expect("states are ASCII digits")).collect();
    sqlx::query(
        "insert into seat_map_chunks as c (performance_id, chunk, states) select * from unnest($1::uuid[], $2::int[], $3::text[])
         on conflict (performance_id, chunk) do update set states = excluded.states where c.states <> excluded.states",
    )
    .bind(performances)
    .bind(numbers)
    .bind(states)
    .execute(tx)
    .await
    .map_err(HandlerError::database("write seat_map_chunks"))?;
    Ok(())
}

async fn store_maps(tx: &mut PgConnection, maps: &Maps) -> Result<(), HandlerError> {
    if !maps.opened.is_empty() {
        sqlx::query(
            "insert into seat_maps (performance_id, plan, seats, changed_at)
             select *, 0 from unnest($1::uuid[], $2::bytea[], $3::int[])",
        )
        .bind(maps.opened.iter().map(|(id, _, _)| *id).collect::<Vec<Uuid>>())
        .bind(maps.opened.iter().map(|(_, plan, _)| plan.0.to_vec()).collect::<Vec<Vec<u8>>>())
        .bind(maps.opened.iter().map(|(_, _, seats)| i32::try_from(*seats).unwrap_or(i32::MAX)).collect::<Vec<i32>>())
        .execute(&mut *tx)
        .await
        .map_err(HandlerError::database("open seat_maps"))?;
    }
    sqlx::query(
        "update seat_maps m set changed_at = new.position from unnest($1::uuid[], $2::bigint[]) as new (performance_id, position)
         where m.performance_id = new.performance_id",
    )
    .bind(maps.changed_at.keys().copied().collect::<Vec<Uuid>>())
    .bind(maps.changed_at.values().map(|position| signed(*position)).collect::<Vec<i64>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write seat_maps"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_domain::event::{Metadata, StreamId};
    use socketing_domain::performance::{Cancellation, Release};
    use socketing_domain::{BookingId, HoldId, Timestamp};

    fn recorded(position: u64, performance: PerformanceId, event: Seats) -> Recorded {
        Recorded {
            position,
            stream: StreamId::Performance(performance),
            sequence: position,
            event: Event::Performance(event),
            metadata: Metadata::default(),
            recorded_at: Timestamp::default(),
        }
    }

    fn apply(maps: &mut Maps, performance: PerformanceId, position: u64, event: Seats) -> Result<(), HandlerError> {
        let event = recorded(position, performance, event);
        let Event::Performance(seats) = &event.event else { unreachable!("made above") };
        maps.apply(performance, &event, seats)
    }

    fn opened(performance: PerformanceId, seats: u32) -> Maps {
        let mut maps = Maps::default();
        maps.open(performance.0, PlanHash::default(), seats);
        maps
    }

    fn held(seats: &[u32]) -> Seats {
        Seats::SeatsHeld {
            hold: HoldId::new(),
            account: Default::default(),
            party: None,
            members: Vec::new(),
            seats: seats.iter().map(|seat| SeatIndex(*seat)).collect(),
            expires_at: Timestamp::default(),
            extended: false,
        }
    }

    #[test]
    fn chunks_cover_the_plan_exactly() {
        let performance = PerformanceId::new();
        let lengths = |seats| opened(performance, seats).chunks.values().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(1), [1]);
        assert_eq!(lengths(1_024), [1_024]);
        assert_eq!(lengths(2_049), [1_024, 1_024, 1]);
    }

    #[test]
    fn a_hold_over_two_chunks_marks_both() {
        let performance = PerformanceId::new();
        let mut maps = opened(performance, 2_000);
        apply(&mut maps, performance, 7, held(&[1_023, 1_024])).unwrap();
        assert_eq!(maps.chunks[&(performance.0, 0)][1_023], HELD);
        assert_eq!(maps.chunks[&(performance.0, 1)][0], HELD);
        assert_eq!(maps.changed_at[&performance.0], 7);
    }

    #[test]
    fn a_held_seat_cant_be_held_again() {
        let performance = PerformanceId::new();
        let mut maps = opened(performance, 10);
        apply(&mut maps, performance, 1, held(&[3])).unwrap();
        let error = apply(&mut maps, performance, 2, held(&[3])).unwrap_err();
        assert!(error.is_repeatable());
        assert_eq!(error.to_string(), "event 2 doesn't fit: seat 3 is in state 1, which can't become 1");
    }

    #[test]
    fn a_seat_outside_the_plan_is_refused() {
        let performance = PerformanceId::new();
        assert!(apply(&mut opened(performance, 10), performance, 1, held(&[10])).unwrap_err().is_repeatable());
    }

    #[test]
    fn released_and_cancelled_seats_are_free_again() {
        let performance = PerformanceId::new();
        let mut maps = opened(performance, 10);
        apply(&mut maps, performance, 1, held(&[3])).unwrap();
        let released = Seats::HoldReleased { hold: HoldId::new(), seats: vec![SeatIndex(3)], reason: Release::Expired };
        apply(&mut maps, performance, 2, released).unwrap();
        assert_eq!(maps.chunks[&(performance.0, 0)][3], FREE);
        maps.chunks.get_mut(&(performance.0, 0)).unwrap()[4] = SOLD;
        let cancelled = Seats::BookingCancelled { booking: BookingId::new(), seats: vec![SeatIndex(4)], reason: Cancellation::Buyer };
        apply(&mut maps, performance, 3, cancelled).unwrap();
        assert_eq!(maps.chunks[&(performance.0, 0)][4], FREE);
    }
}
