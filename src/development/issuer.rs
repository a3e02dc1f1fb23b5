//! An issuer for development: one ES256 key, which lives as long as the process or in a folder of `certs`

use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Signs tokens for people who do not exist
#[derive(Debug)]
pub struct ThrowAwayIssuer {
    key: EcdsaKeyPair,
    key_id: String,
}

/// The `kid` of the key that `certs` makes
pub const DEVELOPMENT_KEY: &str = "development";

/// Whether a JWK set holds the key that `certs` made: whoever has its folder can make tokens for anybody
pub fn is_development_set(set: &[u8]) -> bool {
    let set: Value = serde_json::from_slice(set).unwrap_or_default();
    let mut keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.any(|key| key.get("kid").and_then(Value::as_str) == Some(DEVELOPMENT_KEY))
}

impl ThrowAwayIssuer {
    /// An issuer with a new key
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn new() -> Result<Self, Unspecified> {
        Self::named("throw-away")
    }

    /// An issuer with a new key of this name
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn named(key_id: &str) -> Result<Self, Unspecified> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Self { key, key_id: key_id.to_owned() })
    }

    /// An issuer with a P-256 key that was written down, in PKCS #8
    ///
    /// # Errors
    ///
    /// Where it is another kind of key, or none.
    pub fn from_pkcs8(key_id: &str, key: &[u8]) -> Result<Self, KeyRejected> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key)?;
        Ok(Self { key, key_id: key_id.to_owned() })
    }

    /// Its private key, PEM: what makes tokens for development, and for nothing else
    ///
    /// # Errors
    ///
    /// Where the key cannot be written.
    pub fn pem(&self) -> Result<String, Unspecified> {
        let base64 = STANDARD.encode(self.key.to_pkcs8v1()?.as_ref());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
    }

    /// Its keys as a JWK set (RFC 7517)
    pub fn jwks(&self) -> Value {
        // An uncompressed point: 0x04, x, y (SEC 1, section 2.3.3).
        let point = self.key.public_key().as_ref();
        let coordinate = |from: usize| {
            let bytes: Vec<u8> = point.iter().copied().skip(from).take(32).collect();
            URL_SAFE_NO_PAD.encode(bytes)
        };
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.key_id,
            "x": coordinate(1), "y": coordinate(33),
        }]})
    }

    /// A token with these claims
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn token(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.key_id});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}
