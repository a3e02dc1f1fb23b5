//! A stand-in for Druid: a router that runs statements in memory, for `demo` and for tests
//!
//! It listens on loopback, answers the endpoints that the gate lets through with Druid's status codes, content
//! types and shapes, and keeps every request that it saw. It is no Druid: it authorizes nothing, plans and runs
//! only the simplest statements, and no other endpoint is there.
//!
//! It shares no code with the gate's own reading of requests, so that the two cannot be wrong alike.

mod answer;
mod druid;
mod expression;
mod external;
mod fault;
mod path;
mod payload;
mod posted_task;
mod reader;
mod request;
mod run;
mod splitter;
mod statement;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod word;

use std::convert::Infallible;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

pub use table::{Column, Kind, Table};

use answer::Answer;
use druid::Druid;

/// The largest body that is read
const BODY_BYTES: usize = 16 << 20;

/// How long to wait where no connection can be accepted, before the next try
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running stand-in; it stops, with its connections, when it is dropped
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// How a stand-in behaves
#[derive(Clone, Debug, Default)]
pub struct StandInSettings {
    /// When tasks end
    pub tasks: TaskPace,
    /// Which Druid is imitated, where they differ
    pub version: Version,
    /// A user name and password, without which nothing but the health is told
    pub sign_in: Option<(String, String)>,
    /// The datasources that are there from the start, by name
    pub tables: Vec<(String, Table)>,
}

/// When tasks end
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskPace {
    /// Before anybody can look at them
    #[default]
    Immediately,
    /// After this time
    After(Duration),
    /// When [`StandIn::finish_task`] is called
    WhenTold,
}

/// The versions of Druid that are imitated
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 27.0: no SET, no export
    Druid27,
    /// 37.0
    #[default]
    Druid37,
}

/// A request that arrived
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// Its method
    pub method: Method,
    /// Its path and query, as received
    pub target: String,
    /// Its headers
    pub headers: HeaderMap,
    /// Its body, as received; empty where it was too large or broke off
    pub body: Bytes,
}

#[derive(Debug)]
struct Shared {
    druid: Druid,
    requests: Mutex<Vec<SeenRequest>>,
}

impl StandIn {
    /// Starts on a free port of loopback, on the runtime that it is called on
    ///
    /// # Errors
    ///
    /// Where it cannot listen.
    pub async fn start(settings: StandInSettings) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), settings).await
    }

    /// Starts on this address
    ///
    /// # Errors
    ///
    /// Where it cannot listen there.
    pub async fn start_at(address: SocketAddr, settings: StandInSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { druid: Druid::new(settings), requests: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that arrived, in order
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.requests().clone()
    }

    /// Forgets the requests that arrived so far
    pub fn clear_requests(&self) {
        self.shared.requests().clear();
    }

    /// Ends a running task now, with success where its statement can be run
    ///
    /// A task that is not there, or has ended, is left as it is.
    pub fn finish_task(&self, id: &str) {
        self.shared.druid.finish_task(id);
    }

    /// Stops listening, and breaks off what is being answered
    pub fn stop(&self) {
        self.accepting.abort();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<SeenRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let whole = Limited::new(body, BODY_BYTES).collect().await.map(|whole| whole.to_bytes());
        let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
        let body = whole.as_ref().map(Bytes::clone).unwrap_or_default();
        let seen = SeenRequest { method: head.method, target, headers: head.headers, body };
        self.requests().push(seen.clone());
        let answer = match whole.is_ok().then(|| inflated(&seen)) {
            None => Answer::empty(413),
            Some(Err(_)) => Answer::empty(500),
            Some(Ok(body)) => self.druid.answer(&seen, &body),
        };
        answer.into_response(&seen.method)
    }
}

/// A body as Jetty's `GzipHandler` hands it on
fn inflated(seen: &SeenRequest) -> io::Result<Bytes> {
    if seen.headers.get(CONTENT_ENCODING).is_none_or(|coding| coding != "gzip") {
        return Ok(seen.body.clone());
    }
    let most = u64::try_from(BODY_BYTES).unwrap_or(u64::MAX);
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(seen.body.as_ref()).take(most).read_to_end(&mut body)?;
    Ok(body.into())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            arrived = listener.accept() => match arrived {
                Ok((stream, _)) => {
                    let _delayed = stream.set_nodelay(true);
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    if let Err(error) =
        http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service).await
    {
        tracing::debug!(%error, "a connection to the stand-in ended");
    }
}
