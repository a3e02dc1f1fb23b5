//! What judging costs: the lexer, a whole judgement, a remembered one, and sqlparser alone in the same run
//!
//! `cargo bench` prints the table of the README. Sizes that are refused stand apart.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should say so loudly")]

use std::sync::Arc;

use divan::Bencher;
use msq_gate::base::budget::{Budget, Holders, Shares};
use msq_gate::evidence::judge::{Judge, Settings};
use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::sql::{JUDGE_STACK_BYTES, SqlLimits, SqlStatement, judge, pieces};
use msq_gate::resource_actions::submit::Submit;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

fn main() {
    // Statements are judged on threads with a large stack, and so they are here.
    let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES);
    thread.spawn(divan::main).unwrap().join().unwrap();
}

const SIZES: [&str; 3] = ["small SELECT", "5 KB INSERT", "100 KB INSERT"];

/// A statement of this size
fn statement(size: &str) -> String {
    match size {
        "small SELECT" => query(size),
        _ => format!("INSERT INTO wikipedia\n{}\nPARTITIONED BY DAY\nCLUSTERED BY channel", query(size)),
    }
}

/// The query in it, which is all that sqlparser can read of an INSERT of Druid's
fn query(size: &str) -> String {
    let bytes = match size {
        "small SELECT" => {
            return "SELECT channel, COUNT(*) AS edits, SUM(added) AS total\nFROM wikipedia\nWHERE __time >= TIMESTAMP '2024-01-01 00:00:00' AND countryName = 'Germany' AND isRobot = FALSE\nGROUP BY channel HAVING COUNT(*) > 10\nORDER BY edits DESC LIMIT 10".to_owned();
        }
        "5 KB INSERT" => 4_800,
        _ => 100_000,
    };
    let mut text = "SELECT\n  TIME_PARSE(\"timestamp\") AS __time".to_owned();
    let mut number = 0;
    while text.len() < bytes {
        number += 1;
        text += &match number % 5 {
            0 => format!(",\n  CASE WHEN delta > {number} THEN 'more' ELSE 'less' END AS size{number}"),
            1 => format!(",\n  CAST(\"added\" AS BIGINT) AS added{number}"),
            2 => format!(",\n  COALESCE(cityName, 'unknown') AS city{number}"),
            3 => format!(",\n  FLOOR(t.__time TO HOUR) AS hour{number}"),
            _ => format!(",\n  page || '/' || \"user\" AS page{number}"),
        };
    }
    text + "\nFROM TABLE(EXTERN(\n  '{\"type\":\"http\",\"uris\":[\"https://example.com/wikipedia.json.gz\"]}',\n  '{\"type\":\"json\"}',\n  '[{\"name\":\"timestamp\",\"type\":\"string\"}]'\n)) AS t\nWHERE channel IN (SELECT channel FROM channels)"
}

#[divan::bench(args = SIZES)]
fn a_lexer(bencher: Bencher<'_, '_>, size: &str) {
    let text = statement(size);
    bencher.bench_local(|| pieces(&text, &SqlLimits::default()).unwrap());
}

#[divan::bench(args = SIZES)]
fn b_whole_judgement(bencher: Bencher<'_, '_>, size: &str) {
    let (text, rules) = (statement(size), Rules::default());
    let statement = SqlStatement { text: &text, parameters: &[] };
    bencher.bench_local(|| judge(&statement, &rules, &SqlLimits::default()).unwrap());
}

#[divan::bench(args = SIZES)]
fn c_remembered_judgement(bencher: Bencher<'_, '_>, size: &str) {
    let body = serde_json::json!({"query": statement(size)}).to_string();
    let submit = Submit::read(body.as_bytes(), 64).unwrap();
    let judge =
        Judge::start(Rules::default(), SqlLimits::default(), Settings::default(), Arc::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lease =
        Budget::new(Shares::of(1 << 20, 0)).lease(Holders::default().holder(0, [127, 0, 0, 1].into()));
    runtime.block_on(judge.judge(&submit, lease)).unwrap();
    bencher.bench_local(|| judge.remembered(&submit).unwrap());
}

#[divan::bench(args = SIZES)]
fn d_sqlparser_alone(bencher: Bencher<'_, '_>, size: &str) {
    let text = query(size);
    bencher.bench_local(|| Parser::parse_sql(&GenericDialect {}, &text).unwrap());
}

/// All of them are refused
const HOSTILE: [&str; 7] = [
    "1,000,000 links of a chain",
    "1,000,000 UNIONs",
    "100,000 levels",
    "10 MB of text",
    "10 MB of comments",
    "10 MB of a comment without end",
    "10 MB, by the default limits",
];

#[divan::bench(args = HOSTILE)]
fn e_hostile(bencher: Bencher<'_, '_>, what: &str) {
    let text = match what {
        "1,000,000 links of a chain" => format!("SELECT 1{}", "+1".repeat(1_000_000)),
        "1,000,000 UNIONs" => format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_000_000)),
        "100,000 levels" => format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        "10 MB of comments" => "/* a */".repeat(1_430_000),
        "10 MB of a comment without end" => format!("/*{}", "*".repeat(10_000_000)),
        _ => "SELECT 'a' ".repeat(910_000),
    };
    let defaults = SqlLimits::default();
    let is_by_default = what.ends_with("limits");
    // Larger than any body may be, so that what comes after the first limit is measured, too.
    let limits = if is_by_default { defaults } else { SqlLimits { statement_bytes: 32 << 20, ..defaults } };
    let rules = Rules::default();
    let statement = SqlStatement { text: &text, parameters: &[] };
    bencher.bench_local(|| judge(&statement, &rules, &limits).unwrap_err());
}
