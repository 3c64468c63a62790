//! Notifiers of a test's own, and clients of them.

use crate::within;
use anyhow::{Context as _, Result, anyhow, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socketing_domain::event::Event;
use socketing_domain::unit::UnitId;
use socketing_domain::{AccountId, PerformanceId, SeatIndex, performance};
use socketing_event_store::load::unit_events;
use socketing_event_store::{PgPool, log};
use socketing_nats::Subscription;
use socketing_notifier::{LiveArgs, Notifier};
use socketing_service::auth::{Auth, Origins};
use socketing_service::config::SessionArgs;
use socketing_service::health::Health;
use socketing_service::server::{Bounds, Serves, serve};
use socketing_service::shutdown::Shutdown;
use socketing_service::stack::{StackConfig, finish};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("socketing.v1.json");

/// How a test's notifier differs from an ordinary one.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// The service's own options.
    pub args: LiveArgs,
    /// Bytes that the system buffers for each connection, instead of what it chooses: with few, slow clients show early.
    pub send_buffer_bytes: Option<u32>,
}

/// A notifier that serves on a port of its own. Stopped with this value.
#[derive(Debug)]
pub struct TestLive {
    /// The notifier.
    pub notifier: Notifier,
    /// Issues sessions that it accepts.
    pub auth: Auth,
    /// Where it answers.
    pub address: SocketAddr,
    shutdown: Shutdown,
    server: JoinHandle<usize>,
}

impl TestLive {
    /// Starts one that follows this log.
    ///
    /// # Errors
    /// If any part of it can't start.
    pub async fn start(pool: &PgPool, subscription: Option<Subscription>) -> Result<TestLive> {
        TestLive::start_with(pool, subscription, LiveOptions::default()).await
    }

    /// Starts one with options of its own.
    ///
    /// # Errors
    /// If any part of it can't start.
    pub async fn start_with(pool: &PgPool, subscription: Option<Subscription>, options: LiveOptions) -> Result<TestLive> {
        let shutdown = Shutdown::default();
        let session = SessionArgs { session_hours: 1 };
        let auth = Auth::start(pool, &session, Origins::default(), shutdown.stop().clone()).await?;
        let notifier = socketing_notifier::start(pool.clone(), subscription, auth.clone(), &options.args, &shutdown);
        within("the notifier begins", notifier.begun()).await;
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = options.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1_024)?;
        let address = listener.local_addr()?;
        let bounds = Bounds { connections: 10_000, drain: Duration::from_secs(5) };
        let server = tokio::spawn(serve(listener, routes(&notifier, &shutdown), shutdown.stop().clone(), bounds));
        Ok(TestLive { notifier, auth, address, shutdown, server })
    }

    /// An anonymous client.
    ///
    /// # Errors
    /// If it isn't let in.
    pub async fn connect(&self) -> Result<LiveClient> {
        LiveClient::open(self.address, &[]).await
    }

    /// A client that is signed in as this account.
    ///
    /// # Errors
    /// If it isn't let in.
    pub async fn connect_as(&self, account: AccountId) -> Result<LiveClient> {
        LiveClient::open(self.address, &[("authorization", &self.bearer(account))]).await
    }

    /// An `Authorization` header of a new session.
    #[must_use]
    pub fn bearer(&self, account: AccountId) -> String {
        format!("Bearer {}", self.auth.issue(account).token)
    }

    /// The first moment of stopping: connections are asked to reconnect.
    pub fn drain(&self) {
        self.shutdown.draining().cancel();
    }

    /// Stops it, and waits until it has.
    ///
    /// # Errors
    /// If it doesn't.
    pub async fn stop(self) -> Result<()> {
        self.shutdown.begin(Duration::ZERO).await;
        within("the server stops", self.server).await?;
        if !self.notifier.finished(crate::PATIENCE).await {
            bail!("the notifier goes on after it was stopped");
        }
        Ok(())
    }
}

fn routes(notifier: &Notifier, shutdown: &Shutdown) -> impl Serves + use<> {
    let health = notifier.health(Health::new(shutdown.draining().clone())).router();
    let (routes, _) = socketing_notifier::router(notifier).split_for_parts();
    let config = StackConfig { trusted_proxies: [].into(), request_timeout: Duration::from_secs(30) };
    finish(routes.merge(health), &config)
}

/// What a client that wasn't let in was answered.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The problem's code.
    pub code: String,
    /// `Retry-After`, if there was one.
    pub retry_after: Option<String>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with {} {}", self.status, self.code)
    }
}

impl std::error::Error for Refused {}

/// A live connection, as a program has it.
#[derive(Debug)]
pub struct LiveClient {
    socket: WebSocketStream<TcpStream>,
    /// The server's first message.
    pub hello: Value,
}

