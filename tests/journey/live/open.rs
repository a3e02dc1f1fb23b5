//! Druid without security, the gate before it: rules 1 to 6 of the permission page, and whose a task is

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::druid::until;
use super::held::Held;
use super::table::{Expect, Table};
use super::{Router, router};
use crate::gate::{Answer, TestGate};

const OK: Expect = Expect::Passes(StatusCode::OK);
const ACCEPTED: Expect = Expect::Passes(StatusCode::ACCEPTED);

pub(crate) const ROLES: &str = r#"
[roles.r1]
grants = ["READ DATASOURCE live1"]
[roles.w1]
grants = ["WRITE DATASOURCE live1"]
[roles.r2]
grants = ["READ DATASOURCE live2"]
[roles.w2]
grants = ["WRITE DATASOURCE live2"]
[roles.external]
grants = ["READ EXTERNAL EXTERNAL"]
[roles.selects]
grants = ["READ DATASOURCE __query_select"]
[roles.export]
grants = ["WRITE EXTERNAL local"]
[roles.state]
grants = ["READ STATE STATE"]
[roles.operator]
grants = ["WRITE STATE STATE"]
"#;

const INLINE: &str = r#"TABLE(EXTERN('{"type":"inline","data":"{\"ts\":\"2024-01-01\",\"a\":\"x\"}"}', '{"type":"json"}')) EXTEND (ts VARCHAR, a VARCHAR)"#;

fn insert(target: &str, source: &str) -> String {
    format!("INSERT INTO {target} SELECT TIME_PARSE(ts) AS __time, a FROM {source} PARTITIONED BY ALL")
}

/// Somebody whose token says these roles; his name is theirs
pub(crate) struct Person<'a> {
    pub(crate) gate: &'a TestGate,
    pub(crate) roles: &'a [&'a str],
    name: String,
}

