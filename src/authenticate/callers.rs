//! Who asks: by his token, and where its key is not known, by a key that is looked for

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;

use super::key_keeper::KeyKeeper;
use super::key_search::Search;
use super::{AuthenticationError, Authenticator, Identity};

/// Knows callers
#[derive(Debug)]
pub struct Callers {
    /// By their tokens
    pub authenticator: Authenticator,
    /// Keep the issuers' keys
    pub keepers: Vec<Arc<KeyKeeper>>,
}

impl Callers {
    /// Who sent a request with these headers; where no key that is known fits his token, a new one is looked for
    ///
    /// # Errors
    ///
    /// Where he is not known, or the issuer's keys are not there.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<Identity, AuthenticationError> {
        let known = || self.authenticator.authenticate(headers, SystemTime::now());
        let verified = known();
        let Err(error) = &verified else { return verified };
        let Some(keeper) = error.issuer_of_old_keys().and_then(|issuer| self.keeper_of(issuer)) else {
            return verified;
        };
        match (keeper.search(client).await, error) {
            (Search::Fetched, _) => known(),
            (Search::Later(retry), AuthenticationError::UnknownKey { issuer, .. }) => {
                Err(AuthenticationError::unavailable(issuer, retry))
            }
            (Search::Later(_) | Search::Enough, _) => verified,
        }
    }

    /// The keeper of this issuer's keys
    pub fn keeper_of(&self, issuer: &str) -> Option<&Arc<KeyKeeper>> {
        self.keepers.iter().find(|keeper| keeper.issuer() == issuer)
    }
}
