//! The Overlord's supervisors (`SupervisorResource`)

use super::super::list::List;
use super::super::parameter::{Values, parameter};
use super::super::rule::Rule;
use super::super::{Content, Row, get, post};
use crate::druid::Action;

const READ: Rule = Rule::Supervisor(Action::Read);
const WRITE: Rule = Rule::Supervisor(Action::Write);
/// To Druid the caller is the gate's account, which may change all of them
const OF_EVERYBODY: Rule = Rule::Closed("it would act on everybody's supervisors; ask for each by its id");

pub(super) const ROWS: &[Row] = &[
    post("/druid/indexer/v1/supervisor", Content::TaskSpec, Rule::SupervisorSpec)
        .with(&[parameter("skipRestartIfUnmodified", Values::Boolean)]),
    get("/druid/indexer/v1/supervisor", Rule::Rows(List::Supervisors)).with(&[
        parameter("full", Values::Flag),
        parameter("state", Values::Boolean),
        parameter("system", Values::Flag),
    ]),
    get("/druid/indexer/v1/supervisor/{supervisor}", READ),
    get("/druid/indexer/v1/supervisor/{supervisor}/status", READ),
    get("/druid/indexer/v1/supervisor/{supervisor}/health", READ),
    get("/druid/indexer/v1/supervisor/{supervisor}/stats", READ),
    get("/druid/indexer/v1/supervisor/{supervisor}/parseErrors", READ),
    post("/druid/indexer/v1/supervisor/{supervisor}/suspend", Content::EmptyOrObject, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/resume", Content::EmptyOrObject, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/terminate", Content::EmptyOrObject, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/shutdown", Content::EmptyOrObject, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/reset", Content::EmptyOrObject, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/resetOffsets", Content::Json, WRITE),
    post("/druid/indexer/v1/supervisor/{supervisor}/taskGroups/handoff", Content::Json, WRITE),
    post("/druid/indexer/v1/supervisor/suspendAll", Content::EmptyOrObject, OF_EVERYBODY),
    post("/druid/indexer/v1/supervisor/resumeAll", Content::EmptyOrObject, OF_EVERYBODY),
    post("/druid/indexer/v1/supervisor/terminateAll", Content::EmptyOrObject, OF_EVERYBODY),
    get("/druid/indexer/v1/supervisor/history", Rule::Rows(List::VersionsById)),
    get("/druid/indexer/v1/supervisor/{supervisor}/history", Rule::Rows(List::Versions))
        .with(&[parameter("count", Values::Natural)]),
];
