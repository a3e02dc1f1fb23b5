//! May they: a request and its needs, a caller and the policy, to a permitted request

pub mod decision;
pub mod permission;
pub mod policy;
pub mod receipt;

use crate::druid::Owner;
pub use decision::{Denied, DeniedReason, PermittedRequest, decide};
pub use policy::{Policy, Standing};
pub use receipt::Receipt;

/// Who asks: a verified identity and the roles it may claim
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who vouches for the identity
    pub issuer: String,
    /// The identity
    pub identity: String,
    /// The names of the roles that the token says, as far as its issuer may confer them
    pub claimed_roles: Vec<String>,
}

impl Caller {
    /// The caller as an owner of tasks
    pub fn owner(&self) -> Owner {
        Owner::new(&self.issuer, &self.identity)
    }
}
