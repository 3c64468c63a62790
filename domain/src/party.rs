//! People who wait and sit together at one performance. Frozen when the leader joins the line.

use crate::{AccountId, EntryId, PartyId, PerformanceId};
use serde::{Deserialize, Serialize};

/// What happened in a party. The names are the storage format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Someone made a party; they lead it.
    PartyFormed {
        /// The party.
        party: PartyId,
        /// For which performance.
        performance: PerformanceId,
        /// Who leads.
        leader: AccountId,
    },
    /// The leader invited a friend.
    FriendInvited {
        /// Whom.
        account: AccountId,
    },
    /// The friend said yes.
    InvitationAccepted {
        /// Who.
        account: AccountId,
    },
    /// The friend said no.
    InvitationDeclined {
        /// Who.
        account: AccountId,
    },
    /// A member went away before the line.
    MemberLeft {
        /// Who.
        account: AccountId,
    },
    /// The party went into the line; from here on its members stay as they are.
    PartyFrozen {
        /// The place it waits on.
        entry: EntryId,
        /// Who is in it, the leader first.
        members: Vec<AccountId>,
    },
}

crate::event::stored_events! {
    PartyFormed = "1",
    FriendInvited = "1",
    InvitationAccepted = "1",
    InvitationDeclined = "1",
    MemberLeft = "1",
    PartyFrozen = "1",
}

/// What may be asked of a party.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Invites a friend; the first invitation forms the party, and whoever sends it leads.
    InviteFriend {
        /// Whom.
        friend: AccountId,
    },
    /// Says yes to an invitation.
    AcceptInvitation,
    /// Says no to an invitation.
    DeclineInvitation,
    /// Leaves the party before the line; a leader can't.
    LeaveParty,
}

impl Command {
    /// The command's name, as its JSON has it: `invite_friend`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::InviteFriend { .. } => "invite_friend",
            Command::AcceptInvitation => "accept_invitation",
            Command::DeclineInvitation => "decline_invitation",
            Command::LeaveParty => "leave_party",
        }
    }
}

/// What is known of a party: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Party {
    sequence: u64,
}

impl Party {
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
