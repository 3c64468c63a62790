//! A batch in the making: what was decided, not yet durable.

use super::request::{Done, Rejected};
use super::window::{Caller, Recorded};
use super::writer::Pending;
use sha2::{Digest, Sha256};
use socketing_domain::event::{Actor, Event, Metadata, StreamId};
use socketing_domain::performance;
use socketing_domain::plan::{Plan, PlanHash};
use socketing_domain::unit::{Command, Context, Unit, UnitId};
use socketing_domain::{CommandId, Refusal, Timestamp};
use socketing_event_store::append::{NewEvent, NewOutcome};
use socketing_event_store::command_log;
use socketing_service::Code;
use std::collections::HashMap;
use std::sync::Arc;

/// How a command will be answered once the batch is durable.
#[derive(Clone)]
pub(super) enum Answer {
    /// Decided in this batch; `replayed` for those after the first of equal commands in it.
    Fresh { status: u16, body: Arc<str>, covered: u64, refusal: Option<Refusal>, replayed: bool },
    /// Decided before; `body` is what it was answered then (for a payment: what it is now).
    Replay { status: u16, body: Arc<str>, position: u64 },
    /// The key belongs to another command.
    KeyReused,
}

impl Answer {
    /// The answer, given the position before the batch.
    pub(super) fn outcome(self, base: u64) -> Result<Done, Rejected> {
        match self {
            Answer::KeyReused => Err(Rejected::KeyReused),
            Answer::Fresh { covered, refusal: Some(refusal), .. } => Err(Rejected::Refused { refusal, position: base + covered }),
            Answer::Fresh { covered, body, replayed, .. } => Ok(Done { position: base + covered, reply: body, replayed }),
            Answer::Replay { status, body, position } if is_refusal(status) => Err(refused_before(&body, position)),
            Answer::Replay { body, position, .. } => Ok(Done { position, reply: body, replayed: true }),
        }
    }

    /// The same answer, to the same command once more.
    fn again(self) -> Answer {
        match self {
            Answer::Fresh { status, body, covered, refusal, .. } => Answer::Fresh { status, body, covered, refusal, replayed: true },
            other => other,
        }
    }

    /// What the window keeps of it.
    pub(super) fn to_remember(&self, fingerprint: [u8; 32], base: u64) -> Option<Recorded> {
        match self {
            Answer::Fresh { status, body, covered, .. } => {
                Some(Recorded { fingerprint, status: *status, body: body.clone(), position: base + covered })
            }
            Answer::Replay { status, body, position } => {
                Some(Recorded { fingerprint, status: *status, body: body.clone(), position: *position })
            }
            Answer::KeyReused => None,
        }
    }
}

/// The status recorded for accepted commands; a route that creates something answers 201, the first time and again.
const ACCEPTED: u16 = 200;

