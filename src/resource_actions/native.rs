//! Native queries: what they read (`QueryResource`, `QueryLifecycle.authorize`)
//!
//! Druid asks READ on every table of the query's datasource, however deep it is nested. What names a datasource is
//! read here member by member; a kind of query or of datasource that is not known is refused, for there is no
//! telling what it reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::needed::Needed;
use super::query_context;
use super::rules::{Lookups, Rules, TaskInputs};
use super::task_error::TaskSpecError;
use super::task_input::{input_format, input_source};
use super::task_object::{Object, object_at};
use crate::druid::endpoint::Asks;
use crate::druid::json::JsonLimits;
use crate::druid::json::{self, JsonError};
use crate::druid::owner::is_reserved_context_key;
use crate::druid::{Action, ResourceAction, ResourceType};

/// The kinds of queries whose only datasource is their `dataSource`
const KINDS: [&str; 11] = [
    "timeseries",
    "topN",
    "groupBy",
    "scan",
    "search",
    "segmentMetadata",
    "timeBoundary",
    "dataSourceMetadata",
    "datasourceMetadata",
    "windowOperator",
    "movingAverage",
];

/// The types of datasources, and the members of each
const MEMBERS: [(&str, &str); 11] = [
    ("table", "type name"),
    ("globalTable", "type name"),
    ("inline", "type columnNames columnTypes rows"),
    ("lookup", "type lookup"),
    ("query", "type query"),
    ("union", "type dataSources"),
    ("join", "type left right rightPrefix condition joinType leftFilter joinAlgorithm"),
    ("unnest", "type base virtualColumn unnestFilter"),
    ("filter", "type base filter"),
    ("restrict", "type base policy"),
    ("external", "type inputSource inputFormat signature"),
];

/// So many datasources and lookups a query may read; each stands in its receipt and its record
const MOST_NEEDS: usize = 1_000;

/// A native query that was read and understood
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeQuery {
    /// Its kind, such as `topN`
    pub kind: String,
    /// What it needs
    pub needs: Needed,
    /// The id by which it can be cancelled, where it brings one
    pub id: Option<String>,
}

/// Why a native query is not let through
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NativeQueryError {
    /// It is no JSON, or has a second reading
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member is missing or has another type
    #[error(transparent)]
    Shape(#[from] TaskSpecError),
    /// A kind of query that is not known
    #[error("queries of type `{kind}` are not understood; those that are: {}", KINDS.join(", "))]
    Kind {
        /// The kind
        kind: String,
    },
    /// A kind of datasource that is not known
    #[error("datasources of type `{0}` are not understood in a native query")]
    DataSource(String),
    /// It reads more than anybody means
    #[error("a native query may read at most {MOST_NEEDS} datasources and lookups")]
    TooMany,
    /// An expression uses a lookup, and lookups ask a permission
    #[error(
        "`{0}` uses a lookup, and which that is cannot be told; write an object with `\"type\": \"registeredLookup\"` or a dimension of type `lookup`"
    )]
    Lookup(String),
    /// It brings a context key that only the gate or Druid may set
    #[error("the query-context key `{0}` is set by the gate alone; leave it out")]
    ReservedContextKey(String),
}

impl NativeQuery {
    /// What it needs where this is asked of it
    pub fn needs_for(&self, asks: Asks) -> Needed {
        let servers = match asks {
            Asks::Rows => None,
            Asks::Servers => Some(ResourceAction::write(ResourceType::State, "queries")),
        };
        self.needs.clone().and(servers.into_iter().collect())
    }
}

/// Reads a native query
///
/// # Errors
///
/// Where it cannot be read in one way only, or what it reads cannot be told.
pub fn judge(
    body: &[u8],
    limits: impl Into<JsonLimits>,
    rules: &Rules,
) -> Result<NativeQuery, NativeQueryError> {
    let value = json::parse(body, limits)?;
    let query = object_at("", &value)?;
    let needs = needs_within(&query, rules)?;
    Ok(NativeQuery {
        kind: query.text("queryType")?.to_owned(),
        needs: Needed::after_reading_everything(needs),
        id: value.pointer("/context/queryId").and_then(Value::as_str).map(str::to_owned),
    })
}

