//! The draw that gives the people of a lobby their numbers, as anybody can do it again: from a seed that was committed to
//! before the lobby opened, the root of everybody's tickets, and a beacon from outside, if one was given.
//!
//! Nothing here is secret and nothing is clever: SHA-256, HMAC-SHA256 and sorting. `tools/draw_verify.py` is the same in
//! another language.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use std::{borrow::Cow, fmt, str::FromStr};
use utoipa::ToSchema;

use crate::{AccountId, EntryId};

/// What is hashed before a ticket, so that it can be no other hash of the system's.
const TICKET: &[u8] = b"socketing-ticket-v1:";
/// What is hashed before the tickets, so that a root can be no ticket.
const ROOT: &[u8] = b"socketing-draw-v1\n";

/// The seed of a draw whose own was lost: none. Its beacon alone decides.
pub const NO_SEED: Digest = Digest([0; 32]);

/// 32 bytes: a SHA-256, or a seed. Written as 64 hex digits (in snapshots, as the bytes).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, ToSchema)]
#[schema(value_type = String, min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
pub struct Digest(pub [u8; 32]);

/// What is published before the lobby opens: it binds the seed, and tells nothing of it.
#[must_use]
pub fn commitment(seed: &Digest) -> Digest {
    Digest(<Sha256 as sha2::Digest>::digest(seed.0).into())
}

/// A place in the draw: the account's opaque id and the nonce that its own client chose (the entry's id), hashed. Who
/// doesn't know both learns nothing from it; who does finds it in the published list.
#[must_use]
pub fn ticket(account: AccountId, nonce: EntryId) -> Digest {
    use sha2::Digest as _;
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let mut hash = Sha256::new_with_prefix(TICKET);
    hash.update(account.0.hyphenated().encode_lower(&mut text).as_bytes());
    hash.update(b":");
    hash.update(nonce.0.hyphenated().encode_lower(&mut text).as_bytes());
    Digest(hash.finalize().into())
}

/// The root of all tickets, which must be sorted: one more, one less or another one makes another root.
#[must_use]
pub fn root<'a>(sorted: impl IntoIterator<Item = &'a Digest>) -> Digest {
    use sha2::Digest as _;
    let mut hash = Sha256::new_with_prefix(ROOT);
    sorted.into_iter().for_each(|ticket| hash.update(ticket.0));
    Digest(hash.finalize().into())
}

/// What orders the tickets: known once the seed is.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Of a seed, the root of all tickets, and what the beacon said (nothing, if there was none).
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(seed: &Digest, root: &Digest, beacon: &str) -> Key {
        let key = [&seed.0[..], &root.0[..], beacon.as_bytes()].concat();
        Key(Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"))
    }

    /// A ticket's score.
    #[must_use]
    pub fn score(&self, ticket: &Digest) -> Digest {
        let mut mac = self.0.clone();
        mac.update(&ticket.0);
        Digest(mac.finalize().into_bytes().into())
    }

    /// Everybody in the order that the draw gives: the lowest score first. Tickets differ, so that a tie of scores, which
    /// nobody will ever see, is decided by the tickets.
    ///
    /// A million are sorted by the first eight bytes of their scores, which are nearly always enough: that is several times
    /// faster than moving whole scores about.
    #[must_use]
    pub fn order<T>(&self, entries: impl IntoIterator<Item = (Digest, T)>) -> Vec<(Digest, T)> {
        let mut entries: Vec<Option<(Digest, T)>> = entries.into_iter().map(Some).collect();
        let ticket = |at: usize| entries[at].as_ref().map(|(ticket, _)| *ticket).unwrap_or_default();
        let exact = |at: usize| (self.score(&ticket(at)), ticket(at));
        let mut order: Vec<(u64, usize)> = (0..entries.len()).map(|at| (self.score(&ticket(at)).first_bytes(), at)).collect();
        order.sort_unstable_by(|(one, at), (other, to)| one.cmp(other).then_with(|| exact(*at).cmp(&exact(*to))));
        order.into_iter().filter_map(|(_, at)| entries[at].take()).collect()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(not shown)")
    }
}

