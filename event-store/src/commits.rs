//! What this process commits, for readers in it that want everything: they needn't ask Postgres for what was here a moment
//! ago.
//!
//! Postgres remains the proof. A batch is taken only right after what was read before, with nothing between: what other
//! processes have committed there is read from Postgres. And it is taken only of a session with Postgres that was proven:
//! the log was read after a batch of that session, and went on from where the reader stood. A log can't be restored, or lose
//! its tail to a failover, without ending its sessions, so what one session commits is one history, until an operator
//! declares another.

use crate::append::{NewEvent, Written};
use crate::{Json, RawEvent};
use std::sync::Arc;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// Batches that wait for a reader: some tens of milliseconds of the fastest sale. Whoever is further behind reads Postgres.
const BATCHES_MAX: usize = 16;

/// What one statement has committed.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which of this process's sessions with Postgres committed it.
    pub session: u64,
    /// Where and when.
    pub written: Written,
    /// The events of each part, in the order of their positions.
    pub events: Vec<Vec<NewEvent>>,
}

impl Batch {
    /// The position of its last event.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.written.base + self.events.iter().map(Vec::len).sum::<usize>() as u64
    }

    const fn source(&self) -> Source {
        (self.session, self.written.incarnation)
    }

    /// The events as the log has them.
    fn into_events(self) -> impl Iterator<Item = RawEvent> {
        (self.written.base + 1..).zip(self.events.into_iter().flatten()).map(move |(position, event)| RawEvent {
            position,
            aggregate_type: event.aggregate_type.to_owned(),
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            event_type: event.event_type.to_owned(),
            event_version: event.event_version.to_owned(),
            payload: Json::stored(event.payload),
            metadata: Json::stored(event.metadata.as_ref().to_owned()),
            recorded_at: self.written.recorded_at,
        })
    }
}

/// Tells what is committed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Commits {
    position: watch::Sender<u64>,
    batches: broadcast::Sender<Arc<Batch>>,
}

impl Commits {
    /// Begins with the log's end.
    #[must_use]
    pub fn new(position: u64) -> Commits {
        Commits { position: watch::Sender::new(position), batches: broadcast::Sender::new(BATCHES_MAX) }
    }

    /// Whether anybody takes batches.
    #[must_use]
    pub fn are_followed(&self) -> bool {
        self.batches.receiver_count() > 0
    }

    /// Tells a batch, which was committed.
    pub fn tell(&self, batch: Batch) {
        let position = batch.end();
        let _ = self.batches.send(Arc::new(batch)); // nobody may be listening
        self.note(position);
    }

    /// Notes that the log reaches to this position.
    pub fn note(&self, position: u64) {
        self.position.send_if_modified(|known| std::mem::replace(known, position.max(*known)) < position);
    }

    /// The last position that is known to be committed.
    #[must_use]
    pub fn last(&self) -> u64 {
        *self.position.borrow()
    }

    /// The last position that is known to be committed, now and from now on.
    #[must_use]
    pub fn position(&self) -> watch::Receiver<u64> {
        self.position.subscribe()
    }

    /// The batches from now on.
    #[must_use]
    pub fn follow(&self) -> Following {
        Following { batches: self.batches.subscribe(), proven: None, met: None }
    }
}

/// A reader's way through what this process commits.
#[derive(Debug)]
pub struct Following {
    batches: broadcast::Receiver<Arc<Batch>>,
    /// Whose batches are of the history that is read.
    proven: Option<Source>,
    /// Another one that was met, and where its batch ended.
    met: Option<(Source, u64)>,
}

/// A session of this process with Postgres, and the history that it appends to.
type Source = (u64, Uuid);

