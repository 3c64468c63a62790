//! What a writer knows of the keys it has met, so that a retry is answered, and a new command taken, without asking
//! Postgres: the latest outcomes whole, and of all older ones a digest that says "surely never".

use super::limits::{KEYS_MAX, WINDOW_MAX};
use socketing_event_store::command_log::{Fingerprint, KeyDigest};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A recorded outcome.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) fingerprint: Fingerprint,
    pub(super) status: u16,
    pub(super) body: Arc<str>,
    pub(super) position: u64,
}

/// What a writer knows of a key.
pub(super) enum Known<'a> {
    /// Its outcome.
    Recorded(&'a Recorded),
    /// No command with this key was ever carried out here.
    Never,
    /// Only Postgres knows.
    Unsure,
}

/// The keys of one unit.
pub(super) struct Window {
    outcomes: HashMap<KeyDigest, Recorded>,
    order: VecDeque<KeyDigest>,
    /// Short digests of the keys met since the unit was loaded, and of those before once they have been [`Window::learn`]ed.
    keys: Digests,
    /// Whether `keys` has all there are.
    complete: bool,
}

impl Window {
    /// Of a unit that was just loaded; `keys` are those recorded before, if these are all.
    pub(super) fn new(keys: Option<Vec<u64>>) -> Window {
        let complete = keys.is_some();
        Window { outcomes: HashMap::new(), order: VecDeque::new(), keys: keys.into_iter().flatten().collect(), complete }
    }

    pub(super) fn look(&self, key: &KeyDigest) -> Known<'_> {
        match self.outcomes.get(key) {
            Some(recorded) => Known::Recorded(recorded),
            None if self.complete && !self.keys.contains(&key.short()) => Known::Never,
            None => Known::Unsure,
        }
    }

    /// Takes in all keys that were recorded before the unit was loaded.
    pub(super) fn learn(&mut self, keys: Vec<u64>) {
        self.keys.extend(keys);
        self.complete = self.keys.len() <= KEYS_MAX;
        self.bound();
    }

    /// Keeps a new outcome.
    pub(super) fn remember(&mut self, key: KeyDigest, outcome: Recorded) {
        self.keys.insert(key.short());
        self.bound();
        if self.outcomes.insert(key, outcome).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > WINDOW_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
    }

    /// Beyond the bound the digests are given up, and Postgres is asked about older keys.
    fn bound(&mut self) {
        if self.keys.len() > KEYS_MAX {
            (self.keys, self.complete) = (Digests::default(), false);
        }
    }
}

/// Digests are evenly spread already: hashing them again would be for nothing.
type Digests = HashSet<u64, BuildHasherDefault<AsItIs>>;

#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only whole numbers are hashed so");
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(n: usize) -> KeyDigest {
        KeyDigest::of("performance", "account:a", &n.to_string())
    }

    fn outcome() -> Recorded {
        Recorded { fingerprint: Fingerprint(Uuid::nil()), status: 200, body: "{}".into(), position: 1 }
    }

    #[test]
    fn the_oldest_is_forgotten_first_but_never_taken_for_new() {
        let mut window = Window::new(Some(Vec::new()));
        for n in 0..=WINDOW_MAX {
            window.remember(key(n), outcome());
        }
        assert!(matches!(window.look(&key(0)), Known::Unsure));
        assert!(matches!(window.look(&key(1)), Known::Recorded(_)));
        assert!(matches!(window.look(&key(WINDOW_MAX)), Known::Recorded(_)));
        assert!(matches!(window.look(&key(WINDOW_MAX + 1)), Known::Never));
    }

    #[test]
    fn until_the_older_keys_are_known_nothing_is_surely_new() {
        let mut window = Window::new(None);
        window.remember(key(2), outcome());
        assert!(matches!(window.look(&key(3)), Known::Unsure));
        window.learn(vec![key(1).short()]);
        assert!(matches!(window.look(&key(1)), Known::Unsure));
        assert!(matches!(window.look(&key(2)), Known::Recorded(_)));
        assert!(matches!(window.look(&key(3)), Known::Never));
    }

    #[test]
    fn more_keys_than_it_may_keep_are_asked_about() {
        let mut window = Window::new(None);
        window.learn((0..=KEYS_MAX as u64).collect());
        assert!(matches!(window.look(&key(1)), Known::Unsure));
        assert!(window.keys.is_empty());
    }
}
