//! Lines: who waits, who is inside, and the counters from which everybody tells how far it is.

use super::{moment, performance_of, signed};
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded};
use socketing_domain::waiting_room::{Departure, Event as Line};
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) struct Lines;

impl Projection for Lines {
    fn model(&self) -> Model {
        Model::Line
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["lines", "line_entries", "line_members"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["waiting-room"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// A row of `lines`.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Counters {
    performance_id: Uuid,
    sale_opens_at: OffsetDateTime,
    capacity: i64,
    session_seconds: i64,
    waiting: i64,
    inside: i64,
    joined_number: i64,
    admitted_number: i64,
}

/// A row of `line_entries`.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Entry {
    performance_id: Uuid,
    entry_id: Uuid,
    number: i64,
    account_id: Uuid,
    party_id: Option<Uuid>,
    members: Vec<Uuid>,
    state: String,
    session_ends_at: Option<OffsetDateTime>,
    departure: Option<String>,
}

type EntryKey = (Uuid, Uuid);

/// The rows that a batch touches.
#[derive(Default)]
struct Rows {
    lines: BTreeMap<Uuid, Counters>,
    entries: BTreeMap<EntryKey, Entry>,
    /// Each person's latest place: (performance, account) → entry.
    places: BTreeMap<(Uuid, Uuid), Uuid>,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let mut rows = Rows { lines: load_lines(tx, events).await?, entries: load_entries(tx, events).await?, ..Rows::default() };
    for event in events {
        let Event::WaitingRoom(what) = &event.event else { continue };
        rows.apply(performance_of(event)?.0, event, what)?;
    }
    store_lines(tx, &rows.lines).await?;
    store_entries(tx, &rows.entries).await?;
    store_places(tx, &rows.places).await
}

impl Rows {
    fn apply(&mut self, performance: Uuid, event: &Recorded, what: &Line) -> Result<(), HandlerError> {
        match what {
            Line::LineOpened { sale_opens_at, capacity, session_seconds, .. } => {
                let line = Counters {
                    performance_id: performance,
                    sale_opens_at: moment(*sale_opens_at),
                    capacity: i64::from(*capacity),
                    session_seconds: i64::from(*session_seconds),
                    waiting: 0,
                    inside: 0,
                    joined_number: 0,
                    admitted_number: 0,
                };
                let known = self.lines.insert(performance, line);
                known.map_or(Ok(()), |_| Err(HandlerError::misfit(event, "the line is open already")))
            }
            Line::QueueJoined { entry, number, account, party, members } => {
                let row = Entry {
                    performance_id: performance,
                    entry_id: entry.0,
                    number: signed(*number),
                    account_id: account.0,
                    party_id: party.map(|party| party.0),
                    members: members.iter().map(|member| member.0).collect(),
                    state: "waiting".to_owned(),
                    session_ends_at: None,
                    departure: None,
                };
                self.join(performance, event, row)
            }
            Line::EntryAdmitted { entry, number, session_ends_at } => {
                let row = self.entry(performance, event, entry.0, &["waiting"])?;
                "inside".clone_into(&mut row.state);
                row.session_ends_at = Some(moment(*session_ends_at));
                let line = self.line(performance, event)?;
                line.waiting -= 1;
                line.inside += 1;
                line.admitted_number = line.admitted_number.max(signed(*number));
                Ok(())
            }
            Line::EntryDeparted { entry, reason, .. } => self.depart(performance, event, entry.0, *reason),
        }
    }

    fn join(&mut self, performance: Uuid, event: &Recorded, row: Entry) -> Result<(), HandlerError> {
        let line = self.line(performance, event)?;
        line.waiting += 1;
        line.joined_number = line.joined_number.max(row.number);
        self.places.extend(row.members.iter().map(|member| ((performance, *member), row.entry_id)));
        let known = self.entries.insert((performance, row.entry_id), row);
        known.map_or(Ok(()), |known| Err(HandlerError::misfit(event, format!("entry {} exists already", known.entry_id))))
    }

    fn depart(&mut self, performance: Uuid, event: &Recorded, entry: Uuid, reason: Departure) -> Result<(), HandlerError> {
        let row = self.entry(performance, event, entry, &["waiting", "inside"])?;
        let waited = row.state == "waiting";
        "gone".clone_into(&mut row.state);
        row.departure = Some(departure_name(reason).to_owned());
        let line = self.line(performance, event)?;
        if waited {
            line.waiting -= 1;
        } else {
            line.inside -= 1;
        }
        Ok(())
    }

    fn line(&mut self, performance: Uuid, event: &Recorded) -> Result<&mut Counters, HandlerError> {
        self.lines.get_mut(&performance).ok_or_else(|| HandlerError::misfit(event, "the line isn't open"))
    }

    fn entry(&mut self, performance: Uuid, event: &Recorded, entry: Uuid, states: &[&str]) -> Result<&mut Entry, HandlerError> {
        let row = self.entries.get_mut(&(performance, entry));
        let row = row.ok_or_else(|| HandlerError::misfit(event, format!("entry {entry} isn't there")))?;
        if states.contains(&row.state.as_str()) {
            return Ok(row);
        }
        Err(HandlerError::misfit(event, format!("entry {entry} is {}", row.state)))
    }
}

/// As in the log.
const fn departure_name(reason: Departure) -> &'static str {
    match reason {
        Departure::Left => "left",
        Departure::SessionOver => "session_over",
        Departure::Booked => "booked",
    }
}

async fn load_lines(tx: &mut PgConnection, events: &[Recorded]) -> Result<BTreeMap<Uuid, Counters>, HandlerError> {
    let wanted: BTreeSet<Uuid> = events.iter().map(|event| performance_of(event).map(|id| id.0)).collect::<Result<_, _>>()?;
    let rows: Vec<Counters> = sqlx::query_as("select * from lines where performance_id = any($1)")
        .bind(wanted.into_iter().collect::<Vec<Uuid>>())
        .fetch_all(tx)
        .await
        .map_err(HandlerError::database("read lines"))?;
    Ok(rows.into_iter().map(|row| (row.performance_id, row)).collect())
}

async fn load_entries(tx: &mut PgConnection, events: &[Recorded]) -> Result<BTreeMap<EntryKey, Entry>, HandlerError> {
    let mut wanted = BTreeSet::new();
    for event in events {
        if let Event::WaitingRoom(Line::QueueJoined { entry, .. } | Line::EntryAdmitted { entry, .. } | Line::EntryDeparted { entry, .. }) =
            &event.event
        {
            wanted.insert((performance_of(event)?.0, entry.0));
        }
    }
    let (performances, entries): (Vec<Uuid>, Vec<Uuid>) = wanted.into_iter().unzip();
    let rows: Vec<Entry> = sqlx::query_as(
        "select e.* from unnest($1::uuid[], $2::uuid[]) as wanted (performance_id, entry_id)
         join line_entries e using (performance_id, entry_id)",
    )
    .bind(performances)
    .bind(entries)
    .fetch_all(tx)
    .await
    .map_err(HandlerError::database("read line_entries"))?;
    Ok(rows.into_iter().map(|row| ((row.performance_id, row.entry_id), row)).collect())
}

async fn store_lines(tx: &mut PgConnection, lines: &BTreeMap<Uuid, Counters>) -> Result<(), HandlerError> {
    let column = |of: fn(&Counters) -> i64| lines.values().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "insert into lines (performance_id, sale_opens_at, capacity, session_seconds, waiting, inside, joined_number, admitted_number)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
         on conflict (performance_id) do update
             set waiting = excluded.waiting, inside = excluded.inside,
                 joined_number = excluded.joined_number, admitted_number = excluded.admitted_number",
    )
    .bind(lines.keys().copied().collect::<Vec<Uuid>>())
    .bind(lines.values().map(|line| line.sale_opens_at).collect::<Vec<OffsetDateTime>>())
    .bind(column(|line| line.capacity))
    .bind(column(|line| line.session_seconds))
    .bind(column(|line| line.waiting))
    .bind(column(|line| line.inside))
    .bind(column(|line| line.joined_number))
    .bind(column(|line| line.admitted_number))
    .execute(tx)
    .await
    .map_err(HandlerError::database("write lines"))?;
    Ok(())
}

