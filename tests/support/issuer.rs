//! An issuer of tokens: makes keys, shows them as a JWK set, signs any header and any claims
//!
//! For test binaries to include with `#[cfg(test)] #[path = "../support/issuer.rs"] mod issuer;`. It signs
//! with aws-lc-rs and takes texts as they are, so that a test can sign what no library would write.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A private key, the `kid` it goes by and the algorithm it signs with
#[derive(Clone)]
pub(crate) struct TestKey {
    pub(crate) kid: String,
    pub(crate) algorithm: String,
    pair: Pair,
}

#[derive(Clone)]
enum Pair {
    Rsa(Arc<RsaKeyPair>),
    Ec(Arc<EcdsaKeyPair>),
    Ed(Arc<Ed25519KeyPair>),
}

impl TestKey {
    /// A new key for an algorithm
    pub(crate) fn generate(algorithm: &str, kid: &str) -> Self {
        let ec = |kind| Pair::Ec(Arc::new(EcdsaKeyPair::generate(kind).unwrap()));
        let pair = match algorithm {
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES256K" => ec(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
            "EdDSA" => Pair::Ed(Arc::new(Ed25519KeyPair::generate().unwrap())),
            _ => Pair::Rsa(Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        };
        Self { kid: kid.to_owned(), algorithm: algorithm.to_owned(), pair }
    }

    /// The same numbers under another `kid`, for another algorithm of the same family
    pub(crate) fn renamed(&self, algorithm: &str, kid: &str) -> Self {
        Self { kid: kid.to_owned(), algorithm: algorithm.to_owned(), pair: self.pair.clone() }
    }

    /// The public key as a JWK with `kid`, `alg` and `use`
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => json!({
                "kty": "RSA",
                "n": encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curves = HashMap::from([("ES256", "P-256"), ("ES384", "P-384"), ("ES256K", "secp256k1")]);
                json!({"kty": "EC", "crv": curves[self.algorithm.as_str()], "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        for (name, value) in [("kid", self.kid.as_str()), ("alg", &self.algorithm), ("use", "sig")] {
            jwk[name] = value.into();
        }
        jwk
    }

    /// The public key in DER (PKCS #1 for RSA)
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The signature over some bytes
    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(&self.algorithm), &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of this header and these claims, as they are
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.signature(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token of these claims, with `alg`, `kid` and `typ` in its header
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"});
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// An issuer with a key for each of some algorithms; the `kid` is the algorithm's name
pub(crate) struct TestIssuer {
    pub(crate) name: String,
    pub(crate) keys: Vec<TestKey>,
}

impl TestIssuer {
    /// An issuer with new keys; all RSA algorithms share one, since it takes long to make
    pub(crate) fn new(name: &str, algorithms: &[&str]) -> Self {
        let mut keys: Vec<TestKey> = Vec::new();
        for algorithm in algorithms {
            let rsa = keys.iter().find(|key| algorithm.contains('S') && matches!(key.pair, Pair::Rsa(_)));
            let shared = rsa.filter(|_| !algorithm.starts_with('E'));
            let key = shared.map(|key| key.renamed(algorithm, algorithm));
            keys.push(key.unwrap_or_else(|| TestKey::generate(algorithm, algorithm)));
        }
        Self { name: name.to_owned(), keys }
    }

    /// The key for an algorithm
    pub(crate) fn key(&self, algorithm: &str) -> &TestKey {
        self.keys.iter().find(|key| key.algorithm == algorithm).unwrap()
    }

    /// The JWK set
    pub(crate) fn jwks(&self) -> String {
        jwks(&self.keys.iter().map(TestKey::jwk).collect::<Vec<_>>())
    }

    /// Claims of a caller: for the audience `druid`, with roles in `roles`, good for five minutes
    pub(crate) fn claims(&self, subject: &str, roles: &[&str], now: u64) -> Value {
        json!({
            "iss": self.name, "aud": "druid", "sub": subject, "roles": roles,
            "iat": now, "nbf": now, "exp": now + 300,
        })
    }

    /// A caller's token, signed with the first key
    pub(crate) fn token(&self, subject: &str, roles: &[&str], now: u64) -> String {
        self.keys[0].sign(&self.claims(subject, roles, now))
    }
}

/// A JWK set of these keys
pub(crate) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// base64url without padding
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_encoding(algorithm: &str) -> &'static dyn signature::RsaEncoding {
    match algorithm {
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

/// Uses all there is, so that no binary that includes this file has dead code
#[test]
fn the_test_issuer_makes_a_token_of_three_parts_with_each_key() {
    let issuer = TestIssuer::new("https://issuer.test", &["ES256", "EdDSA"]);
    assert_eq!(issuer.token("alice", &["writer"], 1000).split('.').count(), 3);
    let claims = issuer.claims("alice", &["writer"], 1000);
    assert_eq!(claims["iss"], issuer.name);
    for key in &issuer.keys {
        assert_eq!(key.sign(&claims).split('.').count(), 3);
        assert!(issuer.jwks().contains(&key.jwk().to_string()) && jwks(&[key.jwk()]).contains(&key.kid));
        assert!(!issuer.key(&key.algorithm).renamed("x", "y").public_der().is_empty());
    }
}
