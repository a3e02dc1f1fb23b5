//! The catalogue of hostile requests (`shared/corpus/hostile-http.jsonl`), replayed against the whole gate
//!
//! - `catalogue`: the rows as they are written
//! - `expand`: their macros
//! - `scene`: a gate, a stand-in, Alice and two tasks
//! - `wire`: bytes over TLS and back
//! - `frames`: HTTP/2 frames and back
//! - `judge`: what is a breach and what a miss
//! - `lists`: rows about which there is something to say
//!
//! Rows made of handshakes, loads and controls need other tools and are not run here.

mod catalogue;
mod expand;
mod frames;
mod judge;
mod lists;
mod scene;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use catalogue::{Request, Row};
use expand::{Step, expanded, steps};
use judge::{Outcome, USER_AGENT, Verdict, judge, judge_frames};
use lists::{DIFFERENCES, KNOWN_MISSES, NOT_RUN};
use scene::{Scene, Setting};
use wire::{Exchange, Until, converse};

use crate::recipe::Recipe;

const GROUPS: [&str; 12] = [
    "paths",
    "json",
    "content-type",
    "methods",
    "headers",
    "http1-framing",
    "http2",
    "task-ids",
    "sql",
    "tokens",
    "leaks",
    "clock",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_hostile_request_gets_what_it_deserves_and_druid_sees_none_of_it() {
    let Some(rows) = catalogue::rows() else { return };
    let groups = GROUPS.map(|group| {
        let rows: Vec<_> = rows.iter().filter(|row| row.group == group).cloned().collect();
        (group, tokio::spawn(replay(rows)))
    });
    let mut reports = Vec::new();
    for (group, report) in groups {
        reports.push((group, report.await.unwrap()));
    }
    print(&reports);
    let breaches: Vec<_> = reports.iter().flat_map(|(_, report)| &report.breaches).collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
    let missed: BTreeSet<_> =
        reports.iter().flat_map(|(_, report)| report.misses.keys().map(String::as_str)).collect();
    let known: BTreeSet<_> = KNOWN_MISSES.iter().map(|(id, _)| *id).collect();
    assert_eq!(missed, known, "the list of known misses says which and why; it only shrinks");
}

/// What came of a group
#[derive(Debug, Default)]
struct Report {
    rows: usize,
    run: usize,
    misses: BTreeMap<String, Vec<String>>,
    breaches: Vec<String>,
    skipped: BTreeMap<&'static str, Vec<String>>,
    unchecked: BTreeMap<String, usize>,
    beyond_the_stand_in: Vec<String>,
    unsigned: Vec<String>,
}

impl Report {
    fn add(&mut self, row: &Row, verdict: Verdict) {
        let about = |fault: String| format!("{} ({}): {fault}", row.id, row.what);
        self.run += 1;
        self.breaches.extend(verdict.breaches.into_iter().map(about));
        if !verdict.misses.is_empty() {
            self.misses.entry(row.id.clone()).or_default().extend(verdict.misses);
        }
        for assert in verdict.unchecked {
            *self.unchecked.entry(assert).or_default() += 1;
        }
        if verdict.beyond_the_stand_in {
            self.beyond_the_stand_in.push(row.id.clone());
        }
        if verdict.unsigned {
            self.unsigned.push(row.id.clone());
        }
    }
}

fn print(reports: &[(&str, Report)]) {
    println!(
        "{:<14} {:>5} {:>5} {:>6} {:>6} {:>8} {:>7}",
        "group", "rows", "run", "passed", "missed", "breaches", "skipped"
    );
    for (group, report) in reports {
        let skipped = report.rows - report.run;
        let (missed, breached) = (report.misses.len(), report.breaches.len());
        println!(
            "{group:<14} {:>5} {:>5} {:>6} {missed:>6} {breached:>8} {skipped:>7}",
            report.rows,
            report.run,
            report.run - missed,
        );
    }
    for difference in DIFFERENCES {
        println!("interface.md is right: {}: {}", difference.id, difference.why);
    }
    for (group, report) in reports {
        for (id, misses) in &report.misses {
            println!("missed: {group} {id}: {misses:?}");
        }
        for breach in &report.breaches {
            println!("BREACH: {group} {breach}");
        }
        for (why, ids) in &report.skipped {
            println!("skipped: {group}: {ids:?}: {why}");
        }
        if !report.unchecked.is_empty() {
            println!("not checked: {group}: {:?}", report.unchecked);
        }
        if !report.beyond_the_stand_in.is_empty() {
            println!(
                "let through, and more than the stand-in can run: {group}: {:?}",
                report.beyond_the_stand_in
            );
        }
        if !report.unsigned.is_empty() {
            println!(
                "answered by hyper itself, without a body: {group}: {} {:?}",
                report.unsigned.len(),
                report.unsigned
            );
        }
    }
}

/// Runs the rows of a group, one after another, so that what the stand-in sees is the row's
async fn replay(rows: Vec<Row>) -> Report {
    let mut report = Report { rows: rows.len(), ..Report::default() };
    let mut scenes: Vec<Scene> = Vec::new();
    let mut tokens = Vec::new();
    for row in &rows {
        if let Some(why) = why_not_run(row) {
            report.skipped.entry(why).or_default().push(row.id.clone());
            continue;
        }
        let setting = setting(row);
        if !scenes.iter().any(|scene| scene.setting == setting) {
            scenes.push(Scene::start(setting).await);
        }
        let scene = scenes.iter().find(|scene| scene.setting == setting).unwrap();
        let token = Recipe::new(&token_recipe(row), scene.here).token();
        let verdict = run(row, scene, &token).await;
        report.add(row, verdict);
        tokens.push((row.id.clone(), token));
    }
    for scene in &scenes {
        tokens.push(("Alice".to_owned(), scene.alice()));
        report.breaches.extend(log_faults(scene, &tokens));
    }
    report
}

fn why_not_run(row: &Row) -> Option<&'static str> {
    if let Some((_, why)) = NOT_RUN.iter().find(|(id, _)| *id == row.id) {
        return Some(why);
    }
    // The one control that is a token's: an issuer whose clock is ahead.
    (matches!(row.request, Request::Other) && row.id != "ck-drift-61").then_some("needs another tool")
}

