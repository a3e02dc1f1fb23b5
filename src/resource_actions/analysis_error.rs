//! Why a request's needs are not known

use super::native::NativeQueryError;
use super::task_error::TaskSpecError;
use crate::druid::json::JsonError;

/// Why a request's needs are not known; none of these lets it through
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// The task or supervisor in its body is not let through
    #[error(transparent)]
    TaskSpec(#[from] TaskSpecError),
    /// The native query in its body is not let through
    #[error(transparent)]
    Native(#[from] NativeQueryError),
    /// Its body is about another datasource than its path
    #[error("the body's `dataSource` is not the datasource in the path")]
    OtherDatasource,
    /// What was found out is not about this request; a fault of the gate's own
    #[error("what was found out does not belong to this request")]
    Mismatch,
}

impl AnalysisError {
    /// That a body is no JSON in one reading
    pub fn json(error: JsonError) -> Self {
        Self::TaskSpec(TaskSpecError::Json(error))
    }
}
