//! What each account last said of each other one, and who may be suggested as a friend.

use super::signed;
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::account;
use socketing_domain::event::{Event, Recorded, StreamId};
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) struct Friends;

impl Projection for Friends {
    fn model(&self) -> Model {
        Model::Friends
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["friend_words", "suggestible_accounts"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["account"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// What a batch says; of each thing the last word counts.
#[derive(Default)]
struct Batch {
    /// Who said of whom: whether they want to be friends, and where they said so.
    words: BTreeMap<(Uuid, Uuid), (bool, i64)>,
    suggestible: BTreeMap<Uuid, bool>,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let mut batch = Batch::default();
    for event in events {
        batch.add(event)?;
    }
    store_words(tx, &batch.words).await?;
    store_suggestible(tx, batch.suggestible).await
}

impl Batch {
    fn add(&mut self, event: &Recorded) -> Result<(), HandlerError> {
        let (StreamId::Account(account), Event::Account(what)) = (event.stream, &event.event) else {
            return Err(HandlerError::misfit(event, format!("stream {} is no account's", event.stream)));
        };
        let position = signed(event.position);
        match what {
            account::Event::FriendRequested { friend, .. } => drop(self.words.insert((account.0, friend.0), (true, position))),
            account::Event::FriendDismissed { friend, .. } => drop(self.words.insert((account.0, friend.0), (false, position))),
            account::Event::SuggestionsAllowed { allowed } => drop(self.suggestible.insert(account.0, *allowed)),
            account::Event::AccountOpened { .. } | account::Event::RoleGranted { .. } => {}
        }
        Ok(())
    }
}

async fn store_words(tx: &mut PgConnection, words: &BTreeMap<(Uuid, Uuid), (bool, i64)>) -> Result<(), HandlerError> {
    if words.is_empty() {
        return Ok(());
    }
    let (accounts, friends): (Vec<Uuid>, Vec<Uuid>) = words.keys().copied().unzip();
    let (wants, positions): (Vec<bool>, Vec<i64>) = words.values().copied().unzip();
    sqlx::query(
        "insert into friend_words (account_id, friend_id, wants, position)
         select * from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bigint[])
         on conflict (account_id, friend_id) do update set wants = excluded.wants, position = excluded.position",
    )
    .bind(accounts)
    .bind(friends)
    .bind(wants)
    .bind(positions)
    .execute(tx)
    .await
    .map_err(HandlerError::database("write friend_words"))?;
    Ok(())
}

async fn store_suggestible(tx: &mut PgConnection, suggestible: BTreeMap<Uuid, bool>) -> Result<(), HandlerError> {
    if suggestible.is_empty() {
        return Ok(());
    }
    let (accounts, allowed): (Vec<Uuid>, Vec<bool>) = suggestible.into_iter().unzip();
    sqlx::query(
        "insert into suggestible_accounts (account_id, allowed) select * from unnest($1::uuid[], $2::bool[])
         on conflict (account_id) do update set allowed = excluded.allowed",
    )
    .bind(accounts)
    .bind(allowed)
    .execute(tx)
    .await
    .map_err(HandlerError::database("write suggestible_accounts"))?;
    Ok(())
}
