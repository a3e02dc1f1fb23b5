//! The JSON Schema of proxy.toml, for editors (`msq-gate check --schema`)
//!
//! From the table of keys: what is a fault to the one is a fault to the other, as far as a schema can say.

use serde_json::{Map, Value, json};

use super::keys::{Fallback, Key, Kind, of_section};
use crate::authenticate::Algorithm;

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
    let required = of_section(section).filter(|key| key.default == Fallback::Required);
    let required: Vec<_> = required.map(|key| key.name).collect();
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
    match key.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Texts => strings(),
        Kind::TextOrTexts => json!({"oneOf": [{"type": "string"}, strings()]}),
        Kind::Algorithms => {
            json!({"type": "array", "items": {"enum": Algorithm::ALL.map(Algorithm::as_str)}})
        }
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Word(words) => json!({"enum": words}),
    }
}
