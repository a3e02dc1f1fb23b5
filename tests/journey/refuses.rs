//! What never reaches Druid, and what the refusal says; each beside its allowed twin

use std::time::Duration;

use http::{Method, StatusCode};
use msq_gate::druid::Endpoint;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, Table, TaskPace};

use crate::gate::{Answer, Speaks, TestGate};

const ROLES: &str = r#"
[roles.reader]
grants = ["READ DATASOURCE a"]
[roles.writer]
grants = ["WRITE DATASOURCE a"]
[roles.careful]
grants = ["READ DATASOURCE *"]
denies = ["READ DATASOURCE secret"]
"#;

const INSERT: &str = "INSERT INTO a SELECT * FROM b PARTITIONED BY ALL";

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let table = || Table { columns: Vec::new(), rows: Vec::new() };
    let tables_of_druid = ["a", "b", "secret"].map(|name| (name.to_owned(), table())).to_vec();
    let settings =
        StandInSettings { tasks: TaskPace::WhenTold, tables: tables_of_druid, ..StandInSettings::default() };
    let druid = StandIn::start(settings).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

async fn run(gate: &TestGate, roles: &[&str], statement: &str) -> Answer {
    gate.post("/druid/v2/sql/task", &json!({"query": statement}))
        .bearer(&gate.token("alice", roles))
        .send()
        .await
}

