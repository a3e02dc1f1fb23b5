//! Ingestion by Hadoop, which Druid has until 36 (`HadoopIndexTask`, `HadoopIOConfig`, `PathSpec`)
//!
//! Its job takes properties, jars and class names, by which it does whatever the server may; whoever sets one has to
//! hold the configuration of the cluster.

use std::collections::BTreeSet;

use super::jvm;
use super::needed::Needed;
use super::reach;
use super::rules::{Rules, TaskInputs};
use super::task_error::TaskSpecError;
use super::task_members::{DATA_SCHEMA_MEMBERS, HADOOP_TUNING_MEMBERS};
use super::task_object::{Object, object_at};
use super::task_parts::{JudgedTask, check_context, write_datasource};
use crate::druid::{Reach, ResourceAction, ResourceType};

/// The name under which its input goes where input goes by type
const KIND: &str = "hdfs";

/// Members by which a job loads code, or writes elsewhere than it should
const OF_THE_CLUSTER: [&str; 6] = [
    "hadoopCoordinates",
    "hadoopDependencyCoordinates",
    "classpathPrefix",
    "jobProperties",
    "workingPath",
    "inputFormat",
];

/// Reads such a task
pub(super) fn task(task: &Object<'_>, rules: &Rules) -> Result<JudgedTask, TaskSpecError> {
    task.only("type id spec hadoopCoordinates hadoopDependencyCoordinates classpathPrefix context")?;
    task.check_id()?;
    let spec = task.member("spec")?.object()?;
    spec.only("dataSchema ioConfig tuningConfig")?;
    let schema = spec.member("dataSchema")?.object()?;
    schema.only(&format!("{DATA_SCHEMA_MEMBERS} parser"))?;
    if let Some(parser) = schema.optional("parser") {
        check_parser(&parser.object()?)?;
    }
    let mut needs = BTreeSet::from([write_datasource(schema.text("dataSource")?)]);
    check_context(task, &mut needs)?;
    asks_for_the_cluster(task, &mut needs);
    if let Some(tuning) = spec.optional("tuningConfig") {
        let tuning = tuning.object()?;
        tuning.only(HADOOP_TUNING_MEMBERS)?;
        tuning.is_of_type("hadoop")?;
        asks_for_the_cluster(&tuning, &mut needs);
    }
    let io = spec.member("ioConfig")?.object()?;
    // Not where segments and metadata go: the task knows that by itself.
    io.only("type inputSpec")?;
    io.is_of_type("hadoop")?;
    input(&io.member("inputSpec")?.object()?, rules, &mut needs)?;
    Ok(JudgedTask::new("index_hadoop", Needed::after_reading_everything(needs)))
}

/// A parser of text alone; others load schemas and jars from anywhere
fn check_parser(parser: &Object<'_>) -> Result<(), TaskSpecError> {
    parser.only("type parseSpec encoding")?;
    match parser.text("type")? {
        "hadoopyString" | "string" => Ok(()),
        _ => Err(parser.shape("type", "`hadoopyString` or `string`")),
    }
}

fn asks_for_the_cluster(object: &Object<'_>, needs: &mut BTreeSet<ResourceAction>) {
    if OF_THE_CLUSTER.iter().any(|name| object.optional(name).is_some()) {
        needs.insert(jvm::configuration());
    }
}

/// `PathSpec`: files, or segments of a datasource
fn input(
    input: &Object<'_>,
    rules: &Rules,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    match input.text("type")? {
        "static" => {
            input.only("type paths inputFormat")?;
            reads(input.text("paths")?, true, rules, needs);
        }
        "granularity" | "granular_unprocessed" => {
            input.only("type dataGranularity inputPath filePattern pathFormat inputFormat maxBuckets")?;
            let is_told = input.optional("pathFormat").is_none();
            reads(&format!("{}/", input.text("inputPath")?.trim_end_matches('/')), is_told, rules, needs);
        }
        "dataSource" => {
            input.only("type ingestionSpec maxSplitSize useNewAggs")?;
            let ingestion = input.member("ingestionSpec")?.object()?;
            // Not `segments`: they may be of any datasource.
            ingestion
                .only("dataSource intervals filter granularity dimensions metrics ignoreWhenSegments")?;
            read_datasource(ingestion.text("dataSource")?, rules, needs);
        }
        "multi" => {
            input.only("type children")?;
            let children = input.list("children")?;
            if children.is_empty() {
                return Err(input.shape("children", "a list of input specifications"));
            }
            for (position, child) in children.into_iter().enumerate() {
                self::input(
                    &object_at(&format!("{}.children[{position}]", input.path), child)?,
                    rules,
                    needs,
                )?;
            }
        }
        _ => {
            return Err(input.shape("type", "static, granularity, granular_unprocessed, dataSource or multi"));
        }
    }
    asks_for_the_cluster(input, needs);
    Ok(())
}

fn read_datasource(name: &str, rules: &Rules, needs: &mut BTreeSet<ResourceAction>) {
    match rules.task_inputs {
        TaskInputs::External => needs.extend([ResourceAction::read(ResourceType::Datasource, name)]),
        TaskInputs::Druid => {}
    }
}

