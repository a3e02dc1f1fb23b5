//! Supervisors posted to the Overlord, and samples of what they would read (`SupervisorResource`, `SamplerResource`)
//!
//! Druid asks WRITE on the datasources that the specification names, and nothing of what it reads. As with posted
//! tasks, each member is on a list, and what is not is refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::jvm;
use super::needed::Needed;
use super::rules::{Rules, TaskInputs};
use super::task_error::TaskSpecError;
use super::task_input::{input_format, input_source};
use super::task_members::DATA_SCHEMA_MEMBERS;
use super::task_object::{Object, object_at};
use super::task_parts::{JudgedTask, check_context, check_context_keys, read_body, write_datasource};
use super::task_stream::{STREAMS, supervised};
use crate::druid::json::JsonLimits;
use crate::druid::{Action, ResourceAction, ResourceType};

/// Reads a posted supervisor
///
/// # Errors
///
/// Where it cannot be read in one way only, or is not understood to the last member that matters.
pub fn judge(body: &[u8], limits: impl Into<JsonLimits>, rules: &Rules) -> Result<JudgedTask, TaskSpecError> {
    let value = read_body(body, limits, rules)?;
    let supervisor = object_at("", &value)?;
    supervisor.check_id()?;
    let kind = supervisor.text("type")?;
    if let Some(stream) = STREAMS.into_iter().find(|stream| *stream == kind) {
        return of_stream(&supervisor, stream, rules);
    }
    match kind {
        "autocompact" => of_compaction(&supervisor, &value),
        "NoopSupervisorSpec" => of_nothing(&supervisor),
        // With a statement in it, it is judged by that.
        "scheduled_batch" => Err(supervisor.shape("spec", "an object with a statement in `query`")),
        other => Err(TaskSpecError::Supervisor { kind: other.to_owned() }),
    }
}

/// `KafkaSupervisorSpec` and its like; their `spec` would win over what stands beside it, so only one may stand
fn of_stream(
    supervisor: &Object<'_>,
    kind: &'static str,
    rules: &Rules,
) -> Result<JudgedTask, TaskSpecError> {
    let spec = match supervisor.optional("spec") {
        Some(spec) => {
            supervisor.only("type id spec suspended context")?;
            let spec = spec.object()?;
            spec.only("dataSchema ioConfig tuningConfig")?;
            spec
        }
        None => {
            supervisor.only("type id dataSchema ioConfig tuningConfig suspended context")?;
            supervisor.beside()
        }
    };
    let mut needs = BTreeSet::new();
    check_context(supervisor, &mut needs)?;
    if let Some(tuning) = spec.optional("tuningConfig") {
        tuning.object()?.is_of_type(kind)?;
    }
    let schema = spec.member("dataSchema")?.object()?;
    schema.only(DATA_SCHEMA_MEMBERS)?;
    needs.insert(write_datasource(schema.text("dataSource")?));
    supervised(&spec.member("ioConfig")?.object()?, kind, rules, &mut needs)?;
    Ok(JudgedTask::new(kind, Needed::after_reading_everything(needs)))
}

/// `CompactionSupervisorSpec`: what it compacts is its own datasource
fn of_compaction(supervisor: &Object<'_>, body: &Value) -> Result<JudgedTask, TaskSpecError> {
    supervisor.only("type id spec suspended")?;
    let spec = supervisor.member("spec")?.object()?;
    let mut needs = BTreeSet::from([write_datasource(spec.text("dataSource")?)]);
    if let Some(context) = spec.optional("taskContext") {
        check_context_keys(&context.object()?, &mut needs)?;
    }
    needs.extend(jvm::needs_within(body));
    Ok(JudgedTask::new("autocompact", Needed::after_reading_everything(needs)))
}

