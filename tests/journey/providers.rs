//! Real providers: oidc-provider with four algorithms, and Keycloak, found by their issuer's URL and nothing more
//!
//! `tests/run` installs them and says where they are: `MSQ_GATE_OIDC_MODULES` (a `node_modules` folder) and
//! `MSQ_GATE_KEYCLOAK` (the issuer of its realm).

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, Table};
use tokio::net::TcpStream;

use crate::gate::TestGate;

const READER: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n";
const ENABLED: &str = "/druid/v2/sql/task/enabled";

fn given(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        println!("notice: {variable} is not set; `tests/run` starts the provider and sets it");
    }
    value
}

async fn gate_for(issuer: &str, lines: &str) -> (TestGate, StandIn) {
    let tables = vec![("a".to_owned(), Table { columns: Vec::new(), rows: Vec::new() })];
    let druid = StandIn::start(StandInSettings { tables, ..StandInSettings::default() }).await.unwrap();
    let gate = TestGate::start_for_real(&format!("http://{}", druid.address()), READER, issuer, lines).await;
    (gate, druid)
}

/// Posts a form and reads the JSON of the answer; `None` where nobody answers
async fn post_form(address: &str, target: &str, sign_in: Option<&str>, form: &str) -> Option<Value> {
    let socket = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.ok()?;
    tokio::spawn(connection);
    let mut request = Request::post(target)
        .header("host", address)
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(sign_in) = sign_in {
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(sign_in)));
    }
    let answer =
        sender.send_request(request.body(Full::new(Bytes::from(form.to_owned()))).unwrap()).await.ok()?;
    serde_json::from_slice(&answer.into_body().collect().await.ok()?.to_bytes()).ok()
}

/// A running oidc-provider; it ends with the test
struct OidcProvider {
    process: Child,
    port: u16,
}

impl OidcProvider {
    async fn start(modules: &str, port: u16, keys: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers/oidc-provider.mjs");
        let process = Command::new("node")
            .arg(script)
            .arg(port.to_string())
            .arg(keys)
            .env("OIDC_MODULES", modules)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let provider = Self { process, port };
        let end = Instant::now() + Duration::from_secs(60);
        while provider.try_token("ES256").await.is_none() {
            assert!(Instant::now() < end, "oidc-provider does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        provider
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn try_token(&self, algorithm: &str) -> Option<String> {
        let address = format!("127.0.0.1:{}", self.port);
        let answer = post_form(
            &address,
            "/token",
            Some(&format!("{algorithm}:secret")),
            "grant_type=client_credentials",
        )
        .await?;
        Some(answer["access_token"].as_str()?.to_owned())
    }

    async fn token(&self, algorithm: &str) -> String {
        self.try_token(algorithm).await.unwrap()
    }

    fn stop(mut self) -> u16 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.port
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        // Stopped already, or now.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

async fn free_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

const LINES: &str =
    "algorithms = [\"RS256\", \"PS256\", \"ES256\", \"EdDSA\"]\nroles_claim = \"realm_access.roles\"";

#[tokio::test]
async fn oidc_providers_access_tokens_are_known_in_every_algorithm() {
    let Some(modules) = given("MSQ_GATE_OIDC_MODULES") else { return };
    let folder = tempfile::tempdir().unwrap();
    let provider = OidcProvider::start(&modules, free_port().await, &folder.path().join("keys.json")).await;
    let (gate, _druid) = gate_for(&provider.issuer(), LINES).await;
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = provider.token(algorithm).await;
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm), &json!("at+jwt")));
        let whoami = gate.get("/_gate/whoami").bearer(&token).send().await.json();
        assert_eq!(
            (&whoami["identity"], &whoami["roles"]),
            (&json!(algorithm), &json!(["reader"])),
            "{whoami}"
        );
        let body = json!({"query": "SELECT * FROM a"});
        assert_eq!(
            gate.post("/druid/v2/sql/task", &body).bearer(&token).send().await.status,
            StatusCode::ACCEPTED
        );
    }
    let (gate, _druid) = gate_for(&provider.issuer(), "algorithms = [\"ES256\"]").await;
    let answer = gate.get(ENABLED).bearer(&provider.token("RS256").await).send().await;
    assert_eq!(answer.reason().as_deref(), Some("token_algorithm"));
}

