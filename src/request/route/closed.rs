//! Paths that people ask for and the gate does not let through: what to do instead

use std::fmt;

use crate::druid::CanonicalPath;

/// What a path that is in no row is known for
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Native queries (`QueryResource`)
    NativeQuery,
    /// What Airflow's provider sends to cancel a task, and no Druid knows
    SqlTaskShutdown,
    /// JDBC (`DruidAvaticaJsonHandler`)
    Jdbc,
    /// The web console: its page, its files, and what it asks the router for
    Console,
    /// The services behind the router, by their own paths
    ManagementProxy,
    /// Nothing that is known
    Nothing,
}

impl Closed {
    /// What this path is known for
    pub(super) fn of(path: &CanonicalPath) -> Self {
        let words: Vec<_> = path.segments().iter().map(|segment| segment.text()).collect();
        match words.as_slice() {
            ["druid", "v2"] | ["druid", "v2", "" | "candidates" | "datasources", ..] => Self::NativeQuery,
            ["druid", "v2", "sql", "task", _, "shutdown"] => Self::SqlTaskShutdown,
            ["druid", "v2", "sql", "avatica" | "avatica-protobuf", ..] => Self::Jdbc,
            [] | [""] | ["unified-console.html" | "console.html" | "public" | "favicon.png", ..] => {
                Self::Console
            }
            ["proxy", ..] => Self::ManagementProxy,
            _ => Self::Nothing,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NativeQuery => {
                "native queries are not let through yet; POST {\"query\": \"SELECT …\"} to /druid/v2/sql"
            }
            Self::SqlTaskShutdown => {
                "Druid has no such endpoint; a task is cancelled by POST /druid/indexer/v1/task/ID/shutdown"
            }
            Self::Jdbc => "JDBC is not let through yet; POST {\"query\": \"SELECT …\"} to /druid/v2/sql",
            Self::Console => {
                "the web console is not let through yet; SQL goes to /druid/v2/sql, and `msq-gate routes` lists the rest"
            }
            Self::ManagementProxy => {
                "the services behind the router are asked without `/proxy/coordinator` or `/proxy/overlord`; \
                 `msq-gate routes` lists the endpoints that the gate lets through"
            }
            Self::Nothing => {
                "this endpoint is not one the gate lets through; `msq-gate routes` lists those it does"
            }
        })
    }
}
