//! Parity: the same callers with the same grants, before Druid's own security and before the gate, at every endpoint
//! that changes nothing
//!
//! Each answer is compared by its kind, and lists by their rows. What is meant to differ stands in `parity.txt` with
//! its reason; any other difference fails, and so does a line of it that never happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use msq_gate::druid::Endpoint;
use msq_gate::druid::endpoint::{Asks, Rule};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::druid::{Druid, until};
use super::people::People;
use super::{Router, router};
use crate::gate::TestGate;
use crate::native_queries::{self, DATASOURCES, Native};
use crate::statements::Random;

/// What the callers hold, each a role; half of it each, by the dice
const PERMISSIONS: [&str; 12] = [
    "READ DATASOURCE parity_a",
    "WRITE DATASOURCE parity_a",
    "READ DATASOURCE parity_b",
    "WRITE DATASOURCE parity_b",
    "READ DATASOURCE __query_select",
    "READ STATE STATE",
    "WRITE STATE STATE",
    "READ CONFIG CONFIG",
    "WRITE CONFIG CONFIG",
    "READ CONFIG security",
    "WRITE CONFIG security",
    "READ EXTERNAL EXTERNAL",
];
const CALLERS: usize = 40;
const NATIVE_QUERIES: u64 = 200;
const STATEMENTS: u64 = 100;
const AT_ONCE: usize = 6;

/// Method, path and what each side answers, as a line of `parity.txt` begins
type Difference = (String, &'static str, &'static str);

struct Question {
    endpoint: &'static str,
    method: Method,
    target: String,
    body: Option<Value>,
    is_list: bool,
    /// Of a query made at random: what its maker put into it
    needs: Option<BTreeSet<String>>,
}

#[tokio::test]
async fn the_gate_and_druids_own_security_tell_the_same_people_the_same() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_SECURED").await else { return };
    let start = Instant::now();
    let admin = Druid::at(url).signed_in("admin", "admin-pw");
    let names = set_the_stage(&admin).await;
    let (questions, queries) = (Arc::new(questions(&names)), Arc::new(queries().collect::<Vec<_>>()));
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "admin-pw\n").unwrap();
    let roles: String = PERMISSIONS
        .iter()
        .enumerate()
        .map(|(number, sentence)| format!("[roles.p{number}]\ngrants = [\"{sentence}\"]\n"))
        .collect();
    let sign_in = format!("username = \"admin\"\npassword_file = \"{}\"", password.display());
    let gate = Arc::new(TestGate::start(url, &format!("{sign_in}\n{roles}")).await);
    let callers = callers(&admin).await;
    let (turns, mut asked) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (number, held) in callers.into_iter().enumerate() {
        let (url, gate, turns) = (url.clone(), Arc::clone(&gate), Arc::clone(&turns));
        let (questions, queries) = (Arc::clone(&questions), Arc::clone(&queries));
        asked.spawn(async move {
            let _turn = turns.acquire().await;
            let roles: Vec<_> = held.iter().map(|number| format!("p{number}")).collect();
            let roles: Vec<_> = roles.iter().map(String::as_str).collect();
            let name = format!("parity_{number}");
            let mut asked: Vec<_> = questions.iter().chain(queries.iter()).collect();
            let mut found = Vec::new();
            // What differs is asked once more: Druid's nodes hear of a role one after the other.
            for _ in 0..2 {
                let mut differing = Vec::new();
                found.clear();
                // A token is good for five minutes.
                for some in asked.chunks(100) {
                    let token = gate.token(&name, &roles);
                    let mut sides = [Side::druid(&url, &name), Side::gate(&gate, &token)];
                    for question in some {
                        let differences = compare(question, &held, &mut sides).await;
                        differing.extend((!differences.is_empty()).then_some(*question));
                        found.extend(differences);
                    }
                }
                asked = differing;
            }
            found
        });
    }
    let mut found: BTreeMap<Difference, Vec<String>> = BTreeMap::new();
    for (difference, what) in asked.join_all().await.into_iter().flatten() {
        found.entry(difference).or_default().push(what);
    }
    println!(
        "\n{CALLERS} callers at {} endpoints and with {} queries: {} kinds of differences, in {:?}",
        questions.len(),
        queries.len(),
        found.len(),
        start.elapsed()
    );
    settle(&found);
}

