//! Holding seats: all of them or none, for everyone on the actor's place.
//!
//! The limit is one of the people together: seats asked for, and seats of unpaid and paid bookings whose holder is one of
//! them, are at most the seats per person times the people. Holds need no counting, for a new hold of people takes the
//! place of every hold that one of them is a member of.

use super::nearby::nearby;
use super::state::{Hold, HoldEnd, Owner, Standing, Timer};
use super::{Admission, Event, Facts, Performance, Release};
use crate::limits::SEATS_PER_HOLD_MAX;
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, BookingId, HoldId, SeatIndex, Timestamp};
use std::collections::HashSet;

impl Performance {
    pub(super) fn decide_hold(
        &self,
        account: AccountId,
        now: Timestamp,
        facts: &Facts<'_>,
        id: HoldId,
        seats: &[SeatIndex],
    ) -> Result<Vec<Event>, Refusal> {
        let schedule = self.not_started(now)?;
        if now < schedule.sale_opens_at {
            let closed = Refusal::new(Reason::SaleNotOpen, format!("the sale opens at {}", schedule.sale_opens_at));
            return Err(closed.with_retry_at(schedule.sale_opens_at));
        }
        let Some(admission) = &facts.admission else {
            return refuse(Reason::NotAdmitted, "only people inside choose seats");
        };
        self.must_be_seats(seats)?;
        match self.holds.get(&id) {
            Some(known) if known.account == account && known.seats == seats && known.expires_at > now => return Ok(Vec::new()),
            Some(_) => return refuse(Reason::IdTaken, format!("{id} is another hold of this performance")),
            None if self.ended_holds.get(&id).is_some() => return refuse(Reason::IdTaken, format!("hold {id} has ended")),
            None => {}
        }
        let limit = u32::from(schedule.seats_per_person) * admission.members.len() as u32;
        let mut over = self.room_for(seats.len() as u32, limit, admission, now)?;
        let own = self.own_holds(admission);
        let taken = self.taken(seats, &own, now, &mut over);
        if !taken.is_empty() {
            return Err(self.seat_taken(&taken, seats, facts, now));
        }
        let mut events: Vec<Event> = over.into_iter().map(|timer| self.expired(timer)).collect();
        events.extend(own.into_iter().map(|hold| self.replaced(hold, now)));
        events.push(Event::SeatsHeld {
            hold: id,
            account,
            party: admission.party,
            members: first(account, admission.members),
            seats: seats.to_vec(),
            expires_at: now.plus_seconds(schedule.hold_seconds),
        });
        Ok(events)
    }

    fn must_be_seats(&self, seats: &[SeatIndex]) -> Result<(), Refusal> {
        if seats.is_empty() {
            return refuse(Reason::NoSeats, "no seat was named");
        }
        if seats.len() > SEATS_PER_HOLD_MAX {
            return refuse(Reason::SeatLimit, format!("a hold has at most {SEATS_PER_HOLD_MAX} seats, not {}", seats.len()));
        }
        let unknown: Vec<SeatIndex> = seats.iter().copied().filter(|seat| seat.at() >= self.seats.len()).collect();
        if !unknown.is_empty() {
            let detail = format!("the plan has seats 0 to {}", self.seats.len() - 1);
            return Err(Refusal::new(Reason::UnknownSeat, detail).with_seats(unknown));
        }
        let mut seen = HashSet::with_capacity(seats.len());
        let twice: Vec<SeatIndex> = seats.iter().copied().filter(|seat| !seen.insert(*seat)).collect();
        if !twice.is_empty() {
            return Err(Refusal::new(Reason::SeatTwice, "a seat was named twice").with_seats(twice));
        }
        Ok(())
    }

    /// Whether these people may have so many seats more. Names the bookings that must be said to have run out first.
    fn room_for(&self, asked: u32, limit: u32, admission: &Admission<'_>, now: Timestamp) -> Result<Vec<Timer>, Refusal> {
        let people = || admission.members.iter().filter_map(|member| self.people.get(member));
        let mut had: u32 = people().map(|person| person.seats).sum();
        let mut over = Vec::new();
        for id in people().flat_map(|person| &person.unpaid) {
            if asked + had <= limit {
                break;
            }
            let timer = Timer::Booking(*id);
            if self.booking_is_over(*id, now) && !over.contains(&timer) {
                let theirs = self.bookings[id].lines.iter().filter(|line| admission.members.contains(&line.holder));
                had -= theirs.count() as u32;
                over.push(timer);
            }
        }
        if asked + had > limit {
            let people = admission.members.len();
            let detail = format!("{people} people may have {limit} seats at this performance; they have {had} and ask for {asked}");
            return refuse(Reason::SeatLimit, detail);
        }
        Ok(over)
    }

    /// Every hold that one of these people is a member of.
    fn own_holds(&self, admission: &Admission<'_>) -> Vec<HoldId> {
        let mut own = Vec::new();
        for hold in admission.members.iter().filter_map(|member| self.hold_of.get(member)) {
            if !own.contains(hold) {
                own.push(*hold);
            }
        }
        own
    }

