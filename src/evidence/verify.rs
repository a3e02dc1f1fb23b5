//! Druid as a third reader: `rules.verify` asks its planner what a new statement needs, and compares
//!
//! `watch` asks beside the request and tells of a difference; `require` asks before it is forwarded, and a
//! difference refuses it. The answer is remembered with the judgement for an hour. Only statements that their caller may run are
//! asked about, a few at a time, so that nobody can load the cluster with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base::metrics::{Metrics, Verified};
use crate::config::Verify;
use crate::druid::Endpoint;
use crate::druid::endpoint::{Rule, Runs};
use crate::druid::json;
use crate::druid::resource::Printable;
use crate::forward::upstream::Question;
use crate::forward::{Routers, UpstreamError};
use crate::resource_actions::Evidence;
use crate::resource_actions::judged_statement::JudgedStatement;
use crate::resource_actions::plan::{PlannedResources, UnreadablePlan};

/// How many plans are asked for at once
const AT_ONCE: usize = 4;
/// A plan holds the native query, many times as long as its statement
const PLAN_BYTES: usize = 16 << 20;
/// Druid's own answers nest deeper than a client's body may
const PLAN_DEPTH: usize = 120;
/// How much of Druid's own words is passed on
const WORDS: usize = 1_000;

/// Why a statement is not verified
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Druid's planner needs more than was judged
    #[error("Druid's planner says that this statement needs {} too, which the gate did not find in it", list(.beyond))]
    Differs {
        /// What it needs beyond, each by `TYPE NAME`
        beyond: BTreeSet<String>,
    },
    /// Druid plans no such statement
    #[error("Druid does not plan this statement, so what it needs cannot be verified: {}", Printable(.0))]
    NotPlanned(String),
    /// More statements wait to be verified than can be soon
    #[error("more statements wait to be verified by Druid than the gate asks for at once")]
    Busy,
    /// Druid could not be asked
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl From<UnreadablePlan> for VerifyError {
    fn from(unreadable: UnreadablePlan) -> Self {
        Self::Upstream(UpstreamError::Broken(unreadable.to_string()))
    }
}

