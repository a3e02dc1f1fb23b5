//! The settings of `[rules]`: between which of Druid's modes, and of the gate's own, to choose
//!
//! Each is a setting of proxy.toml under the same name; the defaults are the ones documented there.

use serde::Deserialize;

use crate::druid::{ResourceAction, ResourceType};

/// Everything under `[rules]`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    /// `cancel`
    pub cancel: Cancel,
    /// `select_tasks`
    pub select_tasks: SelectTasks,
    /// `metadata`
    pub metadata: Metadata,
    /// `raw_query_controller`
    pub raw_query_controller: RawQueryController,
    /// `task_inputs`
    pub task_inputs: TaskInputs,
    /// `input_source_types` (Druid's `druid.auth.enableInputSourceSecurity`)
    pub input_sources: InputSources,
    /// `context_keys` (Druid's `druid.auth.authorizeQueryContextParams`)
    pub context_keys: ContextKeys,
    /// `system_tables` (Druid's `druid.sql.planner.authorizeSystemTablesDirectly`)
    pub system_tables: SystemTables,
    /// `lookups`
    pub lookups: Lookups,
}

/// The name under which all external input goes where it is not told apart by type
pub(super) const EXTERNAL: &str = "EXTERNAL";

impl Rules {
    /// What reading external input of this type asks, by its type; its place may stand in for that
    pub(super) fn read_external(&self, kind: &str) -> ResourceAction {
        let name = if self.input_sources == InputSources::Together { EXTERNAL } else { kind };
        ResourceAction::read(ResourceType::External, name)
    }
}

/// What shutdown of a `query_controller` task asks
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cancel {
    /// READ on the task's datasource, as the manual of the multi-stage query engine says
    #[default]
    Read,
    /// WRITE on it, as the Overlord's code asks
    Write,
    /// To be its submitter, or WRITE STATE STATE
    Owner,
}

/// Who sees the tasks of statements
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelectTasks {
    /// Whoever holds READ on their datasource, of SELECT statements `__query_select`, as the manual says
    #[default]
    Shared,
    /// One's own without a grant, others' with READ on their datasource, of SELECT statements with READ STATE STATE
    Owner,
}

/// What `sys.*` and `INFORMATION_SCHEMA.*` ask
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metadata {
    /// READ STATE STATE (but `ROUTINES` and `SCHEMATA`), since Druid sees only the gate's account
    #[default]
    State,
    /// What Druid asks, which is mostly nothing, and READ STATE STATE for servers and other people's queries
    Open,
}

/// What becomes of tasks of type `query_controller` that are posted to the Overlord
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawQueryController {
    /// They are refused
    #[default]
    Deny,
    /// They need what their specification reads and writes, as the same in SQL
    Check,
}

/// What the `inputSource` of an ingestion spec asks
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskInputs {
    /// READ EXTERNAL, or READ on the datasource that an input source of type `druid` names
    #[default]
    External,
    /// Nothing, as Druid itself
    Druid,
}

/// How external input is named
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum InputSources {
    /// One name for all: `EXTERNAL`
    #[default]
    Together,
    /// By input-source type: `http`, `s3`, `local` …
    ByType,
}

/// Whether keys of the query context ask a permission
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ContextKeys {
    /// They ask nothing
    #[default]
    Open,
    /// WRITE QUERY_CONTEXT of each key
    Authorized,
}

/// Whether tables of the schema `sys` are resources of their own
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SystemTables {
    /// They are not
    #[default]
    Open,
    /// READ SYSTEM_TABLE of each
    Authorized,
}

/// Whether lookups ask a permission
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lookups {
    /// They ask nothing, as in Druid
    #[default]
    Open,
    /// READ LOOKUP of each
    Granted,
}
