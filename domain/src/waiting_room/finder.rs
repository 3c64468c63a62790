//! Finds places by their people and by their ids, without keeping either a second time: the places have them. So a million
//! who wait take a few bytes each to be found, and not a table with all their ids.

use super::state::Place;
use crate::limits::PARTY_MEMBERS_MAX;
use crate::{AccountId, EntryId};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash, RandomState};

/// Tables that share the numbers. Each grows by itself, so that nobody waits for a table of a million that is made anew.
const TABLES: usize = 64;
/// Members of a place that can be told apart.
const MEMBERS: u64 = 256;
const _: () = assert!(PARTY_MEMBERS_MAX as u64 <= MEMBERS);

/// Whom to look for. What knows the places is passed to every call: `place` tells the one with a number.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Finder {
    /// Each person, by the number of their place and their own among its members.
    people: Index,
    ids: Index,
}

impl Finder {
    /// Finds all of these places, with about so many people.
    pub(super) fn of<'a>(people: usize, numbers: impl Iterator<Item = u64>, place: impl Fn(u64) -> &'a Place + Copy) -> Finder {
        let mut finder = Finder { people: Index::with_room(people), ids: Index::with_room(people) };
        numbers.for_each(|number| finder.insert(number, place));
        finder
    }

    /// Finds the place with this number from now on.
    ///
    /// # Panics
    /// If one of its people, or its id, has another place.
    pub(super) fn add<'a>(&mut self, number: u64, place: impl Fn(u64) -> &'a Place + Copy) {
        let added = place(number);
        for member in added.members() {
            assert!(self.number(*member, place).is_none(), "{member} has two places");
        }
        assert!(!self.has(added.id, place), "{} is two places", added.id);
        self.insert(number, place);
    }

    fn insert<'a>(&mut self, number: u64, place: impl Fn(u64) -> &'a Place + Copy) {
        let added = place(number);
        for (nth, member) in (0..).zip(added.members()) {
            self.people.insert(member, number * MEMBERS + nth, |person| member_of(place, person));
        }
        self.ids.insert(&added.id, number, |number| place(number).id);
    }

    /// Doesn't find the place with this number any more.
    ///
    /// # Panics
    /// If it didn't before.
    pub(super) fn remove(&mut self, number: u64, place: &Place) {
        for (nth, member) in (0..).zip(place.members()) {
            assert!(self.people.remove(member, number * MEMBERS + nth), "{member} isn't on place {number}");
        }
        assert!(self.ids.remove(&place.id, number), "{} isn't a place", place.id);
    }

    /// Finds the same places by other numbers.
    pub(super) fn renumber(&mut self, number: impl Fn(u64) -> u64) {
        self.people.numbers_mut().for_each(|person| *person = number(*person / MEMBERS) * MEMBERS + *person % MEMBERS);
        self.ids.numbers_mut().for_each(|place| *place = number(*place));
    }

    /// The number of a person's place.
    pub(super) fn number<'a>(&self, account: AccountId, place: impl Fn(u64) -> &'a Place) -> Option<u64> {
        Some(self.people.get(&account, |person| member_of(&place, person))? / MEMBERS)
    }

    /// Whether a place has this id.
    pub(super) fn has<'a>(&self, id: EntryId, place: impl Fn(u64) -> &'a Place) -> bool {
        self.ids.get(&id, |number| place(number).id).is_some()
    }
}

fn member_of<'a>(place: impl Fn(u64) -> &'a Place, person: u64) -> AccountId {
    place(person / MEMBERS).members()[(person % MEMBERS) as usize]
}

/// Numbers, found by keys that follow from them.
#[derive(Clone, Debug)]
struct Index {
    tables: [HashTable<u64>; TABLES],
    /// Ids are the clients' choice: hashed with a secret, or they could choose such as collide.
    hasher: RandomState,
}

impl Default for Index {
    fn default() -> Index {
        Index { tables: [const { HashTable::new() }; TABLES], hasher: RandomState::new() }
    }
}

/// The same numbers: how they are hashed is by chance.
impl PartialEq for Index {
    fn eq(&self, other: &Index) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Index {
    /// With room for so many, and for the tables that get a few more than others.
    fn with_room(numbers: usize) -> Index {
        let each = numbers / TABLES;
        Index { tables: std::array::from_fn(|_| HashTable::with_capacity(each + each / 16)), hasher: RandomState::new() }
    }

    fn get<K: Hash + Eq>(&self, key: &K, key_of: impl Fn(u64) -> K) -> Option<u64> {
        let hash = self.hasher.hash_one(key);
        self.tables[table(hash)].find(hash, |&number| key_of(number) == *key).copied()
    }

    fn insert<K: Hash>(&mut self, key: &K, number: u64, key_of: impl Fn(u64) -> K) {
        let (hasher, hash) = (&self.hasher, self.hasher.hash_one(key));
        self.tables[table(hash)].insert_unique(hash, number, |&number| hasher.hash_one(key_of(number)));
    }

    fn remove<K: Hash>(&mut self, key: &K, number: u64) -> bool {
        let hash = self.hasher.hash_one(key);
        self.tables[table(hash)].find_entry(hash, |&found| found == number).map(|found| found.remove()).is_ok()
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.tables.iter_mut().flatten()
    }

    fn sorted(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.tables.iter().flatten().copied().collect();
        numbers.sort_unstable();
        numbers
    }
}

/// By bits of the hash that the tables themselves use last.
const fn table(hash: u64) -> usize {
    (hash >> 32) as usize % TABLES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PartyId;
    use std::collections::HashMap;

    #[test]
    fn finds_whom_a_plain_map_finds() {
        let mut places: Vec<Option<Place>> = Vec::new();
        let mut finder = Finder::default();
        let mut plain: HashMap<AccountId, u64> = HashMap::new();
        for number in 0..20_000_u64 {
            let members: Vec<AccountId> = (0..=number % 3).map(|_| AccountId::new()).collect();
            let party = (members.len() > 1).then(PartyId::new);
            places.push(Some(Place::new(EntryId::new(), members[0], party, &members)));
            finder.add(number, |number| places[number as usize].as_ref().expect("it is there"));
            plain.extend(members.iter().map(|member| (*member, number)));
            if number % 4 == 3 {
                let gone = number / 2;
                let Some(place) = places[gone as usize].take() else { continue };
                finder.remove(gone, &place);
                place.members().iter().for_each(|member| assert_eq!(plain.remove(member), Some(gone)));
                let found = |number: u64| places[number as usize].as_ref().expect("only what is there is asked for");
                assert!(!finder.has(place.id, found) && finder.number(place.members()[0], found).is_none());
            }
        }
        let place = |number: u64| places[number as usize].as_ref().expect("only what is there is asked for");
        assert!(plain.len() > 20_000);
        assert!(plain.iter().all(|(account, number)| finder.number(*account, place) == Some(*number)));
        assert!(places.iter().flatten().all(|place_there| finder.has(place_there.id, place)));
        let numbers = (0..).zip(&places).filter(|(_, place)| place.is_some()).map(|(number, _)| number);
        assert_eq!(finder, Finder::of(plain.len(), numbers, place));
        assert_ne!(finder, Finder::default());
        finder.renumber(|number| number + 1);
        let place = |number: u64| place(number - 1);
        assert!(plain.iter().all(|(account, number)| finder.number(*account, place) == Some(*number + 1)));
        assert!(places.iter().flatten().all(|place_there| finder.has(place_there.id, place)));
    }
}
