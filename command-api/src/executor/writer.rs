//! A unit's single writer: takes what waits, decides it against the state in memory, has it committed, answers.

use super::committer::{NotCommitted, Submission};
use super::limits;
use super::request::{Done, Rejected, Request};
use super::window::{Caller, Recorded, Window};
use super::{Inner, draft};
use draft::{Answer, Draft};
use socketing_domain::plan::{Plan, PlanHash};
use socketing_domain::unit::{Unit, UnitId};
use socketing_domain::{CommandId, Timestamp};
use socketing_event_store::append::NewDue;
use socketing_event_store::shards::Epoch;
use socketing_event_store::{StoreError, command_log, load};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Looks at a unit's committed state.
pub(super) type Look = Box<dyn FnOnce(&Unit) + Send>;

/// What may wait in a writer's queue.
pub(super) enum Item {
    Command(Box<Pending>),
    Inspect(Look),
    /// Look at the clock: something is due.
    Wake,
}

/// A command that waits for its answer.
pub(super) struct Pending {
    pub(super) request: Request,
    pub(super) id: CommandId,
    pub(super) fingerprint: [u8; 32],
    answer: oneshot::Sender<Result<Done, Rejected>>,
}

impl Pending {
    pub(super) fn new(request: Request, answer: oneshot::Sender<Result<Done, Rejected>>) -> Pending {
        let fingerprint = draft::fingerprint(&request.command);
        Pending { request, id: CommandId::new(), fingerprint, answer }
    }

    pub(super) fn caller(&self) -> Caller {
        (self.request.actor.to_string(), self.request.key.clone())
    }
}

/// A unit in memory, as of an epoch of our lease.
struct Loaded {
    unit: Unit,
    epoch: i64,
    /// `now` of the last decision or event: time never goes back for a unit.
    clock: Timestamp,
    window: Window,
    /// The due time that the table holds; `None` if that isn't known.
    due_written: Option<Option<Timestamp>>,
}

pub(super) struct Writer {
    id: UnitId,
    inner: Arc<Inner>,
    inside: mpsc::Receiver<Item>,
    line: mpsc::Receiver<Item>,
    loaded: Option<Loaded>,
}

impl Writer {
    pub(super) fn new(id: UnitId, inner: Arc<Inner>, inside: mpsc::Receiver<Item>, line: mpsc::Receiver<Item>) -> Writer {
        Writer { id, inner, inside, line, loaded: None }
    }

    /// Works until there has been nothing to do for a while, or the executor stops.
    pub(super) async fn run(mut self) {
        while let Some(first) = self.next().await {
            let (pending, looks) = self.drain(first);
            self.look(looks).await;
            self.carry_out(pending).await;
        }
    }

    /// Waits for the next item, or for the unit's own next due time. `None`: retired.
    async fn next(&mut self) -> Option<Item> {
        loop {
            let due_in = self.due_in();
            tokio::select! {
                biased;
                () = self.inner.stopping.cancelled() => return self.last_item(),
                Some(item) = self.inside.recv() => return Some(item),
                Some(item) = self.line.recv() => return Some(item),
                () = tokio::time::sleep(due_in.unwrap_or(limits::IDLE)) => {}
            }
            if due_in.is_some_and(|due_in| due_in < limits::IDLE) {
                return Some(Item::Wake);
            }
            let (inside, line) = (&self.inside, &self.line);
            if self.inner.retire(self.id, || inside.is_empty() && line.is_empty()) {
                return None;
            }
        }
    }

    /// When the executor stops, what was taken in before is still carried out.
    fn last_item(&mut self) -> Option<Item> {
        self.inside.try_recv().or_else(|_| self.line.try_recv()).ok()
    }

    fn due_in(&self) -> Option<Duration> {
        let due = self.loaded.as_ref()?.unit.next_due()?;
        // A millisecond more: timers are exact to the millisecond, and early is of no use.
        Some(self.inner.clock.now().until(due) + Duration::from_millis(1))
    }