#[tokio::test]
async fn an_outage_a_restart_and_a_rotation_under_load_give_no_wrong_401() {
    let Some(modules) = given("MSQ_GATE_OIDC_MODULES") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (old_keys, new_keys) = (folder.path().join("old.json"), folder.path().join("new.json"));
    let provider = OidcProvider::start(&modules, free_port().await, &old_keys).await;
    let (gate, _druid) = gate_for(&provider.issuer(), LINES).await;
    let (gate, token) = (Arc::new(gate), Arc::new(Mutex::new(provider.token("ES256").await)));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        clients.spawn(one_client(Arc::clone(&gate), Arc::clone(&token), stopped.clone()));
    }
    let port = provider.stop();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let provider = OidcProvider::start(&modules, port, &old_keys).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    provider.stop();
    let provider = OidcProvider::start(&modules, port, &new_keys).await;
    let rotated = provider.token("ES256").await;
    *token.lock().unwrap() = rotated;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.send(true).unwrap();
    let mut statuses: HashMap<u16, usize> = HashMap::new();
    for (status, count) in clients.join_all().await.into_iter().flatten() {
        *statuses.entry(status).or_default() += count;
    }
    println!("an outage, a restart and a rotation under 200 requests a second: {statuses:?}");
    assert!(statuses[&200] > 500 && statuses.len() == 1, "{statuses:?}");
}

/// Fifty requests a second with the token of the moment
async fn one_client(
    gate: Arc<TestGate>,
    token: Arc<Mutex<String>>,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> HashMap<u16, usize> {
    let mut connection = gate.keep_alive().await;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut statuses = HashMap::new();
    while !*stopped.borrow() {
        pace.tick().await;
        let token = token.lock().unwrap().clone();
        *statuses.entry(connection.send(ENABLED, &token).await.as_u16()).or_default() += 1;
    }
    statuses
}

#[tokio::test]
async fn keycloaks_tokens_are_known_with_nested_roles_or_groups_beside_its_encryption_key() {
    let Some(issuer) = given("MSQ_GATE_KEYCLOAK") else { return };
    let (address, path) = issuer.trim_start_matches("http://").split_once('/').unwrap();
    let form = "grant_type=password&client_id=cli&username=alice&password=alice-pw";
    let answer =
        post_form(address, &format!("/{path}/protocol/openid-connect/token"), None, form).await.unwrap();
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    for (roles_claim, role) in [("realm_access.roles", "reader"), ("groups", "team")] {
        let team = "[roles.team]\ngrants = [\"READ DATASOURCE a\"]\n";
        let tables = vec![("a".to_owned(), Table { columns: Vec::new(), rows: Vec::new() })];
        let druid = StandIn::start(StandInSettings { tables, ..StandInSettings::default() }).await.unwrap();
        let lines = format!(
            "algorithms = [\"RS256\"]\nidentity_claim = \"preferred_username\"\nroles_claim = \"{roles_claim}\""
        );
        let url = format!("http://{}", druid.address());
        let gate = TestGate::start_for_real(&url, &format!("{READER}{team}"), &issuer, &lines).await;
        let whoami = gate.get("/_gate/whoami").bearer(token).send().await.json();
        assert_eq!((&whoami["identity"], &whoami["roles"]), (&json!("alice"), &json!([role])), "{whoami}");
        let body = json!({"query": "SELECT * FROM a"});
        assert_eq!(
            gate.post("/druid/v2/sql/task", &body).bearer(token).send().await.status,
            StatusCode::ACCEPTED
        );
        let (signed, _) = token.rsplit_once('.').unwrap();
        let answer = gate.get(ENABLED).bearer(&format!("{signed}.AAAA")).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}