fn setting(row: &Row) -> Setting {
    match row.id.as_str() {
        "tk-perm-dotted" => Setting::DottedRolesClaim,
        "lk-error-chain" => Setting::WithoutDruid,
        _ if row.asserts("indistinguishable_from_other") => Setting::CodeOnly,
        _ => Setting::Usual,
    }
}

fn token_recipe(row: &Row) -> Value {
    if row.id == "ck-drift-61" {
        return json!({"claims": {"set": {"nbf": "{{NOW+61}}"}}});
    }
    if row.token["sequence"].is_array() {
        return json!({"payload_b64": "tamper_sub_admin"});
    }
    row.token.clone()
}

async fn run(row: &Row, scene: &Scene, token: &str) -> Verdict {
    let values = scene.values_with(token.to_owned());
    let steps = match &row.request {
        Request::Raw(text) => steps(text, &values),
        Request::Ordinary { method, path, fields, body } => ordinary(method, path, fields, body, &values),
        Request::Frames(frames) => return run_frames(row, scene, frames, &values).await,
        Request::Other => {
            let fields = [("Authorization", "Bearer {{TOKEN}}"), ("Content-Type", "application/json")];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            ordinary("POST", "/druid/v2/sql/task", &fields, r#"{"query":"{{SQL_OK}}"}"#, &values)
        }
    };
    if row.token["sequence"].is_array() {
        assert!(is_well(scene).await, "the good token of the sequence");
    }
    scene.druid.clear_requests();
    let mut exchange = Exchange::default();
    for _ in 0..row.token["repeat"].as_u64().unwrap_or(1) {
        exchange = converse(scene.gate.connect(b"http/1.1").await, &steps, until(row, &steps)).await;
    }
    let seen = scene.druid.requests();
    let sent = steps.iter().map(|step| match step {
        Step::Send(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Step::Pace(_) | Step::HalfClose | Step::Reset | Step::WaitForClose => String::new(),
    });
    let sent: String = sent.collect();
    let mut verdict = judge(&Outcome { row, scene, exchange: &exchange, sent: &sent, seen: &seen });
    if row.asserts("indistinguishable_from_other") {
        verdict.misses.extend(told_apart(scene, &exchange, &values).await);
    }
    if !is_well(scene).await {
        verdict.breaches.push("a good request on a new connection fails".to_owned());
    }
    verdict
}

async fn run_frames(row: &Row, scene: &Scene, frames: &[Value], values: &[(&str, String)]) -> Verdict {
    scene.druid.clear_requests();
    let parts = frames::parts(frames, values, row.upstream_sees == "first_only");
    let outcomes = frames::converse(scene.gate.connect(b"h2").await, &parts).await;
    let (seen, exchange) = (scene.druid.requests(), Exchange::default());
    let mut verdict =
        judge_frames(&Outcome { row, scene, exchange: &exchange, sent: "", seen: &seen }, &outcomes);
    if !is_well(scene).await {
        verdict.breaches.push("a good request on a new connection fails".to_owned());
    }
    verdict
}

fn until(row: &Row, steps: &[Step]) -> Until {
    let waits = row.asserts("conn_closed") || steps.contains(&Step::WaitForClose);
    match waits {
        true => Until::Closed,
        false if row.asserts.iter().any(|assert| assert.starts_with("second_status")) => Until::Replies(2),
        false => Until::Replies(1),
    }
}

/// One ordinary request; `Host`, `Content-Length` and who sends it are added
fn ordinary(
    method: &str,
    path: &str,
    fields: &[(String, String)],
    body: &str,
    values: &[(&str, String)],
) -> Vec<Step> {
    let body = expanded(body, values);
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {{{{HOST}}}}\r\nUser-Agent: {USER_AGENT}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    vec![Step::Send([expanded(&head, values), body].concat())]
}

/// With `refusal_detail = "code"` an unknown task and another's get the same answer
async fn told_apart(scene: &Scene, unknown: &Exchange, values: &[(&str, String)]) -> Option<String> {
    let fields = [("Authorization".to_owned(), "Bearer {{TOKEN_ALICE}}".to_owned())];
    let steps = ordinary("GET", "/druid/indexer/v1/task/{{TASK_ID_OTHER}}/status", &fields, "", values);
    let others = converse(scene.gate.connect(b"http/1.1").await, &steps, Until::Replies(1)).await;
    let (unknown, others) = (shape(unknown), shape(&others));
    (unknown != others).then(|| format!("{unknown:?} is not {others:?}"))
}

/// An answer without what is each answer's own
fn shape(exchange: &Exchange) -> (u16, Value, Vec<String>) {
    let reply = &exchange.replies[0];
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["context"]["decision"].take();
    body["receipt"]["decision"].take();
    (reply.status, body, reply.fields.iter().map(|(name, _)| name.clone()).collect())
}

/// A good request on a new connection succeeds
async fn is_well(scene: &Scene) -> bool {
    let path = match scene.setting {
        Setting::WithoutDruid => return true,
        Setting::Usual | Setting::CodeOnly | Setting::DottedRolesClaim => "/druid/v2/sql/task/enabled",
    };
    let values = scene.values_with(String::new());
    let fields = [("Authorization".to_owned(), "Bearer {{TOKEN_ALICE}}".to_owned())];
    let steps = ordinary("GET", path, &fields, "", &values);
    converse(scene.gate.connect(b"http/1.1").await, &steps, Until::Replies(1)).await.status() == 200
}

/// What is wrong with the record of a whole scene: lines that are no JSON object, and tokens in it
fn log_faults(scene: &Scene, tokens: &[(String, String)]) -> Vec<String> {
    let text = std::fs::read_to_string(scene.gate.path("audit.jsonl")).unwrap_or_default();
    let is_object = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object());
    let bent = text.lines().filter(|line| !is_object(line) || line.chars().any(char::is_control));
    let mut faults: Vec<_> = bent.map(|line| format!("a line of the record is bent: {line}")).collect();
    for (id, token) in tokens {
        // The part that makes it a token; a few letters may stand anywhere.
        let secret = token.rsplit('.').next().unwrap_or_default();
        if secret.len() >= 16 && text.contains(secret) {
            faults.push(format!("{id}: the token stands in the record"));
        }
    }
    faults
}