/// Compares what was found with what is meant
fn settle(found: &BTreeMap<Difference, Vec<String>>) {
    let meant: BTreeSet<(String, String, String)> = include_str!("parity.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let parts: Vec<_> = line.splitn(4, " | ").collect();
            assert!(parts.len() == 4 && !parts[3].is_empty(), "no reason: {line}");
            (parts[0].to_owned(), parts[1].to_owned(), parts[2].to_owned())
        })
        .collect();
    let happened: BTreeSet<_> = found
        .keys()
        .map(|(endpoint, druid, gate)| (endpoint.clone(), (*druid).to_owned(), (*gate).to_owned()))
        .collect();
    let strange: Vec<_> = found
        .iter()
        .filter(|((endpoint, druid, gate), _)| {
            !meant.contains(&(endpoint.clone(), (*druid).to_owned(), (*gate).to_owned()))
        })
        .map(|((endpoint, druid, gate), whats)| {
            format!("{endpoint} | {druid} | {gate} | {} times, as {}", whats.len(), whats[0])
        })
        .collect();
    let never: Vec<_> = meant.difference(&happened).collect();
    assert!(strange.is_empty() && never.is_empty(), "{}\nnever: {never:#?}", strange.join("\n"));
}

/// What both sides answer to a question, where that differs
async fn compare(question: &Question, held: &[usize], sides: &mut [Side; 2]) -> Vec<(Difference, String)> {
    let [himself, gate] = sides;
    let (status, text) = himself.ask(question).await;
    // An endpoint that this Druid has not yet.
    if status == StatusCode::METHOD_NOT_ALLOWED || status == StatusCode::NOT_FOUND && text.is_empty() {
        return Vec::new();
    }
    let (ours, our_text) = gate.ask(question).await;
    let endpoint = format!("{} {}", question.method, question.endpoint);
    let what =
        || format!("{}: Druid {status} {}, the gate {ours} {}", question.target, cut(&text), cut(&our_text));
    let mut found = Vec::new();
    if kind(status) != kind(ours) {
        found.push(((endpoint.clone(), kind(status), kind(ours)), what()));
    } else if question.is_list && kind(status) == "answered" && rows(&text) != rows(&our_text) {
        found.push(((endpoint.clone(), "rows", "other rows"), what()));
    }
    // Druid refuses just who lacks something that the maker of a query put into it.
    if let Some(needs) = &question.needs {
        let holds = |need: &String| held.iter().any(|number| PERMISSIONS[*number] == need);
        if (status == StatusCode::FORBIDDEN) == needs.iter().all(holds) {
            let body = question.body.as_ref().map(Value::to_string).unwrap_or_default();
            found.push(((endpoint, kind(status), "as made"), format!("{body}: {}", cut(&text))));
        }
    }
    found
}

/// One side, over a connection that is kept, or made anew where it was idle for too long
struct Side {
    place: Place,
    connection: Option<http1::SendRequest<Full<Bytes>>>,
    authorization: String,
}

enum Place {
    /// At `host:port`
    Druid(String),
    Gate(Arc<TestGate>),
}

impl Place {
    fn authority(&self) -> String {
        match self {
            Self::Druid(authority) => authority.clone(),
            Self::Gate(gate) => gate.address.to_string(),
        }
    }

    async fn connect(&self) -> http1::SendRequest<Full<Bytes>> {
        match self {
            Self::Druid(authority) => spoken(TcpStream::connect(authority).await.unwrap()).await,
            Self::Gate(gate) => spoken(gate.connect(b"http/1.1").await).await,
        }
    }
}

async fn spoken<Io>(socket: Io) -> http1::SendRequest<Full<Bytes>>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, driving) = http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(driving);
    connection
}

