//! Parties and who is in them.

use super::expect_rows;
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::party;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) struct Parties;

impl Projection for Parties {
    fn model(&self) -> Model {
        Model::Parties
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["parties", "party_members"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["party"]
    }

    fn handle<'a>(&'a self, tx: &'a mut PgConnection, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), HandlerError>> {
        write(tx, events).boxed()
    }
}

/// What a batch says. A party is formed before anything else happens in it, and frozen after everything else, so the
/// statements may go in that order.
#[derive(Default)]
struct Batch {
    formed: Vec<Formed>,
    /// The last state of each person in each party.
    members: BTreeMap<(Uuid, Uuid, Uuid), &'static str>,
    frozen: Vec<Frozen>,
}

struct Formed {
    performance: Uuid,
    party: Uuid,
    leader: Uuid,
}

struct Frozen {
    performance: Uuid,
    party: Uuid,
    entry: Uuid,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let mut batch = Batch::default();
    for event in events {
        batch.add(event)?;
    }
    let Some(first) = events.first() else { return Ok(()) };
    insert_parties(tx, &batch.formed).await?;
    store_members(tx, &batch.members).await?;
    freeze(tx, &batch.frozen, first).await
}

impl Batch {
    fn add(&mut self, event: &Recorded) -> Result<(), HandlerError> {
        let StreamId::Party(performance, party) = event.stream else {
            return Err(HandlerError::misfit(event, format!("stream {} is no party's", event.stream)));
        };
        let Event::Party(what) = &event.event else { return Ok(()) };
        let (performance, party) = (performance.0, party.0);
        let (account, state) = match what {
            party::Event::PartyFormed { leader, .. } => {
                self.formed.push(Formed { performance, party, leader: leader.0 });
                (leader, "member")
            }
            party::Event::FriendInvited { account } => (account, "invited"),
            party::Event::InvitationAccepted { account } => (account, "member"),
            party::Event::InvitationDeclined { account } => (account, "declined"),
            party::Event::MemberLeft { account } => (account, "left"),
            party::Event::PartyFrozen { entry, .. } => {
                self.frozen.push(Frozen { performance, party, entry: entry.0 });
                return Ok(());
            }
        };
        self.members.insert((performance, party, account.0), state);
        Ok(())
    }
}

async fn insert_parties(tx: &mut PgConnection, formed: &[Formed]) -> Result<(), HandlerError> {
    let column = |of: fn(&Formed) -> Uuid| formed.iter().map(of).collect::<Vec<Uuid>>();
    sqlx::query("insert into parties (performance_id, party_id, leader) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])")
        .bind(column(|party| party.performance))
        .bind(column(|party| party.party))
        .bind(column(|party| party.leader))
        .execute(tx)
        .await
        .map_err(HandlerError::database("write parties"))?;
    Ok(())
}

async fn store_members(tx: &mut PgConnection, members: &BTreeMap<(Uuid, Uuid, Uuid), &'static str>) -> Result<(), HandlerError> {
    let column = |of: fn(&(Uuid, Uuid, Uuid)) -> Uuid| members.keys().map(of).collect::<Vec<Uuid>>();
    sqlx::query(
        "insert into party_members (performance_id, party_id, account_id, state)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])
         on conflict (performance_id, party_id, account_id) do update set state = excluded.state",
    )
    .bind(column(|key| key.0))
    .bind(column(|key| key.1))
    .bind(column(|key| key.2))
    .bind(members.values().copied().collect::<Vec<&str>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("write party_members"))?;
    Ok(())
}

async fn freeze(tx: &mut PgConnection, frozen: &[Frozen], first: &Recorded) -> Result<(), HandlerError> {
    let column = |of: fn(&Frozen) -> Uuid| frozen.iter().map(of).collect::<Vec<Uuid>>();
    let parties = column(|party| party.party);
    let done = sqlx::query(
        "update parties p set frozen = true, entry_id = new.entry_id
         from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as new (performance_id, party_id, entry_id)
         where p.performance_id = new.performance_id and p.party_id = new.party_id",
    )
    .bind(column(|party| party.performance))
    .bind(&parties)
    .bind(column(|party| party.entry))
    .execute(tx)
    .await
    .map_err(HandlerError::database("freeze parties"))?;
    expect_rows(done.rows_affected(), &parties, first, "frozen parties")
}
