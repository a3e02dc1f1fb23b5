//! The endpoints: one request in, one answer out

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use super::answer::{Answer, JSON, ResultFormat, with_time_texts};
use super::fault::Fault;
use super::payload::Planned;
use super::posted_task::{PostedTask, uuid};
use super::request::{SqlRequest, content_type};
use super::run::{Mode, Tables, run};
use super::statement::{Script, Source, Statement};
use super::table::Table;
use super::task::{CONTROLLER, Task, Work};
use super::{SeenRequest, StandInSettings, TaskPace, Version, path};

/// A cluster in memory
#[derive(Debug)]
pub(super) struct Druid {
    pace: TaskPace,
    version: Version,
    sign_in: Option<String>,
    cluster: Mutex<Cluster>,
}

/// What changes
#[derive(Debug, Default)]
struct Cluster {
    tables: Tables,
    tasks: Vec<Task>,
}

impl Cluster {
    fn task(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    fn statement(&mut self, id: &str) -> Result<&mut Task, Fault> {
        self.task(id).filter(|task| task.is_controller()).ok_or_else(|| Fault::no_statement(id))
    }

    fn finish(&mut self, wanted: impl Fn(&Task) -> bool) {
        for task in self.tasks.iter_mut().filter(|task| wanted(task)) {
            task.finish(&mut self.tables);
        }
    }
}

/// Which of the SQL endpoints is asked
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Sql,
    Task,
    Statements,
}

impl Druid {
    /// A cluster with these tables and no tasks
    pub(super) fn new(settings: StandInSettings) -> Self {
        let sign_in = settings.sign_in.map(|(name, password)| STANDARD.encode(format!("{name}:{password}")));
        let tables = settings.tables.into_iter().collect();
        let cluster = Mutex::new(Cluster { tables, tasks: Vec::new() });
        Self { pace: settings.tasks, version: settings.version, sign_in, cluster }
    }

    /// Ends a running task now
    pub(super) fn finish_task(&self, id: &str) {
        self.cluster().finish(|task| task.id == id);
    }

    /// Answers a request; its body comes inflated
    pub(super) fn answer(&self, seen: &SeenRequest, body: &[u8]) -> Answer {
        let (segments, query) = path::split(&seen.target);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if segments != ["status", "health"]
            && let Err(refusal) = self.authenticate(seen)
        {
            return refusal;
        }
        match (seen.method.as_str(), segments.as_slice()) {
            ("GET", ["status", "health"]) => Answer::json(200, &json!(true)),
            ("GET", ["druid", "v2", "sql", "task" | "statements", "enabled"]) => {
                Answer::json(200, &json!({ "enabled": true }))
            }
            ("POST", ["druid", "v2", "sql"]) => self.submit(Door::Sql, seen, body),
            ("POST", ["druid", "v2", "sql", "task"]) => self.submit(Door::Task, seen, body),
            ("POST", ["druid", "v2", "sql", "statements"]) => self.submit(Door::Statements, seen, body),
            ("GET", ["druid", "v2", "sql", "statements", id]) => or_fault(self.statement(id, query)),
            ("GET", ["druid", "v2", "sql", "statements", id, "results"]) => or_fault(self.results(id, query)),
            ("DELETE", ["druid", "v2", "sql", "statements", id]) => or_fault(self.cancel_statement(id)),
            ("POST", ["druid", "indexer", "v1", "task"]) => self.submit_task(seen, body),
            ("GET", ["druid", "indexer", "v1", "task", id]) => {
                self.look(id, |task| Answer::json(200, &task.payload()))
            }
            ("GET", ["druid", "indexer", "v1", "task", id, "status"]) => {
                self.look(id, |task| Answer::json(200, &task.status()))
            }
            ("GET", ["druid", "indexer", "v1", "task", id, "reports"]) => {
                self.look(id, |task| self.reports(task))
            }
            ("GET", ["druid", "indexer", "v1", "task", id, "log"]) => self.look(id, |_| self.no_log()),
            ("GET", ["druid", "indexer", "v1", list]) if TASK_LISTS.contains(list) => self.tasks(list),
            ("POST", ["druid", "indexer", "v1", "taskStatus"]) => self.task_statuses(body),
            ("POST", ["druid", "indexer", "v1", "task", id, "shutdown"]) => self.look(id, |task| {
                task.cancel();
                Answer::json(200, &json!({ "task": id }))
            }),
            ("DELETE", ["druid", "coordinator", "v1", "datasources", name]) => self.forget(name),
            ("GET", ["druid", "coordinator", "v1", "metadata", "datasources"]) => {
                Answer::json(200, &json!(self.cluster().tables.keys().collect::<Vec<_>>()))
            }
            (_, segments) => elsewhere(segments, &seen.target),
        }
    }

