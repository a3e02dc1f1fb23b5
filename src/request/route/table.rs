//! Every endpoint the gate knows, one row each; what is not here is refused

use crate::druid::{Endpoint, Method};

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

/// The table
pub const ROUTES: &[Route] = &[
    Route {
        endpoint: Endpoint::SqlTask,
        method: Method::Post,
        path: "/druid/v2/sql/task",
        parameters: NONE,
        needs: "what the statement reads and writes",
    },
    Route {
        endpoint: Endpoint::Sql,
        method: Method::Post,
        path: "/druid/v2/sql",
        parameters: PROBE,
        needs: "what the statement reads",
    },
    Route {
        endpoint: Endpoint::SqlStatements,
        method: Method::Post,
        path: "/druid/v2/sql/statements",
        parameters: NONE,
        needs: "what the statement reads and writes",
    },
    Route {
        endpoint: Endpoint::StatementStatus,
        method: Method::Get,
        path: "/druid/v2/sql/statements/{id}",
        parameters: &[parameter("detail", Values::Boolean)],
        needs: "to be its submitter, or READ STATE STATE",
    },
    Route {
        endpoint: Endpoint::StatementCancel,
        method: Method::Delete,
        path: "/druid/v2/sql/statements/{id}",
        parameters: NONE,
        needs: "to be its submitter, or WRITE STATE STATE",
    },
    Route {
        endpoint: Endpoint::StatementResults,
        method: Method::Get,
        path: "/druid/v2/sql/statements/{id}/results",
        parameters: RESULTS,
        needs: "to be its submitter, or READ STATE STATE",
    },
    Route {
        endpoint: Endpoint::SqlTaskEnabled,
        method: Method::Get,
        path: "/druid/v2/sql/task/enabled",
        parameters: PROBE,
        needs: "any authenticated caller",
    },
    Route {
        endpoint: Endpoint::SqlStatementsEnabled,
        method: Method::Get,
        path: "/druid/v2/sql/statements/enabled",
        parameters: PROBE,
        needs: "any authenticated caller",
    },
    Route {
        endpoint: Endpoint::Health,
        method: Method::Get,
        path: "/status/health",
        parameters: NONE,
        needs: "any authenticated caller; no token with `public_health = true`",
    },
    Route {
        endpoint: Endpoint::TaskSubmit,
        method: Method::Post,
        path: "/druid/indexer/v1/task",
        parameters: NONE,
        needs: "WRITE on the task's datasource, and what its input source asks (`task_inputs`)",
    },
    Route {
        endpoint: Endpoint::TaskPayload,
        method: Method::Get,
        path: "/druid/indexer/v1/task/{id}",
        parameters: NONE,
        needs: "READ on the task's datasource (`select_tasks`)",
    },
    Route {
        endpoint: Endpoint::TaskStatus,
        method: Method::Get,
        path: "/druid/indexer/v1/task/{id}/status",
        parameters: NONE,
        needs: "READ on the task's datasource (`select_tasks`)",
    },
    Route {
        endpoint: Endpoint::TaskReports,
        method: Method::Get,
        path: "/druid/indexer/v1/task/{id}/reports",
        parameters: NONE,
        needs: "READ on the task's datasource (`select_tasks`)",
    },
    Route {
        endpoint: Endpoint::TaskLog,
        method: Method::Get,
        path: "/druid/indexer/v1/task/{id}/log",
        parameters: &[parameter("offset", Values::Integer)],
        needs: "READ on the task's datasource (`select_tasks`)",
    },
    Route {
        endpoint: Endpoint::TaskShutdown,
        method: Method::Post,
        path: "/druid/indexer/v1/task/{id}/shutdown",
        parameters: NONE,
        needs: "of a query task what `cancel` says, of any other WRITE on its datasource",
    },
];
