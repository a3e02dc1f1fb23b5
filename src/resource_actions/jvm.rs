//! Keys of a task's context that become options or properties of its JVM (`ForkingTaskRunner`)
//!
//! What they say runs as the server does, so whoever sets one has to hold the configuration of the cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::druid::{ResourceAction, ResourceType};

const OPTIONS: [&str; 2] = ["druid.indexer.runner.javaOpts", "druid.indexer.runner.javaOptsArray"];
/// What the names of properties begin with
const PROPERTY: &str = "druid.indexer.fork.property.";

/// Whether this key is one of them
pub(super) fn is_of_jvm(key: &str) -> bool {
    OPTIONS.contains(&key) || key.starts_with(PROPERTY)
}

/// What setting one takes
pub(super) fn configuration() -> ResourceAction {
    ResourceAction::write(ResourceType::Config, "CONFIG")
}

/// What a configuration of compaction takes besides, in which a context may stand at any depth
pub(super) fn needs_within(value: &Value) -> BTreeSet<ResourceAction> {
    sets_one(value).then(configuration).into_iter().collect()
}

fn sets_one(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, member)| is_of_jvm(key) || sets_one(member)),
        Value::Array(items) => items.iter().any(sets_one),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
