//! Why a caller is not known
//!
//! Messages are for the caller: what is wrong and what to do. They name the configuration's words, never the
//! token's: nothing of an unverified token is repeated.

use std::time::Duration;

use super::token_kind::OtherKind;
use super::unverified::{Mismatch, Unverified};
use crate::druid::json::JsonError;

/// After which time keys that are not there are asked for again
pub const KEYS_RETRY: Duration = Duration::from_secs(5);

/// Why there is no verified identity
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The request brings no credentials
    #[error("no token: send `Authorization: Bearer TOKEN`")]
    NoToken,
    /// The Authorization header holds no single token
    #[error(transparent)]
    Credentials(#[from] CredentialsFault),
    /// The token is no JWS that reads in one way only
    #[error(transparent)]
    Malformed(#[from] MalformedToken),
    /// The algorithm is not one that its issuer may use
    #[error("the token's algorithm is not one that is accepted from its issuer; sign it with {0}")]
    Algorithm(String),
    /// None of the issuer's keys is the one that the token names
    #[error("none of the issuer's keys fits the token's key id and algorithm; get a new token")]
    UnknownKey {
        /// The configured issuer
        issuer: String,
        /// The key ids that it has
        known: Vec<String>,
        /// The one that the token names
        found: Unverified,
    },
    /// More of the issuer's keys fit than are tried
    #[error("too many of the issuer's keys fit the token; the issuer has to name one by `kid`")]
    AmbiguousKey {
        /// The configured issuer
        issuer: String,
    },
    /// The signature is not that of the key
    #[error("the token's signature does not verify; get a new token")]
    Signature {
        /// The configured issuer
        issuer: String,
    },
    /// Its time is over
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its time has not come
    #[error("the token is not valid yet; check the clocks of the issuer and of this proxy")]
    NotYetValid,
    /// `iss` is missing or not a configured issuer
    #[error("the token's `iss` is not an issuer that is accepted here; get a token from one that is")]
    UnknownIssuer {
        /// The configured issuers
        known: Vec<String>,
        /// What the token says
        found: Unverified,
    },
    /// `aud`, or what stands for it, is missing or holds none of the configured audiences
    #[error("the token's `{claim}` does not name this service; ask the issuer for a token for {audiences}")]
    Audience {
        /// The configured claim
        claim: String,
        /// The configured audiences, comma-separated
        audiences: String,
        /// What the token says
        found: Unverified,
    },
    /// A claim is missing or is not what it should be
    #[error(transparent)]
    Claims(#[from] ClaimFault),
    /// The issuer's keys are not loaded, so nobody can say whether the token is good
    #[error(
        "the keys of the token's issuer are not available, so nobody can say whether the token is good; try \
         again in {} seconds",
        retry.as_secs()
    )]
    KeysUnavailable {
        /// The configured issuer
        issuer: String,
        /// After which time another try is worth one, in whole seconds
        retry: Duration,
    },
}

impl AuthenticationError {
    /// That an issuer's keys are not there now, and when to try again
    pub fn unavailable(issuer: &str, retry: Duration) -> Self {
        let retry = Duration::from_secs(retry.as_secs() + u64::from(retry.subsec_nanos() > 0));
        Self::KeysUnavailable { issuer: issuer.to_owned(), retry }
    }

    /// The issuer, where a key of its that is newer than those known might change the answer
    pub fn issuer_of_old_keys(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { issuer, .. } | Self::AmbiguousKey { issuer } | Self::Signature { issuer } => {
                Some(issuer)
            }
            Self::NoToken
            | Self::Credentials(_)
            | Self::Malformed(_)
            | Self::Algorithm(_)
            | Self::Expired
            | Self::NotYetValid
            | Self::UnknownIssuer { .. }
            | Self::Audience { .. }
            | Self::Claims(_)
            | Self::KeysUnavailable { .. } => None,
        }
    }

    /// What did not match, for the log and the record, never for an answer
    pub fn mismatch(&self) -> Option<Mismatch> {
        let (claim, wanted, found) = match self {
            Self::UnknownIssuer { known, found } => ("iss", known.clone(), found),
            Self::UnknownKey { known, found, .. } => ("kid", known.clone(), found),
            Self::Audience { claim, audiences, found } => (claim.as_str(), vec![audiences.clone()], found),
            Self::NoToken
            | Self::Credentials(_)
            | Self::Malformed(_)
            | Self::Algorithm(_)
            | Self::AmbiguousKey { .. }
            | Self::Signature { .. }
            | Self::Expired
            | Self::NotYetValid
            | Self::Claims(_)
            | Self::KeysUnavailable { .. } => return None,
        };
        Some(Mismatch { claim: claim.to_owned(), wanted, found: found.clone() })
    }

    /// The reason code of the answer and of the audit record
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Credentials(_) | Self::Malformed(_) => "malformed_token",
            Self::Algorithm(_) => "token_algorithm",
            Self::UnknownKey { .. } | Self::AmbiguousKey { .. } => "token_key",
            Self::Signature { .. } => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::UnknownIssuer { .. } => "token_issuer",
            Self::Audience { .. } => "token_audience",
            Self::Claims(_) => "token_claims",
            Self::KeysUnavailable { .. } => "keys_unavailable",
        }
    }
}

