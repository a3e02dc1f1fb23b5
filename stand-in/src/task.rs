//! Tasks in memory, and what the Overlord and the broker tell of them

use std::time::{Instant, SystemTime};

use serde_json::{Map, Value, json};

use super::Version;
use super::fault::Fault;
use super::run::{Mode, Tables, run, take_out};
use super::statement::{Overwrite, Query, Statement};
use super::table::{Column, Table, instant_text};

/// The type of the task that runs a statement
pub(super) const CONTROLLER: &str = "query_controller";

/// How many rows a statement's status shows
const SAMPLE: usize = 50;

/// A task
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    kind: String,
    datasource: String,
    payload: Value,
    work: Work,
    state: State,
    created: SystemTime,
    begun: Instant,
}

/// What a task does
#[derive(Debug)]
pub(super) enum Work {
    /// Runs a statement; these will be the columns of its rows
    Statement { statement: Box<Statement>, columns: Vec<Column> },
    /// Nothing that is imitated
    Nothing,
}

/// How a task stands
#[derive(Debug)]
enum State {
    Running { due: Option<Instant> },
    Success { took: u128, result: Table },
    Failed(Fault),
}

impl Task {
    /// A task that begins now, and ends by itself when it is due
    pub(super) fn begin(
        id: String,
        kind: String,
        datasource: String,
        payload: Value,
        work: Work,
        due: Option<Instant>,
    ) -> Self {
        let (state, created, begun) = (State::Running { due }, SystemTime::now(), Instant::now());
        Self { id, kind, datasource, payload, work, state, created, begun }
    }

    /// Whether it still runs
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Whether it runs and should have ended by now
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Running { due: Some(due) } if due <= now)
    }

    /// Whether the statements endpoint knows it
    pub(super) fn is_controller(&self) -> bool {
        self.kind == CONTROLLER
    }

    /// Runs what it is to run, to its end
    pub(super) fn finish(&mut self, tables: &mut Tables) {
        if !self.is_running() {
            return;
        }
        let done = match &self.work {
            Work::Statement { statement, .. } => perform(statement, tables),
            Work::Nothing => Ok(Table::default()),
        };
        self.state = match done {
            Ok(result) => State::Success { took: self.begun.elapsed().as_millis(), result },
            Err(fault) => State::Failed(fault),
        };
    }

    /// Ends it without its work; nothing changes where it has ended already
    pub(super) fn cancel(&mut self) {
        if self.is_running() {
            self.state = State::Failed(Fault::cancelled());
        }
    }

    /// `GET /druid/indexer/v1/task/{id}`
    pub(super) fn payload(&self) -> Value {
        json!({ "task": self.id, "payload": self.payload })
    }

    /// `GET /druid/indexer/v1/task/{id}/status`
    pub(super) fn status(&self) -> Value {
        let code = self.code();
        let running = self.is_running();
        let location = if running {
            json!({ "host": "localhost", "port": 8091, "tlsPort": -1 })
        } else {
            json!({ "host": null, "port": -1, "tlsPort": -1 })
        };
        json!({
            "task": self.id,
            "status": {
                "id": self.id,
                "groupId": self.id,
                "type": self.kind,
                "createdTime": instant_text(self.created),
                "queueInsertionTime": "1970-01-01T00:00:00.000Z",
                "statusCode": code,
                "status": code,
                "runnerStatusCode": if running { "RUNNING" } else { "WAITING" },
                "duration": self.duration(),
                "location": location,
                "dataSource": self.datasource,
                "errorMsg": self.error_message(),
            }
        })
    }

    /// `GET /druid/indexer/v1/task/{id}/reports`, where there are any
    pub(super) fn reports(&self, version: Version) -> Option<Value> {
        let Work::Statement { .. } = &self.work else { return None };
        let status = without_nulls(json!({
            "status": self.code(),
            "errorReport": self.fault().map(|fault| self.error_report(fault)),
            "startTime": instant_text(self.created),
            "durationMs": self.duration(),
            "pendingTasks": 0,
            "runningTasks": 1,
        }));
        let result = self.result().filter(|_| self.has_rows());
        let payload = without_nulls(json!({
            "status": status,
            "stages": [],
            "counters": {},
            "results": result.map(|result| results_report(result, version)),
        }));
        let report = json!({ "type": "multiStageQuery", "taskId": self.id, "payload": payload });
        Some(json!({ "multiStageQuery": report }))
    }

    /// `GET /druid/v2/sql/statements/{id}`, with its details or without
    pub(super) fn statement(&self, in_full: bool) -> Value {
        let mut statement = self.statement_head(self.code());
        let rest = without_nulls(json!({
            "result": self.result().map(|result| self.statement_result(result)),
            "errorDetails": self.fault().map(Fault::to_json),
            "stages": in_full.then_some(json!([])),
            "counters": in_full.then_some(json!({})),
            "warnings": in_full.then_some(json!([])),
        }));
        statement.extend(rest);
        Value::Object(statement)
    }

    /// The answer to `POST /druid/v2/sql/statements`
    pub(super) fn accepted(&self) -> Value {
        Value::Object(self.statement_head("ACCEPTED"))
    }

    /// The rows of a statement; an INSERT has none
    pub(super) fn rows(&self) -> Result<Option<&Table>, Fault> {
        match &self.state {
            State::Running { .. } => Err(Fault::untimely(format!(
                "Query[{}] is currently in [RUNNING] state. Please wait for it to complete.",
                self.id
            ))),
            State::Failed(_) => Err(Fault::untimely(format!(
                "Query[{}] failed. Check the status api for more details.",
                self.id
            ))),
            State::Success { result, .. } => Ok(Some(result).filter(|_| self.has_rows())),
        }
    }

    fn has_rows(&self) -> bool {
        matches!(&self.work, Work::Statement { columns, .. } if !columns.is_empty())
    }

    fn code(&self) -> &'static str {
        match self.state {
            State::Running { .. } => "RUNNING",
            State::Success { .. } => "SUCCESS",
            State::Failed(_) => "FAILED",
        }
    }

    fn duration(&self) -> Value {
        match self.state {
            State::Success { took, .. } => json!(u64::try_from(took).unwrap_or(u64::MAX)),
            State::Running { .. } | State::Failed(_) => json!(-1),
        }
    }

    fn result(&self) -> Option<&Table> {
        if let State::Success { result, .. } = &self.state { Some(result) } else { None }
    }

    fn fault(&self) -> Option<&Fault> {
        if let State::Failed(fault) = &self.state { Some(fault) } else { None }
    }

    fn error_message(&self) -> Option<&str> {
        let is_cancelled = |fault: &Fault| *fault == Fault::cancelled();
        self.fault()
            .map(|fault| if is_cancelled(fault) { "Shutdown request from user" } else { fault.message() })
    }

    fn error_report(&self, fault: &Fault) -> Value {
        let details = fault.to_json();
        json!({
            "taskId": self.id,
            "host": "localhost:8091",
            "error": { "errorCode": details.get("errorCode"), "errorMessage": details.get("errorMessage") },
        })
    }

    fn statement_head(&self, state: &str) -> Map<String, Value> {
        let columns = match &self.work {
            Work::Statement { columns, .. } if self.has_rows() && self.fault().is_none() => Some(columns),
            Work::Statement { .. } | Work::Nothing => None,
        };
        let in_schema = |column: &Column| json!({ "name": column.name, "type": column.kind.sql(), "nativeType": column.kind.native() });
        without_nulls(json!({
            "queryId": self.id,
            "state": state,
            "createdAt": instant_text(self.created),
            "schema": columns.map(|columns| columns.iter().map(in_schema).collect::<Vec<_>>()),
            "durationMs": self.duration(),
        }))
    }

    fn statement_result(&self, result: &Table) -> Value {
        let count = result.rows.len();
        if !self.has_rows() {
            return json!({ "numTotalRows": count, "totalSizeInBytes": 0, "dataSource": self.datasource });
        }
        let size = result.rows.iter().map(|row| json!(row).to_string().len()).sum::<usize>();
        json!({
            "numTotalRows": count,
            "totalSizeInBytes": size,
            "dataSource": self.datasource,
            "sampleRecords": result.rows.iter().take(SAMPLE).collect::<Vec<_>>(),
            "pages": [{ "id": 0, "numRows": count, "sizeInBytes": size }],
        })
    }
}

