//! One fault a token, each with its own reason, and next to what is allowed

use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;
use msq_gate::authenticate::error::MalformedToken;
use msq_gate::authenticate::{AuthenticationError, Authenticator, Issuer, KeySet, KeyStore, Settings};
use serde_json::{Value, json};

use crate::fixture::{Fixture, NOW, authorization, settings, time};
use crate::issuer::{TestIssuer, TestKey, encode, jwks};

fn issuer() -> &'static TestIssuer {
    static ISSUER: OnceLock<TestIssuer> = OnceLock::new();
    let all = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    ISSUER.get_or_init(|| TestIssuer::new("https://a.test", &all))
}

fn fixture() -> Fixture {
    Fixture::new(&[issuer()])
}

/// Alice's claims with some of them set, or taken away by `null`
fn claims(changes: Value) -> Value {
    let mut claims = issuer().claims("alice", &["writer"], NOW);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().shift_remove(name);
        }
    }
    claims
}

fn reason(changes: Value) -> &'static str {
    fixture().reason(&issuer().keys[0].sign(&claims(changes)))
}

#[test]
fn a_good_token_of_each_algorithm_makes_an_identity() {
    let fixture = fixture();
    for key in &issuer().keys {
        let identity = fixture.bearer(&key.sign(&claims(json!({})))).unwrap();
        assert_eq!((identity.issuer(), identity.subject()), ("https://a.test", "alice"));
        assert_eq!(identity.claimed_roles(), ["writer"]);
        assert_eq!(identity.expires_at(), time(NOW + 300));
        assert_eq!(identity.owner().as_str(), "https://a.test|alice");
    }
}

