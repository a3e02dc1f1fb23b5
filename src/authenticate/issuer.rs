//! Whose tokens count, and for what
//!
//! All of an issuer's checks come with it: one without an audience, without algorithms or without a place
//! for the caller's name cannot be made.

use serde_json::{Map, Value};

use super::algorithm::{Algorithm, comma_separated};
use super::claim_path::{ClaimPath, Found};
use super::error::{AuthenticationError, ClaimFault};
use super::roles_claim::{AbsentRoles, ListedRoles, strings};
use super::unverified::Unverified;

/// What the configuration says of an issuer, not yet checked
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The exact `iss`
    pub issuer: String,
    /// Of these, the audience claim has to hold one
    pub audiences: Vec<String>,
    /// Where the audience stands: `aud`, but for issuers that have it elsewhere
    pub audience_claim: ClaimPath,
    /// What its tokens may be signed with
    pub algorithms: Vec<Algorithm>,
    /// Where the caller's name stands
    pub identity_claim: ClaimPath,
    /// Where the caller's roles stand
    pub roles_claim: ClaimPath,
    /// What it means that nothing stands there
    pub absent_roles: AbsentRoles,
    /// The only roles it may confer; any where not given
    pub confers: Option<Vec<String>>,
}

/// An issuer whose tokens count: settings that were checked
#[derive(Clone, Debug)]
pub struct Issuer(IssuerSettings);

/// Why an issuer cannot be
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFault {
    /// It has no name
    #[error("`issuer` is empty; write the exact `iss` of its tokens")]
    NoName,
    /// Its name holds a character that separates or forges
    #[error("`issuer` holds `|` or a control character; an owner is written ISSUER|IDENTITY")]
    BadName,
    /// It has no audience, so a token for another service would count
    #[error("`audiences` is empty or holds an empty name; write the `aud` that names this service")]
    NoAudience,
    /// It has no algorithm
    #[error("`algorithms` is empty; write which ones its tokens are signed with, such as RS256")]
    NoAlgorithm,
}

/// Who a token's claims speak of: proof of nothing, see [`Identity`](super::Identity)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The caller's name
    pub identity: String,
    /// The roles that the claims list and that this issuer may confer
    pub roles: Vec<String>,
    /// All that they list, and where
    pub listed: ListedRoles,
}

impl Issuer {
    /// An issuer with all of its checks
    ///
    /// # Errors
    ///
    /// Where one of the checks would be missing; see [`IssuerFault`].
    pub fn new(settings: IssuerSettings) -> Result<Self, IssuerFault> {
        check_name(&settings.issuer)?;
        if settings.audiences.is_empty() || settings.audiences.iter().any(String::is_empty) {
            return Err(IssuerFault::NoAudience);
        }
        if settings.algorithms.is_empty() {
            return Err(IssuerFault::NoAlgorithm);
        }
        Ok(Self(settings))
    }

    /// From now on, what it means that its tokens have no roles claim
    pub fn set_absent_roles(&mut self, absent: AbsentRoles) {
        self.0.absent_roles = absent;
    }

    /// Its name, the exact `iss` of its tokens
    pub fn name(&self) -> &str {
        &self.0.issuer
    }

    /// What its tokens may be signed with
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.0.algorithms
    }

    /// The claims that it reads as this person with these roles, for tokens of development
    pub fn claims_of(&self, identity: &str, roles: &[String]) -> Map<String, Value> {
        let mut claims = Map::from_iter([("iss".to_owned(), Value::from(self.0.issuer.as_str()))]);
        let audience = self.0.audiences.first().map(String::as_str);
        self.0.roles_claim.put(&mut claims, roles.to_vec().into());
        self.0.audience_claim.put(&mut claims, audience.into());
        self.0.identity_claim.put(&mut claims, identity.into());
        claims
    }

    /// Whether it is limited in what it may confer
    pub fn confers(&self) -> Option<&[String]> {
        self.0.confers.as_deref()
    }

    /// The algorithm of this name, if its tokens may use it
    pub(super) fn algorithm(&self, name: &str) -> Result<Algorithm, AuthenticationError> {
        let named = Algorithm::from_name(name).filter(|algorithm| self.0.algorithms.contains(algorithm));
        named.ok_or_else(|| AuthenticationError::Algorithm(comma_separated(&self.0.algorithms)))
    }

    /// That the claims are meant for this service
    pub(super) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), AuthenticationError> {
        let found = match self.0.audience_claim.find(claims) {
            Found::Value(value) => Some(value),
            Found::Nothing | Found::Barred => None,
        };
        let named = found.and_then(strings).unwrap_or_default();
        if named.iter().any(|audience| self.0.audiences.iter().any(|ours| ours == audience)) {
            return Ok(());
        }
        Err(AuthenticationError::Audience {
            claim: self.0.audience_claim.to_string(),
            audiences: self.0.audiences.join(", "),
            found: Unverified::of(found),
        })
    }

    /// Who the claims speak of
    ///
    /// This proves nothing: it serves to explain what a set of claims would be allowed.
    ///
    /// # Errors
    ///
    /// Where the caller has no name, or the roles are neither a string nor a list of strings, or not there though
    /// they should be.
    pub fn person(&self, claims: &Map<String, Value>) -> Result<Person, ClaimFault> {
        let listed = ListedRoles::read(&self.0.roles_claim, self.0.absent_roles, claims)?;
        let conferred = listed.listed.iter().flatten().filter(|role| self.may_confer(role));
        let roles = conferred.cloned().collect();
        Ok(Person { identity: self.identity(claims)?, roles, listed })
    }

    fn identity(&self, claims: &Map<String, Value>) -> Result<String, ClaimFault> {
        let missing = || ClaimFault::NoIdentity(self.0.identity_claim.to_string());
        let Found::Value(value) = self.0.identity_claim.find(claims) else { return Err(missing()) };
        let identity = value.as_str().filter(|identity| !identity.is_empty()).ok_or_else(missing)?;
        if identity.chars().any(char::is_control) {
            return Err(ClaimFault::IdentityControl(self.0.identity_claim.to_string()));
        }
        Ok(identity.to_owned())
    }

    fn may_confer(&self, role: &str) -> bool {
        self.0.confers.as_ref().is_none_or(|roles| roles.iter().any(|conferred| conferred == role))
    }
}

