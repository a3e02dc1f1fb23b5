//! What reaches Druid: what was judged, with the gate's own sign-in, once

use std::io::Write;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stand_in::{SeenRequest, StandIn, StandInSettings};

use crate::gate::{Speaks, TestGate};
use crate::scripted::{Breaks, Script, Scripted, ok};

const TASK: &str = "/druid/v2/sql/task";

async fn setup() -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), "").await, druid)
}

fn only(druid: &StandIn) -> SeenRequest {
    let requests = druid.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_plain_statement_crosses_byte_for_byte_with_its_owner_in_the_context() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (gate, druid) = setup().await;
        let statement = "SELECT  'it''s'\r\n\tAS \"x y\"";
        let body = json!({"query": statement, "context": {"timeout": 1000}, "header": true, "unknown": 1});
        let answer = gate.post(TASK, &body).bearer(&gate.token("alice", &[])).over(speaks).send().await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let seen = only(&druid);
        assert_eq!((seen.method, seen.target.as_str()), (Method::POST, TASK));
        assert_eq!(
            serde_json::from_slice::<Value>(&seen.body).unwrap(),
            json!({"query": statement, "header": true, "context": {"timeout": 1000, "msqGateOwner": "https://id.test|alice"}})
        );
    }
}

#[tokio::test]
async fn a_statement_with_comments_crosses_without_them() {
    let (gate, druid) = setup().await;
    let body = json!({"query": "SELECT 1 -- , (SELECT MAX(x) FROM secret)\r AS y /* more */"});
    let answer = gate.post(TASK, &body).bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let sent = serde_json::from_slice::<Value>(&only(&druid).body).unwrap();
    let sent = sent["query"].as_str().unwrap();
    assert!(!sent.contains("--") && !sent.contains("/*") && !sent.contains("secret"), "{sent}");
}

#[tokio::test]
async fn the_clients_credentials_stay_and_the_gates_own_are_added_last() {
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "s3cret\n").unwrap();
    let sign_in = ("gate".to_owned(), "s3cret".to_owned());
    let druid = StandIn::start(StandInSettings { sign_in: Some(sign_in), ..StandInSettings::default() })
        .await
        .unwrap();
    let account = format!("username = \"gate\"\npassword_file = \"{}\"", password.path().display());
    let gate = TestGate::start(&format!("http://{}", druid.address()), &account).await;
    let asking = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[]));
    let answer = asking
        .header("cookie", "hadoop.auth=x")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-druid-author", "root")
        .header("connection", "authorization, keep-alive")
        .header("user-agent", "curl/8")
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let seen = only(&druid);
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "host", "user-agent", "via"]);
    assert_eq!(seen.headers["authorization"], "Basic Z2F0ZTpzM2NyZXQ=");
    assert_eq!(seen.headers["host"], druid.address().to_string());
}

#[tokio::test]
async fn a_refused_sign_in_is_the_gates_fault_not_the_callers() {
    let sign_in = ("gate".to_owned(), "other".to_owned());
    let druid = StandIn::start(StandInSettings { sign_in: Some(sign_in), ..StandInSettings::default() })
        .await
        .unwrap();
    let gate = TestGate::start(&format!("http://{}", druid.address()), "").await;
    let answer = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::BAD_GATEWAY, Some("upstream_broken"))
    );
}

#[tokio::test]
async fn a_gzip_body_is_judged_and_sent_inflated() {
    let (gate, druid) = setup().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(br#"{"query":"SELECT 1"}"#).unwrap();
    let asking = gate.request(Method::POST, TASK).header("content-type", "application/json");
    let asking = asking.header("content-encoding", "gzip").body(encoder.finish().unwrap());
    let answer = asking.bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let seen = only(&druid);
    assert!(seen.headers.get("content-encoding").is_none());
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap()["query"], "SELECT 1");
}

#[tokio::test]
async fn ids_and_query_parameters_are_written_anew() {
    let (gate, druid) = setup().await;
    let body = json!({"query": "SELECT 1", "context": {"sqlQueryId": "a b+c", "executionMode": "ASYNC"}});
    let alice = gate.token("alice", &[]);
    let answer = gate.post("/druid/v2/sql/statements", &body).bearer(&alice).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    druid.clear_requests();
    let target =
        "/druid/v2/sql/statements/query%2Da%20b%2Bc/results/?page=0&_method=DELETE&resultFormat=array";
    let answer = gate.get(target).bearer(&alice).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let targets: Vec<_> = druid.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(
        targets,
        [
            "/druid/indexer/v1/task/query-a%20b%2Bc",
            "/druid/v2/sql/statements/query-a%20b%2Bc/results?page=0&resultFormat=array",
        ]
    );
}

