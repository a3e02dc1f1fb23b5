//! A gate put together from a configuration and the files it names; put together anew, each part that is faulty then
//! stays as it was before

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::faulty_files::Part;
use super::own_address::is_own;
use super::watch_files::MOST_BYTES;
use crate::authenticate::callers::Callers;
use crate::authenticate::key_keeper::{KeyKeeper, KeyPlace, Rhythm, Source};
use crate::authenticate::{Authenticator, KeyStore, Settings, SettingsFault};
use crate::base::budgets::Budgets;
use crate::base::fetch::Fetcher;
use crate::base::metrics::Metrics;
use crate::base::password::{Password, PasswordFault};
use crate::base::small_file;
use crate::base::tls::{self, TlsError};
use crate::config::{Config, IssuerConfig, Limits, SignIn, UpstreamTls};
use crate::evidence::judge::{self, Judge};
use crate::evidence::overlord::Overlord;
use crate::evidence::supervisors::Supervisors;
use crate::evidence::tasks::Tasks;
use crate::evidence::verify::Verifier;
use crate::forward::Routers;
use crate::pipeline::Gate;
use crate::preflight::storage_report::{ReportKeeper, StorageWatch};
use crate::record::audit::Audit;

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
    /// A router's address is the gate's own
    #[error("{authority} is an address of this gate itself; write the router's")]
    Loop {
        /// The address
        authority: String,
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

/// What could not be used, each with the part of the gate that stays as it was
pub(crate) type Faults = Vec<(Part, StartError)>;

/// What a gate is put together from, besides its configuration; it lives as long as the process
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) store: Arc<KeyStore>,
    pub(crate) fingerprint_key: [u8; 32],
    pub(crate) draining: watch::Receiver<bool>,
}

/// A part as it should be; where that is faulty, as it was before, and the fault is noted
fn or_before<T>(
    new: Result<T, StartError>,
    before: Option<T>,
    part: Part,
    faults: &mut Faults,
) -> Result<T, StartError> {
    match (new, before) {
        (Err(fault), Some(before)) => {
            faults.push((part, fault));
            Ok(before)
        }
        (new, _) => new,
    }
}

impl Parts {
    pub(crate) fn new(limits: &Limits, fingerprint_key: [u8; 32], draining: watch::Receiver<bool>) -> Self {
        let budgets = Arc::new(Budgets::new(limits.requests(), limits.bodies()));
        let store = Arc::new(KeyStore::new());
        Self { metrics: Arc::default(), budgets, store, fingerprint_key, draining }
    }

    /// Builds everything that a request meets; what has not changed is taken over from the gate before, and so is a
    /// part whose file is faulty now
    ///
    /// # Errors
    ///
    /// Where there is no gate before and a part is faulty, or the configuration itself is; then nothing has changed.
    pub(crate) async fn assemble(
        &self,
        config: Config,
        before: Option<&Gate>,
        faults: &mut Faults,
    ) -> Result<Gate, StartError> {
        let authenticator = self.authenticator(&config)?;
        // Another Druid is another policy's, and another planner's: what the one said of statements, which is remembered
        // with their judgements, says nothing of the other.
        let same_druid = before.filter(|before| before.config.upstream == config.upstream);
        let judge = match same_druid {
            Some(before) if before.rules == config.rules && before.limits.sql() == config.limits.sql() => {
                Arc::clone(&before.judge)
            }
            _ => {
                let (settings, metrics) = (judge::Settings::default(), Arc::clone(&self.metrics));
                let judge = Judge::start(config.rules.clone(), config.limits.sql(), settings, metrics);
                Arc::new(judge.map_err(|_| StartError::System("thread"))?)
            }
        };
        let audit = before.map(|before| Arc::clone(&before.audit));
        let audit = or_before(self.audit(&config, audit.clone()), audit, Part::Audit, faults)?;
        // Only a fault in the files of the same Druid leaves the way to it as it was.
        let routers = same_druid.map(|before| Arc::clone(&before.routers));
        let routers = or_before(self.routers(&config), routers, Part::Upstream, faults)?;
        let storage = self.storage(&config, before).await;
        let keepers = self.keepers(&config, before, faults).await?;
        self.budgets.requests.set(config.limits.requests());
        self.budgets.bodies.set(config.limits.bodies());
        let overlord = Overlord::new(Arc::clone(&routers), config.limits.control_answer);
        Ok(Gate {
            callers: Callers { authenticator, keepers },
            policy: config.policy.clone(),
            judge,
            tasks: Arc::new(Tasks::new(overlord.clone())),
            supervisors: Supervisors::new(overlord),
            running: before.map(|before| Arc::clone(&before.running)).unwrap_or_default(),
            verifier: Arc::new(Verifier::new(
                config.door.verify,
                Arc::clone(&routers),
                config.limits.control_answer,
                Arc::clone(&self.metrics),
            )),
            storage,
            rules: config.rules.clone(),
            door: config.door,
            limits: config.limits.clone(),
            routers,
            audit,
            budgets: Arc::clone(&self.budgets),
            metrics: Arc::clone(&self.metrics),
            config,
        })
    }

