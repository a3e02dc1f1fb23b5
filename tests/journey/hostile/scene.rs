//! A gate before a stand-in, Alice and the tasks that rows speak of
//!
//! Alice may write `own` by who she is and read it by the role in her token, so that she has to be known by
//! both; nobody else may do both, but who holds `admin`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stand_in::{Column, Kind, StandIn, StandInSettings, Table, TaskPace};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::wire;
use crate::gate::TestGate;
use crate::issuer::jwks;
use crate::recipe::{Here, ISSUER, OTHER_ISSUER, Recipe, cast, strange_jwk};

/// How a scene differs from the usual one
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Usual,
    /// `refusal_detail = "code"`
    CodeOnly,
    /// `roles_claim = "a.b"`
    DottedRolesClaim,
    /// Nobody listens where Druid should be
    WithoutDruid,
}

/// The scene
pub(super) struct Scene {
    pub(super) setting: Setting,
    pub(super) gate: TestGate,
    pub(super) druid: StandIn,
    pub(super) here: Here,
    pub(super) others_task: String,
    pub(super) nonce: String,
    trap: TcpListener,
    /// The issuers' keys, which the gate may read again
    _keys: TempDir,
    values: Vec<(&'static str, String)>,
}

pub(super) const SQL_OK: &str = r#"REPLACE INTO "own" OVERWRITE ALL SELECT * FROM "own" PARTITIONED BY ALL"#;
pub(super) const SQL_DENIED: &str =
    r#"REPLACE INTO "own" OVERWRITE ALL SELECT * FROM "other" PARTITIONED BY ALL"#;
const SQL_OF_BOB: &str = r#"REPLACE INTO "other" OVERWRITE ALL SELECT * FROM "other" PARTITIONED BY ALL"#;

const POLICY: &str = r#"
[roles.writer]
grants = ["READ DATASOURCE own"]
[roles.owner]
members = ["https://id.test/realms/data|alice"]
grants = ["WRITE DATASOURCE own"]
[roles.admin]
grants = ["READ WRITE DATASOURCE *", "READ EXTERNAL EXTERNAL", "READ WRITE STATE STATE"]
[limits]
head_seconds = 2
body_seconds = 2
"#;

impl Scene {
    pub(super) async fn start(setting: Setting) -> Self {
        let druid = StandIn::start(StandInSettings {
            tasks: TaskPace::WhenTold,
            tables: ["own", "other"].map(|name| (name.to_owned(), table())).to_vec(),
            ..StandInSettings::default()
        });
        let druid = druid.await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let gate = gate(setting, &druid, keys.path()).await;
        let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        trap.set_nonblocking(true).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let here = Here { now, trap_port: trap.local_addr().unwrap().port() };
        let nonce = format!("{:x}", gate.address.port());
        let others_task = submit(&druid, SQL_OF_BOB, "bob").await;
        let (values, others_query) = (Vec::new(), others_task.replacen("query-", "", 1));
        let mut scene = Self { setting, gate, druid, here, others_task, nonce, trap, _keys: keys, values };
        let task = submit(&scene.druid, SQL_OK, "alice").await;
        scene.values = scene.values(&task, &others_query);
        scene
    }

    fn values(&self, task: &str, others_query: &str) -> Vec<(&'static str, String)> {
        let json_text = |text: &str| Value::from(text).to_string().trim_matches('"').replace("\\\\", "\\");
        vec![
            ("HOST", self.gate.address.to_string()),
            ("HOSTNAME", self.gate.address.ip().to_string()),
            ("NONCE", self.nonce.clone()),
            ("TOKEN_ALICE", self.alice()),
            ("TOKEN_BOB", Recipe::new(&json!({"claims": {"set": {"sub": "bob"}}}), self.here).token()),
            ("TASK_ID", task.to_owned()),
            ("TASK_ID_UPPER", task.to_uppercase()),
            ("TASK_ID_CUT", task.chars().take(task.len() - 1).collect()),
            ("TASK_ID_OTHER", self.others_task.clone()),
            ("QUERY_ID_OTHER", others_query.to_owned()),
            ("DS_OWN", "own".to_owned()),
            ("DS_OTHER", "other".to_owned()),
            ("LOOKUP_OTHER", "other_lookup".to_owned()),
            ("SQL_OK", json_text(SQL_OK)),
            ("SQL_DENIED", json_text(SQL_DENIED)),
            ("SQL_DENIED_RAW", SQL_DENIED.to_owned()),
        ]
    }

    /// Alice's valid token
    pub(super) fn alice(&self) -> String {
        Recipe::new(&json!({}), self.here).token()
    }

    /// What the macros of a row stand for, its own token included
    pub(super) fn values_with(&self, token: String) -> Vec<(&'static str, String)> {
        let mut values = self.values.clone();
        values.push(("TOKEN", token));
        values
    }

    /// Whether somebody was asked who must not be
    pub(super) fn trap_was_sprung(&self) -> bool {
        !matches!(self.trap.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

fn table() -> Table {
    Table {
        columns: vec![Column::new("__time", Kind::Timestamp), Column::new("k", Kind::Varchar)],
        rows: Vec::new(),
    }
}

async fn gate(setting: Setting, druid: &StandIn, folder: &Path) -> TestGate {
    let upstream = match setting {
        Setting::WithoutDruid => {
            // Bound and left: nobody else is given the port while this test runs, or nearly so.
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
        }
        Setting::Usual | Setting::CodeOnly | Setting::DottedRolesClaim => druid.address(),
    };
    let detail = if setting == Setting::CodeOnly { "code" } else { "missing" };
    let claim = if setting == Setting::DottedRolesClaim { "a.b" } else { "roles" };
    let rules = format!("{POLICY}[rules]\nrefusal_detail = \"{detail}\"\nlookups = \"granted\"\n");
    let issuer = |name: &str, claim: &str, file: &str| {
        format!(
            "[[issuers]]\nissuer = \"{name}\"\naudiences = [\"druid\"]\njwks_file = \"{}\"\n\
             algorithms = [\"RS256\", \"ES256\"]\nroles_claim = \"{claim}\"\nroles = [\"writer\", \"admin\"]\n",
            folder.join(file).display()
        )
    };
    let issuers =
        [issuer(ISSUER, claim, "alices.json"), issuer(OTHER_ISSUER, "roles", "others.json")].concat();
    let strange = ["rsa16384", "rsa_e1", "ec_offcurve", "ec_infinity", "attacker_k256"];
    let mut keys = vec![cast().main.jwk(), cast().alias.jwk(), cast().es.jwk()];
    // All at once: a strange key must do no harm to its neighbours either.
    keys.extend(strange.into_iter().filter_map(strange_jwk));
    std::fs::write(folder.join("alices.json"), jwks(&keys)).unwrap();
    std::fs::write(folder.join("others.json"), cast().other.jwks()).unwrap();
    TestGate::start_trusting(&format!("http://{upstream}"), &rules, &issuers).await
}

/// Starts a task at the stand-in itself
async fn submit(druid: &StandIn, statement: &str, owner: &str) -> String {
    let body =
        json!({"query": statement, "context": {"msqGateOwner": format!("{ISSUER}|{owner}")}}).to_string();
    let request = format!(
        "POST /druid/v2/sql/task HTTP/1.1\r\nHost: druid\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = wire::ask(TcpStream::connect(druid.address()).await.unwrap(), request.as_bytes()).await;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    answer["taskId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