#[tokio::test]
async fn a_refusal_says_which_permission_is_missing_in_druids_own_error_object() {
    let (gate, druid) = setup(ROLES).await;
    assert_eq!(run(&gate, &["reader"], "SELECT * FROM a").await.status, StatusCode::ACCEPTED);
    druid.clear_requests();
    let answer = run(&gate, &["reader"], INSERT).await;
    let decision = answer.decision();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let message = "alice may not run this INSERT: missing READ DATASOURCE b, WRITE DATASOURCE a";
    let error = |decision: &str| {
        json!({
            "error": "druidException", "errorCode": "forbidden", "persona": "USER", "category": "FORBIDDEN",
            "errorMessage": message, "context": {"reason": "missing_permission", "decision": decision},
        })
    };
    let receipt = |decision: &str| {
        json!({
            "decision": decision, "subject": "alice", "reason": "missing_permission",
            "needed": [
                {"permission": "READ DATASOURCE b", "held": false},
                {"permission": "WRITE DATASOURCE a", "held": false},
            ],
            "missing": ["READ DATASOURCE b", "WRITE DATASOURCE a"],
        })
    };
    // Of a task, in the status of one that has failed, which is what the web console shows.
    assert_eq!(
        answer.json(),
        json!({
            "taskId": "forbidden", "state": "FAILED", "error": error(&decision), "errorMessage": message,
            "context": {"reason": "missing_permission", "decision": decision}, "receipt": receipt(&decision),
        })
    );
    let statement = json!({"query": INSERT, "context": {"executionMode": "ASYNC"}});
    let token = gate.token("alice", &["reader"]);
    let answer = gate.post("/druid/v2/sql/statements", &statement).bearer(&token).send().await;
    let (decision, mut flat) = (answer.decision(), error(&answer.decision()));
    flat["receipt"] = receipt(&decision);
    assert_eq!(answer.json(), flat);
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn refusal_detail_says_more_or_less() {
    let (full, _druid) = setup(&format!("{ROLES}\n[rules]\nrefusal_detail = \"full\"")).await;
    let answer = run(&full, &["writer"], "INSERT INTO a SELECT * FROM a PARTITIONED BY ALL").await;
    assert_eq!(
        answer.json()["receipt"]["needed"],
        json!([
            {"permission": "READ DATASOURCE a", "held": false, "heldBy": ["reader", "careful"]},
            {"permission": "WRITE DATASOURCE a", "held": true, "by": "writer"},
        ])
    );
    assert_eq!(
        answer.json()["errorMessage"],
        "alice may not run this INSERT: missing READ DATASOURCE a (held by reader, careful)"
    );
    let (code, _druid) = setup(&format!("{ROLES}\n[rules]\nrefusal_detail = \"code\"")).await;
    let answer = run(&code, &["writer"], "SELECT * FROM a").await;
    assert_eq!(answer.json()["errorMessage"], "alice may not do this");
    assert!(answer.json()["receipt"].get("needed").is_none());
}

#[tokio::test]
async fn a_deny_wins_over_any_grant() {
    let (gate, _druid) = setup(ROLES).await;
    assert_eq!(run(&gate, &["careful"], "SELECT * FROM b").await.status, StatusCode::ACCEPTED);
    let answer = run(&gate, &["careful"], "SELECT * FROM secret").await;
    assert_eq!((answer.status, answer.reason().as_deref()), (StatusCode::FORBIDDEN, Some("denied")));
}

#[tokio::test]
async fn a_task_that_is_not_there_is_unknown_and_looks_forbidden_where_only_the_code_is_told() {
    let (gate, _druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader"]);
    let answer = gate.get("/druid/indexer/v1/task/query-none/status").bearer(&token).send().await;
    assert_eq!((answer.status, answer.reason().as_deref()), (StatusCode::NOT_FOUND, Some("unknown_task")));

    let (gate, _druid) = setup(&format!("{ROLES}\n[rules]\nrefusal_detail = \"code\"")).await;
    let started =
        run(&gate, &["reader"], "SELECT * FROM a").await.json()["taskId"].as_str().unwrap().to_owned();
    let token = gate.token("alice", &[]);
    let mut told = Vec::new();
    for id in ["query-none", &started] {
        let answer = gate.get(&format!("/druid/indexer/v1/task/{id}/status")).bearer(&token).send().await;
        let mut body = answer.json();
        for place in ["/context/decision", "/receipt/decision"] {
            *body.pointer_mut(place).unwrap() = Value::Null;
        }
        told.push((answer.status, body));
    }
    assert_eq!(told[0], told[1], "a task that is not there cannot be told from a forbidden one");
}

#[tokio::test]
async fn an_endpoint_that_is_not_listed_is_refused_by_the_gate_itself() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader", "writer"]);
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/unified-console.html"),
        (Method::POST, "/druid/v2/sql/avatica"),
        (Method::POST, "/druid/v2/sql/avatica-protobuf"),
        (Method::DELETE, "/druid/v2/sql/avatica-x"),
        (Method::POST, "/druid/v2/sql/x/y"),
        (Method::POST, "/druid/indexer/v1/action"),
        (Method::GET, "/druid-ext/basic-security/authorization/db/basic/users"),
        (Method::POST, "/druid-ext/basic-security/authorization/listen/basic"),
        (
            Method::GET,
            "/proxy/coordinator/druid-ext/basic-security/authentication/db/b/cachedSerializedUserMap",
        ),
        (Method::GET, "/proxy/coordinator/druid-ext/basic-security/authorization/refreshAll"),
        (Method::GET, "/druid-internal/v1/httpRemoteTaskRunner/knownTasks"),
        (Method::GET, "/proxy/overlord/druid-internal/v1/httpRemoteTaskRunner/knownTasks"),
        (Method::POST, "/proxy/coordinator/druid/indexer/v1/task"),
        (Method::POST, "/proxy/OVERLORD/druid/indexer/v1/task"),
        (Method::POST, "/druid/worker/v1/disable"),
    ] {
        let answer = gate.request(method, path).bearer(&token).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::FORBIDDEN, Some("unknown_endpoint")),
            "{path}"
        );
        let _decision = answer.decision();
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn a_path_that_people_ask_for_says_what_to_do_instead_and_every_path_is_on_record() {
    let (gate, _druid) = setup(ROLES).await;
    for (path, instead) in [
        ("/druid/indexer/v1/action", "for Druid's services alone"),
        ("/druid/v2/sql/avatica/", "JDBC is not let through yet"),
        ("/", "the web console is not let through yet"),
        ("/unified-console.html", "the web console is not let through yet"),
        ("/proxy/coordinator/druid/indexer/v1/tasks", "the Overlord by `/druid/indexer/…`"),
        ("/druid/indexer/v1/nothing", "`msq-gate routes` lists those it does"),
        ("/a/%22%00?token=secret", "`msq-gate routes` lists those it does"),
    ] {
        let answer = gate.post(path, &json!({})).bearer(&gate.token("alice", &["reader"])).send().await;
        if answer.status == StatusCode::BAD_REQUEST {
            continue;
        }
        assert_eq!(answer.reason().as_deref(), Some("unknown_endpoint"), "{path}");
        assert!(
            answer.json()["errorMessage"].as_str().unwrap().contains(instead),
            "{path}: {}",
            answer.text()
        );
        let record = gate.record(&answer).remove(0);
        assert_eq!(record["path"], json!(path.split('?').next().unwrap()), "{record}");
    }
    let long = format!("/{}", "a".repeat(1_000));
    let answer = gate.get(&long).bearer(&gate.token("alice", &[])).send().await;
    assert_eq!(gate.record(&answer)[0]["path"], json!(format!("/{}", "a".repeat(255))));
}

