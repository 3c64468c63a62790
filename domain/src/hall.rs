//! A performance with its line and its parties: one unit, decided by one writer, so that holding seats is decided with
//! the admission as a fact, and joining the line with the party's members.

use crate::event::{Actor, Event, StreamId};
use crate::limits::{EVENTS_PER_COMMAND_MAX, PARTIES_MAX, PARTY_UNUSED_SECONDS};
use crate::party::Party;
use crate::performance::{Admission, Agreement, Facts, Performance};
use crate::plan::PlanHash;
use crate::refusal::{Reason, Refusal, refuse};
use crate::reply::Reply;
use crate::unit::{Command, Context, UnitId};
use crate::waiting_room::WaitingRoom;
use crate::{AccountId, EntryId, PartyId, PerformanceId, Timestamp, party, performance, waiting_room};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Events with their streams.
type Decided = Result<Vec<(StreamId, Event)>, Refusal>;

/// A performance, its line and its parties. What is serialised is a snapshot's content: see [`crate::snapshot`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Hall {
    id: PerformanceId,
    performance: Performance,
    line: WaitingRoom,
    #[serde(with = "crate::sorted")]
    parties: HashMap<PartyId, Party>,
    /// The party each person is in. At most one.
    #[serde(with = "crate::sorted")]
    party_of: HashMap<AccountId, PartyId>,
    /// When parties end that nobody has taken into the line.
    unused: BTreeSet<(Timestamp, PartyId)>,
}

impl Hall {
    /// A hall nothing has happened in.
    #[must_use]
    pub fn new(id: PerformanceId) -> Hall {
        let (performance, line) = (Performance::default(), WaitingRoom::default());
        Hall { id, performance, line, parties: HashMap::new(), party_of: HashMap::new(), unused: BTreeSet::new() }
    }

    /// Whose seats, line and parties these are.
    #[must_use]
    pub const fn id(&self) -> PerformanceId {
        self.id
    }

    /// The seats.
    #[must_use]
    pub const fn performance(&self) -> &Performance {
        &self.performance
    }

    /// The line.
    #[must_use]
    pub const fn line(&self) -> &WaitingRoom {
        &self.line
    }

    /// A party of this performance.
    #[must_use]
    pub fn party(&self, party: PartyId) -> Option<&Party> {
        self.parties.get(&party)
    }

    /// The party that an account is a member of.
    #[must_use]
    pub fn party_of(&self, account: AccountId) -> Option<PartyId> {
        self.party_of.get(&account).copied()
    }

    pub(crate) fn plan_wanted(&self, command: &Command) -> Option<PlanHash> {
        use performance::Command::{Book, ExtendHold, HoldBest, HoldSeats, Schedule};
        match command {
            Command::Performance(Schedule { plan, .. }) => Some(*plan),
            Command::Performance(HoldSeats { .. } | HoldBest { .. } | ExtendHold { .. } | Book { .. }) => self.performance.plan(),
            _ => None,
        }
    }

    pub(crate) fn apply(&mut self, stream: &StreamId, event: &Event) {
        assert_eq!(stream.unit(), UnitId::Performance(self.id), "{stream} belongs to another unit");
        match (stream, event) {
            (StreamId::Performance(_), Event::Performance(event)) => self.performance.evolve(event),
            (StreamId::WaitingRoom(_), Event::WaitingRoom(event)) => self.line.evolve(event),
            (StreamId::Party(_, party), Event::Party(event)) => {
                self.members_changed(*party, event);
                let known = self.parties.entry(*party).or_default();
                let before = known.unused_until();
                known.evolve(event);
                let after = known.unused_until();
                self.unused_changed(*party, before, after);
            }
            (stream, event) => panic!("{} is no event of {stream}", event.event_type()),
        }
    }

    fn members_changed(&mut self, id: PartyId, event: &party::Event) {
        use party::Event::{InvitationAccepted, MemberExpelled, MemberJoined, MemberLeft, PartyEnded, PartyFormed};
        match event {
            PartyFormed { leader: account, .. } | InvitationAccepted { account } | MemberJoined { account } => {
                let before = self.party_of.insert(*account, id);
                assert_eq!(before, None, "{account} is in two parties");
            }
            MemberLeft { account } | MemberExpelled { account } => {
                assert_eq!(self.party_of.remove(account), Some(id), "{account} leaves a party it isn't in");
            }
            PartyEnded { .. } => {
                for member in self.parties.get(&id).map(Party::members).unwrap_or_default() {
                    self.party_of.remove(member);
                }
            }
            _ => {}
        }
    }

