//! Who is asking: from a request's headers to a verified identity
//!
//! A caller is known by a signed JWT (RFC 7519) of a configured issuer, as a bearer token or, where that is
//! on, as the password of HTTP Basic. What a caller may do is not decided here. Nothing here waits or
//! reads anything but [`jwks_file`]; the time is an argument.

pub mod callers;
pub mod key_keeper;
pub mod key_search;
pub mod algorithm;
pub mod bearer;
mod cache;
pub mod challenge;
pub mod claim_path;
pub mod error;
pub mod issuer;
pub mod jwk;
pub mod jwks_file;
mod jws;
pub mod key_store;
pub mod keys;
pub mod roles_claim;
pub mod token;
mod token_header;
pub mod token_kind;
pub mod unverified;
mod validity;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

pub use algorithm::Algorithm;
pub use bearer::{BasicToken, BearerToken, Credentials};
pub use claim_path::ClaimPath;
pub use error::AuthenticationError;
pub use issuer::{Issuer, IssuerFault, IssuerSettings, Person};
pub use key_store::KeyStore;
pub use keys::KeySet;
pub use roles_claim::{AbsentRoles, ListedRoles};
pub use token::Identity;

use cache::TokenCache;

/// How tokens are taken and judged, whoever issued them
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest token
    pub token_bytes: usize,
    /// How far the clocks of issuer and gate may differ, at most [`MAX_LEEWAY`]
    pub leeway: Duration,
    /// Whether a token in the password of HTTP Basic counts
    pub basic_token: BasicToken,
    /// How much memory verified tokens may take
    pub cache_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_bytes: 12_288,
            leeway: Duration::from_secs(30),
            basic_token: BasicToken::Accepted,
            cache_bytes: 8 << 20,
        }
    }
}

/// Why there can be no authenticator
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// Nobody could be known
    #[error("there is no issuer; add an `[[issuers]]` table")]
    NoIssuer,
    /// Two tables for one issuer
    #[error("the issuer `{0}` is there twice; join its tables")]
    SameIssuer(String),
    /// Of several issuers, one could confer the roles of another
    #[error("the issuer `{0}` has no `roles`; with several issuers each has to list the roles it may confer")]
    UnlimitedIssuer(String),
    /// Too much leeway
    #[error("`token_leeway_seconds` is above {}", MAX_LEEWAY.as_secs())]
    Leeway,
}

/// Knows callers by their tokens
#[derive(Debug)]
pub struct Authenticator {
    issuers: Vec<Issuer>,
    keys: Arc<KeyStore>,
    settings: Settings,
    cache: TokenCache,
}

impl Authenticator {
    /// An authenticator for these issuers, with the keys that are in the store at each moment
    ///
    /// # Errors
    ///
    /// Where a token could be taken for what it is not; see [`SettingsFault`].
    pub fn new(issuers: Vec<Issuer>, keys: Arc<KeyStore>, settings: Settings) -> Result<Self, SettingsFault> {
        check_issuers(&issuers)?;
        if settings.leeway > MAX_LEEWAY {
            return Err(SettingsFault::Leeway);
        }
        Ok(Self { issuers, keys, settings, cache: TokenCache::new(settings.cache_bytes) })
    }

    /// Who sent a request with these headers
    ///
    /// # Errors
    ///
    /// Where the caller is not known, or the issuer's keys are not loaded.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Identity, AuthenticationError> {
        match Credentials::read(headers, self.settings.basic_token, self.settings.token_bytes) {
            Credentials::None => Err(AuthenticationError::NoToken),
            Credentials::Malformed(fault) => Err(fault.into()),
            Credentials::Token(token) => self.identify(&token, now),
        }
    }

    /// The values of `WWW-Authenticate` that go with a 401, a header each
    ///
    /// None where the fault is not the caller's.
    pub fn challenges(&self, error: &AuthenticationError) -> Vec<String> {
        challenge::challenges(error, self.settings.basic_token)
    }

    fn identify(&self, token: &BearerToken, now: SystemTime) -> Result<Identity, AuthenticationError> {
        // The generation is read before the keys, so that an entry is never newer than it says.
        let generation = self.keys.generation();
        if let Some(verified) = self.cache.get(token, generation) {
            return verified.at(now, self.settings.leeway).inspect_err(|_| self.cache.remove(token));
        }
        let verified = token::verify(token, &self.issuers, &self.keys)?;
        let identity = verified.at(now, self.settings.leeway)?;
        self.cache.put(token, verified, generation);
        Ok(identity)
    }
}

fn check_issuers(issuers: &[Issuer]) -> Result<(), SettingsFault> {
    let several = issuers.len() > 1;
    for (index, issuer) in issuers.iter().enumerate() {
        if issuers.iter().skip(index + 1).any(|other| other.name() == issuer.name()) {
            return Err(SettingsFault::SameIssuer(issuer.name().to_owned()));
        }
        if several && issuer.confers().is_none() {
            return Err(SettingsFault::UnlimitedIssuer(issuer.name().to_owned()));
        }
    }
    if issuers.is_empty() { Err(SettingsFault::NoIssuer) } else { Ok(()) }
}

/// The most leeway there may be
pub const MAX_LEEWAY: Duration = Duration::from_secs(120);
