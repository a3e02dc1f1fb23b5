//! Durable storage of a real Druid, through a gate that a preflight's report tells how it stands
//!
//! Druid 27 has it of type `local` here; what the gate does about it is the same. `DRUID_VAR` names the folder of
//! that Druid, as it does for `tests/druid/druid`: what Druid stores is looked at there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use msq_gate::durable_storage::Report;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::druid::until;
use super::open::{Person, ROLES};
use super::{Router, router};
use crate::gate::{Answer, TestGate};
use crate::stores::{denied, proven, write};

const TASK: &str = "/druid/v2/sql/task";
const STATEMENTS: &str = "/druid/v2/sql/statements";
const ROWS: &str = r#"TABLE(EXTERN('{"type":"inline","data":"{\"ts\":\"2024-01-01\",\"a\":\"x\"}\n{\"ts\":\"2024-01-02\",\"a\":\"y\"}"}', '{"type":"json"}')) EXTEND (ts VARCHAR, a VARCHAR)"#;

/// A gate before a real Druid that requires durable storage to be proven, and the folder of its report
async fn setup(url: &str, report: &Report) -> (TestGate, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    write(&file, report);
    let tables = format!(
        "{ROLES}\n[rules]\nselect_tasks = \"owner\"\n[durable_storage]\nreport = {file:?}\nrequired = true\n"
    );
    (TestGate::start(url, &tables).await, folder)
}

fn grouped() -> String {
    format!("SELECT a, COUNT(*) AS n FROM {ROWS} GROUP BY a ORDER BY a")
}

/// Where this Druid stores
fn durable() -> PathBuf {
    let folder =
        std::env::var("DRUID_VAR").unwrap_or_else(|_| panic!("DRUID_VAR names no folder of a Druid"));
    PathBuf::from(folder).join("druid/durable")
}

/// Watches what comes and goes in durable storage
struct Watched {
    done: Arc<AtomicBool>,
    seen: std::thread::JoinHandle<BTreeSet<String>>,
}

impl Watched {
    fn start() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (until, folder) = (Arc::clone(&done), durable());
        let seen = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !until.load(Ordering::Relaxed) {
                let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                seen.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
                std::thread::sleep(Duration::from_millis(1));
            }
            seen
        });
        Self { done, seen }
    }

    /// Whether results of a stage of this task were there
    fn saw(self, task: &str) -> bool {
        self.done.store(true, Ordering::Relaxed);
        self.seen.join().unwrap().iter().any(|name| name.contains(task))
    }
}

async fn report_is(gate: &TestGate, state: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, body) = gate.ask_admin("/readyz").await;
        let ready: Value = serde_json::from_str(&body).unwrap();
        if ready["durableStorage"]["state"] == state {
            return;
        }
        assert!(Instant::now() < end, "{body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn run(person: &Person<'_>, query: &str, context: &Value) -> Answer {
    person.post(TASK, &json!({"query": query, "context": context})).await
}

fn task(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    answer.json()["taskId"].as_str().unwrap().to_owned()
}

fn assert_durable_storage_is_refused(answer: &Answer, what: &str) {
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("durable_storage")),
        "{what}: {}",
        answer.text()
    );
    assert!(answer.text().contains("Druid lacks s3:AbortMultipartUpload"), "{what}: {}", answer.text());
}

/// Waits until a statement has ended; how
async fn statement_ended(person: &Person<'_>, id: &str) -> Value {
    let status = async || person.get(&format!("{STATEMENTS}/{id}")).await.json();
    until(id, status, |status: &Value| {
        !matches!(status["state"].as_str(), Some("RUNNING" | "ACCEPTED") | None)
    })
    .await
}

