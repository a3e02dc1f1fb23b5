//! Keeps every issuer's keys: fetched in time, sooner for an unknown one, and served while nobody answers
//!
//! An issuer's keys come from a file, an address, or the address that its discovery document names (OpenID
//! Connect Discovery 1.0). The last good set serves until it is too old; what cannot be had is 503, not 401.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::error::KEYS_RETRY;
use super::key_search::{Paces, Search, Searches};
use super::keys::{KeySetError, MAX_SET_BYTES};
use super::{KeySet, KeyStore, jwks_file};
use crate::base::decision_id::random;
use crate::base::drain;
use crate::base::fetch::{FetchError, Fetcher};
use crate::base::metrics::Metrics;
use crate::base::redact::presentable;
use crate::base::small_file::SmallFile;
use crate::druid::json;

/// Where an issuer's keys come from
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file with a JWK set
    File(PathBuf),
    /// The address of a JWK set
    Address(String),
    /// The address in the issuer's discovery document
    Discovery,
}

/// Whose keys, from where, and on whose word
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The issuer
    pub issuer: String,
    /// Where its keys come from
    pub place: KeyPlace,
    /// The bytes of the file with the roots that are trusted for it, where there is one
    pub roots: Option<Vec<u8>>,
}

/// How often keys are fetched, and how long they serve
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Between two fetches
    pub refresh: Duration,
    /// How long the last good set serves while nobody answers
    pub stale: Duration,
}

/// A file is at hand: it is looked at as often as it may change
const FILE_REFRESH: Duration = Duration::from_secs(10);
/// The first pause after a failure; each further one doubles it
const FIRST_RETRY: Duration = Duration::from_secs(1);
const DISCOVERY_BYTES: usize = 256 << 10;
const DISCOVERY_DEPTH: usize = 32;

/// Why an issuer's keys could not be fetched
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file gives none
    #[error(transparent)]
    File(#[from] jwks_file::JwksFileError),
    /// The address gives none
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is no key set
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// The discovery document is none
    #[error("the discovery document is no JSON object")]
    NoDocument,
    /// The discovery document is another issuer's (OpenID Connect Discovery 1.0, section 4.3)
    #[error(
        "the discovery document is of `{found}`, not of `{wanted}`; write `issuer` byte for byte as it says"
    )]
    OtherIssuer {
        /// The configured one
        wanted: String,
        /// The one that the document names
        found: String,
    },
    /// The discovery document names no keys
    #[error("the discovery document names no `jwks_uri`")]
    NoAddress,
    /// The discovery document of an https issuer names keys that come by http
    #[error("the discovery document came by https and names a `jwks_uri` that does not; give `jwks_url`")]
    NotHttps,
}

/// Keeps one issuer's keys
#[derive(Debug)]
pub struct KeyKeeper {
    source: Source,
    /// The source's file, where it is one
    file: Option<SmallFile>,
    fetcher: Fetcher,
    store: Arc<KeyStore>,
    rhythm: Rhythm,
    metrics: Arc<Metrics>,
    wanted: Arc<Notify>,
    state: Mutex<State>,
    fetches: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    last_success: Option<Instant>,
    searches: Searches,
    /// Whether a fetch for an unknown key is to begin, for all who come until then
    is_wanted: bool,
    is_fetching: bool,
    failures: u32,
    /// Whether another keeper has its place: what it still fetches is dropped
    is_retired: bool,
}

impl KeyKeeper {
    /// A keeper that has not fetched yet
    pub fn new(
        source: Source,
        fetcher: Fetcher,
        store: Arc<KeyStore>,
        rhythm: Rhythm,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (wanted, state) = (Arc::new(Notify::new()), Mutex::default());
        let file = if let KeyPlace::File(path) = &source.place { Some(jwks_file::open(path)) } else { None };
        let fetches = watch::Sender::new(0);
        Self { source, file, fetcher, store, rhythm, metrics, wanted, state, fetches }
    }

    /// Whose keys these are
    pub fn issuer(&self) -> &str {
        &self.source.issuer
    }

    /// From where they come
    pub fn place(&self) -> &KeyPlace {
        &self.source.place
    }

    /// Takes the place of a keeper of the same issuer; of the same source, its keys serve on and age on
    pub fn succeed(&self, before: &Self) {
        before.retire();
        if before.source == self.source {
            self.state().last_success = before.state().last_success;
        }
    }

    /// From now on it changes nothing more, not even by a fetch that is under way
    pub fn retire(&self) {
        self.state().is_retired = true;
    }

    /// Asks for a fetch soon; a thousand who ask at once get one
    pub fn ask(&self) {
        self.wanted.notify_one();
    }

    /// Whether keys have come at all
    pub fn has_fetched(&self) -> bool {
        self.age().is_some()
    }