impl<'a> Person<'a> {
    pub(crate) fn with(gate: &'a TestGate, roles: &'a [&'a str]) -> Self {
        let name = if roles.is_empty() { "nobody".to_owned() } else { roles.join("+") };
        Self { gate, roles, name }
    }

    pub(crate) fn named(gate: &'a TestGate, name: &str, roles: &'a [&'a str]) -> Self {
        Self { gate, roles, name: name.to_owned() }
    }

    fn token(&self) -> String {
        self.gate.token(&self.name, self.roles)
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.gate.get(target).bearer(&self.token()).send().await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Answer {
        self.gate.post(target, body).bearer(&self.token()).send().await
    }

    async fn run(&self, statement: &str) -> Answer {
        self.post("/druid/v2/sql/task", &json!({"query": statement, "context": {"maxNumTasks": 2}})).await
    }

    /// Starts a task that he may start; its id
    async fn start(&self, statement: &str) -> String {
        let answer = self.run(statement).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{statement}: {}", answer.text());
        answer.json()["taskId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn start_async(&self, statement: &str, destination: &str) -> String {
        let context = json!({"executionMode": "ASYNC", "selectDestination": destination});
        let answer =
            self.post("/druid/v2/sql/statements", &json!({"query": statement, "context": context})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["queryId"].as_str().unwrap().to_owned()
    }

    async fn shut_down(&self, task: &str) -> Answer {
        let target = format!("/druid/indexer/v1/task/{task}/shutdown");
        self.gate.request(Method::POST, &target).bearer(&self.token()).send().await
    }

    async fn status(&self, task: &str) -> String {
        let answer = self.get(&format!("/druid/indexer/v1/task/{task}/status")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["status"]["statusCode"].as_str().unwrap().to_owned()
    }

    /// Waits until a task that he may see has ended
    pub(crate) async fn ended(&self, task: &str) -> String {
        until(task, || self.status(task), |status| status != "RUNNING").await
    }
}

/// Everybody who may see everything, to set the stage and to watch
const ALL: &[&str] = &["r1", "w1", "r2", "w2", "external", "selects"];

#[tokio::test]
async fn the_permission_page_of_the_manual_holds() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let gate = TestGate::start(url, ROLES).await;
    let stage = Person::with(&gate, ALL);
    make_datasources(&stage).await;
    let mut table = Table::default();
    statements(&gate, &mut table).await;
    tasks(&gate, &mut table).await;
    posted_tasks(&gate, &mut table).await;
    everything_else(&gate, &mut table).await;
    table.finish("Rules 1 to 6 before a real Druid without security");
}

/// INSERT with EXTERN through the gate ends in SUCCESS, and the rows are selected back through the gate
async fn make_datasources(stage: &Person<'_>) {
    for target in ["live1", "live2"] {
        let task = stage
            .start(
                &insert(target, INLINE)
                    .replace("INSERT INTO", "REPLACE INTO")
                    .replace(target, &format!("{target} OVERWRITE ALL")),
            )
            .await;
        assert_eq!(stage.ended(&task).await, "SUCCESS");
        let select = json!({"query": format!("SELECT a FROM {target}")});
        let rows = until(
            target,
            async || stage.post("/druid/v2/sql", &select).await.text(),
            |rows: &String| rows.contains("\"x\""),
        );
        println!("{target}: {}", rows.await.trim());
    }
}

async fn statements(gate: &TestGate, table: &mut Table) {
    const R1: &[&str] = &["READ DATASOURCE live1"];
    const W1: &[&str] = &["WRITE DATASOURCE live1"];
    const R2: &[&str] = &["READ DATASOURCE live2"];
    const EXTERNAL: &[&str] = &["READ EXTERNAL EXTERNAL"];
    const EXPORT: &[&str] = &["WRITE EXTERNAL local"];
    let external = format!("SELECT a FROM {INLINE}");
    let insert_external = insert("live1", INLINE);
    let from_2 = "INSERT INTO live1 SELECT __time, a FROM live2 PARTITIONED BY ALL";
    let replace = "REPLACE INTO live1 OVERWRITE ALL SELECT __time, a FROM live2 PARTITIONED BY ALL";
    let export = "INSERT INTO EXTERN(local(exportPath => '/tmp/x')) AS CSV SELECT a FROM live1";
    let hidden = "SELECT a FROM live1 WHERE a IN (WITH x AS (SELECT a FROM live2) SELECT a FROM x)";
    let cells: &[(&str, &str, &[&str], Expect)] = &[
        ("1", "SELECT 1", &[], ACCEPTED),
        ("1", "SELECT a FROM live1", &[], Expect::Missing(R1)),
        ("2", "SELECT a FROM live1", &["r1"], ACCEPTED),
        ("2", "SELECT a FROM live1", &["w1"], Expect::Missing(R1)),
        ("2", "SELECT live1.a FROM live1 JOIN live2 ON live1.a = live2.a", &["r1"], Expect::Missing(R2)),
        ("2", "SELECT live1.a FROM live1 JOIN live2 ON live1.a = live2.a", &["r1", "r2"], ACCEPTED),
        ("2", hidden, &["r1"], Expect::Missing(R2)),
        ("2", hidden, &["r1", "r2"], ACCEPTED),
        ("2", "EXPLAIN PLAN FOR SELECT a FROM live1", &["r2"], Expect::Missing(R1)),
        ("2", "EXPLAIN PLAN FOR SELECT a FROM live1", &["r1"], OK),
        ("3", from_2, &["w1"], Expect::Missing(R2)),
        ("3", from_2, &["r1", "r2"], Expect::Missing(W1)),
        ("3", from_2, &["w1", "r2"], ACCEPTED),
        ("3", replace, &["r1", "r2"], Expect::Missing(W1)),
        ("3", replace, &["w1"], Expect::Missing(R2)),
        ("3", replace, &["w1", "r2"], ACCEPTED),
        ("4", &external, &["r1", "w1"], Expect::Missing(EXTERNAL)),
        ("4", &external, &["external"], ACCEPTED),
        ("4", &insert_external, &["w1"], Expect::Missing(EXTERNAL)),
        ("4", &insert_external, &["external"], Expect::Missing(W1)),
        ("4", &insert_external, &["w1", "external"], ACCEPTED),
        ("4", export, &["r1", "external"], Expect::Missing(EXPORT)),
        // Druid 27 knows no export yet, and says so.
        ("4", export, &["r1", "export"], Expect::Passes(StatusCode::BAD_REQUEST)),
    ];
    let stage = Person::with(gate, ALL);
    for (rule, statement, roles, expect) in cells {
        let person = Person::with(gate, roles);
        let answer = person.run(statement).await;
        table.note(rule, &shortened(statement), &person.name, expect, &answer);
        // One after the other: controllers that fill every slot wait for their workers for ever.
        if answer.status == StatusCode::ACCEPTED {
            stage.ended(answer.json()["taskId"].as_str().unwrap()).await;
        }
    }
    let person = Person::with(gate, &["r1"]);
    let answer = person.post("/druid/v2/sql", &json!({"query": "SELECT a FROM live1"})).await;
    table.note("2", "SELECT a FROM live1, at /druid/v2/sql", &person.name, &OK, &answer);
    let person = Person::with(gate, &["r2"]);
    let answer = person.post("/druid/v2/sql", &json!({"query": "SELECT a FROM live1"})).await;
    table.note("2", "SELECT a FROM live1, at /druid/v2/sql", &person.name, &Expect::Missing(R1), &answer);
}

fn shortened(statement: &str) -> String {
    let mut text: String = statement.chars().take(55).collect();
    if text.len() < statement.len() {
        text.push_str("...");
    }
    text
}

/// Rule 5: status, payload, reports, log and cancel
async fn tasks(gate: &TestGate, table: &mut Table) {
    let held = Held::start().await;
    let submitter = Person::named(gate, "submitter w1+external", &["w1", "external"]);
    let insert_task = submitter.start(&insert("live1", &held.table())).await;
    let selecter = Person::named(gate, "submitter external", &["external"]);
    let select_task = selecter.start(&format!("SELECT a FROM {}", held.table())).await;
    const R1: Expect = Expect::Missing(&["READ DATASOURCE live1"]);
    const SELECTS: Expect = Expect::Missing(&["READ DATASOURCE __query_select"]);
    for part in ["", "/status", "/reports", "/log"] {
        // A report or a log may not be there yet: then it is 404 in Druid's own words.
        let there = if matches!(part, "" | "/status") { OK } else { Expect::Reaches };
        for (kind, task, roles, expect) in [
            ("an INSERT", &insert_task, &["r1"][..], &there),
            ("an INSERT", &insert_task, &["selects", "r2", "w1"], &R1),
            ("a SELECT", &select_task, &["selects"], &there),
            ("a SELECT", &select_task, &["r1", "external"], &SELECTS),
        ] {
            let person = Person::with(gate, roles);
            let answer = person.get(&format!("/druid/indexer/v1/task/{task}{part}")).await;
            let name = if part.is_empty() { "/payload" } else { part };
            table.note("5", &format!("{name} of the task of {kind}"), &person.name, expect, &answer);
        }
    }
    let answer = submitter.get(&format!("/druid/indexer/v1/task/{insert_task}/status")).await;
    table.note("5", "/status of his own INSERT's task", &submitter.name, &R1, &answer);
    let answer = selecter.get(&format!("/druid/indexer/v1/task/{select_task}/status")).await;
    table.note("5", "/status of his own SELECT's task", &selecter.name, &SELECTS, &answer);

    let stage = Person::with(gate, ALL);
    for (kind, task, roles, expect) in [
        ("an INSERT", &insert_task, &["w1", "selects"][..], &R1),
        ("a SELECT", &select_task, &["r1", "w1"], &SELECTS),
    ] {
        let person = Person::with(gate, roles);
        let answer = person.shut_down(task).await;
        table.note("5", &format!("cancel the task of {kind}"), &person.name, expect, &answer);
        assert_eq!(stage.status(task).await, "RUNNING", "a cancel that was refused left the task alone");
    }
    for (kind, task, roles) in
        [("an INSERT", &insert_task, &["r1"][..]), ("a SELECT", &select_task, &["selects"])]
    {
        let person = Person::with(gate, roles);
        let answer = person.shut_down(task).await;
        table.note("5", &format!("cancel the task of {kind}"), &person.name, &OK, &answer);
        assert_eq!(stage.ended(task).await, "FAILED", "a cancel that was allowed ended the task");
    }
    let nobody = Person::with(gate, &[]);
    let answer = nobody.get("/druid/indexer/v1/task/query-none/status").await;
    table.note(
        "5",
        "/status of a task that is not there",
        &nobody.name,
        &Expect::Refused("unknown_task"),
        &answer,
    );
    held.release();
}

fn index_parallel(source: &Value) -> Value {
    json!({"type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "live1", "timestampSpec": {"column": "ts"}, "dimensionsSpec": {"dimensions": ["a"]},
            "granularitySpec": {"segmentGranularity": "all", "rollup": false},
        },
        "ioConfig": {"type": "index_parallel", "inputSource": source, "inputFormat": {"type": "json"}, "appendToExisting": true},
        "tuningConfig": {"type": "index_parallel"},
    }})
}

/// Rule 6: tasks posted to the Overlord directly
async fn posted_tasks(gate: &TestGate, table: &mut Table) {
    const W1: Expect = Expect::Missing(&["WRITE DATASOURCE live1"]);
    let inline = index_parallel(&json!({"type": "inline", "data": "{\"ts\":\"2024-01-01\",\"a\":\"y\"}"}));
    let from_druid =
        index_parallel(&json!({"type": "druid", "dataSource": "live2", "interval": "2024/2025"}));
    let mut with_options = inline.clone();
    with_options["context"] = json!({"druid.indexer.runner.javaOpts": "-Dx=y"});
    let kill = json!({"type": "kill", "dataSource": "live1", "interval": "1999-01-01/1999-01-02"});
    let compact = json!({"type": "compact", "dataSource": "live1", "ioConfig": {"type": "compact", "inputSpec": {"type": "interval", "interval": "1999-01-01/1999-01-02"}}});
    let controller = json!({"type": "query_controller", "spec": {"query": {}}, "sqlQuery": "SELECT 1"});
    let noop = json!({"type": "noop", "dataSource": "live1", "runTime": 1});
    let worker = json!({"type": "query_worker", "controllerTaskId": "x", "dataSource": "live1"});
    let cells: &[(&str, &Value, &[&str], Expect)] = &[
        ("index_parallel, inline", &inline, &["external"], W1),
        ("index_parallel, inline", &inline, &["w1"], Expect::Missing(&["READ EXTERNAL EXTERNAL"])),
        ("index_parallel, inline", &inline, &["w1", "external"], OK),
        (
            "index_parallel, from live2",
            &from_druid,
            &["w1", "external"],
            Expect::Missing(&["READ DATASOURCE live2"]),
        ),
        ("index_parallel, from live2", &from_druid, &["w1", "r2"], OK),
        (
            "index_parallel with JVM options",
            &with_options,
            &["w1", "external"],
            Expect::Missing(&["WRITE CONFIG CONFIG"]),
        ),
        ("kill", &kill, &["r1"], W1),
        ("kill", &kill, &["w1"], OK),
        ("compact", &compact, &["r1"], W1),
        ("compact", &compact, &["w1"], OK),
        ("query_controller", &controller, ALL, Expect::Refused("unsupported_task")),
        ("query_worker", &worker, ALL, Expect::Refused("unsupported_task")),
        ("noop", &noop, &["r1"], W1),
        ("noop", &noop, &["w1"], OK),
    ];
    let stage = Person::with(gate, ALL);
    let mut posted = Vec::new();
    for (what, task, roles, expect) in cells {
        let person = Person::with(gate, roles);
        let answer = person.post("/druid/indexer/v1/task", task).await;
        let who = if roles.len() > 3 { "everybody" } else { &person.name };
        table.note("6", &format!("post {what}"), who, expect, &answer);
        if answer.status == StatusCode::OK {
            let task = answer.json()["task"].as_str().unwrap().to_owned();
            stage.ended(&task).await;
            posted.push(task);
        }
    }
    let reader = Person::with(gate, &["r1"]);
    let answer = reader.shut_down(&posted[0]).await;
    table.note("5", "shut down the task of index_parallel", &reader.name, &W1, &answer);
}

/// What no row of the route table has, and the tables that show everybody's things
async fn everything_else(gate: &TestGate, table: &mut Table) {
    let nobody = Person::with(gate, &[]);
    for path in [
        "/unified-console.html",
        "/druid/v2/sql/avatica",
        "/druid-internal/v1/httpRemoteTaskRunner/knownTasks",
        "/proxy/coordinator/druid/indexer/v1/tasks",
    ] {
        let answer = nobody.get(path).await;
        table.note("-", path, &nobody.name, &Expect::Refused("unknown_endpoint"), &answer);
    }
    for sys in ["sys.tasks", "sys.segments", "INFORMATION_SCHEMA.TABLES"] {
        let query = json!({"query": format!("SELECT COUNT(*) FROM {sys}")});
        let answer = nobody.post("/druid/v2/sql", &query).await;
        table.note("7", sys, &nobody.name, &Expect::Missing(&["READ STATE STATE"]), &answer);
        let person = Person::with(gate, &["state"]);
        table.note("7", sys, &person.name, &OK, &person.post("/druid/v2/sql", &query).await);
    }
}

#[tokio::test]
async fn a_statements_results_are_its_owners() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let gate =
        TestGate::start(url, &format!("{ROLES}\n[rules]\nselect_tasks = \"owner\"\ncancel = \"owner\"\n"))
            .await;
    let owner = Person::named(&gate, "olga", &["external"]);
    let other = Person::named(&gate, "otto", &["external", "selects", "r1"]);
    let state = Person::named(&gate, "stan", &["state"]);
    let operator = Person::named(&gate, "oper", &["operator"]);
    let mut table = Table::default();
    let not_owner = Expect::Refused("not_owner");
    for destination in ["taskReport", "durableStorage"] {
        let id = owner.start_async(&format!("SELECT a FROM {INLINE}"), destination).await;
        let statement = format!("/druid/v2/sql/statements/{id}");
        let done =
            async || owner.get(&statement).await.json()["state"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            until(&id, done, |state: &String| state != "RUNNING" && state != "ACCEPTED").await,
            "SUCCESS"
        );
        let results = format!("{statement}/results");
        let answer = owner.get(&results).await;
        assert!(answer.text().contains("\"x\""), "{}", answer.text());
        table.note("own", &format!("results in {destination}"), "olga, owner", &OK, &answer);
        table.note(
            "own",
            &format!("results in {destination}"),
            "otto, selects",
            &not_owner,
            &other.get(&results).await,
        );
        table.note(
            "own",
            &format!("results in {destination}"),
            "stan, READ STATE",
            &OK,
            &state.get(&results).await,
        );
        let reports = format!("/druid/indexer/v1/task/{id}/reports");
        table.note("own", "the same by the task's report", "olga, owner", &OK, &owner.get(&reports).await);
        table.note(
            "own",
            "the same by the task's report",
            "otto, selects",
            &not_owner,
            &other.get(&reports).await,
        );
        table.note(
            "own",
            "the same by the task's report",
            "stan, READ STATE",
            &OK,
            &state.get(&reports).await,
        );
    }
    let held = Held::start().await;
    let id = owner.start_async(&format!("SELECT a FROM {}", held.table()), "taskReport").await;
    let cancel = |person: &Person<'_>| {
        let request = gate.request(Method::DELETE, &format!("/druid/v2/sql/statements/{id}"));
        request.bearer(&person.token())
    };
    table.note("own", "cancel a statement", "otto, selects", &not_owner, &cancel(&other).send().await);
    table.note("own", "cancel a statement", "stan, READ STATE", &not_owner, &cancel(&state).send().await);
    table.note("own", "cancel its task", "otto, selects", &not_owner, &other.shut_down(&id).await);
    assert_eq!(owner.status(&id).await, "RUNNING");
    table.note("own", "cancel a statement", "oper, WRITE STATE", &ACCEPTED, &cancel(&operator).send().await);
    assert_eq!(owner.ended(&id).await, "FAILED");
    held.release();
    table.finish("Whose a task is, before a real Druid without security");
}

#[tokio::test]
async fn a_forged_owner_is_refused() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let gate = TestGate::start(url, ROLES).await;
    let person = Person::with(&gate, &[]);
    for key in ["msqGateOwner", "__user"] {
        let body = json!({"query": "SELECT 1", "context": {key: "https://id.test|somebody"}});
        let answer = person.post("/druid/v2/sql/task", &body).await;
        assert_eq!(answer.reason().as_deref(), Some("reserved_context_key"));
        let answer = person.run(&format!("SET {key} = 'x'; SELECT 1")).await;
        assert_eq!(answer.reason().as_deref(), Some("reserved_context_key"));
    }
}