impl Side {
    fn druid(url: &str, name: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let authorization = format!("Basic {}", STANDARD.encode(format!("{name}:pw")));
        Self { place: Place::Druid(authority), connection: None, authorization }
    }

    fn gate(gate: &Arc<TestGate>, token: &str) -> Self {
        let authorization = format!("Bearer {token}");
        Self { place: Place::Gate(Arc::clone(gate)), connection: None, authorization }
    }

    async fn ask(&mut self, question: &Question) -> (StatusCode, String) {
        for _ in 0..3 {
            if let Some(answer) = self.ask_once(question).await {
                return answer;
            }
            self.connection = None;
        }
        panic!("no connection is kept until {} is answered", question.target);
    }

    /// Nothing where the connection has ended meanwhile: nobody changes anything here
    async fn ask_once(&mut self, question: &Question) -> Option<(StatusCode, String)> {
        let body = question.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(&question.target)
            .header("host", self.place.authority())
            .header("authorization", &self.authorization);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if self.connection.is_none() {
            self.connection = Some(self.place.connect().await);
        }
        let connection = self.connection.as_mut()?;
        connection.ready().await.ok()?;
        let answer = connection.send_request(request.body(Full::from(body)).unwrap()).await.ok()?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "answered",
        403 => "forbidden",
        401 => "unknown caller",
        404 => "not found",
        400..=499 => "bad",
        _ => "failed",
    }
}

/// The rows of a list, whatever their order
fn rows(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    if let Value::Array(rows) = &mut value {
        rows.sort_by_key(ToString::to_string);
    }
    value
}

/// Every row of the table that changes nothing, with names that are there
fn questions(names: &BTreeMap<&str, Vec<String>>) -> Vec<Question> {
    let mut questions = Vec::new();
    for endpoint in Endpoint::all() {
        let Some(bodies) = bodies(endpoint, names) else { continue };
        let first = endpoint.names().next().map_or(vec![String::new()], |name| names[name].clone());
        for id in first {
            for body in &bodies {
                questions.push(Question {
                    endpoint: endpoint.path,
                    method: endpoint.method.word().parse().unwrap(),
                    target: target(endpoint, &id, names),
                    body: body.clone(),
                    is_list: endpoint.rule.list().is_some(),
                    needs: None,
                });
            }
        }
    }
    questions
}

/// Native queries made at random, and statements as EXPLAIN, which authorizes like them and starts nothing
fn queries() -> impl Iterator<Item = Question> {
    let native = |number| {
        let Native { query, needs } = native_queries::query(number);
        ("/druid/v2", query, Some(needs))
    };
    let natives = (0..NATIVE_QUERIES).map(native);
    let explain = |number| {
        let mut random = Random::new(number);
        let (read, other) = (random.of(&DATASOURCES), random.of(&DATASOURCES));
        let select = match random.below(5) {
            0 => format!("SELECT a FROM {read}"),
            1 => format!("SELECT x.a FROM {read} x JOIN {other} y ON x.a = y.a"),
            2 => format!("SELECT a FROM {read} WHERE a IN (SELECT a FROM {other})"),
            3 => format!("WITH {read} AS (SELECT a FROM {other}) SELECT a FROM {read}"),
            _ => "SELECT 'x' AS a".to_owned(),
        };
        let target = random.of(&DATASOURCES);
        match random.below(2) {
            0 => ("/druid/v2/sql/task", json!({"query": format!("EXPLAIN PLAN FOR {select}")}), None),
            _ => {
                let insert = format!(
                    "EXPLAIN PLAN FOR INSERT INTO {target} SELECT TIMESTAMP '2024-01-01' AS __time, a FROM ({select}) PARTITIONED BY ALL"
                );
                ("/druid/v2/sql/task", json!({"query": insert}), None)
            }
        }
    };
    natives.chain((0..STATEMENTS).map(explain)).map(|(target, body, needs)| Question {
        needs,
        endpoint: target,
        method: Method::POST,
        target: target.to_owned(),
        body: Some(body),
        is_list: false,
    })
}

