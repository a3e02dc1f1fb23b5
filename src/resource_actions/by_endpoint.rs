//! What a request needs whose endpoint and names in the path say it all

use std::collections::BTreeSet;

use serde_json::Value;

use super::analysis_error::AnalysisError;
use super::jvm;
use super::listed::Listed;
use super::needed::Needed;
use super::rules::{Lookups, Rules};
use super::task_error::TaskSpecError;
use crate::druid::endpoint::{Content, Rule};
use crate::druid::json::{self, JsonLimits};
use crate::druid::task::is_stub;
use crate::druid::{Action, DruidRequest, ResourceAction, ResourceActions, ResourceType};

/// The datasource whose retention rules count for every other (`RulesResource`)
const DEFAULT_RULES: &str = "_default";

/// What it needs; none where its rule asks for more than the endpoint
pub(super) fn needs(request: &DruidRequest, rules: &Rules) -> Option<Needed> {
    let id = || request.id.clone().unwrap_or_default();
    let on_datasource = |action: Action| ResourceAction::new(action, ResourceType::Datasource, id());
    let config = |action, area| ResourceAction::new(action, ResourceType::Config, area);
    let all = |actions: Vec<ResourceAction>| Needed::after_reading_everything(actions.into_iter().collect());
    Some(match request.endpoint.rule {
        Rule::Health | Rule::Anybody => Needed::Authenticated,
        Rule::Fixed(action, kind, name) => {
            Needed::All(ResourceActions::only(ResourceAction::new(action, kind, name)))
        }
        Rule::Datasource(actions) => {
            // What is done to a stub is done to the tasks of everybody (`shutdownAllTasks`).
            let is_of_everybody = is_stub(&id()) && actions.contains(&Action::Write);
            let state =
                is_of_everybody.then(|| ResourceAction::new(Action::Write, ResourceType::State, "tasks"));
            all(actions.iter().map(|action| on_datasource(*action)).chain(state).collect())
        }
        Rule::Retention(Action::Write) if id() == DEFAULT_RULES => {
            all(vec![on_datasource(Action::Write), config(Action::Write, "coordinator")])
        }
        Rule::Retention(action) => all(vec![on_datasource(action)]),
        Rule::Lookup(action) => {
            let granted = (rules.lookups == Lookups::Granted)
                .then(|| ResourceAction::new(action, ResourceType::Lookup, id()));
            all([config(action, "lookups")].into_iter().chain(granted).collect())
        }
        // Druid asks for the datasource of the parameter, and of each row for its own.
        Rule::Rows(_) | Rule::RowsUnless(..) => {
            all(request.datasource.iter().map(|name| Listed::of_datasource(name)).collect())
        }
        Rule::Statement(_)
        | Rule::NativeQuery(_)
        | Rule::TaskSpec
        | Rule::SupervisorSpec
        | Rule::Sampler
        | Rule::Task(_)
        | Rule::StatementOf(_)
        | Rule::RunningQuery(_)
        | Rule::Supervisor(_)
        | Rule::Closed(_) => return None,
    })
}

/// What a body asks besides; it has one reading, and names no other datasource than the path
pub(super) fn needs_of_body(
    request: &DruidRequest,
    limits: impl Into<JsonLimits>,
) -> Result<BTreeSet<ResourceAction>, AnalysisError> {
    match request.endpoint.content {
        Content::Json => {
            parse(request, limits)?;
        }
        Content::OfDatasource => {
            check_datasource(request, &parse(request, limits)?)?;
        }
        Content::Compaction => {
            let body = parse(request, limits)?;
            check_datasource(request, &body)?;
            return Ok(jvm::needs_within(&body));
        }
        // Whoever judges these reads them.
        Content::Query | Content::TaskSpec | Content::Nothing | Content::EmptyOrObject => {}
    }
    Ok(BTreeSet::new())
}

/// Where the path has a datasource, the body may name that and no other
fn check_datasource(request: &DruidRequest, body: &Value) -> Result<(), AnalysisError> {
    let of_path = request.id.as_deref();
    if !body.is_object() {
        return Err(TaskSpecError::Shape { path: "the body".to_owned(), expected: "an object" }.into());
    }
    match body.get("dataSource") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(named)) if of_path.is_none_or(|of_path| of_path == named) => Ok(()),
        Some(_) => Err(AnalysisError::OtherDatasource),
    }
}

fn parse(request: &DruidRequest, limits: impl Into<JsonLimits>) -> Result<Value, AnalysisError> {
    json::parse(&request.body, limits).map_err(AnalysisError::json)
}
