//! Friends. Each account says for itself whom it wants, in its own stream, and knows nothing of what others say: two are
//! friends when both want it. So saying yes is asking back; declining, taking a request back and ending a friendship are one
//! thing; and nobody is told of another's no.

use super::Event;
use crate::limits::{FRIEND_WORDS_PER_DAY_MAX, FRIENDS_MAX};
use crate::refusal::{Reason, Refusal, refuse};
use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DAY_MILLIS: i64 = 86_400_000;

/// What an account last said of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// Whether it wants to be friends.
    pub wants: bool,
    /// The log's position where it said so.
    pub position: u64,
}

/// How one account stands with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Friendship {
    /// They are nothing to each other, as far as the one knows.
    Apart,
    /// The one has asked the other.
    Asked,
    /// The other has asked, and the one hasn't answered.
    Asks,
    /// They are friends.
    Friends,
}

impl Friendship {
    /// How the one who said `own` stands with the other, who said `others`. Someone who asks stays the one who asked,
    /// whatever the other says but yes; a request that was declined is seen again when it is made again.
    #[must_use]
    pub fn of(own: Option<Word>, others: Option<Word>) -> Friendship {
        let wants = |word: Option<Word>| word.is_some_and(|word| word.wants);
        match (wants(own), wants(others)) {
            (true, true) => Friendship::Friends,
            (true, false) => Friendship::Asked,
            (false, true) if own.map(|word| word.position) < others.map(|word| word.position) => Friendship::Asks,
            (false, _) => Friendship::Apart,
        }
    }
}

/// What an account has said of others.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Friends {
    /// Whom it wants as friends, and when it last said so.
    wanted: BTreeMap<AccountId, Timestamp>,
    /// The last day on which it said anything, counted from the epoch, and how often it did on that day.
    day: (i64, usize),
}

impl Friends {
    /// Asking again within a day is the same request; later it is a new one, which the other sees again.
    pub(super) fn request(&self, own: AccountId, friend: AccountId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        check_other(own, friend)?;
        let said = self.wanted.get(&friend);
        if said.is_some_and(|said| said.as_millis() > at.as_millis() - DAY_MILLIS) {
            return Ok(Vec::new());
        }
        if said.is_none() && self.wanted.len() >= FRIENDS_MAX {
            return refuse(Reason::FriendsFull, format!("an account has at most {FRIENDS_MAX} friends and requests"));
        }
        self.check_day(at)?;
        Ok(vec![Event::FriendRequested { friend, at }])
    }

    /// Said again it is an event again: whether the other has asked anew meanwhile stands in another stream.
    pub(super) fn dismiss(&self, own: AccountId, friend: AccountId, at: Timestamp) -> Result<Vec<Event>, Refusal> {
        check_other(own, friend)?;
        self.check_day(at)?;
        Ok(vec![Event::FriendDismissed { friend, at }])
    }

    pub(super) fn requested(&mut self, friend: AccountId, at: Timestamp) {
        self.wanted.insert(friend, at);
        assert!(self.wanted.len() <= FRIENDS_MAX, "more friends than an account may have");
        self.said(at);
    }

    pub(super) fn dismissed(&mut self, friend: AccountId, at: Timestamp) {
        self.wanted.remove(&friend);
        self.said(at);
    }

    fn said(&mut self, at: Timestamp) {
        self.day = (day(at), self.said_on(at) + 1);
    }

    fn said_on(&self, at: Timestamp) -> usize {
        if self.day.0 == day(at) { self.day.1 } else { 0 }
    }

    fn check_day(&self, at: Timestamp) -> Result<(), Refusal> {
        if self.said_on(at) < FRIEND_WORDS_PER_DAY_MAX {
            return Ok(());
        }
        let tomorrow = Timestamp::from_millis((day(at) + 1) * DAY_MILLIS);
        let detail = format!("friends can be asked and dismissed {FRIEND_WORDS_PER_DAY_MAX} times a day");
        Err(Refusal::new(Reason::FriendChangesLimit, detail).with_retry_at(tomorrow))
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(DAY_MILLIS)
}

fn check_other(own: AccountId, friend: AccountId) -> Result<(), Refusal> {
    if own == friend { refuse(Reason::SelfFriend, "friends are two") } else { Ok(()) }
}
