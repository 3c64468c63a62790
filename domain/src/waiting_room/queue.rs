//! Who waits, in order. Places go from the front, and from anywhere when people give up, and everyone may ask how many
//! are before them, so the queue counts its places in blocks: the answer for a queue of two million takes microseconds.

use super::state::Place;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Numbers per block.
const BLOCK: u64 = 1024;

/// Waiting places by number. Numbers are dense: each place pushed has the number after the last. A queue that grows gets
/// another block, and nothing is moved.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Queue {
    /// The number of the first place that waits; the next to be given if nobody does.
    first: u64,
    /// From the first number's block to that of the last number given.
    blocks: VecDeque<Block>,
}

/// The places whose numbers lie between two multiples of [`BLOCK`].
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Block {
    /// How many of them wait.
    waiting: u32,
    /// By their numbers, as far as these are given; empty where a place is no more.
    slots: Vec<Option<Place>>,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { first: 1, blocks: VecDeque::new() }
    }
}

impl Queue {
    /// Puts a place at the end. Its number must be the next one.
    pub(super) fn push(&mut self, number: u64, place: Place) {
        assert_eq!(number, self.next(), "numbers are given one after another");
        self.push_slot(Some(place));
    }

    fn push_slot(&mut self, slot: Option<Place>) {
        let within = slot_of(self.next());
        if within == 0 || self.blocks.is_empty() {
            self.blocks.push_back(Block { waiting: 0, slots: vec![None; within] });
        }
        let block = self.blocks.back_mut().expect("it was put there");
        block.waiting += u32::from(slot.is_some());
        block.slots.push(slot);
    }

    /// The next number to be given.
    fn next(&self) -> u64 {
        let Some(last) = self.blocks.back() else { return self.first };
        (self.first / BLOCK + self.blocks.len() as u64 - 1) * BLOCK + last.slots.len() as u64
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, number: u64) -> Place {
        let block = self.block_of(number).and_then(|at| self.blocks.get_mut(at));
        let taken = block.and_then(|block| {
            let place = block.slots.get_mut(slot_of(number))?.take()?;
            block.waiting -= 1;
            Some(place)
        });
        self.trim();
        taken.unwrap_or_else(|| panic!("number {number} doesn't wait"))
    }

    /// Lets go of the numbers at the front that nobody has.
    fn trim(&mut self) {
        while let Some(front) = self.blocks.front()
            && let Some(None) = front.slots.get(slot_of(self.first))
        {
            self.first += 1;
            if slot_of(self.first) == 0 {
                self.blocks.pop_front();
            }
        }
    }

    /// Gives the places up to this number new ones, from 1 on, in the order in which `drawn` has their numbers so far. Who
    /// waits behind stays; between, where places left before, numbers stay empty.
    pub(super) fn reorder(&mut self, last: u64, drawn: &[u64]) {
        let (first, given) = (self.first, self.next() - self.first);
        let slots = std::mem::take(&mut self.blocks).into_iter().flat_map(|block| block.slots);
        let mut before: Vec<Option<Place>> = slots.skip(slot_of(first)).collect();
        let behind = before.split_off((last + 1).saturating_sub(first).min(given) as usize);
        let end = last.max(first - 1) as usize;
        *self = Queue::default();
        drawn.iter().for_each(|number| self.push_slot(before[(number - first) as usize].take()));
        assert!(before.iter().all(Option::is_none) && self.iter().count() == drawn.len(), "a draw loses nobody");
        (drawn.len()..end).for_each(|_| self.push_slot(None));
        behind.into_iter().for_each(|slot| self.push_slot(slot));
        self.trim();
    }

    /// The place with this number, which must wait.
    pub(super) fn get(&self, number: u64) -> &Place {
        let block = self.block_of(number).and_then(|at| self.blocks.get(at));
        let slot = block.and_then(|block| block.slots.get(slot_of(number)));
        slot.and_then(Option::as_ref).unwrap_or_else(|| panic!("number {number} doesn't wait"))
    }

    /// The places that wait with their numbers, the first first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Place)> {
        let begins = |block: u64| (self.first / BLOCK + block) * BLOCK;
        let slots = (0..).zip(&self.blocks).flat_map(move |(at, block)| {
            let from = if at == 0 { slot_of(self.first) } else { 0 };
            (begins(at) + from as u64..).zip(block.slots.get(from..).unwrap_or_default())
        });
        slots.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.first == self.next()
    }

    /// How many places wait before this number.
    pub(super) fn ahead(&self, number: u64) -> u64 {
        let block = self.block_of(number).unwrap_or_else(|| panic!("number {number} doesn't wait"));
        let whole: u64 = self.blocks.range(..block).map(|block| u64::from(block.waiting)).sum();
        whole + self.blocks[block].slots[..slot_of(number)].iter().flatten().count() as u64
    }

    /// Where in `blocks` this number's block would be.
    fn block_of(&self, number: u64) -> Option<usize> {
        (number / BLOCK).checked_sub(self.first / BLOCK).map(|at| at as usize)
    }
}

/// Where in its block a number is.
const fn slot_of(number: u64) -> usize {
    (number % BLOCK) as usize
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
        assert!(queue.is_empty() && queue.iter().next().is_none() && queue.blocks.len() <= 1);
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
