//! A party's block: who may pick it, who claims which seat, and how it is paid by shares.
//!
//! A share is a booking of its own, so that it is paid, given up and refunded as any booking is. What the shares of a block
//! have in common is their deadline: none of them runs out by itself, they do together. Then either the unpaid ones go back
//! (and those who stay move together), or, where all stand or fall together, all do, unless a payment is still in flight.

use super::event::{Reseated, Run};
use super::state::{Booking, Hold, Shares, Standing, Timer};
use super::{Agreement, Cancellation, Event, Facts, Line, Owner, Performance};
use crate::party::{Pays, Picks};
use crate::plan::{Plan, Seat};
use crate::refusal::{Reason, Refusal, refuse};
use crate::reply::Claim;
use crate::{AccountId, BookingId, HoldId, RefundId, SeatIndex, Timestamp, Won};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

impl Agreement {
    pub(super) const fn pays_shares(&self) -> bool {
        matches!(self.terms.pays, Pays::Shares | Pays::AllOrNone)
    }
}

/// A block of seats that is about to be booked by shares.
pub(super) struct Block {
    pub(super) agreement: Agreement,
    /// The id that the client gave.
    pub(super) id: BookingId,
    pub(super) hold: HoldId,
    pub(super) account: AccountId,
    pub(super) lines: Vec<Line>,
    pub(super) pay_by: Timestamp,
}

/// Whether this person chooses seats for its party.
pub(super) fn may_pick(account: AccountId, facts: &Facts<'_>) -> Result<(), Refusal> {
    match facts.agreement {
        Some(Agreement { leader, terms, .. }) if terms.picks == Picks::Leader && leader != account => {
            refuse(Reason::NotLeader, "this party's leader picks the seats")
        }
        _ => Ok(()),
    }
}

/// The id of a block's share: the client's for the first, and for the others what follows from it.
fn share_id(block: BookingId, at: usize) -> BookingId {
    BookingId(Uuid::from_u128(block.0.as_u128() ^ at as u128))
}

impl Performance {
    pub(super) fn decide_claim(&self, account: AccountId, now: Timestamp, id: HoldId, seat: SeatIndex) -> Result<Vec<Event>, Refusal> {
        self.not_started(now)?;
        let hold = match self.holds.get(&id) {
            Some(hold) if !hold.members.contains(&account) => return refuse(Reason::Forbidden, "only those a hold is for claim its seats"),
            Some(hold) if hold.expires_at <= now => return refuse(Reason::HoldExpired, format!("the hold ran out at {}", hold.expires_at)),
            Some(hold) => hold,
            None => self.live_hold(account, now, id)?,
        };
        if !hold.seats.contains(&seat) {
            return Err(Refusal::new(Reason::UnknownSeat, format!("the hold doesn't have seat {seat}")).with_seats(vec![seat]));
        }
        match hold.claims.iter().find(|claim| claim.seat == seat) {
            Some(claim) if claim.account == account => Ok(Vec::new()),
            Some(_) => Err(Refusal::new(Reason::SeatClaimed, "another member claimed the seat").with_seats(vec![seat])),
            None => Ok(vec![Event::SeatClaimed { hold: id, seat, account }]),
        }
    }

    /// The hold that someone makes a booking of: whoever chose it, or the leader who pays for all.
    pub(super) fn bookable_hold(&self, account: AccountId, now: Timestamp, facts: &Facts<'_>, id: HoldId) -> Result<&Hold, Refusal> {
        let Some(leader) = facts.agreement.filter(|agreement| agreement.terms.pays == Pays::Leader).map(|agreement| agreement.leader)
        else {
            return self.live_hold(account, now, id);
        };
        match self.holds.get(&id) {
            Some(_) if account != leader => refuse(Reason::NotLeader, "this party's leader books, and pays for all"),
            Some(hold) if hold.members.contains(&leader) => self.live_hold(hold.account, now, id),
            _ => self.live_hold(account, now, id),
        }
    }

