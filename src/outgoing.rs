//! The body of an answer on its way out, and what is noted when it is gone

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;

use crate::audit::{Ending, Record};
use crate::connection::InFlight;
use crate::forward::answer::{AnswerBody, AnswerError};

/// An answer's body: the gate's own or Druid's
#[derive(Debug)]
pub struct OutgoingBody {
    content: Content,
    // Held until the last byte is gone: a connection is not idle before.
    _in_flight: InFlight,
}

#[derive(Debug)]
enum Content {
    Own(Full<Bytes>),
    Druids(Box<Recorded>),
}

impl OutgoingBody {
    /// A body of the gate's own
    pub fn own(body: Full<Bytes>, in_flight: InFlight) -> Self {
        Self { content: Content::Own(body), _in_flight: in_flight }
    }

    /// Druid's body, whose end is noted in the record
    pub fn druids(body: AnswerBody, record: Record, in_flight: InFlight) -> Self {
        let recorded = Recorded { body, record: Some(record), bytes_out: 0, beginning: Vec::new() };
        Self { content: Content::Druids(Box::new(recorded)), _in_flight: in_flight }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match &mut self.content {
            Content::Own(body) => Pin::new(body)
                .poll_frame(context)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Content::Druids(recorded) => recorded.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(body) => body.is_end_stream(),
            Content::Druids(recorded) => recorded.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(body) => body.size_hint(),
            Content::Druids(recorded) => recorded.body.size_hint(),
        }
    }
}

/// How much of an answer's beginning is kept to find the id of the task it started
const BEGINNING: usize = 1_024;

#[derive(Debug)]
struct Recorded {
    body: AnswerBody,
    record: Option<Record>,
    bytes_out: u64,
    beginning: Vec<u8>,
}

impl Recorded {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => self.note(frame),
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(%error, "Druid's answer broke off");
                self.close(Ending::BrokeOff);
            }
            Poll::Ready(None) => self.close(Ending::Finished),
        }
        polled
    }

    fn note(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        self.bytes_out = self.bytes_out.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        let room = BEGINNING.saturating_sub(self.beginning.len());
        self.beginning.extend(data.iter().take(room));
    }

    fn close(&mut self, ending: Ending) {
        let Some(mut record) = self.record.take() else { return };
        if let Some(task) = started_task(&self.beginning) {
            record.task(&task);
        }
        record.finished(ending, self.bytes_out);
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // hyper does not ask for more once it knows that there is none.
        let ending = if self.body.is_end_stream() { Ending::Finished } else { Ending::ClientLeft };
        self.close(ending);
    }
}

/// The id in `{"taskId":…}`, `{"queryId":…}` or `{"task":…}`, which Druid answers to a submit
fn started_task(beginning: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(beginning).ok()?;
    let id = ["taskId", "queryId", "task"].iter().find_map(|name| answer.get(name)?.as_str())?;
    Some(id.to_owned())
}
