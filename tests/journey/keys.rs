//! An issuer's keys over the wire: found by discovery, rotated, gone, and never a wrong 401

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use msq_gate::development::{Certificates, ThrowAwayIssuer};
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::gate::{Answer, TestGate};

const ENABLED: &str = "/druid/v2/sql/task/enabled";

/// An issuer's web server, which answers what it is told
pub(crate) struct Web {
    pub(crate) url: String,
    answers: Arc<Mutex<Told>>,
    fetches: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(crate) struct Told {
    /// Status and further header lines; hangs up at once where it is empty
    pub(crate) status: String,
    pub(crate) discovery: String,
    pub(crate) jwks: String,
}

impl Web {
    pub(crate) async fn start(keys: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}).to_string();
        let answers =
            Arc::new(Mutex::new(Told { status: "200 OK".to_owned(), discovery, jwks: keys.to_string() }));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (Arc::clone(&answers), Arc::clone(&fetches));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = socket.read(&mut head).await.unwrap_or(0);
                let told = told.lock().unwrap().clone();
                let is_discovery = head[..read].starts_with(b"GET /.well-known/openid-configuration ");
                counted.fetch_add(usize::from(!is_discovery), Ordering::SeqCst);
                if told.status.is_empty() {
                    continue;
                }
                let body = if is_discovery { told.discovery } else { told.jwks };
                let answer = format!(
                    "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    told.status,
                    body.len()
                );
                let _written = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, answers, fetches }
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.answers.lock().unwrap());
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

async fn gate_with(web: &Web, keys: &str, limits: &str, issuer: ThrowAwayIssuer) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let tables = format!("[limits]\n{limits}\n");
    let gate =
        TestGate::start_for(&format!("http://{}", druid.address()), &tables, &web.url, keys, issuer).await;
    (gate, druid)
}

async fn enabled(gate: &TestGate, token: &str) -> Answer {
    gate.get(ENABLED).bearer(token).send().await
}

#[tokio::test]
async fn keys_are_found_by_discovery_or_at_an_address() {
    for keys in ["", "jwks_url = \"URL/jwks\""] {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let web = Web::start(&issuer.jwks()).await;
        let (gate, _druid) = gate_with(&web, &keys.replace("URL", &web.url), "", issuer).await;
        assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK, "{keys}");
        assert_eq!(gate.ask_admin("/readyz").await.0, 200);
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let issuer = ThrowAwayIssuer::new().unwrap();
    let web = Web::start(&issuer.jwks()).await;
    web.tell(|told| told.discovery = told.discovery.replacen("http://127", "http://evil.invalid", 1));
    let (gate, _druid) = gate_with(&web, "", "", issuer).await;
    let answer = enabled(&gate, &gate.token("alice", &[])).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("keys_unavailable"))
    );
    let (status, body) = gate.ask_admin("/readyz").await;
    assert_eq!((status, body.contains(&web.url)), (503, true), "it says which issuer is missing: {body}");
}

