//! The table `people`.

use super::{Email, Nickname, nickname};
use rand::Rng;
use socketing_domain::AccountId;
use sqlx::{PgPool, error::ErrorKind};
use uuid::Uuid;

/// Random nicknames that are tried before giving up: with 8 digits at the end, the last ones can hardly be taken.
const NICKNAME_ATTEMPTS: u32 = 12;

/// Someone who signed up.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Person {
    /// Their account.
    #[sqlx(try_from = "Uuid")]
    pub account_id: AccountId,
    /// Their address, as it is kept.
    pub email: String,
    /// What others call them.
    pub nickname: String,
    /// The PHC string.
    pub password_hash: String,
    /// Whether the log has their account.
    pub opened: bool,
}

/// Why someone can't sign up.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// The address has an account.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The nickname has.
    #[error("the nickname is taken")]
    NicknameTaken,
    /// The database's.
    #[error("writing a person failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for SignUpError {
    /// The constraint that was violated says what is taken: between a look and an insert, someone else may come.
    fn from(error: sqlx::Error) -> SignUpError {
        let violated = error.as_database_error().filter(|error| error.kind() == ErrorKind::UniqueViolation);
        match violated.and_then(|error| error.constraint()) {
            Some("people_email_key") => SignUpError::EmailTaken,
            Some("people_nickname_key") => SignUpError::NicknameTaken,
            _ => SignUpError::Database(error),
        }
    }
}

/// Keeps someone new, under the nickname they chose or a random one. Returns the nickname.
///
/// # Errors
/// What is taken, or the database's.
pub async fn insert(
    pool: &PgPool,
    account: AccountId,
    email: &Email,
    chosen: Option<&Nickname>,
    password_hash: &str,
    rng: &mut (impl Rng + Send),
) -> Result<String, SignUpError> {
    if let Some(chosen) = chosen {
        try_insert(pool, account, email, chosen.as_str(), password_hash).await?;
        return Ok(chosen.as_str().to_owned());
    }
    for attempt in 0..NICKNAME_ATTEMPTS {
        let name = nickname::random(rng, attempt);
        match try_insert(pool, account, email, &name, password_hash).await {
            Ok(()) => return Ok(name),
            Err(SignUpError::NicknameTaken) => {}
            Err(error) => return Err(error),
        }
    }
    Err(SignUpError::NicknameTaken)
}

async fn try_insert(pool: &PgPool, account: AccountId, email: &Email, nickname: &str, hash: &str) -> Result<(), SignUpError> {
    sqlx::query("insert into people (account_id, email, nickname, password_hash) values ($1, $2, $3, $4)")
        .bind(account.0)
        .bind(email.as_str())
        .bind(nickname)
        .bind(hash)
        .execute(pool)
        .await?;
    Ok(())
}

/// Whether the address or the nickname is taken, before a password is hashed for nothing. Only the insert decides.
///
/// # Errors
/// What is taken, or the database's.
pub async fn check_free(pool: &PgPool, email: &Email, chosen: Option<&Nickname>) -> Result<(), SignUpError> {
    let (email_taken, nickname_taken): (bool, bool) =
        sqlx::query_as("select exists (select from people where email = $1), exists (select from people where nickname = $2)")
            .bind(email.as_str())
            .bind(chosen.map(Nickname::as_str))
            .fetch_one(pool)
            .await
            .map_err(SignUpError::Database)?;
    if email_taken {
        return Err(SignUpError::EmailTaken);
    }
    if nickname_taken { Err(SignUpError::NicknameTaken) } else { Ok(()) }
}

/// Notes that the log has the account.
///
/// # Errors
/// The database's.
pub async fn set_opened(pool: &PgPool, account: AccountId) -> Result<(), sqlx::Error> {
    sqlx::query("update people set opened = true where account_id = $1").bind(account.0).execute(pool).await?;
    Ok(())
}

const PERSON: &str = "select account_id, email, nickname, password_hash, opened from people where ";

/// Who has this address.
///
/// # Errors
/// The database's.
pub async fn by_email(pool: &PgPool, email: &Email) -> Result<Option<Person>, sqlx::Error> {
    sqlx::query_as(&format!("{PERSON} email = $1")).bind(email.as_str()).fetch_optional(pool).await
}

/// Whose account this is.
///
/// # Errors
/// The database's.
pub async fn by_account(pool: &PgPool, account: AccountId) -> Result<Option<Person>, sqlx::Error> {
    sqlx::query_as(&format!("{PERSON} account_id = $1")).bind(account.0).fetch_optional(pool).await
}

/// Who is called exactly this.
///
/// # Errors
/// The database's.
pub async fn by_nickname(pool: &PgPool, nickname: &str) -> Result<Option<Person>, sqlx::Error> {
    sqlx::query_as(&format!("{PERSON} nickname = $1")).bind(nickname).fetch_optional(pool).await
}
