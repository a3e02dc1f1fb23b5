//! Keeps every issuer's keys: fetched in time, sooner for an unknown one, and served while nobody answers
//!
//! An issuer's keys come from a file, an address, or the address that its discovery document names (OpenID
//! Connect Discovery 1.0). The last good set serves until it is too old; what cannot be had is 503, not 401.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::authenticate::error::KEYS_RETRY;
use crate::authenticate::keys::{KeySetError, MAX_SET_BYTES};
use crate::authenticate::{KeySet, KeyStore, jwks_file};
use crate::decision_id::random;
use crate::drain;
use crate::fetch::{FetchError, Fetcher};
use crate::json;
use crate::metrics::Metrics;
use crate::pace::{Pace, Paced};
use crate::redact::presentable;
use crate::small_file::SmallFile;

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

/// How often keys are fetched of an issuer because somebody came with one that is not known
///
/// Whoever causes a fetch, it brings every key that is there by then, so a new key is kept out for an interval at most.
const SEARCHES_OF_AN_ISSUER: Pace = Pace { at_once: 10, interval: Duration::from_secs(1) };
/// How often clients of one address cause that, by whatever key ids they invent
const SEARCHES_FOR_AN_ADDRESS: Pace = Pace { at_once: 3, interval: Duration::from_secs(5) };
/// How long a key id counts as unknown that was looked for
const SOUGHT_FOR: Duration = Duration::from_secs(5);
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
}

/// Keeps one issuer's keys
#[derive(Debug)]
pub struct KeyKeeper {
    source: Source,
    way: Way,
    fetcher: Fetcher,
    store: Arc<KeyStore>,
    rhythm: Rhythm,
    metrics: Arc<Metrics>,
    wanted: Arc<Notify>,
    state: Mutex<State>,
    fetches: watch::Sender<u64>,
}

/// How a keeper comes by keys
#[derive(Debug)]
enum Way {
    File(SmallFile),
    Address(String),
    Discovery,
}

impl Way {
    fn to(place: &KeyPlace) -> Self {
        match place {
            KeyPlace::File(path) => Self::File(jwks_file::open(path)),
            KeyPlace::Address(address) => Self::Address(address.clone()),
            KeyPlace::Discovery => Self::Discovery,
        }
    }
}

/// What came of looking for a key that is not known
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Keys were fetched for this: it is worth trying again
    Fetched,
    /// Keys were fetched for somebody else, maybe asked for before this key was there
    Joined,
    /// Keys were fetched for this very key id just now, and it was not among them
    InVain,
    /// Nobody can say whether the key is one of the issuer's: it gives none, or is asked again only after this time
    Later(Duration),
}

#[derive(Debug, Default)]
struct State {
    last_success: Option<Instant>,
    /// The fetches for unknown keys of late, all of them and by the address that caused them
    searches: Option<Paced>,
    searches_for: HashMap<IpAddr, Paced>,
    /// The key ids that were looked for of late
    sought: Vec<(Instant, String)>,
    /// Whether a fetch for an unknown key is under way, for all who come meanwhile
    is_wanted: bool,
    failures: u32,
    /// Whether another keeper has its place: what it still fetches is dropped
    is_retired: bool,
}

impl State {
    /// Counts a search, or says how long to wait with it
    fn pace_search(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        self.searches_for.retain(|_, searches| !searches.is_forgotten(now));
        let of_issuer = self.searches.get_or_insert(Paced::new(now));
        let for_address = self.searches_for.get(&address).copied();
        let mut for_address = for_address.unwrap_or(Paced::new(now));
        let next = of_issuer.next(SEARCHES_OF_AN_ISSUER).max(for_address.next(SEARCHES_FOR_AN_ADDRESS));
        if next > now {
            return Some(next - now);
        }
        of_issuer.done(SEARCHES_OF_AN_ISSUER, now);
        for_address.done(SEARCHES_FOR_AN_ADDRESS, now);
        self.searches_for.insert(address, for_address);
        None
    }
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
        let (way, fetches) = (Way::to(&source.place), watch::Sender::new(0));
        Self { source, way, fetcher, store, rhythm, metrics, wanted, state, fetches }
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
        match self.keys().await {
            Ok(keys) => {
                for remark in keys.remarks() {
                    tracing::warn!(issuer = self.issuer(), remark = %remark, "a key of the issuer's set");
                }
                let mut state = self.state();
                if !state.is_retired {
                    self.store.put(self.issuer(), Arc::new(keys));
                }
                state.last_success = Some(Instant::now());
                state.failures = 0;
            }
            Err(error) => self.failed(&error),
        }
        self.state().is_wanted = false;
        self.metrics.keys_age(self.issuer(), self.age());
        self.fetches.send_modify(|count| *count += 1);
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
                () = drain::told(&mut draining) => return,
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

