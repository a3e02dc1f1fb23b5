//! A body whose client may wait to be asked for it, where nobody can ask him
//!
//! `Expect: 100-continue` (RFC 9110, section 10.1.1) wants `100` or a final status at once. Who sends the body all the
//! same has it read.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Sleep, sleep};

/// How long the first of a body may take that was sent without waiting
const UNASKED_WITHIN: Duration = Duration::from_millis(300);

/// Its client sends nothing before he is asked to
#[derive(Debug, thiserror::Error)]
#[error("the body is not sent before it is asked for")]
pub(super) struct Waits;

/// Such a body
#[derive(Debug)]
pub(super) struct Unasked {
    body: Incoming,
    first: Option<Pin<Box<Sleep>>>,
}

impl Unasked {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, first: Some(Box::pin(sleep(UNASKED_WITHIN))) }
    }
}

impl Body for Unasked {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.first = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Self::Error::from)));
        }
        let Some(first) = &mut self.first else { return Poll::Pending };
        ready!(first.as_mut().poll(context));
        Poll::Ready(Some(Err(Waits.into())))
    }
}
