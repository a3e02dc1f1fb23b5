//! The JSON Schema of proxy.toml, for editors (`msq-gate check --schema`)
//!
//! From the table of keys: what is a fault to the one is a fault to the other, as far as a schema can say.

use serde_json::{Map, Value, json};

use super::keys::{Fallback, KEYS, Key, of_section};

/// The schema (draft 2020-12)
pub fn schema() -> Value {
    let mut tables = Map::new();
    for section in ["listen", "admin", "upstream", "rules", "limits", "audit", "durable_storage"] {
        tables.insert(section.to_owned(), table(section));
    }
    tables.insert("issuers".to_owned(), json!({"type": "array", "minItems": 1, "items": table("issuers")}));
    tables.insert("roles".to_owned(), json!({"type": "object", "additionalProperties": table("roles.*")}));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "msq-gate proxy.toml",
        "type": "object",
        "additionalProperties": false,
        "required": ["listen", "upstream", "issuers"],
        "properties": tables,
    })
}

fn table(section: &str) -> Value {
    let properties: Map<_, _> = of_section(section).map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = KEYS
        .iter()
        .filter(|key| key.section == section && key.default == Fallback::Required)
        .map(|key| key.name)
        .collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn property(key: &Key) -> Value {
    let mut property = shape(key);
    if let Value::Object(members) = &mut property {
        members.insert("description".to_owned(), json!(key.meaning));
        if let Some(default) = default(key) {
            members.insert("default".to_owned(), default);
        }
    }
    property
}

fn default(key: &Key) -> Option<Value> {
    match key.default {
        // Strings, numbers and switches are written alike in TOML and JSON.
        Fallback::Value(toml) => serde_json::from_str(toml).ok(),
        Fallback::Required | Fallback::Unset => None,
    }
}

fn shape(key: &Key) -> Value {
    let strings = || json!({"type": "array", "items": {"type": "string"}});
    match (key.section, key.name) {
        ("listen", "address")
        | ("upstream", "url")
        | ("issuers", "audience_claim" | "identity_claim" | "roles_claim") => {
            json!({"oneOf": [{"type": "string"}, strings()]})
        }
        ("listen", "proxy_protocol_from") | ("issuers", "audiences" | "roles") | ("roles.*", _) => strings(),
        ("issuers", "algorithms") => {
            let known = crate::authenticate::Algorithm::ALL.map(crate::authenticate::Algorithm::as_str);
            json!({"type": "array", "items": {"enum": known}})
        }
        ("issuers", "roles_claim_required") => json!({"type": "boolean"}),
        ("rules", "cancel") => json!({"enum": ["read", "write", "owner"]}),
        ("rules", "select_tasks") => json!({"enum": ["shared", "owner"]}),
        ("rules", "metadata") => json!({"enum": ["state", "open"]}),
        ("rules", "raw_query_controller") => json!({"enum": ["deny"]}),
        ("rules", "task_inputs") => json!({"enum": ["external", "druid"]}),
        ("rules", "lookups") => json!({"enum": ["open", "granted"]}),
        ("rules", "refusal_detail") => json!({"enum": ["code", "missing", "full"]}),
        ("rules", "verify") => json!({"enum": ["off", "watch", "require"]}),
        _ => match default(key) {
            Some(Value::Bool(_)) => json!({"type": "boolean"}),
            Some(Value::Number(_)) => json!({"type": "integer", "minimum": 0}),
            _ => json!({"type": "string"}),
        },
    }
}
