//! Seating plans: checked whole, kept under the hash of their content, given out for ever.

use super::Api;
use super::plan_bodies::PlanBodies;
use super::roles::require;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use socketing_domain::account::Role;
use socketing_domain::event::Actor;
use socketing_domain::plan::{self, Plan, PlanHash};
use socketing_domain::refusal::Reason;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// A plan never changes under its hash.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How to import.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    /// Only checks the plan; nothing is kept.
    #[serde(default)]
    check: bool,
}

/// How a plan is given out.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// Our own.
    #[default]
    Own,
    /// That of pretix, without what it can't say.
    Pretix,
}

/// In which format.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// The format.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// A plan in figures.
#[derive(Serialize, ToSchema)]
#[schema(as = PlanSummary)]
pub(super) struct Summary {
    /// Its hash: 64 hex digits.
    plan: PlanHash,
    name: String,
    /// How many seats it has.
    seats: usize,
    categories: Vec<CategorySummary>,
    /// The names of its areas.
    areas: Vec<String>,
}

/// A price category in figures.
#[derive(Serialize, ToSchema)]
pub(super) struct CategorySummary {
    name: String,
    /// As `#rrggbb`.
    color: String,
    /// How many of the seats are in it.
    seats: usize,
}

impl Summary {
    fn of(plan: &Plan, hash: PlanHash) -> Summary {
        let mut seats = vec![0; plan.categories.len()];
        for seat in &plan.seats {
            seats[usize::from(seat.category)] += 1;
        }
        let categories = plan.categories.iter().zip(seats);
        let categories =
            categories.map(|(category, seats)| CategorySummary { name: category.name.clone(), color: category.color.clone(), seats });
        Summary {
            plan: hash,
            name: plan.name.clone(),
            seats: plan.seats.len(),
            categories: categories.collect(),
            areas: plan.areas.iter().map(|area| area.name.clone()).collect(),
        }
    }
}

socketing_service::error_responses!(
    ImportErrors: codes::INVALID_QUERY, codes::BAD_JSON, codes::PLAN_INVALID, codes::TOO_LARGE, codes::UNAUTHENTICATED,
    codes::SESSION_EXPIRED, codes::ORIGIN_REFUSED, codes::BUSY, codes::TIMEOUT, codes::UNAVAILABLE, codes::INTERNAL, Code::of(Reason::Forbidden)
);

/// Imports a plan, in the pretix format or our own, up to 48 MiB.
///
/// It is refused whole, with everything that is wrong named by its place. Importing it again changes nothing: its name
/// is its content's. For organisers and operators.
#[utoipa::path(post, path = "/v1/plans", operation_id = "import_plan", tag = "plans", params(Import),
    request_body(content = inline(serde_json::Value), content_type = "application/json", description = "The plan."),
    responses((status = 201, description = "The plan is kept.", body = Summary),
        (status = 200, description = "The plan is good; nothing was kept (check=true).", body = Summary), ImportErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn import(
    State(api): State<Api>,
    caller: Caller,
    Query(how): Query<Import>,
    request: Request,
) -> Result<Response, Problem> {
    require(&api, &caller.actor, &[Role::Organiser, Role::Operator]).await?;
    let busy = || Problem::new(codes::BUSY).retry_after(Duration::from_secs(2));
    let _one_of_few = api.0.imports.try_acquire().map_err(|_| busy())?;
    let upload = read(request).await?;
    let (plan, hash) = parse(upload).await?;
    let summary = Summary::of(&plan, hash);
    if how.check {
        return Ok(Json(summary).into_response());
    }
    store(&api, &caller.actor, &plan, hash).await?;
    let location = HeaderValue::try_from(format!("/v1/plans/{hash}")).expect("a hash is ASCII");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(summary)).into_response())
}

/// The upload, whole. Any content type: what counts is whether it is a plan.
async fn read(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(codes::TOO_LARGE).detail("a plan has at most 48 MiB"),
        _ => Problem::new(codes::BAD_JSON).detail("the upload ended before it was complete"),
    })
}