    /// A booking for each holder of the block, and what they have in common.
    pub(super) fn share(&self, block: &Block, plan: &Plan) -> Result<Vec<Event>, Refusal> {
        let mut holders: Vec<AccountId> = Vec::new();
        for line in &block.lines {
            if !holders.contains(&line.holder) {
                holders.push(line.holder);
            }
        }
        holders.sort_by_key(|holder| *holder != block.account); // stable: whoever books first
        let bookings: Vec<BookingId> = (0..holders.len()).map(|at| share_id(block.id, at)).collect();
        if let Some(known) = bookings.iter().find(|id| self.bookings.contains_key(id)) {
            return refuse(Reason::IdTaken, format!("{known} is another booking of this performance"));
        }
        let Block { id: group, hold, account, pay_by, .. } = *block;
        let mut events: Vec<Event> = Vec::new();
        for (booking, holder) in bookings.iter().zip(&holders) {
            let lines: Vec<Line> = block.lines.iter().filter(|line| line.holder == *holder).cloned().collect();
            let total: Won = lines.iter().map(|line| line.price).sum();
            events.push(Event::SeatsBooked { booking: *booking, hold, account: *holder, lines, total, pay_by });
        }
        let (party, all_or_none) = (block.agreement.party, block.agreement.terms.pays == Pays::AllOrNone);
        let runs = runs(&block.lines, plan);
        events.push(Event::SharesOpened { group, party, account, bookings, all_or_none, pay_by, runs });
        Ok(events)
    }

    /// Who made a booking: of shares, whoever booked the block.
    pub(super) fn booked_by(&self, id: BookingId, booking: &Booking) -> AccountId {
        booking.group.filter(|group| *group == id).map_or(booking.account, |group| self.shares[&group].account)
    }

    /// A share that stands or falls with others can't be given up alone.
    pub(super) fn must_stand_alone(&self, booking: &Booking) -> Result<(), Refusal> {
        let shares = booking.group.map(|group| &self.shares[&group]).filter(|shares| shares.all_or_none);
        match shares {
            Some(shares) if shares.bookings.iter().any(|id| self.waits_for_money(*id)) => {
                refuse(Reason::SharesOpen, format!("the shares stand or fall together, by {}", shares.pay_by))
            }
            _ => Ok(()),
        }
    }

    fn waits_for_money(&self, id: BookingId) -> bool {
        matches!(self.bookings[&id].standing, Standing::Unpaid | Standing::Paying(_))
    }

    /// What the deadline of shares does.
    pub(super) fn shares_ended(&self, group: BookingId) -> Vec<Event> {
        let shares = &self.shares[&group];
        if shares.all_or_none {
            return shares.bookings.iter().flat_map(|id| self.falls(*id)).collect();
        }
        let moved = self.moved(shares, &self.seated(group, shares));
        let gone = shares.bookings.iter().filter(|id| self.bookings[id].standing == Standing::Unpaid);
        let back = gone.map(|id| {
            let lines = moved.iter().find(|share| share.booking == *id).map_or(&self.bookings[id].lines, |share| &share.lines);
            let seats = lines.iter().map(|line| line.seat).collect();
            Event::BookingCancelled { booking: *id, seats, reason: Cancellation::Expired }
        });
        let back: Vec<Event> = back.collect();
        let reseated = (!moved.is_empty()).then_some(Event::SharesReseated { group, shares: moved });
        reseated.into_iter().chain(back).collect()
    }

    /// What becomes of a share when all go back.
    fn falls(&self, id: BookingId) -> Vec<Event> {
        match self.bookings[&id].standing {
            Standing::Unpaid => vec![self.booking_ended(id, Cancellation::Expired)],
            Standing::Paid(payment) => {
                // A payment is refunded once, so its refund may have its number.
                let refund = self.refund_due(RefundId(payment.0), payment, &self.payments[&payment]);
                let refund = refund.expect("a payment that is taken and not refunded has no refund");
                vec![self.booking_ended(id, Cancellation::OtherShareUnpaid), refund]
            }
            Standing::Paying(_) | Standing::Cancelled | Standing::Expired => Vec::new(),
        }
    }

    /// Who will have each seat that the shares still have, when those who stay have moved together.
    fn seated(&self, group: BookingId, shares: &Shares) -> BTreeMap<SeatIndex, Slot> {
        let mut seated = BTreeMap::new();
        for run in &shares.runs {
            let slots: Vec<Option<Slot>> = run.seats.iter().map(|seat| self.slot(group, *seat)).collect();
            let mut start = 0;
            for part in slots.split(Option::is_none) {
                let end = start + part.len();
                let before = if start == 0 { run.before } else { Some(run.seats[start - 1]) };
                let after = run.seats.get(end).copied().or(run.after);
                let part: Vec<Slot> = part.iter().flatten().copied().collect();
                let part = together(part, self.is_free(before), self.is_free(after));
                seated.extend(run.seats[start..end].iter().copied().zip(part));
                start = end + 1;
            }
        }
        seated
    }

    fn is_free(&self, seat: Option<SeatIndex>) -> bool {
        seat.is_some_and(|seat| self.seats[seat.at()].owner == Owner::Nobody)
    }

