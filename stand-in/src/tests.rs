//! The stand-in over a real socket

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use super::{Kind, StandIn, StandInSettings, Table, TaskPace, Version};

const TASK: &str = "/druid/indexer/v1/task";
const STATEMENTS: &str = "/druid/v2/sql/statements";

#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn content_type(&self) -> &str {
        self.headers.get("content-type").unwrap().to_str().unwrap()
    }

    /// Status and body
    fn told(&self) -> (u16, Value) {
        (self.status.as_u16(), self.json())
    }
}

async fn send(stand_in: &StandIn, request: Request<Full<Bytes>>) -> Got {
    let stream = TcpStream::connect(stand_in.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Got { status: head.status, headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

fn request(method: Method, target: &str, body: &str) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(target).header("host", "druid");
    let builder = builder.header("content-type", "application/json");
    builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

async fn get(stand_in: &StandIn, target: &str) -> Got {
    send(stand_in, request(Method::GET, target, "")).await
}

async fn post(stand_in: &StandIn, target: &str, body: Value) -> Got {
    send(stand_in, request(Method::POST, target, &body.to_string())).await
}

async fn delete(stand_in: &StandIn, target: &str) -> Got {
    send(stand_in, request(Method::DELETE, target, "")).await
}

fn objects(rows: Value) -> Vec<Map<String, Value>> {
    serde_json::from_value(rows).unwrap()
}

fn wikipedia() -> Vec<(String, Table)> {
    let rows = json!([
        { "channel": "#en", "added": 3, "__time": "2026-01-01T00:00:00Z" },
        { "channel": "#de", "added": 4, "__time": "2026-01-02" },
        { "channel": "#en", "added": 5, "__time": "2026-01-03 10:00:00" },
    ]);
    vec![("wikipedia".to_owned(), Table::from_objects(&objects(rows)))]
}

async fn started(tasks: TaskPace, version: Version) -> StandIn {
    StandIn::start(StandInSettings { tasks, version, sign_in: None, tables: wikipedia() }).await.unwrap()
}

/// The rows that a SELECT gives on the native engine
async fn select(stand_in: &StandIn, query: &str) -> Value {
    let got = post(stand_in, "/druid/v2/sql", json!({ "query": query, "resultFormat": "array" })).await;
    assert_eq!(got.status, 200, "{query}: {}", got.text);
    got.json()
}

/// The id of a task that runs this
async fn submit(stand_in: &StandIn, query: &str) -> String {
    let got = post(stand_in, "/druid/v2/sql/task", json!({ "query": query })).await;
    assert_eq!(got.status, 202, "{query}: {}", got.text);
    assert_eq!(got.json()["state"], "RUNNING");
    got.json()["taskId"].as_str().unwrap().to_owned()
}

async fn state(stand_in: &StandIn, id: &str) -> Value {
    let status = get(stand_in, &format!("{TASK}/{id}/status")).await.json();
    assert_eq!(status["status"]["status"], status["status"]["statusCode"]);
    status["status"]["status"].clone()
}

#[tokio::test]
async fn a_statement_is_accepted_runs_and_gives_its_rows() {
    let druid = started(TaskPace::WhenTold, Version::Druid37).await;
    let body = json!({
        "query": "SELECT channel, added FROM wikipedia LIMIT 2",
        "context": { "executionMode": "ASYNC", "sqlQueryId": "one" },
    });
    let accepted = post(&druid, STATEMENTS, body).await;
    assert_eq!((accepted.status.as_u16(), &accepted.json()["state"]), (200, &json!("ACCEPTED")));
    assert_eq!(accepted.json()["queryId"], "query-one");
    assert_eq!(
        accepted.json()["schema"],
        json!([
            { "name": "channel", "type": "VARCHAR", "nativeType": "STRING" },
            { "name": "added", "type": "BIGINT", "nativeType": "LONG" },
        ])
    );
    let statement = format!("{STATEMENTS}/query-one");
    assert_eq!(get(&druid, &statement).await.json()["state"], "RUNNING");
    let early = get(&druid, &format!("{statement}/results")).await;
    assert_eq!(early.status, 400);
    assert_eq!(
        early.json()["errorMessage"],
        "Query[query-one] is currently in [RUNNING] state. Please wait for it to complete."
    );

    druid.finish_task("query-one");
    let done = get(&druid, &statement).await.json();
    assert_eq!(done["state"], "SUCCESS");
    assert_eq!(done["result"]["numTotalRows"], 2);
    assert_eq!(done["result"]["dataSource"], "__query_select");
    assert_eq!(done["result"]["pages"][0]["numRows"], 2);
    let rows = get(&druid, &format!("{statement}/results?page=0")).await;
    assert_eq!(rows.text, "[{\"channel\":\"#en\",\"added\":3},{\"channel\":\"#de\",\"added\":4}]\n");
    let csv = get(&druid, &format!("{statement}/results?resultFormat=csv")).await;
    assert_eq!(csv.text, "#en,3\n#de,4\n\n");
    assert_eq!(get(&druid, &format!("{statement}/results?page=1")).await.status, 400);
    assert_eq!(delete(&druid, &statement).await.status, 200);
    assert_eq!(state(&druid, "query-one").await, "SUCCESS");
}

#[tokio::test]
async fn the_report_of_a_select_holds_its_rows_and_there_is_no_log() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let id = submit(&druid, "SELECT __time, channel FROM \"wikipedia\" LIMIT 1").await;
    let report = get(&druid, &format!("{TASK}/{id}/reports")).await.json();
    let payload = &report["multiStageQuery"]["payload"];
    assert_eq!(report["multiStageQuery"]["taskId"], json!(id));
    assert_eq!(payload["status"]["status"], "SUCCESS");
    assert_eq!(payload["results"]["results"], json!([[1_767_225_600_000_i64, "#en"]]));
    assert_eq!(payload["results"]["sqlTypeNames"], json!(["TIMESTAMP", "VARCHAR"]));
    let log = get(&druid, &format!("{TASK}/{id}/log")).await;
    assert_eq!((log.status.as_u16(), log.content_type()), (404, "text/plain;charset=utf-8"));
}

#[tokio::test]
async fn a_running_statement_is_cancelled_by_delete_and_by_shutdown() {
    let druid = started(TaskPace::WhenTold, Version::Druid37).await;
    let deleted = submit(&druid, "SELECT 1").await;
    let got = delete(&druid, &format!("{STATEMENTS}/{deleted}")).await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (202, ""));
    let shut_down = submit(&druid, "SELECT 1").await;
    let got = post(&druid, &format!("{TASK}/{shut_down}/shutdown"), json!({})).await;
    assert_eq!(got.told(), (200, json!({ "task": shut_down })));
    for id in [deleted, shut_down] {
        druid.finish_task(&id);
        assert_eq!(state(&druid, &id).await, "FAILED");
        let statement = get(&druid, &format!("{STATEMENTS}/{id}")).await.json();
        assert_eq!(statement["state"], "FAILED");
        assert_eq!(statement["errorDetails"]["errorCode"], "Canceled");
        assert_eq!(get(&druid, &format!("{STATEMENTS}/{id}/results")).await.status, 400);
        assert_eq!(delete(&druid, &format!("{STATEMENTS}/{id}")).await.status, 200);
    }
}

#[tokio::test]
async fn a_shutdown_of_a_finished_task_changes_nothing() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let id = submit(&druid, "SELECT 1").await;
    assert_eq!(state(&druid, &id).await, "SUCCESS");
    assert_eq!(post(&druid, &format!("{TASK}/{id}/shutdown"), json!({})).await.status, 200);
    assert_eq!(state(&druid, &id).await, "SUCCESS");
}