    fn audit(&self, config: &Config, before: Option<Arc<Audit>>) -> Result<Arc<Audit>, StartError> {
        if let Some(same) = before.filter(|before| before.is_of(&config.audit)) {
            return Ok(same);
        }
        let audit = Audit::open(&config.audit, &self.fingerprint_key, Arc::clone(&self.metrics));
        let audit = Arc::new(audit.map_err(StartError::Audit)?);
        // It ends by itself when no gate has the record any more.
        tokio::spawn(audit.watch());
        Ok(audit)
    }

    fn routers(&self, config: &Config) -> Result<Arc<Routers>, StartError> {
        let routers = Arc::new(routers(config)?);
        if routers.count() > 1 {
            tokio::spawn(Routers::watch(Arc::downgrade(&routers), self.draining.clone()));
        }
        Ok(routers)
    }

    pub(crate) fn authenticator(&self, config: &Config) -> Result<Authenticator, StartError> {
        let settings = Settings {
            token_bytes: config.limits.token_bytes,
            leeway: config.limits.token_leeway,
            basic_token: config.door.basic,
            ..Settings::default()
        };
        let issuers = config.issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
        Ok(Authenticator::new(issuers, Arc::clone(&self.store), settings)?)
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
    /// serve no longer, whether the new place gives any or not. An issuer whose roots are faulty keeps the keeper that
    /// it had, if that is of the same place; else it has no keys.
    async fn keepers(
        &self,
        config: &Config,
        before: Option<&Gate>,
        faults: &mut Faults,
    ) -> Result<Vec<Arc<KeyKeeper>>, StartError> {
        let rhythm = Rhythm { refresh: config.limits.key_refresh, stale: config.limits.key_stale };
        let (mut keepers, mut new) = (Vec::new(), Vec::new());
        for issuer in &config.issuers {
            let known = before.and_then(|before| before.callers.keeper_of(issuer.issuer.name()));
            let same = |source: &Source| known.filter(|known| known.is_for(source, rhythm));
            let keeper = source(issuer).and_then(|source| match same(&source) {
                Some(same) => Ok(Arc::clone(same)),
                None => self.new_keeper(issuer, source, rhythm).map(Arc::new),
            });
            let of_its_place = known.filter(|known| *known.place() == issuer.keys).cloned();
            let keeper = keeper.map(Some);
            let keeper = or_before(keeper, before.map(|_| of_its_place), Part::Issuers, faults)?;
            if let Some(new_one) =
                keeper.as_ref().filter(|keeper| !known.is_some_and(|known| Arc::ptr_eq(known, keeper)))
            {
                new.push((Arc::clone(new_one), known));
            }
            keepers.extend(keeper);
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

    pub(crate) fn new_keeper(
        &self,
        issuer: &IssuerConfig,
        source: Source,
        rhythm: Rhythm,
    ) -> Result<KeyKeeper, StartError> {
        let tls = match (&issuer.keys, &issuer.ca_file) {
            (KeyPlace::File(_), _) => tls::client_without_roots(),
            (KeyPlace::Address(_) | KeyPlace::Discovery, ca_file) => tls::client(ca_file.as_deref())?,
        };
        let (store, metrics) = (Arc::clone(&self.store), Arc::clone(&self.metrics));
        Ok(KeyKeeper::new(source, Fetcher::new(tls), store, rhythm, metrics))
    }
}

/// Whose keys an issuer's table is about, and from where they come
///
/// # Errors
///
/// Where its roots cannot be read.
pub(crate) fn source(issuer: &IssuerConfig) -> Result<Source, StartError> {
    let read = |file: &PathBuf| small_file::read(file, MOST_BYTES);
    let roots = issuer.ca_file.as_ref().map(read).transpose();
    let roots =
        roots.map_err(|error| StartError::Roots { issuer: issuer.issuer.name().to_owned(), error })?;
    Ok(Source { issuer: issuer.issuer.name().to_owned(), place: issuer.keys.clone(), roots })
}

/// The way to Druid that a configuration describes
///
/// # Errors
///
/// Where its password or its roots are not there, or a router is the gate itself.
pub fn routers(config: &Config) -> Result<Routers, StartError> {
    let own = [config.listen.addresses.as_slice(), std::slice::from_ref(&config.admin.address)].concat();
    if let Some(authority) = config.upstream.authorities.iter().find(|authority| is_own(authority, &own)) {
        return Err(StartError::Loop { authority: authority.clone() });
    }
    let tls = match &config.upstream.tls {
        UpstreamTls::Plain => None,
        UpstreamTls::SystemRoots => Some(tls::client(None)?),
        UpstreamTls::CaFile(file) => Some(tls::client(Some(file))?),
    };
    let sign_in = config.upstream.sign_in.as_ref();
    let read = |account: &SignIn| Ok((account.username.clone(), Password::read(&account.password)?));
    let sign_in = sign_in.map(read).transpose().map_err(StartError::Password)?;
    let authorities = &config.upstream.authorities;
    Routers::new(authorities, tls.as_ref(), sign_in.as_ref(), config.limits.connect)
        .map_err(|_| StartError::Password(PasswordFault::NotAHeader))
}
