//! A token's header: which algorithm and key it says it is signed with
//!
//! Whatever would change how the token is read is refused; whatever else stands there is ignored, keys and
//! addresses of keys above all.

use serde_json::{Map, Value};

use super::error::MalformedToken;
use super::jws::object;

/// What is used of a header
pub(super) struct TokenHeader {
    pub(super) algorithm: String,
    pub(super) kid: Option<String>,
}

impl TokenHeader {
    pub(super) fn read(encoded: &str) -> Result<Self, MalformedToken> {
        let header = object(encoded, "header")?;
        if let Some(name) = UNSUPPORTED.into_iter().find(|name| header.contains_key(*name)) {
            return Err(MalformedToken::Unsupported(name));
        }
        check_type(&header)?;
        let algorithm = text(&header, "alg")?.ok_or(MalformedToken::NotAString("alg"))?;
        Ok(Self { algorithm, kid: text(&header, "kid")? })
    }
}

/// RFC 8725 section 3.11: one kind of token is not taken for another
fn check_type(header: &Map<String, Value>) -> Result<(), MalformedToken> {
    let is_access_token = |named: String| TYPES.iter().any(|name| named.eq_ignore_ascii_case(name));
    let is_fine = text(header, "typ")?.is_none_or(is_access_token);
    if is_fine { Ok(()) } else { Err(MalformedToken::OtherType) }
}

fn text(header: &Map<String, Value>, name: &'static str) -> Result<Option<String>, MalformedToken> {
    let text = header.get(name).map(|value| value.as_str().map(str::to_owned));
    text.map(|text| text.ok_or(MalformedToken::NotAString(name))).transpose()
}

/// Extensions one must understand, unencoded payloads, and compression
const UNSUPPORTED: [&str; 3] = ["crit", "b64", "zip"];

const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn read(header: &str) -> Result<TokenHeader, MalformedToken> {
        TokenHeader::read(&URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn algorithm_and_kid_are_read_and_strange_parameters_ignored() {
        let header = read(r#"{"alg":"RS256","kid":"k","jku":"http://x","x5c":[1],"jwk":{},"n":5}"#).unwrap();
        assert_eq!((header.algorithm.as_str(), header.kid.as_deref()), ("RS256", Some("k")));
        for typ in ["JWT", "jwt", "at+JWT", "application/AT+jwt"] {
            assert!(read(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#)).is_ok(), "{typ}");
        }
    }

    #[test]
    fn a_header_that_changes_how_the_token_is_read_is_refused() {
        for header in [
            r#"{"alg":"RS256","crit":["exp"]}"#,
            r#"{"alg":"RS256","crit":null}"#,
            r#"{"alg":"RS256","b64":true}"#,
            r#"{"alg":"RS256","zip":"DEF"}"#,
            r#"{"alg":"RS256","typ":"dpop+jwt"}"#,
            r#"{"alg":"RS256","typ":null}"#,
            r#"{"alg":"RS256","kid":1}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"kid":"k"}"#,
            r#"{"alg":"none","alg":"RS256"}"#,
            r#"{"alg":"RS256"} x"#,
            "[]",
            "x",
            "",
        ] {
            assert!(read(header).is_err(), "{header}");
        }
    }
}
