//! Durable storage of the multi-stage query engine on S3: where it is, what Druid may do there, what was proven
//!
//! Pure: `preflight` asks S3 and writes a [`Report`]; the gate reads its [`Gist`] and needs no credentials.

pub mod action;
pub mod answer;
pub mod druid_properties;
pub mod gist;
pub mod place;
pub mod policy;
pub mod problem;
pub mod properties;
pub mod report;
pub mod standing;

pub use action::Action;
pub use gist::{Gist, ReportError};
pub use place::{Addressing, Place};
pub use report::Report;
pub use standing::{Site, Standing, Unusable};
