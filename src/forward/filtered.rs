//! The body of an answer that is a list, with the rows that its caller may see

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::answer_error::AnswerError;
use super::asked::{Finding, KnowsTasks, unseen};
use super::rows::{Rows, Taken};
use super::upstream::UpstreamError;

/// So much is read before the answer begins: a short list that is not as it should be becomes a 502
const BEGINNING: usize = 64 << 10;

/// A list on its way; what of it is held is one row, and what has come with rows that are asked about
#[derive(Debug)]
pub(super) struct Filtered {
    incoming: Incoming,
    rows: Rows,
    tasks: Arc<dyn KnowsTasks>,
    waiting: Option<Waiting>,
    /// What is ready to be passed on before more is read
    beginning: Option<Bytes>,
    has_ended: bool,
    /// Something has come since that was last asked, though nothing of it may have been passed on
    has_moved: bool,
}

/// What has come, until it is known which of its rows are not seen
struct Waiting(Taken, Finding<Vec<Range<usize>>>);

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Waiting").field(&self.0).finish_non_exhaustive()
    }
}

type Kept = Option<Result<Vec<u8>, AnswerError>>;

impl Filtered {
    /// Reads the beginning, or all of a short list
    ///
    /// # Errors
    ///
    /// Where that breaks off, takes too long between its parts, or is no list of this shape.
    pub(super) async fn begin(
        incoming: Incoming,
        rows: Rows,
        tasks: Arc<dyn KnowsTasks>,
        patience: Duration,
    ) -> Result<Self, UpstreamError> {
        let (waiting, beginning, has_ended, has_moved) = (None, None, false, false);
        let mut filtered = Self { incoming, rows, tasks, waiting, beginning, has_ended, has_moved };
        let mut beginning = Vec::new();
        while beginning.len() < BEGINNING && !filtered.has_ended {
            let kept = std::future::poll_fn(|context| filtered.poll_kept(context));
            match tokio::time::timeout(patience, kept).await.map_err(|_| UpstreamError::Timeout)? {
                Some(Ok(kept)) => beginning.extend(kept),
                Some(Err(error)) => return Err(UpstreamError::Broken(error.to_string())),
                None => {}
            }
        }
        filtered.beginning = Some(Bytes::from(beginning));
        Ok(filtered)
    }

    /// Whether anything has come since this was last asked
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// What is passed on of what comes next, which may be nothing
    fn poll_kept(&mut self, context: &mut Context<'_>) -> Poll<Kept> {
        if let Some(Waiting(taken, finding)) = &mut self.waiting {
            let unseen = ready!(finding.as_mut().poll(context));
            let taken = std::mem::take(taken);
            (self.waiting, self.has_moved) = (None, true);
            return Poll::Ready(Some(unseen.map(|unseen| self.rows.join(taken, &unseen))));
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
        self.has_moved = true;
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.kept(frame)),
            Some(Err(error)) => Some(Err(AnswerError::Broken(error.into()))),
            None => self.end().err().map(Err),
        })
    }

    /// What of a frame is passed on at once; trailers of a list say nothing
    fn kept(&mut self, frame: Frame<Bytes>) -> Result<Vec<u8>, AnswerError> {
        let Ok(bytes) = frame.into_data() else { return Ok(Vec::new()) };
        let mut taken = self.rows.take(&bytes).map_err(|error| AnswerError::Unlike(error.to_string()))?;
        if taken.asked.is_empty() {
            return Ok(self.rows.join(taken, &[]));
        }
        let asked = std::mem::take(&mut taken.asked);
        let (listed, sight) = self.rows.by();
        let finding = Box::pin(unseen(asked, Arc::clone(&self.tasks), listed, sight));
        self.waiting = Some(Waiting(taken, finding));
        Ok(Vec::new())
    }

    fn end(&mut self) -> Result<(), AnswerError> {
        self.has_ended = true;
        if self.rows.is_whole() { Ok(()) } else { Err(AnswerError::Unlike("it is not whole".to_owned())) }
    }
}

impl Body for Filtered {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Some(beginning) = self.beginning.take().filter(|beginning| !beginning.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        while !self.has_ended {
            match ready!(self.poll_kept(context)) {
                Some(Ok(kept)) if kept.is_empty() => {}
                Some(Ok(kept)) => return Poll::Ready(Some(Ok(Frame::data(Bytes::from(kept))))),
                Some(Err(error)) => {
                    self.has_ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {}
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended && self.beginning.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let beginning = self.beginning.as_ref().map_or(0, Bytes::len);
        if self.has_ended {
            SizeHint::with_exact(u64::try_from(beginning).unwrap_or(u64::MAX))
        } else {
            SizeHint::new()
        }
    }
}
