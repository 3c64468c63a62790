//! What a writer knows of the keys it has met, so that a retry is answered, and a new command taken, without asking
//! Postgres: the latest outcomes whole, and of all older ones a digest that says "surely never".

use super::limits::{KEYS_MAX, WINDOW_MAX};
use socketing_event_store::append::NewOutcome;
use socketing_event_store::command_log::{ACCEPTED, Fingerprint, KeyDigest};
use socketing_event_store::pack::{self, NewPack};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use uuid::Uuid;

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
    /// The keys met since the unit was loaded, those before that are in packs, and all others before once they have been
    /// [`Window::learn`]ed.
    keys: HashSet<Met, BuildHasherDefault<AsItIs>>,
    /// Whether `keys` has all there are.
    complete: bool,
    /// Whether there were too many: then `keys` has those that are in packs, and no pack is made any more.
    full: bool,
    /// The number of the pack that is made next; none for units that have no packs.
    next_pack: Option<u32>,
}

/// The keys that a unit's packs hold, by the packs' numbers.
pub(super) type PackedKeys = Vec<(u32, Vec<u64>)>;

impl Window {
    /// Of a unit that was just loaded; `rows` are the keys that have rows, if these are all.
    pub(super) fn new(rows: Option<Vec<u64>>, packs: Option<PackedKeys>) -> Window {
        let next_pack = packs.as_ref().map(|packs| packs.iter().map(|(number, _)| number + 1).max().unwrap_or(1));
        let mut window = Window { next_pack, complete: rows.is_some(), ..Window::default() };
        for (number, keys) in packs.into_iter().flatten() {
            window.keys.extend(keys.into_iter().map(|key| Met::new(key, number)));
        }
        window.keys.extend(rows.into_iter().flatten().map(Met::in_row));
        window.bound();
        window
    }

    pub(super) fn look(&self, key: &KeyDigest) -> Known<'_> {
        // First, for it is so of nearly every key.
        if self.complete && !self.keys.contains(&Met::in_row(key.short())) {
            return Known::Never;
        }
        self.place(key).map_or(Known::Unsure, |place| Known::Recorded(&self.latest[place].1))
    }

    /// The packs that may hold these keys. A key that none of them holds may have a row.
    pub(super) fn packs_of(&self, keys: &[KeyDigest]) -> HashSet<u32> {
        keys.iter().filter_map(|key| self.keys.get(&Met::in_row(key.short()))?.pack()).collect()
    }

    /// Where among the latest this key is.
    fn place(&self, key: &KeyDigest) -> Option<usize> {
        let place = (self.places.get(&key.short())? - self.first) as usize;
        (self.latest[place].0 == *key).then_some(place)
    }

    /// Takes in all keys that have rows from before the unit was loaded.
    pub(super) fn learn(&mut self, keys: Vec<u64>) {
        if !self.full {
            self.keys.extend(keys.into_iter().map(Met::in_row));
            self.complete = true;
            self.bound();
        }
    }

    /// Takes out of a batch's outcomes what goes into packs, and keeps in which. Refusals have rows, which others read. A key
    /// that can't be told from another by what is kept of it has one too: rows are found by the whole digest.
    pub(super) fn pack(&mut self, unit: Uuid, outcomes: &mut Vec<NewOutcome>) -> Vec<NewPack> {
        let accepted = outcomes.iter().filter(|outcome| outcome.status == ACCEPTED).count();
        let room = |number: &u32| !self.full && *number < Met::PACKS_MAX;
        let Some(first) = self.next_pack.filter(room).filter(|_| accepted >= pack::OUTCOMES_MIN) else { return Vec::new() };
        let mut taken = 0;
        let packed = outcomes.extract_if(.., |outcome| {
            let number = first + (taken / pack::OUTCOMES_MAX) as u32;
            let take = outcome.status == ACCEPTED && self.keys.insert(Met::new(outcome.digest.short(), number));
            taken += usize::from(take);
            take
        });
        let packed: Vec<NewOutcome> = packed.collect();
        let packs = NewPack::all(unit, first, &packed);
        self.next_pack = Some(first + packs.len() as u32);
        self.bound();
        packs
    }

    /// Keeps an outcome. One that is told again stays where it is: a key that is sent again and again costs others nothing.
    pub(super) fn remember(&mut self, key: KeyDigest, outcome: Recorded) {
        if let Some(place) = self.place(&key) {
            self.latest[place].1 = outcome;
            return;
        }
        if !self.full {
            self.keys.insert(Met::in_row(key.short()));
            self.bound();
        }
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

    /// Beyond the bound the keys that have rows are given up, and Postgres is asked about them.
    fn bound(&mut self) {
        if self.keys.len() > KEYS_MAX {
            self.keys.retain(|met| met.pack().is_some());
            self.keys.shrink_to_fit();
            (self.complete, self.full) = (false, true);
        }
    }
}

