//! Each stream's sequence is dense: 1, 2, 3 …, in the order of positions.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::event::StreamId;
use std::collections::HashMap;

/// A stream, as well as the log names it.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Known(StreamId),
    Unknown(String, String),
}

/// The last sequence of each stream: as many entries as there are streams, whatever the length of the log.
pub(crate) struct Sequences {
    last: HashMap<Name, u64>,
    findings: Findings,
}

impl Sequences {
    pub(crate) fn new() -> Sequences {
        Sequences { last: HashMap::new(), findings: Findings::new("sequences", "each stream's sequence is dense from 1") }
    }
}

impl Check for Sequences {
    fn event(&mut self, event: &Seen<'_>) {
        self.findings.looked();
        let raw = event.raw;
        let name = StreamId::parse(&raw.aggregate_type, &raw.aggregate_id)
            .map_or_else(|| Name::Unknown(raw.aggregate_type.clone(), raw.aggregate_id.clone()), Name::Known);
        let last = self.last.entry(name).or_default();
        self.findings.expect(raw.sequence == *last + 1, raw.position, || {
            format!("{} {} goes from sequence {last} to {}", raw.aggregate_type, raw.aggregate_id, raw.sequence)
        });
        *last = raw.sequence;
    }

    fn end(&mut self, _head: u64) {
        self.findings.note = Some(format!("{} streams", self.last.len()));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}