    /// The cluster as it is by now
    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        cluster.finish(|task| task.is_due(now));
        cluster
    }

    /// `DataSourcesResource.markAsUnusedAllSegments`
    fn forget(&self, datasource: &str) -> Answer {
        let forgotten = self.cluster().tables.remove(datasource);
        Answer::json(200, &json!({ "numChangedSegments": usize::from(forgotten.is_some()) }))
    }

    /// `BasicHTTPAuthenticator`
    fn authenticate(&self, seen: &SeenRequest) -> Result<(), Answer> {
        let Some(expected) = &self.sign_in else { return Ok(()) };
        let given = seen.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|given| given.strip_prefix("Basic ")) {
            Some(given) if given == expected => Ok(()),
            Some(_) => Err(Answer::page(401, "User authentication failed.", &seen.target)),
            None => {
                let body = json!({
                    "error": "Unauthorized request", "errorMessage": null, "errorClass": null, "host": "localhost"
                });
                let answer = Answer::typed(401, "application/json;charset=utf-8", body.to_string());
                Err(answer.with(WWW_AUTHENTICATE.as_str(), "Basic"))
            }
        }
    }

    fn look(&self, id: &str, tell: impl FnOnce(&mut Task) -> Answer) -> Answer {
        self.cluster().task(id).map_or_else(|| Answer::no_task(id), tell)
    }

    /// `OverlordResource.getTasks` and those for tasks in one state
    fn tasks(&self, list: &str) -> Answer {
        let is_listed = |task: &&Task| match list {
            "runningTasks" => task.is_running(),
            "completeTasks" => !task.is_running(),
            "tasks" => true,
            _ => false,
        };
        let cluster = self.cluster();
        let listed = cluster.tasks.iter().filter(is_listed);
        let statuses = listed.filter_map(|task| task.status().get("status").cloned());
        Answer::json(200, &statuses.collect())
    }

    /// `OverlordResource.getMultipleTaskStatuses`: of the ids that are there, without type and datasource
    fn task_statuses(&self, body: &[u8]) -> Answer {
        let ids: Vec<String> = serde_json::from_slice(body).unwrap_or_default();
        let mut cluster = self.cluster();
        let status = |id: String| {
            let status = cluster.task(&id)?.status();
            let code = status.pointer("/status/statusCode").cloned().unwrap_or_default();
            let row = json!({ "id": id, "status": code, "duration": -1, "errorMsg": null, "location": null });
            Some((id, row))
        };
        Answer::json(200, &Value::Object(ids.into_iter().filter_map(status).collect()))
    }

    fn reports(&self, task: &Task) -> Answer {
        match task.reports(self.version) {
            Some(reports) => Answer::json(200, &reports),
            None => Answer::typed(
                404,
                JSON,
                "No task reports were found for this task. The task may not exist, or it may not have completed \
                 yet.",
            ),
        }
    }

    fn no_log(&self) -> Answer {
        let why = match self.version {
            Version::Druid27 => "The task may not exist, or it may not have begun running yet.",
            Version::Druid37 => {
                "No logs found for this task. Ensure that the task is running and logging is configured correctly."
            }
        };
        Answer::text(404, &format!("No log was found for this task. {why}"))
    }

    fn submit(&self, door: Door, seen: &SeenRequest, body: &[u8]) -> Answer {
        let mut request = match SqlRequest::read(seen, body, self.version) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let script = Script::parse(&request.query, self.version);
        if let Ok(script) = &script {
            request.context.extend(script.settings.iter().cloned());
        }
        let id = query_id(&mut request.context);
        let done = script.and_then(|script| {
            check_context(door, &request.context)?;
            self.begin(door, &script, &request, &id)
        });
        let answer = match done {
            Ok(answer) => answer,
            Err(fault) if door == Door::Task => Answer::json(
                fault.status(),
                &json!({ "taskId": id, "state": "FAILED", "error": fault.to_json() }),
            ),
            Err(fault) => Answer::fault(&fault),
        };
        if door == Door::Sql {
            answer.with("x-druid-query-id", &id).with("x-druid-sql-query-id", &id)
        } else {
            answer
        }
    }

    fn begin(&self, door: Door, script: &Script, request: &SqlRequest, id: &str) -> Result<Answer, Fault> {
        let mut cluster = self.cluster();
        if door == Door::Sql {
            refuse_on_native(&script.statement)?;
        }
        let output = run(script.statement.query(), &cluster.tables, Mode::Plan)?;
        let planned = Planned {
            statement: &script.statement,
            output: &output,
            text: &request.query,
            context: &request.context,
            version: self.version,
        };
        if script.is_explained {
            return Ok(rows(&planned.explanation(), request));
        }
        match door {
            Door::Sql => {
                let table = run(script.statement.query(), &cluster.tables, Mode::Run)?;
                Ok(rows(&with_time_texts(table), request))
            }
            Door::Task | Door::Statements => {
                let task = self.task(&planned, id);
                self.refuse_id(&mut cluster, &task.id)?;
                let answer = match door {
                    Door::Statements => Answer::json(200, &task.accepted()),
                    Door::Sql | Door::Task => {
                        Answer::json(202, &json!({ "taskId": task.id, "state": "RUNNING" }))
                    }
                };
                cluster.tasks.push(task);
                Ok(answer)
            }
        }
    }

    fn task(&self, planned: &Planned<'_>, id: &str) -> Task {
        let id = format!("query-{id}");
        let columns = match planned.statement {
            Statement::Select(_) => planned.output.columns.clone(),
            Statement::Insert { .. } | Statement::Replace { .. } | Statement::Export { .. } => Vec::new(),
        };
        let work = Work::Statement { statement: Box::new(planned.statement.clone()), columns };
        let payload = planned.payload(&id);
        Task::begin(id, CONTROLLER.to_owned(), planned.datasource().to_owned(), payload, work, self.due())
    }

    fn due(&self) -> Option<Instant> {
        match self.pace {
            TaskPace::Immediately => Some(Instant::now()),
            TaskPace::After(pause) => Instant::now().checked_add(pause),
            TaskPace::WhenTold => None,
        }
    }

    /// A broker that hands a task to the Overlord hears of a bad id from it
    fn refuse_id(&self, cluster: &mut Cluster, id: &str) -> Result<(), Fault> {
        if id.contains('/') {
            return Err(Fault::input(format!(
                "Invalid value for field [task ID]: Value [{id}] cannot contain '/'."
            )));
        }
        match cluster.task(id) {
            None => Ok(()),
            Some(_) => Err(Fault::inner(format!(
                "org.apache.druid.rpc.HttpResponseException: Server error [400 Bad Request]; body: {}",
                self.id_taken(id)
            ))),
        }
    }

    fn id_taken(&self, id: &str) -> Value {
        match self.version {
            Version::Druid27 => json!({ "error": format!("Task [{id}] already exists.") }),
            Version::Druid37 => json!({
                "error": "druidException",
                "errorCode": "entryAlreadyExists",
                "persona": "USER",
                "category": "INVALID_INPUT",
                "errorMessage": format!("Task[{id}] already exists"),
                "context": {},
            }),
        }
    }

    fn statement(&self, id: &str, query: &str) -> Result<Answer, Fault> {
        let wanted = path::parameter(query, "detail").is_some_and(|value| value == "true");
        // The parameter is younger than 27.
        let in_full = wanted && self.version == Version::Druid37;
        Ok(Answer::json(200, &self.cluster().statement(id)?.statement(in_full)))
    }

    fn results(&self, id: &str, query: &str) -> Result<Answer, Fault> {
        let page = path::parameter(query, "page").map_or(Ok(0), |page| page.parse::<i64>());
        let Ok(page) = page else { return Ok(Answer::empty(404)) };
        if page < 0 {
            return Err(Fault::untimely("Page cannot be negative. Please pass a positive number."));
        }
        let format = match self.version {
            // It takes no resultFormat here.
            Version::Druid27 => ResultFormat::ObjectLines,
            Version::Druid37 => path::parameter(query, "resultFormat")
                .and_then(|name| ResultFormat::named(&name))
                .unwrap_or(ResultFormat::Object),
        };
        match self.cluster().statement(id)?.rows()? {
            Some(_) if page > 0 => {
                Err(Fault::input(format!("Page number [{page}] is out of the range of results")))
            }
            rows => {
                let text = rows.map(|table| format.write(table, false)).unwrap_or_default();
                Ok(Answer::typed(200, JSON, text))
            }
        }
    }

    fn cancel_statement(&self, id: &str) -> Result<Answer, Fault> {
        let mut cluster = self.cluster();
        let task = cluster.statement(id)?;
        let status = if task.is_running() { 202 } else { 200 };
        task.cancel();
        Ok(Answer::typed(status, JSON, ""))
    }

    /// `OverlordResource.taskPost`: any task of a known type, which then does nothing
    fn submit_task(&self, seen: &SeenRequest, body: &[u8]) -> Answer {
        if content_type(seen).as_deref() != Some(JSON) {
            return Answer::empty(415);
        }
        let posted = match PostedTask::read(body) {
            Ok(posted) => posted,
            Err(answer) => return answer,
        };
        let PostedTask { id, kind, datasource, payload } = posted;
        let mut cluster = self.cluster();
        if cluster.task(&id).is_some() {
            return Answer::json(400, &self.id_taken(&id));
        }
        let answer = Answer::json(200, &json!({ "task": id }));
        let task = Task::begin(id, kind, datasource, payload, Work::Nothing, self.due());
        cluster.tasks.push(task);
        answer
    }
}

