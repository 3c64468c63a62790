//! Reads the log in order and hands each event to the rooms and to the postman. One task per process; the only reader.

use crate::{hub::Hub, limits, room::Ending, rooms::performance_of, tail::Tail};
use socketing_domain::event::{Recorded, StreamId};
use socketing_event_store::{Checkpoint, DecodeError, RawEvent, StoreError, log};
use socketing_nats::{Feed, FeedError, Subscription};
use socketing_service::problem::chain;
use std::sync::Arc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The feed's name, in logs and on the server.
const READER: &str = "notifier";

/// Where events go.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) hub: Arc<Hub>,
    pub(crate) subscription: Option<Subscription>,
    pub(crate) tail: Arc<Tail>,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Feed(#[from] FeedError),
}

impl Follower {
    /// Follows the log until `stop`. If the log turns out to be another one (a restore), everything that was made of the
    /// old one ends, and this begins anew: nothing here is kept, so there is nothing to mend.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pause = limits::RETRY_FIRST;
        while let Some(ended) = stop.run_until_cancelled(self.follow(&mut pause)).await {
            tracing::error!(error = %chain(&ended), "following the log ended; beginning anew");
            sleep(pause).await;
            pause = (pause * 2).min(limits::RETRY_LONGEST);
        }
    }

    /// Follows one history of the log. Only ever returns why that ended.
    async fn follow(&self, pause: &mut std::time::Duration) -> FollowError {
        let mut feed = match self.begin().await {
            Ok(feed) => feed,
            Err(error) => return error,
        };
        *pause = limits::RETRY_FIRST;
        loop {
            match feed.next_batch(limits::BATCH_EVENTS_MAX).await {
                Ok(batch) => self.take(&batch),
                Err(error) => return error.into(),
            }
        }
    }

    /// Begins at the log's end: rooms and mailboxes read what came before by themselves.
    async fn begin(&self) -> Result<Feed, FollowError> {
        let pool = &self.hub.pool;
        let head = log::head(pool).await?;
        let last = log::event_at(pool, head.position).await?;
        let from = last.map_or_else(|| Checkpoint::beginning(head.incarnation), |event| Checkpoint::after(&event, head.incarnation));
        let feed = Feed::open(pool.clone(), self.subscription.clone(), READER, &from).await?;
        self.hub.seats.end_all(head.position);
        self.hub.line.end_all(head.position);
        self.tail.begin(head.position, head.incarnation);
        self.hub.followed.send_replace(head.position);
        self.hub.history.send_replace(Some(head.incarnation));
        Ok(feed)
    }

    fn take(&self, batch: &[Arc<RawEvent>]) {
        let Some(last) = batch.last() else { return };
        let events: Vec<Arc<Recorded>> = batch.iter().filter_map(|raw| self.read(raw)).map(Arc::new).collect();
        self.hub.seats.offer(&events, last.position);
        self.hub.line.offer(&events, last.position);
        self.tail.put(&events, last.position);
        // Last: who reads this position finds everything up to it in the rooms.
        self.hub.followed.send_replace(last.position);
    }

    fn read(&self, raw: &RawEvent) -> Option<Recorded> {
        match raw.decode() {
            Ok(event) => Some(event),
            Err(error) => {
                self.unreadable(raw, &error);
                None
            }
        }
    }

    /// An event that this program can't read (it is older than who wrote it, mostly): what shows its performance can't be
    /// right any more, and says so. Everything else goes on.
    fn unreadable(&self, raw: &RawEvent, error: &DecodeError) {
        tracing::error!(position = raw.position, error = %chain(error), "an event can't be read");
        let stream = StreamId::parse(&raw.aggregate_type, &raw.aggregate_id);
        if let Some(performance) = stream.and_then(performance_of) {
            self.hub.seats.end(performance, Ending::Failed);
            self.hub.line.end(performance, Ending::Failed);
        }
    }
}
