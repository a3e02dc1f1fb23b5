//! msq-gate: a reverse proxy that enforces Apache Druid's permissions
//!
//! # The life of a request
//!
//! [`pipeline`] calls the stages in this order; each consumes what the one before it made, so none can be
//! left out.
//!
//! 1. [`door`]: a socket becomes requests, each wait with a deadline.
//! 2. [`request`]: the [`head`](request::head) has one reading, or the request is refused.
//! 3. [`authenticate`]: a token becomes an [`Identity`](authenticate::Identity), its key looked for where it is new.
//! 4. [`request::route`]: method and path become a [`Destination`](request::route::Destination); there is no "other".
//!    The [`body`](request::body) is read: whole, bounded, inflated.
//! 5. [`evidence`]: what is not in the request itself is found out: a statement is judged, a task is looked up.
//! 6. [`resource_actions`]: a request becomes an [`AnalyzedRequest`](resource_actions::AnalyzedRequest), which
//!    knows what it needs.
//! 7. [`authorize`]: [`decide`](authorize::decide) alone makes a
//!    [`PermittedRequest`](authorize::PermittedRequest).
//! 8. [`preflight`], [`evidence`]: where the operator wants it so, what asks for durable storage passes only while that
//!    is proven, and Druid's own planner is asked about a new statement.
//! 9. [`forward`]: takes a permitted request and nothing else.
//! 10. [`answer`]: what the gate says itself, refusals above all; [`record`]: what stands on record of all of it.
//!
//! [`druid`] is the vocabulary, [`durable_storage`] what is known of storage, [`config`] the operator's file; [`server`]
//! puts a gate together and replaces it, [`commands`] are what people type, [`development`] is for demo and tests, and
//! [`base`] has no word of Druid in it.
//!
//! # Architecture invariants
//!
//! Held by `tests/architecture`, which reads this folder:
//!
//! - Each room imports only what lies below it, and no two files import each other, however long the way round.
//! - The core ([`druid`], [`request::route`], [`resource_actions`], [`authorize`], [`durable_storage`]) is pure and
//!   synchronous: time, randomness and I/O come in as arguments.
//! - `sqlparser`, `jsonwebtoken` and TLS settings have one door each; only [`answer::respond`] chooses an error status.
//! - No state outlives a request but what [`server`] built.

#[cfg(windows)]
compile_error!("msq-gate runs on Linux, and builds on macOS; Windows is not supported");

// The journey, in its order.
pub mod pipeline;
pub mod door;
pub mod request;
pub mod authenticate;
pub mod evidence;
pub mod resource_actions;
pub mod authorize;
pub mod preflight;
pub mod forward;
pub mod answer;
pub mod record;

// What the stages share.
pub mod druid;
pub mod durable_storage;
pub mod base;

// What puts them together, and what people type.
pub mod config;
pub mod server;
pub mod commands;
pub mod development;
