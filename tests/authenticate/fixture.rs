//! An authenticator with one or more test issuers, and a clock that stands still

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use msq_gate::authenticate::{
    AbsentRoles, Algorithm, AuthenticationError, Authenticator, ClaimPath, Identity, Issuer, IssuerSettings,
    KeySet, KeyStore, Settings,
};

use crate::issuer::TestIssuer;

/// What the clock of every test says
pub(crate) const NOW: u64 = 1_900_000_000;

pub(crate) struct Fixture {
    pub(crate) authenticator: Authenticator,
    pub(crate) keys: Arc<KeyStore>,
}

impl Fixture {
    /// An authenticator that trusts these issuers for every algorithm, with their keys loaded
    pub(crate) fn new(issuers: &[&TestIssuer]) -> Self {
        let settings = issuers.iter().map(|issuer| settings(&issuer.name)).collect();
        let fixture = Self::without_keys(settings);
        for issuer in issuers {
            fixture.load(&issuer.name, &issuer.jwks());
        }
        fixture
    }

    pub(crate) fn without_keys(issuers: Vec<IssuerSettings>) -> Self {
        let issuers = issuers.into_iter().map(|settings| Issuer::new(settings).unwrap()).collect();
        let keys = Arc::new(KeyStore::new());
        let authenticator = Authenticator::new(issuers, Arc::clone(&keys), Settings::default()).unwrap();
        Self { authenticator, keys }
    }

    pub(crate) fn load(&self, issuer: &str, jwks: &str) {
        self.keys.put(issuer, Arc::new(KeySet::parse(jwks.as_bytes()).unwrap()));
    }

    /// What becomes of a request with this token
    pub(crate) fn bearer(&self, token: &str) -> Result<Identity, AuthenticationError> {
        self.bearer_at(token, NOW)
    }

    pub(crate) fn bearer_at(&self, token: &str, now: u64) -> Result<Identity, AuthenticationError> {
        self.authenticator.authenticate(&authorization(&format!("Bearer {token}")).unwrap(), time(now))
    }

    pub(crate) fn reason(&self, token: &str) -> &'static str {
        self.bearer(token).map_or_else(|error| error.reason(), |_| "accepted")
    }
}

pub(crate) fn settings(issuer: &str) -> IssuerSettings {
    IssuerSettings {
        issuer: issuer.to_owned(),
        audiences: vec!["druid".to_owned(), "druid-2".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        audience_claim: ClaimPath::parse("aud").unwrap(),
        identity_claim: ClaimPath::parse("sub").unwrap(),
        roles_claim: ClaimPath::parse("roles").unwrap(),
        absent_roles: AbsentRoles::None,
        confers: Some(vec!["writer".to_owned(), "admin".to_owned()]),
    }
}

/// A request's headers; none where HTTP does not allow the value
pub(crate) fn authorization(value: &str) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    Some(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

pub(crate) fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A file of the shared test data; where it is missing the test is skipped, but not on CI
pub(crate) fn shared(path: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", path.display());
        eprintln!("skipped: {} is not there", path.display());
    }
    text
}
