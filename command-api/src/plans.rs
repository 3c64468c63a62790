//! Seating plans in Postgres: immutable rows named by their hash, cached in memory.

use socketing_domain::plan::{Plan, PlanHash};
use sqlx::{PgPool, types::Json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Plans kept in memory: a plan of 50,000 seats takes about 6 MB.
const CACHED_MAX: usize = 64;

/// Looks plans up by hash. Cheap to clone.
#[derive(Clone)]
pub struct PlanStore {
    pool: PgPool,
    cached: Arc<Mutex<HashMap<PlanHash, Arc<Plan>>>>,
}

impl PlanStore {
    /// A store on this database.
    #[must_use]
    pub fn new(pool: PgPool) -> PlanStore {
        PlanStore { pool, cached: Arc::default() }
    }

    /// The plan with this hash, if it was imported.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, sqlx::Error> {
        if let Some(plan) = self.cached(|plans| plans.get(&hash).cloned()) {
            return Ok(Some(plan));
        }
        let row: Option<(Json<Plan>,)> =
            sqlx::query_as("select plan from plans where hash = $1").bind(hash.0.as_slice()).fetch_optional(&self.pool).await?;
        let Some((Json(plan),)) = row else { return Ok(None) };
        // Arranging 50,000 seats takes some milliseconds: not on a writer's time, nor on one that others wait for.
        let arranged = tokio::task::spawn_blocking(move || {
            let _ = plan.index();
            Arc::new(plan)
        });
        let plan = Some(arranged.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
        if let Some(plan) = &plan {
            self.cached(|plans| {
                // Which one goes hardly matters: a sale uses a few, and each is one read away.
                if plans.len() >= CACHED_MAX
                    && let Some(&any) = plans.keys().next()
                {
                    plans.remove(&any);
                }
                plans.insert(hash, plan.clone());
            });
        }
        Ok(plan)
    }

    fn cached<R>(&self, act: impl FnOnce(&mut HashMap<PlanHash, Arc<Plan>>) -> R) -> R {
        act(&mut self.cached.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
