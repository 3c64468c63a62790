//! A fan's live connection: a real WebSocket, kept open for the whole rush, opened again when it breaks, and what the
//! fan knows from it alone: its own seat map, made of a snapshot and deltas, and what was pushed about itself.

use super::caller::Shared;
use super::measure::Step;
use super::venue::FREE;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use uuid::Uuid;

/// The subprotocol.
const PROTOCOL: &str = "socketing.v1.json";
/// Bytes read at once: a thousand connections with the library's 128 KiB would cost as much as the system under test.
const READ_BUFFER_BYTES: usize = 8 * 1024;
/// How long the server may take to greet.
const GREETING: Duration = Duration::from_secs(30);
/// Longer than the server's ping interval, twice: a connection that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(60);
/// How soon a broken connection is opened again, at least and at most.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Things pushed about one fan that are remembered: a journey has about twenty.
const PUSHED_MAX: usize = 500;

/// Errors of a subscription that pass: the client connects again.
const LATER: [&str; 3] = ["busy", "unavailable", "projection_behind"];

const SEATS: u32 = 1;
const ME: u32 = 2;
const LINE: u32 = 3;

/// Something pushed about the fan.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// What the fan knows from the live connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// A digit per seat.
    pub(crate) map: Vec<u8>,
    /// The position that the map covers.
    pub(crate) map_position: u64,
    /// What was pushed, in order.
    pub(crate) pushed: Vec<Pushed>,
    /// The position that the pushes cover.
    pub(crate) me_position: u64,
    /// How often the pushes began anew: what happened in between has to be asked for.
    pub(crate) resyncs: u32,
    /// How often a connection was opened and has shown the map.
    pub(crate) connections: u32,
    /// Since when the connection that is open now has shown the map.
    pub(crate) open_since: Option<Instant>,
    /// How many wait in the line.
    pub(crate) waiting: u64,
}

impl View {
    /// How many seats are free.
    pub(crate) fn free(&self) -> usize {
        self.map.iter().filter(|state| **state == FREE).count()
    }

    /// The map covers this position, by this connection.
    fn shown(&mut self, position: u64, connection: u32) {
        self.map_position = position;
        self.connections = connection;
        self.open_since.get_or_insert_with(Instant::now);
    }

    /// Whether whatever was due until `then` should have been pushed by now, on a connection that was open for that long.
    pub(crate) fn overdue(&self, then: Instant, grace: Duration) -> bool {
        self.open_since.is_some_and(|since| then.max(since) + grace < Instant::now())
    }

    /// The last push of this name that fits.
    pub(crate) fn find(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Option<&Value> {
        self.pushed.iter().rev().find(|pushed| pushed.event == event && fits(&pushed.data)).map(|pushed| &pushed.data)
    }
}

/// The fan's end of it. The connection closes when this is dropped.
pub(crate) struct Live {
    view: watch::Receiver<View>,
    cut: mpsc::Sender<()>,
}

impl Live {
    /// Opens the connection, in a task of its own.
    pub(crate) fn open(shared: Arc<Shared>, token: Arc<str>, performance: Uuid) -> Live {
        let (sender, view) = watch::channel(View::default());
        let (cut, cuts) = mpsc::channel(1);
        let line = Connection { shared, token, performance, view: sender, cuts, opened: 0 };
        tokio::spawn(line.keep());
        Live { view, cut }
    }