fn list(beyond: &BTreeSet<String>) -> String {
    beyond.iter().map(|name| Printable(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// A statement that Druid has not been asked about
#[derive(Debug)]
pub struct Doubt {
    judged: Arc<JudgedStatement>,
    question: Question,
}

/// Asks Druid about statements
#[derive(Debug)]
pub struct Verifier {
    mode: Verify,
    routers: Arc<Routers>,
    patience: Duration,
    turns: Semaphore,
    metrics: Arc<Metrics>,
}

impl Verifier {
    /// Asks these routers, and waits so long for a turn and for an answer
    pub fn new(mode: Verify, routers: Arc<Routers>, patience: Duration, metrics: Arc<Metrics>) -> Self {
        Self { mode, routers, patience, turns: Semaphore::new(AT_ONCE), metrics }
    }

    /// What there is to ask about a request, where statements are verified and this one has not agreed before
    pub fn doubt(&self, endpoint: Endpoint, evidence: &Evidence) -> Option<Doubt> {
        let Evidence::Statement { submit, judged, submitter: _ } = evidence else { return None };
        if self.mode == Verify::Off || judged.beyond(Instant::now()).is_some_and(|beyond| beyond.is_empty()) {
            return None;
        }
        let body = submit.explanation(&judged.judgement().explanation());
        let target = if endpoint.rule == Rule::Statement(Runs::AtOnce) {
            "/druid/v2/sql"
        } else {
            "/druid/v2/sql/task"
        };
        Some(Doubt { judged: Arc::clone(judged), question: Question::post(target, Bytes::from(body)) })
    }

    /// Settles a doubt before the request is forwarded, or beside it; of a new difference found beside it `differs` is told
    ///
    /// # Errors
    ///
    /// Where verification is required and does not succeed.
    pub async fn settle(
        self: &Arc<Self>,
        doubt: Doubt,
        differs: impl FnOnce(&BTreeSet<String>) + Send + 'static,
    ) -> Result<(), VerifyError> {
        match self.mode {
            Verify::Require => self.required(&doubt).await,
            Verify::Watch => {
                let verifier = Arc::clone(self);
                tokio::spawn(async move { verifier.watched(&doubt, differs).await });
                Ok(())
            }
            Verify::Off => Ok(()),
        }
    }

    async fn required(&self, doubt: &Doubt) -> Result<(), VerifyError> {
        let turn = tokio::time::timeout(self.patience, self.turns.acquire()).await;
        let outcome = match turn.ok().and_then(Result::ok) {
            Some(turn) => self.verify(doubt, turn).await,
            None => Err(VerifyError::Busy),
        };
        self.metrics.verified(verdict(&outcome));
        outcome.inspect_err(tell)
    }

    /// Where all turns are taken the statement is left for the next time
    async fn watched(&self, doubt: &Doubt, differs: impl FnOnce(&BTreeSet<String>) + Send) {
        let is_known = doubt.judged.beyond(Instant::now()).is_some();
        let Ok(turn) = self.turns.try_acquire() else { return self.metrics.verified(Verified::Skipped) };
        let outcome = self.verify(doubt, turn).await;
        self.metrics.verified(verdict(&outcome));
        if let Err(VerifyError::Differs { beyond }) = &outcome
            && !is_known
        {
            differs(beyond);
        }
        let _told = outcome.inspect_err(tell);
    }

    /// What Druid says, or has said before
    async fn verify(&self, doubt: &Doubt, turn: SemaphorePermit<'_>) -> Result<(), VerifyError> {
        let beyond = match doubt.judged.beyond(Instant::now()) {
            Some(beyond) => beyond,
            None => {
                let beyond = self.plan(doubt).await?.beyond(&doubt.judged.judgement().needs);
                doubt.judged.remember_beyond(beyond, Instant::now())
            }
        };
        drop(turn);
        if beyond.is_empty() { Ok(()) } else { Err(VerifyError::Differs { beyond: (*beyond).clone() }) }
    }

    async fn plan(&self, doubt: &Doubt) -> Result<PlannedResources, VerifyError> {
        let (status, answer) = self.routers.ask(&doubt.question, PLAN_BYTES, self.patience).await?;
        match status {
            StatusCode::OK => Ok(PlannedResources::read(&answer, PLAN_DEPTH)?),
            // What its planner does not take is a 400, what it cannot do a 501, what it fails at a 500, and what its
            // operators block a 403.
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::FORBIDDEN => Err(words(&answer).map_or_else(not_asked, VerifyError::NotPlanned)),
            _ => Err(not_asked()),
        }
    }
}

/// Druid's own words of a refusal; those of the task endpoint stand in a member `error`
fn words(answer: &[u8]) -> Option<String> {
    let answer = json::parse(answer, PLAN_DEPTH).unwrap_or_default();
    let said = ["/errorMessage", "/error/errorMessage"].into_iter().find_map(|place| answer.pointer(place));
    said.and_then(Value::as_str).map(|said| said.chars().take(WORDS).collect())
}

fn not_asked() -> VerifyError {
    UpstreamError::Broken("it could not plan a statement".to_owned()).into()
}

fn verdict(outcome: &Result<(), VerifyError>) -> Verified {
    match outcome {
        Ok(()) => Verified::Agreed,
        Err(VerifyError::Differs { .. }) => Verified::Differed,
        Err(VerifyError::NotPlanned(_)) => Verified::NotPlanned,
        Err(VerifyError::Busy) => Verified::Skipped,
        Err(VerifyError::Upstream(_)) => Verified::Failed,
    }
}

/// A difference is a fault of the judge's, and its makers want to know
fn tell(error: &VerifyError) {
    match error {
        VerifyError::Differs { .. } => {
            tracing::error!(%error, "a statement needs more than it was judged to; please report it");
        }
        VerifyError::Upstream(error) => tracing::warn!(%error, "Druid could not be asked about a statement"),
        VerifyError::NotPlanned(_) | VerifyError::Busy => {}
    }
}
