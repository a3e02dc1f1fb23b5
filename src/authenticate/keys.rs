//! An issuer's public keys, and the check of one signature
//!
//! A key is tried for an algorithm only if its type, its curve and its own `alg` allow it; the token has no
//! say in what kind of key it is checked with.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::{Jwk, KeyFault, Material};
use crate::druid::json::{self, JsonError};

/// The public keys of one issuer: at least one that can be used, unless somebody took all of them back
pub struct KeySet {
    keys: Vec<PublicKey>,
    remarks: Vec<KeyRemark>,
    fingerprint: Vec<u8>,
}

/// One public key
pub(super) struct PublicKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// Something an operator should know about a key of a set
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRemark {
    /// Its place in the set, from 1
    pub position: usize,
    /// Its `kid`, where it is a string
    pub kid: Option<String>,
    /// What is to be said
    pub remark: Remark,
}

/// What is to be said about a key
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It is not used
    Skipped(KeyFault),
    /// Its public half is used, and the set shows its private half too
    LeaksPrivateKey,
}

impl fmt::Display for KeyRemark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "key {}", self.position)?;
        if let Some(kid) = &self.kid {
            write!(formatter, " (kid `{}`)", kid.escape_debug())?;
        }
        match self.remark {
            Remark::Skipped(fault) => write!(formatter, " is not used: it {fault}"),
            Remark::LeaksPrivateKey => {
                formatter.write_str(" is shown with its private half: whoever reads the set can make tokens")
            }
        }
    }
}

/// Why a document gives no keys
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Longer than is read
    #[error("the key set is longer than {MAX_SET_BYTES} bytes")]
    TooLong,
    /// No JSON
    #[error("the key set cannot be read in one way only: {0}")]
    Json(#[from] JsonError),
    /// No JWK set
    #[error("the key set is not a JSON object with a list `keys`")]
    NotASet,
    /// More keys than are read
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// None can be used
    #[error("the key set has no key that can be used{}", listed(.0))]
    NoUsableKey(
        /// Why each is not used
        Vec<KeyRemark>,
    ),
}

impl KeySet {
    /// A set of none
    pub(super) fn without_keys() -> Self {
        Self { keys: Vec::new(), remarks: Vec::new(), fingerprint: Vec::new() }
    }

    /// Reads a JWK set, key by key
    ///
    /// # Errors
    ///
    /// Where the document is too long, is no JWK set, or has no key that can be used: an issuer without keys
    /// is a fault, not a set of nobody.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLong);
        }
        let set = json::parse(document, SET_DEPTH)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotASet)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let fingerprint = digest(&SHA256, document).as_ref().to_vec();
        Self { keys: Vec::new(), remarks: Vec::new(), fingerprint }.with(keys)
    }

    fn with(mut self, jwks: &[Value]) -> Result<Self, KeySetError> {
        for (index, value) in jwks.iter().enumerate() {
            let remark = self.add(value);
            let kid = value.get("kid").and_then(Value::as_str).map(str::to_owned);
            self.remarks.extend(remark.map(|remark| KeyRemark { position: index + 1, kid, remark }));
        }
        if self.keys.is_empty() { Err(KeySetError::NoUsableKey(self.remarks)) } else { Ok(self) }
    }

    fn add(&mut self, value: &Value) -> Option<Remark> {
        match Jwk::read(value) {
            Ok(jwk) => {
                let remark = jwk.leaks_private_key.then_some(Remark::LeaksPrivateKey);
                self.keys.push(PublicKey::new(jwk));
                remark
            }
            Err(fault) => Some(Remark::Skipped(fault)),
        }
    }

    /// How many keys can be used
    pub fn usable(&self) -> usize {
        self.keys.len()
    }

    /// What an operator should know about this set
    pub fn remarks(&self) -> &[KeyRemark] {
        &self.remarks
    }

    /// Whether both were read from the same document
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// The keys that a token may be checked with: those of its `kid` and those without one (RFC 7517, section 4.5),
    /// or all where it names none
    ///
    /// Keys with equal `kid` are all there: none is silently the first. Keys without one come after them, and no
    /// more than can be tried.
    pub(super) fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&PublicKey> {
        let fits = |key: &&PublicKey| key.algorithms.contains(&algorithm);
        let named = |key: &&PublicKey| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting: Vec<_> = self.keys.iter().filter(fits).filter(named).collect();
        if kid.is_some() {
            let nameless = self.keys.iter().filter(fits).filter(|key| key.kid.is_none());
            let room = if fitting.is_empty() { MAX_KEYS } else { MAX_TRIES.saturating_sub(fitting.len()) };
            fitting.extend(nameless.take(room));
        }
        fitting
    }

    /// Whether a key goes by this `kid`
    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The ids of the keys, the first few of them
    pub(super) fn kids(&self) -> Vec<String> {
        self.keys.iter().filter_map(|key| key.kid.clone()).take(MAX_TRIES).collect()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.keys.iter().map(|key| key.kid.as_deref()).collect();
        formatter.debug_struct("KeySet").field("kids", &kids).finish_non_exhaustive()
    }
}

