//! Tasks posted to the Overlord directly: what they write, and from where they read
//!
//! Druid itself asks WRITE on the task's datasource and nothing else (`OverlordResource.taskPost`), while a
//! task's `context` can set JVM options (`ForkingTaskRunner`) and its input source can read files, other
//! datasources and databases. Only the task types named here are understood; within them every member is
//! on a list, and what is not is refused.

use std::collections::BTreeSet;

use super::needed::Needed;
use super::query_controller;
use super::rules::{RawQueryController, Rules};
use super::task_error::TaskSpecError;
use super::task_hadoop;
use super::task_input::{input_format, input_source};
use super::task_members::{
    COMPACT_MEMBERS, DATA_SCHEMA_MEMBERS, INTERVAL_MEMBERS, KILL_MEMBERS, NOOP_MEMBERS,
};
use super::task_move;
use super::task_object::{Object, object_at};
pub use super::task_parts::JudgedTask;
use super::task_parts::{
    check_context, check_resource, read_plain_body, refuse_lookups_where_granted, write_datasource,
};
use super::task_stream;
use crate::druid::json::{self, JsonLimits};
use crate::druid::task::QUERY_CONTROLLER;

/// The types that may be posted, and that of queries where the rules check it
const TYPES: [&str; 12] = [
    "index",
    "index_parallel",
    "index_kafka",
    "index_kinesis",
    "index_rabbit",
    "index_hadoop",
    "compact",
    "kill",
    "archive",
    "restore",
    "move",
    "noop",
];

/// Of a task longer than this the type is looked at first, in bytes
const LARGE: usize = 64 << 10;

/// Reads a posted task
///
/// # Errors
///
/// Where it cannot be read in one way only, or is not understood to the last member that matters.
pub fn judge(body: &[u8], limits: impl Into<JsonLimits>, rules: &Rules) -> Result<JudgedTask, TaskSpecError> {
    // What is refused whatever else stands in it is not read whole first.
    if body.len() > LARGE
        && let Some(kind) = json::text_member(body, "type").filter(|kind| !may_be_posted(kind, rules))
    {
        return Err(TaskSpecError::Type { kind });
    }
    let value = read_plain_body(body, limits)?;
    let task = object_at("", &value)?;
    let kind = task.text("type")?;
    if kind == QUERY_CONTROLLER && rules.raw_query_controller == RawQueryController::Check {
        // Its query says which lookups it uses.
        return query_controller::task(&task, rules);
    }
    refuse_lookups_where_granted(&value, rules)?;
    if let Some((stream, _)) = task_stream::STREAM_TASKS.iter().find(|(known, _)| *known == kind) {
        return task_stream::task(&task, stream, rules);
    }
    match kind {
        "index" => index(&task, "index", rules),
        "index_parallel" => index(&task, "index_parallel", rules),
        "compact" => own_datasource(&task, "compact", COMPACT_MEMBERS),
        "kill" => own_datasource(&task, "kill", KILL_MEMBERS),
        "archive" => own_datasource(&task, "archive", INTERVAL_MEMBERS),
        "restore" => own_datasource(&task, "restore", INTERVAL_MEMBERS),
        "noop" => own_datasource(&task, "noop", NOOP_MEMBERS),
        "move" => task_move::task(&task),
        "index_hadoop" => task_hadoop::task(&task, rules),
        other => Err(TaskSpecError::Type { kind: other.to_owned() }),
    }
}

fn may_be_posted(kind: &str, rules: &Rules) -> bool {
    TYPES.contains(&kind)
        || kind == QUERY_CONTROLLER && rules.raw_query_controller == RawQueryController::Check
}

