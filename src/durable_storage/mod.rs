//! Durable storage of the multi-stage query engine on S3: where it is, what Druid may do there, what was proven
//!
//! Pure: `preflight` asks S3 and writes a [`Report`]; the gate reads its [`Summary`] and needs no credentials.

pub mod action;
pub mod address;
pub mod answer;
pub mod druid_properties;
pub mod place;
pub mod policy;
pub mod problem;
pub mod properties;
pub mod report;
mod span;
pub mod status;
pub mod summary;
pub mod surroundings;

pub use action::Action;
pub use address::Address;
pub use place::{Addressing, Place};
pub use report::Report;
pub use status::{Status, Unusable};
pub use summary::{ReportError, Summary};
