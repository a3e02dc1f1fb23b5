//! Whether what came of a row is what the catalogue asks for
//!
//! A breach is a request that Druid saw and should not have seen, or not like that, and whatever puts other
//! callers in danger; a miss is any other difference.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use msq_gate::druid::Endpoint;
use serde_json::Value;
use stand_in::SeenRequest;

use super::catalogue::{Request, Row};
use super::lists::{DIFFERENCES, Difference};
use super::scene::{SQL_DENIED, Scene, Setting};
use super::wire::{Exchange, Reply};
use crate::recipe::ISSUER;

/// What an ordinary request says it comes from, so that it can be told from the gate's own look-ups
pub(super) const USER_AGENT: &str = "hostile-replayer";

/// What is wrong, and what could not be looked at
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) misses: Vec<String>,
    pub(super) breaches: Vec<String>,
    pub(super) unchecked: BTreeSet<String>,
    /// The gate let it through, and the stand-in cannot run it
    pub(super) beyond_the_stand_in: bool,
    /// The answer is hyper's own: no body, no decision
    pub(super) unsigned: bool,
}

/// What came of a row
pub(super) struct Outcome<'a> {
    pub(super) row: &'a Row,
    pub(super) scene: &'a Scene,
    pub(super) exchange: &'a Exchange,
    /// What was sent, as far as it is text
    pub(super) sent: &'a str,
    /// Every request that the stand-in saw meanwhile
    pub(super) seen: &'a [SeenRequest],
}

/// Judges it
pub(super) fn judge(outcome: &Outcome<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let forwarded: Vec<_> = outcome.seen.iter().filter(|seen| !outcome.is_look_up(seen)).collect();
    let status = outcome.status(&forwarded, &mut verdict);
    let difference = DIFFERENCES.iter().find(|difference| difference.id == outcome.row.id);
    let statuses = difference.map_or(&outcome.row.statuses[..], |difference| difference.statuses);
    if !statuses.contains(&status) {
        let reason = outcome.reason().unwrap_or_default();
        verdict.misses.push(format!("status {status} {reason}, not {statuses:?}"));
    }
    let expected =
        difference.map_or(outcome.row.upstream_sees.as_str(), |difference| difference.upstream_sees);
    outcome.judge_count(expected, status, &forwarded, &mut verdict);
    for seen in forwarded {
        verdict.breaches.extend(outcome.faults(seen));
        verdict.breaches.extend(difference.and_then(|difference| other_statement(seen, difference)));
    }
    outcome.judge_look_ups(&mut verdict);
    outcome.judge_every_answer(&mut verdict);
    for assert in &outcome.row.asserts {
        outcome.judge_assert(assert, &mut verdict);
    }
    verdict
}

/// Judges what came of frames: at least one of the outcomes is asked for, and Druid saw what it may
pub(super) fn judge_frames(outcome: &Outcome<'_>, outcomes: &BTreeSet<String>) -> Verdict {
    let mut verdict = Verdict::default();
    if !outcome.row.outcomes.iter().any(|wanted| outcomes.contains(wanted)) {
        verdict.misses.push(format!("{outcomes:?}, not {:?}", outcome.row.outcomes));
    }
    let forwarded: Vec<_> = outcome.seen.iter().collect();
    let is_success = outcomes.contains("200") || outcomes.contains("202");
    let status = if is_success { 200 } else { 0 };
    outcome.judge_count(&outcome.row.upstream_sees, status, &forwarded, &mut verdict);
    for seen in forwarded {
        verdict.breaches.extend(outcome.faults(seen));
    }
    outcome.judge_every_answer(&mut verdict);
    for assert in &outcome.row.asserts {
        outcome.judge_assert(assert, &mut verdict);
    }
    verdict
}