#[test]
fn a_flipped_signature_bit_is_refused() {
    let key = &issuer().keys[0];
    let signed =
        format!("{}.{}", encode(r#"{"alg":"RS256","kid":"RS256"}"#), encode(claims(json!({})).to_string()));
    let mut signature = key.signature(signed.as_bytes());
    assert_eq!(fixture().reason(&format!("{signed}.{}", encode(&signature))), "accepted");
    signature[100] ^= 1;
    assert_eq!(fixture().reason(&format!("{signed}.{}", encode(&signature))), "token_signature");
}

#[test]
fn a_token_has_three_parts_each_with_one_spelling() {
    let token = issuer().key("EdDSA").sign(&claims(json!({})));
    assert_eq!(fixture().reason(&token), "accepted");
    for broken in [
        format!("{token}."),
        format!("{token}.AAAA.AAAA"),
        format!("{token}="),
        token.replacen('.', "..", 1),
        token.replacen('.', "", 1),
        token.replacen('.', ".AAAA.", 1),
        // 64 bytes leave two bits of a signature's 86 characters unused, and four spellings of its last one.
        token.get(..token.len() - 1).unwrap().to_owned() + if token.ends_with('A') { "B" } else { "_" },
    ] {
        assert_eq!(fixture().reason(&broken), "malformed_token", "{broken}");
    }
    let five_parts = fixture().bearer("e30.e30.e30.e30.e30").unwrap_err();
    assert_eq!(five_parts, MalformedToken::Parts.into());
}

#[test]
fn algorithm_none_is_refused() {
    let good = issuer().token("alice", &[], NOW);
    assert_eq!(fixture().reason(&good), "accepted");
    let claims = good.split('.').nth(1).unwrap();
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = encode(format!(r#"{{"alg":"{name}"}}"#));
        assert_eq!(fixture().reason(&format!("{header}.{claims}.")), "token_algorithm");
    }
}

#[test]
fn hs256_keyed_with_the_public_key_is_refused() {
    let key = &issuer().keys[0];
    let (header, claims) = (r#"{"alg":"HS256","kid":"RS256"}"#, claims(json!({})).to_string());
    assert_eq!(fixture().reason(&key.sign_text(&header.replace("HS", "RS"), &claims)), "accepted");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n", STANDARD.encode(key.public_der()));
    for secret in [key.public_der(), pem.into_bytes(), key.jwk().to_string().into_bytes()] {
        let signed = format!("{}.{}", encode(header), encode(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        assert_eq!(fixture().reason(&format!("{signed}.{}", encode(tag))), "token_algorithm");
    }
}

#[test]
fn an_algorithm_that_the_issuer_may_not_use_is_refused() {
    let only_rs256 = || {
        let mut settings = settings("https://a.test");
        settings.algorithms.truncate(1);
        let fixture = Fixture::without_keys(vec![settings]);
        fixture.load("https://a.test", &issuer().jwks());
        fixture
    };
    assert_eq!(only_rs256().reason(&issuer().key("RS256").sign(&claims(json!({})))), "accepted");
    assert_eq!(only_rs256().reason(&issuer().key("ES256").sign(&claims(json!({})))), "token_algorithm");
}

#[test]
fn a_wrong_or_missing_issuer_is_refused() {
    assert_eq!(reason(json!({})), "accepted");
    let list = json!(["https://a.test"]);
    for issuer in [json!("https://b.test"), json!(null), json!(1), list, json!("https://a.test/")] {
        assert_eq!(reason(json!({ "iss": issuer })), "token_issuer", "{issuer}");
    }
}

#[test]
fn a_wrong_or_missing_audience_is_refused() {
    for audience in [json!("druid"), json!("druid-2"), json!(["other", "druid"])] {
        assert_eq!(reason(json!({ "aud": audience })), "accepted", "{audience}");
    }
    for audience in [json!(null), json!("other"), json!("DRUID"), json!([]), json!(1), json!(["druid", 1])] {
        assert_eq!(reason(json!({ "aud": audience })), "token_audience", "{audience}");
    }
}

#[test]
fn a_token_counts_only_in_its_time() {
    assert_eq!(reason(json!({"exp": NOW - 29, "nbf": NOW + 30})), "accepted");
    assert_eq!(reason(json!({"exp": NOW - 30})), "token_expired");
    assert_eq!(reason(json!({"nbf": NOW + 31})), "token_not_yet_valid");
    assert_eq!(reason(json!({"exp": null})), "token_claims");
    assert_eq!(reason(json!({"exp": "9999999999"})), "token_claims");
    assert_eq!(reason(json!({"nbf": "0"})), "token_claims");
}

#[test]
fn a_token_without_nbf_and_iat_is_accepted_and_iat_is_not_judged() {
    assert_eq!(reason(json!({"nbf": null, "iat": null})), "accepted");
    assert_eq!(reason(json!({"iat": NOW + 3600})), "accepted");
    assert_eq!(reason(json!({"iat": "now"})), "token_claims");
}

#[test]
fn a_caller_without_a_name_is_refused() {
    assert_eq!(reason(json!({"sub": "a|b"})), "accepted");
    for subject in [json!(null), json!(""), json!(1), json!("a\nb"), json!("\u{7f}"), json!(["alice"])] {
        assert_eq!(reason(json!({ "sub": subject })), "token_claims", "{subject}");
    }
}

#[test]
fn a_claim_twice_is_refused_at_any_depth() {
    let key = &issuer().keys[0];
    let header = r#"{"alg":"RS256","kid":"RS256"}"#;
    let text = claims(json!({})).to_string();
    for (added, expected) in [
        (r#","x":{"a":1,"b":1}}"#, "accepted"),
        (r#","x":{"a":1,"a":1}}"#, "malformed_token"),
        (r#","sub":"admin"}"#, "malformed_token"),
        (r#","\u0073ub":"admin"}"#, "malformed_token"),
        (r#","roles":["admin"]}"#, "malformed_token"),
    ] {
        let claims = text.trim_end_matches('}').to_owned() + added;
        assert_eq!(fixture().reason(&key.sign_text(header, &claims)), expected, "{added}");
    }
}

#[test]
fn claims_that_nest_too_deep_are_refused() {
    for (depth, expected) in [(15, "accepted"), (16, "malformed_token"), (1000, "malformed_token")] {
        let nested = format!(r#","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let claims = claims(json!({})).to_string().trim_end_matches('}').to_owned() + &nested;
        let token = issuer().keys[0].sign_text(r#"{"alg":"RS256","kid":"RS256"}"#, &claims);
        assert_eq!(fixture().reason(&token), expected, "{depth}");
    }
}

#[test]
fn a_header_that_says_more_than_is_understood_is_refused() {
    let key = &issuer().keys[0];
    let text = claims(json!({})).to_string();
    for (added, expected) in [
        (r#""typ":"at+jwt""#, "accepted"),
        (r#""jku":"http://127.0.0.1:1/","jwk":{"kty":"oct","k":"AAAA"},"x5c":["x"]"#, "accepted"),
        (r#""typ":"dpop+jwt""#, "malformed_token"),
        (r#""crit":["exp"]"#, "malformed_token"),
        (r#""b64":true"#, "malformed_token"),
        (r#""zip":"DEF""#, "malformed_token"),
        (r#""alg":"RS256""#, "malformed_token"),
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"RS256",{added}}}"#);
        assert_eq!(fixture().reason(&key.sign_text(&header, &text)), expected, "{added}");
    }
}

#[test]
fn keys_are_bound_to_their_issuer() {
    let other = TestIssuer::new("https://b.test", &["ES256"]);
    let fixture = Fixture::new(&[issuer(), &other]);
    assert_eq!(fixture.reason(&issuer().key("ES256").sign(&claims(json!({})))), "accepted");
    assert_eq!(fixture.reason(&other.token("alice", &[], NOW)), "accepted");
    assert_eq!(fixture.reason(&other.keys[0].sign(&claims(json!({})))), "token_signature");
}

#[test]
fn a_token_without_a_kid_is_tried_with_each_key_and_one_with_a_strange_kid_with_none() {
    let key = issuer().key("ES256");
    let text = claims(json!({})).to_string();
    let fixture = fixture();
    fixture.load("https://a.test", &jwks(&[TestKey::generate("ES256", "new").jwk(), key.jwk()]));
    assert_eq!(fixture.reason(&key.sign_text(r#"{"alg":"ES256"}"#, &text)), "accepted");
    for kid in ["es256", "ES256\\u0000", "", "/dev/null"] {
        let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
        assert_eq!(fixture.reason(&key.sign_text(&header, &text)), "token_key", "{kid}");
    }
    assert_eq!(fixture.reason(&key.sign_text(r#"{"alg":"ES256","kid":"new"}"#, &text)), "token_signature");
}

#[test]
fn equal_kids_are_all_tried_up_to_a_number() {
    let mut keys: Vec<Value> = (0..7).map(|_| TestKey::generate("ES256", "k").jwk()).collect();
    let key = TestKey::generate("ES256", "k");
    keys.push(key.jwk());
    let fixture = fixture();
    fixture.load("https://a.test", &jwks(&keys));
    let token = key.sign(&claims(json!({})));
    assert_eq!(fixture.reason(&token), "accepted");
    keys.push(key.jwk());
    fixture.load("https://a.test", &jwks(&keys));
    assert_eq!(fixture.reason(&token), "token_key");
}

#[test]
fn a_key_for_another_algorithm_or_use_is_not_used() {
    let (key, token) = (&issuer().keys[0], issuer().token("alice", &[], NOW));
    let with = |name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        let fixture = fixture();
        fixture.load("https://a.test", &jwks(&[jwk, issuer().key("EdDSA").jwk()]));
        fixture.reason(&token)
    };
    assert_eq!(with("use", json!("sig")), "accepted");
    assert_eq!(with("key_ops", json!(["verify"])), "accepted");
    assert_eq!(with("d", json!("AAAA")), "accepted");
    assert_eq!(with("use", json!("enc")), "token_key");
    assert_eq!(with("key_ops", json!(["sign"])), "token_key");
    assert_eq!(with("alg", json!("PS256")), "token_key");
}

#[test]
fn missing_keys_are_not_the_callers_fault() {
    let fixture = Fixture::without_keys(vec![settings("https://a.test")]);
    let token = issuer().token("alice", &[], NOW);
    assert_eq!(fixture.reason(&token), "keys_unavailable");
    assert!(fixture.authenticator.challenges(&fixture.bearer(&token).unwrap_err()).is_empty());
    fixture.load("https://a.test", &issuer().jwks());
    assert_eq!(fixture.reason(&token), "accepted");
    fixture.keys.remove("https://a.test");
    assert_eq!(fixture.reason(&token), "keys_unavailable");
}

#[test]
fn a_token_accepted_before_is_refused_once_its_time_or_its_key_is_gone() {
    let fixture = fixture();
    let token = issuer().token("alice", &[], NOW);
    for _ in 0..3 {
        assert_eq!(fixture.bearer_at(&token, NOW + 329).unwrap().subject(), "alice");
    }
    assert_eq!(fixture.bearer_at(&token, NOW + 330).unwrap_err(), AuthenticationError::Expired);
    assert_eq!(fixture.bearer_at(&token, NOW - 31).unwrap_err(), AuthenticationError::NotYetValid);
    assert_eq!(fixture.reason(&token), "accepted");
    fixture.load("https://a.test", &jwks(&[issuer().key("EdDSA").jwk()]));
    assert_eq!(fixture.reason(&token), "token_key");
}

#[test]
fn credentials_are_one_header_with_one_token() {
    let fixture = fixture();
    let token = issuer().token("alice", &[], NOW);
    let reason = |values: &[&str]| {
        let mut headers = http::HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let answer = fixture.authenticator.authenticate(&headers, time(NOW));
        answer.map_or_else(|error| error.reason(), |_| "accepted")
    };
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
    assert_eq!(reason(&[&format!("bearer {token}")]), "accepted");
    assert_eq!(reason(&[&basic(format!("anyone:{token}"))]), "accepted");
    assert_eq!(reason(&[]), "no_token");
    assert_eq!(reason(&[&format!("Bearer {token}"), &format!("Bearer {token}")]), "malformed_token");
    assert_eq!(reason(&[&basic("alice:None".to_owned())]), "malformed_token");
    assert_eq!(reason(&[&format!("Token {token}")]), "malformed_token");
    assert_eq!(reason(&[&format!("Bearer {}", "a".repeat(12_289))]), "malformed_token");
}

#[test]
fn no_message_repeats_what_an_unverified_token_says() {
    let attacker = TestKey::generate("ES256", "ES256");
    for (name, value) in [("iss", "ECHO"), ("aud", "ECHO"), ("sub", "ECHO\n"), ("exp", "ECHO"), ("x", "ECHO")]
    {
        for key in [issuer().key("ES256"), &attacker] {
            let mut claims = claims(json!({}));
            claims[name] = value.into();
            let header = r#"{"alg":"ES256","kid":"ES256","jku":"ECHO"}"#;
            let Err(error) = fixture().bearer(&key.sign_text(header, &claims.to_string())) else { continue };
            let told = format!("{error} {error:?} {:?}", fixture().authenticator.challenges(&error));
            assert!(!told.contains("ECHO"), "{told}");
        }
    }
}

#[test]
fn several_issuers_have_to_say_which_roles_each_may_confer() {
    let authenticator = |names: &[&str], limited: bool| {
        let issuers = names.iter().map(|name| {
            let mut settings = settings(name);
            settings.confers = settings.confers.filter(|_| limited);
            Issuer::new(settings).unwrap()
        });
        Authenticator::new(issuers.collect(), Arc::new(KeyStore::new()), Settings::default())
    };
    assert!(authenticator(&["a"], false).is_ok());
    assert!(authenticator(&["a", "b"], true).is_ok());
    assert!(authenticator(&["a", "b"], false).is_err());
    assert!(authenticator(&["a", "a"], true).is_err());
    assert!(authenticator(&[], true).is_err());
}

#[test]
fn without_room_for_a_cache_tokens_are_verified_each_time() {
    let keys = Arc::new(KeyStore::new());
    let issuers = vec![Issuer::new(settings("https://a.test")).unwrap()];
    let settings = Settings { cache_bytes: 0, ..Settings::default() };
    let authenticator = Authenticator::new(issuers, Arc::clone(&keys), settings).unwrap();
    keys.put("https://a.test", Arc::new(KeySet::parse(issuer().jwks().as_bytes()).unwrap()));
    let headers = authorization(&format!("Bearer {}", issuer().token("alice", &[], NOW))).unwrap();
    for _ in 0..3 {
        assert_eq!(authenticator.authenticate(&headers, time(NOW)).unwrap().subject(), "alice");
    }
}

#[test]
fn many_threads_may_ask_at_once_while_keys_change() {
    let fixture = fixture();
    let token = issuer().token("alice", &[], NOW);
    let (old, new) = (issuer().jwks(), jwks(&[issuer().keys[0].jwk()]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert_eq!(fixture.bearer(&token).unwrap().subject(), "alice");
                }
            });
        }
        for _ in 0..50 {
            fixture.load("https://a.test", &new);
            fixture.load("https://a.test", &old);
        }
    });
    fixture.load("https://a.test", &jwks(&[issuer().key("EdDSA").jwk()]));
    assert_eq!(fixture.reason(&token), "token_key");
}

#[test]
fn leeway_is_at_most_two_minutes() {
    let authenticator = |seconds| {
        let leeway = std::time::Duration::from_secs(seconds);
        let issuer = Issuer::new(settings("a")).unwrap();
        Authenticator::new(
            vec![issuer],
            Arc::new(KeyStore::new()),
            Settings { leeway, ..Settings::default() },
        )
    };
    assert!(authenticator(120).is_ok());
    assert!(authenticator(121).is_err());
}

#[test]
fn a_clock_before_1970_accepts_nothing_that_has_nbf() {
    let headers = authorization(&format!("Bearer {}", issuer().token("alice", &[], NOW))).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1 << 33);
    let error = fixture().authenticator.authenticate(&headers, long_ago).unwrap_err();
    assert_eq!(error, AuthenticationError::NotYetValid);
}

#[test]
fn a_key_without_a_kid_is_a_candidate_for_any_kid_and_no_other_key_is() {
    let (nameless, named) = (TestKey::generate("ES256", "k"), TestKey::generate("ES256", "named"));
    let mut jwk = nameless.jwk();
    jwk.as_object_mut().unwrap().shift_remove("kid");
    let fixture = fixture();
    fixture.load("https://a.test", &jwks(&[named.jwk(), jwk.clone()]));
    let sign = |key: &TestKey, kid: &str| key.renamed("ES256", kid).sign(&claims(json!({})));
    for kid in ["k", "anything", "named"] {
        assert_eq!(fixture.reason(&sign(&nameless, kid)), "accepted", "{kid}");
    }
    assert_eq!(fixture.reason(&sign(&named, "named")), "accepted");
    assert_eq!(
        fixture.reason(&sign(&named, "other")),
        "token_key",
        "it may be a new one, so keys are fetched"
    );
    let stranger = TestKey::generate("ES256", "x");
    assert_eq!(fixture.reason(&sign(&stranger, "named")), "token_signature");
    // However many have no `kid`, the one that is named is tried.
    let many: Vec<Value> = std::iter::repeat_n(jwk, 20).chain([named.jwk()]).collect();
    fixture.load("https://a.test", &jwks(&many));
    assert_eq!(fixture.reason(&sign(&named, "named")), "accepted");
    assert_eq!(fixture.reason(&sign(&nameless, "other")), "token_key");
}

#[test]
fn operators_learn_both_values_of_a_mismatch() {
    let mismatch = |changes: Value| {
        let error = fixture().bearer(&issuer().keys[0].sign(&claims(changes))).unwrap_err();
        let mismatch = error.mismatch().unwrap();
        format!("{} {:?} {}", mismatch.claim, mismatch.wanted, mismatch.found.for_operators())
    };
    assert_eq!(mismatch(json!({"iss": "https://a.test/"})), r#"iss ["https://a.test"] https://a.test/"#);
    assert_eq!(mismatch(json!({"iss": null})), r#"iss ["https://a.test"] (absent)"#);
    assert_eq!(mismatch(json!({"aud": ["x", "y"]})), r#"aud ["druid, druid-2"] ["x","y"]"#);
    let token = issuer().token("alice", &[], NOW);
    assert_eq!(mismatch(json!({ "iss": token })), r#"iss ["https://a.test"] (a token)"#);
    let error =
        fixture().bearer(&issuer().keys[0].renamed("RS256", "new").sign(&claims(json!({})))).unwrap_err();
    assert_eq!(error.mismatch().unwrap().found.for_operators(), "new");
    assert!(error.mismatch().unwrap().wanted.contains(&"RS256".to_owned()));
}
