//! Units that have something to do though nobody commands them: what makes timers survive restarts.

use socketing_domain::unit::UnitId;
use sqlx::{PgExecutor, Row};

/// Units loaded per look: more are found by the next one.
const DUE_PER_LOOK: i64 = 1_000;

/// The units in these shards whose time has come by Postgres's clock, earliest first.
///
/// # Errors
/// The database's.
pub async fn due_now(db: impl PgExecutor<'_>, shards: &[i16]) -> Result<Vec<UnitId>, sqlx::Error> {
    let rows = sqlx::query(
        "select unit, unit_kind from due where next_due_at <= clock_timestamp() and shard = any($1) order by next_due_at limit $2",
    )
    .bind(shards)
    .bind(DUE_PER_LOOK)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind: String = row.try_get("unit_kind")?;
            UnitId::parse(&kind, row.try_get("unit")?)
                .ok_or_else(|| sqlx::Error::Decode(format!("due.unit_kind: {kind:?} is no kind of unit").into()))
        })
        .collect()
}
