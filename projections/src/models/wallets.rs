//! What each wallet holds: its last event says it.

use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::wallet;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) struct Wallets;

impl Projection for Wallets {
    fn model(&self) -> Model {
        Model::Wallets
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["wallets"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["wallet"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let balances: BTreeMap<Uuid, i64> = events.iter().filter_map(balance_after).collect();
    let (ids, balances): (Vec<Uuid>, Vec<i64>) = balances.into_iter().unzip();
    sqlx::query(
        "insert into wallets (account_id, balance) select * from unnest($1::uuid[], $2::bigint[])
         on conflict (account_id) do update set balance = excluded.balance",
    )
    .bind(ids)
    .bind(balances)
    .execute(tx)
    .await
    .map_err(HandlerError::database("write wallets"))?;
    Ok(())
}

fn balance_after(event: &Recorded) -> Option<(Uuid, i64)> {
    let StreamId::Wallet(account) = event.stream else { return None };
    let Event::Wallet(change) = &event.event else { return None };
    let balance = match change {
        wallet::Event::WalletOpened { balance, .. }
        | wallet::Event::WalletCharged { balance, .. }
        | wallet::Event::WalletRefunded { balance, .. } => balance,
    };
    Some((account.0, balance.get()))
}
