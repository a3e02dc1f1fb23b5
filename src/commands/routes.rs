//! `msq-gate routes`: the endpoints that the gate lets through

use serde_json::json;

use super::{Exit, Format, say};
use crate::druid::Endpoint;
use crate::druid::endpoint::table;

pub(super) fn run(format: Format) -> Result<(), Exit> {
    match format {
        Format::Text => Endpoint::all().for_each(|endpoint| say(text(endpoint))),
        Format::Markdown => say(table::markdown().trim_end()),
        Format::Json => say(json()),
    }
    Ok(())
}

fn text(endpoint: Endpoint) -> String {
    format!("{:<6} {:<72} {}", endpoint.method.word(), endpoint.path, endpoint.rule)
}

fn json() -> serde_json::Value {
    let row = |endpoint: Endpoint| {
        json!({
            "method": endpoint.method.word(),
            "path": endpoint.path,
            "needs": endpoint.rule.to_string(),
        })
    };
    Endpoint::all().map(row).collect()
}
