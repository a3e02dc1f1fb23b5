//! The whole gate on real sockets, before a stand-in for Druid, and before a real one
//!
//! - `gate`, `scripted`: a gate, people with tokens and a client; a router that answers byte for byte what
//!   it is told
//! - `begins`: the way in that the README shows
//! - `authenticates`: who is known and who is not, over the wire
//! - `cancels`: queries that run, and who may cancel them
//! - `covers`: the table of endpoints, each row allowed and refused
//! - `refuses`: what never reaches Druid, each beside its allowed twin
//! - `forwards`: what reaches Druid, and how; that nothing is sent twice
//! - `answers`: what comes back: rows, trailers, faults of Druid's side
//! - `owns`: whose a task is
//! - `stores`: queries that ask for durable storage, by what a report says of it
//! - `verifies`: Druid as a third reader of statements
//! - `reasons`: what operators are told where something cannot be reached
//! - `records`: what stands in the audit record and in the metrics
//! - `budgets`: bodies that cost much, and who waits for them
//! - `pipes`: pipes that nobody empties, and full disks
//! - `demonstrates`: `msq-gate demo`, and what it borrows from a real Druid
//! - `explains`: what one asks before anything runs
//! - `keys`, `keys_catalogue`, `reloads`: keys that rotate and issuers that go down; files that change
//! - `providers`: oidc-provider and Keycloak, where they are given
//! - `preflights`: the preflight of durable storage before an S3 of the tests' own
//! - `hostile`: the catalogue of hostile requests, replayed
//! - `secrets`: that no byte of a key, a password or a token stands in any output
//! - `restarts`: torn files, signals, kills: the catalogue's group `reload`
//! - `lasts`: deadlines, limits, drain
//! - `takes`: clients that take little of an answer, or many connections
//! - `live`: before a real Druid, where one is given

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on should say so loudly, and these show what they saw"
)]

mod answers;
mod authenticates;
mod begins;
mod budgets;
mod cancels;
mod covers;
mod demonstrates;
mod explains;
mod forwards;
mod gate;
mod hostile;
#[path = "../support/issuer.rs"]
mod issuer;
mod keys;
mod keys_catalogue;
mod lasts;
mod live;
#[path = "../support/native_queries.rs"]
mod native_queries;
mod owns;
mod pipes;
mod posts;
mod preflights;
mod providers;
#[path = "../support/recipe.rs"]
mod recipe;
mod reasons;
mod records;
mod reaches;
mod refuses;
mod reloads;
mod restarts;
mod scripted;
mod secrets;
#[path = "../support/statements.rs"]
mod statements;
mod stores;
mod takes;
mod verifies;
