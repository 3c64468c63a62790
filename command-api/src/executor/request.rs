//! What the executor is asked, and what it answers.

use socketing_domain::Refusal;
use socketing_domain::event::Actor;
use socketing_domain::unit::{Command, UnitId};
use std::sync::Arc;

/// One command, with who sends it and the key under which its outcome is kept.
#[derive(Clone, Debug)]
pub struct Request {
    /// The unit that decides.
    pub unit: UnitId,
    /// What is asked of it.
    pub command: Command,
    /// Who asks.
    pub actor: Actor,
    /// The `Idempotency-Key`: the same actor's same key at the same unit gets the same answer.
    pub key: String,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// What made a process manager send this: the position of an event.
    pub causation: Option<String>,
}

/// An accepted command. Its events, if it made any, are durable.
#[derive(Clone, Debug)]
pub struct Done {
    /// The log position that covers it: queries with `min_position` of this see it.
    pub position: u64,
    /// The answer: the JSON object of a [`socketing_domain::Reply`].
    pub reply: Arc<str>,
    /// Whether this is the answer of an earlier command with the same key.
    pub replayed: bool,
}

impl Done {
    /// The answer with its `position` as the first member, as the API gives it.
    #[must_use]
    pub fn body(&self) -> String {
        let members = self.reply.trim_start_matches('{');
        let comma = if members.starts_with('}') { "" } else { "," };
        format!("{{\"position\":{}{comma}{members}", self.position)
    }
}

/// A command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The domain refused. Recorded: the same key gets the same refusal.
    #[error("refused: {refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The log position at which it was decided.
        position: u64,
    },
    /// The key was used for another command. Not recorded.
    #[error("the idempotency key was used for another command")]
    KeyReused,
    /// The unit's queue is full, or this node doesn't own it now. Not recorded.
    #[error("busy; try again in {retry_after_s} s")]
    Busy {
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// Another node owns the unit: the command comes back, to be sent there. Known between the executor's parts alone.
    #[error("another node owns the unit")]
    NotOwner(Box<Request>),
    /// Something is broken here; it was logged where it happened.
    #[error("internal error")]
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_comes_first_in_the_body() {
        let done = |reply: &str| Done { position: 7, reply: reply.into(), replayed: false }.body();
        assert_eq!(done("{}"), r#"{"position":7}"#);
        assert_eq!(done(r#"{"a":1}"#), r#"{"position":7,"a":1}"#);
    }
}
