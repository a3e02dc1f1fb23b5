//! Clients that take nothing, or little, or all the connections: each is left, whoever else there is is served, and who
//! is merely slow has his answer

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use stand_in::{StandIn, StandInSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use crate::gate::{Speaks, TestGate};
use crate::scripted::{Script, Scripted, ok};

const LIMITS: &str = "[limits]\nidle_seconds = 2\n";
const ENABLED: &str = "/druid/v2/sql/task/enabled";

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

/// A client over HTTP/2 that lets this much of each answer come before he has taken it
struct Windowed {
    sender: http2::SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    gate: SocketAddr,
}

impl Windowed {
    async fn connect(gate: &TestGate, window: u32) -> Self {
        let io = TokioIo::new(gate.connect(b"h2").await);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (sender, connection) = builder.handshake(io).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self { sender, connection, gate: gate.address }
    }

    async fn get(&mut self, target: &str, token: Option<&str>) -> Response<Incoming> {
        let mut request = Request::get(format!("https://{}{target}", self.gate));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.sender.send_request(request.body(Full::default()).unwrap()).await.unwrap()
    }

    /// Whether the gate leaves within ten seconds
    async fn is_left(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(10), &mut self.connection).await.is_ok()
    }
}

/// How much there is of an answer for somebody who takes so many bytes every so many milliseconds, until it ends or
/// this time is over
async fn sip(mut body: Incoming, bytes: usize, every: u64, over: Duration) -> Result<usize, usize> {
    let (mut taken, began) = (0, Instant::now());
    while began.elapsed() < over {
        match body.frame().await {
            Some(Ok(frame)) => taken += frame.into_data().map_or(0, |data| data.len()),
            Some(Err(_)) => return Err(taken),
            None => return Ok(taken),
        }
        let due = Duration::from_millis(u64::try_from(taken / bytes).unwrap() * every);
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
    }
    Ok(taken)
}

#[tokio::test]
async fn a_client_that_takes_nothing_over_http_2_is_left_with_and_without_a_token() {
    let (gate, _druid) = setup(LIMITS).await;
    let token = gate.token("alice", &[]);
    for (token, status) in [(Some(token.as_str()), StatusCode::OK), (None, StatusCode::UNAUTHORIZED)] {
        let mut takes = Windowed::connect(&gate, 1 << 16).await;
        let answer = takes.get(ENABLED, token).await;
        assert_eq!(answer.status(), status);
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());

        let mut takes_nothing = Windowed::connect(&gate, 0).await;
        let answer = takes_nothing.get(ENABLED, token).await;
        assert_eq!(answer.status(), status, "the head is not held up");
        gate.lives().await;
        assert!(takes_nothing.is_left().await, "{status}");
        drop(answer);
    }
    assert!(gate.limit_met("idle_seconds").await >= 2);
}

#[tokio::test]
async fn one_stream_that_is_not_taken_is_enough_to_be_left_whatever_the_others_do() {
    let (gate, _druid) = setup(LIMITS).await;
    let token = gate.token("alice", &[]);
    let mut client = Windowed::connect(&gate, 8).await;
    let stuck = client.get(ENABLED, Some(&token)).await;
    let began = Instant::now();
    while !client.connection.is_finished() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the connection is kept for the sake of the others"
        );
        let request = Request::get(format!("https://{}{ENABLED}", client.gate));
        let request =
            request.header("authorization", format!("Bearer {token}")).body(Full::default()).unwrap();
        if let Ok(answer) = client.sender.send_request(request).await {
            drop(answer.into_body().collect().await);
        }
    }
    drop(stuck);
}

#[tokio::test]
async fn clients_that_take_nothing_lock_nobody_out() {
    let share = "connections = 200\nconnections_per_address = 200\n";
    let (gate, _druid) = setup(&format!("{LIMITS}{share}")).await;
    let (token, mut held) = (gate.token("alice", &[]), Vec::new());
    for number in 0..200 {
        let mut client = Windowed::connect(&gate, 0).await;
        let answer = client.get(ENABLED, (number % 2 == 0).then_some(token.as_str())).await;
        held.push((client, answer));
    }
    gate.lives().await;
    let good = gate.get(ENABLED).bearer(&token).over(Speaks::Http2).send();
    let good = tokio::time::timeout(Duration::from_secs(10), good).await.unwrap();
    assert_eq!(good.status, StatusCode::OK);
    gate.obeys().await;
}

#[tokio::test]
async fn streams_that_nobody_takes_do_not_keep_their_connections_to_druid() {
    let long = ok(&format!("[{}]", "1,".repeat(100_000)));
    let druid = Scripted::start(Script::Answer(long)).await;
    let gate = TestGate::start(&druid.url, LIMITS).await;
    let token = gate.token("alice", &[]);
    let mut client = Windowed::connect(&gate, 0).await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(client.get(ENABLED, Some(&token)).await);
    }
    gate.lives().await;
    assert!(client.is_left().await);
    let mut ended = druid.ended.clone();
    let all = ended.wait_for(|ended| *ended == 20);
    assert!(tokio::time::timeout(Duration::from_secs(10), all).await.is_ok());
    gate.obeys().await;
}

