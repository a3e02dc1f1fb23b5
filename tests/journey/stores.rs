//! Queries that ask for durable storage, while a preflight's report proves it and while it does not

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use msq_gate::config::Config;
use msq_gate::durable_storage::answer::Trouble;
use msq_gate::durable_storage::place::Location;
use msq_gate::durable_storage::problem::{NoAnswer, Problem, Scene};
use msq_gate::durable_storage::report::{Outcome, Proof};
use msq_gate::durable_storage::{Action, Report};
use msq_gate::server::Server;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, Table};
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
        warnings: Vec::new(),
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

/// With a problem, in the program's own words
fn with_problem(report: Report, problem: &Problem) -> Report {
    let scene = Scene {
        location: &report.location.clone(),
        endpoint: &report.endpoint.clone(),
        region: &report.region.clone(),
        key: "AKIAEXAMPLE",
        source: "the profile file",
        settings: msq_gate::durable_storage::problem::Settings::Druid,
    };
    Report { problem: Some(problem.diagnosis(&scene)), ..report }
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
                "durable storage cannot be used: Druid lacks s3:AbortMultipartUpload (report of 12 minutes ago); run the query without {keys}, or ask your operator"
            )
        );
        let answer = answer.json();
        assert_eq!(
            answer["receipt"]["durableStorage"],
            json!({"state": "denied", "missing": ["s3:AbortMultipartUpload"]})
        );
        let error = if answer["error"].is_object() { &answer["error"] } else { &answer };
        let words = ["errorCode", "persona", "category"].map(|word| error[word].as_str().unwrap());
        assert_eq!(words, ["unavailable", "OPERATOR", "RUNTIME_FAILURE"]);
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

/// A report, the state that it makes, and what its callers and operators are told
struct Doubt {
    report: Option<Report>,
    state: &'static str,
    to_callers: &'static str,
    to_operators: &'static str,
}

fn doubts() -> Vec<Doubt> {
    let elsewhere = Location { bucket: "druid".to_owned(), prefix: "other".to_owned() };
    let wrong_secret = Problem::Trouble(Trouble::WrongSecret, "403 SignatureDoesNotMatch".to_owned());
    let unreachable = Problem::NoAnswer(NoAnswer::Unreachable("connection refused".to_owned()));
    let unreached = of_before(report([Outcome::NotReached; 4]), 3 * MINUTE);
    let doubt = |report, state, to_callers, to_operators| Doubt { report, state, to_callers, to_operators };
    vec![
        doubt(
            Some(of_before(proven(), 121 * MINUTE)),
            "stale",
            "is too old: it is of 2 hours 1 minute ago, and counts for 2 hours; run the query",
            "is too old: it is of 2 hours 1 minute ago, and counts for 2 hours",
        ),
        doubt(
            Some(of_before(denied(), 180 * MINUTE)),
            "stale",
            "and counts for 2 hours; it said that Druid lacks s3:AbortMultipartUpload; run the query",
            "and counts for 2 hours; it said that Druid lacks s3:AbortMultipartUpload on s3://druid/p/",
        ),
        doubt(
            Some(Report { location: elsewhere, ..proven() }),
            "other_place",
            "is about another storage than the configured one; run the query",
            "is about s3://druid/other/ and not about s3://druid/p/",
        ),
        doubt(
            Some(with_problem(unreached.clone(), &wrong_secret)),
            "unproven",
            "s3:GetObject, s3:PutObject, s3:AbortMultipartUpload and s3:DeleteObject are not proven: wrong_secret (report of 3 minutes ago); run the query",
            "the secret does not belong to access key AKIAEXAMPLE (403 SignatureDoesNotMatch); write the secret",
        ),
        doubt(
            Some(with_problem(unreached.clone(), &unreachable)),
            "unproven",
            "are not proven: unreachable (report of 3 minutes ago); run the query",
            "https://s3.test cannot be reached (connection refused)",
        ),
        doubt(
            Some(with_problem(denied(), &Problem::Denied(vec![Action::AbortMultipartUpload], None))),
            "denied",
            "Druid lacks s3:AbortMultipartUpload (report of ",
            "of access key AKIAEXAMPLE",
        ),
        doubt(
            Some(unreached),
            "unproven",
            "s3:AbortMultipartUpload and s3:DeleteObject are not proven (report of 3 minutes ago); run",
            "s3:DeleteObject are not proven on s3://druid/p/ (report of 3 minutes ago)",
        ),
        doubt(
            Some(Report { time: SystemTime::now() + 60 * MINUTE, ..proven() }),
            "from_the_future",
            "yet to come: the clock of",
            "yet to come: the clock of",
        ),
        doubt(None, "no_report", "there is no report of a preflight", "there is no report of a preflight"),
    ]
}

