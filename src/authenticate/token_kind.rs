//! What kind of token it is: an issuer signs ID, refresh and logout tokens with the same keys as access tokens
//!
//! RFC 8725, section 3.12: one kind must not be taken for another. A kind is read before the signature is checked;
//! it can only refuse.

use std::fmt;

use serde_json::{Map, Value};

/// A kind of token that is not for calling services with
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKind {
    /// It tells an application who has signed in (OpenID Connect Core 1.0, section 2)
    Id,
    /// It is for getting further access tokens
    Refresh,
    /// A refresh token without an end (Keycloak)
    Offline,
    /// It tells applications that somebody has signed out, or something else that happened (RFC 8417)
    Event,
    /// Its `typ`, `token_use` or `token_type` says so
    Unnamed,
}

impl OtherKind {
    /// The kind that these claims are of, where it is not an access token's
    pub fn of(claims: &Map<String, Value>) -> Option<Self> {
        let says = |name| claims.get(name).and_then(|value| Self::by_word(name, value));
        let has = |name| claims.contains_key(name);
        ["typ", "token_use", "token_type", "type"].into_iter().find_map(says).or_else(|| {
            let hashes = ["at_hash", "c_hash", "s_hash"].into_iter().any(has);
            (has("events").then_some(Self::Event)).or((has("nonce") && hashes).then_some(Self::Id))
        })
    }

    /// What `typ` (Keycloak), `token_use` (Cognito), `token_type` and `type` (libraries) say
    fn by_word(name: &str, value: &Value) -> Option<Self> {
        let word = value.as_str().map(str::to_ascii_lowercase);
        match word.as_deref() {
            Some("id" | "id_token" | "serialized-id") => Some(Self::Id),
            Some("refresh" | "refresh_token") => Some(Self::Refresh),
            Some("offline") => Some(Self::Offline),
            Some("logout" | "logout+jwt") => Some(Self::Event),
            Some("access") => None,
            // Cognito has no third; what `typ` and the like may say is not for the gate to list.
            Some(_) if name != "token_use" => None,
            Some(_) => Some(Self::Unnamed),
            None if name == "typ" || name == "token_use" => Some(Self::Unnamed),
            None => None,
        }
    }
}

impl fmt::Display for OtherKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Id => "an ID token",
            Self::Refresh => "a refresh token",
            Self::Offline => "an offline token",
            Self::Event => "a logout or event token",
            Self::Unnamed => "not an access token, by its `typ` or `token_use`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(claims: &str) -> Option<OtherKind> {
        OtherKind::of(&serde_json::from_str(claims).unwrap())
    }

    #[test]
    fn an_access_token_is_one_whatever_its_issuer_calls_it() {
        for claims in [
            "{}",
            r#"{"typ":"Bearer"}"#,
            r#"{"typ":"DPoP"}"#,
            r#"{"typ":"at+jwt"}"#,
            r#"{"token_use":"access"}"#,
            r#"{"token_type":"access"}"#,
            r#"{"token_type":"Bearer","type":"user"}"#,
            r#"{"type":1}"#,
            r#"{"nonce":"n"}"#,
            r#"{"at_hash":"h"}"#,
        ] {
            assert_eq!(kind(claims), None, "{claims}");
        }
    }

    #[test]
    fn every_other_kind_is_known_by_its_claims() {
        for (claims, expected) in [
            (r#"{"typ":"ID"}"#, OtherKind::Id),
            (r#"{"token_use":"id"}"#, OtherKind::Id),
            (r#"{"nonce":"n","at_hash":"h"}"#, OtherKind::Id),
            (r#"{"nonce":"n","c_hash":"h"}"#, OtherKind::Id),
            (r#"{"typ":"Refresh"}"#, OtherKind::Refresh),
            (r#"{"token_type":"refresh"}"#, OtherKind::Refresh),
            (r#"{"type":"refresh"}"#, OtherKind::Refresh),
            (r#"{"typ":"Offline"}"#, OtherKind::Offline),
            (r#"{"typ":"Logout"}"#, OtherKind::Event),
            (r#"{"events":{}}"#, OtherKind::Event),
            (r#"{"token_use":"web"}"#, OtherKind::Unnamed),
            (r#"{"token_use":["access"]}"#, OtherKind::Unnamed),
            (r#"{"typ":["Bearer"]}"#, OtherKind::Unnamed),
            (r#"{"typ":"Bearer","token_use":"id"}"#, OtherKind::Id),
        ] {
            assert_eq!(kind(claims), Some(expected), "{claims}");
        }
    }
}
