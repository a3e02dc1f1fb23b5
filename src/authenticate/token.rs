//! From a token to an identity: the only way to make one
//!
//! The order is: three parts, header, kind, issuer, algorithm, key, signature, then what the claims say. Nothing
//! the token brings along (`jwk`, `jku`, `x5c`, `x5u`) is a key or is fetched. `iat` has to be a time where it
//! is there and is not judged: `nbf` is the claim for "not yet".

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::algorithm::{Algorithm, comma_separated};
use super::bearer::BearerToken;
use super::error::{AuthenticationError, KEYS_RETRY, MalformedToken};
use super::issuer::Issuer;
use super::jws::{Parts, decode, object};
use super::key_store::KeyStore;
use super::keys::{KeySet, MAX_TRIES};
use super::roles_claim::ListedRoles;
use super::token_header::TokenHeader;
use super::token_kind::OtherKind;
use super::unverified::Unverified;
use super::validity::Validity;
use crate::druid::Owner;

/// Who is asking, as a verified token says
///
/// INVARIANT: made only in this file, from claims whose signature, issuer, audience and time were checked.
///
/// ```compile_fail,E0451
/// # use std::time::SystemTime;
/// let forged = msq_gate::authenticate::Identity {
///     issuer: "https://id.example.org".into(),
///     subject: "admin".into(),
///     claimed_roles: [].into(),
///     listed_roles: Default::default(),
///     expires_at: SystemTime::now(),
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    issuer: Arc<str>,
    subject: Arc<str>,
    claimed_roles: Arc<[String]>,
    listed_roles: Arc<ListedRoles>,
    expires_at: SystemTime,
}

impl Identity {
    /// Who vouches for it
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The caller's name, from the identity claim; unique within the issuer only
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The roles of the token that its issuer may confer; the policy need not know them
    pub fn claimed_roles(&self) -> &[String] {
        &self.claimed_roles
    }

    /// What the token lists as roles, and where, whether its issuer may confer them or not
    pub fn listed_roles(&self) -> &ListedRoles {
        &self.listed_roles
    }

    /// The token's `exp`, without leeway
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// The owner that the caller's tasks have
    pub fn owner(&self) -> Owner {
        Owner::new(&self.issuer, &self.subject)
    }
}

/// All that a token has to pass but its time, which passes by itself
#[derive(Clone, Debug)]
pub(super) struct Verified {
    identity: Identity,
    validity: Validity,
}

impl Verified {
    /// The identity, if it is its time
    pub(super) fn at(&self, now: SystemTime, leeway: Duration) -> Result<Identity, AuthenticationError> {
        self.validity.check(now, leeway)?;
        Ok(self.identity.clone())
    }

    #[cfg(test)]
    pub(super) fn of_no_token() -> Self {
        let validity = Validity::read(&Map::from_iter([("exp".to_owned(), Value::from(1))])).unwrap();
        let (issuer, subject) = ("i".into(), "s".into());
        let (claimed_roles, listed_roles) = ([].into(), Arc::default());
        let identity =
            Identity { issuer, subject, claimed_roles, listed_roles, expires_at: validity.expires_at() };
        Self { identity, validity }
    }

    /// About how much memory it takes
    pub(super) fn bytes(&self) -> usize {
        let identity = &self.identity;
        let listed = identity.listed_roles.listed.iter().flatten();
        let roles = identity.claimed_roles.iter().chain(listed);
        let roles: usize = roles.map(|role| size_of::<String>() + role.len()).sum();
        let text = identity.issuer.len() + identity.subject.len() + identity.listed_roles.claim.len();
        size_of::<Self>() + size_of::<ListedRoles>() + text + roles
    }
}

/// Verifies all of a token but its time
pub(super) fn verify(
    token: &BearerToken,
    issuers: &[Issuer],
    keys: &KeyStore,
) -> Result<Verified, AuthenticationError> {
    let parts = Parts::split(token.as_str())?;
    let header = TokenHeader::read(parts.header)?;
    let claims = object(parts.claims, "claims")?;
    if let Some(kind) = OtherKind::of(&claims) {
        return Err(MalformedToken::OtherKind(kind).into());
    }
    let issuer = named_issuer(&claims, issuers)?;
    let algorithm = issuer.algorithm(&header.algorithm)?;
    let keys =
        keys.of(issuer.name()).ok_or_else(|| AuthenticationError::unavailable(issuer.name(), KEYS_RETRY))?;
    check_signature(&parts, &header, algorithm, &keys, issuer.name())?;
    let validity = Validity::read(&claims)?;
    issuer.check_audience(&claims)?;
    let person = issuer.person(&claims)?;
    let identity = Identity {
        issuer: issuer.name().into(),
        subject: person.identity.into(),
        claimed_roles: person.roles.into(),
        listed_roles: Arc::new(person.listed),
        expires_at: validity.expires_at(),
    };
    Ok(Verified { identity, validity })
}

/// Checks a JWS in compact form against a key set, and nothing else
///
/// For test vectors, whose payloads are no claims. It proves that someone with one of the keys signed these
/// bytes, not who is asking; it makes no [`Identity`].
///
/// # Errors
///
/// Where the token is malformed, uses another algorithm than these, or was not signed by one of the keys.
pub fn verify_signature(
    token: &str,
    algorithms: &[Algorithm],
    keys: &KeySet,
) -> Result<(), AuthenticationError> {
    let parts = Parts::split(token)?;
    let header = TokenHeader::read(parts.header)?;
    decode(parts.claims, "claims")?;
    let algorithm = Algorithm::from_name(&header.algorithm)
        .filter(|algorithm| algorithms.contains(algorithm))
        .ok_or_else(|| AuthenticationError::Algorithm(comma_separated(algorithms)))?;
    check_signature(&parts, &header, algorithm, keys, "")
}

/// Exactly one issuer is looked for, by the claim that its own key has yet to confirm
fn named_issuer<'a>(
    claims: &Map<String, Value>,
    issuers: &'a [Issuer],
) -> Result<&'a Issuer, AuthenticationError> {
    let named = claims.get("iss").and_then(Value::as_str);
    let known = || issuers.iter().map(|issuer| issuer.name().to_owned()).collect();
    issuers.iter().find(|issuer| Some(issuer.name()) == named).ok_or_else(|| {
        AuthenticationError::UnknownIssuer { known: known(), found: Unverified::of(claims.get("iss")) }
    })
}

fn check_signature(
    parts: &Parts<'_>,
    header: &TokenHeader,
    algorithm: Algorithm,
    keys: &KeySet,
    issuer: &str,
) -> Result<(), AuthenticationError> {
    decode(parts.signature, "signature")?;
    let kid = header.kid.as_deref();
    let unknown = || AuthenticationError::UnknownKey {
        issuer: issuer.to_owned(),
        known: keys.kids(),
        found: kid.map_or_else(|| Unverified::of(None), Unverified::text),
    };
    let fitting = keys.fitting(kid, algorithm);
    if fitting.is_empty() {
        return Err(unknown());
    }
    if fitting.len() > MAX_TRIES {
        return Err(AuthenticationError::AmbiguousKey { issuer: issuer.to_owned() });
    }
    let verified = fitting.iter().any(|key| key.verifies(algorithm, parts.signed, parts.signature));
    match verified {
        true => Ok(()),
        // Tried with keys without a `kid` only: the one that the token names may be a new one.
        false if kid.is_some_and(|kid| !keys.has(kid)) => Err(unknown()),
        false => Err(AuthenticationError::Signature { issuer: issuer.to_owned() }),
    }
}
