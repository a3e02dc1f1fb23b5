//! `msq-gate routes`: the endpoints that the gate lets through

use serde_json::json;

use super::{Exit, Format, say};
use crate::request::route::table::{self, ROUTES, Route};

pub(super) fn run(format: Format) -> Result<(), Exit> {
    match format {
        Format::Text => ROUTES.iter().for_each(|route| say(text(route))),
        Format::Markdown => say(table::markdown().trim_end()),
        Format::Json => say(json()),
    }
    Ok(())
}

fn text(route: &Route) -> String {
    format!("{:<6} {:<40} {}", route.method.word(), route.path, route.needs)
}

fn json() -> serde_json::Value {
    ROUTES
        .iter()
        .map(|route| json!({"method": route.method.word(), "path": route.path, "needs": route.needs}))
        .collect()
}
