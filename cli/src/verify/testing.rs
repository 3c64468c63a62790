//! A log made by hand, for the checks' own tests.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::event::{Event, Metadata, StreamId};
use socketing_domain::{CommandId, Timestamp};
use socketing_event_store::{Json, RawEvent};
use std::collections::HashMap;

/// Events as the log would have them: dense positions and sequences, a second apart, each of a command of its own.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<RawEvent>,
    sequences: HashMap<StreamId, u64>,
    clock: i64,
}

/// When the hand-made log begins, in milliseconds.
pub(crate) const BEGINNING: i64 = 1_800_000_000_000;

impl Log {
    /// The moment of the next event.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGINNING + self.clock)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.clock += seconds * 1000;
    }

    /// Appends an event, made by a person.
    pub(crate) fn add(&mut self, stream: StreamId, event: Event) -> &mut RawEvent {
        let sequence = self.sequences.entry(stream).or_default();
        *sequence += 1;
        let metadata = Metadata { actor: "account:x".into(), command: CommandId::new(), ..Metadata::default() };
        let raw = RawEvent {
            position: self.events.len() as u64 + 1,
            aggregate_type: stream.aggregate_type().into(),
            aggregate_id: stream.aggregate_id(),
            sequence: *sequence,
            event_type: event.event_type().into(),
            event_version: event.event_version().into(),
            payload: Json::parse(event.payload_json()).unwrap(),
            metadata: Json::parse(serde_json::to_string(&metadata).unwrap()).unwrap(),
            recorded_at: Timestamp::from_millis(BEGINNING + self.clock),
        };
        self.clock += 1000;
        self.events.push(raw);
        self.events.last_mut().unwrap()
    }

    /// Runs a check over it.
    pub(crate) fn check(&self, mut check: impl Check + 'static) -> Findings {
        for raw in &self.events {
            let decoded = raw.decode().map_err(|error| super::chain(&error));
            check.event(&Seen { raw, decoded: decoded.as_ref().map_err(String::as_str) });
        }
        check.end(self.events.last().map_or(0, |last| last.position));
        Box::new(check).findings()
    }
}

/// The faults' positions and sentences, for assertions.
pub(crate) fn told(findings: &Findings) -> Vec<(u64, &str)> {
    findings.faults.iter().map(|fault| (fault.position, fault.detail.as_str())).collect()
}
