//! The configuration: proxy.toml as it is meant, or every fault in it at once

mod advice;
mod durable_storage;
mod fault;
mod issuers;
pub mod keys;
mod limits;
mod listen;
mod marked_name;
mod read;
pub mod schema;
mod section;
mod upstream;

use std::path::PathBuf;
use std::time::Duration;

pub use fault::{Fault, Located, Severity};
pub use limits::Limits;

use ipnet::IpNet;
use serde::Deserialize;

use crate::authenticate::key_keeper::KeyPlace;
use crate::authenticate::{AbsentRoles, BasicToken, Issuer};
use crate::authorize::Policy;
use crate::base::password::PasswordSource;
use crate::durable_storage::{Address, Place};
use crate::resource_actions::Rules;

/// A configuration without faults: what the program runs on
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients come in
    pub listen: Listen,
    /// Where health and metrics answer
    pub admin: Admin,
    /// Where Druid is
    pub upstream: Upstream,
    /// Who vouches for callers
    pub issuers: Vec<IssuerConfig>,
    /// Who holds what
    pub policy: Policy,
    /// Between which of Druid's modes to choose
    pub rules: Rules,
    /// What the door itself does
    pub door: Door,
    /// The limits
    pub limits: Limits,
    /// The audit record
    pub audit: Audit,
    /// Durable storage of the multi-stage query engine
    pub durable_storage: DurableStorage,
    /// The text that it was read from
    pub text: String,
}

/// `[listen]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `host:port` of each
    pub addresses: Vec<String>,
    /// PEM file of the certificate chain
    pub certificate: PathBuf,
    /// PEM file of its key
    pub key: PathBuf,
    /// From whom the PROXY protocol is taken
    pub balancers: Vec<IpNet>,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `host:port`
    pub address: String,
}

/// `[upstream]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is spoken to the router
    pub tls: UpstreamTls,
    /// `host:port` of each router
    pub authorities: Vec<String>,
    /// How the gate signs in
    pub sign_in: Option<SignIn>,
}

/// How the router is spoken to
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamTls {
    /// `http://`
    Plain,
    /// `https://`, trusting the system's roots
    SystemRoots,
    /// `https://`, trusting the roots in this file
    CaFile(PathBuf),
}

/// The gate's own account at Druid
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Its name
    pub username: String,
    /// Where its password is
    pub password: PasswordSource,
}

/// One of `[[issuers]]`
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What its tokens must look like
    pub issuer: Issuer,
    /// Where its keys come from
    pub keys: KeyPlace,
    /// The roots trusted for fetching them; the system's where not given
    pub ca_file: Option<PathBuf>,
    /// What `roles_claim_required` says, where it says something
    pub absent_roles: Option<AbsentRoles>,
}

/// The settings of `[rules]` that are the door's own
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// `public_health`
    pub health: Health,
    /// `basic_token`
    pub basic: BasicToken,
    /// `refusal_detail`
    pub refusal_detail: RefusalDetail,
    /// `verify`
    pub verify: Verify,
}

/// Whether Druid's own planner is asked what a statement needs that was never seen before
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// It is not
    #[default]
    Off,
    /// Beside the request; a difference is logged, counted and put on record
    Watch,
    /// Before the request is forwarded; a difference refuses it
    Require,
}

/// Who may ask for `/status/health`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Authenticated callers
    Authenticated,
    /// Anybody
    Public,
}

/// How much a refusal says
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalDetail {
    /// The reason only, and an unknown task looks like a forbidden one
    Code,
    /// What is missing
    #[default]
    Missing,
    /// Also which roles hold it
    Full,
}

/// `[audit]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Where the lines go
    pub file: AuditFile,
    /// Whether a record holds the statement's text
    pub statements: Statements,
}

/// Where audit lines go
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditFile {
    /// Standard output
    StandardOutput,
    /// This file, appended to
    File(PathBuf),
}

/// What a record says of a statement
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// Its kind and a keyed fingerprint
    Fingerprint,
    /// Its text too
    Text,
}

/// `[durable_storage]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurableStorage {
    /// What `preflight s3` probes
    pub place: Option<Place>,
    /// The roots trusted for it; the system's where not given
    pub ca_file: Option<PathBuf>,
    /// What a preflight elsewhere found out, for the gate to read
    pub report: Option<StorageReport>,
}

/// A preflight's report and what rests on it
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageReport {
    /// Its file
    pub file: PathBuf,
    /// How old it may be
    pub stale: Duration,
    /// Which storage it must be about
    pub address: Address,
    /// What becomes of queries while it does not prove durable storage
    pub unproven: Unproven,
}

/// What becomes of a query that asks for durable storage while that is not proven
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It is forwarded all the same
    Forward,
    /// It is answered 503 (`required = true`)
    Refuse,
}

/// What came of reading a configuration: the findings, and the configuration where none is an error
#[derive(Debug)]
pub struct Reading {
    /// What was found wrong or unwise, in the order of the file
    pub findings: Vec<Fault>,
    /// The configuration, where nothing is wrong
    pub config: Option<Config>,
}
