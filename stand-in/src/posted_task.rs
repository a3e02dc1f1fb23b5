//! A task as it is posted to the Overlord

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::payload::resource;
use super::table::instant_text;
use super::task::CONTROLLER;

/// A task of a known type
#[derive(Debug)]
pub(super) struct PostedTask {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) datasource: String,
    /// What was posted, and what the Overlord adds
    pub(super) payload: Value,
}

impl PostedTask {
    /// Reads a body
    pub(super) fn read(body: &[u8]) -> Result<Self, Answer> {
        let error = |message: &str| Err(Answer::json(400, &json!({ "error": message })));
        let Ok(spec) = serde_json::from_slice(body) else {
            // Of all its bodies this one alone Druid does not catch.
            return Err(Answer::page(500, "javax.servlet.ServletException", TASKS));
        };
        let Value::Object(mut spec) = spec else {
            return error("Cannot deserialize value of type `org.apache.druid.indexing.common.task.Task`");
        };
        let Some(kind) = spec.get("type").and_then(Value::as_str).map(str::to_owned) else {
            return error(
                "Could not resolve subtype of [simple type, class org.apache.druid.indexing.common.task.Task]: \
                 missing type id property 'type'",
            );
        };
        if !TASK_TYPES.split(", ").any(|known| known == kind) {
            return error(&format!(
                "Could not resolve type id '{kind}' as a subtype of \
                 `org.apache.druid.indexing.common.task.Task` known type ids = [{TASK_TYPES}]"
            ));
        }
        let datasource = datasource(&spec);
        let id = match spec.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => new_task_id(&kind, &datasource),
        };
        spec.extend([
            ("id".to_owned(), json!(id)),
            ("groupId".to_owned(), json!(id)),
            ("dataSource".to_owned(), json!(datasource)),
            ("resource".to_owned(), resource(&id)),
        ]);
        Ok(Self { id, kind, datasource, payload: Value::Object(spec) })
    }
}

/// The types of tasks that Druid 37 names where it knows one not
const TASK_TYPES: &str = "archive, compact, index, index_hadoop, index_parallel, index_sub, kill, move, noop, \
    partial_dimension_cardinality, partial_dimension_distribution, partial_index_generate, \
    partial_index_generic_merge, partial_range_index_generate, query_controller, query_worker, restore, \
    single_phase_sub_task";

/// Where tasks are submitted
const TASKS: &str = "/druid/indexer/v1/task";

/// Where a task says which datasource it is about
fn datasource(spec: &Map<String, Value>) -> String {
    let inner =
        |pointer: &str| spec.get("spec").and_then(|spec| spec.pointer(pointer)).and_then(Value::as_str);
    let destination = match inner("/destination/type") {
        Some("taskReport" | "durableStorage") => Some("__query_select"),
        Some("export") => Some("__query_export"),
        _ => inner("/destination/dataSource"),
    };
    let named = spec.get("dataSource").and_then(Value::as_str);
    let found = destination.or_else(|| inner("/dataSchema/dataSource")).or(named);
    found.unwrap_or("none").to_owned()
}

fn new_task_id(kind: &str, datasource: &str) -> String {
    match kind {
        CONTROLLER => format!("query-{}", uuid()),
        "noop" => format!("noop_{}_{}", instant_text(SystemTime::now()), uuid()),
        _ => format!("{kind}_{datasource}_{}_{}", uuid(), instant_text(SystemTime::now())),
    }
}

/// An id in the form of a UUID; that no two are equal is all that is asked of it
pub(super) fn uuid() -> String {
    let random = || RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
