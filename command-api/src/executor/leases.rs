//! This process's leases on shards: taken, renewed, lost; and the looks for units that are due.

use super::writer::Item;
use super::{Inner, Lane, limits};
use socketing_domain::unit::SHARDS;
use socketing_event_store::shards::{self, Epoch, RENEW_EVERY};
use socketing_event_store::{command_log, due};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

/// The shards this process owns, with their epochs. Cheap to clone.
#[derive(Clone)]
pub struct Ownership {
    owner: Uuid,
    address: Arc<str>,
    epochs: Arc<RwLock<[Option<i64>; SHARDS as usize]>>,
}

impl Ownership {
    pub(super) fn new(owner: Uuid, address: &str) -> Ownership {
        Ownership { owner, address: address.into(), epochs: Arc::new(RwLock::new([None; SHARDS as usize])) }
    }

    /// The process's name in the lease table.
    pub(super) fn owner(&self) -> Uuid {
        self.owner
    }

    /// The epoch of our lease on a shard, if it is ours.
    pub(super) fn epoch(&self, shard: u16) -> Option<i64> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)[usize::from(shard)]
    }

    /// How many shards are ours.
    pub(super) fn count(&self) -> usize {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).iter().flatten().count()
    }

    /// Notes leases that are ours. Epochs only rise: a slower answer never hides a newer one.
    pub(super) fn add(&self, leases: &[Epoch]) {
        let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        for lease in leases {
            let known = &mut epochs[usize::from(lease.shard)];
            *known = (*known).max(Some(lease.epoch));
        }
    }

    /// Notes all leases that are ours: the others were taken over.
    fn replace(&self, leases: &[Epoch]) {
        {
            let mut epochs = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
            for (shard, epoch) in epochs.iter_mut().enumerate() {
                if epoch.is_some() && !leases.iter().any(|lease| usize::from(lease.shard) == shard) {
                    tracing::warn!(shard, "a shard's lease was taken over");
                    *epoch = None;
                }
            }
        }
        self.add(leases);
    }

    fn owned(&self) -> Vec<i16> {
        let epochs = self.epochs.read().unwrap_or_else(PoisonError::into_inner);
        (0..SHARDS as i16).filter(|&shard| epochs[shard as usize].is_some()).collect()
    }
}

/// Makes the command log's partitions and takes the leases that are free now.
pub(super) async fn first(inner: &Inner) -> Result<(), sqlx::Error> {
    command_log::make_partitions(&inner.pool).await?;
    take_free(inner).await
}

async fn take_free(inner: &Inner) -> Result<(), sqlx::Error> {
    let taken = shards::acquire(&inner.pool, inner.ownership.owner(), &inner.ownership.address).await?;
    if !taken.is_empty() {
        tracing::info!(shards = taken.len(), "took leases");
        inner.ownership.add(&taken);
    }
    Ok(())
}

/// Renews our leases and takes those that became free, until the executor stops.
pub(super) async fn keep(inner: Arc<Inner>) {
    let mut ticks = interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while next(&inner, &mut ticks).await {
        let renewed = async {
            inner.ownership.replace(&shards::renew(&inner.pool, inner.ownership.owner()).await?);
            take_free(&inner).await
        };
        if let Err(error) = renewed.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be renewed");
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
        match due::due_now(&inner.pool, &inner.ownership.owned()).await {
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
    if let Err(error) = shards::release(&inner.pool, inner.ownership.owner()).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "leases could not be given up; they run out in seconds");
    }
}
