//! A batch in the making: what was decided, not yet durable.

use super::limits;
use super::request::{Done, Rejected};
use super::window::Recorded;
use super::writer::{Look, Pending};
use socketing_domain::event::{Event, Metadata, StreamId};
use socketing_domain::performance;
use socketing_domain::plan::Plan;
use socketing_domain::unit::{Command, Context, Unit, UnitId};
use socketing_domain::{CommandId, Refusal, Timestamp};
use socketing_event_store::append::{NewEvent, NewOutcome};
use socketing_event_store::command_log::{ACCEPTED, Fingerprint};
use socketing_service::Code;
use std::sync::Arc;

/// How a command will be answered once the batch is durable.
pub(super) enum Answer {
    /// Decided in this batch.
    Fresh { status: u16, body: Arc<str>, covered: u64, refusal: Option<Refusal> },
    /// Decided before; `now` is what a payment has come to since.
    Replay { recorded: Recorded, now: Option<Arc<str>> },
    /// The same command is on its way to the log, in this batch or the one before: it gets that one's answer.
    Again { now: Option<Arc<str>> },
    /// The key belongs to another command.
    KeyReused,
}

/// What is known of a key when its command is taken.
pub(super) enum Before {
    /// It is new.
    Nothing,
    /// Its outcome is recorded.
    Recorded(Recorded),
    /// A command with it is on its way to the log.
    UnderWay(Fingerprint),
}

/// Who does what time does, as the log names it.
const TIMER: &str = "system:timer";

const fn is_refusal(status: u16) -> bool {
    status >= 400
}

impl Answer {
    /// The answer, given the position before the batch, and the outcome to be remembered with it. `recorded` finds what
    /// was remembered under the command's key.
    pub(super) fn settle(
        self,
        fingerprint: Fingerprint,
        base: u64,
        recorded: impl FnOnce() -> Option<Recorded>,
    ) -> (Result<Done, Rejected>, Option<Recorded>) {
        match self {
            Answer::KeyReused => (Err(Rejected::KeyReused), None),
            Answer::Fresh { status, body, covered, refusal } => {
                let position = base + covered;
                let outcome = match refusal {
                    Some(refusal) => Err(Rejected::Refused { refusal, position }),
                    None => Ok(Done { position, reply: body.clone(), replayed: false }),
                };
                (outcome, Some(Recorded { fingerprint, status, body, position }))
            }
            Answer::Replay { recorded, now } => (replayed(&recorded, now), Some(recorded)),
            Answer::Again { now } => match recorded() {
                Some(recorded) => (replayed(&recorded, now), None),
                None => (Err(Rejected::Internal), None), // not reached: the first one was remembered just before
            },
        }
    }
}

/// What was said before; of a payment, what has become of it.
fn replayed(recorded: &Recorded, now: Option<Arc<str>>) -> Result<Done, Rejected> {
    if is_refusal(recorded.status) {
        return Err(refused_before(&recorded.body, recorded.position));
    }
    let reply = now.unwrap_or_else(|| recorded.body.clone());
    Ok(Done { position: recorded.position, reply, replayed: true })
}

fn refused_before(body: &str, position: u64) -> Rejected {
    match serde_json::from_str(body) {
        Ok(refusal) => Rejected::Refused { refusal, position },
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, body, "a recorded refusal can't be read");
            Rejected::Internal
        }
    }
}

/// What a writer has decided and not yet handed over.
pub(super) struct Draft {
    unit: UnitId,
    now: Timestamp,
    pub(super) events: Vec<NewEvent>,
    pub(super) outcomes: Vec<NewOutcome>,
    /// Commands with their answers, in order.
    pub(super) answers: Vec<(Pending, Answer)>,
    /// Whoever saw the state that this batch makes is told when it is durable.
    pub(super) looks: Vec<Look>,
}

impl Draft {
    pub(super) fn new(unit: UnitId) -> Draft {
        let now = Timestamp::from_millis(0);
        Draft { unit, now, events: Vec::new(), outcomes: Vec::new(), answers: Vec::new(), looks: Vec::new() }
    }