    /// Somebody came with a key that is not known, by its id: waits for one fetch, unless there was one just now
    pub async fn search(&self, key: Option<&str>, client: IpAddr) -> Search {
        let mut fetches = self.fetches.subscribe();
        let before = *fetches.borrow_and_update();
        let may = self.may_search(key, client, Instant::now());
        if let Search::Fetched | Search::Joined = may {
            self.wanted.notify_one();
            let fetched = fetches.wait_for(|count| *count > before).await.is_ok();
            return if fetched && self.state().failures == 0 { may } else { Search::Later(KEYS_RETRY) };
        }
        if self.state().failures > 0 { Search::Later(KEYS_RETRY) } else { may }
    }

    /// Who comes while a fetch is under way waits for that one; who comes too soon after one is told when to come again
    fn may_search(&self, key: Option<&str>, client: IpAddr, now: Instant) -> Search {
        let mut state = self.state();
        if state.is_wanted {
            return Search::Joined;
        }
        state.sought.retain(|(at, _)| now.duration_since(*at) < SOUGHT_FOR);
        if key.is_some_and(|key| state.sought.iter().any(|(_, sought)| sought == key)) {
            return Search::InVain;
        }
        if let Some(wait) = state.pace_search(network(client), now) {
            return Search::Later(wait);
        }
        state.sought.extend(key.map(|key| (now, key.to_owned())));
        state.is_wanted = true;
        Search::Fetched
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
        let refresh = match self.way {
            Way::File(_) => FILE_REFRESH.min(self.rhythm.refresh),
            Way::Address(_) | Way::Discovery => self.rhythm.refresh,
        };
        let failures = self.state().failures;
        let pause = match failures {
            0 => refresh,
            _ => refresh.min(FIRST_RETRY * 2_u32.saturating_pow(failures.min(10) - 1)),
        };
        let [dice]: [u8; 1] = random().unwrap_or_default();
        pause.mul_f64(0.9 + 0.2 * f64::from(dice) / 255.0)
    }

    async fn keys(&self) -> Result<KeySet, KeysError> {
        match &self.way {
            Way::File(file) => Ok(jwks_file::read_again(file).await?),
            Way::Address(address) => self.keys_at(address).await,
            Way::Discovery => {
                let address = self.discover().await?;
                self.keys_at(&address).await
            }
        }
    }

    async fn keys_at(&self, address: &str) -> Result<KeySet, KeysError> {
        let document = self.fetcher.document(address, MAX_SET_BYTES).await?;
        Ok(KeySet::parse(&document)?)
    }

    /// The `jwks_uri` of the discovery document, whose `issuer` must be the configured one byte for byte
    async fn discover(&self) -> Result<String, KeysError> {
        let base = self.issuer().strip_suffix('/').unwrap_or(self.issuer());
        let address = format!("{base}/.well-known/openid-configuration");
        let document = self.fetcher.document(&address, DISCOVERY_BYTES).await?;
        let document = json::parse(&document, DISCOVERY_DEPTH).map_err(|_| KeysError::NoDocument)?;
        let found = document.get("issuer").and_then(Value::as_str);
        if found != Some(self.issuer()) {
            let found = presentable(found.unwrap_or("nobody")).chars().take(200).collect();
            return Err(KeysError::OtherIssuer { wanted: self.issuer().to_owned(), found });
        }
        document.get("jwks_uri").and_then(Value::as_str).map(str::to_owned).ok_or(KeysError::NoAddress)
    }
}