    /// Fetches once now; what came serves from now on
    pub async fn fetch(&self) {
        self.begin_fetch();
        match self.keys().await {
            Ok(keys) => self.fetched(keys),
            Err(error) => self.failed(&error),
        }
        self.metrics.keys_age(self.issuer(), self.age());
        let mut state = self.state();
        state.is_fetching = false;
        self.fetches.send_modify(|count| *count += 1);
    }

    fn begin_fetch(&self) {
        let mut state = self.state();
        (state.is_wanted, state.is_fetching) = (false, true);
    }

    fn fetched(&self, keys: KeySet) {
        for remark in keys.remarks() {
            tracing::warn!(issuer = self.issuer(), remark = %remark, "a key of the issuer's set");
        }
        if keys.usable() == 0 {
            tracing::warn!(issuer = self.issuer(), "the issuer's file holds no key: its tokens are refused");
        }
        let mut state = self.state();
        if !state.is_retired {
            self.store.put(self.issuer(), Arc::new(keys));
        }
        state.last_success = Some(Instant::now());
        state.failures = 0;
    }

    /// Fetches in rhythm, sooner where asked, until the gate stops or nobody has the keeper any more
    pub async fn keep(keeper: Weak<Self>, mut draining: watch::Receiver<bool>) {
        loop {
            // While it waits, this task does not hold the keeper.
            let Some((pause, wanted)) =
                keeper.upgrade().map(|keeper| (keeper.pause(), Arc::clone(&keeper.wanted)))
            else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wanted.notified() => {}
                () = drain::begins(&mut draining) => return,
            }
            if let Some(keeper) = keeper.upgrade() {
                keeper.fetch().await;
            }
        }
    }

    /// Whether it keeps the keys of this source in this rhythm
    pub fn is_for(&self, source: &Source, rhythm: Rhythm) -> bool {
        self.source == *source && self.rhythm == rhythm
    }

    /// Somebody came with a key that is not known: waits for a fetch that begins now, unless there were enough of late
    pub async fn search(&self, client: IpAddr) -> Search {
        let mut fetches = self.fetches.subscribe();
        let (search, awaited) = self.begin_search(client, Instant::now());
        if search == Search::Fetched && fetches.wait_for(|count| *count >= awaited).await.is_err() {
            return Search::Later(KEYS_RETRY);
        }
        if self.state().failures > 0 { Search::Later(KEYS_RETRY) } else { search }
    }

    /// What comes of a search, and by the end of which fetch; one that is under way may have begun before the key was
    /// there
    fn begin_search(&self, client: IpAddr, now: Instant) -> (Search, u64) {
        let mut state = self.state();
        let awaited = *self.fetches.borrow() + 1 + u64::from(state.is_fetching);
        if state.is_wanted {
            return (Search::Fetched, awaited);
        }
        let paces = if self.file.is_some() { Paces::OF_A_FILE } else { Paces::OF_AN_ISSUER };
        let search = state.searches.begin(client, paces, now);
        if search == Search::Fetched {
            state.is_wanted = true;
            self.wanted.notify_one();
        }
        (search, awaited)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How old the keys are that serve
    fn age(&self) -> Option<Duration> {
        self.state().last_success.map(|last| last.elapsed())
    }

    fn failed(&self, error: &KeysError) {
        let issuer = self.issuer();
        let age = self.age();
        let mut state = self.state();
        state.failures += 1;
        let seconds = age.map(|age| age.as_secs());
        if state.is_retired {
            tracing::info!(issuer, %error, "the issuer's keys come from elsewhere now");
        } else if age.is_none() {
            tracing::warn!(issuer, %error, "the issuer's keys cannot be fetched, and there are none yet: its tokens are answered 503");
        } else if age.is_some_and(|age| age > self.rhythm.stale) {
            self.store.remove(issuer);
            tracing::error!(issuer, %error, age = seconds, "the issuer's keys cannot be fetched, and the last good ones are too old to serve");
        } else {
            tracing::warn!(issuer, %error, age = seconds, "the issuer's keys cannot be fetched; the last good ones serve");
        }
        self.metrics.keys_failed(issuer);
    }

    /// Until the next fetch: in rhythm, a tenth more or less so that gates do not all come at once; soon after a failure
    fn pause(&self) -> Duration {
        let refresh = self.rhythm.refresh.min(if self.file.is_some() { FILE_REFRESH } else { Duration::MAX });
        let failures = self.state().failures;
        let pause = match failures {
            0 => refresh,
            _ => refresh.min(FIRST_RETRY * 2_u32.saturating_pow(failures.min(10) - 1)),
        };
        let [dice]: [u8; 1] = random().unwrap_or_default();
        pause.mul_f64(0.9 + 0.2 * f64::from(dice) / 255.0)
    }

    async fn keys(&self) -> Result<KeySet, KeysError> {
        if let Some(file) = &self.file {
            return Ok(jwks_file::read_again(file).await?);
        }
        let address = match &self.source.place {
            KeyPlace::Address(address) => address.clone(),
            KeyPlace::File(_) | KeyPlace::Discovery => self.discover().await?,
        };
        let document = self.fetcher.document(&address, MAX_SET_BYTES).await?;
        Ok(KeySet::parse(&document)?)
    }

    /// The `jwks_uri` of the discovery document, whose `issuer` must be the configured one byte for byte
    async fn discover(&self) -> Result<String, KeysError> {
        let base = self.issuer().strip_suffix('/').unwrap_or(self.issuer());
        let address = format!("{base}/.well-known/openid-configuration");
        let document = self.fetcher.document(&address, DISCOVERY_BYTES).await?;
        let document = json::parse(&document, DISCOVERY_DEPTH).map_err(|_| KeysError::NoDocument)?;
        address_of_keys(&document, self.issuer())
    }
}

