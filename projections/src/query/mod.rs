//! Queries over the read models.
//!
//! Every answer is read in one snapshot with its checkpoints and says the position that it rests on. Every query takes
//! `min_position`: who has just written something gives the position of the reply, and never sees what was before.
//! Nobody learns who holds a seat: people see what is theirs, organisers the figures of their shows.

mod bookings;
mod draw;
mod find;
mod friends;
mod invitations;
mod line;
mod page;
mod party;
mod people;
mod performances;
mod sales;
mod seats;
mod shows;
mod snapshot;
mod steering;
mod tickets;
mod wallet;
mod why;

use crate::plans::{PlanError, Plans};
use crate::progress::Progress;
use axum::extract::FromRef;
use serde::Deserialize;
use socketing_domain::account::Role;
use socketing_domain::event::Actor;
use socketing_service::Problem;
use socketing_service::auth::{self, Auth, Caller};
use socketing_service::catalogue::codes;
use socketing_service::signed::Signer;
use sqlx::postgres::PgPool;
use std::sync::Arc;
use tokio::sync::OnceCell;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What every query needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    progress: Progress,
    plans: Arc<Plans>,
    auth: Auth,
    maps: seats::MapCache,
    signer: OnceCell<Signer>,
}

impl FromRef<Api> for Auth {
    fn from_ref(api: &Api) -> Auth {
        api.0.auth.clone()
    }
}

impl Api {
    /// Queries on this database, waiting by this progress.
    #[must_use]
    pub fn new(pool: PgPool, progress: Progress, plans: Arc<Plans>, auth: Auth) -> Api {
        Api(Arc::new(Inner { pool, progress, plans, auth, maps: seats::MapCache::default(), signer: OnceCell::new() }))
    }

    /// The routes, with their descriptions.
    #[must_use]
    pub fn router(self) -> OpenApiRouter {
        routes().with_state(self)
    }

    /// What statements are signed with: read when the first is asked for.
    async fn signer(&self) -> Result<&Signer, Problem> {
        let signer = self.0.signer.get_or_try_init(|| Signer::load_or_create(&self.0.pool)).await;
        signer.map_err(|error| Problem::internal("loading the key of statements", &error))
    }

    /// Whether the caller runs the system.
    async fn is_operator(&self, caller: &Caller) -> Result<bool, Problem> {
        match caller.actor {
            Actor::System(_) => Ok(true),
            Actor::Account(account) => {
                let role = auth::role_in_read_model(&self.0.pool, account).await;
                Ok(role.map_err(|error| Problem::database("looking up a role", &error))? == Role::Operator)
            }
        }
    }
}

/// The description of the routes, without anything running.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(shows::list))
        .routes(routes!(shows::show))
        .routes(routes!(performances::performance))
        .routes(routes!(seats::seats))
        .routes(routes!(find::find))
        .routes(routes!(line::my_place))
        .routes(routes!(why::why))
        .routes(routes!(steering::steering))
        .routes(routes!(draw::draw))
        .routes(routes!(draw::tickets))
        .routes(routes!(sales::sales))
        .routes(routes!(bookings::my_bookings))
        .routes(routes!(tickets::my_tickets))
        .routes(routes!(invitations::my_invitations))
        .routes(routes!(party::party_link))
        .routes(routes!(wallet::my_wallet))
        .routes(routes!(friends::my_friends))
        .routes(routes!(friends::my_companions))
        .routes(routes!(friends::suggested))
}

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Fresh {
    /// The answer covers the log at least up to this position: of a command's reply, say. Waits for it up to 5 seconds.
    pub(crate) min_position: Option<u64>,
}

socketing_service::error_responses!(
    /// What any query may answer.
    QueryErrors: codes::INVALID_QUERY, codes::INVALID_ID, codes::POSITION_UNKNOWN, codes::PROJECTION_BEHIND,
    codes::PROJECTION_PARKED, codes::BUSY, codes::UNAVAILABLE, codes::INTERNAL
);

socketing_service::error_responses!(
    /// What a query about the caller may answer besides.
    MineErrors: codes::INVALID_QUERY, codes::INVALID_ID, codes::POSITION_UNKNOWN, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED,
    codes::NOT_A_PERSON, codes::PROJECTION_BEHIND, codes::PROJECTION_PARKED, codes::BUSY, codes::UNAVAILABLE, codes::INTERNAL
);

/// A statement failed.
fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> Problem {
    move |error| Problem::database(doing, &error)
}

/// A plan that a show names can't be had: it was there when the show was made, so this is our mistake or an outage.
fn no_plan(error: PlanError) -> Problem {
    match error {
        PlanError::Database { source, .. } => Problem::database("loading a plan", &source),
        error => Problem::internal("loading a plan", &error),
    }
}

/// Numbers that Postgres has as `bigint` and that are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
