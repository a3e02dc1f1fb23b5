//! Bodies that cost much: who sends them gets no more than his share, and nobody else waits for them
//!
//! A debug build is many times as slow where bodies are read, so its times are held to less; its memory is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use stand_in::{StandIn, StandInSettings};
use tokio::task::JoinSet;

use crate::gate::TestGate;
use crate::pipes::{Piped, SERVE, lives_within};
use crate::scripted::{Scripted, gzip};

const ENABLED: &str = "/druid/v2/sql/task/enabled";
const TASK: &str = "/druid/indexer/v1/task";
const MEMORY: u64 = 512 << 20;
const SOON: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });

async fn setup(tables: &str) -> (TestGate, Piped, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let mut gate = TestGate::start(&format!("http://{}", druid.address()), tables).await;
    let program = Piped::start(&mut gate, SERVE);
    (gate, program, druid)
}

/// The most memory that a program has had, in bytes
fn most_memory(program: &Piped) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.process.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// A task with so many members of this text in it, which nobody here may post
fn task(member: &str, times: usize) -> Vec<u8> {
    format!("{{\"context\":{{\"x\":[{}0]}},\"type\":\"index\"}}", member.repeat(times)).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_callers_with_bodies_that_cost_much_keep_nobody_else_waiting() {
    let (gate, mut program, _druid) = setup("").await;
    let bodies = [
        (gzip(&task("{\"a\":0},", 1 << 20)[..8 << 20]), "gzip"),
        (task("{\"a\":0},", (1 << 20) - 100), ""),
        (task("{\"a\":0},", 24_000), ""),
        (
            task(
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",",
                90_000,
            ),
            "",
        ),
    ];
    let (gate, bodies) = (Arc::new(gate), Arc::new(bodies));
    let mut bad = JoinSet::new();
    for caller in 0..4 {
        for _ in 0..3 {
            let (gate, bodies) = (Arc::clone(&gate), Arc::clone(&bodies));
            let token = gate.token(&format!("bad-{caller}"), &[]);
            bad.spawn(async move {
                let mut reasons = Vec::new();
                for (body, coding) in bodies.iter().cycle().take(8) {
                    let asked = gate.post(TASK, &json!({})).bearer(&token).body(body.clone());
                    let asked =
                        if coding.is_empty() { asked } else { asked.header("content-encoding", coding) };
                    reasons.push(asked.send().await.reason().unwrap());
                }
                reasons
            });
        }
    }
    let token = gate.token("good", &[]);
    let mut connection = gate.keep_alive().await;
    let mut times = Vec::new();
    while !bad.is_empty() && times.len() < 400 {
        let began = Instant::now();
        assert_eq!(connection.send(ENABLED, &token).await, StatusCode::OK);
        times.push(began.elapsed());
        if times.len() % 10 == 1 {
            lives_within(&gate, 2 * SOON).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        while let Some(reasons) = bad.try_join_next() {
            for reason in reasons.unwrap() {
                assert!(
                    ["too_large", "unsupported_task", "busy", "overloaded"].contains(&&*reason),
                    "{reason}"
                );
            }
        }
    }
    times.sort();
    let slowest = times[times.len() * 99 / 100];
    println!("{} answers, p99 {slowest:?}, {} MB", times.len(), most_memory(&program) >> 20);
    assert!(slowest < SOON, "{slowest:?} of {}", times.len());
    assert!(most_memory(&program) < MEMORY, "{} MB", most_memory(&program) >> 20);
    let page = gate.metrics().await;
    assert!(page.contains("msq_gate_limit_met_total{limit=\"values\"}"), "{page}");
    program.ends();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_of_large_bodies_stay_inside_their_budget_and_some_are_answered() {
    let (gate, mut program, _druid) = setup("").await;
    let token = gate.token("alice", &[]);
    let body = Bytes::from(task(&format!("\"{}\",", "x".repeat(1 << 20)), 7));
    let io = TokioIo::new(gate.connect(b"h2").await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for _ in 0..100 {
        let (mut sender, uri) = (sender.clone(), format!("https://{}{TASK}", gate.address));
        let request = Request::post(uri)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(body.clone()))
            .unwrap();
        streams.spawn(async move {
            sender.ready().await.unwrap();
            let answer = sender.send_request(request).await.unwrap();
            let (status, later) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
            answer.into_body().collect().await.unwrap();
            assert_eq!(later, status == 429, "{status}");
            status
        });
    }
    lives_within(&gate, 2 * SOON).await;
    let other = gate.post(TASK, &json!({"type": "noop"})).bearer(&gate.token("bob", &[])).send().await;
    assert_eq!(other.reason().as_deref(), Some("unsupported_task"), "there is room for others");
    let statuses = streams.join_all().await;
    let answered = statuses.iter().filter(|status| **status == 403).count();
    let busy = statuses.iter().filter(|status| **status == 429).count();
    println!("{answered} answered, {busy} busy, {} MB", most_memory(&program) >> 20);
    assert_eq!((answered + busy, answered > 0, busy > 0), (100, true, true), "{statuses:?}");
    assert!(most_memory(&program) < MEMORY, "{} MB", most_memory(&program) >> 20);
    let page = gate.metrics().await;
    assert!(page.contains("msq_gate_budget_used{budget=\"bodies_bytes\"} 0\n"), "all is given back: {page}");
    assert!(page.contains(&format!("msq_gate_limit_met_total{{limit=\"bodies_bytes\"}} {busy}\n")), "{page}");
    assert!(page.contains("msq_gate_budget{budget=\"bodies_bytes\"} 50331648\n"), "{page}");
    program.ends();
}

#[tokio::test]
async fn who_has_his_share_of_the_requests_is_told_to_wait_and_others_are_answered() {
    let druid = Scripted::start_held(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let gate = Arc::new(TestGate::start(&druid.url, "[limits]\nrequests = 4\n").await);
    let ask = |person: &'static str| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.get(ENABLED).bearer(&gate.token(person, &[])).send().await })
    };
    let first = ask("alice");
    druid.has_seen(1).await;
    let second = ask("alice").await.unwrap();
    assert_eq!((second.status.as_u16(), second.reason().as_deref()), (429, Some("busy")));
    assert!(second.header("retry-after").is_some());
    let other = ask("bob");
    druid.has_seen(2).await;
    assert_eq!(ask("carol").await.unwrap().status.as_u16(), 429, "their address has its share");
    let page = gate.metrics().await;
    assert!(page.contains("msq_gate_budget_used{budget=\"requests\"} 2\n"), "{page}");
    assert!(
        page.contains("msq_gate_budget_used{budget=\"connections\"} 2\n"),
        "each of both over one: {page}"
    );
    assert!(page.contains("msq_gate_budget{budget=\"judgements_bytes\"} 33554432\n"), "{page}");
    druid.release();
    assert_eq!((first.await.unwrap().status, other.await.unwrap().status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(ask("alice").await.unwrap().status, StatusCode::OK);
    assert!(gate.metrics().await.contains("msq_gate_limit_met_total{limit=\"requests\"} 2\n"));
}
