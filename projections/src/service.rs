//! All of this room in one process: the runners, the queries, the checks.

use crate::config::ProjectionArgs;
use crate::health;
use crate::models;
use crate::plans::Plans;
use crate::progress::Progress;
use crate::query::Api;
use crate::runner::Runner;
use socketing_nats::Subscription;
use socketing_service::auth::Auth;
use socketing_service::health::Health;
use sqlx::postgres::PgPool;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// What it stands on.
pub struct Parts {
    /// The log's and the read models' database. Each projection that runs here takes one connection of its own besides.
    pub pool: PgPool,
    /// Where fresh events come from; without it, they come from Postgres, a little later.
    pub subscription: Option<Subscription>,
    /// Who is asking.
    pub auth: Auth,
    /// Its options.
    pub args: ProjectionArgs,
}

/// The projections and their queries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Projections {
    pool: PgPool,
    api: Api,
    progress: Progress,
    lag_max: u64,
}

impl Projections {
    /// Starts a runner for every projection; each stops at `stop`, giving its lease back, and is waited for by `tasks`.
    #[must_use]
    pub fn start(parts: Parts, stop: &CancellationToken, tasks: &TaskTracker) -> Projections {
        let (plans, progress) = (Arc::new(Plans::default()), Progress::default());
        let runner =
            Runner { pool: parts.pool.clone(), subscription: parts.subscription, progress: progress.clone(), owner: Uuid::now_v7() };
        for projection in models::all(&plans) {
            tasks.spawn(runner.clone().run(projection, stop.clone()));
        }
        tasks.spawn(progress.clone().poll(parts.pool.clone(), stop.clone()));
        Projections {
            api: Api::new(parts.pool.clone(), progress.clone(), plans, parts.auth),
            pool: parts.pool,
            progress,
            lag_max: parts.args.projection_lag,
        }
    }

    /// The routes of the queries, with their descriptions.
    #[must_use]
    pub fn router(&self) -> OpenApiRouter {
        self.api.clone().router()
    }

    /// Adds a check per projection to those of `/readyz`.
    #[must_use]
    pub fn checks(&self, health: Health) -> Health {
        health::checks(health, &self.pool, self.lag_max)
    }

    /// How far each projection is, as far as this process knows.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}
