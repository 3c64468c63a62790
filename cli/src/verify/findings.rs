//! What a check found: how much it looked at, how much of that was wrong, and where.

use serde::Serialize;

/// Faults told in full by one check. Past these only the count grows: a broken log has millions, and memory is bounded.
const FAULTS_TOLD_MAX: usize = 20;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Fault {
    /// The log position that shows it.
    pub(crate) position: u64,
    /// What is wrong there.
    pub(crate) detail: String,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Findings {
    /// The check's name.
    pub(crate) check: &'static str,
    /// What it promises, in a sentence.
    pub(crate) promise: &'static str,
    /// How many things were looked at.
    pub(crate) checked: u64,
    /// How many of them were wrong.
    pub(crate) failed: u64,
    /// The first faults, with their places.
    pub(crate) faults: Vec<Fault>,
    /// Figures worth seeing, or what was out of reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Findings {
    /// Nothing looked at yet.
    pub(crate) fn new(check: &'static str, promise: &'static str) -> Findings {
        Findings { check, promise, checked: 0, failed: 0, faults: Vec::new(), note: None }
    }

    /// Counts one thing as looked at.
    pub(crate) fn looked(&mut self) {
        self.checked += 1;
    }

    /// Notes a fault at a position of the log.
    pub(crate) fn fault(&mut self, position: u64, detail: impl Into<String>) {
        self.failed += 1;
        if self.faults.len() < FAULTS_TOLD_MAX {
            self.faults.push(Fault { position, detail: detail.into() });
        }
    }

    /// Notes a fault if the claim doesn't hold.
    pub(crate) fn expect(&mut self, claim: bool, position: u64, detail: impl FnOnce() -> String) {
        if !claim {
            self.fault(position, detail());
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.failed == 0
    }
}
