//! Questions to the Overlord, by the router and with the gate's own sign-in

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::druid::json;
use crate::forward::upstream::Question;
use crate::forward::{Routers, UpstreamError};

/// Druid's own answers nest deeper than a client's body may
const DEPTH: usize = 120;

/// Why a task is not known
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Druid does not know the id
    #[error("Druid knows no task, statement or supervisor of this id")]
    Unknown,
    /// It could not be asked
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// Asks the Overlord
#[derive(Clone, Debug)]
pub struct Overlord {
    routers: Arc<Routers>,
    patience: Duration,
}

impl Overlord {
    /// By these routers
    pub fn new(routers: Arc<Routers>, patience: Duration) -> Self {
        Self { routers, patience }
    }

    /// Its description of something, of at most these bytes, in one reading
    pub(super) async fn ask(&self, target: &str, bytes: usize) -> Result<Value, TaskError> {
        let body = self.ask_for_bytes(target, bytes).await?;
        json::parse(&body, DEPTH).map_err(|_| broken("its description is no JSON"))
    }

    /// The same as it came
    pub(super) async fn ask_for_bytes(&self, target: &str, bytes: usize) -> Result<Bytes, TaskError> {
        let (status, body) = self.routers.ask(&Question::get(target), bytes, self.patience).await?;
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => Err(TaskError::Unknown),
            _ => Err(broken("it does not describe what it was asked for")),
        }
    }
}

pub(super) fn broken(why: &str) -> TaskError {
    TaskError::Upstream(UpstreamError::Broken(why.to_owned()))
}
