//! Who asks, as the policy sees him

use super::policy::{Holder, Policy, UnknownRole};
use crate::authenticate::Identity;
use crate::druid::Owner;
use crate::druid::resource::Printable;

/// An identity and the roles it may claim
///
/// A supposed one serves to explain; a request is permitted only for a verified
/// [`Identity`].
#[derive(Clone, Debug)]
pub struct Caller {
    issuer: String,
    identity: String,
    claimed_roles: Vec<String>,
}

/// Why nobody knows whom an explanation should be about
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AboutWhomError {
    /// Another parameter, or one that stands twice
    #[error("the query parameter `{}` cannot stand here, or stands twice; write `identity=…` and `roles=a,b`", Printable(.0))]
    Parameter(String),
    /// A role that nobody wrote
    #[error(transparent)]
    Role(#[from] UnknownRole),
}

impl Caller {
    /// The caller that a verified identity is
    pub fn verified(identity: &Identity) -> Self {
        Self::supposed(identity.issuer(), identity.subject(), identity.claimed_roles().to_vec())
    }

    /// A caller that nobody vouches for: "what if"
    pub fn supposed(issuer: &str, identity: &str, claimed_roles: Vec<String>) -> Self {
        Self { issuer: issuer.to_owned(), identity: identity.to_owned(), claimed_roles }
    }

    /// The caller as an owner of tasks
    pub fn owner(&self) -> Owner {
        Owner::new(&self.issuer, &self.identity)
    }

    /// What he holds under a policy
    pub fn holder<'policy>(&self, policy: &'policy Policy) -> Holder<'policy> {
        policy.holder(&self.issuer, &self.identity, &self.claimed_roles)
    }
}