#[tokio::test]
async fn every_doubt_says_what_it_is_and_callers_nothing_of_where_and_whose_the_storage_is() {
    assert_eq!(setup(Some(&proven()), REQUIRED).await.ask().await.status, StatusCode::ACCEPTED);
    for Doubt { report, state, to_callers, to_operators } in doubts() {
        let stored = setup(report.as_ref(), REQUIRED).await;
        let answer = stored.ask().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("durable_storage")),
            "{state}"
        );
        assert!(message(&answer).contains(to_callers), "{state}: {}", message(&answer));
        for secret in ["s3://", "druid/", "https:", "AKIA", "profile file", "Signature"] {
            assert!(!answer.text().contains(secret), "{secret} is no caller's: {}", answer.text());
        }
        assert!(stored.druid.requests().is_empty());
        let told = stored.told().await;
        assert_eq!(told["state"], state);
        assert!(told["message"].as_str().unwrap().contains(to_operators), "{state}: {told}");
        let receipt = &answer.json()["receipt"]["durableStorage"];
        assert_eq!((&receipt["state"], &receipt["missing"]), (&told["state"], &told["missing"]));
    }
}

#[tokio::test]
async fn four_proven_actions_are_enough_and_what_else_is_wrong_is_told_to_operators() {
    let stored = setup(Some(&with_problem(proven(), &Problem::Disturbed)), REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let told = stored.told().await;
    assert_eq!((&told["state"], &told["missing"]), (&json!("proven"), &json!([])));
    assert!(
        told["message"].as_str().unwrap().contains("a moment ago is not there, or is something else"),
        "{told}"
    );
}

#[tokio::test]
async fn a_report_must_be_of_the_configured_server_too() {
    let server = |endpoint| format!("{REQUIRED}endpoint = \"{endpoint}\"\n");
    let stored = setup(Some(&proven()), &server("https://s3.test")).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    for lines in [server("http://s3.test"), "required = true\nendpoint = \"https://other.test\"\n".to_owned()]
    {
        let stored = setup(Some(&proven()), &lines).await;
        assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE, "{lines}");
        let told = stored.told().await;
        assert_eq!(told["state"], "other_place", "{told}");
    }
}

