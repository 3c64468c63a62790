//! The services of one process: started in the order of what they stand on, stopped in the reverse.

use crate::commands::serve::{Role, ServeArgs};
use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use socketing_command_api::executor::Executor;
use socketing_command_api::http::Api;
use socketing_command_api::plans::PlanStore;
use socketing_command_api::{processes, retention, snapshots};
use socketing_domain::SystemClock;
use socketing_domain::unit::SHARDS;
use socketing_event_store::PgPool;
use socketing_nats::{NatsConfig, Relay, RelayState, RelayStatus, StreamOptions, Subscription};
use socketing_notifier::Notifier;
use socketing_projections::Projections;
use socketing_service::auth::Auth;
use socketing_service::health::{Figures, Finding, Health};
use socketing_service::shutdown::Shutdown;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;

/// How long the relay gets to publish the last events. What is left is published by the next relay.
const LAST_EVENTS_MAX: Duration = Duration::from_secs(2);
/// How long a background task may take to end.
const ENDING_MAX: Duration = Duration::from_secs(10);
/// Events that the copy in JetStream may be behind before this process says it isn't ready.
const RELAY_LAG_MAX: u64 = 10_000;

/// What runs in this process.
pub(crate) struct Parts {
    commands: Option<Commands>,
    projections: Option<Reading>,
    notifier: Option<Notifier>,
    nats: async_nats::Client,
}

/// The write side.
struct Commands {
    pool: PgPool,
    subscription: Subscription,
    executor: Executor,
    api: Api,
    processes: Background,
    relay: Background,
    relayed: watch::Receiver<RelayStatus>,
}

/// The read side.
struct Reading {
    projections: Projections,
    runners: Background,
}

/// Tasks that end when they are told to.
struct Background {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Parts {
    /// Starts the services of the role.
    pub(crate) async fn start(args: &ServeArgs, pool: &PgPool, address: SocketAddr, shutdown: &Shutdown) -> anyhow::Result<Parts> {
        let nats_url = args.nats.url().map_err(|error| Failure::new(Exit::Usage, "don't know the NATS server").because(error))?;
        let nats = nats(nats_url.expose(), "socketing").await?;
        let subscription = Subscription::start(socketing_nats::jetstream(&nats));
        let auth =
            Auth::start(pool, &args.session, args.http.origins(), shutdown.stop().clone()).await.context("starting authentication")?;
        let commands = match args.role.has(Role::CommandApi) {
            true => {
                let relay_url = args.nats_relay_url.as_deref().unwrap_or(nats_url.expose());
                Some(Commands::start(args, pool, &auth, &subscription, relay_url, address, shutdown).await?)
            }
            false => None,
        };
        let projections = args.role.has(Role::Projections).then(|| Reading::start(args, pool, &auth, &subscription));
        let notifier = args
            .role
            .has(Role::Notifier)
            .then(|| socketing_notifier::start(pool.clone(), Some(subscription), auth.clone(), &args.live, shutdown));
        Ok(Parts { commands, projections, notifier, nats })
    }

    /// The routes of the services here, with their descriptions.
    pub(crate) fn router(&self) -> OpenApiRouter {
        let mut router = OpenApiRouter::new();
        if let Some(commands) = &self.commands {
            router = router.merge(socketing_command_api::http::router(commands.api.clone()));
        }
        if let Some(reading) = &self.projections {
            router = router.merge(reading.projections.router());
        }
        if let Some(notifier) = &self.notifier {
            router = router.merge(socketing_notifier::router(notifier));
        }
        router
    }

    /// Adds the services' checks to `/readyz`. Commands and queries go on without NATS, only slower; that is said all the
    /// same, so that nobody finds out first from a map that lags.
    pub(crate) fn health(&self, mut health: Health) -> Health {
        let nats = self.nats.clone();
        health = health.check("nats", move || {
            let connected = socketing_nats::is_connected(&nats);
            async move { if connected { Ok("connected".to_owned()) } else { Err("not connected".to_owned()) } }
        });
        if let Some(commands) = &self.commands {
            health = commands.health(health);
        }
        if let Some(reading) = &self.projections {
            health = reading.projections.checks(health);
        }
        if let Some(notifier) = &self.notifier {
            health = notifier.health(health);
        }
        health
    }

