//! The one token of a request
//!
//! The token is taken out of its header here and not read. Tokens in the query, in a body or in a cookie do
//! not count.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use super::error::CredentialsFault;

/// Whether a token in the password of HTTP Basic counts
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicToken {
    /// It counts as a bearer token; the user name is ignored
    Accepted,
    /// Only `Bearer` counts
    Refused,
}

/// A token as it came, unread and unverified
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

/// What a request brings to say who is asking
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing
    None,
    /// One token
    Token(BearerToken),
    /// Something that is not one token
    Malformed(CredentialsFault),
}

impl Credentials {
    /// Takes the credentials from a request's headers, with at most `limit` bytes of token
    pub fn read(headers: &HeaderMap, basic: BasicToken, limit: usize) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(value), None) => Self::from_value(value, basic, limit),
            (Some(_), Some(_)) => Self::Malformed(CredentialsFault::SeveralHeaders),
        }
    }

    fn from_value(value: &HeaderValue, basic: BasicToken, limit: usize) -> Self {
        match token(value, basic).and_then(|token| BearerToken::new(token, limit)) {
            Ok(token) => Self::Token(token),
            Err(fault) => Self::Malformed(fault),
        }
    }
}

impl BearerToken {
    fn new(token: String, limit: usize) -> Result<Self, CredentialsFault> {
        if token.len() > limit {
            return Err(CredentialsFault::TooLong { limit });
        }
        Ok(Self(token))
    }

    #[cfg(test)]
    pub(super) fn of(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// The token's text, a secret
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

fn token(value: &HeaderValue, basic: BasicToken) -> Result<String, CredentialsFault> {
    let text = value.to_str().map_err(|_| CredentialsFault::NotText)?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start_matches(' ');
    match basic {
        _ if scheme.eq_ignore_ascii_case("bearer") => {
            is_token68(rest).then(|| rest.to_owned()).ok_or(CredentialsFault::NotOneToken)
        }
        BasicToken::Accepted if scheme.eq_ignore_ascii_case("basic") => password(rest),
        BasicToken::Accepted => Err(CredentialsFault::SchemeWithBasic),
        BasicToken::Refused => Err(CredentialsFault::Scheme),
    }
}

/// The password of `user:password`, split at the first colon (RFC 7617)
fn password(encoded: &str) -> Result<String, CredentialsFault> {
    let decoded = STANDARD.decode(encoded).map_err(|_| CredentialsFault::BasicEncoding)?;
    let decoded = String::from_utf8(decoded).map_err(|_| CredentialsFault::BasicEncoding)?;
    let (_user, password) = decoded.split_once(':').ok_or(CredentialsFault::BasicEncoding)?;
    match password {
        "" => Err(CredentialsFault::PasswordEmpty),
        "None" => Err(CredentialsFault::PasswordNone),
        token if is_token68(token) => Ok(token.to_owned()),
        _ => Err(CredentialsFault::PasswordNotAToken),
    }
}

/// RFC 9110's `token68`: what may follow a scheme as a whole
fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    !unpadded.is_empty()
        && unpadded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], basic: BasicToken) -> Credentials {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Credentials::read(&headers, basic, 40)
    }

    fn basic(text: &[u8]) -> Credentials {
        read(&[&format!("Basic {}", STANDARD.encode(text))], BasicToken::Accepted)
    }

    fn taken(token: &str) -> Credentials {
        Credentials::Token(BearerToken::of(token))
    }

    #[test]
    fn a_bearer_token_is_taken_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"] {
            assert_eq!(read(&[value], BasicToken::Refused), taken("a.b.c"), "{value}");
        }
        assert_eq!(read(&[], BasicToken::Refused), Credentials::None);
    }

    #[test]
    fn anything_but_one_token_is_refused() {
        for value in
            ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a\tb", "Bearer =", "Bearer a=b"]
        {
            let expected = Credentials::Malformed(CredentialsFault::NotOneToken);
            let tab = Credentials::Malformed(CredentialsFault::NotText);
            let read = read(&[value], BasicToken::Accepted);
            assert!(read == expected || read == tab, "{value}: {read:?}");
        }
        for value in ["", "a.b.c", "Bearera.b.c", "Negotiate abc", "Bearer\ta.b.c"] {
            assert!(matches!(read(&[value], BasicToken::Accepted), Credentials::Malformed(_)), "{value}");
        }
        assert!(matches!(read(&["Bearer é"], BasicToken::Accepted), Credentials::Malformed(_)));
    }

    #[test]
    fn two_headers_are_refused_even_where_they_are_equal() {
        let expected = Credentials::Malformed(CredentialsFault::SeveralHeaders);
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"], BasicToken::Accepted), expected);
    }

    #[test]
    fn a_token_is_taken_up_to_the_limit_and_refused_beyond_it() {
        let longest = "a".repeat(40);
        assert_eq!(read(&[&format!("Bearer {longest}")], BasicToken::Refused), taken(&longest));
        let expected = Credentials::Malformed(CredentialsFault::TooLong { limit: 40 });
        assert_eq!(read(&[&format!("Bearer {longest}a")], BasicToken::Refused), expected);
        assert_eq!(basic(format!("u:{longest}a").as_bytes()), expected);
    }

    #[test]
    fn the_password_of_basic_is_a_token_whatever_the_user_name() {
        for user in ["", "alice", "wé"] {
            assert_eq!(basic(format!("{user}:a.b.c").as_bytes()), taken("a.b.c"));
        }
        let header = format!("bAsIc {}", STANDARD.encode("alice:a.b.c"));
        assert_eq!(read(&[&header], BasicToken::Accepted), taken("a.b.c"));
        assert_eq!(read(&[&header], BasicToken::Refused), Credentials::Malformed(CredentialsFault::Scheme));
    }

    #[test]
    fn a_password_that_is_no_token_is_refused_with_its_own_words() {
        let refused = |text: &[u8], fault| assert_eq!(basic(text), Credentials::Malformed(fault));
        refused(b"alice:", CredentialsFault::PasswordEmpty);
        refused(b"alice:None", CredentialsFault::PasswordNone);
        refused(b"alice:p:w", CredentialsFault::PasswordNotAToken);
        refused("alice:pé".as_bytes(), CredentialsFault::PasswordNotAToken);
        refused(b"alice", CredentialsFault::BasicEncoding);
        refused(b"\xFF:a.b.c", CredentialsFault::BasicEncoding);
    }

    #[test]
    fn base64_with_a_second_spelling_is_refused() {
        // "a:bcd" is YTpiY2Q=, and YTpiY2R= differs only in bits that say nothing.
        assert_eq!(read(&["Basic YTpiY2Q="], BasicToken::Accepted), taken("bcd"));
        for value in ["Basic YTpiY2Q", "Basic YTpiY2R=", "Basic YTpi Y2Q=", "Basic YTpiY2Q= "] {
            let expected = Credentials::Malformed(CredentialsFault::BasicEncoding);
            assert_eq!(read(&[value], BasicToken::Accepted), expected, "{value}");
        }
    }

    #[test]
    fn a_token_never_shows() {
        assert_eq!(format!("{:?}", read(&["Bearer a.b.c"], BasicToken::Refused)), "Token([redacted])");
    }
}