    fn unused_changed(&mut self, id: PartyId, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before != after {
            before.map(|at| self.unused.remove(&(at, id)));
            self.unused.extend(after.map(|at| (at, id)));
        }
    }

    pub(crate) fn sequence(&self, stream: &StreamId) -> u64 {
        match stream {
            StreamId::Performance(_) => self.performance.sequence(),
            StreamId::WaitingRoom(_) => self.line.sequence(),
            StreamId::Party(_, party) => self.parties.get(party).map_or(0, Party::sequence),
            StreamId::Account(_) | StreamId::Wallet(_) | StreamId::Show(_) => 0,
        }
    }

    pub(crate) fn decide(&self, context: &Context<'_>, command: &Command) -> Decided {
        let Context { actor, now, plan } = *context;
        match command {
            Command::Performance(command) => {
                let admission = self.admission(actor, now);
                let facts = Facts { plan, admission, agreement: self.agreement(admission, command) };
                let events = self.performance.decide(actor, now, &facts, command)?;
                Ok(self.of_performance(events))
            }
            Command::Line(waiting_room::Command::JoinQueue { entry, party }) => self.join(actor, now, *entry, *party),
            Command::Line(command @ waiting_room::Command::LeaveQueue) => self.go(actor, actor.person()?, now, command),
            Command::Line(command @ waiting_room::Command::SendAway { account }) => self.send_away(actor, *account, now, command),
            Command::Line(command @ waiting_room::Command::Evict { account, .. }) => self.go(actor, *account, now, command),
            Command::Line(command) => {
                let events = self.line.decide(actor, now, &waiting_room::Facts::default(), command)?;
                Ok(self.of_line(events))
            }
            Command::Party(id, command) => self.decide_party(actor, now, *id, command),
            Command::Account(_) | Command::Wallet(_) | Command::Show(_) => {
                refuse(Reason::Invalid, format!("{} isn't a performance's to decide", command.name()))
            }
        }
    }

