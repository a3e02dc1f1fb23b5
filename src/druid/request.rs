//! What is judged and what is sent: one value

use super::endpoint::{Endpoint, Method};

/// A request as it will be sent to Druid: endpoint, target and body
///
/// The target is written by the route table from what was read, never copied from what arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DruidRequest {
    /// Which API
    pub endpoint: Endpoint,
    /// By which method
    pub method: Method,
    /// The task or statement id in the path, decoded
    pub id: Option<String>,
    /// Path and query, canonical
    pub target: String,
    /// The body, whole; empty where the endpoint takes none
    pub body: Vec<u8>,
}
