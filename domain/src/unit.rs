//! What one writer decides: a unit. A performance, its line and its parties are one unit, so that holding a seat is
//! decided with the fan's admission as a fact, in one order. Accounts, wallets and shows are units of their own.

use crate::event::{Actor, Event, StreamId};
use crate::hall::Hall;
use crate::plan::{Plan, PlanHash};
use crate::refusal::Reason;
use crate::{
    AccountId, PartyId, PerformanceId, Refusal, Reply, ShowId, Timestamp, account, party, performance, show, waiting_room, wallet,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Shards are fixed: a node holds a lease on each that it owns.
pub const SHARDS: u16 = 128;

/// The name of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum UnitId {
    /// An account.
    Account(AccountId),
    /// A wallet.
    Wallet(AccountId),
    /// A show.
    Show(ShowId),
    /// A performance with its line and its parties.
    Performance(PerformanceId),
}

/// A command, addressed to a stream of its unit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// To an account.
    Account(account::Command),
    /// To a wallet.
    Wallet(wallet::Command),
    /// To a show.
    Show(show::Command),
    /// To a performance's line.
    Line(waiting_room::Command),
    /// To a party of a performance.
    Party(PartyId, party::Command),
    /// To a performance's seats.
    Performance(performance::Command),
}

/// What a decision may rest on besides the unit's state.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Who asks.
    pub actor: Actor,
    /// This moment: the later of the clock and the unit's last event.
    pub now: Timestamp,
    /// The plan that [`Unit::plan_wanted`] named.
    pub plan: Option<&'a Plan>,
}

impl UnitId {
    /// The shard that owns it: the low bits of the id's last byte, which is random in a UUIDv7.
    #[must_use]
    pub fn shard(&self) -> u16 {
        u16::from(self.id().as_bytes()[15]) % SHARDS
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        match self {
            UnitId::Account(AccountId(id)) | UnitId::Wallet(AccountId(id)) => *id,
            UnitId::Show(ShowId(id)) | UnitId::Performance(PerformanceId(id)) => *id,
        }
    }

    /// Its kind, as tables name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            UnitId::Account(_) => "account",
            UnitId::Wallet(_) => "wallet",
            UnitId::Show(_) => "show",
            UnitId::Performance(_) => "performance",
        }
    }

    /// The unit that tables name so, or `None` if there is no such kind.
    #[must_use]
    pub fn parse(kind: &str, id: Uuid) -> Option<UnitId> {
        match kind {
            "account" => Some(UnitId::Account(id.into())),
            "wallet" => Some(UnitId::Wallet(id.into())),
            "show" => Some(UnitId::Show(id.into())),
            "performance" => Some(UnitId::Performance(id.into())),
            _ => None,
        }
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

impl StreamId {
    /// The unit that decides what happens in the stream.
    #[must_use]
    pub const fn unit(&self) -> UnitId {
        match self {
            StreamId::Account(id) => UnitId::Account(*id),
            StreamId::Wallet(id) => UnitId::Wallet(*id),
            StreamId::Show(id) => UnitId::Show(*id),
            StreamId::WaitingRoom(id) | StreamId::Party(id, _) | StreamId::Performance(id) => UnitId::Performance(*id),
        }
    }
}

impl Command {
    /// The command's name, such as `hold_seats`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Account(command) => command.name(),
            Command::Wallet(command) => command.name(),
            Command::Show(command) => command.name(),
            Command::Line(command) => command.name(),
            Command::Party(_, command) => command.name(),
            Command::Performance(command) => command.name(),
        }
    }
}

/// What one writer holds in memory and decides with.
#[derive(Debug)]
pub enum Unit {
    /// An account.
    Account(account::Account),
    /// A wallet.
    Wallet(wallet::Wallet),
    /// A show.
    Show(show::Show),
    /// A performance with its line and its parties.
    Performance(Box<Hall>),
}

impl Unit {
    /// A unit nothing has happened to.
    #[must_use]
    pub fn new(id: UnitId) -> Unit {
        match id {
            UnitId::Account(_) => Unit::Account(account::Account::default()),
            UnitId::Wallet(_) => Unit::Wallet(wallet::Wallet::default()),
            UnitId::Show(_) => Unit::Show(show::Show::default()),
            UnitId::Performance(id) => Unit::Performance(Box::new(Hall::new(id))),
        }
    }

    /// The plan that [`Unit::decide`] and [`Unit::reply`] need for this command, if any. [`Unit::due`] needs none.
    #[must_use]
    pub fn plan_wanted(&self, command: &Command) -> Option<PlanHash> {
        let _ = command;
        None
    }

    /// Decides a command: the events it makes, each with its stream, or why it is refused. Changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, context: &Context<'_>, command: &Command) -> Result<Vec<(StreamId, Event)>, Refusal> {
        let _ = context;
        Err(Refusal::new(Reason::Invalid, command.name()))
    }

    /// Takes in what happened. Never fails; asserts what always holds.
    pub fn apply(&mut self, stream: &StreamId, event: &Event) {
        match (self, event) {
            (Unit::Account(account), Event::Account(event)) => account.evolve(event),
            (Unit::Wallet(wallet), Event::Wallet(event)) => wallet.evolve(event),
            (Unit::Show(show), Event::Show(event)) => show.evolve(event),
            (Unit::Performance(hall), event) => hall.apply(stream, event),
            (_, event) => panic!("{} is no event of {stream}", event.event_type()),
        }
    }

    /// How many events of a stream were applied: the sequence of the last, 0 if none.
    #[must_use]
    pub fn sequence(&self, stream: &StreamId) -> u64 {
        match self {
            Unit::Account(account) => account.sequence(),
            Unit::Wallet(wallet) => wallet.sequence(),
            Unit::Show(show) => show.sequence(),
            Unit::Performance(hall) => hall.sequence(stream),
        }
    }

    /// What a command that was accepted is answered with, after its events were applied (also when there were none).
    #[must_use]
    pub fn reply(&self, context: &Context<'_>, command: &Command) -> Reply {
        let _ = (context, command);
        Reply::DONE
    }

    /// What time alone has done until `now`: expiries, ended visits, admissions. At most
    /// [`crate::limits::EVENTS_PER_COMMAND_MAX`] events at a time; empty when nothing is due.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<(StreamId, Event)> {
        let _ = now;
        Vec::new()
    }

    /// The earliest moment at which [`Unit::due`] may have something; `None` if time alone will do nothing.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        None
    }
}
