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
    /// It reads by a firehose, as Druid did before it had input sources
    #[error("`{0}` is a firehose, which is not understood; write an `inputSource`")]
    Firehose(String),
    /// The query of a posted `query_controller` is not understood
    #[error("`spec.query`: {0}")]
    Query(String),
    /// It brings a context key that only the gate or Druid may set
    #[error("the query-context key `{0}` is set by the gate alone; leave it out")]
    ReservedContextKey(String),
    /// An input source is not on the list
    #[error("input sources of type `{0}` are not understood")]
    InputSource(String),
}

fn instead_of(kind: &str) -> &'static str {
    match kind {
        QUERY_CONTROLLER => "submit the statement to /druid/v2/sql/task instead",
        "query_worker" => "its controller posts it",
        "single_phase_sub_task" | "index_sub" => "a task of type index_parallel posts its own parts",
        part if part.starts_with("partial_") => "a task of type index_parallel posts its own parts",
        "index_realtime" | "index_realtime_appenderator" => {
            "it reads by a firehose; post a supervisor of type kafka or kinesis"
        }
        _ => {
            "those that may are index, index_parallel, index_kafka, index_kinesis, index_rabbit, index_hadoop, compact, kill, \
             archive, restore, move and noop"
        }
    }
}