#[tokio::test]
async fn a_task_ends_by_itself_after_its_time() {
    let druid = started(TaskPace::After(Duration::from_millis(20)), Version::Druid37).await;
    let id = submit(&druid, "SELECT 1").await;
    while state(&druid, &id).await == "RUNNING" {
        tokio::task::yield_now().await;
    }
    assert_eq!(state(&druid, &id).await, "SUCCESS");
}

#[tokio::test]
async fn the_context_of_a_statement_lands_in_the_payload_of_its_task() {
    let druid = started(TaskPace::WhenTold, Version::Druid37).await;
    let context = json!({ "msqGateOwner": "issuer|alice", "maxNumTasks": 2, "sqlQueryId": "mine" });
    let query = "INSERT INTO other SELECT * FROM wikipedia PARTITIONED BY DAY";
    post(&druid, "/druid/v2/sql/task", json!({ "query": query, "context": context })).await;
    let told = get(&druid, &format!("{TASK}/query-mine")).await.json();
    assert_eq!(told["task"], "query-mine");
    let payload = &told["payload"];
    assert_eq!(payload["type"], "query_controller");
    assert_eq!(payload["id"], "query-mine");
    assert_eq!(payload["dataSource"], "other");
    assert_eq!(payload["sqlQuery"], query);
    assert_eq!(payload["spec"]["destination"]["dataSource"], "other");
    assert_eq!(payload["spec"]["query"]["dataSource"]["name"], "wikipedia");
    for context in [&payload["spec"]["query"]["context"], &payload["sqlQueryContext"]] {
        assert_eq!(context["msqGateOwner"], "issuer|alice");
        assert_eq!(context["maxNumTasks"], 2);
        assert_eq!(context["queryId"], "mine");
    }
}

