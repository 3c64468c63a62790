//! Shows: drafted by organisers, then published.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use super::roles::require;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::account::Role;
use socketing_domain::plan::PlanHash;
use socketing_domain::reply::ShowReply;
use socketing_domain::show::{CategoryPrice, Command, Date, Details, Policies, Text};
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{ShowId, Timestamp};
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path, invalid, new_id};
use socketing_service::openapi::CommandHeaders;
use utoipa::ToSchema;

/// A show to draft.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewShow {
    /// The new show's id: a UUIDv7 made by the client.
    show_id: ShowId,
    /// Its title.
    title: Text,
    /// Where it is played.
    venue: Text,
    /// The seating plan, by hash.
    plan: PlanHash,
    /// Its dates, at least one, each with a UUIDv7 made by the client.
    dates: Vec<Date>,
    /// A price for each category that the plan's seats use.
    prices: Vec<CategoryPrice>,
    /// Before this, nobody gets in.
    sale_opens_at: Timestamp,
    /// The rules it is sold by; what isn't said is as in the default.
    #[serde(default)]
    policies: Option<Policies>,
    /// Rules by name, instead of `policies`.
    #[serde(default)]
    preset: Option<Preset>,
}

/// Rules by name.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    /// 4 seats each, 120 s to choose, 300 s to pay.
    Default,
    /// Those of the 2024 system: holds of 10 s, payment within 60 s, 100 people inside.
    Original,
}

impl NewShow {
    fn policies(&self) -> Result<Policies, Problem> {
        match (self.policies, self.preset) {
            (Some(_), Some(_)) => Err(invalid("/preset", "give policies or a preset, not both")),
            (Some(policies), None) => Ok(policies),
            (None, Some(Preset::Original)) => Ok(Policies::original()),
            (None, Some(Preset::Default) | None) => Ok(Policies::default()),
        }
    }

    fn check(self) -> Result<(ShowId, Details), Problem> {
        new_id("show_id", self.show_id.0)?;
        for (nth, date) in self.dates.iter().enumerate() {
            new_id(&format!("dates/{nth}/performance"), date.performance.0)?;
        }
        let policies = self.policies()?;
        let NewShow { show_id, title, venue, plan, dates, prices, sale_opens_at, .. } = self;
        Ok((show_id, Details { title, venue, plan, dates, prices, sale_opens_at, policies }))
    }
}

body_command_errors!(CreateErrors: ShowExists, IdTaken, Invalid, Forbidden; codes::UNKNOWN_PLAN);

/// Drafts a show.
///
/// For organisers and operators.
#[utoipa::path(post, path = "/v1/shows", operation_id = "create_show", tag = "shows",
    params(CommandHeaders), request_body = NewShow,
    responses((status = 201, description = "The draft.", body = Answer<ShowReply>), CreateErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn create(State(api): State<Api>, sender: Sender, Json(body): Json<NewShow>) -> Result<Response, Problem> {
    require(&api, &sender.caller.actor, &[Role::Organiser, Role::Operator]).await?;
    sender.caller.account()?;
    let (show, details) = body.check()?;
    let command = unit::Command::Show(Command::CreateShow { show, details });
    sender.answer(&api, StatusCode::CREATED, UnitId::Show(show), command).await
}

command_errors!(PublishErrors: UnknownShow, Invalid, Forbidden);

/// Makes a show public: its performances go on sale at the time it says.
///
/// For its organiser.
#[utoipa::path(post, path = "/v1/shows/{show}/publish", operation_id = "publish_show", tag = "shows",
    params(("show" = ShowId, Path), CommandHeaders),
    responses((status = 200, description = "The show is public.", body = Answer<ShowReply>), PublishErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn publish(State(api): State<Api>, Path(show): Path<ShowId>, sender: Sender) -> Result<Response, Problem> {
    sender.answer(&api, StatusCode::OK, UnitId::Show(show), unit::Command::Show(Command::PublishShow)).await
}