/// The `jwks_uri` of an issuer's own document; what came over https does not lead to what anybody on the way can change
fn address_of_keys(document: &Value, issuer: &str) -> Result<String, KeysError> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    let found = text("issuer");
    if found != Some(issuer) {
        let found = presentable(found.unwrap_or("nobody")).chars().take(200).collect();
        return Err(KeysError::OtherIssuer { wanted: issuer.to_owned(), found });
    }
    let address = text("jwks_uri").ok_or(KeysError::NoAddress)?;
    let is_https =
        |address: &str| address.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    if is_https(issuer) && !is_https(address) {
        return Err(KeysError::NotHttps);
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::development::ThrowAwayIssuer;

    fn keeper(path: PathBuf, store: &Arc<KeyStore>) -> KeyKeeper {
        let source = Source { issuer: "i".to_owned(), place: KeyPlace::File(path), roots: None };
        let rhythm = Rhythm { refresh: Duration::from_secs(60), stale: Duration::from_secs(60) };
        let fetcher = Fetcher::new(crate::base::tls::client_without_roots());
        KeyKeeper::new(source, fetcher, Arc::clone(store), rhythm, Arc::new(Metrics::default()))
    }

    #[tokio::test]
    async fn what_a_keeper_fetches_counts_until_another_succeeds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, ThrowAwayIssuer::new().unwrap().jwks().to_string()).unwrap();
        let store = Arc::new(KeyStore::new());
        let old = keeper(path.clone(), &store);
        old.fetch().await;
        assert!(store.has("i"));
        let (same, other) = (keeper(path.clone(), &store), keeper(path.with_file_name("other"), &store));
        same.succeed(&old);
        assert!(same.has_fetched(), "keys of the same source serve on");
        other.succeed(&old);
        assert!(!other.has_fetched(), "those of another do not");
        store.remove("i");
        old.fetch().await;
        assert!(!store.has("i"), "what it fetches too late is dropped");
        same.fetch().await;
        assert!(store.has("i"));
    }

    #[test]
    fn an_https_issuers_keys_come_by_https() {
        let address = |issuer: &str, keys: &str| {
            let document = serde_json::json!({"issuer": issuer, "jwks_uri": keys});
            address_of_keys(&document, issuer).is_ok()
        };
        assert!(
            address("https://id", "https://id/keys")
                && address("http://127.0.0.1:1", "http://127.0.0.1:1/keys")
        );
        for keys in
            ["http://id/keys", "http://127.0.0.1/keys", "HTTP://localhost", "keys", "ftp://id", "https:/id"]
        {
            assert!(!address("https://id", keys), "{keys}");
        }
    }

    #[test]
    fn a_thousand_who_look_for_a_key_get_one_fetch_and_none_that_has_begun() {
        let keeper = keeper(PathBuf::from("none"), &Arc::new(KeyStore::new()));
        let begin = || keeper.begin_search("10.0.0.1".parse().unwrap(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(begin(), (Search::Fetched, 1));
        }
        keeper.begin_fetch();
        assert_eq!((begin(), begin()), ((Search::Fetched, 2), (Search::Fetched, 2)));
    }

    #[tokio::test]
    async fn a_fifo_in_place_of_the_file_gives_no_keys_and_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, ThrowAwayIssuer::new().unwrap().jwks().to_string()).unwrap();
        let store = Arc::new(KeyStore::new());
        let keeper = keeper(path.clone(), &store);
        keeper.fetch().await;
        assert!(keeper.has_fetched());
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        keeper.fetch().await;
        assert_eq!(keeper.state().failures, 1);
        assert!(store.has("i"), "the last good keys serve on");
    }
}