/// The lists of tasks
const TASK_LISTS: [&str; 5] = ["tasks", "runningTasks", "completeTasks", "pendingTasks", "waitingTasks"];

/// Keys of the query context that only Druid may set
const RESERVED: [&str; 3] = ["__timeColumn", "sqlInsertSegmentGranularity", "sqlReplaceTimeChunks"];

/// A path of nobody, or a method that its endpoint does not take
fn elsewhere(segments: &[&str], target: &str) -> Answer {
    let methods = match segments {
        ["druid", "v2", "sql"]
        | ["druid", "v2", "sql", "task" | "statements"]
        | ["druid", "indexer", "v1", "task"]
        | ["druid", "indexer", "v1", "task", _, "shutdown"] => "POST,OPTIONS",
        ["druid", "v2", "sql", "statements", _, "results"]
        | ["druid", "v2", "sql", "task", "enabled"]
        | ["druid", "indexer", "v1", "task", _]
        | ["druid", "indexer", "v1", "task", _, "status" | "reports" | "log"] => "GET,OPTIONS",
        ["druid", "v2", "sql", "statements", _] => "GET,DELETE,OPTIONS",
        ["druid", "v2" | "indexer", ..] => return Answer::empty(404),
        _ => return Answer::page(404, "Not Found", target),
    };
    Answer::empty(405).with(ALLOW.as_str(), methods)
}

