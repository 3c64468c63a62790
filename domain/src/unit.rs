//! What one writer decides: a unit. A performance, its line and its parties are one unit, so that holding a seat is
//! decided with the fan's admission as a fact, in one order. Accounts, wallets and shows are units of their own.

use crate::event::{Actor, Event, StreamId};
use crate::hall::Hall;
use crate::plan::{Plan, PlanHash};
use crate::refusal::{Reason, refuse};
use crate::reply::ShowReply;
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
#[derive(Clone, PartialEq, Debug)]
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
            UnitId::Account(id) => Unit::Account(account::Account::new(id)),
            UnitId::Wallet(id) => Unit::Wallet(wallet::Wallet::new(id)),
            UnitId::Show(id) => Unit::Show(show::Show::new(id)),
            UnitId::Performance(id) => Unit::Performance(Box::new(Hall::new(id))),
        }
    }

    /// The plan that [`Unit::decide`] and [`Unit::reply`] need for this command, if any. [`Unit::due`] needs none.
    #[must_use]
    pub fn plan_wanted(&self, command: &Command) -> Option<PlanHash> {
        match (self, command) {
            (Unit::Show(_), Command::Show(show::Command::CreateShow { details, .. })) => Some(details.plan),
            (Unit::Performance(hall), command) => hall.plan_wanted(command),
            _ => None,
        }
    }

    /// Decides a command: the events it makes, each with its stream, or why it is refused. Changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, context: &Context<'_>, command: &Command) -> Result<Vec<(StreamId, Event)>, Refusal> {
        let Context { actor, now, plan } = *context;
        match (self, command) {
            (Unit::Account(account), Command::Account(command)) => {
                let events = account.decide(actor, now, command)?;
                Ok(named(StreamId::Account(account.id()), Event::Account, events))
            }
            (Unit::Wallet(wallet), Command::Wallet(command)) => {
                let events = wallet.decide(actor, command)?;
                Ok(named(StreamId::Wallet(wallet.id()), Event::Wallet, events))
            }
            (Unit::Show(show), Command::Show(command)) => {
                let events = show.decide(actor, plan, command)?;
                Ok(named(StreamId::Show(show.id()), Event::Show, events))
            }
            (Unit::Performance(hall), command) => hall.decide(context, command),
            (_, command) => refuse(Reason::Invalid, format!("{} was sent to another kind of unit", command.name())),
        }
    }

    /// Takes in what happened. Never fails; asserts what always holds.
    pub fn apply(&mut self, stream: &StreamId, event: &Event) {
        match (self, stream, event) {
            (Unit::Account(account), StreamId::Account(id), Event::Account(event)) if *id == account.id() => account.evolve(event),
            (Unit::Wallet(wallet), StreamId::Wallet(id), Event::Wallet(event)) if *id == wallet.id() => wallet.evolve(event),
            (Unit::Show(show), StreamId::Show(id), Event::Show(event)) if *id == show.id() => show.evolve(event),
            (Unit::Performance(hall), stream, event) => hall.apply(stream, event),
            (_, stream, event) => panic!("{} of {stream} was given to another unit", event.event_type()),
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
        match self {
            Unit::Show(show) => Reply::Show(ShowReply { show_id: show.id() }),
            Unit::Performance(hall) => hall.reply(context, command),
            Unit::Account(_) | Unit::Wallet(_) => Reply::DONE,
        }
    }

    /// What time alone has done until `now`: expiries, ended visits, admissions. At most
    /// [`crate::limits::EVENTS_PER_COMMAND_MAX`] events at a time; empty when nothing is due.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<(StreamId, Event)> {
        match self {
            Unit::Performance(hall) => hall.due(now),
            Unit::Account(_) | Unit::Wallet(_) | Unit::Show(_) => Vec::new(),
        }
    }

    /// The earliest moment at which [`Unit::due`] may have something; `None` if time alone will do nothing. It may be
    /// past: then something is due already.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        match self {
            Unit::Performance(hall) => hall.next_due(),
            Unit::Account(_) | Unit::Wallet(_) | Unit::Show(_) => None,
        }
    }
}

/// Events, each with its stream.
fn named<E>(stream: StreamId, wrap: fn(E) -> Event, events: Vec<E>) -> Vec<(StreamId, Event)> {
    events.into_iter().map(|event| (stream, wrap(event))).collect()
}
