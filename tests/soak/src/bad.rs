//! The others: slow ones, greedy ones and broken ones, from addresses of their own, at a pace that a small machine bears

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::world::World;

/// What comes of them is the gate's business
type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// How long one of them stays who is not left
const STAY: Duration = Duration::from_secs(20);
/// Between two bodies that inflate: four people send sixteen a second
const INFLATING: Duration = Duration::from_millis(250);
const BIG: &str = r#"{"query":"SELECT * FROM big"}"#;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Lets nothing of an answer come, with a token or without
    WindowZero(bool),
    /// Takes 256 bytes a second
    Sips,
    /// Asks over HTTP/1.1 and takes nothing
    TakesNothing,
    /// A head, a byte at a time
    SlowHead,
    /// A body that does not come
    NoBody,
    /// A connection, and no word
    Silent,
    /// As many connections as there are
    Greedy,
    /// A hundred requests at once, and gone
    Resets,
    /// A few kilobytes of gzip that become eight megabytes of small values
    Inflates,
    /// Bytes of no protocol
    Broken(usize),
}

/// How many of each at once, from which address, and how long each rests before he comes back
const KINDS: [(Kind, usize, u8, u64); 12] = [
    (Kind::WindowZero(true), 10, 2, 100),
    (Kind::WindowZero(false), 10, 3, 100),
    (Kind::Sips, 4, 4, 500),
    (Kind::TakesNothing, 4, 4, 500),
    (Kind::SlowHead, 10, 5, 100),
    (Kind::NoBody, 10, 5, 100),
    (Kind::Silent, 10, 6, 100),
    (Kind::Greedy, 1, 7, 100),
    (Kind::Resets, 1, 8, 1_000),
    (Kind::Inflates, 4, 10, 100),
    (Kind::Broken(0), 1, 9, 200),
    (Kind::Broken(1), 1, 9, 200),
];

const BROKEN: [&[u8]; 8] = [
    b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
    b"\0\x01\x02garbage\r\n\r\n",
    b"POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8000000000000000\r\n",
    b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x04\x08\0\0\0\0\0\xff\xff\xff\xff",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x01\x04\0\0\0\x01",
    b"GET /druid/v2/sql/task/enabled HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n",
];

/// Lets them come, all or those of one kind, until what it returns is dropped
pub(crate) fn start(world: &Arc<World>, only: Option<&str>) -> JoinSet<()> {
    let mut others = JoinSet::new();
    let is_meant = |kind: Kind| only.is_none_or(|only| format!("{kind:?}").starts_with(only));
    for (kind, count, from, rest) in KINDS.into_iter().filter(|(kind, ..)| is_meant(*kind)) {
        for number in 0..count {
            let world = Arc::clone(world);
            others.spawn(async move {
                for turn in number.. {
                    let _left = tokio::time::timeout(STAY, kind.come(&world, from, turn)).await;
                    world.figures.other();
                    tokio::time::sleep(Duration::from_millis(rest)).await;
                }
            });
        }
    }
    others
}

impl Kind {
    async fn come(self, world: &World, from: u8, turn: usize) -> Ended {
        match self {
            Self::WindowZero(has_token) => over_http_2(world, from, 0, has_token).await,
            Self::Sips => over_http_2(world, from, 256, true).await,
            Self::TakesNothing => {
                say(world, from, &post(world, BIG.len(), BIG)).await?;
                Ok(())
            }
            Self::SlowHead => {
                let mut stream = world.connect(from, b"http/1.1").await?;
                for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Ok(())
            }
            Self::NoBody => {
                let mut stream = say(world, from, &post(world, 100, "{")).await?;
                stream.read_to_end(&mut Vec::new()).await?;
                Ok(())
            }
            Self::Silent => {
                world.dial(from).await?.read_to_end(&mut Vec::new()).await?;
                Ok(())
            }
            Self::Greedy => greedy(world, from).await,
            Self::Resets => resets(world, from).await,
            Self::Inflates => inflates(world, from, turn).await,
            Self::Broken(tls) => {
                let bytes = BROKEN.get(turn % BROKEN.len()).copied().unwrap_or_default();
                if tls == 0 {
                    world.dial(from).await?.write_all(bytes).await?;
                } else {
                    let alpn: &[u8] = if bytes.starts_with(b"PRI") { b"h2" } else { b"http/1.1" };
                    let mut stream = world.connect(from, alpn).await?;
                    stream.write_all(bytes).await?;
                    let _some = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut [0; 64])).await;
                }
                Ok(())
            }
        }
    }
}

