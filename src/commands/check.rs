//! `msq-gate check`: every fault of a configuration at once

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::load::{Tell, load};
use super::{Exit, complain, say};
use crate::authenticate::key_keeper::KeyPlace;
use crate::authenticate::keys::MAX_SET_BYTES;
use crate::base::certificate_advice;
use crate::base::fetch::is_loopback;
use crate::base::password::PasswordSource;
use crate::base::redact::{Shown, presentable};
use crate::base::small_file;
use crate::base::system_roots::SystemRoots;
use crate::base::tls;
use crate::config::{Config, DurableStorage, IssuerConfig, Unproven, UpstreamTls};
use crate::development::issuer::is_development_set;
use crate::preflight::storage_report;
use crate::server::memory::Memory;
use crate::server::{self, StartError};

pub(super) fn run(file: &Path) -> Result<(), Exit> {
    let config = load(file, Tell::Everything)?;
    let rehearsed = super::run_to_its_end(server::rehearse(&config))?;
    let (busy, missed): (Vec<_>, Vec<_>) = rehearsed.into_iter().partition(|(_, fault)| is_in_use(fault));
    for (key, busy) in busy {
        warn(file, format_args!("{key}: {busy}; fine where it is the gate itself that serves there"));
    }
    let missed = missed.into_iter().map(|(key, fault)| format!("{key}: {fault}{}", hint(key)));
    let mut faults: Vec<_> = missed.chain(files(&config)).collect();
    for fault in of_roots(&config) {
        warn(file, format_args!("the system's trusted roots: {fault}"));
    }
    if let Some(warning) = of_report(&config.durable_storage) {
        warn(file, warning);
    }
    faults.extend(of_files(file, &config));
    for fault in &faults {
        complain(format_args!("{}: {fault}", file.display()));
    }
    if !faults.is_empty() {
        return Err(Exit::Configuration);
    }
    say(format_args!("{}: fine", file.display()));
    say(Memory::at_most(&config.limits));
    Ok(())
}

pub(super) fn schema() -> Result<(), Exit> {
    say(format_args!("{:#}", crate::config::schema::schema()));
    Ok(())
}

fn warn(file: &Path, what: impl Display) {
    complain(format_args!("{}: warning: {what}", file.display()));
}

/// What is so wrong with the certificate that it should not serve; what is only unwise of this and other files is said at once
pub(super) fn of_files(file: &Path, config: &Config) -> Vec<String> {
    let found =
        certificate_advice::look_at(&config.listen.certificate, &config.listen.key, SystemTime::now());
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|advice| advice.is_fault);
    for warning in warnings {
        warn(file, format_args!("listen: {}", warning.text));
    }
    if of_password(config) {
        warn(file, "upstream.password_file: everybody on this machine may read the password; chmod 600 it");
    }
    // On loopback only this machine's own people come in, who are whoever they like to be there.
    let is_public = config.listen.addresses.iter().any(|address| !is_on_loopback(address));
    for issuer in config.issuers.iter().filter(|issuer| is_public && has_development_keys(issuer)) {
        let text = "are the development keys that `msq-gate certs` made: whoever reads `issuer.key` can make tokens \
                    for anybody; take a real issuer's before anybody else comes in";
        let name = presentable(issuer.issuer.name());
        warn(file, format_args!("issuers.jwks_file: the keys of `{name}` {text}"));
    }
    errors.into_iter().map(|error| format!("listen: {}", error.text)).collect()
}

/// Whether everybody may read the password of the gate's account
fn of_password(config: &Config) -> bool {
    let source = config.upstream.sign_in.as_ref().map(|account| &account.password);
    matches!(source, Some(PasswordSource::File(path)) if certificate_advice::is_open_to_all(path))
}

/// What is wrong with the system's roots, where they are needed and give something all the same
fn of_roots(config: &Config) -> Vec<String> {
    let is_fetched =
        |issuer: &IssuerConfig| !matches!(issuer.keys, KeyPlace::File(_)) && issuer.ca_file.is_none();
    if config.upstream.tls != UpstreamTls::SystemRoots && !config.issuers.iter().any(is_fetched) {
        return Vec::new();
    }
    let SystemRoots { certificates, faults } = SystemRoots::load();
    // Where they give nothing, that is a fault of what needs them, and told there.
    if certificates.is_empty() { Vec::new() } else { faults }
}

fn is_on_loopback(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, _)| is_loopback(host))
}

/// Whether its keys are from a file that `certs` made, or a copy of one
fn has_development_keys(issuer: &IssuerConfig) -> bool {
    let KeyPlace::File(path) = &issuer.keys else { return false };
    small_file::read(path, MAX_SET_BYTES).is_ok_and(|set| is_development_set(&set))
}

/// What is unwise: while there is no report, whatever asks for durable storage is refused
///
/// A preflight may write one later, so that is no fault.
fn of_report(storage: &DurableStorage) -> Option<String> {
    let report = storage.report.as_ref().filter(|report| report.unproven == Unproven::Refuse)?;
    let error = storage_report::read_now(&report.file).err()?;
    let file = Shown(&report.file);
    Some(format!(
        "durable_storage.report: {file}: {error}; queries that ask for durable storage are refused until \
         `preflight s3 --json` has written it"
    ))
}

/// A gate that runs has its own addresses
fn is_in_use(fault: &StartError) -> bool {
    matches!(fault, StartError::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}

fn hint(key: &str) -> &'static str {
    if key == "listen" { "; `msq-gate certs` makes a pair for development" } else { "" }
}

/// What is wrong with files that keep no gate from starting, and something else from working
fn files(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(path) = &config.durable_storage.ca_file
        && let Err(error) = tls::client(Some(path))
    {
        faults.push(format!("durable_storage.ca_file: {error}"));
    }
    for issuer in &config.issuers {
        if let KeyPlace::File(path) = &issuer.keys
            && let Err(error) = crate::authenticate::jwks_file::read(path)
        {
            faults.push(format!("issuers.jwks_file: {}: {error}", Shown(path)));
        }
    }
    faults
}
