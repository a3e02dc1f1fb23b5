//! The catalogue's group `jwks`, replayed: what is done to the issuer, then a request

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use msq_gate::development::{Certificates, ThrowAwayIssuer};
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::gate::TestGate;
use crate::keys::Web;

const TASK: &str = "/druid/v2/sql/task";

/// An issuer, the gate before it once it has started, and the token that the request comes with
struct Scene {
    web: Web,
    issuer: Option<ThrowAwayIssuer>,
    keys: String,
    druid: StandIn,
    gate: Option<TestGate>,
    token: Option<String>,
    fetches_at_start: usize,
    /// How long the last good keys serve, in seconds
    stale: u32,
    trap: TcpListener,
}

impl Scene {
    async fn new(stale: u32) -> Self {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let web = Web::start(&issuer.jwks()).await;
        let druid = StandIn::start(StandInSettings::default()).await.unwrap();
        let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys = format!("jwks_url = \"{}/jwks\"", web.url);
        Self {
            web,
            issuer: Some(issuer),
            keys,
            druid,
            gate: None,
            token: None,
            fetches_at_start: 0,
            stale,
            trap,
        }
    }

    /// Changes the first key of the set, or adds to the set
    fn change_keys(&self, change: impl FnOnce(&mut Vec<Value>)) {
        self.web.tell(|told| {
            let mut set: Value = serde_json::from_str(&told.jwks).unwrap();
            change(set["keys"].as_array_mut().unwrap());
            told.jwks = set.to_string();
        });
    }

    fn gate(&self) -> &TestGate {
        self.gate.as_ref().unwrap()
    }

    async fn start(&mut self) {
        let url = format!("http://{}", self.druid.address());
        let issuer = self.issuer.take().unwrap();
        let limits = format!("[limits]\nkey_refresh_seconds = 1\nkey_stale_seconds = {}\n", self.stale);
        let gate = TestGate::start_for(&url, &limits, &self.web.url, &self.keys, issuer).await;
        self.token.get_or_insert_with(|| gate.token("alice", &[]));
        self.gate = Some(gate);
        self.fetches_at_start = self.web.fetches();
    }

    /// One thing to do, as the catalogue names it
    async fn play(&mut self, control: &str) {
        let trap = self.trap.local_addr().unwrap().port().to_string();
        let control = control.replace("{{TRAP_PORT}}", &trap);
        match control.split_once(':').unwrap_or((&control, "")) {
            ("start", _) => self.start().await,
            ("wait", what) => self.wait(what).await,
            ("token", "old") => {}
            ("burst", _) => self.burst().await,
            ("load", _) => {
                let token = self.token.clone().unwrap();
                self.gate().send_often("/druid/v2/sql/task/enabled", &token, 300).await;
            }
            ("discovery", what) => {
                let other = what.strip_prefix("issuer=").unwrap();
                let document = json!({"issuer": other, "jwks_uri": format!("{}/jwks", self.web.url)});
                self.web.tell(|told| told.discovery = document.to_string());
                self.keys = String::new();
            }
            ("jwks", what) => self.tell_keys(what).await,
            _ => panic!("`{control}` is not known here"),
        }
    }

    async fn tell_keys(&mut self, what: &str) {
        match what.split_once('=').unwrap_or((what, "")) {
            ("refuse", _) => self.web.tell(|told| told.status = String::new()),
            ("500", _) => self.web.tell(|told| told.status = "500 X".to_owned()),
            ("truncated", _) => self.web.tell(|told| told.jwks.truncate(told.jwks.len() / 2)),
            ("size", bytes) => {
                let bytes = bytes.parse().unwrap();
                self.web.tell(|told| told.jwks = " ".repeat(bytes));
            }
            ("max-age", _) => {
                self.web.tell(|told| told.status = "200 OK\r\nCache-Control: max-age=0".to_owned())
            }
            ("add_kty", kty) => {
                self.change_keys(|keys| keys.insert(0, json!({"kty": kty, "kid": "x", "pub": "AAAA"})))
            }
            // Beside one that can be used: a set of none would be no set.
            ("alg", alg) => {
                let other = ThrowAwayIssuer::named("other").unwrap().jwks()["keys"][0].clone();
                self.change_keys(|keys| {
                    keys[0]["alg"] = json!(alg);
                    keys.push(other);
                });
            }
            ("dup_kid", _) => {
                let other = ThrowAwayIssuer::new().unwrap().jwks()["keys"][0].clone();
                self.change_keys(|keys| keys.insert(0, other));
            }
            ("add_oct", _) => self.add_symmetric_key(),
            ("private", _) => self.change_keys(|keys| keys[0]["d"] = json!("AAAA")),
            ("remove_old", _) => {
                let other = ThrowAwayIssuer::named("other").unwrap().jwks();
                self.web.tell(|told| told.jwks = other.to_string());
            }
            ("expired_cert", _) => self.serve_with_an_expired_certificate().await,
            _ if what.starts_with("302") => {
                let target = what.split_once(' ').unwrap().1;
                let target = if target == "http" { "http://127.0.0.1:9/" } else { target };
                self.web.tell(|told| told.status = format!("302 Found\r\nLocation: {target}"));
            }
            _ if what.starts_with('{') => self.web.tell(|told| told.jwks = what.to_owned()),
            _ => panic!("`jwks:{what}` is not known here"),
        }
    }

