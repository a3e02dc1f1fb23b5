//! Druid as a third reader: `rules.verify` asks its planner what a new statement needs, beside it or before

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use crate::gate::{Answer, TestGate};
use crate::scripted::{Script, Scripted, answer, ok};

const READER: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n";

/// What an EXPLAIN answers that finds these resources
fn plan(resources: &Value) -> Vec<u8> {
    ok(&json!([{"PLAN": "[]", "RESOURCES": resources.to_string(), "ATTRIBUTES": "{}"}]).to_string())
}

fn datasource(name: &str) -> Value {
    json!({"name": name, "type": "DATASOURCE"})
}

/// A gate before a Druid whose planner answers like this
async fn setup(verify: &str, planned: Vec<u8>) -> (TestGate, Scripted) {
    let druid = Scripted::start(Script::Chosen(vec![("EXPLAIN PLAN FOR", planned), ("", ok("[]"))])).await;
    let gate = TestGate::start(&druid.url, &format!("{READER}[rules]\nverify = \"{verify}\"\n")).await;
    (gate, druid)
}

async fn ask(gate: &TestGate, sql: &str) -> Answer {
    let body = json!({"query": sql, "context": {"sqlQueryId": "mine", "timeout": 7}});
    gate.post("/druid/v2/sql", &body).bearer(&gate.token("alice", &["reader"])).send().await
}

/// The requests that asked for a plan, and those that did not
fn explained(druid: &Scripted) -> (usize, usize) {
    let (plans, others): (Vec<_>, Vec<_>) =
        druid.seen().into_iter().partition(|request| request.contains("EXPLAIN PLAN FOR"));
    (plans.len(), others.len())
}

