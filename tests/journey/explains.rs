//! Explanations before anything runs: they say what the enforcing code would do, and nothing reaches Druid

use http::StatusCode;
use msq_gate::stand_in::{StandIn, StandInSettings, Table};
use serde_json::{Value, json};

use crate::gate::{Answer, TestGate};

const ROLES: &str = r#"
[roles.reader]
grants = ["READ DATASOURCE a"]
denies = ["READ DATASOURCE secret"]
[roles.security]
grants = ["READ CONFIG security"]
"#;

async fn setup(tables: &str) -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), tables).await, druid)
}

async fn explain(gate: &TestGate, target: &str, body: &Value, roles: &[&str]) -> Answer {
    gate.post(target, body).bearer(&gate.token("alice", roles)).send().await
}

#[tokio::test]
async fn whoami_says_who_one_is_and_what_one_holds() {
    let (gate, druid) = setup(ROLES).await;
    let answer = gate.get("/_gate/whoami").bearer(&gate.token("alice", &["reader", "unknown"])).send().await;
    let mut body = answer.json();
    assert!(body["expires"].as_str().unwrap().ends_with('Z'));
    body.as_object_mut().unwrap().remove("expires");
    assert_eq!(
        body,
        json!({
            "identity": "alice", "issuer": "https://id.test", "roles": ["reader"],
            "grants": [{"role": "reader", "grants": ["READ DATASOURCE a"], "denies": ["READ DATASOURCE secret"]}],
        })
    );
    assert_eq!(gate.get("/_gate/whoami").send().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        gate.get("/_gate/other").bearer(&gate.token("alice", &[])).send().await.reason().as_deref(),
        Some("unknown_endpoint")
    );
    assert!(druid.requests().is_empty());
    assert_eq!(gate.record(&answer)[0]["verdict"], "allowed");
}

#[tokio::test]
async fn explain_says_what_a_statement_or_a_task_would_need() {
    let (gate, druid) = setup(ROLES).await;
    let statement = json!({"query": "INSERT INTO b SELECT * FROM a PARTITIONED BY ALL"});
    let answer = explain(&gate, "/_gate/explain", &statement, &["reader"]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!({
            "deed": "run this INSERT", "verdict": "refused", "reason": "missing_permission",
            "needed": [{"permission": "READ DATASOURCE a", "held": true}, {"permission": "WRITE DATASOURCE b", "held": false}],
            "missing": ["WRITE DATASOURCE b"],
            "forwarded": "INSERT INTO b SELECT * FROM a PARTITIONED BY ALL",
        })
    );
    let task = json!({"type": "kill", "dataSource": "b", "interval": "1/2"});
    let answer = explain(&gate, "/_gate/explain", &task, &["reader"]).await;
    assert_eq!(answer.json()["missing"], json!(["WRITE DATASOURCE b"]));
    let answer = explain(&gate, "/_gate/explain", &json!({"query": "DROP TABLE a"}), &["reader"]).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (StatusCode::OK, &json!("unsupported_statement")));
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn who_asks_about_somebody_else_needs_read_config_security() {
    let (gate, _druid) = setup(ROLES).await;
    let statement = json!({"query": "SELECT * FROM a"});
    let about = "/_gate/explain?identity=bob&roles=reader,other";
    let answer = explain(&gate, about, &statement, &["security"]).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (StatusCode::OK, &json!("allowed")));
    let answer = explain(&gate, about, &statement, &["reader"]).await;
    assert_eq!(
        (answer.status, answer.missing()),
        (StatusCode::FORBIDDEN, vec!["READ CONFIG security".to_owned()])
    );
}

/// A small generator with a seed (xorshift)
struct Dice(u64);

impl Dice {
    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        &of[usize::try_from(self.0 % u64::try_from(of.len()).unwrap()).unwrap()]
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const GRANTS: [&str; 8] = [
    "READ DATASOURCE a",
    "READ DATASOURCE glob:*",
    "WRITE DATASOURCE b",
    "READ WRITE DATASOURCE c",
    "READ EXTERNAL EXTERNAL",
    "READ STATE STATE",
    "READ DATASOURCE regex:a|b",
    "WRITE DATASOURCE *",
];

fn policy(dice: &mut Dice) -> String {
    let mut text = String::new();
    for role in ["r0", "r1", "r2"] {
        let (first, second, deny) = (dice.one(&GRANTS), dice.one(&GRANTS), dice.one(&GRANTS));
        let denies =
            if *dice.one(&[true, false]) { format!("denies = [\"{deny}\"]\n") } else { String::new() };
        text.push_str(&format!("[roles.{role}]\ngrants = [\"{first}\", \"{second}\"]\n{denies}"));
    }
    text
}

fn statement(dice: &mut Dice) -> String {
    let (one, two, three) = (*dice.one(&NAMES), *dice.one(&NAMES), *dice.one(&NAMES));
    match dice.one(&[0, 1, 2, 3, 4, 5, 6]) {
        0 => format!("SELECT * FROM {one}"),
        1 => format!("SELECT * FROM {one} WHERE x IN (SELECT x FROM {two})"),
        2 => format!("INSERT INTO {one} SELECT * FROM {two} PARTITIONED BY ALL"),
        3 => format!(
            "REPLACE INTO {one} OVERWRITE ALL WITH {two} AS (SELECT * FROM {three}) SELECT * FROM {two} PARTITIONED BY ALL"
        ),
        4 => format!(
            "INSERT INTO {one} SELECT * FROM TABLE(EXTERN('{{\"type\":\"inline\"}}', '{{}}')) EXTEND (x VARCHAR) PARTITIONED BY ALL"
        ),
        5 => "SELECT * FROM sys.tasks".to_owned(),
        _ => "SELECT 1".to_owned(),
    }
}

#[tokio::test]
async fn explain_and_the_answer_to_the_same_request_agree_on_a_thousand_triples() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let tables =
        NAMES.map(|name| (name.to_owned(), Table { columns: Vec::new(), rows: Vec::new() })).to_vec();
    let druid = StandIn::start(StandInSettings { tables, ..StandInSettings::default() }).await.unwrap();
    let (mut allowed, mut refused) = (0, 0);
    for _ in 0..10 {
        let gate = TestGate::start(&format!("http://{}", druid.address()), &policy(&mut dice)).await;
        for _ in 0..100 {
            let roles: Vec<_> =
                ["r0", "r1", "r2"].into_iter().filter(|_| *dice.one(&[true, false])).collect();
            let body = json!({"query": statement(&mut dice)});
            let explained = explain(&gate, "/_gate/explain", &body, &roles).await.json();
            let answer = explain(&gate, "/druid/v2/sql/task", &body, &roles).await;
            match answer.reason() {
                None => {
                    assert_eq!(explained["verdict"], "allowed", "{body} {roles:?}");
                    allowed += 1;
                }
                Some(reason) => {
                    assert_eq!(
                        (&explained["verdict"], &explained["reason"]),
                        (&json!("refused"), &json!(reason)),
                        "{body}"
                    );
                    let receipt = &answer.json()["receipt"];
                    assert_eq!(
                        (&explained["needed"], &explained["missing"]),
                        (&receipt["needed"], &receipt["missing"])
                    );
                    refused += 1;
                }
            }
        }
    }
    println!("explain and enforcement agree on {allowed} allowed and {refused} refused requests");
    assert!(allowed > 200 && refused > 200);
}
