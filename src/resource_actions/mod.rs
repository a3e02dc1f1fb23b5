//! What a request needs: from a request to resource actions
//!
//! Pure and synchronous; anything not understood is refused here, and the refusal says which part.

pub mod analysis_error;
mod by_endpoint;
pub mod durable_storage;
pub mod ingestion;
pub mod judged_statement;
mod jvm;
pub mod listed;
pub mod native;
pub mod needed;
pub mod plan;
pub mod query_context;
mod query_controller;
mod reach;
pub mod rules;
pub mod running_query;
pub mod scheduled;
pub mod sql;
pub mod submit;
pub mod supervisor;
pub mod supervisor_spec;
pub mod task_access;
pub mod task_error;
mod task_hadoop;
mod task_input;
mod task_members;
mod task_move;
mod task_object;
mod task_parts;
mod task_stream;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::druid::endpoint::{List, Rule};
use crate::druid::json::JsonLimits;
use crate::druid::{DruidRequest, Endpoint, Owner, ResourceAction, Task};
pub use analysis_error::AnalysisError;
pub use durable_storage::Storage;
use judged_statement::JudgedStatement;
use listed::{DatasourcesOfSupervisors, Known, Listed};
pub use needed::Needed;
pub use rules::Rules;
pub use running_query::RunningQuery;
use submit::Submit;

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
    listed: Option<Listed>,
    query_id: Option<String>,
}

impl AnalyzedRequest {
    fn new(request: DruidRequest, needs: Needed, deed: String) -> Self {
        Self {
            request,
            needs,
            deed,
            why_state: None,
            storage: Storage::NotAsked,
            listed: None,
            query_id: None,
        }
    }

    /// The same, with this list in its answer
    fn showing(self, listed: Option<Listed>) -> Self {
        Self { listed, ..self }
    }

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

    /// The request, to be sent if it may, and what besides its needs was found out about it
    pub fn into_parts(self) -> Parts {
        let Self { request, needs, storage, listed, query_id, .. } = self;
        let running = request.endpoint.is_query().then_some(needs);
        Parts { request, storage, listed, query_id, running }
    }
}

/// A request, and what besides its needs was found out about it
#[derive(Clone, Debug)]
pub struct Parts {
    /// The request, to be sent if it may
    pub request: DruidRequest,
    /// Whether it asks for durable storage
    pub storage: Storage,
    /// Of a list what of it is seen
    pub listed: Option<Listed>,
    /// The id by which its query can be cancelled, where it brings one
    pub query_id: Option<String>,
    /// What whoever cancels its query needs, where it is one that can be cancelled
    pub running: Option<Needed>,
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
    /// The queries that were seen to begin with the id in its path, and have not ended
    Running(Vec<RunningQuery>),
    /// The statement of the supervisor in its body, where it runs one, and what replacing the supervisor of its id takes
    PostedSupervisor {
        /// The statement that it would run
        statement: Option<PostedStatement>,
        /// WRITE on what the one has that it would replace
        replaced: BTreeSet<ResourceAction>,
    },
    /// The datasources of the supervisor of the id in its path
    Supervisor(Option<Vec<String>>),
    /// The ids of the queries that the caller has running
    OwnQueries(BTreeSet<String>),
    /// The datasources of every supervisor
    Supervisors(DatasourcesOfSupervisors),
}

/// A statement within what is posted, judged
#[derive(Clone, Debug)]
pub struct PostedStatement {
    /// As it would be submitted
    pub submit: Box<Submit>,
    /// The same, judged
    pub judged: Arc<JudgedStatement>,
}

