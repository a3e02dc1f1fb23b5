//! Druid's own vocabulary, shared by every stage; imports nothing of ours
//!
//! Nothing here decides anything: these are the words in which a request, its needs and a role's
//! grants are said.

pub mod json;
pub mod endpoint;
pub mod method;
pub mod owner;
pub mod path;
pub mod place;
pub mod request;
pub mod resource;
pub mod task;

pub use endpoint::Endpoint;
pub use method::Method;
pub use owner::Owner;
pub use path::CanonicalPath;
pub use place::{Place, Reach};
pub use request::DruidRequest;
pub use resource::{Action, Resource, ResourceAction, ResourceActions, ResourceType};
pub use task::Task;
