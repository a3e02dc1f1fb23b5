//! The judge beside Druid's own planner: what `EXPLAIN PLAN FOR` says a statement needs is what the judge says
//!
//! Statements made at random, and those of the corpora, for the client's text and for the text that is forwarded.
//! EXPLAIN shows resources without actions, and neither lookups nor tables of `sys` and `INFORMATION_SCHEMA`; those are
//! set aside. A difference stands in `differences.jsonl` with Druid's class and a reason, or the test fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::sql::{
    JUDGE_STACK_BYTES, Judgement, Parameter, ParameterValue, SqlLimits, SqlStatement, judge,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::druid::{Druid, until};
use super::{Router, router};
use crate::statements::{self, Made};

/// How many statements are made
const GENERATED: u64 = 2_700;

/// How many of them Druid has to plan
const PLANNED: usize = 2_000;

/// Statements for which Druid 27's planner does not come to an end
const ENDLESS: &[u64] = &[];

/// How long a plan may take
const PATIENCE: Duration = Duration::from_secs(30);

/// How many are planned at once
const AT_ONCE: usize = 4;

/// A statement, and where it comes from
struct Sample {
    origin: &'static str,
    text: String,
    parameters: Vec<String>,
}

/// What the judge says: types and names, each as often as Druid would, and what is forwarded
type Ours = Result<(Vec<(String, String)>, String), String>;

/// What Druid says
type Theirs = Result<Vec<(String, String)>, String>;

#[tokio::test]
async fn druids_planner_asks_for_what_the_judge_asks() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_OPEN").await else { return };
    let druid = Druid::at(url);
    let start = Instant::now();
    make_datasources(&druid, |_| true).await;
    println!("datasources: {:?}", start.elapsed());
    let samples = samples();
    let judged: Vec<_> =
        on_judges_stack(|| samples.iter().map(|sample| ours(&sample.text, &sample.parameters)).collect());
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut asked = JoinSet::new();
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    for (sample, ours) in samples.into_iter().zip(judged) {
        let (druid, at_once) = (Druid::at(url), Arc::clone(&at_once));
        asked.spawn(async move {
            let _turn = at_once.acquire().await;
            let theirs = plan(&druid, &sample.text, &sample.parameters).await;
            let of_forwarded = match &ours {
                Ok((_, forwarded)) if *forwarded != sample.text => {
                    Some(plan(&druid, forwarded, &sample.parameters).await)
                }
                Ok(_) | Err(_) => None,
            };
            (sample, ours, theirs, of_forwarded)
        });
    }
    while let Some(answer) = asked.join_next().await {
        let (sample, ours, theirs, of_forwarded) = answer.unwrap();
        let tally = tallies.entry(sample.origin).or_default();
        tally.note(&sample, &ours, &theirs, of_forwarded.as_ref());
    }
    println!("\nEXPLAIN by a real Druid and the judge, in {:?}", start.elapsed());
    let mut unexplained = Vec::new();
    for (origin, tally) in &tallies {
        println!("{origin}: {tally}");
        unexplained.extend(tally.unexplained.iter().cloned());
    }
    assert!(unexplained.is_empty(), "{} differences:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(tallies["generated"].planned >= PLANNED, "too few are planned");
}

/// How the statements of one origin came out
#[derive(Default)]
struct Tally {
    planned: usize,
    reprinted: usize,
    refused_by_both: usize,
    refused_by_druid: usize,
    refused_by_us: usize,
    unanswered: usize,
    explained: BTreeMap<String, usize>,
    unexplained: Vec<String>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} planned with equal resources ({} of them not forwarded as they came), {} refused by Druid's planner for both texts, {} refused by both, {} by the gate alone; {} without an answer; differences that are explained {:?}, that are not {}",
            self.planned,
            self.reprinted,
            self.refused_by_druid,
            self.refused_by_both,
            self.refused_by_us,
            self.unanswered,
            self.explained,
            self.unexplained.len(),
        )
    }
}

impl Tally {
    fn note(&mut self, sample: &Sample, ours: &Ours, theirs: &Theirs, of_forwarded: Option<&Theirs>) {
        let is_unanswered = |theirs: &Theirs| theirs.as_ref().err().is_some_and(String::is_empty);
        if is_unanswered(theirs) || of_forwarded.is_some_and(is_unanswered) {
            self.unanswered += 1;
            println!("no answer: {}", sample.text);
            return;
        }
        match (ours, theirs) {
            (Ok((needs, _)), Ok(resources)) => {
                let forwarded = of_forwarded.unwrap_or(theirs);
                if needs != resources {
                    self.difference(
                        "resources",
                        sample,
                        &format!("the judge {needs:?}, Druid {resources:?}"),
                    );
                } else if forwarded.as_ref() != Ok(needs) {
                    self.difference("forwarded", sample, &format!("of the forwarded text {forwarded:?}"));
                } else {
                    self.planned += 1;
                    self.reprinted += usize::from(of_forwarded.is_some());
                }
            }
            (Ok(_), Err(refusal)) => match of_forwarded {
                Some(Ok(resources)) => {
                    self.difference(
                        "served",
                        sample,
                        &format!("{refusal}; of the forwarded text {resources:?}"),
                    );
                }
                Some(Err(_)) | None => self.refused_by_druid += 1,
            },
            (Err(_), Err(_)) => self.refused_by_both += 1,
            (Err(refusal), Ok(resources)) => {
                self.refused_by_us += 1;
                self.difference("refused", sample, &format!("{refusal}; Druid {resources:?}"));
            }
        }
    }

