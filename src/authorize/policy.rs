//! Who holds what: roles, the permissions of each, and who is in which

use std::collections::HashMap;
use std::sync::Arc;

use super::covering::Covering;
use super::permission::Permission;
use crate::druid::resource::Printable;
use crate::druid::{Owner, ResourceAction};
use crate::resource_actions::Needed;

/// The roles of the policy file; what no role grants is denied
#[derive(Clone, Debug)]
pub struct Policy(Arc<Compiled>);

/// The roles, by their places in the file, and where each is found
#[derive(Debug)]
struct Compiled {
    roles: Vec<Arc<Role>>,
    by_name: HashMap<String, Vec<usize>>,
    /// By identity, and by issuer
    by_member: HashMap<String, HashMap<String, Vec<usize>>>,
    grants: Covering,
    denies: Covering,
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
    policy: &'policy Policy,
    /// Their places, in order
    places: Vec<usize>,
}

/// What a caller holds, for as long as an answer to him passes
#[derive(Clone, Debug, Default)]
pub struct Sight {
    policy: Policy,
    places: Vec<usize>,
    /// Who he is, to whom his own tasks and queries are shown; nobody where that is not known
    owner: Option<Owner>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Vec::new())
    }
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
        let compiled = &self.policy.0;
        compiled.granting(needed, &self.places).is_some() && compiled.denying(needed, &self.places).is_none()
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
        let known: Vec<_> = self.roles().iter().map(|role| role.name.clone()).collect();
        let named = list.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned);
        let is_known = |role: String| match known.contains(&role) {
            true => Ok(role),
            false => Err(UnknownRole { role, known: known.clone() }),
        };
        named.map(is_known).collect()
    }

    /// The policy of these roles
    pub fn new(roles: Vec<Role>) -> Self {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        let mut by_member = HashMap::<_, HashMap<_, Vec<_>>>::new();
        for (place, role) in roles.iter().enumerate() {
            by_name.entry(role.name.clone()).or_default().push(place);
            for Member { issuer, identity } in &role.members {
                let of_identity = by_member.entry(identity.clone()).or_default();
                of_identity.entry(issuer.clone()).or_default().push(place);
            }
        }
        let grants = Covering::of(roles.iter().map(|role| &*role.grants), Permission::covers);
        let denies = Covering::of(roles.iter().map(|role| &*role.denies), Permission::denies);
        let roles = roles.into_iter().map(Arc::new).collect();
        Self(Arc::new(Compiled { roles, by_name, by_member, grants, denies }))
    }

    /// The roles, in the order of the file
    pub fn roles(&self) -> &[Arc<Role>] {
        &self.0.roles
    }

    /// The caller of this identity and these role names; names that the policy does not know are ignored
    pub fn holder<Name: AsRef<str>>(&self, issuer: &str, identity: &str, claimed: &[Name]) -> Holder<'_> {
        let Compiled { by_name, by_member, .. } = &*self.0;
        let as_member = by_member.get(identity).and_then(|of_identity| of_identity.get(issuer));
        let mut places = as_member.cloned().unwrap_or_default();
        places.extend(claimed.iter().filter_map(|name| by_name.get(name.as_ref())).flatten());
        // Two lists in order, as a rule: this sort takes them as they are.
        places.sort();
        places.dedup();
        Holder { policy: self, places }
    }

    /// The names of the roles that would let their holder have this
    pub fn roles_that_hold(&self, needed: &ResourceAction) -> Vec<&str> {
        self.roles_that_hold_all(&[needed])
    }

    /// The names of the roles each of which would let its holder have all of these
    pub fn roles_that_hold_all(&self, needed: &[&ResourceAction]) -> Vec<&str> {
        let Some(first) = needed.first() else { return Vec::new() };
        let mut places: Vec<_> = granted_by(first).flat_map(|first| self.0.grants.places(&first)).collect();
        places.sort_unstable();
        places.dedup();
        let roles = places.into_iter().filter_map(|place| self.roles().get(place));
        let holds = |role: &&Arc<Role>| needed.iter().all(|needed| role.holds(needed));
        roles.filter(holds).map(|role| role.name.as_str()).collect()
    }
}

impl Compiled {
    /// The first role at these places that grants it
    fn granting(&self, needed: &ResourceAction, places: &[usize]) -> Option<&Role> {
        self.first(&self.grants, granted_by(needed), places)
    }

    /// The first role at these places that denies it
    fn denying(&self, needed: &ResourceAction, places: &[usize]) -> Option<&Role> {
        if self.denies.is_empty() { None } else { self.first(&self.denies, denied_by(needed), places) }
    }

    fn first(
        &self,
        covering: &Covering,
        any: impl Iterator<Item = ResourceAction>,
        places: &[usize],
    ) -> Option<&Role> {
        let place = any.filter_map(|needed| covering.first_of(&needed, places)).min()?;
        self.roles.get(place).map(|role| &**role)
    }
}

/// Whoever holds one of these holds it: itself, or the whole of which it is an area
fn granted_by(needed: &ResourceAction) -> impl Iterator<Item = ResourceAction> {
    std::iter::once(needed.clone()).chain(needed.whole())
}

/// Whoever is denied one of these is denied it: the whole denies each area, and who is denied an area has not the whole
fn denied_by(needed: &ResourceAction) -> impl Iterator<Item = ResourceAction> {
    granted_by(needed).chain(needed.areas())
}

impl Role {
    /// Whether it lets its holder have this
    pub fn holds(&self, needed: &ResourceAction) -> bool {
        let covers = |needed: ResourceAction| self.grants.iter().any(|permission| permission.covers(&needed));
        granted_by(needed).any(covers) && !self.denies(needed)
    }

    fn denies(&self, needed: &ResourceAction) -> bool {
        let denies = |needed: ResourceAction| self.denies.iter().any(|permission| permission.denies(&needed));
        !self.denies.is_empty() && denied_by(needed).any(denies)
    }
}

impl<'policy> Holder<'policy> {
    /// The roles, in the order of the file
    pub fn roles(&self) -> impl Iterator<Item = &'policy Arc<Role>> + use<'policy, '_> {
        self.places.iter().filter_map(|place| self.policy.roles().get(*place))
    }

    /// Out of which policy
    pub(super) fn policy(&self) -> &'policy Policy {
        self.policy
    }

    /// What he may see, to be asked while an answer passes
    pub fn sight(self) -> Sight {
        Sight { policy: self.policy.clone(), places: self.places, owner: None }
    }

    /// Held if, and only if, some role grants it and no role denies it; who would hold it is of all roles
    pub(super) fn holding(&self, needed: &ResourceAction) -> Holding {
        let compiled = &self.policy.0;
        if let Some(role) = compiled.denying(needed, &self.places) {
            return Holding::Denied { by: role.name.clone() };
        }
        match compiled.granting(needed, &self.places) {
            Some(role) => Holding::Held { by: role.name.clone() },
            None => Holding::Missing {
                held_by: self.policy.roles_that_hold(needed).into_iter().map(str::to_owned).collect(),
            },
        }
    }
}
