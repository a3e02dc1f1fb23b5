//! What stands on record of each request

pub mod audit;
pub mod book;
pub mod made;
mod members;
