//! People who wait and sit together at one performance. Frozen when the leader joins the line.

use crate::event::{Actor, Ask};
use crate::limits::{PARTIES_MAX, PARTY_MEMBERS_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::reply::PartyReply;
use crate::{AccountId, EntryId, PartyId, PerformanceId};
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

/// What happened in a party. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Someone made a party; they lead it.
    PartyFormed {
        /// The party.
        party: PartyId,
        /// For which performance.
        performance: PerformanceId,
        /// Who leads.
        leader: AccountId,
    },
    /// The leader invited a friend.
    FriendInvited {
        /// Whom.
        account: AccountId,
    },
    /// The friend said yes.
    InvitationAccepted {
        /// Who.
        account: AccountId,
    },
    /// The friend said no.
    InvitationDeclined {
        /// Who.
        account: AccountId,
    },
    /// A member went away before the line.
    MemberLeft {
        /// Who.
        account: AccountId,
    },
    /// The party went into the line; from here on its members stay as they are.
    PartyFrozen {
        /// The place it waits on.
        entry: EntryId,
        /// Who is in it, the leader first.
        members: Vec<AccountId>,
    },
}

crate::event::stored_events! {
    PartyFormed = "1",
    FriendInvited = "1",
    InvitationAccepted = "1",
    InvitationDeclined = "1",
    MemberLeft = "1",
    PartyFrozen = "1",
}

/// What may be asked of a party.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Invites a friend; the first invitation forms the party, and whoever sends it leads.
    InviteFriend {
        /// Whom.
        friend: AccountId,
    },
    /// Says yes to an invitation.
    AcceptInvitation,
    /// Says no to an invitation.
    DeclineInvitation,
    /// Leaves the party before the line; a leader can't.
    LeaveParty,
}

impl Command {
    /// The command's name, as its JSON has it: `invite_friend`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::InviteFriend { .. } => "invite_friend",
            Command::AcceptInvitation => "accept_invitation",
            Command::DeclineInvitation => "decline_invitation",
            Command::LeaveParty => "leave_party",
        }
    }
}

/// What is known of a party: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Party {
    sequence: u64,
    formed: Option<Formed>,
    members: Vec<AccountId>,
    invited: Vec<AccountId>,
    frozen: bool,
}

/// A party that was formed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Formed {
    party: PartyId,
    performance: PerformanceId,
    leader: AccountId,
}

