//! Wycheproof's JSON web signature and key vectors
//!
//! Every `invalid` one has to be refused, and every `valid` one accepted whose algorithm can be configured.
//! Two `valid` ones (RFC 7520's figure 20) are signed with PS384 and a key that says `alg` PS256: the gate
//! takes a key at its word, so these are accepted only once the key's `alg` is the token's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use msq_gate::authenticate::token::verify_signature;
use msq_gate::authenticate::{Algorithm, KeySet};
use serde_json::Value;

use crate::fixture::shared;
use crate::issuer::jwks;

#[derive(Default, Debug, PartialEq)]
struct Counts {
    accepted: usize,
    refused: usize,
    other_algorithm: usize,
    key_says_otherwise: usize,
}

#[test]
fn every_invalid_signature_is_refused_and_every_valid_one_accepted() {
    let Some(counts) = run("vectors/wycheproof_json_web_signature_test.json") else { return };
    assert_eq!(counts, Counts { accepted: 32, refused: 355, other_algorithm: 12, key_says_otherwise: 2 });
}

#[test]
fn every_unfit_key_is_refused_and_every_fit_one_accepted() {
    let Some(counts) = run("vectors/wycheproof_json_web_key_test.json") else { return };
    assert_eq!(counts, Counts { accepted: 1, refused: 21, other_algorithm: 4, key_says_otherwise: 0 });
}

#[test]
fn of_the_mixed_vectors_none_that_is_invalid_is_accepted() {
    let Some(counts) = run("vectors/wycheproof_json_web_crypto_test.json") else { return };
    assert_eq!(counts, Counts { accepted: 2, refused: 77, other_algorithm: 4, key_says_otherwise: 0 });
}

fn run(path: &str) -> Option<Counts> {
    let vectors: Value = serde_json::from_str(&shared(path)?).unwrap();
    let mut counts = Counts::default();
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = group.get("public").or(group.get("private")).unwrap_or(&Value::Null);
        for test in group["tests"].as_array().unwrap() {
            count(&mut counts, key, test);
        }
    }
    eprintln!("{path}: {counts:?}");
    Some(counts)
}

fn count(counts: &mut Counts, key: &Value, test: &Value) {
    let token = test.get("jws").or(test.get("jwe")).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}: {token} with {key}", test["tcId"], test["comment"]);
    match (test["result"].as_str().unwrap(), accepts(key, token)) {
        ("valid", true) => counts.accepted += 1,
        ("invalid", false) => counts.refused += 1,
        ("valid", false) if !is_configurable(key) => counts.other_algorithm += 1,
        ("valid", false) if accepts(&with_algorithm_of(key, token), token) => counts.key_says_otherwise += 1,
        (result, accepted) => panic!("{name}: {result}, but accepted is {accepted}"),
    }
}

fn accepts(key: &Value, token: &str) -> bool {
    let document = if key.get("keys").is_some() { key.to_string() } else { jwks(std::slice::from_ref(key)) };
    let Ok(keys) = KeySet::parse(document.as_bytes()) else { return false };
    verify_signature(token, &Algorithm::ALL, &keys).is_ok()
}

fn with_algorithm_of(key: &Value, token: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let mut key = key.clone();
    key["alg"] = header["alg"].clone();
    key
}

fn is_configurable(key: &Value) -> bool {
    key.get("alg").and_then(Value::as_str).is_some_and(|name| Algorithm::from_name(name).is_some())
}
