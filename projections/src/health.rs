//! What `/readyz` says of the projections: how far each is behind the log, what stands still, what is parked.

use crate::projection::Model;
use serde::Serialize;
use socketing_service::health::{Finding, Health};
use socketing_service::problem::chain;
use sqlx::postgres::PgPool;

/// How one projection stands, whichever process owns it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Standing {
    /// Which one.
    #[serde(serialize_with = "name")]
    pub model: Model,
    /// Its checkpoint; 0 if it never ran.
    pub position: u64,
    /// How many events it is behind the log.
    pub lag: u64,
    /// Why it stands still for good, if it does.
    pub alarm: Option<String>,
    /// How many streams are parked.
    pub parked_streams: u64,
}

fn name<S: serde::Serializer>(model: &Model, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(model.name())
}

/// How these projections stand, in their order.
///
/// # Errors
/// If the database can't be asked.
pub async fn standings(pool: &PgPool, models: &[Model]) -> Result<Vec<Standing>, sqlx::Error> {
    type Row = (String, i64, i64, Option<String>, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "select wanted.name, coalesce(c.position, 0), greatest(h.position - coalesce(c.position, 0), 0), p.alarm,
                (select count(distinct (e.aggregate_type, e.aggregate_id)) from parked_events e where e.projection = wanted.name)
         from unnest($1::text[]) as wanted (name) cross join log_head h
         left join checkpoints c on c.name = 'projection:' || wanted.name left join projections p on p.name = wanted.name",
    )
    .bind(models.iter().map(|model| model.name()).collect::<Vec<&str>>())
    .fetch_all(pool)
    .await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    let standing = |model: &Model| {
        let (_, position, lag, alarm, parked) = rows.iter().find(|row| row.0 == model.name())?.clone();
        Some(Standing { model: *model, position: unsigned(position), lag: unsigned(lag), alarm, parked_streams: unsigned(parked) })
    };
    Ok(models.iter().filter_map(standing).collect())
}

/// Adds a check per projection: not ready if one stands still or is more than `lag_max` events behind. What is parked is
/// said, but is no reason: every other stream goes on.
#[must_use]
pub fn checks(mut health: Health, pool: &PgPool, lag_max: u64) -> Health {
    for model in Model::ALL {
        let pool = pool.clone();
        health = health.check(model.reader(), move || {
            let pool = pool.clone();
            async move { look(&pool, model, lag_max).await }
        });
    }
    health
}

async fn look(pool: &PgPool, model: Model, lag_max: u64) -> Finding {
    let standings = standings(pool, &[model]).await.map_err(|error| chain(&error))?;
    let standing = standings.into_iter().next().ok_or("the log has no head")?;
    judge(&standing, lag_max)
}

fn judge(standing: &Standing, lag_max: u64) -> Finding {
    let Standing { position, lag, parked_streams, .. } = standing;
    if let Some(alarm) = &standing.alarm {
        return Err(format!("stands still at {position}: {alarm}"));
    }
    if *lag > lag_max {
        return Err(format!("at {position}, {lag} events behind; {lag_max} are allowed"));
    }
    let parked = if *parked_streams == 0 { String::new() } else { format!("; {parked_streams} streams are parked") };
    Ok(format!("at {position}, {lag} events behind{parked}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing { model: Model::Sales, position: 90, lag: 10, alarm: None, parked_streams: 0 }
    }

    #[test]
    fn lag_within_the_bound_is_fine_and_above_it_is_not() {
        assert_eq!(judge(&standing(), 10), Ok("at 90, 10 events behind".to_owned()));
        assert_eq!(judge(&standing(), 9), Err("at 90, 10 events behind; 9 are allowed".to_owned()));
    }

    #[test]
    fn parked_streams_are_said_and_alarms_fail() {
        let parked = Standing { parked_streams: 2, ..standing() };
        assert_eq!(judge(&parked, 10), Ok("at 90, 10 events behind; 2 streams are parked".to_owned()));
        let stopped = Standing { alarm: Some("another history".to_owned()), ..standing() };
        assert_eq!(judge(&stopped, 10), Err("stands still at 90: another history".to_owned()));
    }
}
