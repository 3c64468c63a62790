//! What a line decides.

use super::state::{Entry, Opening};
use super::{Command, Departure, Event, WaitingRoom};
use crate::event::Actor;
use crate::limits::{CAPACITY_MAX, POLICY_SECONDS_MAX, WAITING_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::show::check::within;
use crate::{AccountId, EntryId, PartyId, Timestamp};

/// What a line's decisions rest on besides its state: who takes the place that is asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// The party, if it is one.
    pub party: Option<PartyId>,
    /// Everyone on the place, the actor first.
    pub members: Vec<AccountId>,
}

impl WaitingRoom {
    /// Decides a command.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, now: Timestamp, facts: &Facts, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::OpenLine { show, sale_opens_at, capacity, session_seconds } => {
                actor.system()?;
                self.open(Opening { show: *show, sale_opens_at: *sale_opens_at, capacity: *capacity, session_seconds: *session_seconds })
            }
            Command::JoinQueue { entry, .. } => self.join(actor.person()?, *entry, now, facts),
            Command::LeaveQueue => self.leave(actor.person()?, now),
            Command::Depart { account } => {
                actor.system()?;
                Ok(self.pass(*account, now).map(|entry| departed(&entry, Departure::Booked)).into_iter().collect())
            }
        }
    }

    fn open(&self, opening: Opening) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = &self.opening {
            if known.show == opening.show {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("the line is one of show {}", known.show));
        }
        let Opening { show, sale_opens_at, capacity, session_seconds } = opening;
        within("/capacity", capacity, 1..=CAPACITY_MAX)?;
        within("/session_seconds", session_seconds, 1..=POLICY_SECONDS_MAX)?;
        Ok(vec![Event::LineOpened { show, sale_opens_at, capacity, session_seconds }])
    }

    fn join(&self, account: AccountId, entry: EntryId, now: Timestamp, facts: &Facts) -> Result<Vec<Event>, Refusal> {
        let Some(opening) = &self.opening else {
            return refuse(Reason::UnknownPerformance, "this performance has no line");
        };
        if self.place(account, now).is_some() {
            return Ok(Vec::new());
        }
        let people = facts.members.len() as u32;
        self.must_fit(opening, entry, people, now)?;
        let over = self.over(&facts.members, now)?;
        let leaving: u32 = over.iter().map(Entry::people).sum();
        let mut events: Vec<Event> = over.iter().map(|entry| departed(entry, Departure::SessionOver)).collect();
        let number = self.last_number + 1;
        events.push(Event::QueueJoined { entry, number, account, party: facts.party, members: facts.members.clone() });
        if self.queue.is_empty() && self.people_inside - leaving + people <= opening.capacity {
            let session_ends_at = now.plus_seconds(opening.session_seconds);
            events.push(Event::EntryAdmitted { entry, number, session_ends_at });
        }
        Ok(events)
    }

    fn must_fit(&self, opening: &Opening, entry: EntryId, people: u32, now: Timestamp) -> Result<(), Refusal> {
        if now < opening.sale_opens_at {
            let closed = Refusal::new(Reason::SaleNotOpen, format!("the sale opens at {}", opening.sale_opens_at));
            return Err(closed.with_retry_at(opening.sale_opens_at));
        }
        if people > opening.capacity {
            let capacity = opening.capacity;
            return refuse(Reason::Invalid, format!("the party has {people} people; at most {capacity} may be inside at once"));
        }
        if self.ids.contains(&entry) || self.departed.get(&entry).is_some() {
            return refuse(Reason::IdTaken, format!("entry {entry} is another place of this line"));
        }
        if (self.people_waiting + people) as usize > WAITING_MAX {
            return refuse(Reason::LineFull, format!("at most {WAITING_MAX} people may wait in one line"));
        }
        Ok(())
    }

    /// The places of these people whose visits have run out. None of them may have another place.
    fn over(&self, members: &[AccountId], now: Timestamp) -> Result<Vec<Entry<'_>>, Refusal> {
        let mut over: Vec<Entry<'_>> = Vec::new();
        for member in members {
            match self.kept_place(*member) {
                None => {}
                Some(entry) if !entry.is_over(now) => {
                    return refuse(Reason::InAnotherParty, format!("account {member} has a place of its own in the line"));
                }
                Some(entry) if over.iter().any(|known| known.number == entry.number) => {}
                Some(entry) => over.push(entry),
            }
        }
        Ok(over)
    }

    fn leave(&self, account: AccountId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let Some(entry) = self.kept_place(account) else {
            return refuse(Reason::NotInLine, "this account has no place in this line");
        };
        if entry.account() != account {
            return refuse(Reason::NotLeader, "a party's place is its leader's to give up");
        }
        let reason = if entry.is_over(now) { Departure::SessionOver } else { Departure::Left };
        Ok(vec![departed(&entry, reason)])
    }

    /// What time alone has done until `now`: visits that ended, and who may come in instead. At most `most` events.
    #[must_use]
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<Event> {
        let Some(opening) = &self.opening else {
            return Vec::new();
        };
        let mut inside = self.people_inside;
        let mut events = Vec::new();
        for (_, number) in self.sessions.iter().take_while(|(ends_at, _)| *ends_at <= now).take(most) {
            let entry = self.entry(*number);
            inside -= entry.people();
            events.push(departed(&entry, Departure::SessionOver));
        }
        let session_ends_at = now.plus_seconds(opening.session_seconds);
        for entry in self.waiting() {
            if events.len() >= most || inside + entry.people() > opening.capacity {
                break;
            }
            inside += entry.people();
            events.push(Event::EntryAdmitted { entry: entry.id(), number: entry.number, session_ends_at });
        }
        events
    }

    /// The earliest moment at which [`WaitingRoom::due`] may have something.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let opening = self.opening.as_ref()?;
        let head = self.waiting().next();
        if head.is_some_and(|head| self.people_inside + head.people() <= opening.capacity) {
            return Some(opening.sale_opens_at);
        }
        self.sessions.first().map(|(ends_at, _)| *ends_at)
    }
}

fn departed(entry: &Entry<'_>, reason: Departure) -> Event {
    Event::EntryDeparted { entry: entry.id(), number: entry.number, reason }
}