    fn difference(&mut self, kind: &str, sample: &Sample, what: &str) {
        let differences = include_str!("differences.jsonl").lines();
        let mut differences = differences.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let explained = differences.find(|difference| {
            difference["kind"] == kind && sample.text.contains(difference["contains"].as_str().unwrap())
        });
        match explained {
            Some(difference) => {
                let class = difference["druid"].as_str().unwrap().to_owned();
                *self.explained.entry(class).or_default() += 1;
            }
            None => self.unexplained.push(format!("{}: {kind}: {what}: {:?}", sample.origin, sample.text)),
        }
    }
}

/// Read in two ways by Druid 27 and later ones; the judge has to refuse them or to be right
const TWO_READINGS: [&str; 13] = [
    "SELECT dim1 FROM a /*+ h(k='*/ , secret --') */",
    "SELECT s.dim1 FROM a /*+ h(\"*/ , secret AS s --\") */ AS s",
    "SELECT dim1 FROM a /*+ h(k='*') */ WHERE dim1 <> '*/'",
    "SELECT /*+ h */ dim1 FROM a -- /*+ , secret */",
    "SELECT dim1 /*+ h */ FROM /*+ h */ a",
    "WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b ORDER BY (SELECT MAX(cnt) FROM b)",
    "WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b UNION ALL SELECT cnt FROM b ORDER BY (SELECT MAX(cnt) FROM b)",
    "(WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b LIMIT 1) ORDER BY (SELECT MAX(cnt) FROM b)",
    "WITH b AS (SELECT cnt FROM a) (SELECT cnt FROM b LIMIT 1) ORDER BY (SELECT MAX(cnt) FROM b)",
    "INSERT INTO x WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b PARTITIONED BY ALL CLUSTERED BY (SELECT MAX(cnt) FROM b)",
    "INSERT INTO x (WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b LIMIT 1) PARTITIONED BY ALL CLUSTERED BY (SELECT MAX(cnt) FROM b)",
    "INSERT INTO x WITH b AS (SELECT cnt FROM a) (SELECT cnt FROM b LIMIT 1) PARTITIONED BY ALL CLUSTERED BY (SELECT MAX(cnt) FROM b)",
    "INSERT INTO x WITH b AS (SELECT cnt FROM a) SELECT cnt FROM b UNION ALL SELECT cnt FROM b PARTITIONED BY ALL CLUSTERED BY (SELECT MAX(cnt) FROM b)",
];

/// Statements made at random, and those of the corpora, as `EXPLAIN PLAN FOR`
fn samples() -> Vec<Sample> {
    let numbers = (1..=GENERATED).filter(|number| !ENDLESS.contains(number));
    let generated = numbers.map(|number| {
        let Made { sql, parameters, .. } = statements::statement(number);
        Sample {
            origin: "generated",
            text: format!("EXPLAIN PLAN FOR {sql}"),
            parameters: vec!["x".to_owned(); parameters],
        }
    });
    let of_two_readings = TWO_READINGS.iter().map(|sql| Sample {
        origin: "two readings",
        text: format!("EXPLAIN PLAN FOR {sql}"),
        parameters: Vec::new(),
    });
    let mut samples: Vec<_> = generated.chain(of_two_readings).collect();
    for origin in ["druid-sql.jsonl", "adversarial.jsonl"] {
        // What Druid 27 does not know is compared with what a Druid 37 said.
        let rows = corpus(origin).into_iter().filter(|row| row["kind"] != "set");
        samples.extend(rows.map(|row| {
            let sql = row["sql"].as_str().unwrap();
            let is_explained = row["kind"] == "explain";
            let parameters = row["params"].as_array().map(Vec::as_slice).unwrap_or_default();
            Sample {
                origin,
                text: if is_explained { sql.to_owned() } else { format!("EXPLAIN PLAN FOR {sql}") },
                parameters: parameters.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
            }
        }));
    }
    samples
}

/// The rows of a corpus; none where it is not there, unless `CI` is `true`
fn corpus(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
        println!("notice: {} is not there", path.display());
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Does work on a thread with the stack that a judge has
fn on_judges_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// What the judge says that a statement needs, as sentences; its question marks stand for VARCHARs
pub(crate) fn judged_needs(text: &str, parameters: usize) -> BTreeSet<String> {
    let parameters = vec!["x".to_owned(); parameters];
    on_judges_stack(|| {
        let judgement = judgement(text, &parameters).unwrap();
        judgement.needs.sentences().into_iter().collect()
    })
}

fn judgement(text: &str, parameters: &[String]) -> Result<Judgement, String> {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|value| Parameter { kind: "VARCHAR".to_owned(), value: ParameterValue::Text(value.clone()) })
        .collect();
    let statement = SqlStatement { text, parameters: &parameters };
    judge(&statement, &Rules::default(), &SqlLimits::default()).map_err(|refusal| refusal.to_string())
}

