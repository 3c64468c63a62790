//! People who wait and sit together at one performance.
//!
//! A party is made with its terms, and joined by its link or by an invitation. Its members stay as they are from the moment
//! the leader takes it into the line for as long as its place there lasts: the line counts people, and seats are held for
//! just those who waited.

mod event;
mod state;

pub use event::{Command, Ending, Event, Pays, Picks, Terms};
pub use state::Party;

use crate::event::{Actor, Ask};
use crate::limits::{PARTIES_MAX, PARTY_EXPELLED_MAX, PARTY_MEMBERS_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, PartyId, PerformanceId, Timestamp};
use cqrs_es::event_sink::EventSink;

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
    /// Whether the party has a place in the line, or is inside.
    pub in_line: bool,
    /// When a party that is made now ends if it isn't used.
    pub unused_until: Timestamp,
}

impl Party {
    /// Decides a command.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, facts: &Facts, command: &Command) -> Result<Vec<Event>, Refusal> {
        let account = actor.person()?;
        match command {
            Command::FormParty { terms } => self.form(account, *terms, facts),
            Command::InviteFriend { friend } if self.formed.is_none() => self.form_with(account, *friend, facts),
            Command::InviteFriend { friend } => self.invite(account, *friend, facts),
            Command::WithdrawInvitation { friend } => self.withdraw(account, *friend, facts),
            Command::AcceptInvitation => self.accept(account, facts),
            Command::DeclineInvitation => self.decline(account, facts),
            Command::JoinParty => self.join(account, facts),
            Command::LeaveParty => self.leave(account, facts),
            Command::ExpelMember { member } => self.expel(account, *member, facts),
            Command::HandOver { member } => self.hand_over(account, *member, facts),
        }
    }

    /// What ends a party that nobody took into the line.
    pub(crate) fn unused(&self) -> Event {
        Event::PartyEnded { reason: Ending::Unused }
    }

    fn form(&self, leader: AccountId, terms: Terms, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        if self.formed.is_some() {
            if self.leader() == Some(leader) && self.terms() == Some(terms) && !self.ended {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("{} is another party of this performance", facts.party));
        }
        if facts.elsewhere {
            return refuse(Reason::InAnotherParty, "one is in one party, or in the line alone");
        }
        if !facts.room {
            return refuse(Reason::PartyFull, format!("a performance has at most {PARTIES_MAX} parties"));
        }
        let Facts { party, performance, unused_until, .. } = *facts;
        Ok(vec![Event::PartyFormed { party, performance, leader, terms, unused_until: Some(unused_until) }])
    }

    /// The first invitation forms the party.
    fn form_with(&self, leader: AccountId, friend: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        if friend == leader {
            return refuse(Reason::SelfInvitation, "one can't invite oneself");
        }
        let mut events = self.form(leader, Terms::default(), facts)?;
        events.push(Event::FriendInvited { account: friend });
        Ok(events)
    }

    fn invite(&self, account: AccountId, friend: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_lead(account, facts)?;
        if friend == account {
            return refuse(Reason::SelfInvitation, "one can't invite oneself");
        }
        if self.members.contains(&friend) {
            return refuse(Reason::AlreadyMember, format!("account {friend} is in the party already"));
        }
        let thaw = self.must_be_open(facts)?;
        if self.invited.contains(&friend) {
            return Ok(Vec::new());
        }
        self.must_have_room()?;
        Ok(after(thaw, [Event::FriendInvited { account: friend }]))
    }

    fn withdraw(&self, account: AccountId, friend: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_lead(account, facts)?;
        if self.members.contains(&friend) {
            return refuse(Reason::AlreadyMember, format!("account {friend} accepted; a member is sent away instead"));
        }
        if !self.invited.contains(&friend) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::InvitationWithdrawn { account: friend }])
    }

    fn accept(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_stand(facts)?;
        if self.members.contains(&account) {
            return Ok(Vec::new());
        }
        self.must_be_invited(account)?;
        let thaw = self.must_be_open(facts)?;
        must_be_here_only(facts)?;
        Ok(after(thaw, [Event::InvitationAccepted { account }]))
    }

    fn decline(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_stand(facts)?;
        if self.members.contains(&account) {
            return refuse(Reason::AlreadyMember, "the invitation was accepted; a member leaves the party instead");
        }
        self.must_be_invited(account)?;
        Ok(vec![Event::InvitationDeclined { account }])
    }

    fn join(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_stand(facts)?;
        if self.leader() == Some(account) {
            return refuse(Reason::OwnParty, "whoever leads a party is in it already");
        }
        if self.members.contains(&account) {
            return refuse(Reason::AlreadyMember, "this account is in the party already");
        }
        if self.expelled.contains(&account) {
            return refuse(Reason::ExpelledFromParty, "the party's leader sent this account away; an invitation would let it in");
        }
        let thaw = self.must_be_open(facts)?;
        must_be_here_only(facts)?;
        if self.invited.contains(&account) {
            return Ok(after(thaw, [Event::InvitationAccepted { account }]));
        }
        self.must_have_room()?;
        Ok(after(thaw, [Event::MemberJoined { account }]))
    }

    fn leave(&self, account: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_stand(facts)?;
        if !self.members.contains(&account) {
            return refuse(Reason::NotInvited, "this account isn't in the party");
        }
        let thaw = self.must_be_open(facts)?;
        if self.leader() != Some(account) {
            return Ok(after(thaw, [Event::MemberLeft { account }]));
        }
        match self.members.get(1) {
            Some(next) => Ok(after(thaw, [Event::LeaderChanged { leader: *next }, Event::MemberLeft { account }])),
            None => Ok(after(thaw, [Event::PartyEnded { reason: Ending::Dissolved }])),
        }
    }

    fn expel(&self, account: AccountId, member: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_lead(account, facts)?;
        if member == account {
            return refuse(Reason::OwnParty, "a leader doesn't send itself away; it leaves, or hands the party over");
        }
        if self.expelled.contains(&member) {
            return Ok(Vec::new());
        }
        self.must_have(member)?;
        let thaw = self.must_be_open(facts)?;
        if self.expelled.len() >= PARTY_EXPELLED_MAX {
            return refuse(Reason::PartyFull, format!("a party sends at most {PARTY_EXPELLED_MAX} people away"));
        }
        Ok(after(thaw, [Event::MemberExpelled { account: member }]))
    }

    fn hand_over(&self, account: AccountId, member: AccountId, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        self.must_lead(account, facts)?;
        if member == account {
            return Ok(Vec::new());
        }
        self.must_have(member)?;
        let thaw = self.must_be_open(facts)?;
        Ok(after(thaw, [Event::LeaderChanged { leader: member }]))
    }

    /// It was formed and hasn't ended.
    fn must_stand(&self, facts: &Facts) -> Result<(), Refusal> {
        match (&self.formed, self.ended) {
            (None, _) => refuse(Reason::UnknownParty, format!("this performance has no party {}", facts.party)),
            (Some(_), true) => refuse(Reason::PartyEnded, format!("party {} is no more", facts.party)),
            (Some(_), false) => Ok(()),
        }
    }

    fn must_lead(&self, account: AccountId, facts: &Facts) -> Result<(), Refusal> {
        self.must_stand(facts)?;
        if self.leader() == Some(account) {
            return Ok(());
        }
        refuse(Reason::NotLeader, "only the party's leader may do this")
    }

    fn must_be_invited(&self, account: AccountId) -> Result<(), Refusal> {
        if self.invited.contains(&account) {
            return Ok(());
        }
        refuse(Reason::NotInvited, format!("account {account} isn't invited to this party"))
    }

    fn must_have(&self, member: AccountId) -> Result<(), Refusal> {
        if self.members.contains(&member) {
            return Ok(());
        }
        refuse(Reason::NotInvited, format!("account {member} isn't in the party"))
    }

    fn must_have_room(&self) -> Result<(), Refusal> {
        if self.members.len() + self.invited.len() < PARTY_MEMBERS_MAX {
            return Ok(());
        }
        refuse(Reason::PartyFull, format!("a party has at most {PARTY_MEMBERS_MAX} people, invited ones included"))
    }

    /// Its members may change. If it was in the line and is no more, that is said first.
    fn must_be_open(&self, facts: &Facts) -> Result<Option<Event>, Refusal> {
        if self.frozen && facts.in_line {
            return refuse(Reason::PartyFrozen, "the party went into the line; its members stay as they are");
        }
        Ok(self.frozen.then_some(Event::PartyThawed { party: facts.party }))
    }
}

fn must_be_here_only(facts: &Facts) -> Result<(), Refusal> {
    if facts.elsewhere {
        return refuse(Reason::InAnotherParty, "one is in one party, or in the line alone");
    }
    Ok(())
}

fn after<const N: usize>(first: Option<Event>, events: [Event; N]) -> Vec<Event> {
    first.into_iter().chain(events).collect()
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
