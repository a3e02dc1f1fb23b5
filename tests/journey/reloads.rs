//! Files that change while the gate serves: applied whole or not at all, and nobody is cut off

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use msq_gate::development::{Certificates, ThrowAwayIssuer};
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, Table};

use crate::gate::TestGate;
use crate::scripted::{Script, Scripted, ok};

const TASK: &str = "/druid/v2/sql/task";
const READER: &str = "[roles.reader]\ngrants = [\"READ DATASOURCE a\"]\n";

async fn setup() -> (TestGate, StandIn) {
    let tables = vec![("a".to_owned(), Table { columns: Vec::new(), rows: Vec::new() })];
    let druid = StandIn::start(StandInSettings { tables, ..StandInSettings::default() }).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), READER).await, druid)
}

async fn select(gate: &TestGate) -> StatusCode {
    let body = json!({"query": "SELECT * FROM a"});
    gate.post(TASK, &body).bearer(&gate.token("alice", &["reader"])).send().await.status
}

fn config(gate: &TestGate) -> String {
    std::fs::read_to_string(gate.path("proxy.toml")).unwrap()
}

#[tokio::test]
async fn a_changed_policy_holds_for_new_requests() {
    let (gate, _druid) = setup().await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("proxy.toml", &config(&gate).replace("READ DATASOURCE a", "READ DATASOURCE b"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN);
    gate.write("proxy.toml", &config(&gate).replace("READ DATASOURCE b", "READ DATASOURCE a"));
    gate.has_reloaded("applied", 2).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_until_it_is_mended() {
    let (gate, _druid) = setup().await;
    let good = config(&gate);
    gate.write("proxy.toml", &good.replace("READ DATASOURCE a", "LOOK AT a"));
    gate.has_reloaded("refused", 1).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("proxy.toml", &good.replace("READ DATASOURCE a", "READ DATASOURCE b"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_issuer_that_is_taken_out_is_known_no_longer() {
    let (gate, _druid) = setup().await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("proxy.toml", &config(&gate).replace("https://id.test", "https://other.test"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn session_tickets_outlive_a_certificate() {
    let (gate, _druid) = setup().await;
    // Tickets come after the handshake, with the first answer.
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    let new = Certificates::make(SystemTime::now()).unwrap();
    gate.write("server.key", &new.key);
    gate.write("server.pem", &new.certificate);
    gate.has_reloaded("applied", 1).await;
    let resumed = gate.connect(b"http/1.1").await;
    assert_eq!(resumed.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn keys_of_a_place_that_is_left_serve_no_longer_even_where_the_new_one_gives_none() {
    let (gate, _druid) = setup().await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("proxy.toml", &config(&gate).replace("jwks.json", "other.json"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::SERVICE_UNAVAILABLE);
    gate.write("other.json", &std::fs::read_to_string(gate.path("jwks.json")).unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    while select(&gate).await != StatusCode::ACCEPTED {
        assert!(Instant::now() < end, "the new place has keys by now");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn keys_of_the_same_place_serve_on_where_only_their_rhythm_changes() {
    let (gate, _druid) = setup().await;
    std::fs::remove_file(gate.path("jwks.json")).unwrap();
    gate.write("proxy.toml", &format!("{}[limits]\nkey_refresh_seconds = 60\n", config(&gate)));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_certificate_is_swapped_only_with_its_key_and_old_connections_live_on() {
    let (gate, _druid) = setup().await;
    let token = gate.token("alice", &["reader"]);
    let mut old = gate.keep_alive().await;
    assert_eq!(old.send("/druid/v2/sql/task/enabled", &token).await, StatusCode::OK);
    let new = Certificates::make(SystemTime::now()).unwrap();
    gate.write("server.pem", &new.certificate);
    gate.has_reloaded("refused", 1).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED, "the old pair stays until the new one is whole");
    gate.write("server.key", &new.key);
    gate.has_reloaded("applied", 1).await;
    assert_eq!(
        old.send("/druid/v2/sql/task/enabled", &token).await,
        StatusCode::OK,
        "an old connection lives on"
    );
    assert!(gate.try_connect(&new.ca).await, "a new handshake gets the new certificate");
}

/// How often the files change under load: twice each, or as `MSQ_GATE_RELOADS` and `MSQ_GATE_SWAPS` say
fn rounds(variable: &str) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[tokio::test]
async fn the_files_can_change_under_load_and_no_request_is_lost() {
    let (gate, _druid) = setup().await;
    let gate = Arc::new(gate);
    let good = config(&gate);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = tokio::task::JoinSet::new();
    let began = Instant::now();
    for _ in 0..5 {
        clients.spawn(one_client(Arc::clone(&gate), stopped.clone()));
    }
    let (reloads, swaps) = (rounds("MSQ_GATE_RELOADS"), rounds("MSQ_GATE_SWAPS"));
    for round in 1..=reloads {
        gate.write("proxy.toml", &format!("{good}# {round}\n"));
        gate.has_reloaded("applied", round).await;
    }
    for round in 1..=swaps {
        let new = Certificates::make(SystemTime::now()).unwrap();
        // The two files cannot change at once: for a moment the pair is torn, and what held, holds.
        gate.write("server.pem", &new.certificate);
        gate.write("server.key", &new.key);
        gate.has_reloaded("applied", reloads + round).await;
        assert!(gate.try_connect(&new.ca).await);
    }
    stop.send(true).unwrap();
    let statuses: Vec<HashMap<u16, usize>> = clients.join_all().await;
    let total: usize = statuses.iter().flat_map(HashMap::values).sum();
    let lost: usize =
        statuses.iter().flatten().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
    let rate = total as f64 / began.elapsed().as_secs_f64();
    println!(
        "{reloads} reloads and {swaps} certificate swaps under {rate:.0} requests a second: {lost} of {total} lost"
    );
    assert!(total > 100 && lost == 0, "{statuses:?}");
}

/// A hundred requests a second over a connection that is kept, until told to stop
async fn one_client(gate: Arc<TestGate>, stopped: tokio::sync::watch::Receiver<bool>) -> HashMap<u16, usize> {
    let token = gate.token("alice", &["reader"]);
    let mut connection = gate.keep_alive().await;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut statuses = HashMap::new();
    while !*stopped.borrow() {
        pace.tick().await;
        let status = connection.send("/druid/v2/sql/task/enabled", &token).await;
        *statuses.entry(status.as_u16()).or_default() += 1;
    }
    statuses
}

/// What `/readyz` says is faulty
async fn faulty(gate: &TestGate) -> Vec<String> {
    let (_, body) = gate.ask_admin("/readyz").await;
    let ready: Value = serde_json::from_str(&body).unwrap();
    let parts = ready["faulty"].as_array().unwrap();
    assert!(parts.iter().all(|part| part["since"].as_str().is_some_and(|since| since.ends_with('Z'))));
    parts.iter().map(|part| part["part"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_fault_in_the_policy_holds_back_no_renewed_certificate() {
    let (gate, _druid) = setup().await;
    let good = config(&gate);
    let ends = |page: &str| {
        page.lines().any(|line| line.starts_with("msq_gate_certificate_ends_timestamp_seconds 1"))
    };
    assert!(ends(&gate.metrics().await) && faulty(&gate).await.is_empty());
    gate.write("proxy.toml", &good.replace("READ DATASOURCE a", "LOOK AT a"));
    gate.has_reloaded("refused", 1).await;
    assert_eq!(faulty(&gate).await, ["configuration"]);
    let since = "msq_gate_faulty_since_timestamp_seconds{part=\"configuration\"} 1";
    assert!(gate.metrics().await.contains(since), "{}", gate.metrics().await);
    let new = Certificates::make(SystemTime::now()).unwrap();
    assert!(!gate.try_connect(&new.ca).await);
    gate.write("server.key", &new.key);
    gate.write("server.pem", &new.certificate);
    gate.has_reloaded("applied", 1).await;
    assert!(gate.try_connect(&new.ca).await, "the new certificate is served");
    assert_eq!(faulty(&gate).await, ["configuration"], "and the policy is as faulty as before");
    gate.write("proxy.toml", &good);
    gate.has_reloaded("applied", 2).await;
    assert!(faulty(&gate).await.is_empty() && !gate.metrics().await.contains(since));
}

#[tokio::test]
async fn a_fault_in_the_certificate_holds_back_no_policy() {
    let (gate, _druid) = setup().await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("server.pem", "no certificate");
    gate.has_reloaded("refused", 1).await;
    assert_eq!(faulty(&gate).await, ["certificate"]);
    gate.write("proxy.toml", &config(&gate).replace("READ DATASOURCE a", "READ DATASOURCE b"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN, "over the certificate that was there before");
    assert_eq!(faulty(&gate).await, ["certificate"]);
}

#[tokio::test]
async fn a_fault_in_the_policy_holds_back_no_password_and_no_password_holds_back_the_policy() {
    let druid = Scripted::start(Script::Answer(ok("[]"))).await;
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "old").unwrap();
    let account = format!("username = \"gate\"\npassword_file = \"{}\"\n{READER}", password.path().display());
    let gate = TestGate::start(&druid.url, &account).await;
    let good = config(&gate);
    let signed_in = async |with: &str| {
        assert_eq!(select(&gate).await, StatusCode::OK);
        let basic = format!("Basic {}", STANDARD.encode(format!("gate:{with}")));
        let seen = druid.seen().into_iter().rfind(|request| request.starts_with("POST")).unwrap();
        assert!(seen.contains(&basic), "{seen}");
    };
    signed_in("old").await;
    gate.write("proxy.toml", &good.replace("READ DATASOURCE a", "LOOK AT a"));
    gate.has_reloaded("refused", 1).await;
    std::fs::write(password.path(), "new").unwrap();
    gate.has_reloaded("applied", 1).await;
    signed_in("new").await;
    gate.write("proxy.toml", &good);
    gate.has_reloaded("applied", 2).await;
    std::fs::remove_file(password.path()).unwrap();
    gate.has_reloaded("refused", 2).await;
    assert_eq!(faulty(&gate).await, ["upstream"]);
    gate.write("proxy.toml", &good.replace("READ DATASOURCE a", "READ DATASOURCE b"));
    gate.has_reloaded("applied", 3).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN);
    // Another Druid is not asked in the old way: that change waits for its password.
    gate.write("proxy.toml", &good.replace(&druid.url, "http://127.0.0.1:1"));
    gate.has_reloaded("refused", 3).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN, "the policy before it holds");
}

#[tokio::test]
async fn a_configuration_that_waits_for_a_file_is_taken_up_when_the_file_is_there() {
    let (gate, _druid) = setup().await;
    let account = "[upstream]\nusername = \"gate\"\npassword_file = \"password\"";
    let waiting = config(&gate).replace("READ DATASOURCE a", "READ DATASOURCE b");
    gate.write("proxy.toml", &waiting.replace("[upstream]", account));
    gate.has_reloaded("refused", 1).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    // By the time this is found, whoever tried again and again would have been counted.
    gate.write("server.pem", "no certificate");
    gate.has_reloaded("refused", 2).await;
    assert!(!gate.metrics().await.contains("msq_gate_reloads_total{outcome=\"applied\"}"));
    gate.write("password", "secret");
    gate.has_reloaded("applied", 1).await;
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN);
    assert_eq!(faulty(&gate).await, ["certificate"]);
}

#[tokio::test]
async fn a_fault_in_the_policy_holds_back_no_key_that_is_removed() {
    let (gate, _druid) = setup().await;
    gate.write("proxy.toml", &config(&gate).replace("READ DATASOURCE a", "LOOK AT a"));
    gate.has_reloaded("refused", 1).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    gate.write("jwks.json", &ThrowAwayIssuer::new().unwrap().jwks().to_string());
    let end = Instant::now() + Duration::from_secs(30);
    while select(&gate).await != StatusCode::UNAUTHORIZED {
        assert!(Instant::now() < end, "the key that was removed counts on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_fault_in_an_issuers_roots_or_in_the_audit_file_holds_back_no_policy() {
    let tables = vec![("a".to_owned(), Table { columns: Vec::new(), rows: Vec::new() })];
    let druid = StandIn::start(StandInSettings { tables, ..StandInSettings::default() }).await.unwrap();
    let keys = "jwks_file = \"jwks.json\"\nca_file = \"ca.pem\"";
    let issuer = ThrowAwayIssuer::new().unwrap();
    let url = format!("http://{}", druid.address());
    let gate = TestGate::start_for(&url, READER, "https://id.test", keys, issuer).await;
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
    std::fs::remove_file(gate.path("ca.pem")).unwrap();
    gate.has_reloaded("refused", 1).await;
    assert_eq!(faulty(&gate).await, ["issuers"]);
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED, "the keys that were there serve on");
    let narrower = config(&gate).replace("READ DATASOURCE a", "READ DATASOURCE b");
    gate.write("proxy.toml", &narrower.replace("audit.jsonl", "nowhere/audit.jsonl"));
    gate.has_reloaded("applied", 1).await;
    assert_eq!(faulty(&gate).await, ["issuers", "audit"]);
    let before = gate.audit().len();
    assert_eq!(select(&gate).await, StatusCode::FORBIDDEN);
    assert_eq!(gate.audit().len(), before + 1, "and it is on record where records went before");
    std::fs::create_dir(gate.path("nowhere")).unwrap();
    gate.write(
        "proxy.toml",
        &narrower.replace("audit.jsonl", "nowhere/audit.jsonl").replace("jwks.json", "other.json"),
    );
    gate.has_reloaded("applied", 2).await;
    assert_eq!(faulty(&gate).await, ["issuers"]);
    assert_eq!(
        select(&gate).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "keys of a place that is left serve no longer"
    );
    gate.is_recorded();
    assert_eq!(std::fs::read_to_string(gate.path("nowhere/audit.jsonl")).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_a_fault_and_holds_nothing_up() {
    let (gate, _druid) = setup().await;
    let pipe = |name: &str| {
        let _gone = std::fs::remove_file(gate.path(name));
        assert!(std::process::Command::new("mkfifo").arg(gate.path(name)).status().unwrap().success());
    };
    for (refused, name) in ["server.key", "server.pem", "proxy.toml"].into_iter().enumerate() {
        let before = std::fs::read_to_string(gate.path(name)).unwrap();
        pipe(name);
        gate.has_reloaded("refused", refused + 1).await;
        assert_eq!(select(&gate).await, StatusCode::ACCEPTED, "{name}");
        assert_eq!(gate.ask_admin("/livez").await.0, 200, "{name}");
        std::fs::remove_file(gate.path(name)).unwrap();
        gate.write(name, &before);
        gate.has_reloaded("applied", refused + 1).await;
    }
    pipe("pipe.jsonl");
    gate.write("proxy.toml", &config(&gate).replace("audit.jsonl", "pipe.jsonl"));
    gate.has_reloaded("refused", 4).await;
    assert_eq!(faulty(&gate).await, ["audit"]);
    assert_eq!(select(&gate).await, StatusCode::ACCEPTED);
}
