//! Who is asking

pub mod algorithm;
pub mod bearer;
pub mod claim_path;
pub mod error;
pub mod issuer;
