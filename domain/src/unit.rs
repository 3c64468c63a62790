//! What one writer decides: a unit. A performance, its line and its parties are one unit, so that holding a seat is
//! decided with the fan's admission as a fact, in one order. Accounts, wallets and shows are units of their own.

use crate::event::{Actor, Event, StreamId};
use crate::plan::{Plan, PlanHash};
use crate::{AccountId, PartyId, PerformanceId, Refusal, ShowId, Timestamp, account, party, performance, show, waiting_room, wallet};
use serde::{Deserialize, Serialize};

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

// PLANNED SURFACE (the executor is written against this):
//
// pub enum Unit { Account(account::Account), Wallet(wallet::Wallet), Show(show::Show), Performance(Box<Hall>) }
// pub struct Hall { performance: performance::Performance, line: waiting_room::WaitingRoom, parties: HashMap<PartyId, party::Party>, ... }
//
// impl UnitId {
//   pub fn shard(&self) -> u16                       // low 7 bits of the id's last byte
//   pub fn id(&self) -> Uuid
//   pub const fn kind(&self) -> &'static str         // "account" | "wallet" | "show" | "performance"
//   pub fn parse(kind: &str, id: Uuid) -> Option<UnitId>
// }
// impl StreamId { pub fn unit(&self) -> UnitId }
// impl Command { pub fn name(&self) -> &'static str  // "hold_seats" ... }
// impl Unit {
//   pub fn new(id: UnitId) -> Unit
//   pub fn plan_wanted(&self, command: &Command) -> Option<PlanHash>   // also what due() needs: nothing
//   pub fn decide(&self, context: &Context<'_>, command: &Command) -> Result<Vec<(StreamId, Event)>, Refusal>
//   pub fn apply(&mut self, stream: &StreamId, event: &Event)          // never fails; asserts invariants; counts sequences
//   pub fn sequence(&self, stream: &StreamId) -> u64                   // last applied sequence of that stream, 0 if none
//   pub fn reply(&self, context: &Context<'_>, command: &Command) -> Reply   // after its events were applied (also when there were none)
//   pub fn due(&self, now: Timestamp) -> Vec<(StreamId, Event)>        // what time alone has done: expiries, session ends, admissions;
//                                                                      // at most EVENTS_PER_COMMAND_MAX; [] when nothing is due
//   pub fn next_due(&self) -> Option<Timestamp>                        // earliest moment at which due() may be non-empty
// }
