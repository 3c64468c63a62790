//! Commands and questions for units that another node owns.
//!
//! They are sent over HTTP to the address that the owner registered, under the same key, so that an answer which got lost
//! may be asked for again. One hop only: a node that doesn't own the unit says so, and the first node looks the owner up
//! anew. What finds no owner within a bounded time is told to come back.

mod route;
mod wire;

pub use route::router;

use super::ownership::Owner;
use super::question::{Ask, Question, Seen};
use super::request::{Done, Rejected, Request};
use super::{Executor, Inner, limits};
use reqwest::Client;
use socketing_domain::unit::UnitId;
use socketing_event_store::StoreError;
use sqlx::PgPool;
use std::error::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};
use wire::{Message, PATH, SIGNATURE, Secret, Told};

const BUSY: Rejected = Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S };

/// The way to the other nodes.
pub(super) struct Forwarder {
    client: Client,
    secret: Secret,
    slots: Semaphore,
}

impl Forwarder {
    /// # Errors
    /// The database's, which holds the nodes' secret.
    pub(super) async fn new(pool: &PgPool) -> Result<Forwarder, StoreError> {
        let secret = Secret::load_or_create(pool).await.map_err(StoreError::query("read the nodes' secret"))?;
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(limits::FORWARD_CONNECT_TIMEOUT)
            .timeout(limits::FORWARD_TRY_TIMEOUT)
            .pool_idle_timeout(limits::FORWARD_IDLE)
            .pool_max_idle_per_host(limits::FORWARDS_MAX)
            .build()
            .expect("a client without TLS or files of its own is always built");
        Ok(Forwarder { client, secret, slots: Semaphore::new(limits::FORWARDS_MAX) })
    }

    /// What another node says, if it says anything.
    async fn ask(&self, address: &str, traceparent: Option<&str>, body: Vec<u8>) -> Result<Told, reqwest::Error> {
        let mut request = self.client.post(format!("{address}{PATH}")).header(SIGNATURE, self.secret.sign(&body)).body(body);
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        request.send().await?.error_for_status()?.json().await
    }
}

/// A command or question on its way to whoever owns its unit.
struct Search<'a> {
    inner: &'a Inner,
    unit: UnitId,
    deadline: Instant,
    pause: std::time::Duration,
    _slot: SemaphorePermit<'a>,
}

/// Where to try next.
enum Next {
    Here,
    Told(Told),
}

impl<'a> Search<'a> {
    fn begin(inner: &'a Inner, unit: UnitId) -> Result<Search<'a>, Rejected> {
        let slot = inner.forwarder.slots.try_acquire().map_err(|_| BUSY)?;
        let deadline = Instant::now() + limits::FORWARD_TIMEOUT;
        Ok(Search { inner, unit, deadline, pause: limits::FORWARD_PAUSE, _slot: slot })
    }

    /// Asks the owner, as far as this node knows it; again and again, until somebody answers or the time is up.
    async fn next(&mut self, message: &Message, traceparent: Option<&str>) -> Result<Next, Rejected> {
        loop {
            match self.inner.ownership.of(self.unit.shard()) {
                Owner::Here => return Ok(Next::Here),
                Owner::There(address) => {
                    if let Some(told) = self.ask(&address, message, traceparent).await {
                        return Ok(Next::Told(told));
                    }
                }
                Owner::Unknown => {}
            }
            self.look_again().await?;
        }
    }

    async fn ask(&self, address: &str, message: &Message, traceparent: Option<&str>) -> Option<Told> {
        let body = serde_json::to_vec(message).expect("the domain's types serialise");
        match self.inner.forwarder.ask(address, traceparent, body).await {
            Ok(Told::NotOwner) => None,
            Ok(told) => {
                self.inner.commits.note(told.committed().unwrap_or(0));
                Some(told)
            }
            Err(error) => {
                tracing::debug!(unit = %self.unit, address, error = &error as &dyn Error, "another node doesn't answer");
                None
            }
        }
    }

    /// Looks for the owner anew, after a pause. Whoever waits shares one look.
    async fn look_again(&mut self) -> Result<(), Rejected> {
        if Instant::now() + self.pause >= self.deadline {
            return Err(BUSY);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(limits::FORWARD_PAUSE_MAX);
        if let Err(error) = self.inner.keeper.refresh().await {
            tracing::debug!(error = &error as &dyn Error, "whose the leases are could not be looked up");
        }
        Ok(())
    }
}

impl Executor {
    /// Carries a command out that this node's writers handed back.
    pub(super) async fn execute_elsewhere(&self, request: Request) -> Result<Done, Rejected> {
        let mut search = Search::begin(&self.inner, request.unit)?;
        let message = Message::command(&request);
        let mut request = request;
        loop {
            match search.next(&message, request.traceparent.as_deref()).await? {
                Next::Told(told) => return told.outcome().unwrap_or(Err(BUSY)),
                Next::Here => match self.execute_here(request).await {
                    Err(Rejected::NotOwner(back)) => request = *back,
                    outcome => return outcome,
                },
            }
            search.look_again().await?;
        }
    }

    /// Puts a question about a unit's committed state to whoever owns it.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if nobody answers in time.
    pub async fn ask<Q: Ask>(&self, unit: UnitId, question: Q) -> Result<Seen<Q::Answer>, Rejected> {
        let question: Question = question.into();
        if self.inner.ownership.epoch(unit.shard()).is_some()
            && let Some(seen) = self.ask_here(unit, question.clone()).await?
        {
            return super::question::read(&seen.answer, seen.position);
        }
        let mut search = Search::begin(&self.inner, unit)?;
        let message = Message::question(unit, question.clone());
        loop {
            match search.next(&message, None).await? {
                Next::Told(told) => return told.seen().unwrap_or(Err(BUSY)),
                Next::Here => {
                    if let Some(seen) = self.ask_here(unit, question.clone()).await? {
                        return super::question::read(&seen.answer, seen.position);
                    }
                }
            }
            search.look_again().await?;
        }
    }
}