/// Says what a request needs, and makes it what will be sent
///
/// # Errors
///
/// Where the request, or what was found out about it, does not say so.
pub fn analyze(
    request: DruidRequest,
    evidence: Evidence,
    rules: &Rules,
    limits: impl Into<JsonLimits>,
) -> Result<AnalyzedRequest, AnalysisError> {
    let limits = limits.into();
    let more = by_endpoint::needs_of_body(&request, limits)?;
    match (request.endpoint.rule, evidence) {
        (Rule::Statement(_), Evidence::Statement { submit, judged, submitter }) if judged.is_of(&submit) => {
            Ok(of_statement(request, &submit, &judged, &submitter, rules))
        }
        (Rule::Rows(List::Supervisors), Evidence::Supervisors(supervisors)) => {
            let listed = Listed::of(request.endpoint.rule, rules, Known::Supervisors(Arc::new(supervisors)));
            Ok(AnalyzedRequest::new(request, Needed::Authenticated, String::new()).showing(listed))
        }
        (rule @ Rule::RowsUnless(_, _, List::Queries), Evidence::OwnQueries(own)) => {
            let listed = Listed::of(rule, rules, Known::OwnQueries(Arc::new(own)));
            Ok(AnalyzedRequest::new(request, Needed::Authenticated, String::new()).showing(listed))
        }
        (Rule::Rows(List::Supervisors) | Rule::RowsUnless(_, _, List::Queries), _) => {
            Err(AnalysisError::Mismatch)
        }
        (Rule::NativeQuery(asks), Evidence::None) => {
            let query = native::judge(&request.body, limits, rules)?;
            let deed = format!("run this {} query", query.kind);
            let analyzed = AnalyzedRequest::new(request, query.needs_for(asks), deed);
            Ok(AnalyzedRequest { query_id: query.id, ..analyzed })
        }
        (Rule::SupervisorSpec, Evidence::PostedSupervisor { statement, replaced }) => {
            let (needs, kind) = match statement {
                Some(statement) => {
                    (scheduled::needs(&request.body, limits, &statement, rules)?, "scheduled_batch")
                }
                None => {
                    let judged = supervisor::judge(&request.body, limits, rules)?;
                    (judged.needs, judged.kind)
                }
            };
            let deed = format!("post this supervisor of type {kind}");
            Ok(AnalyzedRequest::new(request, needs.and(replaced), deed))
        }
        (Rule::TaskSpec, Evidence::None) => {
            let judged = ingestion::judge(&request.body, limits, rules)?;
            let deed = format!("post this task of type {}", judged.kind);
            let storage = judged.storage;
            Ok(AnalyzedRequest { storage, ..AnalyzedRequest::new(request, judged.needs, deed) })
        }
        (rule, evidence) => {
            let (needs, deed) = judge(&request, evidence, rules, limits)?;
            Ok(AnalyzedRequest::new(request, needs.and(more), deed).showing(Listed::of(
                rule,
                rules,
                Known::Nothing,
            )))
        }
    }
}

/// What a request needs, and what its caller would do by it
fn judge(
    request: &DruidRequest,
    evidence: Evidence,
    rules: &Rules,
    limits: JsonLimits,
) -> Result<(Needed, String), AnalysisError> {
    let body = request.body.as_slice();
    Ok(match (request.endpoint.rule, evidence) {
        (Rule::Sampler, Evidence::None) => {
            let judged = supervisor::judge_sample(body, limits, rules)?;
            (judged.needs, format!("sample the input of this {}", judged.kind))
        }
        (Rule::Task(purpose), Evidence::Task(task)) => {
            (task_access::of_task(&task, purpose, rules), format!("{} this task", purpose.verb()))
        }
        (Rule::StatementOf(purpose), Evidence::StatementOwner(owner)) => {
            (task_access::of_statement(owner, purpose), format!("{} this statement", purpose.verb()))
        }
        (Rule::RunningQuery(purpose), Evidence::Running(queries)) => {
            (running_query::needs_to_use(&queries, purpose), format!("{} this query", purpose.verb()))
        }
        (Rule::Supervisor(action), Evidence::Supervisor(datasources)) => {
            let actions = Listed::of_supervisor(action, datasources.as_deref());
            let needs = Needed::after_reading_everything(actions.into_iter().collect());
            (needs, "use this supervisor".to_owned())
        }
        (_, Evidence::None) => {
            let needs = by_endpoint::needs(request, rules).ok_or(AnalysisError::Mismatch)?;
            (needs, "use this endpoint".to_owned())
        }
        _ => return Err(AnalysisError::Mismatch),
    })
}

/// A submitted statement, and the body as Druid will get it
fn of_statement(
    mut request: DruidRequest,
    submit: &Submit,
    judged: &JudgedStatement,
    submitter: &Owner,
    rules: &Rules,
) -> AnalyzedRequest {
    let judgement = judged.judgement();
    let storage = Storage::asked(request.endpoint, submit, judgement);
    request.body = submit.body(&judgement.forwarded, submitter);
    let keys = query_context::resource_actions(&submit.context_keys, rules);
    let (needs, deed) = (judgement.needs.clone().and(keys), format!("run this {}", judgement.kind));
    let why_state = judgement.needs.why_state(rules);
    let query_id = query_context::query_id(submit, &judgement.settings);
    AnalyzedRequest { why_state, storage, query_id, ..AnalyzedRequest::new(request, needs, deed) }
}
