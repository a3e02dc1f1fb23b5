//! What lives as long as the process, and takes up its files anew when they change
//!
//! Each part by itself: a fault in the policy holds back neither a renewed certificate nor a changed password, nor the
//! other way round. A part that is faulty stays as it was, and operators are told since when.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};

use super::assemble::{Faults, Parts, StartError};
use super::faulty_files::{FaultyFiles, Part};
use super::watch_files::{Files, Look};
use crate::base::drain;
use crate::base::live::Live;
use crate::base::metrics::Reload;
use crate::base::tls::Certificate;
use crate::base::watcher::Watcher;
use crate::config::{Config, Located, Severity};
use crate::pipeline::Gate;

/// Between two looks at the files
const LOOK: Duration = Duration::from_secs(1);
/// How long a look may take
const PATIENCE: Duration = Duration::from_secs(5);

/// What lives as long as the process, whatever the files say
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) live: Arc<Live<Gate>>,
    pub(crate) parts: Parts,
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) faulty: Arc<FaultyFiles>,
    /// `[listen]` and `[admin]` addresses as they were bound
    pub(crate) addresses: (Vec<String>, String),
    /// Somebody asks for a look now
    pub(crate) hang_up: Notify,
}

impl Running {
    /// The files as they are when somebody begins to watch them
    pub(crate) fn first_look(&self, file: &Path) -> Look {
        let config = &self.live.now().config;
        Look::after(file, Some(config.text.as_bytes()), config)
    }

    /// Looks at the files every second, and when asked, until the gate stops
    pub(crate) async fn keep_watching(self: Arc<Self>, file: PathBuf, mut held: Look) {
        let mut draining = self.parts.draining.clone();
        let mut read = self.live.now().config.clone();
        let mut watcher = Watcher::new(held.clone());
        let mut looking = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.hang_up.notified() => {
                    watcher.ask();
                    continue;
                }
                () = drain::begins(&mut draining) => return,
            }
            let files = Files::named_by(&file, &read);
            let Some(look) = look(&mut looking, files).await else { continue };
            if watcher.is_due(look.clone()) {
                let touched = look.parts_other_than(&held);
                let mut faults = Faults::new();
                held = self.reload(&file, &look, &mut read, &mut faults).await;
                self.tell(&file, &touched, &faults);
                watcher.follow(held.clone());
            }
        }
    }

    /// Takes up whatever can be used; what was looked at for that
    ///
    /// `last` is the configuration that it was tried with, serving or not: its files are those to look at.
    async fn reload(&self, file: &Path, seen: &Look, last: &mut Config, faults: &mut Faults) -> Look {
        let before = self.live.now();
        *last = read_aside(file, seen.configuration()).await.unwrap_or_else(|fault| {
            faults.push((Part::Configuration, fault));
            before.config.clone()
        });
        self.warn_of_addresses(last);
        // Before anything else is read, so that no change after that is missed.
        let look = Look::after(file, seen.configuration(), last);
        match Certificate::read(&last.listen.certificate, &last.listen.key) {
            Ok(certificate) => {
                self.parts.metrics.certificate_ends(certificate.end());
                self.certificate.replace(certificate);
            }
            Err(fault) => faults.push((Part::Certificate, fault.into())),
        }
        match self.parts.assemble(last.clone(), Some(&before), faults).await {
            Ok(gate) => self.replace(&before, gate),
            Err(fault) => faults.push((Part::Configuration, fault)),
        }
        look
    }

    fn replace(&self, before: &Gate, gate: Gate) {
        self.live.replace(gate);
        let now = self.live.now();
        for gone in
            before.callers.keepers.iter().filter(|keeper| now.callers.keeper_of(keeper.issuer()).is_none())
        {
            gone.retire();
            self.parts.store.remove(gone.issuer());
        }
    }

    fn warn_of_addresses(&self, config: &Config) {
        let (listen, admin) = &self.addresses;
        if (listen, admin) != (&config.listen.addresses, &config.admin.address) {
            tracing::warn!("another address in [listen] or [admin] needs a restart; the old one goes on");
        }
    }

    /// Tells operators what is applied, of what somebody touched, and what is not
    fn tell(&self, file: &Path, touched: &BTreeSet<Part>, faults: &Faults) {
        let file = file.display();
        for (part, error) in faults {
            let part = part.name();
            tracing::error!(%file, part, %error, "a changed file is not applied; what held of it, holds");
        }
        let faulty: BTreeSet<_> = faults.iter().map(|(part, _)| *part).collect();
        let new = self.faulty.note(&faulty, SystemTime::now());
        if touched.union(&new).any(|part| faulty.contains(part)) {
            self.parts.metrics.reload(Reload::Refused);
        }
        let applied: Vec<_> = touched.difference(&faulty).map(|part| part.name()).collect();
        if !applied.is_empty() {
            tracing::info!(%file, parts = applied.join(", "), "the changed files are applied");
            self.parts.metrics.reload(Reload::Applied);
        }
    }
}

/// Looks at the files in a thread of its own; nothing where that takes longer than a while, and then no second look
/// begins before it has ended
async fn look(looking: &mut Option<JoinHandle<Look>>, files: Files) -> Option<Look> {
    let under_way = looking.get_or_insert_with(|| spawn_blocking(move || files.look()));
    let look = tokio::time::timeout(PATIENCE, under_way).await.ok()?;
    *looking = None;
    look.ok()
}

/// As [`read`], in a thread of its own: a large policy takes a while, in which others are served
async fn read_aside(file: &Path, bytes: Option<&[u8]>) -> Result<Config, StartError> {
    let (file, bytes) = (file.to_owned(), bytes.map(<[u8]>::to_vec));
    let reading = spawn_blocking(move || read(&file, bytes.as_deref()));
    reading.await.unwrap_or_else(|_| Err(StartError::System("thread")))
}

/// The configuration in a file that was looked at, or its faults in the log
fn read(file: &Path, bytes: Option<&[u8]>) -> Result<Config, StartError> {
    let name = file.display().to_string();
    let Some(text) = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
        tracing::error!(file = name, "the configuration cannot be read, or is no UTF-8");
        return Err(StartError::Faults);
    };
    let reading = Config::read(text, file.parent().unwrap_or(Path::new("")));
    for fault in reading.findings.iter().filter(|fault| fault.severity == Severity::Error) {
        tracing::error!("{}", Located { file: &name, fault });
    }
    reading.config.ok_or(StartError::Faults)
}
