//! Who has which role.

use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::account::{self, Role};
use socketing_domain::event::{Event, Recorded};
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) struct Accounts;

impl Projection for Accounts {
    fn model(&self) -> Model {
        Model::Accounts
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["account_roles"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["account"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let roles: BTreeMap<Uuid, &str> = events.iter().filter_map(role_given).collect();
    let (ids, names): (Vec<Uuid>, Vec<&str>) = roles.into_iter().unzip();
    sqlx::query(
        "insert into account_roles (account_id, role) select * from unnest($1::uuid[], $2::text[])
         on conflict (account_id) do update set role = excluded.role",
    )
    .bind(ids)
    .bind(names)
    .execute(tx)
    .await
    .map_err(HandlerError::database("write account_roles"))?;
    Ok(())
}

fn role_given(event: &Recorded) -> Option<(Uuid, &'static str)> {
    match &event.event {
        Event::Account(account::Event::AccountOpened { account, .. }) => Some((account.0, role_name(Role::Fan))),
        Event::Account(account::Event::RoleGranted { account, role }) => Some((account.0, role_name(*role))),
        _ => None,
    }
}

/// As in the log and the API.
const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Fan => "fan",
        Role::Organiser => "organiser",
        Role::Operator => "operator",
    }
}
