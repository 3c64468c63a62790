//! What a room shows: a state that events change, told as a whole or as what changed.

use socketing_domain::event::Recorded;
use std::{fmt, time::Duration};

/// What a subscriber asks for besides the topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wish {
    /// Its number in the line: snapshots then say how many wait ahead of it.
    pub(crate) number: Option<u64>,
}

impl Wish {
    /// Whether everyone with this wish is told the same.
    pub(crate) fn is_common(self) -> bool {
        self.number.is_none()
    }
}

/// A room's state. Changes are known by marks (a seat's number, a ticket's number): which mark changed at which position is
/// remembered for those who come back; what it means now stands in the state.
pub(crate) trait Board: fmt::Debug + Send + Sized + 'static {
    /// The topic's name, for logs.
    const TOPIC: &'static str;
    /// The `aggregate_type` of the one stream that it is folded from.
    const STREAM: &'static str;
    /// Its frames are at least so far apart.
    const REST: Duration;

    /// Folds an event of its stream. Calls `mark` for each thing that changed. False if nothing that is shown did.
    fn apply(&mut self, event: &Recorded, mark: &mut dyn FnMut(u64)) -> bool;

    /// How many marks are remembered.
    fn marks_max(&self) -> usize;

    /// Appends the members of a snapshot: `,"name":value…`.
    fn snapshot(&self, wish: Wish, json: &mut String);

    /// Appends the members of a delta, of these marks (ascending, each once): `,"name":value…`.
    fn delta(&self, marks: &[u64], wish: Wish, json: &mut String);
}
