//! What those who run a line do while it runs. Each says why; who it was stands in the event's metadata.

use super::state::Flow;
use super::{Command, Departure, Event, WaitingRoom};
use crate::limits::{ADMISSIONS_PER_MINUTE_MAX, CAPACITY_MAX, REASON_CHARS_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::show::check::{one_line, within};
use crate::{AccountId, Timestamp};

impl WaitingRoom {
    /// Decides a command of those who run the line.
    pub(super) fn steer(&self, now: Timestamp, command: &Command) -> Result<Vec<Event>, Refusal> {
        if self.opening.is_none() {
            return refuse(Reason::UnknownPerformance, "this performance has no line");
        }
        match command {
            Command::LoseSeed { kept, beacon_source, reason } => self.lose_seed(*kept, beacon_source, reason),
            Command::GiveBeacon { value, source } => self.give_beacon(value, source),
            Command::PauseLine { reason } => self.flows(Flow::Paused, reason, |reason| Event::LinePaused { reason }),
            Command::ResumeLine { reason } => self.flows(Flow::Running, reason, |reason| Event::LineResumed { reason }),
            Command::DrainLine { reason } => self.flows(Flow::Draining, reason, |reason| Event::DrainBegun { reason }),
            Command::ChangeLimits { capacity, admissions_per_minute, reason } => {
                self.change_limits(*capacity, *admissions_per_minute, reason)
            }
            Command::Evict { account, reason } => self.evict(*account, now, reason),
            other => refuse(Reason::Invalid, format!("{} doesn't steer a line", other.name())),
        }
    }

    fn flows(&self, flow: Flow, reason: &str, event: fn(String) -> Event) -> Result<Vec<Event>, Refusal> {
        one_line("/reason", reason, REASON_CHARS_MAX)?;
        if self.flow == flow {
            return Ok(Vec::new());
        }
        Ok(vec![event(reason.to_owned())])
    }

    fn change_limits(&self, capacity: u32, admissions_per_minute: Option<u32>, reason: &str) -> Result<Vec<Event>, Refusal> {
        one_line("/reason", reason, REASON_CHARS_MAX)?;
        within("/capacity", capacity, 1..=CAPACITY_MAX)?;
        if let Some(rate) = admissions_per_minute {
            within("/admissions_per_minute", rate, 1..=ADMISSIONS_PER_MINUTE_MAX)?;
        }
        if capacity < self.largest {
            return refuse(Reason::Invalid, format!("/capacity: a party of {} came; with {capacity} it could never get in", self.largest));
        }
        let same =
            |opening: &super::state::Opening| opening.capacity == capacity && opening.rules.admissions_per_minute == admissions_per_minute;
        if self.opening.as_ref().is_some_and(same) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::LimitsChanged { capacity, admissions_per_minute, reason: reason.to_owned() }])
    }

    fn evict(&self, account: AccountId, now: Timestamp, reason: &str) -> Result<Vec<Event>, Refusal> {
        one_line("/reason", reason, REASON_CHARS_MAX)?;
        let Some(entry) = self.kept_place(account) else {
            return refuse(Reason::NotInLine, format!("account {account} has no place in this line"));
        };
        self.can_go(now)?;
        let ordered = Event::EvictionOrdered { entry: entry.id(), number: entry.number, reason: reason.to_owned() };
        Ok(vec![ordered, entry.departs(entry.over(now).unwrap_or(Departure::Evicted))])
    }

    /// Between the lobby's closing and the draw nobody goes: who is drawn is published, and must stay so.
    pub(super) fn can_go(&self, now: Timestamp) -> Result<(), Refusal> {
        if !self.is_drawing() && !self.lobby_must_close(now) {
            return Ok(());
        }
        let refusal = Refusal::new(Reason::DrawUnderWay, "the lobby is being drawn; it takes a moment");
        Err(refusal.with_retry_at(now.plus_seconds(1)))
    }
}
