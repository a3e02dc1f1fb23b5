//! Druid's own security as the judge: the same requests by people with the same grants, around the gate

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::druid::{Druid, until};
use super::open::{Person, ROLES};
use super::{Router, router};
use crate::gate::TestGate;

/// Statements as `EXPLAIN PLAN FOR`, which authorizes like the statement and starts nothing, and tasks
const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT a FROM live1",
    "SELECT live1.a FROM live1 JOIN live2 ON live1.a = live2.a",
    "SELECT a FROM live1 UNION ALL SELECT a FROM live2",
    "WITH live1 AS (SELECT * FROM live2) SELECT a FROM live1",
    "WITH live1 AS (SELECT * FROM live1) SELECT a FROM live1",
    "SELECT a FROM live1 WHERE a IN (SELECT a FROM live2)",
    "INSERT INTO live1 SELECT __time, a FROM live2 PARTITIONED BY ALL",
    "INSERT INTO live1 SELECT __time, a FROM live1 PARTITIONED BY ALL",
    "REPLACE INTO live2 OVERWRITE ALL SELECT __time, a FROM live1 PARTITIONED BY ALL",
    "SELECT a FROM TABLE(EXTERN('{\"type\":\"inline\",\"data\":\"{}\"}', '{\"type\":\"json\"}')) EXTEND (a VARCHAR)",
    "INSERT INTO live2 SELECT TIME_PARSE(ts) AS __time FROM TABLE(EXTERN('{\"type\":\"inline\",\"data\":\"{}\"}', '{\"type\":\"json\"}')) EXTEND (ts VARCHAR) PARTITIONED BY ALL",
];

const PEOPLE: &[&[&str]] = &[
    &[],
    &["r1"],
    &["w1"],
    &["r2"],
    &["w2"],
    &["external"],
    &["r1", "r2"],
    &["w1", "r2"],
    &["w1", "r1"],
    &["w2", "r1"],
    &["w2", "external"],
];

/// A role of the policy, as Druid's permission
fn druid_permission(role: &str) -> Value {
    let (kind, name, action) = match role {
        "r1" => ("DATASOURCE", "live1", "READ"),
        "w1" => ("DATASOURCE", "live1", "WRITE"),
        "r2" => ("DATASOURCE", "live2", "READ"),
        "w2" => ("DATASOURCE", "live2", "WRITE"),
        "external" => ("EXTERNAL", "EXTERNAL", "READ"),
        other => panic!("no permission for {other}"),
    };
    json!({"resource": {"type": kind, "name": name}, "action": action})
}

fn user(roles: &[&str]) -> String {
    format!("u_{}", roles.join("_"))
}

async fn make_user(admin: &Druid, roles: &[&str]) {
    let base = "/proxy/coordinator/druid-ext/basic-security";
    let name = user(roles);
    let post = async |path: String, body: Value| {
        let (status, text) = admin.ask(Method::POST, &format!("{base}/{path}"), Some(&body)).await;
        assert!(status.is_success() || text.contains("already"), "{path}: {status} {text}");
    };
    post(format!("authentication/db/basic/users/{name}"), json!({})).await;
    post(format!("authentication/db/basic/users/{name}/credentials"), json!({"password": "pw"})).await;
    post(format!("authorization/db/basic/users/{name}"), json!({})).await;
    post(format!("authorization/db/basic/roles/{name}"), json!({})).await;
    post(format!("authorization/db/basic/users/{name}/roles/{name}"), json!({})).await;
    let permissions: Vec<_> = roles.iter().map(|role| druid_permission(role)).collect();
    post(format!("authorization/db/basic/roles/{name}/permissions"), json!(permissions)).await;
}

