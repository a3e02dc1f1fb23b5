//! Druid's own vocabulary, shared by every stage; imports nothing of ours
//!
//! Nothing here decides anything: these are the words in which a request, its needs and a role's
//! grants are said.

pub mod owner;
pub mod resource;

pub use owner::Owner;
pub use resource::{Action, Resource, ResourceAction, ResourceActions, ResourceType};
