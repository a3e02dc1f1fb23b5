//! The whole gate, put together from a configuration, running; and put together anew when its files change

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::audit::{self, Audit};
use crate::authenticate::{Authenticator, KeyStore, Settings, SettingsFault};
use crate::config::{Config, IssuerConfig, Located, Severity, SignIn, UpstreamTls};
use crate::decision_id::random;
use crate::fetch::Fetcher;
use crate::forward::Routers;
use crate::forward::account::Account;
use crate::forward::upstream::{Upstream, UpstreamSettings};
use crate::judge::{self, Judge};
use crate::key_keeper::{KeyKeeper, KeyPlace, Rhythm, Source};
use crate::live::Live;
use crate::metrics::{Metrics, Reload};
use crate::password::{Password, PasswordFault};
use crate::pipeline::Gate;
use crate::storage_report::{self, ReportKeeper, StorageWatch};
use crate::tasks::Tasks;
use crate::tls::{self, Certificate, TlsError};
use crate::verify::Verifier;
use crate::watch_files::{Look, Watcher};
use crate::{admin, drain, listener};

/// Between two looks at the files
const LOOK: Duration = Duration::from_secs(1);

/// Why the gate does not start, or does not take a changed configuration
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Certificate or trust
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The issuers cannot stand together
    #[error(transparent)]
    Issuers(#[from] SettingsFault),
    /// The roots that are trusted for an issuer's keys cannot be read
    #[error("the roots for the keys of {issuer}: {error}")]
    Roots {
        /// The issuer
        issuer: String,
        /// Why
        #[source]
        error: io::Error,
    },
    /// The password of the gate's account is not there
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// An address cannot be bound
    #[error("{address} cannot be bound: {source}")]
    Bind {
        /// The address
        address: String,
        /// Why
        source: io::Error,
    },
    /// The audit file cannot be opened
    #[error("the audit record cannot be opened: {0}")]
    Audit(#[source] io::Error),
    /// The configuration has faults; each is in the log
    #[error("the configuration has faults")]
    Faults,
    /// The system lacks what every process has
    #[error("the system gives no {0}")]
    System(&'static str),
}

/// A gate that takes connections
#[derive(Debug)]
pub struct Server {
    /// Where clients come in, in the order of the configuration
    pub addresses: Vec<SocketAddr>,
    /// Where operators ask
    pub admin_address: SocketAddr,
    running: Arc<Running>,
    hang_up: Arc<Notify>,
    draining: watch::Sender<bool>,
    listening: JoinHandle<bool>,
}

/// What lives as long as the process, whatever the files say
#[derive(Debug)]
struct Running {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    store: Arc<KeyStore>,
    certificate: Arc<Certificate>,
    fingerprint_key: [u8; 32],
    draining: watch::Receiver<bool>,
    /// `[listen]` and `[admin]` addresses as they were bound
    addresses: (Vec<String>, String),
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
        let (metrics, store) = (Arc::new(Metrics::default()), Arc::new(KeyStore::new()));
        let fingerprint_key = random().map_err(|_| StartError::System("randomness"))?;
        let parts =
            Parts { metrics: &metrics, store: &store, fingerprint_key: &fingerprint_key, draining: &drained };
        let written = (config.listen.addresses.clone(), config.admin.address.clone());
        let live = Arc::new(Live::new(Arc::new(parts.assemble(config, None).await?)));
        tokio::spawn(admin::listen(operators, Arc::clone(&live), Arc::clone(&store), drained.clone()));
        tokio::spawn(storage_report::tell_changes(Arc::clone(&live), drained.clone()));
        let listening = tokio::spawn(listener::listen(doors, tls, Arc::clone(&live), drained.clone()));
        let running = Running {
            live,
            metrics,
            store,
            certificate,
            fingerprint_key,
            draining: drained,
            addresses: written,
        };
        let hang_up = Arc::new(Notify::new());
        Ok(Self { addresses, admin_address, running: Arc::new(running), hang_up, draining, listening })
    }

    /// Looks at the configuration's file, and at those it names, every second from now on
    pub fn watch(&self, file: PathBuf) {
        let watching = Arc::clone(&self.running).keep_watching(file, Arc::clone(&self.hang_up));
        tokio::spawn(watching);
    }

    /// Looks again now, and opens the audit file anew (SIGHUP)
    pub fn refresh(&self) {
        let gate = self.running.live.gate();
        if let Err(error) = gate.audit.reopen() {
            tracing::error!(%error, "the audit file cannot be opened anew; the old one is written to");
        }
        gate.keepers.iter().for_each(|keeper| keeper.ask());
        self.hang_up.notify_one();
    }

    /// Takes no further connection and waits for the requests at hand; whether all were done in time
    pub async fn drain(self) -> bool {
        // Whoever listens is told; nobody is left to be told where all have ended.
        let _told = self.draining.send(true);
        self.listening.await.unwrap_or(false)
    }
}

impl Running {
    async fn keep_watching(self: Arc<Self>, file: PathBuf, hang_up: Arc<Notify>) {
        let mut draining = self.draining.clone();
        let look = || Look::at(&file, &self.live.gate().config);
        let mut watcher = Watcher::new(Look::applied(&file, &self.live.gate().config));
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = hang_up.notified() => {
                    watcher.ask();
                    continue;
                }
                () = drain::told(&mut draining) => return,
            }
            if watcher.is_due(look()) {
                let reload = match self.reload(&file).await {
                    Ok(()) => Reload::Applied,
                    Err(error) => {
                        tracing::error!(file = %file.display(), %error, "the changed files are not applied; what held, holds");
                        Reload::Refused
                    }
                };
                self.metrics.reload(reload);
                if reload == Reload::Applied {
                    tracing::info!(file = %file.display(), "the changed files are applied");
                    watcher.follow(Look::applied(&file, &self.live.gate().config));
                }
            }
        }
    }

    /// Puts a whole new gate together, and only then lets it serve
    async fn reload(&self, file: &Path) -> Result<(), StartError> {
        let config = read(file)?;
        let before = self.live.gate();
        let (listen, admin) = &self.addresses;
        if (listen, admin) != (&config.listen.addresses, &config.admin.address) {
            tracing::warn!("another address in [listen] or [admin] needs a restart; the old one goes on");
        }
        let certificate = Certificate::read(&config.listen.certificate, &config.listen.key)?;
        let gate = self.parts().assemble(config, Some(&before)).await?;
        self.certificate.replace(certificate);
        self.live.replace(Arc::new(gate));
        let now = self.live.gate();
        for gone in before.keepers.iter().filter(|keeper| now.keeper_of(keeper.issuer()).is_none()) {
            gone.retire();
            self.store.remove(gone.issuer());
        }
        Ok(())
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            metrics: &self.metrics,
            store: &self.store,
            fingerprint_key: &self.fingerprint_key,
            draining: &self.draining,
        }
    }
}

