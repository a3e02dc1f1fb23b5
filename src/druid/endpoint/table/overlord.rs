//! The Overlord's tasks, locks and workers (`OverlordResource`, `SamplerResource`, `OverlordCompactionResource`)

use super::super::list::List;
use super::super::parameter::{Parameter, Values, parameter};
use super::super::rule::{
    READ_DATASOURCE, Rule, TaskUse, WRITE_DATASOURCE, read_config, read_state, write_config, write_state,
};
use super::super::{Content, Row, TEXT, delete, get, post};
use crate::druid::Action;

const LOOK: Rule = Rule::Task(TaskUse::Look);
const TASKS: Rule = Rule::Rows(List::Tasks);
const LISTED: &[Parameter] = &[
    parameter("state", Values::Word),
    parameter("datasource", Values::Datasource),
    parameter("createdTimeInterval", Values::Text),
    parameter("max", Values::Natural),
    parameter("type", Values::Word),
];
const OF_TYPE: &[Parameter] = &[parameter("type", Values::Word), parameter("datasource", Values::Datasource)];
pub(super) const HISTORY: &[Parameter] =
    &[parameter("interval", Values::Text), parameter("count", Values::Natural)];
const PRETTY: &[Parameter] = &[parameter("pretty", Values::Flag)];

pub(super) const ROWS: &[Row] = &[
    post("/druid/indexer/v1/task", Content::TaskSpec, Rule::TaskSpec),
    get("/druid/indexer/v1/task/{task}", LOOK),
    get("/druid/indexer/v1/task/{task}/status", LOOK),
    get("/druid/indexer/v1/task/{task}/reports", LOOK),
    get("/druid/indexer/v1/task/{task}/log", LOOK)
        .with(&[parameter("offset", Values::Integer)])
        .answering(TEXT),
    get("/druid/indexer/v1/task/{task}/segments", LOOK),
    post("/druid/indexer/v1/task/{task}/shutdown", Content::EmptyOrObject, Rule::Task(TaskUse::Cancel)),
    post(
        "/druid/indexer/v1/datasources/{datasource}/shutdownAllTasks",
        Content::EmptyOrObject,
        WRITE_DATASOURCE,
    ),
    get("/druid/indexer/v1/tasks", TASKS).with(LISTED),
    get("/druid/indexer/v1/waitingTasks", TASKS).with(OF_TYPE),
    get("/druid/indexer/v1/pendingTasks", TASKS).with(OF_TYPE),
    get("/druid/indexer/v1/runningTasks", TASKS).with(OF_TYPE),
    get("/druid/indexer/v1/completeTasks", TASKS)
        .with(&[parameter("n", Values::Natural), parameter("type", Values::Word)]),
    // By ids, of tasks of any datasource, which the answer does not tell: each is asked about.
    post(
        "/druid/indexer/v1/taskStatus",
        Content::Json,
        Rule::RowsUnless(Action::Write, "tasks", List::TasksById),
    ),
    post("/druid/indexer/v1/lockedIntervals", Content::Json, write_state("tasks")),
    post("/druid/indexer/v1/lockedIntervals/v2", Content::Json, write_state("tasks")),
    post("/druid/indexer/v1/activeLocks", Content::Json, write_state("tasks")),
    get("/druid/indexer/v1/leader", read_state("servers")),
    get("/druid/indexer/v1/isLeader", Rule::Anybody),
    get("/druid/indexer/v1/worker", read_config("workers")).with(PRETTY),
    post("/druid/indexer/v1/worker", Content::Json, write_config("workers")),
    get("/druid/indexer/v1/worker/history", read_config("workers")).with(HISTORY),
    get("/druid/indexer/v1/totalWorkerCapacity", read_config("workers")),
    get("/druid/indexer/v1/workers", read_state("workers")),
    post("/druid/indexer/v1/worker/{worker}/enable", Content::EmptyOrObject, write_state("workers")),
    post("/druid/indexer/v1/worker/{worker}/disable", Content::EmptyOrObject, write_state("workers")),
    get("/druid/indexer/v1/scaling", read_state("workers")),
    delete(
        "/druid/indexer/v1/pendingSegments/{datasource}",
        Rule::Datasource(&[Action::Read, Action::Write]),
    )
    .with(&[parameter("interval", Values::Text)]),
    post("/druid/indexer/v1/sampler", Content::TaskSpec, Rule::Sampler)
        .with(&[parameter("for", Values::Word)])
        .patiently(),
    get("/druid/indexer/v1/compaction/isSupervisorEnabled", read_config("compaction")),
    get("/druid/indexer/v1/compaction/config/cluster", read_config("compaction")),
    post("/druid/indexer/v1/compaction/config/cluster", Content::Json, write_config("compaction")),
    get("/druid/indexer/v1/compaction/config/datasources", Rule::Rows(List::Wrapped("dataSource"))),
    get("/druid/indexer/v1/compaction/config/datasources/{datasource}", READ_DATASOURCE),
    post(
        "/druid/indexer/v1/compaction/config/datasources/{datasource}",
        Content::Compaction,
        WRITE_DATASOURCE,
    ),
    delete("/druid/indexer/v1/compaction/config/datasources/{datasource}", WRITE_DATASOURCE),
    get("/druid/indexer/v1/compaction/config/datasources/{datasource}/history", READ_DATASOURCE)
        .with(HISTORY),
    get("/druid/indexer/v1/compaction/status/datasources", Rule::Rows(List::Wrapped("dataSource"))),
    get("/druid/indexer/v1/compaction/status/datasources/{datasource}", READ_DATASOURCE),
    post("/druid/indexer/v1/compaction/simulate", Content::Json, write_config("compaction")),
    post("/druid/indexer/v1/datasources/{datasource}", Content::EmptyOrObject, WRITE_DATASOURCE),
    delete("/druid/indexer/v1/datasources/{datasource}", WRITE_DATASOURCE),
    post("/druid/indexer/v1/datasources/{datasource}/markUsed", Content::OfDatasource, WRITE_DATASOURCE),
    post("/druid/indexer/v1/datasources/{datasource}/markUnused", Content::OfDatasource, WRITE_DATASOURCE),
    post(
        "/druid/indexer/v1/datasources/{datasource}/segments/{segment}",
        Content::EmptyOrObject,
        WRITE_DATASOURCE,
    ),
    delete("/druid/indexer/v1/datasources/{datasource}/segments/{segment}", WRITE_DATASOURCE),
    get("/druid/indexer/v1/k8s/taskrunner/executionconfig", read_config("workers")),
    post("/druid/indexer/v1/k8s/taskrunner/executionconfig", Content::Json, write_config("workers")),
    get("/druid/indexer/v1/k8s/taskrunner/executionconfig/history", read_config("workers")).with(HISTORY),
];
