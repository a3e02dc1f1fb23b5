//! Supervisors that run a statement on a schedule (`ScheduledBatchSupervisorSpec`, since Druid 33)
//!
//! Druid asks WRITE on the datasource that the body names beside the statement, which may be another than the
//! statement writes, and runs it as its system user. Here it needs what the statement needs when it is submitted.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::PostedStatement;
use super::needed::Needed;
use super::query_context;
use super::rules::Rules;
use super::sql::StatementKind;
use super::task_error::TaskSpecError;
use super::task_object::object_at;
use crate::druid::json::{self, JsonLimits};

/// What of the body tells whether it is such a supervisor
#[derive(Deserialize)]
struct Typed<'a> {
    r#type: String,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

/// The statement that a posted supervisor would run on a schedule, as it would be submitted; `None` where it is another
/// supervisor
pub fn statement(body: &[u8]) -> Option<&[u8]> {
    // Whatever is wrong with a body of another type, or with one that is no JSON, is told by who reads it whole.
    let Typed { r#type, spec } = serde_json::from_slice(body).ok()?;
    spec.filter(|_| r#type == "scheduled_batch").map(|spec| spec.get().as_bytes())
}

/// What such a supervisor needs, its statement judged
///
/// # Errors
///
/// Where it is not sent as it is judged, writes no datasource, or names another than it writes.
pub(super) fn needs(
    body: &[u8],
    json: JsonLimits,
    PostedStatement { submit, judged }: &PostedStatement,
    rules: &Rules,
) -> Result<Needed, TaskSpecError> {
    if !judged.is_of(submit) {
        return Err(TaskSpecError::UnknownMember("spec".to_owned()));
    }
    let value = json::parse(body, json)?;
    let supervisor = object_at("", &value)?;
    supervisor.only("type id spec schedulerConfig dataSource suspended")?;
    supervisor.check_id()?;
    let judgement = judged.judgement();
    // The body goes out as it came, so the statement in it has to be what was judged, byte for byte.
    if judgement.forwarded != submit.query {
        return Err(supervisor.shape("spec.query", "without comments and prefixed literals here"));
    }
    let target = match (&judgement.kind, &judgement.target) {
        (StatementKind::Insert | StatementKind::Replace, Some(target)) => target,
        _ => return Err(supervisor.shape("spec.query", "an INSERT or REPLACE into a datasource")),
    };
    if supervisor.optional("dataSource").is_some() && supervisor.text("dataSource")? != target {
        return Err(supervisor.shape("dataSource", "the datasource that the statement writes"));
    }
    Ok(judgement.needs.clone().and(query_context::resource_actions(&submit.context_keys, rules)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::judged_statement::JudgedStatement;
    use super::super::sql::SqlLimits;
    use super::super::submit::Submit;
    use super::*;

    fn needed(body: &str) -> Option<String> {
        let rules = Rules::default();
        let json = JsonLimits::from(64);
        let submit = Submit::read(statement(body.as_bytes())?, json).ok()?;
        let judged = JudgedStatement::judge(
            submit.query.clone(),
            submit.parameters.clone(),
            &rules,
            &SqlLimits::default(),
        );
        let statement = PostedStatement { submit: Box::new(submit), judged: Arc::new(judged.ok()?) };
        let needs = needs(body.as_bytes(), json, &statement, &rules).ok()?;
        Some(needs.resource_actions().iter().map(|need| need.sentence()).collect::<Vec<_>>().join(", "))
    }

    const GOOD: &str = r#"{"type":"scheduled_batch","schedulerConfig":{"type":"quartz","schedule":"0 0 * * * ?"},"spec":{"query":"INSERT INTO a SELECT * FROM b PARTITIONED BY ALL","context":{"maxNumTasks":2}},"dataSource":"a"}"#;

    #[test]
    fn it_needs_what_its_statement_needs_whatever_datasource_stands_beside_it() {
        let needs = "READ DATASOURCE b, WRITE DATASOURCE a";
        assert_eq!(needed(GOOD).as_deref(), Some(needs));
        assert_eq!(needed(&GOOD.replace(r#","dataSource":"a""#, "")).as_deref(), Some(needs));
        for (from, to) in [
            (r#""dataSource":"a""#, r#""dataSource":"mine""#),
            (r#""dataSource":"a""#, r#""dataSource":["a"]"#),
            (r#""dataSource":"a""#, r#""owner":"x""#),
            ("INSERT INTO a", "INSERT /* x */ INTO a"),
            ("INSERT INTO a SELECT * FROM b PARTITIONED BY ALL", "SELECT * FROM b"),
            ("maxNumTasks", "__user"),
            (r#""type":"scheduled_batch""#, r#""type":"scheduled_batch","type":"kafka""#),
        ] {
            assert_eq!(needed(&GOOD.replace(from, to)), None, "{to}");
        }
    }
}
