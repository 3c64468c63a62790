//! For operators: payments and refunds whose outcome isn't known yet.

use super::Api;
use super::roles::require;
use crate::processes::{OpenPayments, State as PaymentState, open_payments};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use socketing_domain::account::Role;
use socketing_domain::refusal::Reason;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::Query;
use socketing_service::{Code, Problem};
use utoipa::IntoParams;

/// Payments in one answer: as many as a person looks through.
const LIMIT_MAX: u32 = 200;

/// Which.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those in this state.
    state: Option<PaymentState>,
    /// At most so many, 1 to 200.
    #[serde(default = "limit_max")]
    #[param(minimum = 1, maximum = 200, default = 200)]
    limit: u32,
}

const fn limit_max() -> u32 {
    LIMIT_MAX
}

socketing_service::error_responses!(
    OpenPaymentsErrors: codes::INVALID_QUERY, codes::UNAUTHENTICATED, codes::SESSION_EXPIRED, codes::BUSY, codes::TIMEOUT,
    codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::Forbidden)
);

/// Payments and refunds whose outcome isn't known yet, the longest first.
///
/// For operators. What is in doubt is asked about until it is known; nothing here needs a decision, but what is overdue
/// says that a provider is in trouble.
#[utoipa::path(get, path = "/v1/operator/payments", operation_id = "open_payments", tag = "operators", params(Which),
    responses((status = 200, description = "These, and how many there are.", body = OpenPayments), OpenPaymentsErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, Query(which): Query<Which>) -> Result<Json<OpenPayments>, Problem> {
    require(&api, &caller.actor, &[Role::Operator]).await?;
    if which.limit == 0 || which.limit > LIMIT_MAX {
        return Err(Problem::new(codes::INVALID_QUERY).detail(format!("limit: 1 to {LIMIT_MAX}, not {}", which.limit)));
    }
    let open = open_payments(&api.0.pool, which.state, api.0.payments.deadline, which.limit).await;
    open.map(Json).map_err(|error| Problem::unavailable("reading open payments", &error))
}
