//! A hall as its writer runs it: commands are decided, applied, answered; time passes; every event goes through its stored
//! form; and the whole can be folded again from zero.

use crate::common::{PRICES, SYSTEM, at, opening, performance, plan, policies, price, show};
use socketing_domain::event::{Actor, Event, StreamId};
use socketing_domain::hall::Hall;
use socketing_domain::limits::{EVENT_BYTES_MAX, EVENTS_PER_COMMAND_MAX};
use socketing_domain::performance::Performance;
use socketing_domain::plan::{Plan, PlanHash};
use socketing_domain::show::Policies;
use socketing_domain::snapshot;
use socketing_domain::unit::{Command, Context, Unit, UnitId};
use socketing_domain::waiting_room::WaitingRoom;
use socketing_domain::{Refusal, Reply, Timestamp, performance as seats, waiting_room as line};
use std::sync::Arc;

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) unit: Unit,
    pub(crate) log: Vec<(StreamId, Event)>,
    plan: Arc<Plan>,
}

impl World {
    /// A hall on sale: the plan and policies of the tests, from second 0 on until the curtain.
    pub(crate) fn on_sale(curtain: Timestamp) -> World {
        World::on_sale_by(curtain, policies())
    }

    /// The same by other rules.
    pub(crate) fn on_sale_by(curtain: Timestamp, policies: Policies) -> World {
        let unit = Unit::new(UnitId::Performance(performance()));
        let mut world = World { now: at(-10), unit, log: Vec::new(), plan: plan() };
        world.ask(SYSTEM, schedule_by(curtain, policies)).unwrap();
        world.ask(SYSTEM, open_line()).unwrap();
        world
    }

    pub(crate) fn hall(&self) -> &Hall {
        match &self.unit {
            Unit::Performance(hall) => hall,
            other => panic!("{other:?} is no hall"),
        }
    }

    /// Asks now, as the writer does: with the plan that is wanted, and what is decided is applied before it is answered.
    pub(crate) fn ask(&mut self, actor: Actor, command: impl Into<Command>) -> Result<(Vec<Event>, Reply), Refusal> {
        let command = command.into();
        let plan = self.plan.clone();
        let context = Context { actor, now: self.now, plan: self.unit.plan_wanted(&command).map(|_| &*plan) };
        let decided = self.unit.decide(&context, &command)?;
        self.apply(&decided);
        let reply = self.unit.reply(&context, &command);
        let json = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&json).unwrap(), reply, "{json}");
        Ok((decided.into_iter().map(|(_, event)| event).collect(), reply))
    }

    /// Lets time do what it does, until nothing is due.
    pub(crate) fn tick(&mut self) -> Vec<Event> {
        let mut happened = Vec::new();
        loop {
            let due = self.unit.due(self.now);
            let next = self.unit.next_due();
            if due.is_empty() {
                assert!(next.is_none_or(|next| next > self.now), "something is due by {next:?}, yet nothing comes");
                return happened;
            }
            assert!(next.is_some_and(|next| next <= self.now), "what is due now wasn't announced: {next:?}");
            self.apply(&due);
            happened.extend(due.into_iter().map(|(_, event)| event));
        }
    }

    fn apply(&mut self, decided: &[(StreamId, Event)]) {
        assert!(decided.len() <= EVENTS_PER_COMMAND_MAX);
        for (stream, event) in decided {
            let payload = event.payload_json();
            assert!(payload.len() <= EVENT_BYTES_MAX);
            let stored = Event::decode(stream.aggregate_type(), event.event_type(), event.event_version(), &payload).unwrap();
            assert_eq!(stored, *event);
            let before = self.unit.sequence(stream);
            self.unit.apply(stream, &stored);
            assert_eq!(self.unit.sequence(stream), before + 1);
        }
        self.log.extend_from_slice(decided);
    }

    /// The fold of the log from zero is the live state, and the state survives being written and read.
    pub(crate) fn check_folds(&self) {
        let mut again = Unit::new(UnitId::Performance(performance()));
        self.log.iter().for_each(|(stream, event)| again.apply(stream, event));
        assert_eq!(again, self.unit);
        let seats: Performance = serde_json::from_str(&serde_json::to_string(self.hall().performance()).unwrap()).unwrap();
        assert_eq!(seats, *self.hall().performance());
        let line: WaitingRoom = serde_json::from_str(&serde_json::to_string(self.hall().line()).unwrap()).unwrap();
        assert_eq!(line, *self.hall().line());
    }

    /// A snapshot of the first events, and then the others, are the live state. The same state has the same bytes.
    pub(crate) fn check_snapshot(&self, events: usize) {
        let mut early = Unit::new(UnitId::Performance(performance()));
        self.log[..events].iter().for_each(|(stream, event)| early.apply(stream, event));
        let Unit::Performance(early) = early else { unreachable!("a performance is a hall") };
        let encoded = snapshot::encode(&early);
        let decoded = snapshot::decode(performance(), &encoded).unwrap();
        assert_eq!(decoded, *early);
        assert_eq!(snapshot::encode(&decoded), encoded);
        let mut again = Unit::Performance(Box::new(decoded));
        self.log[events..].iter().for_each(|(stream, event)| again.apply(stream, event));
        assert_eq!(again, self.unit);
    }
}

pub(crate) fn schedule(curtain: Timestamp) -> Command {
    schedule_by(curtain, policies())
}

fn schedule_by(curtain: Timestamp, policies: Policies) -> Command {
    Command::Performance(seats::Command::Schedule {
        show: show(),
        plan: PlanHash([7; 32]),
        starts_at: curtain,
        sale_opens_at: opening(),
        prices: vec![price("R", PRICES[0]), price("S", PRICES[1])],
        policies,
    })
}

pub(crate) fn open_line() -> Command {
    let (capacity, session_seconds, rules) = (policies().capacity, policies().session_seconds, policies().line);
    Command::Line(line::Command::OpenLine { show: show(), sale_opens_at: opening(), capacity, session_seconds, rules })
}
