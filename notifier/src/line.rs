//! The topic `line`: how long the line is and how far it has come. One frame tells all who wait, whatever their number:
//! everyone counts from their own.

use crate::{
    board::{Board, Wish},
    limits,
    numbers::NumberSet,
};
use socketing_domain::{
    event::{Event, Recorded},
    waiting_room,
};
use std::{fmt::Write, time::Duration};

/// A line's counters.
#[derive(Clone, Default, Debug)]
pub(crate) struct LineBoard {
    /// People inside at once.
    pub(crate) capacity: u32,
    /// The numbers that wait.
    pub(crate) waiting: NumberSet,
    /// Places inside now.
    pub(crate) inside: u64,
    /// Places that were ever let in.
    pub(crate) admitted: u64,
    /// The highest number that was ever let in.
    pub(crate) admitted_number: u64,
    /// The last number given.
    pub(crate) joined_number: u64,
}

impl LineBoard {
    fn admit(&mut self, number: u64) {
        self.waiting.remove(number);
        self.inside += 1;
        self.admitted += 1;
        self.admitted_number = self.admitted_number.max(number);
    }

    /// Who departs has waited or was inside; those who wait make everybody behind them move up, so they are marked.
    fn depart(&mut self, number: u64, mark: &mut dyn FnMut(u64)) {
        if self.waiting.remove(number) {
            mark(number);
        } else {
            self.inside = self.inside.saturating_sub(1);
        }
    }

    fn counters(&self, json: &mut String) {
        let LineBoard { capacity, waiting, inside, admitted, admitted_number, joined_number } = self;
        write!(
            json,
            r#","waiting":{},"inside":{inside},"admitted_number":{admitted_number},"joined_number":{joined_number},"admitted":{admitted},"capacity":{capacity}"#,
            waiting.len()
        )
        .expect("a string can be written to");
    }

    fn ahead(&self, wish: Wish, json: &mut String) {
        if let Some(number) = wish.number {
            write!(json, r#","ahead":{}"#, self.waiting.below(number)).expect("a string can be written to");
        }
    }
}

impl Board for LineBoard {
    const TOPIC: &'static str = "line";
    const STREAM: &'static str = "waiting-room";
    const REST: Duration = limits::LINE_REST;

    fn apply(&mut self, recorded: &Recorded, mark: &mut dyn FnMut(u64)) -> bool {
        use waiting_room::Event as E;
        let Event::WaitingRoom(event) = &recorded.event else { return false };
        match event {
            E::LineOpened { capacity, .. } => self.capacity = *capacity,
            E::QueueJoined { number, .. } => {
                self.waiting.insert(*number);
                self.joined_number = self.joined_number.max(*number);
            }
            E::EntryAdmitted { number, .. } => self.admit(*number),
            E::EntryDeparted { number, .. } => self.depart(*number, mark),
        }
        true
    }

    fn marks_max(&self) -> usize {
        limits::RING_CHANGES_MAX
    }

    fn snapshot(&self, wish: Wish, json: &mut String) {
        self.counters(json);
        self.ahead(wish, json);
    }

    fn delta(&self, marks: &[u64], wish: Wish, json: &mut String) {
        self.counters(json);
        self.ahead(wish, json);
        json.push_str(r#","departed":["#);
        let mut separator = "";
        for number in marks {
            write!(json, "{separator}{number}").expect("a string can be written to");
            separator = ",";
        }
        json.push(']');
    }
}
