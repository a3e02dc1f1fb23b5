//! Whose a task is: carried by Druid in the query context, read back by any replica

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, TaskPace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::{Answer, TestGate};
use crate::scripted::{Script, Scripted, answer, ok};

const ROLES: &str = r#"
[roles.selects]
grants = ["READ DATASOURCE __query_select"]
[roles.state]
grants = ["READ STATE STATE"]
[roles.a]
grants = ["READ DATASOURCE a"]
[roles.operator]
grants = ["WRITE STATE STATE"]
"#;

struct Scene {
    druid: StandIn,
    gate: TestGate,
    /// Another gate before the same Druid
    replica: TestGate,
}

impl Scene {
    async fn new(rules: &str) -> Self {
        let settings = StandInSettings { tasks: TaskPace::WhenTold, ..StandInSettings::default() };
        let druid = StandIn::start(settings).await.unwrap();
        let url = format!("http://{}", druid.address());
        let tables = format!("{ROLES}\n[rules]\n{rules}\n");
        let (gate, replica) = (TestGate::start(&url, &tables).await, TestGate::start(&url, &tables).await);
        Self { druid, gate, replica }
    }

    async fn submit(&self, who: &str) -> String {
        let body = json!({"query": "SELECT 1", "context": {"executionMode": "ASYNC"}});
        let answer =
            self.gate.post("/druid/v2/sql/statements", &body).bearer(&self.gate.token(who, &[])).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["queryId"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: Method, target: &str, who: &str, roles: &[&str]) -> Answer {
        self.replica.request(method, target).bearer(&self.replica.token(who, roles)).send().await
    }
}

#[tokio::test]
async fn a_statement_is_its_submitters_at_every_replica_and_nobody_elses() {
    let scene = Scene::new("").await;
    let id = scene.submit("olga").await;
    scene.druid.finish_task(&id);
    let statement = format!("/druid/v2/sql/statements/{id}");
    let results = format!("{statement}/results");
    for target in [&statement, &results] {
        let (hers, his) = (
            scene.ask(Method::GET, target, "olga", &[]).await,
            scene.ask(Method::GET, target, "stan", &["state"]).await,
        );
        assert_eq!((hers.status, his.status), (StatusCode::OK, StatusCode::OK));
        for (answer, held) in [(hers, json!("owner")), (his, Value::Null)] {
            for line in scene.replica.record(&answer) {
                assert_eq!((&line["held"], &line["missing"]), (&held, &json!([])), "{line}");
                assert_eq!(line["needed"], json!(["READ STATE STATE"]));
            }
        }
        for (who, roles) in [("otto", &["selects"][..]), ("oper", &["operator"]), ("Olga", &[])] {
            let answer = scene.ask(Method::GET, target, who, roles).await;
            assert_eq!(
                (answer.status, answer.reason().as_deref()),
                (StatusCode::FORBIDDEN, Some("not_owner")),
                "{who}"
            );
            assert_eq!(answer.missing(), ["READ STATE STATE"]);
        }
    }
}

#[tokio::test]
async fn a_statement_is_cancelled_by_its_submitter_or_with_write_state() {
    for (who, roles) in [("olga", &[][..]), ("oper", &["operator"])] {
        let scene = Scene::new("").await;
        let id = scene.submit("olga").await;
        let statement = format!("/druid/v2/sql/statements/{id}");
        for (other, others) in [("otto", &["selects"][..]), ("stan", &["state"])] {
            let answer = scene.ask(Method::DELETE, &statement, other, others).await;
            assert_eq!(answer.reason().as_deref(), Some("not_owner"), "{other}");
        }
        assert_eq!(scene.ask(Method::GET, &statement, "olga", &[]).await.json()["state"], "RUNNING");
        assert_eq!(scene.ask(Method::DELETE, &statement, who, roles).await.status, StatusCode::ACCEPTED);
        assert_eq!(scene.ask(Method::GET, &statement, "olga", &[]).await.json()["state"], "FAILED");
    }
}

#[tokio::test]
async fn by_the_manual_whoever_reads_the_stub_sees_and_cancels_every_select() {
    let scene = Scene::new("").await;
    let id = scene.submit("olga").await;
    let status = format!("/druid/indexer/v1/task/{id}/status");
    let shutdown = format!("/druid/indexer/v1/task/{id}/shutdown");
    let answer = scene.ask(Method::GET, &status, "olga", &[]).await;
    assert_eq!(answer.missing(), ["READ DATASOURCE __query_select"], "having submitted grants nothing");
    assert_eq!(scene.ask(Method::GET, &status, "otto", &["selects"]).await.status, StatusCode::OK);
    assert_eq!(scene.ask(Method::POST, &shutdown, "olga", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(scene.ask(Method::POST, &shutdown, "otto", &["selects"]).await.status, StatusCode::OK);
    let answer = scene.ask(Method::GET, &status, "otto", &["selects"]).await;
    assert_eq!(answer.json()["status"]["statusCode"], "FAILED");
    let owner = |answer: &Answer| scene.replica.record(answer).remove(0)["owner"].clone();
    assert_eq!(owner(&answer), json!("https://id.test|olga"), "whose it was that somebody else looked at");
    assert_eq!(owner(&scene.ask(Method::GET, &status, "olga", &["selects"]).await), Value::Null, "her own");
}

#[tokio::test]
async fn a_shutdown_takes_the_bodies_that_say_nothing_and_no_other() {
    for (body, is_taken) in [
        ("", true),
        ("{}", true),
        ("\"\"", true),
        (" \"\"\n", true),
        ("\"x\"", false),
        ("[]", false),
        ("null", false),
    ] {
        let scene = Scene::new("").await;
        let id = scene.submit("olga").await;
        let target = format!("/druid/indexer/v1/task/{id}/shutdown");
        let token = scene.gate.token("otto", &["selects"]);
        let asking = scene.gate.request(Method::POST, &target).bearer(&token);
        let answer = asking.header("content-type", "application/json").body(body.to_owned()).send().await;
        let expected = if is_taken { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{body:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn where_selects_are_their_owners_the_stub_shows_nothing() {
    let scene = Scene::new("select_tasks = \"owner\"").await;
    let id = scene.submit("olga").await;
    for part in ["", "/status", "/reports", "/log"] {
        let target = format!("/druid/indexer/v1/task/{id}{part}");
        assert_eq!(scene.ask(Method::GET, &target, "olga", &[]).await.reason(), None, "{part}");
        assert_eq!(scene.ask(Method::GET, &target, "stan", &["state"]).await.reason(), None, "{part}");
        let answer = scene.ask(Method::GET, &target, "otto", &["selects"]).await;
        assert_eq!(answer.reason().as_deref(), Some("not_owner"), "{part}");
    }
    let shutdown = format!("/druid/indexer/v1/task/{id}/shutdown");
    assert_eq!(scene.ask(Method::POST, &shutdown, "otto", &["selects"]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(scene.ask(Method::POST, &shutdown, "olga", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn where_tasks_are_their_owners_a_list_shows_each_his_own_and_what_he_may_see_besides() {
    let scene = Scene::new("tasks = \"owner\"").await;
    let (hers, his) = (scene.submit("olga").await, scene.submit("otto").await);
    let worker = start_worker(&scene.druid, &hers, "__query_select").await;
    let insert = start_worker(&scene.druid, &his, "a").await;
    let other = start_worker(&scene.druid, "query-of-nobody", "a").await;
    let all = [&hers, &his, &worker, &insert, &other];
    let statuses = json!(all);
    for (who, roles, expected) in [
        ("olga", &[][..], vec![&hers, &worker]),
        ("otto", &[], vec![&his, &insert]),
        ("otto", &["selects"], vec![&his, &insert]),
        ("anne", &[], vec![]),
        ("anne", &["a"], vec![&insert, &other]),
        ("olga", &["a"], vec![&hers, &worker, &insert, &other]),
        ("stan", &["state"], vec![&hers, &his, &worker]),
        ("stan", &["state", "a"], all.to_vec()),
    ] {
        let expected: BTreeSet<String> = expected.into_iter().cloned().collect();
        for list in ["tasks", "runningTasks"] {
            let answer = scene.ask(Method::GET, &format!("/druid/indexer/v1/{list}"), who, roles).await;
            let rows = answer.json();
            let ids = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
            assert_eq!(ids.collect::<BTreeSet<_>>(), expected, "{list} as {who} {roles:?}");
        }
        let token = scene.replica.token(who, roles);
        let answer =
            scene.replica.post("/druid/indexer/v1/taskStatus", &statuses).bearer(&token).send().await;
        let ids: BTreeSet<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(ids, expected, "taskStatus as {who} {roles:?}");
    }
}

#[tokio::test]
async fn a_list_breaks_off_where_druid_cannot_say_whose_its_tasks_are() {
    let rows = r#"[{"id":"t","type":"query_controller","dataSource":"a"}]"#;
    let payload = r#"{"payload":{"id":"t","type":"query_controller","spec":{"query":{"context":{"msqGateOwner":"https://id.test|olga"}}}}}"#;
    for (payload, status) in [
        (ok(payload), StatusCode::OK),
        (answer("404 Not Found", "{}"), StatusCode::OK),
        (answer("500 Oh", "{}"), StatusCode::BAD_GATEWAY),
    ] {
        let is_hers = payload.windows(4).any(|four| four == b"olga");
        let answers = vec![("/task/t ", payload), ("/tasks ", ok(rows))];
        let druid = Scripted::start(Script::Chosen(answers)).await;
        let gate = TestGate::start(&druid.url, "[rules]\ntasks = \"owner\"\n").await;
        let answer = gate.get("/druid/indexer/v1/tasks").bearer(&gate.token("olga", &[])).send().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status.is_success() {
            assert_eq!(answer.text(), if is_hers { rows } else { "[]" });
        }
    }
}

/// A worker of this task, as the controller submits it to the Overlord
async fn start_worker(druid: &StandIn, controller: &str, datasource: &str) -> String {
    let id = format!("{controller}-worker0_0");
    let worker = json!({
        "type": "query_worker", "id": id, "controllerTaskId": controller, "dataSource": datasource,
        "workerNumber": 0, "retry": 0, "context": {},
    });
    let mut socket = TcpStream::connect(druid.address()).await.unwrap();
    let body = worker.to_string();
    let head = "POST /druid/indexer/v1/task HTTP/1.1\r\nhost: druid\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&id), "{answer}");
    id
}

#[tokio::test]
async fn where_selects_are_their_owners_so_are_the_workers_of_them() {
    let scene = Scene::new("select_tasks = \"owner\"").await;
    let controller = scene.submit("olga").await;
    let worker = start_worker(&scene.druid, &controller, "__query_select").await;
    let orphan = start_worker(&scene.druid, "query-of-nobody", "__query_select").await;
    let other = start_worker(&scene.druid, "query-of-an-insert", "a").await;
    for part in ["", "/status", "/reports", "/log"] {
        let target = |id: &str| format!("/druid/indexer/v1/task/{id}{part}");
        for id in [&worker, &orphan] {
            let answer = scene.ask(Method::GET, &target(id), "stan", &["state"]).await;
            assert_eq!(answer.reason(), None, "{part}");
            let answer = scene.ask(Method::GET, &target(id), "otto", &["selects"]).await;
            assert_eq!(answer.reason().as_deref(), Some("not_owner"), "{part}");
        }
        assert_eq!(scene.ask(Method::GET, &target(&worker), "olga", &[]).await.reason(), None, "{part}");
        let answer = scene.ask(Method::GET, &target(&orphan), "olga", &[]).await;
        assert_eq!(answer.reason().as_deref(), Some("not_owner"), "{part}: nobody is its owner");
        let answer = scene.ask(Method::GET, &target(&other), "olga", &[]).await;
        assert_eq!(answer.missing(), ["READ DATASOURCE a"], "{part}");
    }
    let shutdown = format!("/druid/indexer/v1/task/{worker}/shutdown");
    let answer = scene.ask(Method::POST, &shutdown, "olga", &[]).await;
    assert_eq!(answer.missing(), ["WRITE DATASOURCE __query_select"], "a worker is no query");
    let statement = format!("/druid/v2/sql/statements/{worker}");
    let answer = scene.ask(Method::GET, &statement, "olga", &[]).await;
    assert_eq!(answer.reason().as_deref(), Some("unknown_task"), "a worker is no statement");
}

#[tokio::test]
async fn a_task_is_asked_about_once_a_minute_and_by_the_gates_own_sign_in() {
    let scene = Scene::new("").await;
    let id = scene.submit("olga").await;
    scene.druid.clear_requests();
    let status = format!("/druid/indexer/v1/task/{id}/status");
    for _ in 0..3 {
        assert_eq!(scene.ask(Method::GET, &status, "olga", &[]).await.status, StatusCode::FORBIDDEN);
    }
    let seen: Vec<_> = scene.druid.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(seen, [status], "nothing but the gate's own look-up, and that once");
}

#[tokio::test]
async fn a_request_waits_not_long_for_what_is_only_for_its_record() {
    let status = r#"{"task":"t","status":{"id":"t","type":"query_controller","dataSource":"a"}}"#;
    let answers = vec![("/task/t/status ", ok(status)), ("/task/t ", Vec::new())];
    let druid = Scripted::start(Script::Chosen(answers)).await;
    let gate = TestGate::start(&druid.url, "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n").await;
    let asking = gate.get("/druid/indexer/v1/task/t/status").bearer(&gate.token("alice", &["reader"])).send();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, status));
    assert_eq!(gate.record(&answer)[0].get("owner"), None, "nobody knows whose it is");
}
