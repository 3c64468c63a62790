//! Roles, as the read model has them.

use socketing_domain::{AccountId, account::Role};
use sqlx::PgPool;

/// The role that an account has as far as the projections have read the log; [`Role::Fan`] if they know none. For
/// queries; commands ask the account's own state.
///
/// # Errors
/// The database's, or a role that this version doesn't know.
pub async fn role_in_read_model(pool: &PgPool, account: AccountId) -> Result<Role, sqlx::Error> {
    let role: Option<String> =
        sqlx::query_scalar("select role from account_roles where account_id = $1").bind(account.0).fetch_optional(pool).await?;
    let Some(role) = role else { return Ok(Role::Fan) };
    serde_json::from_value(role.into()).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
