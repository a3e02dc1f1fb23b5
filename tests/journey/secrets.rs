//! No byte of a secret in any output: marked secrets in every file and key, broken in ten ways each
//!
//! What is searched for is every piece of a secret in every encoding that a message might give it: as it is, as
//! numbers, in hex, base64, UTF-16, percent signs and escapes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use msq_gate::config::keys::{KEYS, Key};
use msq_gate::config::{Config, Located};
use msq_gate::development::{Certificates, ThrowAwayIssuer};
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings};

use crate::gate::TestGate;
use crate::restarts::Program;

/// Letters and digits that stand nowhere else
const PASSWORD: &str = "Zq7kVw3XbN9tRy5LmH2cJd8PfG4sKa6U";
const SYMMETRIC: &str = "Wm4xTc8BnQ2vYz6KpJ9rLd3HsFg7EaUb";
const IN_REPORT: &str = "Ux2gPb7WqJ5mRk9VtC4nHy8LzDs3FaEe";

/// How long a piece is that is searched for, and from piece to piece
const PIECE: usize = 12;
const STEP: usize = 5;

/// What to look for, in all its encodings: by the first bytes of each, so that one pass finds any
struct Secrets(HashMap<[u8; FIRST], Vec<(String, Vec<u8>)>>);

/// No encoding of a piece is shorter
const FIRST: usize = 8;

impl Secrets {
    fn of(secrets: &[(&str, &[u8])]) -> Self {
        let mut needles: HashMap<[u8; FIRST], Vec<(String, Vec<u8>)>> = HashMap::new();
        for (name, secret) in secrets {
            for start in (0..=secret.len().saturating_sub(PIECE)).step_by(STEP) {
                for needle in encodings(&secret[start..start + PIECE]) {
                    let first = needle[..FIRST].try_into().unwrap();
                    needles.entry(first).or_default().push(((*name).to_owned(), needle));
                }
            }
        }
        Self(needles)
    }

    /// The secret of which something stands in this output
    fn found_in(&self, output: &[u8]) -> Option<String> {
        (0..output.len().saturating_sub(FIRST - 1)).find_map(|start| {
            let rest = &output[start..];
            let first: [u8; FIRST] = rest[..FIRST].try_into().unwrap();
            let (name, needle) = self.0.get(&first)?.iter().find(|(_, needle)| rest.starts_with(needle))?;
            Some(format!("{name}, as {}", String::from_utf8_lossy(needle)))
        })
    }

    fn check(&self, what: &str, output: impl AsRef<[u8]>) {
        let found = self.found_in(output.as_ref());
        assert_eq!(found, None, "{what}:\n{}", String::from_utf8_lossy(output.as_ref()));
    }
}

fn encodings(piece: &[u8]) -> Vec<Vec<u8>> {
    let joined = |format: fn(u8) -> String, between: &str| {
        piece.iter().map(|byte| format(*byte)).collect::<Vec<_>>().join(between).into_bytes()
    };
    let decimal: fn(u8) -> String = |byte| byte.to_string();
    let hex: fn(u8) -> String = |byte| format!("{byte:02x}");
    let upper: fn(u8) -> String = |byte| format!("{byte:02X}");
    let wide = |low: bool| piece.iter().flat_map(|byte| if low { [*byte, 0] } else { [0, *byte] }).collect();
    let mut forms = vec![
        piece.to_vec(),
        joined(decimal, ", "),
        joined(decimal, ","),
        joined(decimal, " "),
        joined(hex, ""),
        joined(upper, ""),
        joined(hex, ":"),
        joined(hex, " "),
        joined(|byte| format!("0x{byte:02x}"), ", "),
        joined(|byte| format!("%{byte:02X}"), ""),
        joined(|byte| format!("\\x{byte:02x}"), ""),
        joined(|byte| format!("\\u{byte:04x}"), ""),
        joined(|byte| format!("{}\\u0000", char::from(byte)), ""),
        wide(true),
        wide(false),
        piece.iter().rev().copied().collect(),
    ];
    // In base64 a piece looks otherwise after one or two bytes before it; its edges depend on its neighbours.
    for before in 0..3 {
        let text = STANDARD_NO_PAD.encode([&[0; 2][..before.min(2)], piece].concat());
        let inner = &text.as_bytes()[4..text.len() - 4];
        forms.push(inner.to_vec());
        forms.push(
            inner
                .iter()
                .map(|byte| match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => *other,
                })
                .collect(),
        );
    }
    forms
}

