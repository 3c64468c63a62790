//! What may be asked of a unit's committed state, from every node: a question travels to the unit's owner, as commands do.

use super::request::Rejected;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use socketing_domain::account::Role;
use socketing_domain::reply::{LiveHold, PaymentReply, SharesReply, TicketReply};
use socketing_domain::show::Details;
use socketing_domain::unit::Unit;
use socketing_domain::{AccountId, BookingId, PaymentId, ShowId, Timestamp};

/// A question about a unit.
pub trait Ask: Into<Question> {
    /// What it is answered with.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// The answer, by the unit's committed state.
    fn answer(&self, unit: &Unit) -> Self::Answer;
}

/// What an owner saw.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seen<A> {
    /// The answer.
    pub answer: A,
    /// A position that covers it: queries with this `min_position` see what was seen.
    pub position: u64,
}

macro_rules! questions {
    ($($name:ident),+) => {
        /// Any question, as it travels.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        #[serde(tag = "question", rename_all = "snake_case")]
        pub enum Question {
            $(#[expect(missing_docs, reason = "the types say it")] $name($name)),+
        }

        $(impl From<$name> for Question {
            fn from(question: $name) -> Question {
                Question::$name(question)
            }
        })+

        impl Question {
            /// The answer as JSON.
            pub(super) fn answer_json(&self, unit: &Unit) -> Result<Box<RawValue>, serde_json::Error> {
                match self {
                    $(Question::$name(question) => serde_json::value::to_raw_value(&question.answer(unit))),+
                }
            }
        }
    };
}

questions!(HoldOf, PaymentOf, SharesOf, RoleOf, DetailsOf, OrganiserOf, ShowOf, TicketOf, AwaitsSeed);

/// The hold of a performance that an account is a member of, at a time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HoldOf {
    /// Whose.
    pub account: AccountId,
    /// When: holds run out.
    pub now: Timestamp,
}

impl Ask for HoldOf {
    type Answer = Option<LiveHold>;

    fn answer(&self, unit: &Unit) -> Option<LiveHold> {
        let Unit::Performance(hall) = unit else { return None };
        hall.performance().live_hold_of(self.account, self.now)
    }
}

/// How a payment of a performance stands, and who pays.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PaymentOf {
    /// Which.
    pub payment: PaymentId,
}

impl Ask for PaymentOf {
    type Answer = Option<(PaymentReply, AccountId)>;

    fn answer(&self, unit: &Unit) -> Option<(PaymentReply, AccountId)> {
        let Unit::Performance(hall) = unit else { return None };
        let seats = hall.performance();
        Some((seats.payment_reply(self.payment)?, seats.payer(self.payment)?))
    }
}

/// The shares that a booking is one of, if the asker has one of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SharesOf {
    /// One of them.
    pub booking: BookingId,
    /// Who asks.
    pub account: AccountId,
}

impl Ask for SharesOf {
    type Answer = Option<SharesReply>;

    fn answer(&self, unit: &Unit) -> Option<SharesReply> {
        let Unit::Performance(hall) = unit else { return None };
        hall.performance().shares_reply(self.booking, self.account)
    }
}

/// What an account may do; `None` if there is no such account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RoleOf {}

impl Ask for RoleOf {
    type Answer = Option<Role>;

    fn answer(&self, unit: &Unit) -> Option<Role> {
        let Unit::Account(account) = unit else { return None };
        account.role()
    }
}

/// A show's details; `None` before it is drafted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DetailsOf {}

impl Ask for DetailsOf {
    type Answer = Option<Details>;

    fn answer(&self, unit: &Unit) -> Option<Details> {
        let Unit::Show(show) = unit else { return None };
        show.details().cloned()
    }
}

/// Whose a show is; `None` before it is drafted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OrganiserOf {}

impl Ask for OrganiserOf {
    type Answer = Option<AccountId>;

    fn answer(&self, unit: &Unit) -> Option<AccountId> {
        let Unit::Show(show) = unit else { return None };
        show.organiser()
    }
}

/// The show that a performance's line is one of; `None` before it is open.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ShowOf {}

impl Ask for ShowOf {
    type Answer = Option<ShowId>;

    fn answer(&self, unit: &Unit) -> Option<ShowId> {
        let Unit::Performance(hall) = unit else { return None };
        hall.line().show()
    }
}

/// The place of an account in a line, as it takes part in a draw; `None` if it has none.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TicketOf {
    /// Whose.
    pub account: AccountId,
}

impl Ask for TicketOf {
    type Answer = Option<TicketReply>;

    fn answer(&self, unit: &Unit) -> Option<TicketReply> {
        let Unit::Performance(hall) = unit else { return None };
        hall.line().ticket(self.account)
    }
}

/// Whether a line's draw waits for its seed, or will.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AwaitsSeed {}

impl Ask for AwaitsSeed {
    type Answer = bool;

    fn answer(&self, unit: &Unit) -> bool {
        matches!(unit, Unit::Performance(hall) if hall.line().awaits_seed())
    }
}

/// Reads an answer that has travelled.
pub(super) fn read<A: DeserializeOwned>(answer: &RawValue, position: u64) -> Result<Seen<A>, Rejected> {
    match serde_json::from_str(answer.get()) {
        Ok(answer) => Ok(Seen { answer, position }),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "another node's answer can't be read");
            Err(Rejected::Internal)
        }
    }
}
