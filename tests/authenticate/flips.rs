//! Every bit of many good tokens, flipped one at a time: none may be accepted

use crate::fixture::{Fixture, NOW, authorization, time};
use crate::issuer::{TestIssuer, encode};

#[test]
fn no_token_with_one_bit_flipped_is_accepted_with_rsa() {
    none_is_accepted(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
}

#[test]
fn no_token_with_one_bit_flipped_is_accepted_with_elliptic_curves() {
    none_is_accepted(&["ES256", "ES384", "EdDSA"]);
}

fn none_is_accepted(algorithms: &[&str]) {
    let issuer = TestIssuer::new("i", algorithms);
    let fixture = Fixture::new(&[&issuer]);
    let flips: usize = algorithms.iter().map(|algorithm| flip_all(&fixture, &issuer, algorithm)).sum();
    eprintln!("{algorithms:?}: {flips} tokens with one bit flipped, none accepted");
}

/// How many tokens of each algorithm; `FLIP_TOKENS=24` for a long run
fn tokens() -> usize {
    std::env::var("FLIP_TOKENS").map_or(4, |number| number.parse().unwrap())
}

fn flip_all(fixture: &Fixture, issuer: &TestIssuer, algorithm: &str) -> usize {
    let mut flips = 0;
    for number in 0..tokens() {
        let claims =
            serde_json::json!({"iss": "i", "aud": "druid", "sub": format!("u{number}"), "exp": NOW + 300});
        let token = issuer.key(algorithm).sign(&claims);
        assert!(fixture.bearer(&token).is_ok(), "{algorithm}");
        flips += flip_text(fixture, &token) + flip_signature(fixture, &token);
    }
    flips
}

/// Every bit of the token's text
fn flip_text(fixture: &Fixture, token: &str) -> usize {
    for bit in 0..token.len() * 8 {
        let mut bytes = token.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        refused(fixture, &text);
    }
    token.len() * 8
}

/// Every bit of the signature's bytes, so that all stay well-formed
fn flip_signature(fixture: &Fixture, token: &str) -> usize {
    use base64::Engine;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in 0..signature.len() * 8 {
        let mut bytes = signature.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(fixture, &format!("{signed}.{}", encode(bytes)));
    }
    signature.len() * 8
}

fn refused(fixture: &Fixture, token: &str) {
    let Some(headers) = authorization(&format!("Bearer {token}")) else { return };
    assert!(fixture.authenticator.authenticate(&headers, time(NOW)).is_err(), "accepted: {token}");
}
