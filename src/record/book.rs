//! Where records go: the audit file, or standard output
//!
//! One thread writes them ([`Lines`]); nobody who serves waits for the disk but for `decided`, and not for long.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::base::lines::{Lines, Sink, Unwritten, Written};
use crate::base::metrics::Metrics;
use crate::config::{AuditFile, Statements};

/// How many bytes of lines may wait; those that end what is decided may take as much again
pub const WAITING_BYTES: usize = 2 << 20;

/// How long whoever opens the file anew waits until lines go there
const REDIRECTED_WITHIN: Duration = Duration::from_secs(5);

/// A statement's keyed fingerprint, in hexadecimal digits
pub type Fingerprint = [u8; 32];

/// Where the lines go
pub struct Audit {
    file: AuditFile,
    lines: Lines,
    pub(super) statements: Statements,
    fingerprint_key: hmac::Key,
    pub(super) metrics: Arc<Metrics>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Audit").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Audit {
    /// Opens the record; `key` keys the fingerprints of statements
    ///
    /// # Errors
    ///
    /// Where the file cannot be appended to.
    pub fn open(settings: &crate::config::Audit, key: &[u8], metrics: Arc<Metrics>) -> io::Result<Self> {
        Ok(Self {
            file: settings.file.clone(),
            lines: Lines::start("audit", open(&settings.file)?, WAITING_BYTES)?,
            statements: settings.statements,
            fingerprint_key: hmac::Key::new(hmac::HMAC_SHA256, key),
            metrics,
        })
    }

    /// Whether it is what these settings describe
    pub fn is_of(&self, settings: &crate::config::Audit) -> bool {
        self.file == settings.file && self.statements == settings.statements
    }

    /// Opens the file again, after somebody moved it away; waits until lines go there
    ///
    /// # Errors
    ///
    /// Where it cannot be opened; the old one is written to as before.
    pub fn reopen(&self) -> io::Result<()> {
        if self.lines.redirect(open(&self.file)?, REDIRECTED_WITHIN) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the old one takes nothing"))
    }

    /// Waits until all lines are written, for a while; whether they are
    pub fn flush(&self, within: Duration) -> bool {
        self.lines.flush(within)
    }

    /// Why nothing can be put on record now
    pub fn trouble(&self) -> Option<Unwritten> {
        self.lines.trouble()
    }

    /// Bytes of lines that wait, and how many may
    pub fn waiting(&self) -> (usize, usize) {
        self.lines.waiting()
    }

    /// Lets nobody wait in vain for a line to be written, and tells operators, until the record is gone
    pub fn watch(&self) -> impl Future<Output = ()> + Send + use<> {
        self.lines.watch(|trouble| match trouble {
            Some(error) => {
                tracing::error!(%error, "the audit record cannot be written; what needs one is refused")
            }
            None => tracing::warn!("the audit record is written again"),
        })
    }

    /// The fingerprint of a statement
    pub(super) fn fingerprint(&self, text: &str) -> Fingerprint {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let tag = hmac::sign(&self.fingerprint_key, text.as_bytes());
        let mut digits = [b'0'; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(tag.as_ref()) {
            for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = DIGITS.get(usize::from(half)).copied().unwrap_or_default();
            }
        }
        digits
    }

    /// Adds a line that is waited for
    pub(super) fn add_awaited(&self, parts: &[&[u8]]) -> Result<Written, Unwritten> {
        self.lines.push_awaited(parts).inspect_err(|_| self.failed())
    }

    /// Adds a line; where there is no room, that is counted
    pub(super) fn add(&self, parts: &[&[u8]]) {
        let _counted = self.lines.push(parts).inspect_err(|_| self.failed());
    }

    /// The same for one that ends what is decided
    pub(super) fn add_end(&self, parts: &[&[u8]]) {
        let _counted = self.lines.push_end(parts).inspect_err(|_| self.failed());
    }

    pub(super) fn failed(&self) {
        self.metrics.audit_failures.inc();
    }
}

/// Whether the file could be appended to, where a start would make it if it is not there; it is not made here
///
/// # Errors
///
/// Those of a start.
pub fn try_to_open(file: &AuditFile) -> io::Result<()> {
    let AuditFile::File(path) = file else { return Ok(()) };
    refuse_pipe(path)?;
    match append().create(false).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
        opened => opened.map(drop),
    }
}

/// Opening a pipe waits for somebody who reads it
fn refuse_pipe(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe; give a file, or `-`"));
    }
    Ok(())
}

fn append() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options
}

fn open(file: &AuditFile) -> io::Result<Sink> {
    Ok(match file {
        // Not by way of `io::stdout`, whose buffer and lock are everybody's.
        AuditFile::StandardOutput => Sink::new(File::from(io::stdout().as_fd().try_clone_to_owned()?), false),
        AuditFile::File(path) => {
            refuse_pipe(path)?;
            Sink::new(append().open(path)?, ends_in_a_line(path))
        }
    })
}

/// Whether half a line stands at the file's end, as where a disk was full or a machine stopped
fn ends_in_a_line(path: &Path) -> bool {
    let last = || {
        let length = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
        let mut last = [0];
        File::open(path).ok()?.read_exact_at(&mut last, length.checked_sub(1)?).ok()?;
        Some(last)
    };
    // A file that is empty, or may only be written, has none that is known of.
    last().is_some_and(|last| last != *b"\n")
}
