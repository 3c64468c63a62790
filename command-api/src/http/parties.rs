//! Parties: friends who wait and sit together.
//!
//! A party's address is its invitation: it carries the performance's id, which routes it, and the party's, whose random bits
//! nobody guesses.

use super::Api;
use super::answer::Answer;
use super::command::{Sender, body_command_errors, command_errors};
use crate::accounts::people;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use socketing_domain::party::{Command, Pays, Picks, Terms};
use socketing_domain::refusal::Reason;
use socketing_domain::reply::PartyReply;
use socketing_domain::unit::{self, UnitId};
use socketing_domain::{AccountId, PartyId, PerformanceId};
use socketing_service::catalogue::codes;
use socketing_service::extract::{Json, Path, invalid, new_id};
use socketing_service::openapi::CommandHeaders;
use socketing_service::{Code, Problem};
use utoipa::ToSchema;

/// Someone to invite, or to ask to be friends: by account or by exact nickname, one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub(super) struct Invitation {
    /// The friend's account.
    #[serde(default)]
    account_id: Option<AccountId>,
    /// The friend's nickname.
    #[serde(default)]
    nickname: Option<String>,
}

impl Invitation {
    /// The friend's account, if there is one. Nicknames don't go further than here: the log knows accounts only.
    pub(super) async fn friend(self, api: &Api) -> Result<AccountId, Problem> {
        let found = match (self.account_id, self.nickname) {
            (Some(account), None) => people::by_account(&api.0.pool, account).await,
            (None, Some(nickname)) => people::by_nickname(&api.0.pool, nickname.trim()).await,
            _ => return Err(invalid("", "give account_id or nickname, one of the two")),
        };
        let found = found.map_err(|error| Problem::database("looking up a friend", &error))?;
        found.map(|person| person.account_id).ok_or_else(|| Code::of(Reason::UnknownAccount).into())
    }
}

/// A party to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewParty {
    /// The new party's id: a UUIDv7 made by the client. Whoever is shown it may join.
    party_id: PartyId,
    /// Who picks the seats: `anyone` or `leader`.
    #[serde(default)]
    picks: Picks,
    /// How it pays.
    #[serde(default)]
    pays: Pays,
}

body_command_errors!(FormErrors: UnknownPerformance, PartyFull, InAnotherParty, IdTaken, PerformanceStarted, Invalid, Forbidden);

/// Makes a party, which one leads.
///
/// What it agrees on stays. Who has its address joins it, as long as it isn't in the line.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties", operation_id = "form_party", tag = "parties",
    params(("performance" = PerformanceId, Path), CommandHeaders), request_body = NewParty,
    responses((status = 201, description = "The party.", body = Answer<PartyReply>), FormErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn form(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    sender: Sender,
    Json(body): Json<NewParty>,
) -> Result<Response, Problem> {
    new_id("party_id", body.party_id.0)?;
    let command = Command::FormParty { terms: Terms { picks: body.picks, pays: body.pays } };
    sender.answer(&api, StatusCode::CREATED, UnitId::Performance(performance), unit::Command::Party(body.party_id, command)).await
}

command_errors!(JoinErrors: UnknownPerformance, UnknownParty, PartyEnded, OwnParty, AlreadyMember, ExpelledFromParty, PartyFrozen,
    InAnotherParty, PartyFull, PerformanceStarted, Forbidden);

/// Joins a party by its address.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/join", operation_id = "join_party", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), JoinErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn join(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::JoinParty).await
}

body_command_errors!(InviteErrors: UnknownPerformance, UnknownAccount, PartyEnded, NotLeader, PartyFull, PartyFrozen, AlreadyMember, InAnotherParty,
    SelfInvitation, IdTaken, PerformanceStarted, Invalid, Forbidden);

