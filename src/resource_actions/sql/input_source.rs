//! What an input source reads, from its JSON

use serde_json::{Map, Value};

use super::mention::Mention;
use crate::druid::json;
use crate::resource_actions::reach;
use crate::resource_actions::task_members::PLAIN_FORMATS;

/// How deeply the JSON of an input source may nest
const DEPTH: usize = 64;

/// Why it cannot be told what an input source reads
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Json(#[from] json::JsonError),
    #[error("an input source is a JSON object with a `type`")]
    NoType,
    #[error("an input source of type `combining` has a list of `delegates`")]
    NoDelegates,
    #[error("an input source of type `druid` has a `dataSource`")]
    NoDatasource,
    #[error("an input source of type `druid` may name segments of any datasource; give an `interval`")]
    Segments,
}

/// The types of an input source, those of its delegates if it combines others, and the datasources it reads
///
/// A text that Druid refuses, too, may come without any type, as long as no reader could find a datasource in it.
pub(super) fn mentions(text: &str) -> Result<Vec<Mention>, Fault> {
    read(text).or_else(|fault| {
        if may_name_datasource(text) { Err(fault) } else { Ok(vec![Mention::UndecidedExternal]) }
    })
}

/// Whether an input format reads nothing but what the source gives
pub(super) fn is_plain_format(text: &str) -> bool {
    let format = json::parse(text.as_bytes(), DEPTH).ok();
    let kind = format.as_ref().and_then(|format| format.get("type")?.as_str());
    kind.is_some_and(|kind| PLAIN_FORMATS.contains(&kind))
}

/// Whether the word `druid` could be read in this text by any reader of JSON
fn may_name_datasource(text: &str) -> bool {
    text.contains("\\u") || text.to_ascii_lowercase().contains("druid")
}

fn read(text: &str) -> Result<Vec<Mention>, Fault> {
    let source = json::parse(text.as_bytes(), DEPTH)?;
    let mut mentions = Vec::new();
    types(&source, &mut mentions)?;
    datasources(&source, &mut mentions)?;
    Ok(mentions)
}

/// `InputSource.getTypes`
fn types(source: &Value, mentions: &mut Vec<Mention>) -> Result<(), Fault> {
    let kind = source.get("type").and_then(Value::as_str).ok_or(Fault::NoType)?;
    if kind != "combining" {
        let reaches = source.as_object().map_or_else(Vec::new, |source| reach::of_source(kind, source));
        mentions.extend(reaches.into_iter().map(|reach| Mention::External(kind.to_owned(), reach)));
        return Ok(());
    }
    let delegates =
        source.get("delegates").and_then(Value::as_array).filter(|delegates| !delegates.is_empty());
    delegates.ok_or(Fault::NoDelegates)?.iter().try_for_each(|delegate| types(delegate, mentions))
}

/// Every object of type `druid`, wherever it stands; Druid itself asks nothing for it
fn datasources(value: &Value, mentions: &mut Vec<Mention>) -> Result<(), Fault> {
    match value {
        Value::Object(object) => {
            datasource(object, mentions)?;
            object.values().try_for_each(|member| datasources(member, mentions))
        }
        Value::Array(items) => items.iter().try_for_each(|item| datasources(item, mentions)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn datasource(object: &Map<String, Value>, mentions: &mut Vec<Mention>) -> Result<(), Fault> {
    if object.get("type").and_then(Value::as_str) != Some("druid") {
        return Ok(());
    }
    if object.contains_key("segments") {
        return Err(Fault::Segments);
    }
    let name = object.get("dataSource").and_then(Value::as_str).ok_or(Fault::NoDatasource)?;
    mentions.push(Mention::Datasource(name.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::druid::Reach;

    fn external(kind: &str) -> Mention {
        let reach = if kind == "druid" { Reach::Nowhere } else { Reach::Unknown };
        Mention::External(kind.to_owned(), reach)
    }

    #[test]
    fn a_combining_source_has_the_types_of_its_delegates() {
        assert_eq!(mentions(r#"{"type":"http","uris":[]}"#).unwrap(), [external("http")]);
        let text = r#"{"type":"combining","delegates":[{"type":"local"},{"type":"combining","delegates":[{"type":"s3"}]}]}"#;
        assert_eq!(mentions(text).unwrap(), [external("local"), external("s3")]);
    }

    #[test]
    fn a_druid_source_reads_its_datasource_wherever_it_stands() {
        let secret = Mention::Datasource("secret".to_owned());
        assert_eq!(
            mentions(r#"{"type":"druid","dataSource":"secret"}"#).unwrap(),
            [external("druid"), secret.clone()]
        );
        let text = r#"{"type":"combining","delegates":[{"type":"druid","dataSource":"secret"}]}"#;
        assert_eq!(mentions(text).unwrap(), [external("druid"), secret.clone()]);
        assert_eq!(
            mentions(r#"{"type":"x","inner":[{"type":"druid","dataSource":"secret"}]}"#).unwrap(),
            [external("x"), secret]
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused_where_a_datasource_could_be_in_it() {
        for text in [
            r#"{"type":"druid"}"#,
            r#"{"type":"druid","dataSource":1}"#,
            r#"{"type":"druid","dataSource":"a","segments":[{"segmentId":"b_1_2_3","intervals":["1/2"]}]}"#,
            r#"{"type":"inline"} {"type":"druid","dataSource":"a"}"#,
            r#"{"type":"druid","dataSource":"a"} {}"#,
            r#"{"type":"inline","type":"druid","dataSource":"a"}"#,
            r#"{"type":"\u0064ruid","dataSource":"a"} {}"#,
            "{\"type\":\"druid\",\"dataSource\":\"a\",\"x\":\"\\ud800\"}",
        ] {
            assert!(mentions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_of_no_type_is_external_all_the_same() {
        for text in [
            "",
            "[]",
            "1",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"inline","type":"http"}"#,
            r#"{"type":"inline"} {"type":"http"}"#,
            r#"{"type":"combining"}"#,
            r#"{"type":"combining","delegates":[]}"#,
            r#"{"type":"combining","delegates":[{}]}"#,
        ] {
            assert_eq!(mentions(text).unwrap(), [Mention::UndecidedExternal], "{text}");
        }
    }
}