async fn store_entries(tx: &mut PgConnection, entries: &BTreeMap<EntryKey, Entry>) -> Result<(), HandlerError> {
    // An array of arrays must be rectangular in Postgres, and parties aren't: members go as a text.
    let members = |entry: &Entry| format!("{{{}}}", entry.members.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","));
    sqlx::query(
        "insert into line_entries (performance_id, entry_id, number, account_id, party_id, members, state, session_ends_at, departure)
         select performance_id, entry_id, number, account_id, party_id, members::uuid[], state, session_ends_at, departure
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[], $9::text[])
             as new (performance_id, entry_id, number, account_id, party_id, members, state, session_ends_at, departure)
         on conflict (performance_id, entry_id) do update
             set state = excluded.state, session_ends_at = excluded.session_ends_at, departure = excluded.departure",
    )
    .bind(entries.keys().map(|(performance, _)| *performance).collect::<Vec<Uuid>>())
    .bind(entries.keys().map(|(_, entry)| *entry).collect::<Vec<Uuid>>())
    .bind(entries.values().map(|entry| entry.number).collect::<Vec<i64>>())
    .bind(entries.values().map(|entry| entry.account_id).collect::<Vec<Uuid>>())
    .bind(entries.values().map(|entry| entry.party_id).collect::<Vec<Option<Uuid>>>())
    .bind(entries.values().map(members).collect::<Vec<String>>())
    .bind(entries.values().map(|entry| entry.state.as_str()).collect::<Vec<&str>>())
    .bind(entries.values().map(|entry| entry.session_ends_at).collect::<Vec<Option<OffsetDateTime>>>())
    .bind(entries.values().map(|entry| entry.departure.as_deref()).collect::<Vec<Option<&str>>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write line_entries"))?;
    Ok(())
}

async fn store_places(tx: &mut PgConnection, places: &BTreeMap<(Uuid, Uuid), Uuid>) -> Result<(), HandlerError> {
    sqlx::query(
        "insert into line_members (performance_id, account_id, entry_id) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
         on conflict (performance_id, account_id) do update set entry_id = excluded.entry_id",
    )
    .bind(places.keys().map(|(performance, _)| *performance).collect::<Vec<Uuid>>())
    .bind(places.keys().map(|(_, account)| *account).collect::<Vec<Uuid>>())
    .bind(places.values().copied().collect::<Vec<Uuid>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write line_members"))?;
    Ok(())
}
