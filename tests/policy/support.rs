//! Calling the judge as the gate does

use std::collections::BTreeSet;
use std::path::PathBuf;

use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::rules::{ContextKeys, InputSources, Lookups, Metadata, SystemTables};
use msq_gate::resource_actions::sql::{
    JUDGE_STACK_BYTES, Judgement, Parameter, ParameterValue, Reading, SqlLimits, SqlRefusal, SqlStatement,
    judge_by,
};

use serde_json::Value;

/// Does work on a thread with the stack that a judge has
pub(crate) fn with_judges_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Judges a statement under these rules and the default limits; by its skeleton and by the whole of it, which are to
/// come to the same
pub(crate) fn judged(text: &str, parameters: &[Parameter], rules: &Rules) -> Result<Judgement, SqlRefusal> {
    let statement = SqlStatement { text, parameters };
    let [skeleton, whole] = [Reading::Skeleton, Reading::Whole]
        .map(|reading| judge_by(reading, &statement, rules, &SqlLimits::default()));
    // Of several faults each may meet another first.
    assert_eq!(skeleton.as_ref().ok(), whole.as_ref().ok(), "{text}: {skeleton:?}, {whole:?}");
    skeleton
}

/// The sentences of what a judgement needs
pub(crate) fn sentences(judgement: &Judgement) -> BTreeSet<String> {
    judgement.needs.resource_actions().into_iter().map(|action| action.sentence()).collect()
}

/// Rules under which everything is asked for by its most exact name
pub(crate) fn exacting() -> Rules {
    Rules {
        metadata: Metadata::Open,
        input_sources: InputSources::ByType,
        context_keys: ContextKeys::Authorized,
        system_tables: SystemTables::Authorized,
        lookups: Lookups::Granted,
        ..Rules::default()
    }
}

/// A parameter of type VARCHAR
pub(crate) fn varchar(value: &str) -> Parameter {
    Parameter { kind: "VARCHAR".to_owned(), value: ParameterValue::Text(value.to_owned()) }
}

/// One of the project's own cases
pub(crate) struct Case {
    /// The statement
    pub(crate) sql: String,
    /// Values for its question marks
    pub(crate) parameters: Vec<Parameter>,
    /// The rules it is judged under
    pub(crate) rules: Rules,
    /// The whole line
    pub(crate) row: Value,
}

/// The project's own cases; a line that begins with `#` is a heading
pub(crate) fn cases() -> Vec<Case> {
    let lines =
        include_str!("cases/sql.jsonl").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| case(serde_json::from_str(line).unwrap())).collect()
}

fn case(row: Value) -> Case {
    Case {
        sql: row["sql"].as_str().unwrap().to_owned(),
        parameters: strings(&row["parameters"]).iter().map(|value| varchar(value)).collect(),
        rules: rules(&row["rules"]),
        row,
    }
}

/// The rules of this name; where a row names none, those that ask for everything
fn rules(name: &Value) -> Rules {
    if name == "default" {
        return Rules::default();
    }
    assert!(name.is_null(), "no rules are called {name}");
    exacting()
}

/// The strings of a JSON array, none where there is no array
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The rows of a corpus; none where it is not there, unless `CI` is `true`
pub(crate) fn corpus(file: &str) -> Option<Vec<Value>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
        println!("{} is not there: nothing is tested", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}
