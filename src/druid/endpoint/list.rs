//! The lists in Druid's answers, and where in them the datasources stand whose rows not everybody may see
//!
//! Druid leaves out what the caller may not see (`AuthorizationUtils.filterAuthorizedResources`); to Druid every
//! caller is the gate's account, so the gate does that in its place.

/// The shape of an answer that is a list
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `["a", …]`, or `[{"name": "a", …}, …]` with this member for the name
    Elements(&'static str),
    /// `[{"id": …, "dataSource": "a", …}, …]`: tasks, which may be their submitter's alone (`select_tasks`)
    Tasks,
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
