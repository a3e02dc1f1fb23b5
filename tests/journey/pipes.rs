//! Pipes that nobody empties and disks that are full: what needs a record is refused, and the rest of the gate lives

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};

use crate::gate::{Answer, TestGate};

const ENABLED: &str = "/druid/v2/sql/task/enabled";
const LONG: Duration = Duration::from_secs(30);

/// The program, whose standard output and standard error are pipes that are read as far as the test reads them
pub(crate) struct Piped {
    pub(crate) process: Child,
    output: Option<BufReader<std::process::ChildStdout>>,
    errors: BufReader<std::process::ChildStderr>,
}

impl Piped {
    /// Started by this shell command; `gate` speaks to it from now on
    pub(crate) fn start(gate: &mut TestGate, shell: &str) -> Self {
        let mut process = Command::new("bash")
            .args(["-c", shell, env!("CARGO_BIN_EXE_msq-gate")])
            .current_dir(gate.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        gate.address = line.trim().strip_prefix("listening on https://").unwrap().parse().unwrap();
        let admin = loop {
            line.clear();
            errors.read_line(&mut line).unwrap();
            let logged: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(admin) = logged["admin"].as_str() {
                break admin.parse().unwrap();
            }
        };
        gate.admin = admin;
        Self { process, output: Some(output), errors }
    }

    fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("bash").args(["-c", &script]).status().unwrap().success());
    }

    /// Ends when told to, though nobody reads
    pub(crate) fn ends(&mut self) {
        self.signal("TERM");
        let end = Instant::now() + Duration::from_secs(10);
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it does not end");
            std::thread::yield_now();
        }
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

pub(crate) const SERVE: &str = "exec \"$0\" serve --config proxy.toml";

/// A gate whose audit file is this; Druid is there, and alice may ask whether tasks are enabled
async fn setup(audit: &str) -> (TestGate, StandIn, String) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let gate = TestGate::start(&format!("http://{}", druid.address()), "").await;
    let text = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    gate.write("proxy.toml", &text.replace("audit.jsonl", audit));
    let token = gate.token("alice", &[]);
    (gate, druid, token)
}

async fn ask(gate: &TestGate, target: &str, token: &str) -> Answer {
    tokio::time::timeout(LONG, gate.get(target).bearer(token).send()).await.unwrap()
}

async fn lives(gate: &TestGate) {
    lives_within(gate, Duration::from_millis(100)).await;
}

pub(crate) async fn lives_within(gate: &TestGate, soon: Duration) {
    let began = Instant::now();
    assert_eq!(gate.ask_admin("/livez").await.0, 200);
    assert!(began.elapsed() < soon, "{:?}", began.elapsed());
}

async fn readiness(gate: &TestGate) -> (u16, Value) {
    let (status, body) = gate.ask_admin("/readyz").await;
    (status, serde_json::from_str(&body).unwrap())
}

/// Asks until nothing can be put on record; the answer that says so
async fn until_unrecorded(gate: &TestGate, token: &str) -> Answer {
    let end = Instant::now() + 2 * LONG;
    loop {
        assert!(Instant::now() < end, "records are still taken");
        let answer = ask(gate, ENABLED, token).await;
        if answer.status != StatusCode::OK {
            return answer;
        }
        let mut connection = gate.keep_alive().await;
        for _ in 0..20 {
            if connection.send(ENABLED, token).await != StatusCode::OK {
                break;
            }
        }
    }
}

fn says_so(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("audit_unavailable"))
    );
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn standard_output_that_nobody_reads_refuses_what_needs_a_record_and_stops_nothing_else() {
    let (mut gate, _druid, token) = setup("-").await;
    let mut program = Piped::start(&mut gate, SERVE);
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    says_so(&until_unrecorded(&gate, &token).await);
    lives(&gate).await;
    let began = Instant::now();
    says_so(&ask(&gate, ENABLED, &token).await);
    assert!(began.elapsed() < Duration::from_millis(500), "once that is known, nobody waits for it");
    assert_eq!(ask(&gate, "/_gate/whoami", &token).await.status, StatusCode::OK);
    assert_eq!(ask(&gate, "/x", &token).await.reason().as_deref(), Some("unknown_endpoint"));
    let (status, ready) = readiness(&gate).await;
    assert_eq!((status, &ready["ready"], &ready["record"]), (503, &json!(false), &json!(false)), "{ready}");
    lives(&gate).await;
    // Somebody reads again.
    let output = program.output.take().unwrap();
    let reading = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
    let end = Instant::now() + LONG;
    while readiness(&gate).await.0 != 200 {
        assert!(Instant::now() < end);
    }
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    program.ends();
    let lines = reading.join().unwrap();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["reason"] == "audit_unavailable"),
        "what was refused is on record too"
    );
    assert_eq!(lines.last().unwrap()["event"], "finished");
}

