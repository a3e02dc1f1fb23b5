//! What a request needs: from a request to resource actions
//!
//! Pure and synchronous; anything not understood is refused here, and the refusal says which part.

pub mod durable_storage;
pub mod ingestion;
pub mod judged_statement;
pub mod needed;
pub mod plan;
pub mod query_context;
pub mod rules;
pub mod sql;
pub mod submit;
pub mod task_access;
pub mod task_error;
mod task_input;
mod task_members;
mod task_object;

use std::sync::Arc;

use crate::druid::endpoint::Judged;
use crate::druid::{DruidRequest, Endpoint, Owner, Task};
pub use durable_storage::Storage;
use judged_statement::JudgedStatement;
pub use needed::Needed;
pub use rules::Rules;
use submit::Submit;
use task_error::TaskSpecError;

/// A request and its own needs
///
/// Only [`analyze`] makes one, so that no request is paired with another's needs.
#[derive(Clone, Debug)]
pub struct AnalyzedRequest {
    request: DruidRequest,
    needs: Needed,
    deed: String,
    why_state: Option<&'static str>,
    storage: Storage,
}

impl AnalyzedRequest {
    /// What it needs
    pub fn needs(&self) -> &Needed {
        &self.needs
    }

    /// Which endpoint it is for
    pub fn endpoint(&self) -> Endpoint {
        self.request.endpoint
    }

    /// What the caller is about to do, for people: `run this INSERT`
    pub fn deed(&self) -> &str {
        &self.deed
    }

    /// Why it is asked for the state, where it is and that is worth a word
    pub fn why_state(&self) -> Option<&'static str> {
        self.why_state
    }

    /// The request, to be sent if it may, and whether it asks for durable storage
    pub fn into_parts(self) -> (DruidRequest, Storage) {
        (self.request, self.storage)
    }
}

/// What has been found out about a request besides what stands in it
#[derive(Clone, Debug)]
pub enum Evidence {
    /// Nothing is needed
    None,
    /// The statement in its body, judged, and who submits it
    Statement {
        /// The body, read
        submit: Box<Submit>,
        /// The statement in it, judged
        judged: Arc<JudgedStatement>,
        /// Who submits it
        submitter: Owner,
    },
    /// The task of the id in its path
    Task(Task),
    /// The owner of the statement of the id in its path
    StatementOwner(Option<Owner>),
}

/// Why a request's needs are not known; none of these lets it through
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// The task in its body is not let through
    #[error(transparent)]
    TaskSpec(#[from] TaskSpecError),
    /// What was found out is not about this request; a fault of the gate's own
    #[error("what was found out does not belong to this request")]
    Mismatch,
}

impl AnalysisError {
    /// That a body is no JSON in one reading
    pub fn json(error: crate::druid::json::JsonError) -> Self {
        Self::TaskSpec(TaskSpecError::Json(error))
    }
}

/// Says what a request needs, and makes it what will be sent
///
/// # Errors
///
/// Where the request, or what was found out about it, does not say so.
pub fn analyze(
    mut request: DruidRequest,
    evidence: Evidence,
    rules: &Rules,
    json_depth: usize,
) -> Result<AnalyzedRequest, AnalysisError> {
    let mut storage = Storage::NotAsked;
    let mut why_state = None;
    let (needs, deed) = match (request.endpoint.judged(), evidence) {
        (Judged::ByEndpoint, Evidence::None) => (Needed::Authenticated, "use this endpoint".to_owned()),
        (Judged::ByStatement, Evidence::Statement { submit, judged, submitter }) if judged.is_of(&submit) => {
            let judgement = judged.judgement();
            why_state = judgement.needs.why_state(rules);
            storage = Storage::asked(request.endpoint, &submit, judgement);
            request.body = submit.body(&judgement.forwarded, &submitter);
            let keys = query_context::resource_actions(&submit.context_keys, rules);
            (judgement.needs.clone().and(keys), format!("run this {}", judgement.kind))
        }
        (Judged::ByTaskSpec, Evidence::None) => {
            let judged = ingestion::judge(&request.body, json_depth, rules)?;
            (judged.needs, format!("post this task of type {}", judged.kind))
        }
        (Judged::ByTask(purpose), Evidence::Task(task)) => {
            (task_access::of_task(&task, purpose, rules), format!("{} this task", purpose.verb()))
        }
        (Judged::ByOwner(purpose), Evidence::StatementOwner(owner)) => {
            (task_access::of_statement(owner, purpose), format!("{} this statement", purpose.verb()))
        }
        _ => return Err(AnalysisError::Mismatch),
    };
    Ok(AnalyzedRequest { request, needs, deed, why_state, storage })
}
