//! What people type on the command line, and what the program says to it

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::LEAST;

/// How a command ended, and what it said
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program in a folder with this configuration, and with this on its standard input
fn run(config: &str, arguments: &[&str], input: &str) -> Said {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("proxy.toml"), config).unwrap();
    std::fs::write(folder.path().join("claims.json"), CLAIMS).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
    command.args(arguments).current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // A command that refuses its arguments may end before it has read its input.
    let _unread = process.stdin.take().unwrap().write_all(input.as_bytes());
    let done = process.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

const CLAIMS: &str = r#"{"iss":"https://id","sub":"alice","roles":["viewer","wiever"]}"#;

/// What `needs --batch` says to one line
fn batch(line: &Value) -> Value {
    let said = run(LEAST, &["needs", "--batch"], &format!("{line}\n"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_line_without_its_statement_is_told_where_a_statement_stands() {
    assert_eq!(batch(&json!({"id": 1, "sql": "SELECT * FROM a"}))["needs"], json!(["READ DATASOURCE a"]));
    for line in
        [json!({"query": "SELECT * FROM a"}), json!({"id": 1}), json!({"sql": 1}), json!({"sql": null})]
    {
        let answer = batch(&line);
        let message = answer["refused"]["message"].as_str().unwrap();
        assert_eq!(answer["refused"]["reason"], "bad_json");
        assert!(message.contains("in `sql`") && !message.contains("member `query`"), "{line}: {message}");
    }
    let message = batch(&json!({"query": "SELECT 1"}))["refused"]["message"].to_string();
    assert!(message.contains("not in `query`"), "{message}");
}

#[test]
fn a_line_that_is_none_is_told_which_members_a_line_has() {
    let whole =
        json!({"id": 7, "sql": "SELECT * FROM a", "parameters": [], "context": {}, "engine": "msq-task"});
    assert_eq!(batch(&whole)["needs"], json!(["READ DATASOURCE a"]));
    let task = json!({"id": 7, "task": {"type": "kill", "dataSource": "a", "interval": "2020/2021"}});
    assert_eq!(batch(&task)["needs"], json!(["WRITE DATASOURCE a"]));
    let raw = |line: &str| -> Value {
        let said = run(LEAST, &["needs", "--batch"], &format!("{line}\n"));
        assert_eq!(said.code, Some(0), "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    };
    for line in
        ["[]", "1", "\"SELECT 1\"", "null", "SELECT 1", "{", "{\"sql\":\"SELECT 1\",\"sql\":\"SELECT 2\"}"]
    {
        let answer = raw(line);
        let message = answer["refused"]["message"].as_str().unwrap();
        assert_eq!(
            (&answer["id"], &answer["refused"]["reason"]),
            (&Value::Null, &json!("bad_json")),
            "{line}"
        );
        for member in ["sql", "parameters", "context", "engine", "task", "id"] {
            assert!(message.contains(&format!("`{member}`")), "{line}: {message}");
        }
        assert!(!message.contains("invalid type") && !message.contains("map"), "{line}: {message}");
    }
    for stranger in ["params", "SQL", "contxt", "query"] {
        for line in [&whole, &task] {
            let mut line = line.clone();
            line[stranger] = json!([]);
            let answer = batch(&line);
            let message = answer["refused"]["message"].as_str().unwrap_or_default();
            assert!(message.contains(&format!("no member `{stranger}`")), "{line}: {answer}");
            assert_eq!(answer["id"], 7);
        }
    }
    for beside in ["sql", "context", "parameters"] {
        let mut line = task.clone();
        line[beside] = whole[beside].clone();
        assert!(batch(&line)["refused"]["message"].to_string().contains("beside `task`"), "{line}");
    }
}

#[test]
fn a_native_query_is_judged_wherever_it_stands() {
    let native = json!({"queryType": "scan", "dataSource": "wikipedia"});
    assert_eq!(batch(&json!({"native": native}))["needs"], json!(["READ DATASOURCE wikipedia"]));
    assert_eq!(run(LEAST, &["needs"], &native.to_string()).out, "READ DATASOURCE wikipedia\n");
    let explained = run(LEAST, &["explain", "--roles", "viewer"], &native.to_string());
    assert!(explained.code == Some(0) && explained.out.contains("run this scan query"), "{}", explained.out);
    let unknown = native.to_string().replace("scan", "view");
    let said = run(LEAST, &["needs"], &unknown);
    assert!(said.code == Some(65) && said.err.contains("unsupported_statement"), "{}", said.err);
    assert!(said.err.contains("`view`"), "{}", said.err);
}

#[test]
fn a_role_that_nobody_wrote_is_told_and_not_taken_for_none() {
    let explain =
        |arguments: &[&str]| run(LEAST, &[&["explain"], arguments].concat(), "SELECT * FROM wikipedia");
    assert_eq!(explain(&["--roles", "viewer"]).code, Some(0));
    assert_eq!(explain(&["--roles", ""]).code, Some(77), "none is none");
    let said = explain(&["--roles", "viewer,wiever"]);
    assert!(said.code == Some(65) && said.err.contains("no role `wiever`"), "{}", said.err);
    assert!(said.err.contains("the roles are viewer"), "{}", said.err);
    let said = explain(&["--claims", "claims.json"]);
    assert!(
        said.code == Some(0) && said.err.contains("not in this file: wiever"),
        "a token may have others: {}",
        said.err
    );
}

#[test]
fn warnings_are_told_by_check_and_not_by_those_that_ask_about_a_statement() {
    let config = LEAST.replace("READ DATASOURCE wikipedia", "READ DATASOURCE *");
    assert!(run(&config, &["check"], "").err.contains("warning: roles.viewer.grants"));
    for command in [&["explain", "--roles", "viewer"][..], &["needs", "--config", "proxy.toml"]] {
        let said = run(&config, command, "SELECT 1");
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command:?}");
    }
    let faulty = LEAST.replace("READ DATASOURCE wikipedia", "LIST DATASOURCE y");
    let said = run(&faulty, &["explain", "--roles", "viewer"], "SELECT 1");
    assert!(said.code == Some(78) && said.err.contains("`LIST` is no action; write READ"), "{}", said.err);
}

#[test]
fn why_metadata_asks_for_the_state_and_which_setting_changes_that_is_explained() {
    let explain = |statement| run(LEAST, &["explain", "--roles", "viewer"], statement);
    let said = explain("SELECT * FROM INFORMATION_SCHEMA.COLUMNS");
    assert!(said.code == Some(77) && said.out.contains("rules.metadata = \"open\""), "{}", said.out);
    let said = explain("SELECT * FROM b");
    assert!(said.code == Some(77) && !said.out.contains("rules.metadata"), "{}", said.out);
}

#[test]
fn the_line_that_would_grant_a_name_can_be_pasted_into_the_file() {
    let said = run(LEAST, &["explain", "--roles", "viewer"], "SELECT * FROM \"a|b\"");
    let line = said.out.lines().find_map(|line| line.split("add ").nth(1)).unwrap();
    let sentence = line.split(" to the").next().unwrap();
    assert_eq!(sentence, "\"READ DATASOURCE exact:a|b\"");
    let granted = LEAST.replace("\"READ DATASOURCE wikipedia\"", sentence);
    assert_eq!(run(&granted, &["explain", "--roles", "viewer"], "SELECT * FROM \"a|b\"").code, Some(0));
}
