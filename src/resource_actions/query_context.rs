//! The query context: what its keys need (Druid's `druid.auth.authorizeQueryContextParams`), how its values are read

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::{ContextKeys, Rules};
use super::submit::Submit;
use crate::druid::json;
use crate::druid::{ResourceAction, ResourceType};

/// A key of the query context and its value, as `SET key = literal` gives it
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key
    pub key: String,
    /// Its value
    pub value: ContextValue,
}

impl Setting {
    /// How many bytes it keeps
    pub fn bytes(&self) -> usize {
        let text = if let ContextValue::Text(text) = &self.value { text.len() } else { 0 };
        self.key.len() + text
    }
}

/// A value of the query context, as far as the gate reads it
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextValue {
    /// True or false
    Boolean(bool),
    /// A string
    Text(String),
    /// Null, a number, or anything else
    Other,
}

impl ContextValue {
    /// The value that is written in JSON
    pub fn of_json(text: &str) -> Self {
        // Without any depth: what holds other values is no boolean and no word.
        match json::parse(text.as_bytes(), 0) {
            Ok(Value::Bool(value)) => Self::Boolean(value),
            Ok(Value::String(text)) => Self::Text(text),
            Ok(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | Err(_) => Self::Other,
        }
    }

    /// As a boolean (`QueryContext.getBoolean`); `None` where Druid refuses it, or takes its default
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Text(text) => Some(text.eq_ignore_ascii_case("true")),
            Self::Other => None,
        }
    }

    /// Whether it names this constant of an enum of Druid's (`QueryContexts.getAsEnum`: any case, any alphabet's)
    pub fn names(&self, constant: &str) -> bool {
        matches!(self, Self::Text(text) if text.to_uppercase() == constant)
    }
}

/// The id under which a statement runs, where it brings one: by the last `SET`, or else beside the statement
pub(super) fn query_id(submit: &Submit, settings: &[Setting]) -> Option<String> {
    const KEY: &str = "sqlQueryId";
    let set = settings.iter().rfind(|setting| setting.key == KEY).map(|setting| setting.value.clone());
    match set.or_else(|| submit.context_value(KEY).map(ContextValue::of_json)) {
        Some(ContextValue::Text(id)) => Some(id),
        Some(ContextValue::Boolean(_) | ContextValue::Other) | None => None,
    }
}

/// Keys that Druid never asks for (`AuthConfig.ALLOWED_CONTEXT_KEYS`)
const UNSECURED_KEYS: [&str; 3] = ["dartQueryId", "sqlQueryId", "sqlStringifyArrays"];

/// What bringing these context keys needs, beside the statement or by `SET`
pub fn resource_actions<Key: AsRef<str>>(keys: &[Key], rules: &Rules) -> BTreeSet<ResourceAction> {
    keys.iter().filter_map(|key| of_key(key.as_ref(), rules)).collect()
}

pub(super) fn of_key(key: &str, rules: &Rules) -> Option<ResourceAction> {
    let asks = rules.context_keys == ContextKeys::Authorized && !UNSECURED_KEYS.contains(&key);
    asks.then(|| ResourceAction::write(ResourceType::QueryContext, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_druid_reads_them() {
        for (json, boolean) in [
            ("true", Some(true)),
            ("false", Some(false)),
            (r#""TRUE""#, Some(true)),
            (r#""tr\u0075e""#, Some(true)),
            (r#""true ""#, Some(false)),
            (r#""yes""#, Some(false)),
            ("null", None),
            ("1", None),
            ("1e999", None),
            ("[true]", None),
            (r#"{"$serde_json::private::RawValue":"true"}"#, None),
            (r#"{"$serde_json::private::Number":"1"}"#, None),
        ] {
            assert_eq!(ContextValue::of_json(json).boolean(), boolean, "{json}");
        }
        let names = |text: &str| ContextValue::Text(text.to_owned()).names("DURABLESTORAGE");
        for text in ["durableStorage", "DURABLESTORAGE", "durable\u{17f}torage", "durable\u{fb06}orage"] {
            assert!(names(text), "{text}");
        }
        for text in ["durableStorage ", "durable_storage", "taskReport", ""] {
            assert!(!names(text), "{text}");
        }
        assert!(
            !ContextValue::Boolean(true).names("TRUE"),
            "no constant that the gate asks for is a boolean's"
        );
    }

    #[test]
    fn keys_ask_where_the_rules_say_so_but_for_those_anybody_may_set() {
        let authorized = Rules { context_keys: ContextKeys::Authorized, ..Rules::default() };
        assert_eq!(of_key("timeout", &Rules::default()), None);
        assert_eq!(of_key("timeout", &authorized).unwrap().sentence(), "WRITE QUERY_CONTEXT timeout");
        assert_eq!(of_key("sqlQueryId", &authorized), None);
    }

    #[test]
    fn a_context_key_needs_write_only_where_keys_are_authorized() {
        let keys = ["timeout", "sqlQueryId"];
        assert!(resource_actions(&keys, &Rules::default()).is_empty());
        let rules = Rules { context_keys: ContextKeys::Authorized, ..Rules::default() };
        let needs = resource_actions(&keys, &rules);
        let sentences: Vec<_> = needs.iter().map(ResourceAction::sentence).collect();
        assert_eq!(sentences, ["WRITE QUERY_CONTEXT timeout"]);
    }
}
