//! Who waits, in order. Places go from the front, and from anywhere when people give up, and everyone may ask how many
//! are before them, so the queue counts its places in blocks: the answer for a queue of two million takes microseconds.

use super::state::Place;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Numbers per block.
const BLOCK: u64 = 1024;

/// Waiting places by number. Numbers are dense: each place pushed has the number after the last.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Queue {
    /// The number of the first slot.
    first: u64,
    /// From the first place that waits to the last number given; empty where a place is no more.
    slots: VecDeque<Option<Place>>,
    /// How many places wait in each block of numbers, from the first slot's block on.
    blocks: VecDeque<u32>,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { first: 1, slots: VecDeque::new(), blocks: VecDeque::new() }
    }
}

impl Queue {
    /// Puts a place at the end. Its number must be the next one.
    pub(super) fn push(&mut self, number: u64, place: Place) {
        assert_eq!(number, self.first + self.slots.len() as u64, "numbers are given one after another");
        self.slots.push_back(Some(place));
        let block = self.block_of(number);
        if block == self.blocks.len() {
            self.blocks.push_back(0);
        }
        self.blocks[block] += 1;
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, number: u64) -> Place {
        let slot = number.checked_sub(self.first).and_then(|at| self.slots.get_mut(at as usize));
        let Some(place) = slot.and_then(Option::take) else { panic!("number {number} doesn't wait") };
        let block = self.block_of(number);
        self.blocks[block] -= 1;
        self.trim();
        place
    }

    /// Lets go of the numbers at the front that nobody has.
    fn trim(&mut self) {
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
            if self.first.is_multiple_of(BLOCK) {
                self.blocks.pop_front();
            }
        }
    }

    /// Gives the places up to this number new ones, from 1 on, in the order in which `drawn` has their numbers so far. Who
    /// waits behind stays; between, where places left before, numbers stay empty.
    pub(super) fn reorder(&mut self, last: u64, drawn: &[u64]) {
        let drawn_slots = (last + 1).saturating_sub(self.first).min(self.slots.len() as u64) as usize;
        let behind = self.slots.split_off(drawn_slots);
        let mut before: Vec<Option<Place>> = std::mem::take(&mut self.slots).into();
        let (first, count) = (self.first, drawn.len());
        let places = drawn.iter().map(|number| before[(number - first) as usize].take());
        let end = last.max(first - 1) as usize;
        self.slots = places.chain((count..end).map(|_| None)).chain(behind).collect();
        assert!(before.iter().all(Option::is_none) && self.slots.range(..count).all(Option::is_some), "a draw loses nobody");
        self.first = 1;
        self.blocks = VecDeque::from(vec![0; self.slots.len() / BLOCK as usize + 1]);
        for (at, _) in self.slots.iter().enumerate().filter(|(_, slot)| slot.is_some()) {
            self.blocks[(at as u64 + 1) as usize / BLOCK as usize] += 1;
        }
        self.trim();
    }

    /// The place with this number, which must wait.
    pub(super) fn get(&self, number: u64) -> &Place {
        let slot = number.checked_sub(self.first).and_then(|at| self.slots.get(at as usize));
        slot.and_then(Option::as_ref).unwrap_or_else(|| panic!("number {number} doesn't wait"))
    }

    /// The places that wait with their numbers, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Place)> {
        (self.first..).zip(&self.slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many places wait before this number.
    pub(super) fn ahead(&self, number: u64) -> u64 {
        assert!(number >= self.first, "number {number} doesn't wait");
        let block = self.block_of(number);
        let block_starts = (number / BLOCK * BLOCK).max(self.first);
        let whole: u64 = self.blocks.range(..block).map(|&waiting| u64::from(waiting)).sum();
        let within = (block_starts - self.first) as usize..(number - self.first) as usize;
        whole + self.slots.range(within).flatten().count() as u64
    }

    fn block_of(&self, number: u64) -> usize {
        (number / BLOCK - self.first / BLOCK) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, EntryId};

    fn place(id: EntryId) -> Place {
        Place::alone(id, AccountId::new())
    }

    #[test]
    fn counts_like_a_plain_list() {
        let mut queue = Queue::default();
        let mut plain: Vec<(u64, EntryId)> = Vec::new();
        let mut next = 1;
        let mut dice: u64 = 42;
        for _ in 0..20_000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let throw = (dice >> 33) as usize;
            match throw % 5 {
                0..3 => {
                    let entry = EntryId::new();
                    queue.push(next, place(entry));
                    plain.push((next, entry));
                    next += 1;
                }
                3 if !plain.is_empty() => drop(queue.remove(plain.remove(0).0)),
                _ if !plain.is_empty() => drop(queue.remove(plain.remove(throw / 5 % plain.len()).0)),
                _ => {}
            }
            assert_eq!(queue.is_empty(), plain.is_empty());
            if let Some((number, _)) = plain.get(throw / 7 % plain.len().max(1)) {
                let ahead = plain.iter().filter(|(other, _)| other < number).count();
                assert_eq!(queue.ahead(*number), ahead as u64);
            }
        }
        assert!(plain.len() > 3_000, "the queue spans several blocks");
        assert!(queue.iter().map(|(number, place)| (number, place.id)).eq(plain.iter().copied()));
        for (number, _) in plain {
            queue.remove(number);
        }
        assert!(queue.is_empty() && queue.slots.is_empty() && queue.blocks.iter().sum::<u32>() == 0);
        queue.push(next, place(EntryId::new()));
        assert_eq!(queue.ahead(next), 0);
    }

    #[test]
    fn a_draw_reorders_the_front_and_leaves_the_rest() {
        for (lobby, gone, late) in [(5_000_u64, 700_u64, 300_u64), (1_023, 1_023, 3), (1_024, 0, 0), (3, 3, 0), (1, 0, 5_000)] {
            let mut queue = Queue::default();
            let ids: Vec<EntryId> = (0..lobby + late).map(|_| EntryId::new()).collect();
            ids.iter().zip(1..).for_each(|(id, number)| queue.push(number, place(*id)));
            (1..=gone).for_each(|number| drop(queue.remove(number)));
            queue.reorder(lobby, &(gone + 1..=lobby).rev().collect::<Vec<u64>>());
            let drawn = ids[gone as usize..lobby as usize].iter().rev().copied();
            let expected = (1..).zip(drawn).chain((lobby + 1..).zip(ids[lobby as usize..].iter().copied()));
            assert!(queue.iter().map(|(number, place)| (number, place.id)).eq(expected.clone()), "{lobby} {gone} {late}");
            for (at, (number, _)) in expected.enumerate() {
                assert_eq!(queue.ahead(number), at as u64);
            }
            queue.push(lobby + late + 1, place(EntryId::new()));
            assert_eq!(queue.ahead(lobby + late + 1), lobby - gone + late);
        }
    }

    #[test]
    #[should_panic(expected = "doesn't wait")]
    fn nobody_goes_twice() {
        let mut queue = Queue::default();
        queue.push(1, place(EntryId::new()));
        queue.push(2, place(EntryId::new()));
        queue.remove(2);
        queue.remove(2);
    }
}
