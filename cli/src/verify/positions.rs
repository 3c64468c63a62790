//! Positions are dense: 1, 2, 3 … up to the head's row, without gaps or repeats.

use super::check::{Check, Seen};
use super::findings::Findings;

/// The last position seen.
pub(crate) struct Positions {
    last: u64,
    findings: Findings,
}

impl Positions {
    pub(crate) fn new() -> Positions {
        Positions { last: 0, findings: Findings::new("positions", "positions are dense from 1 to the head") }
    }
}

impl Check for Positions {
    fn event(&mut self, event: &Seen<'_>) {
        self.findings.looked();
        let (position, wanted) = (event.position(), self.last + 1);
        self.findings.expect(position == wanted, wanted, || match position.saturating_sub(wanted) {
            1 => format!("position {wanted} is missing"),
            _ => format!("positions {wanted} to {} are missing", position.saturating_sub(1)),
        });
        self.last = position;
    }

    fn end(&mut self, head: u64) {
        self.findings.expect(self.last == head, head, || format!("the head is at {head}, but the log ends at {}", self.last));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}
