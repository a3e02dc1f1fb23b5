//! Who may do what, as a table: every role by every need, printed and compared with access-matrix.txt
//!
//! A diff of that file is easier to review than a failing assertion; it is read by people who do not read
//! Rust. `UPDATE_MATRIX=1 cargo test` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use msq_gate::authorize::permission::Permission;
use msq_gate::authorize::policy::{Policy, Role};
use msq_gate::authorize::{Caller, DeniedReason, Verdict, verdict};
use msq_gate::druid::endpoint::TaskUse;
use msq_gate::druid::{Owner, Task};
use msq_gate::resource_actions::rules::{Cancel, SelectTasks};
use msq_gate::resource_actions::{Needed, Rules, task_access};

use crate::support::{judged, with_judges_stack};

const ISSUER: &str = "https://id";

fn role(name: &str, grants: &[&str], denies: &[&str]) -> Role {
    let parse = |sentences: &[&str]| sentences.iter().map(|text| Permission::parse(text).unwrap()).collect();
    Role { name: name.to_owned(), members: Vec::new(), grants: parse(grants), denies: parse(denies), line: 1 }
}

/// One person for each of these roles, and one without any
fn policy() -> Policy {
    Policy::new(vec![
        role("reader", &["READ DATASOURCE wikipedia"], &[]),
        role("writer", &["WRITE DATASOURCE wikipedia"], &[]),
        role("ingester", &["READ WRITE DATASOURCE wikipedia", "READ EXTERNAL EXTERNAL"], &[]),
        role("selects", &["READ DATASOURCE __query_select"], &[]),
        role("wide", &["READ DATASOURCE *"], &["READ DATASOURCE regex:secret.*"]),
        role("exporter", &["READ DATASOURCE wikipedia", "WRITE EXTERNAL s3"], &[]),
        role("state", &["READ STATE STATE"], &[]),
        role("operator", &["READ WRITE STATE STATE"], &[]),
    ])
}

fn statement(text: &str) -> Needed {
    with_judges_stack(|| judged(text, &[], &Rules::default()).unwrap().needs)
}

fn task(kind: &str, datasource: &str, purpose: TaskUse, rules: &Rules) -> Needed {
    let owner = Some(Owner::new(ISSUER, "reader"));
    task_access::of_task(
        &Task { kind: kind.to_owned(), datasource: datasource.to_owned(), owner },
        purpose,
        rules,
    )
}

