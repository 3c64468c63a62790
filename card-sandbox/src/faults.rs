//! The ways to misbehave.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Faults that may be ordered at once.
pub const FAULTS_MAX: usize = 1_000;

/// What is misbehaved at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// A charge is to be made.
    Charge,
    /// Someone asks about a charge.
    Ask,
    /// A charge is to be ruled out.
    Void,
    /// Money is to be paid back.
    Refund,
    /// A message is to be sent.
    Webhook,
}

/// How.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum What {
    /// Takes this long before it does anything; a message is sent so much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// Refuses the card.
    Decline,
    /// Answers 500, and does nothing.
    Error,
    /// Does nothing, and never answers.
    TimeOutBefore,
    /// Does it, and never answers.
    TimeOutAfter,
    /// Answers that it isn't decided, and decides later.
    Pending {
        /// Milliseconds until then.
        ms: u64,
    },
    /// Says that the card was refused, and charges it later all the same.
    ChargeLate {
        /// Milliseconds until then.
        ms: u64,
    },
    /// Sends the message twice.
    Twice,
    /// Doesn't send it.
    Never,
    /// Sends it with a signature of someone else's, who says that the charge succeeded.
    Forged,
}

/// One order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// At what.
    pub on: On,
    /// How.
    #[serde(flatten)]
    pub what: What,
    /// How often.
    #[serde(default = "once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

/// The orders that aren't carried out yet, in the order they came.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<Fault>);

impl Faults {
    /// Adds an order; false if there are too many.
    pub fn order(&mut self, fault: Fault) -> bool {
        let room = self.0.len() < FAULTS_MAX;
        if room && fault.times > 0 {
            self.0.push_back(fault);
        }
        room
    }

    /// Forgets all orders.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The first order for this, one time of which is used up.
    pub fn take(&mut self, on: On) -> Option<What> {
        let at = self.0.iter().position(|fault| fault.on == on)?;
        let fault = &mut self.0[at];
        fault.times -= 1;
        let Fault { what, times, .. } = *fault;
        if times == 0 {
            self.0.remove(at);
        }
        Some(what)
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Vec<Fault> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_carried_out_as_often_as_they_say_in_their_turn() {
        let read = |json: &str| serde_json::from_str::<Fault>(json).unwrap();
        let mut faults = Faults::default();
        for json in [
            r#"{"on":"charge","fault":"slow","ms":5,"times":2}"#,
            r#"{"on":"webhook","fault":"twice"}"#,
            r#"{"on":"charge","fault":"time_out_after"}"#,
        ] {
            assert!(faults.order(read(json)));
        }
        assert_eq!([faults.take(On::Charge), faults.take(On::Charge)], [Some(What::Slow { ms: 5 }); 2]);
        assert_eq!((faults.take(On::Charge), faults.take(On::Charge)), (Some(What::TimeOutAfter), None));
        assert_eq!((faults.take(On::Webhook), faults.take(On::Webhook)), (Some(What::Twice), None));
        assert!(faults.left().is_empty());
    }
}
