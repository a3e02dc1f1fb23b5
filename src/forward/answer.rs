//! The body of Druid's answer on its way to the client: streamed, never buffered, never awaited for ever

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
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
    /// The beginning, which was awaited
    first: Option<Frame<Bytes>>,
    patience: Duration,
    /// Runs while Druid is waited for; a client that is slow to take what came does not start it
    waiting: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    /// The body, once its first frame is there; each may take this long
    ///
    /// # Errors
    ///
    /// Where it has broken off before that: nothing is promised to the client yet.
    pub async fn begun(incoming: Incoming, patience: Duration) -> Result<Self, AnswerError> {
        let mut body = Self { body: Either::Left(incoming), first: None, patience, waiting: None };
        if !body.is_end_stream() {
            body.first = body.frame().await.transpose()?;
        }
        Ok(body)
    }

    /// A body that is there
    pub fn whole(body: Full<Bytes>) -> Self {
        let body = Either::Right(Either::Left(body));
        Self { body, first: None, patience: Duration::MAX, waiting: None }
    }

    /// A list, of which the rows that may be seen are passed on
    pub(super) fn listed(list: Filtered, patience: Duration) -> Self {
        let body = Either::Right(Either::Right(Box::new(list)));
        Self { body, first: None, patience, waiting: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            let crossing = |frame: Frame<Bytes>| match frame.into_trailers() {
                Ok(trailers) => Frame::trailers(trailers_towards_client(&trailers)),
                Err(data) => data,
            };
            return Poll::Ready(frame.map(|frame| frame.map(crossing).map_err(AnswerError::Broken)));
        }
        if let Either::Right(Either::Right(list)) = &mut self.body
            && list.has_moved()
        {
            // Rows have come, though none that may be seen.
            self.waiting = None;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(AnswerError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        let first = u64::try_from(first).unwrap_or(u64::MAX);
        if let Some(rest) = hint.upper() {
            hint.set_upper(rest.saturating_add(first));
        }
        hint.set_lower(hint.lower().saturating_add(first));
        hint
    }
}
