//! The server: accepts connections within a bound, gives slow clients no more time than they need, and drains.

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt};

/// How long a client may take to send a request's head; also how long an idle connection is kept. Longer than most
/// clients keep theirs, so that they end idle connections and never send into one that is being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Bytes of a request's head, and of what is read ahead of a body.
const BUFFER_BYTES: usize = 64 * 1024;
/// Pause after a failed accept (too many open files, mostly), so that it isn't tried in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections open at once; more wait in the system's backlog.
    pub connections: usize,
    /// How long requests in flight get when it stops.
    pub drain: Duration,
}

impl From<&crate::config::HttpArgs> for Bounds {
    fn from(args: &crate::config::HttpArgs) -> Bounds {
        Bounds { connections: args.connections as usize, drain: args.drain() }
    }
}

/// What can be served: axum's routers, and whatever surrounds them.
pub trait Serves: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static {}

impl<S> Serves for S where S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static {}

/// Serves until `stop`, then lets what is in flight finish within the drain's bound. Returns how many connections had
/// to be cut. Upgraded connections (WebSockets) aren't waited for: whoever holds them closes them.
pub async fn serve(listener: TcpListener, service: impl Serves, stop: CancellationToken, bounds: Bounds) -> usize {
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    while let Some((stream, peer, slot)) = stop.run_until_cancelled(accept(&listener, &slots)).await {
        connections.spawn(connection(stream, peer, service.clone(), stop.clone(), cut.clone(), slot));
    }
    drop(listener);
    connections.close();
    let drained = tokio::time::timeout(bounds.drain, connections.wait()).await;
    let left = if drained.is_ok() { 0 } else { connections.len() };
    if left > 0 {
        tracing::warn!(connections = left, "requests that took too long to finish are cut");
    }
    cut.cancel();
    connections.wait().await;
    left
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Errors of a client that went away while it waited.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: impl Serves,
    stop: CancellationToken,
    cut: CancellationToken,
    slot: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection can't be set to send at once");
    }
    let service = service.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = cut.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
    drop(slot);
}

#[cfg(test)]
mod tests;