#[tokio::test]
async fn what_an_insert_wrote_can_be_selected_once_it_has_ended() {
    let druid = started(TaskPace::WhenTold, Version::Druid27).await;
    let insert = r#"INSERT INTO "events"
        SELECT TIME_PARSE("ts") AS "__time", "who", 7 AS "n"
        FROM TABLE(EXTERN(
          '{"type":"inline","data":"{\"ts\":\"2026-02-01T00:00:00Z\",\"who\":\"it''s\"}\n{\"ts\":\"2026-02-02T00:00:00Z\"}"}',
          '{"type":"json"}'
        )) EXTEND ("ts" VARCHAR, "who" VARCHAR)
        PARTITIONED BY DAY CLUSTERED BY "who""#;
    let id = submit(&druid, insert).await;
    let early = post(&druid, "/druid/v2/sql", json!({ "query": "SELECT * FROM events" })).await;
    assert_eq!(early.status, 400);
    druid.finish_task(&id);
    assert_eq!(state(&druid, &id).await, "SUCCESS");
    assert_eq!(
        select(&druid, "SELECT * FROM events").await,
        json!([["2026-02-01T00:00:00.000Z", "it's", 7], ["2026-02-02T00:00:00.000Z", null, 7]])
    );
    let again = submit(&druid, "INSERT INTO events SELECT * FROM events PARTITIONED BY DAY").await;
    druid.finish_task(&again);
    assert_eq!(select(&druid, "SELECT COUNT(*) FROM events").await, json!([[4]]));
    let results = get(&druid, &format!("{STATEMENTS}/{again}/results")).await;
    assert_eq!((results.status.as_u16(), results.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_replace_takes_out_what_it_overwrites() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let replace = "REPLACE INTO wikipedia OVERWRITE WHERE __time >= TIMESTAMP '2026-01-02' AND __time < \
                   TIMESTAMP '2026-01-03' SELECT TIMESTAMP '2026-01-02 05:00:00' AS __time, '#fr' AS channel \
                   PARTITIONED BY DAY";
    let id = submit(&druid, replace).await;
    assert_eq!(state(&druid, &id).await, "SUCCESS");
    assert_eq!(
        select(&druid, "SELECT channel, added FROM wikipedia").await,
        json!([["#en", 3], ["#en", 5], ["#fr", null]])
    );
    submit(&druid, "REPLACE INTO wikipedia OVERWRITE ALL SELECT 1 AS x PARTITIONED BY ALL TIME").await;
    assert_eq!(select(&druid, "SELECT * FROM wikipedia").await, json!([[1]]));
}

#[tokio::test]
async fn small_selects_are_run() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    for (query, rows) in [
        ("SELECT 1, 'it''s' AS b, -2.5, TRUE, NULL", json!([[1, "it's", -2.5, true, null]])),
        ("SELECT COUNT(*) FROM wikipedia WHERE channel = '#en'", json!([[2]])),
        (
            "SELECT channel, COUNT(*), SUM(added) AS total FROM wikipedia GROUP BY 1 ORDER BY total DESC",
            json!([["#en", 2, 8], ["#de", 1, 4]]),
        ),
        (
            "WITH w AS (SELECT added FROM druid.wikipedia) SELECT w.added FROM w -- all\nLIMIT 1;",
            json!([[3]]),
        ),
        ("SELECT * FROM (SELECT added AS a FROM wikipedia) AS x WHERE a > 4", json!([[5]])),
    ] {
        assert_eq!(select(&druid, query).await, rows, "{query}");
    }
}

#[tokio::test]
async fn rows_come_in_the_form_that_is_asked_for() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    for (format, text) in [
        ("object", "[{\"channel\":null,\"EXPR$1\":null},{\"channel\":\"#en\",\"EXPR$1\":1}]\n"),
        ("objectLines", "{\"channel\":null,\"EXPR$1\":null}\n{\"channel\":\"#en\",\"EXPR$1\":1}\n\n"),
        ("array", "[[\"channel\",\"EXPR$1\"],[\"#en\",1]]\n"),
        ("arrayLines", "[\"channel\",\"EXPR$1\"]\n[\"#en\",1]\n\n"),
        ("csv", "channel,EXPR$1\n#en,1\n\n"),
    ] {
        let query = "SELECT channel, 1 FROM wikipedia LIMIT 1";
        let body = json!({ "query": query, "resultFormat": format, "header": true });
        let got = post(&druid, "/druid/v2/sql", body).await;
        assert_eq!(got.text, text);
        assert_eq!(got.content_type(), "application/json");
        assert!(got.headers.contains_key("x-druid-sql-query-id"));
    }
}

