//! The claim that lists a caller's roles: what stands there, and what it means that nothing does
//!
//! A caller keeps the roles that `members` gives him, so an absent claim may take away the denies of roles that it
//! would have listed: where a role has denies, "nothing there" must not be read as "no roles".

use serde_json::{Map, Value};

use super::claim_path::{ClaimPath, Found};
use super::error::ClaimFault;

/// What it means that a token has no roles claim
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsentRoles {
    /// The token is refused
    Refused,
    /// Its holder has no roles but those he is a member of
    None,
}

/// What a token says of its holder's roles
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedRoles {
    /// The claim that was looked for, as the configuration spells it
    pub claim: String,
    /// What is listed there, known to the policy or not; nothing where the claim is absent
    pub listed: Option<Vec<String>>,
}

impl ListedRoles {
    /// Reads the claim at this place
    pub(super) fn read(
        path: &ClaimPath,
        absent: AbsentRoles,
        claims: &Map<String, Value>,
    ) -> Result<Self, ClaimFault> {
        let claim = path.to_string();
        if is_elsewhere(path.claim(), claims) {
            return Err(ClaimFault::RolesElsewhere(claim));
        }
        match (path.find(claims), absent) {
            (Found::Value(value), _) => match strings(value) {
                Some(listed) => {
                    Ok(Self { claim, listed: Some(listed.into_iter().map(str::to_owned).collect()) })
                }
                None => Err(ClaimFault::Roles(claim)),
            },
            (Found::Barred, _) => Err(ClaimFault::Roles(claim)),
            (Found::Nothing, AbsentRoles::Refused) => Err(ClaimFault::NoRoles(claim)),
            (Found::Nothing, AbsentRoles::None) => Ok(Self { claim, listed: None }),
        }
    }
}

/// Whether the issuer says that this claim is to be fetched elsewhere, as Entra does for more than 200 groups
///
/// `_claim_names` names it (OpenID Connect Core 1.0, section 5.6.2), or there is `hasgroups`. What cannot be read
/// counts as said.
fn is_elsewhere(claim: &str, claims: &Map<String, Value>) -> bool {
    let distributed = claims
        .get("_claim_names")
        .is_some_and(|names| names.as_object().is_none_or(|names| names.contains_key(claim)));
    let has_groups = claims.get("hasgroups").is_some_and(|value| *value != Value::Bool(false));
    distributed || (has_groups && claim == "groups")
}

/// A string, never split, or a list of strings and nothing else
pub(super) fn strings(value: &Value) -> Option<Vec<&str>> {
    match value.as_array() {
        Some(values) => values.iter().map(Value::as_str).collect(),
        None => value.as_str().map(|one| vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(absent: AbsentRoles, claims: &str) -> Result<Option<Vec<String>>, ClaimFault> {
        let path = ClaimPath::parse("groups").unwrap();
        ListedRoles::read(&path, absent, &serde_json::from_str(claims).unwrap()).map(|read| read.listed)
    }

    #[test]
    fn an_absent_claim_is_refused_where_it_is_required_and_an_empty_one_is_an_answer() {
        for absent in [AbsentRoles::Refused, AbsentRoles::None] {
            assert_eq!(read(absent, r#"{"groups":["a"]}"#), Ok(Some(vec!["a".to_owned()])));
            assert_eq!(read(absent, r#"{"groups":[]}"#), Ok(Some(Vec::new())));
        }
        assert_eq!(read(AbsentRoles::None, "{}"), Ok(None));
        assert_eq!(read(AbsentRoles::Refused, "{}"), Err(ClaimFault::NoRoles("groups".to_owned())));
    }

    #[test]
    fn an_overage_mark_is_no_answer_whether_the_claim_is_required_or_not() {
        let elsewhere = Err(ClaimFault::RolesElsewhere("groups".to_owned()));
        for claims in [
            r#"{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://x"}}}"#,
            r#"{"_claim_names":{"groups":"src1"},"groups":["a"]}"#,
            r#"{"_claim_names":"groups"}"#,
            r#"{"_claim_names":null}"#,
            r#"{"hasgroups":true}"#,
            r#"{"hasgroups":"true"}"#,
        ] {
            for absent in [AbsentRoles::Refused, AbsentRoles::None] {
                assert_eq!(read(absent, claims), elsewhere, "{claims}");
            }
        }
        for claims in
            [r#"{"_claim_names":{"wids":"src1"},"groups":[]}"#, r#"{"hasgroups":false,"groups":[]}"#]
        {
            assert_eq!(read(AbsentRoles::Refused, claims), Ok(Some(Vec::new())), "{claims}");
        }
    }
}
