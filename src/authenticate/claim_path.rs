//! Where a claim stands: a dotted path into the token's claims, or a list of names

use std::fmt;

use serde_json::{Map, Value};

/// The place of a claim, such as `sub`, `realm_access.roles` or `["resource_access", "my.app", "roles"]`
///
/// Dots reach into objects. A name with `://` in it is a single name: collision-resistant claim names are
/// URLs (RFC 7519 section 4.2), and their dots reach nowhere. The names of a list are taken as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    names: Vec<String>,
}

/// Why a text or a list is no place of a claim
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPathFault {
    /// A name is empty, or there is none
    #[error("names no claim; write its name, a dotted path, or a list of names")]
    EmptyName,
    /// The spelling of another language of paths, with which no claim would ever be found
    #[error(
        "would never be found: `{0}` cannot stand in a dotted path; write the names as a list, such as \
         [\"resource_access\", \"my.app\", \"roles\"]"
    )]
    Spelling(char),
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
    /// The path that a text spells
    ///
    /// # Errors
    ///
    /// Where a name is empty, or where it is spelt as JSONPath, a JSON pointer or with quotes.
    pub fn parse(text: &str) -> Result<Self, ClaimPathFault> {
        if let Some(odd) = foreign(text) {
            return Err(ClaimPathFault::Spelling(odd));
        }
        let names: Vec<String> = if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        Self::complete(text.to_owned(), names)
    }

    /// The path of these names, each as it is
    ///
    /// # Errors
    ///
    /// Where there is no name, or an empty one.
    pub fn of_names(names: Vec<String>) -> Result<Self, ClaimPathFault> {
        Self::complete(format!("{names:?}"), names)
    }

    fn complete(text: String, names: Vec<String>) -> Result<Self, ClaimPathFault> {
        let complete = !names.is_empty() && names.iter().all(|name| !name.is_empty());
        if complete { Ok(Self { text, names }) } else { Err(ClaimPathFault::EmptyName) }
    }

    /// The name of the claim itself, whatever stands inside it
    pub fn claim(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Puts a value there, with the objects that lead to it
    pub(super) fn put(&self, claims: &mut Map<String, Value>, value: Value) {
        let Some((last, way)) = self.names.split_last() else { return };
        let mut place = claims;
        for name in way {
            let next = place.entry(name).or_insert_with(|| Value::Object(Map::new()));
            let Some(object) = next.as_object_mut() else { return };
            place = object;
        }
        place.insert(last.clone(), value);
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

/// A character that only another language of paths has: `$.a`, `a[0]`, `/a/b`, `"a"`, `a.*`
fn foreign(text: &str) -> Option<char> {
    let leading = text.chars().next().filter(|first| matches!(first, '/' | '$' | '#' | '@'));
    let blank = |edge: Option<char>| edge.filter(|edge| edge.is_whitespace());
    leading
        .or_else(|| {
            text.chars().find(|character| r#"[]{}"'\*"#.contains(*character) || character.is_control())
        })
        .or_else(|| blank(text.chars().next()))
        .or_else(|| blank(text.chars().last()))
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
            assert_eq!(ClaimPath::parse(text), Err(ClaimPathFault::EmptyName), "{text}");
        }
        assert_eq!(ClaimPath::of_names(Vec::new()), Err(ClaimPathFault::EmptyName));
        assert_eq!(ClaimPath::of_names(vec!["a".to_owned(), String::new()]), Err(ClaimPathFault::EmptyName));
    }

    #[test]
    fn a_list_names_what_dots_and_brackets_cannot() {
        let claims = serde_json::json!({"resource_access": {"my.app": {"roles": ["a"]}}, "a[0]": 1});
        let find = |names: &[&str]| {
            let path = ClaimPath::of_names(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
            matches!(path.find(&claims.as_object().cloned().unwrap()), Found::Value(_))
        };
        assert!(find(&["resource_access", "my.app", "roles"]));
        assert!(find(&["a[0]"]));
        assert!(!find(&["resource_access", "my", "app", "roles"]));
    }

    #[test]
    fn a_path_of_another_language_is_refused() {
        for text in
            ["realm_access.roles", "cognito:groups", "custom:role", "a b", "a/b", "https://x.org/roles"]
        {
            assert!(ClaimPath::parse(text).is_ok(), "{text}");
        }
        for text in [
            "resource_access[\"my.app\"].roles",
            "resource_access['x'].roles",
            "$.roles",
            "/realm_access/roles",
            "#/roles",
            "@.roles",
            "roles[0]",
            "roles[*]",
            "realm_access.*",
            "\"roles\"",
            "my\\.app",
            "{roles}",
            " roles",
            "roles ",
            "ro\nles",
        ] {
            assert!(matches!(ClaimPath::parse(text), Err(ClaimPathFault::Spelling(_))), "{text}");
        }
    }
}