#[tokio::test]
async fn explain_is_answered_at_once_and_begins_no_task() {
    let druid = started(TaskPace::WhenTold, Version::Druid37).await;
    let query = "EXPLAIN PLAN FOR INSERT INTO t SELECT * FROM wikipedia PARTITIONED BY DAY";
    let body = json!({ "query": query, "context": { "executionMode": "ASYNC", "sqlQueryId": "x" } });
    for door in ["/druid/v2/sql/task", STATEMENTS] {
        let got = post(&druid, door, body.clone()).await;
        assert_eq!(got.status, 200);
        let row = &got.json()[0];
        let resources: Value = serde_json::from_str(row["RESOURCES"].as_str().unwrap()).unwrap();
        assert_eq!(
            resources,
            json!([{ "name": "t", "type": "DATASOURCE" }, { "name": "wikipedia", "type": "DATASOURCE" }])
        );
        assert_eq!(
            row["ATTRIBUTES"],
            r#"{"statementType":"INSERT","targetDataSource":"t","partitionedBy":"DAY"}"#
        );
        assert_eq!(get(&druid, &format!("{TASK}/query-x")).await.status, 404);
    }
}

#[tokio::test]
async fn the_versions_differ_in_set_and_export() {
    let new = started(TaskPace::Immediately, Version::Druid37).await;
    let old = started(TaskPace::Immediately, Version::Druid27).await;
    let set = "SET sqlQueryId = 'set'; SELECT 1";
    let export = "INSERT INTO EXTERN(local(exportPath => '/tmp/x')) AS CSV SELECT channel FROM wikipedia";
    assert_eq!(submit(&new, set).await, "query-set");
    let id = submit(&new, export).await;
    let payload = get(&new, &format!("{TASK}/{id}")).await.json()["payload"].clone();
    assert_eq!(payload["dataSource"], "__query_export");
    assert_eq!(
        payload["spec"]["destination"]["exportStorageProvider"],
        json!({ "type": "local", "exportPath": "/tmp/x" })
    );
    for query in [set, export, "SELECT 1;"] {
        let got = post(&old, "/druid/v2/sql/task", json!({ "query": query })).await;
        assert_eq!((got.status.as_u16(), &got.json()["state"]), (400, &json!("FAILED")), "{query}");
    }
}