#[tokio::test]
async fn a_gate_ends_when_told_to_though_nobody_reads_its_record() {
    let (mut gate, _druid, token) = setup("-").await;
    let mut program = Piped::start(&mut gate, SERVE);
    says_so(&until_unrecorded(&gate, &token).await);
    program.ends();
}

#[tokio::test]
async fn standard_error_that_nobody_reads_stops_nothing() {
    let (mut gate, _druid, token) = setup("audit.jsonl").await;
    let mut program = Piped::start(&mut gate, SERVE);
    // What does not match the configuration is in the log, by whomever it is sent.
    let stranger =
        gate.sign(&json!({"iss": gate.issuer_name, "aud": "other", "sub": "x", "exp": 4_000_000_000_u64}));
    assert_eq!(ask(&gate, ENABLED, &stranger).await.reason().as_deref(), Some("token_audience"));
    let mut connection = gate.keep_alive().await;
    for _ in 0..8_000 {
        let status = tokio::time::timeout(LONG, connection.send(ENABLED, &stranger)).await;
        assert_eq!(status.unwrap(), StatusCode::UNAUTHORIZED);
    }
    lives(&gate).await;
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    assert_eq!(readiness(&gate).await.0, 200);
    let page = gate.metrics().await;
    let left_out =
        page.lines().find_map(|line| line.strip_prefix("msq_gate_log_lines_left_out_total ")).unwrap();
    assert_ne!(left_out, "0", "what found no room is counted");
    program.ends();
    let mut first = vec![0; 1 << 10];
    program.errors.read_exact(&mut first).unwrap();
}

#[tokio::test]
async fn on_a_full_disk_the_gate_is_not_ready_until_lines_are_written_again_each_whole() {
    let (mut gate, _druid, token) = setup("full.jsonl").await;
    // The program's own lines go to a pipe; only the record grows.
    let program = Piped::start(&mut gate, &format!("trap '' XFSZ; ulimit -f 48; {SERVE}"));
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    assert_eq!(readiness(&gate).await.0, 200);
    says_so(&until_unrecorded(&gate, &token).await);
    lives(&gate).await;
    let (status, ready) = readiness(&gate).await;
    assert_eq!((status, &ready["record"]), (503, &json!(false)), "{ready}");
    std::fs::rename(gate.path("full.jsonl"), gate.path("old.jsonl")).unwrap();
    program.signal("HUP");
    let end = Instant::now() + LONG;
    while readiness(&gate).await.0 != 200 {
        assert!(Instant::now() < end);
    }
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    drop(program);
    let text = std::fs::read_to_string(gate.path("old.jsonl")).unwrap();
    let (whole, half) = text.rsplit_once('\n').unwrap();
    assert!(serde_json::from_str::<Value>(half).is_err(), "it was cut, {half:?}");
    let new = std::fs::read_to_string(gate.path("full.jsonl")).unwrap();
    for line in whole.lines().chain(new.lines()) {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    // A gate that starts where half a line stands does not glue its first to it.
    std::fs::copy(gate.path("old.jsonl"), gate.path("full.jsonl")).unwrap();
    let mut program = Piped::start(&mut gate, SERVE);
    assert_eq!(ask(&gate, ENABLED, &token).await.status, StatusCode::OK);
    program.ends();
    let text = std::fs::read_to_string(gate.path("full.jsonl")).unwrap();
    let broken = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    assert_eq!((broken, text.lines().count()), (1, whole.lines().count() + 3));
}