impl Outcome<'_> {
    fn reply(&self) -> Option<&Reply> {
        self.exchange.replies.first()
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.reply()?.body).ok()
    }

    fn reason(&self) -> Option<String> {
        Some(self.json()?["context"]["reason"].as_str()?.to_owned())
    }

    /// The status; where the gate let a statement through that the stand-in cannot run, that it did so counts
    fn status(&self, forwarded: &[&SeenRequest], verdict: &mut Verdict) -> u16 {
        let status = self.exchange.status();
        let is_druids =
            self.json().is_some_and(|body| body["state"] == "FAILED" && body["taskId"].is_string());
        if self.row.group == "sql" && status == 400 && is_druids && forwarded.len() == 1 {
            verdict.beyond_the_stand_in = true;
            return 202;
        }
        status
    }

    /// The gate's own questions: about the id of the path, by its own hand
    fn is_look_up(&self, seen: &SeenRequest) -> bool {
        let of_a_task = seen.target.starts_with("/druid/indexer/v1/task/");
        of_a_task
            && seen.method == Method::GET
            && seen.headers.get("user-agent").is_none_or(|by| by != USER_AGENT)
    }

    fn judge_count(
        &self,
        upstream_sees: &str,
        status: u16,
        forwarded: &[&SeenRequest],
        verdict: &mut Verdict,
    ) {
        let count = forwarded.len();
        let is_success = (200..300).contains(&status);
        let repeated = self.row.token["repeat"].as_u64().unwrap_or(1);
        let expected = match upstream_sees {
            "nothing" => 0..=0,
            "normalized" | "first_only" => 1..=1,
            "normalized_or_nothing" if is_success => 1..=1,
            "normalized_or_nothing" => 0..=0,
            // Or nothing, where the gate closed after the first.
            "second_only" => 0..=1,
            // No more than may be open at a time.
            "bounded" => 0..=100,
            "each_once" => usize::try_from(repeated).map_or(0..=0, |times| times..=times),
            other => panic!("{}: upstream sees {other}", self.row.id),
        };
        if !expected.contains(&count) {
            let targets: Vec<_> =
                forwarded.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
            let fault = format!("Druid saw {count} requests, not {expected:?}: {targets:?}");
            // Too little reached Druid: nobody is in danger.
            if count < *expected.start() { verdict.misses.push(fault) } else { verdict.breaches.push(fault) }
        }
    }

    /// What is wrong with a request as Druid saw it
    fn faults(&self, seen: &SeenRequest) -> Vec<String> {
        let mut faults = Vec::new();
        if !is_canonical(seen) {
            faults.push(format!("{} {} is no row of the table", seen.method, seen.target));
        }
        for name in seen.headers.keys().map(http::HeaderName::as_str) {
            let may_cross = [
                "host",
                "content-length",
                "content-type",
                "via",
                "accept",
                "accept-encoding",
                "user-agent",
                "traceparent",
            ];
            if !may_cross.contains(&name) {
                faults.push(format!("the field {name} crossed"));
            }
        }
        let values = |name: &str| {
            seen.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>()
        };
        if values("host") != [self.scene.druid.address().to_string()] {
            faults.push(format!("Host is {:?}", values("host")));
        }
        let length = seen.body.len().to_string();
        if seen.method == Method::POST && values("content-length") != [length] {
            faults.push(format!("Content-Length is {:?}", values("content-length")));
        }
        if seen.target.starts_with("/druid/v2/sql") && seen.method == Method::POST {
            faults.extend(self.statement_faults(&seen.body));
        }
        faults
    }

    /// The body of a statement: one JSON object, with its owner in it, and nothing Alice may not run
    fn statement_faults(&self, body: &[u8]) -> Vec<String> {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return vec!["the body is no JSON".to_owned()];
        };
        let mut faults = Vec::new();
        if body["query"] == SQL_DENIED {
            faults.push("a statement that Alice may not run".to_owned());
        }
        if body["context"]["msqGateOwner"] != format!("{ISSUER}|alice") {
            faults.push(format!("the owner is {}", body["context"]["msqGateOwner"]));
        }
        faults
    }

    fn judge_look_ups(&self, verdict: &mut Verdict) {
        for seen in self.seen.iter().filter(|seen| self.is_look_up(seen)) {
            let Some(id) = seen.target.split('/').nth(5) else { continue };
            let Request::Ordinary { path, .. } = &self.row.request else {
                verdict.breaches.push(format!("a look-up of {id} that nobody caused"));
                continue;
            };
            let asked = path.split('/').nth(5).unwrap_or_default();
            if asked.contains("..") || asked.contains(';') {
                verdict.breaches.push(format!("a look-up of {id} for a path with two readings"));
            }
        }
    }

    /// What holds for every answer of the gate's
    fn judge_every_answer(&self, verdict: &mut Verdict) {
        for reply in &self.exchange.replies {
            if reply.value("x-msq-gate-decision").is_none() {
                // hyper refused what it could not read: no body to misread, and the connection ends.
                let is_bare = reply.body.is_empty() && matches!(reply.status, 400 | 414 | 431);
                verdict.unsigned = true;
                if !is_bare {
                    verdict.misses.push(format!("{} without a decision", reply.status));
                }
            }
            if reply.value("set-cookie").is_some() || reply.value("location").is_some() {
                verdict.breaches.push("a cookie or a redirect".to_owned());
            }
            let is_gates = reply.body.windows(9).any(|window| window == b"\"receipt\"");
            if reply.status >= 500 && is_gates && self.scene.setting != Setting::WithoutDruid {
                verdict.misses.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
            }
        }
        let smuggled = format!("smuggled-{}", self.scene.nonce);
        if self.seen.iter().any(|seen| seen.target.contains(&smuggled)) {
            verdict.breaches.push("a smuggled request".to_owned());
        }
    }

    fn judge_assert(&self, assert: &str, verdict: &mut Verdict) {
        let holds = match assert {
            "conn_closed" => self.exchange.closed,
            "no_100" | "no_101" => self.exchange.interim.is_empty(),
            "second_status_401" => self.exchange.replies.get(1).is_some_and(|reply| reply.status == 401),
            "second_status_2xx_or_closed" => {
                self.exchange.replies.get(1).is_none_or(|reply| (200..300).contains(&reply.status))
            }
            "within_header_timeout" | "within_body_timeout" => self.exchange.took < Duration::from_secs(8),
            "error_shape" => self.reply().is_some_and(|reply| self.has_error_shape(reply)),
            "no_store" => self.reply().is_some_and(|reply| reply.value("cache-control") == Some("no-store")),
            "www_authenticate" => {
                self.reply().is_some_and(|reply| {
                    reply.values("www-authenticate").any(|challenge| challenge.starts_with("Bearer "))
                }) && self.json().is_some()
            }
            "no_acao" => {
                self.reply().is_some_and(|reply| reply.value("access-control-allow-origin").is_none())
            }
            "no_internal_host_leak" => !self.tells("127.0.0.1") && !self.tells("refused"),
            "no_other_ids_in_response" => !self.tells(&self.scene.others_task),
            "no_outbound" => !self.scene.trap_was_sprung(),
            "body_bytes_or_values_unchanged" => self.has_kept_its_numbers(),
            // Part of what is checked of every row: of a request that crossed, of every answer, of the group.
            "no_smuggled"
            | "canonical_forward"
            | "no_hop_by_hop"
            | "no_client_identity_headers"
            | "no_set_cookie"
            | "token_not_logged"
            | "log_clean"
            | "process_alive"
            | "no_panic"
            | "indistinguishable_from_other" => true,
            other => {
                verdict.unchecked.insert(other.to_owned());
                true
            }
        };
        if !holds {
            verdict.misses.push(format!("{assert} does not hold"));
        }
    }

    fn has_error_shape(&self, reply: &Reply) -> bool {
        let body = self.json().unwrap_or_default();
        reply.value("content-type") == Some("application/json")
            && (body["error"] == "druidException" || body["error"]["error"] == "druidException")
            && body["context"]["decision"].as_str() == reply.value("x-msq-gate-decision")
            && body["receipt"]["decision"] == body["context"]["decision"]
            && body["context"]["reason"].is_string()
            && !self.tells(&self.scene.druid.address().to_string())
    }

    fn tells(&self, text: &str) -> bool {
        self.reply().is_some_and(|reply| String::from_utf8_lossy(&reply.body).contains(text))
    }

    /// A number of the context is written as it came
    fn has_kept_its_numbers(&self) -> bool {
        let number = |text: &str| Some(text.split_once("\"x\":")?.1.split('}').next()?.to_owned());
        let crossed = self.seen.first().map(|seen| String::from_utf8_lossy(&seen.body).into_owned());
        let crossed = crossed.and_then(|text| number(&text)?.split(',').next().map(str::to_owned));
        crossed.is_none() || crossed == number(self.sent)
    }
}

/// What is forwarded in place of the statement that has to be
fn other_statement(seen: &SeenRequest, difference: &Difference) -> Option<String> {
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let statement = difference.statement.filter(|statement| body["query"] != *statement)?;
    Some(format!("{} is forwarded, not {statement:?}", body["query"]))
}

/// Whether method and path are a row of the gate's table, the path without anything a second reader could
/// take otherwise
fn is_canonical(seen: &SeenRequest) -> bool {
    let path = seen.target.split_once('?').map_or(seen.target.as_str(), |(path, _)| path);
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && !segment.trim_matches('.').is_empty()
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
    };
    let segments: Vec<_> = path.split('/').skip(1).collect();
    Endpoint::all().filter(|route| route.method.word() == seen.method.as_str()).any(|route| {
        let words: Vec<_> = route.asked_by.unwrap_or(route.path).split('/').skip(1).collect();
        let fits =
            |(word, segment): (&&str, &&str)| word == segment || (word.starts_with('{') && is_plain(segment));
        words.len() == segments.len() && words.iter().zip(&segments).all(fits)
    })
}
