//! A memory of bounded size for what has ended.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Remembers the latest so many things; older ones are forgotten, in the order in which they came.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize + Eq + Ord + Hash, V: Serialize",
    deserialize = "K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>"
))]
pub(crate) struct Recent<K: Eq + Hash, V> {
    room: usize,
    order: VecDeque<K>,
    #[serde(with = "crate::sorted")]
    known: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// A memory with room for so many.
    pub(crate) fn with_room(room: usize) -> Recent<K, V> {
        assert!(room > 0, "a memory without room remembers nothing");
        Recent { room, order: VecDeque::new(), known: HashMap::new() }
    }

    /// What is known of a thing; `None` if it never came or was forgotten.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    /// Remembers a thing, and forgets the oldest when there is no room.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.order.len() == self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        let before = self.known.insert(key, value);
        assert!(before.is_none(), "what has ended can't end again");
        self.order.push_back(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut recent = Recent::with_room(2);
        recent.insert(1, "one");
        recent.insert(2, "two");
        assert_eq!(recent.get(&1), Some(&"one"));
        recent.insert(3, "three");
        assert_eq!(recent.get(&1), None);
        assert_eq!((recent.get(&2), recent.get(&3)), (Some(&"two"), Some(&"three")));
        recent.insert(1, "one again");
        assert_eq!((recent.get(&2), recent.get(&1)), (None, Some(&"one again")));
        assert_eq!((recent.order.len(), recent.known.len()), (2, 2));
    }

    #[test]
    #[should_panic(expected = "can't end again")]
    fn nothing_ends_twice() {
        let mut recent = Recent::with_room(2);
        recent.insert(1, ());
        recent.insert(1, ());
    }
}