    /// Stops everything, after the last request was answered.
    pub(crate) async fn stop(self) {
        if let Some(commands) = self.commands {
            commands.stop().await;
        }
        if let Some(reading) = self.projections {
            reading.runners.end("projections").await;
        }
        if let Some(notifier) = &self.notifier
            && !notifier.finished(ENDING_MAX).await
        {
            tracing::warn!("live connections take too long to close; they are cut");
        }
        drop(self.nats.drain().await);
    }
}

impl Commands {
    async fn start(
        args: &ServeArgs,
        pool: &PgPool,
        auth: &Auth,
        subscription: &Subscription,
        relay_url: &str,
        address: SocketAddr,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Commands> {
        let clock = Arc::new(SystemClock);
        let executor = Executor::start(pool.clone(), PlanStore::new(pool.clone()), clock.clone(), &node_address(args, address)).await;
        let executor = executor.context("starting the executor")?;
        // Other nodes take over while this one still answers, so that nobody waits for it to end.
        let (draining, parting) = (shutdown.draining().clone(), executor.clone());
        tokio::spawn(async move {
            draining.cancelled().await;
            parting.part().await;
        });
        let payments = args.command_api.payments.payments().context("making the card provider's client")?;
        let lifetime = args.session.lifetime();
        let api = Api::new(pool.clone(), executor.clone(), auth.clone(), clock, &args.command_api, lifetime, payments.clone());
        let api = api.context("starting the threads that hash passwords")?;
        let processes = Background::new();
        let (stop, managers) = (processes.stop.clone(), executor.clone());
        let grace = Duration::from_secs(args.command_api.away_seconds.into());
        processes.tasks.spawn(processes::run(pool.clone(), Some(subscription.clone()), managers, payments, grace, stop.clone()));
        processes.tasks.spawn(snapshots::run(pool.clone(), args.command_api.snapshot_events, stop.clone()));
        processes.tasks.spawn(retention::run(pool.clone(), args.command_api.outcome_days, stop));
        let options = StreamOptions { replicas: args.nats_replicas as usize, window_bytes: args.nats_window_bytes };
        let client = nats(relay_url, "socketing-relay").await?;
        let relay = Relay::new(pool.clone(), &client, options).taking(executor.commits().clone()).telling(subscription.clone());
        let (relayed, relaying) = (relay.status(), Background::new());
        relaying.tasks.spawn(relay.run(relaying.stop.clone()));
        Ok(Commands { pool: pool.clone(), subscription: subscription.clone(), executor, api, processes, relay: relaying, relayed })
    }

    fn health(&self, health: Health) -> Health {
        let (executor, relayed) = (self.executor.clone(), self.relayed.clone());
        let health = health.check("shards", move || {
            let (here, elsewhere) = (executor.shards_owned(), executor.shards_elsewhere());
            let detail = format!("{here} of {SHARDS} here, {elsewhere} at other nodes");
            async move { if here + elsewhere > 0 { Ok(detail) } else { Err(detail) } }
        });
        let (pool, subscription) = (self.pool.clone(), self.subscription.clone());
        let health = health.check("processes", move || {
            let (pool, subscription) = (pool.clone(), subscription.clone());
            async move { processes::standing(&pool, &subscription).await }
        });
        health.measure("relay", move || {
            let status = relayed.borrow().clone();
            async move { (judge(&status), figures(&status)) }
        })
    }

    async fn stop(self) {
        self.processes.end("process managers").await;
        self.executor.stop().await;
        publish_the_rest(self.relayed, &self.executor.commits().position()).await;
        self.relay.end("relay").await;
    }
}

/// Where other nodes forward commands to.
fn node_address(args: &ServeArgs, listening: SocketAddr) -> String {
    if let Some(address) = &args.command_api.node_address {
        return address.to_string();
    }
    if !listening.ip().is_unspecified() {
        return format!("http://{listening}");
    }
    let own = format!("http://{}:{}", Ipv4Addr::LOCALHOST, listening.port());
    tracing::info!(
        own,
        "nodes on other machines can't forward commands to this one: name its address with --node-address if there are any"
    );
    own
}

/// Waits until everything committed here is published, if this process's relay is the one. What is committed is looked at
/// and let go: other nodes still answer what was forwarded to them, and who notes their commits must not wait for this.
async fn publish_the_rest(mut relayed: watch::Receiver<RelayStatus>, committed: &watch::Receiver<u64>) {
    let committed = *committed.borrow();
    let done = relayed.wait_for(|status| status.state != RelayState::Publishing || status.published >= committed);
    if timeout(LAST_EVENTS_MAX, done).await.is_err() {
        tracing::warn!(committed, "the last events are not published yet; the next relay does it");
    }
}

impl Reading {
    fn start(args: &ServeArgs, pool: &PgPool, auth: &Auth, subscription: &Subscription) -> Reading {
        let runners = Background::new();
        let parts = socketing_projections::Parts {
            pool: pool.clone(),
            subscription: Some(subscription.clone()),
            auth: auth.clone(),
            args: args.projections.clone(),
        };
        let projections = Projections::start(parts, &runners.stop, &runners.tasks);
        Reading { projections, runners }
    }
}

impl Background {
    fn new() -> Background {
        Background { stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    async fn end(self, what: &str) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(ENDING_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!("the {what} take too long to end; they are cut");
        }
    }
}

fn judge(status: &RelayStatus) -> Finding {
    let lag = status.lag();
    match &status.state {
        RelayState::Standby => Ok("another process publishes".to_owned()),
        RelayState::OtherHistory { reason } => Err(format!("stands still: {reason}")),
        RelayState::Waiting { reason } => Err(format!("{lag} events behind: {reason}")),
        RelayState::Publishing if lag > RELAY_LAG_MAX => Err(format!("{lag} events behind")),
        RelayState::Publishing => Ok(format!("{lag} events behind")),
    }
}

/// How far the copy is behind, for programs. A standby doesn't know.
fn figures(status: &RelayStatus) -> Figures {
    match status.state {
        RelayState::Standby => Figures::new(),
        _ => vec![("lag_events", status.lag()), ("published_position", status.published), ("head_position", status.head)],
    }
}

async fn nats(url: &str, name: &str) -> anyhow::Result<async_nats::Client> {
    let connected = socketing_nats::connect(&NatsConfig { url: url.to_owned(), name: name.to_owned() }).await;
    Ok(connected.map_err(|error| Failure::new(Exit::Usage, "can't use the NATS server").because(error).hint("is --nats-url right?"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::pin;
    use std::sync::mpsc;

    /// Of the other thread here, which has nothing to wait for.
    const AT_ONCE: Duration = Duration::from_secs(10);

    /// The node once waited for ever: who noted a commit waited for the last events to be published, and the relay, on the
    /// same thread, was to publish them.
    #[tokio::test]
    async fn commits_are_noted_while_the_last_events_are_published() {
        let publishing = |published| RelayStatus { state: RelayState::Publishing, published, head: 7 };
        let (committed, relayed) = (watch::Sender::new(7), watch::Sender::new(publishing(6)));
        let (looking, here) = (relayed.subscribe(), committed.subscribe());
        let mut waiting = pin!(publish_the_rest(looking, &here));
        assert!(waiting.as_mut().now_or_never().is_none(), "position 7 isn't published");
        let (done, noted) = mpsc::channel();
        let _noting = std::thread::spawn(move || {
            committed.send_replace(8);
            let _ = done.send(());
        });
        assert_eq!(noted.recv_timeout(AT_ONCE), Ok(()), "a commit couldn't be noted");
        relayed.send_replace(publishing(7));
        waiting.await;
    }
}
