//! msq-gate: a reverse proxy that enforces Apache Druid's permissions
//!
//! Modules stand in the order of a request's journey.

pub mod authenticate;
pub mod authorize;
pub mod config;
pub mod druid;
pub mod json;
pub mod resource_actions;
pub mod route;
