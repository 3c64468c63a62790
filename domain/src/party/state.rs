//! What is known of a party: the fold of its events.

use super::{Event, Terms};
use crate::limits::{PARTY_EXPELLED_MAX, PARTY_MEMBERS_MAX};
use crate::reply::PartyReply;
use crate::{AccountId, PartyId, PerformanceId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is known of a party: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Party {
    sequence: u64,
    pub(super) formed: Option<Formed>,
    pub(super) members: Vec<AccountId>,
    pub(super) invited: Vec<AccountId>,
    /// Who was sent away: the link doesn't let them in again, an invitation does.
    pub(super) expelled: Vec<AccountId>,
    pub(super) frozen: bool,
    pub(super) ended: bool,
    unused_until: Option<Timestamp>,
}

/// A party that was formed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Formed {
    party: PartyId,
    performance: PerformanceId,
    leader: AccountId,
    pub(super) terms: Terms,
}

impl Party {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Who leads, once it is formed.
    #[must_use]
    pub fn leader(&self) -> Option<AccountId> {
        self.formed.as_ref().map(|formed| formed.leader)
    }

    /// What its members agreed on, once it is formed.
    #[must_use]
    pub fn terms(&self) -> Option<Terms> {
        self.formed.as_ref().map(|formed| formed.terms)
    }

    /// Who is in it, the leader first. Nobody, once it has ended.
    #[must_use]
    pub fn members(&self) -> &[AccountId] {
        &self.members
    }

    /// Who is invited and hasn't answered.
    #[must_use]
    pub fn invited(&self) -> &[AccountId] {
        &self.invited
    }

    /// Whether it went into the line: its members stay as they are as long as its place there lasts.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether it is no more.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// When it ends unless it goes into the line before; `None` once it did, or has ended.
    #[must_use]
    pub const fn unused_until(&self) -> Option<Timestamp> {
        self.unused_until
    }

    /// The party as its people see it, once it is formed.
    #[must_use]
    pub fn reply(&self) -> Option<PartyReply> {
        let formed = self.formed.as_ref()?;
        Some(PartyReply {
            party_id: formed.party,
            performance_id: formed.performance,
            leader: formed.leader,
            members: self.members.clone(),
            invited: self.invited.clone(),
            frozen: self.frozen,
            ended: self.ended,
            terms: formed.terms,
        })
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        assert!(!self.ended, "{} of a party that has ended", event.name());
        match event {
            Event::PartyFormed { party, performance, leader, terms, unused_until } => {
                assert!(self.formed.is_none(), "{party} is formed twice");
                self.formed = Some(Formed { party: *party, performance: *performance, leader: *leader, terms: *terms });
                self.unused_until = *unused_until;
                self.members.push(*leader);
            }
            Event::FriendInvited { account } => {
                assert!(self.formed.is_some() && !self.frozen, "{account} is invited to no party, or to one in the line");
                assert!(!self.members.contains(account) && !self.invited.contains(account), "{account} is invited twice");
                self.expelled.retain(|expelled| expelled != account);
                self.invited.push(*account);
            }
            Event::InvitationAccepted { account } => {
                self.answer(*account);
                self.come(*account);
            }
            Event::InvitationDeclined { account } | Event::InvitationWithdrawn { account } => self.answer(*account),
            Event::MemberJoined { account } => self.come(*account),
            Event::MemberLeft { account } => self.go(*account),
            Event::MemberExpelled { account } => {
                self.go(*account);
                self.expelled.push(*account);
                assert!(self.expelled.len() <= PARTY_EXPELLED_MAX, "a party sent more people away than it may");
            }
            Event::LeaderChanged { leader } => self.follow(*leader),
            Event::PartyFrozen { members, .. } => {
                assert!(!self.frozen, "a party is frozen twice");
                assert_eq!(*members, self.members, "a party is frozen with other members");
                self.frozen = true;
                self.unused_until = None;
            }
            Event::PartyThawed { party } => assert!(std::mem::replace(&mut self.frozen, false), "{party} isn't frozen and thaws"),
            Event::PartyEnded { .. } => {
                assert!(!self.frozen, "a party ends in the line");
                self.ended = true;
                self.unused_until = None;
                self.members.clear();
                self.invited.clear();
            }
        }
        assert!(self.members.len() + self.invited.len() <= PARTY_MEMBERS_MAX, "a party is larger than a party may be");
    }

    fn answer(&mut self, account: AccountId) {
        let before = self.invited.len();
        self.invited.retain(|invited| *invited != account);
        assert_eq!(self.invited.len() + 1, before, "{account} has no invitation");
    }

    fn come(&mut self, account: AccountId) {
        assert!(self.formed.is_some() && !self.frozen, "{account} comes into no party, or into one that is in the line");
        assert!(!self.members.contains(&account) && !self.invited.contains(&account), "{account} comes twice");
        self.members.push(account);
    }

    fn go(&mut self, account: AccountId) {
        assert!(!self.frozen && self.leader() != Some(account), "{account} leads, or leaves a party that is in the line");
        let before = self.members.len();
        self.members.retain(|member| *member != account);
        assert_eq!(self.members.len() + 1, before, "{account} leaves and wasn't there");
    }

    fn follow(&mut self, leader: AccountId) {
        assert!(!self.frozen && self.members.contains(&leader), "{leader} isn't in the party, or it is in the line");
        let formed = self.formed.as_mut().expect("a party with members is formed");
        assert_ne!(formed.leader, leader, "{leader} leads already");
        formed.leader = leader;
        self.members.sort_by_key(|member| *member != leader); // stable: the others stay in the order in which they came
    }
}