/// `NoopSupervisorSpec`, which does nothing, and keeps the place of one that was ended
fn of_nothing(supervisor: &Object<'_>) -> Result<JudgedTask, TaskSpecError> {
    supervisor.only("type id dataSources suspended")?;
    let one = "a list of datasources, with one at least";
    let name = |value: &Value| value.as_str().filter(|name| !name.is_empty()).map(write_datasource);
    let needs: Option<BTreeSet<_>> = supervisor.list("dataSources")?.into_iter().map(name).collect();
    let needs =
        needs.filter(|needs| !needs.is_empty()).ok_or_else(|| supervisor.shape("dataSources", one))?;
    Ok(JudgedTask::new("NoopSupervisorSpec", Needed::after_reading_everything(needs)))
}

/// Reads what is to be sampled: the specification of a task or a supervisor, of which only its input is read
///
/// # Errors
///
/// Where it cannot be read in one way only, or its input is not understood.
pub(super) fn judge_sample(
    body: &[u8],
    limits: impl Into<JsonLimits>,
    rules: &Rules,
) -> Result<JudgedTask, TaskSpecError> {
    let value = read_body(body, limits, rules)?;
    let sample = object_at("", &value)?;
    let kind = sample.text("type")?;
    let known = ["index", "index_parallel"].into_iter().chain(STREAMS).find(|known| *known == kind);
    let kind = known.ok_or_else(|| TaskSpecError::Sample { kind: kind.to_owned() })?;
    sample.only("type spec samplerConfig")?;
    let spec = sample.member("spec")?.object()?;
    spec.only("type dataSchema ioConfig tuningConfig")?;
    if let Some(schema) = spec.optional("dataSchema") {
        schema.object()?.only(DATA_SCHEMA_MEMBERS)?;
    }
    let io = spec.member("ioConfig")?.object()?;
    let mut needs = BTreeSet::new();
    if STREAMS.contains(&kind) {
        supervised(&io, kind, rules, &mut needs)?;
    } else {
        io.only("type inputSource inputFormat appendToExisting dropExisting")?;
        if let Some(format) = io.optional("inputFormat") {
            needs.extend(input_format(&format.object()?, rules)?);
        }
        input_source(&io.member("inputSource")?.object()?, rules, &mut needs)?;
    }
    match rules.task_inputs {
        TaskInputs::External => {}
        // Nothing of what is read, but the state, as Druid.
        TaskInputs::Druid => {
            needs.insert(ResourceAction::new(Action::Write, ResourceType::State, "tasks"));
        }
    }
    Ok(JudgedTask::new(kind, Needed::after_reading_everything(needs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Judge = fn(&[u8], usize, &Rules) -> Result<JudgedTask, TaskSpecError>;

    fn needs(judge: Judge, body: &str, rules: &Rules) -> Result<String, TaskSpecError> {
        let judged = judge(body.as_bytes(), 64, rules)?;
        let sentences: Vec<_> = judged.needs.resource_actions().iter().map(|need| need.sentence()).collect();
        Ok(sentences.join(", "))
    }

    const PARTS: &str = r#""dataSchema":{"dataSource":"a"},"ioConfig":{"topic":"t","inputFormat":{"type":"json"},"consumerProperties":{"bootstrap.servers":"k:1"}},"tuningConfig":{"type":"kafka"}"#;

    #[test]
    fn a_stream_needs_write_on_its_datasource_and_to_read_outside() {
        let rules = Rules::default();
        for body in [
            format!(r#"{{"type":"kafka","spec":{{{PARTS}}}}}"#),
            format!(r#"{{"type":"kafka",{PARTS},"suspended":true}}"#),
        ] {
            assert_eq!(needs(judge, &body, &rules).unwrap(), "READ EXTERNAL EXTERNAL, WRITE DATASOURCE a");
            let as_druid = Rules { task_inputs: TaskInputs::Druid, ..Rules::default() };
            assert_eq!(needs(judge, &body, &as_druid).unwrap(), "WRITE DATASOURCE a");
        }
    }

    #[test]
    fn what_could_name_another_datasource_or_is_not_known_is_refused() {
        let rules = Rules::default();
        let good = format!(r#"{{"type":"kafka","spec":{{{PARTS}}}}}"#);
        assert!(needs(judge, &good, &rules).is_ok());
        for body in [
            format!(r#"{{"type":"kafka","spec":{{{PARTS}}},"dataSchema":{{"dataSource":"b"}}}}"#),
            good.replace("\"topic\"", "\"unknown\""),
            good.replace(r#""dataSource":"a""#, r#""dataSource":["a"]"#),
            good.replace("kafka", "NoopSupervisorSpec"),
            format!("[{good}]"),
            good.replace(r#""spec""#, r#""id":7,"spec""#),
            good.replace(r#""spec""#, r#""id":"a/b","spec""#),
            good.replace(r#""spec""#, r#""id":["a"],"spec""#),
        ] {
            assert!(needs(judge, &body, &rules).is_err(), "{body}");
        }
    }

    #[test]
    fn compaction_needs_write_and_keys_that_reach_the_jvm_the_configuration() {
        let rules = Rules::default();
        let with = |context: &str| {
            format!(
                r#"{{"type":"autocompact","spec":{{"dataSource":"a","engine":"msq","taskContext":{context}}}}}"#
            )
        };
        assert_eq!(needs(judge, &with("{}"), &rules).unwrap(), "WRITE DATASOURCE a");
        assert_eq!(
            needs(judge, &with(r#"{"druid.indexer.fork.property.x":"y"}"#), &rules).unwrap(),
            "WRITE CONFIG CONFIG, WRITE DATASOURCE a"
        );
        assert!(needs(judge, &with(r#"{"unknown":1}"#), &rules).is_err());
        let within = with("{}").replace(
            r#""engine":"msq""#,
            r#""rules":[{"taskContext":{"druid.indexer.runner.javaOpts":"x"}}]"#,
        );
        assert_eq!(needs(judge, &within, &rules).unwrap(), "WRITE CONFIG CONFIG, WRITE DATASOURCE a");
    }

    #[test]
    fn what_keeps_the_place_of_an_ended_supervisor_needs_write_on_every_datasource_of_it() {
        let of = |datasources: &str| {
            format!(r#"{{"type":"NoopSupervisorSpec","id":"x","dataSources":{datasources}}}"#)
        };
        let rules = Rules::default();
        assert_eq!(
            needs(judge, &of(r#"["a","b"]"#), &rules).unwrap(),
            "WRITE DATASOURCE a, WRITE DATASOURCE b"
        );
        for none in ["[]", "null", "7", r#""a""#, r#"["a",7]"#, r#"[""]"#] {
            assert!(needs(judge, &of(none), &rules).is_err(), "{none}");
        }
    }

    #[test]
    fn a_sample_needs_what_it_reads_and_nothing_of_where_it_would_write() {
        let rules = Rules::default();
        let of = |source: &str| {
            format!(
                r#"{{"type":"index_parallel","spec":{{"dataSchema":{{"dataSource":"sample"}},"ioConfig":{{"type":"index_parallel","inputSource":{source},"inputFormat":{{"type":"json"}}}}}},"samplerConfig":{{"numRows":500}}}}"#
            )
        };
        assert_eq!(
            needs(judge_sample, &of(r#"{"type":"inline","data":"x"}"#), &rules).unwrap(),
            "READ EXTERNAL EXTERNAL"
        );
        assert_eq!(
            needs(judge_sample, &of(r#"{"type":"druid","dataSource":"b","interval":"1/2"}"#), &rules)
                .unwrap(),
            "READ DATASOURCE b"
        );
        let stream = format!(r#"{{"type":"kafka","spec":{{"type":"kafka",{PARTS}}}}}"#);
        assert_eq!(needs(judge_sample, &stream, &rules).unwrap(), "READ EXTERNAL EXTERNAL");
        assert!(needs(judge_sample, &of(r#"{"type":"zzz"}"#), &rules).is_err());
        assert!(
            needs(
                judge_sample,
                &of(r#"{"type":"inline","data":"x"}"#).replace("index_parallel", "compact"),
                &rules
            )
            .is_err()
        );
    }
}
