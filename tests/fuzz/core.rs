//! The pure core of msq-gate, built alone for the fuzzer, and what holds of every statement
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    reason = "the sources are those of the project, which lints them"
)]

#[path = "../../src/druid/mod.rs"]
pub mod druid;
#[path = "../../src/resource_actions/mod.rs"]
pub mod resource_actions;

use resource_actions::Rules;
use resource_actions::rules::{ContextKeys, InputSources, Lookups, Metadata, SystemTables};
use resource_actions::sql::{Parameter, Reading, SqlLimits, SqlStatement, judge, judge_by};

/// Rules under which everything is asked for by its most exact name
pub fn exacting() -> Rules {
    Rules {
        metadata: Metadata::Open,
        input_sources: InputSources::ByType,
        context_keys: ContextKeys::Authorized,
        system_tables: SystemTables::Authorized,
        lookups: Lookups::Granted,
        ..Rules::default()
    }
}

/// What holds of every statement: its skeleton is judged as the whole is, and what is forwarded is a fixed point that needs
/// the same
pub fn check(text: &str, parameters: &[Parameter]) {
    let limits = SqlLimits::default();
    for rules in [Rules::default(), exacting()] {
        let statement = SqlStatement { text, parameters };
        let judged = judge(&statement, &rules, &limits).ok();
        let whole = judge_by(Reading::Whole, &statement, &rules, &limits).ok();
        assert_eq!(judged, whole, "{text:?} by its skeleton, and by the whole");
        let Some(judgement) = judged else { continue };
        let forwarded = &judgement.forwarded;
        let again = judge(&SqlStatement { text: forwarded, parameters }, &rules, &limits);
        assert_eq!(again.as_ref(), Ok(&judgement), "{text:?} is forwarded as {forwarded:?}");
    }
}

/// A statement of these bytes: as text, or each as a word of the language, by the first
pub fn statement(bytes: &[u8]) -> Option<String> {
    let (mode, rest) = bytes.split_first()?;
    if mode % 4 == 0 {
        return std::str::from_utf8(rest).ok().map(str::to_owned);
    }
    let mut text = String::new();
    for byte in rest {
        text += WORDS[usize::from(*byte) % WORDS.len()];
        text.push_str(["", " "][usize::from(mode % 4 != 1)]);
    }
    Some(text)
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "a",
    "b",
    "(",
    ")",
    ",",
    "*",
    "WHERE",
    "1",
    "+",
    "=",
    "AND",
    "JOIN",
    "ON",
    "AS",
    "WITH",
    "UNION",
    "ALL",
    "EXCEPT",
    "INTERSECT",
    "TABLE",
    "TABLE(",
    "VALUES",
    "EXTERN(",
    "APPEND(",
    "'a'",
    "'{\"type\":\"s3\"}'",
    ".",
    "INSERT INTO",
    "REPLACE INTO",
    "OVERWRITE ALL",
    "PARTITIONED BY ALL",
    "CLUSTERED BY",
    "EXPLAIN PLAN FOR",
    "SET",
    ";",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "IN",
    "NOT",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "TRIM(",
    "BOTH",
    "LATERAL",
    "UNNEST(",
    "RECURSIVE",
    "LEFT",
    "OUTER",
    "NATURAL",
    "CROSS",
    "USING",
    "=>",
    "?",
    "view.",
    "lookup.",
    "sys.",
    "INFORMATION_SCHEMA.",
    "druid.",
    "LOOKUP(",
    "\"a\"",
    "\"FROM\"",
    "U&\"\\0061\"",
    "UESCAPE",
    "'!'",
    "N'a'",
    "E'a'",
    "_utf8'a'",
    "X'00'",
    "U&'\\0061'",
    "/* a */",
    "/***/",
    "--",
    "//",
    "\n",
    "\r",
    "/*+",
    "*/",
    "[",
    "]",
    "{fn",
    "{d",
    "}",
    ":",
    "||",
    "-",
    "<>",
    "BETWEEN",
    "SYMMETRIC",
    "LIKE",
    "ESCAPE",
    "IS",
    "NULL",
    "DISTINCT",
    "OVER",
    "PARTITION BY",
    "ROWS",
    "PRECEDING",
    "WINDOW",
    "QUALIFY",
    "FILTER",
    "WITHIN GROUP",
    "JSON_OBJECT(",
    "KEY",
    "VALUE",
    "JSON_VALUE(",
    "RETURNING",
    "ON ERROR",
    "INTERVAL",
    "DAY",
    "TO",
    "DATE",
    "TIMESTAMP",
    "FETCH FIRST ROW ONLY",
    "OFFSET",
    "ARRAY[",
    "MULTISET(",
    "ANY",
    "SOME",
    "ROW(",
    "EXTEND",
    "VARCHAR",
    "PIVOT",
    "TABLESAMPLE",
    "MATCH_RECOGNIZE",
    "FOR",
    "SYSTEM_TIME",
    "OF",
    "ASOF",
    "MATCH_CONDITION",
    "SPECIFIC",
    "extern",
    "append",
    "é",
    "$",
    "SETS",
    "GROUPING",
    "DEFAULT",
    "MULTISET UNION",
    "NULLS FIRST",
    "DESC",
    "SIMILAR",
    "POSITION(",
    "OVERLAY(",
    "PLACING",
    "EXTRACT(",
    "FLOOR(",
    "INSERT INTO EXTERN(s3()) AS CSV",
    "OVERWRITE WHERE",
    "SUBMULTISET",
    "SEPARATOR",
    "FORMAT JSON",
];
