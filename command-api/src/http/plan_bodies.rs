//! Plans as they are sent: their JSON, kept in memory within a bound, because at an opening everyone asks for one.

use axum::body::Bytes;
use socketing_domain::plan::PlanHash;
use socketing_service::Problem;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes kept: a dozen of the largest plans, or hundreds of ordinary ones.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Plans' JSON by hash.
pub(super) struct PlanBodies {
    pool: PgPool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bodies: HashMap<PlanHash, Bytes>,
    bytes: usize,
}

impl PlanBodies {
    pub(super) fn new(pool: PgPool) -> PlanBodies {
        PlanBodies { pool, kept: Mutex::default() }
    }

    /// The plan's JSON, if it was imported.
    pub(super) async fn get(&self, hash: PlanHash) -> Result<Option<Bytes>, Problem> {
        if let Some(body) = self.lock().bodies.get(&hash) {
            return Ok(Some(body.clone()));
        }
        let row: Option<String> = sqlx::query_scalar("select plan::text from plans where hash = $1")
            .bind(hash.0.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| Problem::database("reading a plan", &error))?;
        let body = row.map(Bytes::from);
        if let Some(body) = &body {
            self.lock().keep(hash, body.clone());
        }
        Ok(body)
    }

    /// Whether there is such a plan.
    pub(super) async fn exists(pool: &PgPool, hash: PlanHash) -> Result<bool, Problem> {
        sqlx::query_scalar("select exists (select from plans where hash = $1)")
            .bind(hash.0.as_slice())
            .fetch_one(pool)
            .await
            .map_err(|error| Problem::database("looking up a plan", &error))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Which ones make room hardly matters: a sale uses a few, and each is one read away.
    fn keep(&mut self, hash: PlanHash, body: Bytes) {
        while self.bytes + body.len() > BYTES_MAX
            && let Some(any) = self.bodies.keys().next().copied()
        {
            self.bytes -= self.bodies.remove(&any).map_or(0, |body| body.len());
        }
        self.bytes += body.len();
        if let Some(before) = self.bodies.insert(hash, body) {
            self.bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_counted() {
        let mut kept = Kept::default();
        let body = Bytes::from(vec![b' '; BYTES_MAX / 3]);
        for number in 0..10_u8 {
            let hash = PlanHash([number; 32]);
            kept.keep(hash, body.clone());
            kept.keep(hash, body.clone());
            assert!(kept.bodies.contains_key(&hash));
            assert!(kept.bytes <= BYTES_MAX);
            assert_eq!(kept.bytes, kept.bodies.values().map(Bytes::len).sum::<usize>());
        }
        assert_eq!(kept.bodies.len(), 3);
    }
}