/// The path of a row, with this as its first name
fn target(endpoint: Endpoint, id: &str, names: &BTreeMap<&str, Vec<String>>) -> String {
    let mut is_first = true;
    let words = endpoint.path.split('/').skip(1).map(|word| {
        let Some(name) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
            return word.to_owned();
        };
        let text = if std::mem::take(&mut is_first) { id } else { names[name][0].as_str() };
        // A segment is of its datasource.
        let text = text.replace("parity_a_", &format!("{id}_"));
        [("%", "%25"), (" ", "%20"), ("/", "%2F")]
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to))
    });
    words.fold(String::new(), |path, word| path + "/" + &word)
}

/// The bodies with which an endpoint changes nothing; `None` where it changes something
fn bodies(endpoint: Endpoint, names: &BTreeMap<&str, Vec<String>>) -> Option<Vec<Option<Value>>> {
    let both = |one: &dyn Fn(&str) -> Value| vec![Some(one("parity_a")), Some(one("parity_b"))];
    match (endpoint.method.word(), endpoint.path) {
        // `STATE` and `CONFIG` of the gate's own account would be told.
        ("GET", _) => Some(vec![None]),
        ("POST", "/druid/indexer/v1/taskStatus") => Some(vec![Some(json!(names["task"]))]),
        ("POST", "/druid/indexer/v1/lockedIntervals" | "/druid/indexer/v1/lockedIntervals/v2") => {
            Some(vec![Some(json!({}))])
        }
        ("POST", "/druid/coordinator/v1/metadata/dataSourceInformation") => {
            Some(vec![Some(json!(["parity_a", "parity_b"]))])
        }
        ("POST", "/druid/coordinator/v1/metadata/datasources/{datasource}/segments") => {
            Some(vec![Some(json!(["2000-01-01/2100-01-01"]))])
        }
        ("POST", "/druid/indexer/v1/sampler") => Some(vec![Some(sample())]),
        ("POST", _) => {
            let Rule::NativeQuery(asks) = endpoint.rule else { return None };
            Some(both(&|name| match asks {
                Asks::Rows => native(json!({"type": "union", "dataSources": [name]})),
                Asks::Servers => native(json!(name)),
            }))
        }
        _ => None,
    }
}

fn native(data_source: Value) -> Value {
    json!({"queryType": "timeseries", "dataSource": data_source, "granularity": "all",
        "intervals": ["2000-01-01/2100-01-01"], "aggregations": [{"type": "count", "name": "n"}]})
}

fn sample() -> Value {
    json!({"type": "index", "spec": {"type": "index", "dataSchema": {"dataSource": "sample",
        "timestampSpec": {"column": "ts", "format": "auto"}, "dimensionsSpec": {}, "granularitySpec": {"rollup": false}},
        "ioConfig": {"type": "index", "inputSource": {"type": "inline", "data": "{\"ts\":\"2024-01-01\"}"},
            "inputFormat": {"type": "json"}}}, "samplerConfig": {"numRows": 1}})
}

