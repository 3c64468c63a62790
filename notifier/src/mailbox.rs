//! The topic `me`: what concerns one person. A mailbox is there while someone listens, and a while longer, so that a page
//! that reloads gets just what it missed. It holds the last messages; who has missed more is told to look again (an empty
//! snapshot), and asks the query API with the snapshot's position.

use crate::{
    limits,
    room::{Pull, Pulled, lock},
};
use axum::extract::ws::Utf8Bytes;
use socketing_domain::AccountId;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};
use tokio::{sync::Notify, time::Instant};

/// All mailboxes.
#[derive(Default, Debug)]
pub(crate) struct Mailboxes {
    map: Mutex<Map>,
}

#[derive(Default, Debug)]
struct Map {
    boxes: HashMap<AccountId, Arc<Mutex<Mailbox>>>,
    /// Everything up to here was put into the mailboxes that there were.
    delivered: u64,
}

#[derive(Debug)]
struct Mailbox {
    /// Who has at least this can be told just what came since.
    floor: u64,
    messages: VecDeque<(u64, Arc<str>)>,
    listeners: HashMap<u64, Arc<Notify>>,
    next: u64,
    empty_since: Instant,
}

/// A place at a mailbox. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Listener {
    mailbox: Arc<Mutex<Mailbox>>,
    number: u64,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut mailbox = lock(&self.mailbox);
        mailbox.listeners.remove(&self.number);
        mailbox.empty_since = Instant::now();
    }
}

impl Mailboxes {
    /// Listens to an account's mailbox, which is made if there is none. `None` if there are too many.
    pub(crate) fn listen(&self, account: AccountId, wake: Arc<Notify>) -> Option<Listener> {
        let mut map = lock(&self.map);
        let full = map.boxes.len() >= limits::MAILBOXES_MAX;
        if full && !map.boxes.contains_key(&account) {
            return None;
        }
        let floor = map.delivered;
        let mailbox = Arc::clone(map.boxes.entry(account).or_insert_with(|| Arc::new(Mutex::new(Mailbox::new(floor)))));
        let number = lock(&mailbox).enter(wake);
        Some(Listener { mailbox, number })
    }

    /// Whether anybody's mailbox is there.
    pub(crate) fn has(&self, account: AccountId) -> bool {
        lock(&self.map).boxes.contains_key(&account)
    }

    /// Puts a message into an account's mailbox, if it is there.
    pub(crate) fn put(&self, account: AccountId, position: u64, members: Arc<str>) {
        let mailbox = lock(&self.map).boxes.get(&account).cloned();
        if let Some(mailbox) = mailbox {
            lock(&mailbox).put(position, members);
        }
    }

    /// Says that every event up to `position` has been put where it belongs.
    pub(crate) fn delivered(&self, position: u64) {
        lock(&self.map).delivered = position;
    }

    /// Up to where all events have been put where they belong.
    pub(crate) fn covers(&self) -> u64 {
        lock(&self.map).delivered
    }

    /// Forgets all messages: some before `position` were lost. Every listener gets a fresh snapshot.
    pub(crate) fn reset(&self, position: u64) {
        let mut map = lock(&self.map);
        map.delivered = position;
        map.boxes.values().for_each(|mailbox| lock(mailbox).reset(position));
    }

    /// Drops mailboxes that nobody has listened to for a while.
    pub(crate) fn sweep(&self) {
        lock(&self.map).boxes.retain(|_, mailbox| !lock(mailbox).is_deserted());
    }
}

impl Mailbox {
    fn new(floor: u64) -> Mailbox {
        Mailbox { floor, messages: VecDeque::new(), listeners: HashMap::new(), next: 0, empty_since: Instant::now() }
    }

    fn enter(&mut self, wake: Arc<Notify>) -> u64 {
        self.next += 1;
        self.listeners.insert(self.next, wake);
        self.next
    }

    fn put(&mut self, position: u64, members: Arc<str>) {
        if self.messages.len() == limits::MAILBOX_MESSAGES_MAX
            && let Some((dropped, _)) = self.messages.pop_front()
        {
            self.floor = dropped;
        }
        self.messages.push_back((position, members));
        self.wake();
    }

    fn reset(&mut self, position: u64) {
        self.messages.clear();
        self.floor = position;
        self.wake();
    }

    fn wake(&self) {
        self.listeners.values().for_each(|wake| wake.notify_one());
    }

    fn is_deserted(&self) -> bool {
        self.listeners.is_empty() && self.empty_since.elapsed() >= limits::LINGER
    }

    /// The next message after `from`: frames of `me` carry one each, as they are about different things.
    fn pull(&self, pull: &Pull) -> Pulled {
        let Some(from) = pull.from.filter(|from| *from >= self.floor) else {
            let covers = pull.followed.max(self.floor);
            return frame("snapshot", pull.id, covers, "");
        };
        let start = self.messages.partition_point(|(position, _)| *position <= from);
        match self.messages.get(start) {
            Some((position, members)) => frame("delta", pull.id, *position, members),
            None if pull.first => frame("delta", pull.id, pull.followed.max(from), ""),
            None => Pulled::Nothing,
        }
    }
}

