//! What is wrong with a configuration file, all of it at once

use std::fmt;

/// One fault: where, what, and what to write instead
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file, from 1
    pub line: usize,
    /// The key, dotted: `limits.head_bytes`
    pub key: String,
    /// What is wrong
    pub what: String,
    /// What to write instead
    pub instead: String,
    /// Whether the file cannot be used because of it
    pub severity: Severity,
}

/// How grave a finding is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used
    Error,
    /// Legal, but unwise
    Warning,
}

/// A finding and the file it is in, as `file:line: key: what; what to write instead`
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The file's name
    pub file: &'a str,
    /// The finding
    pub fault: &'a Fault,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { line, key, what, instead, severity } = self.fault;
        let mark = match severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(formatter, "{}:{line}: {mark}{key}: {what}; {instead}", self.file)
    }
}
