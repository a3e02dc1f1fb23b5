//! The body of an answer that is a list, with the rows that its caller may see

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::answer_error::AnswerError;
use super::rows::Rows;
use super::upstream::UpstreamError;

/// So much is read before the answer begins: a short list that is not as it should be becomes a 502
const BEGINNING: usize = 64 << 10;

/// A list on its way; what of it is held is one row
#[derive(Debug)]
pub(super) struct Filtered {
    incoming: Incoming,
    rows: Rows,
    /// What is ready to be passed on before more is read
    beginning: Option<Bytes>,
    has_ended: bool,
}

impl Filtered {
    /// Reads the beginning, or all of a short list
    ///
    /// # Errors
    ///
    /// Where that breaks off, takes too long between its parts, or is no list of this shape.
    pub(super) async fn begin(
        incoming: Incoming,
        rows: Rows,
        patience: Duration,
    ) -> Result<Self, UpstreamError> {
        let mut filtered = Self { incoming, rows, beginning: None, has_ended: false };
        let mut beginning = Vec::new();
        while beginning.len() < BEGINNING && !filtered.has_ended {
            let frame = tokio::time::timeout(patience, filtered.incoming.frame()).await;
            match frame.map_err(|_| UpstreamError::Timeout)? {
                Some(Ok(frame)) => beginning.extend(filtered.kept(frame).map_err(|error| broken(&error))?),
                Some(Err(error)) => return Err(UpstreamError::Broken(error.to_string())),
                None => filtered.end().map_err(|error| broken(&error))?,
            }
        }
        filtered.beginning = Some(Bytes::from(beginning));
        Ok(filtered)
    }

    /// What of a frame is passed on; trailers of a list say nothing
    fn kept(&mut self, frame: Frame<Bytes>) -> Result<Vec<u8>, AnswerError> {
        let Ok(bytes) = frame.into_data() else { return Ok(Vec::new()) };
        self.rows.take(&bytes).map_err(|error| AnswerError::Unlike(error.to_string()))
    }

    fn end(&mut self) -> Result<(), AnswerError> {
        self.has_ended = true;
        if self.rows.is_whole() { Ok(()) } else { Err(AnswerError::Unlike("it is not whole".to_owned())) }
    }
}

fn broken(error: &AnswerError) -> UpstreamError {
    UpstreamError::Broken(error.to_string())
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
            let kept = match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
                Some(Ok(frame)) => self.kept(frame),
                Some(Err(error)) => Err(AnswerError::Broken(error.into())),
                None => self.end().map(|()| Vec::new()),
            };
            match kept {
                Ok(kept) if kept.is_empty() => {}
                Ok(kept) => return Poll::Ready(Some(Ok(Frame::data(Bytes::from(kept))))),
                Err(error) => {
                    self.has_ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
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
