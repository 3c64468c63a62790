//! One consistent look: rows and checkpoints in one snapshot, not before what the caller has seen.

use super::{Api, unsigned};
use crate::progress::{Late, WAIT_MAX};
use crate::projection::Model;
use serde::Serialize;
use socketing_domain::event::StreamId;
use socketing_event_store::{StoreError, log};
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{FromRow, Transaction};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

/// After which a client that came too early should ask again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What an answer rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Standing {
    /// The log's position up to which the answer covers it.
    pub(crate) position: u64,
    /// Part of the answer stands still since this position: an operator has to look at the event there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parked_at: Option<u64>,
}

/// Which streams an answer rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touches<'a> {
    /// Exactly these.
    Streams(&'a [StreamId]),
    /// Any that the read models read.
    Any,
}

/// A read-only transaction that sees one moment.
pub(crate) struct Snapshot {
    tx: Transaction<'static, Postgres>,
    /// What it shows.
    pub(crate) standing: Standing,
    /// The log's history that it shows.
    pub(crate) incarnation: Uuid,
}

impl Snapshot {
    /// For statements within the snapshot.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

#[derive(FromRow)]
struct CheckpointRow {
    name: String,
    position: i64,
    incarnation: Uuid,
    same_history: bool,
    /// The first parked event of the streams touched.
    parked_at: Option<i64>,
    /// Whether the very event that the caller knows of is parked.
    wanted_is_parked: bool,
}

impl Api {
    /// A snapshot of these read models, at `min_position` or later. `touches` says what is refused or marked when
    /// streams are parked.
    ///
    /// # Errors
    /// `position_unknown`, `projection_behind`, `projection_parked`, `busy`; or the database's.
    pub(crate) async fn snapshot(&self, models: &[Model], min_position: Option<u64>, touches: Touches<'_>) -> Result<Snapshot, Problem> {
        if let Some(position) = min_position {
            self.wait(models, position).await?;
        }
        let tx = self.0.pool.begin_with("begin isolation level repeatable read read only").await;
        let mut tx = tx.map_err(super::failed("beginning a snapshot"))?;
        let rows = checkpoints(&mut tx, models, min_position, touches).await?;
        let standing = judge(&rows, min_position, touches)?;
        let incarnation = rows.first().map(|row| row.incarnation).unwrap_or_default();
        Ok(Snapshot { tx, standing, incarnation })
    }