/// A statement's head, and as much of its body as is given
fn post(world: &World, length: usize, body: &str) -> String {
    let (gate, token) = (world.gate, &world.token);
    format!(
        "POST /druid/v2/sql HTTP/1.1\r\nHost: {gate}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Says this; who takes nothing then stays without a word
async fn say(
    world: &World,
    from: u8,
    text: &str,
) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let mut stream = world.connect(from, b"http/1.1").await?;
    stream.write_all(text.as_bytes()).await?;
    if text.ends_with(BIG) {
        tokio::time::sleep(STAY).await;
    }
    Ok(stream)
}

/// Asks over HTTP/2 with this window for each answer, and takes what comes a frame a second
async fn over_http_2(world: &World, from: u8, window: u32, has_token: bool) -> Ended {
    let io = TokioIo::new(world.connect(from, b"h2").await?);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (mut sender, connection) = builder.handshake::<_, Full<Bytes>>(io).await?;
    let connection = tokio::spawn(connection);
    let mut request = world.request("/druid/v2/sql", Some(BIG), true);
    if !has_token {
        request.headers_mut().remove("authorization");
    }
    let mut body = sender.send_request(request).await?.into_body();
    while window > 0 && body.frame().await.is_some_and(|frame| frame.is_ok()) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    connection.await??;
    Ok(())
}

/// Opens connections until none is had, and keeps them
async fn greedy(world: &World, from: u8) -> Ended {
    let mut held = Vec::new();
    loop {
        held.push(world.dial(from).await?);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if held.len() > 300 {
            held.clear();
        }
    }
}

/// One body after the other, each over the connection of the one before as long as that is kept
async fn inflates(world: &World, from: u8, turn: usize) -> Ended {
    let (body, other) = (Bytes::from(bomb()), turn % world.others.len());
    let token = format!("Bearer {}", world.others.get(other).map_or("", String::as_str));
    let token = HeaderValue::from_str(&token)?;
    let io = TokioIo::new(world.connect(from + u8::try_from(other)?, b"h2").await?);
    let (mut sender, connection) = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io).await?;
    let connection = tokio::spawn(connection);
    for _ in 0..100 {
        let mut request = world.request("/druid/indexer/v1/task", Some(""), true);
        *request.body_mut() = Full::new(body.clone());
        request.headers_mut().insert("authorization", token.clone());
        request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        sender.send_request(request).await?.into_body().collect().await?;
        tokio::time::sleep(INFLATING).await;
    }
    connection.abort();
    Ok(())
}

fn bomb() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let values = br#"{"a":0},"#.repeat(1 << 20);
    let _whole = gzip.write_all(b"[").and_then(|()| gzip.write_all(&values));
    gzip.finish().unwrap_or_default()
}

/// A hundred requests at once over one connection, which is gone before they are answered
async fn resets(world: &World, from: u8) -> Ended {
    let io = TokioIo::new(world.connect(from, b"h2").await?);
    let (sender, connection) = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io).await?;
    let connection = tokio::spawn(connection);
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut sender = sender.clone();
        let request = world.request("/druid/v2/sql/task/enabled", None, true);
        asking.spawn(async move { sender.send_request(request).await.map(drop) });
    }
    let _first = asking.join_next().await;
    asking.abort_all();
    connection.abort();
    Ok(())
}
