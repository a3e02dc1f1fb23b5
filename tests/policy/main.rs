//! What statements need: cases of the project's own, properties that hold for all of them, and the corpora
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a test that cannot go on should say so loudly, and the corpora tell how they came out"
)]

mod calcite;
mod corpora;
mod external;
mod generated;
mod laws;
mod matrix;
mod native;
#[path = "../support/native_queries.rs"]
mod native_queries;
mod places;
mod properties;
mod scoped;
mod size;
mod sql;
#[path = "../support/statements.rs"]
mod statements;
mod support;
