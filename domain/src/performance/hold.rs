//! Holding seats: all of them or none, for everyone on the actor's place.
//!
//! The limit is one of the people together: seats asked for, and seats of unpaid and paid bookings whose holder is one of
//! them, are at most the seats per person times the people. Holds need no counting, for a new hold of people takes the
//! place of every hold that one of them is a member of.

use super::nearby::nearby;
use super::share::may_pick;
use super::state::{Hold, HoldEnd, Owner, Schedule, Standing, Timer};
use super::{Admission, Event, Facts, Performance, Release};
use crate::limits::SEATS_PER_HOLD_MAX;
use crate::refusal::{Reason, Refusal, refuse};
use crate::seating::Kind;
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
        let (schedule, admission) = self.open_to(account, facts, now)?;
        self.must_be_seats(seats)?;
        if self.holds_already(account, now, id, |known| known.seats == seats)? {
            return Ok(Vec::new());
        }
        let mut over = self.room_for(seats.len() as u32, admission, schedule, now)?;
        let own = self.own_holds(admission);
        let taken = self.taken(seats, &own, now, &mut over);
        if !taken.is_empty() {
            return Err(self.seat_taken(&taken, seats, &own, facts, now));
        }
        self.must_leave_none_alone(seats, &own, facts, now)?;
        Ok(self.hold_now(&New { id, account, seats }, admission, schedule, over, &own, now))
    }

    /// The schedule and the admission, if the sale is open and the actor inside, and one who chooses.
    pub(super) fn open_to<'a>(
        &'a self,
        account: AccountId,
        facts: &'a Facts<'_>,
        now: Timestamp,
    ) -> Result<(&'a Schedule, &'a Admission<'a>), Refusal> {
        let schedule = self.not_started(now)?;
        if now < schedule.sale_opens_at {
            let closed = Refusal::new(Reason::SaleNotOpen, format!("the sale opens at {}", schedule.sale_opens_at));
            return Err(closed.with_retry_at(schedule.sale_opens_at));
        }
        let Some(admission) = &facts.admission else {
            return refuse(Reason::NotAdmitted, "only people inside choose seats");
        };
        may_pick(account, facts)?;
        Ok((schedule, admission))
    }

    /// Whether this very hold stands already, so that nothing is to be done.
    pub(super) fn holds_already(
        &self,
        account: AccountId,
        now: Timestamp,
        id: HoldId,
        same: impl Fn(&Hold) -> bool,
    ) -> Result<bool, Refusal> {
        match self.holds.get(&id) {
            Some(known) if known.account == account && known.expires_at > now && same(known) => Ok(true),
            Some(_) => refuse(Reason::IdTaken, format!("{id} is another hold of this performance")),
            None if self.ended_holds.get(&id).is_some() => refuse(Reason::IdTaken, format!("hold {id} has ended")),
            None => Ok(false),
        }
    }

    /// The events that hold these seats, which can be had: what has run out is said first, then what they take the place of.
    pub(super) fn hold_now(
        &self,
        new: &New<'_>,
        admission: &Admission<'_>,
        schedule: &Schedule,
        over: Vec<Timer>,
        own: &[HoldId],
        now: Timestamp,
    ) -> Vec<Event> {
        let (expires_at, extended) = self.time_for(new.seats, own, admission, now, now.plus_seconds(schedule.hold_seconds));
        let mut events: Vec<Event> = over.into_iter().flat_map(|timer| self.expired(timer)).collect();
        events.extend(own.iter().map(|hold| self.replaced(*hold, now)));
        events.push(Event::SeatsHeld {
            hold: new.id,
            account: new.account,
            party: admission.party,
            members: first(new.account, admission.members),
            seats: new.seats.to_vec(),
            expires_at,
            extended,
        });
        events
    }

    /// Until when a new hold lasts, and whether it counts as extended. A seat that the same people hold, or let go lately,
    /// keeps its time: nobody gets more of it by choosing again.
    fn time_for(
        &self,
        seats: &[SeatIndex],
        own: &[HoldId],
        admission: &Admission<'_>,
        now: Timestamp,
        anew: Timestamp,
    ) -> (Timestamp, bool) {
        let live = own.iter().map(|id| &self.holds[id]).map(|hold| (&hold.seats, hold.expires_at, hold.extended));
        let let_go = admission.members.iter().filter_map(|member| self.let_go.get(member));
        let let_go = let_go.map(|kept| (&kept.seats, kept.expires_at, kept.extended));
        let kept = live.chain(let_go).filter(|(had, until, _)| *until > now && had.iter().any(|seat| seats.contains(seat)));
        kept.fold((anew, false), |(until, extended), (_, its, was)| (until.min(its), extended || was))
    }

    /// Refuses a choice that leaves a single seat alone, if the show doesn't want that and another choice avoids it.
    fn must_leave_none_alone(&self, seats: &[SeatIndex], own: &[HoldId], facts: &Facts<'_>, now: Timestamp) -> Result<(), Refusal> {
        let wanted = self.schedule.as_ref().is_some_and(|schedule| schedule.no_orphans);
        let Some(plan) = self.plan_of(facts).filter(|_| wanted) else { return Ok(()) };
        let free = self.free_for(own, now);
        let Some(search) = self.search(plan, &free) else { return Ok(()) };
        let Some(blocks) = search.better_than(seats) else { return Ok(()) };
        let detail = format!("the choice of {} seats leaves a single seat alone", seats.len());
        Err(Refusal { blocks: blocks.into(), ..Refusal::new(Reason::SeatLeftAlone, detail).with_seats(search.left_alone(seats)) })
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
    pub(super) fn room_for(
        &self,
        asked: u32,
        admission: &Admission<'_>,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<Vec<Timer>, Refusal> {
        let limit = u32::from(schedule.seats_per_person) * admission.members.len() as u32;
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
    pub(super) fn own_holds(&self, admission: &Admission<'_>) -> Vec<HoldId> {
        let mut own = Vec::new();
        for hold in admission.members.iter().filter_map(|member| self.hold_of.get(member)) {
            if !own.contains(hold) {
                own.push(*hold);
            }
        }
        own
    }

    /// The seats that others have. What has run out is added to `over`: it must be said first.
    pub(super) fn taken(&self, seats: &[SeatIndex], own: &[HoldId], now: Timestamp, over: &mut Vec<Timer>) -> Vec<SeatIndex> {
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
        // What shares give up depends on all of them: their timer says so, and until then they have their seats.
        booking.group.is_none() && booking.standing == Standing::Unpaid && booking.pay_by <= now
    }

    /// Says which seats are taken, since which event, and what can be had instead: single seats nearby, and as many seats
    /// together.
    pub(super) fn seat_taken(
        &self,
        taken: &[SeatIndex],
        asked: &[SeatIndex],
        own: &[HoldId],
        facts: &Facts<'_>,
        now: Timestamp,
    ) -> Refusal {
        let detail = format!("{} of {} seats are taken", taken.len(), asked.len());
        let cause = Some(self.seats[taken[0].at()].since);
        let refusal = Refusal { cause, ..Refusal::new(Reason::SeatTaken, detail).with_seats(taken.to_vec()) };
        let Some(plan) = self.plan_of(facts) else { return refusal };
        let free = self.free_for(own, now);
        let others = self.free_for(&[], now);
        let alternatives = nearby(plan, taken[0], |seat| others.has(seat) && !asked.contains(&seat));
        let search = self.search(plan, &free).filter(|_| asked.len() > 1);
        let blocks = search.map(|search| search.blocks(&search.alike(asked, Kind::Stacked))).unwrap_or_default();
        Refusal { alternatives, blocks: blocks.into(), ..refusal }
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

/// A hold that is to be.
pub(super) struct New<'a> {
    pub(super) id: HoldId,
    pub(super) account: AccountId,
    pub(super) seats: &'a [SeatIndex],
}

/// Everyone, this person first.
fn first(account: AccountId, members: &[AccountId]) -> Vec<AccountId> {
    let others = members.iter().copied().filter(|member| *member != account);
    std::iter::once(account).chain(others).collect()
}