    /// Who has a seat of these shares now; `None` if it went back before.
    fn slot(&self, group: BookingId, seat: SeatIndex) -> Option<Slot> {
        let Owner::Booking(id) = self.seats[seat.at()].owner else { return None };
        let booking = self.bookings.get(&id).filter(|booking| booking.group == Some(group))?;
        let line = booking.lines.iter().find(|line| line.seat == seat)?;
        Some(Slot { booking: id, holder: line.holder, price: line.price, stays: booking.standing != Standing::Unpaid })
    }

    fn moved(&self, shares: &Shares, seated: &BTreeMap<SeatIndex, Slot>) -> Vec<Reseated> {
        let mut moved = Vec::new();
        for id in shares.bookings.iter().filter(|id| !matches!(self.bookings[id].standing, Standing::Cancelled | Standing::Expired)) {
            let booking = &self.bookings[id];
            let lines = lines_of(*id, seated);
            let before: HashSet<SeatIndex> = booking.lines.iter().map(|line| line.seat).collect();
            if !lines.iter().all(|line| before.contains(&line.seat)) {
                moved.push(Reseated { booking: *id, paid: matches!(booking.standing, Standing::Paid(_)), lines });
            }
        }
        moved
    }

    pub(super) fn on_claimed(&mut self, id: HoldId, new: Claim) {
        let hold = self.holds.get_mut(&id).expect("only a live hold's seats are claimed");
        assert!(hold.members.contains(&new.account) && hold.seats.contains(&new.seat), "{id} isn't for {}", new.account);
        hold.claims.retain(|claim| claim.account != new.account);
        assert!(hold.claims.iter().all(|claim| claim.seat != new.seat), "seat {} is claimed twice", new.seat);
        hold.claims.push(new);
    }

    pub(super) fn on_shares_opened(&mut self, group: BookingId, shares: Shares) {
        assert_eq!(shares.bookings.first(), Some(&group), "shares are called by the first of them");
        for id in &shares.bookings {
            let booking = self.bookings.get_mut(id).expect("a share is a booking");
            let alone = booking.group.replace(group).is_none() && booking.standing == Standing::Unpaid;
            assert!(alone && booking.pay_by == shares.pay_by, "{id} is a share of others, or with another deadline");
            assert!(self.timers.remove(&(shares.pay_by, Timer::Booking(*id))), "{id} has no timer");
        }
        let before = self.shares.insert(group, shares);
        assert!(before.is_none(), "{group} is shared twice");
        self.wind(group);
    }

    /// Has the timer of shares run as long as their deadline would do something.
    pub(super) fn wind(&mut self, group: BookingId) {
        let Shares { bookings, all_or_none, pay_by, .. } = &self.shares[&group];
        let mut standings = bookings.iter().map(|id| self.bookings[id].standing);
        let unpaid = standings.clone().any(|standing| standing == Standing::Unpaid);
        let waits = *all_or_none && standings.any(|standing| matches!(standing, Standing::Paying(_)));
        let timer = (*pay_by, Timer::Shares(group));
        if unpaid && !waits {
            self.timers.insert(timer);
        } else {
            self.timers.remove(&timer);
        }
    }

    pub(super) fn on_reseated(&mut self, group: BookingId, shares: &[Reseated]) {
        let seats_of = |lines: &[Line]| lines.iter().map(|line| line.seat).collect::<HashSet<_>>();
        let before: HashSet<SeatIndex> = shares.iter().flat_map(|share| seats_of(&self.bookings[&share.booking].lines)).collect();
        let after: HashSet<SeatIndex> = shares.iter().flat_map(|share| seats_of(&share.lines)).collect();
        assert_eq!(before, after, "shares {group} move to seats that aren't theirs");
        for share in shares {
            let booking = self.bookings.get_mut(&share.booking).expect("a share is a booking");
            assert!(booking.group == Some(group) && same_people(&booking.lines, &share.lines), "{} changes more than seats", share.booking);
            booking.lines.clone_from(&share.lines);
            for line in &share.lines {
                self.seats[line.seat.at()].owner = Owner::Booking(share.booking);
            }
        }
    }
}

/// Whether these are seats for the same people at the same prices.
fn same_people(one: &[Line], other: &[Line]) -> bool {
    let people = |lines: &[Line]| {
        let mut people: Vec<(AccountId, Won)> = lines.iter().map(|line| (line.holder, line.price)).collect();
        people.sort_unstable();
        people
    };
    people(one) == people(other)
}

/// One seat of shares: whose it is, and whether they stay when the unpaid ones go.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Slot {
    booking: BookingId,
    holder: AccountId,
    price: Won,
    stays: bool,
}

