//! What happens in a party, and what may be asked of it.

use crate::{AccountId, EntryId, PartyId, PerformanceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who chooses the party's block of seats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Picks {
    /// Any member.
    #[default]
    Anyone,
    /// The leader alone.
    Leader,
}

/// How the party pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pays {
    /// Whoever chose the seats pays for all.
    #[default]
    Chooser,
    /// The leader pays for all, whoever chose.
    Leader,
    /// Everyone pays a share, by one deadline; then the seats of unpaid shares go back, and the others stay.
    Shares,
    /// Everyone pays a share, by one deadline; unless all are paid by then, all seats go back and what was paid is refunded.
    AllOrNone,
}

/// What a party agreed on when it was made. It stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Terms {
    /// Who chooses the seats.
    pub picks: Picks,
    /// How it pays.
    pub pays: Pays,
}

impl Terms {
    /// Whether they are those of a party that was made without any.
    pub(super) fn are_usual(&self) -> bool {
        *self == Terms::default()
    }
}

/// Why a party is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Its last member left.
    Dissolved,
    /// It never went into the line.
    Unused,
}

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
        /// What its members agree on by joining.
        #[serde(default, skip_serializing_if = "Terms::are_usual")]
        terms: Terms,
        /// When it ends if it hasn't gone into the line; never, for parties of older programs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unused_until: Option<Timestamp>,
    },
    /// The leader invited a friend.
    FriendInvited {
        /// Whom.
        account: AccountId,
    },
    /// The leader took an invitation back.
    InvitationWithdrawn {
        /// Whose.
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
    /// Someone who has the party's link joined by it.
    MemberJoined {
        /// Who.
        account: AccountId,
    },
    /// A member went away before the line.
    MemberLeft {
        /// Who.
        account: AccountId,
    },
    /// The leader sent a member away; the link doesn't let them in again.
    MemberExpelled {
        /// Whom.
        account: AccountId,
    },
    /// Another member leads from here on.
    LeaderChanged {
        /// Who.
        leader: AccountId,
    },
    /// The party went into the line; from here on its members stay as they are.
    PartyFrozen {
        /// The place it waits on.
        entry: EntryId,
        /// Who is in it, the leader first.
        members: Vec<AccountId>,
    },
    /// The party's place in the line is gone, and its members may change again.
    PartyThawed {
        /// The party.
        party: PartyId,
    },
    /// The party is no more; its people are free.
    PartyEnded {
        /// Why.
        reason: Ending,
    },
}

crate::event::stored_events! {
    PartyFormed = "2",
    FriendInvited = "1",
    InvitationWithdrawn = "1",
    InvitationAccepted = "1",
    InvitationDeclined = "1",
    MemberJoined = "1",
    MemberLeft = "1",
    MemberExpelled = "1",
    LeaderChanged = "1",
    PartyFrozen = "1",
    PartyThawed = "1",
    PartyEnded = "1",
}

/// What may be asked of a party.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Makes a party; whoever does leads it. Repeating it changes nothing.
    FormParty {
        /// What its members agree on by joining.
        terms: Terms,
    },
    /// Invites a friend; the first invitation forms a party that isn't there yet, and whoever sends it leads.
    InviteFriend {
        /// Whom.
        friend: AccountId,
    },
    /// Takes an invitation back; the leader's.
    WithdrawInvitation {
        /// Whose.
        friend: AccountId,
    },
    /// Says yes to an invitation.
    AcceptInvitation,
    /// Says no to an invitation.
    DeclineInvitation,
    /// Joins by the party's link, without an invitation.
    JoinParty,
    /// Leaves the party before the line. When its leader does, the one who has been in it longest leads; when its last
    /// member does, it ends.
    LeaveParty,
    /// Sends a member away before the line; the leader's.
    ExpelMember {
        /// Whom.
        member: AccountId,
    },
    /// Has another member lead; the leader's.
    HandOver {
        /// Whom.
        member: AccountId,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `invite_friend`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::FormParty { .. } => "form_party",
            Command::InviteFriend { .. } => "invite_friend",
            Command::WithdrawInvitation { .. } => "withdraw_invitation",
            Command::AcceptInvitation => "accept_invitation",
            Command::DeclineInvitation => "decline_invitation",
            Command::JoinParty => "join_party",
            Command::LeaveParty => "leave_party",
            Command::ExpelMember { .. } => "expel_member",
            Command::HandOver { .. } => "hand_over",
        }
    }
}
