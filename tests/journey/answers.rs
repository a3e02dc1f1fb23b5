//! What comes back: rows, headers, trailers, and Druid's faults in the shape of the gate's answers

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use crate::gate::{Answer, Speaks, TestGate};
use crate::scripted::{Script, Scripted, answer, gzip, ok};

const ENABLED: &str = "/druid/v2/sql/task/enabled";

async fn answer_to(script: Script, speaks: Speaks) -> Answer {
    let druid = Scripted::start(script).await;
    let gate = TestGate::start(&druid.url, "[limits]\ncontrol_answer_seconds = 1").await;
    gate.get(ENABLED).bearer(&gate.token("alice", &[])).over(speaks).send().await
}

#[tokio::test]
async fn druids_own_headers_and_trailers_come_through_and_those_of_the_connection_do_not() {
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Druid-SQL-Query-Id: q1\r\nSet-Cookie: a=b\r\n\
                   Keep-Alive: timeout=5\r\nTrailer: X-Error-Message\r\nTransfer-Encoding: chunked\r\n\r\n\
                   4\r\n[1,2\r\n1\r\n]\r\n0\r\nX-Error-Message: none\r\n\r\n";
    let answer = answer_to(Script::Answer(chunked.as_bytes().to_vec()), Speaks::Http2).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "[1,2]"));
    assert_eq!(answer.header("x-druid-sql-query-id"), Some("q1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("set-cookie").is_none() && answer.header("keep-alive").is_none());
    assert_eq!(answer.trailers.unwrap()["x-error-message"], "none");
}

#[tokio::test]
async fn an_answer_is_framed_anew_and_its_trailers_say_how_it_ended_and_no_more() {
    let two_framings = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\nAlt-Svc: h3\r\n\
                        Access-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\nTrailer: X-Error-Message\r\n\r\n\
                        5\r\n[1,2]\r\n0\r\nX-Error-Message: none\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n";
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let answer = answer_to(Script::Answer(two_framings.as_bytes().to_vec()), speaks).await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "[1,2]"), "{speaks:?}");
        assert!(answer.header("content-length").is_none_or(|length| length == "5"), "{speaks:?}");
        assert!(answer.header("alt-svc").is_none() && answer.header("access-control-allow-origin").is_none());
        let trailers: Vec<_> = answer.trailers.iter().flat_map(HeaderMap::keys).collect();
        assert!(trailers.iter().all(|name| *name == "x-error-message"), "{speaks:?}: {trailers:?}");
    }
}

#[tokio::test]
async fn answers_of_druids_that_cannot_be_passed_on_are_the_gates_own_502() {
    let redirect =
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://inner:8081/\r\nContent-Length: 0\r\n\r\n";
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(1_000));
    for bytes in [
        redirect,
        &many,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "HTP/1.1 200 OK\r\n\r\n",
        "\0\u{1}garbage\r\n\r\n",
    ] {
        let answer = answer_to(Script::AnswerAndClose(bytes.as_bytes().to_vec()), Speaks::Http1).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_GATEWAY, Some("upstream_broken")),
            "{bytes:.60}"
        );
        assert_eq!(answer.json()["errorMessage"], "Druid's answer cannot be used");
        assert!(answer.header("location").is_none() && answer.header("www-authenticate").is_none());
    }
}

#[tokio::test]
async fn a_body_that_breaks_before_its_first_byte_is_502_and_one_that_stalls_there_504() {
    for (body, status, reason) in [
        ("Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n", 200, None),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, None),
        ("Content-Length: 0\r\n\r\n", 200, None),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n[1,2]\r\n", 502, Some("upstream_broken")),
        ("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n[", 502, Some("upstream_broken")),
        ("Transfer-Encoding: chunked\r\n\r\n", 502, Some("upstream_broken")),
        ("Content-Length: 5\r\n\r\n", 502, Some("upstream_broken")),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{body}").into_bytes();
        for speaks in [Speaks::Http1, Speaks::Http2] {
            let answer = answer_to(Script::AnswerAndClose(bytes.clone()), speaks).await;
            let told = (answer.status.as_u16(), answer.reason());
            assert_eq!(told, (status, reason.map(str::to_owned)), "{speaks:?} {body}");
            if status == 200 {
                continue;
            }
            let answer = answer_to(Script::AnswerAndHang(bytes.clone()), speaks).await;
            let hangs = !body.contains("zz") && !body.contains("ff");
            let stalled = if hangs { (504, Some("upstream_timeout".to_owned())) } else { told };
            assert_eq!((answer.status.as_u16(), answer.reason()), stalled, "{speaks:?} {body}");
        }
    }
}

const BLOCKED: &str = r#"{"error":"druidException","errorCode":"general","persona":"USER","category":"FORBIDDEN","errorMessage":"Query [q] blocked by rule [r]","context":{}}"#;

