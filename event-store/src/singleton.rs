//! Leases of singletons: the relay, each projection, each process manager has one owner at a time, with standbys.
//!
//! A lease's expiry is by Postgres's clock, so that the owners' clocks need not agree. An owner that can't renew stops
//! before its lease runs out (by its own monotonic clock, counted from before it asked). What must never happen twice,
//! even so, is fenced where it is written: [`Lease::fence`] in the writer's transaction, the checkpoint's guard, or
//! JetStream's expected sequence.

use crate::StoreError;
use crate::log::{signed, unsigned};
use crate::patience::answer;
use sqlx::postgres::{PgConnection, PgPool};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// How long a lease lasts without renewal: a killed owner's work moves within this time.
pub const LEASE_TTL: Duration = Duration::from_secs(5);
/// How often an owner renews: three tries before the lease runs out.
pub const LEASE_RENEWAL: Duration = Duration::from_millis(1_500);
/// How often a standby asks.
pub const LEASE_STANDBY_POLL: Duration = Duration::from_millis(500);

/// A lease that this process held when it last asked.
#[derive(Clone, Debug)]
pub struct Lease {
    name: String,
    owner: Uuid,
    epoch: u64,
    valid_until: Instant,
}

impl Lease {
    /// Takes the lease if it is free, has run out or is already this owner's; `None` if another holds it.
    /// The epoch rises with each taking.
    ///
    /// # Errors
    /// If Postgres can't be asked.
    pub async fn acquire(pool: &PgPool, name: &str, owner: Uuid) -> Result<Option<Lease>, StoreError> {
        let asked_at = Instant::now();
        let asking = sqlx::query_scalar(
            "insert into singleton_leases as l (name, owner, expires_at) values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
             on conflict (name) do update set owner = excluded.owner, epoch = l.epoch + 1, expires_at = excluded.expires_at
                 where l.expires_at < clock_timestamp() or l.owner = excluded.owner
             returning epoch",
        )
        .bind(name)
        .bind(owner)
        .bind(ttl_millis())
        .fetch_optional(pool);
        let epoch: Option<i64> =
            answer(LEASE_TTL, "whose a lease is", asking).await.map_err(StoreError::query(format!("take lease {name}")))?;
        Ok(epoch.map(|epoch| Lease { name: name.to_owned(), owner, epoch: unsigned(epoch), valid_until: asked_at + LEASE_TTL }))
    }

    /// Waits, as a standby does, until the lease is ours. Failures of Postgres are logged and waited out.
    pub async fn wait(pool: &PgPool, name: &str, owner: Uuid) -> Lease {
        loop {
            match Lease::acquire(pool, name, owner).await {
                Ok(Some(lease)) => return lease,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(lease = name, error = &error as &dyn std::error::Error, "can't ask for the lease; trying again")
                }
            }
            sleep(LEASE_STANDBY_POLL).await;
        }
    }

    /// Prolongs the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another has taken it; otherwise if Postgres can't be asked.
    pub async fn renew(&mut self, pool: &PgPool) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        let done = sqlx::query(
            "update singleton_leases set expires_at = clock_timestamp() + $4 * interval '1 millisecond'
             where name = $1 and owner = $2 and epoch = $3",
        )
        .bind(&self.name)
        .bind(self.owner)
        .bind(signed(self.epoch))
        .bind(ttl_millis())
        .execute(pool)
        .await
        .map_err(StoreError::query(format!("renew lease {}", self.name)))?;
        if done.rows_affected() == 0 {
            return Err(self.lost());
        }
        self.valid_until = asked_at + LEASE_TTL;
        Ok(())
    }

    /// Renews the lease for as long as that works. Returns when it is lost or would have run out: the owner must stop.
    /// Meant to be raced against the owner's work (`tokio::select!`).
    pub async fn keep(&mut self, pool: &PgPool) -> StoreError {
        loop {
            sleep(LEASE_RENEWAL).await;
            match timeout_at(self.valid_until, self.renew(pool)).await {
                Ok(Ok(())) => {}
                Ok(Err(lost @ StoreError::LeaseLost { .. })) => return lost,
                Ok(Err(error)) if Instant::now() < self.valid_until => {
                    tracing::warn!(lease = self.name, error = &error as &dyn std::error::Error, "can't renew the lease; trying again");
                }
                Ok(Err(error)) => return error,
                Err(_) => return self.lost(),
            }
        }
    }

    /// Checks, within the caller's transaction, that the lease is still ours, and holds off a takeover until the
    /// transaction ends.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if it isn't; otherwise if Postgres can't be asked.
    pub async fn fence(&self, transaction: &mut PgConnection) -> Result<(), StoreError> {
        // `for share`, not `for key share`: only that one conflicts with the takeover's update.
        let held: Option<i32> =
            sqlx::query_scalar("select 1 from singleton_leases where name = $1 and owner = $2 and epoch = $3 for share")
                .bind(&self.name)
                .bind(self.owner)
                .bind(signed(self.epoch))
                .fetch_optional(transaction)
                .await
                .map_err(StoreError::query(format!("check lease {}", self.name)))?;
        held.map(|_| ()).ok_or_else(|| self.lost())
    }

    /// Gives the lease back, so that a standby need not wait for it to run out. The epoch stays.
    ///
    /// # Errors
    /// If Postgres can't be asked; the lease then runs out by itself.
    pub async fn release(self, pool: &PgPool) -> Result<(), StoreError> {
        sqlx::query("update singleton_leases set expires_at = '-infinity' where name = $1 and owner = $2 and epoch = $3")
            .bind(&self.name)
            .bind(self.owner)
            .bind(signed(self.epoch))
            .execute(pool)
            .await
            .map_err(StoreError::query(format!("release lease {}", self.name)))?;
        Ok(())
    }

    /// Rises with each change of owner.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    fn lost(&self) -> StoreError {
        StoreError::LeaseLost { name: self.name.clone(), epoch: self.epoch, owner: self.owner }
    }
}

fn ttl_millis() -> i64 {
    i64::try_from(LEASE_TTL.as_millis()).unwrap_or(i64::MAX)
}