    /// The actor's right to choose seats, and for whom.
    fn admission(&self, actor: Actor, now: Timestamp) -> Option<Admission<'_>> {
        let Actor::Account(account) = actor else { return None };
        let pass = self.line.pass(account, now)?;
        Some(Admission { party: pass.party(), members: pass.members() })
    }

    /// What the party agreed on that the seats are for: the one that is inside, or that a hold was made for.
    fn agreement(&self, admission: Option<Admission<'_>>, command: &performance::Command) -> Option<Agreement> {
        let id = match command.hold_used() {
            Some(hold) => self.performance.party_of_hold(hold),
            None => admission.and_then(|admission| admission.party),
        };
        let (id, party) = id.and_then(|id| Some((id, self.parties.get(&id)?)))?;
        Some(Agreement { party: id, leader: party.leader()?, terms: party.terms()? })
    }

    /// Joining the line: alone, or with the party one leads, which is frozen by it.
    fn join(&self, actor: Actor, now: Timestamp, entry: EntryId, party: Option<PartyId>) -> Decided {
        let account = actor.person()?;
        self.performance.not_started(now)?;
        if self.line.place(account, now).is_some() {
            return Ok(Vec::new());
        }
        let (members, frozen) = match party {
            Some(id) => self.led_party(account, id)?,
            None if self.party_of.contains_key(&account) => {
                return refuse(Reason::InAnotherParty, "a member of a party waits with the party");
            }
            None => (vec![account], true),
        };
        let command = waiting_room::Command::JoinQueue { entry, party };
        let facts = waiting_room::Facts { party, members };
        let joined = self.line.decide(actor, now, &facts, &command)?;
        let freeze = party.filter(|_| !frozen).map(|id| {
            let frozen = party::Event::PartyFrozen { entry, members: facts.members.clone() };
            (StreamId::Party(self.id, id), Event::Party(frozen))
        });
        Ok(freeze.into_iter().chain(self.of_line(joined)).collect())
    }

    /// The members of a party that this account leads, the leader first, and whether they can't change any more.
    fn led_party(&self, account: AccountId, id: PartyId) -> Result<(Vec<AccountId>, bool), Refusal> {
        let Some(party) = self.parties.get(&id) else {
            return refuse(Reason::UnknownParty, format!("this performance has no party {id}"));
        };
        if party.has_ended() {
            return refuse(Reason::PartyEnded, format!("party {id} is no more"));
        }
        if party.leader() != Some(account) {
            return refuse(Reason::NotLeader, "only the party's leader takes it into the line");
        }
        Ok((party.members().to_vec(), party.is_frozen()))
    }

    /// Someone who isn't there any more: what is held goes back only if the place does.
    fn send_away(&self, actor: Actor, account: AccountId, now: Timestamp, command: &waiting_room::Command) -> Decided {
        let events = self.go(actor, account, now, command)?;
        let departs = events.iter().any(|(_, event)| matches!(event, Event::WaitingRoom(_)));
        Ok(if departs { events } else { Vec::new() })
    }

    /// Giving a place up, or losing it, gives up the seats that are held on it.
    fn go(&self, actor: Actor, account: AccountId, now: Timestamp, command: &waiting_room::Command) -> Decided {
        let left = self.line.decide(actor, now, &waiting_room::Facts::default(), command)?;
        let held = self.performance.let_go(account, now);
        let mut events = self.of_performance(held.into_iter().collect());
        events.extend(self.of_line(left));
        Ok(events)
    }

    fn decide_party(&self, actor: Actor, now: Timestamp, id: PartyId, command: &party::Command) -> Decided {
        let account = actor.person()?;
        let (starts_at, sale_opens_at) = self.performance.not_started(now)?.moments();
        let elsewhere = self.party_of.get(&account).is_some_and(|other| *other != id) || self.line.place(account, now).is_some();
        let unformed = Party::default();
        let party = self.parties.get(&id).unwrap_or(&unformed);
        let facts = party::Facts {
            party: id,
            performance: self.id,
            elsewhere,
            room: self.parties.len() < PARTIES_MAX,
            in_line: party.leader().and_then(|leader| self.line.place(leader, now)).is_some(),
            unused_until: now.max(sale_opens_at).plus_seconds(PARTY_UNUSED_SECONDS).min(starts_at),
        };
        let events = party.decide(actor, &facts, command)?;
        Ok(self.of_party(id, events))
    }

    fn of_party(&self, id: PartyId, events: Vec<party::Event>) -> Vec<(StreamId, Event)> {
        let stream = StreamId::Party(self.id, id);
        events.into_iter().map(|event| (stream, Event::Party(event))).collect()
    }

    fn of_performance(&self, events: Vec<performance::Event>) -> Vec<(StreamId, Event)> {
        let stream = StreamId::Performance(self.id);
        events.into_iter().map(|event| (stream, Event::Performance(event))).collect()
    }

    fn of_line(&self, events: Vec<waiting_room::Event>) -> Vec<(StreamId, Event)> {
        let stream = StreamId::WaitingRoom(self.id);
        events.into_iter().map(|event| (stream, Event::WaitingRoom(event))).collect()
    }

    pub(crate) fn reply(&self, context: &Context<'_>, command: &Command) -> Reply {
        use performance::Command as Seats;
        let shown = match command {
            Command::Performance(Seats::HoldSeats { hold, .. } | Seats::HoldBest { hold, .. } | Seats::ExtendHold { hold }) => {
                self.performance.hold_reply(*hold, context.plan).map(Reply::Hold)
            }
            Command::Performance(Seats::Book { booking, .. } | Seats::Cancel { booking, .. }) => {
                self.performance.booking_reply(*booking).map(Reply::Booking)
            }
            Command::Performance(Seats::Pay { payment, booking, .. }) => {
                self.performance.payment_of(*payment, *booking).map(Reply::Payment)
            }
            Command::Line(waiting_room::Command::JoinQueue { .. } | waiting_room::Command::ClaimPass) => match context.actor {
                Actor::Account(account) => self.line.reply(account).map(Reply::Entry),
                Actor::System(_) => None,
            },
            Command::Party(id, _) => self.parties.get(id).and_then(Party::reply).map(Reply::Party),
            _ => None,
        };
        shown.unwrap_or(Reply::DONE)
    }

    pub(crate) fn due(&self, now: Timestamp) -> Vec<(StreamId, Event)> {
        let seats = self.performance.due(now, EVENTS_PER_COMMAND_MAX);
        let line = self.line.due(now, EVENTS_PER_COMMAND_MAX - seats.len());
        let parties = self.parties_due(now, EVENTS_PER_COMMAND_MAX - seats.len() - line.len());
        let mut events = self.of_performance(seats);
        events.extend(self.of_line(line));
        events.extend(parties);
        events
    }

    /// What ends the parties that nobody took into the line.
    fn parties_due(&self, now: Timestamp, most: usize) -> Vec<(StreamId, Event)> {
        let over = self.unused.iter().take_while(|(at, _)| *at <= now).take(most);
        over.flat_map(|(_, id)| self.of_party(*id, vec![self.parties[id].unused()])).collect()
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let unused = self.unused.first().map(|(at, _)| *at);
        self.performance.next_due().into_iter().chain(self.line.next_due()).chain(unused).min()
    }
}
