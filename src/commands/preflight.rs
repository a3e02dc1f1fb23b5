//! `msq-gate preflight`: what has to work before a long query needs it, tried now

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, complain, fail, say};
use crate::base::small_file;
use crate::base::tls;
use crate::config::{Config, DurableStorage, Located, Severity};
use crate::druid::resource::Printable;
use crate::durable_storage::druid_properties::{self, Configured, DruidStorage, Encryption};
use crate::durable_storage::place::is_region;
use crate::durable_storage::problem::Settings;
use crate::durable_storage::report::{Outcome, Proof, Report};
use crate::durable_storage::surroundings::Surroundings;
use crate::durable_storage::{Place, policy};
use crate::preflight::credentials::{Chain, Environment};
use crate::preflight::open_uploads::OpenUploads;
use crate::preflight::probe::Pauses;
use crate::preflight::wire::Wire;
use crate::preflight::{self, Means};

/// How long another run on this machine is waited for
const OTHER_RUN: Duration = Duration::from_secs(60);

/// What was typed
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// What to prove
    #[arg(value_enum, required = true)]
    what: Vec<What>,
    /// The configuration whose [durable_storage] says where; proxy.toml where neither file is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Druid's own common.runtime.properties, which say where and with which credentials
    #[arg(long, value_name = "FILE")]
    druid_properties: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Also write the JSON to this file, replacing it whole
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where the ids of open uploads are kept from one run to the next
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The user or role that the bucket policy names
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
}

/// What a preflight proves
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// The four S3 actions of durable storage
    S3,
}

/// The storage to probe, which file says where it is, and whom to trust there
struct Storage {
    druid: DruidStorage,
    settings: Settings,
    ca_file: Option<PathBuf>,
}

pub(super) fn s3(asked: &Asked) -> Result<(), Exit> {
    tell(&probe(asked)?, asked)
}

fn probe(asked: &Asked) -> Result<Report, Exit> {
    let storage = match &asked.druid_properties {
        Some(file) => from_properties(file, asked.config.as_deref())?,
        None => from_config(asked.config.as_deref().unwrap_or(Path::new("proxy.toml")))?,
    };
    if let Some(file) = &asked.report {
        refuse_what_is_no_file(file)?;
    }
    let environment = environment()?;
    let mut uploads = open_uploads(asked.state.clone(), &environment)?;
    let tls = tls::client(storage.ca_file.as_deref()).map_err(|error| fail(Exit::Configuration, error))?;
    let interrupted = AtomicBool::new(false);
    let DruidStorage { place, configured, encryption, differences } = storage.druid;
    let means = Means {
        chain: chain(&place, configured, environment),
        encryption,
        tls,
        principal: asked.principal.as_deref().unwrap_or(policy::SOME_PRINCIPAL),
        settings: storage.settings,
        warnings: differences,
        interrupted: &interrupted,
        pauses: Pauses::default(),
    };
    run(&place, means, &mut uploads, &interrupted).map_err(|error| fail(Exit::System, error))
}

fn environment() -> Result<Environment, Exit> {
    let environment = Environment::of_process();
    match environment.variable("AWS_REGION").filter(|region| !is_region(region)) {
        Some(region) => {
            let what = format_args!("AWS_REGION: `{}` is no region", Printable(region));
            Err(fail(Exit::Configuration, what))
        }
        None => Ok(environment),
    }
}

fn chain(place: &Place, configured: Configured, environment: Environment) -> Chain {
    // Amazon's own services are trusted by the system's roots, whatever signs for the storage.
    let roots = tls::client(None).unwrap_or_else(|_| tls::client_without_roots());
    let of_process = environment.variable("AWS_REGION").map(str::to_owned);
    let region = of_process.or_else(|| place.region_or(None).map(str::to_owned)).unwrap_or_default();
    Chain { configured, environment, wire: Wire::new(roots), region }
}

/// Makes the run; Ctrl-C and SIGTERM let it clean up before it ends
fn run(
    place: &Place,
    means: Means<'_>,
    uploads: &mut OpenUploads,
    interrupted: &AtomicBool,
) -> io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let run = preflight::run(place, means, uploads, SystemTime::now);
        tokio::pin!(run);
        loop {
            tokio::select! {
                report = &mut run => return Ok(report),
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if !interrupted.swap(true, Ordering::Relaxed) {
                complain("interrupted; cleaning up");
            }
        }
    })
}

fn from_config(file: &Path) -> Result<Storage, Exit> {
    let storage = read_config(file)?;
    let place = storage.place.ok_or_else(|| {
        let what = "[durable_storage] names no bucket; write `bucket` and `prefix`, or name Druid's properties with \
                    --druid-properties";
        fail(Exit::Configuration, format_args!("{}: {what}", file.display()))
    })?;
    let (configured, encryption) = (Configured::default(), Encryption::Unasked);
    let druid = DruidStorage { place, configured, encryption, differences: Vec::new() };
    Ok(Storage { druid, settings: Settings::Config, ca_file: storage.ca_file })
}

fn read_config(file: &Path) -> Result<DurableStorage, Exit> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let instead = "name another with --config, or Druid's properties with --druid-properties";
        fail(Exit::Configuration, format_args!("{name}: cannot be read: {error}; {instead}"))
    })?;
    let (findings, storage) = Config::read_durable_storage(&text, file.parent().unwrap_or(Path::new("")));
    for fault in &findings {
        complain(Located { file: &name, fault });
    }
    let is_faulty = findings.iter().any(|fault| fault.severity == Severity::Error);
    if is_faulty { Err(Exit::Configuration) } else { Ok(storage) }
}