impl Listener {
    /// What the listener lacks.
    pub(crate) fn pull(&self, pull: &Pull) -> Pulled {
        lock(&self.mailbox).pull(pull)
    }
}

fn frame(kind: &str, id: u32, position: u64, members: &str) -> Pulled {
    let json = format!(r#"{{"type":"{kind}","id":{id},"position":{position}{members}}}"#);
    Pulled::Frame(Utf8Bytes::from(json), position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Wish;
    use serde_json::Value;

    fn pull(listener: &Listener, from: Option<u64>, first: bool, followed: u64) -> Option<Value> {
        match listener.pull(&Pull { id: 3, from, first, wish: Wish::default(), followed }) {
            Pulled::Frame(text, position) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(frame["position"], position);
                Some(frame)
            }
            Pulled::Nothing => None,
            Pulled::Over(ending) => panic!("{ending:?}"),
        }
    }

    fn listen(mailboxes: &Mailboxes, account: AccountId) -> Listener {
        mailboxes.listen(account, Arc::new(Notify::new())).unwrap()
    }

    fn put(mailboxes: &Mailboxes, account: AccountId, position: u64) {
        mailboxes.put(account, position, r#","event":"WalletCharged""#.into());
        mailboxes.delivered(position);
    }

    #[test]
    fn a_listener_gets_a_snapshot_and_then_one_message_after_the_other() {
        let (mailboxes, account) = (Mailboxes::default(), AccountId::new());
        mailboxes.delivered(5);
        let listener = listen(&mailboxes, account);
        let frame = pull(&listener, None, true, mailboxes.covers()).unwrap();
        assert_eq!((&frame["type"], &frame["position"]), (&"snapshot".into(), &5.into()));
        assert!(pull(&listener, Some(5), false, 5).is_none());
        put(&mailboxes, account, 6);
        put(&mailboxes, account, 9);
        let frame = pull(&listener, Some(5), false, 9).unwrap();
        assert_eq!((&frame["event"], &frame["position"]), (&"WalletCharged".into(), &6.into()));
        assert_eq!(pull(&listener, Some(6), false, 9).unwrap()["position"], 9);
        assert!(pull(&listener, Some(9), false, 9).is_none());
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_that_nothing_was() {
        let (mailboxes, account) = (Mailboxes::default(), AccountId::new());
        mailboxes.delivered(5);
        drop(listen(&mailboxes, account));
        put(&mailboxes, account, 6);
        let listener = listen(&mailboxes, account);
        assert_eq!(pull(&listener, Some(5), true, 6).unwrap()["event"], "WalletCharged");
        let nothing = pull(&listener, Some(6), true, 8).unwrap();
        assert_eq!((&nothing["type"], &nothing["position"], nothing.get("event")), (&"delta".into(), &8.into(), None));
        assert_eq!(pull(&listener, Some(4), true, 8).unwrap()["type"], "snapshot", "before the mailbox was there");
    }

    #[test]
    fn who_misses_more_than_is_kept_gets_a_snapshot() {
        let (mailboxes, account) = (Mailboxes::default(), AccountId::new());
        let listener = listen(&mailboxes, account);
        let most = limits::MAILBOX_MESSAGES_MAX as u64;
        (1..=most + 2).for_each(|position| put(&mailboxes, account, position));
        assert_eq!(pull(&listener, Some(1), false, most + 2).unwrap()["type"], "snapshot");
        assert_eq!(pull(&listener, Some(2), false, most + 2).unwrap()["position"], 3);
    }

    #[test]
    fn after_a_loss_everyone_gets_a_snapshot() {
        let (mailboxes, account) = (Mailboxes::default(), AccountId::new());
        let listener = listen(&mailboxes, account);
        put(&mailboxes, account, 1);
        mailboxes.reset(50);
        let frame = pull(&listener, Some(1), false, mailboxes.covers()).unwrap();
        assert_eq!((&frame["type"], &frame["position"]), (&"snapshot".into(), &50.into()));
    }

    #[tokio::test(start_paused = true)]
    async fn mailboxes_of_absent_people_are_swept_out_after_a_while() {
        let (mailboxes, account) = (Mailboxes::default(), AccountId::new());
        let listener = listen(&mailboxes, account);
        tokio::time::advance(2 * limits::LINGER).await;
        mailboxes.sweep();
        assert!(mailboxes.has(account), "someone listens");
        drop(listener);
        mailboxes.sweep();
        assert!(mailboxes.has(account), "it lingers");
        tokio::time::advance(limits::LINGER).await;
        mailboxes.sweep();
        assert!(!mailboxes.has(account));
    }
}
