//! In which shape a refusal is read at an endpoint: clients look for Druid's own errors, which differ by endpoint

use serde_json::{Map, Value, json};

/// The shape of Druid's errors at an endpoint
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The error itself (`DruidException`)
    Error,
    /// The status of a task that has failed, with the error in it (`SqlTaskStatus`)
    ///
    /// The web console shows nothing of another; and what it shows of an EXPLAIN it takes from the message at the top.
    Task,
}

impl Shape {
    /// At the endpoint with this path
    pub fn at(path: &str) -> Self {
        if path.strip_suffix('/').unwrap_or(path) == "/druid/v2/sql/task" { Self::Task } else { Self::Error }
    }

    /// This error, with what only the gate says beside it, in this shape
    pub(super) fn of(self, error: Map<String, Value>, receipt: Value) -> Value {
        let mut answer = match self {
            Self::Error => error,
            Self::Task => {
                let [message, context] =
                    ["errorMessage", "context"].map(|part| error.get(part).cloned().unwrap_or_default());
                // Druid's own word where it forbids one: whoever reads a `SqlTaskStatus` insists on an id.
                let status = [
                    ("taskId", json!("forbidden")),
                    ("state", json!("FAILED")),
                    ("error", Value::Object(error)),
                    ("errorMessage", message),
                    ("context", context),
                ];
                status.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }
        };
        answer.insert("receipt".to_owned(), receipt);
        Value::Object(answer)
    }
}