#[tokio::test]
async fn a_statement_that_cannot_be_run_is_told_as_druid_tells_it() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let query = "SELECT * FROM nosuch";
    let error = json!({
        "error": "druidException",
        "errorCode": "invalidInput",
        "persona": "USER",
        "category": "INVALID_INPUT",
        "errorMessage": "Object 'nosuch' not found (line [1], column [15])",
        "context": { "sourceType": "sql", "line": "1", "column": "15", "endLine": "1", "endColumn": "20" },
    });
    let context = json!({ "executionMode": "ASYNC", "sqlQueryId": "q" });
    for door in ["/druid/v2/sql", STATEMENTS] {
        let got = post(&druid, door, json!({ "query": query, "context": context })).await;
        assert_eq!(got.told(), (400, error.clone()));
    }
    let got = post(&druid, "/druid/v2/sql/task", json!({ "query": query, "context": context })).await;
    assert_eq!(got.told(), (400, json!({ "taskId": "q", "state": "FAILED", "error": error })));
    for query in [
        "",
        "SELEC",
        "SELECT",
        "SELECT a FROM",
        "SELECT nosuch FROM wikipedia",
        "SELECT 'open",
        "SELECT \u{e9}\u{1f600} § FROM",
        "SELECT * FROM wikipedia JOIN wikipedia ON 1 = 1",
        "SELECT 1; SELECT 2",
        "INSERT INTO t SELECT 1",
        "REPLACE INTO t SELECT 1 PARTITIONED BY ALL",
        "SELECT * FROM sys.tasks",
        "SELECT TABLE(EXTERN('{'",
        "SELECT * FROM TABLE(EXTERN('{', '{}')) EXTEND (a VARCHAR)",
        "SET a = 1",
        "EXPLAIN",
        &"(".repeat(100_000),
        &with_chain(100),
        &format!("SELECT {}1", "TIME_PARSE(".repeat(100_000)),
    ] {
        let got = post(&druid, "/druid/v2/sql/task", json!({ "query": query })).await;
        assert_eq!(got.status, 400, "{query}: {}", got.text);
        assert_eq!(got.json()["error"]["error"], "druidException", "{query}");
    }
}

/// A WITH whose queries read one from the other
fn with_chain(length: usize) -> String {
    let names = (1..=length).map(|at| format!(", w{at} AS (SELECT * FROM w{})", at - 1));
    format!("WITH w0 AS (SELECT 1 AS a){} SELECT * FROM w{length}", names.collect::<String>())
}

#[tokio::test]
async fn numbers_at_the_edge_are_told() {
    let rows = json!([{ "__time": i64::MAX, "n": i64::MAX }, { "__time": i64::MIN, "n": i64::MAX }]);
    let tables = vec![("edge".to_owned(), Table::from_objects(&objects(rows)))];
    let druid = StandIn::start(StandInSettings { tables, ..Default::default() }).await.unwrap();
    assert_eq!(
        select(&druid, "SELECT __time FROM edge").await,
        json!([["9999-12-31T23:59:59.999Z"], ["1970-01-01T00:00:00.000Z"]])
    );
    assert_eq!(select(&druid, "SELECT SUM(n) FROM edge").await, json!([[1.844_674_407_370_955_2e19]]));
    assert_eq!(select(&druid, &with_chain(10)).await, json!([[1]]));
}

#[tokio::test]
async fn statements_need_the_asynchronous_mode() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    for context in [json!({}), json!(null), json!({ "executionMode": "SYNC" })] {
        let got = post(&druid, STATEMENTS, json!({ "query": "SELECT 1", "context": context })).await;
        assert_eq!((got.status.as_u16(), &got.json()["errorCode"]), (400, &json!("invalidInput")));
    }
    let set = json!({ "query": "SET executionMode = 'ASYNC'; SELECT 1" });
    assert_eq!(post(&druid, STATEMENTS, set).await.status, 200);
}

