//! What is judged and what is sent: one value

use super::Endpoint;

/// A request as it will be sent to Druid: endpoint, target and body
///
/// The target is written by the route table from what was read, never copied from what arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DruidRequest {
    /// Which API
    pub endpoint: Endpoint,
    /// The name in the path that the endpoint is about, decoded: of a task, a datasource …
    pub id: Option<String>,
    /// The datasource that a query parameter names
    pub datasource: Option<String>,
    /// Path and query, canonical
    pub target: String,
    /// The body, whole; empty where the endpoint takes none
    pub body: Vec<u8>,
}
