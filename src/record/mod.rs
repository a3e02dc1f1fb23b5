//! What stands on record of each request

pub mod audit;
pub mod made;
