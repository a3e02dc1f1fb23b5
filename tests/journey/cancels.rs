//! Queries that run, and who may cancel them

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::gate::TestGate;
use crate::scripted::{Scripted, ok};

const ROLES: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n[roles.other]\ngrants = [\"READ DATASOURCE b\"]\n\
                     [roles.operator]\ngrants = [\"WRITE STATE STATE\"]\n";

#[tokio::test]
async fn a_query_is_cancelled_by_its_submitter_by_who_holds_what_it_needs_and_by_the_operator() {
    let sql = json!({"query": "SELECT * FROM a", "context": {"sqlQueryId": "q"}});
    let set = json!({"query": "SET sqlQueryId = 'q'; SELECT * FROM a", "context": {"sqlQueryId": "x"}});
    let native =
        json!({"queryType": "scan", "dataSource": "a", "intervals": ["1/2"], "context": {"queryId": "q"}});
    for (target, body, cancelling) in [
        ("/druid/v2/sql", sql, "/druid/v2/sql/q"),
        ("/druid/v2/sql", set, "/druid/v2/sql/q"),
        ("/druid/v2", native, "/druid/v2/q"),
    ] {
        cancelled(target, &body, cancelling).await;
    }
}

async fn cancelled(target: &str, body: &Value, cancelling: &str) {
    let druid = Scripted::start_held(&ok("[]")).await;
    let (gate, replica) =
        (TestGate::start(&druid.url, ROLES).await, TestGate::start(&druid.url, ROLES).await);
    let token = |gate: &TestGate, who: &str, roles: &[&str]| gate.token(who, roles);
    let cancel = async |gate: &TestGate, who: &str, roles: &[&str]| {
        let answer = gate.request(Method::DELETE, cancelling).bearer(&token(gate, who, roles)).send().await;
        (answer.status, answer.reason())
    };
    let refused = (StatusCode::FORBIDDEN, Some("not_owner".to_owned()));
    assert_eq!(cancel(&gate, "alice", &["reader"]).await, refused, "it has not begun");
    let running = gate.post(target, body).bearer(&token(&gate, "alice", &["reader"])).send();
    let trial = async {
        druid.has_seen(1).await;
        assert_eq!(cancel(&gate, "bob", &["other"]).await, refused);
        assert_eq!(
            cancel(&replica, "alice", &["reader"]).await,
            refused,
            "another gate has not seen it begin"
        );
        assert_eq!(druid.seen().len(), 1);
        let all = async {
            tokio::join!(
                cancel(&gate, "alice", &[]),
                cancel(&gate, "bob", &["reader"]),
                cancel(&replica, "olga", &["operator"]),
            )
        };
        let release = async {
            druid.has_seen(4).await;
            druid.release();
        };
        let (cancelled, ()) = tokio::join!(all, release);
        let done = (StatusCode::OK, None);
        assert_eq!(cancelled, (done.clone(), done.clone(), done));
    };
    let (answer, ()) = tokio::join!(running, trial);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let seen = druid.seen();
    assert!(seen[1..].iter().all(|seen| seen.starts_with(&format!("DELETE {cancelling} "))), "{seen:?}");
    assert_eq!(cancel(&gate, "alice", &["reader"]).await, refused, "it has ended");
}

#[tokio::test]
async fn of_the_queries_that_run_each_sees_his_own_and_whoever_may_read_their_state_all() {
    let list = r#"{"queries":[{"sqlQueryId":"q","identity":"gate"},{"sqlQueryId":"r","identity":"gate"}]}"#;
    let druid = Scripted::start_held(&ok(list)).await;
    let roles = format!("{ROLES}[roles.state]\ngrants = [\"READ STATE queries\"]\n");
    let gate = TestGate::start(&druid.url, &roles).await;
    let queries = async |who: &str, roles: &[&str]| {
        gate.get("/druid/v2/sql/queries").bearer(&gate.token(who, roles)).send().await.text()
    };
    let sql = json!({"query": "SELECT * FROM a", "context": {"sqlQueryId": "q"}});
    let running = gate.post("/druid/v2/sql", &sql).bearer(&gate.token("alice", &["reader"])).send();
    let trial = async {
        druid.has_seen(1).await;
        let all = async {
            tokio::join!(queries("alice", &[]), queries("bob", &["reader"]), queries("stan", &["state"]))
        };
        let release = async {
            druid.has_seen(4).await;
            druid.release();
        };
        let (seen, ()) = tokio::join!(all, release);
        let own = r#"{"queries":[{"sqlQueryId":"q","identity":"gate"}]}"#;
        assert_eq!(seen, (own.to_owned(), r#"{"queries":[]}"#.to_owned(), list.to_owned()));
    };
    tokio::join!(running, trial);
    assert_eq!(queries("alice", &[]).await, r#"{"queries":[]}"#, "it has ended");
}
