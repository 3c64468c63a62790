//! Everything that connections share: the rooms, the mailboxes, how far the follower is, who is connected.

use crate::{
    board::Wish,
    config::LiveArgs,
    limits,
    line::LineBoard,
    load::{Source, Stored},
    mailbox::{Listener, Mailboxes},
    presence::{Page, Presence},
    protocol::Subscribe,
    room::{Ending, Phase, Pull, Pulled},
    rooms::{Place, Rooms},
    seats::SeatBoard,
    sessions::Sessions,
};
use socketing_domain::{AccountId, PerformanceId};
use socketing_event_store::{PgPool, StoreError, log};
use socketing_service::{Problem, auth::Auth, catalogue::codes, problem::chain};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// See the module.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) pool: PgPool,
    pub(crate) auth: Auth,
    pub(crate) seats: Arc<Rooms<SeatBoard>>,
    pub(crate) line: Arc<Rooms<LineBoard>>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    /// Who has a page of a performance open.
    pub(crate) presence: Arc<Presence>,
    /// Which history of the log is followed; `None` until the follower has found it.
    pub(crate) history: watch::Sender<Option<Uuid>>,
    /// Every event up to here has been offered to the rooms.
    pub(crate) followed: watch::Sender<u64>,
    /// How far the postman is.
    pub(crate) delivered: watch::Sender<u64>,
    pub(crate) sessions: Sessions,
    /// A permit for each connection there may be.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when clients are to go elsewhere.
    pub(crate) draining: CancellationToken,
    pub(crate) reconnect_spread: Duration,
}

impl Hub {
    pub(crate) fn new(pool: PgPool, auth: Auth, args: &LiveArgs, draining: CancellationToken, stop: CancellationToken) -> Hub {
        let tasks = TaskTracker::new();
        let source = Source::new(pool.clone());
        Hub {
            seats: Arc::new(Rooms::new(source.clone(), tasks.clone(), stop.clone())),
            line: Arc::new(Rooms::new(source, tasks.clone(), stop)),
            mailboxes: Arc::new(Mailboxes::default()),
            presence: Arc::new(Presence::default()),
            history: watch::Sender::new(None),
            followed: watch::Sender::new(0),
            delivered: watch::Sender::new(0),
            sessions: Sessions::default(),
            slots: Arc::new(Semaphore::new(args.live_connections as usize)),
            tasks,
            draining,
            reconnect_spread: args.reconnect_spread(),
            pool,
            auth,
        }
    }

    /// The log's history that is followed; `None` before the follower has found it.
    pub(crate) fn incarnation(&self) -> Option<Uuid> {
        *self.history.borrow()
    }

    /// How far the follower is.
    pub(crate) fn position(&self) -> u64 {
        *self.followed.borrow()
    }
}

/// One subscription of a connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    topic: Topic,
    id: u32,
    from: Option<u64>,
    first: bool,
    wish: Wish,
    /// While it lasts, its owner has a page of the performance open.
    _page: Option<Page>,
}

#[derive(Debug)]
enum Topic {
    Seats(Place<SeatBoard>),
    Line(Place<LineBoard>),
    Me(Listener),
}

impl Subscription {
    /// The next frame for the client, if it lacks something.
    pub(crate) fn pull(&mut self, hub: &Hub) -> Pulled {
        // Before the room is looked at: what comes in between is told by the next frame.
        let followed = match self.topic {
            Topic::Seats(_) | Topic::Line(_) => hub.position(),
            Topic::Me(_) => hub.mailboxes.covers(),
        };
        let pull = Pull { id: self.id, from: self.from, first: self.first, wish: self.wish, followed };
        let pulled = match &self.topic {
            Topic::Seats(place) => place.room.pull(&pull),
            Topic::Line(place) => place.room.pull(&pull),
            Topic::Me(listener) => listener.pull(&pull),
        };
        if let Pulled::Frame(_, position) = pulled {
            (self.from, self.first) = (Some(position), false);
        }
        pulled
    }
}

