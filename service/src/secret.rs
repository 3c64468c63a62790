//! The system's secrets, each a row of `service_secrets`: made once, read by every process of the system.

use rand::RngCore;
use sqlx::PgPool;

/// Bytes of a secret: as many as the output of the hash that it keys.
const BYTES: usize = 32;

/// A secret by its name; `None` before the first process that needs it has started.
///
/// # Errors
/// The database's.
pub async fn load(pool: &PgPool, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select secret from service_secrets where name = $1").bind(name).fetch_optional(pool).await
}

/// A secret by its name, drawn now if there is none. Processes that start at once end up with one: the first insert wins,
/// and everyone reads the row.
///
/// # Errors
/// The database's.
pub async fn load_or_create(pool: &PgPool, name: &str) -> Result<Vec<u8>, sqlx::Error> {
    let mut drawn = [0; BYTES];
    rand::rng().fill_bytes(&mut drawn);
    sqlx::query("insert into service_secrets (name, secret) values ($1, $2) on conflict (name) do nothing")
        .bind(name)
        .bind(&drawn[..])
        .execute(pool)
        .await?;
    load(pool, name).await?.ok_or(sqlx::Error::RowNotFound)
}
