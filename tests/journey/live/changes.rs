//! Parity of what changes something: each is asked by somebody who lacks what it takes and by somebody who holds just
//! that, before Druid's own security and before the gate, and is seen to have happened, or not to have
//!
//! Each side has a datasource, a supervisor and a lookup of its own, so that neither stands in the other's way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::druid::{ACCEPT, Druid, until};
use super::people::People;
use super::{Router, router};
use crate::gate::TestGate;

/// What is changed, and what that takes of the side `{}`
struct Change {
    what: &'static str,
    /// What the gate asks, which Druid asks too
    needs: &'static [&'static str],
    /// What the gate asks besides, by a setting that the README documents
    needs_besides: &'static [&'static str],
    method: Method,
    target: &'static str,
    body: Value,
    /// Where its effect is seen by the administrator, what stands there, and whether that comes or goes; nothing where
    /// the answer itself is the effect
    seen: Option<(&'static str, &'static str, bool)>,
}

fn change(
    what: &'static str,
    needs: &'static [&'static str],
    asked: (Method, &'static str),
    body: Value,
) -> Change {
    let (method, target) = asked;
    Change { what, needs, needs_besides: &[], method, target, body, seen: None }
}

impl Change {
    fn and(self, needs_besides: &'static [&'static str]) -> Self {
        Self { needs_besides, ..self }
    }

    fn seen(self, target: &'static str, text: &'static str) -> Self {
        Self { seen: Some((target, text, true)), ..self }
    }

    fn gone(self, target: &'static str, text: &'static str) -> Self {
        Self { seen: Some((target, text, false)), ..self }
    }
}

const WRITE: &[&str] = &["WRITE DATASOURCE changes_{}"];
const READ: &[&str] = &["READ DATASOURCE changes_{}"];
const EXTERNAL: &[&str] = &["READ EXTERNAL EXTERNAL"];
const CONFIG: &[&str] = &["WRITE CONFIG CONFIG"];
const SECURITY: &[&str] = &["WRITE CONFIG security"];
const SEGMENTS: &str = "/druid/coordinator/v1/metadata/datasources/changes_{}/segments";
const COMPACTION: &str = "/druid/coordinator/v1/config/compaction";

/// In their order: some take back what others have made
fn changes() -> Vec<Change> {
    let post = |target| (Method::POST, target);
    let delete = |target| (Method::DELETE, target);
    let insert =
        "INSERT INTO changes_{} SELECT TIMESTAMP '2024-01-02' AS __time, 'y' AS a PARTITIONED BY DAY";
    let noop = json!({"type": "NoopSupervisorSpec", "id": "changes_{}", "dataSources": ["changes_{}"]});
    let rules = json!([{"type": "loadForever", "tieredReplicants": {"_default_tier": 3}}]);
    let lookup = json!({"version": "v0", "lookupExtractorFactory": {"type": "map", "map": {"x": "{}"}}});
    let one = json!({"interval": "2024-01-01/2024-01-02"});
    vec![
        change(
            "submit a SELECT",
            READ,
            post("/druid/v2/sql/statements"),
            json!({"query": "SELECT a FROM changes_{}", "context": {"executionMode": "ASYNC"}}),
        ),
        change("end a task", WRITE, post("/druid/indexer/v1/task/ended_{}/shutdown"), json!({})),
        change("post a supervisor", WRITE, post("/druid/indexer/v1/supervisor"), noop)
            .seen("/druid/indexer/v1/supervisor", "\"changes_{}\""),
        change(
            "suspend a supervisor",
            WRITE,
            post("/druid/indexer/v1/supervisor/changes_{}/suspend"),
            json!({}),
        ),
        change(
            "end a supervisor",
            WRITE,
            post("/druid/indexer/v1/supervisor/changes_{}/terminate"),
            json!({}),
        )
        .gone("/druid/indexer/v1/supervisor", "\"changes_{}\""),
        change("change retention", WRITE, post("/druid/coordinator/v1/rules/changes_{}"), rules)
            .seen("/druid/coordinator/v1/rules/changes_{}", ":3"),
        change("mark an interval unused", WRITE, post(UNUSED), one.clone()).gone(SEGMENTS, "changes_{}_2024"),
        change(
            "mark a datasource used",
            WRITE,
            post("/druid/coordinator/v1/datasources/changes_{}"),
            json!({}),
        )
        .seen(SEGMENTS, "changes_{}_2024"),
        change("mark an interval used", WRITE, post(USED), one),
        change(
            "mark a datasource unused",
            WRITE,
            delete("/druid/coordinator/v1/datasources/changes_{}"),
            json!(null),
        )
        .gone(SEGMENTS, "changes_{}_2024"),
        change("compact a datasource", CONFIG, post(COMPACTION), json!({"dataSource": "changes_{}"}))
            .seen(COMPACTION, "changes_{}"),
        change(
            "compact it no longer",
            CONFIG,
            delete("/druid/coordinator/v1/config/compaction/changes_{}"),
            json!(null),
        )
        .gone(COMPACTION, "changes_{}"),
        change("set slots of compaction", CONFIG, post(SLOTS), json!({})).seen(COMPACTION, "0.0{}"),
        change(
            "add a lookup",
            CONFIG,
            post("/druid/coordinator/v1/lookups/config/__default/changes_{}"),
            lookup,
        )
        .seen("/druid/coordinator/v1/lookups/config/__default/changes_{}", "\"x\":\"{}\""),
        change(
            "drop a lookup",
            CONFIG,
            delete("/druid/coordinator/v1/lookups/config/__default/changes_{}"),
            json!(null),
        )
        .gone("/druid/coordinator/v1/lookups/config/__default/changes_{}", "\"x\":\"{}\""),
        change(
            "configure the coordinator",
            CONFIG,
            post("/druid/coordinator/v1/config"),
            json!({"maxSegmentsToMove": "10{}"}),
        )
        .seen("/druid/coordinator/v1/config", "\"maxSegmentsToMove\":10{}"),
        change("add a user", SECURITY, post(USER), json!({})).seen(USERS, "\"changes_user_{}\""),
        change("drop a user", SECURITY, delete(USER), json!(null)).gone(USERS, "\"changes_user_{}\""),
        change("submit an INSERT", WRITE, post("/druid/v2/sql/task"), json!({"query": insert})),
        change("post a task", WRITE, post("/druid/indexer/v1/task"), index("posted_{}"))
            .and(EXTERNAL)
            .seen("/druid/indexer/v1/tasks?datasource=changes_{}", "posted_{}"),
        change("end all tasks of a datasource", WRITE, post(ALL_TASKS), json!({})),
        change("delete for good", WRITE, delete(FOR_GOOD), json!(null)),
    ]
}

