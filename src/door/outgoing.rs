//! The body of an answer on its way out, and what is noted when it is gone

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::activity::{InFlight, Owed};
use crate::druid::Endpoint;
use crate::druid::endpoint::Patience;
use crate::evidence::running::Begun;
use crate::forward::answer::AnswerBody;
use crate::forward::answer_error::AnswerError;
use crate::record::audit::{Ending, Record};
use crate::request::body::{Coding, inflate_beginning};

/// An answer's body: the gate's own or Druid's
#[derive(Debug)]
pub struct OutgoingBody {
    body: AnswerBody,
    /// Of Druid's body
    noted: Option<Box<Noted>>,
    /// Of a query's: it runs as long as its answer goes out
    running: Option<Begun>,
    // Held until its end, and its pieces until the last byte is gone: a connection is not idle before.
    in_flight: InFlight,
}

impl OutgoingBody {
    /// A body of the gate's own
    pub fn own(body: Full<Bytes>, in_flight: InFlight) -> Self {
        Self { body: AnswerBody::whole(body), noted: None, running: None, in_flight }
    }

    /// Druid's body, whose end is noted in the record, and with it the task that it names
    pub fn druids(
        body: AnswerBody,
        coding: Coding,
        record: Record,
        endpoint: Endpoint,
        in_flight: InFlight,
    ) -> Self {
        let room = if endpoint.starts_task() { BEGINNING } else { 0 };
        let patience = endpoint.patience;
        let noted = Noted { coding, patience, record, bytes_out: 0, room, beginning: Vec::new() };
        Self { body, noted: Some(Box::new(noted)), running: None, in_flight }
    }

    /// The same, of a query that runs as long as this goes out
    pub fn of(mut self, running: Option<Begun>) -> Self {
        self.running = running;
        self
    }

    fn close(&mut self, ending: Ending) {
        if let Some(noted) = self.noted.take() {
            noted.close(ending);
        }
    }
}

/// A piece of a body on its way out; what of it leaves is noted, since on HTTP/2 the client says how much may
#[derive(Debug)]
pub struct Piece {
    bytes: Bytes,
    owed: Owed,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.owed.taken(count);
        self.bytes.advance(count);
    }
}

impl Body for OutgoingBody {
    type Data = Piece;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, AnswerError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match (&polled, &mut self.noted) {
            (Poll::Ready(Some(Ok(frame))), Some(noted)) => noted.note(frame),
            (Poll::Ready(Some(Err(error))), Some(noted)) => {
                tracing::warn!(%error, "Druid's answer broke off");
                if let AnswerError::Stalled = error {
                    noted.record.limit_met(noted.patience.limit());
                }
                self.close(Ending::BrokeOff);
            }
            (Poll::Ready(None), _) => self.close(Ending::Finished),
            (Poll::Pending, _) | (_, None) => {}
        }
        let in_flight = &self.in_flight;
        let owed = |frame: Frame<Bytes>| frame.map_data(|bytes| Piece { bytes, owed: in_flight.owe() });
        polled.map(|frame| frame.map(|frame| frame.map(owed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        // hyper does not ask for more once it knows that there is none.
        let ending = if self.body.is_end_stream() { Ending::Finished } else { Ending::Left };
        self.close(ending);
    }
}

/// How much of an answer's beginning is kept to find the id of the task it started
const BEGINNING: usize = 64 << 10;

/// What is noted of Druid's answer as it passes
#[derive(Debug)]
struct Noted {
    coding: Coding,
    patience: Patience,
    record: Record,
    bytes_out: u64,
    /// How much of the beginning there is to keep
    room: usize,
    beginning: Vec<u8>,
}

impl Noted {
    fn note(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        self.bytes_out = self.bytes_out.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        let kept = data.get(..self.room.min(data.len())).unwrap_or_default();
        self.room -= kept.len();
        self.beginning.extend_from_slice(kept);
    }

    fn close(mut self, ending: Ending) {
        let beginning = match self.coding {
            Coding::Identity => self.beginning,
            Coding::Gzip => inflate_beginning(&self.beginning, BEGINNING),
        };
        if let Some(task) = started_task(&beginning) {
            self.record.task(&task);
        }
        self.record.finished(ending, self.bytes_out);
    }
}

/// The id in `{"taskId":…}`, `{"queryId":…}` or `{"task":…}`, which Druid answers to a submit
///
/// What follows it may be missing: a statement's answer can hold rows.
fn started_task(beginning: &[u8]) -> Option<String> {
    let mut found = None;
    // Where it ends early or is no object, what was found until there counts.
    let _cut = serde_json::Deserializer::from_slice(beginning).deserialize_map(StartedTask(&mut found));
    found
}

struct StartedTask<'f>(&'f mut Option<String>);

impl<'de> Visitor<'de> for StartedTask<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the id of a task")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if !["taskId", "queryId", "task"].contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
            } else if let Value::String(id) = members.next_value()? {
                *self.0 = Some(id);
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_task_is_found_however_long_the_answer_is() {
        let rows = r#"{"x":[1,{"taskId":"inner"}]},"#.repeat(10_000);
        for (answer, id) in [
            (r#"{"taskId":"a","state":"RUNNING"}"#.to_owned(), Some("a")),
            (r#"{"task":"b"}"#.to_owned(), Some("b")),
            (format!(r#"{{"queryId":"c","result":[{rows}"#), Some("c")),
            (format!(r#"{{"result":{{"rows":[{rows}1]}},"queryId":"d"}}"#), Some("d")),
            (format!(r#"{{"result":[{rows}"#), None),
            (r#"{"taskId":7,"task":"e"}"#.to_owned(), Some("e")),
            (r#"[{"taskId":"a"}]"#.to_owned(), None),
            (String::new(), None),
            ("<html>".to_owned(), None),
        ] {
            assert_eq!(started_task(answer.as_bytes()).as_deref(), id, "{} bytes", answer.len());
        }
    }
}
