//! What an unverified token says, for operators alone
//!
//! Where two values do not match, an operator needs both: the log and the audit record tell them, answers do not.

use std::fmt;

use serde_json::Value;

/// A value out of a token that nobody has verified: cut, and never a token itself
#[derive(Clone, PartialEq, Eq)]
pub struct Unverified(String);

/// Two values that should have matched
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What they are of: `iss`, `aud`, `kid`
    pub claim: String,
    /// What is configured, or known
    pub wanted: Vec<String>,
    /// What the token says
    pub found: Unverified,
}

impl Unverified {
    /// This value, or that there is none
    pub(super) fn of(value: Option<&Value>) -> Self {
        match value {
            None => Self("(absent)".to_owned()),
            Some(Value::String(text)) => Self::text(text),
            Some(other) => Self::text(&other.to_string()),
        }
    }

    /// This text
    pub(super) fn text(text: &str) -> Self {
        // Whatever holds the beginning of a JWS may be one.
        if text.contains("eyJ") {
            return Self("(a token)".to_owned());
        }
        Self(text.chars().take(MOST).collect())
    }

    /// The value, for the log and the record
    pub fn for_operators(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[unverified]")
    }
}

/// The most characters of a value that are kept
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_for_operators_and_a_token_is_not() {
        assert_eq!(Unverified::of(Some(&"https://id".into())).for_operators(), "https://id");
        assert_eq!(Unverified::of(Some(&serde_json::json!(["a", 1]))).for_operators(), "[\"a\",1]");
        assert_eq!(Unverified::of(None).for_operators(), "(absent)");
        for token in ["eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA"] {
            assert_eq!(Unverified::text(token).for_operators(), "(a token)");
        }
        assert_eq!(Unverified::text(&"x".repeat(9_999)).for_operators().len(), MOST);
        assert_eq!(format!("{:?}", Unverified::text("x")), "[unverified]");
    }
}
