//! A card provider of our own: the other side of `docs/card-provider.md`, for the demo and for tests.
//!
//! It knows nothing of Socketing and shares no code with it, so that a mistake in one isn't made in the other. What it
//! has decided is in a file before it answers, so it may be killed at any moment. It can be told to misbehave in every
//! way that a real provider does: [`faults`].

pub mod faults;
mod http;
pub mod ledger;
mod webhooks;

use faults::Faults;
use ledger::Ledger;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use webhooks::Webhooks;

/// What it is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The key that its merchant shows.
    pub key: String,
    /// The secret that its messages are signed with.
    pub webhook_secret: String,
    /// Where its messages go; it may be told later.
    pub webhook_url: Option<String>,
}

/// A running provider. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    key: String,
    ledger: Mutex<Ledger>,
    faults: Mutex<Faults>,
    webhooks: Webhooks,
}

impl Sandbox {
    /// Opens the file of what was decided before, or makes it.
    ///
    /// # Errors
    /// If the file can't be used, or isn't one of these.
    pub fn open(file: &Path, options: Options) -> io::Result<Sandbox> {
        let webhooks = Webhooks::new(&options.webhook_secret, options.webhook_url)?;
        let (ledger, faults) = (Mutex::new(Ledger::open(file)?), Mutex::default());
        Ok(Sandbox(Arc::new(Inner { key: options.key, ledger, faults, webhooks })))
    }

    /// Its routes.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
