//! An HTTP/1.1 client that costs as little as it can: it shares two cores with what it measures.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of one answer, head and body: ours have about a thousand.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Ours have about fifteen.
const HEADERS_MAX: usize = 32;

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
        let length = body.len().to_string();
        let json = "content-type: application/json\r\ncontent-length: ";
        for part in ["POST ", path, " HTTP/1.1\r\nhost: bench\r\n", headers, json, &length, "\r\n\r\n", body] {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.exchange().await
    }

    async fn exchange(&mut self) -> Result<Answer<'_>> {
        self.stream.write_all(&self.out).await.context("sending a request")?;
        self.answer.clear();
        loop {
            if let Some((status, body)) = complete(&self.answer)? {
                return Ok(Answer { status, body: &self.answer[body] });
            }
            ensure!(self.answer.len() <= ANSWER_BYTES_MAX, "an answer of more than {ANSWER_BYTES_MAX} bytes");
            if self.stream.read_buf(&mut self.answer).await.context("reading an answer")? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
        }
    }
}

/// The status, and where the body is, once all of it is there.
fn complete(answer: &[u8]) -> Result<Option<(u16, Range<usize>)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = head.parse(answer).context("reading an answer's head")? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = std::str::from_utf8(length.context("an answer without content-length")?.value)?;
    let end = begin + length.parse::<usize>().context("reading content-length")?;
    Ok((answer.len() >= end).then_some((head.code.context("an answer without a status")?, begin..end)))
}