    /// Nothing was asked, and nothing happened. (Replays and refusals alone still pass the fence of a commit, or a node
    /// that woke up late would answer from old memory.)
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.answers.is_empty()
    }

    /// Whether more may be taken in: one batch must fit into one statement.
    pub(super) fn has_room(&self) -> bool {
        self.events.len() < limits::BATCH_EVENTS_MAX && self.looks.len() < limits::BATCH_LOOKS_MAX
    }

    /// From here on it is so late.
    pub(super) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Decides one command, unless it was decided before.
    pub(super) fn take(&mut self, unit: &mut Unit, command: Pending, before: Before, plan: Option<&Plan>) {
        let context = Context { actor: command.request.actor, now: self.now, plan };
        let answer = match before {
            Before::Recorded(recorded) if recorded.fingerprint != command.fingerprint => Answer::KeyReused,
            Before::UnderWay(fingerprint) if fingerprint != command.fingerprint => Answer::KeyReused,
            Before::Recorded(recorded) => Answer::Replay { recorded, now: payment_now(unit, &context, &command.request.command) },
            Before::UnderWay(_) => Answer::Again { now: payment_now(unit, &context, &command.request.command) },
            Before::Nothing => self.decide(unit, &context, &command),
        };
        self.answers.push((command, answer));
    }

    fn decide(&mut self, unit: &mut Unit, context: &Context<'_>, pending: &Pending) -> Answer {
        let request = &pending.request;
        let (status, body, refusal) = match unit.decide(context, &request.command) {
            Ok(events) => {
                let metadata = metadata(&pending.actor, pending.id, request.causation.clone(), request.traceparent.clone());
                self.apply(unit, events, &metadata);
                (ACCEPTED, json(&unit.reply(context, &request.command)), None)
            }
            Err(refusal) => (Code::of(refusal.reason).status().as_u16(), json(&refusal), Some(refusal)),
        };
        let covered = self.events.len() as u64;
        self.outcomes.push(NewOutcome {
            unit: self.unit.id(),
            unit_kind: self.unit.kind(),
            actor: pending.actor.clone(),
            key: request.key.clone(),
            digest: pending.digest,
            command_id: pending.id.0,
            command: request.command.name(),
            fingerprint: pending.fingerprint,
            status,
            body: body.clone(),
            events_covered: covered,
            cause: refusal.as_ref().and_then(|refusal| refusal.cause).map(|sequence| (cause_stream(&request.command), sequence)),
        });
        Answer::Fresh { status, body, covered, refusal }
    }

    /// Lets time do what it does: holds run out, visits end, places are filled.
    pub(super) fn take_due(&mut self, unit: &mut Unit, rounds_max: usize) {
        for _ in 0..rounds_max {
            let events = unit.due(self.now);
            if events.is_empty() {
                return;
            }
            self.apply(unit, events, &metadata(TIMER, CommandId::new(), None, None));
        }
    }

    /// Each event is serialised here, once.
    fn apply(&mut self, unit: &mut Unit, events: Vec<(StreamId, Event)>, metadata: &Arc<str>) {
        for (stream, event) in events {
            let sequence = unit.sequence(&stream) + 1;
            unit.apply(&stream, &event);
            self.events.push(NewEvent {
                aggregate_type: stream.aggregate_type(),
                aggregate_id: stream.aggregate_id(),
                sequence,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: event.payload_json(),
                metadata: metadata.clone(),
            });
        }
    }
}

/// A repeated payment is told what has become of it, which is what its sender wants to know.
fn payment_now(unit: &Unit, context: &Context<'_>, command: &Command) -> Option<Arc<str>> {
    matches!(command, Command::Performance(performance::Command::Pay { .. })).then(|| json(&unit.reply(context, command)))
}

/// Refusals of the line's and the parties' commands rest on their own streams, all others of a performance on its seats.
fn cause_stream(command: &Command) -> &'static str {
    match command {
        Command::Account(_) => "account",
        Command::Wallet(_) => "wallet",
        Command::Show(_) => "show",
        Command::Line(_) => "waiting-room",
        Command::Party(..) => "party",
        Command::Performance(_) => "performance",
    }
}

/// What the command says.
pub(super) fn fingerprint(command: &Command) -> Fingerprint {
    Fingerprint::of(command.name(), text(command).as_bytes())
}

fn metadata(actor: &str, command: CommandId, causation: Option<String>, traceparent: Option<String>) -> Arc<str> {
    json(&Metadata { actor: actor.to_owned(), command, causation, traceparent })
}

fn json(value: &impl serde::Serialize) -> Arc<str> {
    text(value).into()
}

/// The domain's own types always serialise: no map with keys that aren't strings, no failing `Serialize`.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("the domain's types serialise")
}
