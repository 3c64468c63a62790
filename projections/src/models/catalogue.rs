//! Shows and their performances, as their organisers describe them.

use super::{expect_rows, moment, performance_of};
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use serde::Serialize;
use socketing_domain::event::{Event, Recorded};
use socketing_domain::show::{self, Details};
use socketing_domain::{AccountId, ShowId, performance};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) struct Catalogue;

impl Projection for Catalogue {
    fn model(&self) -> Model {
        Model::Catalogue
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["catalogue_shows", "catalogue_performances"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["show", "performance"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// What a batch says. A show is drafted before it is published, and published before its performances are on sale, so
/// the statements may go in that order.
#[derive(Default)]
struct Batch<'a> {
    drafted: Vec<(ShowId, AccountId, &'a Details)>,
    published: Vec<Uuid>,
    scheduled: Vec<(Uuid, Uuid)>,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let batch = sort(events)?;
    let Some(first) = events.first() else { return Ok(()) };
    if !batch.drafted.is_empty() {
        insert_shows(tx, &batch.drafted).await?;
        insert_performances(tx, &batch.drafted).await?;
    }
    if !batch.published.is_empty() {
        publish(tx, &batch.published, first).await?;
    }
    if !batch.scheduled.is_empty() {
        schedule(tx, batch.scheduled, first).await?;
    }
    Ok(())
}

fn sort(events: &[Recorded]) -> Result<Batch<'_>, HandlerError> {
    let mut batch = Batch::default();
    for event in events {
        match &event.event {
            Event::Show(show::Event::ShowDrafted { show, organiser, details }) => batch.drafted.push((*show, *organiser, details)),
            Event::Show(show::Event::ShowPublished { show }) => batch.published.push(show.0),
            Event::Performance(performance::Event::PerformanceScheduled { show, .. }) => {
                batch.scheduled.push((performance_of(event)?.0, show.0));
            }
            _ => {}
        }
    }
    Ok(batch)
}

async fn insert_shows(tx: &mut PgConnection, drafted: &[(ShowId, AccountId, &Details)]) -> Result<(), HandlerError> {
    let column = |of: fn(&Details) -> String| drafted.iter().map(|(_, _, details)| of(details)).collect::<Vec<String>>();
    sqlx::query(
        "insert into catalogue_shows (show_id, organiser, title, venue, plan, prices, policies, sale_opens_at)
         select show_id, organiser, title::json, venue::json, plan, prices::json, policies::json, opens_at
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::timestamptz[])
             as new (show_id, organiser, title, venue, plan, prices, policies, opens_at)",
    )
    .bind(drafted.iter().map(|(show, _, _)| show.0).collect::<Vec<Uuid>>())
    .bind(drafted.iter().map(|(_, organiser, _)| organiser.0).collect::<Vec<Uuid>>())
    .bind(column(|details| json(&details.title)))
    .bind(column(|details| json(&details.venue)))
    .bind(drafted.iter().map(|(_, _, details)| details.plan.0.to_vec()).collect::<Vec<Vec<u8>>>())
    .bind(column(|details| json(&details.prices)))
    .bind(column(|details| json(&details.policies)))
    .bind(drafted.iter().map(|(_, _, details)| moment(details.sale_opens_at)).collect::<Vec<OffsetDateTime>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write catalogue_shows"))?;
    Ok(())
}

async fn insert_performances(tx: &mut PgConnection, drafted: &[(ShowId, AccountId, &Details)]) -> Result<(), HandlerError> {
    let dates = || drafted.iter().flat_map(|(show, _, details)| details.dates.iter().map(move |date| (show.0, date)));
    sqlx::query(
        "insert into catalogue_performances (show_id, performance_id, starts_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[])",
    )
    .bind(dates().map(|(show, _)| show).collect::<Vec<Uuid>>())
    .bind(dates().map(|(_, date)| date.performance.0).collect::<Vec<Uuid>>())
    .bind(dates().map(|(_, date)| moment(date.starts_at)).collect::<Vec<OffsetDateTime>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write catalogue_performances"))?;
    Ok(())
}

async fn publish(tx: &mut PgConnection, shows: &[Uuid], first: &Recorded) -> Result<(), HandlerError> {
    let done = sqlx::query("update catalogue_shows set published = true where show_id = any($1)")
        .bind(shows)
        .execute(tx)
        .await
        .map_err(HandlerError::database("publish in catalogue_shows"))?;
    expect_rows(done.rows_affected(), shows, first, "published shows")
}

async fn schedule(tx: &mut PgConnection, scheduled: Vec<(Uuid, Uuid)>, first: &Recorded) -> Result<(), HandlerError> {
    let (performances, shows): (Vec<Uuid>, Vec<Uuid>) = scheduled.into_iter().unzip();
    let done = sqlx::query(
        "update catalogue_performances p set scheduled = true
         from unnest($1::uuid[], $2::uuid[]) as new (performance_id, show_id)
         where p.performance_id = new.performance_id and p.show_id = new.show_id",
    )
    .bind(&performances)
    .bind(shows)
    .execute(tx)
    .await
    .map_err(HandlerError::database("schedule in catalogue_performances"))?;
    expect_rows(done.rows_affected(), &performances, first, "scheduled performances")
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, prices and policies have string keys and finite numbers")
}
