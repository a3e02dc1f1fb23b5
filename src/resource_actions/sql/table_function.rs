//! Druid's table functions: `APPEND`, `EXTERN` and its relatives, and views called as functions

use sqlparser::ast::FunctionArg;

use super::input_source;
use super::mention::Mention;
use super::value;
use super::walk::Objection;

/// What a function in the place of a table mentions, its arguments as expressions apart
///
/// # Errors
///
/// A function that Druid does not have (`DruidOperatorTable` lower-cases names as Unicode does), or arguments from which it cannot be told what it reads.
pub(super) fn mentions(name: &[&str], arguments: &[FunctionArg]) -> Result<Vec<Mention>, Objection> {
    match name {
        [name] => known(&name.to_lowercase(), arguments),
        // `ViewSchema` holds views as functions without arguments; Druid's collector does not see such a call.
        ["view", view] => Ok(vec![Mention::View((*view).to_owned())]),
        _ => Err(Objection::UnknownTableFunction(name.join("."))),
    }
}

fn known(name: &str, arguments: &[FunctionArg]) -> Result<Vec<Mention>, Objection> {
    match name {
        "unnest" => Ok(Vec::new()),
        "append" => append(arguments),
        "extern" => external(arguments),
        "http" => Ok(vec![Mention::External("http".to_owned())]),
        "inline" => Ok(vec![Mention::External("inline".to_owned())]),
        "localfiles" => Ok(vec![Mention::External("local".to_owned())]),
        _ => Err(Objection::UnknownTableFunction(name.to_owned())),
    }
}

/// `APPEND('a', 'b')` reads the datasources of these names, whatever is in scope (`TableAppendMacro`)
fn append(arguments: &[FunctionArg]) -> Result<Vec<Mention>, Objection> {
    let names = arguments.iter().map(|argument| {
        let is_named = value::name(argument).is_some();
        let name = value::text(argument).filter(|_| !is_named);
        name.map(|name| Mention::Datasource(name.to_owned()))
    });
    let names: Option<Vec<_>> = names.collect();
    names
        .ok_or_else(|| Objection::Undecided("APPEND takes the names of tables as string literals".to_owned()))
}

/// `EXTERN(inputSource, inputFormat [, signature])` (`ExternalOperatorConversion`)
///
/// A column cannot be one, and Druid says so.
fn external(arguments: &[FunctionArg]) -> Result<Vec<Mention>, Objection> {
    let source = argument(arguments, "inputSource");
    if source.is_some_and(value::is_column) {
        return Ok(vec![Mention::UndecidedExternal]);
    }
    let source = source.and_then(value::text).ok_or_else(|| {
        Objection::Undecided("EXTERN takes its input source as a string literal".to_owned())
    })?;
    input_source::mentions(source)
        .map_err(|fault| Objection::Undecided(format!("the input source of EXTERN cannot be told: {fault}")))
}

/// The argument of this name, or the first where none has a name
fn argument<'f>(arguments: &'f [FunctionArg], wanted: &str) -> Option<&'f FunctionArg> {
    if arguments.iter().all(|argument| value::name(argument).is_none()) {
        return arguments.first();
    }
    let mut named = arguments
        .iter()
        .filter(|argument| value::name(argument).is_none_or(|name| name.eq_ignore_ascii_case(wanted)));
    let only = named.next();
    only.filter(|argument| named.next().is_none() && value::name(argument).is_some())
}