/// The rows of every page of a statement's results
async fn pages(person: &Person<'_>, id: &str, status: &Value) -> Vec<Value> {
    let pages = status["result"]["pages"].as_array().unwrap().clone();
    assert!(!pages.is_empty(), "{status}");
    let mut rows = Vec::new();
    for page in pages {
        let answer = person.get(&format!("{STATEMENTS}/{id}/results?page={}", page["id"])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        // `objectLines`, Druid's default here.
        let lines = answer.text();
        rows.extend(
            lines
                .lines()
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    rows
}

#[tokio::test]
async fn durable_storage_works_through_the_gate_and_waits_while_it_is_not_proven() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let (gate, folder) = setup(url, &proven()).await;
    let olga = Person::named(&gate, "olga", &["external", "w1"]);
    let otto = Person::named(&gate, "otto", &["external"]);
    let insert = format!(
        "REPLACE INTO live1 OVERWRITE ALL SELECT TIME_PARSE(ts) AS __time, a FROM {ROWS} PARTITIONED BY ALL"
    );
    let shuffled = json!({"durableShuffleStorage": true});
    let stored = json!({"executionMode": "ASYNC", "selectDestination": "durableStorage"});

    let watched = Watched::start();
    let inserted = task(&run(&olga, &insert, &shuffled).await);
    let watcher = Person::named(&gate, "watcher", &["r1"]);
    assert_eq!(watcher.ended(&inserted).await, "SUCCESS");
    assert!(watched.saw(&inserted), "the results of its stages went to durable storage");
    println!("INSERT with durableShuffleStorage: SUCCESS, its stages seen in durable storage");

    let id = olga.start_async(&grouped(), "durableStorage").await;
    let status = statement_ended(&olga, &id).await;
    assert_eq!(status["state"], "SUCCESS", "{status}");
    let rows = pages(&olga, &id, &status).await;
    assert_eq!(rows, [json!({"a": "x", "n": 1}), json!({"a": "y", "n": 1})]);
    assert!(durable().join(format!("query-results/controller_{id}")).is_dir());
    let refused = otto.get(&format!("{STATEMENTS}/{id}/results?page=0")).await;
    assert_eq!(refused.reason().as_deref(), Some("not_owner"));
    println!(
        "SELECT to durableStorage: SUCCESS, {} page(s) read by its owner, none by another",
        status["result"]["pages"].as_array().unwrap().len()
    );

    write(&folder.path().join("report.json"), &denied());
    report_is(&gate, "denied").await;
    assert_durable_storage_is_refused(
        &run(&olga, &insert, &shuffled).await,
        "INSERT with durableShuffleStorage",
    );
    let statement = json!({"query": grouped(), "context": stored});
    assert_durable_storage_is_refused(&olga.post(STATEMENTS, &statement).await, "SELECT to durableStorage");
    println!("while the report says no: both answered 503 durable_storage");

    let inserted = task(&run(&olga, &insert, &json!({})).await);
    assert_eq!(watcher.ended(&inserted).await, "SUCCESS", "an INSERT without durable storage");
    let to_report = olga.start_async(&grouped(), "taskReport").await;
    let ended = statement_ended(&olga, &to_report).await;
    assert_eq!(ended["state"], "SUCCESS", "a SELECT to the task's report: {ended}");
    assert_eq!(pages(&olga, &id, &status).await, rows, "results that are stored can still be read");
    let at_once = olga.post("/druid/v2/sql", &json!({"query": "SELECT 1", "context": shuffled})).await;
    assert_eq!(at_once.status, StatusCode::OK, "{}", at_once.text());
    println!(
        "while the report says no: INSERT, SELECT to the report, stored results and /druid/v2/sql untouched"
    );

    write(&folder.path().join("report.json"), &proven());
    report_is(&gate, "proven").await;
    let inserted = task(&run(&olga, &insert, &shuffled).await);
    assert_eq!(watcher.ended(&inserted).await, "SUCCESS");
}

/// What the gate takes for a wish is what Druid takes for one: refused by the gate, or seen in Druid's storage
#[tokio::test]
async fn the_gate_reads_the_keys_of_durable_storage_as_druid_does() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let (gate, _proven) = setup(url, &proven()).await;
    let (doubting, _denied) = setup(url, &denied()).await;
    let olga = Person::named(&gate, "olga", &["external"]);
    let her_other_self = Person::named(&doubting, "olga", &["external"]);
    for (context, asks) in [
        (json!({}), false),
        (json!({"durableShuffleStorage": true}), true),
        (json!({"durableShuffleStorage": "TRUE"}), true),
        (json!({"durableShuffleStorage": "yes"}), false),
        (json!({"durableShuffleStorage": false}), false),
        (json!({"faultTolerance": true}), true),
        (json!({"faultTolerance": "True"}), true),
        (json!({"faultTolerance": false}), false),
        (json!({"selectDestination": "durableStorage"}), true),
        (json!({"selectDestination": "DURABLEstorage"}), true),
        (json!({"selectDestination": "durable\u{17f}torage"}), true),
        (json!({"selectDestination": "taskReport"}), false),
    ] {
        let mut asynchronous = context.clone();
        asynchronous["executionMode"] = json!("ASYNC");
        let statement = json!({"query": grouped(), "context": asynchronous});
        let watched = Watched::start();
        let answer = olga.post(STATEMENTS, &statement).await;
        assert_eq!(answer.status, StatusCode::OK, "{context}: {}", answer.text());
        let id = answer.json()["queryId"].as_str().unwrap().to_owned();
        let status = statement_ended(&olga, &id).await;
        assert_eq!(status["state"], "SUCCESS", "{context}: {status}");
        let is_stored = durable().join(format!("query-results/controller_{id}")).is_dir();
        assert_eq!(watched.saw(&id) || is_stored, asks, "{context}: what Druid does");
        let answer = her_other_self.post(STATEMENTS, &statement).await;
        assert_eq!(
            answer.reason().as_deref() == Some("durable_storage"),
            asks,
            "{context}: what the gate does"
        );
        println!("{context}: {}", if asks { "asks" } else { "does not ask" });
    }
}
