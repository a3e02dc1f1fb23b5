//! What operators are told where something does not match or cannot be reached: the whole reason, and what to do

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use http::StatusCode;
use msq_gate::config::Config;
use msq_gate::development::ThrowAwayIssuer;
use serde_json::json;

use crate::gate::TestGate;
use crate::keys::Web;
use crate::restarts::Program;
use crate::scripted::{Script, Scripted, ok};

const ENABLED: &str = "/druid/v2/sql/task/enabled";

/// An address at which nobody listens
async fn closed() -> String {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn the_log_says_why_druid_cannot_be_reached_and_the_answer_does_not() {
    let address = closed().await;
    for (url, reason) in [
        (format!("http://{address}"), "nobody listens there"),
        (format!("https://{address}\"\nca_file = \"ca.pem"), "Connection refused"),
        ("http://nowhere.invalid:8888".to_owned(), "dns error"),
    ] {
        let mut gate = TestGate::start(&url, "").await;
        let token = gate.token("alice", &[]);
        let program = Program::start(&gate.path("proxy.toml"));
        gate.address = program.address;
        let answer = gate.get(ENABLED).bearer(&token).send().await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.text());
        assert!(!answer.text().contains(reason), "{}", answer.text());
        program.has_logged(reason).await;
    }
}

#[tokio::test]
async fn a_gate_that_leads_to_a_gate_is_told_so_and_goes_round_in_no_circle() {
    let druid = Scripted::start(Script::Answer(ok("true"))).await;
    let health = "[rules]\npublic_health = true\n";
    let inner = TestGate::start(&druid.url, health).await;
    let url = format!(
        "https://localhost:{}\"\nca_file = \"{}",
        inner.address.port(),
        inner.path("ca.pem").display()
    );
    let outer = TestGate::start(&url, health).await;
    assert_eq!(inner.get("/status/health").send().await.status, StatusCode::OK);
    assert_eq!(druid.seen().len(), 1);
    let answer = outer.get("/status/health").send().await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (StatusCode::BAD_GATEWAY, Some("upstream_broken")),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("leads to a gate"), "{}", answer.text());
    assert_eq!(druid.seen().len(), 1, "it ends at the first gate that is not the first");
    outer.obeys().await;
}

#[tokio::test]
async fn a_router_that_is_the_gate_itself_keeps_it_from_starting() {
    let gate = TestGate::start("http://127.0.0.1:1", "").await;
    let text = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    let at = |listen: &str, admin: &str, url: &str| {
        let text = text.replacen("127.0.0.1:0", listen, 1).replacen("127.0.0.1:0", admin, 1);
        let config =
            Config::read(&text.replace("http://127.0.0.1:1", url), gate.folder.path()).config.unwrap();
        msq_gate::server::routers(&config).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(at("0.0.0.0:8443", "127.0.0.1:9901", "http://127.0.0.1:8888"), Ok(()));
    for url in ["http://127.0.0.1:8443", "http://localhost:8443", "http://localhost:9901"] {
        let fault = at("0.0.0.0:8443", "127.0.0.1:9901", url).unwrap_err();
        assert!(fault.contains("is an address of this gate itself; write the router's"), "{fault}");
    }
}

// The program waits for the issuer's answer before it listens, and the issuer answers from here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_both_values_where_an_issuer_is_another_or_points_elsewhere() {
    for (status, discovery, expected) in [
        ("200 OK", Some("https://other.test"), vec!["of `https://other.test`, not of `http://127.0.0.1:"]),
        (
            "302 Found\r\nLocation: https://login.test/keys?session=hunter2",
            None,
            vec!["302", "points to `https://login.test/keys?…`"],
        ),
    ] {
        let issuer = ThrowAwayIssuer::new().unwrap();
        let web = Web::start(&issuer.jwks()).await;
        web.tell(|told| {
            told.status = status.to_owned();
            if let Some(other) = discovery {
                told.discovery = json!({"issuer": other, "jwks_uri": "https://other.test/keys"}).to_string();
            }
        });
        let url = format!("http://{}", closed().await);
        let gate = TestGate::start_for(&url, "", &web.url, "", issuer).await;
        let program = Program::start(&gate.path("proxy.toml"));
        for text in expected {
            program.has_logged(text).await;
        }
        assert!(!format!("{:?}", program.logged()).contains("hunter2"));
    }
}

