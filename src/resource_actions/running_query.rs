//! Queries that were let through and have not ended: who may cancel them

use std::collections::BTreeSet;

use super::needed::Needed;
use crate::druid::endpoint::TaskUse;
use crate::druid::{Owner, ResourceAction, ResourceActions, ResourceType};

/// A query that was let through, and has not ended
#[derive(Clone, Debug)]
pub struct RunningQuery {
    /// Who submitted it
    pub submitter: Owner,
    /// What it needed
    pub needs: Needed,
}

/// What using a running query takes (`SqlResource.cancelQuery`): to have submitted it, or to hold what it needed
///
/// Where several have this id, each of them counts; a query that nobody saw begin is somebody's all the same.
pub(super) fn needs_to_use(queries: &[RunningQuery], purpose: TaskUse) -> Needed {
    let state = ResourceAction::new(purpose.action(), ResourceType::State, "queries");
    let mut submitters = queries.iter().map(|query| &query.submitter);
    let first = submitters.next().cloned();
    let submitter = first.filter(|first| submitters.all(|other| other == first));
    let needs: BTreeSet<_> =
        queries.iter().flat_map(|query| query.needs.resource_actions()).cloned().collect();
    let otherwise = ResourceActions::new(needs).unwrap_or_else(|| ResourceActions::only(state));
    Needed::SubmitterOr { submitter, otherwise }
}
