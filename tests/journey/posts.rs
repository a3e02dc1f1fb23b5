//! Tasks posted to the Overlord as they are: those of the multi-stage query engine, where the rules check them

use http::StatusCode;
use serde_json::{Value, json};

use crate::gate::{Answer, TestGate};
use crate::scripted::{Script, Scripted, ok};

const CHECKED: &str =
    "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n[rules]\nraw_query_controller = \"check\"\n";

fn controller(reads: &str, context: &Value) -> Value {
    json!({
        "type": "query_controller", "id": "query-1", "sqlQuery": "SELECT * FROM a",
        "spec": {
            "query": {"queryType": "scan", "dataSource": reads, "context": context},
            "columnMappings": [{"queryColumn": "x", "outputColumn": "x"}],
            "destination": {"type": "taskReport"},
        },
    })
}

async fn post(gate: &TestGate, task: &Value) -> Answer {
    gate.post("/druid/indexer/v1/task", task).bearer(&gate.token("alice", &["reader"])).send().await
}

#[tokio::test]
async fn a_query_controller_needs_what_its_query_reads_whatever_its_statement_says() {
    let druid = Scripted::start(Script::Answer(ok(r#"{"task":"query-1"}"#))).await;
    let gate = TestGate::start(&druid.url, CHECKED).await;
    let allowed = post(&gate, &controller("a", &json!({}))).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.text());
    let seen = druid.seen().len();
    let refused = post(&gate, &controller("secret", &json!({}))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.json()["errorMessage"],
        "alice may not post this task of type query_controller: missing READ DATASOURCE secret"
    );
    for key in ["__user", "msqGateOwner"] {
        let forged = post(&gate, &controller("a", &json!({key: "bob"}))).await;
        assert_eq!(
            (forged.status, forged.reason().as_deref()),
            (StatusCode::FORBIDDEN, Some("reserved_context_key")),
            "{key}"
        );
    }
    assert_eq!(druid.seen().len(), seen, "none of these reaches Druid");
}

#[tokio::test]
async fn where_the_rules_do_not_check_it_a_query_controller_is_refused() {
    let druid = Scripted::start(Script::Answer(ok(r#"{"task":"query-1"}"#))).await;
    let gate = TestGate::start(&druid.url, &CHECKED.replace("\"check\"", "\"deny\"")).await;
    let refused = post(&gate, &controller("a", &json!({}))).await;
    assert_eq!(refused.reason().as_deref(), Some("unsupported_task"));
    assert!(druid.seen().is_empty());
}
