//! What the Overlord knows of a task: asked with the gate's own sign-in, remembered for a minute at most

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use serde_json::Value;

use super::overlord::{Overlord, TaskError, broken};
use crate::druid::endpoint::{Rule, TaskUse};
use crate::druid::owner::OWNER_CONTEXT_KEY;
use crate::druid::path::Escaped;
use crate::druid::task::{QUERY_CONTROLLER, QUERY_WORKER};
use crate::druid::{Owner, Task};
use crate::forward::answer_error::AnswerError;
use crate::forward::asked::{Finding, KnowsTasks};
use crate::resource_actions::{Evidence, Rules, task_access};

/// An id can be used again, so nothing about it is remembered for longer
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many tasks are remembered
const TASKS: usize = 10_000;
/// A request waits no longer for what is asked for its record only
const FOR_THE_RECORD: Duration = Duration::from_secs(2);
/// A status is small; a payload holds the whole spec
const STATUS_BYTES: usize = 1 << 20;
const PAYLOAD_BYTES: usize = 64 << 20;

/// Asks the Overlord about tasks
#[derive(Debug)]
pub struct Tasks {
    overlord: Overlord,
    /// Without their owners
    found: Cache<String, (Task, Instant)>,
    owners: Cache<String, (Option<Owner>, Instant)>,
    controllers: Cache<String, (String, Instant)>,
}

/// Whose a task or statement is, as far as that was to be found out before it could be judged
#[derive(Clone, Debug)]
pub enum Whose {
    /// This one's
    Known(Owner),
    /// Not found out: nothing rested on it
    Unknown {
        /// Its id
        id: String,
        /// Its type
        kind: String,
    },
    /// It is no task's request, or the task has no owner
    Nobodys,
}

impl Whose {
    /// What the evidence says
    pub fn of(id: Option<&str>, evidence: &Evidence) -> Self {
        match (evidence, id) {
            (Evidence::StatementOwner(Some(owner)) | Evidence::Task(Task { owner: Some(owner), .. }), _) => {
                Self::Known(owner.clone())
            }
            (Evidence::Task(task), Some(id)) => Self::Unknown { id: id.to_owned(), kind: task.kind.clone() },
            (
                Evidence::Task(_)
                | Evidence::StatementOwner(None)
                | Evidence::Statement { .. }
                | Evidence::Running(_)
                | Evidence::OwnQueries(_)
                | Evidence::Supervisor(_)
                | Evidence::PostedSupervisor { .. }
                | Evidence::Supervisors(_)
                | Evidence::None,
                _,
            ) => Self::Nobodys,
        }
    }

    /// The owner, if that is somebody else
    pub fn others(&self, caller: &Owner) -> Option<&Owner> {
        if let Self::Known(owner) = self { Some(owner).filter(|owner| *owner != caller) } else { None }
    }
}

impl Tasks {
    /// Asks this one
    pub fn new(overlord: Overlord) -> Self {
        let (found, owners, controllers) = (Cache::new(TASKS), Cache::new(TASKS), Cache::new(TASKS));
        Self { overlord, found, owners, controllers }
    }

    /// What has to be found out before a request about this id can be judged
    ///
    /// # Errors
    ///
    /// Where Druid does not know the id, or cannot be asked.
    pub async fn evidence(&self, rule: Rule, id: &str, rules: &Rules) -> Result<Evidence, TaskError> {
        if let Rule::Task(purpose) = rule {
            return Ok(Evidence::Task(self.task(id, purpose, rules).await?));
        }
        if let Rule::StatementOf(_) = rule {
            return Ok(Evidence::StatementOwner(self.owner(id).await?));
        }
        Ok(Evidence::None)
    }

    async fn task(&self, id: &str, purpose: TaskUse, rules: &Rules) -> Result<Task, TaskError> {
        let mut task = self.without_owner(id).await?;
        if task_access::asks_for_owner(&task.kind, &task.datasource, purpose, rules) {
            task.owner = self.owner_of_task(id, &task.kind).await?;
        }
        Ok(task)
    }

    /// Whose a task is that somebody may look at or cancel, for the record; nobody's where that cannot be found out
    pub async fn find_out(&self, whose: Whose) -> Whose {
        match whose {
            Whose::Unknown { id, kind } => {
                let owner = tokio::time::timeout(FOR_THE_RECORD, self.owner_of_task(&id, &kind)).await;
                let owner = owner.ok().and_then(Result::ok).flatten();
                owner.map_or(Whose::Nobodys, Whose::Known)
            }
            known @ (Whose::Known(_) | Whose::Nobodys) => known,
        }
    }

