//! A person's account: opened, the role it has. Names, e-mail addresses and passwords are never here (they are rows
//! that can be erased).

use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an account may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
