//! Waiting for PostgreSQL's answers. It bounds its statements itself, but a connection can be dead without anyone being
//! told: a firewall has forgotten it, or swallows what is sent.

use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long one of the short statements may take that tasks without an end run, one after another: a thousand rows read at
/// random from a slow disk take some seconds.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What PostgreSQL answers to `question`, if it does within this time.
///
/// # Errors
/// The question's own; [`no_answer`] if nothing comes.
pub async fn answer<R>(within: Duration, question: &str, asked: impl Future<Output = Result<R, sqlx::Error>>) -> Result<R, sqlx::Error> {
    timeout(within, asked).await.unwrap_or_else(|_| Err(no_answer(question)))
}

/// What stands for the answer to `question` that doesn't come: a failure of the connection, which passes.
#[must_use]
pub fn no_answer(question: &str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("PostgreSQL doesn't answer {question}")))
}
