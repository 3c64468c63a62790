//! What was decided about every charge and refund, for ever: in memory, and in a file that is appended to before anybody
//! is told. Killing the process loses nothing that was told; a machine that loses power may (it is a sandbox).

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

/// Charges that are kept: a sandbox's file and memory stay small.
pub const CHARGES_MAX: usize = 1_000_000;
/// What the tokens of cards that are charged begin with.
const APPROVED: &str = "tok_approved_";
/// What the tokens of cards that are refused begin with.
const DECLINED: &str = "tok_declined_";

/// How a charge stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeState {
    /// Not decided yet.
    Pending,
    /// The money was taken.
    Succeeded,
    /// It was refused.
    Declined,
    /// It was ruled out before it was made.
    Voided,
}

/// A charge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// Its merchant's name for it, which was the idempotency key.
    pub reference: String,
    /// Of which card; none if it was voided before anybody charged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How much, in won.
    pub amount: i64,
    /// How it stands.
    pub state: ChargeState,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much of it went back.
    #[serde(default)]
    pub refunded: i64,
}

/// Money that went back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refund {
    /// Its merchant's name for it, which was the idempotency key.
    pub reference: String,
    /// Of which charge.
    pub charge: String,
    /// How much, in won.
    pub amount: i64,
}

/// Why something isn't done. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The key was used for something else.
    #[error("key_reused")]
    KeyReused,
    /// No such charge, or less of it is left.
    #[error("not_refundable")]
    NotRefundable,
    /// The sandbox has no room left.
    #[error("full")]
    Full,
    /// The file can't be written.
    #[error("file")]
    File(#[from] io::Error),
}

/// A line of the file: how something stands since.
#[derive(Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    Charge(Charge),
    Refund(Refund),
}

/// All charges and refunds.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    charges: HashMap<String, Charge>,
    /// References in the order they were first heard of.
    order: Vec<String>,
    refunds: HashMap<String, Refund>,
    used_tokens: HashSet<String>,
}

impl Ledger {
    /// Reads the file, or makes it. A last line that was cut off by a crash was told to nobody, and is dropped.
    ///
    /// # Errors
    /// If the file can't be used, or another line isn't one of this file's.
    pub fn open(path: &Path) -> io::Result<Ledger> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let (charges, order, refunds, used_tokens) = Default::default();
        let mut entries = Vec::new();
        let whole = read(&mut file, &mut entries)?;
        file.set_len(whole)?;
        let mut ledger = Ledger { file, charges, order, refunds, used_tokens };
        entries.into_iter().for_each(|entry| ledger.apply(entry));
        Ok(ledger)
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Charge(charge) => {
                self.used_tokens.extend(charge.token.clone());
                let (reference, known) = (charge.reference.clone(), self.charges.insert(charge.reference.clone(), charge));
                if known.is_none() {
                    self.order.push(reference);
                }
            }
            Entry::Refund(refund) => {
                if let Some(charge) = self.charges.get_mut(&refund.charge) {
                    charge.refunded += refund.amount;
                }
                self.refunds.insert(refund.reference.clone(), refund);
            }
        }
    }

    /// Writes down, then remembers.
    fn record(&mut self, entry: Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.apply(entry);
        Ok(())
    }

    /// Charges a card: once per reference, whatever is asked how often.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn charge(&mut self, reference: &str, token: &str, amount: i64, decision: ChargeState) -> Result<Charge, Refused> {
        if let Some(known) = self.charges.get(reference) {
            let same = known.token.as_deref() == Some(token) && known.amount == amount;
            return if same || known.state == ChargeState::Voided { Ok(known.clone()) } else { Err(Refused::KeyReused) };
        }
        if self.charges.len() >= CHARGES_MAX {
            return Err(Refused::Full);
        }
        let usable = (token.starts_with(APPROVED) || token.starts_with(DECLINED)) && !self.used_tokens.contains(token);
        let (state, reason) = match decision {
            _ if !usable => (ChargeState::Declined, Some("token_refused".to_owned())),
            _ if token.starts_with(DECLINED) => (ChargeState::Declined, Some("card_declined".to_owned())),
            ChargeState::Declined => (ChargeState::Declined, Some("card_declined".to_owned())),
            decision => (decision, None),
        };
        let charge = Charge { reference: reference.to_owned(), token: Some(token.to_owned()), amount, state, reason, refunded: 0 };
        self.record(Entry::Charge(charge.clone()))?;
        Ok(charge)
    }

    /// Decides a charge that was pending, or, as no honest provider does, one that was refused.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn succeed(&mut self, reference: &str) -> Result<Option<Charge>, Refused> {
        let Some(known) = self.charges.get(reference) else { return Ok(None) };
        let charge = Charge { state: ChargeState::Succeeded, reason: None, ..known.clone() };
        self.record(Entry::Charge(charge.clone()))?;
        Ok(Some(charge))
    }

    /// Rules a charge out, if nobody has heard of it; else says how it stands.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn void(&mut self, reference: &str) -> Result<Charge, Refused> {
        if let Some(known) = self.charges.get(reference) {
            return Ok(known.clone());
        }
        if self.charges.len() >= CHARGES_MAX {
            return Err(Refused::Full);
        }
        let charge =
            Charge { reference: reference.to_owned(), token: None, amount: 0, state: ChargeState::Voided, reason: None, refunded: 0 };
        self.record(Entry::Charge(charge.clone()))?;
        Ok(charge)
    }

    /// Pays money back: once per reference, at most what was taken.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn refund(&mut self, reference: &str, charge: &str, amount: i64) -> Result<Refund, Refused> {
        let refund = Refund { reference: reference.to_owned(), charge: charge.to_owned(), amount };
        if let Some(known) = self.refunds.get(reference) {
            return if *known == refund { Ok(refund) } else { Err(Refused::KeyReused) };
        }
        let left = self.charges.get(charge).filter(|charge| charge.state == ChargeState::Succeeded);
        if amount <= 0 || left.is_none_or(|charge| charge.amount - charge.refunded < amount) {
            return Err(Refused::NotRefundable);
        }
        self.record(Entry::Refund(refund.clone()))?;
        Ok(refund)
    }

    /// A charge.
    #[must_use]
    pub fn charge_of(&self, reference: &str) -> Option<&Charge> {
        self.charges.get(reference)
    }

    /// A refund.
    #[must_use]
    pub fn refund_of(&self, reference: &str) -> Option<&Refund> {
        self.refunds.get(reference)
    }

    /// Charges from a place in the order they came.
    pub fn charges_from(&self, place: usize) -> impl Iterator<Item = &Charge> {
        self.order.iter().skip(place).filter_map(|reference| self.charges.get(reference))
    }

    /// Charges that aren't decided: of a process that was killed meanwhile.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let pending = self.charges.values().filter(|charge| charge.state == ChargeState::Pending);
        pending.map(|charge| charge.reference.clone()).collect()
    }
}

