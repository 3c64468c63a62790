//! `GET /v1/me/wallet`

use super::snapshot::{Standing, Touches};
use super::{Api, Fresh, MineErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use socketing_domain::Won;
use socketing_domain::event::StreamId;
use socketing_service::Problem;
use socketing_service::auth::Caller;
use socketing_service::catalogue::codes;
use socketing_service::extract::Query;
use std::time::Duration;
use utoipa::ToSchema;

/// What one's wallet holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Wallet {
    /// In won.
    balance: Won,
    #[serde(flatten)]
    standing: Standing,
}

/// What one's SocketPay wallet holds.
#[utoipa::path(
    get, path = "/v1/me/wallet", tag = "me", operation_id = "my_wallet", params(Fresh),
    responses((status = 200, body = Wallet), MineErrors), security(("bearer" = []), ("cookie" = []))
)]
pub(crate) async fn my_wallet(State(api): State<Api>, caller: Caller, Query(fresh): Query<Fresh>) -> Result<Json<Wallet>, Problem> {
    let account = caller.account()?;
    let touched = [StreamId::Wallet(account)];
    let mut snapshot = api.snapshot(&[Model::Wallets], fresh.min_position, Touches::Streams(&touched)).await?;
    let balance: Option<i64> = sqlx::query_scalar("select balance from wallets where account_id = $1")
        .bind(account.0)
        .fetch_optional(snapshot.connection())
        .await
        .map_err(failed("reading a wallet"))?;
    // A new account's wallet is opened a moment after the account; nobody is told that they have nothing meanwhile.
    let not_yet = || Problem::new(codes::PROJECTION_BEHIND).detail("the wallet isn't open yet").retry_after(Duration::from_secs(1));
    let balance = balance.and_then(Won::new).ok_or_else(not_yet)?;
    Ok(Json(Wallet { balance, standing: snapshot.standing }))
}
