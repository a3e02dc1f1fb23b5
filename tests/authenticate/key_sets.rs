//! The catalogue's group `jwks`, as far as it is about what a set says and not about how it is fetched

use aws_lc_rs::hmac;
use msq_gate::authenticate::KeySet;
use serde_json::{Value, json};

use crate::fixture::{Fixture, NOW, settings, shared};
use crate::issuer::{TestIssuer, TestKey, encode, jwks};

const ISSUER: &str = "https://id.test";

#[test]
fn every_hostile_key_set_gets_one_of_its_statuses() {
    let Some(catalogue) = shared("corpus/hostile-http.jsonl") else { return };
    let issuer = TestIssuer::new(ISSUER, &["RS256"]);
    let (mut run, mut skipped) = (0, Vec::new());
    for row in catalogue.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if row["group"] != "jwks" {
            continue;
        }
        let controls = row["request"]["control"].as_array().unwrap();
        let set = controls.iter().find_map(|control| changed_set(&issuer, control.as_str().unwrap()));
        let Some((set, token)) = set else {
            skipped.push(row["id"].to_string());
            continue;
        };
        run += 1;
        let status = status(&issuer, controls[0] == "start", &set, &token);
        let allowed = row["expect"]["status"].as_array().unwrap();
        assert!(allowed.contains(&json!(status)), "{}: {status}, not {allowed:?}", row["id"]);
    }
    eprintln!(
        "hostile key sets: {run} run, {} skipped (they are about fetching): {skipped:?}",
        skipped.len()
    );
    assert_eq!((run, skipped.len()), (9, 9));
}

/// The gate with the issuer's set, if it has started with it, and then with the changed one
///
/// A set that cannot be read changes nothing, as whoever loads keys has to do.
fn status(issuer: &TestIssuer, started: bool, set: &str, token: &str) -> u16 {
    let fixture = Fixture::without_keys(vec![settings(ISSUER)]);
    if started {
        fixture.load(ISSUER, &issuer.jwks());
    }
    if KeySet::parse(set.as_bytes()).is_ok() {
        fixture.load(ISSUER, set);
    }
    match fixture.reason(token) {
        "accepted" => 202,
        "keys_unavailable" => 503,
        _ => 401,
    }
}

/// The set that a control makes of the issuer's, and the token that is sent
fn changed_set(issuer: &TestIssuer, control: &str) -> Option<(String, String)> {
    let key = &issuer.keys[0];
    let with = |name: &str, value: &str| {
        let mut jwk = key.jwk();
        jwk[name] = value.into();
        jwks(&[jwk])
    };
    let good = issuer.token("alice", &["writer"], NOW);
    let secret = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": encode(SECRET)});
    match control {
        "jwks:add_kty=AKP" => {
            Some((jwks(&[json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44"}), key.jwk()]), good))
        }
        "jwks:alg=PS256" => Some((with("alg", "PS256"), good)),
        "jwks:private" => Some((with("d", "AAAA"), good)),
        "jwks:dup_kid" => Some((jwks(&[TestKey::generate("RS256", &key.kid).jwk(), key.jwk()]), good)),
        "jwks:add_oct" => Some((jwks(&[key.jwk(), secret]), signed_with_secret(issuer))),
        "jwks:remove_old" => Some((jwks(&[TestKey::generate("RS256", "new").jwk()]), good)),
        "jwks:truncated" => Some((issuer.jwks().chars().take(100).collect(), good)),
        "jwks:{\"keys\":[]}" => Some((jwks(&[]), good)),
        "jwks:size=100000000" => Some((issuer.jwks() + &" ".repeat(100_000_000), good)),
        _ => None,
    }
}

fn signed_with_secret(issuer: &TestIssuer) -> String {
    let claims = issuer.claims("alice", &["writer"], NOW).to_string();
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256","kid":"oct"}"#), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

const SECRET: &[u8] = b"a secret that everybody can read";
