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

/// What a task is made of
#[derive(Debug)]
pub(super) struct NewTask {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) datasource: String,
    pub(super) payload: Value,
    pub(super) work: Work,
    /// When it ends by itself
    pub(super) due: Option<Instant>,
}

/// Whether a task's details are wanted
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Full,
    Short,
}

impl Task {
    /// A task that begins now
    pub(super) fn begin(new: NewTask) -> Self {
        Self {
            id: new.id,
            kind: new.kind,
            datasource: new.datasource,
            payload: new.payload,
            work: new.work,
            state: State::Running { due: new.due },
            created: SystemTime::now(),
            begun: Instant::now(),
        }
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
        let Work::Statement { columns, .. } = &self.work else { return None };
        let mut payload = Map::new();
        let mut status = Map::new();
        status.insert("status".to_owned(), json!(self.code()));
        if let State::Failed(fault) = &self.state {
            status.insert("errorReport".to_owned(), self.error_report(fault));
        }
        status.insert("startTime".to_owned(), json!(instant_text(self.created)));
        status.insert("durationMs".to_owned(), self.duration());
        status.insert("pendingTasks".to_owned(), json!(0));
        status.insert("runningTasks".to_owned(), json!(1));
        payload.insert("status".to_owned(), Value::Object(status));
        payload.insert("stages".to_owned(), json!([]));
        payload.insert("counters".to_owned(), json!({}));
        if let State::Success { result, .. } = &self.state
            && !columns.is_empty()
        {
            payload.insert("results".to_owned(), results_report(result, version));
        }
        let report = json!({ "type": "multiStageQuery", "taskId": self.id, "payload": payload });
        Some(json!({ "multiStageQuery": report }))
    }

    /// `GET /druid/v2/sql/statements/{id}`
    pub(super) fn statement(&self, detail: Detail) -> Value {
        let mut statement = self.statement_head(self.code());
        if let State::Success { result, .. } = &self.state {
            statement.insert("result".to_owned(), self.statement_result(result));
        }
        if let State::Failed(fault) = &self.state {
            statement.insert("errorDetails".to_owned(), fault.to_json());
        }
        if detail == Detail::Full {
            statement.insert("stages".to_owned(), json!([]));
            statement.insert("counters".to_owned(), json!({}));
            statement.insert("warnings".to_owned(), json!([]));
        }
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

    fn error_message(&self) -> Option<&str> {
        match &self.state {
            State::Failed(fault) if *fault == Fault::cancelled() => Some("Shutdown request from user"),
            State::Failed(fault) => Some(fault.message()),
            State::Running { .. } | State::Success { .. } => None,
        }
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
        let mut head = Map::new();
        head.insert("queryId".to_owned(), json!(self.id));
        head.insert("state".to_owned(), json!(state));
        head.insert("createdAt".to_owned(), json!(instant_text(self.created)));
        if let Work::Statement { columns, .. } = &self.work
            && !columns.is_empty()
            && !matches!(self.state, State::Failed(_))
        {
            let schema = columns.iter().map(|column| {
                json!({ "name": column.name, "type": column.kind.sql(), "nativeType": column.kind.native() })
            });
            head.insert("schema".to_owned(), schema.collect());
        }
        head.insert("durationMs".to_owned(), self.duration());
        head
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
    let mut report = Map::new();
    report.insert(
        "signature".to_owned(),
        signature.map(|column| json!({ "name": column.name, "type": column.kind.native() })).collect(),
    );
    report.insert(
        "sqlTypeNames".to_owned(),
        result.columns.iter().map(|column| json!(column.kind.sql())).collect(),
    );
    report.insert("results".to_owned(), json!(result.rows));
    // Misspelt in Druid until it was not.
    let truncated = match version {
        Version::Druid27 => "resultsTruncted",
        Version::Druid37 => "resultsTruncated",
    };
    report.insert(truncated.to_owned(), json!(false));
    Value::Object(report)
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
