//! Why a posted task is not let through

use super::task_members::CONTEXT_KEYS;
use crate::druid::json;
use crate::druid::task::QUERY_CONTROLLER;

/// Why a task is not let through
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskSpecError {
    /// It is no JSON, or has a second reading
    #[error(transparent)]
    Json(#[from] json::JsonError),
    /// Its type is not one that may be posted
    #[error("tasks of type `{kind}` may not be posted; {}", instead_of(.kind))]
    Type {
        /// The type
        kind: String,
    },
    /// Its type is none of a supervisor that may be posted
    #[error(
        "supervisors of type `{kind}` may not be posted; those that may are kafka, kinesis, rabbit, autocompact, scheduled_batch and NoopSupervisorSpec"
    )]
    Supervisor {
        /// The type
        kind: String,
    },
    /// Its type is none that can be sampled
    #[error(
        "a sample of type `{kind}` is not understood; those that are: index, index_parallel, kafka, kinesis and rabbit"
    )]
    Sample {
        /// The type
        kind: String,
    },
    /// A member is not on the list
    #[error("`{0}` is not understood in a task of this type; leave it out")]
    UnknownMember(String),
    /// A member is missing, or has another type
    #[error("`{path}` must be {expected}")]
    Shape {
        /// Where it stands
        path: String,
        /// What should be there
        expected: &'static str,
    },
    /// A context key is not on the list
    #[error("the context key `{key}` may not be set on a task; those that may are {}", CONTEXT_KEYS.replace(' ', ", "))]
    ContextKey {
        /// The key
        key: String,
    },
    /// It uses a lookup, and lookups ask a permission
    #[error("`{0}` uses a lookup, which a task may not where lookups are granted; leave it out")]
    Lookup(String),
    /// An input source is not on the list
    #[error("input sources of type `{0}` are not understood")]
    InputSource(String),
}

fn instead_of(kind: &str) -> &'static str {
    if kind == QUERY_CONTROLLER {
        "submit the statement to /druid/v2/sql/task instead"
    } else {
        "those that may are index, index_parallel, compact and kill"
    }
}
