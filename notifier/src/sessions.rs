//! Who is connected under which session: so that signing out closes what is open, and one account can't take all places.

use crate::{limits, room::lock};
use socketing_domain::{AccountId, event::Actor};
use socketing_service::auth::{Auth, Caller};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The sessions of open connections. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sessions(Arc<Mutex<Open>>);

#[derive(Default, Debug)]
struct Open {
    next: u64,
    connections: HashMap<u64, (Caller, CancellationToken)>,
    per_account: HashMap<AccountId, usize>,
}

/// A connection's entry. Dropping it takes the connection out.
#[derive(Debug)]
pub(crate) struct Entry {
    sessions: Sessions,
    number: u64,
    /// Whose session it is; `None` for a part of the system.
    pub(crate) account: Option<AccountId>,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = lock(&self.sessions.0);
        open.connections.remove(&self.number);
        let Some(account) = self.account else { return };
        if let Some(count) = open.per_account.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                open.per_account.remove(&account);
            }
        }
    }
}

impl Sessions {
    /// Notes a connection. `None` if its account has too many.
    pub(crate) fn enter(&self, caller: Caller) -> Option<Entry> {
        let account = match caller.actor {
            Actor::Account(account) => Some(account),
            Actor::System(_) => None,
        };
        let mut open = lock(&self.0);
        if let Some(account) = account {
            let count = open.per_account.entry(account).or_default();
            if *count == limits::CONNECTIONS_PER_ACCOUNT_MAX {
                return None;
            }
            *count += 1;
        }
        open.next += 1;
        let (number, over) = (open.next, CancellationToken::new());
        open.connections.insert(number, (caller, over.clone()));
        Some(Entry { sessions: self.clone(), number, account, over })
    }

    /// Tells connections whose session is over, until `stop`.
    pub(crate) async fn watch(self, auth: Auth, stop: CancellationToken) {
        let mut tick = interval(limits::SESSIONS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let open = lock(&self.0);
            let ended = open.connections.values().filter(|(caller, _)| !auth.is_live(caller));
            ended.for_each(|(_, over)| over.cancel());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_domain::Timestamp;
    use socketing_service::auth::Via;
    use uuid::Uuid;

    #[test]
    fn an_account_has_a_bounded_number_of_connections() {
        let sessions = Sessions::default();
        let caller = |actor| Caller { actor, session: Uuid::nil(), expires_at: Timestamp::default(), via: Via::Bearer };
        let (one, other) = (Actor::Account(AccountId::new()), Actor::Account(AccountId::new()));
        let mut entries: Vec<_> = (0..limits::CONNECTIONS_PER_ACCOUNT_MAX).map(|_| sessions.enter(caller(one)).unwrap()).collect();
        assert!(sessions.enter(caller(one)).is_none());
        assert!(sessions.enter(caller(other)).is_some());
        entries.pop();
        assert!(sessions.enter(caller(one)).is_some());
        drop(entries);
        assert!(lock(&sessions.0).per_account.is_empty());
    }
}
