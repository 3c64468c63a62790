//! A set of ticket numbers that answers "how many are below mine?" without looking at each.
//!
//! Numbers are given densely from 1, and a line holds up to two million: bits in chunks of 1,024, each with its count. The
//! question looks at one count per chunk (2,000 for the longest line), a change at one chunk.

use std::collections::BTreeMap;

const WORD_BITS: u64 = 64;
const CHUNK_WORDS: usize = 16;
const CHUNK_BITS: u64 = WORD_BITS * CHUNK_WORDS as u64;

#[derive(Clone, Copy, Default, Debug)]
struct Chunk {
    words: [u64; CHUNK_WORDS],
    count: u64,
}

/// A set of numbers.
#[derive(Clone, Default, Debug)]
pub(crate) struct NumberSet {
    chunks: BTreeMap<u64, Chunk>,
    len: u64,
}

impl NumberSet {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds a number; false if it was there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let chunk = self.chunks.entry(number / CHUNK_BITS).or_default();
        let (word, bit) = place(number);
        let new = chunk.words[word] & bit == 0;
        if new {
            chunk.words[word] |= bit;
            chunk.count += 1;
            self.len += 1;
        }
        new
    }

    /// Takes a number away; false if it wasn't there.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        let key = number / CHUNK_BITS;
        let Some(chunk) = self.chunks.get_mut(&key) else { return false };
        let (word, bit) = place(number);
        if chunk.words[word] & bit == 0 {
            return false;
        }
        chunk.words[word] &= !bit;
        chunk.count -= 1;
        self.len -= 1;
        if chunk.count == 0 {
            self.chunks.remove(&key);
        }
        true
    }

    /// How many numbers are lower than this one.
    pub(crate) fn below(&self, number: u64) -> u64 {
        let key = number / CHUNK_BITS;
        let before: u64 = self.chunks.range(..key).map(|(_, chunk)| chunk.count).sum();
        let Some(chunk) = self.chunks.get(&key) else { return before };
        let (word, bit) = place(number);
        let whole: u32 = chunk.words[..word].iter().map(|bits| bits.count_ones()).sum();
        before + u64::from(whole + (chunk.words[word] & (bit - 1)).count_ones())
    }
}

/// The word of its chunk and the bit of its word that a number has.
fn place(number: u64) -> (usize, u64) {
    let at = number % CHUNK_BITS;
    ((at / WORD_BITS) as usize, 1 << (at % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_agrees_with_a_plain_set() {
        let mut numbers = NumberSet::default();
        let mut plain = BTreeSet::new();
        let mut seed = 42_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (seed >> 33) % 5_000;
            if seed & (1 << 20) == 0 {
                assert_eq!(numbers.insert(number), plain.insert(number));
            } else {
                assert_eq!(numbers.remove(number), plain.remove(&number));
            }
        }
        assert_eq!(numbers.len(), plain.len() as u64);
        for number in [0, 1, 63, 64, 65, 1_023, 1_024, 1_025, 2_500, 4_999, 5_000, 1_000_000] {
            assert_eq!(numbers.below(number), plain.range(..number).count() as u64, "below {number}");
        }
    }

    #[test]
    fn what_is_empty_takes_no_memory() {
        let mut numbers = NumberSet::default();
        for number in 1..10_000 {
            numbers.insert(number);
        }
        for number in 1..10_000 {
            numbers.remove(number);
        }
        assert!(numbers.chunks.is_empty());
    }
}