    /// What is known now, and from now on.
    pub(crate) fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Breaks the connection, as a lost network would: without a goodbye.
    pub(crate) async fn cut(&self) {
        _ = self.cut.send(()).await;
    }
}

struct Connection {
    shared: Arc<Shared>,
    token: Arc<str>,
    performance: Uuid,
    view: watch::Sender<View>,
    cuts: mpsc::Receiver<()>,
    opened: u32,
}

/// How a connection ended.
enum Ended {
    /// Nobody looks any more, or the rush is over.
    Done,
    /// Cut on purpose, or broken: to be opened again.
    Broken,
    /// The server asks for it to be opened again, after a while.
    Later(Duration),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Connection {
    async fn keep(mut self) {
        let mut wait = AGAIN_AFTER.0;
        loop {
            let before = self.opened;
            let ended = self.session().await;
            self.view.send_modify(|view| view.open_since = None);
            let pause = match ended {
                Ended::Done => return,
                Ended::Later(pause) => pause,
                Ended::Broken if self.opened > before => AGAIN_AFTER.0,
                Ended::Broken => {
                    wait = (wait * 2).min(AGAIN_AFTER.1);
                    wait
                }
            };
            tokio::select! {
                () = self.view.closed() => return,
                () = self.shared.stop.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn session(&mut self) -> Ended {
        let begin = Instant::now();
        let Some(mut socket) = self.greeted().await else {
            self.shared.silent();
            return Ended::Broken;
        };
        self.shared.answered();
        self.shared.measures.took(Step::Connect, begin.elapsed());
        if self.opened > 0 {
            self.shared.measures.reconnected();
        }
        self.opened += 1;
        if self.subscribe(&mut socket).await.is_err() {
            return Ended::Broken;
        }
        self.read(socket, Instant::now()).await
    }

    async fn greeted(&self) -> Option<Socket> {
        let url = format!("{}/v1/live", self.shared.api.base().replacen("http", "ws", 1));
        let mut request = url.into_client_request().ok()?;
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {}", self.token)).ok()?);
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let opening = timeout(GREETING, connect_async_with_config(request, Some(config), true));
        let (mut socket, _) = tokio::select! {
            () = self.shared.stop.cancelled() => return None,
            opened = opening => opened.ok()?.ok()?,
        };
        let hello = timeout(GREETING, socket.next()).await.ok()??.ok()?;
        hello.to_text().ok()?.contains("\"hello\"").then_some(socket)
    }

    async fn subscribe(&self, socket: &mut Socket) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let (map, me) = {
            let view = self.view.borrow();
            (view.map_position, view.me_position)
        };
        for (id, topic, after) in [(SEATS, "seats", map), (ME, "me", me), (LINE, "line", 0)] {
            let mut message = json!({ "type": "subscribe", "id": id, "topic": topic, "performance": self.performance });
            if after > 0 {
                message["after"] = after.into();
            }
            socket.send(Message::text(message.to_string())).await?;
        }
        Ok(())
    }

    async fn read(&mut self, mut socket: Socket, subscribed: Instant) -> Ended {
        let mut shown = false;
        loop {
            let message = tokio::select! {
                () = self.view.closed() => return Ended::Done,
                () = self.shared.stop.cancelled() => return Ended::Done,
                _ = self.cuts.recv() => return Ended::Broken,
                message = timeout(SILENCE, socket.next()) => message,
            };
            let Ok(Some(Ok(message))) = message else { return Ended::Broken };
            let Message::Text(text) = message else { continue };
            match serde_json::from_str::<Frame>(&text) {
                Ok(Frame::Reconnect { after_ms }) => return Ended::Later(Duration::from_millis(after_ms)),
                Ok(Frame::Error { code, .. }) if LATER.contains(&code.as_str()) => return Ended::Later(AGAIN_AFTER.1),
                Ok(frame) => {
                    if !shown && frame.is_of(SEATS) {
                        shown = true;
                        self.shared.measures.took(Step::Snapshot, subscribed.elapsed());
                    }
                    self.take(frame);
                }
                Err(error) => self.shared.measures.violation(format!("live: a frame that can't be read ({error}): {text}")),
            }
        }
    }

    fn take(&self, frame: Frame) {
        let violation = |text: String| self.shared.measures.violation(text);
        self.view.send_modify(|view| match frame {
            Frame::Snapshot { id: SEATS, position, seats: Some(seats), .. } => {
                if position < view.map_position {
                    violation(format!("live: a map of position {position} after one of {}", view.map_position));
                }
                view.map = seats.into_bytes();
                view.shown(position, self.opened);
            }
            Frame::Delta { id: SEATS, position, changes, .. } => {
                if position < view.map_position {
                    violation(format!("live: a change of position {position} after {}", view.map_position));
                }
                for (seat, state) in changes {
                    match view.map.get_mut(seat) {
                        Some(known) => *known = b'0' + state,
                        None => violation(format!("live: a change of seat {seat}, which the map doesn't have")),
                    }
                }
                view.shown(position, self.opened);
            }
            Frame::Snapshot { id: ME, position, .. } => {
                view.me_position = position;
                view.resyncs += 1;
            }
            Frame::Delta { id: ME, position, event, data, .. } => {
                view.me_position = position;
                if let Some(event) = event.filter(|_| view.pushed.len() < PUSHED_MAX) {
                    view.pushed.push(Pushed { event, data });
                }
            }
            Frame::Snapshot { id: LINE, waiting, .. } | Frame::Delta { id: LINE, waiting, .. } => {
                view.waiting = waiting.unwrap_or(view.waiting)
            }
            Frame::Error { code, detail } => violation(format!("live: {code}: {detail}")),
            Frame::Snapshot { .. } | Frame::Delta { .. } | Frame::Reconnect { .. } | Frame::Other => {}
        });
    }
}

/// What the server sends. Members that this client doesn't need are left out.
#[derive(Deserialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Snapshot {
        id: u32,
        position: u64,
        seats: Option<String>,
        waiting: Option<u64>,
    },
    Delta {
        id: u32,
        position: u64,
        #[serde(default)]
        changes: Vec<(usize, u8)>,
        event: Option<String>,
        #[serde(default)]
        data: Value,
        waiting: Option<u64>,
    },
    Error {
        code: String,
        #[serde(default)]
        detail: String,
    },
    Reconnect {
        after_ms: u64,
    },
    #[serde(other)]
    Other,
}

impl Frame {
    fn is_of(&self, subscription: u32) -> bool {
        matches!(self, Frame::Snapshot { id, .. } | Frame::Delta { id, .. } if *id == subscription)
    }
}
