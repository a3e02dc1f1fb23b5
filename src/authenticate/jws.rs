//! A JWS in compact form: three parts, each in the one spelling of its encoding (RFC 7515)

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::MalformedToken;
use crate::druid::json;

/// The three parts of a JWS in compact form (RFC 7515 section 7.1)
pub(super) struct Parts<'a> {
    /// Header and claims with the dot between them
    pub(super) signed: &'a str,
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, MalformedToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(MalformedToken::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(MalformedToken::Parts)?;
        if claims.contains('.') {
            return Err(MalformedToken::Parts);
        }
        Ok(Self { signed, header, claims, signature })
    }
}

/// The JSON object that a part of this name holds
pub(super) fn object(encoded: &str, part: &'static str) -> Result<Map<String, Value>, MalformedToken> {
    let bytes = decode(encoded, part)?;
    let value = json::parse(&bytes, TOKEN_DEPTH).map_err(|fault| MalformedToken::Json { part, fault })?;
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(MalformedToken::NotAnObject(part))
        }
    }
}

/// base64url in its one spelling: no padding, no white space, no bits left over
pub(super) fn decode(encoded: &str, part: &'static str) -> Result<Vec<u8>, MalformedToken> {
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| MalformedToken::Encoding(part))
}

const TOKEN_DEPTH: usize = 16;
