//! The executor: one writer per unit, one committer per process.
//!
//! A command is routed to its unit's writer, a task with bounded queues that decides against state in memory. What a
//! writer decided goes to the committer, which merges what all writers have ready into one durable statement. No answer
//! leaves before the commit that covers it, refusals included: "taken" may rest on an event that isn't durable yet.
//!
//! One path leads out of every trouble (a failed commit, a lost lease, an unknown outcome): the writer forgets its state,
//! loads it again from the log, and takes its commands anew, each of which first meets the record of its own outcome.
//! Nothing is ever undone in memory.

mod committer;
mod draft;
mod forward;
mod leases;
mod limits;
mod loader;
mod ownership;
mod question;
mod request;
mod spread;
mod window;
mod writer;

pub use forward::router;
pub use ownership::Ownership;
pub use question::{Ask, AwaitsSeed, DetailsOf, HoldOf, OrganiserOf, PaymentOf, Question, RoleOf, Seen, SharesOf, ShowOf, TicketOf};
pub use request::{Done, Rejected, Request};

use crate::plans::PlanStore;
use committer::Submission;
use forward::Forwarder;
use futures::FutureExt;
use futures::future::ready;
use leases::Keeper;
use loader::Loader;
use serde_json::value::RawValue;
use socketing_domain::Clock;
use socketing_domain::unit::{Command, Unit, UnitId};
use socketing_domain::waiting_room;
use socketing_event_store::append::Part;
use socketing_event_store::{Commits, StoreError, log};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, mpsc::error::TrySendError, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use writer::{Item, Looking, Pending, Writer};

/// Routes commands to their writers. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    inner: Arc<Inner>,
}

/// What all writers share.
struct Inner {
    pool: PgPool,
    plans: PlanStore,
    loader: Loader,
    clock: Arc<dyn Clock>,
    ownership: Ownership,
    keeper: Arc<Keeper>,
    forwarder: Forwarder,
    writers: Mutex<HashMap<UnitId, Queues>>,
    submissions: mpsc::Sender<Submission>,
    commits: Commits,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// The two queues of a writer, served in turn with a cap each: a flood at the door never costs a hold its place.
struct Queues {
    inside: mpsc::Sender<Item>,
    line: mpsc::Sender<Item>,
}

impl Queues {
    const fn of(&self, lane: Lane) -> &mpsc::Sender<Item> {
        match lane {
            Lane::Inside => &self.inside,
            Lane::Line => &self.line,
        }
    }
}

#[derive(Clone, Copy)]
enum Lane {
    Inside,
    Line,
}

impl Executor {
    /// Registers this node, takes its share of the free shards and starts deciding. `address` is where other nodes reach
    /// the routes of [`router`], such as `http://10.0.0.7:8600`.
    ///
    /// # Errors
    /// The database's, while taking the first leases.
    pub async fn start(pool: PgPool, plans: PlanStore, clock: Arc<dyn Clock>, address: &str) -> Result<Executor, StoreError> {
        let head = log::head(&pool).await?;
        let (submissions, inbox) = mpsc::channel(limits::SUBMISSIONS_MAX);
        let ownership = Ownership::new(Uuid::now_v7());
        let keeper = Arc::new(Keeper::new(&pool, ownership.clone(), address));
        let forwarder = Forwarder::new(&pool).await?;
        let inner = Arc::new(Inner {
            loader: Loader::start(pool.clone()),
            pool,
            plans,
            clock,
            ownership,
            keeper,
            forwarder,
            writers: Mutex::default(),
            submissions,
            commits: Commits::new(head.position),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        leases::first(&inner).await.map_err(StoreError::query("take the first leases on shards"))?;
        let (pool, keeper) = (inner.pool.clone(), inner.keeper.clone());
        let (commits, stopping) = (inner.commits.clone(), inner.stopping.clone());
        tokio::spawn(committer::run(pool, inner.ownership.clone(), keeper, commits, stopping, inbox));
        inner.tasks.spawn(leases::keep(inner.clone()));
        inner.tasks.spawn(leases::wake_due_units(inner.clone()));
        Ok(Executor { inner })
    }

    /// Carries a command out, here or at the node that owns its unit. It is under way once this is called; the future tells
    /// its outcome when that is durable, whoever still waits for it.
    ///
    /// # Errors
    /// [`Rejected`]: refused by the domain (recorded), or not taken at all.
    pub fn execute(&self, request: Request) -> impl Future<Output = Result<Done, Rejected>> + Send + use<'_> {
        self.execute_here(request).then(|outcome| match outcome {
            // Boxed: the way elsewhere is rare, and its future has three kilobytes, which each command would carry along.
            Err(Rejected::NotOwner(request)) => self.execute_elsewhere(*request).boxed().left_future(),
            outcome => ready(outcome).right_future(),
        })
    }

    /// The same for a unit of this node's; [`Rejected::NotOwner`] has the command back if it isn't.
    fn execute_here(&self, request: Request) -> impl Future<Output = Result<Done, Rejected>> + Send + use<> {
        let (answer, outcome) = oneshot::channel();
        if self.inner.ownership.epoch(request.unit.shard()).is_some() {
            let (unit, lane) = (request.unit, lane(&request.command));
            // What isn't taken is dropped, and its answer with it: busy, as below.
            _ = self.inner.send(unit, lane, Item::Command(Pending::new(request, answer)));
        } else {
            _ = answer.send(Err(Rejected::NotOwner(Box::new(request))));
        }
        outcome.map(|outcome| outcome.unwrap_or(Err(Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S })))
    }

