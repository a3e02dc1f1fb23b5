//! Four holes of Druid's own security, seen on a real Druid, and closed by the gate before it
//!
//! WRITE on one datasource runs a task that reads every other. READ on the stub of SELECT tasks, which the manual says
//! to grant, shows everybody's rows. WRITE on the stub, granted so that people can cancel, runs what the first does.
//! Any authenticated caller reads any lookup.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::druid::{Druid, until};
use super::{Router, router};
use crate::gate::{Answer, TestGate};

/// What the people of this test hold in Druid, and by the role of the same name before the gate
const PEOPLE: [(&str, &str); 4] = [
    ("hole_writer", "WRITE DATASOURCE hole_own"),
    ("hole_watcher", "READ DATASOURCE __query_select"),
    ("hole_canceller", "WRITE DATASOURCE __query_select"),
    ("hole_nobody", "READ DATASOURCE hole_nothing"),
];

const RULES: &str = "[rules]\nselect_tasks = \"owner\"\ncancel = \"owner\"\nlookups = \"granted\"\n\
                     [roles.reader]\ngrants = [\"READ DATASOURCE hole_secret\"]\n\
                     [roles.looker]\ngrants = [\"READ LOOKUP hole_lookup\"]\n";

struct Stage {
    url: String,
    admin: Druid,
    gate: TestGate,
}

impl Stage {
    fn himself(&self, name: &str) -> Druid {
        Druid::at(&self.url).signed_in(name, "pw")
    }

    /// What the gate answers to somebody who holds the same
    async fn gated(&self, name: &str, method: Method, target: &str, body: Option<&Value>) -> Answer {
        let asking = self.gate.request(method, target).bearer(&self.gate.token(name, &[name]));
        match body {
            None => asking.send().await,
            Some(body) => {
                asking.header("content-type", "application/json").body(body.to_string()).send().await
            }
        }
    }

    async fn succeeded(&self, id: &str) {
        let target = format!("/druid/indexer/v1/task/{id}/status");
        let status = async || self.admin.ask(Method::GET, &target, None).await.1;
        until(id, status, |status: &String| status.contains("\"SUCCESS\"")).await;
    }

    /// The rows of `hole_own`, once it has what is awaited
    async fn own_has(&self, value: &str) {
        let select = json!({"query": "SELECT a FROM hole_own"});
        let rows = async || self.admin.ask(Method::POST, "/druid/v2/sql", Some(&select)).await.1;
        until("hole_own", rows, |rows: &String| rows.contains(value)).await;
    }
}

#[tokio::test]
async fn the_holes_that_druid_documents_or_keeps_are_there_and_the_gate_closes_them() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_SECURED").await else { return };
    let stage = set(url).await;
    a_task_by_hand_reads_what_its_poster_may_not(&stage).await;
    the_stub_shows_everybodys_rows_and_cancels_everybodys_tasks(&stage).await;
    anybody_reads_a_lookup(&stage).await;
}

async fn set(url: &str) -> Stage {
    let admin = Druid::at(url).signed_in("admin", "admin-pw");
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "admin-pw\n").unwrap();
    let roles: String = PEOPLE
        .iter()
        .map(|(name, sentence)| format!("[roles.{name}]\ngrants = [\"{sentence}\"]\n"))
        .collect();
    let sign_in = format!("username = \"admin\"\npassword_file = \"{}\"", password.display());
    let gate = TestGate::start(url, &format!("{sign_in}\n{RULES}{roles}")).await;
    let stage = Stage { url: url.to_owned(), admin, gate };
    for (name, sentence) in PEOPLE {
        make_user(&stage.admin, name, sentence).await;
    }
    for (datasource, value) in [("hole_own", "own"), ("hole_secret", "the secret")] {
        let insert = format!(
            "REPLACE INTO {datasource} OVERWRITE ALL SELECT TIMESTAMP '2024-01-01' AS __time, '{value}' AS a \
             PARTITIONED BY ALL"
        );
        stage.succeeded(&submit(&stage.admin, &insert).await).await;
        let select = json!({"query": format!("SELECT a FROM {datasource}")});
        let rows = async || stage.admin.ask(Method::POST, "/druid/v2/sql", Some(&select)).await.1;
        until(datasource, rows, |rows: &String| rows.contains(value)).await;
    }
    stage
}

