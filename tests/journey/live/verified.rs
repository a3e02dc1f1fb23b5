//! `rules.verify = "require"` before a real Druid: what its planner plans is let through, and nothing differs

use http::StatusCode;
use serde_json::json;

use super::druid::Druid;
use super::explain::make_datasources;
use super::open::Person;
use super::router;
use crate::gate::TestGate;
use crate::statements;

const TABLES: &str = "[roles.all]\ngrants = [\"READ WRITE DATASOURCE *\", \"READ EXTERNAL *\", \"READ VIEW *\", \"READ STATE STATE\"]\n\
    [rules]\nverify = \"require\"\n";

/// How many statements are made; EXPLAINs, so that none of them starts a task
const MADE: u64 = 150;

#[tokio::test]
async fn what_druid_plans_is_verified_and_let_through() {
    let Some(druid) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    make_datasources(&Druid::at(&druid.url), |_| true).await;
    let gate = TestGate::start(&druid.url, TABLES).await;
    let person = Person::with(&gate, &["all"]);
    let mut planned = 0;
    for made in (1..=MADE).map(statements::statement) {
        let parameters = vec![json!({"type": "VARCHAR", "value": "x"}); made.parameters];
        let body = json!({"query": format!("EXPLAIN PLAN FOR {}", made.sql), "parameters": parameters});
        let answer = person.post("/druid/v2/sql/task", &body).await;
        let is_refused_by_druid = answer.reason().as_deref() == Some("verification")
            && answer.text().contains("Druid does not plan this statement");
        assert!(answer.status == StatusCode::OK || is_refused_by_druid, "{}: {}", made.sql, answer.text());
        planned += usize::from(answer.status == StatusCode::OK);
    }
    let select = person.post("/druid/v2/sql", &json!({"query": "SELECT COUNT(*) FROM gen_a"})).await;
    assert_eq!(select.status, StatusCode::OK, "{}", select.text());
    println!("\n{planned} of {MADE} generated statements were planned by Druid, verified and let through");
    assert!(planned * 2 > usize::try_from(MADE).unwrap(), "{planned} are too few");
    assert!(!gate.metrics().await.contains("outcome=\"differed\""), "nothing differs");
}