/// A 403 with this body, as gzip or not
fn forbidden(body: &str, is_gzip: bool) -> Vec<u8> {
    if !is_gzip {
        return answer("403 Forbidden", body);
    }
    let body = gzip(body.as_bytes());
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
    [format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat()
}

#[tokio::test]
async fn a_query_that_druid_blocks_is_told_in_druids_words_whole() {
    for is_gzip in [false, true] {
        let blocked = forbidden(BLOCKED, is_gzip);
        let druid = Scripted::start(Script::Answer(blocked.clone())).await;
        let gate = TestGate::start(&druid.url, "").await;
        let answer = gate.get(ENABLED).bearer(&gate.token("alice", &[])).send().await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(blocked.ends_with(&answer.body), "{}", answer.text());
        let finished = gate.record(&answer).pop().unwrap();
        assert_eq!((&finished["verdict"], &finished["upstreamStatus"]), (&json!("allowed"), &json!(403)));
        assert!(finished.get("refusedAccount").is_none());
    }
}

#[tokio::test]
async fn what_druid_refuses_after_an_allow_it_refuses_to_the_gates_account() {
    let sign_in = "username = \"msq_gate\"\npassword_env = \"PATH\"";
    let page = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html;charset=iso-8859-1\r\nContent-Length: 6\r\n\r\n<html>";
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
    for (script, status) in [
        (page.as_bytes().to_vec(), 401),
        (challenge.as_bytes().to_vec(), 401),
        (forbidden(r#"{"Access-Check-Result":"Unauthorized"}"#, false), 403),
        (forbidden(r#"{"Access-Check-Result":"Unauthorized"}"#, true), 403),
        (forbidden(&BLOCKED.replace("Query [q] blocked by rule [r]", "Unauthorized"), true), 403),
        (forbidden("", false), 403),
        (forbidden(&" ".repeat(100_000), true), 403),
    ] {
        for (lines, account) in [(sign_in, json!("msq_gate")), ("", json!(null))] {
            let druid = Scripted::start(Script::Answer(script.clone())).await;
            let gate = TestGate::start(&druid.url, lines).await;
            let answer = gate.get(ENABLED).bearer(&gate.token("alice", &[])).send().await;
            assert_eq!(
                (answer.status, answer.reason().as_deref()),
                (StatusCode::BAD_GATEWAY, Some("upstream_broken"))
            );
            let told = answer.json()["errorMessage"].as_str().unwrap().to_owned();
            assert!(told.contains("gate's own account") && !told.contains("msq_gate"), "{told}");
            assert!(answer.header("www-authenticate").is_none());
            let finished = gate.record(&answer).pop().unwrap();
            assert_eq!(
                (&finished["verdict"], &finished["status"], &finished["upstreamStatus"]),
                (&json!("failed"), &json!(502), &json!(status))
            );
            assert_eq!(finished["refusedAccount"], account);
        }
    }
}

#[tokio::test]
async fn a_task_that_druid_does_not_show_to_the_gates_account_is_no_fault_of_the_callers() {
    let druid =
        Scripted::start(Script::Answer(forbidden(r#"{"Access-Check-Result":"Unauthorized"}"#, false))).await;
    let gate = TestGate::start(&druid.url, "").await;
    let answer = gate.get("/druid/indexer/v1/task/t/status").bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.text().contains("gate's own account"), "{}", answer.text());
    assert_eq!(gate.record(&answer)[0]["upstreamStatus"], json!(403));
}

#[tokio::test]
async fn a_login_page_or_a_firewalls_page_never_reaches_a_client() {
    let json = answer_to(Script::Answer(ok("{\"enabled\":true}")), Speaks::Http1).await;
    assert_eq!((json.status, json.text().as_str()), (StatusCode::OK, "{\"enabled\":true}"));
    for status in ["200 OK", "403 Forbidden", "404 Not Found", "503 Service Unavailable"] {
        let page =
            format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<h1>Sign in!");
        let answer = answer_to(Script::Answer(page.into_bytes()), Speaks::Http2).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_GATEWAY, Some("upstream_broken")),
            "{status}"
        );
        assert!(!answer.text().contains("Sign in!"), "{}", answer.text());
    }
}

#[tokio::test]
async fn druids_errors_are_druids_to_tell() {
    let answer = answer_to(
        Script::Answer(
            b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"error\":1}"
                .to_vec(),
        ),
        Speaks::Http1,
    )
    .await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "{\"error\":1}"));
    let _decision = answer.decision();
}

#[tokio::test]
async fn a_druid_that_is_not_there_is_502_and_one_that_is_silent_is_504() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gate = TestGate::start(&gone, "").await;
    let answer = gate.get(ENABLED).bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::BAD_GATEWAY, Some("upstream_unreachable"))
    );
    assert!(!answer.text().contains("127.0.0.1"), "no inner address is told");
    let answer = answer_to(Script::AnswerAndHang(Vec::new()), Speaks::Http1).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::GATEWAY_TIMEOUT, Some("upstream_timeout"))
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    for script in [
        Script::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{".to_vec()),
        Script::AnswerAndClose(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n".to_vec()),
        // Silent for longer than the gate waits for a control answer.
        Script::AnswerAndHang(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{".to_vec()),
    ] {
        let druid = Scripted::start(script.clone()).await;
        let gate = TestGate::start(&druid.url, "[limits]\ncontrol_answer_seconds = 1").await;
        let io = TokioIo::new(gate.connect(b"h2").await);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(format!("https://{}{ENABLED}", gate.address))
            .header("authorization", format!("Bearer {}", gate.token("alice", &[])))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(
            answer.into_body().collect().await.is_err(),
            "{script:?}: the client must not take it for whole"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_request_to_druid() {
    let druid = Scripted::start(Script::AnswerAndHang(Vec::new())).await;
    let gate = TestGate::start(&druid.url, "").await;
    let mut ended = druid.ended.clone();
    let asking = gate.get(ENABLED).bearer(&gate.token("alice", &[])).send();
    let gave_up = tokio::time::timeout(Duration::from_millis(300), asking).await;
    assert!(gave_up.is_err());
    tokio::time::timeout(Duration::from_secs(10), ended.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn what_follows_an_answer_never_answers_the_next_caller() {
    let mut poisoned = ok("[]");
    poisoned.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON");
    let druid = Scripted::start(Script::Answer(poisoned)).await;
    let gate = TestGate::start(&druid.url, "").await;
    for _ in 0..3 {
        let answer = gate.get(ENABLED).bearer(&gate.token("alice", &[])).send().await;
        assert!(!answer.text().contains("POISON"), "{}", answer.text());
    }
}
