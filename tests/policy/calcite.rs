//! What statements read, as Calcite's own parser and validator say, in the versions that Druids carry
//!
//! `tests/calcite/calcite compare [COUNT]` runs it: it fetches and compiles them, and says where they are in
//! `MSQ_GATE_CALCITE`. `MSQ_GATE_CALCITE_STATEMENTS` is how many statements each version gets (default 5,000).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use msq_gate::resource_actions::Rules;
use serde_json::{Value, json};

use crate::places;
use crate::scoped::{self, Scoped};
use crate::support::{judged, sentences, with_judges_stack};

const VERSIONS: [&str; 4] = ["1.21.0", "1.35.0", "1.37.0", "1.41.0"];

#[test]
fn generated_statements_read_what_calcites_validator_says() {
    let Some(home) = std::env::var_os("MSQ_GATE_CALCITE").map(PathBuf::from) else { return };
    let count = std::env::var("MSQ_GATE_CALCITE_STATEMENTS").map_or(5_000, |count| count.parse().unwrap());
    let outcomes =
        VERSIONS.map(|version| (version, with_judges_stack(|| compared(&home.join(version), count))));
    outcomes.iter().for_each(|(version, outcome)| println!("Calcite {version}: {outcome:?}"));
    for (version, outcome) in outcomes {
        assert_eq!(outcome.short, 0, "{version}: statements that read more than they ask for");
        assert!(outcome.valid * 3 > count, "{version}: too few statements are valid");
        assert!(
            outcome.in_excess * 1_000 <= outcome.valid,
            "{version}: statements that ask for more than they read"
        );
        assert!(outcome.refused * 200 <= outcome.valid, "{version}: statements that only the judge refuses");
    }
}

/// How many statements came out how
#[derive(Debug, Default)]
struct Compared {
    valid: u64,
    short: u64,
    in_excess: u64,
    refused: u64,
}

fn compared(home: &Path, count: u64) -> Compared {
    let mut compared = Compared::default();
    for (statement, answer) in statements(count).zip(answers(home, count)) {
        match answer["reads"].as_array() {
            Some(reads) => compared.count(&statement, reads),
            None if std::env::var_os("MSQ_GATE_CALCITE_REFUSED").is_some() => {
                println!("{answer} {}", statement.query)
            }
            None => {}
        }
    }
    compared
}

impl Compared {
    fn count(&mut self, statement: &Scoped, reads: &[Value]) {
        let reads: BTreeSet<_> =
            reads.iter().map(|name| format!("READ DATASOURCE {}", name.as_str().unwrap())).collect();
        self.valid += 1;
        let asked = match judged(&statement.sql, &[], &Rules::default()) {
            Ok(judgement) => sentences(&judgement),
            Err(refusal) => {
                self.refused += 1;
                return println!("refused ({refusal}): {}", statement.sql);
            }
        };
        let asked: BTreeSet<_> = asked.into_iter().filter(|sentence| sentence.starts_with("READ ")).collect();
        if !reads.is_subset(&asked) {
            self.short += 1;
            println!("short, {asked:?} instead of {reads:?}: {}", statement.sql);
        } else if reads != asked {
            self.in_excess += 1;
            println!("in excess, {asked:?} instead of {reads:?}: {}", statement.sql);
        }
    }
}

/// Every place by hand, then so many made at random
fn statements(count: u64) -> impl Iterator<Item = Scoped> {
    places::statements().into_iter().chain((1..=count).map(scoped::statement))
}

/// What Calcite says of the statements, in their order
fn answers(home: &Path, count: u64) -> impl Iterator<Item = Value> {
    let classes = format!("{}:{}/*", home.join("classes").display(), home.join("lib").display());
    let mut calcite = Command::new("java")
        .args(["-cp", &classes, "Oracle"])
        .args(scoped::DATASOURCES)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut questions = BufWriter::new(calcite.stdin.take().unwrap());
    std::thread::spawn(move || {
        for statement in statements(count) {
            let question = json!({"query": statement.query, "clusteredBy": statement.clustered_by});
            writeln!(questions, "{question}").unwrap();
        }
    });
    let lines = BufReader::new(calcite.stdout.take().unwrap()).lines();
    let answers: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert!(calcite.wait().unwrap().success());
    assert_eq!(answers.len(), statements(count).count(), "an answer to each statement");
    answers.into_iter()
}
