//! The Coordinator: datasources, segments, servers, rules, configuration (`DataSourcesResource`, `MetadataResource`,
//! `ServersResource`, `RulesResource`, `CoordinatorDynamicConfigsResource`, `LookupCoordinatorResource` …)

use super::super::list::List;
use super::super::parameter::{Parameter, Values, parameter, repeated};
use super::super::rule::{
    READ_DATASOURCE, Rule, WRITE_DATASOURCE, read_config, read_state, write_config, write_state,
};
use super::super::{Content, Row, delete, get, post};
use super::overlord::HISTORY;
use crate::druid::Action;

const FULL: Parameter = parameter("full", Values::Flag);
const SIMPLE: Parameter = parameter("simple", Values::Flag);
const SHAPES: &[Parameter] = &[FULL, SIMPLE];
const LOAD_STATUS: &[Parameter] = &[SIMPLE, FULL, parameter("computeUsingClusterView", Values::Flag)];
const LOAD_STATUS_OF_ONE: &[Parameter] = &[
    parameter("forceMetadataRefresh", Values::Boolean),
    parameter("interval", Values::Text),
    SIMPLE,
    FULL,
    parameter("computeUsingClusterView", Values::Flag),
];
const HANDOFF: &[Parameter] = &[
    parameter("interval", Values::Text),
    parameter("partitionNumber", Values::Integer),
    parameter("version", Values::Text),
];
/// It would delete data for good, in place of what the endpoint does; an interval's DELETE always does
const KILL: &[Parameter] = &[parameter(
    "kill",
    Values::Refused("is not let through; post a task of type `kill` to /druid/indexer/v1/task instead"),
)];
const UNUSED: &[Parameter] = &[
    parameter("interval", Values::Text),
    parameter("limit", Values::Natural),
    parameter("lastSegmentId", Values::Text),
    parameter("sortOrder", Values::Word),
];
const METADATA_SEGMENTS: &[Parameter] = &[
    repeated("datasources", Values::Text),
    parameter("includeOvershadowedStatus", Values::Flag),
    parameter("includeRealtimeSegments", Values::Flag),
];

