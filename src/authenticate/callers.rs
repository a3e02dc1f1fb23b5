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
    /// Who sent a request with these headers; where his key is not known, it is looked for
    ///
    /// Twice at most: a fetch that was under way when he came may have begun before his key was there.
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
        let mut verified = known();
        for _ in 0..2 {
            let Err(AuthenticationError::UnknownKey { issuer, .. }) = &verified else { break };
            let Some(keeper) = self.keeper_of(issuer) else { break };
            match keeper.search(client).await {
                Search::Fetched => return known(),
                Search::Joined => verified = known(),
                Search::Enough => break,
                Search::Later(retry) => return Err(AuthenticationError::unavailable(issuer, retry)),
            }
        }
        verified
    }

    /// The keeper of this issuer's keys
    pub fn keeper_of(&self, issuer: &str) -> Option<&Arc<KeyKeeper>> {
        self.keepers.iter().find(|keeper| keeper.issuer() == issuer)
    }
}