#[tokio::test]
async fn druid_itself_allows_and_refuses_the_same_people() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_SECURED").await else { return };
    let admin = Druid::at(url).signed_in("admin", "admin-pw");
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "admin-pw\n").unwrap();
    let sign_in = format!("username = \"admin\"\npassword_file = \"{}\"", password.display());
    let gate = TestGate::start(url, &format!("{sign_in}\n{ROLES}")).await;
    make_datasources(&admin).await;
    for roles in PEOPLE {
        make_user(&admin, roles).await;
    }
    wait_for_users(&admin).await;
    let (mut compared, mut refused, mut differences) = (0, 0, Vec::new());
    for roles in PEOPLE {
        let person = Person::with(&gate, roles);
        let himself = Druid::at(url).signed_in(&user(roles), "pw");
        for statement in STATEMENTS {
            let body = json!({"query": format!("EXPLAIN PLAN FOR {statement}")});
            let (status, text) = himself.ask(Method::POST, "/druid/v2/sql/task", Some(&body)).await;
            let ours = person.post("/druid/v2/sql/task", &body).await;
            compared += 1;
            refused += usize::from(status == StatusCode::FORBIDDEN);
            if status != ours.status {
                differences.push(format!(
                    "{roles:?} {statement}: Druid {status} {text}, the gate {} {}",
                    ours.status,
                    ours.text()
                ));
            }
        }
        for task in [
            json!({"type": "kill", "dataSource": "live1", "interval": "1999-01-01/1999-01-02"}),
            json!({"type": "compact", "dataSource": "live2", "ioConfig": {"type": "compact", "inputSpec": {"type": "interval", "interval": "1999-01-01/1999-01-02"}}}),
        ] {
            let (status, text) = himself.ask(Method::POST, "/druid/indexer/v1/task", Some(&task)).await;
            let ours = person.post("/druid/indexer/v1/task", &task).await;
            compared += 1;
            refused += usize::from(status == StatusCode::FORBIDDEN);
            if status != ours.status {
                differences.push(format!(
                    "{roles:?} {task}: Druid {status} {text}, the gate {} {}",
                    ours.status,
                    ours.text()
                ));
            }
        }
    }
    println!(
        "\nDruid's own security and the gate on {compared} requests: {refused} refused by both, {} differences",
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    tasks_are_seen_by_the_same_people(&gate, url).await;
}

/// A datasource each, with a row, so that statements about it can be planned
async fn make_datasources(admin: &Druid) {
    for target in ["live1", "live2"] {
        let insert = format!(
            "REPLACE INTO {target} OVERWRITE ALL SELECT TIMESTAMP '2024-01-01' AS __time, 'x' AS a PARTITIONED BY ALL"
        );
        let (status, text) =
            admin.ask(Method::POST, "/druid/v2/sql/task", Some(&json!({"query": insert}))).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        let select = json!({"query": format!("SELECT a FROM {target}")});
        let there = async || admin.ask(Method::POST, "/druid/v2/sql", Some(&select)).await;
        until(target, there, |(_, rows)| rows.contains("\"x\"")).await;
    }
}

/// Druid's nodes poll for users once a second
async fn wait_for_users(admin: &Druid) {
    for roles in PEOPLE {
        let himself = Druid::at(&admin.url).signed_in(&user(roles), "pw");
        let body = json!({"query": "SELECT 1"});
        let known = async || himself.ask(Method::POST, "/druid/v2/sql", Some(&body)).await.0;
        until("a user is known", known, |status: &StatusCode| *status == StatusCode::OK).await;
        // Known to the broker is not yet known with his role: ask for what the role allows.
        if roles.contains(&"r1") {
            let body = json!({"query": "SELECT a FROM live1"});
            let allowed = async || himself.ask(Method::POST, "/druid/v2/sql", Some(&body)).await.0;
            until("a role is known", allowed, |status: &StatusCode| *status == StatusCode::OK).await;
        }
    }
}

/// Status, payload and reports of an INSERT's task: READ on its datasource, by Druid's code and by the gate
async fn tasks_are_seen_by_the_same_people(gate: &TestGate, url: &str) {
    let admin = Druid::at(url).signed_in("admin", "admin-pw");
    let insert = "INSERT INTO live1 SELECT TIMESTAMP '2024-01-01' AS __time, 'z' AS a PARTITIONED BY ALL";
    let (_, text) = admin.ask(Method::POST, "/druid/v2/sql/task", Some(&json!({"query": insert}))).await;
    let id = serde_json::from_str::<Value>(&text).unwrap()["taskId"].as_str().unwrap().to_owned();
    let ended = async || admin.ask(Method::GET, &format!("/druid/indexer/v1/task/{id}/status"), None).await.1;
    until(&id, ended, |status: &String| !status.contains("\"RUNNING\"")).await;
    for roles in PEOPLE {
        let person = Person::with(gate, roles);
        let himself = Druid::at(url).signed_in(&user(roles), "pw");
        for part in ["", "/status", "/reports"] {
            let target = format!("/druid/indexer/v1/task/{id}{part}");
            let (status, _) = himself.ask(Method::GET, &target, None).await;
            let ours = person.get(&target).await;
            assert_eq!(ours.status, status, "{roles:?} {target}: {}", ours.text());
        }
    }
}