/// What is tried, by name
fn deeds() -> Vec<(&'static str, Needed)> {
    let manual = Rules::default();
    let overlord = Rules { cancel: Cancel::Write, ..Rules::default() };
    let owned = Rules { cancel: Cancel::Owner, select_tasks: SelectTasks::Owner, ..Rules::default() };
    let controller = |datasource, purpose, rules| task("query_controller", datasource, purpose, rules);
    let extern_ =
        "TABLE(EXTERN('{\"type\":\"inline\",\"data\":\"x\"}','{\"type\":\"json\"}')) EXTEND (a VARCHAR)";
    vec![
        ("SELECT 1", statement("SELECT 1")),
        ("SELECT of wikipedia", statement("SELECT * FROM wikipedia")),
        ("SELECT of wikipedia and sales", statement("SELECT * FROM wikipedia, sales")),
        ("SELECT of secret", statement("SELECT * FROM secret")),
        ("SELECT of secret, inside", statement("SELECT * FROM wikipedia WHERE a IN (SELECT a FROM secret)")),
        ("SELECT of Wikipedia", statement("SELECT * FROM Wikipedia")),
        ("SELECT of EXTERN", statement(&format!("SELECT * FROM {extern_}"))),
        ("INSERT of literals", statement("INSERT INTO wikipedia SELECT 1 AS a PARTITIONED BY ALL")),
        ("INSERT of itself", statement("INSERT INTO wikipedia SELECT * FROM wikipedia PARTITIONED BY ALL")),
        (
            "INSERT of EXTERN",
            statement(&format!("INSERT INTO wikipedia SELECT * FROM {extern_} PARTITIONED BY ALL")),
        ),
        (
            "REPLACE of itself",
            statement("REPLACE INTO wikipedia OVERWRITE ALL SELECT * FROM wikipedia PARTITIONED BY ALL"),
        ),
        ("export to s3", statement("INSERT INTO EXTERN(s3(bucket => 'b')) AS CSV SELECT * FROM wikipedia")),
        (
            "export to local",
            statement("INSERT INTO EXTERN(local(exportPath => '/x')) AS CSV SELECT * FROM wikipedia"),
        ),
        (
            "EXPLAIN of INSERT",
            statement("EXPLAIN PLAN FOR INSERT INTO wikipedia SELECT * FROM wikipedia PARTITIONED BY ALL"),
        ),
        ("SELECT of sys.tasks", statement("SELECT * FROM sys.tasks")),
        ("look at an INSERT's task", controller("wikipedia", TaskUse::Look, &manual)),
        ("cancel an INSERT's task", controller("wikipedia", TaskUse::Cancel, &manual)),
        ("  cancel = \"write\"", controller("wikipedia", TaskUse::Cancel, &overlord)),
        ("  cancel = \"owner\"", controller("wikipedia", TaskUse::Cancel, &owned)),
        ("look at a SELECT's task", controller("__query_select", TaskUse::Look, &manual)),
        ("  select_tasks = \"owner\"", controller("__query_select", TaskUse::Look, &owned)),
        ("cancel a SELECT's task", controller("__query_select", TaskUse::Cancel, &manual)),
        ("look at an export's task", controller("__query_export", TaskUse::Look, &manual)),
        ("shut an ingestion down", task("index_parallel", "wikipedia", TaskUse::Cancel, &manual)),
        (
            "read a statement's rows",
            task_access::of_statement(Some(Owner::new(ISSUER, "reader")), TaskUse::Look),
        ),
        (
            "cancel a statement",
            task_access::of_statement(Some(Owner::new(ISSUER, "reader")), TaskUse::Cancel),
        ),
        ("read rows of nobody's", task_access::of_statement(None, TaskUse::Look)),
    ]
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Permit => "yes",
        Verdict::Deny(DeniedReason::MissingPermission) => "-",
        Verdict::Deny(DeniedReason::NotOwner) => "not owner",
        Verdict::Deny(DeniedReason::Denied) => "DENIED",
    }
}

fn matrix() -> String {
    let policy = policy();
    let mut people = vec!["nobody"];
    people.extend(policy.roles().iter().map(|role| role.name.as_str()));
    let mut text = String::from("Who may do what. The tasks and statements are those of `reader`.\n\n");
    write!(text, "{:<30}", "").unwrap();
    people.iter().for_each(|person| write!(text, "{person:<10}").unwrap());
    for (deed, needs) in deeds() {
        write!(text, "\n{deed:<30}").unwrap();
        for person in &people {
            let caller = Caller::supposed(ISSUER, person, vec![(*person).to_owned()]);
            write!(text, "{:<10}", mark(&verdict(&needs, &caller, &policy).0)).unwrap();
        }
    }
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_access_matrix_is_as_reviewed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/access-matrix.txt");
    let matrix = matrix();
    println!("{matrix}");
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        std::fs::write(&file, &matrix).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        matrix == reviewed,
        "who may do what has changed; look at the difference, then UPDATE_MATRIX=1 cargo test"
    );
}

#[test]
fn every_role_may_something_and_not_everything() {
    let policy = policy();
    for role in policy.roles() {
        let caller = Caller::supposed(ISSUER, "somebody", vec![role.name.clone()]);
        let verdicts: BTreeSet<_> = deeds()
            .iter()
            .filter(|(_, needs)| *needs != Needed::Authenticated)
            .map(|(_, needs)| matches!(verdict(needs, &caller, &policy).0, Verdict::Permit))
            .collect();
        assert_eq!(verdicts.len(), 2, "{}", role.name);
    }
}
