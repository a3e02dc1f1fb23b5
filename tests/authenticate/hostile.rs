//! The catalogue's groups `tokens` and `clock`, in process
//!
//! A refusal counts as 401. An identity counts as 202 where a policy that lets only Alice the writer in would
//! let it in, else as 403. What needs a real server is listed as skipped, with the reason.

use msq_gate::authenticate::{ClaimPath, Identity, IssuerSettings};
use serde_json::{Value, json};

use crate::fixture::{Fixture, NOW, authorization, settings, shared, time};
use crate::issuer::jwks;
use crate::recipe::{Here, ISSUER, OTHER_ISSUER, Recipe, cast, strange_jwk};

/// Nothing is asked of anybody in process, so no port is watched
const HERE: Here = Here { now: NOW, trap_port: 1 };

#[test]
fn every_hostile_token_gets_one_of_its_statuses() {
    let Some(catalogue) = shared("corpus/hostile-http.jsonl") else { return };
    let (mut run, mut skipped, mut wrong) = (0, Vec::new(), Vec::new());
    for row in catalogue.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let statuses = match (row["group"].as_str(), row["id"].as_str().unwrap()) {
            (Some("tokens"), "tk-timing") => {
                skipped.push("tk-timing: played over the wire by tests/journey/authenticates.rs");
                continue;
            }
            (Some("tokens"), _) => token_statuses(&row),
            (Some("clock"), id) => clock_statuses(id),
            _ => continue,
        };
        run += 1;
        let allowed = row["expect"]["status"].as_array().unwrap();
        if statuses.is_empty() || !statuses.iter().all(|status| allowed.contains(&json!(status))) {
            wrong.push(format!("{} ({}): {statuses:?}, not {allowed:?}", row["id"], row["what"]));
        }
    }
    eprintln!("hostile tokens and clocks: {run} run, {} skipped {skipped:?}", skipped.len());
    assert!(wrong.is_empty(), "{} of {run} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((run, skipped.len()), (112, 1));
}

fn token_statuses(row: &Value) -> Vec<u16> {
    let mut settings = policy_settings();
    if row["id"] == "tk-perm-dotted" {
        // The row is about a `roles_claim` of these very letters.
        settings.roles_claim = ClaimPath::parse("a.b").unwrap();
    }
    let fixture = gate(settings, &row["token"]);
    let recipe = &row["token"];
    if recipe["sequence"].is_array() {
        let good = Recipe::new(&json!({}), HERE).token();
        assert_eq!(status(&fixture, &good, NOW), 202);
        return vec![status(
            &fixture,
            &Recipe::new(&json!({"payload_b64": "tamper_sub_admin"}), HERE).token(),
            NOW,
        )];
    }
    let token = Recipe::new(recipe, HERE).token();
    let times = recipe["repeat"].as_u64().unwrap_or(1);
    (0..times).map(|_| status(&fixture, &token, NOW)).collect()
}

fn clock_statuses(id: &str) -> Vec<u16> {
    let fixture = gate(policy_settings(), &Value::Null);
    let good = Recipe::new(&json!({}), HERE).token();
    match id {
        "ck-drift-61" => {
            let ahead = Recipe::new(&json!({"claims": {"set": {"nbf": NOW + 61}}}), HERE).token();
            vec![status(&fixture, &ahead, NOW)]
        }
        // The clock says one second twice, or does not move.
        "ck-leap" => [NOW, NOW + 1, NOW].map(|now| status(&fixture, &good, now)).to_vec(),
        "ck-frozen" => [NOW, NOW, NOW].map(|now| status(&fixture, &good, now)).to_vec(),
        // Accepted before the machine slept, and asked again after an hour.
        "ck-suspend" => {
            assert_eq!(status(&fixture, &good, NOW), 202);
            vec![status(&fixture, &good, NOW + 3600)]
        }
        _ => Vec::new(),
    }
}

fn policy_settings() -> IssuerSettings {
    settings(ISSUER)
}

/// A gate that trusts two issuers; the recipe may have put a strange key into the set of the first
fn gate(first: IssuerSettings, recipe: &Value) -> Fixture {
    let fixture = Fixture::without_keys(vec![first, settings(OTHER_ISSUER)]);
    let cast = cast();
    let mut keys = vec![cast.main.jwk(), cast.alias.jwk(), cast.es.jwk()];
    keys.extend(strange_jwk(recipe["key"].as_str().unwrap_or_default()));
    fixture.load(ISSUER, &jwks(&keys));
    fixture.load(OTHER_ISSUER, &cast.other.jwks());
    fixture
}

fn status(fixture: &Fixture, token: &str, now: u64) -> u16 {
    let Some(headers) = authorization(&format!("Bearer {token}")) else { return 400 };
    match fixture.authenticator.authenticate(&headers, time(now)) {
        Err(_) => 401,
        Ok(identity) if is_alice_the_writer(&identity) => 202,
        Ok(_) => 403,
    }
}

fn is_alice_the_writer(identity: &Identity) -> bool {
    identity.issuer() == ISSUER
        && identity.subject() == "alice"
        && identity.claimed_roles().iter().any(|role| role == "writer")
}
