//! msq-gate: a reverse proxy that enforces Apache Druid's permissions
//!
//! # The life of a request
//!
//! [`pipeline`] calls the stages in this order; each consumes what the one before it made, so none can be
//! left out.
//!
//! 1. [`listener`], [`tls`], [`connection`]: a socket becomes requests, each wait with a deadline.
//! 2. [`head`]: framing, host and target have one reading, or the request is refused.
//! 3. [`authenticate`]: a token becomes an [`Identity`](authenticate::Identity).
//! 4. [`route`]: method and path become a [`Destination`](route::Destination); there is no "other".
//! 5. [`body`]: whole, bounded, inflated.
//! 6. [`resource_actions`]: a request becomes an [`AnalyzedRequest`](resource_actions::AnalyzedRequest), which
//!    knows what it needs. Statements are judged by [`judge`], tasks are looked up by [`tasks`].
//! 7. [`authorize`]: [`decide`](authorize::decide) alone makes a
//!    [`PermittedRequest`](authorize::PermittedRequest).
//! 8. [`storage_report`]: what asks for durable storage passes only while that is proven, where the operator wants it so;
//!    [`verify`]: Druid's own planner is asked about a new statement, where the operator wants it so.
//! 9. [`forward`]: takes a permitted request and nothing else.
//! 10. [`respond`] makes answers of refusals, [`outgoing`] sees answers out, [`audit`] records all of it.
//!
//! # Architecture invariants
//!
//! Held by `tests/architecture`, which reads this folder:
//!
//! - The core ([`druid`], [`route`], [`resource_actions`], [`authorize`], [`durable_storage`], [`json`]) is pure and
//!   synchronous: time, randomness and I/O come in as arguments.
//! - [`druid`] is vocabulary and imports nothing of ours; no stage calls another.
//! - `sqlparser`, `jsonwebtoken` and TLS settings have one door each; only [`respond`] chooses an error status.
//! - No state outlives a request but what [`server`] built.

#[cfg(windows)]
compile_error!("msq-gate runs on Linux, and builds on macOS; Windows is not supported");

// The journey, in its order.
pub mod listener;
pub mod tls;
pub mod proxy_protocol;
pub mod connection;
pub mod activity;
pub mod pipeline;
pub mod arrived;
pub mod head;
pub mod authenticate;
pub mod callers;
pub mod key_keeper;
pub mod key_search;
pub mod fetch;
pub mod connector;
pub mod route;
pub mod body;
pub mod resource_actions;
pub mod judge;
pub mod tasks;
pub mod authorize;
pub mod verify;
pub mod storage_report;
pub mod explain;
pub mod own_answers;
pub mod forward;
pub mod refusal;
pub mod respond;
pub mod outgoing;
pub mod audit;

// What the stages share.
pub mod druid;
pub mod durable_storage;
pub mod json;
pub mod metrics;
pub mod decision_id;
pub mod drain;
pub mod pace;
pub mod small_file;
pub mod system_roots;
pub mod pem;
pub mod password;
pub mod redact;

// What puts them together, and what people type.
pub mod admin;
pub mod commands;
pub mod config;
pub mod certificate_advice;
pub mod development;
pub mod server;
pub mod reload;
pub mod assemble;
pub mod faulty_files;
pub mod live;
pub mod preflight;
pub mod watch_files;
pub mod watcher;
pub mod stand_in;