fn check_name(name: &str) -> Result<(), IssuerFault> {
    if name.is_empty() {
        return Err(IssuerFault::NoName);
    }
    if name.chars().any(|character| character == '|' || character.is_control()) {
        return Err(IssuerFault::BadName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> IssuerSettings {
        IssuerSettings {
            issuer: "https://id.example.org".to_owned(),
            audiences: vec!["druid".to_owned()],
            algorithms: vec![Algorithm::Rs256],
            audience_claim: ClaimPath::parse("aud").unwrap(),
            identity_claim: ClaimPath::parse("sub").unwrap(),
            roles_claim: ClaimPath::parse("realm_access.roles").unwrap(),
            absent_roles: AbsentRoles::None,
            confers: None,
        }
    }

    fn person(claims: Value) -> Result<Person, ClaimFault> {
        Issuer::new(settings()).unwrap().person(claims.as_object().unwrap())
    }

    #[test]
    fn an_issuer_that_lacks_a_check_is_refused() {
        assert!(Issuer::new(settings()).is_ok());
        let fault = |change: fn(&mut IssuerSettings)| {
            let mut changed = settings();
            change(&mut changed);
            Issuer::new(changed).unwrap_err()
        };
        assert_eq!(fault(|s| s.issuer.clear()), IssuerFault::NoName);
        assert_eq!(fault(|s| s.issuer.push('|')), IssuerFault::BadName);
        assert_eq!(fault(|s| s.issuer.push('\n')), IssuerFault::BadName);
        assert_eq!(fault(|s| s.audiences.clear()), IssuerFault::NoAudience);
        assert_eq!(fault(|s| s.audiences.push(String::new())), IssuerFault::NoAudience);
        assert_eq!(fault(|s| s.algorithms.clear()), IssuerFault::NoAlgorithm);
    }

    #[test]
    fn a_string_is_one_role_and_a_list_is_a_list() {
        let roles = |roles: Value| person(serde_json::json!({"sub": "a", "realm_access": {"roles": roles}}));
        assert_eq!(roles("x y,z".into()).unwrap().roles, ["x y,z"]);
        assert_eq!(roles(serde_json::json!(["x", " y "])).unwrap().roles, ["x", " y "]);
        for odd in ["null", "1", "true", "{}", "[1]", "[[\"x\"]]", "[\"x\",null]"] {
            assert!(roles(serde_json::from_str(odd).unwrap()).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_token_without_the_roles_claim_has_no_roles() {
        assert!(person(serde_json::json!({"sub": "a"})).unwrap().roles.is_empty());
        assert!(person(serde_json::json!({"sub": "a", "realm_access": {}})).unwrap().roles.is_empty());
        assert!(person(serde_json::json!({"sub": "a", "realm_access": "roles"})).is_err());
    }

    #[test]
    fn only_conferred_roles_are_kept() {
        let limited = IssuerSettings { confers: Some(vec!["x".to_owned()]), ..settings() };
        let claims = serde_json::json!({"sub": "a", "realm_access": {"roles": ["x", "y", "X"]}});
        let person = Issuer::new(limited).unwrap().person(claims.as_object().unwrap()).unwrap();
        assert_eq!(person.roles, ["x"]);
    }

    #[test]
    fn a_name_is_a_string_with_something_in_it() {
        assert_eq!(person(serde_json::json!({"sub": "ève"})).unwrap().identity, "ève");
        for odd in ["null", "1", "\"\"", "[\"a\"]", "\"a\\nb\"", "\"a\\u0085\"", "\"\\u0000\""] {
            let claims = serde_json::json!({"sub": serde_json::from_str::<Value>(odd).unwrap()});
            assert!(person(claims).is_err(), "{odd}");
        }
        assert!(person(serde_json::json!({})).is_err());
    }
}
