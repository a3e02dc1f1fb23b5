//! Explanations before anything runs: they say what the enforcing code would do, and nothing reaches Druid

use http::StatusCode;
use serde_json::{Value, json};
use stand_in::{StandIn, StandInSettings, Table};

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
            "rolesClaim": {"claim": "roles", "found": ["reader", "unknown"]},
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
async fn where_only_the_code_is_told_an_explanation_tells_no_more() {
    let (gate, _druid) = setup(&format!("{ROLES}[rules]\nrefusal_detail = \"code\"\n")).await;
    for statement in ["SELECT * FROM b", "SELECT * FROM secret"] {
        let answer = explain(&gate, "/_gate/explain", &json!({"query": statement}), &["reader"]).await;
        let told = json!({"deed": "run this SELECT", "verdict": "refused", "reason": "missing_permission"});
        assert_eq!(answer.json(), told, "{statement}");
    }
    let answer = explain(&gate, "/_gate/explain", &json!({"query": "SELECT * FROM a"}), &["reader"]).await;
    assert_eq!(answer.json()["verdict"], "allowed");
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
    let about = "/_gate/explain?identity=bob&roles=reader,security";
    let answer = explain(&gate, about, &statement, &["security"]).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (StatusCode::OK, &json!("allowed")));
    let answer = explain(&gate, about, &statement, &["reader"]).await;
    assert_eq!(
        (answer.status, answer.missing()),
        (StatusCode::FORBIDDEN, vec!["READ CONFIG security".to_owned()])
    );
}

#[tokio::test]
async fn whom_an_explanation_is_about_is_known_or_it_is_none() {
    let (gate, _druid) = setup(ROLES).await;
    let statement = json!({"query": "SELECT * FROM a"});
    let ask = async |query: &str, roles: &[&str]| {
        explain(&gate, &format!("/_gate/explain?{query}"), &statement, roles).await
    };
    for query in ["roles=reader", "roles=reader,%20security", "identity=bob&roles=", ""] {
        assert_eq!(ask(query, &["security"]).await.status, StatusCode::OK, "{query}");
    }
    for (query, named) in [
        ("roles=reader,raeder", "there is no role `raeder`; the roles are reader, security"),
        ("identity=bob&roles=Reader", "no role `Reader`"),
        ("role=reader", "`role`"),
        ("roles=reader&roles=security", "`roles`"),
    ] {
        let answer = ask(query, &["security"]).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (StatusCode::BAD_REQUEST, Some("bad_parameter"))
        );
        assert!(answer.text().contains(named), "{query}: {}", answer.text());
    }
    let answer = ask("roles=raeder", &["reader"]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "which roles there are is told to nobody else");
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

/// What `explain --claims` says of these claims, and how it ends
fn explain_claims(gate: &TestGate, claims: &Value) -> (Option<i32>, String) {
    gate.write("claims.json", &claims.to_string());
    gate.write("statement.sql", "SELECT * FROM a");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_msq-gate"));
    program.args(["explain", "--config"]).arg(gate.path("proxy.toml"));
    let done = program.arg("--claims").arg(gate.path("claims.json")).arg(gate.path("statement.sql")).output();
    let done = done.unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[tokio::test]
async fn explain_says_which_roles_claim_it_looked_for_and_what_it_found() {
    let (gate, _druid) = setup(ROLES).await;
    let said = |claims| explain_claims(&gate, &claims);
    let (code, text) = said(json!({"iss": "https://id.test", "sub": "alice", "roles": ["reader", "x"]}));
    assert_eq!((code, text.trim_end()), (Some(0), "roles: `roles` lists reader; not in this file: x"));
    for (claims, expected) in [
        (json!({"sub": "alice"}), "the token has no claim `roles`"),
        (json!({"sub": "alice", "_claim_names": {"roles": "src1"}}), "the token does not list `roles`"),
        (json!({"sub": "alice", "typ": "Refresh", "roles": ["reader"]}), "the token is a refresh token"),
    ] {
        let (code, text) = said(claims);
        assert!(code == Some(65) && text.contains(expected), "{text}");
    }
    let text = std::fs::read_to_string(gate.path("proxy.toml")).unwrap();
    let lenient = "algorithms = [\"ES256\"]\nroles_claim_required = false";
    gate.write("proxy.toml", &text.replace("algorithms = [\"ES256\"]", lenient));
    let (code, text) = said(json!({"sub": "alice"}));
    assert_eq!((code, text.trim_end()), (Some(77), "roles: there is no claim `roles`; only `members` count"));
}

#[tokio::test]
async fn a_missing_roles_claim_takes_no_deny_away() {
    let roles = "[roles.member]\nmembers = [\"alice\"]\ngrants = [\"READ DATASOURCE *\"]\n\
                 [roles.barred]\ngrants = [\"READ DATASOURCE a\"]\ndenies = [\"READ DATASOURCE secret\"]\n";
    let (gate, druid) = setup(roles).await;
    let select = |token: String| {
        let body = json!({"query": "SELECT * FROM secret"});
        let gate = &gate;
        async move { gate.post("/druid/v2/sql", &body).bearer(&token).send().await.reason() }
    };
    let claims = |more: &str| {
        let text =
            format!(r#"{{"iss":"https://id.test","aud":"druid","sub":"alice","exp":32503680000{more}}}"#);
        gate.sign(&serde_json::from_str(&text).unwrap())
    };
    assert_eq!(select(claims(r#","roles":["barred"]"#)).await.as_deref(), Some("denied"));
    for more in ["", r#","_claim_names":{"roles":"src1"}"#, r#","groups":["barred"]"#] {
        assert_eq!(select(claims(more)).await.as_deref(), Some("token_claims"), "{more}");
    }
    assert!(druid.requests().is_empty());
    assert_ne!(
        select(claims(r#","roles":[]"#)).await.as_deref(),
        Some("token_claims"),
        "an empty one is an answer"
    );
}
