//! Outcomes of commands: a retry gets the same answer, across crashes, restarts and nodes.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

/// A recorded outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who asked.
    pub actor: String,
    /// Under which key.
    pub key: String,
    /// SHA-256 of the command.
    pub fingerprint: Vec<u8>,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The answer as JSON, without the position.
    pub body: String,
    /// The position that covers it, or at which it was refused.
    pub position: u64,
}

/// The outcomes recorded for these (actor, key) pairs at one unit.
///
/// # Errors
/// The database's.
pub async fn find(db: impl PgExecutor<'_>, unit: Uuid, unit_kind: &str, pairs: &[(String, String)]) -> Result<Vec<Outcome>, sqlx::Error> {
    let (actors, keys): (Vec<&str>, Vec<&str>) = pairs.iter().map(|(actor, key)| (actor.as_str(), key.as_str())).unzip();
    let rows = sqlx::query(
        "select c.actor, c.key, c.fingerprint, c.status, c.body::text as body, c.position
         from unnest($3::text[], $4::text[]) as asked (actor, key)
         join command_log c on c.unit = $1 and c.unit_kind = $2 and c.actor = asked.actor and c.key = asked.key",
    )
    .bind(unit)
    .bind(unit_kind)
    .bind(actors)
    .bind(keys)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Outcome {
                actor: row.try_get("actor")?,
                key: row.try_get("key")?,
                fingerprint: row.try_get("fingerprint")?,
                status: row.try_get::<i16, _>("status")? as u16,
                body: row.try_get("body")?,
                position: row.try_get::<i64, _>("position")? as u64,
            })
        })
        .collect()
}

/// Makes the partitions of the coming days. A day without its partition would refuse every command, so this runs at
/// start and every hour, a week ahead.
///
/// # Errors
/// The database's; a week of tries is left.
pub async fn make_partitions(db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("select make_command_log_partitions(7)").execute(db).await?;
    Ok(())
}
