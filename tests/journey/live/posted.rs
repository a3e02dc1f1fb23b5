//! Tasks that are posted as Druid makes them of statements, under `raw_query_controller = "check"`

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::druid::{Druid, until};
use super::{Router, router};
use crate::gate::TestGate;

const SENTENCES: [&str; 3] =
    ["READ DATASOURCE posted_read", "READ EXTERNAL EXTERNAL", "WRITE DATASOURCE posted_own"];
const OUTSIDE: &str = r#"TABLE(EXTERN('{"type":"inline","data":"{\"a\":\"x\"}"}', '{"type":"json"}', '[{"name":"a","type":"string"}]'))"#;

#[tokio::test]
async fn a_task_that_druid_made_of_a_statement_is_run_by_whoever_may_run_that_and_by_nobody_else() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let druid = Druid::at(url);
    let roles: String = SENTENCES
        .iter()
        .enumerate()
        .map(|(number, sentence)| format!("[roles.p{number}]\ngrants = [\"{sentence}\"]\n"))
        .collect();
    let gate = TestGate::start(url, &format!("{roles}[rules]\nraw_query_controller = \"check\"\n")).await;
    let closed = TestGate::start(url, &roles).await;
    let time = "TIMESTAMP '2024-01-01' AS __time";
    submitted(&druid, &format!("INSERT INTO posted_read SELECT {time}, 'x' AS a PARTITIONED BY ALL")).await;
    for (statement, needs) in [
        (format!("INSERT INTO posted_own SELECT {time}, a FROM {OUTSIDE} PARTITIONED BY DAY"), [1, 2]),
        (
            "REPLACE INTO posted_own OVERWRITE ALL SELECT __time, a FROM posted_read GROUP BY 1, 2 PARTITIONED BY DAY"
                .to_owned(),
            [0, 2],
        ),
    ] {
        let id = submitted(&druid, &statement).await;
        let payload = druid.ask(Method::GET, &format!("/druid/indexer/v1/task/{id}"), None).await.1;
        let task = without_its_making(&serde_json::from_str::<Value>(&payload).unwrap()["payload"]);
        let post = async |gate: &TestGate, held: &[usize]| {
            let roles: Vec<_> = held.iter().map(|number| format!("p{number}")).collect();
            let roles: Vec<_> = roles.iter().map(String::as_str).collect();
            gate.post("/druid/indexer/v1/task", &task).bearer(&gate.token("alice", &roles)).send().await
        };
        for lacking in needs {
            let others: Vec<_> = (0..SENTENCES.len()).filter(|number| *number != lacking).collect();
            let answer = post(&gate, &others).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{statement}: {}", answer.text());
            assert_eq!(answer.missing(), [SENTENCES[lacking]], "{statement}");
        }
        let answer = post(&gate, &needs).await;
        assert_eq!(answer.status, StatusCode::OK, "{statement}: {}", answer.text());
        succeeded(&druid, answer.json()["task"].as_str().unwrap()).await;
        let answer = post(&closed, &needs).await;
        assert_eq!(answer.reason().as_deref(), Some("unsupported_task"), "by default none is taken");
    }
}

/// The id of a statement's task, once that has ended
async fn submitted(druid: &Druid, statement: &str) -> String {
    let statement = json!({"query": statement});
    let submit = async || druid.ask(Method::POST, "/druid/v2/sql/task", Some(&statement)).await;
    // The broker hears of a datasource after its first segment.
    let (_, text) = until("a task", submit, |(status, _)| status.is_success()).await;
    let id = serde_json::from_str::<Value>(&text).unwrap()["taskId"].as_str().unwrap().to_owned();
    succeeded(druid, &id).await;
    id
}

async fn succeeded(druid: &Druid, id: &str) {
    let target = format!("/druid/indexer/v1/task/{id}/status");
    let status = async || druid.ask(Method::GET, &target, None).await.1;
    until(id, status, |status: &String| status.contains("\"SUCCESS\"")).await;
}

/// What Druid has put into it for itself, whoever posts it leaves out: its names and locks, and whose it is
fn without_its_making(task: &Value) -> Value {
    fn without(value: &Value, names: &[&str]) -> Value {
        match value {
            Value::Object(members) => {
                let kept = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
                kept.map(|(name, value)| (name.clone(), without(value, &["__user"])))
                    .collect::<Map<_, _>>()
                    .into()
            }
            Value::Array(items) => items.iter().map(|item| without(item, &["__user"])).collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other.clone(),
        }
    }
    without(task, &["id", "groupId", "dataSource", "__user"])
}