#[tokio::test]
async fn an_issuer_that_comes_late_is_known_as_soon_as_it_answers() {
    let issuer = ThrowAwayIssuer::new().unwrap();
    let web = Web::start(&issuer.jwks()).await;
    web.tell(|told| told.status = "503 Not Yet".to_owned());
    let (gate, _druid) = gate_with(&web, "", "", issuer).await;
    let token = gate.token("alice", &[]);
    assert_eq!(enabled(&gate, &token).await.status, StatusCode::SERVICE_UNAVAILABLE);
    web.tell(|told| told.status = "200 OK".to_owned());
    let end = Instant::now() + Duration::from_secs(20);
    while enabled(&gate, &token).await.status != StatusCode::OK {
        assert!(Instant::now() < end, "the gate has given up on its issuer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_rotated_key_is_fetched_for_the_first_token_that_names_it() {
    let (old, new) = (ThrowAwayIssuer::new().unwrap(), ThrowAwayIssuer::named("new").unwrap());
    let web = Web::start(&old.jwks()).await;
    let (gate, _druid) = gate_with(&web, "", "", old).await;
    assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK);
    web.tell(|told| told.jwks = new.jwks().to_string());
    let claims = json!({"iss": web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
    let token = new.token(&claims).unwrap();
    let both = tokio::join!(enabled(&gate, &token), enabled(&gate, &token));
    assert_eq!((both.0.status, both.1.status), (StatusCode::OK, StatusCode::OK), "{}", both.0.text());
    let answer = enabled(&gate, &gate.token("alice", &[])).await;
    assert_eq!(
        answer.reason().as_deref(),
        Some("token_key"),
        "the old key is gone, and so is what was verified with it"
    );
}

#[tokio::test]
async fn ten_thousand_requests_with_unknown_keys_cost_a_handful_of_fetches_in_half_a_minute() {
    let issuer = ThrowAwayIssuer::new().unwrap();
    let web = Web::start(&issuer.jwks()).await;
    let (gate, _druid) = gate_with(&web, "", "", issuer).await;
    let gate = Arc::new(gate);
    let claims = json!({"iss": web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
    let (mut tasks, strangers) = (tokio::task::JoinSet::new(), 8);
    let began = Instant::now();
    for stranger in 0..strangers {
        let (gate, claims) = (Arc::clone(&gate), claims.clone());
        tasks.spawn(async move {
            let unknown = ThrowAwayIssuer::named(&format!("unknown-{stranger}")).unwrap();
            let token = unknown.token(&claims).unwrap();
            gate.send_often(ENABLED, &token, 10_000 / strangers).await
        });
    }
    let statuses: Vec<_> = tasks.join_all().await;
    let refused: usize = statuses.into_iter().map(|statuses| statuses[&401]).sum();
    assert_eq!(refused, 10_000);
    let half_minutes = 1 + usize::try_from(began.elapsed().as_secs() / 30).unwrap();
    assert!(web.fetches() <= 10 * half_minutes, "{} fetches", web.fetches());
    assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_issuer_is_down_and_no_longer_than_they_may() {
    for (status, jwks) in [
        ("500 X", None),
        ("302 Found\r\nLocation: http://127.0.0.1:9/", None),
        ("200 OK", Some("{\"keys\":[")),
        ("200 OK", Some("{\"keys\":[]}")),
    ] {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let web = Web::start(&issuer.jwks()).await;
        let limits = "key_refresh_seconds = 1\nkey_stale_seconds = 3";
        let (gate, _druid) =
            gate_with(&web, &format!("jwks_url = \"{}/jwks\"", web.url), limits, issuer).await;
        let token = gate.token("alice", &[]);
        assert_eq!(enabled(&gate, &token).await.status, StatusCode::OK);
        web.tell(|told| {
            told.status = status.to_owned();
            told.jwks = jwks.map_or_else(|| told.jwks.clone(), str::to_owned);
        });
        let failed = web.fetches() + 1;
        let end = Instant::now() + Duration::from_secs(20);
        while web.fetches() <= failed {
            assert_eq!(
                enabled(&gate, &token).await.status,
                StatusCode::OK,
                "{status}: the last good keys serve"
            );
            assert!(Instant::now() < end);
        }
        let last = loop {
            let answer = enabled(&gate, &token).await;
            if answer.status != StatusCode::OK {
                break answer;
            }
            assert!(Instant::now() < end, "{status}: keys that are too old still serve");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(
            (last.status, last.reason().as_deref()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("keys_unavailable"))
        );
    }
}

#[tokio::test]
async fn keys_are_fetched_anew_once_the_roots_that_are_trusted_for_it_are_others() {
    let issuer = ThrowAwayIssuer::new().unwrap();
    let web = Web::start(&issuer.jwks()).await;
    let keys = format!("jwks_url = \"{}/jwks\"\nca_file = \"ca.pem\"", web.url);
    let (gate, _druid) = gate_with(&web, &keys, "", issuer).await;
    assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK);
    let proxy_toml = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    gate.write("proxy.toml", &format!("{proxy_toml}# the same\n"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(web.fetches(), 1, "what has not changed is taken over");
    gate.write("ca.pem", &Certificates::make(SystemTime::now()).unwrap().ca);
    gate.has_reloaded("applied", 2).await;
    assert_eq!(web.fetches(), 2);
    assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_key_while_the_issuer_is_down_is_told_to_come_again_and_known_ones_are_served() {
    let (issuer, new) = (ThrowAwayIssuer::new().unwrap(), ThrowAwayIssuer::named("new").unwrap());
    let web = Web::start(&issuer.jwks()).await;
    let (gate, _druid) = gate_with(&web, "", "", issuer).await;
    let claims = json!({"iss": web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
    let token = new.token(&claims).unwrap();
    web.tell(|told| told.status = "503 Down".to_owned());
    assert_eq!(enabled(&gate, &gate.token("alice", &[])).await.status, StatusCode::OK);
    for _ in 0..4 {
        let answer = enabled(&gate, &token).await;
        assert_eq!(answer.reason().as_deref(), Some("keys_unavailable"), "{}", answer.text());
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert_eq!(answer.header("www-authenticate"), None);
    }
    web.tell(|told| {
        told.status = "200 OK".to_owned();
        told.jwks = new.jwks().to_string();
    });
    let end = Instant::now() + Duration::from_secs(20);
    while enabled(&gate, &token).await.status != StatusCode::OK {
        assert!(Instant::now() < end, "the new key is known once the issuer answers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_junk_key_keeps_no_new_key_out() {
    let (old, new) = (ThrowAwayIssuer::new().unwrap(), ThrowAwayIssuer::named("new").unwrap());
    let web = Web::start(&old.jwks()).await;
    let (gate, _druid) = gate_with(&web, "", "", old).await;
    let claims = json!({"iss": web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
    let junk =
        |number: usize| ThrowAwayIssuer::named(&format!("junk-{number}")).unwrap().token(&claims).unwrap();
    let answer = enabled(&gate, &junk(0)).await;
    assert_eq!(answer.reason().as_deref(), Some("token_key"));
    let record = gate.record(&answer);
    assert_eq!(record[0]["mismatch"], json!({"claim": "kid", "wanted": ["throw-away"], "found": "junk-0"}));
    web.tell(|told| told.jwks = new.jwks().to_string());
    let answer = enabled(&gate, &new.token(&claims).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn much_junk_keeps_a_new_key_out_for_an_interval_and_no_longer() {
    let (old, new) = (ThrowAwayIssuer::new().unwrap(), ThrowAwayIssuer::named("new").unwrap());
    let web = Web::start(&old.jwks()).await;
    let (gate, _druid) = gate_with(&web, "", "", old).await;
    let claims = json!({"iss": web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
    for number in 0..9 {
        let junk = ThrowAwayIssuer::named(&format!("junk-{number}")).unwrap().token(&claims).unwrap();
        assert_eq!(enabled(&gate, &junk).await.reason().as_deref(), Some("token_key"));
    }
    web.tell(|told| told.jwks = new.jwks().to_string());
    let token = new.token(&claims).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while enabled(&gate, &token).await.status != StatusCode::OK {
        assert!(Instant::now() < end, "the new key is known after an interval");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