#[tokio::test]
async fn tables_that_show_everybodys_things_ask_for_state_since_druid_sees_only_the_gate() {
    let roles = "[roles.state]\ngrants = [\"READ STATE STATE\"]\n";
    let (gate, druid) = setup(roles).await;
    for table in [
        "sys.segments",
        "sys.servers",
        "sys.server_segments",
        "sys.server_properties",
        "sys.tasks",
        "sys.supervisors",
        "sys.queries",
        "INFORMATION_SCHEMA.TABLES",
        "INFORMATION_SCHEMA.COLUMNS",
        "INFORMATION_SCHEMA.\"VIEWS\"",
    ] {
        for path in ["/druid/v2/sql", "/druid/v2/sql/task"] {
            let body = json!({"query": format!("SELECT * FROM {table}")});
            let answer = gate.post(path, &body).bearer(&gate.token("stan", &["state"])).send().await;
            assert_eq!(answer.reason(), None, "{table}: with READ STATE it is for Druid to answer");
            druid.clear_requests();
            let answer = gate.post(path, &body).bearer(&gate.token("nobody", &[])).send().await;
            assert_eq!(answer.missing(), ["READ STATE STATE"], "{table}");
            assert!(answer.text().contains("rules.metadata"), "it says why, and what changes that: {table}");
            assert!(druid.requests().is_empty());
        }
    }
    for table in ["INFORMATION_SCHEMA.SCHEMATA", "INFORMATION_SCHEMA.ROUTINES"] {
        let body = json!({"query": format!("SELECT * FROM {table}")});
        let answer = gate.post("/druid/v2/sql", &body).bearer(&gate.token("nobody", &[])).send().await;
        assert_eq!(answer.reason(), None, "{table} shows nothing of anybody's");
    }
}

#[tokio::test]
async fn a_task_of_anothers_shows_nothing_and_druid_sees_only_the_gates_own_look_up() {
    let (gate, druid) = setup(ROLES).await;
    let task = run(&gate, &["reader"], "SELECT * FROM a").await.json()["taskId"].as_str().unwrap().to_owned();
    let token = gate.token("mallory", &[]);
    for (method, part, look_up) in [
        (Method::GET, "", "/status"),
        (Method::GET, "/status", "/status"),
        (Method::GET, "/reports", "/status"),
        (Method::GET, "/log", "/status"),
        (Method::POST, "/shutdown", "/status"),
    ] {
        let base = format!("/druid/indexer/v1/task/{task}");
        let answer = gate.request(method, &format!("{base}{part}")).bearer(&token).send().await;
        assert_eq!(answer.missing(), ["READ DATASOURCE __query_select"], "{part}");
        let seen = druid.requests().into_iter().skip(1);
        assert!(
            seen.into_iter().all(|seen| seen.target == format!("{base}{look_up}")),
            "{:?}",
            druid.requests()
        );
    }
}

