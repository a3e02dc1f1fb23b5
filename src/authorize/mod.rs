//! May they: a request and its needs, a caller and the policy, to a permitted request

pub mod caller;
mod covering;
pub mod decision;
pub mod permission;
pub mod policy;
pub mod receipt;

pub use caller::Caller;
pub use decision::{Denied, PermittedRequest, Verdict, decide, verdict};
pub use policy::Policy;
pub use receipt::{DeniedReason, Receipt};