/// Begins a subscription: waits until this instance has what the client has, and until the room is read.
pub(crate) async fn subscribe(
    hub: Arc<Hub>,
    account: Option<AccountId>,
    request: Subscribe,
    wake: Arc<Notify>,
) -> Result<Subscription, Problem> {
    let topic = match request.topic.as_str() {
        "seats" => Topic::Seats(enter(&hub, &hub.seats, &request, wake).await?),
        "line" => Topic::Line(enter(&hub, &hub.line, &request, wake).await?),
        "me" => Topic::Me(listen(&hub, account, &request, wake).await?),
        other => {
            return Err(Problem::new(codes::UNKNOWN_TOPIC).detail(format!("no topic is called {other:?}; there are seats, line and me")));
        }
    };
    let Subscribe { id, after, number, performance, .. } = request;
    let page = match (&topic, performance, account) {
        (Topic::Seats(_) | Topic::Line(_), Some(performance), Some(account)) => Some(hub.presence.open(performance, account)),
        _ => None,
    };
    Ok(Subscription { topic, id, from: after, first: true, wish: Wish { number }, _page: page })
}

async fn enter<B: Stored>(hub: &Hub, rooms: &Arc<Rooms<B>>, request: &Subscribe, wake: Arc<Notify>) -> Result<Place<B>, Problem> {
    let performance =
        request.performance.ok_or_else(|| Problem::new(codes::BAD_MESSAGE).detail(format!("{} needs a performance", B::TOPIC)))?;
    caught_up(hub, request.after, hub.followed.subscribe()).await?;
    let place = rooms.enter(performance, wake).ok_or_else(|| busy("every room is in use"))?;
    let mut phase = place.room.phase();
    let loaded = timeout(limits::SUBSCRIBE_WAIT_MAX, phase.wait_for(|phase| *phase != Phase::Loading)).await;
    match loaded.map(|phase| phase.map(|phase| *phase)) {
        Ok(Ok(Phase::Live)) => Ok(place),
        Ok(Ok(Phase::Over(ending))) => Err(ended(ending, performance)),
        Ok(_) | Err(_) => Err(busy("the performance takes long to read")),
    }
}

async fn listen(hub: &Hub, account: Option<AccountId>, request: &Subscribe, wake: Arc<Notify>) -> Result<Listener, Problem> {
    let account = account.ok_or_else(|| Problem::new(codes::UNAUTHENTICATED))?;
    caught_up(hub, request.after, hub.delivered.subscribe()).await?;
    hub.mailboxes.listen(account, wake).ok_or_else(|| busy("every mailbox is in use"))
}

/// Waits, within a bound, until this instance is where the client is: it never tells anything older.
async fn caught_up(hub: &Hub, after: Option<u64>, mut reached: watch::Receiver<u64>) -> Result<(), Problem> {
    let Some(after) = after.filter(|after| *after > *reached.borrow()) else { return Ok(()) };
    let head = log::head(&hub.pool).await.map_err(|error| unreadable(&error))?.position;
    if after > head {
        return Err(Problem::new(codes::POSITION_UNKNOWN).detail(format!("the log ends at {head}, before {after}")));
    }
    let in_time =
        timeout(limits::SUBSCRIBE_WAIT_MAX, reached.wait_for(|reached| *reached >= after)).await.is_ok_and(|waited| waited.is_ok());
    if in_time {
        return Ok(());
    }
    let at = *reached.borrow();
    Err(Problem::new(codes::PROJECTION_BEHIND).detail(format!("this instance is at {at}, the client at {after}")))
}

fn unreadable(error: &StoreError) -> Problem {
    tracing::warn!(error = %chain(error), "can't read the log's head");
    Problem::new(codes::UNAVAILABLE)
}

fn busy(why: &str) -> Problem {
    Problem::new(codes::BUSY).detail(why)
}

/// Why there is no room, or no more.
pub(crate) fn ended(ending: Ending, performance: PerformanceId) -> Problem {
    match ending {
        Ending::Unknown => Problem::new(socketing_service::Code::of(socketing_domain::refusal::Reason::UnknownPerformance))
            .detail(format!("performance {performance} isn't on sale")),
        Ending::Failed | Ending::Deserted => interrupted(),
    }
}

/// A subscription that can't go on: the client subscribes again.
pub(crate) fn interrupted() -> Problem {
    Problem::new(codes::UNAVAILABLE).detail("subscribe again")
}