/// The configuration in a file, or its faults in the log
fn read(file: &Path) -> Result<Config, StartError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        tracing::error!(file = name, %error, "the configuration cannot be read");
        StartError::Faults
    })?;
    let reading = Config::read(&text, file.parent().unwrap_or(Path::new("")));
    for fault in reading.findings.iter().filter(|fault| fault.severity == Severity::Error) {
        tracing::error!("{}", Located { file: &name, fault });
    }
    reading.config.ok_or(StartError::Faults)
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
    note("audit.file", audit::try_to_open(&config.audit.file).err().map(StartError::Audit));
    note("upstream", routers(config).err());
    let (metrics, store) = (Arc::new(Metrics::default()), Arc::new(KeyStore::new()));
    let (_told, draining) = watch::channel(false);
    let parts = Parts { metrics: &metrics, store: &store, fingerprint_key: &[0; 32], draining: &draining };
    note("issuers", parts.authenticator(config).err());
    let rhythm = Rhythm { refresh: config.limits.key_refresh, stale: config.limits.key_stale };
    for issuer in &config.issuers {
        let keeper = source(issuer).and_then(|source| parts.new_keeper(issuer, source, rhythm));
        note("issuers.ca_file", keeper.err());
    }
    faults
}

async fn bind(address: &str) -> Result<TcpListener, StartError> {
    listener::bind(address).await.map_err(|source| StartError::Bind { address: address.to_owned(), source })
}