#[tokio::test]
async fn a_task_whose_input_is_not_at_hand_fails() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let source = r#"{"type":"http","uris":["https://example.com/x.json"]}"#;
    let id = submit(
        &druid,
        &format!(r#"SELECT * FROM TABLE(EXTERN('{source}', '{{"type":"json"}}')) EXTEND (a VARCHAR)"#),
    )
    .await;
    assert_eq!(state(&druid, &id).await, "FAILED");
    let report = get(&druid, &format!("{TASK}/{id}/reports")).await.json();
    assert!(
        report["multiStageQuery"]["payload"]["status"]["errorReport"]["error"]["errorMessage"].is_string()
    );
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let body = json!({ "query": "SELECT 1", "context": { "sqlQueryId": "once" } });
    assert_eq!(post(&druid, "/druid/v2/sql/task", body.clone()).await.status, 202);
    let again = post(&druid, "/druid/v2/sql/task", body).await;
    assert_eq!((again.status.as_u16(), &again.json()["error"]["persona"]), (500, &json!("DEVELOPER")));
    let slash = json!({ "query": "SELECT 1", "context": { "sqlQueryId": "a/b" } });
    assert_eq!(post(&druid, "/druid/v2/sql/task", slash).await.status, 400);
}

#[tokio::test]
async fn a_native_task_is_taken_and_told() {
    let druid = started(TaskPace::WhenTold, Version::Druid37).await;
    let got = post(&druid, TASK, json!({ "type": "noop", "id": "n 1", "dataSource": "t1" })).await;
    assert_eq!(got.told(), (200, json!({ "task": "n 1" })));
    let payload = get(&druid, &format!("{TASK}/n%201")).await.json()["payload"].clone();
    assert_eq!((&payload["type"], &payload["dataSource"]), (&json!("noop"), &json!("t1")));
    assert_eq!(state(&druid, "n%201").await, "RUNNING");
    assert_eq!(get(&druid, &format!("{STATEMENTS}/n%201")).await.status, 404);
    assert_eq!(get(&druid, &format!("{TASK}/n%201/reports")).await.status, 404);
    for body in [json!({ "type": "noop", "id": "n 1" }), json!({ "type": "nosuch" }), json!({}), json!([])] {
        let got = post(&druid, TASK, body).await;
        assert_eq!(got.status, 400);
        assert!(got.json()["error"].is_string());
    }
    assert_eq!(send(&druid, request(Method::POST, TASK, "{x")).await.status, 500);
    let controller = json!({
        "type": "query_controller",
        "spec": { "destination": { "type": "taskReport" }, "query": { "context": { "msqGateOwner": "i|x" } } },
    });
    let id = post(&druid, TASK, controller).await.json()["task"].as_str().unwrap().to_owned();
    let payload = get(&druid, &format!("{TASK}/{id}")).await.json()["payload"].clone();
    assert_eq!(payload["dataSource"], "__query_select");
    assert_eq!(payload["spec"]["query"]["context"]["msqGateOwner"], "i|x");
}

#[tokio::test]
async fn without_its_sign_in_only_the_health_is_told() {
    let sign_in = Some(("gate".to_owned(), "secret".to_owned()));
    let druid = StandIn::start(StandInSettings { sign_in, ..Default::default() }).await.unwrap();
    let target = "/druid/v2/sql/task/enabled";
    let none = get(&druid, target).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.headers.get("www-authenticate").unwrap(), "Basic");
    assert_eq!(none.json()["error"], "Unauthorized request");
    let with = async |value: String| {
        let mut request = request(Method::GET, target, "");
        request.headers_mut().insert("authorization", value.parse().unwrap());
        send(&druid, request).await
    };
    let wrong = with(format!("Basic {}", STANDARD.encode("gate:other"))).await;
    assert_eq!((wrong.status.as_u16(), wrong.headers.get("www-authenticate")), (401, None));
    let right = with(format!("Basic {}", STANDARD.encode("gate:secret"))).await;
    assert_eq!(right.told(), (200, json!({ "enabled": true })));
    assert_eq!(get(&druid, "/status/health").await.told(), (200, json!(true)));
}

