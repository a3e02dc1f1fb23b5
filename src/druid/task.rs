//! What the Overlord says of a task

use super::Owner;

/// The datasource under which the tasks of SELECT statements run (`MSQTaskQueryMaker`)
pub const SELECT_STUB: &str = "__query_select";

/// Whether this is no datasource, but the name under which tasks of many people run
pub fn is_stub(datasource: &str) -> bool {
    datasource == SELECT_STUB || datasource == "__query_export"
}

/// The type of the task that runs a statement of the multi-stage query engine
pub const QUERY_CONTROLLER: &str = "query_controller";

/// The type of the tasks that do its work
pub const QUERY_WORKER: &str = "query_worker";

/// Whether tasks of this type run a statement, or a part of one
pub fn is_of_query(kind: &str) -> bool {
    kind == QUERY_CONTROLLER || kind == QUERY_WORKER
}

/// A task as the Overlord reports it
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its type, such as `query_controller`
    pub kind: String,
    /// Its datasource: what an INSERT writes, or a stub
    pub datasource: String,
    /// Whose it is, from `spec.query.context` of a `query_controller` task, a worker's of its controller
    pub owner: Option<Owner>,
}

impl Task {
    /// Whether it runs a statement, or a part of one
    pub fn is_of_query(&self) -> bool {
        is_of_query(&self.kind)
    }

    /// Whether it runs a statement
    pub fn is_query_controller(&self) -> bool {
        self.kind == QUERY_CONTROLLER
    }
}
