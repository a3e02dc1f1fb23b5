//! Queries that ask for durable storage, while a preflight's report proves it and while it does not

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use msq_gate::config::Config;
use msq_gate::durable_storage::place::Location;
use msq_gate::durable_storage::report::{Outcome, Proof, Told};
use msq_gate::durable_storage::{Action, Report};
use msq_gate::server::Server;
use msq_gate::stand_in::{StandIn, StandInSettings, Table};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gate::{Answer, TestGate};
use crate::restarts::Program;

const TASK: &str = "/druid/v2/sql/task";
const STATEMENTS: &str = "/druid/v2/sql/statements";
const READER: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n";
const REQUIRED: &str = "required = true\nbucket = \"druid\"\nprefix = \"p\"\n";
const MINUTE: Duration = Duration::from_secs(60);

/// A gate that reads a report, which stands in a folder of its own
struct Stored {
    gate: TestGate,
    druid: StandIn,
    folder: TempDir,
}

/// A gate whose `[durable_storage]` names a report, which is this one, and has these lines besides
async fn setup(report: Option<&Report>, lines: &str) -> Stored {
    let folder = tempfile::tempdir().unwrap();
    if let Some(report) = report {
        write(&folder.path().join("report.json"), report);
    }
    let file = folder.path().join("report.json");
    let tables = format!("{READER}[durable_storage]\nreport = {file:?}\n{lines}");
    let table = || Table { columns: Vec::new(), rows: Vec::new() };
    let tables_of_druid = ["a", "secret"].map(|name| (name.to_owned(), table())).to_vec();
    let settings = StandInSettings { tables: tables_of_druid, ..StandInSettings::default() };
    let druid = StandIn::start(settings).await.unwrap();
    Stored { gate: TestGate::start(&format!("http://{}", druid.address()), &tables).await, druid, folder }
}

pub(crate) fn write(file: &Path, report: &Report) {
    std::fs::write(file, serde_json::to_vec(report).unwrap()).unwrap();
}

/// A report of now
fn report(outcomes: [Outcome; 4]) -> Report {
    let proof = |(action, outcome)| Proof { action, outcome, answer: None, note: String::new() };
    Report {
        time: SystemTime::now(),
        location: Location { bucket: "druid".to_owned(), prefix: "p".to_owned() },
        endpoint: "https://s3.test".to_owned(),
        region: "eu-central-1".to_owned(),
        credentials: None,
        actions: Action::ALL.into_iter().zip(outcomes).map(proof).collect(),
        problem: None,
        left_behind: Vec::new(),
        policy: Value::Null,
        bucket_policy: Value::Null,
    }
}

pub(crate) fn proven() -> Report {
    report([Outcome::Proven; 4])
}

/// Druid may do all but give up a push
pub(crate) fn denied() -> Report {
    report([Outcome::Proven, Outcome::Proven, Outcome::Denied, Outcome::Proven])
}

fn of_before(report: Report, age: Duration) -> Report {
    Report { time: SystemTime::now() - age, ..report }
}

impl Stored {
    /// What `/readyz` says of durable storage
    async fn told(&self) -> Value {
        let (status, body) = self.gate.ask_admin("/readyz").await;
        assert_eq!(status, 200, "a balancer keeps the gate whatever the report says: {body}");
        serde_json::from_str::<Value>(&body).unwrap()["durableStorage"].clone()
    }