    /// The seats that others have. What has run out is added to `over`: it must be said first.
    fn taken(&self, seats: &[SeatIndex], own: &[HoldId], now: Timestamp, over: &mut Vec<Timer>) -> Vec<SeatIndex> {
        let mut taken = Vec::new();
        for seat in seats {
            let owner = self.seats[seat.at()].owner;
            match (owner, self.over(owner, now)) {
                (Owner::Nobody, _) => {}
                (Owner::Hold(hold), _) if own.contains(&hold) => {}
                (_, Some(timer)) if over.contains(&timer) => {}
                (_, Some(timer)) => over.push(timer),
                (_, None) => taken.push(*seat),
            }
        }
        taken
    }

    /// The timer of an owner whose time has run out, though nothing may have said so yet.
    pub(super) fn over(&self, owner: Owner, now: Timestamp) -> Option<Timer> {
        match owner {
            Owner::Hold(id) if self.holds[&id].expires_at <= now => Some(Timer::Hold(id)),
            Owner::Booking(id) if self.booking_is_over(id, now) => Some(Timer::Booking(id)),
            Owner::Nobody | Owner::Hold(_) | Owner::Booking(_) => None,
        }
    }

    fn booking_is_over(&self, id: BookingId, now: Timestamp) -> bool {
        let booking = &self.bookings[&id];
        booking.standing == Standing::Unpaid && booking.pay_by <= now
    }

    fn seat_taken(&self, taken: &[SeatIndex], asked: &[SeatIndex], facts: &Facts<'_>, now: Timestamp) -> Refusal {
        let free = |seat: SeatIndex| {
            let owner = self.seats[seat.at()].owner;
            (owner == Owner::Nobody || self.over(owner, now).is_some()) && !asked.contains(&seat)
        };
        let alternatives = match facts.plan {
            Some(plan) if plan.seats.len() == self.seats.len() => nearby(plan, taken[0], free),
            _ => Vec::new(),
        };
        let detail = format!("{} of {} seats are taken", taken.len(), asked.len());
        let cause = Some(self.seats[taken[0].at()].since);
        Refusal { alternatives, cause, ..Refusal::new(Reason::SeatTaken, detail).with_seats(taken.to_vec()) }
    }

    fn replaced(&self, id: HoldId, now: Timestamp) -> Event {
        let over = self.holds[&id].expires_at <= now;
        self.hold_ended(id, if over { Release::Expired } else { Release::Replaced })
    }

    pub(super) fn hold_ended(&self, id: HoldId, reason: Release) -> Event {
        Event::HoldReleased { hold: id, seats: self.holds[&id].seats.clone(), reason }
    }

    pub(super) fn decide_extension(&self, account: AccountId, now: Timestamp, id: HoldId) -> Result<Vec<Event>, Refusal> {
        let schedule = self.not_started(now)?;
        let hold = self.live_hold(account, now, id)?;
        if hold.extended {
            return refuse(Reason::HoldExtendedAlready, "a hold is extended once");
        }
        let expires_at = hold.expires_at.plus_seconds(schedule.hold_seconds);
        Ok(vec![Event::HoldExtended { hold: id, expires_at }])
    }

    pub(super) fn decide_release(&self, account: AccountId, now: Timestamp, id: HoldId) -> Result<Vec<Event>, Refusal> {
        self.scheduled()?;
        if let Some((owner, HoldEnd::Released(_))) = self.ended_holds.get(&id)
            && *owner == account
        {
            return Ok(Vec::new());
        }
        let hold = self.own_hold(account, id)?;
        let reason = if hold.expires_at <= now { Release::Expired } else { Release::Released };
        Ok(vec![self.hold_ended(id, reason)])
    }

    /// What ends the hold that a person is a member of, when its people give up their place. Nothing if there is none.
    pub(crate) fn let_go(&self, account: AccountId, now: Timestamp) -> Option<Event> {
        let id = *self.hold_of.get(&account)?;
        let over = self.holds[&id].expires_at <= now;
        Some(self.hold_ended(id, if over { Release::Expired } else { Release::Released }))
    }

    /// A hold of one's own whose time hasn't run out.
    pub(super) fn live_hold(&self, account: AccountId, now: Timestamp, id: HoldId) -> Result<&Hold, Refusal> {
        let hold = self.own_hold(account, id)?;
        if hold.expires_at <= now {
            return refuse(Reason::HoldExpired, format!("the hold ran out at {}", hold.expires_at));
        }
        Ok(hold)
    }

    /// A hold of one's own that nothing has ended, though its time may have run out.
    fn own_hold(&self, account: AccountId, id: HoldId) -> Result<&Hold, Refusal> {
        match (self.holds.get(&id), self.ended_holds.get(&id)) {
            (Some(hold), _) if hold.account == account => Ok(hold),
            (Some(_), _) => refuse(Reason::Forbidden, "only whoever chose the seats may do this"),
            (None, Some((_, HoldEnd::Released(Release::Expired)))) => refuse(Reason::HoldExpired, "the hold has run out"),
            (None, Some((_, HoldEnd::Released(_)))) => refuse(Reason::UnknownHold, "the hold was let go"),
            (None, Some((_, HoldEnd::Booked(booking)))) => refuse(Reason::UnknownHold, format!("the hold became booking {booking}")),
            (None, None) => refuse(Reason::UnknownHold, format!("this performance has no hold {id}")),
        }
    }
}

/// Everyone, this person first.
fn first(account: AccountId, members: &[AccountId]) -> Vec<AccountId> {
    let others = members.iter().copied().filter(|member| *member != account);
    std::iter::once(account).chain(others).collect()
}
