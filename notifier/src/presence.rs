//! Who has a page of a performance open here: it is written down for the process managers, which send people away from the
//! inside who have had none for too long.
//!
//! It is a row per person and instance, and only says when the last page went. An instance lives by its heartbeat, a row of
//! which PostgreSQL's clock alone decides when it has run out; then the process managers close the pages that it left
//! behind. One that lapsed and lives after all, because the database couldn't be reached, begins anew under another name.

use crate::{limits, room::lock};
use socketing_domain::{AccountId, PerformanceId};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::time::{Instant, sleep};
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

    /// Writes down who came and who went, and that this instance lives, until `stop`.
    pub(crate) async fn keep(self: Arc<Self>, pool: PgPool, stop: CancellationToken) {
        let mut instance = Instance { id: Uuid::now_v7(), beat: None };
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(limits::PRESENCE_REST) => {}
            }
            if let Err(error) = self.tell(&pool, &mut instance).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "can't write down who is here");
            }
        }
    }

    async fn tell(&self, pool: &PgPool, instance: &mut Instance) -> Result<(), sqlx::Error> {
        if instance.must_beat() {
            if !renew(pool, instance.id).await? {
                *instance = begin(pool).await?;
                self.begin_anew();
            }
            instance.beat = Some(Instant::now());
        }
        let changed = std::mem::take(&mut lock(&self.0).changed);
        if changed.is_empty() {
            return Ok(());
        }
        let written = write(pool, instance.id, &changed).await;
        if !matches!(written, Ok(true)) {
            self.untold(changed);
            instance.beat = None; // it may have lapsed
        }
        written.map(drop)
    }

    /// A new name knows of nobody yet.
    fn begin_anew(&self) {
        let mut counts = lock(&self.0);
        counts.changed = counts.pages.keys().map(|key| (*key, true)).collect();
    }

    fn untold(&self, changed: HashMap<Key, bool>) {
        let mut counts = lock(&self.0);
        for (key, here) in changed {
            counts.changed.entry(key).or_insert(here);
        }
    }
}

/// Under which name this instance writes, and when it last said that it lives.
struct Instance {
    id: Uuid,
    beat: Option<Instant>,
}

impl Instance {
    fn must_beat(&self) -> bool {
        self.beat.is_none_or(|beat| beat.elapsed() >= limits::PRESENCE_BEAT)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.presence.close(self.key);
    }
}

/// A heartbeat. False if the instance is none, or none any more.
async fn renew(pool: &PgPool, instance: Uuid) -> Result<bool, sqlx::Error> {
    let query = "update presence_instances set expires_at = clock_timestamp() + $2 where instance = $1 and expires_at > clock_timestamp()";
    let renewed = sqlx::query(query).bind(instance).bind(limits::PRESENCE_TTL).execute(pool).await?;
    Ok(renewed.rows_affected() == 1)
}

/// The first heartbeat of a new name.
async fn begin(pool: &PgPool) -> Result<Instance, sqlx::Error> {
    let id = Uuid::now_v7();
    sqlx::query("insert into presence_instances (instance, started_at, expires_at) values ($1, clock_timestamp(), clock_timestamp() + $2)")
        .bind(id)
        .bind(limits::PRESENCE_TTL)
        .execute(pool)
        .await?;
    Ok(Instance { id, beat: None })
}

/// Writes changes down, all or, if the instance has lapsed, none: true if all. The lock keeps its rows from being closed
/// meanwhile, so that none is left behind.
async fn write(pool: &PgPool, instance: Uuid, changed: &HashMap<Key, bool>) -> Result<bool, sqlx::Error> {
    let written = sqlx::query(
        "with living as (
             select instance from presence_instances where instance = $4 and expires_at > clock_timestamp() for share
         )
         insert into presence (performance_id, account_id, instance, gone_at)
         select performance_id, account_id, instance, case when here then null else clock_timestamp() end
         from unnest($1::uuid[], $2::uuid[], $3::bool[]) as t (performance_id, account_id, here), living
         on conflict (performance_id, account_id, instance) do update set gone_at = excluded.gone_at",
    )
    .bind(changed.keys().map(|(performance, _)| performance.0).collect::<Vec<Uuid>>())
    .bind(changed.keys().map(|(_, account)| account.0).collect::<Vec<Uuid>>())
    .bind(changed.values().copied().collect::<Vec<bool>>())
    .bind(instance)
    .execute(pool)
    .await?;
    Ok(written.rows_affected() > 0)
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
