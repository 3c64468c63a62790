//! One live connection: reads what its client asks, and sends what the client's subscriptions have for it.
//!
//! There is no queue of frames. A connection is woken when there may be something, pulls one frame of each subscription in
//! turn, and writes it; while it writes, everything new is merged where it will be pulled next. So a slow client costs
//! nothing but its socket, and a dead one is closed when a write takes too long or pings aren't answered.

use crate::{
    hub::{Hub, Subscription, interrupted, subscribe},
    limits,
    protocol::{Identified, Reply, Request, Subscribe, error},
    room::Pulled,
    sessions::Entry,
};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use rand::Rng;
use socketing_domain::{Clock, SystemClock};
use socketing_service::{Problem, catalogue::codes, language::Language};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

/// The server goes away or begins anew.
const CLOSE_RESTART: u16 = 1012;
/// The client said more than it may.
const CLOSE_POLICY: u16 = 1008;
/// The session was signed out or has run out.
const CLOSE_SESSION_OVER: u16 = 4401;
/// The client didn't answer pings.
const CLOSE_SILENT: u16 = 4408;

/// What the upgrade found out about a client.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// Its session, if it is signed in.
    pub(crate) entry: Option<Entry>,
    /// The language of error messages.
    pub(crate) language: Language,
    /// Its place among the connections.
    pub(crate) slot: OwnedSemaphorePermit,
}

type Opened = (u64, u32, Result<Subscription, Problem>);

/// Why a connection ends.
enum End {
    /// The client is gone, or can't be written to.
    Gone,
    /// We say goodbye.
    Farewell { code: u16, reason: &'static str, first: Option<Utf8Bytes> },
}

struct Connection {
    socket: WebSocket,
    hub: Arc<Hub>,
    visitor: Visitor,
    wake: Arc<Notify>,
    subscriptions: BTreeMap<u32, Subscription>,
    /// Subscriptions that are being opened: by id, which attempt.
    opening: HashMap<u32, u64>,
    attempts: u64,
    opened: FuturesUnordered<BoxFuture<'static, Opened>>,
    budget: Budget,
    heard_at: Instant,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(socket: WebSocket, hub: Arc<Hub>, visitor: Visitor) {
    let mut connection = Connection {
        socket,
        hub,
        visitor,
        wake: Arc::new(Notify::new()),
        subscriptions: BTreeMap::new(),
        opening: HashMap::new(),
        attempts: 0,
        opened: FuturesUnordered::new(),
        budget: Budget::full(Instant::now()),
        heard_at: Instant::now(),
    };
    if let Err(End::Farewell { code, reason, first }) = connection.run().await {
        connection.close(code, reason, first).await;
    }
    drop(connection.visitor.slot);
}

impl Connection {
    async fn run(&mut self) -> Result<(), End> {
        self.hello().await?;
        let mut ping = self.pings();
        let draining = self.hub.draining.clone();
        let over = self.visitor.entry.as_ref().map(|entry| entry.over.clone()).unwrap_or_default();
        let wake = Arc::clone(&self.wake);
        loop {
            tokio::select! {
                () = draining.cancelled() => return Err(self.reconnect()),
                () = over.cancelled() => return Err(farewell(CLOSE_SESSION_OVER, "the session is over")),
                message = self.socket.recv() => self.hear(message).await?,
                Some(opened) = self.opened.next() => self.opened(opened).await?,
                () = wake.notified() => self.deliver().await?,
                _ = ping.tick() => self.ping().await?,
            }
        }
    }

    async fn hello(&mut self) -> Result<(), End> {
        let incarnation = self.hub.incarnation().ok_or_else(|| farewell(CLOSE_RESTART, "this instance is starting"))?;
        let hello = Reply::Hello {
            now: SystemClock.now(),
            position: self.hub.position(),
            incarnation,
            account: self.visitor.entry.as_ref().and_then(|entry| entry.account),
        };
        self.send(hello.encode()).await
    }

