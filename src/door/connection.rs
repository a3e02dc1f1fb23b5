//! One connection: its deadlines, and HTTP/1.1 or HTTP/2 on it as ALPN said
//!
//! hyper's own timer counts from the first byte of a head it can tell; a client that sends nothing, or a
//! byte now and then, is found here instead: what came and went is noted where the bytes pass. So is the end
//! of what a client sends, which hyper takes for the client's leaving: it hears of it when all is answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, InFlight, Protocol, Takes};
use super::framing::{Followed, Framing};
use super::outgoing::OutgoingBody;
use crate::base::drain::{self, Stop};
use crate::base::metrics::Metrics;
use crate::config::Limits;
use crate::request::head::TwoFramings;

/// Why hyper answered a request itself, without a body
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Its head is larger than hyper takes, 431
    TooLarge,
    /// Its head is none, 400 or 414
    Malformed,
}

/// What a connection is served with
#[derive(Debug)]
pub struct Serving<'a> {
    protocol: Protocol,
    limits: &'a Limits,
    activity: Arc<Activity>,
    metrics: &'a Metrics,
    stop: Stop,
    /// What is waited for before the gate ends
    tracker: &'a TaskTracker,
}

impl<'a> Serving<'a> {
    /// A connection with this protocol, within these limits
    pub fn new(
        protocol: Protocol,
        limits: &'a Limits,
        metrics: &'a Metrics,
        stop: Stop,
        tracker: &'a TaskTracker,
    ) -> Self {
        let activity = Arc::new(Activity::new(protocol, limits));
        Self { protocol, limits, activity, metrics, stop, tracker }
    }

    /// Serves it until it ends, a deadline passes, or the gate drains and it is done; `unread` is told of a request that
    /// never gets to `handle`
    pub async fn serve<Io, Handle, Answer>(self, io: Io, handle: Handle, unread: impl FnOnce(Unread))
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        Handle: Fn(Request<Incoming>, InFlight) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Response<OutgoingBody>> + Send + 'static,
    {
        let watched = Watched::new(io, self.protocol, self.limits, &self.activity);
        let counted = Arc::clone(&self.activity);
        let service = service_fn(move |mut request: Request<Incoming>| {
            if counted.next_has_two_framings() {
                request.extensions_mut().insert(TwoFramings);
            }
            let counted = Arc::clone(&counted);
            let answer = handle(request, InFlight::begin(&counted));
            // Boxed: hyper holds the place of what it awaits, also while the connection idles.
            Box::pin(async move {
                let mut answer = answer.await;
                if counted.is_last() {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(answer)
            })
        });
        match self.protocol {
            Protocol::Http1 => {
                let connection = http1_builder(self.limits).serve_connection(TokioIo::new(watched), service);
                self.see_through(Box::pin(connection), http1::Connection::graceful_shutdown, unread).await;
            }
            Protocol::Http2 => {
                let builder = http2_builder(self.limits, self.tracker);
                let connection = builder.serve_connection(TokioIo::new(watched), service);
                self.see_through(Box::pin(connection), http2::Connection::graceful_shutdown, unread).await;
            }
        }
    }

    /// `drain` lets it take no further request, and end when those at hand are answered
    async fn see_through<Connection: Future<Output = hyper::Result<()>>>(
        self,
        mut connection: Pin<Box<Connection>>,
        drain: impl Fn(Pin<&mut Connection>),
        unread: impl FnOnce(Unread),
    ) {
        let Stop { mut draining, mut is_cut } = self.stop;
        let mut asked_to_drain = false;
        loop {
            let deadline = self.activity.deadline();
            tokio::select! {
                ended = &mut connection => return tell(ended, unread),
                () = tokio::time::sleep_until(deadline.at) => {
                    let deadline = self.activity.deadline();
                    if deadline.at <= Instant::now() {
                        if let Some(limit) = deadline.limit {
                            self.metrics.limit_met(limit);
                        }
                        return;
                    }
                }
                () = self.activity.changed.notified() => {}
                () = drain::begins(&mut draining), if !asked_to_drain => {
                    asked_to_drain = true;
                    drain(connection.as_mut());
                }
                () = drain::begins(&mut is_cut), if asked_to_drain => return,
            }
        }
    }
}

/// How a connection has ended
fn tell(ended: hyper::Result<()>, unread: impl FnOnce(Unread)) {
    let Err(error) = ended else { return };
    if error.is_parse() {
        unread(if error.is_parse_too_large() { Unread::TooLarge } else { Unread::Malformed });
    }
    tracing::debug!(%error, "connection ended");
}

/// Runs what answers on a stream of HTTP/2, and has it waited for
#[derive(Clone, Debug)]
struct Streams(TaskTracker);

impl<Stream: Future<Output: Send> + Send + 'static> hyper::rt::Executor<Stream> for Streams {
    fn execute(&self, stream: Stream) {
        self.0.spawn(stream);
    }
}