/// Why the Authorization header holds no single token
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsFault {
    /// Two headers, so two readers could take two callers
    #[error("there is more than one Authorization header; send one")]
    SeveralHeaders,
    /// Bytes that no credentials have
    #[error("the Authorization header holds characters other than visible ASCII")]
    NotText,
    /// Another scheme than Bearer, where Basic does not count
    #[error("the Authorization scheme is not accepted; send `Authorization: Bearer TOKEN`")]
    Scheme,
    /// Another scheme than Bearer or Basic
    #[error(
        "the Authorization scheme is not accepted; send `Authorization: Bearer TOKEN`, or the token as \
         the password of HTTP Basic"
    )]
    SchemeWithBasic,
    /// Nothing, two things, or a character that no token has
    #[error("`Bearer` has to be followed by one token and nothing else")]
    NotOneToken,
    /// Longer than `token_bytes`
    #[error("the token is longer than {limit} bytes (`limits.token_bytes`); ask the issuer for fewer claims")]
    TooLong {
        /// The number of bytes allowed
        limit: usize,
    },
    /// The Basic credentials are not the base64 of `user:password` in UTF-8
    #[error("the Basic credentials are not the base64 form of `user:password` in UTF-8")]
    BasicEncoding,
    /// The password is no token
    #[error("the password of HTTP Basic has to be a token; any user name will do")]
    PasswordNotAToken,
    /// The password is empty
    #[error("the password of HTTP Basic is empty; it has to be a token, and any user name will do")]
    PasswordEmpty,
    /// The password is what Python writes for "no password"
    #[error(
        "the password of HTTP Basic is the word `None`: the client was given a user name and no password; \
         the password has to be a token"
    )]
    PasswordNone,
}

/// Why a token is no JWS that reads in one way only
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    /// Not three parts
    #[error("the token is not a signed JWT: it has to have three parts with dots between them")]
    Parts,
    /// A part is not base64url, or is one with a second spelling
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// A part is not JSON
    #[error("the token's {part} cannot be read in one way only: {fault}")]
    Json {
        /// Which part
        part: &'static str,
        /// What is wrong with it
        #[source]
        fault: JsonError,
    },
    /// A part is JSON, but no object
    #[error("the token's {0} is not a JSON object")]
    NotAnObject(&'static str),
    /// A header parameter is missing or of another type
    #[error("the token's header parameter `{0}` is missing or not a string")]
    NotAString(&'static str),
    /// A header parameter that changes how the token is read, and that is not understood here
    #[error("the token's header has `{0}`, which is not supported")]
    Unsupported(&'static str),
    /// `typ` says that it is another kind of token
    #[error("the token's `typ` says that it is not an access token")]
    OtherType,
    /// Its claims say so
    #[error("the token is {0}; send the access token that the issuer gave with it")]
    OtherKind(OtherKind),
}

/// Which claim is missing or not what it should be
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// A time claim is missing or no number of seconds
    #[error("the token's claim `{0}` is missing or not a number of seconds since 1970")]
    NotATime(&'static str),
    /// The identity claim is missing, empty, or no string
    #[error("the token's claim `{0}`, which names the caller, is missing, empty or not a string")]
    NoIdentity(String),
    /// The identity has characters that could forge a log line
    #[error("the token's claim `{0}`, which names the caller, holds control characters")]
    IdentityControl(String),
    /// The roles claim is neither a string nor a list of strings
    #[error("the token's claim `{0}`, which lists roles, is neither a string nor a list of strings")]
    Roles(String),
    /// The roles claim is absent, and roles with denies hang on it
    #[error(
        "the token has no claim `{0}`, which lists roles; ask the issuer for a token that has it: a scope or a \
         mapper may be missing"
    )]
    NoRoles(String),
    /// The issuer says that the roles are to be had elsewhere: Entra's overage
    #[error(
        "the token does not list `{0}`: it has `_claim_names` or `hasgroups` in its place, as Entra writes for more \
         than 200 groups; have Entra emit only the groups assigned to the application, or application roles"
    )]
    RolesElsewhere(String),
}