const UNUSED: &str = "/druid/coordinator/v1/datasources/changes_{}/markUnused";
const USED: &str = "/druid/coordinator/v1/datasources/changes_{}/markUsed";
const SLOTS: &str = "/druid/coordinator/v1/config/compaction/taskslots?ratio=0.0{}";
const USERS: &str = "/proxy/coordinator/druid-ext/basic-security/authentication/db/basic/users";
const USER: &str =
    "/proxy/coordinator/druid-ext/basic-security/authentication/db/basic/users/changes_user_{}";
const ALL_TASKS: &str = "/druid/indexer/v1/datasources/changes_{}/shutdownAllTasks";
const FOR_GOOD: &str = "/druid/coordinator/v1/datasources/changes_{}/intervals/2024-01-01_2024-01-02";

/// A task that writes a row from within its own specification
fn index(id: &str) -> Value {
    json!({"type": "index", "id": id, "spec": {
        "dataSchema": {"dataSource": "changes_{}", "timestampSpec": {"column": "t", "format": "iso"},
            "dimensionsSpec": {"dimensions": ["a"]}, "granularitySpec": {"segmentGranularity": "DAY", "rollup": false}},
        "ioConfig": {"type": "index", "inputSource": {"type": "inline", "data": "{\"t\":\"2024-01-01\",\"a\":\"x\"}"},
            "inputFormat": {"type": "json"}, "appendToExisting": false},
        "tuningConfig": {"type": "index", "partitionsSpec": {"type": "dynamic"}}}})
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Druid,
    Gate,
}

struct Stage {
    url: String,
    admin: Druid,
    gate: TestGate,
    /// The role that grants a sentence
    roles: BTreeMap<String, String>,
    /// Who is in Druid already
    people: Mutex<BTreeSet<String>>,
    /// The digits that stand for `{}`, of this run alone
    sides: [(String, Side); 2],
}

/// The sides of a run, which may not be the first before this Druid
fn sides() -> [(String, Side); 2] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() % 10_000;
    [(format!("1{now:04}"), Side::Druid), (format!("2{now:04}"), Side::Gate)]
}

#[tokio::test]
async fn whoever_may_change_something_in_druid_may_so_by_the_gate_and_nobody_else() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_SECURED").await else { return };
    let stage = Stage::set(url).await;
    let mut changed = 0;
    for change in changes() {
        for (digit, side) in &stage.sides {
            stage.refuses(&change, digit, *side).await;
            stage.allows(&change, digit, *side).await;
            changed += 1;
        }
    }
    println!("\n{} changes, each refused and allowed on both sides ({changed})", changes().len());
}

