//! The members that a posted task may have: those that concern its own datasource, or that are judged
//!
//! Of Druid 27 to 39; what an older Druid does not know, it leaves out or refuses itself.

/// Context keys that change neither other tasks' locks, nor the JVM, nor whose a task is
pub(super) const CONTEXT_KEYS: &[&str] = &[
    "priority",
    "storeCompactionState",
    "storeEmptyColumns",
    "subTaskTimeoutMillis",
    "tags",
    "taskLockTimeout",
    "useConcurrentLocks",
];

/// Of `DataSchema`
pub(super) const DATA_SCHEMA_MEMBERS: &[&str] = &[
    "dataSource",
    "timestampSpec",
    "dimensionsSpec",
    "metricsSpec",
    "granularitySpec",
    "transformSpec",
    "projections",
    "segmentGranularitySpec",
    "baseTable",
];

/// Of `CompactionTask`
pub(super) const COMPACT_MEMBERS: &[&str] = &[
    "type",
    "id",
    "dataSource",
    "ioConfig",
    "interval",
    "segments",
    "dimensions",
    "dimensionsSpec",
    "metricsSpec",
    "segmentGranularity",
    "granularitySpec",
    "tuningConfig",
    "transformSpec",
    "compactionRunner",
    "projections",
    "baseTable",
    "resource",
    "context",
];

/// Of `KillUnusedSegmentsTask`
pub(super) const KILL_MEMBERS: &[&str] = &[
    "type",
    "id",
    "dataSource",
    "interval",
    "versions",
    "batchSize",
    "limit",
    "maxUsedStatusLastUpdatedTime",
    "markAsUnused",
    "context",
];

/// Input formats that read nothing but what the input source gives
pub(super) const PLAIN_FORMATS: &[&str] =
    &["json", "csv", "tsv", "regex", "lines", "orc", "parquet", "avro_ocf"];

/// What reads the files of an Iceberg table (`InputSourceFactory` and its extensions)
pub(super) const WAREHOUSES: &[&str] = &["local", "hdfs", "s3", "google", "azure", "azureStorage"];

/// An input source and its members
pub(super) struct InputSource {
    pub(super) kind: &'static str,
    pub(super) members: &'static [&'static str],
}

/// Druid's input sources and the members of each (`InputSource` and its extensions)
pub(super) const INPUT_SOURCES: &[InputSource] = &[
    InputSource { kind: "inline", members: &["type", "data"] },
    InputSource {
        kind: "http",
        members: &[
            "type",
            "uris",
            "httpAuthenticationUsername",
            "httpAuthenticationPassword",
            "requestHeaders",
            "systemFields",
        ],
    },
    InputSource { kind: "local", members: &["type", "baseDir", "filter", "files", "systemFields"] },
    InputSource { kind: "hdfs", members: &["type", "paths", "systemFields"] },
    InputSource {
        kind: "s3",
        members: &[
            "type",
            "uris",
            "prefixes",
            "objects",
            "objectGlob",
            "properties",
            "proxyConfig",
            "endpointConfig",
            "clientConfig",
            "systemFields",
        ],
    },
    InputSource {
        kind: "google",
        members: &["type", "uris", "prefixes", "objects", "objectGlob", "systemFields"],
    },
    InputSource {
        kind: "azure",
        members: &["type", "uris", "prefixes", "objects", "objectGlob", "systemFields"],
    },
    InputSource {
        kind: "azureStorage",
        members: &["type", "uris", "prefixes", "objects", "objectGlob", "properties", "systemFields"],
    },
    InputSource {
        kind: "oss",
        members: &[
            "type",
            "uris",
            "prefixes",
            "objects",
            "objectGlob",
            "filter",
            "properties",
            "systemFields",
        ],
    },
    InputSource {
        kind: "iceberg",
        members: &[
            "type",
            "tableName",
            "namespace",
            "icebergFilter",
            "icebergCatalog",
            "warehouseSource",
            "snapshotTime",
            "residualFilterMode",
        ],
    },
    InputSource { kind: "sql", members: &["type", "database", "foldCase", "sqls"] },
    InputSource { kind: "delta", members: &["type", "tablePath", "filter", "snapshotVersion"] },
    // Not `segments`: by them Druid's Coordinator gives those of any datasource (`MetadataResource.getSegment`).
    InputSource {
        kind: "druid",
        members: &["type", "dataSource", "interval", "filter", "dimensions", "metrics"],
    },
    InputSource { kind: "combining", members: &["type", "delegates"] },
];
