//! The members that a posted task may have: those that concern its own datasource, or that are judged
//!
//! Each list is one text of words. Of Druid 27 to 39; what an older Druid does not know, it leaves out or refuses itself.

/// Context keys that change neither other tasks' locks, nor the JVM, nor whose a task is
pub(super) const CONTEXT_KEYS: &str = "priority storeCompactionState storeEmptyColumns subTaskTimeoutMillis tags taskLockTimeout \
     useConcurrentLocks";

/// Of `SeekableStreamSupervisorIOConfig` and those for Kafka, Kinesis and RabbitMQ: all of them about the stream
pub(super) const STREAM_IO_MEMBERS: &str = "type topic topicPattern multiTopic stream uri endpoint inputFormat replicas taskCount \
     taskDuration consumerProperties configOverrides autoScalerConfig pollTimeout startDelay period useEarliestOffset \
     useEarliestSequenceNumber completionTimeout lateMessageRejectionPeriod earlyMessageRejectionPeriod \
     lateMessageRejectionStartDateTime idleConfig stopTaskCount stopTaskCountRatio emitTimeLagMetrics \
     serverPriorityToReplicas boundedStreamConfig recordsPerFetch fetchDelayMillis awsAssumedRoleArn awsExternalId \
     deaggregate";

/// Of `DataSchema`
pub(super) const DATA_SCHEMA_MEMBERS: &str = "dataSource timestampSpec dimensionsSpec metricsSpec granularitySpec transformSpec \
     projections segmentGranularitySpec baseTable";

/// Of `CompactionTask`
pub(super) const COMPACT_MEMBERS: &str = "type id dataSource ioConfig interval segments dimensions dimensionsSpec metricsSpec \
     segmentGranularity granularitySpec tuningConfig transformSpec compactionRunner projections \
     baseTable resource context";

/// Of `KillUnusedSegmentsTask`
pub(super) const KILL_MEMBERS: &str = "type id dataSource interval versions batchSize limit maxUsedStatusLastUpdatedTime \
     markAsUnused context";

/// Of `ArchiveTask` and `RestoreTask`
pub(super) const INTERVAL_MEMBERS: &str = "type id dataSource interval context";

/// Of `NoopTask`
pub(super) const NOOP_MEMBERS: &str = "type id dataSource runTime isReadyTime isReadyResult context";

/// Of `SeekableStreamIndexTaskIOConfig` and those for Kafka, Kinesis and RabbitMQ
pub(super) const STREAM_TASK_IO_MEMBERS: &str = "type taskGroupId baseSequenceName startPartitions endPartitions \
     startSequenceNumbers endSequenceNumbers exclusiveStartSequenceNumberPartitions consumerProperties configOverrides pollTimeout \
     useTransaction minimumMessageTime maximumMessageTime refreshRejectionPeriodsInMinutes inputFormat multiTopic emitTimeLagMetrics \
     endpoint recordsPerFetch fetchDelayMillis awsAssumedRoleArn awsExternalId deaggregate uri";

/// Of `HadoopTuningConfig`
pub(super) const HADOOP_TUNING_MEMBERS: &str = "type workingPath version partitionsSpec shardSpecs indexSpec \
     indexSpecForIntermediatePersists appendableIndexSpec maxRowsInMemory maxBytesInMemory useMaxMemoryEstimates leaveIntermediate \
     cleanupOnFailure overwriteFiles ignoreInvalidRows jobProperties combineText useCombiner rowFlushBoundary \
     numBackgroundPersistThreads forceExtendableShardSpecs useExplicitVersion allowedHadoopPrefix logParseExceptions maxParseExceptions \
     useYarnRMJobStatusFallback awaitSegmentAvailabilityTimeoutMillis";

/// Input formats that read nothing but what the input source gives
pub(super) const PLAIN_FORMATS: &[&str] =
    &["json", "csv", "tsv", "regex", "lines", "orc", "parquet", "avro_ocf"];

/// What reads the files of an Iceberg table (`InputSourceFactory` and its extensions)
pub(super) const WAREHOUSES: &[&str] = &["local", "hdfs", "s3", "google", "azure", "azureStorage"];

/// Druid's input sources and the members of each (`InputSource` and its extensions)
pub(super) const INPUT_SOURCES: &[(&str, &str)] = &[
    ("inline", "type data"),
    ("http", "type uris httpAuthenticationUsername httpAuthenticationPassword requestHeaders systemFields"),
    ("local", "type baseDir filter files systemFields"),
    ("hdfs", "type paths systemFields"),
    (
        "s3",
        "type uris prefixes objects objectGlob properties proxyConfig endpointConfig clientConfig \
     systemFields",
    ),
    ("google", "type uris prefixes objects objectGlob systemFields"),
    ("azure", "type uris prefixes objects objectGlob systemFields"),
    ("azureStorage", "type uris prefixes objects objectGlob properties systemFields"),
    ("oss", "type uris prefixes objects objectGlob filter properties systemFields"),
    (
        "iceberg",
        "type tableName namespace icebergFilter icebergCatalog warehouseSource snapshotTime \
     residualFilterMode",
    ),
    ("sql", "type database foldCase sqls"),
    ("delta", "type tablePath filter snapshotVersion"),
    // Not `segments`: by them Druid's Coordinator gives those of any datasource (`MetadataResource.getSegment`).
    ("druid", "type dataSource interval filter dimensions metrics"),
    ("combining", "type delegates"),
];