    async fn wait(&self, models: &[Model], position: u64) -> Result<(), Problem> {
        let progress = &self.0.progress;
        if models.iter().all(|model| progress.position(*model) >= position) {
            return Ok(());
        }
        let head = log::head(&self.0.pool).await.map_err(store_failed)?;
        if position > head.position {
            let detail = format!("the log ends at {}, before position {position}", head.position);
            return Err(Problem::new(codes::POSITION_UNKNOWN).detail(detail));
        }
        let deadline = Instant::now() + WAIT_MAX;
        for model in models {
            progress.reach(*model, position, deadline).await.map_err(|late| too_late(*model, position, late))?;
        }
        Ok(())
    }
}

fn too_late(model: Model, wanted: u64, late: Late) -> Problem {
    match late {
        Late::TooMany => Problem::new(codes::BUSY).retry_after(RETRY_AFTER),
        Late::TimedOut { position } => behind(model.name(), position, wanted),
    }
}

fn behind(model: &str, position: u64, wanted: u64) -> Problem {
    Problem::new(codes::PROJECTION_BEHIND)
        .detail(format!("{model} is at position {position}, not at {wanted} yet"))
        .member("position", position)
        .retry_after(RETRY_AFTER)
}

async fn checkpoints(
    tx: &mut PgConnection,
    models: &[Model],
    min_position: Option<u64>,
    touches: Touches<'_>,
) -> Result<Vec<CheckpointRow>, Problem> {
    let streams = match touches {
        Touches::Streams(streams) => streams,
        Touches::Any => &[],
    };
    sqlx::query_as(
        "select m.name, coalesce(c.position, 0) as position, h.incarnation, coalesce(c.incarnation, h.incarnation) = h.incarnation as same_history,
                (select min(e.position) from parked_events e where e.projection = m.name
                 and ($3 or (e.aggregate_type, e.aggregate_id) in (select * from unnest($4::text[], $5::text[])))) as parked_at,
                exists (select from parked_events e where e.projection = m.name and e.position = $2) as wanted_is_parked
         from unnest($1::text[]) as m (name) cross join log_head h left join checkpoints c on c.name = 'projection:' || m.name",
    )
    .bind(models.iter().map(|model| model.name()).collect::<Vec<&str>>())
    .bind(min_position.and_then(|position| i64::try_from(position).ok()))
    .bind(matches!(touches, Touches::Any))
    .bind(streams.iter().map(StreamId::aggregate_type).collect::<Vec<&str>>())
    .bind(streams.iter().map(StreamId::aggregate_id).collect::<Vec<String>>())
    .fetch_all(tx)
    .await
    .map_err(super::failed("reading checkpoints"))
}

/// What the checkpoints allow to answer.
fn judge(rows: &[CheckpointRow], min_position: Option<u64>, touches: Touches<'_>) -> Result<Standing, Problem> {
    if let Some(row) = rows.iter().find(|row| !row.same_history) {
        let detail = format!("{} is from another history of the log and has to be rebuilt", row.name);
        return Err(Problem::new(codes::UNAVAILABLE).detail(detail).retry_after(RETRY_AFTER));
    }
    let parked_at = rows.iter().filter_map(|row| row.parked_at).min().map(unsigned);
    if let Some(wanted) = min_position {
        // Set back since we waited: it is being folded anew.
        if let Some(row) = rows.iter().find(|row| unsigned(row.position) < wanted) {
            return Err(behind(&row.name, unsigned(row.position), wanted));
        }
        let hidden = matches!(touches, Touches::Streams(_)) && parked_at.is_some_and(|parked| parked <= wanted);
        if hidden || rows.iter().any(|row| row.wanted_is_parked) {
            let parked = parked_at.unwrap_or(wanted);
            let detail = format!("the event at position {parked} is parked, so what follows from position {wanted} can't be shown");
            return Err(Problem::new(codes::PROJECTION_PARKED).detail(detail).member("parked_at", parked).retry_after(RETRY_AFTER));
        }
    }
    let position = rows.iter().map(|row| unsigned(row.position)).min().unwrap_or(0);
    Ok(Standing { position, parked_at })
}

fn store_failed(error: StoreError) -> Problem {
    match &error {
        StoreError::Query { source, .. } => Problem::database("reading the log's head", source),
        error => Problem::internal("reading the log's head", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(position: i64) -> CheckpointRow {
        CheckpointRow {
            name: "sales".to_owned(),
            position,
            incarnation: Uuid::nil(),
            same_history: true,
            parked_at: None,
            wanted_is_parked: false,
        }
    }

    #[test]
    fn an_answer_covers_what_its_slowest_read_model_covers() {
        let standing = judge(&[row(9), row(7)], Some(7), Touches::Any).unwrap();
        assert_eq!(standing, Standing { position: 7, parked_at: None });
    }

    #[test]
    fn a_read_model_that_was_set_back_is_behind() {
        let problem = judge(&[row(9), row(0)], Some(7), Touches::Any).unwrap_err();
        assert_eq!(problem.code(), codes::PROJECTION_BEHIND);
    }

    #[test]
    fn another_history_is_never_shown() {
        let other = CheckpointRow { same_history: false, ..row(9) };
        assert_eq!(judge(&[other], None, Touches::Any).unwrap_err().code(), codes::UNAVAILABLE);
    }

    #[test]
    fn parked_streams_are_said_and_what_they_hide_is_refused() {
        let parked = || CheckpointRow { parked_at: Some(5), ..row(9) };
        assert_eq!(judge(&[parked()], None, Touches::Any).unwrap().parked_at, Some(5));
        assert_eq!(judge(&[parked()], Some(4), Touches::Streams(&[])).unwrap().parked_at, Some(5));
        assert_eq!(judge(&[parked()], Some(5), Touches::Streams(&[])).unwrap_err().code(), codes::PROJECTION_PARKED);
        assert_eq!(judge(&[parked()], Some(7), Touches::Any).unwrap().parked_at, Some(5));
        let mine = CheckpointRow { wanted_is_parked: true, ..parked() };
        assert_eq!(judge(&[mine], Some(7), Touches::Any).unwrap_err().code(), codes::PROJECTION_PARKED);
    }
}
