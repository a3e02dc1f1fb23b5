//! The body of Druid's answer on its way to the client: streamed, never buffered, never awaited for ever

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

/// Why an answer broke off
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Druid's side failed
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// Druid sent nothing for too long
    #[error("Druid's answer stalled")]
    Stalled,
}

/// An answer's body; trailers included
#[derive(Debug)]
pub struct AnswerBody {
    incoming: Incoming,
    patience: Duration,
    /// Runs while Druid is waited for; a client that is slow to take what came does not start it
    waiting: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    /// The body, each frame of which may take this long
    pub fn new(incoming: Incoming, patience: Duration) -> Self {
        Self { incoming, patience, waiting: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(AnswerError::Broken)));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(AnswerError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
