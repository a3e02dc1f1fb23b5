//! Paths that people ask for and the gate does not let through: what to do instead

use std::fmt;

use crate::druid::CanonicalPath;

/// What a path that is in no row is known for
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// JDBC (`DruidAvaticaJsonHandler`)
    Jdbc,
    /// The web console: its page, its files, and what it asks the router for
    Console,
    /// What Druid's services ask of each other
    Internal,
    /// The services behind the router, by other paths than their own
    ManagementProxy,
    /// Nothing that is known
    Nothing,
}

impl Closed {
    /// What this path is known for
    pub(super) fn of(path: &CanonicalPath) -> Self {
        let words: Vec<_> = path.segments().iter().map(|segment| segment.text()).collect();
        match words.as_slice() {
            ["druid", "v2", "sql", word, ..] if word.starts_with("avatica") => Self::Jdbc,
            ["druid", "indexer", "v1", "action"] | ["druid-internal", ..] | ["druid", "worker", ..] => {
                Self::Internal
            }
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
            Self::Internal => "it is for Druid's services alone, and changes what no permission stands for",
            Self::Jdbc => "JDBC is not let through yet; POST {\"query\": \"SELECT …\"} to /druid/v2/sql",
            Self::Console => {
                "the web console is not let through yet; SQL goes to /druid/v2/sql, and `msq-gate routes` lists the rest"
            }
            Self::ManagementProxy => {
                "the Coordinator is asked by `/druid/coordinator/…` and the Overlord by `/druid/indexer/…`, with \
                 `/proxy/coordinator` or `/proxy/overlord` before it or without; `msq-gate routes` lists the endpoints"
            }
            Self::Nothing => {
                "this endpoint is not one the gate lets through; `msq-gate routes` lists those it does"
            }
        })
    }
}
