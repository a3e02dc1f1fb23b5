//! Why an answer broke off

use std::error::Error;

/// Why an answer broke off
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Druid's side failed
    #[error(transparent)]
    Broken(#[from] Box<dyn Error + Send + Sync>),
    /// A list is not what the endpoint answers, so nobody knows which of its rows may be seen
    #[error("Druid's list is not as it should be: {0}")]
    Unlike(String),
    /// Druid sent nothing for too long
    #[error("Druid's answer stalled")]
    Stalled,
}
