//! The outcomes a writer remembers, so that a retry is answered without asking Postgres.

use super::limits::WINDOW_MAX;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Who asked, and under which key.
pub(super) type Caller = (String, String);

/// A recorded outcome.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) fingerprint: [u8; 32],
    pub(super) status: u16,
    pub(super) body: Arc<str>,
    pub(super) position: u64,
}

/// The last [`WINDOW_MAX`] outcomes of one unit.
#[derive(Default)]
pub(super) struct Window {
    outcomes: HashMap<Caller, Recorded>,
    order: VecDeque<Caller>,
}

impl Window {
    pub(super) fn get(&self, caller: &Caller) -> Option<&Recorded> {
        self.outcomes.get(caller)
    }

    pub(super) fn remember(&mut self, caller: Caller, outcome: Recorded) {
        if self.outcomes.insert(caller.clone(), outcome).is_none() {
            self.order.push_back(caller);
        }
        if self.order.len() > WINDOW_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut window = Window::default();
        let outcome = Recorded { fingerprint: [0; 32], status: 200, body: "{}".into(), position: 1 };
        let caller = |n: usize| ("account:a".to_owned(), n.to_string());
        for n in 0..=WINDOW_MAX {
            window.remember(caller(n), outcome.clone());
        }
        assert!(window.get(&caller(0)).is_none());
        assert!(window.get(&caller(1)).is_some());
        assert!(window.get(&caller(WINDOW_MAX)).is_some());
    }
}
