//! What people have: parties, wallets, roles, friends.

use super::{Fold, PlanMap, Table, key};
use crate::projection::Model;
use serde_json::{Value, json};
use socketing_domain::event::{Event, Recorded, StreamId};
use socketing_domain::{AccountId, EntryId, PartyId, PerformanceId};
use socketing_domain::{account, party, wallet};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Parties {
    parties: HashMap<(PerformanceId, PartyId), Party>,
}

#[derive(Default)]
struct Party {
    leader: AccountId,
    people: HashMap<AccountId, &'static str>,
    entry: Option<EntryId>,
    terms: party::Terms,
    ended: bool,
}

impl Fold for Parties {
    fn model(&self) -> Model {
        Model::Parties
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Party(performance, id) = event.stream else { return };
        let Event::Party(what) = &event.event else { return };
        let party = self.parties.entry((performance, id)).or_default();
        match what {
            party::Event::PartyFormed { leader, terms, .. } => {
                (party.leader, party.terms) = (*leader, *terms);
                party.people.insert(*leader, "member");
            }
            party::Event::FriendInvited { account } => drop(party.people.insert(*account, "invited")),
            party::Event::InvitationAccepted { account } => drop(party.people.insert(*account, "member")),
            party::Event::InvitationDeclined { account } => drop(party.people.insert(*account, "declined")),
            party::Event::InvitationWithdrawn { account } => drop(party.people.insert(*account, "withdrawn")),
            party::Event::MemberJoined { account } => drop(party.people.insert(*account, "member")),
            party::Event::MemberLeft { account } => drop(party.people.insert(*account, "left")),
            party::Event::MemberExpelled { account } => drop(party.people.insert(*account, "expelled")),
            party::Event::LeaderChanged { leader } => party.leader = *leader,
            party::Event::PartyFrozen { entry, .. } => party.entry = Some(*entry),
            party::Event::PartyThawed { .. } => party.entry = None,
            party::Event::PartyEnded { .. } => party.ended = true,
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let (mut parties, mut members) = (HashMap::new(), HashMap::new());
        for ((performance, id), party) in &self.parties {
            let party::Terms { picks, pays } = party.terms;
            let (frozen, ended) = (party.entry.is_some(), party.ended);
            let row =
                json!({ "leader": party.leader, "frozen": frozen, "entry": party.entry, "picks": picks, "pays": pays, "ended": ended });
            parties.insert(key(performance, id), row);
            for (account, state) in &party.people {
                members.insert(key(key(performance, id), account), Value::from(*state));
            }
        }
        vec![Table { name: "parties", rows: parties }, Table { name: "party_members", rows: members }]
    }
}

/// Balances by adding up what was put in and taken out; what the events say of the balance is what is being checked.
#[derive(Default)]
pub(super) struct Wallets {
    balances: HashMap<AccountId, i64>,
}

impl Fold for Wallets {
    fn model(&self) -> Model {
        Model::Wallets
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Wallet(account) = event.stream else { return };
        let Event::Wallet(what) = &event.event else { return };
        let balance = self.balances.entry(account).or_default();
        match what {
            wallet::Event::WalletOpened { balance: first, .. } => *balance += first.get(),
            wallet::Event::WalletCharged { amount, .. } => *balance -= amount.get(),
            wallet::Event::WalletRefunded { amount, .. } => *balance += amount.get(),
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let rows = self.balances.iter().map(|(account, balance)| (account.to_string(), Value::from(*balance))).collect();
        vec![Table { name: "wallets", rows }]
    }
}

#[derive(Default)]
pub(super) struct Accounts {
    roles: HashMap<AccountId, account::Role>,
}

impl Fold for Accounts {
    fn model(&self) -> Model {
        Model::Accounts
    }

    fn event(&mut self, event: &Recorded) {
        let Event::Account(what) = &event.event else { return };
        match what {
            account::Event::AccountOpened { account, .. } => drop(self.roles.insert(*account, account::Role::Fan)),
            account::Event::RoleGranted { account, role } => drop(self.roles.insert(*account, *role)),
            account::Event::FriendRequested { .. } | account::Event::FriendDismissed { .. } | account::Event::SuggestionsAllowed { .. } => {
            }
        }
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let rows = self.roles.iter().map(|(account, role)| (account.to_string(), json!(role))).collect();
        vec![Table { name: "account_roles", rows }]
    }
}

#[derive(Default)]
pub(super) struct Friends {
    /// What each said last of whom: whether they want to be friends, and where.
    words: HashMap<(AccountId, AccountId), (bool, u64)>,
    suggestible: HashMap<AccountId, bool>,
}

impl Fold for Friends {
    fn model(&self) -> Model {
        Model::Friends
    }

    fn event(&mut self, event: &Recorded) {
        let StreamId::Account(account) = event.stream else { return };
        let (friend, wants) = match &event.event {
            Event::Account(account::Event::FriendRequested { friend, .. }) => (*friend, true),
            Event::Account(account::Event::FriendDismissed { friend, .. }) => (*friend, false),
            Event::Account(account::Event::SuggestionsAllowed { allowed }) => {
                self.suggestible.insert(account, *allowed);
                return;
            }
            _ => return,
        };
        self.words.insert((account, friend), (wants, event.position));
    }

    fn tables(&self, _: &PlanMap) -> Vec<Table> {
        let word = |(&(account, friend), &(wants, position)): (&(AccountId, AccountId), &(bool, u64))| {
            (key(account, friend), json!({ "wants": wants, "position": position }))
        };
        let suggestible = self.suggestible.iter().map(|(account, allowed)| (account.to_string(), Value::from(*allowed))).collect();
        vec![
            Table { name: "friend_words", rows: self.words.iter().map(word).collect() },
            Table { name: "suggestible_accounts", rows: suggestible },
        ]
    }
}