    /// Takes what waits in both queues, up to a cap each.
    fn drain(&mut self, first: Item) -> (Vec<Pending>, Vec<Look>) {
        let (mut pending, mut looks) = (Vec::new(), Vec::new());
        let mut sort = |item| match item {
            Item::Command(command) => pending.push(*command),
            Item::Inspect(look) => looks.push(look),
            Item::Wake => {}
        };
        sort(first);
        (0..limits::BATCH_INSIDE_MAX).map_while(|_| self.inside.try_recv().ok()).for_each(&mut sort);
        (0..limits::BATCH_LINE_MAX).map_while(|_| self.line.try_recv().ok()).for_each(&mut sort);
        (pending, looks)
    }

    /// Shows the committed state: between batches, nothing in memory is undecided.
    async fn look(&mut self, looks: Vec<Look>) {
        if looks.is_empty() {
            return;
        }
        if let Ok(loaded) = self.load().await {
            looks.into_iter().for_each(|look| look(&loaded.unit));
        }
    }

    /// Carries the commands out, and whatever time has done meanwhile. After a commit that didn't happen, everything is
    /// loaded and decided anew; a batch that Postgres refuses is narrowed down to the command that it refuses.
    async fn carry_out(&mut self, mut pending: Vec<Pending>) {
        for _ in 0..limits::ATTEMPTS_MAX {
            match self.attempt(&mut pending).await {
                Ok(()) => return,
                Err(Trouble::TryAgain) => self.loaded = None,
                Err(Trouble::NotOurs) => break,
                Err(Trouble::Poisoned) => {
                    self.loaded = None;
                    return self.one_by_one(pending).await;
                }
            }
        }
        self.loaded = None;
        pending.into_iter().for_each(|command| command.answer_with(Err(Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S })));
    }

    async fn one_by_one(&mut self, pending: Vec<Pending>) {
        for command in pending {
            let name = command.request.command.name();
            let mut alone = vec![command];
            match self.attempt(&mut alone).await {
                Ok(()) => continue,
                Err(Trouble::Poisoned) => tracing::error!(unit = %self.id, command = name, "Postgres refuses what this command makes"),
                Err(_) => tracing::warn!(unit = %self.id, command = name, "a command was not committed"),
            }
            self.loaded = None;
            alone.into_iter().for_each(|command| command.answer_with(Err(Rejected::Internal)));
        }
    }

    /// One batch: decide, commit, answer. On success `pending` is empty.
    async fn attempt(&mut self, pending: &mut Vec<Pending>) -> Result<(), Trouble> {
        let draft = self.decide(pending).await?;
        if draft.is_empty() {
            return Ok(());
        }
        let (answers, committed) = self.commit(draft).await?;
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        for (command, answer) in std::mem::take(pending).into_iter().zip(answers) {
            if let Some(outcome) = answer.to_remember(command.fingerprint, committed) {
                loaded.window.remember(command.caller(), outcome);
            }
            let outcome = answer.outcome(committed);
            command.answer_with(outcome);
        }
        Ok(())
    }

    /// Decides the commands in turn, each seeing what those before it did.
    async fn decide(&mut self, pending: &[Pending]) -> Result<Draft, Trouble> {
        self.load().await?;
        let known = self.look_up(pending).await?;
        let plans = self.plans(pending).await?;
        let now = self.inner.clock.now();
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        loaded.clock = loaded.clock.max(now);
        let mut draft = Draft::new(self.id, loaded.clock);
        for command in pending {
            let recorded = known.get(&command.caller()).or_else(|| loaded.window.get(&command.caller()));
            draft.take(&mut loaded.unit, command, recorded, |hash| plans.get(hash).cloned());
        }
        draft.take_due(&mut loaded.unit, limits::DUE_ROUNDS_MAX);
        Ok(draft)
    }

    /// Outcomes of earlier commands with these keys that the window doesn't hold.
    async fn look_up(&self, pending: &[Pending]) -> Result<HashMap<Caller, Recorded>, Trouble> {
        let window = &self.loaded.as_ref().ok_or(Trouble::TryAgain)?.window;
        let unknown: Vec<Caller> = pending.iter().map(|command| command.caller()).filter(|caller| window.get(caller).is_none()).collect();
        if unknown.is_empty() {
            return Ok(HashMap::new());
        }
        let found = command_log::find(&self.inner.pool, self.id.id(), self.id.kind(), &unknown).await;
        let found = found.map_err(|error| self.trouble("outcomes of earlier commands could not be looked up", &error))?;
        Ok(found.into_iter().map(draft::recorded).collect())
    }

    /// The plans that these commands need.
    async fn plans(&self, pending: &[Pending]) -> Result<HashMap<PlanHash, Arc<Plan>>, Trouble> {
        let unit = &self.loaded.as_ref().ok_or(Trouble::TryAgain)?.unit;
        let mut plans = HashMap::new();
        // A performance that is scheduled and asked for seats in one batch needs the same plan for both.
        for hash in pending.iter().filter_map(|command| unit.plan_wanted(&command.request.command)) {
            if plans.contains_key(&hash) {
                continue;
            }
            let plan = self.inner.plans.get(hash).await.map_err(|error| self.trouble("a plan could not be loaded", &error))?;
            plans.extend(plan.map(|plan| (hash, plan)));
        }
        Ok(plans)
    }

    /// Has the draft made durable. Returns the answers, and the position before its first event.
    async fn commit(&mut self, draft: Draft) -> Result<(Vec<Answer>, u64), Trouble> {
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        let next_due = loaded.unit.next_due();
        let due = (loaded.due_written != Some(next_due)).then(|| NewDue {
            unit: self.id.id(),
            unit_kind: self.id.kind(),
            shard: self.id.shard(),
            at: next_due,
        });
        let (result, committed) = oneshot::channel();
        let lease = Epoch { shard: self.id.shard(), epoch: loaded.epoch };
        let submission = Submission { lease, events: draft.events, outcomes: draft.outcomes, due, result };
        self.inner.submissions.send(submission).await.map_err(|_| Trouble::NotOurs)?;
        match committed.await {
            Ok(Ok(base)) => {
                loaded.due_written = Some(next_due);
                Ok((draft.answers, base))
            }
            Ok(Err(NotCommitted::Poisoned)) => Err(Trouble::Poisoned),
            Ok(Err(NotCommitted::Lost)) => Err(Trouble::TryAgain),
            Err(_) => Err(Trouble::NotOurs),
        }
    }

    /// The unit as the log has it, under the lease's epoch of this moment.
    async fn load(&mut self) -> Result<&mut Loaded, Trouble> {
        // The epoch first: whatever an older epoch still commits is in the log before this one exists.
        let epoch = self.inner.ownership.epoch(self.id.shard()).ok_or(Trouble::NotOurs)?;
        if self.loaded.as_ref().is_none_or(|loaded| loaded.epoch != epoch) {
            self.loaded = None;
            let loaded = self.read(epoch).await.map_err(|error| self.trouble("a unit could not be loaded", &error))?;
            self.loaded = Some(loaded);
        }
        self.loaded.as_mut().ok_or(Trouble::TryAgain)
    }

    async fn read(&self, epoch: i64) -> Result<Loaded, StoreError> {
        let mut unit = Unit::new(self.id);
        let mut clock = self.inner.clock.now();
        load::unit_events(&self.inner.pool, self.id, |raw| {
            let event = raw.decode()?;
            clock = clock.max(event.recorded_at);
            unit.apply(&event.stream, &event.event);
            Ok(())
        })
        .await?;
        Ok(Loaded { unit, epoch, clock, window: Window::default(), due_written: None })
    }

    fn trouble(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> Trouble {
        tracing::warn!(unit = %self.id, error, "{what}");
        Trouble::TryAgain
    }
}

impl Pending {
    fn answer_with(self, outcome: Result<Done, Rejected>) {
        // Nobody listens when the client hung up; the outcome is recorded all the same.
        drop(self.answer.send(outcome));
    }
}

/// Why a batch was not carried out.
enum Trouble {
    /// Load again and decide again.
    TryAgain,
    /// The shard's lease isn't ours.
    NotOurs,
    /// Postgres refuses this very data.
    Poisoned,
}
