//! The catalogue's hostile configurations, given to the program itself: it says what is wrong and does not start
//!
//! Rows that the catalogue lets start with a warning must give one. An id that is not known here fails, so that
//! no row is passed over.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use msq_gate::development::{Certificates, ThrowAwayIssuer};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::{LEAST, read};

/// A folder with everything that a start needs, of which a row spoils one thing
struct Stage {
    folder: TempDir,
    config: String,
    file: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = r#"[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
[admin]
address = "127.0.0.1:0"
[upstream]
url = "http://127.0.0.1:9"
[[issuers]]
issuer = "https://id"
audiences = ["druid"]
jwks_file = "jwks.json"
algorithms = ["ES256"]
[roles.viewer]
grants = ["READ DATASOURCE wikipedia"]
"#;
        let file = folder.path().join("proxy.toml");
        let stage = Self { folder, config: config.to_owned(), file };
        let pair = Certificates::make(SystemTime::now()).unwrap();
        stage.write("server.pem", pair.certificate);
        stage.write_key(&pair.key);
        stage.write("jwks.json", ThrowAwayIssuer::new().unwrap().jwks().to_string());
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn write_key(&self, pem: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write("server.key", pem);
        std::fs::set_permissions(self.path("server.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn replace(&mut self, from: &str, to: &str) {
        assert!(self.config.contains(from), "{from}");
        self.config = self.config.replace(from, to);
    }

    /// A certificate for localhost with these changes, and its key
    fn certify(&self, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut parameters);
        self.write("server.pem", parameters.self_signed(&key).unwrap().pem());
        self.write_key(&key.serialize_pem());
    }

    /// Starts the program; whether it came to listen, how it ended if not, and what it said
    fn start(&self) -> Outcome {
        let mut process = Command::new(env!("CARGO_BIN_EXE_msq-gate"))
            .args(["serve", "--config"])
            .arg(&self.file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listens = line.starts_with("listening on https://");
        if listens {
            process.kill().unwrap();
        }
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        Outcome { listens, code: process.wait().unwrap().code(), said }
    }
}

impl Stage {
    /// How `check` ends, and what it says
    fn check(&self) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        let done = command.args(["check", "--config"]).arg(&self.file).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Whatever stops `serve` stops `check`, but for an address that is in use
    fn check_agrees_with(&self, outcome: &Outcome, id: &str) {
        let (code, said) = self.check();
        let expected = if outcome.listens || outcome.said.contains("in use") { 0 } else { 78 };
        assert_eq!(code, Some(expected), "{id}: serve said {}, check said {said}", outcome.said);
        let faults: Vec<_> = said.lines().filter(|line| !line.contains(": warning: ")).collect();
        // What cannot be read at all has a second line, with how many faults there are.
        assert!(faults.len() <= 2 && (faults.len() < 2 || said.contains(": 1 fault\n")), "{id}: {said}");
    }
}

/// Changes of a configuration that keep a gate from starting
const STOPPERS: &[(&str, &str)] = &[
    ("[upstream]", "[audit]\nfile = \"missing/audit.jsonl\"\n[upstream]"),
    ("[upstream]", "[audit]\nfile = \".\"\n[upstream]"),
    ("[upstream]", "[audit]\nfile = \"server.pem/audit.jsonl\"\n[upstream]"),
    ("address = \"127.0.0.1:0\"\ncertificate", "address = \"*:8443\"\ncertificate"),
    ("address = \"127.0.0.1:0\"\ncertificate", "address = \"192.0.2.1:0\"\ncertificate"),
    ("address = \"127.0.0.1:0\"\ncertificate", "address = \"nobody.invalid:0\"\ncertificate"),
    ("[admin]\naddress = \"127.0.0.1:0\"", "[admin]\naddress = \"192.0.2.1:0\""),
    ("url = ", "username = \"gate\"\npassword_env = \"MSQ_GATE_NOT_SET\"\nurl = "),
    ("url = ", "username = \"gate\"\npassword_file = \"missing\"\nurl = "),
    ("url = \"http://127.0.0.1:9\"", "url = \"https://127.0.0.1:9\"\nca_file = \"missing\""),
    ("url = \"http://127.0.0.1:9\"", "url = \"https://127.0.0.1:9\"\nca_file = \"jwks.json\""),
    ("jwks_file = \"jwks.json\"", "jwks_url = \"https://id/keys\"\nca_file = \"missing\""),
    ("jwks_file = \"jwks.json\"", "jwks_url = \"https://id/keys\"\nca_file = \"jwks.json\""),
    ("\"server.pem\"", "\"missing\""),
    ("\"server.key\"", "\"server.pem\""),
];

#[test]
fn whatever_stops_serve_stops_check() {
    for (from, to) in STOPPERS {
        let mut stage = Stage::new();
        stage.replace(from, to);
        stage.write("proxy.toml", &stage.config);
        let outcome = stage.start();
        assert!(!outcome.listens, "{to}");
        stage.check_agrees_with(&outcome, to);
    }
}

#[test]
fn a_check_leaves_nothing_behind_and_may_be_made_while_the_gate_serves() {
    let mut stage = Stage::new();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("address = \"{}\"\ncertificate", busy.local_addr().unwrap());
    stage.replace("address = \"127.0.0.1:0\"\ncertificate", &address);
    stage.replace("[upstream]", "[audit]\nfile = \"audit.jsonl\"\n[upstream]");
    stage.write("proxy.toml", &stage.config);
    let (code, said) = stage.check();
    assert!(code == Some(0) && said.contains("warning: listen.address"), "{said}");
    assert!(!stage.path("audit.jsonl").exists());
    let names = std::fs::read_dir(stage.folder.path()).unwrap().count();
    assert_eq!(names, 4, "proxy.toml, certificate, key and key set");
}

struct Outcome {
    listens: bool,
    code: Option<i32>,
    said: String,
}

/// So many days from now, or ago, as rcgen counts
fn days_from_now(days: i64) -> SystemTime {
    let seconds = Duration::from_secs(86_400 * days.unsigned_abs());
    if days < 0 { SystemTime::now() - seconds } else { SystemTime::now() + seconds }
}

/// Spoils what the row says; `false` where there is nothing to spoil here
fn spoil(id: &str, stage: &mut Stage) -> bool {
    match id {
        "cf-dir" => stage.file = stage.folder.path().to_owned(),
        "cf-binary" => stage.file = stage.path("binary"),
        "cf-unknown-key" => stage.replace("audiences", "audiance"),
        "cf-wrong-type" => stage.replace("127.0.0.1:0\"\ncertificate", "127.0.0.1:abc\"\ncertificate"),
        "cf-no-issuer" => {
            let (before, rest) = stage.config.split_once("[[issuers]]").unwrap();
            let (_, roles) = rest.split_once("[roles").unwrap();
            stage.config = format!("{before}[roles{roles}");
        }
        "cf-no-audience" => stage.replace("[\"druid\"]", "[]"),
        "cf-alg-hs" => stage.replace("\"ES256\"", "\"HS256\", \"RS256\""),
        "cf-issuer-http" => {
            stage.replace("https://id", "http://id.example.org");
            stage.replace("jwks_file = \"jwks.json\"\n", "");
        }
        // The policy stands in the configuration; this is the file that is missing.
        "cf-policy-missing" => stage.file = stage.path("missing.toml"),
        "cf-policy-unknown-perm" => stage.replace("READ DATASOURCE", "REED DATASOURCE"),
        "cf-policy-regex-bomb" => stage.replace("READ DATASOURCE wikipedia", "READ DATASOURCE regex:(a+)+$"),
        "cf-cert-missing" => std::fs::remove_file(stage.path("server.pem")).unwrap(),
        "cf-key-mismatch" => stage.write_key(&KeyPair::generate().unwrap().serialize_pem()),
        "cf-key-perm" => {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(stage.path("server.key"), std::fs::Permissions::from_mode(0o644))
                .unwrap();
        }
        "cf-cert-expired" => stage.certify(|parameters| {
            parameters.not_before = days_from_now(-9).into();
            parameters.not_after = days_from_now(-2).into();
        }),
        "cf-cert-future" => stage.certify(|parameters| parameters.not_before = days_from_now(2).into()),
        "cf-cert-chain-order" => {
            let pair = Certificates::make(SystemTime::now()).unwrap();
            stage.write("server.pem", format!("{}{}", pair.ca, pair.certificate));
            stage.write_key(&pair.key);
        }
        "cf-cert-weak" => {
            stage.write("server.pem", WEAK_CERTIFICATE);
            stage.write_key(WEAK_KEY);
        }
        "cf-pem-junk" => {
            let pem = std::fs::read_to_string(stage.path("server.pem")).unwrap().replace('\n', "\r\n");
            stage.write("server.pem", format!("subject=CN = somebody\r\n{pem}junk\r\n"));
        }
        "cf-limits-huge" => stage.config.push_str("[limits]\nbody_bytes = 18446744073709551615\n"),
        "cf-limits-neg" => stage.config.push_str("[limits]\nbody_bytes = -1\n"),
        "cf-symlink-loop" => {
            std::os::unix::fs::symlink("loop", stage.path("loop")).unwrap();
            stage.file = stage.path("loop");
        }
        "cf-bind-busy" | "cf-health-unauth" => return false,
        other => panic!("the catalogue has a row that is not known here: {other}"),
    }
    true
}

fn check(id: &str, allowed: &[String]) {
    let mut stage = Stage::new();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    if id == "cf-bind-busy" {
        stage
            .replace("127.0.0.1:0\"\ncertificate", &format!("{}\"\ncertificate", busy.local_addr().unwrap()));
    } else if !spoil(id, &mut stage) {
        // `/livez` and `/readyz` are looked at in tests/journey/records.rs.
        return;
    }
    stage.write("binary", [0xFF, 0xFE, 0x00, 0x81]);
    let config = stage.config.clone();
    stage.write("proxy.toml", config);
    let outcome = stage.start();
    stage.check_agrees_with(&outcome, id);
    let name = stage.file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(outcome.said.contains(&name), "{id}: it does not name the file: {}", outcome.said);
    if outcome.listens {
        assert!(allowed.iter().any(|word| word == "starts_with_warning"), "{id}: it started");
        assert!(outcome.said.contains("warning: "), "{id}: it started without a warning: {}", outcome.said);
    } else {
        assert!(matches!(outcome.code, Some(71 | 78)), "{id}: it ended with {:?}", outcome.code);
    }
    assert!(!outcome.said.contains("PRIVATE KEY"), "{id}: {}", outcome.said);
}

#[test]
fn the_program_starts_with_what_the_rows_spoil() {
    let stage = Stage::new();
    stage.write("proxy.toml", &stage.config);
    let outcome = stage.start();
    assert!(outcome.listens, "{}", outcome.said);
    assert!(!outcome.said.contains("warning: "), "{}", outcome.said);
}

#[test]
fn check_and_serve_say_that_a_password_cannot_be_read_or_is_read_by_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let mut stage = Stage::new();
    stage.replace(
        "http://127.0.0.1:9",
        "http://127.0.0.1:9\"\nusername = \"gate\"\npassword_file = \"password",
    );
    stage.write("proxy.toml", &stage.config);
    let checked = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        let done = program.args(["check", "--config"]).arg(&stage.file).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let missing = "upstream.password_file: it cannot be read: entity not found";
    let (outcome, (code, said)) = (stage.start(), checked());
    assert_eq!((outcome.listens, outcome.code, code), (false, Some(78), Some(78)));
    assert!(outcome.said.contains(missing) && said.contains(missing), "{said}");
    stage.write("password", "secret");
    for (mode, warned) in [(0o600, false), (0o644, true)] {
        std::fs::set_permissions(stage.path("password"), std::fs::Permissions::from_mode(mode)).unwrap();
        let (outcome, (code, said)) = (stage.start(), checked());
        assert_eq!((outcome.listens, code), (true, Some(0)), "{said}");
        for said in [outcome.said, said] {
            assert_eq!(said.contains("everybody on this machine may read the password"), warned, "{said}");
        }
    }
}

#[test]
fn hostile_configurations_are_refused_or_warned_of() {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/hostile-http.jsonl");
    let Ok(text) = std::fs::read_to_string(&catalogue) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is not there", catalogue.display());
        println!("notice: {} is not there; its rows are left out", catalogue.display());
        return;
    };
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<_> = rows.iter().filter(|row| row["group"] == "config").collect();
    for row in &rows {
        let allowed: Vec<String> =
            serde_json::from_value(row["expect"]["status"].clone()).unwrap_or_default();
        check(row["id"].as_str().unwrap(), &allowed);
    }
    println!("{} hostile configurations: each refused with its reason, or warned of", rows.len());
}

