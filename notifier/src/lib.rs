//! Rooms in memory, fanned out by WebSocket.
//!
//! One follower per process reads the log in order. It hands each event to the rooms (one per performance and topic, made
//! by their first subscriber) and to the postman, who puts what concerns people into their mailboxes. Connections pull:
//! each is woken when there may be something, takes what it lacks from the position that it has, and writes it.
//!
//! ```text
//! Feed ─► follower ─┬─► rooms: seats of P ─┐
//!                   ├─► rooms: line of P  ─┼─► connections pull (position they have → frame) ─► sockets
//!                   └─► postman ─► mailboxes┘
//! ```
//!
//! What follows from pulling:
//! - Batching is natural. The first change goes out at once; what comes while frames are being written is merged into the
//!   next ones. A frame is encoded once and shared by all who pull it from the same position.
//! - Nothing queues up. A slow client finds everything merged, or a fresh snapshot once it is behind what the room
//!   remembers.
//! - Resuming is the same: a client that says which position it has pulls from there.
//!
//! Every message carries the last position that it covers. Nobody learns who holds a seat: the topic `seats` has digits only.

mod board;
mod config;
mod connection;
mod directory;
mod follower;
mod hub;
pub mod limits;
mod line;
mod load;
mod mailbox;
mod mine;
mod numbers;
mod postman;
mod presence;
mod protocol;
mod room;
mod rooms;
mod seats;
mod sessions;
mod tail;
#[cfg(test)]
mod testing;
mod upgrade;

pub use config::LiveArgs;
pub use protocol::SUBPROTOCOL;

use follower::Follower;
use hub::Hub;
use postman::Postman;
use socketing_event_store::{PgPool, log};
use socketing_nats::Subscription;
use socketing_service::{
    auth::Auth,
    health::{Finding, Health},
    problem::chain,
    shutdown::Shutdown,
};
use std::{sync::Arc, time::Duration};
use tail::Tail;
use tokio::time::timeout;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A running notifier. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifier {
    hub: Arc<Hub>,
}

/// Starts following the log. Without JetStream it reads Postgres alone; with it, it works just as well while NATS is away.
/// Live connections are asked to reconnect when `shutdown` begins to drain; everything ends when it stops.
#[must_use]
pub fn start(pool: PgPool, subscription: Option<Subscription>, auth: Auth, args: &LiveArgs, shutdown: &Shutdown) -> Notifier {
    let stop = shutdown.stop().clone();
    let hub = Arc::new(Hub::new(pool.clone(), auth.clone(), args, shutdown.draining().clone(), stop.clone()));
    hub.tasks.spawn(Arc::clone(&hub.presence).keep(pool.clone(), stop.clone()));
    let tail = Arc::new(Tail::default());
    let postman = Postman::new(pool, Arc::clone(&hub.mailboxes), hub.delivered.clone(), Arc::clone(&tail));
    let follower = Follower { hub: Arc::clone(&hub), subscription, tail };
    hub.tasks.spawn(follower.run(stop.clone()));
    hub.tasks.spawn(postman.run(stop.clone()));
    hub.tasks.spawn(hub.sessions.clone().watch(auth, stop));
    Notifier { hub }
}

/// The routes of the notifier, with their description.
#[must_use]
pub fn router(notifier: &Notifier) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(upgrade::live)).with_state(Arc::clone(&notifier.hub))
}

/// The description of the routes, without anything running.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    OpenApiRouter::<Arc<Hub>>::new().routes(routes!(upgrade::live)).into_openapi()
}

impl Notifier {
    /// Adds the check `live` to a process's health: that the follower has begun, and isn't far behind the log.
    #[must_use]
    pub fn health(&self, health: Health) -> Health {
        let hub = Arc::clone(&self.hub);
        health.check("live", move || lag(Arc::clone(&hub)))
    }

    /// Waits until the follower has found the log; before, connections are refused.
    pub async fn begun(&self) {
        // An error says that the sender is gone, which can't be while we have it.
        let mut history = self.hub.history.subscribe();
        let _begun = history.wait_for(Option::is_some).await;
    }

    /// The position that every room covers.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.hub.position()
    }

    /// The position up to which everybody's mailbox has what concerns them.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        *self.hub.delivered.borrow()
    }

    /// Waits until every connection, room and task is done, which follows from the shutdown. False if that takes longer
    /// than `within`.
    pub async fn finished(&self, within: Duration) -> bool {
        self.hub.tasks.close();
        timeout(within, self.hub.tasks.wait()).await.is_ok()
    }
}

async fn lag(hub: Arc<Hub>) -> Finding {
    hub.incarnation().ok_or("the log wasn't found yet")?;
    let head = log::head(&hub.pool).await.map_err(|error| chain(&error))?.position;
    let behind = head.saturating_sub(hub.position());
    let delivered = head.saturating_sub(*hub.delivered.borrow());
    let detail = format!("{behind} events behind the log, mailboxes {delivered}");
    if behind <= limits::LAG_EVENTS_MAX { Ok(detail) } else { Err(detail) }
}
