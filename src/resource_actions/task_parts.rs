//! What tasks and supervisors of every type have: a body with one reading, slots, a context

use std::collections::BTreeSet;

use serde_json::Value;

use super::durable_storage::Storage;
use super::jvm;
use super::native::calls_lookup;
use super::needed::Needed;
use super::rules::{Lookups, Rules};
use super::task_error::TaskSpecError;
use super::task_members::CONTEXT_KEYS;
use super::task_object::Object;
use crate::druid::json::{self, JsonLimits};
use crate::druid::{ResourceAction, ResourceType};

/// A task that was read and understood
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedTask {
    /// Its type
    pub kind: &'static str,
    /// What posting it needs
    pub needs: Needed,
    /// Whether it asks for durable storage
    pub storage: Storage,
}

impl JudgedTask {
    /// One that asks for no durable storage
    pub(super) fn new(kind: &'static str, needs: Needed) -> Self {
        Self { kind, needs, storage: Storage::NotAsked }
    }
}

/// The body of a task or a supervisor: one reading, no empty key, and no lookup where those are granted
pub(super) fn read_body(
    body: &[u8],
    limits: impl Into<JsonLimits>,
    rules: &Rules,
) -> Result<Value, TaskSpecError> {
    let value = read_plain_body(body, limits)?;
    refuse_lookups_where_granted(&value, rules)?;
    Ok(value)
}

/// The same, whatever lookups are in it
pub(super) fn read_plain_body(body: &[u8], limits: impl Into<JsonLimits>) -> Result<Value, TaskSpecError> {
    let value = json::parse(body, limits)?;
    refuse_empty_keys(&value, "")?;
    Ok(value)
}

/// Refuses a body that uses a lookup, where those are granted
pub(super) fn refuse_lookups_where_granted(value: &Value, rules: &Rules) -> Result<(), TaskSpecError> {
    match rules.lookups {
        Lookups::Granted => refuse_lookups(value, ""),
        Lookups::Open => Ok(()),
    }
}

/// `TaskResource`: how many slots a task takes
pub(super) fn check_resource(task: &Object<'_>) -> Result<(), TaskSpecError> {
    let Some(resource) = task.optional("resource") else { return Ok(()) };
    resource.object()?.only("availabilityGroup requiredCapacity")
}

pub(super) fn write_datasource(name: &str) -> ResourceAction {
    ResourceAction::write(ResourceType::Datasource, name)
}

/// Jackson's injection hole of CVE-2021-25646 hung on an empty key; no task needs one
fn refuse_empty_keys(value: &Value, path: &str) -> Result<(), TaskSpecError> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            if key.is_empty() {
                return Err(TaskSpecError::UnknownMember(format!("{path}.\"\"")));
            }
            refuse_empty_keys(member, &format!("{path}.{key}"))
        }),
        Value::Array(items) => items.iter().try_for_each(|item| refuse_empty_keys(item, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Which lookup an expression names cannot be told, so none may be used: the function, or an extraction by it
///
/// The data of an inline source is no expression.
fn refuse_lookups(value: &Value, path: &str) -> Result<(), TaskSpecError> {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| *key != "data")
            .try_for_each(|(key, member)| refuse_lookups(member, &format!("{path}.{key}"))),
        Value::Array(items) => items.iter().try_for_each(|item| refuse_lookups(item, path)),
        Value::String(text) if text == "registeredLookup" || calls_lookup(text) => {
            Err(TaskSpecError::Lookup(path.trim_start_matches('.').to_owned()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The context of a task, of which some keys reach beyond its own datasource
pub(super) fn check_context(
    task: &Object<'_>,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    task.optional("context").map_or(Ok(()), |context| check_context_keys(&context.object()?, needs))
}

/// The keys of such a context
pub(super) fn check_context_keys(
    context: &Object<'_>,
    needs: &mut BTreeSet<ResourceAction>,
) -> Result<(), TaskSpecError> {
    for key in context.members.keys() {
        if jvm::is_of_jvm(key) {
            needs.insert(jvm::configuration());
        } else if !CONTEXT_KEYS.split(' ').any(|name| name == key) {
            return Err(TaskSpecError::ContextKey { key: key.clone() });
        }
    }
    Ok(())
}