impl Stage {
    async fn set(url: &str) -> Self {
        let (admin, sides) = (Druid::at(url).signed_in("admin", "admin-pw"), sides());
        for (digit, _) in &sides {
            for id in ["made_{}", "ended_{}"] {
                let task: Value = put(&index(id), digit);
                let (status, text) = admin.ask(Method::POST, "/druid/indexer/v1/task", Some(&task)).await;
                assert!(status.is_success(), "{text}");
                let target = format!("/druid/indexer/v1/task/{}/status", filled(id, digit));
                let status = async || admin.ask(Method::GET, &target, None).await.1;
                until(id, status, |status: &String| status.contains("\"SUCCESS\"")).await;
            }
        }
        for (digit, _) in &sides {
            let select = json!({"query": filled("SELECT a FROM changes_{}", digit)});
            let there = async || admin.ask(Method::POST, "/druid/v2/sql", Some(&select)).await;
            until("the rows", there, |(_, rows)| rows.contains("\"x\"")).await;
        }
        // Lookups have to be begun with.
        let lookups = "/druid/coordinator/v1/lookups/config";
        assert!(admin.ask(Method::POST, lookups, Some(&json!({}))).await.0.is_success());
        let sentences: BTreeSet<String> = changes()
            .iter()
            .flat_map(|change| change.needs.iter().chain(change.needs_besides))
            .flat_map(|need| sides.each_ref().map(|(digit, _)| filled(need, digit)))
            .collect();
        let people = People { admin: &admin };
        let mut roles = BTreeMap::new();
        for (number, sentence) in sentences.iter().enumerate() {
            let role = format!("changes_{}_{number}", sides[0].0);
            people.role(&role, sentence).await;
            roles.insert(sentence.clone(), role);
        }
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "admin-pw\n").unwrap();
        let tables: String = roles
            .iter()
            .map(|(sentence, role)| format!("[roles.{role}]\ngrants = [\"{sentence}\"]\n"))
            .collect();
        let sign_in = format!("username = \"admin\"\npassword_file = \"{}\"", password.display());
        let gate = TestGate::start(url, &format!("{sign_in}\n{tables}")).await;
        Self { url: url.to_owned(), admin, gate, roles, people: Mutex::default(), sides }
    }

    /// Somebody in Druid who holds these, and his answer
    async fn ask(
        &self,
        change: &Change,
        (digit, side): (&str, Side),
        held: &[String],
        may: bool,
    ) -> (StatusCode, String) {
        let roles: Vec<&str> = held.iter().map(|sentence| self.roles[sentence].as_str()).collect();
        let target = filled(change.target, digit);
        let body = (!change.body.is_null()).then(|| put(&change.body, digit));
        if side == Side::Gate {
            let token = self.gate.token("changer", &roles);
            let asking =
                self.gate.request(change.method.clone(), &target).bearer(&token).header("accept", ACCEPT);
            let answer = match body {
                None => asking.send().await,
                Some(body) => {
                    asking.header("content-type", "application/json").body(body.to_string()).send().await
                }
            };
            return (answer.status, answer.text());
        }
        let name = People::name("changer", &roles);
        if self.people.lock().unwrap().insert(name.clone()) {
            People { admin: &self.admin }.person(&name, &roles).await;
        }
        let himself = Druid::at(&self.url).signed_in(&name, "pw");
        // Druid's nodes hear of people one after the other: until then nobody is known, or holds anything.
        let asking = async || himself.ask(change.method.clone(), &target, body.as_ref()).await;
        let is_known = |(status, _): &(StatusCode, String)| match *status {
            StatusCode::UNAUTHORIZED => false,
            StatusCode::FORBIDDEN => !may,
            _ => true,
        };
        until(change.what, asking, is_known).await
    }

    async fn refuses(&self, change: &Change, digit: &str, side: Side) {
        let others: Vec<String> = self
            .roles
            .keys()
            .filter(|sentence| !change.needs.iter().any(|need| filled(need, digit) == **sentence))
            .cloned()
            .collect();
        let (status, text) = self.ask(change, (digit, side), &others, false).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{} as {side:?}: {text}", change.what);
        if let Some((target, text, comes)) = change.seen {
            let seen = self.admin.ask(Method::GET, &filled(target, digit), None).await.1;
            let is_done = seen.contains(&filled(text, digit)) == comes;
            assert!(!is_done, "{} was refused and done: {seen}", change.what);
        }
    }

    async fn allows(&self, change: &Change, digit: &str, side: Side) {
        let held: Vec<String> =
            change.needs.iter().chain(change.needs_besides).map(|need| filled(need, digit)).collect();
        let (status, text) = self.ask(change, (digit, side), &held, true).await;
        // Some answer so where there is nothing to do.
        let is_done = status.is_success() || status == StatusCode::NOT_FOUND && change.seen.is_none();
        assert!(is_done, "{} as {side:?}: {status} {text}", change.what);
        if let Some((target, text, comes)) = change.seen {
            let (target, text) = (filled(target, digit), filled(text, digit));
            let seen = async || self.admin.ask(Method::GET, &target, None).await.1;
            until(change.what, seen, |seen: &String| seen.contains(&text) == comes).await;
        }
    }
}

fn filled(text: &str, digit: &str) -> String {
    text.replace("{}", digit)
}

fn put(body: &Value, digit: &str) -> Value {
    match body {
        Value::String(text) => json!(filled(text, digit)),
        Value::Array(items) => items.iter().map(|item| put(item, digit)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), put(value, digit)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    }
}
