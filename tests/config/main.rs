//! proxy.toml: the shipped one loads, the documented defaults hold, and every fault says where and what instead

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should say so loudly"
)]

mod commands;
mod documents;
mod faults;
mod hostile;
mod names;
mod typed;

use std::path::Path;

use msq_gate::config::{Config, Located, Reading};

/// A configuration with nothing but what must be given
const LEAST: &str = r#"
[listen]
address = "0.0.0.0:8443"
certificate = "server.pem"
key = "server.key"
[upstream]
url = "http://127.0.0.1:8888"
[[issuers]]
issuer = "https://id"
audiences = ["druid"]
jwks_file = "jwks.json"
algorithms = ["RS256"]
[roles.viewer]
grants = ["READ DATASOURCE wikipedia"]
"#;

fn read(text: &str) -> Reading {
    Config::read(text, Path::new("folder"))
}

/// The findings as a person sees them
fn findings(text: &str) -> Vec<String> {
    read(text).findings.iter().map(|fault| Located { file: "proxy.toml", fault }.to_string()).collect()
}
