//! What brokers answer, and the router itself (`SqlResource`, `QueryResource`, `ClientInfoResource`, `StatusResource`)

use super::super::list::List;
use super::super::parameter::{Parameter, Values, parameter};
use super::super::rule::{Asks, READ_DATASOURCE, Rule, Runs, TaskUse, read_config, read_state};
use super::super::{Content, EITHER, ROWS as ROWS_OF_SQL, Row, delete, get, post};
use crate::druid::Action;

/// The web console's mark on its probes; without effect in Druid
pub(super) const PROBE: &[Parameter] =
    &[parameter("capabilities", Values::Flag), parameter("pretty", Values::Flag)];
const RESULTS: &[Parameter] = &[
    parameter("page", Values::Natural),
    parameter("resultFormat", Values::Word),
    parameter("filename", Values::FileName),
];
const INTERVAL: &[Parameter] = &[parameter("interval", Values::Text)];
const CANDIDATES: &[Parameter] = &[
    parameter("intervals", Values::Text),
    parameter("numCandidates", Values::Natural),
    parameter("pretty", Values::Flag),
];
const OWN_QUERIES: &[Parameter] =
    &[parameter("selfOnly", Values::Flag), parameter("includeComplete", Values::Flag)];

pub(super) const ROWS: &[Row] = &[
    post("/druid/v2/sql/task", Content::Query, Rule::Statement(Runs::AsTask)).patiently(),
    post("/druid/v2/sql", Content::Query, Rule::Statement(Runs::AtOnce))
        .with(PROBE)
        .patiently()
        .answering(ROWS_OF_SQL),
    post("/druid/v2/sql/statements", Content::Query, Rule::Statement(Runs::AsTask)).patiently(),
    get("/druid/v2/sql/statements/{statement}", Rule::StatementOf(TaskUse::Look))
        .with(&[parameter("detail", Values::Boolean)]),
    delete("/druid/v2/sql/statements/{statement}", Rule::StatementOf(TaskUse::Cancel)),
    get("/druid/v2/sql/statements/{statement}/results", Rule::StatementOf(TaskUse::Look))
        .with(RESULTS)
        .patiently()
        .answering(ROWS_OF_SQL),
    get("/druid/v2/sql/task/enabled", Rule::Anybody).with(PROBE),
    get("/druid/v2/sql/statements/enabled", Rule::Anybody).with(PROBE),
    get("/druid/v2/sql/engines", Rule::Anybody).with(PROBE),
    // Airflow's provider cancels here, and no Druid knows it.
    post("/druid/v2/sql/task/{task}/shutdown", Content::EmptyOrObject, Rule::Task(TaskUse::Cancel))
        .asked_by("/druid/indexer/v1/task/{task}/shutdown"),
    // To Druid every query is the gate's account's own.
    get("/druid/v2/sql/queries", Rule::RowsUnless(Action::Read, "queries", List::Queries)).with(OWN_QUERIES),
    get("/druid/v2/sql/queries/{query}/reports", Rule::RunningQuery(TaskUse::Look)),
    delete("/druid/v2/sql/{query}", Rule::RunningQuery(TaskUse::Cancel)).answering(EITHER),
    post("/druid/v2", Content::Query, Rule::NativeQuery(Asks::Rows)).with(PROBE).patiently(),
    post("/druid/v2/candidates", Content::Query, Rule::NativeQuery(Asks::Servers)).with(CANDIDATES),
    delete("/druid/v2/{query}", Rule::RunningQuery(TaskUse::Cancel)).answering(EITHER),
    get("/druid/v2/datasources", Rule::Rows(List::Elements("name"))),
    get("/druid/v2/datasources/{datasource}", READ_DATASOURCE).with(&[
        parameter("interval", Values::Text),
        parameter("full", Values::Flag),
        parameter("simple", Values::Flag),
    ]),
    get("/druid/v2/datasources/{datasource}/dimensions", READ_DATASOURCE).with(INTERVAL),
    get("/druid/v2/datasources/{datasource}/metrics", READ_DATASOURCE).with(INTERVAL),
    get("/druid/v2/datasources/{datasource}/candidates", READ_DATASOURCE).with(CANDIDATES),
    get("/druid/v1/lookups/introspect/{lookup}", Rule::Lookup(Action::Read)),
    get("/druid/v1/lookups/introspect/{lookup}/keys", Rule::Lookup(Action::Read)),
    get("/druid/v1/lookups/introspect/{lookup}/values", Rule::Lookup(Action::Read)),
    get("/druid/v1/lookups/introspect/{lookup}/version", Rule::Lookup(Action::Read)),
    get("/status/health", Rule::Health),
    get("/status/ready", Rule::Anybody),
    get("/status", read_state("status")).with(PROBE),
    // Names of secrets that an operator forgot in `druid.server.hiddenProperties` stand there too.
    get("/status/properties", read_config("properties")),
    get("/status/selfDiscovered", read_state("status")),
    get("/status/selfDiscovered/status", read_state("status")),
    get("/druid/router/v1/brokers", read_state("servers")),
    get("/proxy/enabled", Rule::Anybody).with(PROBE),
    get("/proxy/coordinator/status", read_state("status")).with(PROBE),
    get("/proxy/coordinator/status/health", Rule::Anybody),
    get("/proxy/coordinator/status/properties", read_config("properties")),
    get("/proxy/overlord/status", read_state("status")).with(PROBE),
    get("/proxy/overlord/status/health", Rule::Anybody),
    get("/proxy/overlord/status/properties", read_config("properties")),
];
