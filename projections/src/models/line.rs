//! Lines: who is in the lobby, who waits, who is inside, the counters from which everybody tells how far it is, and what a
//! draw is checked by.

use super::{moment, performance_of, signed};
use crate::projection::{HandlerError, Model, Projection};
use futures::TryStreamExt;
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::draw::{self, Digest, Key};
use socketing_domain::event::{Event, Recorded};
use socketing_domain::waiting_room::{Departure, Event as Line, Mode};
use socketing_domain::{AccountId, EntryId};
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// Rows that a draw writes in one statement: some megabytes.
const DRAWN_ROWS_MAX: usize = 20_000;

pub(super) struct Lines;

impl Projection for Lines {
    fn model(&self) -> Model {
        Model::Line
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static [&'static str] {
        &["lines", "line_entries", "line_members", "draw_tickets"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["waiting-room"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// A row of `lines`.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
struct Counters {
    sale_opens_at: Option<OffsetDateTime>,
    performance_id: Uuid,
    capacity: i64,
    session_seconds: i64,
    mode: String,
    flow: String,
    admissions_per_minute: Option<i64>,
    claim_seconds: i64,
    waiting: i64,
    inside: i64,
    called: i64,
    joined_number: i64,
    admitted_number: i64,
    commitment: Option<Vec<u8>>,
    committed_position: Option<i64>,
    lobby_opens_at: Option<OffsetDateTime>,
    root: Option<Vec<u8>>,
    lobby_entries: Option<i64>,
    closed_position: Option<i64>,
    beacon: Option<String>,
    beacon_source: Option<String>,
    seed_lost_position: Option<i64>,
    seed_lost_reason: Option<String>,
    seed: Option<Vec<u8>>,
    revealed_position: Option<i64>,
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
    claim_by: Option<OffsetDateTime>,
    session_ends_at: Option<OffsetDateTime>,
    departure: Option<String>,
    joined_position: i64,
    called_position: Option<i64>,
    entered_position: Option<i64>,
    departed_position: Option<i64>,
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

/// A draw moves everybody of a lobby, so what was before it is written first, and what comes after it read again.
async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    for part in events.split_inclusive(|event| matches!(event.event, Event::WaitingRoom(Line::SeedRevealed { .. }))) {
        write_part(tx, part).await?;
        if let Some(event) = part.last()
            && let Event::WaitingRoom(Line::SeedRevealed { seed }) = &event.event
        {
            draw(tx, event, seed).await?;
        }
    }
    Ok(())
}

async fn write_part(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
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
        let position = Some(signed(event.position));
        match what {
            Line::LineOpened { sale_opens_at, capacity, session_seconds, rules, .. } => {
                let line = Counters {
                    performance_id: performance,
                    sale_opens_at: Some(moment(*sale_opens_at)),
                    capacity: i64::from(*capacity),
                    session_seconds: i64::from(*session_seconds),
                    mode: mode_name(rules.mode).to_owned(),
                    flow: "running".to_owned(),
                    admissions_per_minute: rules.admissions_per_minute.map(i64::from),
                    claim_seconds: i64::from(rules.claim_seconds),
                    ..Counters::default()
                };
                let known = self.lines.insert(performance, line);
                known.map_or(Ok(()), |_| Err(HandlerError::misfit(event, "the line is open already")))
            }
            Line::DrawCommitted { commitment, lobby_opens_at } => {
                let line = self.line(performance, event)?;
                line.commitment = Some(commitment.0.to_vec());
                (line.committed_position, line.lobby_opens_at) = (position, Some(moment(*lobby_opens_at)));
                Ok(())
            }
            Line::BeaconGiven { value, source } => {
                let line = self.line(performance, event)?;
                (line.beacon, line.beacon_source) = (Some(value.clone()), Some(source.clone()));
                Ok(())
            }
            Line::SeedLost { beacon_source, reason } => {
                let line = self.line(performance, event)?;
                (line.beacon, line.beacon_source) = (None, Some(beacon_source.clone()));
                (line.seed_lost_position, line.seed_lost_reason) = (position, Some(reason.clone()));
                Ok(())
            }
            Line::LobbyClosed { root, entries } => {
                let line = self.line(performance, event)?;
                (line.root, line.lobby_entries, line.closed_position) = (Some(root.0.to_vec()), Some(signed(*entries)), position);
                Ok(())
            }
            Line::SeedRevealed { seed } => {
                let line = self.line(performance, event)?;
                (line.seed, line.revealed_position) = (Some(seed.0.to_vec()), position);
                Ok(())
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
                    claim_by: None,
                    session_ends_at: None,
                    departure: None,
                    joined_position: signed(event.position),
                    called_position: None,
                    entered_position: None,
                    departed_position: None,
                };
                self.join(performance, event, row)
            }
            Line::EntryCalled { entry, number, claim_by } => {
                let row = self.entry(performance, event, entry.0, &["waiting"])?;
                "called".clone_into(&mut row.state);
                (row.claim_by, row.called_position) = (Some(moment(*claim_by)), position);
                let line = self.line(performance, event)?;
                line.called += 1;
                line.let_in(*number);
                Ok(())
            }
            Line::EntryAdmitted { entry, number, session_ends_at } => {
                let row = self.entry(performance, event, entry.0, &["waiting", "called"])?;
                let called = row.state == "called";
                "inside".clone_into(&mut row.state);
                (row.session_ends_at, row.entered_position) = (Some(moment(*session_ends_at)), position);
                row.called_position = row.called_position.or(position);
                let line = self.line(performance, event)?;
                if called {
                    line.called -= 1;
                } else {
                    line.let_in(*number);
                }
                Ok(())
            }
            Line::EntryDeparted { entry, reason, .. } => self.depart(performance, event, entry.0, *reason),
            Line::LinePaused { .. } => self.flows(performance, event, "paused"),
            Line::LineResumed { .. } => self.flows(performance, event, "running"),
            Line::DrainBegun { .. } => self.flows(performance, event, "draining"),
            Line::LimitsChanged { capacity, admissions_per_minute, .. } => {
                let line = self.line(performance, event)?;
                (line.capacity, line.admissions_per_minute) = (i64::from(*capacity), admissions_per_minute.map(i64::from));
                Ok(())
            }
            Line::EvictionOrdered { .. } => Ok(()),
        }
    }

    fn flows(&mut self, performance: Uuid, event: &Recorded, flow: &str) -> Result<(), HandlerError> {
        flow.clone_into(&mut self.line(performance, event)?.flow);
        Ok(())
    }

    fn join(&mut self, performance: Uuid, event: &Recorded, mut row: Entry) -> Result<(), HandlerError> {
        let line = self.line(performance, event)?;
        if line.commitment.is_some() && line.root.is_none() {
            "lobby".clone_into(&mut row.state);
        }
        line.waiting += 1;
        line.joined_number = line.joined_number.max(row.number);
        self.places.extend(row.members.iter().map(|member| ((performance, *member), row.entry_id)));
        let known = self.entries.insert((performance, row.entry_id), row);
        known.map_or(Ok(()), |known| Err(HandlerError::misfit(event, format!("entry {} exists already", known.entry_id))))
    }

    fn depart(&mut self, performance: Uuid, event: &Recorded, entry: Uuid, reason: Departure) -> Result<(), HandlerError> {
        let row = self.entry(performance, event, entry, &["lobby", "waiting", "called", "inside"])?;
        let before = std::mem::replace(&mut row.state, "gone".to_owned());
        row.departure = Some(departure_name(reason).to_owned());
        row.departed_position = Some(signed(event.position));
        let line = self.line(performance, event)?;
        match before.as_str() {
            "lobby" | "waiting" => line.waiting -= 1,
            "called" => (line.called, line.inside) = (line.called - 1, line.inside - 1),
            _ => line.inside -= 1,
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

impl Counters {
    /// A place that waited got in, or was called to.
    fn let_in(&mut self, number: u64) {
        self.waiting -= 1;
        self.inside += 1;
        self.admitted_number = self.admitted_number.max(signed(number));
    }
}

/// As in the log.
pub(crate) const fn departure_name(reason: Departure) -> &'static str {
    match reason {
        Departure::Left => "left",
        Departure::SessionOver => "session_over",
        Departure::Booked => "booked",
        Departure::Unclaimed => "unclaimed",
        Departure::Evicted => "evicted",
        Departure::Away => "away",
    }
}

/// As in the log.
pub(crate) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Draw => "draw",
        Mode::FirstCome => "first_come",
        Mode::Open => "open",
    }
}

/// Everybody of the lobby gets the number that follows from the seed, and the list is published.
async fn draw(tx: &mut PgConnection, event: &Recorded, seed: &Digest) -> Result<(), HandlerError> {
    let performance = performance_of(event)?.0;
    let (root, beacon): (Option<[u8; 32]>, Option<String>) = sqlx::query_as("select root, beacon from lines where performance_id = $1")
        .bind(performance)
        .fetch_one(&mut *tx)
        .await
        .map_err(HandlerError::database("read a draw"))?;
    let root = root.ok_or_else(|| HandlerError::misfit(event, "the lobby isn't closed"))?;
    let lobby: Vec<(Uuid, Uuid)> =
        sqlx::query_as::<_, (Uuid, Uuid)>("select entry_id, account_id from line_entries where performance_id = $1 and state = 'lobby'")
            .bind(performance)
            .fetch(&mut *tx)
            .try_collect()
            .await
            .map_err(HandlerError::database("read a lobby"))?;
    let key = Key::new(seed, &Digest(root), beacon.as_deref().unwrap_or_default());
    let drawn = key.order(lobby.into_iter().map(|(entry, account)| (draw::ticket(AccountId(account), EntryId(entry)), entry)));
    let numbered: Vec<(i64, Digest, Uuid)> = (1..).zip(drawn).map(|(number, (ticket, entry))| (number, ticket, entry)).collect();
    for chunk in numbered.chunks(DRAWN_ROWS_MAX) {
        sqlx::query(
            "with drawn as (
                 update line_entries e set number = d.number, state = 'waiting'
                 from unnest($2::uuid[], $3::bigint[]) as d (entry_id, number)
                 where e.performance_id = $1 and e.entry_id = d.entry_id
             )
             insert into draw_tickets (performance_id, number, ticket) select $1, number, ticket from unnest($3::bigint[], $4::bytea[]) as t (number, ticket)",
        )
        .bind(performance)
        .bind(chunk.iter().map(|(_, _, entry)| *entry).collect::<Vec<Uuid>>())
        .bind(chunk.iter().map(|(number, _, _)| *number).collect::<Vec<i64>>())
        .bind(chunk.iter().map(|(_, ticket, _)| ticket.0.to_vec()).collect::<Vec<Vec<u8>>>())
        .execute(&mut *tx)
        .await
        .map_err(HandlerError::database("write a draw"))?;
    }
    Ok(())
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
        if let Event::WaitingRoom(
            Line::QueueJoined { entry, .. }
            | Line::EntryCalled { entry, .. }
            | Line::EntryAdmitted { entry, .. }
            | Line::EntryDeparted { entry, .. },
        ) = &event.event
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

/// One statement a line: a batch touches few, and a row has many columns.
async fn store_lines(tx: &mut PgConnection, lines: &BTreeMap<Uuid, Counters>) -> Result<(), HandlerError> {
    for line in lines.values() {
        sqlx::query(
            "insert into lines (performance_id, sale_opens_at, capacity, session_seconds, mode, flow, admissions_per_minute, claim_seconds,
                 waiting, inside, called, joined_number, admitted_number, commitment, committed_position, lobby_opens_at, root,
                 lobby_entries, closed_position, beacon, beacon_source, seed, revealed_position, seed_lost_position, seed_lost_reason)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
             on conflict (performance_id) do update
                 set capacity = excluded.capacity, flow = excluded.flow, admissions_per_minute = excluded.admissions_per_minute,
                     waiting = excluded.waiting, inside = excluded.inside, called = excluded.called,
                     joined_number = excluded.joined_number, admitted_number = excluded.admitted_number,
                     commitment = excluded.commitment, committed_position = excluded.committed_position,
                     lobby_opens_at = excluded.lobby_opens_at, root = excluded.root, lobby_entries = excluded.lobby_entries,
                     closed_position = excluded.closed_position, beacon = excluded.beacon, beacon_source = excluded.beacon_source,
                     seed = excluded.seed, revealed_position = excluded.revealed_position,
                     seed_lost_position = excluded.seed_lost_position, seed_lost_reason = excluded.seed_lost_reason",
        )
        .bind(line.performance_id)
        .bind(line.sale_opens_at)
        .bind(line.capacity)
        .bind(line.session_seconds)
        .bind(&line.mode)
        .bind(&line.flow)
        .bind(line.admissions_per_minute)
        .bind(line.claim_seconds)
        .bind(line.waiting)
        .bind(line.inside)
        .bind(line.called)
        .bind(line.joined_number)
        .bind(line.admitted_number)
        .bind(&line.commitment)
        .bind(line.committed_position)
        .bind(line.lobby_opens_at)
        .bind(&line.root)
        .bind(line.lobby_entries)
        .bind(line.closed_position)
        .bind(&line.beacon)
        .bind(&line.beacon_source)
        .bind(&line.seed)
        .bind(line.revealed_position)
        .bind(line.seed_lost_position)
        .bind(&line.seed_lost_reason)
        .execute(&mut *tx)
        .await
        .map_err(HandlerError::database("write lines"))?;
    }
    Ok(())
}

async fn store_entries(tx: &mut PgConnection, entries: &BTreeMap<EntryKey, Entry>) -> Result<(), HandlerError> {
    // An array of arrays must be rectangular in Postgres, and parties aren't: members go as a text.
    let members = |entry: &Entry| format!("{{{}}}", entry.members.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","));
    let positions = |of: fn(&Entry) -> Option<i64>| entries.values().map(of).collect::<Vec<Option<i64>>>();
    sqlx::query(
        "insert into line_entries (performance_id, entry_id, number, account_id, party_id, members, state, claim_by, session_ends_at,
             departure, joined_position, called_position, entered_position, departed_position)
         select performance_id, entry_id, number, account_id, party_id, members::uuid[], state, claim_by, session_ends_at, departure,
             joined_position, called_position, entered_position, departed_position
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[],
                 $9::timestamptz[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
             as new (performance_id, entry_id, number, account_id, party_id, members, state, claim_by, session_ends_at, departure,
                 joined_position, called_position, entered_position, departed_position)
         on conflict (performance_id, entry_id) do update
             set state = excluded.state, claim_by = excluded.claim_by, session_ends_at = excluded.session_ends_at,
                 departure = excluded.departure, called_position = excluded.called_position,
                 entered_position = excluded.entered_position, departed_position = excluded.departed_position",
    )
    .bind(entries.keys().map(|(performance, _)| *performance).collect::<Vec<Uuid>>())
    .bind(entries.keys().map(|(_, entry)| *entry).collect::<Vec<Uuid>>())
    .bind(entries.values().map(|entry| entry.number).collect::<Vec<i64>>())
    .bind(entries.values().map(|entry| entry.account_id).collect::<Vec<Uuid>>())
    .bind(entries.values().map(|entry| entry.party_id).collect::<Vec<Option<Uuid>>>())
    .bind(entries.values().map(members).collect::<Vec<String>>())
    .bind(entries.values().map(|entry| entry.state.as_str()).collect::<Vec<&str>>())
    .bind(entries.values().map(|entry| entry.claim_by).collect::<Vec<Option<OffsetDateTime>>>())
    .bind(entries.values().map(|entry| entry.session_ends_at).collect::<Vec<Option<OffsetDateTime>>>())
    .bind(entries.values().map(|entry| entry.departure.as_deref()).collect::<Vec<Option<&str>>>())
    .bind(entries.values().map(|entry| entry.joined_position).collect::<Vec<i64>>())
    .bind(positions(|entry| entry.called_position))
    .bind(positions(|entry| entry.entered_position))
    .bind(positions(|entry| entry.departed_position))
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