#[tokio::test]
async fn the_native_engine_only_selects_from_tables() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    for query in [
        "INSERT INTO wikipedia SELECT 1 AS a PARTITIONED BY ALL",
        "REPLACE INTO wikipedia OVERWRITE ALL SELECT 1 AS a PARTITIONED BY ALL",
        "INSERT INTO EXTERN(local(exportPath => '/tmp/x')) AS CSV SELECT 1 AS a",
        r#"SELECT * FROM TABLE(EXTERN('{}', '{"type":"json"}')) EXTEND (a VARCHAR)"#,
    ] {
        let got = post(&druid, "/druid/v2/sql", json!({ "query": query })).await;
        assert_eq!(got.status, 400, "{query}");
        assert!(got.json()["errorMessage"].as_str().unwrap().contains("engine [native]"), "{query}");
    }
    assert_eq!(select(&druid, "SELECT COUNT(*) FROM wikipedia").await, json!([[3]]));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    for end in ["", "/status", "/reports", "/log"] {
        let got = get(&druid, &format!("{TASK}/no%20such{end}")).await;
        assert_eq!((got.status.as_u16(), got.content_type()), (404, "text/plain"));
        assert_eq!(got.text, "Cannot find any task with id: [no such]");
    }
    assert_eq!(post(&druid, &format!("{TASK}/x/shutdown"), json!({})).await.status, 404);
    for got in [
        get(&druid, &format!("{STATEMENTS}/x")).await,
        get(&druid, &format!("{STATEMENTS}/x/results")).await,
        delete(&druid, &format!("{STATEMENTS}/x")).await,
    ] {
        assert_eq!((got.status.as_u16(), &got.json()["errorCode"]), (404, &json!("notFound")));
    }
    for target in ["/", "/nope", "/druid/indexer/v1/nothing", "/druid/v2"] {
        assert_eq!(get(&druid, target).await.status, 404, "{target}");
    }
    assert_eq!(get(&druid, "/druid/v2/sql").await.status, 405);
}

#[tokio::test]
async fn every_request_is_kept_as_it_came() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    assert!(druid.requests().is_empty());
    get(&druid, "/status/health?x=%20").await;
    post(&druid, "/druid/v2/sql", json!({ "query": "SELECT 1" })).await;
    let seen = druid.requests();
    let targets: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.target.as_str())).collect();
    assert_eq!(targets, [("GET", "/status/health?x=%20"), ("POST", "/druid/v2/sql")]);
    assert_eq!(seen[1].body, r#"{"query":"SELECT 1"}"#);
    assert_eq!(seen[1].headers.get("host").unwrap(), "druid");
    druid.clear_requests();
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let body = json!({ "query": format!("SELECT '{}'", "x".repeat(16 << 20)) });
    // The answer may come before the whole body was sent, and the connection with it.
    let stream = TcpStream::connect(druid.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request(Method::POST, "/druid/v2/sql", &body.to_string())).await;
    assert!(answer.is_err() || answer.unwrap().status() == 413);
}

#[tokio::test]
async fn a_gzip_body_is_inflated() {
    let druid = started(TaskPace::Immediately, Version::Druid37).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, br#"{"query":"SELECT 1"}"#).unwrap();
    for (body, status) in [(gzip.finish().unwrap(), 200), (b"{}".to_vec(), 500)] {
        let mut request = request(Method::POST, "/druid/v2/sql", "");
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        *request.body_mut() = Full::new(body.into());
        assert_eq!(send(&druid, request).await.status, status);
    }
}

#[tokio::test]
async fn a_stopped_stand_in_listens_no_more() {
    let druid = started(TaskPace::After(Duration::from_secs(3600)), Version::Druid37).await;
    let id = submit(&druid, "SELECT 1").await;
    assert_eq!(state(&druid, &id).await, "RUNNING");
    let address = druid.address();
    drop(druid);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_table_keeps_its_time_first_and_guesses_its_types() {
    let (_, table) = wikipedia().remove(0);
    let columns: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(columns, [("__time", Kind::Timestamp), ("channel", Kind::Varchar), ("added", Kind::Bigint)]);
    assert_eq!(table.rows[0], [json!(1_767_225_600_000_i64), json!("#en"), json!(3)]);
}