/// Reads the plan off the threads that serve others: a large one takes a second.
async fn parse(upload: Bytes) -> Result<(Plan, PlanHash), Problem> {
    let parsed = tokio::task::spawn_blocking(move || Plan::import(&upload).map(|plan| (plan.hash(), plan)));
    let parsed = parsed.await.map_err(|error| Problem::internal("reading a plan", &error))?;
    parsed.map(|(hash, plan)| (plan, hash)).map_err(|wrong| invalid(&wrong))
}

fn invalid(wrong: &[plan::Problem]) -> Problem {
    let first = wrong.first().map(|problem| format!("{}: {}", problem.path, problem.detail)).unwrap_or_default();
    let more = if wrong.len() > 1 { format!(" (and {} more)", wrong.len() - 1) } else { String::new() };
    Problem::new(codes::PLAN_INVALID).detail(format!("{first}{more}")).member("errors", wrong)
}

async fn store(api: &Api, actor: &Actor, plan: &Plan, hash: PlanHash) -> Result<(), Problem> {
    let importer = if let Actor::Account(account) = actor { Some(account.0) } else { None };
    let stored =
        sqlx::query("insert into plans (hash, name, seats, plan, imported_by) values ($1, $2, $3, $4, $5) on conflict (hash) do nothing")
            .bind(hash.0.as_slice())
            .bind(&plan.name)
            .bind(i32::try_from(plan.seats.len()).unwrap_or(i32::MAX))
            .bind(sqlx::types::Json(plan))
            .bind(importer)
            .execute(&api.0.pool)
            .await;
    stored.map(drop).map_err(|error| Problem::database("keeping a plan", &error))
}

socketing_service::error_responses!(PlanErrors: codes::INVALID_ID, codes::INVALID_QUERY, codes::UNKNOWN_PLAN, codes::TIMEOUT, codes::UNAVAILABLE, codes::INTERNAL);

/// Gives a plan out, in our own format or that of pretix.
///
/// It never changes, so it may be cached for ever.
#[utoipa::path(get, path = "/v1/plans/{plan}", operation_id = "plan", tag = "plans",
    params(("plan" = PlanHash, Path, description = "Its hash: 64 hex digits."), Export),
    responses((status = 200, description = "The plan.", body = Plan), (status = 304, description = "What the client has is right."), PlanErrors))]
pub(super) async fn plan(
    State(api): State<Api>,
    Path(hash): Path<PlanHash>,
    Query(how): Query<Export>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (tag, pretix) = match how.format {
        Format::Own => (format!("\"{hash}\""), false),
        Format::Pretix => (format!("\"{hash}-pretix\""), true),
    };
    let tag = HeaderValue::try_from(tag).expect("a hash is ASCII");
    let caching = [(ETAG, tag.clone()), (CACHE_CONTROL, IMMUTABLE)];
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    if known && PlanBodies::exists(&api.0.pool, hash).await? {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let body = api.0.plans.get(hash).await?.ok_or_else(|| Problem::new(codes::UNKNOWN_PLAN))?;
    let body = if pretix { as_pretix(body).await? } else { body };
    Ok((caching, [(CONTENT_TYPE, JSON)], Body::from(body)).into_response())
}

/// Writes a plan anew, off the threads that serve others.
async fn as_pretix(own: Bytes) -> Result<Bytes, Problem> {
    let written = tokio::task::spawn_blocking(move || {
        let plan: Plan = serde_json::from_slice(&own)?;
        serde_json::to_vec(&plan.to_pretix())
    });
    let written = written.await.map_err(|error| Problem::internal("writing a plan", &error))?;
    written.map(Bytes::from).map_err(|error| Problem::internal("writing a plan", &error))
}

/// Whether `If-None-Match` names the tag (compared weakly, as RFC 9110 says), or any.
fn names(value: &HeaderValue, tag: &HeaderValue) -> bool {
    let (value, tag) = (value.to_str().unwrap_or_default(), tag.to_str().unwrap_or_default());
    value.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}