    /// Waits until it is in this state
    async fn is(&self, state: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let told = self.told().await;
            if told["state"] == state {
                return told;
            }
            assert!(Instant::now() < end, "it is not {state}: {told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Puts another report in the file and waits until it counts
    async fn replace(&self, report: &Report, state: &str) {
        write(&self.folder.path().join("report.json"), report);
        self.is(state).await;
    }

    async fn post(&self, path: &str, query: &str, context: &Value) -> Answer {
        let body = json!({"query": query, "context": context});
        self.gate.post(path, &body).bearer(&self.gate.token("alice", &["reader"])).send().await
    }

    /// A query with durable storage
    async fn ask(&self) -> Answer {
        self.post(TASK, "SELECT * FROM a", &json!({"durableShuffleStorage": true})).await
    }
}

fn message(answer: &Answer) -> String {
    answer.json()["errorMessage"].as_str().unwrap().to_owned()
}

/// Every way to ask, and by which keys it does
fn asking() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let select = "SELECT * FROM a";
    let asynchronous = |key: &str, value: Value| {
        let mut context = json!({"executionMode": "ASYNC"});
        context[key] = value;
        context
    };
    vec![
        (TASK, select, json!({"durableShuffleStorage": true}), "durableShuffleStorage"),
        (TASK, select, json!({"durableShuffleStorage": "TRUE"}), "durableShuffleStorage"),
        (TASK, select, json!({"faultTolerance": true}), "faultTolerance"),
        (TASK, "SET durableShuffleStorage = 'true'; SELECT * FROM a", json!({}), "durableShuffleStorage"),
        (STATEMENTS, select, asynchronous("selectDestination", json!("DurableStorage")), "selectDestination"),
        (
            STATEMENTS,
            select,
            json!({"executionMode": "ASYNC", "faultTolerance": true, "durableShuffleStorage": true}),
            "durableShuffleStorage and faultTolerance",
        ),
    ]
}

#[tokio::test]
async fn what_asks_for_durable_storage_is_forwarded_while_it_is_proven() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    for (path, query, context, _) in asking() {
        let answer = stored.post(path, query, &context).await;
        assert!(answer.status.is_success(), "{query} {context}: {}", answer.text());
    }
    assert_eq!(stored.druid.requests().len(), asking().len());
}

#[tokio::test]
async fn what_asks_for_durable_storage_waits_while_druid_lacks_an_action() {
    let stored = setup(Some(&of_before(denied(), 12 * MINUTE)), REQUIRED).await;
    for (path, query, context, keys) in asking() {
        let answer = stored.post(path, query, &context).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{query} {context}");
        assert_eq!(answer.reason().as_deref(), Some("durable_storage"));
        assert_eq!(
            message(&answer),
            format!(
                "durable storage cannot be used: Druid lacks s3:AbortMultipartUpload on s3://druid/p/ (report of 12 minutes ago); run the query without {keys}, or ask your operator"
            )
        );
    }
    assert!(stored.druid.requests().is_empty());
}

