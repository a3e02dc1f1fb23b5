//! Who is known over the wire: bearer tokens, tokens in Basic passwords, and nobody else

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};

use crate::gate::{ISSUER, Speaks, TestGate};

const ENABLED: &str = "/druid/v2/sql/task/enabled";

async fn gate_before_stand_in(tables: &str) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    json!({"iss": ISSUER, "aud": "druid", "sub": "alice", "exp": (now + Duration::from_secs(300)).as_secs()})
}

#[tokio::test]
async fn a_bearer_token_is_known_over_http_1_and_2() {
    let (gate, _druid) = gate_before_stand_in("").await;
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let answer = gate.get(ENABLED).bearer(&gate.token("alice", &[])).over(speaks).send().await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::OK, r#"{"enabled":true}"#),
            "{speaks:?}"
        );
    }
}

#[tokio::test]
async fn a_token_in_the_password_of_basic_is_known_where_that_is_on() {
    let basic = |token: &str| format!("Basic {}", STANDARD.encode(format!("anybody:{token}")));
    let (gate, _druid) = gate_before_stand_in("").await;
    let answer = gate.get(ENABLED).header("authorization", &basic(&gate.token("alice", &[]))).send().await;
    assert_eq!(answer.status, StatusCode::OK);
    let (gate, _druid) = gate_before_stand_in("[rules]\nbasic_token = false").await;
    let answer = gate.get(ENABLED).header("authorization", &basic(&gate.token("alice", &[]))).send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::UNAUTHORIZED, Some("malformed_token"))
    );
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 1, "Basic is not offered: {challenges:?}");
}

#[tokio::test]
async fn each_thing_that_is_wrong_with_a_token_has_its_own_reason() {
    let (gate, druid) = gate_before_stand_in("").await;
    let good = gate.sign(&claims());
    assert_eq!(gate.get(ENABLED).bearer(&good).send().await.status, StatusCode::OK);
    druid.clear_requests();
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        gate.sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        gate.sign(&claims)
    };
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') {
        signature.replacen('A', "B", 1)
    } else {
        format!("A{}", signature.get(1..).unwrap())
    };
    let payload = good.split('.').nth(1).unwrap();
    let encode = |header: &str| URL_SAFE_NO_PAD.encode(header);
    let none = format!("{}.{payload}.", encode(r#"{"alg":"none"}"#));
    let hs256 = format!("{}.{payload}.{signature}", encode(r#"{"alg":"HS256","kid":"throw-away"}"#));
    for (token, reason) in [
        (format!("{signed}.{flipped}"), "token_signature"),
        (none, "token_algorithm"),
        (hs256, "token_algorithm"),
        (changed("iss", json!("https://other")), "token_issuer"),
        (without("iss"), "token_issuer"),
        (without("exp"), "token_claims"),
        (without("aud"), "token_audience"),
        (changed("aud", json!("other")), "token_audience"),
        (without("sub"), "token_claims"),
        (changed("exp", json!(1)), "token_expired"),
        (changed("nbf", json!(32_503_680_000_u64)), "token_not_yet_valid"),
        ("a.b".to_owned(), "malformed_token"),
    ] {
        let answer = gate.get(ENABLED).bearer(&token).send().await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::UNAUTHORIZED, Some(reason)),
            "{token}"
        );
        let challenges: Vec<_> =
            answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(
            challenges[0].starts_with("Bearer ") && challenges[1].starts_with("Basic "),
            "{challenges:?}"
        );
    }
    let answer = gate.get(ENABLED).send().await;
    assert_eq!((answer.status, answer.reason().as_deref()), (StatusCode::UNAUTHORIZED, Some("no_token")));
    assert!(druid.requests().is_empty(), "nobody who is not known reaches Druid");
}

/// The token with one byte of its signature changed
fn with_wrong_byte(token: &str, at: impl Fn(&[u8]) -> usize) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let at = at(&signature);
    signature[at] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_wrong_signature_is_refused_wherever_it_is_wrong_and_no_token_is_on_record() {
    let (gate, druid) = gate_before_stand_in("").await;
    let good = gate.token("alice", &[]);
    let mut connection = gate.keep_alive().await;
    assert_eq!(connection.send(ENABLED, &good).await, StatusCode::OK);
    druid.clear_requests();
    let wrong = [with_wrong_byte(&good, |_| 0), with_wrong_byte(&good, |signature| signature.len() - 1)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..2_000 {
        for (token, times) in wrong.iter().zip(&mut times) {
            let began = Instant::now();
            assert_eq!(connection.send(ENABLED, token).await, StatusCode::UNAUTHORIZED);
            times.push(began.elapsed());
        }
    }
    let [first, last] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    });
    // A figure to read, not one to fail by: how busy the machine is counts for more than any byte.
    println!("median of a wrong first byte beside that of a wrong last one: {:.3}", first / last);
    assert!(druid.requests().is_empty());
    let records = gate.audit();
    assert!(records.len() >= 4_000);
    let signatures = wrong.map(|token| token.rsplit_once('.').unwrap().1.to_owned());
    assert!(!records.iter().any(|record| signatures.iter().any(|text| record.to_string().contains(text))));
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_the_gates_fault_not_the_callers() {
    let (gate, _druid) = gate_before_stand_in("").await;
    let folder = tempfile::tempdir().unwrap();
    let second = format!(
        "[[issuers]]\nissuer = \"https://second\"\naudiences = [\"druid\"]\njwks_file = \"{}/none.json\"\nalgorithms = [\"ES256\"]\nroles = []\n",
        folder.path().display()
    );
    // Both issuers must say what they confer; the first one of the harness does not, so this one stands alone.
    let lonely = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    let (before, _) = lonely.split_once("[[issuers]]").unwrap();
    let reading = msq_gate::config::Config::read(&format!("{before}{second}"), gate.folder.path());
    let server = msq_gate::server::Server::start(reading.config.unwrap()).await.unwrap();
    let mut elsewhere = gate;
    elsewhere.address = server.addresses[0];
    let mut claims = claims();
    claims["iss"] = json!("https://second");
    let answer = elsewhere.get(ENABLED).bearer(&elsewhere.sign(&claims)).send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("keys_unavailable"))
    );
    assert!(answer.header("www-authenticate").is_none());
}

