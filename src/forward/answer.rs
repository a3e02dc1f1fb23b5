//! The body of Druid's answer on its way to the client: streamed, never buffered, never awaited for ever

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::answer_error::AnswerError;
use super::filtered::Filtered;
use super::headers::trailers_towards_client;

/// An answer's body, with those of its trailers that cross
#[derive(Debug)]
pub struct AnswerBody {
    /// Streamed, or whole where it is a refusal, which had to be read to know whom it is about, or the gate's own
    body: Either<Incoming, Either<Full<Bytes>, Box<Filtered>>>,
    patience: Duration,
    /// Runs while Druid is waited for; a client that is slow to take what came does not start it
    waiting: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    /// The body, each frame of which may take this long
    pub fn new(incoming: Incoming, patience: Duration) -> Self {
        Self { body: Either::Left(incoming), patience, waiting: None }
    }

    /// A body that is there
    pub fn whole(body: Full<Bytes>) -> Self {
        Self { body: Either::Right(Either::Left(body)), patience: Duration::MAX, waiting: None }
    }

    /// A list, of which the rows that may be seen are passed on
    pub(super) fn listed(list: Filtered, patience: Duration) -> Self {
        Self { body: Either::Right(Either::Right(Box::new(list))), patience, waiting: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            let crossing = |frame: Frame<Bytes>| match frame.into_trailers() {
                Ok(trailers) => Frame::trailers(trailers_towards_client(&trailers)),
                Err(data) => data,
            };
            return Poll::Ready(frame.map(|frame| frame.map(crossing).map_err(AnswerError::Broken)));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(AnswerError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
