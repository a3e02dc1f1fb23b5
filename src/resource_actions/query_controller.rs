//! Tasks of the multi-stage query engine, posted as Druid makes them of statements (`MSQControllerTask`, `MSQSpec`)
//!
//! Druid asks WRITE where the rows go and nothing of what is read, and takes whose task it is from the query's context.
//! Here such a task needs what the same needs in SQL, and is nobody's: it may bring no owner.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::durable_storage::Storage;
use super::native::{self, NativeQueryError};
use super::needed::Needed;
use super::query_context::{self, ContextValue};
use super::reach;
use super::rules::Rules;
use super::task_error::TaskSpecError;
use super::task_object::{Object, object_at};
use super::task_parts::{JudgedTask, check_context_keys, check_resource, write_datasource};
use crate::druid::owner::is_reserved_context_key;
use crate::druid::task::QUERY_CONTROLLER;
use crate::druid::{ResourceAction, ResourceType};

/// Contexts that stand beside the query's own: the statement's, which is for people, and one of later Druids
const CONTEXTS: [&str; 3] = ["sqlQueryContext", "sqlResultsContext", "nativeQueryContext"];

/// Reads such a task
///
/// Its statement in `sqlQuery` is for people: nothing runs it, and nothing is read from it.
pub(super) fn task(task: &Object<'_>, rules: &Rules) -> Result<JudgedTask, TaskSpecError> {
    task.only(
        "type id resource spec context sqlQuery sqlQueryContext sqlResultsContext sqlTypeNames nativeTypeNames \
         nativeQueryContext",
    )?;
    task.check_id()?;
    check_resource(task)?;
    if task.optional("sqlQuery").is_some() {
        task.text("sqlQuery")?;
    }
    texts(task, "sqlTypeNames")?;
    texts(task, "nativeTypeNames")?;
    let mut needs = BTreeSet::new();
    if let Some(context) = task.optional("context") {
        let members = without_druids_own(&context.object()?);
        check_context_keys(&Object { path: "context".to_owned(), members: &members }, &mut needs)?;
    }
    for name in CONTEXTS {
        needs.extend(context_of(task, name, rules)?);
    }
    let spec = task.member("spec")?.object()?;
    spec.only("query columnMappings destination assignmentStrategy tuningConfig")?;
    column_mappings(&spec)?;
    if spec.optional("assignmentStrategy").is_some() {
        spec.text("assignmentStrategy")?;
    }
    if let Some(tuning) = spec.optional("tuningConfig") {
        tuning.object()?.only("maxNumWorkers maxRowsInMemory rowsPerSegment maxNumSegments indexSpec")?;
    }
    let destination = spec.member("destination")?.object()?;
    needs.extend(destination_of(&destination)?);
    let query = spec.member("query")?.object()?;
    needs.extend(native::needs_within(&query, rules).map_err(of_query)?);
    let is_stored = destination.text("type")? == "durableStorage";
    let storage = Storage::of_keys(|key| context_value(&query, key), is_stored);
    let needs = Needed::after_reading_everything(needs);
    Ok(JudgedTask { storage, ..JudgedTask::new(QUERY_CONTROLLER, needs) })
}

/// Whoever posts what Druid has made of a statement has these in it, as Druid sets them on each task
fn without_druids_own(context: &Object<'_>) -> Map<String, Value> {
    let is_own = |(name, value): &(&String, &Value)| {
        matches!(name.as_str(), "forceTimeChunkLock" | "useLineageBasedSegmentAllocation")
            && value.as_bool() == Some(true)
    };
    context
        .members
        .iter()
        .filter(|member| !is_own(member))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a context takes, in which nobody says whose the task is
fn context_of(
    task: &Object<'_>,
    name: &str,
    rules: &Rules,
) -> Result<BTreeSet<ResourceAction>, TaskSpecError> {
    let Some(context) = task.optional(name) else { return Ok(BTreeSet::new()) };
    let context = context.object()?;
    let keys: Vec<_> = context.members.keys().collect();
    match keys.iter().find(|key| is_reserved_context_key(key)) {
        Some(key) => Err(TaskSpecError::ReservedContextKey((*key).clone())),
        None => Ok(query_context::resource_actions(&keys, rules)),
    }
}

fn context_value(query: &Object<'_>, key: &str) -> Option<ContextValue> {
    let value = query.members.get("context")?.get(key)?;
    Some(ContextValue::of_json(&value.to_string()))
}

fn texts(task: &Object<'_>, name: &'static str) -> Result<(), TaskSpecError> {
    match task.members.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(task.shape(name, "a list of strings")),
    }
}

/// `ColumnMappings`: which column of the query becomes which of the rows
fn column_mappings(spec: &Object<'_>) -> Result<(), TaskSpecError> {
    for (position, mapping) in spec.list("columnMappings")?.into_iter().enumerate() {
        let path = format!("{}[{position}]", spec.path_of("columnMappings"));
        object_at(&path, mapping)?.only("queryColumn outputColumn")?;
    }
    Ok(())
}