/// Druid's properties say where; a configuration beside them says whom to trust
fn from_properties(file: &Path, config: Option<&Path>) -> Result<Storage, Exit> {
    let mut druid = read_properties(file)?;
    let config = config.map(read_config).transpose()?.unwrap_or_default();
    let here = &druid.place.location;
    if let Some(there) = config.place.map(|other| other.location).filter(|there| there != here) {
        let what = format!("[durable_storage] is about {there}, and Druid's properties about {here}");
        druid.differences.push(what);
    }
    Ok(Storage { druid, settings: Settings::Druid, ca_file: config.ca_file })
}

fn read_properties(file: &Path) -> Result<DruidStorage, Exit> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| fail(Exit::Configuration, format_args!("{name}: cannot be read: {error}")))?;
    druid_properties::read(&text, &Here).map_err(|faults| {
        for fault in &faults {
            let line = if fault.line == 0 { String::new() } else { format!("{}:", fault.line) };
            complain(format_args!("{name}:{line} {}: {}", fault.key, fault.what));
        }
        Exit::Configuration
    })
}

/// The surroundings of this process, taken for Druid's
struct Here;

impl Surroundings for Here {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name)?.into_string().ok()
    }

    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

fn open_uploads(named: Option<PathBuf>, environment: &Environment) -> Result<OpenUploads, Exit> {
    let homeless = "there is no folder for the state of a run (HOME is not set); name a file with --state";
    let path =
        named.or_else(|| usual_state(environment)).ok_or_else(|| fail(Exit::CannotCreate, homeless))?;
    OpenUploads::open(&path, OTHER_RUN).map_err(|error| {
        let what = format_args!("{}: {error}; name another file with --state", path.display());
        fail(Exit::CannotCreate, what)
    })
}

/// Where systemd, or else the XDG base directory specification, puts a program's state
fn usual_state(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment.variable(name).map(PathBuf::from);
    // systemd writes a list.
    let own =
        environment.variable("STATE_DIRECTORY").and_then(|list| list.split(':').next()).map(PathBuf::from);
    let users = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Some(own.or_else(|| Some(users?.join("msq-gate")))?.join("preflight-s3.json"))
}

fn tell(report: &Report, asked: &Asked) -> Result<(), Exit> {
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    if asked.json {
        say(&json);
    } else {
        tell_people(report);
    }
    if let Some(file) = &asked.report {
        replace(file, &json).map_err(|error| {
            let what = format_args!("{}: the report cannot be written: {error}", file.display());
            fail(Exit::CannotCreate, what)
        })?;
    }
    if report.problem.is_none() && report.is_proven() { Ok(()) } else { Err(Exit::Unavailable) }
}

/// A device or a pipe would be replaced by a file
fn refuse_what_is_no_file(file: &Path) -> Result<(), Exit> {
    match std::fs::metadata(file) {
        Ok(kind) if !kind.is_file() => {
            let what = format_args!("{}: is no file that a report can replace", file.display());
            Err(fail(Exit::CannotCreate, what))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A report holds no secret, and the gate runs as somebody else; a link goes on pointing to it
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    small_file::replace(&file, text.as_bytes(), 0o644)
}

fn tell_people(report: &Report) {
    let Report { location, endpoint, region, .. } = report;
    say(format_args!("durable storage {location} at {endpoint}, region {region}"));
    if let Some(used) = &report.credentials {
        say(format_args!("credentials: {} ({})", Printable(&used.access_key_id), used.source.words()));
    }
    say("");
    report.actions.iter().for_each(tell_of_action);
    for warning in &report.warnings {
        say(format_args!("\nwarning: {}", Printable(warning)));
    }
    for left in &report.left_behind {
        say(format_args!("\nleft behind: {}", Printable(left)));
    }
    if let Some(problem) = &report.problem {
        say(format_args!("\n{}\n{}", Printable(&problem.message), Printable(&problem.remedy)));
    }
    if report.denied().next().is_some() {
        say(format_args!("\nThe least policy for a user or role:\n{:#}", report.policy));
        say(format_args!("\nThe same as a bucket policy:\n{:#}", report.bucket_policy));
    }
}

fn tell_of_action(proof: &Proof) {
    // As wide as the widest of the four.
    let outcome = match proof.outcome {
        Outcome::Proven => "proven",
        Outcome::Denied => "denied",
        Outcome::NotReached => "not reached",
    };
    say(format_args!("{outcome:<12}{:<23}  {}", proof.action.name(), Printable(&seen(proof))));
}

/// What was done or refused, with S3's status, code and words
fn seen(proof: &Proof) -> String {
    let Some(answer) = &proof.answer else { return proof.note.clone() };
    let words = answer.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{} ({answer}{words})", proof.note)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::new(pairs.collect::<HashMap<_, _>>())
    }

    #[test]
    fn the_state_is_where_systemd_or_else_the_users_home_has_it() {
        let state = |variables: &[(&str, &str)]| usual_state(&environment(variables));
        let home = ("HOME", "/home/druid");
        assert_eq!(state(&[home]), Some("/home/druid/.local/state/msq-gate/preflight-s3.json".into()));
        assert_eq!(state(&[home, ("XDG_STATE_HOME", "/s")]), Some("/s/msq-gate/preflight-s3.json".into()));
        assert_eq!(state(&[home, ("STATE_DIRECTORY", "/d")]), Some("/d/preflight-s3.json".into()));
        assert_eq!(state(&[home, ("STATE_DIRECTORY", "/d:/e")]), Some("/d/preflight-s3.json".into()));
        assert_eq!(state(&[]), None);
    }
}