fn results_report(result: &Table, version: Version) -> Value {
    let signature = result.columns.iter();
    let signature = signature.map(|column| json!({ "name": column.name, "type": column.kind.native() }));
    // Misspelt in Druid until it was not.
    let truncated = match version {
        Version::Druid27 => "resultsTruncted",
        Version::Druid37 => "resultsTruncated",
    };
    json!({
        "signature": signature.collect::<Vec<_>>(),
        "sqlTypeNames": result.columns.iter().map(|column| column.kind.sql()).collect::<Vec<_>>(),
        "results": result.rows,
        truncated: false,
    })
}

/// The members of an object that have a value
pub(super) fn without_nulls(object: Value) -> Map<String, Value> {
    let Value::Object(mut members) = object else { return Map::new() };
    members.retain(|_, value| !value.is_null());
    members
}

/// Runs a statement: its rows, or those that it wrote
fn perform(statement: &Statement, tables: &mut Tables) -> Result<Table, Fault> {
    let rows = |query: &Query, tables: &Tables| run(query, tables, Mode::Run);
    match statement {
        // An export is read, and written nowhere.
        Statement::Select(query) | Statement::Export { query, .. } => rows(query, tables),
        Statement::Insert { target, query, .. } => {
            let written = rows(query, tables)?;
            tables.entry(target.clone()).or_default().append(&written);
            Ok(written)
        }
        Statement::Replace { target, overwrite, query, .. } => {
            let written = rows(query, tables)?;
            let table = tables.entry(target.clone()).or_default();
            match overwrite {
                Overwrite::All => *table = Table::default(),
                Overwrite::Where(conditions) => take_out(table, conditions),
            }
            table.append(&written);
            Ok(written)
        }
    }
}