/// What a gate is put together from, besides its configuration
struct Parts<'a> {
    metrics: &'a Arc<Metrics>,
    store: &'a Arc<KeyStore>,
    fingerprint_key: &'a [u8; 32],
    draining: &'a watch::Receiver<bool>,
}

impl Parts<'_> {
    /// Builds everything that a request meets; what has not changed is taken over from the gate before
    async fn assemble(&self, config: Config, before: Option<&Gate>) -> Result<Gate, StartError> {
        let audit = match before {
            Some(before) if before.config.audit == config.audit => Arc::clone(&before.audit),
            _ => {
                let audit = Audit::open(&config.audit, self.fingerprint_key, Arc::clone(self.metrics));
                Arc::new(audit.map_err(StartError::Audit)?)
            }
        };
        let judge = match before {
            Some(before) if before.rules == config.rules && before.limits.sql() == config.limits.sql() => {
                Arc::clone(&before.judge)
            }
            _ => {
                let judge =
                    Judge::start(config.rules.clone(), config.limits.sql(), judge::Settings::default());
                Arc::new(judge.map_err(|_| StartError::System("thread"))?)
            }
        };
        let authenticator = self.authenticator(&config)?;
        let routers = Arc::new(routers(&config)?);
        if routers.count() > 1 {
            tokio::spawn(Routers::watch(Arc::downgrade(&routers), self.draining.clone()));
        }
        let storage = self.storage(&config, before).await;
        let keepers = self.keepers(&config, before).await?;
        Ok(Gate {
            authenticator,
            keepers,
            policy: config.policy.clone(),
            judge,
            tasks: Tasks::new(Arc::clone(&routers), config.limits.control_answer),
            verifier: Arc::new(Verifier::new(
                config.door.verify,
                Arc::clone(&routers),
                config.limits.control_answer,
                Arc::clone(self.metrics),
            )),
            storage,
            rules: config.rules.clone(),
            door: config.door,
            limits: config.limits.clone(),
            routers,
            audit,
            metrics: Arc::clone(self.metrics),
            config,
        })
    }

    fn authenticator(&self, config: &Config) -> Result<Authenticator, StartError> {
        let settings = Settings {
            token_bytes: config.limits.token_bytes,
            leeway: config.limits.token_leeway,
            basic_token: config.door.basic,
            ..Settings::default()
        };
        let issuers = config.issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
        Ok(Authenticator::new(issuers, Arc::clone(self.store), settings)?)
    }

    /// Durable storage by its report; of the same file, the last good one counts on
    async fn storage(&self, config: &Config, before: Option<&Gate>) -> Option<StorageWatch> {
        let report = config.durable_storage.report.as_ref()?;
        let known = before.and_then(|before| before.storage.as_ref()).map(StorageWatch::keeper);
        let keeper = match known.filter(|known| known.file() == report.file) {
            Some(same) => Arc::clone(same),
            None => {
                let keeper = Arc::new(ReportKeeper::open(&report.file).await);
                // It ends by itself when no gate has the keeper any more.
                tokio::spawn(ReportKeeper::keep(Arc::downgrade(&keeper), self.draining.clone()));
                keeper
            }
        };
        Some(StorageWatch::new(keeper, report))
    }

    /// A keeper for each issuer; the new ones have fetched once, all at the same time, before the gate serves
    ///
    /// The last step that can fail comes before the first that changes what holds: keys of a place that is left
    /// serve no longer, whether the new place gives any or not.
    async fn keepers(
        &self,
        config: &Config,
        before: Option<&Gate>,
    ) -> Result<Vec<Arc<KeyKeeper>>, StartError> {
        let rhythm = Rhythm { refresh: config.limits.key_refresh, stale: config.limits.key_stale };
        let (mut keepers, mut new) = (Vec::new(), Vec::new());
        for issuer in &config.issuers {
            let source = source(issuer)?;
            let known = before.and_then(|before| before.keeper_of(&source.issuer));
            if let Some(same) = known.filter(|known| known.is_for(&source, rhythm)) {
                keepers.push(Arc::clone(same));
                continue;
            }
            let keeper = Arc::new(self.new_keeper(issuer, source, rhythm)?);
            keepers.push(Arc::clone(&keeper));
            new.push((keeper, known));
        }
        let mut fetching = JoinSet::new();
        for (keeper, known) in &new {
            if let Some(known) = known {
                keeper.succeed(known);
            }
            let (fetched, draining) = (Arc::clone(keeper), self.draining.clone());
            fetching.spawn(async move {
                fetched.fetch().await;
                // It ends by itself when no gate has the keeper any more.
                tokio::spawn(KeyKeeper::keep(Arc::downgrade(&fetched), draining));
            });
        }
        let _fetched = fetching.join_all().await;
        for (keeper, _) in new.iter().filter(|(keeper, _)| !keeper.has_fetched()) {
            self.store.remove(keeper.issuer());
        }
        Ok(keepers)
    }

    fn new_keeper(
        &self,
        issuer: &IssuerConfig,
        source: Source,
        rhythm: Rhythm,
    ) -> Result<KeyKeeper, StartError> {
        let tls = match (&issuer.keys, &issuer.ca_file) {
            (KeyPlace::File(_), _) => tls::client_without_roots(),
            (KeyPlace::Address(_) | KeyPlace::Discovery, ca_file) => tls::client(ca_file.as_deref())?,
        };
        let (store, metrics) = (Arc::clone(self.store), Arc::clone(self.metrics));
        Ok(KeyKeeper::new(source, Fetcher::new(tls), store, rhythm, metrics))
    }
}