/// A key that was met: 40 bits of its digest say which, as far as "surely never" needs, and 24 in which pack its outcome is,
/// 0 if it has a row. Equal is what may be the same key.
#[derive(Clone, Copy)]
struct Met(u64);

impl Met {
    const PACK: u64 = (1 << 24) - 1;
    /// Numbers after which no more packs are begun: one batch of them would still fit, and [`KEYS_MAX`] keys need far fewer.
    const PACKS_MAX: u32 = 1 << 23;

    /// A key, by its short digest, in a pack.
    fn new(short: u64, pack: u32) -> Met {
        Met((short & !Met::PACK) | (u64::from(pack) & Met::PACK))
    }

    /// A key that has a row, or of which nothing but its digest is known.
    fn in_row(short: u64) -> Met {
        Met::new(short, 0)
    }

    fn pack(self) -> Option<u32> {
        Some((self.0 & Met::PACK) as u32).filter(|&number| number > 0)
    }

    fn digest(self) -> u64 {
        self.0 & !Met::PACK
    }
}

impl PartialEq for Met {
    fn eq(&self, other: &Met) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Met {}

impl Hash for Met {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A table takes its place from the low bits, and a first look at who is there from the highest.
        state.write_u64(self.digest() ^ (self.digest() >> 24));
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
        let mut window = Window::new(Some(Vec::new()), None);
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
        let mut window = Window::new(Some(Vec::new()), None);
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
        let mut window = Window::new(Some(Vec::new()), None);
        let (one, other) = (KeyDigest { time: 0, hash: Uuid::from_u64_pair(7, 1) }, KeyDigest { time: 0, hash: Uuid::from_u64_pair(7, 2) });
        window.remember(one, outcome());
        assert!(matches!(window.look(&other), Known::Unsure));
        window.remember(other, outcome());
        assert!(matches!(window.look(&other), Known::Recorded(_)));
        assert!(matches!(window.look(&one), Known::Unsure));
    }

    #[test]
    fn until_the_older_keys_are_known_nothing_is_surely_new() {
        let mut window = Window::new(None, None);
        window.remember(key(2), outcome());
        assert!(matches!(window.look(&key(3)), Known::Unsure));
        window.learn(vec![key(1).short()]);
        assert!(matches!(window.look(&key(1)), Known::Unsure));
        assert!(matches!(window.look(&key(2)), Known::Recorded(_)));
        assert!(matches!(window.look(&key(3)), Known::Never));
    }

