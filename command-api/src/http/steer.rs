//! Running a line: pausing it, other limits, taking a place away, a beacon for its draw. For the show's organiser and for
//! operators; who it was stands in each event's metadata, and why in the event.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors};
use super::roles::{require, role_of};
use crate::executor::{OrganiserOf, ShowOf};
use crate::processes::kept_seed;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::account::Role;
use socketing_domain::event::Actor;
use socketing_domain::refusal::Reason;
use socketing_domain::reply::DoneReply;
use socketing_domain::unit::{self, UnitId};
use socketing_domain::waiting_room::Command;
use socketing_domain::{AccountId, PerformanceId};
use socketing_service::extract::{Json, Path};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// A sentence of at most 200 characters, which is kept for ever and may be shown to anybody.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Other limits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLimits {
    /// People inside at once, passes that aren't claimed yet included. 1 to 1,000,000, and at least the largest party.
    capacity: u32,
    /// People called in a minute, at most, 1 to 60,000; without it, as many as there are places.
    #[serde(default)]
    admissions_per_minute: Option<u32>,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// A place to take away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Eviction {
    /// The account whose place it is; of a party, any member's.
    account_id: AccountId,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// What a source outside says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBeacon {
    /// What it says, as it is published there.
    #[schema(min_length = 1, max_length = 200)]
    value: String,
    /// What it is, so that everybody can look it up: "drand, round 4711000", say.
    #[schema(min_length = 1, max_length = 200)]
    source: String,
}

/// A seed that is lost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LostSeed {
    /// What decides instead: something to come that everybody can look up, "drand, round 4712000", say.
    #[schema(min_length = 1, max_length = 200)]
    beacon_source: String,
    /// How it came to this.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

body_command_errors!(LoseErrors: UnknownPerformance, NoDraw, SeedKept, Invalid, Forbidden);
body_command_errors!(SteerErrors: UnknownPerformance, NotInLine, DrawUnderWay, NoDraw, Invalid, Forbidden);

/// Sends a command of those who run the line, if the caller is one of them.
async fn steer(api: &Api, performance: PerformanceId, sender: Sender, command: Command) -> Result<Response, Problem> {
    must_run(api, performance, &sender.caller.actor).await?;
    sender.answer(api, StatusCode::OK, UnitId::Performance(performance), unit::Command::Line(command)).await
}

async fn must_run(api: &Api, performance: PerformanceId, actor: &Actor) -> Result<(), Problem> {
    let Actor::Account(account) = actor else { return Ok(()) };
    if role_of(api, actor).await? == Role::Operator {
        return Ok(());
    }
    let show = api.0.executor.ask(UnitId::Performance(performance), ShowOf {}).await?.answer;
    let show = show.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    let organiser = api.0.executor.ask(UnitId::Show(show), OrganiserOf {}).await?.answer;
    if organiser == Some(*account) {
        return Ok(());
    }
    Err(Problem::new(Code::of(Reason::Forbidden)).detail("this is for the show's organiser and for operators"))
}

/// Pauses a line: nobody is called until it is resumed. People may still join.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/pause", operation_id = "pause_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = Why,
    responses((status = 200, description = "It is paused.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn pause(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(Why { reason }): Json<Why>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::PauseLine { reason }).await
}

/// Resumes a line that is paused or drained.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/resume", operation_id = "resume_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = Why,
    responses((status = 200, description = "People are called, and may join.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn resume(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(Why { reason }): Json<Why>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::ResumeLine { reason }).await
}

/// Drains a line: nobody joins any more, and who waits is still called.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/drain", operation_id = "drain_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = Why,
    responses((status = 200, description = "It drains.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn drain(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(Why { reason }): Json<Why>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::DrainLine { reason }).await
}

/// Sets a line's limits. Who is inside stays, also above them.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/limits", operation_id = "change_line_limits", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewLimits,
    responses((status = 200, description = "They count from here on.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn limits(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(NewLimits { capacity, admissions_per_minute, reason }): Json<NewLimits>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::ChangeLimits { capacity, admissions_per_minute, reason }).await
}

/// Takes a place away, with the seats that are held on it.
#[utoipa::path(post, path = "/v1/performances/{performance}/line/evict", operation_id = "evict_from_line", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = Eviction,
    responses((status = 200, description = "The place is gone.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn evict(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(Eviction { account_id, reason }): Json<Eviction>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::Evict { account: account_id, reason }).await
}

/// Mixes what a source outside says into the draw, once, before the seed is told.
#[utoipa::path(post, path = "/v1/performances/{performance}/draw/beacon", operation_id = "give_beacon", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewBeacon,
    responses((status = 200, description = "It is mixed in.", body = Answer<DoneReply>), SteerErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn beacon(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(NewBeacon { value, source }): Json<NewBeacon>,
) -> Result<Response, Problem> {
    steer(&api, performance, sender, Command::GiveBeacon { value, source }).await
}

/// Gives up a draw's seed that is lost, and names what decides instead: what a source outside will say, which is then given as
/// the beacon, after the lobby has closed. Refused while the seed is kept.
///
/// For operators.
#[utoipa::path(post, path = "/v1/performances/{performance}/draw/lost", operation_id = "lose_seed", tag = "line",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = LostSeed,
    responses((status = 200, description = "The draw waits for that beacon.", body = Answer<DoneReply>), LoseErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn lost(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(LostSeed { beacon_source, reason }): Json<LostSeed>,
) -> Result<Response, Problem> {
    require(&api, &sender.caller.actor, &[Role::Operator]).await?;
    let kept = kept_seed(&api.0.pool, performance).await.map_err(|error| Problem::internal("looking for a seed", &error))?;
    let command = unit::Command::Line(Command::LoseSeed { kept, beacon_source, reason });
    sender.answer(&api, StatusCode::OK, UnitId::Performance(performance), command).await
}
