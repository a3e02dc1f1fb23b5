//! Files that are torn, signals, kills and restarts: the catalogue's group `reload`, row by row
//!
//! [`ROWS`] says which test plays which row; a row that nobody plays fails.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{Method, StatusCode};
use msq_gate::development::Certificates;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, TaskPace};
use tokio::net::{TcpListener, TcpStream};

use crate::gate::{Speaks, TestGate};
use crate::scripted::Scripted;

const ENABLED: &str = "/druid/v2/sql/task/enabled";

const ROWS: [(&str, &str); 9] = [
    ("rl-policy-torn", "a_file_that_is_written_in_pieces_is_read_whole_or_not_at_all"),
    ("rl-cert-swap", "a_thousand_connections_outlive_a_new_certificate"),
    ("rl-cert-key-torn", "reloads::a_certificate_is_swapped_only_with_its_key_and_old_connections_live_on"),
    ("rl-rotate-log", "no_line_is_lost_when_the_audit_file_is_moved_away"),
    ("rl-term-load", "what_is_in_flight_is_answered_before_the_end"),
    ("rl-rolling", "two_gates_behind_a_balancer_can_be_restarted_one_after_the_other"),
    ("rl-stop-cont", "a_program_that_was_stopped_and_goes_on_recovers_and_a_thousand_hang_ups_ask_once"),
    ("rl-reload-storm", "a_program_that_was_stopped_and_goes_on_recovers_and_a_thousand_hang_ups_ask_once"),
    ("rl-fsync-power", "a_program_that_is_killed_loses_no_owner"),
];

#[test]
fn every_row_of_the_catalogue_is_played() {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/hostile-http.jsonl");
    let Ok(text) = std::fs::read_to_string(&catalogue) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is not there", catalogue.display());
        return;
    };
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: BTreeSet<_> = rows
        .filter(|row| row["group"] == "reload")
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    let played: BTreeSet<_> = ROWS.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(rows, played);
}

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let settings = StandInSettings { tasks: TaskPace::WhenTold, ..StandInSettings::default() };
    let druid = StandIn::start(settings).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

#[tokio::test]
async fn a_file_that_is_written_in_pieces_is_read_whole_or_not_at_all() {
    let (gate, _druid) = setup("[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n").await;
    let token = gate.token("alice", &["reader"]);
    let whole = std::fs::read_to_string(gate.path("proxy.toml")).unwrap() + "# changed\n";
    let half = whole.get(..whole.len() / 2).unwrap();
    for piece in ["", half, &whole] {
        gate.write("proxy.toml", piece);
        let statuses = gate.send_often(ENABLED, &token, 50).await;
        assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200]);
    }
    gate.has_reloaded("applied", 1).await;
    assert!(!gate.metrics().await.contains("outcome=\"refused\""), "no piece was taken for the file");
}