/// How much of a head hyper reads: twice what is taken, so that what is too large by less is answered with a reason
fn read_bytes(limits: &Limits) -> usize {
    limits.head_bytes * 2
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The deadlines are this module's.
        .header_read_timeout(None)
        .max_headers(limits.head_fields * 2)
        .max_buf_size(read_bytes(limits));
    builder
}

/// What a client may send of one body on HTTP/2 before any of it is read, and half of what he may of all: this lies in
/// no budget, since nothing of it has been asked for
const STREAM_WINDOW: u32 = 64 << 10;
/// What of an answer waits on HTTP/2 for a client that has room for more, and does not take it
const SEND_BUFFER: usize = 64 << 10;

fn http2_builder(limits: &Limits, tracker: &TaskTracker) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams(tracker.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(2 * STREAM_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(read_bytes(limits)).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.idle / 2)
        .keep_alive_timeout(limits.idle / 2);
    builder
}

/// A stream that notes what passes
struct Watched<Io> {
    io: Io,
    /// Where heads end, on HTTP/1.1
    framing: Option<Framing>,
    /// What came behind the end of a head or body, and is not handed on yet
    pending: Vec<u8>,
    has_ended: bool,
    activity: Arc<Activity>,
}

impl<Io> Watched<Io> {
    fn new(io: Io, protocol: Protocol, limits: &Limits, activity: &Arc<Activity>) -> Self {
        let largest = u64::try_from(limits.body_bytes.max(limits.task_body_bytes)).unwrap_or(u64::MAX);
        let framing = (protocol == Protocol::Http1).then(|| Framing::new(largest));
        Self { io, framing, pending: Vec::new(), has_ended: false, activity: Arc::clone(activity) }
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.wrote(match written {
            Poll::Ready(Ok(1..)) => Takes::Something,
            Poll::Ready(_) => Takes::All,
            Poll::Pending => Takes::Nothing,
        });
        written
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.pending.is_empty() {
            let handed = self.pending.len().min(buffer.remaining());
            buffer.put_slice(self.pending.get(..handed).unwrap_or_default());
            self.pending.drain(..handed);
        } else if !self.has_ended {
            let polled = Pin::new(&mut self.io).poll_read(context, buffer);
            if !matches!(polled, Poll::Ready(Ok(()))) {
                // A connection that breaks off is no end: whoever sent on it has left.
                return polled;
            }
            self.has_ended = buffer.filled().len() == before && buffer.remaining() > 0;
        }
        if buffer.filled().len() > before {
            self.activity.bytes_came();
            return Poll::Ready(self.follow(buffer, before));
        }
        if self.has_ended && self.activity.keeps_end() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<Io> Watched<Io> {
    /// Keeps back what came behind the end of a head or body, until it is asked for
    ///
    /// A body of which a chunk is larger than any may be breaks off there: nobody waits for it to come.
    fn follow(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let Some(framing) = &mut self.framing else { return Ok(()) };
        let came = buffer.filled().get(before..).unwrap_or_default();
        let Followed { bytes, head_with_two } = framing.follow(came);
        self.pending.splice(..0, came.iter().skip(bytes).copied());
        if let Some(has_two_framings) = head_with_two {
            self.activity.head_came(has_two_framings);
        }
        if framing.is_unfollowed() {
            self.activity.is_followed_no_more();
        }
        if framing.has_huge_chunk() {
            self.activity.huge_chunk_came();
            buffer.set_filled(before);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk is larger than any body may be"));
        }
        buffer.set_filled(before + bytes);
        Ok(())
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(context, bytes);
        self.noted(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(context);
        self.activity.wrote(if polled.is_pending() { Takes::Nothing } else { Takes::All });
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
