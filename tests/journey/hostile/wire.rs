//! A client that sends any bytes, and reads whatever comes back
//!
//! No HTTP library: what it would not write, or would mend on the way, is what these rows are about.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::expand::Step;

/// How long the gate may take for anything; every deadline of the tests is well below
const PATIENCE: Duration = Duration::from_secs(15);

/// A final answer
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What came of a connection
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) replies: Vec<Reply>,
    /// 1xx
    pub(super) interim: Vec<u16>,
    /// Whether the gate ended the connection of its own accord
    pub(super) closed: bool,
    pub(super) took: Duration,
}

impl Exchange {
    /// The first final status; 0 where there was none
    pub(super) fn status(&self) -> u16 {
        self.replies.first().map_or(0, |reply| reply.status)
    }
}

/// Until when a connection is read
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The gate ends it
    Closed,
    /// This many answers; then the client says that it is done, and reads what is left
    Replies(usize),
}

/// Follows the steps on a new connection, reading at the same time
pub(super) async fn converse(mut stream: TlsStream<TcpStream>, steps: &[Step], until: Until) -> Exchange {
    let began = Instant::now();
    if steps.contains(&Step::Reset) {
        write(&mut stream, steps).await;
        stream.get_ref().0.set_zero_linger().unwrap();
        return Exchange { took: began.elapsed(), ..Exchange::default() };
    }
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = Vec::new();
    let mut closed = {
        let reading = read(&mut reader, &mut received, until);
        tokio::pin!(reading);
        tokio::select! {
            biased;
            closed = &mut reading => closed,
            () = write(&mut writer, steps) => reading.await,
        }
    };
    if !closed && until != Until::Closed {
        // Whatever else is in the gate's buffer is answered before it sees the end.
        let _ended = writer.shutdown().await;
        read(&mut reader, &mut received, Until::Closed).await;
        closed = false;
    }
    let (replies, interim) = parse(&received);
    Exchange { replies, interim, closed, took: began.elapsed() }
}

/// Sends plain bytes and reads one answer; for what the tests themselves ask of the stand-in
pub(super) async fn ask(mut stream: TcpStream, request: &[u8]) -> Reply {
    stream.write_all(request).await.unwrap();
    let mut received = Vec::new();
    read(&mut stream, &mut received, Until::Replies(1)).await;
    parse(&received).0.remove(0)
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), steps: &[Step]) {
    let mut pace = None;
    for step in steps {
        let done = match step {
            Step::Send(bytes) => match pace {
                None => all(writer, bytes).await,
                Some(pause) => slowly(writer, bytes, pause).await,
            },
            Step::Pace(bytes_a_second) => {
                pace = Some(Duration::from_secs(1) / u32::try_from(*bytes_a_second).unwrap());
                Ok(())
            }
            Step::HalfClose => writer.shutdown().await,
            Step::Reset | Step::WaitForClose => return,
        };
        // The gate has hung up; what it said is being read.
        if done.is_err() {
            return;
        }
    }
}

async fn all(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

async fn slowly(
    writer: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    pause: Duration,
) -> std::io::Result<()> {
    for byte in bytes {
        all(writer, &[*byte]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Reads on; whether the connection ended
async fn read(reader: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>, until: Until) -> bool {
    let reading = async {
        loop {
            if matches!(until, Until::Replies(wanted) if parse(received).0.len() >= wanted) {
                return false;
            }
            // A reset ends a connection as well as a close.
            if reader.read_buf(received).await.unwrap_or(0) == 0 {
                return true;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or(false)
}

/// The whole final answers in these bytes, and the interim ones
fn parse(mut bytes: &[u8]) -> (Vec<Reply>, Vec<u16>) {
    let (mut replies, mut interim) = (Vec::new(), Vec::new());
    while let Some((reply, rest)) = parse_one(bytes) {
        bytes = rest;
        if reply.status < 200 { interim.push(reply.status) } else { replies.push(reply) }
    }
    (replies, interim)
}

fn parse_one(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap_or(0);
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let mut reply = Reply { status, fields: lines.map(field).collect(), body: Vec::new() };
    let rest = &bytes[end + 4..];
    if reply.value("transfer-encoding") == Some("chunked") {
        let (body, rest) = dechunked(rest)?;
        reply.body = body;
        return Some((reply, rest));
    }
    let length = reply.value("content-length").map_or(0, |length| length.parse().unwrap_or(0));
    reply.body = rest.get(..length)?.to_vec();
    Some((reply, &rest[length..]))
}

/// A chunked body without trailers, and what follows it
fn dechunked(mut bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let line = find(bytes, b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..line]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        let chunk = bytes.get(line + 2..line + 2 + size)?;
        body.extend_from_slice(chunk);
        bytes = bytes.get(line + 2 + size + 2..)?;
        if size == 0 {
            return Some((body, bytes));
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
