//! The whole gate, put together from a configuration, running

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::authenticate::{Authenticator, KeyStore, Settings, SettingsFault, jwks_file};
use crate::config::{Config, PasswordSource, UpstreamTls};
use crate::decision_id::random;
use crate::forward::Upstream;
use crate::forward::upstream::UpstreamSettings;
use crate::judge::{self, Judge};
use crate::metrics::Metrics;
use crate::pipeline::Gate;
use crate::tasks::Tasks;
use crate::tls::{self, TlsError};
use crate::{admin, drain, listener};

/// How often a file of keys is looked at again
const KEYS_LOOKED_AT: Duration = Duration::from_secs(30);

/// Why the gate does not start
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Certificate or trust
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The issuers cannot stand together
    #[error(transparent)]
    Issuers(#[from] SettingsFault),
    /// The password of the gate's account is not there
    #[error("the password of the gate's account: {0}")]
    Password(String),
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
    /// The system lacks what every process has
    #[error("the system gives no {0}")]
    System(&'static str),
}

/// A gate that takes connections
#[derive(Debug)]
pub struct Server {
    /// Where clients come in
    pub address: SocketAddr,
    /// Where operators ask
    pub admin_address: SocketAddr,
    keys: Arc<Keys>,
    audit: Arc<Audit>,
    draining: watch::Sender<bool>,
    listening: JoinHandle<bool>,
}

impl Server {
    /// Starts a gate; it takes connections when this returns
    ///
    /// An issuer whose keys cannot be read keeps the gate from being ready, not from starting.
    ///
    /// # Errors
    ///
    /// Where a file, an address or the system does not give what the configuration says.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let tls = Arc::new(tls::server(&config.listen.certificate, &config.listen.key)?);
        let public = bind(&config.listen.address).await?;
        let operators = bind(&config.admin.address).await?;
        let bound = |address: io::Result<SocketAddr>| address.map_err(|_| StartError::System("address"));
        let (address, admin_address) = (bound(public.local_addr())?, bound(operators.local_addr())?);
        let keys = Arc::new(Keys::of(&config));
        keys.read();
        let gate = Arc::new(assemble(config, &keys.store)?);
        let audit = Arc::clone(&gate.audit);
        let (draining, drained) = watch::channel(false);
        let issuers = admin::Issuers { names: keys.names(), keys: Arc::clone(&keys.store) };
        tokio::spawn(admin::listen(operators, Arc::clone(&gate), issuers, drained.clone()));
        tokio::spawn(keep_reading(Arc::clone(&keys), drained.clone()));
        let listening = tokio::spawn(listener::listen(public, tls, gate, drained));
        Ok(Self { address, admin_address, keys, audit, draining, listening })
    }

    /// Looks at the key files again, and opens the audit file anew
    pub fn refresh(&self) {
        self.keys.read();
        if let Err(error) = self.audit.reopen() {
            tracing::error!(%error, "the audit file cannot be opened anew; the old one is written to");
        }
    }

    /// Takes no further connection and waits for the requests at hand; whether all were done in time
    pub async fn drain(self) -> bool {
        // Whoever listens is told; nobody is left to be told where all have ended.
        let _told = self.draining.send(true);
        self.listening.await.unwrap_or(false)
    }
}

async fn bind(address: &str) -> Result<tokio::net::TcpListener, StartError> {
    listener::bind(address).await.map_err(|source| StartError::Bind { address: address.to_owned(), source })
}

/// Builds everything that a request meets
fn assemble(config: Config, keys: &Arc<KeyStore>) -> Result<Gate, StartError> {
    let metrics = Arc::new(Metrics::default());
    let fingerprint_key: [u8; 32] = random().map_err(|_| StartError::System("randomness"))?;
    let audit =
        Audit::open(&config.audit, &fingerprint_key, Arc::clone(&metrics)).map_err(StartError::Audit)?;
    let upstream = Arc::new(upstream(&config)?);
    let limits = config.limits;
    let settings = Settings {
        token_bytes: limits.token_bytes,
        leeway: limits.token_leeway,
        basic_token: config.door.basic,
        ..Settings::default()
    };
    let issuers = config.issuers.into_iter().map(|issuer| issuer.issuer).collect();
    let judge = Judge::start(config.rules.clone(), limits.sql(), judge::Settings::default());
    Ok(Gate {
        authenticator: Authenticator::new(issuers, Arc::clone(keys), settings)?,
        policy: config.policy,
        judge: judge.map_err(|_| StartError::System("thread"))?,
        tasks: Tasks::new(Arc::clone(&upstream), limits.control_answer),
        rules: config.rules,
        door: config.door,
        limits,
        upstream,
        audit: Arc::new(audit),
        metrics,
    })
}

fn upstream(config: &Config) -> Result<Upstream, StartError> {
    let tls = match &config.upstream.tls {
        UpstreamTls::Plain => None,
        UpstreamTls::SystemRoots => Some(tls::client(None)?),
        UpstreamTls::CaFile(file) => Some(tls::client(Some(file))?),
    };
    let sign_in = config.upstream.sign_in.as_ref();
    let sign_in =
        sign_in.map(|account| Ok((account.username.clone(), password(&account.password)?))).transpose();
    let settings = UpstreamSettings {
        authority: config.upstream.authority.clone(),
        tls,
        sign_in: sign_in.map_err(StartError::Password)?,
        connect: config.limits.connect,
    };
    Upstream::new(settings).map_err(|_| StartError::Password("it cannot stand in a header".to_owned()))
}

fn password(source: &PasswordSource) -> Result<String, String> {
    match source {
        PasswordSource::File(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        PasswordSource::Environment(name) => {
            std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set"))
        }
    }
}

/// The issuers' keys and the files they come from
#[derive(Debug)]
struct Keys {
    store: Arc<KeyStore>,
    files: Vec<(String, PathBuf)>,
}

impl Keys {
    fn of(config: &Config) -> Self {
        let files =
            config.issuers.iter().map(|issuer| (issuer.issuer.name().to_owned(), issuer.jwks_file.clone()));
        Self { store: Arc::new(KeyStore::new()), files: files.collect() }
    }

    fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Reads every file; one that cannot be read changes nothing
    fn read(&self) {
        for (issuer, file) in &self.files {
            match jwks_file::read(file) {
                Ok(keys) => {
                    for remark in keys.remarks() {
                        tracing::warn!(issuer, remark = %remark, "a key of the issuer's set");
                    }
                    self.store.put(issuer, Arc::new(keys));
                }
                Err(error) => tracing::error!(issuer, %error, "the issuer's keys cannot be read"),
            }
        }
    }
}

async fn keep_reading(keys: Arc<Keys>, mut draining: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(KEYS_LOOKED_AT) => {
                let keys = Arc::clone(&keys);
                // A file system that hangs holds up one thread, not the requests.
                let _read = tokio::task::spawn_blocking(move || keys.read()).await;
            }
            () = drain::told(&mut draining) => return,
        }
    }
}
