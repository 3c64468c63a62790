//! Who has a page of a performance open here: it is written down for the process managers, which send people away from the
//! inside who have had none for too long.
//!
//! It is a row per person and instance, and only says when the last page went. What isn't written, because the database
//! couldn't be reached or this instance died, keeps people where they are.

use crate::{limits, room::lock};
use socketing_domain::{AccountId, PerformanceId};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Key = (PerformanceId, AccountId);

/// Counts the open pages.
#[derive(Default, Debug)]
pub(crate) struct Presence(Mutex<Counts>);

#[derive(Default, Debug)]
struct Counts {
    pages: HashMap<Key, u32>,
    /// Who came or went since it was last written down.
    changed: HashMap<Key, bool>,
}

/// An open page; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Page {
    presence: Arc<Presence>,
    key: Key,
}

impl Presence {
    /// Someone opens a page of a performance.
    pub(crate) fn open(self: &Arc<Self>, performance: PerformanceId, account: AccountId) -> Page {
        let key = (performance, account);
        let mut counts = lock(&self.0);
        let pages = counts.pages.entry(key).or_insert(0);
        *pages += 1;
        if *pages == 1 {
            counts.changed.insert(key, true);
        }
        Page { presence: Arc::clone(self), key }
    }

    fn close(&self, key: Key) {
        let mut counts = lock(&self.0);
        let Some(pages) = counts.pages.get_mut(&key) else { return };
        *pages -= 1;
        if *pages == 0 {
            counts.pages.remove(&key);
            counts.changed.insert(key, false);
        }
    }

    /// Writes down who came and who went, until `stop`.
    pub(crate) async fn keep(self: Arc<Self>, pool: PgPool, stop: CancellationToken) {
        let instance = Uuid::now_v7();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(limits::PRESENCE_REST) => {}
            }
            let changed = std::mem::take(&mut lock(&self.0).changed);
            if changed.is_empty() {
                continue;
            }
            if let Err(error) = write(&pool, instance, &changed).await {
                tracing::warn!(error = &error as &dyn std::error::Error, people = changed.len(), "can't write down who is here");
                let mut counts = lock(&self.0);
                for (key, here) in changed {
                    counts.changed.entry(key).or_insert(here);
                }
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.presence.close(self.key);
    }
}

async fn write(pool: &PgPool, instance: Uuid, changed: &HashMap<Key, bool>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into presence (performance_id, account_id, instance, gone_at)
         select performance_id, account_id, $4, case when here then null else clock_timestamp() end
         from unnest($1::uuid[], $2::uuid[], $3::bool[]) as t (performance_id, account_id, here)
         on conflict (performance_id, account_id, instance) do update set gone_at = excluded.gone_at",
    )
    .bind(changed.keys().map(|(performance, _)| performance.0).collect::<Vec<Uuid>>())
    .bind(changed.keys().map(|(_, account)| account.0).collect::<Vec<Uuid>>())
    .bind(changed.values().copied().collect::<Vec<bool>>())
    .bind(instance)
    .execute(pool)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_gone_when_the_last_page_is_closed() {
        let presence = Arc::new(Presence::default());
        let key = (PerformanceId::new(), AccountId::new());
        let first = presence.open(key.0, key.1);
        let second = presence.open(key.0, key.1);
        assert_eq!(std::mem::take(&mut lock(&presence.0).changed), HashMap::from([(key, true)]));
        drop(first);
        assert!(lock(&presence.0).changed.is_empty());
        drop(second);
        assert_eq!(std::mem::take(&mut lock(&presence.0).changed), HashMap::from([(key, false)]));
        assert!(lock(&presence.0).pages.is_empty());
    }
}
