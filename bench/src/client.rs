//! An HTTP/1.1 client that costs as little as it can: it shares two cores with what it measures.

use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of one answer, head and body: ours have about a thousand.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One keep-alive connection. One request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    answer: Vec<u8>,
}

/// What a request is answered with.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, out: Vec::with_capacity(1024), answer: Vec::with_capacity(4096) })
    }

    /// Posts JSON. `headers` are whole lines, each with its line end.
    pub(crate) async fn post(&mut self, path: &str, headers: &str, body: &str) -> Result<Answer<'_>> {
        self.out.clear();
        write!(
            self.out,
            "POST {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        self.exchange().await
    }

    async fn exchange(&mut self) -> Result<Answer<'_>> {
        self.stream.write_all(&self.out).await.context("sending a request")?;
        self.answer.clear();
        loop {
            if let Some((head, whole)) = complete(&self.answer)? {
                let status = std::str::from_utf8(&self.answer[9..12])?.parse().context("reading a status")?;
                return Ok(Answer { status, body: &self.answer[head..whole] });
            }
            ensure!(self.answer.len() <= ANSWER_BYTES_MAX, "an answer of more than {ANSWER_BYTES_MAX} bytes");
            if self.stream.read_buf(&mut self.answer).await.context("reading an answer")? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
        }
    }
}

/// Where the body begins and ends, once all of it is there.
fn complete(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head]).context("reading an answer's head")?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = length.context("an answer without content-length")?.context("reading content-length")?;
    Ok((answer.len() >= head + length).then_some((head, head + length)))
}
