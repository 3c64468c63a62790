//! The lobby and its draw: the seed is bound before the lobby opens, who is in it is bound before the seed is told, and
//! the order follows from both.

use super::queue::Queue;
use super::rules::Mode;
use super::{Event, WaitingRoom};
use crate::draw::{self, Digest, Key, NO_SEED};
use crate::limits::REASON_CHARS_MAX;
use crate::refusal::{Reason, Refusal, refuse};
use crate::reply::TicketReply;
use crate::show::check::one_line;
use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A draw, from its commitment on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Draw {
    commitment: Digest,
    pub(super) lobby_opens_at: Timestamp,
    /// What was said outside; empty if nothing was.
    beacon: String,
    /// Of which source the beacon must be, because the seed is lost.
    lost: Option<String>,
    closed: Option<Closed>,
    seed: Option<Digest>,
}

/// A lobby that nobody comes into any more.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Closed {
    root: Digest,
    entries: u64,
    /// The last number given in the lobby.
    last_number: u64,
}

impl WaitingRoom {
    /// Whether people come into the lobby now.
    pub(super) fn lobby_is_open(&self, now: Timestamp) -> bool {
        self.lobby_isnt_closed().is_some_and(|draw| draw.lobby_opens_at <= now) && !self.lobby_must_close(now)
    }

    /// Whether the lobby's time is over, though nothing has said so yet.
    pub(super) fn lobby_must_close(&self, now: Timestamp) -> bool {
        self.lobby_isnt_closed().is_some() && self.opening.as_ref().is_some_and(|opening| opening.sale_opens_at <= now)
    }

    /// The draw, until its lobby is closed.
    pub(super) fn lobby_isnt_closed(&self) -> Option<&Draw> {
        self.draw.as_ref().filter(|draw| draw.closed.is_none())
    }

    /// Whether the lobby is closed and its people have no numbers yet: nobody is let in, and nobody of them can go.
    pub(super) fn is_drawing(&self) -> bool {
        self.draw.as_ref().is_some_and(|draw| draw.seed.is_none() && draw.closed.is_some_and(|closed| closed.entries > 0))
    }

    /// Whether a place that waits has no number by the draw yet.
    pub(super) fn is_undrawn(&self, number: u64) -> bool {
        let undrawn = |draw: &Draw| draw.seed.is_none() && draw.closed.is_none_or(|closed| number <= closed.last_number);
        self.draw.as_ref().is_some_and(undrawn)
    }

    /// Whether the draw is waiting for its seed, or will be.
    #[must_use]
    pub fn awaits_seed(&self) -> bool {
        self.draw.as_ref().is_some_and(|draw| draw.seed.is_none() && draw.lost.is_none())
    }

    /// Says that the lobby is closed, and who is in it.
    pub(super) fn closing(&self) -> Event {
        Event::LobbyClosed { root: draw::root(self.tickets.keys()), entries: self.tickets.len() as u64 }
    }

    /// Whether a place that joins takes part in the draw, and may still go.
    pub(super) fn takes_tickets(&self) -> bool {
        self.lobby_isnt_closed().is_some()
    }

    /// A place as it takes part in the draw: what its receipt says.
    #[must_use]
    pub fn ticket(&self, account: AccountId) -> Option<TicketReply> {
        let entry = self.kept_place(account)?;
        let (account_id, entry_id) = (entry.account(), entry.id());
        let commitment = self.draw.as_ref().map(|draw| draw.commitment);
        Some(TicketReply { account_id, entry_id, ticket: draw::ticket(account_id, entry_id), commitment })
    }

    pub(super) fn commit_draw(&self, now: Timestamp, commitment: Digest) -> Result<Vec<Event>, Refusal> {
        let Some(opening) = &self.opening else {
            return refuse(Reason::UnknownPerformance, "this performance has no line");
        };
        if self.draw.is_some() || opening.rules.mode != Mode::Draw || now >= opening.sale_opens_at {
            return Ok(Vec::new());
        }
        let lobby_ms = i64::from(opening.rules.lobby_seconds) * 1_000;
        let lobby_opens_at = Timestamp::from_millis(opening.sale_opens_at.as_millis() - lobby_ms).max(now);
        Ok(vec![Event::DrawCommitted { commitment, lobby_opens_at }])
    }

    /// Another source can't be named later: whoever runs the line could choose among what they said.
    pub(super) fn lose_seed(&self, kept: Option<Digest>, beacon_source: &str, reason: &str) -> Result<Vec<Event>, Refusal> {
        one_line("/beacon_source", beacon_source, REASON_CHARS_MAX)?;
        one_line("/reason", reason, REASON_CHARS_MAX)?;
        match &self.draw {
            None => refuse(Reason::NoDraw, "this line has no draw"),
            Some(Draw { seed: Some(_), .. }) => refuse(Reason::NoDraw, "the seed is revealed: the draw is over"),
            Some(Draw { lost: Some(source), .. }) if source == beacon_source => Ok(Vec::new()),
            Some(Draw { lost: Some(source), .. }) => refuse(Reason::NoDraw, format!("{source:?} was named already")),
            Some(Draw { commitment, .. }) if kept == Some(*commitment) => {
                refuse(Reason::SeedKept, format!("the seed of commitment {commitment} is there"))
            }
            Some(_) => Ok(vec![Event::SeedLost { beacon_source: beacon_source.to_owned(), reason: reason.to_owned() }]),
        }
    }

