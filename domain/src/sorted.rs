//! How maps stand in snapshots (`#[serde(with = "crate::sorted")]`): sorted, so that the same state has the same bytes, and
//! read into a table that has its size at once, because a million people who wait are read while they wait.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Entries that room is made for before they are read: [`crate::limits::WAITING_MAX`]. Beyond, the table grows as usual.
const ENTRIES_EXPECTED_MAX: usize = crate::limits::WAITING_MAX;

pub(crate) fn serialize<K: Serialize + Ord, V: Serialize, S: Serializer>(map: &HashMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<(&K, &V)> = map.iter().collect();
    entries.sort_unstable_by_key(|entry| entry.0);
    serializer.collect_map(entries)
}

pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Eq + Hash,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Entries(PhantomData))
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = HashMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<HashMap<K, V>, A::Error> {
        let mut map = HashMap::with_capacity(access.size_hint().unwrap_or(0).min(ENTRIES_EXPECTED_MAX));
        while let Some((key, value)) = access.next_entry()? {
            map.insert(key, value);
        }
        Ok(map)
    }
}