fn reads(paths: &str, is_told: bool, rules: &Rules, needs: &mut BTreeSet<ResourceAction>) {
    let reaches = if is_told { reach::of_hadoop_paths(paths) } else { vec![Reach::Unknown] };
    match rules.task_inputs {
        TaskInputs::External => {
            needs.extend(reaches.into_iter().map(|reach| rules.read_external(KIND).reaching(reach)));
        }
        TaskInputs::Druid => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::ingestion::judge;
    use super::*;

    fn needs(task: &str) -> Result<String, TaskSpecError> {
        let judged = judge(task.as_bytes(), 64, &Rules::default())?;
        let places = judged.needs.sentences_of_places();
        Ok([judged.needs.sentences(), places].concat().join(", "))
    }

    fn ingest(input: &str) -> String {
        format!(
            r#"{{"type":"index_hadoop","spec":{{"dataSchema":{{"dataSource":"a","parser":{{"type":"hadoopyString","parseSpec":{{}}}}}},
            "ioConfig":{{"type":"hadoop","inputSpec":{input}}},"tuningConfig":{{"type":"hadoop","maxRowsInMemory":1}}}}}}"#
        )
    }

    const STATIC: &str = r#"{"type":"static","paths":"hdfs://nn/a,hdfs://nn/b"}"#;

    #[test]
    fn it_needs_what_its_input_reads() {
        let outside = "READ EXTERNAL EXTERNAL, WRITE DATASOURCE a";
        let static_of = |paths: &str| format!(r#"{{"type":"static","paths":"{paths}"}}"#);
        let datasource = r#"{"type":"dataSource","ingestionSpec":{"dataSource":"b","intervals":["1/2"]}}"#;
        for (input, expected) in [
            (STATIC.to_owned(), format!("{outside}, READ EXTERNAL hdfs://nn/a, READ EXTERNAL hdfs://nn/b")),
            (static_of("s3n://b/a"), outside.to_owned()),
            (static_of("/a"), outside.to_owned()),
            (
                r#"{"type":"granularity","dataGranularity":"day","inputPath":"hdfs://nn/a","filePattern":".*"}"#.to_owned(),
                format!("{outside}, READ EXTERNAL hdfs://nn/a/*"),
            ),
            (
                r#"{"type":"granularity","dataGranularity":"day","inputPath":"hdfs://nn/a","pathFormat":"'../'"}"#.to_owned(),
                outside.to_owned(),
            ),
            (datasource.to_owned(), "READ DATASOURCE b, WRITE DATASOURCE a".to_owned()),
            (
                format!(r#"{{"type":"multi","children":[{datasource},{}]}}"#, static_of("hdfs://nn/a")),
                "READ DATASOURCE b, READ EXTERNAL EXTERNAL, WRITE DATASOURCE a, READ EXTERNAL hdfs://nn/a".to_owned(),
            ),
        ] {
            assert_eq!(needs(&ingest(&input)).unwrap(), expected, "{input}");
        }
    }

    #[test]
    fn what_loads_code_or_writes_elsewhere_needs_the_configuration_of_the_cluster() {
        let task = ingest(STATIC);
        assert!(!needs(&task).unwrap().contains("CONFIG"));
        for (from, to) in [
            (r#""spec""#, r#""hadoopDependencyCoordinates":["x:y:1"],"spec""#),
            (r#""spec""#, r#""hadoopCoordinates":"x:y:1","spec""#),
            (r#""spec""#, r#""classpathPrefix":"/x","spec""#),
            (r#""maxRowsInMemory":1"#, r#""jobProperties":{"x":"y"}"#),
            (r#""maxRowsInMemory":1"#, r#""workingPath":"/x""#),
            (r#""paths""#, r#""inputFormat":"x.Y","paths""#),
        ] {
            assert!(needs(&task.replace(from, to)).unwrap().contains("WRITE CONFIG CONFIG"), "{to}");
        }
    }

    #[test]
    fn what_of_it_is_not_known_refuses_it() {
        let task = ingest(STATIC);
        assert!(needs(&task).is_ok());
        for (from, to) in [
            (r#""inputSpec""#, r#""segmentOutputPath":"/x","inputSpec""#),
            (r#""inputSpec""#, r#""metadataUpdateSpec":{},"inputSpec""#),
            (r#""inputSpec""#, r#""firehose":{},"inputSpec""#),
            ("hadoopyString", "thrift"),
            (r#""parseSpec""#, r#""jarPath":"x","parseSpec""#),
            ("maxRowsInMemory", "unknown"),
            (STATIC, r#"{"type":"unknown"}"#),
            (STATIC, r#"{"type":"multi","children":[]}"#),
            (STATIC, r#"{"type":"dataSource","ingestionSpec":{"dataSource":"b","segments":[]}}"#),
            (STATIC, r#"{"type":"static","paths":["hdfs://nn/a"]}"#),
        ] {
            assert!(task.contains(from), "{from}");
            assert!(needs(&task.replace(from, to)).is_err(), "{to}");
        }
    }
}
