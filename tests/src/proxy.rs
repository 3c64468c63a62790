//! A small TCP proxy that a test puts between two parts of the system, to break what is between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Bytes handed on at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// The message of PostgreSQL's protocol that ends a statement.
const SYNC: &[u8] = b"S\0\0\0\x04";

/// What happens to what is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// It arrives.
    Whole,
    /// It is kept back, both ways, and nobody is told.
    Stalled,
    /// What the client sends arrives; what the server answers is lost.
    WithoutAnswers,
    /// What a client of PostgreSQL sends arrives, but of a statement with this text in it not the `Sync` that ends it: it
    /// runs, and isn't committed.
    WithoutSync(&'static str),
    /// New connections are closed at once.
    Broken,
}

/// A proxy on a port of its own, gone with this value.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    /// What happens to connections from now on, and to those that are open and not forsaken.
    line: Arc<Mutex<watch::Sender<Line>>>,
    /// Stalled for ever, while these are kept.
    forsaken: Mutex<Vec<watch::Sender<Line>>>,
    /// Ends the connections that are open now.
    cut: Arc<Mutex<CancellationToken>>,
    stop: CancellationToken,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut();
    }
}

impl FaultProxy {
    /// A way to this server, as `host:port`.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start(server: &str) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port");
        let (line, stop) = (Arc::new(Mutex::new(watch::Sender::new(Line::Whole))), CancellationToken::new());
        let cut = Arc::new(Mutex::new(CancellationToken::new()));
        let accepting = accept(listener, server.to_owned(), line.clone(), cut.clone());
        let stopping = stop.clone();
        tokio::spawn(async move { stopping.run_until_cancelled(accepting).await });
        FaultProxy { address, line, forsaken: Mutex::default(), cut, stop }
    }

    /// The same URL, by way of this proxy.
    ///
    /// # Panics
    /// If the URL has no host.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (start, end) = authority(url);
        format!("{}{}{}", &url[..start], self.address, &url[end..])
    }

    /// Ends every connection that is open, without a word.
    pub fn cut(&self) {
        std::mem::take(&mut *lock(&self.cut)).cancel();
    }

    /// Keeps everything back for ever that is sent over the connections that are open now, and lets new ones work: a
    /// firewall has forgotten them, and nobody is told.
    pub fn forsake(&self) {
        let open = std::mem::replace(&mut *lock(&self.line), watch::Sender::new(Line::Whole));
        open.send_replace(Line::Stalled);
        lock(&self.forsaken).push(open);
    }

    /// Ends every connection, and lets none come about until [`FaultProxy::heal`].
    pub fn break_off(&self) {
        lock(&self.line).send_replace(Line::Broken);
        self.cut();
    }

    /// Keeps everything back that is sent, both ways, until [`FaultProxy::heal`].
    pub fn stall(&self) {
        lock(&self.line).send_replace(Line::Stalled);
    }

    /// Loses what the server says, until [`FaultProxy::heal`]; what was lost never comes.
    pub fn lose_answers(&self) {
        lock(&self.line).send_replace(Line::WithoutAnswers);
    }

    /// Lets a statement with this text run, and keeps back what ends and so commits it, until [`FaultProxy::heal`]: as if
    /// the client had been stopped in the middle of a statement.
    pub fn hold_sync_of(&self, text: &'static str) {
        lock(&self.line).send_replace(Line::WithoutSync(text));
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        lock(&self.line).send_replace(Line::Whole);
    }
}

/// The host and port that a URL names.
///
/// # Panics
/// If it names none.
#[must_use]
pub fn host_and_port(url: &str) -> &str {
    let (start, end) = authority(url);
    &url[start..end]
}

/// Where host and port stand in a URL.
fn authority(url: &str) -> (usize, usize) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    assert!(start < end, "{url} names no host");
    (start, end)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server: String, line: Arc<Mutex<watch::Sender<Line>>>, cut: Arc<Mutex<CancellationToken>>) {
    while let Ok((client, _)) = listener.accept().await {
        let (line, cut) = (lock(&line).subscribe(), lock(&cut).clone());
        if *line.borrow() == Line::Broken {
            continue;
        }
        let server = server.clone();
        tokio::spawn(async move { cut.run_until_cancelled(carry(client, server, line)).await });
    }
}

/// Carries one connection, until either end closes it.
async fn carry(client: TcpStream, server: String, line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(&server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, line.clone(), Said::ByClient) => {}
        () = pump(from_server, to_client, line, Said::ByServer) => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    ByClient,
    ByServer,
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>, said: Said) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if hand_on(&chunk[..read], &mut to, &mut line, said).await.is_none() {
            return;
        }
    }
}

/// `None` if the other end or the proxy is gone.
async fn hand_on(chunk: &[u8], to: &mut OwnedWriteHalf, line: &mut watch::Receiver<Line>, said: Said) -> Option<()> {
    let now = *line.wait_for(|line| *line != Line::Stalled).await.ok()?;
    let kept = match (now, said) {
        (Line::WithoutAnswers, Said::ByServer) => return Some(()),
        (Line::WithoutSync(text), Said::ByClient) if ends_statement(chunk, text.as_bytes()) => SYNC.len(),
        _ => 0,
    };
    let (first, last) = chunk.split_at(chunk.len() - kept);
    to.write_all(first).await.ok()?;
    if kept > 0 {
        line.wait_for(|line| !matches!(line, Line::WithoutSync(_) | Line::Stalled)).await.ok()?;
        to.write_all(last).await.ok()?;
    }
    Some(())
}

fn ends_statement(chunk: &[u8], text: &[u8]) -> bool {
    chunk.ends_with(SYNC) && chunk.windows(text.len()).any(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_found() {
        for (url, host) in [
            ("postgres://u:p@h:1/postgres?sslmode=disable", "h:1"),
            ("http://127.0.0.1:8600", "127.0.0.1:8600"),
            ("nats://reader:secret@127.0.0.1:4222", "127.0.0.1:4222"),
        ] {
            assert_eq!(host_and_port(url), host);
        }
    }
}