/// Invites a friend.
///
/// The first invitation forms the party, under the id in the path (a UUIDv7 made by the client); who sends it leads.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/invitations", operation_id = "invite_friend", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), CommandHeaders), request_body = Invitation,
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), InviteErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn invite(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    sender: Sender,
    Json(body): Json<Invitation>,
) -> Result<Response, Problem> {
    if party.0.get_version_num() != 7 {
        return Err(Problem::new(codes::INVALID_ID).detail("a party's id is a UUIDv7 made by the client"));
    }
    let friend = body.friend(&api).await?;
    send(&api, performance, party, sender, Command::InviteFriend { friend }).await
}

command_errors!(WithdrawErrors: UnknownPerformance, UnknownParty, PartyEnded, NotLeader, AlreadyMember, PerformanceStarted, Forbidden);

/// Takes an invitation back.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/invitations/{account}/withdraw",
    operation_id = "withdraw_invitation", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), ("account" = AccountId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), WithdrawErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn withdraw(
    State(api): State<Api>,
    Path((performance, party, friend)): Path<(PerformanceId, PartyId, AccountId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::WithdrawInvitation { friend }).await
}

command_errors!(ExpelErrors: UnknownPerformance, UnknownParty, PartyEnded, NotLeader, OwnParty, NotInvited, PartyFrozen, PartyFull,
    PerformanceStarted, Forbidden);

/// Sends a member away.
///
/// The party's address doesn't let them in again; an invitation does.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/members/{account}/expel", operation_id = "expel_member",
    tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), ("account" = AccountId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), ExpelErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn expel(
    State(api): State<Api>,
    Path((performance, party, member)): Path<(PerformanceId, PartyId, AccountId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::ExpelMember { member }).await
}

command_errors!(HandOverErrors: UnknownPerformance, UnknownParty, PartyEnded, NotLeader, NotInvited, PartyFrozen, PerformanceStarted,
    Forbidden);

/// Has another member lead.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/members/{account}/lead", operation_id = "hand_party_over",
    tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), ("account" = AccountId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), HandOverErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn hand_over(
    State(api): State<Api>,
    Path((performance, party, member)): Path<(PerformanceId, PartyId, AccountId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::HandOver { member }).await
}

command_errors!(AcceptErrors: UnknownPerformance, UnknownParty, PartyEnded, NotInvited, PartyFull, PartyFrozen, AlreadyMember,
    InAnotherParty, PerformanceStarted, Forbidden);

/// Says yes to an invitation.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/accept", operation_id = "accept_invitation", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), AcceptErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn accept(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::AcceptInvitation).await
}

command_errors!(DeclineErrors: UnknownPerformance, UnknownParty, PartyEnded, NotInvited, AlreadyMember, PartyFrozen, Forbidden);

/// Says no to an invitation.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/decline", operation_id = "decline_invitation", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), DeclineErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn decline(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::DeclineInvitation).await
}

command_errors!(LeaveErrors: UnknownPerformance, UnknownParty, PartyEnded, NotInvited, PartyFrozen, Forbidden);

/// Leaves a party before it is in line.
///
/// When its leader does, whoever has been in it longest leads; when its last member does, it ends.
#[utoipa::path(post, path = "/v1/performances/{performance}/parties/{party}/leave", operation_id = "leave_party", tag = "parties",
    params(("performance" = PerformanceId, Path), ("party" = PartyId, Path), CommandHeaders),
    responses((status = 200, description = "The party.", body = Answer<PartyReply>), LeaveErrors),
    security(("bearer" = []), ("cookie" = [])))]
pub(super) async fn leave(
    State(api): State<Api>,
    Path((performance, party)): Path<(PerformanceId, PartyId)>,
    sender: Sender,
) -> Result<Response, Problem> {
    send(&api, performance, party, sender, Command::LeaveParty).await
}

async fn send(api: &Api, performance: PerformanceId, party: PartyId, sender: Sender, command: Command) -> Result<Response, Problem> {
    sender.answer(api, StatusCode::OK, UnitId::Performance(performance), unit::Command::Party(party, command)).await
}