#[tokio::test]
async fn what_asks_for_no_durable_storage_is_not_touched() {
    let stored = setup(None, REQUIRED).await;
    for (path, query, context) in [
        (TASK, "SELECT * FROM a", json!({})),
        (TASK, "SELECT * FROM a", json!({"durableShuffleStorage": false})),
        (TASK, "SELECT * FROM a", json!({"selectDestination": "taskReport"})),
        (
            TASK,
            "SET durableShuffleStorage = FALSE; SELECT * FROM a",
            json!({"durableShuffleStorage": true, "faultTolerance": true}),
        ),
        (TASK, "EXPLAIN PLAN FOR SELECT * FROM a", json!({"durableShuffleStorage": true})),
        ("/druid/v2/sql", "SELECT * FROM a", json!({"durableShuffleStorage": true})),
        (STATEMENTS, "SELECT * FROM a", json!({"executionMode": "ASYNC"})),
    ] {
        let answer = stored.post(path, query, &context).await;
        assert_eq!(answer.reason(), None, "{path} {query} {context}: it is for Druid to answer");
    }
    assert_eq!(stored.druid.requests().len(), 7);
    let token = stored.gate.token("alice", &["reader"]);
    let enabled = stored.gate.get("/druid/v2/sql/task/enabled").bearer(&token).send().await;
    assert_eq!(enabled.status, StatusCode::OK);
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn without_required_a_report_is_told_and_changes_nothing() {
    for report in [Some(denied()), Some(of_before(proven(), 600 * MINUTE)), None] {
        let stored = setup(report.as_ref(), "").await;
        for (path, query, context, _) in asking() {
            assert_eq!(stored.post(path, query, &context).await.reason(), None, "{report:?}");
        }
        let told = stored.told().await;
        assert_eq!(told["required"], false);
        assert_ne!(told["state"], "proven");
    }
}

#[tokio::test]
async fn every_doubt_says_what_it_is() {
    let elsewhere = Location { bucket: "druid".to_owned(), prefix: "other".to_owned() };
    let wrong_secret = Told {
        kind: "wrong_secret".to_owned(),
        message: "the secret does not belong to this access key".to_owned(),
        remedy: String::new(),
    };
    let unreached = report([Outcome::NotReached; 4]);
    assert_eq!(setup(Some(&proven()), REQUIRED).await.ask().await.status, StatusCode::ACCEPTED);
    for (report, state, says) in [
        (
            Some(of_before(proven(), 121 * MINUTE)),
            "stale",
            "is too old: it is of 2 hours ago, and counts for 2 hours",
        ),
        (
            Some(Report { location: elsewhere, ..proven() }),
            "other_place",
            "is about s3://druid/other/ and not about s3://druid/p/",
        ),
        (
            Some(Report { problem: Some(wrong_secret), ..unreached.clone() }),
            "unproven",
            "the secret does not belong to this access key (report of ",
        ),
        (
            Some(unreached),
            "unproven",
            "s3:AbortMultipartUpload, s3:DeleteObject could not be proven on s3://druid/p/",
        ),
        (
            Some(Report { time: SystemTime::now() + 60 * MINUTE, ..proven() }),
            "from_the_future",
            "yet to come",
        ),
        (None, "no_report", "there is no report of a preflight"),
    ] {
        let stored = setup(report.as_ref(), REQUIRED).await;
        let answer = stored.ask().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("durable_storage")),
            "{state}"
        );
        assert!(message(&answer).contains(says), "{state}: {}", message(&answer));
        assert!(stored.druid.requests().is_empty());
        assert_eq!(stored.told().await["state"], state);
    }
}

#[tokio::test]
async fn a_caller_who_lacks_a_permission_is_told_that_first() {
    let stored = setup(Some(&denied()), REQUIRED).await;
    let context = json!({"durableShuffleStorage": true});
    let answer = stored.post(TASK, "SELECT * FROM secret", &context).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.missing(), ["READ DATASOURCE secret"]);
    let answer = stored.post(TASK, "SELECT * FROM a", &context).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_refusal_for_durable_storage_has_one_line_on_record() {
    let stored = setup(Some(&denied()), REQUIRED).await;
    let answer = stored.ask().await;
    let lines = stored.gate.record(&answer);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (&line["event"], &line["verdict"], &line["reason"], &line["status"]),
        (&json!("refused"), &json!("refused"), &json!("durable_storage"), &json!(503))
    );
    assert_eq!(line["durableStorage"], json!({"state": "denied", "missing": ["s3:AbortMultipartUpload"]}));
    assert_eq!((&line["needed"], &line["missing"]), (&json!(["READ DATASOURCE a"]), &json!([])));
    let counted = "msq_gate_requests_total{endpoint=\"/druid/v2/sql/task\",verdict=\"refused\",reason=\"durable_storage\"} 1\n";
    let metrics = stored.gate.metrics().await;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn where_only_the_code_is_told_nobody_learns_where_the_storage_is() {
    let stored = setup(Some(&denied()), &format!("{REQUIRED}[rules]\nrefusal_detail = \"code\"\n")).await;
    let answer = stored.ask().await;
    assert_eq!(answer.reason().as_deref(), Some("durable_storage"));
    assert_eq!(
        message(&answer),
        "durable storage cannot be used now; run the query without durableShuffleStorage, or ask your operator"
    );
}

