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
    /// How far its draw is.
    pub(crate) phase: Phase,
    /// Places that the draw gives numbers to.
    pub(crate) lobby: u64,
    /// The last number given in the lobby.
    pub(crate) lobby_number: u64,
}

/// How far a line's draw is. Numbers mean something once it is past.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Phase {
    /// There is none, or it is past.
    #[default]
    Line,
    /// The seed is committed to: people come into the lobby.
    Lobby,
    /// The lobby is closed, the seed isn't told.
    Drawing,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Phase::Line => "line",
            Phase::Lobby => "lobby",
            Phase::Drawing => "drawing",
        }
    }
}

impl LineBoard {
    /// A place gets in, or is called to. Who was called and claims the pass is counted already.
    fn admit(&mut self, number: u64) {
        if !self.waiting.remove(number) {
            return;
        }
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

    fn close(&mut self, entries: u64) {
        (self.lobby, self.lobby_number) = (entries, self.joined_number);
        self.phase = if entries == 0 { Phase::Line } else { Phase::Drawing };
    }

    /// Everybody of the lobby has one of the first numbers now; which, is theirs to ask.
    fn draw(&mut self) {
        (1..=self.lobby).for_each(|number| _ = self.waiting.insert(number));
        (self.lobby + 1..=self.lobby_number).for_each(|number| _ = self.waiting.remove(number));
        self.phase = Phase::Line;
    }

    fn counters(&self, json: &mut String) {
        let LineBoard { capacity, waiting, inside, admitted, admitted_number, joined_number, .. } = self;
        let phase = self.phase.name();
        write!(
            json,
            r#","waiting":{},"inside":{inside},"admitted_number":{admitted_number},"joined_number":{joined_number},"admitted":{admitted},"capacity":{capacity},"phase":"{phase}""#,
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
            E::EntryCalled { number, .. } | E::EntryAdmitted { number, .. } => self.admit(*number),
            E::DrawCommitted { .. } => self.phase = Phase::Lobby,
            E::LobbyClosed { entries, .. } => self.close(*entries),
            E::SeedRevealed { .. } => self.draw(),
            E::LimitsChanged { capacity, .. } => self.capacity = *capacity,
            E::BeaconGiven { .. }
            | E::SeedLost { .. }
            | E::LinePaused { .. }
            | E::LineResumed { .. }
            | E::DrainBegun { .. }
            | E::EvictionOrdered { .. } => return false,
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
