//! The whole table of endpoints, row by row: who holds what a row asks for is let through, and nobody else is
//!
//! What each row asks is said here once more, by the kind of its rule; a rule that is not said does not compile.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use msq_gate::druid::endpoint::{Asks, Content, List, Rule, TaskUse};
use msq_gate::druid::{Action, Endpoint, ResourceAction, ResourceType};
use serde_json::json;

use crate::gate::{Answer, TestGate};
use crate::scripted::{Script, Scripted, answer, ok};

/// What a row asks, and of what it is asked
struct Case {
    /// The permissions that let somebody through, each by itself a role
    needs: Vec<String>,
    body: String,
}

/// Who is refused, and how he is told
enum Refused {
    /// Whoever holds all but one of them, for want of that one
    Missing,
    /// Whoever is not its submitter
    NotOwner,
    /// Whoever is not known
    Unknown,
    /// He sees no rows
    Rows,
    /// Everybody
    All,
}

fn case(endpoint: Endpoint) -> (Case, Refused) {
    let datasource = |action: Action| format!("{} DATASOURCE a", action.word());
    let needing = |needs: Vec<String>, body: &str| (Case { needs, body: body.to_owned() }, Refused::Missing);
    let external = "READ EXTERNAL EXTERNAL".to_owned();
    let body = match endpoint.content {
        Content::Nothing | Content::EmptyOrObject => "",
        Content::Query | Content::TaskSpec | Content::Json | Content::OfDatasource | Content::Compaction => {
            "{}"
        }
    };
    let anybody = |refused| (Case { needs: Vec::new(), body: body.to_owned() }, refused);
    match endpoint.rule {
        Rule::Health | Rule::Anybody => anybody(Refused::Unknown),
        Rule::Fixed(action, kind, name) => {
            needing(vec![ResourceAction::new(action, kind, name).sentence()], body)
        }
        Rule::Datasource(actions) => needing(actions.iter().copied().map(datasource).collect(), body),
        Rule::Retention(action) | Rule::Supervisor(action) => needing(vec![datasource(action)], body),
        Rule::Statement(_) => needing(vec![datasource(Action::Read)], r#"{"query":"SELECT * FROM a"}"#),
        Rule::NativeQuery(asks) => {
            let servers = (asks == Asks::Servers).then(|| "WRITE STATE queries".to_owned());
            let needs = [datasource(Action::Read)].into_iter().chain(servers).collect();
            needing(needs, r#"{"queryType":"scan","dataSource":"a","intervals":["1/2"]}"#)
        }
        Rule::TaskSpec => needing(
            vec![external, datasource(Action::Write)],
            r#"{"type":"index","spec":{"dataSchema":{"dataSource":"a"},"ioConfig":{"type":"index","inputSource":{"type":"inline","data":"x"}}}}"#,
        ),
        Rule::SupervisorSpec => needing(
            vec![external, datasource(Action::Write)],
            r#"{"type":"kafka","spec":{"dataSchema":{"dataSource":"a"},"ioConfig":{"topic":"t"}}}"#,
        ),
        Rule::Sampler => needing(
            vec![external],
            r#"{"type":"index","spec":{"ioConfig":{"type":"index","inputSource":{"type":"inline","data":"x"}}}}"#,
        ),
        Rule::Task(TaskUse::Look) => needing(vec![datasource(Action::Read)], body),
        Rule::Task(TaskUse::Cancel) => needing(vec![datasource(Action::Write)], body),
        Rule::StatementOf(purpose) => {
            let state = ResourceAction::state(purpose.action()).sentence();
            (Case { needs: vec![state], body: body.to_owned() }, Refused::NotOwner)
        }
        Rule::RunningQuery(purpose) => {
            let state = ResourceAction::new(purpose.action(), ResourceType::State, "queries").sentence();
            (Case { needs: vec![state], body: body.to_owned() }, Refused::NotOwner)
        }
        Rule::Lookup(action) => needing(vec![format!("{} CONFIG lookups", action.word())], body),
        Rule::RowsUnless(action, area, List::Queries) => (
            Case {
                needs: vec![ResourceAction::new(action, ResourceType::State, area).sentence()],
                body: body.to_owned(),
            },
            Refused::Rows,
        ),
        Rule::Rows(_) | Rule::RowsUnless(..) => (
            Case { needs: vec![datasource(Action::Read)], body: body.replace("{}", r#"["a","b"]"#) },
            Refused::Rows,
        ),
        Rule::Closed(_) => anybody(Refused::All),
    }
}

/// A list of this shape, with rows of `a` and of `b`, and what of it is seen by who may read `a`
fn list(shape: List) -> (&'static str, &'static str) {
    match shape {
        List::Elements("name") => (r#"["b","a"]"#, r#"["a"]"#),
        List::Elements(_) | List::Tasks => {
            (r#"[{"dataSource":"b"},{"dataSource":"a"}]"#, r#"[{"dataSource":"a"}]"#)
        }
        List::TasksById => (r#"{"other":{"id":"a"},"task":{}}"#, r#"{"task":{}}"#),
        List::Queries => (r#"{"queries":[{"sqlQueryId":"a"}]}"#, r#"{"queries":[{"sqlQueryId":"a"}]}"#),
        List::Keys => (r#"{"b":{},"a":{}}"#, r#"{"a":{}}"#),
        List::KeysWithin => (r#"{"1/2":{"b":{},"a":{}},"2/3":{"b":{}}}"#, r#"{"1/2":{"a":{}}}"#),
        List::Loads => (r#"{"b":1.0,"a":0.5}"#, r#"{"a":0.5}"#),
        List::Wrapped(_) => {
            (r#"{"x":[{"dataSource":"b"},{"dataSource":"a"}]}"#, r#"{"x":[{"dataSource":"a"}]}"#)
        }
        List::Supervisors => (r#"["two","one"]"#, r#"["one"]"#),
        List::Versions => (
            r#"[{"spec":{"type":"autocompact","spec":{"dataSource":"b"}}},{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}}]"#,
            r#"[{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}}]"#,
        ),
        List::VersionsById => (
            r#"{"one":[{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}}],"two":[{"spec":{"type":"autocompact","spec":{"dataSource":"b"}}}]}"#,
            r#"{"one":[{"spec":{"type":"autocompact","spec":{"dataSource":"a"}}}]}"#,
        ),
    }
}

/// The path of a row with names in it: of each kind one, and of a datasource `a`
fn path(endpoint: Endpoint) -> String {
    endpoint.path.replace("{datasource}", "a").replace("{segment}", "a_1_2_v").replace(['{', '}'], "")
}

/// A router that answers what the gate asks about tasks and supervisors, lists at lists, and `{}` elsewhere
async fn router() -> Scripted {
    let spec = |name: &str| json!({"type": "autocompact", "spec": {"dataSource": name}});
    let status = |id: &str, name: &str| json!({"status": {"id": id, "type": "index", "dataSource": name}});
    let owner = json!({"type": "query_controller", "id": "statement",
        "spec": {"query": {"context": {"msqGateOwner": "https://id.test|owner"}}}});
    let full = json!([{"id": "one", "spec": spec("a")}, {"id": "two", "spec": spec("b")}]);
    let mut answers: Vec<(&'static str, Vec<u8>)> = vec![
        ("GET /druid/indexer/v1/task/task/status ", ok(&status("task", "a").to_string())),
        ("GET /druid/indexer/v1/task/other/status ", ok(&status("other", "b").to_string())),
        ("GET /druid/indexer/v1/task/statement ", ok(&json!({"payload": owner}).to_string())),
        ("GET /druid/indexer/v1/supervisor/a ", answer("404 Not Found", "{}")),
        ("GET /druid/indexer/v1/supervisor?full ", ok(&full.to_string())),
        ("GET /druid/indexer/v1/supervisor/supervisor ", ok(&spec("a").to_string())),
    ];
    for endpoint in Endpoint::all() {
        let word = format!("{} {} ", endpoint.method.word(), path(endpoint)).leak();
        if let Some(shape) = endpoint.rule.list() {
            answers.push((word, ok(list(shape).0)));
        } else if endpoint.media_types[0] != "application/json" {
            let answer = String::from_utf8(ok("{}")).unwrap();
            answers.push((word, answer.replace("application/json", endpoint.media_types[0]).into_bytes()));
        }
    }
    answers.push(("", ok("{}")));
    Scripted::start(Script::Chosen(answers)).await
}

/// Every permission that a row asks for, with the role that grants it alone
fn roles() -> BTreeMap<String, String> {
    let sentences = Endpoint::all().flat_map(|endpoint| case(endpoint).0.needs);
    let mut roles = BTreeMap::new();
    for sentence in sentences {
        let name = format!("r{}", roles.len());
        roles.entry(sentence).or_insert(name);
    }
    roles
}

/// Crosses with a request, and so is not in what the gate asks by itself
const CLIENT: &str = "covers/1";

struct Stage {
    gate: TestGate,
    druid: Scripted,
    roles: BTreeMap<String, String>,
}

impl Stage {
    async fn new() -> Self {
        let roles = roles();
        let tables: String = roles
            .iter()
            .map(|(sentence, name)| format!("[roles.{name}]\ngrants = [\"{sentence}\"]\n"))
            .collect();
        let druid = router().await;
        Self { gate: TestGate::start(&druid.url, &tables).await, druid, roles }
    }

    /// A token of somebody who holds these
    fn token(&self, who: &str, sentences: &[String]) -> String {
        let roles: Vec<_> = sentences.iter().map(|sentence| self.roles[sentence].as_str()).collect();
        self.gate.token(who, &roles)
    }

    async fn ask(&self, endpoint: Endpoint, case: &Case, token: Option<&str>) -> Answer {
        let method: Method = endpoint.method.word().parse().unwrap();
        let mut asking = self.gate.request(method, &path(endpoint)).header("user-agent", CLIENT);
        if !case.body.is_empty() {
            asking = asking.header("content-type", "application/json").body(case.body.clone());
        }
        if let Some(token) = token {
            asking = asking.bearer(token);
        }
        asking.send().await
    }

    /// How often the request itself has reached the router
    fn seen(&self, endpoint: Endpoint) -> usize {
        let target = match endpoint.asked_by {
            Some(asked_by) => asked_by.replace("{task}", "task"),
            None => path(endpoint),
        };
        let line = format!("{} {target} ", endpoint.method.word());
        self.druid.seen().iter().filter(|seen| seen.starts_with(&line) && seen.contains(CLIENT)).count()
    }
}

#[tokio::test]
async fn of_every_row_who_holds_what_it_asks_is_let_through_and_who_lacks_it_is_not() {
    let stage = Stage::new().await;
    let mut rows = 0;
    for endpoint in Endpoint::all() {
        rows += 1;
        let (case, refused) = case(endpoint);
        let what = format!("{} {}", endpoint.method.word(), endpoint.path);
        if !matches!(refused, Refused::All) {
            let before = stage.seen(endpoint);
            let answer = stage.ask(endpoint, &case, Some(&stage.token("alice", &case.needs))).await;
            assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.text());
            assert!(stage.seen(endpoint) > before, "{what}: {:?}", stage.druid.seen().last());
            if let Some(shape) = endpoint.rule.list() {
                assert_eq!(answer.text(), list(shape).1, "{what}");
            }
        }
        stage.refuses(endpoint, &case, refused, &what).await;
    }
    println!("{rows} rows, each allowed and refused");
    assert!(rows > 180, "{rows}");
}

impl Stage {
    async fn refuses(&self, endpoint: Endpoint, case: &Case, refused: Refused, what: &str) {
        let before = self.seen(endpoint);
        let nobody = self.token("bob", &[]);
        match refused {
            Refused::Rows => {
                let answer = self.ask(endpoint, case, Some(&nobody)).await;
                assert_eq!(answer.status, StatusCode::OK, "{what}");
                assert!(!answer.text().contains("\"a\""), "{what}: {}", answer.text());
                return;
            }
            Refused::Missing => {
                for lacking in &case.needs {
                    let others: Vec<_> = case.needs.iter().filter(|need| *need != lacking).cloned().collect();
                    let answer = self.ask(endpoint, case, Some(&self.token("bob", &others))).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.text());
                    assert_eq!(answer.missing(), [lacking.as_str()], "{what}");
                }
            }
            Refused::NotOwner => {
                let answer = self.ask(endpoint, case, Some(&nobody)).await;
                assert_eq!(answer.reason().as_deref(), Some("not_owner"), "{what}: {}", answer.text());
            }
            Refused::Unknown => {
                let answer = self.ask(endpoint, case, None).await;
                assert_eq!(answer.reason().as_deref(), Some("no_token"), "{what}");
            }
            Refused::All => {
                let everything: Vec<_> = self.roles.keys().cloned().collect();
                let answer = self.ask(endpoint, case, Some(&self.token("alice", &everything))).await;
                assert_eq!(answer.reason().as_deref(), Some("endpoint_closed"), "{what}");
            }
        }
        assert_eq!(self.seen(endpoint), before, "{what} has reached Druid");
    }
}

#[tokio::test]
async fn a_list_of_another_shape_is_a_502_and_none_of_it_is_passed_on() {
    for (path, body) in [
        ("/druid/coordinator/v1/datasources", r#"[{"dataSource":"secret"}]"#),
        ("/druid/coordinator/v1/datasources", r#"["a","secret"#),
        ("/druid/indexer/v1/tasks", r#"{"tasks":[{"dataSource":"secret"}]}"#),
        ("/druid/indexer/v1/tasks", r#"[{"datasource":"secret"}]"#),
        ("/druid/coordinator/v1/intervals", r#"{"1/2":["secret"]}"#),
    ] {
        let druid = Scripted::start(Script::Answer(ok(body))).await;
        let gate = TestGate::start(&druid.url, "[roles.r]\ngrants = [\"READ DATASOURCE a\"]\n").await;
        let answer = gate.get(path).bearer(&gate.token("alice", &["r"])).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_GATEWAY, Some("upstream_broken"))
        );
        assert!(!answer.text().contains("secret"), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn whoever_may_read_the_area_sees_all_of_a_list_and_the_whole_of_the_state_takes_in_each_area() {
    let druid = Scripted::start(Script::Answer(ok(r#"{"b":1.0,"a":0.5}"#))).await;
    let roles = "[roles.part]\ngrants = [\"READ STATE servers\"]\n[roles.whole]\ngrants = [\"READ STATE STATE\"]\n\
                 [roles.other]\ngrants = [\"READ STATE tasks\"]\n\
                 [roles.denied]\ngrants = [\"READ STATE STATE\"]\ndenies = [\"READ STATE servers\"]\n";
    let gate = TestGate::start(&druid.url, roles).await;
    let seen = async |role: &str, path: &str| {
        let answer = gate.get(path).bearer(&gate.token("alice", &[role])).send().await;
        (answer.status.as_u16(), answer.text())
    };
    for (role, expected) in [
        ("part", r#"{"b":1.0,"a":0.5}"#),
        ("whole", r#"{"b":1.0,"a":0.5}"#),
        ("other", "{}"),
        ("denied", "{}"),
    ] {
        assert_eq!(
            seen(role, "/druid/coordinator/v1/loadstatus").await,
            (200, expected.to_owned()),
            "{role}"
        );
    }
    for (role, status) in [("part", 200), ("whole", 200), ("other", 403), ("denied", 403)] {
        assert_eq!(seen(role, "/druid/coordinator/v1/servers").await.0, status, "{role}");
    }
    // Who is denied a part has not the whole.
    let body = json!({"query": "SELECT * FROM sys.tasks"});
    let whole = async |role: &str| {
        gate.post("/druid/v2/sql", &body).bearer(&gate.token("alice", &[role])).send().await.status.as_u16()
    };
    assert_eq!((whole("whole").await, whole("denied").await, whole("part").await), (200, 403, 403));
}

#[tokio::test]
async fn what_a_body_reaches_beyond_its_path_is_asked_for_too() {
    let spec = |name: &str| json!({"type": "autocompact", "spec": {"dataSource": name}}).to_string();
    let druid = Scripted::start(Script::Chosen(vec![
        ("GET /druid/indexer/v1/supervisor/of_b ", ok(&spec("b"))),
        ("GET /druid/indexer/v1/supervisor/new ", answer("404 Not Found", "{}")),
        ("GET /druid/indexer/v1/supervisor/a ", answer("404 Not Found", "{}")),
        ("", ok("{}")),
    ]))
    .await;
    let roles = "[roles.a]\ngrants = [\"READ WRITE DATASOURCE a\", \"READ EXTERNAL EXTERNAL\"]\n\
                 [roles.compaction]\ngrants = [\"WRITE CONFIG compaction\"]\n";
    let gate = TestGate::start(&druid.url, roles).await;
    let missing = async |target: &str, body: serde_json::Value| {
        let token = gate.token("alice", &["a", "compaction"]);
        let answer = gate.post(target, &body).bearer(&token).send().await;
        if answer.status == StatusCode::OK { Vec::new() } else { answer.missing() }
    };
    let nothing = Vec::<String>::new();
    let kafka = |id: Option<&str>| json!({"type": "kafka", "id": id, "spec": {"dataSchema": {"dataSource": "a"}, "ioConfig": {"topic": "t"}}});
    let supervisors = "/druid/indexer/v1/supervisor";
    assert_eq!(missing(supervisors, kafka(None)).await, nothing);
    assert_eq!(missing(supervisors, kafka(Some("new"))).await, nothing);
    assert_eq!(
        missing(supervisors, kafka(Some("of_b"))).await,
        ["WRITE DATASOURCE b"],
        "it would replace that"
    );
    let scheduled = |query: &str, name: &str| json!({"type": "scheduled_batch", "id": "new", "dataSource": name, "spec": {"query": query}});
    let insert = "INSERT INTO a SELECT * FROM a PARTITIONED BY ALL";
    assert_eq!(missing(supervisors, scheduled(insert, "a")).await, nothing);
    let others = "INSERT INTO b SELECT * FROM c PARTITIONED BY ALL";
    assert_eq!(
        missing(supervisors, scheduled(others, "b")).await,
        ["READ DATASOURCE c", "WRITE DATASOURCE b"]
    );
    let as_own =
        gate.post(supervisors, &scheduled(others, "a")).bearer(&gate.token("alice", &["a"])).send().await;
    assert_eq!(as_own.reason().as_deref(), Some("unsupported_task"), "{}", as_own.text());
    let config = |key: &str| json!({"dataSource": "a", "taskContext": {key: "x"}});
    for target in
        ["/druid/indexer/v1/compaction/config/datasources/a", "/druid/coordinator/v1/config/compaction"]
    {
        assert_eq!(missing(target, config("priority")).await, nothing, "{target}");
        for key in ["druid.indexer.runner.javaOpts", "druid.indexer.fork.property.x"] {
            assert_eq!(missing(target, config(key)).await, ["WRITE CONFIG CONFIG"], "{target}");
        }
    }
}
