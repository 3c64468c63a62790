//! A person's account: opened, the role it has. Names, e-mail addresses and passwords are never here (they are rows
//! that can be erased).

use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    #[default]
    Fan,
    /// Sells shows of its own.
    Organiser,
    /// Runs the system.
    Operator,
}

/// What happened to an account. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A person signed up.
    AccountOpened {
        /// Who.
        account: AccountId,
        /// When.
        at: Timestamp,
    },
    /// An operator gave the account a role.
    RoleGranted {
        /// Whose role.
        account: AccountId,
        /// The role it has from now on.
        role: Role,
    },
}

crate::event::stored_events! {
    AccountOpened = "1",
    RoleGranted = "1",
}

/// What may be asked of an account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens the account of someone who signed up. Repeating it does nothing.
    OpenAccount {
        /// The new account.
        account: AccountId,
    },
    /// Gives a role; only the system or an operator may.
    GrantRole {
        /// The role.
        role: Role,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `open_account`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::OpenAccount { .. } => "open_account",
            Command::GrantRole { .. } => "grant_role",
        }
    }
}

/// What is known of an account: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Account {
    sequence: u64,
}

impl Account {
    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, _event: &Event) {
        self.sequence += 1;
    }
}
