//! The native form of a statement: the payload of its task, and the answer to EXPLAIN
//!
//! `MSQTaskQueryMaker` makes them in Druid. Nothing here is run; it is for those who look.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Version;
use super::statement::{Overwrite, Query, Source, Statement};
use super::table::{Column, Kind, Table};
use super::task::{CONTROLLER, without_nulls};

/// The interval that everything is in (`Intervals.ETERNITY`)
const ETERNITY: &str = "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z";

/// A statement, ready to be a task
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) statement: &'a Statement,
    /// What its SELECT gives
    pub(super) output: &'a Table,
    pub(super) text: &'a str,
    pub(super) context: &'a Map<String, Value>,
    pub(super) version: Version,
}

impl Planned<'_> {
    /// The datasource of its task
    pub(super) fn datasource(&self) -> &str {
        match self.statement {
            Statement::Select(_) => "__query_select",
            Statement::Export { .. } => "__query_export",
            Statement::Insert { target, .. } | Statement::Replace { target, .. } => target,
        }
    }

    /// The payload of its task
    pub(super) fn payload(&self, id: &str) -> Value {
        let columns = &self.output.columns;
        json!({
            "type": CONTROLLER,
            "id": id,
            "spec": {
                "query": self.native(&self.task_context()),
                "columnMappings": mappings(columns),
                "destination": self.destination(),
                "assignmentStrategy": "max",
                "tuningConfig": { "maxNumWorkers": 1, "maxRowsInMemory": 100_000, "rowsPerSegment": 3_000_000 },
            },
            "sqlQuery": self.text,
            "sqlQueryContext": self.context,
            "sqlResultsContext": self.results_context(),
            "sqlTypeNames": columns.iter().map(|column| column.kind.sql()).collect::<Vec<_>>(),
            "nativeTypeNames": columns.iter().map(|column| column.kind.native()).collect::<Vec<_>>(),
            "context": { "forceTimeChunkLock": true, "useLineageBasedSegmentAllocation": true },
            "groupId": id,
            "dataSource": self.datasource(),
            "resource": resource(id),
        })
    }

    /// The one row of EXPLAIN
    pub(super) fn explanation(&self) -> Table {
        let context: BTreeMap<_, _> = self.context.iter().collect();
        let plan = json!([{
            "query": self.native(&json!(context)),
            "signature": signature(&self.output.columns),
            "columnMappings": mappings(&self.output.columns),
        }]);
        let cells = [
            ("PLAN", plan.to_string()),
            ("RESOURCES", self.resources().to_string()),
            ("ATTRIBUTES", self.attributes().to_string()),
        ];
        Table {
            columns: cells.iter().map(|(name, _)| Column::new(*name, Kind::Varchar)).collect(),
            rows: vec![cells.into_iter().map(|(_, cell)| json!(cell)).collect()],
        }
    }

    fn native(&self, context: &Value) -> Value {
        let columns = &self.output.columns;
        let types = columns.iter().map(|column| column.kind.native()).collect::<Vec<_>>();
        let query = without_nulls(json!({
            "queryType": "scan",
            "dataSource": self.data_source(self.statement.query()),
            "intervals": {
                "type": "intervals",
                "intervals": [ETERNITY],
            },
            "resultFormat": "compactedList",
            "columns": columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            "context": context,
            "granularity": { "type": "all" },
            "legacy": false,
            "columnTypes": (self.version == Version::Druid37).then_some(types),
        }));
        Value::Object(query)
    }

    fn data_source(&self, query: &Query) -> Value {
        match &query.from {
            Some(Source::Table { name, .. }) => json!({ "type": "table", "name": name }),
            Some(Source::Extern { input_source, input_format, columns }) => json!({
                "type": "external",
                "inputSource": input_source,
                "inputFormat": input_format,
                "signature": signature(columns),
            }),
            Some(Source::Query(inner)) => {
                json!({ "type": "query", "query": { "queryType": "scan", "dataSource": self.data_source(inner) } })
            }
            None => json!({
                "type": "inline",
                "columnNames": self.output.columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
                "columnTypes": self.output.columns.iter().map(|column| column.kind.native()).collect::<Vec<_>>(),
                "rows": self.output.rows,
            }),
        }
    }

    /// The context as the controller has it: the client's keys, and Druid's own
    fn task_context(&self) -> Value {
        let clients = self.context.iter().map(|(key, value)| (key.as_str(), value.clone()));
        let mut context: BTreeMap<_, _> = clients.collect();
        context.extend([
            ("__user", json!("allowAll")),
            ("finalize", json!(true)),
            ("maxParseExceptions", json!(0)),
        ]);
        if self.version == Version::Druid27 {
            context.insert("scanSignature", json!(signature(&self.output.columns).to_string()));
        }
        let granularity = self.partitioned_by().map(|word| granularity(word).to_string());
        context.extend(granularity.map(|text| ("sqlInsertSegmentGranularity", json!(text))));
        json!(context)
    }

    fn results_context(&self) -> Value {
        match self.version {
            Version::Druid27 => {
                json!({ "timeZone": "UTC", "serializeComplexValues": true, "stringifyArrays": true })
            }
            Version::Druid37 => json!({ "timeZone": "UTC", "stringifyArrays": true }),
        }
    }

    fn partitioned_by(&self) -> Option<&str> {
        match self.statement {
            Statement::Insert { partitioned_by, .. } | Statement::Replace { partitioned_by, .. } => {
                Some(partitioned_by)
            }
            Statement::Select(_) | Statement::Export { .. } => None,
        }
    }

    fn destination(&self) -> Value {
        match self.statement {
            Statement::Select(_) => {
                let chosen = self.context.get("selectDestination").and_then(Value::as_str);
                let durable = chosen.is_some_and(|chosen| chosen.eq_ignore_ascii_case("durableStorage"));
                json!({ "type": if durable { "durableStorage" } else { "taskReport" } })
            }
            Statement::Export { storage, format, .. } => {
                json!({ "type": "export", "exportStorageProvider": storage, "resultFormat": format })
            }
            Statement::Insert { target, partitioned_by, .. } => {
                json!({ "type": "dataSource", "dataSource": target, "segmentGranularity": granularity(partitioned_by) })
            }
            Statement::Replace { target, partitioned_by, .. } => json!({
                "type": "dataSource",
                "dataSource": target,
                "segmentGranularity": granularity(partitioned_by),
                "replaceTimeChunks": [ETERNITY],
            }),
        }
    }

    /// What EXPLAIN says is touched; the actions are not told
    fn resources(&self) -> Value {
        let mut resources = Vec::new();
        read(self.statement.query(), &mut resources);
        match self.statement {
            Statement::Select(_) => {}
            Statement::Insert { target, .. } | Statement::Replace { target, .. } => {
                resources.push((target.as_str(), "DATASOURCE"));
            }
            Statement::Export { storage, .. } => {
                resources.push((storage.get("type").and_then(Value::as_str).unwrap_or_default(), "EXTERNAL"));
            }
        }
        resources.sort_unstable();
        resources.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect()
    }

    fn attributes(&self) -> Value {
        match self.statement {
            Statement::Select(_) => json!({ "statementType": "SELECT" }),
            Statement::Insert { target, partitioned_by, .. } => {
                json!({ "statementType": "INSERT", "targetDataSource": target, "partitionedBy": granularity(partitioned_by) })
            }
            Statement::Replace { target, overwrite, partitioned_by, .. } => json!({
                "statementType": "REPLACE",
                "targetDataSource": target,
                "partitionedBy": granularity(partitioned_by),
                "replaceTimeChunks": match overwrite {
                    Overwrite::All => "all",
                    Overwrite::Where(_) => ETERNITY,
                },
            }),
            Statement::Export { .. } => {
                json!({ "statementType": "INSERT", "targetDataSource": "external" })
            }
        }
    }
}

/// A PARTITIONED BY as JSON: a word, but for ALL
fn granularity(partitioned_by: &str) -> Value {
    if partitioned_by == "ALL" { json!({ "type": "all" }) } else { json!(partitioned_by) }
}

/// What a task holds of its worker
pub(super) fn resource(id: &str) -> Value {
    json!({ "availabilityGroup": id, "requiredCapacity": 1 })
}

fn read<'a>(query: &'a Query, resources: &mut Vec<(&'a str, &'static str)>) {
    match &query.from {
        Some(Source::Table { name, .. }) => resources.push((name, "DATASOURCE")),
        Some(Source::Extern { .. }) => resources.push(("EXTERNAL", "EXTERNAL")),
        Some(Source::Query(inner)) => read(inner, resources),
        None => {}
    }
}

fn signature(columns: &[Column]) -> Value {
    columns.iter().map(|column| json!({ "name": column.name, "type": column.kind.native() })).collect()
}

fn mappings(columns: &[Column]) -> Value {
    columns.iter().map(|column| json!({ "queryColumn": column.name, "outputColumn": column.name })).collect()
}