#[tokio::test]
async fn roots_that_the_environment_names_and_that_are_none_are_told_by_check_and_at_start() {
    let gate = TestGate::start(&format!("http://{}", closed().await), "").await;
    let text = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    gate.write("https.toml", &text.replace("url = \"http:", "url = \"https:"));
    let run = |verb: &str, config: &str, roots: &str| -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        let program = program.args([verb, "--config"]).arg(gate.path(config)).env("SSL_CERT_FILE", roots);
        program.env_remove("SSL_CERT_DIR").output().unwrap()
    };
    let ca = gate.path("ca.pem").display().to_string();
    assert_eq!(run("check", "https.toml", &ca).status.code(), Some(0));
    assert_eq!(run("check", "proxy.toml", "/nowhere/ca.pem").status.code(), Some(0), "nobody needs them");
    for verb in ["check", "serve"] {
        for roots in ["/nowhere/ca.pem", &gate.path("proxy.toml").display().to_string()] {
            let done = run(verb, "https.toml", roots);
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(78), "{said}");
            assert!(said.contains(&format!("SSL_CERT_FILE names {roots}, which gives none")), "{said}");
        }
    }
}

#[tokio::test]
async fn each_variable_that_names_roots_is_told_by_itself_and_alike_by_check_and_serve() {
    let gate = TestGate::start(&format!("http://{}", closed().await), "").await;
    let text = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    gate.write("https.toml", &text.replace("url = \"http:", "url = \"https:"));
    std::fs::create_dir(gate.path("roots.d")).unwrap();
    std::fs::copy(gate.path("ca.pem"), gate.path("roots.d/ca.pem")).unwrap();
    let [file, folder] = ["ca.pem", "roots.d"].map(|name| gate.path(name).display().to_string());
    let (no_file, no_folder) = ("/nowhere/ca.pem", "/nowhere/certs.d");
    let two = format!("{folder}:{no_folder}");
    let (of_file, of_folder) =
        ("SSL_CERT_FILE names /nowhere/ca.pem,", "SSL_CERT_DIR names /nowhere/certs.d,");
    for (roots, folders, fails, told) in [
        (file.as_str(), folder.as_str(), false, vec![]),
        (no_file, &folder, false, vec![of_file]),
        (&file, no_folder, false, vec![of_folder]),
        (&file, &two, false, vec![of_folder]),
        (no_file, no_folder, true, vec![of_file, of_folder]),
    ] {
        let command = |verb: &str| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
            program.args([verb, "--config"]).arg(gate.path("https.toml"));
            program.env("SSL_CERT_FILE", roots).env("SSL_CERT_DIR", folders);
            program
        };
        let done = command("check").output().unwrap();
        let checked = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(if fails { 78 } else { 0 }), "{checked}");
        let mut serving = command("serve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(serving.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.starts_with("listening on"), !fails, "{line}");
        // Not killed: what it has said is to be written.
        let _asked = Command::new("kill").args(["-TERM", &serving.id().to_string()]).status();
        let mut served = String::new();
        serving.stderr.take().unwrap().read_to_string(&mut served).unwrap();
        serving.wait().unwrap();
        for said in [checked, served] {
            for variable in [of_file, of_folder] {
                let is_told =
                    said.contains(&format!("{variable} which gives none that can be used: entity not found"));
                assert_eq!(is_told, told.contains(&variable), "{roots} {folders}: {said}");
            }
        }
    }
}
