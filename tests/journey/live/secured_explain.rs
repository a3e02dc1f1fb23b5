//! Actions, which EXPLAIN does not show: Druid serves who holds all that the judge asks, and refuses who lacks any of it

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::druid::{Druid, until};
use super::explain::{judged_needs, make_datasources};
use super::{Router, router};
use crate::statements;

/// How many statements are tried
const STATEMENTS: usize = 200;

/// What the people of this test may hold; statements that need more are left out
const PERMISSIONS: [&str; 7] = [
    "READ DATASOURCE gen_a",
    "READ DATASOURCE Gen_A",
    "READ DATASOURCE gen b",
    "WRITE DATASOURCE gen_a",
    "WRITE DATASOURCE Gen_A",
    "WRITE DATASOURCE gen b",
    "READ EXTERNAL EXTERNAL",
];

/// How many are tried at once
const AT_ONCE: usize = 4;

/// How long it may take until every node knows every grant
const PATIENCE: Duration = Duration::from_secs(15);

type Permissions = BTreeSet<String>;

/// A statement, and what it needs
struct Sample {
    body: Value,
    needs: Permissions,
}

#[tokio::test]
async fn druid_serves_who_holds_all_and_refuses_who_lacks_any() {
    let Some(Router { url, .. }) = &router("MSQ_GATE_DRUID_SECURED").await else { return };
    let start = Instant::now();
    let admin = Druid::at(url).signed_in("admin", "admin-pw");
    make_datasources(&admin, |name| statements::DATASOURCES.contains(&name)).await;
    let samples = samples(&admin).await;
    make_users(&admin, &samples).await;
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut tried = JoinSet::new();
    for sample in samples {
        let (url, at_once) = (url.clone(), Arc::clone(&at_once));
        tried.spawn(async move {
            let _turn = at_once.acquire().await;
            (sample.needs.len(), wrong(&url, &sample).await)
        });
    }
    let outcomes = tried.join_all().await;
    let refused: usize = outcomes.iter().map(|(refused, _)| refused).sum();
    let wrong: Vec<_> = outcomes.iter().flat_map(|(_, wrong)| wrong.clone()).collect();
    println!(
        "\n{} statements: served to who holds all, refused to {refused} who lack one; {} otherwise; in {:?}",
        outcomes.len(),
        wrong.len(),
        start.elapsed()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(outcomes.len(), STATEMENTS);
}

/// How Druid treats the people otherwise who hold all that a statement needs, and all but one
async fn wrong(url: &str, Sample { body, needs }: &Sample) -> Vec<String> {
    let told = settled(url, needs, body, |status| status == StatusCode::OK).await;
    let mut wrong: Vec<_> =
        told.into_iter().map(|answer| format!("with {needs:?} {answer}: {body}")).collect();
    for lacking in needs {
        let held: Permissions = needs.iter().filter(|&need| need != lacking).cloned().collect();
        let told = settled(url, &held, body, |status| status == StatusCode::FORBIDDEN).await;
        wrong.extend(told.map(|answer| format!("without {lacking} {answer}: {body}")));
    }
    wrong
}

/// Statements that Druid can plan and that need something, but nothing that nobody here may hold
async fn samples(admin: &Druid) -> Vec<Sample> {
    let mut samples = Vec::new();
    for number in 1..3_000 {
        let made = statements::statement(number);
        let text = format!("EXPLAIN PLAN FOR {}", made.sql);
        let needs = judged_needs(&text, made.parameters);
        assert_eq!(needs, made.needs, "{text}");
        if needs.is_empty() || !needs.iter().all(|need| PERMISSIONS.contains(&need.as_str())) {
            continue;
        }
        let parameters = vec![json!({"type": "VARCHAR", "value": "x"}); made.parameters];
        let body = json!({"query": text, "parameters": parameters});
        if ask(admin, &body).await == StatusCode::OK {
            samples.push(Sample { body, needs });
        }
        if samples.len() == STATEMENTS {
            break;
        }
    }
    samples
}

async fn ask(druid: &Druid, body: &Value) -> StatusCode {
    druid.ask(Method::POST, "/druid/v2/sql/task", Some(body)).await.0
}

/// `None` once the answer is as it should be, else the last one
async fn settled(
    url: &str,
    held: &Permissions,
    body: &Value,
    is_right: fn(StatusCode) -> bool,
) -> Option<StatusCode> {
    let himself = Druid::at(url).signed_in(&user(held), "pw");
    let end = Instant::now() + PATIENCE;
    loop {
        let status = ask(&himself, body).await;
        if is_right(status) {
            return None;
        }
        if Instant::now() > end {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The name of the user who holds just these
fn user(held: &Permissions) -> String {
    let letters = PERMISSIONS.iter().zip('a'..).filter(|(permission, _)| held.contains(**permission));
    format!("gen_{}", letters.map(|(_, letter)| letter).collect::<String>())
}

/// A role for each permission and a user for each set of them that is tried, all in one batch
async fn make_users(admin: &Druid, samples: &[Sample]) {
    let post = async |path: String, body: Value| {
        let path = format!("/proxy/coordinator/druid-ext/basic-security/{path}");
        let (status, text) = admin.ask(Method::POST, &path, Some(&body)).await;
        assert!(status.is_success() || text.contains("already"), "{path}: {status} {text}");
    };
    for permission in PERMISSIONS {
        let name = user(&Permissions::from([permission.to_owned()]));
        post(format!("authorization/db/basic/roles/{name}"), json!({})).await;
        let words: Vec<_> = permission.splitn(3, ' ').collect();
        let resource = json!({"type": words[1], "name": words[2]});
        let permissions = json!([{"resource": resource, "action": words[0]}]);
        post(format!("authorization/db/basic/roles/{name}/permissions"), permissions).await;
    }
    let mut sets = BTreeSet::new();
    for Sample { needs, .. } in samples {
        sets.insert(needs.clone());
        sets.extend(
            needs.iter().map(|lacking| {
                needs.iter().filter(|&need| need != lacking).cloned().collect::<Permissions>()
            }),
        );
    }
    for held in &sets {
        let name = user(held);
        post(format!("authentication/db/basic/users/{name}"), json!({})).await;
        post(format!("authentication/db/basic/users/{name}/credentials"), json!({"password": "pw"})).await;
        post(format!("authorization/db/basic/users/{name}"), json!({})).await;
        for permission in held {
            let role = user(&Permissions::from([permission.clone()]));
            post(format!("authorization/db/basic/users/{name}/roles/{role}"), json!({})).await;
        }
    }
    println!("{} users with as many sets of permissions", sets.len());
    for held in &sets {
        let himself = Druid::at(&admin.url).signed_in(&user(held), "pw");
        let known = async || ask(&himself, &json!({"query": "EXPLAIN PLAN FOR SELECT 1"})).await;
        until("a user is known", known, |status: &StatusCode| *status == StatusCode::OK).await;
    }
}
