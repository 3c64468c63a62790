//! The line is fair: nobody before the sale opens; the lobby is drawn by the seed that was committed to, of just those
//! who were in it; the lowest waiting number is called first; never more people inside, passes that aren't claimed
//! included, than there is room for at that moment; not more in a minute than may be; one place per person; passes are
//! claimed in time; and seats are held only by people inside.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::draw::{self, Digest, Key, NO_SEED};
use socketing_domain::event::{Event, StreamId};
use socketing_domain::limits::CAPACITY_MAX;
use socketing_domain::performance::Event as P;
use socketing_domain::waiting_room::{Departure, Event as L, LineRules, Mode};
use socketing_domain::{AccountId, EntryId, PerformanceId, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// One place in the line, or inside.
struct Entry {
    number: u64,
    account: AccountId,
    members: Vec<AccountId>,
    stands: Stands,
}

#[derive(Clone, Copy, PartialEq)]
enum Stands {
    Waiting,
    Called(Timestamp),
    Inside,
}

/// One line, folded.
#[derive(Default)]
struct Line {
    opened: Option<Terms>,
    draw: Option<Draw>,
    stopped: Option<&'static str>,
    entries: HashMap<EntryId, Entry>,
    waiting: BTreeMap<u64, EntryId>,
    people: HashMap<AccountId, EntryId>,
    people_inside: usize,
    last_number: u64,
    /// Who was let in within the last minute of a rate.
    paced: VecDeque<(Timestamp, usize)>,
}

/// What the line was opened with, and the limits that count now.
#[derive(Clone, Copy)]
struct Terms {
    sale_opens_at: Timestamp,
    capacity: u32,
    session_seconds: u32,
    rules: LineRules,
}

/// A draw, as far as it has come.
struct Draw {
    commitment: Digest,
    beacon: String,
    /// Of which source the beacon must be, because the seed is lost.
    lost: Option<String>,
    closed: Option<Closed>,
    revealed: bool,
}

/// A lobby that nobody comes into any more.
#[derive(Clone, Copy)]
struct Closed {
    root: Digest,
    entries: u64,
    last_number: u64,
}

/// Folds every line.
pub(crate) struct Lines {
    lines: HashMap<PerformanceId, Line>,
    drawn: u64,
    findings: Findings,
}

impl Lines {
    pub(crate) fn new() -> Lines {
        Lines {
            lines: HashMap::new(),
            drawn: 0,
            findings: Findings::new("line", "the line is in order, drawn as was promised, and never more people are inside than may be"),
        }
    }
}

impl Check for Lines {
    fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        let (performance, faults) = match (recorded.stream, &recorded.event) {
            (StreamId::WaitingRoom(id), Event::WaitingRoom(event)) => {
                self.drawn += u64::from(matches!(event, L::SeedRevealed { .. }));
                (id, self.lines.entry(id).or_default().evolve(event))
            }
            (StreamId::Performance(id), Event::Performance(P::SeatsHeld { account, .. })) => {
                (id, self.lines.entry(id).or_default().held_by(*account).into_iter().collect())
            }
            _ => return,
        };
        self.findings.looked();
        for fault in faults {
            self.findings.fault(recorded.position, format!("line of {performance}: {fault}"));
        }
    }

    fn end(&mut self, _head: u64) {
        let waiting: usize = self.lines.values().map(|line| line.waiting.len()).sum();
        let inside: usize = self.lines.values().map(|line| line.people_inside).sum();
        let (lines, drawn) = (self.lines.len(), self.drawn);
        self.findings.note = Some(format!("{lines} lines, {drawn} drawn, {waiting} places waiting, {inside} people inside"));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}

impl Line {
    fn evolve(&mut self, event: &L) -> Vec<String> {
        match event {
            L::LineOpened { sale_opens_at, capacity, session_seconds, rules, .. } => {
                let (sale_opens_at, capacity) = (*sale_opens_at, *capacity);
                let terms = Terms { sale_opens_at, capacity, session_seconds: *session_seconds, rules: *rules };
                self.opened.replace(terms).map(|_| "opened twice".to_owned()).into_iter().collect()
            }
            L::DrawCommitted { commitment, .. } => self.commit(*commitment),
            L::BeaconGiven { value, source } => self.beacon(value, source),
            L::SeedLost { beacon_source, .. } => self.lose(beacon_source),
            L::LobbyClosed { root, entries } => self.close(*root, *entries),
            L::SeedRevealed { seed } => self.reveal(seed),
            L::QueueJoined { entry, number, account, members, .. } => self.join(*entry, *number, *account, members),
            L::EntryCalled { entry, number, claim_by } => self.call(*entry, *number, *claim_by),
            L::EntryAdmitted { entry, number, session_ends_at } => self.admit(*entry, *number, *session_ends_at),
            L::EntryDeparted { entry, number, reason } => self.depart(*entry, *number, *reason),
            L::LinePaused { .. } => self.stop(Some("paused")),
            L::DrainBegun { .. } => self.stop(Some("draining")),
            L::LineResumed { .. } => self.stop(None),
            L::LimitsChanged { capacity, admissions_per_minute, .. } => self.limit(*capacity, *admissions_per_minute),
            L::EvictionOrdered { entry, .. } => {
                let unknown = !self.entries.contains_key(entry);
                unknown.then(|| format!("place {entry} is taken away but isn't there")).into_iter().collect()
            }
        }
    }

    fn stop(&mut self, stopped: Option<&'static str>) -> Vec<String> {
        self.stopped = stopped;
        Vec::new()
    }

    fn limit(&mut self, capacity: u32, admissions_per_minute: Option<u32>) -> Vec<String> {
        let Some(terms) = &mut self.opened else { return vec!["limits change in a line that wasn't opened".to_owned()] };
        (terms.capacity, terms.rules.admissions_per_minute) = (capacity, admissions_per_minute);
        self.paced.clear();
        Vec::new()
    }

    fn commit(&mut self, commitment: Digest) -> Vec<String> {
        let faulty = self.draw.is_some() || self.last_number > 0;
        self.draw = Some(Draw { commitment, beacon: String::new(), lost: None, closed: None, revealed: false });
        faulty.then(|| "the draw is committed to twice, or after people came".to_owned()).into_iter().collect()
    }

    fn lose(&mut self, beacon_source: &str) -> Vec<String> {
        match &mut self.draw {
            Some(draw) if draw.lost.is_none() && !draw.revealed => {
                draw.lost = Some(beacon_source.to_owned());
                draw.beacon.clear();
                Vec::new()
            }
            _ => vec!["a seed is lost twice, after it was told, or of no draw".to_owned()],
        }
    }

    fn beacon(&mut self, value: &str, source: &str) -> Vec<String> {
        match &mut self.draw {
            Some(Draw { lost: Some(_), closed: None, .. }) => {
                vec!["the beacon that decides alone is given while people come".to_owned()]
            }
            Some(Draw { lost: Some(named), .. }) if named != source => {
                vec![format!("the beacon is of {source:?}, and {named:?} was named")]
            }
            Some(draw) if draw.beacon.is_empty() && !draw.revealed => {
                value.clone_into(&mut draw.beacon);
                Vec::new()
            }
            _ => vec!["a beacon is given twice, too late, or to no draw".to_owned()],
        }
    }

    fn close(&mut self, root: Digest, entries: u64) -> Vec<String> {
        let mut tickets: Vec<Digest> = self.entries.iter().map(|(id, entry)| draw::ticket(entry.account, *id)).collect();
        tickets.sort_unstable();
        let Some(draw) = &mut self.draw else { return vec!["a lobby closes that never was".to_owned()] };
        draw.closed = Some(Closed { root, entries, last_number: self.last_number });
        let mut faults = Vec::new();
        if entries != tickets.len() as u64 {
            faults.push(format!("the lobby closes with {entries} places, and {} are in it", tickets.len()));
        }
        let ours = draw::root(&tickets);
        if ours != root {
            faults.push(format!("the root of the lobby's tickets is {ours}, and {root} was published"));
        }
        faults
    }

    /// The order isn't in the log: it follows from the seed, and who is called must be who it says.
    fn reveal(&mut self, seed: &Digest) -> Vec<String> {
        let Some(draw) = &mut self.draw else { return vec!["a seed is revealed without a draw".to_owned()] };
        draw.revealed = true;
        let mut faults = Vec::new();
        if draw.lost.is_some() && (*seed != NO_SEED || draw.beacon.is_empty()) {
            faults.push("a draw whose seed is lost isn't drawn by its beacon alone".to_owned());
        }
        if draw.lost.is_none() && draw::commitment(seed) != draw.commitment {
            faults.push(format!("the seed {seed} isn't the one of commitment {}", draw.commitment));
        }
        let Some(Closed { root, last_number, .. }) = draw.closed else {
            faults.push("the seed is revealed before the lobby closed".to_owned());
            return faults;
        };
        let key = Key::new(seed, &root, &draw.beacon);
        let late = self.waiting.split_off(&(last_number + 1));
        let lobby = std::mem::take(&mut self.waiting).into_values();
        let tickets = lobby.filter_map(|id| Some((draw::ticket(self.entries.get(&id)?.account, id), id)));
        for ((_, id), number) in key.order(tickets).into_iter().zip(1..) {
            self.waiting.insert(number, id);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.number = number;
            }
        }
        self.waiting.extend(late);
        faults
    }

    fn is_drawing(&self) -> bool {
        let drawing = |draw: &Draw| !draw.revealed && draw.closed.is_none_or(|closed| closed.entries > 0);
        self.draw.as_ref().is_some_and(drawing)
    }

    fn join(&mut self, entry: EntryId, number: u64, account: AccountId, members: &[AccountId]) -> Vec<String> {
        let mut faults = Vec::new();
        if number != self.last_number + 1 {
            faults.push(format!("number {number} follows number {}", self.last_number));
        }
        if self.stopped == Some("draining") {
            faults.push(format!("number {number} joins a line that is drained"));
        }
        for &member in members {
            if let Some(other) = self.people.insert(member, entry) {
                faults.push(format!("account {member} takes place {entry} while it has {other}"));
            }
        }
        self.last_number = self.last_number.max(number);
        self.waiting.insert(number, entry);
        self.entries.insert(entry, Entry { number, account, members: members.to_vec(), stands: Stands::Waiting });
        faults
    }

    fn call(&mut self, entry: EntryId, number: u64, claim_by: Timestamp) -> Vec<String> {
        let claim_seconds = self.opened.map_or(0, |terms| terms.rules.claim_seconds);
        self.let_in(entry, number, Stands::Called(claim_by), before(claim_by, claim_seconds))
    }

    fn admit(&mut self, entry: EntryId, number: u64, session_ends_at: Timestamp) -> Vec<String> {
        let admitted_at = before(session_ends_at, self.opened.map_or(0, |terms| terms.session_seconds));
        match self.entries.get_mut(&entry) {
            Some(Entry { stands: stands @ Stands::Called(_), number: known, .. }) if *known == number => {
                let late = matches!(*stands, Stands::Called(claim_by) if claim_by <= admitted_at);
                *stands = Stands::Inside;
                late.then(|| format!("number {number} claims its pass at {admitted_at}, too late")).into_iter().collect()
            }
            _ => self.let_in(entry, number, Stands::Inside, admitted_at),
        }
    }

    /// A place that waits gets in, or gets a pass.
    fn let_in(&mut self, entry: EntryId, number: u64, stands: Stands, at: Timestamp) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some((&first, _)) = self.waiting.first_key_value()
            && first < number
        {
            faults.push(format!("number {number} is called before number {first}"));
        }
        if self.is_drawing() {
            faults.push(format!("number {number} is called before the draw"));
        }
        if self.stopped == Some("paused") {
            faults.push(format!("number {number} is called in a line that is paused"));
        }
        let mut people = 0;
        match self.entries.get_mut(&entry) {
            Some(known) if known.number == number && known.stands == Stands::Waiting => {
                known.stands = stands;
                people = known.members.len();
                self.people_inside += people;
            }
            _ => faults.push(format!("place {entry} with number {number} is called but doesn't wait")),
        }
        self.waiting.remove(&number);
        faults.extend(self.against_terms(number, people, at));
        faults
    }

    fn against_terms(&mut self, number: u64, people: usize, at: Timestamp) -> Vec<String> {
        let Some(terms) = self.opened else { return vec![format!("number {number} is called in a line that wasn't opened")] };
        let mut faults = Vec::new();
        let capacity = if terms.rules.mode == Mode::Open { CAPACITY_MAX } else { terms.capacity };
        if self.people_inside > capacity as usize {
            faults.push(format!("{} people are inside, where {capacity} may be", self.people_inside));
        }
        if at < terms.sale_opens_at {
            faults.push(format!("number {number} is called at {at}, before the sale opens at {}", terms.sale_opens_at));
        }
        if let Some(rate) = terms.rules.admissions_per_minute {
            let minute_ago = before(at, 60);
            self.paced.push_back((at, people));
            while self.paced.front().is_some_and(|(then, _)| *then <= minute_ago) {
                self.paced.pop_front();
            }
            let let_in: usize = self.paced.iter().map(|(_, people)| people).sum();
            // A second's worth may come at once, and the last place's people together.
            let most = (rate + rate / 60) as usize + people + 1;
            if let_in > most {
                faults.push(format!("{let_in} people were let in within a minute, where {rate} may be"));
            }
        }
        faults
    }

    fn depart(&mut self, entry: EntryId, number: u64, reason: Departure) -> Vec<String> {
        let Some(known) = self.entries.remove(&entry).filter(|known| known.number == number) else {
            return vec![format!("place {entry} with number {number} departs but isn't there")];
        };
        for member in &known.members {
            self.people.remove(member);
        }
        let drawing =
            self.draw.as_ref().is_some_and(|draw| draw.closed.is_some_and(|closed| number <= closed.last_number) && !draw.revealed);
        match known.stands {
            Stands::Waiting => _ = self.waiting.remove(&number),
            Stands::Called(_) | Stands::Inside => self.people_inside -= known.members.len(),
        }
        let mut faults = Vec::new();
        if drawing {
            faults.push(format!("number {number} departs while it is drawn"));
        }
        if (reason == Departure::Unclaimed) && !matches!(known.stands, Stands::Called(_)) {
            faults.push(format!("number {number} departs for an unclaimed pass that it hasn't"));
        }
        faults
    }

    fn held_by(&self, account: AccountId) -> Option<String> {
        let entry = self.people.get(&account).and_then(|entry| self.entries.get(entry));
        let inside = entry.is_some_and(|entry| entry.stands == Stands::Inside);
        (!inside).then(|| format!("account {account} holds seats but isn't inside"))
    }
}

fn before(moment: Timestamp, seconds: u32) -> Timestamp {
    Timestamp::from_millis(moment.as_millis() - i64::from(seconds) * 1_000)
}