/// Two datasources, a supervisor of each, tasks of them, and the names of what is there
async fn set_the_stage(admin: &Druid) -> BTreeMap<&'static str, Vec<String>> {
    let mut tasks = Vec::new();
    for name in ["parity_a", "parity_b"] {
        let insert = format!(
            "REPLACE INTO {name} OVERWRITE ALL SELECT TIMESTAMP '2024-01-01' AS __time, 'x' AS a PARTITIONED BY ALL"
        );
        tasks.push(submit(admin, &insert).await);
        let select = json!({"query": format!("SELECT a FROM {name}")});
        let there = async || admin.ask(Method::POST, "/druid/v2/sql", Some(&select)).await;
        until(name, there, |(_, rows)| rows.contains("\"x\"")).await;
        let supervisor =
            json!({"type": "NoopSupervisorSpec", "id": format!("of_{name}"), "dataSources": [name]});
        let (status, text) = admin.ask(Method::POST, "/druid/indexer/v1/supervisor", Some(&supervisor)).await;
        assert!(status.is_success(), "{text}");
        let rules = json!([{"type": "loadForever", "tieredReplicants": {"_default_tier": 1}}]);
        let target = format!("/druid/coordinator/v1/rules/{name}");
        assert!(admin.ask(Method::POST, &target, Some(&rules)).await.0.is_success());
        let compaction = json!({"dataSource": name, "skipOffsetFromLatest": "P1000D"});
        let (status, text) =
            admin.ask(Method::POST, "/druid/coordinator/v1/config/compaction", Some(&compaction)).await;
        assert!(status.is_success(), "{text}");
    }
    tasks.push(submit(admin, "SELECT a FROM parity_a").await);
    let segments =
        admin.ask(Method::GET, "/druid/coordinator/v1/metadata/datasources/parity_a/segments", None).await.1;
    let segments: Vec<String> = serde_json::from_str(&segments).unwrap();
    let servers = admin.ask(Method::GET, "/druid/coordinator/v1/servers", None).await.1;
    let servers: Vec<String> = serde_json::from_str(&servers).unwrap();
    let one = |text: &str| vec![text.to_owned()];
    BTreeMap::from([
        ("task", tasks),
        ("statement", one("query-not-there")),
        ("query", one("not-there")),
        ("datasource", vec!["parity_a".into(), "parity_b".into(), "not_there".into()]),
        ("supervisor", vec!["of_parity_a".into(), "of_parity_b".into(), "not_there".into()]),
        ("segment", segments.into_iter().take(1).collect()),
        ("interval", one("2000-01-01_2100-01-01")),
        ("server", servers.into_iter().take(1).collect()),
        ("tier", one("_default_tier")),
        ("role", vec!["admin".into()]),
        ("lookup", one("not_there")),
        ("authenticator", one("basic")),
        ("authorizer", one("basic")),
        ("user", one("admin")),
        ("group", one("not_there")),
        ("worker", one("not_there")),
    ])
}

/// The id of a statement's task, once it has ended
async fn submit(admin: &Druid, statement: &str) -> String {
    let (_, text) = admin.ask(Method::POST, "/druid/v2/sql/task", Some(&json!({"query": statement}))).await;
    let id = serde_json::from_str::<Value>(&text).unwrap()["taskId"].as_str().unwrap().to_owned();
    let target = format!("/druid/indexer/v1/task/{id}/status");
    let status = async || admin.ask(Method::GET, &target, None).await.1;
    until(&id, status, |status: &String| status.contains("\"SUCCESS\"")).await;
    id
}

/// People in Druid, each with about half of the permissions, as their numbers; the first holds none, the last all
async fn callers(admin: &Druid) -> Vec<Vec<usize>> {
    let people = People { admin };
    // Each request is signed in to two nodes.
    people.password("admin", "admin-pw").await;
    for (number, permission) in PERMISSIONS.iter().enumerate() {
        people.role(&format!("parity_p{number}"), permission).await;
    }
    let mut dice = Random::new(7);
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let held: Vec<_> = (0..PERMISSIONS.len())
            .filter(|_| number != 0 && (number + 1 == CALLERS || dice.below(2) == 0))
            .collect();
        // The last is known by the first role that is given.
        let roles: Vec<_> = held.iter().rev().map(|permission| format!("parity_p{permission}")).collect();
        people.person(&format!("parity_{number}"), &roles).await;
        callers.push(held);
    }
    // The nodes hear of it one after the other: the last caller's last roles are known everywhere.
    let last = Druid::at(&admin.url).signed_in(&format!("parity_{}", CALLERS - 1), "pw");
    for target in [
        "/druid/indexer/v1/leader",
        "/druid/coordinator/v1/leader",
        "/druid/v2/datasources/parity_a",
        "/status",
    ] {
        let known = async || last.ask(Method::GET, target, None).await.0;
        until(target, known, |status: &StatusCode| status.is_success()).await;
    }
    callers
}
