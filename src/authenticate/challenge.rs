//! How a caller is told to sign in: the values of `WWW-Authenticate` (RFC 6750 section 3, RFC 7617)

use super::bearer::BasicToken;
use super::error::AuthenticationError;

/// The challenges that go with an error, one a header line
///
/// Without a token there is no error attribute, as RFC 6750 asks. Where the issuer's keys are missing there
/// is no challenge at all: another token would not help.
pub(super) fn challenges(error: &AuthenticationError, basic: BasicToken) -> Vec<String> {
    if matches!(error, AuthenticationError::KeysUnavailable { .. }) {
        return Vec::new();
    }
    let is_silent = *error == AuthenticationError::NoToken;
    let bearer = if is_silent { r#"Bearer realm="msq-gate""#.to_owned() } else { invalid_token(error) };
    match basic {
        BasicToken::Accepted => vec![bearer, r#"Basic realm="msq-gate", charset="UTF-8""#.to_owned()],
        BasicToken::Refused => vec![bearer],
    }
}

fn invalid_token(error: &AuthenticationError) -> String {
    let description: String = error.to_string().chars().map(describable).collect();
    format!(r#"Bearer realm="msq-gate", error="invalid_token", error_description="{description}""#)
}

/// RFC 6750 allows printable ASCII but the quote and the backslash
fn describable(character: char) -> char {
    match character {
        '"' | '\\' => '\'',
        ' '..='~' => character,
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::error::KEYS_RETRY;
    use crate::authenticate::unverified::Unverified;

    #[test]
    fn each_scheme_has_its_own_line_and_only_a_bad_token_an_error() {
        let none = challenges(&AuthenticationError::NoToken, BasicToken::Accepted);
        assert_eq!(none, [r#"Bearer realm="msq-gate""#, r#"Basic realm="msq-gate", charset="UTF-8""#]);
        let expired = challenges(&AuthenticationError::Expired, BasicToken::Refused);
        let description = "the token has expired; get a new one";
        let expected = r#"Bearer realm="msq-gate", error="invalid_token", error_description=""#;
        assert_eq!(expired, [format!("{expected}{description}\"")]);
    }

    #[test]
    fn missing_keys_challenge_nobody() {
        let error = AuthenticationError::unavailable("i", KEYS_RETRY);
        assert!(challenges(&error, BasicToken::Accepted).is_empty());
    }

    #[test]
    fn a_description_cannot_end_its_quotes() {
        let (claim, found) = ("aud".to_owned(), Unverified::of(None));
        let error = AuthenticationError::Audience { claim, audiences: "a\", x=\\\"é\r\n".to_owned(), found };
        let challenge = challenges(&error, BasicToken::Refused).join("");
        assert!(challenge.ends_with("a', x=''???\""), "{challenge}");
    }
}
