//! A gate of the release build in a folder of its own, and the Druid behind it

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use msq_gate::development::{Certificates, ThrowAwayIssuer};
use serde_json::json;
use stand_in::{Column, Kind, StandIn, StandInSettings, Table};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// The short deadlines of a run that is short itself
const LIMITS: &str = "[limits]\nhandshake_seconds = 3\nhead_seconds = 3\nbody_seconds = 5\nidle_seconds = 5\n\
                      connections = 400\ndrain_seconds = 600\n";

pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    /// Good for as long as any run
    pub(crate) token: String,
    /// Of people who hold nothing
    pub(crate) others: Vec<String>,
    /// Those that it has had, or will have
    pub(crate) certificates: Vec<Certificates>,
    admin: SocketAddr,
    folder: TempDir,
    process: Mutex<Child>,
    process_id: u32,
    druid: Mutex<Option<StandIn>>,
    druid_at: SocketAddr,
}

impl Gate {
    pub(crate) async fn start(program: &Path) -> Self {
        let druid = StandIn::start(druids_settings()).await.unwrap();
        let druid_at = druid.address();
        let admin = free().await;
        let (folder, issuer) = (tempfile::tempdir().unwrap(), ThrowAwayIssuer::new().unwrap());
        let certificates: Vec<_> = (0..6).map(|_| Certificates::make(SystemTime::now()).unwrap()).collect();
        let end = SystemTime::now() + Duration::from_secs(86_400);
        let token = |name: &str, roles: &[&str]| {
            let claims = json!({
                "iss": "https://id.test", "aud": "druid", "sub": name, "roles": roles,
                "exp": end.duration_since(UNIX_EPOCH).unwrap().as_secs(),
            });
            issuer.token(&claims).unwrap()
        };
        let others = (0..4).map(|number| token(&format!("other{number}"), &[])).collect();
        let token = token("good", &["reader"]);
        write(folder.path(), "jwks.json", &issuer.jwks().to_string());
        write_pair(folder.path(), certificates.first().unwrap());
        write(folder.path(), "proxy.toml", &configuration(druid_at, admin, 0));
        let mut process = Command::new(program.canonicalize().unwrap())
            .args(["serve", "--config"])
            .arg(folder.path().join("proxy.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = line.trim().strip_prefix("listening on https://").unwrap().parse().unwrap();
        let process_id = process.id().unwrap();
        let (process, druid) = (Mutex::new(process), Mutex::new(Some(druid)));
        Self { address, token, others, certificates, admin, folder, process, process_id, druid, druid_at }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Another policy in its file
    pub(crate) fn change_policy(&self, number: u32) {
        write(self.folder.path(), "proxy.toml", &configuration(self.druid_at, self.admin, number));
    }

    pub(crate) fn change_certificate(&self, number: u32) {
        let next = self.certificates.get(number as usize % self.certificates.len()).unwrap();
        write_pair(self.folder.path(), next);
    }

    /// Asks for a look at the files now
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.process_id.to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Breaks off whatever Druid answers, and has it again at once
    pub(crate) async fn restart_druid(&self) {
        let mut druid = self.druid.lock().await;
        drop(druid.take());
        *druid = loop {
            match StandIn::start_at(self.druid_at, druids_settings()).await {
                Ok(again) => break Some(again),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
    }

    /// Lets Druid forget what it was asked
    pub(crate) async fn forget(&self) {
        if let Some(druid) = self.druid.lock().await.as_ref() {
            druid.clear_requests();
        }
    }

    pub(crate) async fn metrics(&self) -> String {
        let mut page = String::new();
        let mut socket = TcpStream::connect(self.admin).await.unwrap();
        let asked = b"GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";
        socket.write_all(asked).await.unwrap();
        socket.read_to_string(&mut page).await.unwrap();
        page
    }

    /// Whether it ends well, and soon, when it is told to twice
    pub(crate) async fn stop(&self) -> Result<(), String> {
        self.signal("-TERM");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut process = self.process.lock().await;
        if process.try_wait().unwrap().is_none() {
            self.signal("-TERM");
        }
        match tokio::time::timeout(Duration::from_secs(5), process.wait()).await {
            Ok(Ok(status)) if matches!(status.code(), Some(0 | 75)) => Ok(()),
            Ok(status) => Err(format!("the gate ended with {status:?}")),
            Err(_) => Err("the gate does not end".to_owned()),
        }
    }
}

/// An address that is free now
async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A Druid with a table whose rows are more than any buffer between it and a client holds
fn druids_settings() -> StandInSettings {
    let columns = vec![Column { name: "text".to_owned(), kind: Kind::Varchar }];
    let rows = (0..2_000).map(|_| vec![json!("x".repeat(1_000))]).collect();
    StandInSettings {
        tables: vec![("big".to_owned(), Table { columns, rows })],
        ..StandInSettings::default()
    }
}

fn configuration(druid: SocketAddr, admin: SocketAddr, number: u32) -> String {
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n\
         [admin]\naddress = \"{admin}\"\n[upstream]\nurl = \"http://{druid}\"\n\
         [[issuers]]\nissuer = \"https://id.test\"\naudiences = [\"druid\"]\njwks_file = \"jwks.json\"\n\
         algorithms = [\"ES256\"]\n[roles.reader]\ngrants = [\"READ DATASOURCE big\", \"READ DATASOURCE a{number}\"]\n\
         {LIMITS}[audit]\nfile = \"audit.jsonl\"\n"
    )
}

fn write_pair(folder: &Path, pair: &Certificates) {
    write(folder, "server.key", &pair.key);
    write(folder, "server.pem", &pair.certificate);
}

/// Whole or not at all
fn write(folder: &Path, name: &str, text: &str) {
    let beside = folder.join(format!("{name}.new"));
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, folder.join(name)).unwrap();
}
