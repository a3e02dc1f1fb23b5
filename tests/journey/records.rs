//! What stands on record: one line or two for each request, whatever became of it, and no secret in any

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gate::TestGate;
use crate::scripted::{Script, Scripted, gzip, ok};

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

const ROLES: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n";

#[tokio::test]
async fn a_request_that_is_forwarded_has_two_lines() {
    let (gate, _druid) = setup(ROLES).await;
    let body = json!({"query": "SELECT 'hidden text'"});
    let answer = gate
        .post("/druid/v2/sql/task", &body)
        .bearer(&gate.token("alice", &["reader", "other"]))
        .send()
        .await;
    let lines = gate.record(&answer);
    let [decided, finished] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&decided["event"], &finished["event"]), (&json!("decided"), &json!("finished")));
    for line in [decided, finished] {
        assert_eq!(line["subject"], "alice");
        assert_eq!(line["issuer"], "https://id.test");
        assert_eq!(line["roles"], json!(["reader"]), "roles that the file does not know are not his");
        assert_eq!((&line["method"], &line["endpoint"]), (&json!("POST"), &json!("/druid/v2/sql/task")));
        assert_eq!(line["verdict"], "allowed");
        assert_eq!(line["statement"]["kind"], "SELECT");
        assert_eq!(line["statement"]["fingerprint"].as_str().unwrap().len(), 32);
    }
    assert_eq!((&finished["status"], &finished["upstreamStatus"]), (&json!(202), &json!(202)));
    assert_eq!(finished["taskId"], answer.json()["taskId"]);
    assert_eq!(finished["bytesOut"], json!(answer.body.len()));
    let all = std::fs::read_to_string(gate.path("audit.jsonl")).unwrap();
    assert!(
        !all.contains("hidden text") && !all.contains("eyJ"),
        "neither statements nor tokens are on record"
    );
}

