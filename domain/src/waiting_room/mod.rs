//! The line of one performance: who waits, in what order, who is inside.

mod decide;
mod event;
mod finder;
mod lobby;
mod queue;
mod rules;
mod state;
mod steer;

pub use decide::Facts;
pub use event::{Command, Departure, Event};
pub use rules::{LineRules, Mode};
pub use state::{Entry, Standing, WaitingRoom};

use crate::event::Ask;
use crate::refusal::Refusal;
use cqrs_es::event_sink::EventSink;

impl cqrs_es::Aggregate for WaitingRoom {
    const TYPE: &'static str = "waiting-room";
    type Command = Ask<Command, Facts>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, ask.now, &ask.facts, &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
