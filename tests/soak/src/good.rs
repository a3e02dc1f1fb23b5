//! A client who asks at his own pace, takes his answers, and comes back

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{MissedTickBehavior, interval};

use crate::world::World;

/// Between two requests
const PACE: Duration = Duration::from_millis(25);
/// After so many he comes back over another connection
const REQUESTS: usize = 200;
/// How long he has patience
const PATIENCE: Duration = Duration::from_secs(10);

/// What he asks, in turn: target, body, and the status that he is to be told
const ASKED: [(&str, Option<&str>, u16); 4] = [
    ("/druid/v2/sql/task/enabled", None, 200),
    ("/druid/v2/sql", Some(r#"{"query":"SELECT COUNT(*) FROM big"}"#), 200),
    ("/_gate/explain", Some(r#"{"query":"SELECT * FROM other"}"#), 200),
    ("/druid/v2/sql", Some(r#"{"query":"SELECT * FROM secret"}"#), 403),
];

enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Asks until the run is over
pub(crate) async fn client(world: Arc<World>, over_http_2: bool) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let began = Instant::now();
        let connected = tokio::time::timeout(PATIENCE, connect(&world, over_http_2)).await;
        let Ok(Ok(mut connection)) = connected else {
            world.figures.request(
                began,
                Some(format!("no connection: {connected:?}", connected = connected.map(|it| it.err()))),
            );
            pace.tick().await;
            continue;
        };
        for (target, body, status) in ASKED.into_iter().cycle().take(REQUESTS) {
            pace.tick().await;
            let began = Instant::now();
            let request = world.request(target, body, over_http_2);
            let answered = tokio::time::timeout(PATIENCE, connection.ask(request)).await;
            let fault = match answered {
                Ok(Ok((told, _))) if told == status => None,
                Ok(Ok((told, answer))) => {
                    Some(format!("{target}: {told} {}", String::from_utf8_lossy(&answer)))
                }
                Ok(Err(error)) => Some(format!("{target}: {error:?}")),
                Err(_) => Some(format!("{target}: no answer within {PATIENCE:?}")),
            };
            let goes_on = fault.is_none();
            world.figures.request(began, fault);
            if !goes_on {
                break;
            }
        }
    }
}

async fn connect(
    world: &World,
    over_http_2: bool,
) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
    if over_http_2 {
        let io = TokioIo::new(world.connect(1, b"h2").await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        return Ok(Connection::Http2(sender));
    }
    let io = TokioIo::new(world.connect(1, b"http/1.1").await?);
    let (sender, connection) = http1::handshake(io).await?;
    tokio::spawn(connection);
    Ok(Connection::Http1(sender))
}

impl Connection {
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<(u16, Bytes)> {
        let answer: Response<Incoming> = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