    /// Type and datasource, from `/status`
    async fn without_owner(&self, id: &str) -> Result<Task, TaskError> {
        if let Some(task) = remembered(&self.found, id) {
            return Ok(task);
        }
        let target = format!("/druid/indexer/v1/task/{}/status", Escaped(id));
        let answer = self.overlord.ask(&target, STATUS_BYTES).await?;
        let status = answer.get("status").ok_or_else(|| broken("a task's status has no `status`"))?;
        if status.get("id").and_then(Value::as_str) != Some(id) {
            return Err(broken("a task's status is of another task"));
        }
        let text = |name: &str| status.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(kind), Some(datasource)) = (text("type"), text("dataSource")) else {
            return Err(broken("a task's status says neither type nor datasource"));
        };
        let task = Task { kind: kind.to_owned(), datasource: datasource.to_owned(), owner: None };
        self.found.insert(id.to_owned(), (task.clone(), Instant::now()));
        Ok(task)
    }

    /// Whose a task is: of a worker, its controller's owner (`MSQWorkerTask`); of what runs no statement, nobody's
    async fn owner_of_task(&self, id: &str, kind: &str) -> Result<Option<Owner>, TaskError> {
        let controller = match kind {
            QUERY_CONTROLLER => return self.owner(id).await,
            QUERY_WORKER => self.controller(id).await?,
            _ => return Ok(None),
        };
        match self.owner(&controller).await {
            // Its controller is gone, so nobody knows whose it was.
            Err(TaskError::Unknown) => Ok(None),
            known => known,
        }
    }

    /// The controller of a worker, which is the same as long as there is the worker
    async fn controller(&self, worker: &str) -> Result<String, TaskError> {
        if let Some(controller) = remembered(&self.controllers, worker) {
            return Ok(controller);
        }
        let payload = self.payload(worker).await?;
        let controller = payload.get("controllerTaskId").and_then(Value::as_str).filter(|id| !id.is_empty());
        let controller =
            controller.ok_or_else(|| broken("a worker's payload names no controller"))?.to_owned();
        self.controllers.insert(worker.to_owned(), (controller.clone(), Instant::now()));
        Ok(controller)
    }

    /// Whose a statement is, from the payload's `spec.query.context`
    ///
    /// The copy beside the SQL text is decoration, and other tasks have no statement.
    async fn owner(&self, id: &str) -> Result<Option<Owner>, TaskError> {
        if let Some(owner) = remembered(&self.owners, id) {
            return Ok(owner);
        }
        let payload = self.payload(id).await?;
        if payload.get("type").and_then(Value::as_str) != Some(QUERY_CONTROLLER) {
            return Err(TaskError::Unknown);
        }
        let owner = payload.pointer("/spec/query/context").and_then(|context| context.get(OWNER_CONTEXT_KEY));
        let owner = owner.and_then(Value::as_str).map(Owner::from_context);
        self.owners.insert(id.to_owned(), (owner.clone(), Instant::now()));
        Ok(owner)
    }

    /// The task of this id, as it was submitted
    async fn payload(&self, id: &str) -> Result<Value, TaskError> {
        let target = format!("/druid/indexer/v1/task/{}", Escaped(id));
        let mut answer = self.overlord.ask(&target, PAYLOAD_BYTES).await?;
        let payload = answer.get_mut("payload").map(Value::take);
        let payload = payload.ok_or_else(|| broken("a task's payload has no `payload`"))?;
        match payload.get("id").and_then(Value::as_str) {
            Some(found) if found == id => Ok(payload),
            _ => Err(broken("a task's payload is of another task")),
        }
    }
}

impl KnowsTasks for Tasks {
    fn find(self: Arc<Self>, id: String, row: Option<Task>) -> Finding<Option<Task>> {
        Box::pin(async move {
            let found = match row {
                Some(task) => self.owned(&id, task).await,
                None => self.any(&id).await,
            };
            match found {
                Ok(task) => Ok(Some(task)),
                Err(TaskError::Unknown) => Ok(None),
                Err(error) => Err(AnswerError::Broken(error.into())),
            }
        })
    }
}

impl Tasks {
    async fn any(&self, id: &str) -> Result<Task, TaskError> {
        let task = self.without_owner(id).await?;
        self.owned(id, task).await
    }

    async fn owned(&self, id: &str, task: Task) -> Result<Task, TaskError> {
        let owner = self.owner_of_task(id, &task.kind).await?;
        Ok(Task { owner, ..task })
    }
}

fn remembered<T: Clone>(cache: &Cache<String, (T, Instant)>, id: &str) -> Option<T> {
    let (value, found) = cache.get(id)?;
    (found.elapsed() < REMEMBERED).then_some(value)
}
