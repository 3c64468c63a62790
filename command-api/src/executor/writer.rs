//! A unit's single writer: takes what waits, decides it against the state in memory, has it committed, answers.
//!
//! The next batch is decided while the last one is on its way to the log, and handed over once that one is durable. So
//! memory runs ahead of the log by two batches at most. If one of them doesn't get there, both are forgotten: the unit is
//! loaded again and their commands are taken anew.

use super::committer::{NotCommitted, Submission};
use super::draft::{self, Answer, Before, Draft};
use super::loader::Found;
use super::request::{Done, Rejected, Request};
use super::window::{ByDigest, Known, PackedKeys, Recorded, Window};
use super::{Inner, limits};
use socketing_domain::plan::{Plan, PlanHash};
use socketing_domain::unit::{Unit, UnitId};
use socketing_domain::{CommandId, Timestamp};
use socketing_event_store::append::{NewDue, Part};
use socketing_event_store::command_log::{self, Fingerprint, KeyDigest};
use socketing_event_store::patience::answer;
use socketing_event_store::shards::Epoch;
use socketing_event_store::{StoreError, load, pack};
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Whoever looks at a unit: sees its state, and is told once that state is durable.
pub(super) trait Looking: Send {
    /// Keeps what it wants to know of this state.
    fn see(&mut self, unit: &Unit);
    /// What it saw last is durable.
    fn tell(self: Box<Self>);
}

/// A look that waits for its turn.
pub(super) type Look = Box<dyn Looking>;

/// What may wait in a writer's queue.
pub(super) enum Item {
    Command(Pending),
    Inspect(Look),
    /// Look at the clock: something is due.
    Wake,
}

/// A command that waits for its answer. It is handed from queue to batch to answer, so it is small.
pub(super) struct Pending {
    asked: Box<Asked>,
    answer: oneshot::Sender<Result<Done, Rejected>>,
}

/// What is asked, and by whom.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) id: CommandId,
    /// Who asks, as the log names them.
    pub(super) actor: String,
    pub(super) digest: KeyDigest,
    pub(super) fingerprint: Fingerprint,
}

impl Deref for Pending {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

impl Pending {
    pub(super) fn new(request: Request, answer: oneshot::Sender<Result<Done, Rejected>>) -> Pending {
        let fingerprint = draft::fingerprint(&request.command);
        let actor = request.actor.to_string();
        let digest = KeyDigest::of(request.unit.kind(), &actor, &request.key);
        Pending { asked: Box::new(Asked { request, id: CommandId::new(), actor, digest, fingerprint }), answer }
    }

    /// Another node owns the unit.
    fn hand_back(self) {
        drop(self.answer.send(Err(Rejected::NotOwner(Box::new(self.asked.request)))));
    }