    /// Pings at a steady pace that begins anywhere, so that connections that came together aren't pinged together.
    fn pings(&self) -> Interval {
        let first = limits::PING_EVERY.mul_f64(rand::rng().random_range(0.5..1.0));
        let mut pings = interval_at(Instant::now() + first, limits::PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > 2 * limits::PING_EVERY {
            return Err(farewell(CLOSE_SILENT, "no answer to pings"));
        }
        self.send_message(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let Some(Ok(message)) = message else { return Err(End::Gone) };
        self.heard_at = Instant::now();
        match message {
            Message::Text(text) => {
                self.charge()?;
                self.request(&text).await
            }
            Message::Binary(_) => {
                self.charge()?;
                self.refuse(None, &Problem::new(codes::BAD_MESSAGE).detail("messages are JSON texts")).await
            }
            Message::Ping(_) => self.charge(),              // answered by the library
            Message::Pong(_) | Message::Close(_) => Ok(()), // after a close the library answers, and nothing more comes
        }
    }

    fn charge(&mut self) -> Result<(), End> {
        if self.budget.take(Instant::now()) { Ok(()) } else { Err(farewell(CLOSE_POLICY, "too many messages")) }
    }

    async fn request(&mut self, text: &str) -> Result<(), End> {
        match serde_json::from_str(text) {
            Ok(Request::Subscribe(request)) => self.subscribe(request).await,
            Ok(Request::Unsubscribe { id }) => self.unsubscribe(id).await,
            Ok(Request::Ping) => self.send(Reply::Pong { now: SystemClock.now() }.encode()).await,
            Err(reason) => {
                let id = serde_json::from_str::<Identified>(text).ok().and_then(|message| message.id);
                self.refuse(id, &Problem::new(codes::BAD_MESSAGE).detail(reason.to_string())).await
            }
        }
    }

    async fn subscribe(&mut self, request: Subscribe) -> Result<(), End> {
        let id = request.id;
        if self.subscriptions.contains_key(&id) || self.opening.contains_key(&id) {
            let problem = Problem::new(codes::BAD_MESSAGE).detail(format!("subscription {id} is there already"));
            return self.refuse(Some(id), &problem).await;
        }
        // Attempts that were given up count until they end: each holds a place in a room.
        if self.subscriptions.len() + self.opened.len() >= limits::SUBSCRIPTIONS_MAX {
            let problem = Problem::new(codes::TOO_MANY_SUBSCRIPTIONS).detail(format!("at most {}", limits::SUBSCRIPTIONS_MAX));
            return self.refuse(Some(id), &problem).await;
        }
        self.attempts += 1;
        let attempt = self.attempts;
        self.opening.insert(id, attempt);
        let account = self.visitor.entry.as_ref().and_then(|entry| entry.account);
        let opening = subscribe(Arc::clone(&self.hub), account, request, Arc::clone(&self.wake));
        self.opened.push(opening.map(move |opened| (attempt, id, opened)).boxed());
        Ok(())
    }

    async fn opened(&mut self, (attempt, id, opened): Opened) -> Result<(), End> {
        if self.opening.get(&id) != Some(&attempt) {
            return Ok(()); // unsubscribed meanwhile
        }
        self.opening.remove(&id);
        match opened {
            Ok(subscription) => {
                self.subscriptions.insert(id, subscription);
                self.deliver().await
            }
            Err(problem) => self.refuse(Some(id), &problem).await,
        }
    }

    async fn unsubscribe(&mut self, id: u32) -> Result<(), End> {
        let known = self.subscriptions.remove(&id).is_some() | self.opening.remove(&id).is_some();
        if known {
            return self.send(Reply::Unsubscribed { id }.encode()).await;
        }
        self.refuse(Some(id), &Problem::new(codes::BAD_MESSAGE).detail(format!("there is no subscription {id}"))).await
    }

    /// Sends what the subscriptions have, one frame of each in turn. If there is more, it wakes itself, so that requests
    /// and the end of the session are heard in between.
    async fn deliver(&mut self) -> Result<(), End> {
        let ids: Vec<u32> = self.subscriptions.keys().copied().collect();
        for id in ids {
            let Some(subscription) = self.subscriptions.get_mut(&id) else { continue };
            match subscription.pull(&self.hub) {
                Pulled::Nothing => {}
                Pulled::Frame(frame, _) => {
                    self.send(frame).await?;
                    self.wake.notify_one();
                }
                Pulled::Over(_) => {
                    self.subscriptions.remove(&id);
                    self.refuse(Some(id), &interrupted()).await?;
                }
            }
        }
        Ok(())
    }

    async fn refuse(&mut self, id: Option<u32>, problem: &Problem) -> Result<(), End> {
        self.send(error(id, problem, self.visitor.language)).await
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        self.send_message(Message::Text(text)).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), End> {
        match timeout(limits::SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Asks the client to come back, at a moment of its own.
    fn reconnect(&self) -> End {
        let spread_ms = u64::try_from(self.hub.reconnect_spread.as_millis()).unwrap_or(u64::MAX);
        let after_ms = rand::rng().random_range(0..=spread_ms);
        End::Farewell { code: CLOSE_RESTART, reason: "reconnect", first: Some(Reply::Reconnect { after_ms }.encode()) }
    }

    /// Says goodbye and waits a little for the client's.
    async fn close(&mut self, code: u16, reason: &'static str, first: Option<Utf8Bytes>) {
        let goodbye = async {
            if let Some(text) = first {
                self.socket.send(Message::Text(text)).await?;
            }
            self.socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
            while self.socket.recv().await.is_some_and(|message| message.is_ok()) {}
            Ok::<(), axum::Error>(())
        };
        // Whether the client takes it or not: it is over.
        let _ended = timeout(limits::CLOSE_TIMEOUT, goodbye).await;
    }
}

fn farewell(code: u16, reason: &'static str) -> End {
    End::Farewell { code, reason, first: None }
}

/// How many messages a client may still send: refilled with time, up to a burst.
#[derive(Debug)]
struct Budget {
    left: f64,
    counted_at: Instant,
}

impl Budget {
    fn full(now: Instant) -> Budget {
        Budget { left: f64::from(limits::MESSAGES_BURST), counted_at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since: Duration = now.saturating_duration_since(self.counted_at);
        let refilled = self.left + since.as_secs_f64() * f64::from(limits::MESSAGES_PER_SECOND);
        self.left = refilled.min(f64::from(limits::MESSAGES_BURST));
        self.counted_at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_burst_and_then_a_rate() {
        let begun = Instant::now();
        let mut budget = Budget::full(begun);
        let taken = (0..1_000).filter(|_| budget.take(begun)).count();
        assert_eq!(taken, limits::MESSAGES_BURST as usize);
        let later = begun + Duration::from_millis(1_050);
        let taken = (0..1_000).filter(|_| budget.take(later)).count();
        assert_eq!(taken, limits::MESSAGES_PER_SECOND as usize);
    }
}