/// What a query needs that stands within a task
pub(super) fn needs_within(
    query: &Object<'_>,
    rules: &Rules,
) -> Result<BTreeSet<ResourceAction>, NativeQueryError> {
    // What `task_inputs` leaves to Druid is the input of an ingestion; a query's is asked for, as in SQL.
    let rules = &Rules { task_inputs: TaskInputs::External, ..rules.clone() };
    let mut reading = Reading { rules, needs: BTreeSet::new() };
    reading.query(query)?;
    reading.context_keys(query)?;
    // Places of external data are counted by themselves.
    let is_counted = |need: &&ResourceAction| need.reach.place().is_none();
    if reading.needs.iter().filter(is_counted).count() > MOST_NEEDS {
        return Err(NativeQueryError::TooMany);
    }
    Ok(reading.needs)
}

/// What has been read so far
struct Reading<'a> {
    rules: &'a Rules,
    needs: BTreeSet<ResourceAction>,
}

impl Reading<'_> {
    fn query(&mut self, query: &Object<'_>) -> Result<(), NativeQueryError> {
        let kind = query.text("queryType")?;
        if !KINDS.contains(&kind) {
            return Err(NativeQueryError::Kind { kind: kind.to_owned() });
        }
        if let Some(context) = query.optional("context") {
            let context = context.object()?;
            let reserved = context.members.keys().find(|key| is_reserved_context_key(key));
            if let Some(key) = reserved {
                return Err(NativeQueryError::ReservedContextKey(key.clone()));
            }
        }
        self.data_source(&query.path_of("dataSource"), query.members.get("dataSource"))?;
        match self.rules.lookups {
            Lookups::Open => Ok(()),
            Lookups::Granted => query
                .members
                .iter()
                .filter(|(name, _)| *name != "dataSource")
                .try_for_each(|(name, value)| self.lookups(&query.path_of(name), value)),
        }
    }

    /// The keys of the outermost query's context (`QueryLifecycle`)
    fn context_keys(&mut self, query: &Object<'_>) -> Result<(), NativeQueryError> {
        let Some(context) = query.optional("context") else { return Ok(()) };
        let keys: Vec<_> = context.object()?.members.keys().collect();
        self.needs.extend(query_context::resource_actions(&keys, self.rules));
        Ok(())
    }

    /// A datasource; one without a type is a table (`DataSource`, whose default it is)
    fn data_source(&mut self, path: &str, value: Option<&Value>) -> Result<(), NativeQueryError> {
        if let Some(Value::String(table)) = value {
            self.reads(ResourceType::Datasource, table);
            return Ok(());
        }
        let source = object_at(path, value.unwrap_or(&Value::Null))?;
        match source.members.get("type") {
            None => {
                source.only("name")?;
                self.table(&source)
            }
            Some(Value::String(kind)) => self.data_source_of(kind, &source),
            Some(_) => Err(source.shape("type", "a string").into()),
        }
    }

    /// Of each type just its own members may stand there: to a Druid that does not know the type it is a table, by its
    /// `name` (`DataSource`, whose default it is)
    fn data_source_of(&mut self, kind: &str, source: &Object<'_>) -> Result<(), NativeQueryError> {
        let known = MEMBERS.iter().find(|(known, _)| *known == kind);
        let (_, members) = known.ok_or_else(|| NativeQueryError::DataSource(kind.to_owned()))?;
        source.only(members)?;
        match kind {
            "table" | "globalTable" => self.table(source),
            "inline" => Ok(()),
            "lookup" => self.lookup(source.text("lookup")?),
            "query" => self.query(&source.member("query")?.object()?),
            "union" => self.union(source),
            "join" => self.based_on(source, &["left", "right"]),
            "unnest" | "filter" | "restrict" => self.based_on(source, &["base"]),
            "external" => {
                let input = source.member("inputSource")?.object()?;
                if let Some(format) = source.optional("inputFormat") {
                    self.needs.extend(input_format(&format.object()?, self.rules)?);
                }
                Ok(input_source(&input, self.rules, &mut self.needs)?)
            }
            other => Err(NativeQueryError::DataSource(other.to_owned())),
        }
    }

    fn table(&mut self, source: &Object<'_>) -> Result<(), NativeQueryError> {
        self.reads(ResourceType::Datasource, source.text("name")?);
        Ok(())
    }

    fn union(&mut self, source: &Object<'_>) -> Result<(), NativeQueryError> {
        let members = source.list("dataSources")?;
        if members.is_empty() {
            return Err(source.shape("dataSources", "a list of datasources").into());
        }
        members.into_iter().enumerate().try_for_each(|(position, member)| {
            self.data_source(&format!("{}[{position}]", source.path_of("dataSources")), Some(member))
        })
    }

    /// One that rests on others, and what it does with them: conditions, filters, columns
    fn based_on(&mut self, source: &Object<'_>, bases: &[&str]) -> Result<(), NativeQueryError> {
        for base in bases {
            self.data_source(&source.path_of(base), source.members.get(*base))?;
        }
        match self.rules.lookups {
            Lookups::Open => Ok(()),
            Lookups::Granted => source
                .members
                .iter()
                .filter(|(name, _)| !bases.contains(&name.as_str()))
                .try_for_each(|(name, value)| self.lookups(&source.path_of(name), value)),
        }
    }

    fn reads(&mut self, kind: ResourceType, name: &str) {
        self.needs.insert(ResourceAction::new(Action::Read, kind, name));
    }

    fn lookup(&mut self, name: &str) -> Result<(), NativeQueryError> {
        if self.rules.lookups == Lookups::Granted {
            self.reads(ResourceType::Lookup, name);
        }
        Ok(())
    }

    /// The lookups that dimensions, extraction functions and expressions use, wherever they stand
    fn lookups(&mut self, path: &str, value: &Value) -> Result<(), NativeQueryError> {
        match value {
            Value::Object(_) => {
                let object = object_at(path, value)?;
                match object.members.get("type").and_then(Value::as_str) {
                    Some("registeredLookup") => self.lookup(object.text("lookup")?)?,
                    // `LookupDimensionSpec`: by name, or with its map in it.
                    Some("lookup") if object.optional("name").is_some() => {
                        self.lookup(object.text("name")?)?
                    }
                    _ => {}
                }
                let members = object.members.iter();
                members.into_iter().try_for_each(|(name, value)| self.lookups(&object.path_of(name), value))
            }
            // Jackson takes `["registeredLookup", {…}]` for the object.
            Value::Array(items) if items.first().is_some_and(|first| first == "registeredLookup") => {
                Err(NativeQueryError::Lookup(path.to_owned()))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.lookups(path, item)),
            Value::String(text) if calls_lookup(text) => Err(NativeQueryError::Lookup(path.to_owned())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
}

/// `lookup(…)` in an expression of Druid's, where functions count in either case
pub(super) fn calls_lookup(text: &str) -> bool {
    // Its lexer passes over what is no part of any token, and goes on as if that were not there.
    let is_token = |letter: &char| letter.is_ascii_alphanumeric() || "_$(),[]+-*/^%!<>'\"".contains(*letter);
    let tokens: String = text.to_lowercase().chars().filter(is_token).collect();
    tokens.contains("lookup(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs_under(query: &str, rules: &Rules) -> Result<String, NativeQueryError> {
        let judged = judge(query.as_bytes(), 64, rules)?;
        let sentences: Vec<_> = judged.needs.resource_actions().iter().map(|need| need.sentence()).collect();
        Ok(sentences.join(", "))
    }

    fn needs(query: &str) -> Result<String, NativeQueryError> {
        needs_under(query, &Rules::default())
    }

    fn over(data_source: &str) -> String {
        format!(
            r#"{{"queryType":"timeseries","dataSource":{data_source},"granularity":"all","intervals":["1/2"]}}"#
        )
    }

    #[test]
    fn every_table_is_read_however_deep_it_is_nested() {
        let query = over(r#""a""#);
        for (source, expected) in [
            (r#""a""#, "READ DATASOURCE a"),
            (r#"{"type":"table","name":"a"}"#, "READ DATASOURCE a"),
            (r#"{"name":"a"}"#, "READ DATASOURCE a"),
            (r#"{"ty\u0070e":"globalTable","n\u0061me":"\u0061"}"#, "READ DATASOURCE a"),
            (
                r#"{"type":"union","dataSources":["a",{"type":"table","name":"b"},"a"]}"#,
                "READ DATASOURCE a, READ DATASOURCE b",
            ),
            (
                r#"{"type":"join","left":"a","right":{"type":"lookup","lookup":"l"},"rightPrefix":"r.","condition":"1","joinType":"LEFT"}"#,
                "READ DATASOURCE a",
            ),
            (&format!(r#"{{"type":"query","query":{query}}}"#), "READ DATASOURCE a"),
            (r#"{"type":"unnest","base":"a","virtualColumn":{}}"#, "READ DATASOURCE a"),
            (
                r#"{"type":"filter","base":{"type":"unnest","base":{"name":"a"}},"filter":{}}"#,
                "READ DATASOURCE a",
            ),
            (r#"{"type":"restrict","base":"a","policy":{}}"#, "READ DATASOURCE a"),
            (r#"{"type":"inline","columnNames":["x"],"rows":[["a"]]}"#, ""),
            (r#"{"type":"lookup","lookup":"l"}"#, ""),
            (r#"{"type":"external","inputSource":{"type":"http","uris":[]}}"#, "READ EXTERNAL EXTERNAL"),
            (r#"{"type":"external","inputSource":{"type":"druid","dataSource":"b"}}"#, "READ DATASOURCE b"),
        ] {
            assert_eq!(needs(&over(source)).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn what_it_reads_cannot_be_told_of_kinds_that_are_not_known() {
        assert!(needs(&over(r#""a""#)).is_ok());
        for source in [
            "null",
            "7",
            "[]",
            r#"["table",{"name":"a"}]"#,
            "{}",
            r#"{"name":""}"#,
            r#"{"type":"zzz","name":"a"}"#,
            r#"{"type":"TABLE","name":"a"}"#,
            r#"{"type":null,"name":"a"}"#,
            r#"{"type":"systemTable","table":"tasks"}"#,
            r#"{"type":"union","dataSources":[]}"#,
            r#"{"type":"join","left":"a"}"#,
            r#"{"type":"table","type":"inline","name":"a"}"#,
            // To a Druid that does not know the type it is the table `b`.
            r#"{"type":"filter","base":"a","filter":{},"name":"b"}"#,
            r#"{"type":"restrict","base":{"type":"inline","columnNames":[],"rows":[]},"policy":{},"name":"b"}"#,
            r#"{"type":"unnest","base":"a","virtualColumn":{},"name":"b"}"#,
            r#"{"type":"inline","columnNames":[],"rows":[],"name":"b"}"#,
            r#"{"type":"lookup","lookup":"l","name":"b"}"#,
            r#"{"type":"table","name":"a","dataSources":["b"]}"#,
            r#"{"name":"a","query":{"queryType":"scan","dataSource":"b"}}"#,
        ] {
            assert!(needs(&over(source)).is_err(), "{source}");
        }
        for kind in ["select", "view", "Scan", "union", ""] {
            assert!(needs(&over(r#""a""#).replace("timeseries", kind)).is_err(), "{kind}");
        }
        assert!(needs(r#"["scan",{"dataSource":"a"}]"#).is_err());
        assert!(needs(r#"{"queryType":"scan"}"#).is_err());
    }

    #[test]
    fn lookups_are_asked_for_where_they_are_granted_and_only_there() {
        let granted = Rules { lookups: Lookups::Granted, ..Rules::default() };
        for (member, expected) in [
            (
                r#""dimension":{"type":"lookup","dimension":"d","outputName":"o","name":"l"}"#,
                "READ DATASOURCE a, READ LOOKUP l",
            ),
            (
                r#""dimension":{"type":"extraction","extractionFn":{"type":"cascade","extractionFns":[{"type":"registeredLookup","lookup":"l"}]}}"#,
                "READ DATASOURCE a, READ LOOKUP l",
            ),
            (
                r#""dimension":{"type":"lookup","dimension":"d","outputName":"o","lookup":{"type":"map","map":{"a":"b"}}}"#,
                "READ DATASOURCE a",
            ),
            (r#""filter":{"type":"selector","dimension":"d","value":"lookup"}"#, "READ DATASOURCE a"),
        ] {
            let query = over(r#""a""#).replace(r#""granularity""#, &format!(r#"{member},"granularity""#));
            assert_eq!(needs_under(&query, &granted).unwrap(), expected, "{member}");
            assert_eq!(needs(&query).unwrap(), "READ DATASOURCE a", "{member}");
        }
        let expression =
            r#""virtualColumns":[{"type":"expression","name":"v","expression":"LookUp (d, 'l')"}]"#;
        let query = over(r#""a""#).replace(r#""granularity""#, &format!(r#"{expression},"granularity""#));
        assert!(needs_under(&query, &granted).is_err());
        assert!(needs(&query).is_ok());
        let wrapped = r#""filter":{"type":"selector","dimension":"d","value":"x","extractionFn":["registeredLookup",{"lookup":"l"}]}"#;
        let query = over(r#""a""#).replace(r#""granularity""#, &format!(r#"{wrapped},"granularity""#));
        assert!(needs_under(&query, &granted).is_err());
        let joined =
            over(r#"{"type":"join","left":"a","right":{"type":"lookup","lookup":"l"},"condition":"x == y"}"#);
        assert_eq!(needs_under(&joined, &granted).unwrap(), "READ DATASOURCE a, READ LOOKUP l");
    }

    #[test]
    fn context_keys_are_asked_for_where_druid_asks_and_those_of_the_gate_are_refused() {
        use crate::resource_actions::rules::ContextKeys;

        let with = |context: &str| {
            over(r#""a""#).replace(r#""granularity""#, &format!(r#""context":{context},"granularity""#))
        };
        let authorized = Rules { context_keys: ContextKeys::Authorized, ..Rules::default() };
        let query = with(r#"{"timeout":1,"queryId":"q"}"#);
        assert_eq!(needs(&query).unwrap(), "READ DATASOURCE a");
        assert_eq!(
            needs_under(&query, &authorized).unwrap(),
            "READ DATASOURCE a, WRITE QUERY_CONTEXT queryId, WRITE QUERY_CONTEXT timeout"
        );
        assert_eq!(judge(query.as_bytes(), 64, &authorized).unwrap().id.as_deref(), Some("q"));
        for key in ["__user", "msqGateOwner", r"msqGateOw\u006eer"] {
            let context = format!(r#"{{"{key}":"x"}}"#);
            assert!(needs(&with(&context)).is_err(), "{key}");
            let inner = format!(r#"{{"type":"query","query":{}}}"#, with(&context));
            assert!(needs(&over(&inner)).is_err(), "{key} within");
        }
        assert!(needs(&with("[]")).is_err());
    }

    #[test]
    fn what_druids_lexer_passes_over_hides_no_lookup() {
        for text in ["concat(x, 'lookup', (y))", "lookup + 1", "lookups(x)", "lookup2(x)"] {
            assert!(!calls_lookup(text), "{text}");
        }
        for text in [
            "lookup(x,'l')",
            "LOOKUP (x)",
            "lookup#(x)",
            "lookup;@(x)",
            "lookup\u{1}(x)",
            "lookup\u{200b}(x)",
            "look#up(x)",
            "loo\u{212a}up(x)",
            "lookup\n\t(x)",
            "1 + lookup.(x)",
        ] {
            assert!(calls_lookup(text), "{text}");
        }
    }

    #[test]
    fn external_input_of_a_query_is_asked_for_whatever_an_ingestions_is() {
        let query = |source: &str| {
            format!(
                r#"{{"queryType":"scan","intervals":["1/2"],"dataSource":{{"type":"external","inputSource":{source},"inputFormat":{{"type":"json"}},"signature":[]}}}}"#
            )
        };
        for task_inputs in [TaskInputs::External, TaskInputs::Druid] {
            let rules = Rules { task_inputs, ..Rules::default() };
            for (source, needs) in [
                (r#"{"type":"inline","data":"x"}"#, "READ EXTERNAL EXTERNAL"),
                (r#"{"type":"local","baseDir":"/etc","filter":"*"}"#, "READ EXTERNAL EXTERNAL"),
                (r#"{"type":"druid","dataSource":"secret","interval":"1/2"}"#, "READ DATASOURCE secret"),
            ] {
                assert_eq!(needs_under(&query(source), &rules).unwrap(), needs, "{source} {task_inputs:?}");
            }
        }
    }
}
