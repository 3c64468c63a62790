//! Nicknames: the only personal data that queries show.

use super::failed;
use socketing_domain::AccountId;
use socketing_service::Problem;
use sqlx::postgres::PgConnection;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The nicknames of these people; those who were erased have none.
pub(crate) async fn nicknames(
    connection: &mut PgConnection,
    accounts: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<AccountId, String>, Problem> {
    let accounts: BTreeSet<Uuid> = accounts.into_iter().collect();
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, String)> = sqlx::query_as("select account_id, nickname from people where account_id = any($1)")
        .bind(accounts.into_iter().collect::<Vec<Uuid>>())
        .fetch_all(connection)
        .await
        .map_err(failed("reading nicknames"))?;
    Ok(rows.into_iter().map(|(account, nickname)| (AccountId(account), nickname)).collect())
}