/// `MSQDestination`: where the rows go; those of a query go to the caller, as in SQL
fn destination_of(destination: &Object<'_>) -> Result<Option<ResourceAction>, TaskSpecError> {
    match destination.text("type")? {
        "taskReport" | "durableStorage" => destination.only("type").map(|()| None),
        "dataSource" => {
            destination.only(
                "type dataSource segmentGranularity segmentSortOrder replaceTimeChunks dimensionSchemas projections",
            )?;
            Ok(Some(write_datasource(destination.text("dataSource")?)))
        }
        "export" => {
            destination.only("type exportStorageProvider resultFormat replaceTimeChunks")?;
            export(&destination.member("exportStorageProvider")?.object()?).map(Some)
        }
        _ => Err(destination.shape("type", "dataSource, taskReport, durableStorage or export")),
    }
}

/// `ExportStorageProvider`
fn export(provider: &Object<'_>) -> Result<ResourceAction, TaskSpecError> {
    let kind = provider.text("type")?;
    match kind {
        "s3" | "google" => provider.only("type bucket prefix")?,
        "local" => provider.only("type exportPath")?,
        _ => return Err(provider.shape("type", "s3, google or local")),
    }
    let names = provider.members.keys().filter(|name| *name != "type");
    let properties: Result<Vec<_>, TaskSpecError> =
        names.map(|name| Ok((name.as_str(), provider.text(name)?))).collect();
    let reach = reach::of_export(kind, &properties?);
    Ok(ResourceAction::write(ResourceType::External, kind).reaching(reach))
}