/// `IndexTask` and `ParallelIndexSupervisorTask`
fn index(task: &Object<'_>, kind: &'static str, rules: &Rules) -> Result<JudgedTask, TaskSpecError> {
    task.only("type id resource spec context")?;
    check_resource(task)?;
    let spec = task.member("spec")?.object()?;
    spec.only("dataSchema ioConfig tuningConfig")?;
    if let Some(tuning) = spec.optional("tuningConfig") {
        tuning.object()?.is_of_type(kind)?;
    }
    let schema = spec.member("dataSchema")?.object()?;
    schema.only(DATA_SCHEMA_MEMBERS)?;
    let io = spec.member("ioConfig")?.object()?;
    if io.optional("firehose").is_some() {
        return Err(TaskSpecError::Firehose(io.path_of("firehose")));
    }
    io.only("type inputSource inputFormat appendToExisting dropExisting")?;
    io.is_of_type(kind)?;
    let mut needs = BTreeSet::from([write_datasource(schema.text("dataSource")?)]);
    check_context(task, &mut needs)?;
    if let Some(format) = io.optional("inputFormat") {
        needs.extend(input_format(&format.object()?, rules)?);
    }
    input_source(&io.member("inputSource")?.object()?, rules, &mut needs)?;
    Ok(JudgedTask::new(kind, Needed::after_reading_everything(needs)))
}

/// `CompactionTask` and `KillUnusedSegmentsTask`: they touch their own datasource only
fn own_datasource(task: &Object<'_>, kind: &'static str, members: &str) -> Result<JudgedTask, TaskSpecError> {
    task.only(members)?;
    check_resource(task)?;
    if let Some(io) = task.optional("ioConfig") {
        compaction_input(&io.object()?)?;
    }
    if let Some(runner) = task.optional("compactionRunner") {
        runner.object()?.only("type")?;
    }
    for name in ["tuningConfig", "granularitySpec", "dimensionsSpec", "transformSpec", "baseTable"] {
        if let Some(member) = task.optional(name) {
            member.object()?;
        }
    }
    let mut needs = BTreeSet::from([write_datasource(task.text("dataSource")?)]);
    check_context(task, &mut needs)?;
    Ok(JudgedTask::new(kind, Needed::after_reading_everything(needs)))
}

/// `CompactionIOConfig`: intervals or segments of the task's own datasource
fn compaction_input(io: &Object<'_>) -> Result<(), TaskSpecError> {
    io.only("type inputSpec dropExisting allowNonAlignedInterval")?;
    io.is_of_type("compact")?;
    let input = io.member("inputSpec")?.object()?;
    match input.text("type")? {
        "interval" => input.only("type interval sha256OfSortedSegmentIds"),
        "segments" => input.only("type segments"),
        "minor" => minor_compaction(&input),
        _ => Err(input.shape("type", "`interval`, `segments` or `minor`")),
    }
}