#[tokio::test]
async fn a_post_is_never_sent_twice_however_its_answer_fails() {
    for script in [
        Script::Reset,
        Script::AnswerAndClose(Vec::new()),
        Script::AnswerAndClose(b"HTTP/1.1 200 OK\r\nConte".to_vec()),
    ] {
        let druid = Scripted::start(script.clone()).await;
        let gate = TestGate::start(&druid.url, "").await;
        let answer =
            gate.post(TASK, &json!({"query": "SELECT 1"})).bearer(&gate.token("alice", &[])).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_GATEWAY, Some("upstream_broken")),
            "{script:?}"
        );
        assert_eq!(druid.seen().len(), 1, "{script:?}");
    }
}

#[tokio::test]
async fn a_get_is_asked_again_where_a_kept_connection_breaks_and_a_post_is_not() {
    for breaks in [Breaks::Ends, Breaks::IsReset] {
        let druid = Scripted::start(Script::AnswerOnce(ok("{}"), breaks)).await;
        let gate = TestGate::start(&druid.url, "").await;
        let token = gate.token("alice", &[]);
        for seen in [1, 3] {
            let answer = gate.get("/druid/v2/sql/task/enabled").bearer(&token).send().await;
            assert_eq!((answer.status, druid.seen().len()), (StatusCode::OK, seen), "{breaks:?}");
        }
        gate.lives().await;

        let druid = Scripted::start(Script::AnswerOnce(ok("{}"), breaks)).await;
        let gate = TestGate::start(&druid.url, "").await;
        let token = gate.token("alice", &[]);
        assert_eq!(gate.get("/druid/v2/sql/task/enabled").bearer(&token).send().await.status, StatusCode::OK);
        let answer = gate.post(TASK, &json!({"query": "SELECT 1"})).bearer(&token).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref(), druid.seen().len()),
            (StatusCode::BAD_GATEWAY, Some("upstream_broken"), 2),
            "{breaks:?}"
        );
        gate.obeys().await;
    }
}

#[tokio::test]
async fn connections_to_druid_are_used_again() {
    let druid = Scripted::start(Script::Answer(ok("{}"))).await;
    let gate = TestGate::start(&druid.url, "").await;
    let token = gate.token("alice", &[]);
    for _ in 0..5 {
        assert_eq!(gate.get("/druid/v2/sql/task/enabled").bearer(&token).send().await.status, StatusCode::OK);
    }
    assert_eq!(druid.seen().len(), 5);
    assert_eq!(*druid.ended.borrow(), 0, "no connection has ended");
}

async fn nobody_there() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn of_several_routers_the_one_that_answers_is_used_and_a_post_goes_to_one_only() {
    let (first, second) =
        (Scripted::start(Script::Answer(ok("{}"))).await, Scripted::start(Script::Answer(ok("{}"))).await);
    let list = [&nobody_there().await, &first.url, &second.url].map(|url| format!("\"{url}\"")).join(", ");
    let gate = TestGate::start_before(&format!("[{list}]"), "").await;
    let token = gate.token("alice", &[]);
    for _ in 0..5 {
        let answer = gate.post(TASK, &json!({"query": "SELECT 1"})).bearer(&token).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    assert_eq!((first.seen().len(), second.seen().len()), (5, 0));

    // One that takes the request and fails is not replaced by another: the statement may be running.
    let (resets, other) =
        (Scripted::start(Script::Reset).await, Scripted::start(Script::Answer(ok("{}"))).await);
    let gate = TestGate::start_before(&format!("[\"{}\", \"{}\"]", resets.url, other.url), "").await;
    let answer =
        gate.post(TASK, &json!({"query": "SELECT 1"})).bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!((resets.seen().len(), other.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_router_that_takes_connections_and_never_answers_is_left() {
    let (silent, lives) = (
        Scripted::start(Script::AnswerAndHang(Vec::new())).await,
        Scripted::start(Script::Answer(ok("true"))).await,
    );
    let gate = TestGate::start_before(&format!("[\"{}\", \"{}\"]", silent.url, lives.url), "").await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while gate.ask_admin("/readyz").await.0 != 200 {
        assert!(std::time::Instant::now() < end, "the gate stays with a router that does not answer");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
