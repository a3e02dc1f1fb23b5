//! The whole gate, running: its sockets, what serves at them, and how it stops

pub mod admin;
pub mod assemble;
pub mod faulty_files;
pub mod memory;
mod own_address;
pub mod reload;
pub mod watch_files;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::authenticate::key_keeper::Rhythm;
use crate::base::decision_id::random;
use crate::base::live::Live;
use crate::base::tls::{self, Certificate};
use crate::config::Config;
use crate::door::listener;
use crate::pipeline::Gate;
use crate::preflight::storage_report;
use crate::record::book;
use assemble::{Faults, Parts};
pub use assemble::{StartError, routers};
use faulty_files::FaultyFiles;
use reload::Running;

/// How long nothing else is done while the audit file is opened anew, or lines are written at the end
const REOPENED_WITHIN: Duration = Duration::from_secs(1);

/// A gate that takes connections
#[derive(Debug)]
pub struct Server {
    /// Where clients come in, in the order of the configuration
    pub addresses: Vec<SocketAddr>,
    /// Where operators ask
    pub admin_address: SocketAddr,
    running: Arc<Running>,
    draining: watch::Sender<bool>,
    hurried: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Server {
    /// Starts a gate; it takes connections when this returns
    ///
    /// An issuer whose keys cannot be had keeps the gate from being ready, not from starting.
    ///
    /// # Errors
    ///
    /// Where a file, an address or the system does not give what the configuration says.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let certificate = Arc::new(Certificate::read(&config.listen.certificate, &config.listen.key)?);
        let tls = Arc::new(tls::server(&certificate)?);
        let mut doors = Vec::new();
        for address in &config.listen.addresses {
            doors.push(bind(address).await?);
        }
        let operators = bind(&config.admin.address).await?;
        let bound = |listener: &TcpListener| listener.local_addr().map_err(|_| StartError::System("address"));
        let addresses = doors.iter().map(bound).collect::<Result<_, _>>()?;
        let admin_address = bound(&operators)?;
        let (draining, drained) = watch::channel(false);
        let fingerprint_key = random().map_err(|_| StartError::System("randomness"))?;
        let parts = Parts::new(&config.limits, fingerprint_key, drained.clone());
        let written = (config.listen.addresses.clone(), config.admin.address.clone());
        let live = Arc::new(Live::new(parts.assemble(config, None, &mut Faults::new()).await?));
        let faulty = Arc::new(FaultyFiles::default());
        parts.metrics.certificate_ends(certificate.end());
        let (serving, keys, faults) = (Arc::clone(&live), Arc::clone(&parts.store), Arc::clone(&faulty));
        tokio::spawn(admin::listen(operators, serving, keys, faults, drained.clone()));
        tokio::spawn(storage_report::tell_changes(
            Arc::clone(&live),
            |gate: &Gate| gate.storage.as_ref(),
            drained.clone(),
        ));
        let (hurried, is_hurried) = watch::channel(false);
        let listening = tokio::spawn(listener::listen(doors, tls, Arc::clone(&live), drained, is_hurried));
        let running =
            Running { live, parts, certificate, faulty, addresses: written, hang_up: Notify::new() };
        Ok(Self { addresses, admin_address, running: Arc::new(running), draining, hurried, listening })
    }

    /// Looks at the configuration's file, and at those it names, every second from now on
    pub fn watch(&self, file: PathBuf) {
        let held = self.running.first_look(&file);
        tokio::spawn(Arc::clone(&self.running).keep_watching(file, held));
    }

    /// Looks again now, and opens the audit file anew (SIGHUP): when this returns that is done, unless a file system
    /// takes its time
    pub async fn refresh(&self) {
        let gate = self.running.live.now();
        let audit = Arc::clone(&gate.audit);
        let reopened = tokio::task::spawn_blocking(move || {
            if let Err(error) = audit.reopen() {
                tracing::error!(%error, "the audit file cannot be opened anew; the old one is written to");
            }
        });
        if tokio::time::timeout(REOPENED_WITHIN, reopened).await.is_err() {
            tracing::error!("the audit file is not opened anew yet; the old one is written to until then");
        }
        gate.callers.keepers.iter().for_each(|keeper| keeper.ask());
        self.running.hang_up.notify_one();
    }

    /// Takes no further connection and waits for the requests at hand, `drain_seconds` at most; whether none had to be cut
    pub async fn drain(self) -> bool {
        self.drain_unless(std::future::pending()).await == 0
    }

    /// The same, but at once when somebody hurries it; how many requests had to be cut
    pub async fn drain_unless(mut self, hurry: impl Future<Output = ()>) -> usize {
        // Whoever listens is told; nobody is left to be told where all have ended.
        let _told = self.draining.send(true);
        tokio::select! {
            _ = &mut self.listening => {}
            () = hurry => {
                self.hurried.send_replace(true);
                let _ended = (&mut self.listening).await;
            }
        }
        // Nothing serves any more that could be held up.
        self.flush_record();
        self.running.parts.metrics.leaving.cut()
    }

    /// Waits until all that has happened is on record, for a while; whether it is
    pub fn flush_record(&self) -> bool {
        self.running.live.now().audit.flush(REOPENED_WITHIN)
    }
}

/// Everything that would keep a gate of this configuration from starting, by the steps that start one: each with
/// the key that it is about
///
/// Nothing of it stays: no socket is left open, and no audit file that was not there before.
pub async fn rehearse(config: &Config) -> Vec<(&'static str, StartError)> {
    let mut faults = Vec::new();
    let mut note = |key, fault: Option<StartError>| faults.extend(fault.map(|fault| (key, fault)));
    let certificate = Certificate::read(&config.listen.certificate, &config.listen.key);
    note("listen", certificate.and_then(|pair| tls::server(&Arc::new(pair))).err().map(StartError::from));
    let mut bound = Vec::new();
    let doors = config.listen.addresses.iter().map(|address| ("listen.address", address));
    for (key, address) in doors.chain([("admin.address", &config.admin.address)]) {
        match bind(address).await {
            Ok(listener) => bound.push(listener),
            Err(fault) => note(key, Some(fault)),
        }
    }
    note("audit.file", book::try_to_open(&config.audit.file).err().map(StartError::Audit));
    note("upstream", routers(config).err());
    let parts = Parts::new(&config.limits, [0; 32], watch::channel(false).1);
    note("issuers", parts.authenticator(config).err());
    let rhythm = Rhythm { refresh: config.limits.key_refresh, stale: config.limits.key_stale };
    for issuer in &config.issuers {
        let keeper = assemble::source(issuer).and_then(|source| parts.new_keeper(issuer, source, rhythm));
        note("issuers.ca_file", keeper.err());
    }
    faults
}

async fn bind(address: &str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Bind { address: address.to_owned(), source })
}