/// A file's content, broken
fn ways(content: &str) -> Vec<(&'static str, Vec<u8>)> {
    let middle = content.char_indices().nth(content.chars().count() / 2).unwrap().0;
    let (before, after) = content.split_at(middle);
    let utf16 = [0xFEFF].into_iter().chain(content.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let without_end: String =
        content.split_inclusive('\n').filter(|line| !line.starts_with("-----END")).collect();
    vec![
        ("its lines joined", content.replace('\n', "").into_bytes()),
        ("its line breaks written out", content.replace('\n', "\\n").into_bytes()),
        ("half of it", before.as_bytes().to_vec()),
        ("a byte order mark before it", format!("\u{feff}{content}").into_bytes()),
        ("in UTF-16", utf16),
        ("without its end", format!("{without_end}#").into_bytes()),
        ("a strange character in it", format!("{before}!\u{e9}\"{after}").into_bytes()),
        ("a byte in it that is no text", [before.as_bytes(), &[0xFF, 0], after.as_bytes()].concat()),
        ("twice on one line", format!("{0}{0}", content.trim_end()).into_bytes()),
        ("encrypted, as it says", content.replace("BEGIN ", "BEGIN ENCRYPTED ").into_bytes()),
    ]
}

/// A folder with every file that a configuration can name, each with something secret in it
struct Stage {
    folder: tempfile::TempDir,
    issuer: ThrowAwayIssuer,
    secrets: Secrets,
}

const FILES: [&str; 7] =
    ["server.key", "server.pem", "ca.pem", "password", "jwks.json", "report.json", "proxy.toml"];

impl Stage {
    fn new(druid: &str) -> Self {
        let (folder, issuer) = (tempfile::tempdir().unwrap(), ThrowAwayIssuer::new().unwrap());
        let pair = Certificates::make(SystemTime::now()).unwrap();
        let mut keys = issuer.jwks();
        let set = keys["keys"].as_array_mut().unwrap();
        set[0]["d"] = json!(SYMMETRIC);
        set.push(json!({"kty": "oct", "kid": "oct", "k": SYMMETRIC}));
        let body = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let der = |pem: &str| STANDARD.decode(body(pem)).unwrap();
        let key = body(&pair.key);
        // The beginning of a key or a certificate is the same for all.
        let secrets = Secrets::of(&[
            ("the password", PASSWORD.as_bytes()),
            ("the symmetric key", SYMMETRIC.as_bytes()),
            ("the report", IN_REPORT.as_bytes()),
            ("the private key's text", &key.as_bytes()[50..]),
            ("the private key", &der(&pair.key)[38..]),
            ("the certificate", &der(&pair.certificate)[150..]),
            ("the CA's certificate", &der(&pair.ca)[150..]),
        ]);
        let stage = Self { folder, issuer, secrets };
        stage.write("server.key", &pair.key);
        stage.write("server.pem", &pair.certificate);
        stage.write("ca.pem", &pair.ca);
        stage.write("password", PASSWORD);
        stage.write("jwks.json", keys.to_string());
        stage.write("report.json", format!("{{\"report\":\"{IN_REPORT}\"}}"));
        stage.write("proxy.toml", proxy_toml(druid));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// All that a command prints
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        let output = program.current_dir(self.folder.path()).args(arguments).output().unwrap();
        [output.stdout, output.stderr].concat()
    }

    /// All that `serve` prints until it listens or ends
    fn start(&self) -> Vec<u8> {
        let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        let mut process = program
            .args(["serve", "--config"])
            .arg(self.path("proxy.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        BufReader::new(process.stdout.take().unwrap()).read_until(b'\n', &mut said).unwrap();
        let _ended = process.kill();
        process.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        process.wait().unwrap();
        said
    }
}

fn proxy_toml(druid: &str) -> String {
    format!(
        r#"[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
[admin]
address = "127.0.0.1:0"
[upstream]
url = "{druid}"
username = "gate"
password_file = "password"
[[issuers]]
issuer = "https://id.test"
audiences = ["druid"]
jwks_file = "jwks.json"
ca_file = "ca.pem"
algorithms = ["ES256"]
[roles.reader]
grants = ["READ DATASOURCE a"]
[limits]
key_refresh_seconds = 1
[audit]
file = "audit.jsonl"
[durable_storage]
ca_file = "ca.pem"
report = "report.json"
# {PASSWORD}
"#
    )
}

#[test]
fn the_search_finds_a_secret_in_every_encoding_and_nothing_where_there_is_none() {
    let secrets = Secrets::of(&[("mark", PASSWORD.as_bytes())]);
    secrets.check("nothing", "the keys of the token's issuer are not available; [90, 113, 55]");
    let bytes = PASSWORD.as_bytes();
    let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    for output in [
        PASSWORD.as_bytes().to_vec(),
        format!("illegal section start: {bytes:?}").into_bytes(),
        hex.into_bytes(),
        STANDARD.encode(bytes).into_bytes(),
        STANDARD.encode([b"x:", bytes].concat()).into_bytes(),
        URL_SAFE_NO_PAD.encode([b"y", bytes].concat()).into_bytes(),
        bytes[9..24].to_vec(),
        wide,
    ] {
        assert!(secrets.found_in(&output).is_some(), "{}", String::from_utf8_lossy(&output));
    }
}

#[test]
fn no_file_broken_in_any_way_shows_a_byte_to_check_or_to_serve_as_it_starts() {
    let stage = Stage::new("http://127.0.0.1:9");
    assert!(String::from_utf8(stage.start()).unwrap().contains("listening on"));
    let https = stage
        .read("proxy.toml")
        .replace("http://127.0.0.1:9\"", "https://127.0.0.1:9\"\nca_file = \"ca.pem\"");
    for file in FILES {
        let whole = stage.read(file);
        for (way, broken) in ways(&whole) {
            stage.write(file, broken);
            let what = format!("{file}: {way}");
            stage.secrets.check(&what, stage.run(&["check"]));
            stage.secrets.check(&what, stage.start());
            stage.write("https.toml", &https);
            stage.secrets.check(&what, stage.run(&["check", "--config", "https.toml"]));
            stage.write("claims.json", SYMMETRIC);
            stage.secrets.check(&what, stage.run(&["explain", "--claims", "claims.json"]));
        }
        stage.write(file, whole);
    }
}

/// What people put where a name or an address belongs, each with something secret in it
fn misplaced() -> Vec<String> {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{}.{PASSWORD}", URL_SAFE_NO_PAD.encode(PASSWORD));
    vec![
        format!("http://gate:{PASSWORD}@127.0.0.1:9"),
        format!("https://gate:{PASSWORD}@druid.test:8888/druid?x=1"),
        format!("gate:{PASSWORD}@druid.test:8888"),
        format!("https://gate:a/{PASSWORD}@druid.test"),
        format!("https://gate:a b#@{PASSWORD}@druid.test"),
        format!("ftp://druid.test/?key={PASSWORD}"),
        format!("http://druid.test/keys?key={PASSWORD}"),
        format!("-----BEGIN PRIVATE KEY-----\\n{PASSWORD}\\n-----END PRIVATE KEY-----"),
        format!("-----BEGIN PRIVATE KEY-----{PASSWORD}"),
        token.clone(),
        format!("Bearer {token}"),
        format!("{PASSWORD}@127.0.0.1:9"),
        format!("http://{PASSWORD}@127.0.0.1:9"),
        format!("http://127.0.0.1:9/#access_token={PASSWORD}"),
        format!("http://127.0.0.1:9/;password={PASSWORD}"),
        format!("127.0.0.1:9;password={PASSWORD}"),
        format!("http://gate:{PASSWORD}"),
        format!("http://gate:{PASSWORD}/druid"),
        format!("druid;token={PASSWORD}"),
    ]
}

#[test]
fn no_key_of_the_configuration_shows_the_credential_in_its_value() {
    let stage = Stage::new("http://127.0.0.1:9");
    let whole = stage.read("proxy.toml");
    for key in KEYS {
        let table = match key.section {
            "issuers" => "[[issuers]]".to_owned(),
            "roles.*" => "[roles.reader]".to_owned(),
            section => format!("[{section}]"),
        };
        let mut misplaced = misplaced();
        // The name of an issuer stands in each of its tokens; what looks like a credential there is a fault.
        misplaced.retain(|value| key.name != "issuer" || !value.contains("?key="));
        let typed = |value: String| [format!("\"{value}\""), format!("[\"{value}\"]"), value];
        let quoted = bare(key).into_iter().map(|value| vec![format!("\"{value}\"")]);
        for values in misplaced.into_iter().map(|value| typed(value).to_vec()).chain(quoted) {
            for value in values {
                let lines: Vec<_> =
                    whole.lines().filter(|line| !line.starts_with(&format!("{} = ", key.name))).collect();
                let text = lines.join("\n");
                let line = format!("{table}\n{} = {value}", key.name);
                let text = if text.contains(&table) {
                    text.replacen(&table, &line, 1)
                } else {
                    format!("{text}\n{line}\n")
                };
                let reading = Config::read(&text, stage.folder.path());
                for fault in &reading.findings {
                    stage.secrets.check(&line, Located { file: "proxy.toml", fault }.to_string());
                }
                if reading.config.is_some() {
                    stage.write("proxy.toml", text);
                    stage.secrets.check(&line, stage.run(&["check"]));
                    stage.secrets.check(&line, stage.start());
                }
            }
        }
    }
}

/// The secret itself, where a key wants a file, an address or one of a few words
fn bare(key: &Key) -> Vec<String> {
    let is_free = ["issuer", "audiences", "username", "grants", "denies", "members", "prefix", "roles"];
    if is_free.contains(&key.name) || key.name.ends_with("_claim") {
        return Vec::new();
    }
    let line = format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC/{PASSWORD}+a/b=");
    vec![
        PASSWORD.to_owned(),
        format!("{PASSWORD}!"),
        line.clone(),
        format!("{line}\\n{line}"),
        line.repeat(9),
        format!("/etc/gate/{PASSWORD}"),
        format!("{{\\\"k\\\":\\\"{PASSWORD}\\\"}}"),
    ]
}

/// A program that serves from a stage, and a client for it
async fn serving(stage: &Stage, client: &mut TestGate) -> Program {
    let program = Program::start(&stage.path("proxy.toml"));
    client.address = program.address;
    program.has_logged("\"message\":\"listening\"").await;
    let listening = program.logged().into_iter().find(|line| line["message"] == "listening").unwrap();
    client.admin = listening["admin"].as_str().unwrap().parse().unwrap();
    program
}

/// How many reloads there were, whatever came of them
async fn reloads(client: &TestGate) -> usize {
    let page = client.metrics().await;
    let lines = page.lines().filter_map(|line| line.strip_prefix("msq_gate_reloads_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Breaks a file in each way under a gate that serves, and looks at all that is said meanwhile
async fn break_while_it_serves(file: &'static str) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let url = format!("http://{}", druid.address());
    let stage = Stage::new(&url);
    // What the stand-in's client brings along is a certificate that the program has not: TLS is told to trust it.
    let mut client = TestGate::start(&url, "").await;
    client.trust(&stage.read("ca.pem"));
    let program = serving(&stage, &mut client).await;
    let mut last = std::fs::read(stage.path(file)).unwrap();
    for (way, broken) in ways(&stage.read(file)) {
        if broken == last {
            continue;
        }
        last.clone_from(&broken);
        let what = format!("{file}: {way}");
        match file {
            // Not looked at with the configuration: the keys are read every second, the report as well.
            "jwks.json" | "report.json" => {
                let about =
                    if file == "jwks.json" { "the issuer's keys cannot be" } else { "report of durable" };
                let told = || program.logged().iter().filter(|line| line.to_string().contains(about)).count();
                let before = told();
                let fails = serde_json::from_slice::<Value>(&broken).is_err();
                stage.write(file, broken);
                if fails {
                    let enough = if file == "jwks.json" { 2 } else { 1 };
                    until(&what, async || told() >= before + enough).await;
                }
            }
            _ => {
                let before = reloads(&client).await;
                stage.write(file, broken);
                until(&what, async || reloads(&client).await > before).await;
            }
        }
        look_at_everything(&stage, &client, &what).await;
    }
    stage.secrets.check(&format!("{file}: the log"), std::fs::read(stage.path("proxy.log")).unwrap());
    stage.secrets.check(&format!("{file}: the record"), std::fs::read(stage.path("audit.jsonl")).unwrap());
}

async fn look_at_everything(stage: &Stage, client: &TestGate, what: &str) {
    let claims = json!({"iss": "https://id.test", "aud": "druid", "sub": "alice", "roles": ["reader"], "exp": 32_503_680_000_u64});
    let token = stage.issuer.token(&claims).unwrap();
    let bearer = format!("Bearer {token}");
    let basic = format!("Basic {}", STANDARD.encode(format!("gate:{PASSWORD}")));
    let statement = json!({"query": "SELECT * FROM a"});
    for authorization in [
        &bearer,
        &basic,
        &format!("Bearer {PASSWORD}"),
        PASSWORD,
        &format!("Bearer eyJ{PASSWORD}.e30.{SYMMETRIC}"),
    ] {
        for asking in [
            client.get("/_gate/whoami"),
            client.post("/_gate/explain", &statement),
            client.post("/druid/v2/sql", &statement),
            client.get(&format!("/druid/v2/sql/task/enabled?token={PASSWORD}")),
        ] {
            let answer = asking.header("authorization", authorization).send().await;
            stage.secrets.check(what, format!("{:?} {}", answer.headers, answer.text()));
            let shown = Secrets::of(&[("the token", token.rsplit('.').next().unwrap().as_bytes())]);
            shown.check(what, answer.text());
        }
    }
    for page in ["/livez", "/readyz", "/metrics", "/none"] {
        stage.secrets.check(what, client.ask_admin(page).await.1);
    }
}

#[tokio::test]
async fn no_file_that_breaks_while_it_serves_shows_a_byte() {
    let [key, certificate, roots, password, keys, report, config] = FILES.map(break_while_it_serves);
    tokio::join!(key, certificate, roots, password, keys, report, config);
}

/// Ten ways to spoil a token, and what the answer, the log and the record say of each
#[tokio::test]
async fn no_token_however_broken_stands_in_an_answer_a_log_or_a_record() {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let url = format!("http://{}", druid.address());
    let stage = Stage::new(&url);
    let mut client = TestGate::start(&url, "").await;
    client.trust(&stage.read("ca.pem"));
    let program = serving(&stage, &mut client).await;
    let sign = |claims: Value| {
        let mut all = json!({"iss": "https://id.test", "aud": "druid", "sub": "alice", "roles": ["reader"], "exp": 32_503_680_000_u64});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        stage.issuer.token(&all).unwrap()
    };
    let good = sign(json!({}));
    let signature = good.rsplit('.').next().unwrap().to_owned();
    let stranger =
        ThrowAwayIssuer::named("new").unwrap().token(&json!({"iss": "https://id.test", "exp": 1})).unwrap();
    let tokens = [
        good.clone(),
        sign(json!({"iss": good})),
        sign(json!({"aud": [good]})),
        sign(json!({"iss": format!("https://x/{good}")})),
        sign(json!({"exp": 1})),
        sign(json!({"sub": ["x"]})),
        sign(json!({"roles": 1})),
        sign(json!({"typ": "Refresh"})),
        good.replacen('.', "..", 1),
        good.get(..good.len() - 9).unwrap().to_owned(),
        format!("{good}AAAA"),
        good.replace('.', "/"),
        stranger,
    ];
    for token in tokens {
        let ending = token.rsplit('.').next().unwrap().as_bytes();
        let secrets = Secrets::of(&[("the token", ending), ("another", signature.as_bytes())]);
        let basic = format!("Basic {}", STANDARD.encode(format!("any:{token}")));
        for authorization in [format!("Bearer {token}"), basic, format!("Token {token}")] {
            let answer = client.get("/_gate/whoami").header("authorization", &authorization).send().await;
            secrets.check("the answer", format!("{:?} {}", answer.headers, answer.text()));
            secrets.check("the log", std::fs::read(stage.path("proxy.log")).unwrap());
            secrets.check("the record", std::fs::read(stage.path("audit.jsonl")).unwrap());
        }
    }
    drop(program);
    let path: &Path = &stage.path("audit.jsonl");
    assert!(std::fs::read_to_string(path).unwrap().lines().count() >= 30);
}