    fn answer_with(self, outcome: Result<Done, Rejected>) {
        // Nobody listens when the client hung up; the outcome is recorded all the same.
        drop(self.answer.send(outcome));
    }
}

/// A unit in memory, as of an epoch of our lease.
struct Loaded {
    unit: Unit,
    epoch: i64,
    /// `now` of the last decision or event: time never goes back for a unit.
    clock: Timestamp,
    window: Window,
    /// Keys of commands that are decided and not yet durable.
    under_way: ByDigest<Fingerprint>,
    /// The rest of the keys that have rows from before, where there are many.
    older_keys: Option<oneshot::Receiver<Vec<u64>>>,
    /// The due time that the table will hold; `None` if that isn't known.
    due_written: Option<Option<Timestamp>>,
}

/// A batch on its way to the log.
struct Flight {
    answers: Vec<(Pending, Answer)>,
    looks: Vec<Look>,
    outcome: oneshot::Receiver<Result<u64, NotCommitted>>,
}

/// What was taken from the queues and not decided yet.
#[derive(Default)]
struct Hand {
    commands: Vec<Pending>,
    looks: Vec<Look>,
}

impl Hand {
    fn take(&mut self, item: Item) {
        match item {
            Item::Command(command) => self.commands.push(command),
            Item::Inspect(look) => self.looks.push(look),
            Item::Wake => {}
        }
    }
}

/// How much more a batch may take from each queue.
struct Room {
    inside: usize,
    line: usize,
}

impl Room {
    const WHOLE: Room = Room { inside: limits::BATCH_INSIDE_MAX, line: limits::BATCH_LINE_MAX };
}

/// Why a batch was not carried out.
#[derive(Clone, Copy)]
enum Trouble {
    /// Load again and decide again.
    TryAgain,
    /// The shard's lease isn't ours.
    NotOurs,
    /// Postgres refuses this very data.
    Poisoned,
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
            self.work(first).await;
        }
    }

    /// Waits for the next item, or for the unit's own next due time. `None`: retired.
    async fn next(&mut self) -> Option<Item> {
        let idle = if matches!(self.id, UnitId::Performance(_)) { limits::IDLE_HALL } else { limits::IDLE_SHORT };
        loop {
            let due_in = self.due_in();
            tokio::select! {
                biased;
                () = self.inner.stopping.cancelled() => return self.last_item(),
                Some(item) = self.inside.recv() => return Some(item),
                Some(item) = self.line.recv() => return Some(item),
                () = tokio::time::sleep(due_in.map_or(idle, |due_in| due_in.min(idle))) => {}
            }
            if due_in.is_some_and(|due_in| due_in < idle) {
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

    /// Decides and commits until nothing waits any more.
    async fn work(&mut self, first: Item) {
        let (mut hand, mut room) = (Hand::default(), Room::WHOLE);
        let mut draft = Draft::new(self.id);
        let mut flight: Option<Flight> = None;
        hand.take(first);
        loop {
            self.fill(&mut hand, &mut room);
            if let Err(trouble) = self.decide(&mut draft, &mut hand, flight.is_some()).await {
                return self.start_over(trouble, flight, draft, hand).await;
            }
            let Some(sent) = &mut flight else {
                match self.hand_over(&mut draft).await {
                    Ok(None) => return draft.looks.into_iter().for_each(|look| look.tell()),
                    Ok(sent) => (flight, room) = (sent, Room::WHOLE),
                    Err(trouble) => return self.start_over(trouble, None, draft, hand).await,
                }
                continue;
            };
            let outcome = tokio::select! {
                biased;
                outcome = &mut sent.outcome => outcome,
                Some(item) = self.inside.recv(), if room.inside > 0 && draft.has_room() => {
                    room.inside -= 1;
                    hand.take(item);
                    // Whoever is ready to ask comes first: what is decided together costs less than one after the other.
                    tokio::task::yield_now().await;
                    continue;
                }
                Some(item) = self.line.recv(), if room.line > 0 && draft.has_room() => {
                    room.line -= 1;
                    hand.take(item);
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            let base = match settled(outcome) {
                Ok(base) => base,
                Err(trouble) => {
                    let failed = flight.take();
                    return self.start_over_after(trouble, failed, draft, hand).await;
                }
            };
            // The next batch first, so that Postgres has work while the last one's people are answered. The committer, just
            // woken, would wait for this very thread: it gets it now.
            let next = self.hand_over(&mut draft).await;
            tokio::task::yield_now().await;
            let landed = flight.take();
            landed.into_iter().for_each(|landed| self.land(landed, base));
            match next {
                Ok(sent) => (flight, room) = (sent, Room::WHOLE),
                Err(trouble) => return self.start_over(trouble, None, draft, hand).await,
            }
        }
    }

    /// Takes what waits, as far as the batch has room for it.
    fn fill(&mut self, hand: &mut Hand, room: &mut Room) {
        while room.inside > 0
            && let Ok(item) = self.inside.try_recv()
        {
            room.inside -= 1;
            hand.take(item);
        }
        while room.line > 0
            && let Ok(item) = self.line.try_recv()
        {
            room.line -= 1;
            hand.take(item);
        }
    }

    /// Decides the commands at hand in turn, each seeing what those before it did, and shows the state to who looks. On
    /// trouble, what is at hand stays there. `runs_ahead`: an earlier batch isn't durable yet, so nothing may be loaded.
    async fn decide(&mut self, draft: &mut Draft, hand: &mut Hand, runs_ahead: bool) -> Result<(), Trouble> {
        if !runs_ahead && draft.is_empty() {
            self.load().await?;
        }
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        loaded.learn_older_keys();
        let (unsure, wanted) = (loaded.unsure(&hand.commands), loaded.plans_wanted(&hand.commands));
        let packs = loaded.window.packs_of(&unsure).into_iter().collect();
        let found = self.look_up(unsure, packs).await?;
        let plans = self.plans(wanted).await?;
        let now = self.inner.clock.now();
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        loaded.clock = loaded.clock.max(now);
        draft.at(loaded.clock);
        for command in hand.commands.drain(..) {
            let before = loaded.before(&command.digest, &found);
            if matches!(before, Before::Nothing) {
                loaded.under_way.insert(command.digest, command.fingerprint);
            }
            let plan = loaded.unit.plan_wanted(&command.request.command).and_then(|hash| plans.get(&hash));
            draft.take(&mut loaded.unit, command, before, plan.map(Arc::as_ref));
        }
        for mut look in hand.looks.drain(..) {
            look.see(&loaded.unit);
            draft.looks.push(look);
        }
        Ok(())
    }

    /// Outcomes recorded under these keys, in rows or in these packs.
    async fn look_up(&self, keys: Vec<KeyDigest>, packs: Vec<u32>) -> Result<HashMap<KeyDigest, Recorded>, Trouble> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let trouble = |error| self.trouble("outcomes of earlier commands could not be looked up", &error);
        let looking = async {
            let mut found = command_log::find(&self.inner.pool, self.id.id(), &keys).await?;
            if !packs.is_empty() {
                found.extend(pack::find(&self.inner.pool, self.id.id(), &keys, &packs).await?);
            }
            Ok(found)
        };
        let found = answer(limits::ANSWER_TIMEOUT, "what was recorded", looking).await.map_err(trouble)?;
        Ok(found.into_iter().map(recorded).collect())
    }

    async fn plans(&self, wanted: HashSet<PlanHash>) -> Result<HashMap<PlanHash, Arc<Plan>>, Trouble> {
        let mut plans = HashMap::new();
        for hash in wanted {
            let plan = self.inner.plans.get(hash).await.map_err(|error| self.trouble("a plan could not be loaded", &error))?;
            plans.extend(plan.map(|plan| (hash, plan)));
        }
        Ok(plans)
    }

    /// Hands the draft to the committer, with whatever time has done meanwhile; `None` if it holds nothing. On trouble,
    /// the draft stays as it is.
    async fn hand_over(&mut self, draft: &mut Draft) -> Result<Option<Flight>, Trouble> {
        let loaded = self.loaded.as_mut().ok_or(Trouble::TryAgain)?;
        if self.inner.ownership.epoch(self.id.shard()) != Some(loaded.epoch) {
            return Err(Trouble::TryAgain); // it would be fenced, and every other writer's part of the statement with it
        }
        loaded.clock = loaded.clock.max(self.inner.clock.now());
        draft.at(loaded.clock);
        draft.take_due(&mut loaded.unit, limits::DUE_ROUNDS_MAX);
        if draft.is_empty() {
            return Ok(None);
        }
        let permit = self.inner.submissions.reserve().await.map_err(|_| Trouble::NotOurs)?;
        let next_due = loaded.unit.next_due();
        let due = (loaded.due_written != Some(next_due)).then(|| NewDue {
            unit: self.id.id(),
            unit_kind: self.id.kind(),
            shard: self.id.shard(),
            at: next_due,
        });
        loaded.due_written = Some(next_due);
        let lease = Epoch { shard: self.id.shard(), epoch: loaded.epoch };
        let Draft { events, mut outcomes, answers, looks, .. } = std::mem::replace(draft, Draft::new(self.id));
        let packs = if self.inner.ownership.packs() { loaded.window.pack(self.id.id(), &mut outcomes) } else { Vec::new() };
        let (result, outcome) = oneshot::channel();
        permit.send(Submission { part: Part { lease, events, outcomes, packs, due }, result });
        Ok(Some(Flight { answers, looks, outcome }))
    }

    /// The batch is durable: remembers its outcomes, and answers.
    fn land(&mut self, flight: Flight, base: u64) {
        let Some(loaded) = &mut self.loaded else { return };
        for (command, answer) in flight.answers {
            let window = &mut loaded.window;
            let (outcome, remembered) = answer.settle(command.fingerprint, base, || match window.look(&command.digest) {
                Known::Recorded(recorded) => Some(recorded.clone()),
                Known::Never | Known::Unsure => None,
            });
            if let Some(remembered) = remembered {
                window.remember(command.digest, remembered);
                loaded.under_way.remove(&command.digest);
            }
            command.answer_with(outcome);
        }
        flight.looks.into_iter().for_each(|look| look.tell());
    }

    /// Nothing more can be decided on top of what is on its way: that is waited for, then everything starts over.
    async fn start_over(&mut self, trouble: Trouble, flight: Option<Flight>, draft: Draft, hand: Hand) {
        let Some(mut flight) = flight else { return self.start_over_after(trouble, None, draft, hand).await };
        match settled((&mut flight.outcome).await) {
            Ok(base) => {
                self.land(flight, base);
                self.start_over_after(trouble, None, draft, hand).await;
            }
            Err(trouble) => self.start_over_after(trouble, Some(flight), draft, hand).await,
        }
    }

    /// Something didn't get into the log, and nothing is on its way: the unit is forgotten, and every command that has no
    /// answer is taken anew. `failed` is the batch that is known not to be durable.
    async fn start_over_after(&mut self, trouble: Trouble, failed: Option<Flight>, draft: Draft, hand: Hand) {
        self.loaded = None;
        let (sent, mut looks) = failed.map_or_else(Default::default, |flight| (commands(flight.answers), flight.looks));
        let mut rest = commands(draft.answers);
        rest.extend(hand.commands);
        match trouble {
            Trouble::Poisoned => self.one_by_one(sent).await,
            Trouble::TryAgain | Trouble::NotOurs => rest.splice(..0, sent).for_each(drop),
        }
        self.carry_out(rest).await;
        looks.extend(draft.looks);
        looks.extend(hand.looks);
        self.show(looks).await;
    }

    /// Carries the commands out, one batch after the other. After a commit that didn't happen, everything is loaded and
    /// decided anew; a batch that Postgres refuses is narrowed down to the command that it refuses.
    async fn carry_out(&mut self, mut pending: Vec<Pending>) {
        for _ in 0..limits::ATTEMPTS_MAX {
            match self.attempt(&mut pending).await {
                Ok(()) => return,
                Err(Trouble::TryAgain) => {}
                Err(Trouble::NotOurs) => return pending.into_iter().for_each(Pending::hand_back),
                Err(Trouble::Poisoned) => return self.one_by_one(pending).await,
            }
        }
        pending.into_iter().for_each(|command| command.answer_with(Err(Rejected::Busy { retry_after_s: limits::RETRY_AFTER_S })));
    }

    async fn one_by_one(&mut self, pending: Vec<Pending>) {
        for command in pending {
            let name = command.request.command.name();
            let mut alone = vec![command];
            match self.attempt(&mut alone).await {
                Ok(()) => continue,
                Err(Trouble::NotOurs) => {
                    alone.into_iter().for_each(Pending::hand_back);
                    continue;
                }
                Err(Trouble::Poisoned) => tracing::error!(unit = %self.id, command = name, "Postgres refuses what this command makes"),
                Err(_) => tracing::warn!(unit = %self.id, command = name, "a command was not committed"),
            }
            alone.into_iter().for_each(|command| command.answer_with(Err(Rejected::Internal)));
        }
    }

    /// One batch by itself: decided, committed, answered. On success `pending` is empty; otherwise the unit is forgotten.
    async fn attempt(&mut self, pending: &mut Vec<Pending>) -> Result<(), Trouble> {
        let mut draft = Draft::new(self.id);
        let mut hand = Hand { commands: std::mem::take(pending), looks: Vec::new() };
        let flight = match self.decide(&mut draft, &mut hand, false).await {
            Ok(()) => self.hand_over(&mut draft).await,
            Err(trouble) => Err(trouble),
        };
        let trouble = match flight {
            Ok(None) => return Ok(()),
            Ok(Some(mut flight)) => match settled((&mut flight.outcome).await) {
                Ok(base) => {
                    self.land(flight, base);
                    return Ok(());
                }
                Err(trouble) => {
                    *pending = commands(flight.answers);
                    trouble
                }
            },
            Err(trouble) => {
                *pending = commands(draft.answers);
                pending.extend(hand.commands);
                trouble
            }
        };
        self.loaded = None;
        Err(trouble)
    }

    /// Shows the state of the log. Who can't be shown it is told so by a closed channel.
    async fn show(&mut self, looks: Vec<Look>) {
        if looks.is_empty() || self.load().await.is_err() {
            return;
        }
        let Some(loaded) = &self.loaded else { return };
        for mut look in looks {
            look.see(&loaded.unit);
            look.tell();
        }
    }

    /// The unit as the log has it, under the lease's epoch of this moment. Only when nothing decided is on its way.
    async fn load(&mut self) -> Result<(), Trouble> {
        // The epoch first: whatever an older epoch still commits is in the log before this one exists.
        let epoch = self.inner.ownership.epoch(self.id.shard()).ok_or(Trouble::NotOurs)?;
        if self.loaded.as_ref().is_none_or(|loaded| loaded.epoch != epoch) {
            self.loaded = None;
            let loaded = self.read(epoch).await.map_err(|error| self.trouble("a unit could not be loaded", &error))?;
            self.loaded = Some(loaded);
        }
        Ok(())
    }

    async fn read(&self, epoch: i64) -> Result<Loaded, StoreError> {
        if let Some(Found { short, keys }) = self.inner.loader.load(self.id).await {
            return Ok(self.loaded(short.fold()?, epoch, Window::new(Some(keys), None), None));
        }
        let loaded = load::unit(&self.inner.pool, self.id).await?;
        let packs = self.read_packed_keys().await?;
        let keys = command_log::keys(&self.inner.pool, self.id.id(), limits::KEYS_AT_ONCE + 1).await;
        let keys = keys.map_err(StoreError::query(format!("read the recorded keys of {}", self.id)))?;
        let complete = keys.len() <= limits::KEYS_AT_ONCE;
        let older_keys = (!complete).then(|| self.read_keys());
        Ok(self.loaded(loaded, epoch, Window::new(complete.then_some(keys), packs), older_keys))
    }

    /// Which of the unit's packs each key is in, before anything is decided: nowhere else can it be found. Only halls have
    /// packs: nobody else is asked for so much at a time.
    async fn read_packed_keys(&self) -> Result<Option<PackedKeys>, StoreError> {
        if !matches!(self.id, UnitId::Performance(_)) {
            return Ok(None);
        }
        let keys = pack::keys(&self.inner.pool, self.id.id()).await;
        keys.map(Some).map_err(StoreError::query(format!("read the packed keys of {}", self.id)))
    }

    fn loaded(&self, loaded: load::Loaded, epoch: i64, window: Window, older_keys: Option<oneshot::Receiver<Vec<u64>>>) -> Loaded {
        let clock = self.inner.clock.now().max(loaded.recorded_at);
        // Nothing ever falls due for a unit without timers.
        let due_written = (!matches!(self.id, UnitId::Performance(_))).then_some(None);
        Loaded { unit: loaded.unit, epoch, clock, window, under_way: ByDigest::default(), older_keys, due_written }
    }

    /// Reads the keys of all rows beside the work; until they are there, Postgres is asked about each key.
    fn read_keys(&self) -> oneshot::Receiver<Vec<u64>> {
        let (send, receive) = oneshot::channel();
        let (pool, id) = (self.inner.pool.clone(), self.id);
        tokio::spawn(async move {
            match command_log::keys(&pool, id.id(), limits::KEYS_MAX + 1).await {
                Ok(keys) => drop(send.send(keys)), // nobody waits for them when the writer has retired
                Err(error) => tracing::warn!(unit = %id, error = &error as &dyn std::error::Error, "recorded keys could not be read"),
            }
        });
        receive
    }

    fn trouble(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> Trouble {
        tracing::warn!(unit = %self.id, error, "{what}");
        Trouble::TryAgain
    }
}

impl Loaded {
    /// What is known of a key.
    fn before(&self, key: &KeyDigest, found: &HashMap<KeyDigest, Recorded>) -> Before {
        if let Some(fingerprint) = self.under_way.get(key) {
            return Before::UnderWay(*fingerprint);
        }
        match self.window.look(key) {
            Known::Recorded(recorded) => Before::Recorded(recorded.clone()),
            Known::Never => Before::Nothing,
            Known::Unsure => found.get(key).cloned().map_or(Before::Nothing, Before::Recorded),
        }
    }

    /// The keys of these commands of which only Postgres knows.
    fn unsure(&self, commands: &[Pending]) -> Vec<KeyDigest> {
        let keys = commands.iter().map(|command| command.digest);
        keys.filter(|key| !self.under_way.contains_key(key) && matches!(self.window.look(key), Known::Unsure)).collect()
    }

    /// The plans that these commands need. A performance that is scheduled and asked for seats in one batch needs the same
    /// plan for both.
    fn plans_wanted(&self, commands: &[Pending]) -> HashSet<PlanHash> {
        commands.iter().filter_map(|command| self.unit.plan_wanted(&command.request.command)).collect()
    }

    fn learn_older_keys(&mut self) {
        if let Some(receiver) = &mut self.older_keys
            && let Ok(keys) = receiver.try_recv()
        {
            self.window.learn(keys);
            self.older_keys = None;
        }
    }
}

/// How a commit ended. A committer that is gone has lost its leases, or the process stops.
fn settled(outcome: Result<Result<u64, NotCommitted>, oneshot::error::RecvError>) -> Result<u64, Trouble> {
    match outcome {
        Ok(Ok(base)) => Ok(base),
        Ok(Err(NotCommitted::Poisoned)) => Err(Trouble::Poisoned),
        Ok(Err(NotCommitted::Lost)) => Err(Trouble::TryAgain),
        Err(_) => Err(Trouble::NotOurs),
    }
}

fn commands(answers: Vec<(Pending, Answer)>) -> Vec<Pending> {
    answers.into_iter().map(|(command, _)| command).collect()
}

/// A row of the command log as the window has it.
fn recorded(outcome: command_log::Outcome) -> (KeyDigest, Recorded) {
    let recorded =
        Recorded { fingerprint: outcome.fingerprint, status: outcome.status, body: outcome.body.into(), position: outcome.position };
    (outcome.key, recorded)
}