#[tokio::test]
async fn the_task_that_was_started_is_on_record_however_the_client_wants_its_answer() {
    let rows = r#"{"x":"y"},"#.repeat(1_000);
    let answers = [
        ("/druid/v2/sql/task", r#"{"taskId":"query-1","state":"RUNNING"}"#.to_owned()),
        (
            "/druid/v2/sql/statements",
            format!(r#"{{"result":{{"sampleRecords":[{rows}1]}},"queryId":"query-1"}}"#),
        ),
    ];
    for (target, answer) in answers {
        let druid = Scripted::start(Script::Answer(ok(&answer))).await;
        let gate = TestGate::start(&druid.url, ROLES).await;
        let asked =
            gate.post(target, &json!({"query": "SELECT 1"})).header("accept-encoding", "gzip, deflate, br");
        let answered = asked.bearer(&gate.token("alice", &["reader"])).send().await;
        assert_eq!(answered.text(), answer);
        assert_eq!(gate.record(&answered)[1]["taskId"], "query-1", "{target}");
        assert!(!druid.seen()[0].to_ascii_lowercase().contains("accept-encoding"), "{}", druid.seen()[0]);
        // A balancer before Druid may make gzip of it all the same.
        let zipped = gzip(answer.as_bytes());
        let head = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
        let head = format!("{head}Content-Length: {}\r\n\r\n", zipped.len());
        let druid = Scripted::start(Script::Answer([head.into_bytes(), zipped.clone()].concat())).await;
        let gate = TestGate::start(&druid.url, ROLES).await;
        let asked =
            gate.post(target, &json!({"query": "SELECT 1"})).bearer(&gate.token("alice", &["reader"]));
        let answered = asked.send().await;
        assert_eq!((&answered.body[..], answered.header("content-encoding")), (&zipped[..], Some("gzip")));
        assert_eq!(gate.record(&answered)[1]["taskId"], "query-1", "{target}");
    }
    let druid = Scripted::start(Script::Answer(ok("[]"))).await;
    let gate = TestGate::start(&druid.url, ROLES).await;
    let asked = gate.post("/druid/v2/sql", &json!({"query": "SELECT 1"})).header("accept-encoding", "gzip");
    asked.bearer(&gate.token("alice", &["reader"])).send().await;
    assert!(druid.seen()[0].to_ascii_lowercase().contains("accept-encoding: gzip"), "rows are worth it");
}

#[tokio::test]
async fn each_limit_is_counted_under_its_own_name() {
    let druid = Scripted::start(Script::AnswerAndHang(Vec::new())).await;
    let limits = "[limits]\nvalues = 200\nbody_bytes = 2000\ntask_body_bytes = 2000\nanswer_seconds = 1\ncontrol_answer_seconds = 1\n";
    let gate = TestGate::start(&druid.url, &format!("{ROLES}{limits}")).await;
    let token = gate.token("alice", &["reader"]);
    let long = "x".repeat(2_001);
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let deep = serde_json::from_str::<Value>(&deep).unwrap();
    for (asked, limit) in [
        (gate.post("/druid/v2/sql", &json!({"query": "SELECT 1", "context": {"a": deep}})), "json_depth"),
        (gate.post("/druid/indexer/v1/task", &json!({"type": "index", "spec": deep})), "json_depth"),
        (gate.post("/_gate/explain", &json!({"type": "index", "spec": deep})), "none"),
        (gate.post("/druid/v2/sql", &json!({"query": "SELECT 1", "context": {"a": vec![0; 200]}})), "values"),
        (gate.post("/druid/indexer/v1/task", &json!({"type": "index", "spec": vec![0; 200]})), "values"),
        (gate.post("/druid/v2/sql", &json!({"query": long})), "body_bytes"),
        (gate.post("/druid/indexer/v1/task", &json!({"type": long})), "task_body_bytes"),
        (gate.post("/druid/v2/sql", &json!({"query": "SELECT 1"})), "answer_seconds"),
        (gate.get("/druid/v2/sql/task/enabled"), "control_answer_seconds"),
        (gate.get("/druid/indexer/v1/task/query-1/status"), "control_answer_seconds"),
    ] {
        let before = gate.metrics().await;
        asked.bearer(&token).send().await;
        let counted = |page: &str| {
            let line = format!("msq_gate_limit_met_total{{limit=\"{limit}\"}} ");
            page.lines().find_map(|counted| counted.strip_prefix(&line)?.parse().ok()).unwrap_or(0_usize)
        };
        let after = gate.metrics().await;
        let times = usize::from(limit != "none");
        assert_eq!(counted(&after), counted(&before) + times, "{limit}: {after}");
        let all =
            |page: &str| page.lines().filter(|line| line.starts_with("msq_gate_limit_met_total")).count();
        assert!(all(&after) <= all(&before) + times, "no other is: {after}");
    }
    let shutdown = gate.post("/druid/indexer/v1/task/query-1/shutdown", &json!("x".repeat(65)));
    assert_eq!(shutdown.bearer(&token).send().await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(gate.metrics().await.contains("{limit=\"body_bytes\"} 1\n"), "64 bytes are no limit with a name");
}

#[tokio::test]
async fn an_answer_that_stalls_is_counted_under_the_limit_of_its_endpoint() {
    let beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{";
    let druid = Scripted::start(Script::AnswerAndHang(beginning.to_vec())).await;
    let gate = TestGate::start(&druid.url, "[limits]\ncontrol_answer_seconds = 1\n").await;
    let token = gate.token("alice", &[]);
    let mut stream = gate.connect(b"http/1.1").await;
    let head = format!(
        "GET /druid/v2/sql/task/enabled HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    let page = gate.metrics().await;
    assert!(page.contains("msq_gate_limit_met_total{limit=\"control_answer_seconds\"} 1\n"), "{page}");
}

#[tokio::test]
async fn a_request_that_is_refused_has_one_line_with_the_reason() {
    let (gate, _druid) = setup(ROLES).await;
    let body = json!({"query": "SELECT * FROM b"});
    let denied =
        gate.post("/druid/v2/sql/task", &body).bearer(&gate.token("alice", &["reader"])).send().await;
    let unknown = gate.get("/druid/v2/sql/task/enabled").send().await;
    let nowhere = gate.get("/x").bearer(&gate.token("alice", &[])).send().await;
    let bad = gate.get("/a/../b").send().await;
    for (answer, reason, status, endpoint) in [
        (&denied, "missing_permission", 403, "/druid/v2/sql/task"),
        (&unknown, "no_token", 401, "none"),
        (&nowhere, "unknown_endpoint", 403, "none"),
        (&bad, "bad_target", 400, "none"),
    ] {
        let lines = gate.record(answer);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            line["path"].is_string(),
            endpoint == "none",
            "the path is there where no endpoint is: {line}"
        );
        assert_eq!(
            (&line["event"], &line["verdict"], &line["reason"], &line["status"], &line["endpoint"]),
            (&json!("refused"), &json!("refused"), &json!(reason), &json!(status), &json!(endpoint))
        );
    }
    assert_eq!(gate.record(&denied)[0]["missing"], json!(["READ DATASOURCE b"]));
}

#[tokio::test]
async fn the_text_of_a_statement_is_on_record_only_where_that_is_asked_for() {
    let (gate, _druid) = setup("").await;
    let config = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    let text = config.replace("file = \"audit.jsonl\"", "file = \"audit.jsonl\"\nstatements = true");
    let config = msq_gate::config::Config::read(&text, gate.folder.path()).config.unwrap();
    let server = msq_gate::server::Server::start(config).await.unwrap();
    let mut gate = gate;
    gate.address = server.addresses[0];
    gate.server = Some(server);
    let answer = gate
        .post("/druid/v2/sql/task", &json!({"query": "SELECT 42"}))
        .bearer(&gate.token("a", &[]))
        .send()
        .await;
    assert_eq!(gate.record(&answer)[0]["statement"]["text"], "SELECT 42");
}

#[tokio::test]
async fn a_client_that_leaves_and_a_druid_that_fails_are_on_record_as_failed() {
    let druid = Scripted::start(Script::AnswerAndHang(Vec::new())).await;
    let gate = TestGate::start(&druid.url, "").await;
    let asking = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).send();
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err());
    let mut ended = druid.ended.clone();
    tokio::time::timeout(Duration::from_secs(10), ended.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(10);
    let last = loop {
        match gate.audit().pop() {
            Some(line) if line["event"] == "finished" => break line,
            _ if std::time::Instant::now() > end => panic!("{:?}", gate.audit()),
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!((&last["verdict"], &last["reason"]), (&json!("failed"), &json!("client_left")));

    let druid = Scripted::start(Script::Reset).await;
    let gate = TestGate::start(&druid.url, "").await;
    let answer = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).send().await;
    let lines = gate.record(&answer);
    let [_, finished] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&finished["verdict"], &finished["reason"]), (&json!("failed"), &json!("upstream_broken")));
}

#[tokio::test]
async fn a_line_is_one_json_object_whatever_a_client_sends() {
    let (gate, _druid) = setup("").await;
    let asking = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("a\"b\u{e9}", &[]));
    let answer = asking.header("user-agent", "\",\"subject\":\"admin").send().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(gate.record(&answer)[0]["subject"], "a\"b\u{e9}");
}

#[tokio::test]
async fn the_admin_address_says_whether_the_gate_lives_and_is_ready() {
    let (gate, druid) = setup("").await;
    assert_eq!(gate.ask_admin("/livez").await.0, 200);
    let (status, body) = gate.ask_admin("/readyz").await;
    assert_eq!((status, &serde_json::from_str::<Value>(&body).unwrap()["ready"]), (200, &json!(true)));
    druid.stop();
    drop(druid);
    let (status, body) = gate.ask_admin("/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["druid"]), (503, &json!(false)), "{body}");
    assert_eq!(gate.ask_admin("/druid/v2/sql").await.0, 404);
}

#[tokio::test]
async fn requests_are_counted_by_endpoint_verdict_and_reason() {
    let (gate, _druid) = setup("").await;
    let _answer = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).send().await;
    let _answer = gate.get("/x").send().await;
    let (status, page) = gate.ask_admin("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"msq_gate_requests_total{endpoint="/druid/v2/sql/task/enabled",verdict="allowed",reason="none"} 1"#,
        r#"msq_gate_requests_total{endpoint="none",verdict="refused",reason="no_token"} 1"#,
    ] {
        assert!(page.contains(line), "{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn behind_a_balancer_the_client_is_whom_the_proxy_header_names() {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let url = format!("http://{}", druid.address());
    let gate = TestGate::start_listening(&url, "proxy_protocol_from = [\"127.0.0.1\"]").await;
    let mut stream =
        gate.connect_after(b"PROXY TCP4 192.0.2.7 127.0.0.1 4242 8443\r\n", b"http/1.1").await.unwrap();
    stream
        .write_all(b"GET /druid/v2/sql/task/enabled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(gate.audit()[0]["client"], "192.0.2.7");
    assert!(
        gate.connect_after(b"", b"http/1.1").await.is_err(),
        "a balancer's connection without a header is not taken"
    );

    let gate = TestGate::start_listening(&url, "proxy_protocol_from = [\"192.0.2.0/24\"]").await;
    assert!(
        gate.connect_after(b"PROXY UNKNOWN\r\n", b"http/1.1").await.is_err(),
        "from nobody else it is taken"
    );
    assert!(gate.connect_after(b"", b"http/1.1").await.is_ok());
}