impl Following {
    /// What was committed here right after this position, about `limit` events at most. Nothing: Postgres is to be asked,
    /// and [`Following::read`] to be told.
    pub fn after(&mut self, position: u64, limit: usize) -> Vec<RawEvent> {
        let (mut events, mut end) = (Vec::new(), position);
        while events.len() < limit {
            match self.batches.try_recv() {
                Ok(batch) if Some(batch.source()) != self.proven => {
                    self.met = Some((batch.source(), batch.end()));
                    break;
                }
                Ok(batch) if batch.written.base == end => {
                    end = batch.end();
                    events.extend(Arc::unwrap_or_clone(batch).into_events());
                }
                Ok(batch) if batch.end() <= end => {} // Postgres had it before it was told
                Ok(_) => break,
                Err(TryRecvError::Lagged(_)) => {} // the next one doesn't fit
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        events
    }

    /// Postgres was read: the log goes on from where the reader stood, and reaches to `position`.
    pub fn read(&mut self, position: u64) {
        if let Some((source, _)) = self.met.take_if(|(_, end)| *end <= position) {
            self.proven = Some(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_domain::Timestamp;

    const NOTHING: [u64; 0] = [];

    fn batch(session: u64, base: u64, events: &[usize]) -> Batch {
        let event = |sequence: usize| NewEvent {
            aggregate_type: "performance",
            aggregate_id: "01976e4c-0000-7000-8000-000000000001".to_owned(),
            sequence: sequence as u64,
            event_type: "SeatsHeld",
            event_version: "1",
            payload: format!(r#"{{"n":{sequence}}}"#),
            metadata: "{}".into(),
        };
        let events = events.iter().map(|&count| (1..=count).map(event).collect()).collect();
        Batch { session, written: Written { base, incarnation: Uuid::from_u128(1), recorded_at: Timestamp::from_millis(7) }, events }
    }

    fn positions(following: &mut Following, after: u64) -> Vec<u64> {
        following.after(after, 100).iter().map(|event| event.position).collect()
    }

    /// Followed from the log's beginning: event 1 was read from Postgres, which proves session 1, and event 2 is told.
    fn followed() -> (Commits, Following) {
        let commits = Commits::new(0);
        let mut following = commits.follow();
        commits.tell(batch(1, 0, &[1]));
        assert_eq!(positions(&mut following, 0), NOTHING);
        following.read(1);
        commits.tell(batch(1, 1, &[1]));
        (commits, following)
    }

    #[test]
    fn what_follows_is_taken_once_its_session_is_proven() {
        let commits = Commits::new(10);
        assert!(!commits.are_followed());
        let mut following = commits.follow();
        assert!(commits.are_followed());
        commits.tell(batch(1, 10, &[1, 2]));
        assert_eq!(commits.last(), 13);
        assert_eq!(positions(&mut following, 10), NOTHING, "nobody has said that this session speaks of our history");
        following.read(12);
        commits.tell(batch(1, 13, &[1]));
        assert_eq!(positions(&mut following, 13), NOTHING, "a log that ends before the batch isn't the one it was written to");
        following.read(14);
        commits.tell(batch(1, 12, &[2]));
        commits.tell(batch(1, 14, &[2, 0, 1]));
        commits.tell(batch(1, 17, &[1]));
        assert_eq!(positions(&mut following, 14), [15, 16, 17, 18], "the first was read from Postgres");
        assert_eq!(positions(&mut following, 18), NOTHING);
    }

    #[test]
    fn a_new_session_is_proven_anew() {
        let (commits, mut following) = followed();
        commits.tell(batch(2, 2, &[1]));
        assert_eq!(positions(&mut following, 1), [2], "up to there it was the old one");
        assert_eq!(positions(&mut following, 2), NOTHING, "Postgres may have been restored in between");
        following.read(3);
        commits.tell(batch(2, 3, &[1]));
        assert_eq!(positions(&mut following, 3), [4]);
        let mut of_another_history = batch(2, 4, &[1]);
        of_another_history.written.incarnation = Uuid::from_u128(2);
        commits.tell(of_another_history);
        assert_eq!(positions(&mut following, 4), NOTHING, "another history was declared");
    }

    #[test]
    fn what_others_committed_in_between_and_what_was_too_much_is_left_to_postgres() {
        let (commits, mut following) = followed();
        commits.tell(batch(1, 3, &[1]));
        assert_eq!(positions(&mut following, 1), [2], "3 is another node's");
        assert_eq!(positions(&mut following, 2), NOTHING);
        following.read(3);
        commits.tell(batch(1, 2, &[2]));
        assert_eq!(positions(&mut following, 3), NOTHING, "half of it was read");
        following.read(4);
        for base in 4..4 + BATCHES_MAX as u64 + 1 {
            commits.tell(batch(1, base, &[1]));
        }
        assert_eq!(positions(&mut following, 4), NOTHING, "the first was let go");
    }
}