impl PublicKey {
    fn new(jwk: Jwk) -> Self {
        let decoding = match &jwk.material {
            Material::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
            Material::Ec { point } => DecodingKey::from_ec_der(point),
            Material::Ed { x } => DecodingKey::from_ed_der(x),
        };
        Self { kid: jwk.kid, algorithms: jwk.algorithms, decoding }
    }

    /// Whether the signature, base64url, is this key's over the signed text
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        let verify =
            |library| crypto::verify(signature, signed.as_bytes(), &self.decoding, library) == Ok(true);
        self.algorithms.contains(&algorithm) && algorithm.as_str().parse().is_ok_and(verify)
    }
}

fn listed(remarks: &[KeyRemark]) -> String {
    remarks.iter().map(|remark| format!("; {remark}")).collect()
}

/// How many keys are tried for a token that fits several
pub(super) const MAX_TRIES: usize = 8;
/// The longest JWK set that is read
pub const MAX_SET_BYTES: usize = 1 << 20;
/// The most keys that a JWK set may have
pub const MAX_KEYS: usize = 100;
const SET_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kty":"EC","crv":"P-256","kid":"good","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
        "y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}"#;

    fn parse(keys: &[&str]) -> Result<KeySet, KeySetError> {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn a_strange_key_costs_nobody_the_rest_of_the_set() {
        let set = parse(&[r#"{"kty":"AKP","kid":"pq"}"#, GOOD, r#"{"kty":"oct","k":"AAAA"}"#, "7"]).unwrap();
        assert_eq!(set.usable(), 1);
        let remarks: Vec<String> = set.remarks().iter().map(ToString::to_string).collect();
        assert_eq!(
            remarks,
            [
                "key 1 (kid `pq`) is not used: it has a `kty` other than RSA, EC and OKP",
                "key 3 is not used: it is symmetric (`oct`); whoever can read it could sign with it",
                "key 4 is not used: it is not a JSON object",
            ]
        );
    }

    #[test]
    fn a_set_without_a_usable_key_is_a_fault() {
        assert!(parse(&[GOOD]).is_ok());
        assert_eq!(parse(&[]).unwrap_err(), KeySetError::NoUsableKey(Vec::new()));
        let error = parse(&[r#"{"kty":"oct","k":"AAAA"}"#]).unwrap_err();
        assert!(error.to_string().contains("key 1 is not used: it is symmetric"), "{error}");
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for document in ["", "[]", "{}", r#"{"keys":{}}"#, "1", r#"{"keys":[],"keys":[]}"#, r#"{"keys":["#] {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
        }
        assert!(parse(&vec![GOOD; MAX_KEYS]).is_ok());
        assert_eq!(parse(&vec![GOOD; MAX_KEYS + 1]).unwrap_err(), KeySetError::TooManyKeys);
        let long = format!(r#"{{"keys":[{GOOD}]{}}}"#, " ".repeat(MAX_SET_BYTES));
        assert_eq!(KeySet::parse(long.as_bytes()).unwrap_err(), KeySetError::TooLong);
    }

    #[test]
    fn keys_are_chosen_by_kid_and_algorithm_and_equal_kids_are_all_tried() {
        let set =
            parse(&[GOOD, &GOOD.replace("good", "other"), &GOOD.replace("\"kid\":\"good\",", "")]).unwrap();
        assert_eq!(set.fitting(Some("good"), Algorithm::Es256).len(), 2, "it and the one without a `kid`");
        assert_eq!(set.fitting(None, Algorithm::Es256).len(), 3);
        let named = parse(&[GOOD, &GOOD.replace("good", "other")]).unwrap();
        for kid in ["GOOD", "good\0", "", "goo"] {
            assert!(named.fitting(Some(kid), Algorithm::Es256).is_empty(), "{kid}");
            assert_eq!(set.fitting(Some(kid), Algorithm::Es256).len(), 1, "{kid}");
        }
        for algorithm in [Algorithm::Es384, Algorithm::Rs256, Algorithm::EdDsa] {
            assert!(set.fitting(Some("good"), algorithm).is_empty(), "{algorithm}");
        }
        assert_eq!(parse(&[GOOD, GOOD]).unwrap().fitting(Some("good"), Algorithm::Es256).len(), 2);
    }
}