    /// A key that anybody who can read the set could sign with, and a token that he signed
    fn add_symmetric_key(&mut self) {
        let secret = [7; 32];
        self.change_keys(|keys| {
            keys.insert(0, json!({"kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode(secret)}));
        });
        let claims = json!({"iss": self.web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "oct"})), part(&claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let signature = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
        self.token = Some(format!("{signed}.{signature}"));
    }

    /// The issuer's https, by a CA that is trusted, with a certificate whose time is over
    async fn serve_with_an_expired_certificate(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        let pair = Certificates::make(SystemTime::now() - Duration::from_secs(200 * 86_400)).unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("server.pem"), &pair.certificate).unwrap();
        std::fs::write(path("server.key"), &pair.key).unwrap();
        let ca = std::env::temp_dir().join(format!("msq-gate-expired-{}.pem", std::process::id()));
        std::fs::write(&ca, &pair.ca).unwrap();
        let certificate =
            msq_gate::base::tls::Certificate::read(&path("server.pem"), &path("server.key")).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(
            msq_gate::base::tls::server(&std::sync::Arc::new(certificate)).unwrap(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Nobody who looks at the certificate comes further than this.
                if let Ok(mut stream) = acceptor.accept(socket).await {
                    let _read = stream.read(&mut [0; 1]).await;
                }
            }
        });
        self.keys = format!("jwks_url = \"https://localhost:{port}/jwks\"\nca_file = \"{}\"", ca.display());
    }

    async fn wait(&self, what: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        let (what, times) = what.split_once('*').unwrap_or((what, "1"));
        let wanted = self.web.fetches() + times.parse::<usize>().unwrap();
        let is_over = async || match what {
            "refresh" => self.web.fetches() > wanted,
            "stale_limit" => {
                self.request().await != StatusCode::OK && self.request().await != StatusCode::ACCEPTED
            }
            other => panic!("`wait:{other}` is not known here"),
        };
        while !is_over().await {
            assert!(Instant::now() < end, "`{what}` does not come");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn burst(&mut self) {
        let claims = json!({"iss": self.web.url, "aud": "druid", "sub": "alice", "exp": 32_503_680_000_u64});
        for stranger in 0..10 {
            let unknown = ThrowAwayIssuer::named(&format!("unknown-{stranger}")).unwrap();
            let token = unknown.token(&claims).unwrap();
            self.gate().send_often("/druid/v2/sql/task/enabled", &token, 1_000).await;
            self.token = Some(token);
        }
    }

    async fn request(&self) -> StatusCode {
        let token = self.token.clone().unwrap();
        self.gate().post(TASK, &json!({"query": "SELECT 1"})).bearer(&token).send().await.status
    }
}

#[tokio::test]
async fn whatever_happens_to_an_issuers_keys_ends_as_the_catalogue_says() {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/hostile-http.jsonl");
    let Ok(text) = std::fs::read_to_string(&catalogue) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is not there", catalogue.display());
        println!("notice: {} is not there; its rows are left out", catalogue.display());
        return;
    };
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: Vec<_> = rows.filter(|row| row["group"] == "jwks").collect();
    let mut playing = tokio::task::JoinSet::new();
    for row in rows {
        playing.spawn(play(row));
    }
    let played = playing.join_all().await;
    let wrong: Vec<_> = played.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    println!("{} rows of the group jwks replayed, {} missed", played.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn play(row: Value) -> Result<(), String> {
    let id = row["id"].as_str().unwrap().to_owned();
    let controls = row["request"]["control"].as_array().unwrap();
    let mut scene = Scene::new(if controls.contains(&json!("wait:stale_limit")) { 3 } else { 600 }).await;
    for control in controls {
        scene.play(control.as_str().unwrap()).await;
    }
    scene.druid.clear_requests();
    let status = scene.request().await;
    let allowed: Vec<u16> = serde_json::from_value(row["expect"]["status"].clone()).unwrap();
    let (passed, seen) = (status.is_success(), scene.druid.requests().len());
    let trapped = tokio::time::timeout(Duration::from_millis(1), scene.trap.accept()).await.is_ok();
    let is_bounded = row["expect"]["asserts"]
        .as_array()
        .is_some_and(|asserts| asserts.contains(&json!("jwks_fetches_below_5")));
    let fetches = scene.web.fetches() - scene.fetches_at_start;
    if !allowed.contains(&status.as_u16()) || passed != (seen == 1) || trapped {
        return Err(format!("{id}: {status}, Druid saw {seen}, trapped: {trapped}"));
    }
    // The rhythm here is a second, for the sake of the other rows: what counts is what came besides.
    if is_bounded && fetches >= 60 {
        return Err(format!("{id}: {fetches} fetches"));
    }
    Ok(())
}
