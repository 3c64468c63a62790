//! A person's account: opened, the role it has, whom it wants as friends. Names, e-mail addresses and passwords are never
//! here (they are rows that can be erased).

mod friends;

pub use friends::{Friendship, Word};

use crate::event::{Actor, Ask};
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, Timestamp};
use cqrs_es::event_sink::EventSink;
use friends::Friends;
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
    /// The account wants to be another's friend: it asks, or says yes to being asked.
    FriendRequested {
        /// Whose.
        friend: AccountId,
        /// When.
        at: Timestamp,
    },
    /// The account doesn't want to be another's friend: it declines, takes its request back, or ends the friendship.
    FriendDismissed {
        /// Whose.
        friend: AccountId,
        /// When.
        at: Timestamp,
    },
    /// Whether the account may be suggested to others as a friend. At first it may not.
    SuggestionsAllowed {
        /// Whether it may.
        allowed: bool,
    },
}

crate::event::stored_events! {
    AccountOpened = "1",
    RoleGranted = "1",
    FriendRequested = "1",
    FriendDismissed = "1",
    SuggestionsAllowed = "1",
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
    /// Asks someone to be friends, or says yes to being asked. Whether there is such an account is the asker's to know.
    RequestFriend {
        /// Whom.
        friend: AccountId,
    },
    /// Declines, takes a request back, or ends a friendship.
    DismissFriend {
        /// Whose.
        friend: AccountId,
    },
    /// Says whether one may be suggested to others as a friend.
    AllowSuggestions {
        /// Whether one may.
        allowed: bool,
    },
}

impl Command {
    /// The command's name, as its JSON has it: `open_account`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::OpenAccount { .. } => "open_account",
            Command::GrantRole { .. } => "grant_role",
            Command::RequestFriend { .. } => "request_friend",
            Command::DismissFriend { .. } => "dismiss_friend",
            Command::AllowSuggestions { .. } => "allow_suggestions",
        }
    }
}

/// What is known of an account: the fold of its events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Account {
    id: AccountId,
    sequence: u64,
    opened: bool,
    role: Role,
    friends: Friends,
    suggestible: bool,
}

impl Account {
    /// An account nothing has happened to.
    #[must_use]
    pub fn new(id: AccountId) -> Account {
        Account { id, ..Account::default() }
    }

    /// Its id; the nil one if it was made without.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// How many events it has had.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its role, once it is opened.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.opened.then_some(self.role)
    }

    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        self.sequence += 1;
        match event {
            Event::AccountOpened { account, .. } => {
                assert!(!self.opened, "{account} is opened twice");
                assert!(self.id == AccountId::default() || self.id == *account, "{account} is opened as {}", self.id);
                self.id = *account;
                self.opened = true;
            }
            Event::RoleGranted { account, role } => {
                assert!(self.opened && self.id == *account, "{account} gets a role as {}", self.id);
                assert!(self.role != *role, "{account} gets a role that it has");
                self.role = *role;
            }
            Event::FriendRequested { friend, at } => {
                assert!(self.opened && self.id != *friend, "{} wants {friend} as a friend", self.id);
                self.friends.requested(*friend, *at);
            }
            Event::FriendDismissed { friend, at } => self.friends.dismissed(*friend, *at),
            Event::SuggestionsAllowed { allowed } => {
                assert!(self.suggestible != *allowed, "{} says again whether it may be suggested", self.id);
                self.suggestible = *allowed;
            }
        }
    }

    /// Decides a command. Whether an account that grants a role is an operator's is the asker's to know: it stands in
    /// another account's stream.
    ///
    /// # Errors
    /// A [`Refusal`], if the command can't be had.
    pub fn decide(&self, actor: Actor, now: Timestamp, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::OpenAccount { account } => self.open(actor, *account, now),
            Command::GrantRole { role } => self.grant(*role),
            Command::RequestFriend { friend } => self.friends.request(self.own(actor)?, *friend, now),
            Command::DismissFriend { friend } => self.friends.dismiss(self.own(actor)?, *friend, now),
            Command::AllowSuggestions { allowed } => self.allow(actor, *allowed),
        }
    }

    fn open(&self, actor: Actor, account: AccountId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        actor.system()?;
        if self.id != AccountId::default() && self.id != account {
            return refuse(Reason::Invalid, format!("/account: {account} can't be opened as {}", self.id));
        }
        if self.opened {
            return Ok(Vec::new());
        }
        Ok(vec![Event::AccountOpened { account, at }])
    }

    fn grant(&self, role: Role) -> Result<Vec<Event>, Refusal> {
        if !self.opened {
            return refuse(Reason::UnknownAccount, format!("account {} was never opened", self.id));
        }
        if self.role == role {
            return Ok(Vec::new());
        }
        Ok(vec![Event::RoleGranted { account: self.id, role }])
    }

    fn allow(&self, actor: Actor, allowed: bool) -> Result<Vec<Event>, Refusal> {
        self.own(actor)?;
        if self.suggestible == allowed {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SuggestionsAllowed { allowed }])
    }

    /// The account itself, where nobody else may ask.
    fn own(&self, actor: Actor) -> Result<AccountId, Refusal> {
        let person = actor.person()?;
        if person != self.id {
            return refuse(Reason::Forbidden, "whom an account wants as friends is its own to say");
        }
        if !self.opened {
            return refuse(Reason::UnknownAccount, format!("account {} was never opened", self.id));
        }
        Ok(person)
    }
}

impl cqrs_es::Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Ask<Command>;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, ask: Ask<Command>, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in self.decide(ask.actor, ask.now, &ask.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        self.evolve(&event);
    }
}
