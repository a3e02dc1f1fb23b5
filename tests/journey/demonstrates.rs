//! `msq-gate demo`: it borrows from a Druid under names of its own, and gives back whatever ends it

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use stand_in::{Column, Kind, StandIn, StandInSettings, Table, TaskPace};

/// A Druid that has a `wikipedia` of its operator's
async fn operators_druid() -> StandIn {
    let columns = vec![Column::new("__time", Kind::Timestamp), Column::new("page", Kind::Varchar)];
    let table = Table { columns, rows: vec![vec![json!(0), json!("precious")]] };
    let settings = StandInSettings {
        tasks: TaskPace::After(Duration::from_millis(50)),
        tables: vec![("wikipedia".to_owned(), table)],
        ..StandInSettings::default()
    };
    StandIn::start(settings).await.unwrap()
}

/// The program and what it printed up to its last line
struct Demonstration {
    process: Child,
    printed: String,
}

impl Demonstration {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
        command.arg("demo").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut printed = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        while !printed.contains("End with Ctrl-C") {
            assert!(lines.read_line(&mut printed).unwrap() > 0, "it ended early: {printed}");
        }
        Self { process, printed }
    }

    fn variable(&self, name: &str) -> String {
        let line = self.printed.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap().to_owned()
    }

    /// Ends it with this signal; its folder is gone and it ended with 0
    fn end(mut self, signal: &str) -> String {
        let ca = self.variable("CA");
        assert!(Path::new(&ca).exists());
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("bash").args(["-c", &kill]).status().unwrap().success());
        let code = self.process.wait().unwrap().code();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(code, Some(0), "{said}");
        assert!(!Path::new(&ca).parent().unwrap().exists(), "it left its folder behind");
        said
    }
}

#[tokio::test]
async fn whichever_signal_ends_a_demonstration_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        let ended = tokio::task::spawn_blocking(move || Demonstration::start(&[]).end(signal));
        ended.await.unwrap();
    }
}

#[tokio::test]
async fn at_a_real_druid_it_writes_under_its_own_name_and_removes_that() {
    for signal in ["INT", "TERM"] {
        let druid = operators_druid().await;
        let url = format!("http://{}", druid.address());
        let demonstration =
            tokio::task::spawn_blocking(move || Demonstration::start(&["--druid", &url])).await.unwrap();
        assert!(!demonstration.printed.contains(" wikipedia"), "{}", demonstration.printed);
        let said = tokio::task::spawn_blocking(move || demonstration.end(signal)).await.unwrap();
        let seen = druid.requests();
        let written = seen.iter().filter(|seen| seen.method == "POST" || seen.method == "DELETE");
        let written: Vec<_> =
            written.map(|seen| format!("{} {}", seen.target, String::from_utf8_lossy(&seen.body))).collect();
        for request in &written {
            assert!(!request.contains("wikipedia") && request.contains("msq_gate_demo_"), "{request}");
        }
        let removed = written.iter().filter(|request| {
            request.starts_with("/druid/coordinator/v1/datasources/msq_gate_demo_")
                || request.contains("\"type\":\"kill\"")
        });
        assert_eq!(removed.count(), 2, "{written:#?} {said}");
        assert!(!said.contains("left"), "{said}");
    }
}

#[tokio::test]
async fn a_demonstration_at_nobody_ends_and_has_written_nothing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_msq-gate"));
    command.args(["demo", "--druid", &format!("http://{closed}")]);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() != Some(0) && said.contains("cannot be reached"), "{said}");
    assert!(!said.contains("is left at Druid"), "{said}");
}
