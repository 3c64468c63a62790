//! Puts what concerns people into their mailboxes. A task of its own, behind the follower, so that remembering whose things
//! are whose (see [`crate::directory`]) never delays a seat map.
//!
//! A performance's hall is read when its first event comes by: its streams are folded from the log up to that event, then
//! along with it. So a start costs nothing, quiet performances take no memory, and no read model has to be right for it.
//! A hot performance with a million events takes some seconds once. What the follower reads meanwhile waits in its tail, and
//! what is too much for that is read from the log again: people are told late, and of everything.

use crate::{
    directory::{Concerned, Hall, of_person},
    limits,
    mailbox::Mailboxes,
    mine,
    rooms::performance_of,
    tail::{Next, Reading, Tail},
};
use socketing_domain::{PerformanceId, event::Recorded, unit::UnitId};
use socketing_event_store::{PgPool, StoreError, load::unit_events, log};
use socketing_service::problem::chain;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Knows whose things are whose, and delivers.
#[derive(Debug)]
pub(crate) struct Postman {
    pool: PgPool,
    mailboxes: Arc<Mailboxes>,
    delivered: watch::Sender<u64>,
    tail: Arc<Tail>,
    /// Which reading of the log was followed, and up to where everything is delivered.
    reading: Reading,
    at: u64,
    halls: HashMap<PerformanceId, Known>,
}

#[derive(Debug)]
struct Known {
    /// `None`: an event of its streams can't be read, so nobody can be told of the others.
    hall: Option<Hall>,
    used_at: Instant,
}

impl Postman {
    /// A postman who goes after this tail. `delivered` follows how far he is.
    pub(crate) fn new(pool: PgPool, mailboxes: Arc<Mailboxes>, delivered: watch::Sender<u64>, tail: Arc<Tail>) -> Postman {
        Postman { pool, mailboxes, delivered, tail, reading: Reading::default(), at: 0, halls: HashMap::new() }
    }

    /// Delivers until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&mut self) {
        let tail = Arc::clone(&self.tail);
        let mut sweep_at = Instant::now() + limits::SWEEP_EVERY;
        loop {
            match tail.next(self.reading, self.at) {
                Next::Nothing => tokio::select! {
                    () = tail.stirred.notified() => {}
                    () = sleep_until(sweep_at) => {}
                },
                next => self.take(next).await,
            }
            if Instant::now() >= sweep_at {
                self.sweep();
                sweep_at = Instant::now() + limits::SWEEP_EVERY;
            }
        }
    }

    async fn take(&mut self, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Events(events, position) => {
                for event in &events {
                    self.deliver(event).await;
                }
                self.arrive(position);
            }
            Next::Gone(end) if end - self.at <= limits::POST_BEHIND_MAX => self.read_log().await,
            Next::Gone(end) => {
                tracing::warn!(behind = end - self.at, "too much at once for the postman; all mailboxes begin anew");
                self.begin_anew(self.reading, end);
            }
            Next::Anew(reading, position) => self.begin_anew(reading, position),
        }
    }

    fn arrive(&mut self, position: u64) {
        self.at = position;
        self.mailboxes.delivered(position);
        self.delivered.send_replace(position);
    }

    /// What comes next doesn't continue what was delivered: the halls are read again when they are needed, and everyone who
    /// listens is told to look for themselves.
    fn begin_anew(&mut self, reading: Reading, position: u64) {
        (self.reading, self.at) = (reading, position);
        self.halls.clear();
        self.mailboxes.reset(position);
        self.delivered.send_replace(position);
    }

    /// Delivers the next page of the log, of which the tail has nothing any more.
    async fn read_log(&mut self) {
        let (pool, at) = (self.pool.clone(), self.at);
        let page = patiently("the log", || log::page(&pool, at, log::PAGE_EVENTS_MAX, None)).await;
        let last = page.events.last().map(|event| event.position);
        // Another history, or not as far as it was: the follower is about to find that out.
        let Some(last) = last.filter(|_| page.head.incarnation == self.reading.incarnation) else {
            return sleep(limits::RETRY_FIRST).await;
        };
        for event in page.events {
            // What can't be read the follower has said already.
            if let Ok(event) = event.decode() {
                self.deliver(&event).await;
            }
        }
        self.arrive(last);
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

    /// Reads a hall as it was before a position.
    async fn read(&self, performance: PerformanceId, before: u64) -> Known {
        let hall = patiently("whose things are whose", || async {
            match read_hall(&self.pool, performance, before).await {
                Err(error @ StoreError::Decode(_)) => {
                    tracing::error!(%performance, error = %chain(&error), "nobody can be told what happens at this performance");
                    Ok(None)
                }
                Err(error) => Err(error),
                Ok(hall) => {
                    tracing::debug!(%performance, before, things = hall.len(), "read whose things are whose");
                    Ok(Some(hall))
                }
            }
        });
        Known { hall: hall.await, used_at: Instant::now() }
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

/// What is read, however long Postgres is away: nothing can be delivered without it.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(what: &str, read: impl Fn() -> F) -> T {
    let mut pause: Duration = limits::RETRY_FIRST;
    loop {
        match read().await {
            Ok(read) => return read,
            Err(error) => tracing::warn!(error = %chain(&error), "the postman can't read {what}; trying again"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(limits::RETRY_LONGEST);
    }
}