    #[test]
    fn more_keys_than_it_may_keep_are_asked_about() {
        let mut window = Window::new(None, Some(vec![(3, vec![key(1).short()])]));
        window.learn((0..KEYS_MAX as u64).map(|nth| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect());
        window.remember(key(2), outcome());
        assert!(matches!(window.look(&key(3)), Known::Unsure));
        assert_eq!((window.packs_of(&[key(1)]), window.keys.len()), (HashSet::from([3]), 1), "what is packed is found nowhere else");
        let mut outcomes: Vec<_> = (10..100).map(|n| new_outcome(key(n), 200)).collect();
        assert!(window.pack(Uuid::nil(), &mut outcomes).is_empty());
        assert_eq!(outcomes.len(), 90, "all have rows from now on");
    }

    fn new_outcome(digest: KeyDigest, status: u16) -> NewOutcome {
        NewOutcome {
            unit: Uuid::nil(),
            unit_kind: "performance",
            actor: String::new(),
            key: String::new(),
            digest,
            command_id: Uuid::nil(),
            command: "hold_seats",
            fingerprint: Fingerprint(Uuid::nil()),
            status,
            body: "{}".into(),
            events_covered: 1,
            cause: None,
        }
    }

    fn window_with_packs() -> Window {
        Window::new(Some(Vec::new()), Some(Vec::new()))
    }

    #[test]
    fn accepted_outcomes_are_packed_where_there_are_many() {
        let mut window = window_with_packs();
        let mut few: Vec<_> = (0..pack::OUTCOMES_MIN - 1).map(|n| new_outcome(key(n), 200)).collect();
        few.extend((100..200).map(|n| new_outcome(key(n), 409)));
        assert!(window.pack(Uuid::nil(), &mut few).is_empty(), "most were refused");

        let mut many: Vec<_> = (1_000..1_150).map(|n| new_outcome(key(n), if n % 3 == 0 { 409 } else { 200 })).collect();
        let packs = window.pack(Uuid::nil(), &mut many);
        assert_eq!(packs.iter().map(|pack| (pack.number, pack.count())).collect::<Vec<_>>(), [(1, 64), (2, 36)]);
        assert!(many.len() == 50 && many.iter().all(|outcome| outcome.status == 409));
        assert_eq!(window.packs_of(&[key(1_001)]), HashSet::from([1]));
        assert_eq!(window.packs_of(&[key(1_148), key(2_000)]), HashSet::from([2]));

        let mut more: Vec<_> = (3_000..3_010).map(|n| new_outcome(key(n), 200)).collect();
        assert_eq!(window.pack(Uuid::nil(), &mut more)[0].number, 3);
    }

    #[test]
    fn what_is_packed_is_known_after_a_start() {
        let window =
            Window::new(Some(vec![key(1).short()]), Some(vec![(7, vec![key(2).short(), key(3).short()]), (4, vec![key(4).short()])]));
        for n in 1..5 {
            assert!(matches!(window.look(&key(n)), Known::Unsure), "{n}");
        }
        assert!(matches!(window.look(&key(5)), Known::Never));
        assert_eq!(window.packs_of(&[key(1), key(2), key(4)]), HashSet::from([7, 4]));
        assert_eq!(window.next_pack, Some(8));
    }

    #[test]
    fn a_key_that_could_be_taken_for_another_has_a_row() {
        let mut window = window_with_packs();
        let alike = |n: u64| KeyDigest { time: 0, hash: Uuid::from_u64_pair((9 << 24) + n, n) };
        let mut outcomes: Vec<_> = (0..20).map(|n| new_outcome(key(n), 200)).collect();
        outcomes.extend([new_outcome(alike(1), 200), new_outcome(alike(2), 200)]);
        assert_eq!(window.pack(Uuid::nil(), &mut outcomes)[0].count(), 21);
        assert_eq!(outcomes.iter().map(|outcome| outcome.digest).collect::<Vec<_>>(), [alike(2)]);
        assert!(matches!(window.look(&alike(3)), Known::Unsure));
    }

    #[test]
    fn a_unit_without_packs_makes_none() {
        let mut window = Window::new(Some(Vec::new()), None);
        let mut outcomes: Vec<_> = (0..100).map(|n| new_outcome(key(n), 200)).collect();
        assert!(window.pack(Uuid::nil(), &mut outcomes).is_empty());
    }
}