#[tokio::test]
async fn every_listed_endpoint_refuses_who_is_not_known_and_every_other_method() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &[]);
    for route in Endpoint::all() {
        let path = route.path.replace(['{', '}'], "");
        let method: Method = route.method.word().parse().unwrap();
        let answer = gate.request(method, &path).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        for method in [Method::PUT, Method::PATCH, Method::TRACE, Method::OPTIONS] {
            let answer = gate.request(method.clone(), &path).bearer(&token).send().await;
            assert_eq!(
                (answer.status, answer.reason().as_deref()),
                (StatusCode::METHOD_NOT_ALLOWED, Some("method")),
                "{method} {path}"
            );
            assert!(answer.header("allow").unwrap().contains(route.method.word()), "{path}");
        }
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn checks_are_made_in_their_order_target_token_endpoint_fields_body() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader"]);
    let reason = async |asking: crate::gate::Asking<'_>| asking.send().await.reason().unwrap_or_default();
    let post = |target: &str| gate.request(Method::POST, target).body("{");
    assert_eq!(reason(post("/druid/..;/v2/sql")).await, "bad_target");
    assert_eq!(reason(post("/druid/unknown")).await, "no_token");
    assert_eq!(reason(post("/druid/unknown").bearer(&token)).await, "unknown_endpoint");
    assert_eq!(reason(gate.request(Method::PUT, "/druid/v2/sql").body("{").bearer(&token)).await, "method");
    assert_eq!(reason(post("/druid/v2/sql").bearer(&token)).await, "media_type");
    let json = || post("/druid/v2/sql").bearer(&token).header("content-type", "application/json");
    assert_eq!(reason(json().header("content-encoding", "br")).await, "media_type");
    assert_eq!(reason(json().header("origin", "https://elsewhere")).await, "cross_site");
    assert_eq!(reason(json()).await, "bad_json");
    assert_eq!(reason(json().body(r#"{"query":"SELECT"}"#)).await, "bad_sql");
    assert_eq!(reason(json().body(r#"{"query":"DROP TABLE a"}"#)).await, "unsupported_statement");
    assert_eq!(reason(json().body(r#"{"query":"SELECT * FROM b"}"#)).await, "missing_permission");
    assert!(druid.requests().is_empty());
    assert_eq!(json().body(r#"{"query":"SELECT * FROM a"}"#).send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn targets_with_a_second_reading_are_refused_before_anybody_is_asked_who_he_is() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader"]);
    for target in [
        "/druid/v2/../v2/sql",
        "/druid/v2/%2e%2e/v2/sql",
        "/druid/v2//sql",
        "/druid/v2/sql;x=1/task",
        "/druid/v2/sql%2Ftask",
        "/druid/v2/sql%5ctask",
        "/druid/v2/sql/task%00",
        "/druid/v2/sql/task%",
        "/druid/indexer/v1/task/a%2f..%2fb/status",
    ] {
        let answer = gate.get(target).bearer(&token).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_REQUEST, Some("bad_target")),
            "{target}"
        );
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn forged_owners_are_refused_in_json_by_set_and_in_every_spelling() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader"]);
    let send = async |body: String| {
        let asking =
            gate.request(Method::POST, "/druid/v2/sql/task").header("content-type", "application/json");
        asking.body(body).bearer(&token).send().await
    };
    assert_eq!(
        send(r#"{"query":"SELECT 1","context":{"timeout":1}}"#.to_owned()).await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        send(r#"{"query":"SET timeout = 1; SELECT 1"}"#.to_owned()).await.status,
        StatusCode::ACCEPTED
    );
    druid.clear_requests();
    for body in [
        r#"{"query":"SELECT 1","context":{"msqGateOwner":"x"}}"#,
        r#"{"query":"SELECT 1","context":{"__user":"x"}}"#,
        r#"{"query":"SELECT 1","context":{"msqGate\u004fwner":"x"}}"#,
        r#"{"query":"SET msqGateOwner = 'x'; SELECT 1"}"#,
        r#"{"query":"SET \"msqGateOwner\" = 'x'; SELECT 1"}"#,
        r#"{"query":"SET U&\"msqGate\\004fwner\" = 'x'; SELECT 1"}"#,
        r#"{"query":"ALTER SESSION SET __user = 'x'; SELECT 1"}"#,
    ] {
        let answer = send(body.to_owned()).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::FORBIDDEN, Some("reserved_context_key")),
            "{body}"
        );
    }
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn statements_that_could_end_a_parser_are_refused_and_the_process_lives() {
    let (gate, _druid) = setup(ROLES).await;
    let select = |expression: &str| format!("SELECT {expression} FROM a");
    let parentheses = |levels: usize| select(&format!("{}1{}", "(".repeat(levels), ")".repeat(levels)));
    // The stand-in cannot run these; what counts is that they were judged, and by whom they are answered.
    assert_eq!(run(&gate, &["reader"], &parentheses(90)).await.reason(), None);
    let long_chain = select(&format!("1{}", "+1".repeat(20_000)));
    assert_eq!(run(&gate, &["reader"], &long_chain).await.reason(), None);
    for statement in [
        parentheses(1_000),
        select(&format!("1{}", "+1".repeat(100_000))),
        select(&"- ".repeat(50_000)),
        "SELECT 1 UNION ALL ".repeat(40_000),
        "(".repeat(200_000),
    ] {
        let answer = run(&gate, &["reader"], &statement).await;
        assert!(
            matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(run(&gate, &["reader"], "SELECT * FROM a").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn refusals_are_the_same_over_http_2() {
    let (gate, _druid) = setup(ROLES).await;
    let asking =
        gate.post("/druid/v2/sql/task", &json!({"query": INSERT})).bearer(&gate.token("alice", &["reader"]));
    let answer = asking.over(Speaks::Http2).send().await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.missing(), ["READ DATASOURCE b", "WRITE DATASOURCE a"]);
}

#[tokio::test]
async fn a_head_that_is_asked_for_alone_comes_alone() {
    let (gate, druid) = setup(&format!("[rules]\npublic_health = true\n{ROLES}")).await;
    let token = gate.token("alice", &["reader"]);
    for speaks in [Speaks::Http1, Speaks::Http2] {
        for (path, status) in [
            ("/druid/v2/sql/task/enabled", 200),
            ("/status/health", 200),
            ("/_gate/whoami", 200),
            ("/druid/indexer/v1/task/unknown/status", 404),
            ("/druid/unknown", 403),
            ("/a/../b", 400),
        ] {
            druid.clear_requests();
            let whole = gate.get(path).bearer(&token).over(speaks).send().await;
            let asked = druid.requests().len();
            let head = gate.request(Method::HEAD, path).bearer(&token).over(speaks).send().await;
            assert_eq!((whole.status.as_u16(), head.status.as_u16()), (status, status), "{speaks:?} {path}");
            assert_eq!((head.text().as_str(), head.trailers.is_none()), ("", true), "{speaks:?} {path}");
            assert_eq!(head.header("content-type"), whole.header("content-type"), "{speaks:?} {path}");
            let lengths = [&head, &whole].map(|answer| answer.header("content-length").map(str::to_owned));
            assert_eq!(lengths[0], lengths[1], "{speaks:?} {path}");
            assert_eq!(druid.requests().len(), 2 * asked, "it is judged and asked as GET is");
            let record = gate.record(&head);
            assert!(
                record.iter().all(|line| line["method"] == "HEAD" && line["reason"] != "client_left"),
                "{record:?}"
            );
        }
        let nobody = gate.request(Method::HEAD, "/druid/v2/sql/task/enabled").over(speaks).send().await;
        assert_eq!((nobody.status, nobody.text().as_str()), (StatusCode::UNAUTHORIZED, ""));
        let health = gate.request(Method::HEAD, "/status/health").over(speaks).send().await;
        assert_eq!((health.status, health.text().as_str()), (StatusCode::OK, ""));
        let posts = gate.request(Method::HEAD, "/druid/v2/sql/task").bearer(&token).over(speaks).send().await;
        assert_eq!((posts.status, posts.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
        let reads = gate.request(Method::PUT, "/status/health").bearer(&token).over(speaks).send().await;
        assert_eq!(reads.header("allow"), Some("GET, HEAD"));
    }
}

#[tokio::test]
async fn over_http_2_nobody_waits_to_be_asked_for_his_body() {
    let (gate, druid) = setup(ROLES).await;
    let token = gate.token("alice", &["reader"]);
    let post = || gate.post("/druid/v2/sql/task", &json!({"query": "SELECT 1"})).bearer(&token);
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let sent = post().header("expect", "100-continue").over(speaks).send().await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "who sends it all the same is served: {}", sent.text());
    }
    druid.clear_requests();
    for (token, status, reason) in [(Some(&token), 417, "expectation"), (None, 401, "no_token")] {
        let waits = tokio::time::timeout(
            Duration::from_secs(5),
            gate.expect_over_http_2("/druid/v2/sql/task", token),
        );
        let answer = waits.await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.reason().as_deref()), (status, Some(reason)));
    }
    assert!(druid.requests().is_empty());
    gate.obeys().await;
}

#[tokio::test]
async fn heads_have_their_limits_over_both_protocols() {
    let (gate, druid) = setup(ROLES).await;
    let ask = async |speaks, fields: usize, bytes: usize| {
        let mut asking =
            gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[])).over(speaks);
        for _ in 0..fields {
            asking = asking.header("x-a", "b");
        }
        asking.header("x-long", &"a".repeat(bytes)).send().await
    };
    for speaks in [Speaks::Http1, Speaks::Http2] {
        assert_eq!(ask(speaks, 90, 8_000).await.status, StatusCode::OK, "{speaks:?}");
        druid.clear_requests();
        for (fields, bytes) in [(101, 1), (0, 17_000), (0, 40_000)] {
            let answer = ask(speaks, fields, bytes).await;
            assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{speaks:?} {fields}");
        }
        let many = ask(speaks, 101, 1).await;
        assert!(many.text().contains("more than 100 fields"), "{speaks:?}: {}", many.text());
        let answer = ask(speaks, 0, 17_000).await;
        assert_eq!(answer.reason().as_deref(), Some("headers_too_large"), "{speaks:?}");
        assert!(answer.text().contains("longer than 16384 bytes"), "{}", answer.text());
        assert_eq!(gate.record(&answer)[0]["reason"], "headers_too_large");
        assert!(druid.requests().is_empty());
    }
    assert!(
        gate.metrics().await.contains("msq_gate_limit_met_total{limit=\"head_bytes\"} 5\n"),
        "{}",
        gate.metrics().await
    );
}

#[tokio::test]
async fn a_host_beside_another_authority_is_refused() {
    let (gate, druid) = setup(ROLES).await;
    let ask = async |host: &str| {
        let asking = gate.get("/druid/v2/sql/task/enabled").bearer(&gate.token("alice", &[]));
        asking.over(Speaks::Http2).header("host", host).send().await
    };
    assert_eq!(ask(&gate.address.to_string()).await.status, StatusCode::OK);
    druid.clear_requests();
    for host in ["elsewhere", "", "user@elsewhere"] {
        let answer = ask(host).await;
        assert_eq!(answer.reason().as_deref(), Some("bad_header"), "{host}");
    }
    assert!(druid.requests().is_empty());
}
