//! What a request needs: from a request to resource actions
//!
//! Pure and synchronous; anything not understood is refused here, and the refusal says which part.

pub mod needed;
pub mod rules;
pub mod sql;

pub use needed::Needed;
pub use rules::Rules;