async fn submit(druid: &Druid, statement: &str) -> String {
    let (_, text) = druid.ask(Method::POST, "/druid/v2/sql/task", Some(&json!({"query": statement}))).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["taskId"].as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
}

async fn make_user(admin: &Druid, name: &str, sentence: &str) {
    let post = async |path: String, body: Value| {
        let path = format!("/proxy/coordinator/druid-ext/basic-security/{path}");
        let (status, text) = admin.ask(Method::POST, &path, Some(&body)).await;
        assert!(status.is_success() || text.contains("already"), "{path}: {status} {text}");
    };
    let words: Vec<_> = sentence.splitn(3, ' ').collect();
    post(format!("authentication/db/basic/users/{name}"), json!({})).await;
    post(format!("authentication/db/basic/users/{name}/credentials"), json!({"password": "pw"})).await;
    post(format!("authorization/db/basic/users/{name}"), json!({})).await;
    post(format!("authorization/db/basic/roles/{name}"), json!({})).await;
    let permission = json!([{"resource": {"type": words[1], "name": words[2]}, "action": words[0]}]);
    post(format!("authorization/db/basic/roles/{name}/permissions"), permission).await;
    post(format!("authorization/db/basic/users/{name}/roles/{name}"), json!({})).await;
    let himself = Druid::at(&admin.url).signed_in(name, "pw");
    let known =
        async || himself.ask(Method::POST, "/druid/v2/sql", Some(&json!({"query": "SELECT 1"}))).await.0;
    until(name, known, |status: &StatusCode| *status == StatusCode::OK).await;
}

/// The task that Druid itself makes of a statement, under another id, as anybody could write it
async fn task_of(stage: &Stage, statement: &str, id: &str) -> Value {
    let original = submit(&stage.admin, statement).await;
    stage.succeeded(&original).await;
    let (_, text) = stage.admin.ask(Method::GET, &format!("/druid/indexer/v1/task/{original}"), None).await;
    let mut task = serde_json::from_str::<Value>(&text).unwrap()["payload"].take();
    task["id"] = json!(id);
    // The Overlord gives it another.
    task.as_object_mut().unwrap().retain(|name, _| !["groupId", "resource"].contains(&name.as_str()));
    task
}

/// Hole 1, and 3: the same with the stub
async fn a_task_by_hand_reads_what_its_poster_may_not(stage: &Stage) {
    let own = "REPLACE INTO hole_own OVERWRITE ALL SELECT __time, a FROM hole_secret PARTITIONED BY ALL";
    let id = |hole: &str| format!("{hole}-{}", std::process::id());
    let task = task_of(stage, own, &id("hole-1")).await;
    let undo = "REPLACE INTO hole_own OVERWRITE ALL SELECT TIMESTAMP '2024-01-01' AS __time, 'own' AS a PARTITIONED BY ALL";
    stage.succeeded(&submit(&stage.admin, undo).await).await;
    stage.own_has("own").await;
    let writer = stage.himself("hole_writer");
    let statement = json!({"query": own});
    let refused = async || writer.ask(Method::POST, "/druid/v2/sql/task", Some(&statement)).await.0;
    until("the writer's role is known", refused, |status: &StatusCode| *status == StatusCode::FORBIDDEN)
        .await;
    let posting = "/druid/indexer/v1/task";
    let gated = stage.gated("hole_writer", Method::POST, posting, Some(&task)).await;
    assert_eq!(gated.reason().as_deref(), Some("unsupported_task"), "{}", gated.text());
    let posted = async || writer.ask(Method::POST, posting, Some(&task)).await;
    let (_, text) = until("hole 1", posted, |(status, _)| *status == StatusCode::OK).await;
    println!("hole 1, WRITE DATASOURCE hole_own alone: Druid {text}, the gate {}", gated.text());
    stage.own_has("the secret").await;

    let task = task_of(stage, "SELECT a FROM hole_secret", &id("hole-3")).await;
    let canceller = stage.himself("hole_canceller");
    let gated = stage.gated("hole_canceller", Method::POST, posting, Some(&task)).await;
    assert_eq!(gated.reason().as_deref(), Some("unsupported_task"));
    let posted = async || canceller.ask(Method::POST, posting, Some(&task)).await;
    let (_, text) = until("hole 3", posted, |(status, _)| *status == StatusCode::OK).await;
    println!("hole 3, WRITE DATASOURCE __query_select alone: Druid {text}, the gate {}", gated.text());
    stage.succeeded(&id("hole-3")).await;
}

