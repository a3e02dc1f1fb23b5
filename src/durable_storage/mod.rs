//! Durable storage of the multi-stage query engine on S3: where it is, what Druid may do there, what was proven
//!
//! Pure: `preflight` asks S3 and writes a [`Report`]; the gate reads it and needs no credentials.

pub mod action;
pub mod answer;
pub mod druid_properties;
pub mod place;
pub mod policy;
pub mod problem;
pub mod properties;
pub mod report;
pub mod standing;

pub use action::Action;
pub use place::{Addressing, Place};
pub use report::{Report, ReportError};
pub use standing::{Doubt, Standing, Unusable};
