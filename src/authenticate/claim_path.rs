//! Where a claim stands: a dotted path into the token's claims

use std::fmt;

use serde_json::{Map, Value};

/// The place of a claim, such as `sub` or `realm_access.roles`
///
/// Dots reach into objects. A name with `://` in it is a single name: collision-resistant claim names are
/// URLs (RFC 7519 section 4.2), and their dots reach nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    names: Vec<String>,
}

/// What stands at a path
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// A value
    Value(&'a Value),
    /// Nothing: the last object on the way has no such member
    Nothing,
    /// The way is barred: something on it is no object
    Barred,
}

impl ClaimPath {
    /// The path that a text spells; none where a name is empty
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<String> = if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        let complete = names.iter().all(|name| !name.is_empty());
        complete.then(|| Self { text: text.to_owned(), names })
    }

    /// What stands there
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Found<'a> {
        let mut names = self.names.iter();
        let mut found = names.next().and_then(|name| claims.get(name));
        for name in names {
            let Some(value) = found else { return Found::Nothing };
            let Some(object) = value.as_object() else { return Found::Barred };
            found = object.get(name);
        }
        found.map_or(Found::Nothing, Found::Value)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str, claims: &Value) -> Option<Value> {
        match ClaimPath::parse(path).unwrap().find(claims.as_object().unwrap()) {
            Found::Value(value) => Some(value.clone()),
            Found::Nothing | Found::Barred => None,
        }
    }

    #[test]
    fn dots_reach_into_objects_and_never_name_a_claim_with_dots() {
        let nested = serde_json::json!({"a": {"b": 1}, "x.y": 2, "sub": 3});
        assert_eq!(find("a.b", &nested), Some(1.into()));
        assert_eq!(find("sub", &nested), Some(3.into()));
        assert_eq!(find("x.y", &nested), None);
        assert_eq!(find("a.c", &nested), None);
        assert_eq!(find("sub.b", &nested), None);
    }

    #[test]
    fn a_url_is_one_name() {
        let claims = serde_json::json!({"https://id.example.org/roles": ["a"]});
        assert_eq!(find("https://id.example.org/roles", &claims), Some(serde_json::json!(["a"])));
    }

    #[test]
    fn a_path_with_an_empty_name_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(ClaimPath::parse(text), None, "{text}");
        }
    }
}
