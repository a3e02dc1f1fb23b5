//! Reading the configuration for a command, and saying what is wrong with it

use std::path::Path;

use super::{Exit, complain, fail};
use crate::config::{Config, Fault, Located, Severity};

/// Which findings are told
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// All of them
    Everything,
    /// Faults: whoever asks about a statement did not ask about the file
    Faults,
}

/// The configuration in this file; findings are written to standard error
pub(super) fn load(file: &Path, tell: Tell) -> Result<Config, Exit> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let instead = "write one, or name another with --config";
        fail(Exit::Configuration, format_args!("{name}: cannot be read: {error}; {instead}"))
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let reading = Config::read(&text, folder);
    let is_told = |fault: &&Fault| tell == Tell::Everything || fault.severity == Severity::Error;
    for fault in reading.findings.iter().filter(is_told) {
        complain(Located { file: &name, fault });
    }
    let errors = reading.findings.iter().filter(|fault| fault.severity == Severity::Error).count();
    let plural = if errors == 1 { "" } else { "s" };
    reading.config.ok_or_else(|| fail(Exit::Configuration, format_args!("{name}: {errors} fault{plural}")))
}
