//! `msq-gate preflight`: what has to work before a long query needs it, tried now

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Exit, complain, say};
use crate::config::{Config, Located, Severity};
use crate::druid::resource::Printable;
use crate::durable_storage::druid_properties::{self, DruidStorage, Surroundings};
use crate::durable_storage::report::{Outcome, Proof, Report};
use crate::durable_storage::{Action, Place, policy};
use crate::preflight::credentials::{Chain, Configured, Environment};
use crate::preflight::open_uploads::OpenUploads;
use crate::preflight::wire::Wire;
use crate::preflight::{self, Means};
use crate::tls;

/// What was typed
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) config: Option<PathBuf>,
    pub(super) druid_properties: Option<PathBuf>,
    pub(super) json: bool,
    pub(super) report: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
    pub(super) principal: Option<String>,
}

/// The storage to probe, and what is configured for it
struct Storage {
    place: Place,
    configured: Configured,
    ca_file: Option<PathBuf>,
}

pub(super) fn s3(asked: &Asked) -> Exit {
    match probe(asked) {
        Ok(report) => tell(&report, asked),
        Err(exit) => exit,
    }
}

fn probe(asked: &Asked) -> Result<Report, Exit> {
    let storage = match &asked.druid_properties {
        Some(file) => from_properties(file, asked.config.as_deref())?,
        None => from_config(asked.config.as_deref().unwrap_or(Path::new("proxy.toml")))?,
    };
    let environment = Environment::new(std::env::vars().collect());
    let mut uploads = open_uploads(asked.state.clone(), &environment)?;
    let environment_region = environment.variable("AWS_REGION").map(str::to_owned);
    let tls = tls::client(storage.ca_file.as_deref()).map_err(|error| {
        complain(error);
        Exit::Configuration
    })?;
    // Amazon's own services are trusted by the system's roots, whatever signs for the storage.
    let roots = tls::client(None).unwrap_or_else(|_| tls::client_without_roots());
    let chain = Chain {
        configured: storage.configured,
        environment,
        wire: Wire::new(roots),
        region: storage.place.region_or(environment_region.as_deref()).to_owned(),
    };
    let means = Means {
        chain,
        environment_region: environment_region.as_deref(),
        tls,
        principal: asked.principal.as_deref().unwrap_or(policy::SOME_PRINCIPAL),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        complain(error);
        Exit::System
    })?;
    Ok(runtime.block_on(preflight::run(&storage.place, means, &mut uploads, SystemTime::now)))
}

fn from_config(file: &Path) -> Result<Storage, Exit> {
    let storage = read_config(file)?;
    let place = storage.place.ok_or_else(|| {
        complain(format_args!(
            "{}: [durable_storage] names no bucket; write `bucket` and `prefix`, or name Druid's properties with \
             --druid-properties",
            file.display()
        ));
        Exit::Configuration
    })?;
    Ok(Storage { place, configured: Configured::default(), ca_file: storage.ca_file })
}

fn read_config(file: &Path) -> Result<crate::config::DurableStorage, Exit> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        complain(format_args!(
            "{name}: cannot be read: {error}; name another with --config, or Druid's properties with --druid-properties"
        ));
        Exit::Configuration
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
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        complain(format_args!("{name}: cannot be read: {error}"));
        Exit::Configuration
    })?;
    let read = druid_properties::read(&text, &Here);
    let DruidStorage { place, keys, session_file, differences } = read.map_err(|faults| {
        for fault in &faults {
            let line = if fault.line == 0 { String::new() } else { format!("{}:", fault.line) };
            complain(format_args!("{name}:{line} {}: {}", fault.key, fault.what));
        }
        Exit::Configuration
    })?;
    for difference in differences {
        complain(format_args!("{name}: warning: {difference}"));
    }
    let ca_file = config.map(read_config).transpose()?.and_then(|storage| storage.ca_file);
    Ok(Storage { place, configured: Configured { keys, session_file }, ca_file })
}

/// The surroundings of this process, taken for Druid's
struct Here;

impl Surroundings for Here {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

fn open_uploads(named: Option<PathBuf>, environment: &Environment) -> Result<OpenUploads, Exit> {
    let Some(path) = named.or_else(|| usual_state(environment)) else {
        complain("there is no folder for the state of a run (HOME is not set); name a file with --state");
        return Err(Exit::CannotCreate);
    };
    OpenUploads::open(&path).map_err(|error| {
        complain(format_args!("{}: {error}; name another file with --state", path.display()));
        Exit::CannotCreate
    })
}

/// Where systemd, or else the XDG base directory specification, puts a program's state
fn usual_state(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment.variable(name).map(PathBuf::from);
    let own = folder("STATE_DIRECTORY");
    let users = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Some(own.or_else(|| Some(users?.join("msq-gate")))?.join("preflight-s3.json"))
}

fn tell(report: &Report, asked: &Asked) -> Exit {
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    if asked.json {
        say(&json);
    } else {
        tell_people(report);
    }
    if let Some(file) = &asked.report
        && let Err(error) = replace(file, &json)
    {
        complain(format_args!("{}: the report cannot be written: {error}", file.display()));
        return Exit::CannotCreate;
    }
    if report.problem.is_none() && report.is_proven() { Exit::Ok } else { Exit::Unavailable }
}

/// Whoever reads the file sees the old report or the new one, and never half of one
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().permissions(readable_by_all()).tempfile_in(folder)?;
    io::Write::write_all(&mut new, text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// A report holds no secret, and the gate runs as somebody else
fn readable_by_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

fn tell_people(report: &Report) {
    let Report { location, endpoint, region, .. } = report;
    say(format_args!("durable storage {location} at {endpoint}, region {region}"));
    if let Some(used) = &report.credentials {
        say(format_args!("credentials: {} ({})", Printable(&used.access_key_id), used.source));
    }
    say("");
    let widest = Action::ALL.map(|action| action.name().len()).into_iter().max().unwrap_or_default();
    for proof in &report.actions {
        let outcome = match proof.outcome {
            Outcome::Proven => "proven",
            Outcome::Denied => "denied",
            Outcome::NotReached => "not reached",
        };
        say(format_args!("{outcome:<12}{:<widest$}  {}", proof.action.name(), Printable(&seen(proof))));
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

/// What was done or refused, with S3's status, code and words
fn seen(proof: &Proof) -> String {
    let Some(answer) = &proof.answer else { return proof.note.clone() };
    let code = answer.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let words = answer.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{} ({}{code}{words})", proof.note, answer.status)
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
        assert_eq!(state(&[]), None);
    }
}
