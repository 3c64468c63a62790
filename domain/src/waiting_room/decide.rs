//! What a line decides.

use super::state::{Entry, Flow, Opening, Standing};
use super::{Command, Departure, Event, WaitingRoom};
use crate::event::Actor;
use crate::limits::{CAPACITY_MAX, POLICY_SECONDS_MAX, WAITING_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::show::check::{line_rules, within};
use crate::{AccountId, EntryId, PartyId, Timestamp};

/// People are called in groups: those of one second, in microseconds. More often would make a commit for each of them.
const BURST_US: i64 = 1_000_000;

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
            Command::OpenLine { show, sale_opens_at, capacity, session_seconds, rules } => {
                actor.system()?;
                let (show, sale_opens_at, capacity) = (*show, *sale_opens_at, *capacity);
                self.open(Opening { show, sale_opens_at, capacity, session_seconds: *session_seconds, rules: *rules })
            }
            Command::CommitDraw { commitment } => {
                actor.system()?;
                self.commit_draw(now, *commitment)
            }
            Command::RevealSeed { seed } => {
                actor.system()?;
                self.reveal_seed(*seed)
            }
            Command::JoinQueue { entry, .. } => self.join(actor.person()?, *entry, now, facts),
            Command::ClaimPass => self.claim(actor.person()?, now),
            Command::LeaveQueue => self.leave(actor.person()?, now),
            Command::Depart { account } => {
                actor.system()?;
                Ok(self.pass(*account, now).map(|entry| entry.departs(Departure::Booked)).into_iter().collect())
            }
            Command::SendAway { account } => {
                actor.system()?;
                let here = self.place(*account, now).filter(|entry| entry.standing != Standing::Waiting);
                Ok(here.map(|entry| entry.departs(Departure::Away)).into_iter().collect())
            }
            command => self.steer(now, command),
        }
    }

    fn open(&self, opening: Opening) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = &self.opening {
            if known.show == opening.show {
                return Ok(Vec::new());
            }
            return refuse(Reason::IdTaken, format!("the line is one of show {}", known.show));
        }
        let Opening { show, sale_opens_at, capacity, session_seconds, rules } = opening;
        within("/capacity", capacity, 1..=CAPACITY_MAX)?;
        within("/session_seconds", session_seconds, 1..=POLICY_SECONDS_MAX)?;
        line_rules("/rules", &rules)?;
        Ok(vec![Event::LineOpened { show, sale_opens_at, capacity, session_seconds, rules }])
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
        let mut events: Vec<Event> = self.lobby_must_close(now).then(|| self.closing()).into_iter().collect();
        events.extend(over.iter().filter_map(|entry| Some(entry.departs(entry.over(now)?))));
        let number = self.last_number + 1;
        events.push(Event::QueueJoined { entry, number, account, party: facts.party, members: facts.members.clone() });
        if self.queue.is_empty() && self.calls(now) && self.people_inside - leaving + people <= self.capacity() {
            let session_ends_at = now.plus_seconds(opening.session_seconds);
            events.push(Event::EntryAdmitted { entry, number, session_ends_at });
        }
        Ok(events)
    }

    /// Whether anybody may be let in now, if there is a place.
    fn calls(&self, now: Timestamp) -> bool {
        let open = self.opening.as_ref().is_some_and(|opening| opening.sale_opens_at <= now);
        open && self.flow != Flow::Paused && !self.is_drawing() && self.paced_until_us <= micros(now)
    }

    fn must_fit(&self, opening: &Opening, entry: EntryId, people: u32, now: Timestamp) -> Result<(), Refusal> {
        if now < opening.sale_opens_at && !self.lobby_is_open(now) {
            let opens_at = self.draw.as_ref().map_or(opening.sale_opens_at, |draw| draw.lobby_opens_at);
            let closed = Refusal::new(Reason::SaleNotOpen, format!("the sale opens at {}", opening.sale_opens_at));
            return Err(closed.with_retry_at(opens_at));
        }
        if self.flow == Flow::Draining {
            return refuse(Reason::LineDraining, "nobody joins this line any more");
        }
        if people > self.capacity() {
            let capacity = self.capacity();
            return refuse(Reason::Invalid, format!("the party has {people} people; at most {capacity} may be inside at once"));
        }
        if self.has(entry) || self.departed.get(&entry).is_some() {
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
        self.can_go(now)?;
        Ok(vec![entry.departs(entry.over(now).unwrap_or(Departure::Left))])
    }

    fn claim(&self, account: AccountId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let (Some(opening), Some(entry)) = (&self.opening, self.kept_place(account)) else {
            return refuse(Reason::NotInLine, "this account has no place in this line");
        };
        match entry.standing {
            Standing::Waiting => refuse(Reason::NotCalled, "this place wasn't called yet"),
            Standing::Called(claim_by) if claim_by <= now => {
                refuse(Reason::PassExpired, format!("the pass was to be claimed by {claim_by}"))
            }
            Standing::Inside(ends_at) if ends_at <= now => refuse(Reason::NotInLine, format!("the visit ended at {ends_at}")),
            Standing::Inside(_) => Ok(Vec::new()),
            Standing::Called(_) => {
                let session_ends_at = now.plus_seconds(opening.session_seconds);
                Ok(vec![Event::EntryAdmitted { entry: entry.id(), number: entry.number, session_ends_at }])
            }
        }
    }

    /// What time alone has done until `now`: the lobby that closed, passes and visits that ended, and who is called
    /// instead. At most `most` events.
    #[must_use]
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<Event> {
        if self.lobby_must_close(now) {
            return (most > 0).then(|| self.closing()).into_iter().collect();
        }
        let Some(opening) = &self.opening else {
            return Vec::new();
        };
        let mut inside = self.people_inside;
        let mut events = Vec::new();
        for (_, number) in self.sessions.iter().take_while(|(ends_at, _)| *ends_at <= now).take(most) {
            let entry = self.entry(*number);
            inside -= entry.people();
            events.extend(entry.over(now).map(|reason| entry.departs(reason)));
        }
        if !self.calls(now) {
            return events;
        }
        let claim_by = now.plus_seconds(opening.rules.claim_seconds);
        let (now_us, mut paced_us) = (micros(now), self.paced_until_us);
        for entry in self.waiting() {
            if events.len() >= most || paced_us >= now_us + BURST_US || inside + entry.people() > self.capacity() {
                break;
            }
            inside += entry.people();
            paced_us = self.paced(paced_us, now_us, entry.people());
            events.push(Event::EntryCalled { entry: entry.id(), number: entry.number, claim_by });
        }
        events
    }

    /// The earliest moment at which [`WaitingRoom::due`] may have something.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let opening = self.opening.as_ref()?;
        if self.lobby_isnt_closed().is_some() {
            return Some(opening.sale_opens_at);
        }
        let calls = self.flow != Flow::Paused && !self.is_drawing();
        let head = self.waiting().next().filter(|head| calls && self.people_inside + head.people() <= self.capacity());
        let paced_until = Timestamp::from_millis((self.paced_until_us + 999).div_euclid(1_000));
        let call = head.map(|_| paced_until.max(opening.sale_opens_at));
        call.into_iter().chain(self.sessions.first().map(|(ends_at, _)| *ends_at)).min()
    }
}

impl Entry<'_> {
    /// Why the place is no more, if its time is over.
    pub(super) fn over(&self, now: Timestamp) -> Option<Departure> {
        match self.standing {
            _ if !self.is_over(now) => None,
            Standing::Called(_) => Some(Departure::Unclaimed),
            Standing::Inside(_) | Standing::Waiting => Some(Departure::SessionOver),
        }
    }

    pub(super) fn departs(&self, reason: Departure) -> Event {
        Event::EntryDeparted { entry: self.id(), number: self.number, reason }
    }
}

const fn micros(moment: Timestamp) -> i64 {
    moment.as_millis() * 1_000
}