    /// Looks at the state of a unit of this node's, and tells what it saw once that state is durable. (Whoever may meet
    /// another node's unit asks with [`Executor::ask`].)
    ///
    /// # Errors
    /// [`Rejected::Busy`] if the unit's queue is full, or it couldn't be loaded.
    pub async fn inspect<R: Send + 'static>(&self, unit: UnitId, look: impl Fn(&Unit) -> R + Send + 'static) -> Result<R, Rejected> {
        let (answer, seen) = oneshot::channel();
        self.inner.send(unit, Lane::Inside, Item::Inspect(Box::new(Inspection { look, seen: None, answer })))?;
        seen.await.map_err(|_| Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S })
    }

    /// Puts a question to a unit of this node's; `None` if it isn't.
    async fn ask_here(&self, unit: UnitId, question: Question) -> Result<Option<Seen<Box<RawValue>>>, Rejected> {
        let seen = self.inspect(unit, move |unit| question.answer_json(unit)).await;
        match seen {
            // Read after the look: what the look saw was committed, and announced, before.
            Ok(Ok(answer)) => Ok(Some(Seen { answer, position: self.commits().last() })),
            Ok(Err(error)) => {
                tracing::error!(%unit, error = &error as &dyn std::error::Error, "an answer can't be written");
                Err(Rejected::Internal)
            }
            Err(_) if self.inner.ownership.epoch(unit.shard()).is_none() => Ok(None),
            Err(rejected) => Err(rejected),
        }
    }

    /// What this process commits, and how far it knows the log to be committed (at start: its head), by itself or by nodes
    /// that it forwarded to.
    #[must_use]
    pub fn commits(&self) -> &Commits {
        &self.inner.commits
    }

    /// Has the other nodes take over, if there are any: call it as soon as this one is told to stop. Commands that still
    /// come here are forwarded.
    pub async fn part(&self) {
        self.inner.keeper.part(&self.inner).await;
    }

    /// How many shards this process owns: with several nodes, a share of them.
    #[must_use]
    pub fn shards_owned(&self) -> usize {
        self.inner.ownership.count()
    }

    /// How many shards other living nodes own: commands for those are forwarded.
    #[must_use]
    pub fn shards_elsewhere(&self) -> usize {
        self.inner.ownership.elsewhere()
    }

    /// Stops: writers finish the batch they are in, and the leases are given up. Call it after the last request. With
    /// Postgres away it ends too: what isn't in the log then has no answer, and is safe to send to another node.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        leases::release(&self.inner).await;
    }
}

/// A look from outside.
struct Inspection<R, F> {
    look: F,
    seen: Option<R>,
    answer: oneshot::Sender<R>,
}

impl<R: Send, F: Fn(&Unit) -> R + Send> Looking for Inspection<R, F> {
    fn see(&mut self, unit: &Unit) {
        self.seen = Some((self.look)(unit));
    }

    fn tell(self: Box<Self>) {
        if let Some(seen) = self.seen {
            drop(self.answer.send(seen)); // who asked may have hung up
        }
    }
}

/// The line's commands wait in a queue of their own.
fn lane(command: &Command) -> Lane {
    match command {
        Command::Line(waiting_room::Command::JoinQueue { .. }) | Command::Party(..) => Lane::Line,
        _ => Lane::Inside,
    }
}

impl Inner {
    /// Hands an item to its unit's writer, started if there is none. Never waits. The writer of a unit that is another
    /// node's by then hands its commands back.
    fn send(self: &Arc<Self>, unit: UnitId, lane: Lane, item: Item) -> Result<(), Rejected> {
        let busy = Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S };
        if self.stopping.is_cancelled() {
            return Err(busy);
        }
        let mut writers = self.writers();
        if writers.len() >= limits::WRITERS_MAX && !writers.contains_key(&unit) {
            return Err(busy);
        }
        let queues = writers.entry(unit).or_insert_with(|| self.start_writer(unit));
        match queues.of(lane).try_send(item) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(busy),
            Err(TrySendError::Closed(item)) => {
                // Its writer is gone without retiring: an invariant of the unit failed. A new one loads from the log.
                tracing::error!(%unit, "a writer died; starting another");
                let queues = self.start_writer(unit);
                let sent = queues.of(lane).try_send(item).map_err(|_| busy);
                writers.insert(unit, queues);
                sent
            }
        }
    }

    /// Returns when every batch that the committer has by now is committed or lost, or after a bounded time.
    async fn batches_done(&self) {
        let Some(lease) = self.ownership.any_lease() else { return };
        let (result, done) = oneshot::channel();
        let nothing = Part { lease, events: Vec::new(), outcomes: Vec::new(), packs: Vec::new(), due: None };
        let turn = async {
            if self.submissions.send(Submission { part: nothing, result }).await.is_ok() {
                let _ = done.await; // committed or lost: either way, whatever was before it is settled
            }
        };
        if tokio::time::timeout(limits::BATCHES_DONE_TIMEOUT, turn).await.is_err() {
            tracing::warn!("the batches under way take long; what they write to shards that are given away is fenced");
        }
    }

    fn start_writer(self: &Arc<Self>, unit: UnitId) -> Queues {
        let (inside, inside_queue) = mpsc::channel(limits::QUEUE_MAX);
        let (line, line_queue) = mpsc::channel(limits::QUEUE_MAX);
        self.tasks.spawn(Writer::new(unit, self.clone(), inside_queue, line_queue).run());
        Queues { inside, line }
    }

    /// Forgets a writer that has nothing to do, unless something reached its queues just now. True if it is forgotten.
    fn retire(&self, unit: UnitId, is_empty: impl FnOnce() -> bool) -> bool {
        let mut writers = self.writers();
        let idle = is_empty();
        if idle {
            writers.remove(&unit);
        }
        idle
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<UnitId, Queues>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
