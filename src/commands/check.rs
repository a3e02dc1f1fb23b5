//! `msq-gate check`: every fault of a configuration at once

use std::path::Path;

use super::load::load;
use super::{Exit, complain, say};
use crate::config::{Config, UpstreamTls};
use crate::key_keeper::KeyPlace;
use crate::tls::{self, Certificate};

pub(super) fn run(file: &Path) -> Exit {
    let config = match load(file) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let faults = files(&config);
    for fault in &faults {
        complain(format_args!("{}: {fault}", file.display()));
    }
    if faults.is_empty() {
        say(format_args!("{}: fine", file.display()));
        Exit::Ok
    } else {
        Exit::Configuration
    }
}

pub(super) fn schema() -> Exit {
    say(format_args!("{:#}", crate::config::schema::schema()));
    Exit::Ok
}

/// What is wrong with the files that the configuration names
fn files(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    if let Err(error) = Certificate::read(&config.listen.certificate, &config.listen.key) {
        faults.push(format!("listen: {error}; `msq-gate certs` makes a pair for development"));
    }
    if let UpstreamTls::CaFile(path) = &config.upstream.tls
        && let Err(error) = tls::client(Some(path))
    {
        faults.push(format!("upstream.ca_file: {error}"));
    }
    for issuer in &config.issuers {
        if let KeyPlace::File(path) = &issuer.keys
            && let Err(error) = crate::authenticate::jwks_file::read(path)
        {
            faults.push(format!("issuers.jwks_file: {}: {error}", path.display()));
        }
        if let Some(path) = &issuer.ca_file
            && let Err(error) = tls::client(Some(path))
        {
            faults.push(format!("issuers.ca_file: {error}"));
        }
    }
    faults
}
