//! Tokens in the shape that real issuers give them, each with a configuration for it and what becomes of it
//!
//! The policy has a role with denies, so an absent roles claim is refused where the configuration says nothing else.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use msq_gate::authenticate::{Authenticator, KeySet, KeyStore, Settings};
use msq_gate::config::{Config, Located};
use serde_json::{Value, json};

use crate::fixture::{NOW, authorization, time};
use crate::issuer::TestKey;

/// Whose token, the lines of its `[[issuers]]`, its claims but for the times, and what becomes of it:
/// `identity [roles]`, a reason code, or `fault` and a part of what `check` says
struct Shape(&'static str, &'static str, &'static str, &'static str);

const KEYCLOAK: &str = r#""iss":"https://kc.test/realms/data","sub":"4c9a","azp":"superset","sid":"9a0f","acr":"1","scope":"openid email profile","preferred_username":"alice","realm_access":{"roles":["offline_access","analyst"]},"resource_access":{"druid":{"roles":["viewer"]},"my.app":{"roles":["viewer"]}}"#;
const ENTRA_2: &str = r#""iss":"https://login.test/7f3b/v2.0","aud":"6e74172b","azp":"8a3c","azpacr":"1","idp":"x","oid":"690222be","preferred_username":"alice@corp.test","scp":"access_as_user","sub":"HKZ","tid":"7f3b","uti":"f2","ver":"2.0""#;
const ENTRA_1: &str = r#""iss":"https://sts.test/7f3b/","aud":"api://druid","acr":"1","aio":"A","amr":["pwd"],"appid":"8a3c","appidacr":"0","oid":"690222be","scp":"access_as_user","sub":"HKZ","tid":"7f3b","unique_name":"alice@corp.test","upn":"alice@corp.test","ver":"1.0""#;
const OKTA: &str = r#""ver":1,"jti":"AT.0mP","iss":"https://okta.test/oauth2/default","aud":"api://druid","cid":"nmdP1","uid":"00uid4","scp":["openid","druid"],"auth_time":1899999000,"sub":"alice@corp.test""#;
const AUTH0: &str = r#""iss":"https://corp.auth0.test/","sub":"auth0|123","aud":["https://druid.corp.test","https://corp.auth0.test/userinfo"],"azp":"my_client_id","scope":"openid profile""#;
const COGNITO: &str = r#""sub":"aaaa-bbbb","device_key":"aaaa","cognito:groups":["analyst"],"iss":"https://cognito-idp.eu-1.test/eu-1_EX","version":2,"client_id":"xxexample","origin_jti":"a","event_id":"b","scope":"aws.cognito.signin.user.admin","auth_time":1899999000,"username":"alice""#;
const GOOGLE: &str = r#""iss":"https://accounts.google.test","azp":"3255.apps","aud":"3255.apps","sub":"1076","hd":"corp.test","email":"alice@corp.test","email_verified":true"#;
const KUBERNETES: &str = r#""aud":["druid"],"iss":"https://kubernetes.default.svc.cluster.test","jti":"ea28","kubernetes.io":{"namespace":"etl","node":{"name":"n1"},"pod":{"name":"loader-0","uid":"5f"},"serviceaccount":{"name":"loader","uid":"14"},"warnafter":1900003000},"sub":"system:serviceaccount:etl:loader""#;

const KC: &str =
    "audiences = [\"druid\"]\nidentity_claim = \"preferred_username\"\nroles_claim = \"realm_access.roles\"";
const ENTRA: &str =
    "audiences = [\"6e74172b\", \"api://druid\"]\nidentity_claim = \"oid\"\nroles_claim = \"groups\"";

