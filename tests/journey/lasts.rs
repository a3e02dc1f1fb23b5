//! Deadlines and limits of a connection, and the drain at the end

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use stand_in::{StandIn, StandInSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::gate::{Speaks, TestGate};
use crate::scripted::{Script, Scripted};

const LIMITS: &str = "[limits]\nhandshake_seconds = 1\nhead_seconds = 1\nbody_seconds = 1\nidle_seconds = 2\nbody_bytes = 1000\n";

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

/// Whether the gate ends the connection within ten seconds; what it said before
async fn until_closed(stream: &mut TlsStream<TcpStream>) -> String {
    let mut said = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
    assert!(end.is_ok(), "the connection is still open after ten seconds");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_client_that_says_nothing_or_too_little_is_left() {
    let (gate, _druid) = setup(LIMITS).await;
    let mut plain = TcpStream::connect(gate.address).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), plain.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "a handshake that never begins ends");
    for (alpn, begun) in [
        (&b"http/1.1"[..], &b""[..]),
        (b"http/1.1", b"GET / HTTP/1.1\r\nHost: a\r\nX: "),
        (b"h2", b"PRI * HTTP"),
    ] {
        let mut stream = gate.connect(alpn).await;
        stream.write_all(begun).await.unwrap();
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so() {
    let (gate, _druid) = setup(LIMITS).await;
    let mut stream = gate.connect(b"http/1.1").await;
    let head = format!(
        "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        gate.token("alice", &[])
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains(r#""reason":"timeout""#), "{said}");
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_answer_and_is_not_waited_for_without_end() {
    let (gate, _druid) = setup(LIMITS).await;
    let request = |gate: &TestGate| {
        let token = gate.token("alice", &[]);
        let body = r#"{"query":"SELECT 1"}"#;
        format!(
            "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let half_close = async |gate: &TestGate| {
        let mut stream = gate.connect(b"http/1.1").await;
        stream.write_all(request(gate).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        until_closed(&mut stream).await
    };
    for _ in 0..20 {
        let said = half_close(&gate).await;
        assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
    }
    let druid = Scripted::start(Script::AnswerAndHang(Vec::new())).await;
    let gate = TestGate::start(&druid.url, LIMITS).await;
    assert_eq!(half_close(&gate).await, "", "some seconds, and no longer");
}

#[tokio::test]
async fn bodies_are_taken_up_to_their_limit_and_no_further() {
    let (gate, druid) = setup(LIMITS).await;
    let token = gate.token("alice", &[]);
    let sized = |bytes: usize| {
        let empty = json!({"query": "SELECT ''"}).to_string();
        json!({"query": format!("SELECT '{}'", "x".repeat(bytes - empty.len()))})
    };
    assert_eq!(
        gate.post("/druid/v2/sql/task", &sized(1_000)).bearer(&token).send().await.status,
        StatusCode::ACCEPTED
    );
    druid.clear_requests();
    let answer = gate.post("/druid/v2/sql/task", &sized(1_001)).bearer(&token).send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large"))
    );
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn a_chunk_that_is_larger_than_any_body_is_refused_before_it_comes() {
    let (gate, druid) = setup("[limits]\nbody_bytes = 1000\ntask_body_bytes = 2000\n").await;
    let token = gate.token("alice", &[]);
    let post = |chunk: &str| {
        format!(
            "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
        )
    };
    let mut fits = gate.connect(b"http/1.1").await;
    let body = r#"{"query":"SELECT 1"}"#;
    let whole = post(&format!("{:x};a=b\r\n{body}\r\n0\r\n\r\n", body.len()));
    fits.write_all(whole.as_bytes()).await.unwrap();
    let mut said = vec![0; 4096];
    let read = fits.read(&mut said).await.unwrap();
    assert!(String::from_utf8_lossy(&said[..read]).starts_with("HTTP/1.1 202 "));
    druid.clear_requests();
    for size in ["7d1", "8000000000000000", "8000000000000000;a=b", "ffffffffffffffff"] {
        for pieces in [post(&format!("{size}\r\n")), post(&format!("2\r\n{{}}\r\n{size}\r\nabc"))] {
            let mut stream = gate.connect(b"http/1.1").await;
            let (first, last) = pieces.split_at(pieces.len() - 3);
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            stream.write_all(last.as_bytes()).await.unwrap();
            gate.lives().await;
            let said = until_closed(&mut stream).await;
            assert!(
                said.starts_with("HTTP/1.1 413 ") && said.contains(r#""reason":"too_large""#),
                "{size}: {said}"
            );
        }
    }
    assert!(druid.requests().is_empty());
    gate.obeys().await;
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_and_ends_when_it_idles() {
    let (gate, _druid) = setup(LIMITS).await;
    let mut stream = gate.connect(b"http/1.1").await;
    let refused = "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde";
    for _ in 0..2 {
        stream.write_all(refused.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 401 "));
    }
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_goes_on_after_a_statement_that_was_read_and_refused() {
    let (gate, _druid) = setup(LIMITS).await;
    let token = gate.token("alice", &[]);
    for speaks in ["HTTP/1.1 403 ", "HTTP/1.1 400 "] {
        let body = if speaks.contains("403") { r#"{"query":"SELECT * FROM a"}"# } else { r#"{"query":1}"# };
        let mut stream = gate.connect(b"http/1.1").await;
        for _ in 0..2 {
            let head =
                format!("POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}");
            let fields = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
            stream.write_all(format!("{head}\r\n{fields}\r\n\r\n{body}").as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let read = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
            assert!(answer.starts_with(speaks) && !answer.contains("connection: close"), "{answer}");
        }
    }
    let mut stream = gate.connect(b"http/1.1").await;
    let long = format!(
        "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2_000)
    );
    stream.write_all(long.as_bytes()).await.unwrap();
    let said = until_closed(&mut stream).await;
    assert!(
        said.starts_with("HTTP/1.1 413 ") && said.contains("connection: close"),
        "of what was not read to its end it ends"
    );
}

#[tokio::test]
async fn what_hyper_answers_itself_is_on_record_too() {
    let (gate, druid) = setup("").await;
    for (request, status, reason) in [
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(100_000)),
            431,
            "headers_too_large",
        ),
        ("GET / HTTP/1.1\r\nHost a\r\n\r\n".to_owned(), 400, "bad_framing"),
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "bad_framing"),
        ("\u{1}\r\n\r\n".to_owned(), 400, "bad_framing"),
    ] {
        let before = gate.audit().len();
        let mut stream = gate.connect(b"http/1.1").await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        let records = gate.audit();
        assert_eq!(records.len(), before + 1, "{request}");
        let record = &records[before];
        assert_eq!(
            (&record["event"], &record["reason"], &record["status"]),
            (&"refused".into(), &reason.into(), &status.into())
        );
        assert_eq!((&record["endpoint"], &record["client"]), (&"none".into(), &"127.0.0.1".into()));
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn framing_with_two_readings_is_refused_and_nothing_is_smuggled() {
    let (gate, druid) = setup("").await;
    let token = gate.token("alice", &[]);
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: +4",
    ] {
        let mut stream = gate.connect(b"http/1.1").await;
        let request = format!(
            "POST /druid/v2/sql/task HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{fields}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = vec![0; 4096];
        let read = stream.read(&mut said).await.unwrap();
        assert!(String::from_utf8_lossy(&said[..read]).starts_with("HTTP/1.1 400 "), "{fields}");
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_takes_nothing_new() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let druid =
            Scripted::start(Script::AnswerAndHang(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec()))
                .await;
        let mut gate = TestGate::start(&druid.url, "[limits]\ndrain_seconds = 1\n").await;
        let server = gate.server.take().unwrap();
        let gate = gate;
        let asking = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).over(speaks);
        // The answer never ends, so the drain has to give up on it, in time.
        let unfinished = tokio::time::timeout(Duration::from_millis(300), asking.send());
        let (_, in_time) = tokio::join!(unfinished, async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            tokio::time::timeout(Duration::from_secs(5), server.drain()).await
        });
        assert!(in_time.is_ok(), "{speaks:?}: the drain has an end");
        assert!(TcpStream::connect(gate.address).await.is_err(), "{speaks:?}: nobody new is let in");
    }
    let (mut gate, _druid) = setup("").await;
    let token = gate.token("alice", &[]);
    assert_eq!(gate.get("/druid/v2/sql/task/enabled").bearer(&token).send().await.status, StatusCode::OK);
    let mut idle = gate.connect(b"http/1.1").await;
    assert!(gate.server.take().unwrap().drain().await, "idle connections do not hold it up");
    until_closed(&mut idle).await;
}