#[tokio::test]
async fn a_thousand_connections_outlive_a_new_certificate() {
    let (gate, _druid) = setup("[limits]\nconnections_per_address = 2000\n").await;
    let token = gate.token("alice", &[]);
    let mut connections = Vec::new();
    for _ in 0..1_000 {
        connections.push(gate.keep_alive().await);
    }
    let new = Certificates::make(SystemTime::now()).unwrap();
    gate.write("server.key", &new.key);
    gate.write("server.pem", &new.certificate);
    gate.has_reloaded("applied", 1).await;
    assert!(gate.try_connect(&new.ca).await);
    for connection in &mut connections {
        assert_eq!(connection.send(ENABLED, &token).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn no_line_is_lost_when_the_audit_file_is_moved_away() {
    let (gate, _druid) = setup("").await;
    let token = gate.token("alice", &[]);
    gate.send_often(ENABLED, &token, 20).await;
    std::fs::rename(gate.path("audit.jsonl"), gate.path("audit.old")).unwrap();
    gate.send_often(ENABLED, &token, 20).await;
    gate.server.as_ref().unwrap().refresh().await;
    gate.send_often(ENABLED, &token, 20).await;
    gate.is_recorded();
    let lines = |name: &str| std::fs::read_to_string(gate.path(name)).unwrap().lines().count();
    assert_eq!((lines("audit.old"), lines("audit.jsonl")), (80, 40));
}

#[tokio::test]
async fn what_is_in_flight_is_answered_before_the_end() {
    let druid = Scripted::start_held(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let mut gate = TestGate::start(&druid.url, "").await;
    let server = gate.server.take().unwrap();
    let gate = Arc::new(gate);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let gate = Arc::clone(&gate);
        asking.spawn(async move { gate.get(ENABLED).bearer(&gate.token("alice", &[])).send().await.status });
    }
    druid.has_seen(20).await;
    let draining = tokio::spawn(server.drain());
    while TcpStream::connect(gate.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    druid.release();
    assert!(
        asking.join_all().await.iter().all(|status| *status == StatusCode::OK),
        "what is in flight is answered"
    );
    assert!(draining.await.unwrap(), "and the end comes inside its time");
}

/// Requests that Druid does not answer, one over each protocol; they break off when the gate leaves them
async fn asked_for_ever(gate: &Arc<TestGate>, druid: &Scripted) -> tokio::task::JoinSet<bool> {
    let mut asking = tokio::task::JoinSet::new();
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let gate = Arc::clone(gate);
        asking.spawn(async move {
            gate.get(ENABLED).bearer(&gate.token("alice", &[])).over(speaks).try_send().await.is_none()
        });
    }
    druid.has_seen(2).await;
    asking
}

/// Why each request that was let through has ended, as it stands on record
fn endings(gate: &TestGate) -> Vec<Value> {
    let lines = gate.audit();
    lines.iter().filter(|line| line["event"] == "finished").map(|line| line["reason"].clone()).collect()
}

/// A program that has been told to end, and Druid, which keeps two requests waiting
struct Draining {
    _druid: Scripted,
    gate: Arc<TestGate>,
    program: Program,
    asking: tokio::task::JoinSet<bool>,
}

impl Draining {
    /// Druid sends this much of each answer
    async fn begin(first: &[u8], tables: &str) -> Self {
        let druid = Scripted::start_held_after(first, b"").await;
        let mut gate = TestGate::start(&druid.url, tables).await;
        let program = Program::start(&gate.path("proxy.toml"));
        gate.address = program.address;
        let gate = Arc::new(gate);
        let asking = asked_for_ever(&gate, &druid).await;
        program.signal("kill -TERM PID");
        Self { _druid: druid, gate, program, asking }
    }

    async fn takes_no_more(&self) {
        while TcpStream::connect(self.gate.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_outlasts_the_drain_is_left_by_the_gate_on_record_and_in_the_exit_status() {
    // Neither a request that waits for its answer, nor one that has some of it, is left by its client.
    for first in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["] {
        let mut draining = Draining::begin(first, "[limits]\ndrain_seconds = 1\n").await;
        assert_eq!(draining.program.ended().await, Some(75));
        assert_eq!(endings(&draining.gate), ["gate_left", "gate_left"]);
        assert!(draining.asking.join_all().await.into_iter().all(|broke_off| broke_off));
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_drain_at_once() {
    for second in ["TERM", "INT"] {
        let mut draining = Draining::begin(b"", "").await;
        draining.takes_no_more().await;
        let began = Instant::now();
        draining.program.signal(&format!("kill -HUP PID; kill -{second} PID"));
        assert_eq!(draining.program.ended().await, Some(75), "{second}");
        assert!(began.elapsed() < Duration::from_secs(10), "the drain itself has ten minutes");
        assert_eq!(endings(&draining.gate), ["gate_left", "gate_left"]);
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_the_drain_has_left_himself_and_nothing_is_cut() {
    let mut draining = Draining::begin(b"", "").await;
    draining.takes_no_more().await;
    draining.asking.shutdown().await;
    assert_eq!(draining.program.ended().await, Some(0));
    assert_eq!(endings(&draining.gate), ["client_left", "client_left"]);
}

/// A TCP balancer: passes each connection to the first of its backends that takes it
async fn balancer(backends: Arc<std::sync::Mutex<Vec<std::net::SocketAddr>>>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let backends = backends.lock().unwrap().clone();
            tokio::spawn(async move {
                for backend in backends {
                    if let Ok(mut gate) = TcpStream::connect(backend).await {
                        let _ended = tokio::io::copy_bidirectional(&mut client, &mut gate).await;
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn two_gates_behind_a_balancer_can_be_restarted_one_after_the_other() {
    let (mut first, _druid) = setup("").await;
    let config = || {
        let text = std::fs::read_to_string(first.path("proxy.toml")).unwrap();
        msq_gate::config::Config::read(&text, first.folder.path()).config.unwrap()
    };
    let second = msq_gate::server::Server::start(config()).await.unwrap();
    let (one, two) = (first.address, second.addresses[0]);
    let backends = Arc::new(std::sync::Mutex::new(vec![one, two]));
    let replacement = msq_gate::server::Server::start(config()).await.unwrap();
    let first_server = first.server.take().unwrap();
    first.address = balancer(Arc::clone(&backends)).await;
    let gate = Arc::new(first);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let client = tokio::spawn({
        let (gate, stopped) = (Arc::clone(&gate), stopped.clone());
        async move {
            let token = gate.token("alice", &[]);
            let mut answers = 0;
            while !*stopped.borrow() {
                // Idempotent, so it may be tried once more where the connection was cut.
                let answer = match gate.try_get(ENABLED, &token).await {
                    Some(status) => Some(status),
                    None => gate.try_get(ENABLED, &token).await,
                };
                assert_eq!(answer, Some(StatusCode::OK));
                answers += 1;
            }
            answers
        }
    });
    assert!(first_server.drain().await);
    *backends.lock().unwrap() = vec![replacement.addresses[0], two];
    assert!(second.drain().await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(true).unwrap();
    assert!(client.await.unwrap() > 0);
}

/// The program itself, as `serve` starts it; it is killed when the test is over
pub(crate) struct Program {
    pub(crate) process: Child,
    pub(crate) address: std::net::SocketAddr,
    log: PathBuf,
}

impl Program {
    /// With what it logs in a file beside its configuration
    pub(crate) fn start(config: &Path) -> Self {
        let log = config.with_extension("log");
        let mut process = Command::new(env!("CARGO_BIN_EXE_msq-gate"))
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on https://").unwrap().parse().unwrap();
        Self { process, address, log }
    }

    /// What it has logged so far; what it says of its files before that is no JSON
    pub(crate) fn logged(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until it has logged this
    pub(crate) async fn has_logged(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.logged().iter().any(|line| line.to_string().contains(text)) {
            assert!(Instant::now() < end, "it does not log {text}: {:#?}", self.logged());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it has ended; with which status
    async fn ended(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn signal(&self, shell: &str) {
        let script = shell.replace("PID", &self.process.id().to_string());
        assert!(Command::new("bash").args(["-c", &script]).status().unwrap().success(), "{script}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

#[tokio::test]
async fn a_program_that_was_stopped_and_goes_on_recovers_and_a_thousand_hang_ups_ask_once() {
    let (mut gate, _druid) = setup("").await;
    let program = Program::start(&gate.path("proxy.toml"));
    gate.address = program.address;
    let token = gate.token("alice", &[]);
    assert_eq!(gate.try_get(ENABLED, &token).await, Some(StatusCode::OK));
    program.signal("kill -STOP PID; sleep 10; kill -CONT PID");
    assert_eq!(gate.try_get(ENABLED, &token).await, Some(StatusCode::OK), "it recovers");
    let (storm, statuses) = tokio::join!(
        tokio::task::spawn_blocking(move || {
            program.signal("for i in {1..1000}; do kill -HUP PID; done");
            program
        }),
        gate.send_often(ENABLED, &token, 300)
    );
    let mut program = storm.unwrap();
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200]);
    program.signal("kill -TERM PID");
    assert_eq!(program.process.wait().unwrap().code(), Some(0), "a drain ends with 0");
}

#[tokio::test]
async fn an_address_that_is_set_back_needs_no_restart() {
    let (gate, _druid) = setup("").await;
    let path = gate.path("proxy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let program = Program::start(&path);
    let told = |program: &Program, what: &str| {
        program.logged().iter().filter(|line| line.to_string().contains(what)).count()
    };
    let changed = text.replace("[admin]\naddress = \"127.0.0.1:0\"", "[admin]\naddress = \"127.0.0.2:0\"");
    for (applied, text) in [(1, changed), (2, text)] {
        gate.write("proxy.toml", &text);
        let end = Instant::now() + Duration::from_secs(30);
        while told(&program, "the changed files are applied") < applied {
            assert!(Instant::now() < end, "{:#?}", program.logged());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told(&program, "needs a restart"), 1, "{:#?}", program.logged());
    }
}

#[tokio::test]
async fn keys_that_never_came_are_not_said_to_serve() {
    let (gate, _druid) = setup("").await;
    std::fs::remove_file(gate.path("jwks.json")).unwrap();
    let program = Program::start(&gate.path("proxy.toml"));
    program.has_logged("there are none yet").await;
    assert!(!program.logged().iter().any(|line| line.to_string().contains("last good ones")));
}

#[tokio::test]
async fn a_program_that_is_killed_loses_no_owner() {
    let (mut gate, _druid) = setup("").await;
    let program = Program::start(&gate.path("proxy.toml"));
    gate.address = program.address;
    let body = json!({"query": "SELECT 1", "context": {"executionMode": "ASYNC"}});
    let answer = gate.post("/druid/v2/sql/statements", &body).bearer(&gate.token("olga", &[])).send().await;
    let id = answer.json()["queryId"].as_str().unwrap().to_owned();
    program.signal("kill -KILL PID");
    drop(program);
    let program = Program::start(&gate.path("proxy.toml"));
    gate.address = program.address;
    let statement = format!("/druid/v2/sql/statements/{id}");
    assert_eq!(gate.get(&statement).bearer(&gate.token("olga", &[])).send().await.status, StatusCode::OK);
    let other = gate.request(Method::DELETE, &statement).bearer(&gate.token("otto", &[])).send().await;
    assert_eq!(other.reason().as_deref(), Some("not_owner"));
}
