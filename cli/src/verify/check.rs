//! What a check over the log is: it sees each event once, in order, and in the end the head.

use super::findings::Findings;
use socketing_domain::event::Recorded;
use socketing_event_store::RawEvent;

/// One event of the pass.
pub(crate) struct Seen<'a> {
    /// As the log's table has it.
    pub(crate) raw: &'a RawEvent,
    /// Decoded and upcast, or why it can't be.
    pub(crate) decoded: Result<&'a Recorded, &'a str>,
}

impl Seen<'_> {
    /// Its place in the log.
    pub(crate) fn position(&self) -> u64 {
        self.raw.position
    }
}

/// A check that needs nothing but the log. Its state is what a fold of the log keeps; it never holds the events.
pub(crate) trait Check {
    /// Takes in the next event of the log.
    fn event(&mut self, event: &Seen<'_>);
    /// The log ends here, at the position of the head's row.
    fn end(&mut self, head: u64);
    /// What was found.
    fn findings(self: Box<Self>) -> Findings;
}