const fn is_refusal(status: u16) -> bool {
    status >= 400
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

/// What a writer has decided since its last commit.
pub(super) struct Draft {
    unit: UnitId,
    now: Timestamp,
    pub(super) events: Vec<NewEvent>,
    pub(super) outcomes: Vec<NewOutcome>,
    /// One per command, in their order.
    pub(super) answers: Vec<Answer>,
    /// Keys met in this batch: the second of two equal commands gets the first one's answer.
    met: HashMap<Caller, ([u8; 32], usize)>,
}

impl Draft {
    pub(super) fn new(unit: UnitId, now: Timestamp) -> Draft {
        Draft { unit, now, events: Vec::new(), outcomes: Vec::new(), answers: Vec::new(), met: HashMap::new() }
    }

    /// Nothing was asked, and nothing happened. (Replays and refusals alone still pass the fence of a commit, or a node
    /// that woke up late would answer from old memory.)
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.answers.is_empty()
    }

    /// Decides one command, unless it was decided before.
    pub(super) fn take(
        &mut self,
        unit: &mut Unit,
        pending: &Pending,
        recorded: Option<&Recorded>,
        plan: impl Fn(&PlanHash) -> Option<Arc<Plan>>,
    ) {
        let wanted = unit.plan_wanted(&pending.request.command).and_then(|hash| plan(&hash));
        let context = Context { actor: pending.request.actor, now: self.now, plan: wanted.as_deref() };
        let met = self.met.get(&pending.caller()).copied();
        let answer = match (met, recorded) {
            (Some((fingerprint, _)), _) if fingerprint != pending.fingerprint => Answer::KeyReused,
            (Some((_, nth)), _) => self.answers[nth].clone().again(),
            (None, Some(recorded)) if recorded.fingerprint != pending.fingerprint => Answer::KeyReused,
            (None, Some(recorded)) => replay(unit, &context, &pending.request.command, recorded),
            (None, None) => self.decide(unit, &context, pending),
        };
        self.met.entry(pending.caller()).or_insert((pending.fingerprint, self.answers.len()));
        self.answers.push(answer);
    }

    fn decide(&mut self, unit: &mut Unit, context: &Context<'_>, pending: &Pending) -> Answer {
        let request = &pending.request;
        let decision = unit.decide(context, &request.command);
        let (status, body, refusal) = match decision {
            Ok(events) => {
                let metadata = metadata(context.actor, pending.id, request.causation.clone(), request.traceparent.clone());
                self.apply(unit, events, &metadata);
                (ACCEPTED, json(&unit.reply(context, &request.command)), None)
            }
            Err(refusal) => (Code::of(refusal.reason).status().as_u16(), json(&refusal), Some(refusal)),
        };
        let covered = self.events.len() as u64;
        self.outcomes.push(NewOutcome {
            unit: self.unit.id(),
            unit_kind: self.unit.kind(),
            actor: request.actor.to_string(),
            key: request.key.clone(),
            command_id: pending.id.0,
            command: request.command.name(),
            fingerprint: pending.fingerprint,
            status,
            body: body.clone(),
            events_covered: covered,
            cause: refusal.as_ref().and_then(|refusal| refusal.cause).map(|sequence| (cause_stream(&request.command), sequence)),
        });
        Answer::Fresh { status, body, covered, refusal, replayed: false }
    }

    /// Lets time do what it does: holds run out, visits end, places are filled.
    pub(super) fn take_due(&mut self, unit: &mut Unit, rounds_max: usize) {
        for _ in 0..rounds_max {
            let events = unit.due(self.now);
            if events.is_empty() {
                return;
            }
            self.apply(unit, events, &metadata(Actor::System("timer"), CommandId::new(), None, None));
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

/// A replay says what was said before; a payment's says what has become of it, which is what its sender wants to know.
fn replay(unit: &Unit, context: &Context<'_>, command: &Command, recorded: &Recorded) -> Answer {
    let is_payment = matches!(command, Command::Performance(performance::Command::Pay { .. }));
    let body = if is_payment && !is_refusal(recorded.status) { json(&unit.reply(context, command)) } else { recorded.body.clone() };
    Answer::Replay { status: recorded.status, body, position: recorded.position }
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

/// SHA-256 of the command: the same key with another body is refused.
pub(super) fn fingerprint(command: &Command) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(command.name());
    hash.update(&*json(command));
    hash.finalize().into()
}

/// A row of the command log as the window has it.
pub(super) fn recorded(outcome: command_log::Outcome) -> (Caller, Recorded) {
    // A fingerprint of another length matches no command.
    let fingerprint = outcome.fingerprint.try_into().unwrap_or([0; 32]);
    let recorded = Recorded { fingerprint, status: outcome.status, body: outcome.body.into(), position: outcome.position };
    ((outcome.actor, outcome.key), recorded)
}

fn metadata(actor: Actor, command: CommandId, causation: Option<String>, traceparent: Option<String>) -> Arc<str> {
    json(&Metadata { actor: actor.to_string(), command, causation, traceparent })
}

/// The domain's own types always serialise: no map with keys that aren't strings, no failing `Serialize`.
fn json(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).expect("the domain's types serialise").into()
}
