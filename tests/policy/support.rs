//! Calling the judge as the gate does

use std::collections::BTreeSet;

use msq_gate::resource_actions::Rules;
use msq_gate::resource_actions::rules::{ContextKeys, InputSources, Lookups, Metadata, SystemTables};
use msq_gate::resource_actions::sql::{JUDGE_STACK_BYTES, Judgement, Parameter, ParameterValue, SqlLimits, SqlRefusal, SqlStatement, judge};

/// Does work on a thread with the stack that a judge has
pub fn with_judges_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(JUDGE_STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Judges a statement under these rules and the default limits
pub fn judged(text: &str, parameters: &[Parameter], rules: &Rules) -> Result<Judgement, SqlRefusal> {
    judge(&SqlStatement { text, parameters }, rules, &SqlLimits::default())
}

/// The sentences of what a judgement needs
pub fn sentences(judgement: &Judgement) -> BTreeSet<String> {
    judgement.needs.resource_actions().into_iter().map(|action| action.sentence()).collect()
}

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

/// A parameter of type VARCHAR
pub fn varchar(value: &str) -> Parameter {
    Parameter { kind: "VARCHAR".to_owned(), value: ParameterValue::Text(value.to_owned()) }
}
