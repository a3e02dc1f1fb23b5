//! Data outside Druid by its place: what the refusal says, what the record and an explanation

use http::StatusCode;
use serde_json::json;
use stand_in::{StandIn, StandInSettings};

use crate::gate::{Answer, TestGate};

const ROLES: &str = r#"
[roles.loader]
grants = ["READ EXTERNAL s3://landing/eu/*", "READ EXTERNAL https://data.example.org/*"]
[roles.careful]
grants = ["READ EXTERNAL EXTERNAL"]
denies = ["READ EXTERNAL s3://landing/secret/*"]
"#;

async fn setup() -> (TestGate, StandIn) {
    let druid = StandIn::start(StandInSettings::default()).await.unwrap();
    (TestGate::start(&format!("http://{}", druid.address()), ROLES).await, druid)
}

fn extern_of(source: &serde_json::Value) -> String {
    format!("SELECT * FROM TABLE(EXTERN('{source}', '{{\"type\":\"json\"}}')) EXTEND (x VARCHAR)")
}

async fn read(gate: &TestGate, role: &str, source: serde_json::Value) -> Answer {
    let body = json!({"query": extern_of(&source)});
    gate.post("/druid/v2/sql/task", &body).bearer(&gate.token("alice", &[role])).send().await
}

#[tokio::test]
async fn whoever_holds_a_place_reads_there_and_is_told_which_other_he_lacks() {
    let (gate, druid) = setup().await;
    let allowed = read(&gate, "loader", json!({"type": "s3", "uris": ["s3a://landing/eu/a.json"]})).await;
    assert_eq!(allowed.status, StatusCode::ACCEPTED, "{}", allowed.text());
    let decided = &gate.record(&allowed)[0];
    assert_eq!(decided["needed"], json!(["READ EXTERNAL EXTERNAL"]));
    assert_eq!(
        (&decided["places"], &decided["missing"]),
        (&json!(["READ EXTERNAL s3://landing/eu/a.json"]), &json!([]))
    );
    druid.clear_requests();

    let uris = ["s3://landing/eu/a.json", "s3://landing/eu-secret/b.json"];
    let refused = read(&gate, "loader", json!({"type": "s3", "uris": uris})).await;
    assert_eq!(
        (refused.status, refused.reason().as_deref()),
        (StatusCode::FORBIDDEN, Some("missing_permission"))
    );
    assert_eq!(
        refused.json()["errorMessage"],
        "alice may not run this SELECT: missing READ EXTERNAL EXTERNAL, or by place READ EXTERNAL s3://landing/eu-secret/b.json"
    );
    assert_eq!(
        refused.json()["receipt"]["needed"],
        json!([{"permission": "READ EXTERNAL EXTERNAL", "held": false, "places": [
            {"permission": "READ EXTERNAL s3://landing/eu-secret/b.json", "held": false},
            {"permission": "READ EXTERNAL s3://landing/eu/a.json", "held": true},
        ]}])
    );
    let refused = &gate.record(&refused)[0];
    assert_eq!(refused["missing"], json!(["READ EXTERNAL EXTERNAL"]));
    assert_eq!(refused["missingPlaces"], json!(["READ EXTERNAL s3://landing/eu-secret/b.json"]));
    assert!(druid.requests().is_empty());
}

#[tokio::test]
async fn a_denied_place_is_denied_to_whoever_may_read_outside() {
    let (gate, _druid) = setup().await;
    let allowed = read(&gate, "careful", json!({"type": "s3", "uris": ["s3://landing/eu/a.json"]})).await;
    assert_eq!(allowed.status, StatusCode::ACCEPTED, "{}", allowed.text());
    let refused =
        read(&gate, "careful", json!({"type": "s3", "uris": ["s3://landing/%73ecret/a.json"]})).await;
    assert_eq!((refused.status, refused.reason().as_deref()), (StatusCode::FORBIDDEN, Some("denied")));
    assert_eq!(
        refused.json()["errorMessage"],
        "alice may not run this SELECT: missing READ EXTERNAL EXTERNAL (denied), of which READ EXTERNAL s3://landing/secret/a.json"
    );
    let whole = read(&gate, "careful", json!({"type": "s3", "prefixes": ["s3://landing/"]})).await;
    assert_eq!(whole.reason().as_deref(), Some("denied"), "what takes it in is denied");
}

#[tokio::test]
async fn a_query_behind_an_address_stands_in_no_answer_and_on_no_record() {
    let (gate, _druid) = setup().await;
    for (host, status) in
        [("data.example.org", StatusCode::ACCEPTED), ("other.example.org", StatusCode::FORBIDDEN)]
    {
        let uri = format!("https://{host}/a.json?signature=hidden");
        let answer = read(&gate, "loader", json!({"type": "http", "uris": [uri]})).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.text().contains("hidden") || status == StatusCode::ACCEPTED, "{}", answer.text());
    }
    let all = std::fs::read_to_string(gate.path("audit.jsonl")).unwrap();
    assert!(all.contains("https://data.example.org/a.json?…") && !all.contains("hidden"), "{all}");
}

#[tokio::test]
async fn an_explanation_says_how_each_place_stands() {
    let (gate, _druid) = setup().await;
    let body = json!({"query": extern_of(&json!({"type": "s3", "uris": ["s3://landing/eu/a", "gs://b/a"]}))});
    let explain = |role: &'static str, body: serde_json::Value| {
        let asked = gate.post("/_gate/explain", &body).bearer(&gate.token("alice", &[role]));
        async move { asked.send().await.json() }
    };
    let untold = explain("loader", body).await;
    assert_eq!((&untold["verdict"], &untold["needed"][0]["held"]), (&json!("refused"), &json!(false)));
    assert!(untold["needed"][0].get("places").is_none(), "one of them is no place of S3's: {untold}");
    let body = json!({"query": extern_of(&json!({"type": "s3", "uris": ["s3://landing/eu/a"]}))});
    let told = explain("loader", body).await;
    assert_eq!(told["verdict"], "allowed");
    assert_eq!(
        told["needed"][0]["places"],
        json!([{"permission": "READ EXTERNAL s3://landing/eu/a", "held": true}])
    );
}
