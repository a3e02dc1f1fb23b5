//! Every endpoint the gate knows, one row each; what is not here is refused

use crate::druid::endpoint::Endpoint::{
    self, Health, Sql, SqlStatements, SqlStatementsEnabled, SqlTask, SqlTaskEnabled, StatementCancel,
    StatementResults, StatementStatus, TaskLog, TaskPayload, TaskReports, TaskShutdown, TaskStatus,
    TaskSubmit,
};
use crate::druid::endpoint::Method::{self, Delete, Get, Post};

/// One row: which requests it takes, and what they need
#[derive(Debug)]
pub struct Route {
    /// The endpoint it leads to
    pub endpoint: Endpoint,
    /// Its only method
    pub method: Method,
    /// Its path; `{id}` stands for a task or statement id
    pub path: &'static str,
    /// The query parameters that cross; any other is left behind, as Druid ignores it
    pub parameters: &'static [Parameter],
    /// What a request needs, for people
    pub needs: &'static str,
}

/// A query parameter that crosses, and the values it may have
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; case counts
    pub name: &'static str,
    /// The values it may have
    pub values: Values,
}

/// What values a query parameter may have
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// `true` or `false`
    Boolean,
    /// Decimal digits that fit 63 bits
    Natural,
    /// The same, or negative
    Integer,
    /// Letters and digits
    Word,
    /// A file's name: up to 255 characters, none of them a quote, a slash or a control character
    FileName,
    /// Whatever it says is left behind: only its name crosses
    Flag,
}

/// The table in Markdown, as it stands in the README
pub fn markdown() -> String {
    let row = |route: &Route| format!("| {} | `{}` | {} |\n", route.method.word(), route.path, route.needs);
    let rows: String = ROUTES.iter().map(row).collect();
    format!("| method | path | needs |\n| --- | --- | --- |\n{rows}")
}

const fn parameter(name: &'static str, values: Values) -> Parameter {
    Parameter { name, values }
}

const NONE: &[Parameter] = &[];
/// The web console's mark on its probes; without effect in Druid
const PROBE: &[Parameter] = &[parameter("capabilities", Values::Flag), parameter("pretty", Values::Flag)];
const RESULTS: &[Parameter] = &[
    parameter("page", Values::Natural),
    parameter("resultFormat", Values::Word),
    parameter("filename", Values::FileName),
];

const READ_TASK: &str = "READ on the task's datasource (`select_tasks`)";
const SUBMITTER: &str = "to be its submitter, or READ STATE STATE";
const ANYBODY: &str = "any authenticated caller";
const STATEMENT: &str = "what the statement reads and writes";

const fn route(
    endpoint: Endpoint,
    method: Method,
    path: &'static str,
    parameters: &'static [Parameter],
    needs: &'static str,
) -> Route {
    Route { endpoint, method, path, parameters, needs }
}

/// The table
pub const ROUTES: &[Route] = &[
    route(SqlTask, Post, "/druid/v2/sql/task", NONE, STATEMENT),
    route(Sql, Post, "/druid/v2/sql", PROBE, "what the statement reads"),
    route(SqlStatements, Post, "/druid/v2/sql/statements", NONE, STATEMENT),
    route(
        StatementStatus,
        Get,
        "/druid/v2/sql/statements/{id}",
        &[parameter("detail", Values::Boolean)],
        SUBMITTER,
    ),
    route(
        StatementCancel,
        Delete,
        "/druid/v2/sql/statements/{id}",
        NONE,
        "to be its submitter, or WRITE STATE STATE",
    ),
    route(StatementResults, Get, "/druid/v2/sql/statements/{id}/results", RESULTS, SUBMITTER),
    route(SqlTaskEnabled, Get, "/druid/v2/sql/task/enabled", PROBE, ANYBODY),
    route(SqlStatementsEnabled, Get, "/druid/v2/sql/statements/enabled", PROBE, ANYBODY),
    route(
        Health,
        Get,
        "/status/health",
        NONE,
        "any authenticated caller; no token with `public_health = true`",
    ),
    route(
        TaskSubmit,
        Post,
        "/druid/indexer/v1/task",
        NONE,
        "WRITE on the task's datasource, and what its input source asks (`task_inputs`)",
    ),
    route(TaskPayload, Get, "/druid/indexer/v1/task/{id}", NONE, READ_TASK),
    route(TaskStatus, Get, "/druid/indexer/v1/task/{id}/status", NONE, READ_TASK),
    route(TaskReports, Get, "/druid/indexer/v1/task/{id}/reports", NONE, READ_TASK),
    route(
        TaskLog,
        Get,
        "/druid/indexer/v1/task/{id}/log",
        &[parameter("offset", Values::Integer)],
        READ_TASK,
    ),
    route(
        TaskShutdown,
        Post,
        "/druid/indexer/v1/task/{id}/shutdown",
        NONE,
        "of a query task what `cancel` says, of any other WRITE on its datasource",
    ),
];