fn of_query(error: NativeQueryError) -> TaskSpecError {
    match error {
        NativeQueryError::Shape(error) => error,
        NativeQueryError::ReservedContextKey(key) => TaskSpecError::ReservedContextKey(key),
        other @ (NativeQueryError::Json(_)
        | NativeQueryError::Kind { .. }
        | NativeQueryError::DataSource(_)
        | NativeQueryError::TooMany
        | NativeQueryError::Lookup(_)) => TaskSpecError::Query(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ingestion::judge;
    use super::super::rules::{ContextKeys, Lookups, RawQueryController};
    use super::*;

    fn rules() -> Rules {
        Rules { raw_query_controller: RawQueryController::Check, ..Rules::default() }
    }

    fn needs_under(task: &str, rules: &Rules) -> Result<String, TaskSpecError> {
        let judged = judge(task.as_bytes(), 64, rules)?;
        Ok(judged.needs.sentences().join(", "))
    }

    fn with(source: &str, destination: &str) -> String {
        format!(
            r#"{{"type":"query_controller","id":"query-1","spec":{{"query":{{"queryType":"scan","dataSource":{source},
            "intervals":{{"type":"intervals","intervals":["1/2"]}},"columns":["x"],"context":{{"maxNumTasks":2}}}},
            "columnMappings":[{{"queryColumn":"x","outputColumn":"x"}}],"destination":{destination},
            "assignmentStrategy":"max","tuningConfig":{{"maxNumWorkers":1,"rowsPerSegment":1}}}},
            "sqlQuery":"SELECT x FROM a","sqlQueryContext":{{"sqlQueryId":"1"}},"sqlResultsContext":{{"timeZone":"UTC"}},
            "sqlTypeNames":["VARCHAR"],"nativeTypeNames":["STRING"],"context":{{"priority":1}}}}"#
        )
    }

    const TABLE: &str = r#"{"type":"table","name":"a"}"#;
    const REPORT: &str = r#"{"type":"taskReport"}"#;

    #[test]
    fn it_needs_what_its_query_reads_and_its_destination_writes_whatever_its_statement_says() {
        for (source, destination, needs) in [
            (TABLE, REPORT, "READ DATASOURCE a"),
            (TABLE, r#"{"type":"durableStorage"}"#, "READ DATASOURCE a"),
            (
                TABLE,
                r#"{"type":"dataSource","dataSource":"b","segmentGranularity":"\"ALL\"","replaceTimeChunks":["1/2"]}"#,
                "READ DATASOURCE a, WRITE DATASOURCE b",
            ),
            (
                TABLE,
                r#"{"type":"export","exportStorageProvider":{"type":"s3","bucket":"out","prefix":"eu"},"resultFormat":"csv"}"#,
                "READ DATASOURCE a, WRITE EXTERNAL s3",
            ),
            (r#"{"type":"inline","columnNames":["x"],"rows":[]}"#, REPORT, ""),
            (
                r#"{"type":"join","left":"a","right":{"type":"external","inputSource":{"type":"http","uris":["https://h/a"]},"inputFormat":{"type":"json"},"signature":[]},"rightPrefix":"r.","condition":"1","joinType":"LEFT"}"#,
                REPORT,
                "READ DATASOURCE a, READ EXTERNAL EXTERNAL",
            ),
        ] {
            assert_eq!(
                needs_under(&with(source, destination), &rules()).unwrap(),
                needs,
                "{source} {destination}"
            );
        }
    }

    #[test]
    fn what_druid_sets_on_each_task_may_stand_there_as_druid_sets_it() {
        let with = |value: &str| {
            let keys = format!(r#""forceTimeChunkLock":{value},"useLineageBasedSegmentAllocation":true"#);
            needs_under(&with(TABLE, REPORT).replace(r#""priority":1"#, &keys), &rules())
        };
        assert_eq!(with("true").unwrap(), "READ DATASOURCE a");
        for other in ["false", "1", "\"true\"", "null"] {
            assert!(matches!(with(other), Err(TaskSpecError::ContextKey { .. })), "{other}");
        }
    }

    #[test]
    fn it_is_refused_unless_the_rules_check_it() {
        assert_eq!(
            needs_under(&with(TABLE, REPORT), &Rules::default()),
            Err(TaskSpecError::Type { kind: QUERY_CONTROLLER.to_owned() })
        );
    }

    #[test]
    fn nobody_says_whose_it_is() {
        let good = with(TABLE, REPORT);
        assert!(needs_under(&good, &rules()).is_ok());
        for (from, to) in [
            ("maxNumTasks", "__user"),
            ("maxNumTasks", "msqGateOwner"),
            ("maxNumTasks", r"\u005f_user"),
            ("sqlQueryId", "__user"),
            ("timeZone", "msqGateOwner"),
        ] {
            let found = needs_under(&good.replacen(from, to, 1), &rules());
            assert!(matches!(found, Err(TaskSpecError::ReservedContextKey(_))), "{to}: {found:?}");
        }
        let nested = good.replace(
            TABLE,
            r#"{"type":"query","query":{"queryType":"scan","dataSource":"a","context":{"__user":"x"}}}"#,
        );
        assert!(matches!(needs_under(&nested, &rules()), Err(TaskSpecError::ReservedContextKey(_))));
        assert!(needs_under(&good.replace("priority", "__user"), &rules()).is_err());
    }

    #[test]
    fn whatever_of_it_is_not_understood_refuses_it() {
        let good = with(TABLE, REPORT);
        assert!(needs_under(&good, &rules()).is_ok());
        for (from, to) in [
            (r#""query":{"#, r#""queryDef":{},"query":{"#),
            (r#""id":"query-1""#, r#""id":7"#),
            (r#""id":"query-1""#, r#""dataSource":"b""#),
            (r#""id":"query-1""#, r#""groupId":"b""#),
            ("queryColumn", "dataSource"),
            ("maxNumWorkers", "unknown"),
            (r#""SELECT x FROM a""#, "7"),
            (r#"["VARCHAR"]"#, r#""VARCHAR""#),
            (r#""scan""#, r#""unknown""#),
            (TABLE, r#"{"type":"unknown"}"#),
            (TABLE, r#"["table",{"name":"a"}]"#),
            (TABLE, r#"{"type":"external","inputSource":{"type":"unknown"}}"#),
            (REPORT, r#"{"type":"taskReport","dataSource":"b"}"#),
            (REPORT, r#"{"type":"unknown"}"#),
            (REPORT, r#"["taskReport",{}]"#),
            (REPORT, "null"),
            (REPORT, r#"{"type":"dataSource","dataSource":["b"]}"#),
            (REPORT, r#"{"type":"export","exportStorageProvider":{"type":"unknown"}}"#),
            (
                REPORT,
                r#"{"type":"export","exportStorageProvider":{"type":"s3","bucket":"b","endpoint":"x"}}"#,
            ),
            (REPORT, r#"{"type":"export","exportStorageProvider":{"type":"s3","bucket":7}}"#),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(needs_under(&good.replacen(from, to, 1), &rules()).is_err(), "{to}");
        }
    }

    #[test]
    fn lookups_and_context_keys_are_asked_for_as_in_sql() {
        let lookup =
            with(r#"{"type":"lookup","lookup":"l"}"#, REPORT).replace("SELECT x", "SELECT LOOKUP(x, 'l')");
        let granted = Rules { lookups: Lookups::Granted, ..rules() };
        assert_eq!(needs_under(&lookup, &granted).unwrap(), "READ LOOKUP l");
        let keys = Rules { context_keys: ContextKeys::Authorized, ..rules() };
        assert_eq!(
            needs_under(&with(TABLE, REPORT), &keys).unwrap(),
            "READ DATASOURCE a, WRITE QUERY_CONTEXT maxNumTasks, WRITE QUERY_CONTEXT timeZone"
        );
    }

    #[test]
    fn it_asks_for_durable_storage_as_its_statement_would() {
        let asked = |task: &str| judge(task.as_bytes(), 64, &rules()).unwrap().storage;
        let good = with(TABLE, REPORT);
        assert_eq!(asked(&good), Storage::NotAsked);
        let by = |task: &str| matches!(asked(task), Storage::Asked { .. });
        assert!(by(&good.replace(r#""maxNumTasks":2"#, r#""durableShuffleStorage":"true""#)));
        assert!(by(&good.replace(r#""maxNumTasks":2"#, r#""faultTolerance":true"#)));
        assert!(by(&with(TABLE, r#"{"type":"durableStorage"}"#)));
    }
}