/// An RSA key of 1,024 bits, for this test alone
const WEAK_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIICdAIBADANBgkqhkiG9w0BAQEFAASCAl4wggJaAgEAAoGBAObCYrdxT3+6ZkaX
aHqhEROFmrhIxk7l2nPFqVUJf2cHw0gClDXjte4K0XLW+y4dIp0J+0ECYIxPY2mo
X9Puyt47qAmO7z+rSFBSAGQ2faNyKmhkJa379QjLNCL9DdWFEMK2bIU4YcP3ATAr
EPwtoIWuUeskYibZECIvB55RlbjtAgMBAAECf3GTOwMOwhIbrDsSSloQ7Fava3dI
WlJ6zwosPyubgRk0uOi4XDop2WFP8caUCQypSmAAial1gg+NA2D9fizRWwcXBGJ7
CGnpWbzKBeGYxmnQz5z5Vr/s4TOgM3N5mnBIgP/JQwDpSI3KEBA5ZbwzDmy17zcD
UZdF2odQ5GboAEkCQQD4rxlm2xbnZKDTc3F4ZW0mWnUjIEI1zJ+1VeoIOSOD4q5d
9LDpNj70cA0VfgEicbxvZEEjsfipF1BGHSn9H95TAkEA7YxKkum1EZMg/QFta33H
YbSqjEsPzwmtI0WvdLhtJ+ZlBqsM2L7kWrYB/knrm9w/j3f5WQA5LQl6MzxMGsCj
vwJAYq9hni59FVAafi7GradaPCkTaOAJRj4wdo5kc+Tw0gpndYN/nNxY+TlqB8hb
/OYzh+S58MdUTQ2iXmB+ZCN8XwJAG+UtnLL1IGs2pH9WahkLIN4maPMnmBh6zHmS
cRJ3Pwg/NNlBWPKRvlVBRqtHj7X9gMuF7H2qOS+zufCKv1l/4QJBAMhAGA1/ozFr
o5KcYqcDUHqOQXVxBzGchwgtIzP7tuURfJaq4mCbuT94awy7DEFwTmwhF1URGph7
8t0exRxtAuI=
-----END PRIVATE KEY-----
";
const WEAK_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIICBjCCAW+gAwIBAgIUcjBXQLw+mNY0nWyxWDNCk1dYJuowDQYJKoZIhvcNAQEL
BQAwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTAyNTY1N1oYDzIxMjYx
MTAxMDI1NjU3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwgZ8wDQYJKoZIhvcNAQEB
BQADgY0AMIGJAoGBAObCYrdxT3+6ZkaXaHqhEROFmrhIxk7l2nPFqVUJf2cHw0gC
lDXjte4K0XLW+y4dIp0J+0ECYIxPY2moX9Puyt47qAmO7z+rSFBSAGQ2faNyKmhk
Ja379QjLNCL9DdWFEMK2bIU4YcP3ATArEPwtoIWuUeskYibZECIvB55RlbjtAgMB
AAGjUzBRMB0GA1UdDgQWBBTUZrImRXTOEtXroIV3n9Mep9SdyzAfBgNVHSMEGDAW
gBTUZrImRXTOEtXroIV3n9Mep9SdyzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3
DQEBCwUAA4GBAB2phy5TNy1clrM2mdcIC2rsxsF28DmcWggH5LXpd40ibRo8/Y37
Ku5u4WvwZk0FKYnlKe/+tkRCICZvnAKUTuvt0ozzdCpCnjhZJhrGnaR6x9uv7isL
7fGB8b5b7CR0npeCd7CJa3PBJFm9zCUYw9TjADoneeVLEL7Eigcc/bbu
-----END CERTIFICATE-----
";

/// It is read at each start and reload, while requests wait
#[test]
fn a_policy_is_read_in_time_that_grows_as_it_does() {
    let policy = |roles: usize| {
        let role = |role: usize| {
            let grants: Vec<_> =
                (0..100).map(|grant| format!("\"READ DATASOURCE ds_{role}_{grant}\"")).collect();
            format!("[roles.team-{role}]\ngrants = [{}]\n", grants.join(", "))
        };
        LEAST.to_owned() + &(0..roles).map(role).collect::<String>()
    };
    let seconds = |text: &str| {
        let start = std::time::Instant::now();
        assert!(read(text).config.is_some());
        start.elapsed().as_secs_f64()
    };
    let (small, large) = (policy(50), policy(800));
    // The best of some, since others use the machine too. Where it is quadratic, 16 times as much takes 250 times as long.
    let best = |text: &str| (0..3).map(|_| seconds(text)).fold(f64::MAX, f64::min);
    let times = best(&large) / best(&small);
    assert!(times < 80.0, "{times}");
}