#[tokio::test]
async fn a_client_that_takes_a_little_now_and_then_is_left_and_a_slow_one_has_it_all() {
    let druid = Scripted::start(Script::Answer(ok(&format!("\"{}\"", "x".repeat(96 << 10))))).await;
    let gate = TestGate::start(&druid.url, LIMITS).await;
    let token = gate.token("alice", &[]);
    let whole = Duration::from_secs(60);
    let (mut slow, mut sips) = (Windowed::connect(&gate, 4 << 10).await, Windowed::connect(&gate, 512).await);
    let (slow, sips) = tokio::join!(
        async { sip(slow.get(ENABLED, Some(&token)).await.into_body(), 16 << 10, 1_000, whole).await },
        async { sip(sips.get(ENABLED, Some(&token)).await.into_body(), 512, 1_000, whole).await },
    );
    assert_eq!(slow, Ok((96 << 10) + 2), "16 KiB a second, for three times as long as `idle_seconds`");
    assert!(sips.is_err_and(|taken| taken < 10_000), "512 bytes a second: {sips:?}");
    assert_eq!(gate.limit_met("answer_bytes_per_second").await, 1);
    gate.obeys().await;
}

#[tokio::test]
async fn over_http_1_a_slow_client_has_it_all_and_one_that_takes_too_little_is_left() {
    let druid = Scripted::start(Script::Answer(ok(&format!("\"{}\"", "x".repeat(4 << 20))))).await;
    let gate = TestGate::start(&druid.url, "[limits]\nidle_seconds = 4\n").await;
    let token = gate.token("alice", &[]);
    let asked = async |bytes: usize, over: u64| {
        let io = TokioIo::new(gate.connect(b"http/1.1").await);
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request =
            Request::get(ENABLED).header("host", "a").header("authorization", format!("Bearer {token}"));
        let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        sip(answer.into_body(), bytes, 1_000, Duration::from_secs(over)).await
    };
    let (slow, ()) = tokio::join!(asked(64 << 10, 9), async {
        let mut stream = gate.connect(b"http/1.1").await;
        let head = format!("GET {ENABLED} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while gate.limit_met("idle_seconds").await == 0 {
            assert!(Instant::now() < end, "who takes nothing is not left");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(slow.is_ok_and(|taken| taken > 500_000), "more than lies in the sockets' own buffers: {slow:?}");
    gate.obeys().await;
}

#[tokio::test]
async fn while_druid_sends_nothing_no_client_is_too_slow() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1";
        let druid = Scripted::start_held_after(head, b",2]").await;
        let gate = TestGate::start(&druid.url, LIMITS).await;
        let asking = gate.get(ENABLED).bearer(&gate.token("alice", &[])).over(speaks);
        let (answer, ()) = tokio::join!(asking.send(), async {
            druid.has_seen(1).await;
            gate.lives().await;
            // Twice as long as any client may take nothing.
            tokio::time::sleep(Duration::from_secs(5)).await;
            druid.release();
        });
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "[1,2]"), "{speaks:?}");
    }
}

#[tokio::test]
async fn an_address_has_its_share_of_the_connections_and_others_have_theirs() {
    let (gate, _druid) = setup("[limits]\nconnections = 12\n").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(gate.connect(b"http/1.1").await);
    }
    for _ in 0..2 {
        assert!(gate.connect_from([127, 0, 0, 1], b"http/1.1").await.is_err(), "a quarter is taken");
    }
    assert_eq!(gate.limit_met("connections_per_address").await, 2);
    assert!(gate.connect_from([127, 0, 0, 2], b"http/1.1").await.is_ok());
    gate.lives().await;
    let mut left = held.pop().unwrap();
    left.shutdown().await.unwrap();
    left.read_to_end(&mut Vec::new()).await.unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while gate.connect_from([127, 0, 0, 1], b"http/1.1").await.is_err() {
        assert!(Instant::now() < end, "what is given back is not to be had again");
    }
    gate.obeys().await;
}

#[tokio::test]
async fn behind_a_balancer_the_share_is_that_of_the_address_it_names() {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let lines = "proxy_protocol_from = [\"127.0.0.0/8\"]\n[limits]\nconnections_per_address = 1";
    let gate = TestGate::start_listening(&format!("http://{}", druid.address()), lines).await;
    let from = |client: &str| format!("PROXY TCP6 {client} ::1 4242 8443\r\n");
    let _held = gate.connect_after(from("2001:db8::1").as_bytes(), b"h2").await.unwrap();
    assert!(gate.connect_after(from("2001:db8::ffff").as_bytes(), b"h2").await.is_err(), "its /64 counts");
    assert!(gate.connect_after(from("2001:db8:1::1").as_bytes(), b"h2").await.is_ok());
}

/// That nothing here waits for the client where there is nothing to take
#[tokio::test]
async fn an_answer_without_a_body_owes_nothing() {
    let empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    let druid = Scripted::start(Script::Answer(empty)).await;
    let gate = TestGate::start(&druid.url, "[limits]\nidle_seconds = 600\n").await;
    let mut client = Windowed::connect(&gate, 0).await;
    let answer = client.get(ENABLED, Some(&gate.token("alice", &[]))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.into_body().is_end_stream());
}