fn lines_of(booking: BookingId, seated: &BTreeMap<SeatIndex, Slot>) -> Vec<Line> {
    let slots = seated.iter().filter(|(_, slot)| slot.booking == booking);
    slots.map(|(seat, slot)| Line { seat: *seat, price: slot.price, holder: slot.holder }).collect()
}

/// The order of these neighbours in which those who stay are in the fewest pieces, then the fewest freed seats are alone,
/// then the fewest people move. `before` and `after` say whether the seats beside them are free.
fn together(slots: Vec<Slot>, before: bool, after: bool) -> Vec<Slot> {
    let mut first = slots.clone();
    first.sort_by_key(|slot| !slot.stays); // stable: nobody overtakes a friend
    let mut last = slots.clone();
    last.sort_by_key(|slot| slot.stays);
    let moved = |order: &[Slot]| order.iter().zip(&slots).filter(|(new, old)| new != old).count();
    let cost = |order: &Vec<Slot>| (pieces(order), alone(order, before, after), moved(order));
    let orders = [slots.clone(), first, last];
    orders.into_iter().min_by_key(cost).expect("there are three orders")
}

/// In how many pieces those who stay sit.
fn pieces(slots: &[Slot]) -> usize {
    slots.chunk_by(|one, other| one.stays == other.stays).filter(|piece| piece[0].stays).count()
}

/// How many freed seats have no free neighbour.
fn alone(slots: &[Slot], before: bool, after: bool) -> usize {
    let free = |at: Option<usize>, beyond: bool| at.and_then(|at| slots.get(at)).map_or(beyond, |slot| !slot.stays);
    let freed = (0..slots.len()).filter(|at| !slots[*at].stays);
    freed.filter(|at| !free(at.checked_sub(1), before) && !free(Some(at + 1), after)).count()
}

/// How the seats of a block lie beside one another. Those of one run are alike: whoever has one could have another.
fn runs(lines: &[Line], plan: &Plan) -> Vec<Run> {
    let mut seats: Vec<SeatIndex> = lines.iter().map(|line| line.seat).collect();
    seats.sort_unstable();
    let kind = |seat: SeatIndex| plan.seat(seat).filter(|_| seats.contains(&seat)).map(|seat| (seat.category, seat.kind));
    let mut seen: HashSet<SeatIndex> = HashSet::new();
    let mut runs = Vec::new();
    for seat in &seats {
        if !seen.insert(*seat) {
            continue;
        }
        let mut beside = |next: fn(&Seat) -> Option<SeatIndex>| {
            let mut found = Vec::new();
            let mut at = plan.seat(*seat).and_then(next);
            while let Some(neighbour) = at.filter(|other| kind(*other) == kind(*seat) && seen.insert(*other)) {
                found.push(neighbour);
                at = plan.seat(neighbour).and_then(next);
            }
            (found, at)
        };
        let (mut left, before) = beside(|seat| seat.left);
        let (right, after) = beside(|seat| seat.right);
        left.reverse();
        runs.push(Run { before, seats: left.into_iter().chain([*seat]).chain(right).collect(), after });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(pattern: &str) -> Vec<Slot> {
        let slot = |(at, letter): (usize, char)| Slot {
            booking: BookingId(Uuid::from_u128(at as u128)),
            holder: AccountId::default(),
            price: Won::ZERO,
            stays: letter == 'S',
        };
        pattern.chars().enumerate().map(slot).collect()
    }

    fn shown(pattern: &str, before: bool, after: bool) -> String {
        let order = together(slots(pattern), before, after);
        order.iter().map(|slot| if slot.stays { 'S' } else { '.' }).collect()
    }

    #[test]
    fn who_stays_moves_together() {
        assert_eq!(shown("S.S", false, false), "SS.");
        assert_eq!(shown(".S.S", false, false), "..SS", "fewer move than to the left");
        assert_eq!(shown("SS..", false, false), "SS..", "nobody moves without need");
    }

    #[test]
    fn a_freed_seat_goes_where_it_has_a_neighbour() {
        assert_eq!(shown("S.S", true, false), ".SS");
        assert_eq!(shown("S.S", false, true), "SS.");
        assert_eq!(shown("SS.", true, false), ".SS", "beside a free seat, not alone at the aisle");
        assert_eq!(shown("SS.", false, true), "SS.");
    }

    #[test]
    fn nobody_overtakes_a_friend() {
        let order: Vec<u128> = together(slots("S.SS"), false, false).iter().map(|slot| slot.booking.0.as_u128()).collect();
        assert_eq!(order, [1, 0, 2, 3]);
        assert_eq!(share_id(BookingId(Uuid::from_u128(6)), 0), BookingId(Uuid::from_u128(6)));
    }
}