pub(super) const ROWS: &[Row] = &[
    get("/druid/coordinator/v1/isLeader", Rule::Anybody),
    get("/druid/coordinator/v1/leader", read_state("servers")),
    get("/druid/coordinator/v1/loadstatus", Rule::RowsUnless(Action::Read, "servers", List::Loads))
        .with(LOAD_STATUS),
    get("/druid/coordinator/v1/loadqueue", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/duties", read_state("servers")),
    get("/druid/coordinator/v1/cluster", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/cluster/{role}", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/servers", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/servers/{server}", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/servers/{server}/segments", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/servers/{server}/segments/{segment}", read_state("servers")),
    get("/druid/coordinator/v1/tiers", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/tiers/{tier}", read_state("servers")).with(SHAPES),
    get("/druid/coordinator/v1/datasources", Rule::Rows(List::Elements("name"))).with(SHAPES),
    get("/druid/coordinator/v1/datasources/{datasource}", READ_DATASOURCE).with(SHAPES),
    post("/druid/coordinator/v1/datasources/{datasource}", Content::EmptyOrObject, WRITE_DATASOURCE),
    delete("/druid/coordinator/v1/datasources/{datasource}", WRITE_DATASOURCE).with(KILL),
    post("/druid/coordinator/v1/datasources/{datasource}/markUsed", Content::OfDatasource, WRITE_DATASOURCE),
    post(
        "/druid/coordinator/v1/datasources/{datasource}/markUnused",
        Content::OfDatasource,
        WRITE_DATASOURCE,
    ),
    get("/druid/coordinator/v1/datasources/{datasource}/intervals", READ_DATASOURCE).with(SHAPES),
    get("/druid/coordinator/v1/datasources/{datasource}/intervals/{interval}", READ_DATASOURCE).with(SHAPES),
    delete("/druid/coordinator/v1/datasources/{datasource}/intervals/{interval}", WRITE_DATASOURCE),
    get("/druid/coordinator/v1/datasources/{datasource}/intervals/{interval}/serverview", READ_DATASOURCE)
        .with(&[parameter("partial", Values::Boolean)]),
    get("/druid/coordinator/v1/datasources/{datasource}/segments", READ_DATASOURCE).with(SHAPES),
    get("/druid/coordinator/v1/datasources/{datasource}/segments/{segment}", READ_DATASOURCE),
    post(
        "/druid/coordinator/v1/datasources/{datasource}/segments/{segment}",
        Content::EmptyOrObject,
        WRITE_DATASOURCE,
    ),
    delete("/druid/coordinator/v1/datasources/{datasource}/segments/{segment}", WRITE_DATASOURCE),
    get("/druid/coordinator/v1/datasources/{datasource}/tiers", READ_DATASOURCE),
    get("/druid/coordinator/v1/datasources/{datasource}/loadstatus", READ_DATASOURCE)
        .with(LOAD_STATUS_OF_ONE),
    get("/druid/coordinator/v1/datasources/{datasource}/handoffComplete", READ_DATASOURCE).with(HANDOFF),
    get("/druid/coordinator/v1/intervals", Rule::Rows(List::KeysWithin)),
    // Sums over all datasources, in which nobody's part can be told from another's.
    get("/druid/coordinator/v1/intervals/{interval}", read_state("segments")).with(SHAPES),
    get("/druid/coordinator/v1/metadata/datasources", Rule::Rows(List::Elements("name"))).with(&[
        FULL,
        parameter("includeUnused", Values::Flag),
        parameter("includeDisabled", Values::Flag),
    ]),
    get("/druid/coordinator/v1/metadata/datasources/{datasource}", READ_DATASOURCE).with(SHAPES),
    get("/druid/coordinator/v1/metadata/datasources/{datasource}/segments", READ_DATASOURCE).with(SHAPES),
    // A read, for which Druid asks WRITE, since it is a POST.
    post("/druid/coordinator/v1/metadata/datasources/{datasource}/segments", Content::Json, WRITE_DATASOURCE)
        .with(SHAPES),
    get("/druid/coordinator/v1/metadata/datasources/{datasource}/unusedSegments", READ_DATASOURCE)
        .with(UNUSED),
    get("/druid/coordinator/v1/metadata/datasources/{datasource}/segments/{segment}", READ_DATASOURCE),
    get("/druid/coordinator/v1/metadata/segments", Rule::Rows(List::Elements("dataSource")))
        .with(METADATA_SEGMENTS),
    post(
        "/druid/coordinator/v1/metadata/dataSourceInformation",
        Content::Json,
        Rule::Rows(List::Elements("dataSource")),
    ),
    // Druid asks WRITE on a datasource named `druid`, by an oversight; it shows segments of all.
    post("/druid/coordinator/v1/metadata/bootstrapSegments", Content::EmptyOrObject, read_state("segments")),
    get("/druid/coordinator/v1/rules", read_state("rules")),
    get("/druid/coordinator/v1/rules/history", read_state("rules")).with(HISTORY),
    get("/druid/coordinator/v1/rules/{datasource}", Rule::Retention(Action::Read)).with(&[FULL]),
    post("/druid/coordinator/v1/rules/{datasource}", Content::Json, Rule::Retention(Action::Write)),
    get("/druid/coordinator/v1/rules/{datasource}/history", READ_DATASOURCE).with(HISTORY),
    get("/druid/coordinator/v1/config", read_config("coordinator")),
    post("/druid/coordinator/v1/config", Content::Json, write_config("coordinator")),
    get("/druid/coordinator/v1/config/history", read_config("coordinator")).with(HISTORY),
    get("/druid/coordinator/v1/config/syncedBrokers", read_state("servers")),
    get("/druid/coordinator/v1/config/cloneStatus", read_state("servers")),
    get("/druid/coordinator/v1/config/compaction", read_config("compaction")),
    post("/druid/coordinator/v1/config/compaction", Content::Compaction, write_config("compaction")),
    post(
        "/druid/coordinator/v1/config/compaction/taskslots",
        Content::EmptyOrObject,
        write_config("compaction"),
    )
    .with(&[
        parameter("ratio", Values::Text),
        parameter("max", Values::Natural),
        parameter("useAutoScaleSlots", Values::Boolean),
    ]),
    post("/druid/coordinator/v1/config/compaction/cluster", Content::Json, write_config("compaction")),
    get("/druid/coordinator/v1/config/compaction/{datasource}", read_config("compaction")),
    delete("/druid/coordinator/v1/config/compaction/{datasource}", write_config("compaction")),
    get("/druid/coordinator/v1/config/compaction/{datasource}/history", read_config("compaction"))
        .with(HISTORY),
    get("/druid/coordinator/v1/broker/config", read_config("broker")),
    post("/druid/coordinator/v1/broker/config", Content::Json, write_config("broker")),
    get("/druid/coordinator/v1/broker/config/history", read_config("broker")).with(HISTORY),
    post("/druid/coordinator/v1/compaction/compact", Content::EmptyOrObject, write_config("compaction")),
    get("/druid/coordinator/v1/compaction/progress", read_state("compaction"))
        .with(&[parameter("dataSource", Values::Text)]),
    get("/druid/coordinator/v1/compaction/status", read_state("compaction"))
        .with(&[parameter("dataSource", Values::Text)]),
    post("/druid/coordinator/v1/compaction/simulate", Content::Json, write_state("compaction")),
    get("/druid/coordinator/v1/lookups/config", read_config("lookups"))
        .with(&[parameter("discover", Values::Boolean)]),
    post("/druid/coordinator/v1/lookups/config", Content::Json, write_config("lookups")),
    // These show the maps of every lookup, or what they are read from.
    get("/druid/coordinator/v1/lookups/config/all", read_config("lookups")),
    get("/druid/coordinator/v1/lookups/config/{tier}", read_config("lookups"))
        .with(&[parameter("detailed", Values::Boolean)]),
    delete("/druid/coordinator/v1/lookups/config/{tier}", write_config("lookups")),
    get("/druid/coordinator/v1/lookups/config/{tier}/{lookup}", Rule::Lookup(Action::Read)),
    post("/druid/coordinator/v1/lookups/config/{tier}/{lookup}", Content::Json, Rule::Lookup(Action::Write)),
    delete("/druid/coordinator/v1/lookups/config/{tier}/{lookup}", Rule::Lookup(Action::Write)),
    get("/druid/coordinator/v1/lookups/status", read_config("lookups"))
        .with(&[parameter("detailed", Values::Boolean)]),
    get("/druid/coordinator/v1/lookups/status/{tier}", read_config("lookups"))
        .with(&[parameter("detailed", Values::Boolean)]),
    get("/druid/coordinator/v1/lookups/status/{tier}/{lookup}", Rule::Lookup(Action::Read))
        .with(&[parameter("detailed", Values::Boolean)]),
    get("/druid/coordinator/v1/lookups/nodeStatus", read_config("lookups"))
        .with(&[parameter("discover", Values::Boolean)]),
    get("/druid/coordinator/v1/lookups/nodeStatus/{tier}", read_config("lookups")),
    get("/druid/coordinator/v1/lookups/nodeStatus/{tier}/{server}", read_config("lookups")),
];