async fn until_metrics_say(gate: &TestGate, line: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !gate.metrics().await.contains(line) {
        assert!(Instant::now() < end, "{line} is not in {}", gate.metrics().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_new_statement_is_planned_once_before_it_is_forwarded() {
    let (gate, druid) = setup("require", plan(&json!([datasource("a")]))).await;
    for _ in 0..2 {
        assert_eq!(ask(&gate, "SELECT x FROM a").await.status, StatusCode::OK);
    }
    assert_eq!(explained(&druid), (1, 2));
    let first = druid.seen().remove(0);
    assert!(first.contains("EXPLAIN PLAN FOR SELECT x FROM a") && first.contains("\"timeout\":7"), "{first}");
    assert!(!first.contains("mine"), "an id is that of the query itself: {first}");
    until_metrics_say(&gate, "msq_gate_verifications_total{outcome=\"agreed\"} 1\n").await;
}

#[tokio::test]
async fn what_one_druid_said_is_not_believed_of_another() {
    let (gate, first) = setup("require", plan(&json!([datasource("a")]))).await;
    assert_eq!(ask(&gate, "SELECT x FROM a").await.status, StatusCode::OK);
    let more = plan(&json!([datasource("a"), datasource("secret")]));
    let second = Scripted::start(Script::Chosen(vec![("EXPLAIN PLAN FOR", more), ("", ok("[]"))])).await;
    let proxy_toml = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    gate.write("proxy.toml", &proxy_toml.replace(&first.url, &second.url));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(ask(&gate, "SELECT x FROM a").await.reason().as_deref(), Some("verification"));
    assert_eq!((explained(&first), explained(&second)), ((1, 1), (1, 0)));
}

#[tokio::test]
async fn a_statement_of_which_druid_plans_more_is_refused_each_time_and_on_record() {
    let (gate, druid) = setup("require", plan(&json!([datasource("a"), datasource("s")]))).await;
    for _ in 0..2 {
        let refused = ask(&gate, "SELECT x FROM a").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(refused.reason().as_deref(), Some("verification"));
        assert!(
            refused.json()["errorMessage"].as_str().unwrap().contains("DATASOURCE s"),
            "{}",
            refused.text()
        );
        let lines = gate.record(&refused);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&line["event"], &line["reason"]), (&json!("refused"), &json!("verification")));
        assert_eq!(
            (&line["beyond"], &line["needed"]),
            (&json!(["DATASOURCE s"]), &json!(["READ DATASOURCE a"]))
        );
    }
    assert_eq!(explained(&druid), (1, 0), "asked once, and nothing forwarded");
}

#[tokio::test]
async fn what_druid_does_not_plan_is_refused_in_its_words_and_asked_again() {
    let no_such_column = r#"{"error":"druidException","errorMessage":"Column 'x' not found"}"#;
    let of_a_task = r#"{"taskId":"t","state":"FAILED","error":{"errorMessage":"Column 'x' not found"}}"#;
    for planned in [answer("400 Bad Request", no_such_column), answer("501 Not Implemented", of_a_task)] {
        let (gate, druid) = setup("require", planned).await;
        for _ in 0..2 {
            let refused = ask(&gate, "SELECT x FROM a").await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(refused.text().contains("Column 'x' not found"), "{}", refused.text());
        }
        assert_eq!(explained(&druid), (2, 0));
    }
}

#[tokio::test]
async fn where_druid_cannot_be_asked_nothing_is_forwarded() {
    for planned in
        [answer("500 Internal Server Error", "{}"), answer("403 Forbidden", "{}"), ok("[]"), ok("{")]
    {
        let (gate, druid) = setup("require", planned).await;
        let failed = ask(&gate, "SELECT x FROM a").await;
        assert_eq!(failed.status, StatusCode::BAD_GATEWAY, "{}", failed.text());
        assert_eq!(explained(&druid), (1, 0));
    }
}

#[tokio::test]
async fn watching_tells_of_a_difference_and_holds_nothing_back() {
    let (gate, druid) = setup("watch", plan(&json!([datasource("a"), datasource("s")]))).await;
    let answer = ask(&gate, "SELECT x FROM a").await;
    assert_eq!(answer.status, StatusCode::OK);
    until_metrics_say(&gate, "msq_gate_verifications_total{outcome=\"differed\"} 1\n").await;
    let told: Vec<_> = gate.audit().into_iter().filter(|line| line["event"] == "verification").collect();
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&told["decision"], &told["beyond"]), (&json!(answer.decision()), &json!(["DATASOURCE s"])));
    assert_eq!(told["subject"], "alice");
    assert_eq!(explained(&druid), (1, 1));
}

#[tokio::test]
async fn only_statements_that_their_caller_may_run_are_planned_and_only_where_it_is_wanted() {
    let (gate, druid) = setup("require", plan(&json!([]))).await;
    assert_eq!(ask(&gate, "SELECT 1").await.status, StatusCode::OK);
    assert_eq!(explained(&druid), (1, 1));
    assert_eq!(ask(&gate, "SELECT x FROM b").await.reason().as_deref(), Some("missing_permission"));
    assert_eq!(explained(&druid), (1, 1));
    let (gate, druid) = setup("off", plan(&json!([]))).await;
    assert_eq!(ask(&gate, "SELECT 1").await.status, StatusCode::OK);
    assert_eq!(explained(&druid), (0, 1));
}

#[tokio::test]
async fn a_tasks_statement_is_planned_by_the_engine_that_runs_it_behind_its_settings() {
    let (gate, druid) = setup("require", plan(&json!([datasource("a")]))).await;
    let body = json!({"query": "SET timeout = 1; SELECT x FROM a"});
    for target in ["/druid/v2/sql/task", "/druid/v2/sql/statements"] {
        gate.post(target, &body).bearer(&gate.token("alice", &["reader"])).send().await;
    }
    let seen = druid.seen();
    assert!(seen[0].starts_with("POST /druid/v2/sql/task "), "{}", seen[0]);
    assert!(seen[0].contains("SET timeout = 1; EXPLAIN PLAN FOR SELECT x FROM a"), "{}", seen[0]);
    assert_eq!(explained(&druid), (1, 2), "one judgement, one plan, whatever the endpoint");
}
