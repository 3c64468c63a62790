//! One performance: every seat of one date. Holds, bookings, payments in flight, sales.

mod best;
mod event;
mod hold;
mod nearby;
mod pay;
mod schedule;
mod share;
mod state;
mod view;

pub use event::{Cancellation, Command, Event, Line, Means, Method, Release, Reseated, Run};
pub use state::Performance;
pub use view::SeatState;

use crate::event::{Actor, Ask};
use crate::limits::EVENTS_PER_COMMAND_MAX;
use crate::plan::Plan;
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, PartyId, Timestamp};
use cqrs_es::event_sink::EventSink;
use schedule::Terms;
use state::{Owner, Schedule, Timer};
use std::sync::Arc;

/// The right to choose seats: the actor is inside, and so is everyone who waited with it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Admission<'a> {
    /// The party, if it is one.
    pub party: Option<PartyId>,
    /// Everyone on the actor's place, the actor included.
    pub members: &'a [AccountId],
}

/// What the party agreed on that seats are for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Agreement {
    /// The party.
    pub party: PartyId,
    /// Who leads it.
    pub leader: AccountId,
    /// Who picks, and how it pays.
    pub terms: crate::party::Terms,
}

/// What a performance's decisions rest on besides its state.
#[derive(Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The performance's plan.
    pub plan: Option<&'a Plan>,
    /// The actor's admission; `None` if it isn't inside.
    pub admission: Option<Admission<'a>>,
    /// What was agreed by the party that the seats are for; `None` for someone alone.
    pub agreement: Option<Agreement>,
}

impl Performance {
    /// Decides a command. Time that has run out counts, also when no timer has said so yet: what rests on it says so
    /// first.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, now: Timestamp, facts: &Facts<'_>, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Schedule { show, plan, starts_at, sale_opens_at, prices, policies } => {
                actor.system()?;
                let (show, hash, starts_at, sale_opens_at) = (*show, *plan, *starts_at, *sale_opens_at);
                self.decide_schedule(facts, &Terms { show, hash, starts_at, sale_opens_at, prices, policies })
            }
            Command::HoldSeats { hold, seats } => self.decide_hold(actor.person()?, now, facts, *hold, seats),
            Command::HoldBest { hold, wishes } => self.decide_best(actor.person()?, now, facts, *hold, wishes),
            Command::ExtendHold { hold } => self.decide_extension(actor.person()?, now, *hold),
            Command::ReleaseHold { hold } => self.decide_release(actor.person()?, now, *hold),
            Command::ClaimSeat { hold, seat } => self.decide_claim(actor.person()?, now, *hold, *seat),
            Command::Book { booking, hold } => self.decide_booking(actor.person()?, now, facts, *booking, *hold),
            Command::Pay { payment, booking, method } => self.decide_payment(actor.person()?, now, *payment, *booking, method),
            Command::ConfirmPayment { payment, refund } => {
                actor.system()?;
                self.decide_confirmation(*payment, *refund)
            }
            Command::FailPayment { payment, reason } => {
                actor.system()?;
                self.decide_failure(*payment, reason)
            }
            Command::Cancel { booking, refund } => self.decide_cancellation(actor.person()?, now, *booking, *refund),
            Command::CompleteRefund { refund } => {
                actor.system()?;
                self.decide_refunded(*refund)
            }
        }
    }

    /// What time alone has done until `now`: holds and bookings that ran out. At most `most` events.
    #[must_use]
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<Event> {
        let most = most.min(EVENTS_PER_COMMAND_MAX);
        let mut events = Vec::new();
        for (_, timer) in self.timers.iter().take_while(|(at, _)| *at <= now) {
            let more = self.expired(*timer);
            if events.len() + more.len() > most {
                break;
            }
            events.extend(more);
        }
        events
    }

    /// The earliest moment at which [`Performance::due`] may have something.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The events that say that a timer has run out.
    fn expired(&self, timer: Timer) -> Vec<Event> {
        match timer {
            Timer::Hold(id) => vec![self.hold_ended(id, Release::Expired)],
            Timer::Booking(id) => vec![self.booking_ended(id, Cancellation::Expired)],
            Timer::Shares(group) => self.shares_ended(group),
        }
    }

    fn scheduled(&self) -> Result<&Schedule, Refusal> {
        match &self.schedule {
            Some(schedule) => Ok(schedule),
            None => refuse(Reason::UnknownPerformance, "this performance isn't on sale"),
        }
    }

    /// The schedule, as long as the performance hasn't begun.
    pub(crate) fn not_started(&self, now: Timestamp) -> Result<&Schedule, Refusal> {
        let schedule = self.scheduled()?;
        if now >= schedule.starts_at {
            return refuse(Reason::PerformanceStarted, format!("the performance began at {}", schedule.starts_at));
        }
        Ok(schedule)
    }
}

/// What a performance is asked in cqrs-es's terms: the facts are kept by the asker.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct OwnedFacts {
    /// The performance's plan.
    pub plan: Option<Arc<Plan>>,
    /// The actor's admission: its party, and everyone on its place. `None` if it isn't inside.
    pub admission: Option<(Option<PartyId>, Vec<AccountId>)>,
    /// What the party agreed on.
    pub agreement: Option<Agreement>,
}

impl OwnedFacts {
    fn borrow(&self) -> Facts<'_> {
        let admission = self.admission.as_ref().map(|(party, members)| Admission { party: *party, members });
        Facts { plan: self.plan.as_deref(), admission, agreement: self.agreement }
    }
}

impl cqrs_es::Aggregate for Performance {
    const TYPE: &'static str = "performance";
    type Command = Ask<Command, OwnedFacts>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, ask.now, &ask.facts.borrow(), &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
