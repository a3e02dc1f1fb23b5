//! What the demonstration keeps at a real Druid: a datasource of its own, made at the start and removed at the end
//!
//! Nothing of the operator's is written, and nothing but this run's own tasks is ended.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::forward::Routers;
use crate::forward::upstream::{Question, UpstreamError};

/// How long one answer may take
const ANSWER: Duration = Duration::from_secs(30);
/// How long a task, or a segment's way to the historicals, may take
const WORK: Duration = Duration::from_secs(180);
/// Between two looks
const LOOK: Duration = Duration::from_millis(500);
const ANSWER_BYTES: usize = 1 << 20;
/// All times that Druid's SQL writes
const ALL_TIME: &str = "0000-01-01/4000-01-01";

/// Why Druid does not do what the demonstration needs
#[derive(Debug, thiserror::Error)]
pub(super) enum BorrowError {
    #[error("Druid: {0}")]
    Upstream(#[from] UpstreamError),
    /// It answers otherwise than a Druid that runs tasks of the multi-stage query engine, and asks nobody who he is
    #[error("Druid answers {status} to {what}: {answer}")]
    Answer { what: String, status: u16, answer: String },
    #[error("Druid's task {0} failed")]
    Failed(String),
    #[error("Druid has not removed its segments")]
    Left,
    #[error("Druid's task {task} has not ended within {} seconds", WORK.as_secs())]
    Slow { task: String },
}

/// A datasource at a real Druid, for as long as the demonstration runs
#[derive(Debug)]
pub(super) struct Borrowed {
    routers: Routers,
    datasource: String,
    /// The ids of queries whose tasks this run may have started
    queries: Vec<String>,
}

/// How a task stands
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl Borrowed {
    pub(super) fn new(routers: Routers, datasource: &str, queries: Vec<String>) -> Self {
        Self { routers, datasource: datasource.to_owned(), queries }
    }

    /// Whether this is a Druid that runs statements as tasks; changes nothing
    pub(super) async fn greet(&self) -> Result<(), BorrowError> {
        self.get("/druid/v2/sql/task/enabled").await.map(drop)
    }

    /// Makes the datasource by this statement, and waits until it can be read
    pub(super) async fn make(&self, statement: &str, query: &str) -> Result<(), BorrowError> {
        let submit = json!({"query": statement, "context": {"sqlQueryId": query}});
        self.post("/druid/v2/sql/task", &submit).await?;
        let task = format!("query-{query}");
        if self.ended(&task).await? == Standing::Failed {
            return Err(BorrowError::Failed(task));
        }
        let read = json!({"query": format!("SELECT COUNT(*) FROM \"{}\"", self.datasource)});
        let end = Instant::now() + WORK;
        while let Err(error) = self.post("/druid/v2/sql", &read).await {
            if Instant::now() > end {
                return Err(error);
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends this run's tasks, and removes the datasource and its segments
    pub(super) async fn remove(&self) -> Result<(), BorrowError> {
        for query in &self.queries {
            let task = format!("query-{query}");
            if self.standing(&task).await? == Standing::Running {
                // It may end by itself before it is told to.
                let _told = self.post(&format!("/druid/indexer/v1/task/{task}/shutdown"), &json!({})).await;
            }
            self.ended(&task).await?;
        }
        // Not `markUnused`, which does nothing to segments that no historical has loaded yet.
        let all = format!("/druid/coordinator/v1/datasources/{}", self.datasource);
        self.ask(&all, &Question::delete(&all)).await?;
        let kill = json!({"type": "kill", "dataSource": self.datasource, "interval": ALL_TIME});
        let answer = self.post("/druid/indexer/v1/task", &kill).await?;
        let task = answer.get("task").and_then(Value::as_str).unwrap_or_default().to_owned();
        match self.ended(&task).await? {
            Standing::Succeeded => self.is_gone().await,
            Standing::Running | Standing::Failed | Standing::Unknown => Err(BorrowError::Failed(task)),
        }
    }

    async fn is_gone(&self) -> Result<(), BorrowError> {
        let all = self.get("/druid/coordinator/v1/metadata/datasources?includeUnused").await?;
        let is_left = all.as_array().is_none_or(|names| names.contains(&json!(self.datasource)));
        if is_left { Err(BorrowError::Left) } else { Ok(()) }
    }

    /// How a task ended, once it has
    async fn ended(&self, task: &str) -> Result<Standing, BorrowError> {
        let end = Instant::now() + WORK;
        loop {
            match self.standing(task).await? {
                Standing::Running if Instant::now() > end => {
                    return Err(BorrowError::Slow { task: task.to_owned() });
                }
                Standing::Running => sleep(LOOK).await,
                ended @ (Standing::Succeeded | Standing::Failed | Standing::Unknown) => return Ok(ended),
            }
        }
    }

    async fn standing(&self, task: &str) -> Result<Standing, BorrowError> {
        match self.get(&format!("/druid/indexer/v1/task/{task}/status")).await {
            Ok(answer) => Ok(match answer.pointer("/status/statusCode").and_then(Value::as_str) {
                Some("SUCCESS") => Standing::Succeeded,
                Some("FAILED") => Standing::Failed,
                _ => Standing::Running,
            }),
            Err(BorrowError::Answer { status: 404, .. }) => Ok(Standing::Unknown),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, target: &str) -> Result<Value, BorrowError> {
        self.ask(target, &Question::get(target)).await
    }

    async fn post(&self, target: &str, body: &Value) -> Result<Value, BorrowError> {
        self.ask(target, &Question::post(target, Bytes::from(body.to_string()))).await
    }

    async fn ask(&self, target: &str, question: &Question) -> Result<Value, BorrowError> {
        let (status, body) = self.routers.ask(question, ANSWER_BYTES, ANSWER).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&body).unwrap_or(Value::Null));
        }
        let answer: String =
            String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
        Err(BorrowError::Answer { what: target.to_owned(), status: status.as_u16(), answer })
    }
}