fn source(issuer: &IssuerConfig) -> Result<Source, StartError> {
    let roots = issuer.ca_file.as_ref().map(std::fs::read).transpose();
    let roots =
        roots.map_err(|error| StartError::Roots { issuer: issuer.issuer.name().to_owned(), error })?;
    Ok(Source { issuer: issuer.issuer.name().to_owned(), place: issuer.keys.clone(), roots })
}

/// The way to Druid that a configuration describes
///
/// # Errors
///
/// Where its password or its roots are not there.
pub fn routers(config: &Config) -> Result<Routers, StartError> {
    let tls = match &config.upstream.tls {
        UpstreamTls::Plain => None,
        UpstreamTls::SystemRoots => Some(tls::client(None)?),
        UpstreamTls::CaFile(file) => Some(tls::client(Some(file))?),
    };
    let sign_in = config.upstream.sign_in.as_ref();
    let read = |account: &SignIn| Ok((account.username.clone(), Password::read(&account.password)?));
    let sign_in = sign_in.map(read).transpose().map_err(StartError::Password)?;
    let router = |authority: &String| {
        let settings = UpstreamSettings {
            authority: authority.clone(),
            tls: tls.clone(),
            sign_in: sign_in.clone(),
            connect: config.limits.connect,
        };
        Upstream::new(settings).map_err(|_| StartError::Password(PasswordFault::NotAHeader))
    };
    let account = Account(sign_in.as_ref().map(|(name, _)| name.clone()));
    Ok(Routers::new(config.upstream.authorities.iter().map(router).collect::<Result<_, _>>()?, account))
}
