//! Every limit, with its one key and its one default

use std::time::Duration;

use super::section::Section;
use crate::base::budget::Shares;
use crate::druid::json::JsonLimits;
use crate::resource_actions::sql::SqlLimits;

/// `[limits]`; each is documented beside its key in [`keys`](super::keys)
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described once, in the table of keys")]
pub struct Limits {
    pub handshake: Duration,
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub answer_rate: u32,
    pub head_bytes: usize,
    pub head_fields: usize,
    pub target_bytes: usize,
    pub token_bytes: usize,
    pub body_bytes: usize,
    pub task_body_bytes: usize,
    pub json_depth: usize,
    pub values: usize,
    pub bodies_bytes: usize,
    pub requests: usize,
    pub statement_bytes: usize,
    pub statement_tokens: usize,
    pub statement_nesting: usize,
    pub connections: usize,
    /// Where it is not given, a share of what there are
    pub connections_per_address: Option<usize>,
    pub h2_streams: u32,
    pub connect: Duration,
    pub answer: Duration,
    pub control_answer: Duration,
    pub drain: Duration,
    pub token_leeway: Duration,
    pub key_refresh: Duration,
    pub key_stale: Duration,
}

/// What a head holds besides its token: a target, a host, a few fields
const REST_OF_A_HEAD: usize = 2_048;

impl Limits {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let seconds = |key| section.seconds(key);
        let count = |key| usize::try_from(section.number(key)).unwrap_or(usize::MAX);
        Self {
            handshake: seconds("handshake_seconds"),
            head: seconds("head_seconds"),
            body: seconds("body_seconds"),
            idle: seconds("idle_seconds"),
            answer_rate: u32::try_from(section.number("answer_bytes_per_second")).unwrap_or(u32::MAX),
            head_bytes: count("head_bytes"),
            head_fields: count("head_fields"),
            target_bytes: count("target_bytes"),
            token_bytes: count("token_bytes"),
            body_bytes: count("body_bytes"),
            task_body_bytes: count("task_body_bytes"),
            json_depth: count("json_depth"),
            values: count("values"),
            bodies_bytes: count("bodies_bytes"),
            requests: count("requests"),
            statement_bytes: count("statement_bytes"),
            statement_tokens: count("statement_tokens"),
            statement_nesting: count("statement_nesting"),
            connections: count("connections"),
            connections_per_address: Some(count("connections_per_address")).filter(|share| *share > 0),
            h2_streams: u32::try_from(section.number("h2_streams")).unwrap_or(u32::MAX),
            connect: seconds("connect_seconds"),
            answer: seconds("answer_seconds"),
            control_answer: seconds("control_answer_seconds"),
            drain: seconds("drain_seconds"),
            token_leeway: seconds("token_leeway_seconds"),
            key_refresh: seconds("key_refresh_seconds"),
            key_stale: seconds("key_stale_seconds"),
        }
    }

    /// Warns of limits that do not go together
    pub(super) fn advise(&self, section: &Section<'_>) {
        self.advise_on_token(section);
        if self.drain < self.answer {
            let what = format!(
                "a query may take {} seconds to its answer, and when the gate stops it is cut after {}",
                self.answer.as_secs(),
                self.drain.as_secs()
            );
            let instead =
                format!("write `drain_seconds = {}`, or fewer `answer_seconds`", self.answer.as_secs());
            section.warn("drain_seconds", what, instead);
        }
    }

    /// Warns where a head of the most bytes has no room for a token of the most bytes
    fn advise_on_token(&self, section: &Section<'_>) {
        let needed = self.token_bytes + REST_OF_A_HEAD;
        if needed > self.head_bytes {
            let what = format!(
                "a token of {} bytes does not fit into `head_bytes`, {}, with all else that a head holds",
                self.token_bytes, self.head_bytes
            );
            // base64 makes four bytes of three.
            let basic = self.token_bytes.div_ceil(3) * 4 + REST_OF_A_HEAD;
            let instead =
                format!("write `head_bytes = {needed}`, {basic} for HTTP Basic, or fewer `token_bytes`");
            section.warn("token_bytes", what, instead);
        }
    }

    /// Those of them that are about JSON
    pub fn json(&self) -> JsonLimits {
        JsonLimits { depth: self.json_depth, values: self.values }
    }

    /// Requests that there may be at one time
    pub fn requests(&self) -> Shares {
        Shares::of(self.requests, 1)
    }

    /// Bodies that there may be at one time, in bytes; one caller may always send one, with what it inflates to
    pub fn bodies(&self) -> Shares {
        Shares::of(self.bodies_bytes, 2 * self.body_bytes.max(self.task_body_bytes))
    }

    /// Those of them that are about statements
    pub fn sql(&self) -> SqlLimits {
        SqlLimits {
            statement_bytes: self.statement_bytes,
            statement_tokens: self.statement_tokens,
            statement_nesting: self.statement_nesting,
        }
    }
}