fn ours(text: &str, parameters: &[String]) -> Ours {
    let judgement = judgement(text, parameters)?;
    let needs = judgement.needs.sentences().into_iter();
    let mut resources: Vec<_> = needs.filter_map(|sentence| resource(&sentence)).collect();
    resources.sort();
    Ok((resources, judgement.forwarded))
}

/// Type and name of what a sentence asks for, if EXPLAIN would show it
fn resource(sentence: &str) -> Option<(String, String)> {
    let mut words = sentence.splitn(3, ' ').skip(1);
    let (kind, name) = (words.next()?, words.next()?);
    matches!(kind, "DATASOURCE" | "VIEW" | "EXTERNAL").then(|| (kind.to_owned(), name.to_owned()))
}

/// What Druid says of a statement: its resources, or why not; nothing at all where it says nothing in time
async fn plan(druid: &Druid, text: &str, parameters: &[String]) -> Theirs {
    let parameters: Vec<_> =
        parameters.iter().map(|value| json!({"type": "VARCHAR", "value": value})).collect();
    let body = json!({"query": text, "parameters": parameters});
    let answer = timeout(PATIENCE, druid.ask(Method::POST, "/druid/v2/sql/task", Some(&body))).await;
    let Ok((status, answer)) = answer else { return Err(String::new()) };
    if status != StatusCode::OK {
        return Err(format!("{status} {answer}"));
    }
    let rows: Value = serde_json::from_str(&answer).unwrap();
    let resources: Value = serde_json::from_str(rows[0]["RESOURCES"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resources = resources.as_array().unwrap().iter();
    let mut resources: Vec<_> =
        resources.map(|resource| (text(&resource["type"]), text(&resource["name"]))).collect();
    resources.sort();
    Ok(resources)
}

/// Datasources for all statements, a row each, by Druid's native ingestion: it takes one slot and few seconds
pub(crate) async fn make_datasources(druid: &Druid, is_wanted: impl Fn(&str) -> bool) {
    let lines = include_str!("datasources.txt").lines().filter(|line| !line.starts_with('#'));
    let all = lines.map(|line| line.split_once('|').unwrap());
    let wanted: BTreeMap<_, _> = all.filter(|(name, _)| is_wanted(name)).collect();
    let there = known_datasources(druid).await;
    for (name, columns) in &wanted {
        if !there.contains(*name) {
            let (status, text) =
                druid.ask(Method::POST, "/druid/indexer/v1/task", Some(&ingestion(name, columns))).await;
            assert_eq!(status, StatusCode::OK, "{name}: {text}");
        }
    }
    let all_known = async || {
        let known = known_datasources(druid).await;
        wanted.keys().filter(|name| !known.contains(**name)).count()
    };
    until("datasources to be known", all_known, |missing: &usize| *missing == 0).await;
}

async fn known_datasources(druid: &Druid) -> BTreeSet<String> {
    let query = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'druid'";
    let (_, rows) = druid.ask(Method::POST, "/druid/v2/sql", Some(&json!({"query": query}))).await;
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap_or_default();
    rows.iter().map(|row| row["TABLE_NAME"].as_str().unwrap().to_owned()).collect()
}

/// A task that writes one row
fn ingestion(name: &str, columns: &str) -> Value {
    let mut row = json!({"__time": "2000-01-01"});
    let mut dimensions = Vec::new();
    for column in columns.split(' ') {
        let (column, kind) = column.split_once(':').unwrap();
        let (kind, value) = match kind {
            "s" => ("string", json!("x")),
            "m" => ("string", json!(["x", "y"])),
            "l" => ("long", json!(1)),
            "d" => ("double", json!(1.5)),
            "as" => ("auto", json!(["x", "y"])),
            "al" => ("auto", json!([1, 2])),
            "ad" => ("auto", json!([1.5, 2.5])),
            "j" => ("json", json!({"x": 1})),
            other => panic!("no type {other}"),
        };
        dimensions.push(json!({"type": kind, "name": column}));
        row[column] = value;
    }
    json!({"type": "index", "spec": {
        "dataSchema": {
            "dataSource": name,
            "timestampSpec": {"column": "__time", "format": "auto"},
            "dimensionsSpec": {"dimensions": dimensions},
            "granularitySpec": {"rollup": false, "segmentGranularity": "DAY"},
        },
        "ioConfig": {
            "type": "index",
            "inputSource": {"type": "inline", "data": row.to_string()},
            "inputFormat": {"type": "json"},
            "appendToExisting": false,
        },
        "tuningConfig": {"type": "index"},
    }})
}