/// An address, of IPv6 the network that one household or host has
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        version_4 @ IpAddr::V4(_) => version_4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::development::ThrowAwayIssuer;

    fn keeper(path: PathBuf, store: &Arc<KeyStore>) -> KeyKeeper {
        let source = Source { issuer: "i".to_owned(), place: KeyPlace::File(path), roots: None };
        let rhythm = Rhythm { refresh: Duration::from_secs(60), stale: Duration::from_secs(60) };
        let fetcher = Fetcher::new(crate::tls::client_without_roots());
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

    /// What comes of a key id from this address, so many milliseconds after the beginning; each fetch is over at once
    struct Asks(KeyKeeper, Instant);

    impl Asks {
        fn new() -> Self {
            Self(keeper(PathBuf::from("none"), &Arc::new(KeyStore::new())), Instant::now())
        }

        fn at(&self, milliseconds: u64, address: &str, key: &str) -> Search {
            let now = self.1 + Duration::from_millis(milliseconds);
            let search = self.0.may_search(Some(key), address.parse().unwrap(), now);
            self.0.state().is_wanted = false;
            search
        }
    }

    fn later(milliseconds: u64) -> Search {
        Search::Later(Duration::from_millis(milliseconds))
    }

    #[test]
    fn junk_of_one_address_keeps_a_new_key_out_for_five_seconds_at_most_and_from_nowhere_else() {
        let asks = Asks::new();
        let junk: Vec<_> = (0..4).map(|junk| asks.at(junk, "10.0.0.1", &format!("junk-{junk}"))).collect();
        assert_eq!(junk, [Search::Fetched, Search::Fetched, Search::Fetched, later(4_997)]);
        assert_eq!(asks.at(100, "::ffff:10.0.0.1", "new"), later(4_900));
        assert_eq!(asks.at(100, "10.0.0.2", "new"), Search::Fetched);
        assert_eq!(asks.at(5_001, "10.0.0.1", "newer"), Search::Fetched);
        let network = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8:0:1::1"];
        let network = network.map(|address| asks.at(20_000, address, address) == Search::Fetched);
        assert_eq!(network, [true, true, true, false, true], "a network of IPv6 is one address");
    }

    #[test]
    fn a_key_id_that_was_looked_for_is_unknown_until_it_may_have_come() {
        let asks = Asks::new();
        assert_eq!(asks.at(0, "10.0.0.1", "junk"), Search::Fetched);
        assert_eq!(asks.at(4_999, "10.0.0.2", "junk"), Search::InVain);
        assert_eq!(asks.at(5_000, "10.0.0.2", "junk"), Search::Fetched);
        let unnamed =
            |at| asks.0.may_search(None, "10.0.0.3".parse().unwrap(), asks.1 + Duration::from_secs(at));
        assert_eq!(
            (unnamed(6), unnamed(6)),
            (Search::Fetched, Search::Joined),
            "a token without one names none"
        );
    }

    #[test]
    fn junk_of_all_addresses_causes_one_fetch_in_a_second_and_one_interval_of_waiting() {
        let asks = Asks::new();
        let fetched = (0..30_000_u64)
            .map(|at| asks.at(at, &format!("10.1.{}.{}", at / 250, at % 250), &at.to_string()));
        let all: Vec<_> = fetched.collect();
        assert_eq!(all.iter().filter(|search| **search == Search::Fetched).count(), 39);
        assert!(!all.iter().any(|search| matches!(search, Search::Later(wait) if wait.as_millis() > 1_000)));
    }

    #[test]
    fn who_comes_while_a_fetch_is_under_way_waits_for_it_whatever_he_asked_before() {
        let keeper = keeper(PathBuf::from("none"), &Arc::new(KeyStore::new()));
        let asks = || keeper.may_search(Some("key"), "10.0.0.1".parse().unwrap(), Instant::now());
        assert_eq!(asks(), Search::Fetched);
        for _ in 0..9 {
            assert_eq!(asks(), Search::Joined);
        }
        assert_eq!(keeper.state().sought.len(), 1);
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
