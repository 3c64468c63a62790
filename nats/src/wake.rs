//! Readers of Postgres in the process that commits learn of a commit at once, instead of looking now and then.

use std::time::Duration;
use tokio::sync::watch;

/// Whoever is woken reads so long after the time before, unless there is more already: what comes alone is read at once,
/// and what comes in a stream is read together every few commits.
pub(crate) const PACE: Duration = Duration::from_millis(5);

/// Resolves when something above `position` was committed; never, if nobody tells.
pub(crate) async fn woken(committed: &mut Option<watch::Receiver<u64>>, position: u64) {
    if let Some(receiver) = committed {
        if receiver.wait_for(|head| *head > position).await.is_ok() {
            return;
        }
        *committed = None; // the writer is gone; polling remains
    }
    std::future::pending().await
}
