//! The lists in Druid's answers, and where in them the datasources stand whose rows not everybody may see
//!
//! Druid leaves out what the caller may not see (`AuthorizationUtils.filterAuthorizedResources`); to Druid every
//! caller is the gate's account, so the gate does that in its place.

/// The shape of an answer that is a list
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `["a", …]`, or `[{"name": "a", …}, …]` with this member for the name
    Elements(&'static str),
    /// `[{"id": …, "type": …, "dataSource": "a", …}, …]`: tasks, which may be their submitter's alone (`select_tasks`)
    Tasks,
    /// `{"id": {"status": …, …}, …}`: tasks by their ids
    TasksById,
    /// `{"queries": [{"sqlQueryId": "id", …}, …]}`: queries that run, each its submitter's
    Queries,
    /// `{"a": …, …}`
    Keys,
    /// `{"…": {"a": …, …}, …}`: what stands by interval or tier
    KeysWithin,
    /// `{"a": 1.0, …}`, or by tier `{"…": {"a": 1, …}, …}`
    Loads,
    /// `{"…": [{"dataSource": "a", …}, …], …}`, with this member for the name
    Wrapped(&'static str),
    /// `["id", …]` or `[{"id": "id", …}, …]`: supervisors, each of the datasources in its specification
    Supervisors,
    /// `[{"spec": {…}, "version": …}, …]`: versions of a supervisor's specification
    Versions,
    /// `{"id": [{"spec": {…}, …}, …], …}`: the versions of each supervisor
    VersionsById,
}

impl List {
    /// What of it a caller sees, for people
    pub(super) fn seen(self) -> &'static str {
        match self {
            Self::Queries => "queries he has submitted",
            Self::TasksById => "tasks he may look at",
            Self::Elements(_)
            | Self::Tasks
            | Self::Keys
            | Self::KeysWithin
            | Self::Loads
            | Self::Wrapped(_)
            | Self::Supervisors
            | Self::Versions
            | Self::VersionsById => "rows of datasources he may READ",
        }
    }
}
