//! Throw-away certificates and tokens, for development and the demonstration; nothing here is for production

pub mod certificates;
pub mod issuer;

pub use certificates::{Certificates, CertificatesError};
pub use issuer::ThrowAwayIssuer;
