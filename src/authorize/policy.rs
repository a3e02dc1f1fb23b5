//! Who holds what: roles, the permissions of each, and who is in which

use std::sync::Arc;

use super::permission::Permission;
use crate::druid::resource::Printable;
use crate::druid::{Owner, ResourceAction};
use crate::resource_actions::Needed;

/// The roles of the policy file; what no role grants is denied
#[derive(Clone, Debug, Default)]
pub struct Policy {
    roles: Vec<Arc<Role>>,
}

/// A role: what it grants, what it denies, and who is in it besides those whose token says so
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name, as in a token's roles claim
    pub name: String,
    /// Who is in it by identity
    pub members: Vec<Member>,
    /// What it grants
    pub grants: Vec<Permission>,
    /// What it denies; a deny of any role wins over any grant
    pub denies: Vec<Permission>,
    /// The line of the file on which its grants begin, from 1
    pub line: usize,
}

/// A person in a role, by identity
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The issuer that vouches for the identity
    pub issuer: String,
    /// The identity
    pub identity: String,
}

/// The roles that a caller has, out of the policy's
#[derive(Clone, Debug)]
pub struct Holder<'policy> {
    roles: Vec<&'policy Arc<Role>>,
}

/// What a caller holds, for as long as an answer to him passes
#[derive(Clone, Debug, Default)]
pub struct Sight {
    roles: Vec<Arc<Role>>,
    /// Who he is, to whom his own tasks and queries are shown; nobody where that is not known
    owner: Option<Owner>,
}

impl Sight {
    /// The same, of somebody who sees what he has submitted
    #[must_use]
    pub fn of(self, owner: Owner) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Whether he may see what needs this, as [`super::decision::verdict`] has it
    pub fn takes_in(&self, needed: &Needed) -> bool {
        let submitter = needed.submitter();
        submitter.is_some() && submitter == self.owner.as_ref()
            || needed.resource_actions().iter().all(|needed| self.holds(needed))
    }

    /// Held if, and only if, some role grants it and no role denies it
    pub fn holds(&self, needed: &ResourceAction) -> bool {
        self.roles.iter().any(|role| role.grants(needed))
            && !self.roles.iter().any(|role| role.denies(needed))
    }
}

/// Whether a permission is held, and by what
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// A role of the caller's grants it
    Held {
        /// The role
        by: String,
    },
    /// No role of his does
    Missing {
        /// The roles that would
        held_by: Vec<String>,
    },
    /// A role of his denies it
    Denied {
        /// The role
        by: String,
    },
}

/// A role that the file does not know: it holds nothing and denies nothing, so whoever misspells one is told
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no role `{}`; the roles are {}", Printable(role), known.join(", "))]
pub struct UnknownRole {
    role: String,
    known: Vec<String>,
}

impl Policy {
    /// The roles of a list as people write it, `a, b`
    ///
    /// # Errors
    ///
    /// Where one of them is not in the file.
    pub fn named_roles(&self, list: &str) -> Result<Vec<String>, UnknownRole> {
        let known: Vec<_> = self.roles.iter().map(|role| role.name.clone()).collect();
        let named = list.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned);
        let is_known = |role: String| match known.contains(&role) {
            true => Ok(role),
            false => Err(UnknownRole { role, known: known.clone() }),
        };
        named.map(is_known).collect()
    }

    /// The policy of these roles
    pub fn new(roles: Vec<Role>) -> Self {
        Self { roles: roles.into_iter().map(Arc::new).collect() }
    }

    /// The roles, in the order of the file
    pub fn roles(&self) -> &[Arc<Role>] {
        &self.roles
    }

    /// The caller of this identity and these role names; names that the policy does not know are ignored
    pub fn holder<Name: AsRef<str>>(&self, issuer: &str, identity: &str, claimed: &[Name]) -> Holder<'_> {
        let is_in = |role: &&Arc<Role>| {
            claimed.iter().any(|name| name.as_ref() == role.name)
                || role.members.iter().any(|member| member.issuer == issuer && member.identity == identity)
        };
        Holder { roles: self.roles.iter().filter(is_in).collect() }
    }

    /// The names of the roles that would let their holder have this
    pub fn roles_that_hold(&self, needed: &ResourceAction) -> Vec<&str> {
        self.roles
            .iter()
            .filter(|role| role.grants(needed) && !role.denies(needed))
            .map(|role| role.name.as_str())
            .collect()
    }
}

impl Role {
    /// Whoever holds the whole holds each area of it
    fn grants(&self, needed: &ResourceAction) -> bool {
        let covers = |needed: &ResourceAction| self.grants.iter().any(|permission| permission.covers(needed));
        covers(needed) || needed.whole().is_some_and(|whole| covers(&whole))
    }

    /// Whoever is denied the whole is denied each area; and who is denied an area has not the whole
    fn denies(&self, needed: &ResourceAction) -> bool {
        let covers = |needed: &ResourceAction| self.denies.iter().any(|permission| permission.covers(needed));
        !self.denies.is_empty()
            && (covers(needed)
                || needed.whole().is_some_and(|whole| covers(&whole))
                || needed.areas().iter().any(covers))
    }
}

impl<'policy> Holder<'policy> {
    /// The roles, in the order of the file
    pub fn roles(&self) -> &[&'policy Arc<Role>] {
        &self.roles
    }

    /// What he may see, to be asked while an answer passes
    pub fn sight(&self) -> Sight {
        Sight { roles: self.roles.iter().map(|role| Arc::clone(role)).collect(), owner: None }
    }

    /// Held if, and only if, some role grants it and no role denies it; who would hold it is of all roles
    pub(super) fn holding(&self, needed: &ResourceAction, policy: &Policy) -> Holding {
        if let Some(role) = self.roles.iter().find(|role| role.denies(needed)) {
            return Holding::Denied { by: role.name.clone() };
        }
        match self.roles.iter().find(|role| role.grants(needed)) {
            Some(role) => Holding::Held { by: role.name.clone() },
            None => Holding::Missing {
                held_by: policy.roles_that_hold(needed).into_iter().map(str::to_owned).collect(),
            },
        }
    }
}