/// The whole lines of the file, and how many bytes they have together.
fn read(file: &mut File, entries: &mut Vec<Entry>) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let (mut lines, mut line, mut whole) = (BufReader::new(file), Vec::new(), 0);
    loop {
        line.clear();
        let bytes = lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        entries.push(serde_json::from_slice(&line)?);
        whole += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChargeState::{Declined, Pending, Succeeded, Voided};

    fn token(kind: &str, id: &str) -> String {
        format!("tok_{kind}_{id}")
    }

    #[test]
    fn a_charge_is_made_once_and_survives_a_crash_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("charges.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        let one = token("approved", "1");
        for _ in 0..3 {
            assert_eq!(ledger.charge("a", &one, 5, Succeeded).unwrap().state, Succeeded);
        }
        assert!(matches!(ledger.charge("a", &one, 6, Succeeded), Err(Refused::KeyReused)));
        assert_eq!(ledger.charge("b", &one, 5, Succeeded).unwrap().reason.as_deref(), Some("token_refused"), "a token is used once");
        assert_eq!(ledger.charge("c", &token("declined", "1"), 5, Succeeded).unwrap().state, Declined);
        assert_eq!(ledger.charge("d", &token("approved", "2"), 5, Pending).unwrap().state, Pending);
        ledger.refund("r", "a", 2).unwrap();
        drop(ledger);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(br#"{"entry":"refund","refer"#).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.charge_of("a").map(|charge| (charge.state, charge.refunded)), Some((Succeeded, 2)));
        assert_eq!((ledger.pending(), ledger.charges_from(1).count()), (vec!["d".to_owned()], 3));
        ledger.refund("r2", "a", 3).unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&path).unwrap().charge_of("a").unwrap().refunded, 5);
    }

    #[test]
    fn what_was_voided_is_never_charged_and_what_was_charged_never_voided() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("charges.jsonl")).unwrap();
        assert_eq!(ledger.void("a").unwrap().state, Voided);
        assert_eq!(ledger.charge("a", &token("approved", "1"), 5, Succeeded).unwrap().state, Voided);
        assert_eq!(ledger.charge("b", &token("approved", "1"), 5, Succeeded).unwrap().state, Succeeded, "its token wasn't used");
        assert_eq!(ledger.void("b").unwrap().state, Succeeded);
    }

    #[test]
    fn no_more_goes_back_than_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("charges.jsonl")).unwrap();
        ledger.charge("a", &token("approved", "1"), 5, Succeeded).unwrap();
        for _ in 0..2 {
            ledger.refund("r", "a", 5).unwrap();
        }
        assert!(matches!(ledger.refund("r", "a", 4), Err(Refused::KeyReused)));
        for (charge, amount) in [("a", 1), ("b", 1), ("a", 0), ("a", -1)] {
            assert!(matches!(ledger.refund("r2", charge, amount), Err(Refused::NotRefundable)), "{amount} of {charge}");
        }
    }
}
