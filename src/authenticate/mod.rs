//! Who is asking

pub mod algorithm;
pub mod bearer;
pub mod claim_path;
pub mod error;
pub mod issuer;
pub mod jwk;
pub mod jwks_file;
pub mod key_store;
pub mod keys;