impl Digest {
    /// Its first eight bytes, which sort as it does.
    fn first_bytes(&self) -> u64 {
        self.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that isn't 32 bytes in hex.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a digest has 64 hex digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Digest, NotADigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotADigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotADigest)?;
        }
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Digest);
        }
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tickets(count: u128) -> Vec<Digest> {
        let mut tickets: Vec<Digest> =
            (0..count).map(|n| ticket(AccountId(Uuid::from_u128(n)), EntryId(Uuid::from_u128(n << 64)))).collect();
        tickets.sort_unstable();
        tickets
    }

    /// Worked out with another implementation: what was published must stay checkable by what was published.
    #[test]
    fn the_hashes_are_the_published_ones() {
        let seed = Digest([7; 32]);
        assert_eq!(commitment(&seed).to_string(), "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0");
        let id = "01990000-0000-7000-8000-000000000001".parse().unwrap();
        let nonce = "01990000-0000-7000-8000-000000000002".parse().unwrap();
        let ticket = ticket(id, nonce);
        assert_eq!(ticket.to_string(), "8c9143468bb2294ba737239597fd03f0f9bc07b72d45b39ace7a4fc3db3354a4");
        let root = root([&ticket]);
        assert_eq!(root.to_string(), "e6513ffbf09162db9a077b6e52b1b60002d2aa222211926fb5606706ed3da43d");
        assert_eq!(
            Key::new(&seed, &root, "").score(&ticket).to_string(),
            "ca8b3e5b24bc1efd999626eb1caa279428b9eea941a7b8b4be0548efcb4c655f"
        );
        assert_eq!(
            Key::new(&seed, &root, "drand 4711").score(&ticket).to_string(),
            "8a4962d4264ada90fbd4021ad09e69e5d79bd2929ffe038e199ddb97e8db7259"
        );
    }

    #[test]
    fn the_order_is_the_same_whoever_came_first_and_another_for_another_key() {
        let (seed, tickets) = (Digest([1; 32]), tickets(1_000));
        let order = |beacon: &str, tickets: &[Digest]| {
            let entries = tickets.iter().map(|ticket| (*ticket, ()));
            Key::new(&seed, &root(&self::tickets(1_000)), beacon).order(entries)
        };
        let backwards: Vec<Digest> = tickets.iter().rev().copied().collect();
        assert_eq!(order("", &tickets), order("", &backwards));
        assert_ne!(order("", &tickets), order("another", &tickets));
    }

    #[test]
    fn one_ticket_more_less_or_other_makes_another_root() {
        let tickets = tickets(100);
        let whole = root(&tickets);
        assert_ne!(root(&tickets[1..]), whole);
        let mut other = tickets.clone();
        other[50].0[31] ^= 1;
        assert_ne!(root(&other), whole);
        assert_ne!(root(tickets.iter().chain([&Digest([255; 32])])), whole);
    }

    /// Each tenth of those who came gets each tenth of the numbers equally often: chi-square with 81 degrees of freedom,
    /// below what chance exceeds once in a million draws. (The seed is fixed, so it passes always or never.)
    #[test]
    fn who_came_when_says_nothing_of_the_number() {
        const PEOPLE: usize = 100_000;
        const PARTS: usize = 10;
        let entries: Vec<(Digest, usize)> = (0..PEOPLE)
            .map(|came| (ticket(AccountId(Uuid::from_u128(came as u128)), EntryId(Uuid::from_u128(came as u128 + 7))), came))
            .collect();
        let mut sorted: Vec<Digest> = entries.iter().map(|(ticket, _)| *ticket).collect();
        sorted.sort_unstable();
        let order = Key::new(&Digest([42; 32]), &root(&sorted), "").order(entries);
        let mut cells = [[0_u32; PARTS]; PARTS];
        for (number, (_, came)) in order.iter().enumerate() {
            cells[came * PARTS / PEOPLE][number * PARTS / PEOPLE] += 1;
        }
        let expected = (PEOPLE / PARTS / PARTS) as f64;
        let chi_square: f64 = cells.iter().flatten().map(|&seen| (f64::from(seen) - expected).powi(2) / expected).sum();
        assert!(chi_square < 159.0, "chi-square of {chi_square:.1} with 81 degrees of freedom");
        assert!(chi_square > 30.0, "more even than chance: {chi_square:.1}");
    }

    #[test]
    fn what_is_no_digest_is_an_error() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest));
        }
        let digest = Digest([0xab; 32]);
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
    }
}
