//! Puts what concerns people into their mailboxes. A task of its own, behind the follower, so that remembering whose things
//! are whose (see [`crate::directory`]) never delays a seat map.
//!
//! A performance's hall is read when its first event comes by: its streams are folded from the log up to that event, then
//! along with it. So a start costs nothing, quiet performances take no memory, and no read model has to be right for it.
//! A hot performance with a million events takes some seconds once; meanwhile the people who come get the fresh state from
//! the queries anyway. If so much comes that the queue is full, it is thrown away and every mailbox begins anew.

use crate::{
    directory::{Concerned, Hall, of_person},
    limits,
    mailbox::Mailboxes,
    mine,
    rooms::performance_of,
};
use socketing_domain::{PerformanceId, event::Recorded, unit::UnitId};
use socketing_event_store::{PgPool, StoreError, load::unit_events};
use socketing_service::problem::chain;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// The next events of the log, all up to `position`.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) events: Arc<[Arc<Recorded>]>,
    pub(crate) position: u64,
    /// Whether it doesn't continue the batch before: the follower began anew.
    pub(crate) anew: bool,
}

/// The follower's end of the queue.
#[derive(Debug)]
pub(crate) struct Post {
    queue: mpsc::Sender<Batch>,
    /// The last event that was lost because the queue was full; 0: none.
    lost_to: Arc<AtomicU64>,
}

impl Post {
    /// Hands a batch on. Never waits: a batch that finds the queue full is lost, which the postman makes good.
    pub(crate) fn send(&self, batch: Batch) {
        if batch.anew {
            self.lost_to.store(0, Ordering::Release);
        }
        let position = batch.position;
        if self.queue.try_send(batch).is_err() {
            self.lost_to.store(position, Ordering::Release);
        }
    }
}

/// Knows whose things are whose, and delivers.
#[derive(Debug)]
pub(crate) struct Postman {
    pool: PgPool,
    mailboxes: Arc<Mailboxes>,
    delivered: watch::Sender<u64>,
    queue: mpsc::Receiver<Batch>,
    lost_to: Arc<AtomicU64>,
    halls: HashMap<PerformanceId, Known>,
}

#[derive(Debug)]
struct Known {
    /// `None`: an event of its streams can't be read, so nobody can be told of the others.
    hall: Option<Hall>,
    used_at: Instant,
}

impl Postman {
    /// A postman, and the end of the queue that feeds it. `delivered` follows how far it is.
    pub(crate) fn new(pool: PgPool, mailboxes: Arc<Mailboxes>, delivered: watch::Sender<u64>) -> (Postman, Post) {
        let (sender, queue) = mpsc::channel(limits::POST_BATCHES_MAX);
        let lost_to = Arc::new(AtomicU64::new(0));
        let post = Post { queue: sender, lost_to: Arc::clone(&lost_to) };
        (Postman { pool, mailboxes, delivered, queue, lost_to, halls: HashMap::new() }, post)
    }

    /// Delivers until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&mut self) {
        let mut sweep = interval(limits::SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = self.queue.recv() => match batch {
                    Some(batch) => self.take(batch).await,
                    None => return,
                },
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    async fn take(&mut self, batch: Batch) {
        let lost_to = self.lost_to.swap(0, Ordering::AcqRel);
        if lost_to > 0 || batch.anew {
            self.begin_anew(&batch, lost_to);
            return;
        }
        for event in &*batch.events {
            self.deliver(event).await;
        }
        self.mailboxes.delivered(batch.position);
        self.delivered.send_replace(batch.position);
    }

    /// What is queued doesn't continue what was delivered. It is thrown away; the halls are read again when they are
    /// needed, and everyone who listens is told to look for themselves.
    fn begin_anew(&mut self, batch: &Batch, lost_to: u64) {
        let mut position = batch.position;
        while let Ok(later) = self.queue.try_recv() {
            position = later.position;
        }
        // What was lost came after what was queued then, but perhaps before what is queued now.
        position = position.max(lost_to);
        if lost_to > 0 {
            tracing::warn!(position, "too much at once for the postman; all mailboxes begin anew");
        }
        self.halls.clear();
        self.mailboxes.reset(position);
        self.delivered.send_replace(position);
    }

    async fn deliver(&mut self, event: &Recorded) {
        for (account, share) in self.concerned(event).await {
            if self.mailboxes.has(account) {
                self.mailboxes.put(account, event.position, mine::members(event, &share).into());
            }
        }
    }

    async fn concerned(&mut self, event: &Recorded) -> Concerned {
        if let Some(concerned) = of_person(event.stream, &event.event) {
            return concerned;
        }
        let Some(performance) = performance_of(event.stream) else { return Vec::new() };
        let known = match self.halls.remove(&performance) {
            Some(known) => known,
            None => self.read(performance, event.position).await,
        };
        let known = self.halls.entry(performance).insert_entry(known).into_mut();
        known.used_at = Instant::now();
        known.hall.as_mut().map_or_else(Vec::new, |hall| hall.digest(event.stream, &event.event))
    }

    /// Reads a hall as it was before a position. An outage is waited out: nothing can be delivered without it.
    async fn read(&self, performance: PerformanceId, before: u64) -> Known {
        let known = |hall| Known { hall, used_at: Instant::now() };
        let mut pause = limits::RETRY_FIRST;
        loop {
            match read_hall(&self.pool, performance, before).await {
                Ok(hall) => {
                    tracing::debug!(%performance, before, things = hall.len(), "read whose things are whose");
                    return known(Some(hall));
                }
                Err(error @ StoreError::Decode(_)) => {
                    tracing::error!(%performance, error = %chain(&error), "nobody can be told what happens at this performance");
                    return known(None);
                }
                Err(error) => {
                    tracing::warn!(%performance, error = %chain(&error), "can't read whose things are whose; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(limits::RETRY_LONGEST);
                }
            }
        }
    }

    fn sweep(&mut self) {
        self.mailboxes.sweep();
        self.halls.retain(|_, known| known.used_at.elapsed() < limits::HALL_IDLE);
    }
}

/// Folds a performance's streams up to, not including, a position.
async fn read_hall(pool: &PgPool, performance: PerformanceId, before: u64) -> Result<Hall, StoreError> {
    let mut hall = Hall::default();
    let to = before.saturating_sub(1);
    unit_events(pool, UnitId::Performance(performance), to, |happened| {
        hall.digest(happened.stream, &happened.event); // what happened before the position is told to nobody
    })
    .await?;
    Ok(hall)
}
