//! Loading a unit: everything that ever happened in its streams, in one order.

use crate::log::{EVENT_COLUMNS, EventRow};
use crate::{RawEvent, StoreError};
use futures::TryStreamExt;
use socketing_domain::unit::UnitId;
use sqlx::PgPool;

/// Reads all events of a unit in the order of their positions, and hands each to `each`. Events are streamed: memory is
/// bounded, however long the history.
///
/// # Errors
/// If Postgres can't be asked, or what `each` returns.
pub async fn unit_events(pool: &PgPool, unit: UnitId, mut each: impl FnMut(RawEvent) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let id = unit.id().to_string();
    let sql = match unit {
        UnitId::Performance(_) => performance_sql(),
        _ => format!("select {EVENT_COLUMNS} from events where aggregate_type = '{}' and aggregate_id = $1 order by sequence", unit.kind()),
    };
    let failed = || StoreError::query(format!("load {unit}"));
    let mut rows = sqlx::query_as::<_, EventRow>(&sql).bind(&id).fetch(pool);
    while let Some(EventRow(event)) = rows.try_next().await.map_err(failed())? {
        each(event)?;
    }
    Ok(())
}

/// A performance with its line and its parties: parties' names begin with '<performance>/', one range of the primary
/// key in the "C" collation, where '0' is what follows '/'.
fn performance_sql() -> String {
    format!(
        "select {EVENT_COLUMNS} from events where aggregate_type in ('performance', 'waiting-room') and aggregate_id = $1
         union all
         select {EVENT_COLUMNS} from events where aggregate_type = 'party' and aggregate_id > $1 || '/' and aggregate_id < $1 || '0'
         order by position"
    )
}
