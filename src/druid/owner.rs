//! Whose a task is: `ISSUER|IDENTITY`, carried by Druid in the query context

use std::fmt;

/// The query-context key in which the gate writes a task's owner on every SQL submit
///
/// It is read back only from `spec.query.context` of a `query_controller` task. A client that
/// brings it is refused.
pub const OWNER_CONTEXT_KEY: &str = "msqGateOwner";

/// Druid's own owner key (`MSQTaskQueryMaker.USER_KEY`); a client that brings it is refused too
pub const USER_CONTEXT_KEY: &str = "__user";

/// Whether a query-context key is one that only the gate or Druid may set
pub fn is_reserved_context_key(key: &str) -> bool {
    key == OWNER_CONTEXT_KEY || key == USER_CONTEXT_KEY
}

/// The person who submitted a task, as `ISSUER|IDENTITY`
///
/// The issuer comes first and an issuer holds no `|` (the configuration refuses one that does), so
/// two people never share a spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    /// The owner that a verified identity is
    pub fn new(issuer: &str, identity: &str) -> Self {
        Self(format!("{issuer}|{identity}"))
    }

    /// The owner as Druid gave it back
    pub fn from_context(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The spelling that travels in the query context
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
