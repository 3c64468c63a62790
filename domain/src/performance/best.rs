//! Holding the best seats for so many people: which, is decided by the performance against its own state, so that whatever
//! others do meanwhile, whoever asks gets seats that can be had.

use super::hold::New;
use super::state::Timer;
use super::{Event, Facts, Performance};
use crate::plan::Plan;
use crate::refusal::{Reason, Refusal, refuse};
use crate::seating::{Adjacency, Checked, Free, Kind, Search, Wishes};
use crate::{AccountId, HoldId, SeatIndex, Timestamp};

impl Performance {
    pub(super) fn decide_best(
        &self,
        account: AccountId,
        now: Timestamp,
        facts: &Facts<'_>,
        id: HoldId,
        wishes: &Wishes,
    ) -> Result<Vec<Event>, Refusal> {
        let (schedule, admission) = self.open_to(account, facts, now)?;
        let own = self.own_holds(admission);
        let free = self.free_for(&own, now);
        let Some(search) = self.plan_of(facts).and_then(|plan| self.search(plan, &free)) else {
            return refuse(Reason::Invalid, format!("/plan: there is no plan {}", schedule.plan));
        };
        let checked = wishes.check(search.index, &schedule.prices)?;
        if self.holds_already(account, now, id, |_| true)? {
            return Ok(Vec::new());
        }
        let mut over = self.room_for(checked.people as u32, admission, schedule, now)?;
        let seats = match (schedule.adjacency, checked.near) {
            (Adjacency::Original, Some(chosen)) if wishes.wheelchairs == 0 => {
                self.around_chosen(&search, chosen, &checked, &own, facts, now)?
            }
            _ => best(&search, &checked)?,
        };
        let taken = self.taken(&seats, &own, now, &mut over);
        assert!(taken.is_empty(), "what was found free isn't: {taken:?}");
        Ok(self.hold_now(&New { id, account, seats: &seats }, admission, schedule, over, &own, now))
    }

    /// By the rule of the 2024 system. The chosen seat must be free.
    fn around_chosen(
        &self,
        search: &Search<'_>,
        chosen: SeatIndex,
        wishes: &Checked,
        own: &[HoldId],
        facts: &Facts<'_>,
        now: Timestamp,
    ) -> Result<Vec<SeatIndex>, Refusal> {
        if !search.free.has(chosen) {
            return Err(self.seat_taken(&[chosen], &[chosen], own, facts, now));
        }
        match search.original(chosen, wishes.people, &wishes.filter) {
            Some(seats) => Ok(seats),
            None => Err(no_block(search, wishes)),
        }
    }

    /// The plan, if it is this performance's.
    pub(super) fn plan_of<'a>(&self, facts: &Facts<'a>) -> Option<&'a Plan> {
        facts.plan.filter(|plan| plan.seats.len() == self.seats.len())
    }

    /// A search among these seats, by the performance's rules.
    pub(super) fn search<'a>(&'a self, plan: &'a Plan, free: &'a Free) -> Option<Search<'a>> {
        let schedule = self.schedule.as_ref()?;
        Some(Search { index: plan.index(), free, prices: &schedule.prices, no_orphans: schedule.no_orphans })
    }

    /// The seats that people with these holds can have: those that nobody has, their own, and those whose time has run out.
    pub(super) fn free_for(&self, own: &[HoldId], now: Timestamp) -> Free {
        let mut free = self.free.clone();
        for (_, timer) in self.timers.iter().take_while(|(at, _)| *at <= now) {
            match timer {
                Timer::Hold(id) => self.holds[id].seats.iter().for_each(|seat| free.set(*seat, true)),
                Timer::Booking(id) => self.bookings[id].lines.iter().for_each(|line| free.set(line.seat, true)),
                Timer::Shares(_) => {} // what shares give up depends on all of them: their timer says so
            }
        }
        for seat in own.iter().flat_map(|id| &self.holds[id].seats) {
            free.set(*seat, true);
        }
        free
    }
}

fn best(search: &Search<'_>, wishes: &Checked) -> Result<Vec<SeatIndex>, Refusal> {
    match search.blocks(wishes).into_iter().next() {
        Some(block) => Ok(block.seats),
        None => Err(no_block(search, wishes)),
    }
}

/// Says that there is no such block, and what there is if it may lie worse.
fn no_block(search: &Search<'_>, wishes: &Checked) -> Refusal {
    let blocks = search.blocks(&Checked { at_worst: Kind::Near, ..*wishes });
    let detail = format!("no {} free seats lie as wished", wishes.people);
    Refusal { blocks: blocks.into(), ..Refusal::new(Reason::NoBlock, detail) }
}
