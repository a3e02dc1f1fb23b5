//! Whether Druid refuses the gate's own account, which is nothing that a caller can mend
//!
//! A caller's permissions are decided before Druid hears of a request; so its 401, and its 403 for want of a
//! permission (`Access`, `ForbiddenException`), are about the account that the gate signs in with. Another 403 is
//! about the query: one of the broker's block list (`QueryBlocklistRule`, Druid 38).

use std::fmt;

use serde_json::Value;

use crate::druid::json;

/// Druid's errors are shallow
const DEPTH: usize = 32;

/// The user name that the gate signs in to Druid with, where it does
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub Option<String>);

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(formatter, "the gate's account `{name}`"),
            None => formatter.write_str("the gate, which signs in with no account"),
        }
    }
}

/// Whether a 403 of Druid's with this body is about the query, and so for its caller to read
///
/// It is where it says why in words of its own; where a permission is missing they hold `Unauthorized`
/// (`Access.DEFAULT_ERROR_MESSAGE`), whatever an authorizer adds. The task endpoint wraps its errors.
pub fn is_about_the_query(body: &[u8]) -> bool {
    let answer = json::parse(body, DEPTH).unwrap_or_default();
    let error = answer.get("error").filter(|error| error.is_object()).unwrap_or(&answer);
    let text = |name| error.get(name).and_then(Value::as_str);
    let is_of_its_own = |words: &str| !words.is_empty() && !words.contains("Unauthorized");
    text("category") == Some("FORBIDDEN") && text("errorMessage").is_some_and(is_of_its_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_query_is_told_from_a_missing_permission_in_every_shape_of_druids_403() {
        for blocked in [
            r#"{"error":"druidException","errorCode":"general","persona":"USER","category":"FORBIDDEN",
                "errorMessage":"Query [q] blocked by rule [no-wikipedia]","context":{}}"#,
            r#"{"taskId":"query-q","state":"FAILED","error":{"error":"druidException","errorCode":"general",
                "persona":"USER","category":"FORBIDDEN","errorMessage":"Query blocked","context":{}}}"#,
        ] {
            assert!(is_about_the_query(blocked.as_bytes()), "{blocked}");
        }
        for missing in [
            r#"{"taskId":"forbidden","state":"FAILED","error":{"error":"druidException","errorCode":"general",
                "persona":"USER","category":"FORBIDDEN","errorMessage":"Unauthorized","context":{}}}"#,
            r#"{"error":"druidException","errorCode":"forbidden","persona":"USER","category":"FORBIDDEN",
                "errorMessage":"Unauthorized, by policy p","context":{}}"#,
            r#"{"error":"druidException","errorCode":"forbidden","persona":"USER","category":"FORBIDDEN",
                "errorMessage":"","context":{}}"#,
            r#"{"Access-Check-Result":"Unauthorized"}"#,
            r#"{"Access-Check-Result":"Insufficient permission to view servers: Unauthorized"}"#,
            r#"{"Access-Check-Result":"Allowed:false, Message:"}"#,
            r#"{"Access-Check-Result":""}"#,
            "Access-Check-Result: Unauthorized",
            "<html>blocked by rule</html>",
            "",
        ] {
            assert!(!is_about_the_query(missing.as_bytes()), "{missing}");
        }
    }
}
