//! Parties and who is in them.

use super::expect_rows;
use crate::projection::{HandlerError, Model, Projection};
use futures::future::{BoxFuture, FutureExt};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::party::{self, Pays, Picks, Terms};
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

/// What a batch says. A party is formed before anything else happens in it, and of what changes the last word counts, so
/// the statements may go in that order.
#[derive(Default)]
struct Batch {
    formed: Vec<Formed>,
    /// Who leads, which party stands frozen and on which place, and which has ended, by the last event that says so.
    changed: BTreeMap<(Uuid, Uuid), Changed>,
    /// The last state of each person in each party.
    members: BTreeMap<(Uuid, Uuid, Uuid), &'static str>,
}

struct Formed {
    performance: Uuid,
    party: Uuid,
    leader: Uuid,
    terms: Terms,
}

/// What became of a party, where it is said.
#[derive(Default)]
struct Changed {
    leader: Option<Uuid>,
    /// The place it waits on; within, none once that is gone.
    entry: Option<Option<Uuid>>,
    ended: bool,
}

async fn write(tx: &mut PgConnection, events: &[Recorded]) -> Result<(), HandlerError> {
    let mut batch = Batch::default();
    for event in events {
        batch.add(event)?;
    }
    let Some(first) = events.first() else { return Ok(()) };
    insert_parties(tx, &batch.formed).await?;
    store_members(tx, &batch.members).await?;
    change(tx, &batch.changed, first).await
}

impl Batch {
    fn add(&mut self, event: &Recorded) -> Result<(), HandlerError> {
        let StreamId::Party(performance, party) = event.stream else {
            return Err(HandlerError::misfit(event, format!("stream {} is no party's", event.stream)));
        };
        let Event::Party(what) = &event.event else { return Ok(()) };
        let (performance, party) = (performance.0, party.0);
        let (account, state) = match what {
            party::Event::PartyFormed { leader, terms, .. } => {
                self.formed.push(Formed { performance, party, leader: leader.0, terms: *terms });
                (leader, "member")
            }
            party::Event::InvitationWithdrawn { account } => (account, "withdrawn"),
            party::Event::MemberJoined { account } => (account, "member"),
            party::Event::MemberExpelled { account } => (account, "expelled"),
            party::Event::FriendInvited { account } => (account, "invited"),
            party::Event::InvitationAccepted { account } => (account, "member"),
            party::Event::InvitationDeclined { account } => (account, "declined"),
            party::Event::MemberLeft { account } => (account, "left"),
            party::Event::LeaderChanged { .. }
            | party::Event::PartyFrozen { .. }
            | party::Event::PartyThawed { .. }
            | party::Event::PartyEnded { .. } => {
                self.changed.entry((performance, party)).or_default().take(what);
                return Ok(());
            }
        };
        self.members.insert((performance, party, account.0), state);
        Ok(())
    }
}

impl Changed {
    fn take(&mut self, event: &party::Event) {
        match event {
            party::Event::LeaderChanged { leader } => self.leader = Some(leader.0),
            party::Event::PartyFrozen { entry, .. } => self.entry = Some(Some(entry.0)),
            party::Event::PartyThawed { .. } => self.entry = Some(None),
            party::Event::PartyEnded { .. } => self.ended = true,
            _ => {}
        }
    }
}

/// As the table has it.
const fn picks(terms: Terms) -> &'static str {
    match terms.picks {
        Picks::Anyone => "anyone",
        Picks::Leader => "leader",
    }
}

/// As the table has it.
const fn pays(terms: Terms) -> &'static str {
    match terms.pays {
        Pays::Chooser => "chooser",
        Pays::Leader => "leader",
        Pays::Shares => "shares",
        Pays::AllOrNone => "all_or_none",
    }
}

async fn insert_parties(tx: &mut PgConnection, formed: &[Formed]) -> Result<(), HandlerError> {
    let column = |of: fn(&Formed) -> Uuid| formed.iter().map(of).collect::<Vec<Uuid>>();
    let sql = "insert into parties (performance_id, party_id, leader, picks, pays)
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])";
    sqlx::query(sql)
        .bind(column(|party| party.performance))
        .bind(column(|party| party.party))
        .bind(column(|party| party.leader))
        .bind(formed.iter().map(|party| picks(party.terms)).collect::<Vec<&str>>())
        .bind(formed.iter().map(|party| pays(party.terms)).collect::<Vec<&str>>())
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

async fn change(tx: &mut PgConnection, changed: &BTreeMap<(Uuid, Uuid), Changed>, first: &Recorded) -> Result<(), HandlerError> {
    let (performances, parties): (Vec<Uuid>, Vec<Uuid>) = changed.keys().copied().unzip();
    let entries = || changed.values().map(|party| party.entry);
    let done = sqlx::query(
        "update parties p
         set leader = coalesce(new.leader, p.leader), ended = p.ended or new.ended,
             frozen = case when new.moved then new.entry_id is not null else p.frozen end,
             entry_id = case when new.moved then new.entry_id else p.entry_id end
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bool[], $5::uuid[], $6::bool[])
              as new (performance_id, party_id, leader, moved, entry_id, ended)
         where p.performance_id = new.performance_id and p.party_id = new.party_id",
    )
    .bind(performances)
    .bind(&parties)
    .bind(changed.values().map(|party| party.leader).collect::<Vec<Option<Uuid>>>())
    .bind(entries().map(|entry| entry.is_some()).collect::<Vec<bool>>())
    .bind(entries().map(Option::flatten).collect::<Vec<Option<Uuid>>>())
    .bind(changed.values().map(|party| party.ended).collect::<Vec<bool>>())
    .execute(tx)
    .await
    .map_err(HandlerError::database("change parties"))?;
    expect_rows(done.rows_affected(), &parties, first, "changed parties")
}