#[tokio::test]
async fn the_routers_health_needs_a_token_unless_it_is_public() {
    let (gate, _druid) = gate_before_stand_in("").await;
    assert_eq!(gate.get("/status/health").send().await.status, StatusCode::UNAUTHORIZED);
    let (gate, _druid) = gate_before_stand_in("[rules]\npublic_health = true").await;
    let answer = gate.get("/status/health").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "true"));
    assert_eq!(gate.get(ENABLED).send().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(gate.get("/status/health").bearer("a.b.c").send().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_with_two_hundred_groups_of_entra_is_known_and_a_longer_one_is_told_the_limit() {
    let (gate, _druid) = gate_before_stand_in("").await;
    let token = |groups: u32| {
        let mut claims = claims();
        claims["groups"] = (0..groups).map(|n| format!("{n:08x}-1b2c-4d5e-8f90-a1b2c3d4e5f6")).collect();
        claims["wids"] = json!(["b79fbf4d-3ef9-4689-8143-76b194e85509"]);
        gate.sign(&claims)
    };
    assert!((10_700..11_264).contains(&token(200).len()), "{}", token(200).len());
    for (groups, expected) in [(200, StatusCode::OK), (240, StatusCode::UNAUTHORIZED)] {
        let token = token(groups);
        let basic = format!("Basic {}", STANDARD.encode(format!("alice@corp.test:{token}")));
        for speaks in [Speaks::Http1, Speaks::Http2] {
            let asking = gate.get(ENABLED).bearer(&token).over(speaks);
            let answer = asking.send().await;
            assert_eq!(answer.status, expected, "{groups} {speaks:?}: {}", answer.text());
            if expected == StatusCode::UNAUTHORIZED {
                assert!(answer.text().contains("12288 bytes (`limits.token_bytes`)"), "{}", answer.text());
            } else {
                let answer = gate.get(ENABLED).header("authorization", &basic).over(speaks).send().await;
                assert_eq!(answer.status, expected, "{speaks:?}: {}", answer.text());
            }
        }
    }
}
