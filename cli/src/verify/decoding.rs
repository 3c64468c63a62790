//! Every event decodes: its stream, type and version are known, its payload and its metadata are what they should be.

use super::check::{Check, Seen};
use super::findings::Findings;

/// Keeps nothing but the findings.
pub(crate) struct Decoding {
    findings: Findings,
}

impl Decoding {
    pub(crate) fn new() -> Decoding {
        Decoding { findings: Findings::new("decoding", "every event decodes, whatever its version") }
    }
}

impl Check for Decoding {
    fn event(&mut self, event: &Seen<'_>) {
        self.findings.looked();
        if let Err(error) = event.decoded {
            let raw = event.raw;
            self.findings.fault(raw.position, format!("{} v{} of {} {error}", raw.event_type, raw.event_version, raw.aggregate_type));
        }
    }

    fn end(&mut self, _head: u64) {}

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}
