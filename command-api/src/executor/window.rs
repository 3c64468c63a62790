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

/// What is known by whole digests.
pub(super) type ByDigest<V> = HashMap<KeyDigest, V, BuildHasherDefault<AsItIs>>;

/// The keys of one unit.
#[derive(Default)]
pub(super) struct Window {
    /// The latest outcomes, the oldest first, and which of all that ever came is the first of them.
    latest: VecDeque<(KeyDigest, Recorded)>,
    first: u64,
    /// Where the latest are, by their short digests: which of all that ever came.
    places: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    /// Short digests of the keys met since the unit was loaded, and of those before once they have been [`Window::learn`]ed.
    keys: HashSet<u64, BuildHasherDefault<AsItIs>>,
    /// Whether `keys` has all there are.
    complete: bool,
}

impl Window {
    /// Of a unit that was just loaded; `keys` are those recorded before, if these are all.
    pub(super) fn new(keys: Option<Vec<u64>>) -> Window {
        Window { complete: keys.is_some(), keys: keys.into_iter().flatten().collect(), ..Window::default() }
    }

    pub(super) fn look(&self, key: &KeyDigest) -> Known<'_> {
        // First, for it is so of nearly every key.
        if self.complete && !self.keys.contains(&key.short()) {
            return Known::Never;
        }
        self.place(key).map_or(Known::Unsure, |place| Known::Recorded(&self.latest[place].1))
    }

    /// Where among the latest this key is.
    fn place(&self, key: &KeyDigest) -> Option<usize> {
        let place = (self.places.get(&key.short())? - self.first) as usize;
        (self.latest[place].0 == *key).then_some(place)
    }

    /// Takes in all keys that were recorded before the unit was loaded.
    pub(super) fn learn(&mut self, keys: Vec<u64>) {
        self.keys.extend(keys);
        self.complete = self.keys.len() <= KEYS_MAX;
        self.bound();
    }

    /// Keeps an outcome. One that is told again stays where it is: a key that is sent again and again costs others nothing.
    pub(super) fn remember(&mut self, key: KeyDigest, outcome: Recorded) {
        if let Some(place) = self.place(&key) {
            self.latest[place].1 = outcome;
            return;
        }
        self.keys.insert(key.short());
        self.bound();
        self.places.insert(key.short(), self.first + self.latest.len() as u64);
        self.latest.push_back((key, outcome));
        if self.latest.len() > WINDOW_MAX
            && let Some((oldest, _)) = self.latest.pop_front()
        {
            // Another key with the same short digest may have come since.
            if self.places.get(&oldest.short()) == Some(&self.first) {
                self.places.remove(&oldest.short());
            }
            self.first += 1;
        }
    }

    /// Beyond the bound the digests are given up, and Postgres is asked about older keys.
    fn bound(&mut self) {
        if self.keys.len() > KEYS_MAX {
            (self.keys, self.complete) = (HashSet::default(), false);
        }
    }
}

/// Digests are evenly spread already: hashing them again would be for nothing.
#[derive(Default)]
pub(super) struct AsItIs(u64);

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
    fn a_key_that_is_sent_again_and_again_pushes_no_other_out() {
        let mut window = Window::new(Some(Vec::new()));
        for n in 0..WINDOW_MAX {
            window.remember(key(n), outcome());
        }
        for position in 0..WINDOW_MAX as u64 {
            window.remember(key(1), Recorded { position, ..outcome() });
        }
        assert!(matches!(window.look(&key(0)), Known::Recorded(_)));
        assert!(matches!(window.look(&key(1)), Known::Recorded(recorded) if recorded.position == WINDOW_MAX as u64 - 1));
        window.remember(key(WINDOW_MAX), outcome());
        assert!(matches!(window.look(&key(0)), Known::Unsure));
        assert_eq!((window.latest.len(), window.places.len()), (WINDOW_MAX, WINDOW_MAX));
    }

    #[test]
    fn a_short_digest_that_two_keys_share_is_not_taken_for_the_other() {
        let mut window = Window::new(Some(Vec::new()));
        let (one, other) = (KeyDigest { time: 0, hash: Uuid::from_u64_pair(7, 1) }, KeyDigest { time: 0, hash: Uuid::from_u64_pair(7, 2) });
        window.remember(one, outcome());
        assert!(matches!(window.look(&other), Known::Unsure));
        window.remember(other, outcome());
        assert!(matches!(window.look(&other), Known::Recorded(_)));
        assert!(matches!(window.look(&one), Known::Unsure));
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