const SHAPES: &[Shape] = &[
    Shape(
        "Keycloak access",
        KC,
        r#"KEYCLOAK,"typ":"Bearer","aud":["druid","account"]"#,
        "alice [offline_access analyst]",
    ),
    Shape(
        "Keycloak access of a client role",
        "audiences = [\"druid\"]\nroles_claim = \"resource_access.druid.roles\"",
        r#"KEYCLOAK,"typ":"Bearer","aud":"druid""#,
        "4c9a [viewer]",
    ),
    Shape(
        "Keycloak access of a client whose name has a dot",
        "audiences = [\"druid\"]\nroles_claim = [\"resource_access\", \"my.app\", \"roles\"]",
        r#"KEYCLOAK,"typ":"Bearer","aud":"druid""#,
        "4c9a [viewer]",
    ),
    Shape(
        "the same with dots alone: the claim is not there",
        "audiences = [\"druid\"]\nroles_claim = \"resource_access.my.app.roles\"",
        r#"KEYCLOAK,"typ":"Bearer","aud":"druid""#,
        "token_claims",
    ),
    Shape(
        "the same with brackets",
        "audiences = [\"druid\"]\nroles_claim = \"resource_access[my.app].roles\"",
        "KEYCLOAK",
        "fault: issuers.roles_claim: would never be found: `[`",
    ),
    Shape(
        "the same as a JSON pointer",
        "audiences = [\"druid\"]\nroles_claim = \"/resource_access/my.app/roles\"",
        "KEYCLOAK",
        "fault: issuers.roles_claim: would never be found: `/`",
    ),
    Shape(
        "Keycloak access without an audience mapper",
        KC,
        r#"KEYCLOAK,"typ":"Bearer","aud":"account""#,
        "token_audience",
    ),
    Shape(
        "the same by its client",
        "audiences = [\"superset\"]\naudience_claim = \"azp\"\nroles_claim = \"realm_access.roles\"",
        r#"KEYCLOAK,"typ":"Bearer""#,
        "4c9a [offline_access analyst]",
    ),
    Shape(
        "Keycloak access of an older version, with a nonce",
        KC,
        r#"KEYCLOAK,"typ":"Bearer","aud":"druid","nonce":"n","session_state":"9a0f""#,
        "alice [offline_access analyst]",
    ),
    Shape(
        "Keycloak access bound by DPoP",
        KC,
        r#"KEYCLOAK,"typ":"DPoP","aud":"druid","cnf":{"jkt":"0Z"}"#,
        "alice [offline_access analyst]",
    ),
    Shape(
        "Keycloak lightweight access, without roles",
        KC,
        r#""iss":"https://kc.test/realms/data","sub":"4c9a","typ":"Bearer","aud":"druid","azp":"superset","preferred_username":"alice""#,
        "token_claims",
    ),
    Shape(
        "Keycloak ID",
        KC,
        r#"KEYCLOAK,"typ":"ID","aud":"druid","at_hash":"h","nonce":"n""#,
        "malformed_token",
    ),
    Shape(
        "Keycloak refresh",
        KC,
        r#""iss":"https://kc.test/realms/data","aud":"https://kc.test/realms/data","sub":"4c9a","typ":"Refresh","azp":"superset","sid":"9a0f","scope":"openid""#,
        "malformed_token",
    ),
    Shape("Keycloak offline", KC, r#"KEYCLOAK,"typ":"Offline","aud":"druid""#, "malformed_token"),
    Shape(
        "Keycloak logout",
        KC,
        r#""iss":"https://kc.test/realms/data","aud":"druid","sub":"4c9a","typ":"Logout","sid":"9a0f","events":{"http://schemas.openid.net/event/backchannel-logout":{},"https://kc.test/revoke":true}"#,
        "malformed_token",
    ),
    Shape("Entra v2 access", ENTRA, r#"ENTRA_2,"groups":["analyst","c0ffee"]"#, "690222be [analyst c0ffee]"),
    Shape("Entra v2 access of a person in no group", ENTRA, r#"ENTRA_2,"groups":[]"#, "690222be []"),
    Shape("Entra v2 access without the groups claim", ENTRA, "ENTRA_2", "token_claims"),
    Shape(
        "Entra v2 access, overage",
        ENTRA,
        r#"ENTRA_2,"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://graph.test/users/690222be/getMemberObjects"}}"#,
        "token_claims",
    ),
    Shape(
        "Entra v2 access, overage, and absence allowed",
        "audiences = [\"6e74172b\"]\nroles_claim = \"groups\"\nroles_claim_required = false",
        r#"ENTRA_2,"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"x"}}"#,
        "token_claims",
    ),
    Shape("Entra v2 access, implicit flow, overage", ENTRA, r#"ENTRA_2,"hasgroups":true"#, "token_claims"),
    Shape(
        "Entra v2 access by application roles, groups elsewhere",
        "audiences = [\"6e74172b\"]\nidentity_claim = \"preferred_username\"",
        r#"ENTRA_2,"roles":["analyst"],"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"x"}}"#,
        "alice@corp.test [analyst]",
    ),
    Shape(
        "Entra v2 access of an application",
        "audiences = [\"6e74172b\"]\nidentity_claim = \"azp\"",
        r#""iss":"https://login.test/7f3b/v2.0","aud":"6e74172b","azp":"8a3c","azpacr":"1","idtyp":"app","oid":"77","roles":["viewer"],"sub":"77","tid":"7f3b","ver":"2.0""#,
        "8a3c [viewer]",
    ),
    Shape(
        "Entra v2 ID of the hybrid flow",
        ENTRA,
        r#"ENTRA_2,"nonce":"678910","c_hash":"h","groups":[]"#,
        "malformed_token",
    ),
    Shape(
        "Entra v1 access",
        "audiences = [\"api://druid\"]\nidentity_claim = \"upn\"\nroles_claim = \"groups\"",
        r#"ENTRA_1,"groups":["viewer"]"#,
        "alice@corp.test [viewer]",
    ),
    Shape(
        "Entra v1 access, overage",
        "audiences = [\"api://druid\"]\nidentity_claim = \"upn\"\nroles_claim = \"groups\"",
        r#"ENTRA_1,"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://graph.windows.test/7f3b"}}"#,
        "token_claims",
    ),
    Shape(
        "Entra v1 access, expected to be v2",
        "issuer = \"https://login.test/7f3b/v2.0\"\naudiences = [\"api://druid\"]",
        "ENTRA_1",
        "token_issuer",
    ),
    Shape(
        "Okta access",
        "audiences = [\"api://druid\"]\nroles_claim = \"groups\"",
        r#"OKTA,"groups":["Everyone","analyst"]"#,
        "alice@corp.test [Everyone analyst]",
    ),
    Shape(
        "Okta access without the groups scope",
        "audiences = [\"api://druid\"]\nroles_claim = \"groups\"",
        "OKTA",
        "token_claims",
    ),
    Shape(
        "Okta access by scope",
        "audiences = [\"api://druid\"]\nroles_claim = \"scp\"",
        "OKTA",
        "alice@corp.test [openid druid]",
    ),
    Shape(
        "Okta ID",
        "audiences = [\"nmdP1\"]\nroles_claim = \"groups\"",
        r#""sub":"00uid4","ver":1,"iss":"https://okta.test/oauth2/default","aud":"nmdP1","jti":"ID.x","amr":["pwd"],"nonce":"n","at_hash":"h","groups":["analyst"]"#,
        "malformed_token",
    ),
    Shape(
        "Auth0 access",
        "audiences = [\"https://druid.corp.test\"]\nroles_claim = \"https://druid.corp.test/roles\"",
        r#"AUTH0,"https://druid.corp.test/roles":["analyst"]"#,
        "auth0|123 [analyst]",
    ),
    Shape(
        "Auth0 access by permissions",
        "audiences = [\"https://druid.corp.test\"]\nroles_claim = \"permissions\"",
        r#"AUTH0,"permissions":["viewer"]"#,
        "auth0|123 [viewer]",
    ),
    Shape(
        "Auth0 access by scope: one string is one role",
        "audiences = [\"https://druid.corp.test\"]\nroles_claim = \"scope\"",
        "AUTH0",
        "auth0|123 [openid profile]",
    ),
    Shape(
        "Cognito access",
        "audiences = [\"xxexample\"]\naudience_claim = \"client_id\"\nidentity_claim = \"username\"\nroles_claim = \"cognito:groups\"",
        r#"COGNITO,"token_use":"access""#,
        "alice [analyst]",
    ),
    Shape(
        "Cognito access, looked for in `aud`",
        "audiences = [\"xxexample\"]\nroles_claim = \"cognito:groups\"",
        r#"COGNITO,"token_use":"access""#,
        "token_audience",
    ),
    Shape(
        "Cognito ID",
        "audiences = [\"xxexample\"]\nroles_claim = \"cognito:groups\"",
        r#""sub":"aaaa","cognito:groups":["analyst"],"iss":"https://cognito-idp.eu-1.test/eu-1_EX","cognito:username":"alice","aud":"xxexample","event_id":"b","token_use":"id","email":"a@b""#,
        "malformed_token",
    ),
    Shape(
        "Google ID of a service account",
        "audiences = [\"3255.apps\"]\nidentity_claim = \"email\"\nroles_claim_required = false",
        "GOOGLE",
        "alice@corp.test []",
    ),
    Shape(
        "Google ID of a person at a terminal",
        "audiences = [\"3255.apps\"]\nidentity_claim = \"email\"\nroles = []",
        r#"GOOGLE,"at_hash":"h""#,
        "alice@corp.test []",
    ),
    Shape(
        "Google ID of a sign-on in a browser",
        "audiences = [\"3255.apps\"]\nroles = []",
        r#"GOOGLE,"at_hash":"h","nonce":"n""#,
        "malformed_token",
    ),
    Shape(
        "Kubernetes service account",
        "audiences = [\"druid\"]\nroles = []",
        "KUBERNETES",
        "system:serviceaccount:etl:loader []",
    ),
    Shape(
        "Kubernetes service account by its namespace",
        "audiences = [\"druid\"]\nroles_claim = [\"kubernetes.io\", \"namespace\"]",
        "KUBERNETES",
        "system:serviceaccount:etl:loader [etl]",
    ),
    Shape(
        "the same with dots alone",
        "audiences = [\"druid\"]\nroles_claim = \"kubernetes.io.namespace\"",
        "KUBERNETES",
        "token_claims",
    ),
    Shape(
        "GitLab job",
        "audiences = [\"druid\"]\nidentity_claim = \"project_path\"\nroles_claim = \"namespace_path\"",
        r#""iss":"https://gitlab.test","sub":"project_path:etl/load:ref_type:branch:ref:main","aud":"druid","project_path":"etl/load","namespace_path":"etl","ref":"main","ref_protected":"true""#,
        "etl/load [etl]",
    ),
    Shape(
        "GitHub job",
        "audiences = [\"druid\"]\nroles = []",
        r#""iss":"https://token.actions.test","sub":"repo:corp/etl:ref:refs/heads/main","aud":"druid","repository":"corp/etl","ref":"refs/heads/main","workflow":"load""#,
        "repo:corp/etl:ref:refs/heads/main []",
    ),
    Shape(
        "a library's refresh token",
        "audiences = [\"druid\"]",
        r#""iss":"https://app.test","sub":"7","aud":"druid","token_type":"refresh","roles":["analyst"]"#,
        "malformed_token",
    ),
    Shape(
        "a list of claims with an empty name",
        "audiences = [\"druid\"]\nroles_claim = []",
        r#""iss":"https://app.test""#,
        "fault: issuers.roles_claim: names no claim",
    ),
];

fn claims(shape: &Shape) -> Value {
    let common = [
        ("KEYCLOAK", KEYCLOAK),
        ("ENTRA_2", ENTRA_2),
        ("ENTRA_1", ENTRA_1),
        ("OKTA", OKTA),
        ("AUTH0", AUTH0),
        ("COGNITO", COGNITO),
        ("GOOGLE", GOOGLE),
        ("KUBERNETES", KUBERNETES),
    ];
    let text = common.iter().fold(shape.2.to_owned(), |text, (name, claims)| match text.strip_prefix(name) {
        Some(rest) => format!("{claims}{rest}"),
        None => text,
    });
    let mut claims: Value = serde_json::from_str(&format!("{{{text}}}")).unwrap();
    for (name, time) in [("iat", NOW), ("exp", NOW + 300)] {
        claims[name] = json!(time);
    }
    claims
}

fn proxy_toml(shape: &Shape, claims: &Value) -> String {
    let issuer = match shape.1.starts_with("issuer") {
        true => String::new(),
        false => format!("issuer = {}\n", claims["iss"]),
    };
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\ncertificate = \"c\"\nkey = \"k\"\n[upstream]\nurl = \"http://127.0.0.1:1\"\n\
         [[issuers]]\n{issuer}jwks_file = \"j\"\nalgorithms = [\"ES256\"]\n{}\n\
         [roles.viewer]\nmembers = [\"somebody-else\"]\ngrants = [\"READ DATASOURCE a\"]\n\
         [roles.analyst]\nmembers = [\"somebody-else\"]\ngrants = [\"READ DATASOURCE *\"]\ndenies = [\"READ DATASOURCE b\", \"READ DATASOURCE __query_select\"]\n",
        shape.1
    )
}

fn key() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::generate("ES256", "k"))
}

fn outcome(shape: &Shape) -> String {
    let claims = claims(shape);
    let reading = Config::read(&proxy_toml(shape, &claims), Path::new("folder"));
    let Some(config) = reading.config else {
        let fault = reading.findings.first().unwrap();
        return format!("fault: {}", Located { file: "proxy.toml", fault });
    };
    let keys = Arc::new(KeyStore::new());
    let issuers: Vec<_> = config.issuers.into_iter().map(|issuer| issuer.issuer).collect();
    let set = crate::issuer::jwks(&[key().jwk()]);
    keys.put(issuers[0].name(), Arc::new(KeySet::parse(set.as_bytes()).unwrap()));
    let authenticator = Authenticator::new(issuers, keys, Settings::default()).unwrap();
    let headers = authorization(&format!("Bearer {}", key().sign(&claims))).unwrap();
    match authenticator.authenticate(&headers, time(NOW)) {
        Ok(identity) => format!("{} [{}]", identity.subject(), identity.claimed_roles().join(" ")),
        Err(error) => error.reason().to_owned(),
    }
}

#[test]
fn a_real_issuers_token_is_known_or_refused_for_its_own_reason() {
    assert!(SHAPES.len() >= 40, "{}", SHAPES.len());
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let outcome = outcome(shape);
        let is_right = match shape.3.strip_prefix("fault: ") {
            Some(part) => outcome.starts_with("fault: ") && outcome.contains(part),
            None => outcome == shape.3,
        };
        if !is_right {
            wrong.push(format!("{}: {outcome}, expected {}", shape.0, shape.3));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn roles_are_required_just_where_a_role_that_may_be_conferred_has_denies() {
    let token = r#"KUBERNETES,"groups":null"#;
    for (lines, expected) in [
        ("roles = [\"analyst\"]", "token_claims"),
        ("roles = [\"viewer\", \"analyst\"]", "token_claims"),
        ("roles = [\"viewer\"]", "system:serviceaccount:etl:loader []"),
        ("roles = [\"analyst\"]\nroles_claim_required = false", "system:serviceaccount:etl:loader []"),
        ("roles = [\"viewer\"]\nroles_claim_required = true", "token_claims"),
    ] {
        let lines: &'static str = Box::leak(format!("audiences = [\"druid\"]\n{lines}").into_boxed_str());
        assert_eq!(outcome(&Shape("", lines, token, "")), expected, "{lines}");
    }
}
