//! Packs: outcomes of accepted commands, many in one row.
//!
//! A row and an entry in the index for each outcome is nearly half of what a large commit costs Postgres
//! (`./dev bench statement`). Where a writer commits many at once, they go into packs, which have no index on keys: the
//! writer knows which of its unit's packs a key is in, and learns it anew from [`keys`] when it starts.

use crate::append::NewOutcome;
use crate::command_log::{ACCEPTED, Fingerprint, KeyDigest, Outcome};
use futures::TryStreamExt;
use serde_json::value::RawValue;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use std::collections::HashSet;
use std::fmt::Write;
use uuid::Uuid;

/// Outcomes in one pack: what its row costs by itself hardly counts any more, and whoever looks for one reads 16 KB or so.
pub const OUTCOMES_MAX: usize = 64;
/// One that comes alone is a row of `command_log`: a pack of one saves nothing.
pub const OUTCOMES_MIN: usize = 2;
/// A key in `keys`: the time in it (4 bytes), its digest.
const KEY_BYTES: usize = 4 + 16;

/// A pack to be appended.
#[derive(Debug)]
pub struct NewPack {
    /// The unit that decided.
    pub unit: Uuid,
    /// Counts the unit's packs, from 1.
    pub number: u32,
    keys: Vec<u8>,
    outcomes: String,
}

impl NewPack {
    /// Packs outcomes of accepted commands of one unit, in their order, [`OUTCOMES_MAX`] in each pack. `first` is the number of
    /// the first pack.
    #[must_use]
    pub fn all(unit: Uuid, first: u32, outcomes: &[NewOutcome]) -> Vec<NewPack> {
        (first..).zip(outcomes.chunks(OUTCOMES_MAX)).map(|(number, packed)| NewPack::of(unit, number, packed)).collect()
    }

    fn of(unit: Uuid, number: u32, packed: &[NewOutcome]) -> NewPack {
        let mut keys = Vec::with_capacity(packed.len() * KEY_BYTES);
        let mut outcomes = String::with_capacity(packed.iter().map(|outcome| outcome.body.len() + 128).sum());
        for NewOutcome { digest, command_id, command, fingerprint: Fingerprint(fingerprint), events_covered, body, .. } in packed {
            keys.extend_from_slice(&digest.time.to_be_bytes());
            keys.extend_from_slice(digest.hash.as_bytes());
            outcomes.push(if outcomes.is_empty() { '[' } else { ',' });
            // Ids and names of commands need no escaping, and the body is JSON. Writing into a string doesn't fail.
            let _ = write!(outcomes, r#"["{command_id}","{command}","{fingerprint}",{events_covered},{body}]"#);
        }
        outcomes.push(']');
        NewPack { unit, number, keys, outcomes }
    }

    /// How many outcomes it holds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len() / KEY_BYTES
    }

    pub(crate) fn keys(&self) -> &[u8] {
        &self.keys
    }

    pub(crate) fn outcomes(&self) -> &str {
        &self.outcomes
    }
}

/// An outcome as a pack holds it: the command's id and name, its fingerprint, how many events of the batch it covers, the
/// answer.
type Packed<'a> = (Uuid, &'a str, Uuid, u64, &'a RawValue);

/// The outcomes recorded for these keys in these packs of a unit. Packs that were dropped with their day are passed over.
///
/// # Errors
/// The database's; a pack that can't be read is one.
pub async fn find(db: impl PgExecutor<'_>, unit: Uuid, keys: &[KeyDigest], packs: &[u32]) -> Result<Vec<Outcome>, sqlx::Error> {
    let wanted: HashSet<KeyDigest> = keys.iter().copied().collect();
    let mut rows = sqlx::query("select position, keys, outcomes from command_packs where unit = $1 and number = any($2)")
        .bind(unit)
        .bind(packs.iter().map(|&number| number as i32).collect::<Vec<_>>())
        .fetch(db);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let (position, keys): (i64, &[u8]) = (row.try_get("position")?, row.try_get("keys")?);
        let places: Vec<(usize, KeyDigest)> = digests(keys).enumerate().filter(|(_, key)| wanted.contains(key)).collect();
        if !places.is_empty() {
            found.extend(unpack(&row, position as u64, &places).map_err(unreadable)?);
        }
    }
    Ok(found)
}

fn unpack(row: &PgRow, position: u64, places: &[(usize, KeyDigest)]) -> Result<Vec<Outcome>, BoxDynError> {
    let packed: Vec<Packed<'_>> = serde_json::from_str(row.try_get("outcomes")?)?;
    let outcome = |&(place, key): &(usize, KeyDigest)| {
        let (_, _, fingerprint, covered, body) = packed.get(place).ok_or("a pack has fewer outcomes than keys")?;
        let body = body.get().to_owned();
        Ok(Outcome { key, fingerprint: Fingerprint(*fingerprint), status: ACCEPTED, body, position: position + covered })
    };
    places.iter().map(outcome).collect()
}

fn unreadable(source: BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: "command_packs.outcomes".to_owned(), source }
}

/// The short digests of a unit's packed keys, by the packs' numbers.
///
/// # Errors
/// The database's.
pub async fn keys(db: impl PgExecutor<'_>, unit: Uuid) -> Result<Vec<(u32, Vec<u64>)>, sqlx::Error> {
    sqlx::query_as::<_, (i32, Vec<u8>)>("select number, keys from command_packs where unit = $1")
        .bind(unit)
        .fetch(db)
        .map_ok(|(number, keys)| (number as u32, digests(&keys).map(|key| key.short()).collect()))
        .try_collect()
        .await
}

fn digests(keys: &[u8]) -> impl Iterator<Item = KeyDigest> {
    let (keys, _) = keys.as_chunks::<KEY_BYTES>();
    keys.iter().map(|&[a, b, c, d, ref hash @ ..]| KeyDigest { time: i32::from_be_bytes([a, b, c, d]), hash: Uuid::from_bytes(*hash) })
}