fn or_fault(answer: Result<Answer, Fault>) -> Answer {
    answer.unwrap_or_else(|fault| Answer::fault(&fault))
}

fn rows(table: &Table, request: &SqlRequest) -> Answer {
    let answer = Answer::typed(200, JSON, request.format.write(table, request.has_header));
    if request.has_header { answer.with("x-druid-sql-header-included", "yes") } else { answer }
}

/// The id of a query: the client's, or a new one; the router writes it into the context
fn query_id(context: &mut Map<String, Value>) -> String {
    let given = context.get("sqlQueryId").and_then(Value::as_str);
    let id = given.map_or_else(uuid, str::to_owned);
    context.insert("sqlQueryId".to_owned(), json!(id));
    context.entry("queryId").or_insert_with(|| json!(id));
    id
}

fn check_context(door: Door, context: &Map<String, Value>) -> Result<(), Fault> {
    if door == Door::Sql {
        return Ok(());
    }
    if door == Door::Statements {
        check_execution_mode(context)?;
    }
    let reserved = RESERVED.into_iter().chain((door == Door::Statements).then_some("__resultFormat"));
    match reserved.into_iter().find(|key| context.contains_key(*key)) {
        Some(key) => Err(Fault::input(format!("Query context parameter [{key}] is not allowed"))),
        None => Ok(()),
    }
}

fn check_execution_mode(context: &Map<String, Value>) -> Result<(), Fault> {
    match context.get("executionMode").and_then(Value::as_str) {
        Some(mode) if mode.eq_ignore_ascii_case("ASYNC") => Ok(()),
        Some(mode) => Err(Fault::input(format!(
            "The sql statement api currently does not support the provided execution mode [{mode}]. Please set \
             [executionMode] to [ASYNC] in the query context"
        ))),
        None => Err(Fault::input(
            "Execution mode is not provided to the sql statement api. Please set [executionMode] to [ASYNC] in the \
             query context",
        )),
    }
}

/// What only tasks can do
fn refuse_on_native(statement: &Statement) -> Result<(), Fault> {
    match statement {
        Statement::Select(query) if matches!(query.from, Some(Source::Extern { .. })) => {
            Err(Fault::unplanned("Cannot use [EXTERN] with SQL engine [native]."))
        }
        Statement::Select(_) => Ok(()),
        Statement::Insert { .. } | Statement::Export { .. } => Err(Fault::sql(
            "INSERT operations are not supported by requested SQL engine [native], consider using MSQ.",
        )),
        Statement::Replace { .. } => Err(Fault::sql(
            "REPLACE operations are not supported by the requested SQL engine [native].  Consider using MSQ.",
        )),
    }
}