    pub(super) fn give_beacon(&self, value: &str, source: &str) -> Result<Vec<Event>, Refusal> {
        one_line("/value", value, REASON_CHARS_MAX)?;
        one_line("/source", source, REASON_CHARS_MAX)?;
        match &self.draw {
            Some(Draw { lost: Some(named), seed: None, .. }) if named != source => {
                refuse(Reason::Invalid, format!("/source: {named:?} was named, and nothing else"))
            }
            Some(Draw { lost: Some(_), seed: None, closed: None, .. }) => {
                refuse(Reason::Invalid, "/value: the lobby is open; who comes could know it")
            }
            Some(Draw { lost: Some(_), seed: None, .. }) => {
                let given = Event::BeaconGiven { value: value.to_owned(), source: source.to_owned() };
                Ok(vec![given, Event::SeedRevealed { seed: NO_SEED }])
            }
            Some(Draw { beacon, .. }) if beacon == value => Ok(Vec::new()),
            Some(Draw { beacon, seed: None, .. }) if beacon.is_empty() => {
                Ok(vec![Event::BeaconGiven { value: value.to_owned(), source: source.to_owned() }])
            }
            Some(Draw { seed: None, beacon, .. }) => refuse(Reason::NoDraw, format!("the beacon said {beacon:?} already")),
            Some(_) => refuse(Reason::NoDraw, "the seed is revealed: nothing can be mixed in any more"),
            None => refuse(Reason::NoDraw, "this line has no draw"),
        }
    }

    pub(super) fn reveal_seed(&self, seed: Digest) -> Result<Vec<Event>, Refusal> {
        let Some(draw) = &self.draw else {
            return refuse(Reason::NoDraw, "this line has no draw");
        };
        if draw.seed == Some(seed) || draw.lost.is_some() {
            return Ok(Vec::new());
        }
        if draw.commitment != draw::commitment(&seed) {
            return refuse(Reason::Invalid, format!("/seed: it isn't the one of commitment {}", draw.commitment));
        }
        if draw.closed.is_none() {
            return refuse(Reason::Invalid, "/seed: the lobby is still open");
        }
        Ok(vec![Event::SeedRevealed { seed }])
    }

    pub(super) fn committed(&mut self, commitment: Digest, lobby_opens_at: Timestamp) {
        assert!(self.draw.is_none() && self.last_number == 0, "a draw is committed to twice, or after people came");
        self.draw = Some(Draw { commitment, lobby_opens_at, beacon: String::new(), lost: None, closed: None, seed: None });
    }

    pub(super) fn beacon_given(&mut self, value: &str) {
        let draw = self.draw.as_mut().expect("a beacon is given to a draw");
        assert!(draw.beacon.is_empty() && draw.seed.is_none(), "a beacon is given twice, or too late");
        assert!(draw.lost.is_none() || draw.closed.is_some(), "a beacon that decides alone is given while people come");
        value.clone_into(&mut draw.beacon);
    }

    pub(super) fn seed_lost(&mut self, beacon_source: &str) {
        let draw = self.draw.as_mut().expect("a seed is a draw's");
        assert!(draw.seed.is_none() && draw.lost.is_none(), "a seed is lost twice, or after it was told");
        draw.lost = Some(beacon_source.to_owned());
        draw.beacon.clear();
    }

    pub(super) fn lobby_closed(&mut self, root: Digest, entries: u64) {
        let (last_number, waiting) = (self.last_number, self.tickets.len() as u64);
        let draw = self.draw.as_mut().expect("a lobby is a draw's");
        assert!(draw.closed.is_none() && waiting == entries, "the lobby closes twice, or with {entries} places of {waiting}");
        draw.closed = Some(Closed { root, entries, last_number });
    }

    /// Everybody of the lobby gets the number that follows from the seed.
    pub(super) fn drawn(&mut self, seed: &Digest) {
        let draw = self.draw.as_mut().expect("a seed is a draw's");
        let instead = draw.lost.is_some() && *seed == NO_SEED && !draw.beacon.is_empty();
        let committed = draw.lost.is_none() && draw.commitment == draw::commitment(seed);
        assert!(draw.seed.is_none() && (committed || instead), "another seed than was committed to");
        draw.seed = Some(*seed);
        let closed = draw.closed.expect("the lobby closes before the seed is revealed");
        let key = Key::new(seed, &closed.root, &draw.beacon);
        let tickets = std::mem::take(&mut self.tickets);
        let drawn: Vec<u64> = key.order(tickets).into_iter().map(|(_, number)| number).collect();
        self.queue.reorder(closed.last_number, &drawn);
        let mut numbers = vec![0; closed.last_number as usize];
        (1..).zip(&drawn).for_each(|(number, before)| numbers[*before as usize - 1] = number);
        self.finder.renumber(|before| numbers.get(before as usize - 1).copied().unwrap_or(before));
    }

    /// The tickets of a draw that isn't over, of the places that take part in it.
    pub(super) fn tickets_of(draw: Option<&Draw>, queue: &Queue) -> BTreeMap<Digest, u64> {
        let Some(draw) = draw.filter(|draw| draw.seed.is_none()) else { return BTreeMap::new() };
        let last = draw.closed.map_or(u64::MAX, |closed| closed.last_number);
        let lobby = queue.iter().take_while(|(number, _)| *number <= last);
        lobby.map(|(number, place)| (draw::ticket(place.account, place.id), number)).collect()
    }
}
