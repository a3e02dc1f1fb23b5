//! Tasks and supervisors that read a stream (`SeekableStreamIndexTask`, `SeekableStreamSupervisorSpec`)

use std::collections::BTreeSet;

use super::needed::Needed;
use super::rules::{Rules, TaskInputs};
use super::task_error::TaskSpecError;
use super::task_input::input_format;
use super::task_members::{DATA_SCHEMA_MEMBERS, STREAM_IO_MEMBERS, STREAM_TASK_IO_MEMBERS};
use super::task_object::Object;
use super::task_parts::{JudgedTask, check_context, check_resource, write_datasource};
use crate::druid::{Reach, ResourceAction};

/// The types of streams
pub(super) const STREAMS: [&str; 3] = ["kafka", "kinesis", "rabbit"];

/// The tasks that read them, as their supervisors post them
pub(super) const STREAM_TASKS: [(&str, &str); 3] =
    [("index_kafka", "kafka"), ("index_kinesis", "kinesis"), ("index_rabbit", "rabbit")];

/// Such a task: what it reads, and its own datasource
///
/// It may name no supervisor: under that id Druid keeps the offsets up to which a datasource has read, whosever it is.
pub(super) fn task(
    task: &Object<'_>,
    kind: &'static str,
    rules: &Rules,
) -> Result<JudgedTask, TaskSpecError> {
    let stream = STREAM_TASKS.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, stream)| *stream);
    task.only("type id resource dataSchema tuningConfig ioConfig context")?;
    task.check_id()?;
    check_resource(task)?;
    if let Some(tuning) = task.optional("tuningConfig") {
        tuning.object()?;
    }
    let schema = task.member("dataSchema")?.object()?;
    schema.only(DATA_SCHEMA_MEMBERS)?;
    let mut needs = BTreeSet::from([write_datasource(schema.text("dataSource")?)]);
    check_context(task, &mut needs)?;
    let io = task.member("ioConfig")?.object()?;
    io.only(STREAM_TASK_IO_MEMBERS)?;
    io.is_of_type(stream)?;
    reads(&io, stream, rules, &mut needs)?;
    Ok(JudgedTask::new(kind, Needed::after_reading_everything(needs)))
}

/// The input of a supervisor
pub(super) fn supervised(
    io: &Object<'_>,
    kind: &'static str,
    rules: &Rules,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    io.only(STREAM_IO_MEMBERS)?;
    io.is_of_type(kind)?;
    reads(io, kind, rules, needs)
}

/// A stream lies outside Druid, at the place that its configuration names
fn reads(
    io: &Object<'_>,
    kind: &'static str,
    rules: &Rules,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    if let Some(format) = io.optional("inputFormat") {
        needs.extend(input_format(&format.object()?, rules)?);
    }
    match rules.task_inputs {
        TaskInputs::External => needs.extend([rules.read_external(kind).reaching(Reach::Nowhere)]),
        TaskInputs::Druid => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::ingestion::judge;
    use super::*;
    use crate::resource_actions::rules::InputSources;

    fn needs(task: &str, rules: &Rules) -> Result<String, TaskSpecError> {
        Ok(judge(task.as_bytes(), 64, rules)?.needs.sentences().join(", "))
    }

    const KAFKA: &str = r#"{"type":"index_kafka","id":"t","resource":{"availabilityGroup":"g"},"dataSchema":{"dataSource":"a"},
        "tuningConfig":{"type":"KafkaTuningConfig"},"ioConfig":{"type":"kafka","taskGroupId":0,"baseSequenceName":"s",
        "startSequenceNumbers":{"type":"start","stream":"x"},"endSequenceNumbers":{"type":"end","stream":"x"},
        "consumerProperties":{"bootstrap.servers":"k:1"},"useTransaction":true,"inputFormat":{"type":"json"}},"context":{"priority":1}}"#;

    #[test]
    fn a_task_that_reads_a_stream_needs_what_its_supervisor_needs() {
        let rules = Rules::default();
        let by_type = Rules { input_sources: InputSources::ByType, ..Rules::default() };
        for (kind, stream) in STREAM_TASKS {
            let task = KAFKA.replace("index_kafka", kind).replace(r#""kafka""#, &format!("\"{stream}\""));
            assert_eq!(needs(&task, &rules).unwrap(), "READ EXTERNAL EXTERNAL, WRITE DATASOURCE a", "{kind}");
            assert_eq!(
                needs(&task, &by_type).unwrap(),
                format!("READ EXTERNAL {stream}, WRITE DATASOURCE a"),
                "{kind}"
            );
        }
    }

    #[test]
    fn what_of_it_is_not_known_refuses_it() {
        let rules = Rules::default();
        assert!(needs(KAFKA, &rules).is_ok());
        for (from, to) in [
            ("taskGroupId", "unknown"),
            (r#""type":"kafka""#, r#""type":"kinesis""#),
            (r#""dataSource":"a""#, r#""dataSource":"a","parser":{}"#),
            (r#""id":"t""#, r#""id":["t"]"#),
            (r#""id":"t""#, r#""dataSource":"b""#),
            (r#""id":"t""#, r#""supervisorId":"a""#),
            (r#""priority""#, r#""__user""#),
        ] {
            assert!(needs(&KAFKA.replace(from, to), &rules).is_err(), "{to}");
        }
    }
}
