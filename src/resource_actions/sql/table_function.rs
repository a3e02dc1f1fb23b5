//! Druid's table functions: `APPEND`, `EXTERN` and its relatives, and views called as functions

use sqlparser::ast::FunctionArg;

use super::input_source;
use super::mention::Mention;
use super::objection::Objection;
use super::value;

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
    names.ok_or_else(|| {
        Objection::Undecided("APPEND takes the names of tables as string literals, in the query".to_owned())
    })
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
        Objection::Undecided("EXTERN takes its input source as a string literal, in the query".to_owned())
    })?;
    input_source::mentions(source).map_err(|fault| {
        Objection::Undecided(format!("the input source of EXTERN cannot be told ({fault}), in the query"))
    })
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

#[cfg(test)]
mod tests {
    use super::super::{SqlLimits, SqlStatement, judge};
    use crate::resource_actions::Rules;
    use crate::resource_actions::rules::InputSources;

    /// What a call in FROM needs, with external input by type
    fn needs(call: &str) -> Option<Vec<String>> {
        let rules = Rules { input_sources: InputSources::ByType, ..Rules::default() };
        let text = format!("SELECT * FROM TABLE({call})");
        let judged =
            judge(&SqlStatement { text: &text, parameters: &[] }, &rules, &SqlLimits::default()).ok()?;
        Some(judged.needs.resource_actions().into_iter().map(|action| action.sentence()).collect())
    }

    #[test]
    fn append_reads_what_its_strings_name() {
        assert_eq!(needs("APPEND('a', ('b'))").unwrap(), ["READ DATASOURCE a", "READ DATASOURCE b"]);
        for call in [
            "APPEND('a', b)",
            "APPEND('a' || 'b')",
            "APPEND(x => 'a')",
            "APPEND(1)",
            "APPEND(?)",
            "APPEND((SELECT 'a'))",
        ] {
            assert_eq!(needs(call), None, "{call}");
        }
    }

    #[test]
    fn the_input_source_is_looked_up_by_name() {
        let source = r#"'{"type":"s3"}'"#;
        for call in [
            format!("EXTERN({source}, 'x', 'y')"),
            format!("extern(inputFormat => 'x', inputSource => {source})"),
            format!("\"EXTERN\"(\"INPUTSOURCE\" => {source})"),
        ] {
            assert_eq!(needs(&call).unwrap(), ["READ EXTERNAL s3"], "{call}");
        }
        for call in [
            format!("EXTERN(inputFormat => {source})"),
            format!("EXTERN({source}, inputFormat => 'x')"),
            format!("EXTERN(inputSource => {source}, inputsource => {source})"),
            "EXTERN()".to_owned(),
        ] {
            assert_eq!(needs(&call), None, "{call}");
        }
    }

    #[test]
    fn other_functions_are_known_or_refused() {
        assert_eq!(needs("HTTP(uris => ARRAY['a'])").unwrap(), ["READ EXTERNAL http"]);
        assert_eq!(
            needs("INLINE(data => (SELECT 1 FROM a))").unwrap(),
            ["READ DATASOURCE a", "READ EXTERNAL inline"]
        );
        assert_eq!(needs("LOCALFILES(files => ARRAY['a'])").unwrap(), ["READ EXTERNAL local"]);
        assert_eq!(needs("view.v()").unwrap(), ["READ VIEW v"]);
        for call in ["s3()", "druid.extern('{}')", "VIEW.v()", "a.view.v()"] {
            assert_eq!(needs(call), None, "{call}");
        }
    }
}