#[tokio::test]
async fn bad_news_of_a_newer_program_counts_more_than_older_good_news() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let newer = json!({
        "version": 2, "time": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        "bucket": "druid", "prefix": "p", "actions": [
            {"action": "s3:GetObject", "outcome": "proven"},
            {"action": "s3:PutObject", "outcome": "quota_exceeded"},
            {"action": "s3:ListBucket", "outcome": "denied"},
        ],
    });
    std::fs::write(stored.folder.path().join("report.json"), newer.to_string()).unwrap();
    let told = stored.is("unproven").await;
    assert_eq!(told["missing"], json!(["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]));
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_required_follows_the_configuration_and_a_faulty_one_changes_nothing() {
    let stored = setup(Some(&denied()), "required = false\n").await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
    let open = std::fs::read_to_string(stored.gate.path("proxy.toml")).unwrap();
    let required = open.replace("required = false", "required = true");
    stored.gate.write("proxy.toml", &required);
    stored.gate.has_reloaded("applied", 1).await;
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    let faulty = open.replace("required = false", "required = false\nreport_stale_seconds = 0");
    stored.gate.write("proxy.toml", &faulty);
    stored.gate.has_reloaded("refused", 1).await;
    assert_eq!(stored.ask().await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stored.told().await["required"], true);
    stored.gate.write("proxy.toml", &open);
    stored.gate.has_reloaded("applied", 2).await;
    assert_eq!(stored.ask().await.status, StatusCode::ACCEPTED);
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
async fn where_only_the_code_is_told_nobody_learns_what_druid_lacks() {
    let stored = setup(Some(&denied()), &format!("{REQUIRED}[rules]\nrefusal_detail = \"code\"\n")).await;
    let answer = stored.ask().await;
    assert_eq!(answer.reason().as_deref(), Some("durable_storage"));
    assert_eq!(
        message(&answer),
        "durable storage cannot be used now; run the query without durableShuffleStorage, or ask your operator"
    );
    assert_eq!(answer.json()["receipt"]["durableStorage"], Value::Null);
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

/// What a program has logged of how durable storage stands: level and state
fn standings(program: &Program) -> Vec<(String, String)> {
    let word = |line: &Value, member: &str| line[member].as_str().unwrap().to_owned();
    let logged = program.logged();
    let standings = logged.iter().filter(|line| line["state"].is_string());
    standings.map(|line| (word(line, "level"), word(line, "state"))).collect()
}

#[tokio::test]
async fn each_change_is_logged_once_with_all_that_operators_need() {
    let stored = setup(Some(&proven()), &format!("{REQUIRED}report_stale_seconds = 8\n")).await;
    let file = stored.folder.path().join("report.json");
    write(&file, &proven());
    let program = Program::start(&stored.gate.path("proxy.toml"));
    program.has_logged("all four actions are proven on s3://druid/p/").await;
    program.has_logged("seconds ago, and counts for 8 seconds").await;
    write(&file, &with_problem(denied(), &Problem::Denied(vec![Action::AbortMultipartUpload], None)));
    program.has_logged("Druid lacks s3:AbortMultipartUpload on s3://druid/p/ (report of").await;
    program.has_logged("of access key AKIAEXAMPLE").await;
    std::fs::write(&file, "{").unwrap();
    program.has_logged("it said that Druid lacks s3:AbortMultipartUpload").await;
    write(&file, &proven());
    // Its standing is another again only after all that the torn file may have led to.
    let end = Instant::now() + Duration::from_secs(30);
    while standings(&program).len() < 5 {
        assert!(Instant::now() < end, "{:?}", standings(&program));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let expected =
        [("INFO", "proven"), ("WARN", "stale"), ("WARN", "denied"), ("WARN", "stale"), ("INFO", "proven")];
    assert_eq!(standings(&program), expected.map(|(level, state)| (level.to_owned(), state.to_owned())));
    let torn = "the last good one ages on";
    assert_eq!(program.logged().iter().filter(|line| line.to_string().contains(torn)).count(), 1);
}

#[tokio::test]
async fn a_gate_without_a_report_says_so_once_and_not_that_there_was_a_good_one() {
    let stored = setup(None, REQUIRED).await;
    let program = Program::start(&stored.gate.path("proxy.toml"));
    program.has_logged("there is no report of durable storage yet").await;
    program.has_logged("durable storage: there is no report of a preflight").await;
    write(&stored.folder.path().join("report.json"), &proven());
    program.has_logged("all four actions are proven").await;
    let logged = program.logged();
    let of_storage = logged.iter().filter(|line| line.to_string().contains("durable storage"));
    assert_eq!(of_storage.count(), 3, "{logged:#?}");
}

/// What `check` says of this configuration, and how it ends
fn check(config: &Path) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_msq-gate");
    let done = std::process::Command::new(program).args(["check", "--config"]).arg(config).output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[tokio::test]
async fn check_warns_where_what_is_required_has_no_report_and_reads_the_trusted_roots() {
    let stored = setup(Some(&proven()), REQUIRED).await;
    let (config, report) = (stored.gate.path("proxy.toml"), stored.folder.path().join("report.json"));
    let warning = "warning: durable_storage.report: ";
    let (code, said) = check(&config);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(warning), "{said}");
    std::fs::write(&report, "{}").unwrap();
    let (code, said) = check(&config);
    assert!(code == Some(0) && said.contains(warning) && said.contains("it is no report"), "{said}");
    hang(&report);
    let (code, said) = check(&config);
    assert!(code == Some(0) && said.contains(warning) && said.contains("no regular file"), "{said}");
    let text = std::fs::read_to_string(&config).unwrap();
    stored.gate.write("open.toml", &text.replace("required = true", "required = false"));
    assert!(!check(&stored.gate.path("open.toml")).1.contains(warning));
    for (roots, expected) in [("ca.pem", Some(0)), ("proxy.toml", Some(78)), ("none.pem", Some(78))] {
        stored
            .gate
            .write("roots.toml", &text.replace("required =", &format!("ca_file = \"{roots}\"\nrequired =")));
        let (code, said) = check(&stored.gate.path("roots.toml"));
        assert_eq!(code, expected, "{roots}: {said}");
        assert_eq!(said.contains("durable_storage.ca_file: "), code == Some(78), "{said}");
    }
}