/// Hole 2
async fn the_stub_shows_everybodys_rows_and_cancels_everybodys_tasks(stage: &Stage) {
    let select = json!({"query": "SELECT a FROM hole_secret"});
    let reader = stage.gate.token("reader", &["reader"]);
    let answer = stage.gate.post("/druid/v2/sql/task", &select).bearer(&reader).send().await;
    let id = answer.json()["taskId"].as_str().unwrap().to_owned();
    stage.succeeded(&id).await;
    let reports = format!("/druid/indexer/v1/task/{id}/reports");
    let own = stage.gate.get(&reports).bearer(&reader).send().await;
    assert!(own.text().contains("the secret"), "{}", own.text());
    let gated = stage.gated("hole_watcher", Method::GET, &reports, None).await;
    assert_eq!((gated.status, gated.reason().as_deref()), (StatusCode::FORBIDDEN, Some("not_owner")));
    let watcher = stage.himself("hole_watcher");
    let shown = async || watcher.ask(Method::GET, &reports, None).await.1;
    until("hole 2", shown, |text: &String| text.contains("the secret")).await;
    println!("hole 2, READ DATASOURCE __query_select alone: Druid shows the rows, the gate {}", gated.text());
    let all = "/druid/indexer/v1/datasources/__query_select/shutdownAllTasks";
    let gated = stage.gated("hole_canceller", Method::POST, all, None).await;
    assert_eq!(gated.missing(), ["WRITE STATE tasks"], "{}", gated.text());
    // 404 where none of them runs, which is told to who may.
    let (status, text) = stage.himself("hole_canceller").ask(Method::POST, all, None).await;
    assert_ne!(status, StatusCode::FORBIDDEN, "{text}");
}

/// Hole 4
async fn anybody_reads_a_lookup(stage: &Stage) {
    let base = "/druid/coordinator/v1/lookups/config";
    assert!(stage.admin.ask(Method::POST, base, Some(&json!({}))).await.0.is_success());
    let lookup =
        json!({"version": "v1", "lookupExtractorFactory": {"type": "map", "map": {"k": "looked up"}}});
    let target = format!("{base}/__default/hole_lookup");
    let (status, text) = stage.admin.ask(Method::POST, &target, Some(&lookup)).await;
    assert!(status.is_success() || text.contains("same or newer"), "{text}");
    let sql = json!({"query": "SELECT v FROM lookup.hole_lookup"});
    let native = json!({"queryType": "scan", "dataSource": {"type": "lookup", "lookup": "hole_lookup"},
        "intervals": ["0/3000"], "columns": ["v"]});
    for (target, body) in [("/druid/v2/sql", &sql), ("/druid/v2", &native)] {
        let looker = stage.gate.token("looker", &["looker"]);
        let held = async || stage.gate.post(target, body).bearer(&looker).send().await.text();
        until("the lookup is there", held, |text: &String| text.contains("looked up")).await;
        let gated = stage.gated("hole_nobody", Method::POST, target, Some(body)).await;
        assert_eq!(gated.missing(), ["READ LOOKUP hole_lookup"], "{}", gated.text());
        let (_, text) = stage.himself("hole_nobody").ask(Method::POST, target, Some(body)).await;
        assert!(text.contains("looked up"), "{text}");
        println!("hole 4 at {target}, with nothing: Druid {text}, the gate {}", gated.text());
    }
}
