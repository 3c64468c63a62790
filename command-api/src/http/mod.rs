//! The commands over HTTP: one endpoint, or one small family, per file.
//!
//! Every handler reads the request, says who may ask, and hands one command to the executor; what it answers is what the
//! executor recorded. Accounts, sessions and plans are plain rows, so their endpoints speak to the database.

mod answer;
mod bookings;
mod command;
mod friends;
mod holds;
mod line;
mod me;
mod open_payments;
mod parties;
mod pay;
mod people;
mod plan_bodies;
mod plans;
mod receipts;
mod roles;
mod sessions;
mod shares;
mod shows;
mod sign_up;
mod steer;
mod time;
mod webhooks;

use crate::accounts::HashPool;
use crate::config::{CommandApiArgs, Limits};
use crate::executor::{self, Executor};
use crate::payments::Payments;
use axum::extract::{DefaultBodyLimit, FromRef};
use plan_bodies::PlanBodies;
use socketing_domain::Clock;
use socketing_domain::limits::PLAN_BYTES_MAX;
use socketing_service::Problem;
use socketing_service::auth::Auth;
use socketing_service::signed::Signer;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Plans that are read at once: one of 48 MiB takes several times that while it is parsed.
const IMPORTS_MAX: usize = 2;

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    pool: PgPool,
    executor: Executor,
    auth: Auth,
    hashes: HashPool,
    limits: Limits,
    clock: Arc<dyn Clock>,
    session: Duration,
    plans: PlanBodies,
    imports: Semaphore,
    payments: Payments,
    signer: OnceCell<Signer>,
}

impl Api {
    /// Commands to this executor, by these options.
    ///
    /// # Errors
    /// If the threads for passwords can't be started.
    pub fn new(
        pool: PgPool,
        executor: Executor,
        auth: Auth,
        clock: Arc<dyn Clock>,
        args: &CommandApiArgs,
        session: Duration,
        payments: Payments,
    ) -> std::io::Result<Api> {
        let plans = PlanBodies::new(pool.clone());
        let (hashes, limits) = (args.hash_pool()?, args.limits());
        let (imports, signer) = (Semaphore::new(IMPORTS_MAX), OnceCell::new());
        Ok(Api(Arc::new(Inner { pool, executor, auth, hashes, limits, clock, session, plans, imports, payments, signer })))
    }
}

impl Api {
    /// What statements are signed with: read when the first is asked for.
    async fn signer(&self) -> Result<&Signer, Problem> {
        let signer = self.0.signer.get_or_try_init(|| Signer::load_or_create(&self.0.pool)).await;
        signer.map_err(|error| Problem::internal("loading the key of statements", &error))
    }
}

impl FromRef<Api> for Auth {
    fn from_ref(api: &Api) -> Auth {
        api.0.auth.clone()
    }
}

/// The routes, with their descriptions; and, without one, the route that other nodes forward commands to.
pub fn router(api: Api) -> OpenApiRouter {
    let between_nodes = executor::router(api.0.executor.clone());
    routes().with_state(api).merge(OpenApiRouter::from(between_nodes))
}

/// The description of the routes, without anything running.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Api> {
    let uploads = OpenApiRouter::new().routes(routes!(plans::import)).layer(DefaultBodyLimit::max(PLAN_BYTES_MAX));
    OpenApiRouter::new()
        .routes(routes!(sign_up::sign_up))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(me::me))
        .routes(routes!(people::find))
        .routes(routes!(roles::grant))
        .routes(routes!(friends::request))
        .routes(routes!(friends::dismiss))
        .routes(routes!(friends::suggestions))
        .merge(uploads)
        .routes(routes!(plans::plan))
        .routes(routes!(shows::create))
        .routes(routes!(shows::publish))
        .routes(routes!(parties::form))
        .routes(routes!(parties::join))
        .routes(routes!(parties::invite))
        .routes(routes!(parties::withdraw))
        .routes(routes!(parties::expel))
        .routes(routes!(parties::hand_over))
        .routes(routes!(parties::accept))
        .routes(routes!(parties::decline))
        .routes(routes!(parties::leave))
        .routes(routes!(line::join))
        .routes(routes!(line::claim))
        .routes(routes!(line::leave))
        .routes(routes!(receipts::receipt))
        .routes(routes!(receipts::key))
        .routes(routes!(steer::pause))
        .routes(routes!(steer::resume))
        .routes(routes!(steer::drain))
        .routes(routes!(steer::limits))
        .routes(routes!(steer::evict))
        .routes(routes!(steer::beacon))
        .routes(routes!(steer::lost))
        .routes(routes!(holds::hold))
        .routes(routes!(holds::best))
        .routes(routes!(holds::mine))
        .routes(routes!(holds::extend))
        .routes(routes!(holds::release))
        .routes(routes!(shares::claim))
        .routes(routes!(shares::shares))
        .routes(routes!(bookings::book))
        .routes(routes!(bookings::cancel))
        .routes(routes!(pay::pay))
        .routes(routes!(pay::payment))
        .routes(routes!(pay::methods))
        .routes(routes!(open_payments::list))
        .routes(routes!(webhooks::card))
        .routes(routes!(time::now))
}

#[cfg(test)]
mod tests;