impl LiveClient {
    /// Connects with these headers.
    ///
    /// # Errors
    /// [`Refused`], if that is the answer; otherwise if the connection fails.
    pub async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<LiveClient> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        LiveClient::over(stream, address, headers).await
    }

    /// Connects such that the system buffers few bytes for it: a client that doesn't read is soon known as slow.
    ///
    /// # Errors
    /// As [`LiveClient::open`]'s.
    pub async fn open_narrow(address: SocketAddr, buffer_bytes: u32) -> Result<LiveClient> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(buffer_bytes)?;
        let stream = socket.connect(address).await.context("connect")?;
        LiveClient::over(stream, address, &[]).await
    }

    async fn over(stream: TcpStream, address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<LiveClient> {
        let mut request = format!("ws://{address}/v1/live").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let (socket, response) = within("the upgrade", client_async(request, stream)).await.map_err(refused)?;
        if response.headers().get("sec-websocket-protocol") != Some(&SUBPROTOCOL) {
            bail!("another subprotocol: {response:?}");
        }
        let mut client = LiveClient { socket, hello: Value::Null };
        client.hello = client.next().await?;
        if client.hello["type"] != "hello" {
            bail!("the first message isn't hello: {}", client.hello);
        }
        Ok(client)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.send_text(&message.to_string()).await
    }

    /// Sends a text.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Subscribes to a topic of a performance.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn subscribe(&mut self, id: u32, topic: &str, performance: PerformanceId, after: Option<u64>) -> Result<()> {
        self.send(&json!({"type": "subscribe", "id": id, "topic": topic, "performance": performance, "after": after})).await
    }

    /// The server's next message.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn next(&mut self) -> Result<Value> {
        loop {
            match within("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(frame))) => bail!("the server closed the connection: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the connection ended"),
            }
        }
    }

    /// Reads to the connection's end: the server's goodbye.
    ///
    /// # Errors
    /// If it ends without one.
    pub async fn farewell(&mut self) -> Result<CloseFrame> {
        loop {
            match within("the end of the connection", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return Ok(frame),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the connection ended without a goodbye"),
            }
        }
    }
}

fn refused(error: Error) -> anyhow::Error {
    let Error::Http(response) = error else { return error.into() };
    let body: Value = response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    anyhow!(Refused { status: response.status().as_u16(), code, retry_after })
}

/// A seat map as a page keeps it: the digits, and the position that they cover.
#[derive(Clone, Default, Debug)]
pub struct SeatMapView {
    /// A digit for each seat.
    pub digits: String,
    /// The last position that they cover.
    pub position: u64,
    /// Snapshots taken.
    pub snapshots: usize,
    /// Deltas taken.
    pub deltas: usize,
}

impl SeatMapView {
    /// Takes a message of the topic `seats`.
    ///
    /// # Errors
    /// If it is none, older than what is there, or names a seat that isn't.
    pub fn take(&mut self, message: &Value) -> Result<()> {
        let position = message["position"].as_u64().with_context(|| format!("no position in {message}"))?;
        if position < self.position {
            bail!("older than what is shown ({}): {message}", self.position);
        }
        self.position = position;
        match message["type"].as_str() {
            Some("snapshot") => self.replace(message),
            Some("delta") => self.change(message),
            _ => bail!("neither snapshot nor delta: {message}"),
        }
    }

    fn replace(&mut self, message: &Value) -> Result<()> {
        self.digits = message["seats"].as_str().context("a snapshot has seats")?.to_owned();
        self.snapshots += 1;
        Ok(())
    }

    fn change(&mut self, message: &Value) -> Result<()> {
        let mut digits = std::mem::take(&mut self.digits).into_bytes();
        for change in message["changes"].as_array().context("a delta has changes")? {
            let seat = change[0].as_u64().context("a seat")? as usize;
            let state = change[1].as_u64().filter(|state| *state <= 3).context("a state")? as u8;
            *digits.get_mut(seat).with_context(|| format!("there is no seat {seat}"))? = b'0' + state;
        }
        self.digits = String::from_utf8(digits)?;
        self.deltas += 1;
        Ok(())
    }
}

/// What every seat was at every position: the fold of the log that views are held against.
#[derive(Debug)]
pub struct SeatHistory(Vec<(u64, String)>);

impl SeatHistory {
    /// Folds a performance's events.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn of(pool: &PgPool, performance: PerformanceId) -> Result<SeatHistory> {
        let mut history: Vec<(u64, String)> = Vec::new();
        let head = log::head(pool).await?.position;
        unit_events(pool, UnitId::Performance(performance), head, |happened| {
            if let Event::Performance(event) = happened.event {
                let before = history.last().map(|(_, digits)| digits.as_str()).unwrap_or_default();
                history.push((happened.position, after(before, &event)));
            }
        })
        .await?;
        Ok(SeatHistory(history))
    }

    /// The digits after the event at `position`, and before the next.
    #[must_use]
    pub fn at(&self, position: u64) -> &str {
        let count = self.0.partition_point(|(at, _)| *at <= position);
        count.checked_sub(1).map_or("", |last| &self.0[last].1)
    }

    /// The digits after everything.
    #[must_use]
    pub fn last(&self) -> &str {
        self.at(u64::MAX)
    }
}

fn after(before: &str, event: &performance::Event) -> String {
    use performance::Event as E;
    let set = |seats: Vec<SeatIndex>, digit: u8| {
        let mut digits = before.as_bytes().to_vec();
        seats.iter().for_each(|seat| digits[seat.at()] = digit);
        String::from_utf8(digits).expect("digits")
    };
    let of = |lines: &[performance::Line]| lines.iter().map(|line| line.seat).collect();
    match event {
        E::PerformanceScheduled { seats, .. } => "0".repeat(*seats as usize),
        E::SeatsHeld { seats, .. } => set(seats.clone(), b'1'),
        E::SeatsBooked { lines, .. } => set(of(lines), b'2'),
        E::SeatsSold { lines, .. } => set(of(lines), b'3'),
        E::HoldReleased { seats, .. } | E::BookingCancelled { seats, .. } => set(seats.clone(), b'0'),
        _ => before.to_owned(),
    }
}
