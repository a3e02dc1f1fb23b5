//! Every endpoint the gate knows, one row each; what is not here is refused
//!
//! Of the routers of Druid 27 to 39, with the management proxy on. `/proxy/coordinator/druid/coordinator/…` and
//! `/proxy/overlord/druid/indexer/…` are the rows without the prefix. What Druid opens to any authenticated caller
//! though it tells about the cluster has its reason beside it. Not here, so that nobody reaches them: `listen/*`
//! (which pushes users into a node's cache), `/druid/indexer/v1/action` (which acts for any task),
//! `/druid-internal/*`, `/druid/worker/*`, the cached maps of users with their hashes.

mod coordinator;
mod overlord;
mod queries;
mod security;
mod supervisors;

use super::Row;

/// The table
pub(super) const TABLE: &[&[Row]] =
    &[queries::ROWS, overlord::ROWS, supervisors::ROWS, coordinator::ROWS, security::ROWS];

/// The table in Markdown, as it stands in the README
pub fn markdown() -> String {
    let row = |row: &Row| format!("| {} | `{}` | {} |\n", row.method.word(), row.path, row.rule);
    let rows: String = super::Endpoint::all().map(|endpoint| row(&endpoint)).collect();
    format!("| method | path | needs |\n| --- | --- | --- |\n{rows}")
}
