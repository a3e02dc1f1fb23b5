//! Every limit, with its one key and its one default

use std::time::Duration;

use super::section::{Findings, Section};
use crate::resource_actions::sql::SqlLimits;

/// `[limits]`; each is documented beside its key in [`keys`](super::keys)
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described once, in the table of keys")]
pub struct Limits {
    pub handshake: Duration,
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub head_bytes: usize,
    pub head_fields: usize,
    pub target_bytes: usize,
    pub token_bytes: usize,
    pub body_bytes: usize,
    pub task_body_bytes: usize,
    pub json_depth: usize,
    pub statement_bytes: usize,
    pub statement_tokens: usize,
    pub statement_nesting: usize,
    pub connections: usize,
    pub h2_streams: u32,
    pub connect: Duration,
    pub answer: Duration,
    pub control_answer: Duration,
    pub drain: Duration,
    pub token_leeway: Duration,
    pub key_refresh: Duration,
    pub key_stale: Duration,
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
const GIB: u64 = 1 << 30;
/// What a head holds besides its token: a target, a host, a few fields
const REST_OF_A_HEAD: usize = 2_048;

impl Limits {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Self {
        let mut seconds =
            |key, default, most| Duration::from_secs(section.number(key, default, 1..=most, findings));
        let handshake = seconds("handshake_seconds", 5, 10 * MINUTE);
        let head = seconds("head_seconds", 10, 10 * MINUTE);
        let body = seconds("body_seconds", 30, DAY);
        let idle = seconds("idle_seconds", 60, DAY);
        let connect = seconds("connect_seconds", 2, 10 * MINUTE);
        let answer = seconds("answer_seconds", 600, DAY);
        let control_answer = seconds("control_answer_seconds", 60, DAY);
        let key_refresh = seconds("key_refresh_seconds", 900, DAY);
        let key_stale = seconds("key_stale_seconds", DAY, 30 * DAY);
        let drain = Duration::from_secs(section.number("drain_seconds", 30, 0..=DAY, findings));
        let token_leeway = Duration::from_secs(section.number("token_leeway_seconds", 30, 0..=120, findings));
        let h2_streams = section.number("h2_streams", 100, 1..=10_000, findings);
        let mut count = |key, default, least, most| {
            usize::try_from(section.number(key, default, least..=most, findings)).unwrap_or(usize::MAX)
        };
        Self {
            handshake,
            head,
            body,
            idle,
            connect,
            answer,
            control_answer,
            drain,
            token_leeway,
            key_refresh,
            key_stale,
            h2_streams: u32::try_from(h2_streams).unwrap_or(u32::MAX),
            // hyper's buffer is no smaller than 8 KiB.
            head_bytes: count("head_bytes", 16_384, 8_192, 1 << 20),
            head_fields: count("head_fields", 100, 10, 1_000),
            target_bytes: count("target_bytes", 4_096, 128, 1 << 16),
            token_bytes: count("token_bytes", 12_288, 256, 1 << 16),
            body_bytes: count("body_bytes", 1_048_576, 64, GIB),
            task_body_bytes: count("task_body_bytes", 8_388_608, 64, GIB),
            json_depth: count("json_depth", 64, 4, 100),
            statement_bytes: count("statement_bytes", 262_144, 16, 16 << 20),
            statement_tokens: count("statement_tokens", 50_000, 16, 50_000),
            statement_nesting: count("statement_nesting", 100, 4, 100),
            connections: count("connections", 10_000, 1, 1_000_000),
        }
    }

    /// Warns where a head of the most bytes has no room for a token of the most bytes
    pub(super) fn advise(&self, section: &Section<'_>, findings: &mut Findings<'_>) {
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
            findings.warn(section.offset_of("token_bytes"), &section.path("token_bytes"), what, instead);
        }
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
