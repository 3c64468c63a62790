//! The line is fair: numbers rise by one, the lowest waiting number is called first, nobody before the sale opens, never
//! more people inside than there is room for, one place per person, and seats are held only by people inside.

use super::check::{Check, Seen};
use super::findings::Findings;
use socketing_domain::event::{Event, StreamId};
use socketing_domain::performance::Event as P;
use socketing_domain::waiting_room::Event as L;
use socketing_domain::{AccountId, EntryId, PerformanceId, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// One place in the line, or inside.
struct Entry {
    number: u64,
    members: Vec<AccountId>,
    inside: bool,
}

/// One line, folded.
#[derive(Default)]
struct Line {
    opened: Option<Terms>,
    entries: HashMap<EntryId, Entry>,
    waiting: BTreeMap<u64, EntryId>,
    people: HashMap<AccountId, EntryId>,
    people_inside: usize,
    last_number: u64,
}

/// What the line was opened with.
#[derive(Clone, Copy)]
struct Terms {
    sale_opens_at: Timestamp,
    capacity: u32,
    session_seconds: u32,
}

/// Folds every line.
pub(crate) struct Lines {
    lines: HashMap<PerformanceId, Line>,
    findings: Findings,
}

impl Lines {
    pub(crate) fn new() -> Lines {
        Lines {
            lines: HashMap::new(),
            findings: Findings::new("line", "the line is in order, and never more people are inside than may be"),
        }
    }
}

impl Check for Lines {
    fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        let (performance, faults) = match (recorded.stream, &recorded.event) {
            (StreamId::WaitingRoom(id), Event::WaitingRoom(event)) => (id, self.lines.entry(id).or_default().evolve(event)),
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
        self.findings.note = Some(format!("{} lines, {waiting} places waiting, {inside} people inside", self.lines.len()));
    }

    fn findings(self: Box<Self>) -> Findings {
        self.findings
    }
}

impl Line {
    fn evolve(&mut self, event: &L) -> Vec<String> {
        match event {
            L::LineOpened { sale_opens_at, capacity, session_seconds, .. } => {
                let terms = Terms { sale_opens_at: *sale_opens_at, capacity: *capacity, session_seconds: *session_seconds };
                self.opened.replace(terms).map(|_| "opened twice".to_owned()).into_iter().collect()
            }
            L::QueueJoined { entry, number, members, .. } => self.join(*entry, *number, members),
            L::EntryAdmitted { entry, number, session_ends_at } => self.admit(*entry, *number, *session_ends_at),
            L::EntryDeparted { entry, number, .. } => self.depart(*entry, *number),
        }
    }

    fn join(&mut self, entry: EntryId, number: u64, members: &[AccountId]) -> Vec<String> {
        let mut faults = Vec::new();
        if number != self.last_number + 1 {
            faults.push(format!("number {number} follows number {}", self.last_number));
        }
        for &member in members {
            if let Some(other) = self.people.insert(member, entry) {
                faults.push(format!("account {member} takes place {entry} while it has {other}"));
            }
        }
        self.last_number = self.last_number.max(number);
        self.waiting.insert(number, entry);
        self.entries.insert(entry, Entry { number, members: members.to_vec(), inside: false });
        faults
    }

    fn admit(&mut self, entry: EntryId, number: u64, session_ends_at: Timestamp) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some((&first, _)) = self.waiting.first_key_value()
            && first < number
        {
            faults.push(format!("number {number} is called before number {first}"));
        }
        match self.entries.get_mut(&entry) {
            Some(known) if known.number == number && !known.inside => {
                known.inside = true;
                self.people_inside += known.members.len();
            }
            _ => faults.push(format!("place {entry} with number {number} is called but doesn't wait")),
        }
        self.waiting.remove(&number);
        faults.extend(self.against_terms(number, session_ends_at));
        faults
    }

    fn against_terms(&self, number: u64, session_ends_at: Timestamp) -> Vec<String> {
        let Some(terms) = self.opened else { return vec![format!("number {number} is called in a line that wasn't opened")] };
        let mut faults = Vec::new();
        if self.people_inside > terms.capacity as usize {
            faults.push(format!("{} people are inside, where {} may be", self.people_inside, terms.capacity));
        }
        let called_at = Timestamp::from_millis(session_ends_at.as_millis() - i64::from(terms.session_seconds) * 1000);
        if called_at < terms.sale_opens_at {
            faults.push(format!("number {number} is called at {called_at}, before the sale opens at {}", terms.sale_opens_at));
        }
        faults
    }

    fn depart(&mut self, entry: EntryId, number: u64) -> Vec<String> {
        let Some(known) = self.entries.remove(&entry).filter(|known| known.number == number) else {
            return vec![format!("place {entry} with number {number} departs but isn't there")];
        };
        for member in &known.members {
            self.people.remove(member);
        }
        if known.inside {
            self.people_inside -= known.members.len();
        } else {
            self.waiting.remove(&number);
        }
        Vec::new()
    }

    fn held_by(&self, account: AccountId) -> Option<String> {
        let inside = self.people.get(&account).and_then(|entry| self.entries.get(entry)).is_some_and(|entry| entry.inside);
        (!inside).then(|| format!("account {account} holds seats but isn't inside"))
    }
}