#[tokio::test]
async fn a_report_that_is_replaced_counts_without_a_restart() {
    let stored = setup(None, REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    stored.replace(&proven(), "proven").await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    stored.replace(&denied(), "denied").await;
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    stored.replace(&proven(), "proven").await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn while_the_file_is_torn_the_last_good_report_counts_until_it_is_stale() {
    let stored = setup(Some(&proven()), &format!("{REQUIRED}report_stale_seconds = 10\n")).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let whole = serde_json::to_string(&denied()).unwrap();
    let half: String = whole.chars().take(whole.len() / 2).collect();
    std::fs::write(stored.folder.path().join("report.json"), half).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let mut states = Vec::new();
    while states.last().is_none_or(|state| *state == json!("proven")) {
        assert!(Instant::now() < end, "it is not stale yet");
        tokio::time::sleep(Duration::from_millis(50)).await;
        states.push(stored.told().await["state"].clone());
    }
    assert_eq!(states.last(), Some(&json!("stale")), "nothing but proven before");
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    stored.replace(&proven(), "proven").await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn readiness_tells_how_durable_storage_stands_and_does_not_rest_on_it() {
    let stored = setup(Some(&of_before(denied(), 12 * MINUTE)), REQUIRED).await;
    let mut told = stored.told().await;
    let age = told["ageSeconds"].take().as_u64().unwrap();
    assert!((720..750).contains(&age), "{age}");
    assert_eq!(
        told,
        json!({
            "state": "denied", "ageSeconds": null, "missing": ["s3:AbortMultipartUpload"],
            "file": stored.folder.path().join("report.json"), "required": true,
            "message": "Druid lacks s3:AbortMultipartUpload on s3://druid/p/ (report of 12 minutes ago)",
        })
    );
    stored.replace(&proven(), "proven").await;
    let told = stored.told().await;
    assert_eq!(told["missing"], json!([]));
    assert!(
        told["message"].as_str().unwrap().starts_with("all four actions are proven on s3://druid/p/"),
        "{told}"
    );
    let none = setup(None, "").await.told().await;
    assert_eq!((&none["ageSeconds"], &none["required"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn metrics_have_each_state_each_action_and_the_age() {
    let stored = setup(Some(&of_before(denied(), 12 * MINUTE)), "").await;
    let page = stored.gate.metrics().await;
    let has = |line: &str| assert!(page.lines().any(|there| there == line), "{line}:\n{page}");
    for state in ["proven", "unproven", "stale", "from_the_future", "other_place", "no_report"] {
        has(&format!("msq_gate_durable_storage{{state=\"{state}\"}} 0"));
    }
    has("msq_gate_durable_storage{state=\"denied\"} 1");
    for (action, value) in Action::ALL.into_iter().zip([1, 1, 0, 1]) {
        has(&format!("msq_gate_durable_storage_action_proven{{action=\"{action}\"}} {value}"));
    }
    assert!(age(&page).is_some_and(|age| (720..750).contains(&age)), "{page}");
    let page = setup(None, "").await.gate.metrics().await;
    assert_eq!(age(&page), Some(-1));
    assert!(page.contains("msq_gate_durable_storage{state=\"no_report\"} 1\n"), "{page}");
}

/// The age of the report on the page of `/metrics`
fn age(page: &str) -> Option<i64> {
    let mut lines = page.lines();
    let age = lines.find_map(|line| line.strip_prefix("msq_gate_durable_storage_report_age_seconds "))?;
    age.parse().ok()
}

#[tokio::test]
async fn another_file_counts_from_the_reload_on_and_none_where_none_is_configured() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    write(&stored.folder.path().join("other.json"), &denied());
    let config = std::fs::read_to_string(stored.gate.path("proxy.toml")).unwrap();
    stored.gate.write("proxy.toml", &config.replace("report.json", "other.json"));
    stored.gate.has_reloaded("applied", 1).await;
    let told = stored.is("denied").await;
    assert!(told["file"].as_str().unwrap().ends_with("other.json"), "{told}");
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    write(&stored.folder.path().join("other.json"), &proven());
    stored.is("proven").await;
    let (before, after) = config.split_once("[durable_storage]").unwrap();
    let (_, after) = after.split_once("[[issuers]]").unwrap();
    stored.gate.write("proxy.toml", &format!("{before}[[issuers]]{after}"));
    stored.gate.has_reloaded("applied", 2).await;
    assert_eq!(stored.told().await, Value::Null);
    assert!(!stored.gate.metrics().await.contains("msq_gate_durable_storage"));
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_last_good_report_outlives_a_reload_that_names_the_same_file() {
    let stored = setup(Some(&of_before(proven(), 12 * MINUTE)), REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    std::fs::remove_file(stored.folder.path().join("report.json")).unwrap();
    let config = std::fs::read_to_string(stored.gate.path("proxy.toml")).unwrap();
    for (times, stale, state) in [(1, 3_600, "proven"), (2, 600, "stale")] {
        let stale = format!("{REQUIRED}report_stale_seconds = {stale}\n");
        stored.gate.write("proxy.toml", &config.replace(REQUIRED, &stale));
        stored.gate.has_reloaded("applied", times).await;
        assert_eq!(stored.told().await["state"], state);
    }
}

/// Puts something in place of a file that waits for whoever opens it
fn hang(file: &Path) {
    let _was_not_there = std::fs::remove_file(file);
    assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
}

#[tokio::test]
async fn a_report_that_cannot_be_read_to_its_end_holds_up_no_start_and_no_reload() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let config = std::fs::read_to_string(stored.gate.path("proxy.toml")).unwrap();
    let granted =
        config.replace("report.json", "other.json").replace("READ DATASOURCE a", "READ DATASOURCE b");
    hang(&stored.folder.path().join("other.json"));
    stored.gate.write("proxy.toml", &granted);
    stored.gate.has_reloaded("applied", 1).await;
    let token = stored.gate.token("alice", &["reader"]);
    let body = json!({"query": "SELECT * FROM a"});
    let answer = stored.gate.post(TASK, &body).bearer(&token).send().await;
    assert_eq!(answer.missing(), ["READ DATASOURCE a"], "what is granted no longer counts no longer");
    assert_eq!(stored.told().await["state"], "no_report");
    let server = Server::start(Config::read(&granted, stored.gate.folder.path()).config.unwrap()).await;
    assert!(server.unwrap().drain().await, "a gate starts beside such a file, and ends");
}

#[tokio::test]
async fn a_report_that_cannot_be_read_any_more_leaves_the_last_good_one() {
    let stored = setup(Some(&proven()), &format!("{REQUIRED}report_stale_seconds = 10\n")).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let file = stored.folder.path().join("report.json");
    hang(&file);
    stored.is("stale").await;
    std::fs::remove_file(&file).unwrap();
    stored.replace(&proven(), "proven").await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_report_that_cannot_be_read_keeps_no_program_from_serving_and_none_from_its_end() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    let config = std::fs::read_to_string(stored.gate.path("proxy.toml")).unwrap();
    stored.gate.write("second.toml", &config.replace("report.json", "other.json"));
    hang(&stored.folder.path().join("other.json"));
    let mut programs = ["proxy.toml", "second.toml"].map(|name| Program::start(&stored.gate.path(name)));
    // Taken in one step for the other, as a preflight does it: the first program read the good one before.
    hang(&stored.folder.path().join("new.json"));
    std::fs::rename(stored.folder.path().join("new.json"), stored.folder.path().join("report.json")).unwrap();
    for program in &mut programs {
        program.has_logged("it is no regular file").await;
        program.signal("kill -TERM PID");
        assert_eq!(program.process.wait().unwrap().code(), Some(0));
    }
}
