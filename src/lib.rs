//! msq-gate: a reverse proxy that enforces Apache Druid's permissions
//!
//! Modules stand in the order of a request's journey.

pub mod admin;
pub mod audit;
pub mod authenticate;
pub mod authorize;
pub mod body;
pub mod commands;
pub mod config;
pub mod connection;
pub mod decision_id;
pub mod development;
pub mod drain;
pub mod druid;
pub mod forward;
pub mod head;
pub mod json;
pub mod judge;
pub mod listener;
pub mod metrics;
pub mod outgoing;
pub mod pipeline;
pub mod refusal;
pub mod resource_actions;
pub mod respond;
pub mod route;
pub mod server;
pub mod stand_in;
pub mod tasks;
pub mod tls;
