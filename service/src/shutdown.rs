//! Stopping: first not ready, then no new connections, then what is in flight finishes within a bound.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two moments of stopping. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    stop: CancellationToken,
}

impl Shutdown {
    /// Cancelled when the process was told to stop: `/readyz` fails, live connections are asked to reconnect.
    #[must_use]
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled a grace after that: no new connections, and background work ends.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Begins it; the second moment follows after the grace.
    pub async fn begin(&self, grace: Duration) {
        self.draining.cancel();
        tokio::time::sleep(grace).await;
        self.stop.cancel();
    }

    /// A shutdown that SIGTERM or SIGINT begins. A second signal ends the process at once.
    ///
    /// # Errors
    /// If the signals can't be watched.
    pub fn on_signals(grace: Duration) -> std::io::Result<Shutdown> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Shutdown::default();
        let begun = shutdown.clone();
        tokio::spawn(async move {
            let name = tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
            tracing::info!(signal = name, grace_s = grace.as_secs(), "stopping");
            tokio::spawn(async move { begun.begin(grace).await });
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::warn!("told to stop twice: ending at once");
            std::process::exit(130);
        });
        Ok(shutdown)
    }
}
