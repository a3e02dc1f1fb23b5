//! One connection: its deadlines, and HTTP/1.1 or HTTP/2 on it as ALPN said
//!
//! hyper's own timer counts from the first byte of a head it can tell; a client that sends nothing, or a
//! byte now and then, is found here instead: what came and went is noted where the bytes pass. So is the end
//! of what a client sends, which hyper takes for the client's leaving: it hears of it when all is answered.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::activity::{Activity, InFlight, Protocol};
use super::framing::{Followed, Framing};
use super::outgoing::OutgoingBody;
use crate::base::drain;
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

/// Serves a connection until it ends, a deadline passes, or the gate drains and it is done; `unread` is told of a
/// request that never gets to `handle`
pub async fn serve<Io, Handle, Answer>(
    io: Io,
    protocol: Protocol,
    limits: &Limits,
    metrics: &Metrics,
    draining: watch::Receiver<bool>,
    handle: Handle,
    unread: impl FnOnce(Unread),
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    Handle: Fn(Request<Incoming>, InFlight) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Response<OutgoingBody>> + Send + 'static,
{
    let activity = Arc::new(Activity::new(protocol, limits));
    let framing = (protocol == Protocol::Http1).then(Framing::new);
    let (pending, has_ended) = (Vec::new(), false);
    let watched = TokioIo::new(Watched { io, framing, pending, has_ended, activity: Arc::clone(&activity) });
    let counted = Arc::clone(&activity);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if counted.next_has_two_framings() {
            request.extensions_mut().insert(TwoFramings);
        }
        let counted = Arc::clone(&counted);
        let answer = handle(request, InFlight::begin(&counted));
        async move {
            let mut answer = answer.await;
            if counted.is_last() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let serving = Serving { activity: &activity, metrics, draining };
    match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(limits).serve_connection(watched, service);
            serving.serve(connection, http1::Connection::graceful_shutdown, unread).await;
        }
        Protocol::Http2 => {
            let connection = http2_builder(limits).serve_connection(watched, service);
            serving.serve(connection, http2::Connection::graceful_shutdown, unread).await;
        }
    }
}

/// What a connection is served with
struct Serving<'a> {
    activity: &'a Activity,
    metrics: &'a Metrics,
    draining: watch::Receiver<bool>,
}

impl Serving<'_> {
    /// `drain` lets it take no further request, and end when those at hand are answered
    async fn serve<Connection: Future<Output = hyper::Result<()>>>(
        mut self,
        connection: Connection,
        drain: impl Fn(Pin<&mut Connection>),
        unread: impl FnOnce(Unread),
    ) {
        let mut connection = pin!(connection);
        let mut asked_to_drain = false;
        loop {
            let deadline = self.activity.deadline();
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        if error.is_parse() {
                            let is_large = error.is_parse_too_large();
                            unread(if is_large { Unread::TooLarge } else { Unread::Malformed });
                        }
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = tokio::time::sleep_until(deadline.at) => {
                    if self.activity.deadline().at <= Instant::now() {
                        if let Some(limit) = deadline.limit {
                            self.metrics.limit_met(limit);
                        }
                        return;
                    }
                }
                () = self.activity.changed.notified() => {}
                () = drain::begins(&mut self.draining), if !asked_to_drain => {
                    asked_to_drain = true;
                    drain(connection.as_mut());
                }
            }
        }
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

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
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
    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.wrote(written.is_pending());
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.activity.taken();
        }
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
            self.follow(buffer, before);
            return Poll::Ready(Ok(()));
        }
        if self.has_ended && self.activity.keeps_end() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<Io> Watched<Io> {
    /// Keeps back what came behind the end of a head or body, until it is asked for
    fn follow(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let Some(framing) = &mut self.framing else { return };
        let came = buffer.filled().get(before..).unwrap_or_default();
        let Followed { bytes, head_with_two } = framing.follow(came);
        self.pending.splice(..0, came.iter().skip(bytes).copied());
        if let Some(has_two_framings) = head_with_two {
            self.activity.head_came(has_two_framings);
        }
        if framing.is_unfollowed() {
            self.activity.is_followed_no_more();
        }
        buffer.set_filled(before + bytes);
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
        self.activity.wrote(polled.is_pending());
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
