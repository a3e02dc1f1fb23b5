//! The way in that the README shows: certificates, the shipped file, a token, and a gate that knows its holder

use std::path::Path;
use std::process::Command;

use http::StatusCode;
use msq_gate::development::ThrowAwayIssuer;
use serde_json::json;
use stand_in::{StandIn, StandInSettings};

use crate::gate::TestGate;
use crate::restarts::Program;

/// What the program says in this folder, and how it ends
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
    let done = program.current_dir(folder).args(arguments).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(said).unwrap())
}

fn project_file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[tokio::test]
async fn the_readme_alone_leads_to_a_token_that_the_gate_takes() {
    let readme = project_file("README.md");
    let command = "TOKEN=$(msq-gate token --sub alice --roles analyst)";
    for line in
        ["msq-gate certs ", "sed -i 's/^# jwks_file/jwks_file/' proxy.toml", "msq-gate check ", command]
    {
        assert!(readme.contains(line), "{line}");
    }
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    let mut gate = TestGate::start(&format!("http://{}", druid.address()), "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    assert_eq!(run(folder.path(), &["certs"]).0, Some(0));
    let shipped = project_file("proxy.toml").replace("\n# jwks_file", "\njwks_file");
    let own = shipped.replace("0.0.0.0:8443", "127.0.0.1:0").replace("127.0.0.1:9901", "127.0.0.1:0");
    std::fs::write(&file, own.replace("127.0.0.1:8888", &druid.address().to_string())).unwrap();
    let (code, said) = run(folder.path(), &["check"]);
    let (fine, memory) = said.trim().split_once('\n').unwrap_or_default();
    assert_eq!((code, fine), (Some(0), "proxy.toml: fine"));
    assert!(memory.starts_with("at most ") && memory.contains(" MB of memory: bodies "), "{memory}");
    let (code, token) = run(folder.path(), &["token", "--sub", "alice", "--roles", "analyst,viewer"]);
    assert_eq!(code, Some(0), "{token}");
    let program = Program::start(&file);
    gate.address = program.address;
    gate.trust(&std::fs::read_to_string(folder.path().join("certs/ca.pem")).unwrap());
    let answer = gate.get("/_gate/whoami").bearer(token.trim()).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let who = answer.json();
    assert_eq!(
        (&who["identity"], &who["roles"]),
        (&json!("alice"), &json!(["viewer", "analyst", "ingester"]))
    );
}

#[test]
fn a_token_is_signed_with_development_keys_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["certs"]).0, Some(0));
    let token = || run(folder.path(), &["token", "--sub", "alice"]);
    let shipped = project_file("proxy.toml");
    let write = |text: &str| std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
    write(&shipped);
    let (code, said) = token();
    assert!(code == Some(66) && said.contains("no issuer here has development keys"), "{said}");
    let with_keys = shipped.replace("\n# jwks_file", "\njwks_file");
    write(&with_keys);
    assert_eq!(token().0, Some(0));
    write(&with_keys.replace("\"RS256\", \"ES256\"", "\"RS256\""));
    assert!(token().1.contains("no issuer here has development keys"));
    write(&with_keys);
    let key = folder.path().join("certs/issuer.key");
    std::fs::copy(folder.path().join("certs/server.key"), &key).unwrap();
    let (code, said) = token();
    assert!(code == Some(66) && said.contains("it is not the key of the `jwks_file` beside it"), "{said}");
    std::fs::remove_file(&key).unwrap();
    assert!(token().1.contains("no issuer here has development keys"), "somebody else's keys have none here");
}

#[test]
fn development_keys_are_warned_of_where_others_than_this_machine_come_in() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["certs"]).0, Some(0));
    std::fs::copy(folder.path().join("certs/jwks.json"), folder.path().join("keys.json")).unwrap();
    let shipped = project_file("proxy.toml").replace("127.0.0.1:9901", "127.0.0.1:0");
    for (address, keys, is_warned) in [
        ("\"127.0.0.1:0\"", "certs/jwks.json", false),
        ("[\"127.0.0.1:0\", \"[::1]:0\"]", "certs/jwks.json", false),
        ("\"0.0.0.0:0\"", "certs/jwks.json", true),
        ("[\"127.0.0.1:0\", \"0.0.0.0:0\"]", "keys.json", true),
        ("\"0.0.0.0:0\"", "other.json", false),
    ] {
        let other = ThrowAwayIssuer::named("other").unwrap().jwks().to_string();
        std::fs::write(folder.path().join("other.json"), other).unwrap();
        let own = shipped.replace("\"0.0.0.0:8443\"", address);
        let own = own.replace("\n# jwks_file", "\njwks_file").replace("certs/jwks.json", keys);
        std::fs::write(folder.path().join("proxy.toml"), own).unwrap();
        let (code, said) = run(folder.path(), &["check"]);
        let warned = said.contains("warning: issuers.jwks_file: the keys of")
            && said.contains("development keys that `msq-gate certs` made");
        assert_eq!((code, warned), (Some(0), is_warned), "{address} {keys}: {said}");
    }
}

#[test]
fn certificates_that_are_there_stay_or_are_replaced_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["ca.pem", "server.pem", "server.key", "jwks.json", "issuer.key"];
    let files = || names.map(|name| std::fs::read_to_string(folder.path().join("certs").join(name)).unwrap());
    let (code, said) = run(folder.path(), &["certs"]);
    assert!(code == Some(0) && !said.contains("replaced") && !said.contains("stay"), "{said}");
    let first = files();
    let (code, said) = run(folder.path(), &["certs"]);
    assert!(code == Some(0) && said.contains("ca.pem, server.pem, server.key are there and stay"), "{said}");
    assert_eq!(files(), first);
    std::fs::remove_file(folder.path().join("certs/server.key")).unwrap();
    let (_, said) = run(folder.path(), &["certs"]);
    assert!(said.contains("not all there: clients have to trust the new ca.pem"), "{said}");
    let second = files();
    assert!(second[0] != first[0] && second[3..] == first[3..]);
    let (_, said) = run(folder.path(), &["certs", "--replace"]);
    assert!(said.contains("ca.pem, server.pem, server.key are replaced: clients have to trust"), "{said}");
    assert!(said.contains("jwks.json, issuer.key are replaced: clients have to get new tokens"), "{said}");
    let third = files();
    assert!((0..5).all(|file| third[file] != second[file]));
    std::fs::write(folder.path().join("certs/ca.pem"), "none").unwrap();
    assert!(run(folder.path(), &["certs"]).1.contains("no longer good"));
    use std::os::unix::fs::PermissionsExt;
    for secret in ["server.key", "issuer.key"] {
        let mode = std::fs::metadata(folder.path().join("certs").join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret}");
    }
}