/// What a party's decisions rest on besides its state.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// The party's id.
    pub party: PartyId,
    /// Its performance.
    pub performance: PerformanceId,
    /// Whether the actor is in another party of the performance, or has a place of its own in the line.
    pub elsewhere: bool,
    /// Whether the performance has room for one more party.
    pub room: bool,
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

    /// Who is in it, the leader first.
    #[must_use]
    pub fn members(&self) -> &[AccountId] {
        &self.members
    }

    /// Who is invited and hasn't answered.
    #[must_use]
    pub fn invited(&self) -> &[AccountId] {
        &self.invited
    }

    /// Whether it is in the line: its members stay as they are.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.frozen
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
        })
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::PartyFormed { party, performance, leader } => {
                assert!(self.formed.is_none(), "{party} is formed twice");
                self.formed = Some(Formed { party: *party, performance: *performance, leader: *leader });
                self.members.push(*leader);
            }
            Event::FriendInvited { account } => {
                assert!(self.formed.is_some() && !self.frozen, "{account} is invited to no party, or to one in the line");
                assert!(!self.members.contains(account) && !self.invited.contains(account), "{account} is invited twice");
                self.invited.push(*account);
            }
            Event::InvitationAccepted { account } => {
                assert!(!self.frozen, "{account} comes into a party that is in the line");
                self.answer(*account);
                self.members.push(*account);
            }
            Event::InvitationDeclined { account } => self.answer(*account),
            Event::MemberLeft { account } => {
                assert!(!self.frozen && self.leader() != Some(*account), "{account} leads, or leaves a party that is in the line");
                let before = self.members.len();
                self.members.retain(|member| member != account);
                assert_eq!(self.members.len() + 1, before, "{account} leaves and wasn't there");
            }
            Event::PartyFrozen { members, .. } => {
                assert!(!self.frozen, "a party is frozen twice");
                assert_eq!(*members, self.members, "a party is frozen with other members");
                self.frozen = true;
            }
        }
        assert!(self.members.len() + self.invited.len() <= PARTY_MEMBERS_MAX, "a party is larger than a party may be");
    }

    fn answer(&mut self, account: AccountId) {
        let before = self.invited.len();
        self.invited.retain(|invited| *invited != account);
        assert_eq!(self.invited.len() + 1, before, "{account} answers no invitation");
    }

    /// Decides a command.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, facts: &Facts, command: &Command) -> Result<Vec<Event>, Refusal> {
        let account = actor.person()?;
        match command {
            Command::InviteFriend { friend } if self.formed.is_none() => form(account, *friend, facts),
            Command::InviteFriend { friend } => self.invite(account, *friend),
            Command::AcceptInvitation => self.accept(account, facts),
            Command::DeclineInvitation => self.decline(account, facts),
            Command::LeaveParty => self.leave(account, facts),
        }
    }

    fn invite(&self, account: AccountId, friend: AccountId) -> Result<Vec<Event>, Refusal> {
        if self.leader() != Some(account) {
            return refuse(Reason::NotLeader, "only the party's leader invites");
        }
        if friend == account {
            return refuse(Reason::SelfInvitation, "one can't invite oneself");
        }
        if self.members.contains(&friend) {
            return refuse(Reason::AlreadyMember, format!("account {friend} is in the party already"));
        }
        self.must_be_open()?;
        if self.invited.contains(&friend) {
            return Ok(Vec::new());
        }
        if self.members.len() + self.invited.len() >= PARTY_MEMBERS_MAX {
            return refuse(Reason::PartyFull, format!("a party has at most {PARTY_MEMBERS_MAX} people, invited ones included"));
        }
        Ok(vec![Event::FriendInvited { account: friend }])
    }

    fn accept(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_be_formed(facts)?;
        if self.members.contains(&account) {
            return Ok(Vec::new());
        }
        self.must_be_invited(account)?;
        self.must_be_open()?;
        if facts.elsewhere {
            return refuse(Reason::InAnotherParty, "one is in one party, or in the line alone");
        }
        Ok(vec![Event::InvitationAccepted { account }])
    }

    fn decline(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_be_formed(facts)?;
        if self.members.contains(&account) {
            return refuse(Reason::AlreadyMember, "the invitation was accepted; a member leaves the party instead");
        }
        self.must_be_invited(account)?;
        Ok(vec![Event::InvitationDeclined { account }])
    }

    fn leave(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_be_formed(facts)?;
        if !self.members.contains(&account) {
            return refuse(Reason::NotInvited, "this account isn't in the party");
        }
        if self.leader() == Some(account) {
            return refuse(Reason::Forbidden, "a party's leader can't leave it");
        }
        self.must_be_open()?;
        Ok(vec![Event::MemberLeft { account }])
    }

    fn must_be_formed(&self, facts: &Facts) -> Result<(), Refusal> {
        if self.formed.is_some() {
            return Ok(());
        }
        refuse(Reason::UnknownParty, format!("this performance has no party {}", facts.party))
    }

    fn must_be_invited(&self, account: AccountId) -> Result<(), Refusal> {
        if self.invited.contains(&account) {
            return Ok(());
        }
        refuse(Reason::NotInvited, format!("account {account} isn't invited to this party"))
    }

    fn must_be_open(&self) -> Result<(), Refusal> {
        if !self.frozen {
            return Ok(());
        }
        refuse(Reason::PartyFrozen, "the party went into the line; its members stay as they are")
    }
}

/// The first invitation forms the party.
fn form(leader: AccountId, friend: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
    if friend == leader {
        return refuse(Reason::SelfInvitation, "one can't invite oneself");
    }
    if facts.elsewhere {
        return refuse(Reason::InAnotherParty, "one is in one party, or in the line alone");
    }
    if !facts.room {
        return refuse(Reason::PartyFull, format!("a performance has at most {PARTIES_MAX} parties"));
    }
    let Facts { party, performance, .. } = *facts;
    Ok(vec![Event::PartyFormed { party, performance, leader }, Event::FriendInvited { account: friend }])
}

impl cqrs_es::Aggregate for Party {
    const TYPE: &'static str = "party";
    type Command = Ask<Command, Facts>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, &ask.facts, &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
