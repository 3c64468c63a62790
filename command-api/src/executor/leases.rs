//! This node's life among the others: its heartbeat, the leases it takes and gives, and the looks for units that are due.
//!
//! Each second a node's heart beats, it looks at all nodes and leases, takes what no living node has, up to an even share,
//! and gives what it has beyond that to those who have less. Giving is a change of owner in one statement, so a shard is
//! never without one: whoever still sends commands here has them forwarded, and the new owner learns of its shard from the
//! first of them, if not from its own look.

use super::ownership::Ownership;
use super::spread::{self, Move};
use super::writer::Item;
use super::{Inner, Lane, limits};
use socketing_event_store::patience::answer;
use socketing_event_store::shards::{self, BEAT_EVERY, Lease, Node};
use socketing_event_store::{command_log, due};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Asks the tables of nodes and leases, one statement at a time, on a session of its own: a heartbeat waits for no other
/// work, and what is seen later is noted later.
pub(super) struct Keeper {
    ownership: Ownership,
    address: String,
    leaving: AtomicBool,
    options: PgConnectOptions,
    session: Mutex<Option<PgConnection>>,
}

/// The living nodes, and all leases.
type Seen = (Vec<Node>, Vec<Lease>);

impl Keeper {
    pub(super) fn new(pool: &PgPool, ownership: Ownership, address: &str) -> Keeper {
        let (statement_ms, lock_ms) = (limits::LEASES_TIMEOUT.as_millis().to_string(), limits::GIVE_LOCK_TIMEOUT.as_millis().to_string());
        let options = (*pool.connect_options()).clone().application_name("socketing-leases").options([
            ("statement_timeout", statement_ms.as_str()),
            ("lock_timeout", lock_ms.as_str()),
            ("idle_in_transaction_session_timeout", statement_ms.as_str()),
        ]);
        Keeper { ownership, address: address.to_owned(), leaving: AtomicBool::new(false), options, session: Mutex::new(None) }
    }

    /// Looks whose the shards are, unless someone did so since this was asked.
    pub(super) async fn refresh(&self) -> Result<(), sqlx::Error> {
        let asked_at = Instant::now();
        let mut session = self.session.lock().await;
        if self.ownership.seen_since(asked_at) {
            return Ok(());
        }
        self.within(&mut session, async |session| self.look(session).await).await.map(drop)
    }

    /// Returns when PostgreSQL, asked over this session, works on no commit of this node, though one waits for its answer:
    /// the connection of that one is dead. While PostgreSQL doesn't answer here either, nothing is known.
    pub(super) async fn finds_commit_abandoned(&self) {
        sleep(limits::APPEND_DOUBTED_AFTER).await;
        let mut looks_in_vain = 0;
        while looks_in_vain < 2 {
            sleep(limits::APPEND_LOOK_EVERY).await;
            let mut session = self.session.lock().await;
            let seen = self.within(&mut session, async |session| shards::is_committing(session, self.ownership.owner()).await).await;
            looks_in_vain = if matches!(seen, Ok(false)) { looks_in_vain + 1 } else { 0 };
        }
    }

