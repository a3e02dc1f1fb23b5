//! Druid's table functions: `APPEND`, `EXTERN` and its relatives, and views called as functions

use sqlparser::ast::FunctionArg;

use super::input_source;
use super::mention::Mention;
use super::objection::Objection;
use super::value;
use crate::druid::Reach;
use crate::resource_actions::reach;

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
        "http" => Ok(external_of("http", function_reaches("http", arguments))),
        "inline" => Ok(external_of("inline", vec![Reach::Nowhere])),
        "localfiles" => Ok(external_of("local", function_reaches("local", arguments))),
        _ => Err(Objection::UnknownTableFunction(name.to_owned())),
    }
}

fn external_of(kind: &str, reaches: Vec<Reach>) -> Vec<Mention> {
    reaches.into_iter().map(|reach| Mention::External(kind.to_owned(), reach)).collect()
}

/// Arguments of `HTTP` and `LOCALFILES` that say which files are read
const LISTS: [&str; 4] = ["uris", "baseDir", "filter", "files"];
/// Those that say how they are read, and lead nowhere else
const MANNERS: [&str; 4] = ["format", "listDelimiter", "delimiter", "skipRows"];

/// What these functions read, where it can be told from strings and lists of strings (`HttpInputSourceDefn`,
/// `LocalInputSourceDefn`)
fn function_reaches(kind: &str, arguments: &[FunctionArg]) -> Vec<Reach> {
    let mut lists: Vec<(&str, Vec<&str>)> = Vec::new();
    for argument in arguments {
        let is_named =
            |known: &&&str| value::name(argument).is_some_and(|name| name.eq_ignore_ascii_case(known));
        let list = LISTS.iter().find(is_named).zip(value::texts(argument));
        let is_told = match list {
            Some((name, texts)) => {
                let is_first = lists.iter().all(|(known, _)| known != name);
                lists.push((name, texts));
                is_first
            }
            None => MANNERS.iter().any(|known| is_named(&known)) && is_plain_format(argument),
        };
        if !is_told {
            return vec![Reach::Unknown];
        }
    }
    reach::of_function(kind, &lists)
}

/// Where it is the argument `format`, one that reads no descriptors of its own
fn is_plain_format(argument: &FunctionArg) -> bool {
    let is_format = value::name(argument).is_some_and(|name| name.eq_ignore_ascii_case("format"));
    !is_format || value::text(argument).is_some_and(|format| ["csv", "tsv", "json"].contains(&format))
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
    let mentions = input_source::mentions(source).map_err(|fault| {
        Objection::Undecided(format!("the input source of EXTERN cannot be told ({fault}), in the query"))
    })?;
    Ok(if reads_descriptors(arguments) {
        mentions.into_iter().map(Mention::anywhere).collect()
    } else {
        mentions
    })
}

/// Whether its format may read files and servers of its own, besides what the source gives
fn reads_descriptors(arguments: &[FunctionArg]) -> bool {
    let is_named = arguments.iter().any(|argument| value::name(argument).is_some());
    let format = if is_named { argument(arguments, "inputFormat") } else { arguments.get(1) };
    !format.and_then(value::text).is_some_and(input_source::is_plain_format)
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