/// `MinorCompactionInputSpec`: descriptors of segments, which name no datasource (`SegmentDescriptor`)
fn minor_compaction(input: &Object<'_>) -> Result<(), TaskSpecError> {
    input.only("type interval segments")?;
    for (position, segment) in input.list("segments")?.into_iter().enumerate() {
        let path = format!("{}.segments[{position}]", input.path);
        object_at(&path, segment)?.only("itvl ver part")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::druid::ResourceAction;
    use crate::resource_actions::rules::{InputSources, Lookups, TaskInputs};

    fn needs_under(task: &str, rules: &Rules) -> Result<Vec<String>, TaskSpecError> {
        let judged = judge(task.as_bytes(), 64, rules)?;
        Ok(judged.needs.resource_actions().into_iter().map(ResourceAction::sentence).collect())
    }

    fn needs(task: &str) -> Result<Vec<String>, TaskSpecError> {
        needs_under(task, &Rules::default())
    }

    fn ingest(source: &str) -> String {
        format!(
            r#"{{"type":"index_parallel","spec":{{"dataSchema":{{"dataSource":"a","timestampSpec":{{}}}},
            "ioConfig":{{"type":"index_parallel","inputSource":{source},"inputFormat":{{"type":"json"}}}}}}}}"#
        )
    }

    #[test]
    fn an_ingestion_needs_write_on_its_datasource_and_what_its_input_source_asks() {
        for (source, expected) in [
            (r#"{"type":"inline","data":"x"}"#, vec!["READ EXTERNAL EXTERNAL", "WRITE DATASOURCE a"]),
            (
                r#"{"type":"druid","dataSource":"b","interval":"1/2"}"#,
                vec!["READ DATASOURCE b", "WRITE DATASOURCE a"],
            ),
            (
                r#"{"type":"combining","delegates":[{"type":"druid","dataSource":"b"},{"type":"local","files":[]}]}"#,
                vec!["READ DATASOURCE b", "READ EXTERNAL EXTERNAL", "WRITE DATASOURCE a"],
            ),
        ] {
            assert_eq!(needs(&ingest(source)).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn input_sources_are_named_by_type_or_not_asked_for_where_the_rules_say_so() {
        let http = ingest(r#"{"type":"http","uris":[]}"#);
        let by_type = Rules { input_sources: InputSources::ByType, ..Rules::default() };
        assert_eq!(needs_under(&http, &by_type).unwrap(), ["READ EXTERNAL http", "WRITE DATASOURCE a"]);
        let as_druid = Rules { task_inputs: TaskInputs::Druid, ..Rules::default() };
        assert_eq!(needs_under(&http, &as_druid).unwrap(), ["WRITE DATASOURCE a"]);
    }

    #[test]
    fn a_format_that_reads_files_of_its_own_needs_external_whatever_the_source() {
        let druid = ingest(r#"{"type":"druid","dataSource":"b","interval":"1/2"}"#);
        assert_eq!(needs(&druid).unwrap(), ["READ DATASOURCE b", "WRITE DATASOURCE a"]);
        let http = ingest(r#"{"type":"http","uris":[]}"#);
        let by_type = Rules { input_sources: InputSources::ByType, ..Rules::default() };
        for format in [
            r#"{"type":"protobuf","protoBytesDecoder":{"type":"file","descriptor":"file:///etc/passwd"}}"#,
            r#"{"type":"avro_stream","avroBytesDecoder":{"type":"schema_registry","url":"http://inner"}}"#,
            r#"{"type":"kafka","valueFormat":{"type":"protobuf"}}"#,
        ] {
            let with = |task: &str| task.replace(r#"{"type":"json"}"#, format);
            let external = "READ EXTERNAL EXTERNAL";
            assert_eq!(
                needs(&with(&druid)).unwrap(),
                ["READ DATASOURCE b", external, "WRITE DATASOURCE a"],
                "{format}"
            );
            assert_eq!(
                needs_under(&with(&http), &by_type).unwrap(),
                [external, "READ EXTERNAL http", "WRITE DATASOURCE a"],
                "{format}"
            );
        }
    }

    #[test]
    fn where_lookups_are_granted_a_task_uses_none() {
        let granted = Rules { lookups: Lookups::Granted, ..Rules::default() };
        let with = |spec: &str| {
            ingest(r#"{"type":"inline","data":"lookup(a, 'l')"}"#)
                .replace(r#""timestampSpec":{}"#, &format!(r#""transformSpec":{spec}"#))
        };
        for spec in [
            r#"{"transforms":[{"type":"expression","name":"x","expression":"LookUp (a, 'l')"}]}"#,
            r#"{"filter":{"type":"selector","extractionFn":{"type":"registeredLookup","lookup":"l"}}}"#,
            r#"{"filter":{"type":"selector","extractionFn":{"type":"\u0072egisteredLookup","lookup":"l"}}}"#,
        ] {
            assert!(needs_under(&with(spec), &granted).is_err(), "{spec}");
            assert!(needs(&with(spec)).is_ok(), "{spec}");
        }
        let plain =
            r#"{"transforms":[{"type":"expression","name":"lookup","expression":"lower(lookup_code)"}]}"#;
        assert!(needs_under(&with(plain), &granted).is_ok());
        let compact = r#"{"type":"compact","dataSource":"a","interval":"1/2","transformSpec":{"filter":{"type":"expression","expression":"lookup(a,'l')"}}}"#;
        assert!(needs_under(compact, &granted).is_err());
    }

    #[test]
    fn compact_and_kill_need_write_on_their_datasource() {
        for task in [
            r#"{"type":"compact","dataSource":"a","interval":"1/2"}"#,
            r#"{"type":"compact","dataSource":"a","ioConfig":{"type":"compact","inputSpec":{"type":"interval","interval":"1/2"}}}"#,
            r#"{"type":"kill","dataSource":"a","interval":"1/2","context":{"priority":1}}"#,
        ] {
            assert_eq!(needs(task).unwrap(), ["WRITE DATASOURCE a"], "{task}");
        }
    }

    #[test]
    fn a_firehose_is_refused_with_a_word_and_so_are_parts_of_tasks() {
        let index = ingest(r#"{"type":"inline","data":"x"}"#);
        assert!(needs(&index).is_ok());
        let message = needs(&index.replace("inputSource", "firehose")).unwrap_err().to_string();
        assert!(message.contains("`spec.ioConfig.firehose` is a firehose"), "{message}");
        for (kind, word) in [
            ("index_realtime", "post a supervisor"),
            ("partial_index_generic_merge", "posts its own parts"),
            ("query_worker", "its controller posts it"),
            ("unknown", "index_hadoop"),
        ] {
            let message = needs(&format!(r#"{{"type":"{kind}"}}"#)).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn what_later_druids_know_of_the_tasks_own_datasource_is_understood() {
        let compact = |members: &str| format!(r#"{{"type":"compact","dataSource":"a",{members}}}"#);
        let minor = |segment: &str| {
            let spec = format!(r#"{{"type":"minor","interval":"1/2","segments":[{segment}]}}"#);
            compact(&format!(r#""ioConfig":{{"type":"compact","inputSpec":{spec}}}"#))
        };
        for task in [
            r#"{"type":"kill","dataSource":"a","interval":"1/2","context":{"useConcurrentLocks":true}}"#
                .to_owned(),
            compact(
                r#""interval":"1/2","projections":[],"baseTable":{},"context":{"subTaskTimeoutMillis":1}"#,
            ),
            compact(r#""interval":"1/2","resource":{"availabilityGroup":"g","requiredCapacity":1}"#),
            minor(r#"{"itvl":"1/2","ver":"v","part":0}"#),
        ] {
            assert_eq!(needs(&task).unwrap(), ["WRITE DATASOURCE a"], "{task}");
        }
        let inline = ingest(r#"{"type":"inline","data":"x"}"#);
        for (from, to) in [
            (r#""timestampSpec":{}"#, r#""segmentGranularitySpec":{},"baseTable":{},"projections":[]"#),
            (r#""spec""#, r#""resource":{"requiredCapacity":1},"spec""#),
            (r#""spec""#, r#""context":{"useConcurrentLocks":true},"spec""#),
        ] {
            let task = inline.replace(from, to);
            assert_eq!(needs(&task).unwrap(), ["READ EXTERNAL EXTERNAL", "WRITE DATASOURCE a"], "{task}");
        }
        for task in [
            minor(r#"{"itvl":"1/2","ver":"v","part":0,"dataSource":"b"}"#),
            minor(r#""b_1_2_v""#),
            compact(r#""interval":"1/2","baseTable":[]"#),
            compact(r#""interval":"1/2","resource":{"availabilityGroup":"g","dataSource":"b"}"#),
            inline.replace(r#""spec""#, r#""groupId":"g","spec""#),
        ] {
            assert!(needs(&task).is_err(), "{task}");
        }
    }

    #[test]
    fn iceberg_and_oss_are_external_and_so_is_the_warehouse() {
        let by_type = Rules { input_sources: InputSources::ByType, ..Rules::default() };
        let oss = ingest(r#"{"type":"oss","uris":[],"properties":{}}"#);
        assert_eq!(needs(&oss).unwrap(), ["READ EXTERNAL EXTERNAL", "WRITE DATASOURCE a"]);
        assert_eq!(needs_under(&oss, &by_type).unwrap(), ["READ EXTERNAL oss", "WRITE DATASOURCE a"]);
        let iceberg = |warehouse: &str| {
            ingest(&format!(
                r#"{{"type":"iceberg","tableName":"t","namespace":"n","icebergCatalog":{{"type":"rest"}},"warehouseSource":{warehouse}}}"#
            ))
        };
        let s3 = iceberg(r#"{"type":"s3","endpointConfig":{}}"#);
        assert_eq!(needs(&s3).unwrap(), ["READ EXTERNAL EXTERNAL", "WRITE DATASOURCE a"]);
        let both = ["READ EXTERNAL iceberg", "READ EXTERNAL s3", "WRITE DATASOURCE a"];
        assert_eq!(needs_under(&s3, &by_type).unwrap(), both);
        let as_druid = Rules { task_inputs: TaskInputs::Druid, ..Rules::default() };
        assert_eq!(needs_under(&s3, &as_druid).unwrap(), ["WRITE DATASOURCE a"]);
        for warehouse in [
            "null",
            "\"s3\"",
            r#"{"type":"druid","dataSource":"b"}"#,
            r#"{"type":"druid"}"#,
            r#"{"type":"s3","uris":[]}"#,
        ] {
            assert!(needs(&iceberg(warehouse)).is_err(), "{warehouse}");
        }
    }

    #[test]
    fn every_other_type_is_refused() {
        for kind in [
            "query_controller",
            "query_worker",
            "partial_index_generate",
            "single_phase_sub_task",
            "index_realtime",
            "INDEX",
        ] {
            let task = format!(r#"{{"type":"{kind}","dataSource":"a","interval":"1/2"}}"#);
            assert_eq!(needs(&task), Err(TaskSpecError::Type { kind: kind.into() }));
        }
    }

    #[test]
    fn context_keys_are_an_allow_list() {
        let with = |key: &str| {
            format!(r#"{{"type":"kill","dataSource":"a","interval":"1/2","context":{{"{key}":"x"}}}}"#)
        };
        assert_eq!(needs(&with("priority")).unwrap(), ["WRITE DATASOURCE a"]);
        for key in [
            "forceTimeChunkLock",
            "taskLockType",
            "useLineageBasedSegmentAllocation",
            "msqGateOwner",
            "__user",
        ] {
            assert_eq!(needs(&with(key)), Err(TaskSpecError::ContextKey { key: key.into() }));
        }
        for key in [
            "druid.indexer.runner.javaOpts",
            "druid.indexer.runner.javaOptsArray",
            "druid.indexer.fork.property.x",
        ] {
            assert_eq!(needs(&with(key)).unwrap(), ["WRITE CONFIG CONFIG", "WRITE DATASOURCE a"], "{key}");
        }
    }

    #[test]
    fn whatever_a_second_reader_could_take_otherwise_is_refused() {
        for task in [
            r#"["kill",{"dataSource":"a","interval":"1/2"}]"#.to_owned(),
            r#"{"type":"kill","type":"noop","dataSource":"a"}"#.to_owned(),
            r#"{"type":"kill","ty\u0070e":"noop","dataSource":"a"}"#.to_owned(),
            r#"{"type":["kill"],"dataSource":"a"}"#.to_owned(),
            r#"{"type":"kill","dataSource":1}"#.to_owned(),
            r#"{"type":"kill"}"#.to_owned(),
            r#"{"dataSource":"a"}"#.to_owned(),
            r#"{"type":"kill","dataSource":"a","dataSchema":{"dataSource":"b"}}"#.to_owned(),
            ingest(r#"["inline",{"data":"x"}]"#),
            ingest(r#"{"type":"inline","data":"x","uris":[]}"#),
            ingest(r#"{"type":"combining","delegates":[["local",{}]]}"#),
            ingest(r#"{"type":"combining","delegates":{"type":"local"}}"#),
            ingest(r#"{"type":"druid"}"#),
            ingest(
                r#"{"type":"druid","dataSource":"b","segments":[{"segmentId":"c_1_2_3","intervals":["1/2"]}]}"#,
            ),
            ingest(r#"{"type":"generator","numRows":1}"#),
            ingest(r#"{"type":"inline","":{}}"#),
            ingest(r#"{"type":"inline"}"#).replace("\"inputFormat\"", "\"firehose\""),
            ingest(r#"{"type":"inline"}"#).replace("\"spec\"", "\"dataSource\":\"b\",\"spec\""),
            ingest(r#"{"type":"inline"}"#)
                .replace(r#""type":"index_parallel","inputSource""#, r#""type":"compact","inputSource""#),
        ] {
            assert!(needs(&task).is_err(), "{task}");
        }
    }
}