    /// Has the other nodes take over, if there are any: from now on this node has an even share of nothing.
    pub(super) async fn part(&self, inner: &Inner) {
        self.leaving.store(true, Ordering::Relaxed);
        if let Err(error) = self.tick(inner).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be given to other nodes");
        }
    }

    /// A beat, a look, what is free, what is too much.
    async fn tick(&self, inner: &Inner) -> Result<(), sqlx::Error> {
        let (nodes, leases) = self.take().await?;
        for given in self.ownership.surplus(&nodes, &leases) {
            self.give(inner, &given).await?;
        }
        Ok(())
    }

    /// Beats, looks, and takes this node's share of what no living node has.
    async fn take(&self) -> Result<Seen, sqlx::Error> {
        let mut session = self.session.lock().await;
        self.within(&mut session, async |session| {
            self.beat(session).await?;
            let seen = self.look(session).await?;
            let node = self.ownership.owner();
            let wanted = spread::wanted(node, &seen.0, &seen.1);
            if wanted == 0 {
                return Ok(seen);
            }
            let taken = shards::take(session, node, wanted).await?;
            tracing::info!(shards = taken.len(), "took leases");
            self.look(session).await
        })
        .await
    }

    async fn beat(&self, session: &mut PgConnection) -> Result<(), sqlx::Error> {
        let beaten_at = Instant::now();
        let leaving = self.leaving.load(Ordering::Relaxed);
        let node = Node { id: self.ownership.owner(), address: self.address.clone(), leaving, reads_packs: true };
        shards::beat(session, &node).await?;
        self.ownership.alive_since(beaten_at);
        Ok(())
    }

    async fn look(&self, session: &mut PgConnection) -> Result<Seen, sqlx::Error> {
        let asked_at = Instant::now();
        let nodes = shards::nodes(&mut *session).await?;
        let leases = shards::leases(&mut *session).await?;
        self.ownership.see(asked_at, &nodes, &leases);
        Ok((nodes, leases))
    }

    /// Gives shards away, after the batches that were under way in them. Their writers hand what still waits back, and it
    /// is forwarded; a batch that slipped through all the same is fenced.
    async fn give(&self, inner: &Inner, given: &Move) -> Result<(), sqlx::Error> {
        tracing::info!(shards = given.shards.len(), to = %given.to, "giving leases to another node");
        self.ownership.part_with(&given.shards, true);
        inner.batches_done().await;
        let mut session = self.session.lock().await;
        let done = self
            .within(&mut session, async |session| {
                shards::give(&mut *session, self.ownership.owner(), given.to, &given.shards).await?;
                self.look(session).await
            })
            .await;
        self.ownership.part_with(&given.shards, false);
        done.map(drop)
    }

    /// Ends this node: its leases are free at once.
    async fn leave(&self) -> Result<(), sqlx::Error> {
        let mut session = self.session.lock().await;
        self.within(&mut session, async |session| shards::leave(session, self.ownership.owner()).await).await
    }

    /// Works in the session, opened anew after any trouble; bounded, or a network that swallows what is sent would stop
    /// this node's heart for longer than the network does.
    async fn within<R>(
        &self,
        session: &mut MutexGuard<'_, Option<PgConnection>>,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<R, sqlx::Error>,
    ) -> Result<R, sqlx::Error> {
        let connection = session.take();
        let working = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.options).await?,
            };
            let result = work(&mut connection).await?;
            Ok((connection, result))
        };
        let (connection, result) = answer(limits::LEASES_TIMEOUT, "about leases", working).await?;
        **session = Some(connection);
        Ok(result)
    }
}

/// Makes the command log's partitions, registers the node and takes the leases that are free now.
pub(super) async fn first(inner: &Inner) -> Result<(), sqlx::Error> {
    command_log::make_partitions(&inner.pool).await?;
    inner.keeper.take().await.map(drop)
}

/// Keeps this node alive and its share of the leases even, until the executor stops.
pub(super) async fn keep(inner: Arc<Inner>) {
    let mut ticks = interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while next(&inner, &mut ticks).await {
        if let Err(error) = inner.keeper.tick(&inner).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "this node's leases could not be kept");
        }
    }
}

/// Wakes the writers of units whose time has come though nobody commands them, and makes partitions ahead.
pub(super) async fn wake_due_units(inner: Arc<Inner>) {
    let mut ticks = interval(limits::DUE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let partitions_every = limits::PARTITIONS_EVERY.as_secs() / limits::DUE_EVERY.as_secs();
    let mut ticked: u64 = 0;
    while next(&inner, &mut ticks).await {
        ticked += 1;
        if ticked.is_multiple_of(partitions_every)
            && let Err(error) = command_log::make_partitions(&inner.pool).await
        {
            tracing::error!(error = &error as &dyn std::error::Error, "partitions of command_log could not be made ahead");
        }
        let owned = inner.ownership.owned();
        match answer(limits::ANSWER_TIMEOUT, "which units are due", due::due_now(&inner.pool, &owned)).await {
            Ok(units) => units.into_iter().for_each(|unit| drop(inner.send(unit, Lane::Inside, Item::Wake))),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "units that are due could not be looked up"),
        }
    }
}

/// Waits for the next tick; false when the executor stops.
async fn next(inner: &Inner, ticks: &mut tokio::time::Interval) -> bool {
    tokio::select! {
        () = inner.stopping.cancelled() => false,
        _ = ticks.tick() => true,
    }
}

/// Gives all leases up.
pub(super) async fn release(inner: &Inner) {
    if let Err(error) = inner.keeper.leave().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be given up; they run out in seconds");
    }
}
